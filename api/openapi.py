"""The OpenAPI 3.1 document: what FastAPI knows, plus scopes, shared refusals and headers from the tables that enforce
them.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api import examples
from api.problems import Problem
from models.policy import RULES, SCOPES

DESCRIPTION = """Manages engagements of outside experts: sponsored programmes, vetted experts, agreed scope, contracts,
confidentiality, knowledge transfer, handover. Conventions are described in openapi/README.md of the source."""
REFUSALS = {
    "401": "The token is missing or no longer stands: see WWW-Authenticate",
    "403": "The scope, the role or a rule does not allow it",
    "404": "There is no such object here",
    "408": "The body did not arrive in time",
    "409": "The state of things does not allow it: see unmet",
    "412": "Changed meanwhile",
    "413": "The body is larger than 1 MiB",
    "415": "The body is not JSON",
    "422": "The input is not valid: see errors",
    "428": "If-Match is required",
    "429": "Too many requests in a minute: see Retry-After",
    "503": "Try again later: see Retry-After",
}
SHARED = ("401", "403", "422", "429", "503")
BODIED = ("408", "409", "413", "415")
CONDITIONAL = ("412", "428")
TOKEN_URL = {"tokenUrl": "/oauth/token", "scopes": SCOPES}
FLOWS = {
    "authorizationCode": {"authorizationUrl": "/authorize", "refreshUrl": "/oauth/token", **TOKEN_URL},
    "clientCredentials": TOKEN_URL,
}
ANSWERED = ("X-Request-Id", "RateLimit")
HEADERS = {
    "ETag": "The version in quotes; send it back as If-Match",
    "Location": "Where the new object is",
    "X-Request-Id": "Quote it when you report a problem",
    "RateLimit": "What is left of the limit in this window, and its end in seconds",
    "Retry-After": "Seconds to wait",
}


def install(app: FastAPI) -> None:
    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
    document["components"].setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    document["components"]["responses"] = {f"Problem{status}": _refusal(status) for status in REFUSALS}
    document["components"]["securitySchemes"] = {"oauth2": {"type": "oauth2", "flows": FLOWS}}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
            _illustrate(operation, document["components"])
    return document


def _illustrate(operation: dict[str, Any], components: dict[str, Any]) -> None:
    """Examples of the body and the answer; each stands once in the document, by its shape's name."""
    told, shapes = components.setdefault("examples", {}), components["schemas"]
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    for part in (part for body in bodies for part in body.get("content", {}).values()):
        # A body that may be left out is a choice of the shape and null.
        schema = part.get("schema", {})
        if not (name := schema.get("anyOf", [schema])[0].get("$ref", "").rpartition("/")[2]):
            continue
        told[name] = {"value": examples.of_shape(shapes[name], shapes)}
        part["examples"] = {"example": {"$ref": f"#/components/examples/{name}"}}


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    rule = RULES[operation["operationId"]]
    operation["summary"] = operation["description"].partition("\n")[0].rstrip(".")
    operation["security"] = [{"oauth2": [rule.scope] if rule.scope else []}]
    operation["x-roles"] = sorted(rule.roles | rule.own)
    responses = operation["responses"]
    for response in responses.values():
        response["headers"] = {name: _header(HEADERS[name]) for name in ANSWERED}
    if "201" in responses:
        responses["201"]["headers"]["Location"] = _header(HEADERS["Location"])
    refused = {*SHARED, *(status for status in responses if not status.startswith("2"))}
    if method in ("post", "put", "patch"):
        refused |= {*BODIED}
    if method in ("put", "patch", "delete"):
        refused |= {*CONDITIONAL}
    if "{" in path:
        refused.add("404")
    responses.update({status: {"$ref": f"#/components/responses/Problem{status}"} for status in refused})
    _parameters(method, path, operation)


def _refusal(status: str) -> dict[str, Any]:
    names = [*ANSWERED, *(["Retry-After"] if status in ("429", "503") else [])]
    schema = {"$ref": "#/components/schemas/Problem"}
    example = examples.of_problem(int(status), REFUSALS[status])
    return {
        "description": REFUSALS[status],
        "headers": {name: _header(HEADERS[name]) for name in names},
        "content": {"application/problem+json": {"schema": schema, "example": example}},
    }


def _parameters(method: str, path: str, operation: dict[str, Any]) -> None:
    parameters = operation.setdefault("parameters", [])
    if method == "post":
        parameters.append(_parameter("Idempotency-Key", "A key of yours: a repeated call has its effect once", 255))
    if method in ("post", "patch", "put") and "{" in path:
        note = "The ETag you last saw" + ("" if method == "post" else "; required")
        parameters.append(_parameter("If-Match", note, 100))
    if method == "patch":
        body = operation["requestBody"]["content"]
        body["application/merge-patch+json"] = body["application/json"]
    if not parameters:
        del operation["parameters"]


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _parameter(name: str, description: str, length: int) -> dict[str, Any]:
    schema = {"type": "string", "maxLength": length}
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}
