"""Examples for the OpenAPI document, made from the shapes: the same every time, and plausible by a field's name.

A shape that needs a value of its own says so with `examples` on its field.
"""

from typing import Any

from api.problems import PROTOCOL, STATUS

ID = "0199c0de-0000-7000-8000-000000000001"
NAMES: dict[str, Any] = {
    "action": "approve",
    "client": "North Ferries",
    "client_id": "docs",
    "collection": "experts",
    "country": "NL",
    "currency": "EUR",
    "document_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "email": "ida@example.org",
    "firm": "Jansen and Partners",
    "grade": 12,
    "job_title": "Marketing director",
    "languages": "Dutch",
    "locale": "en",
    "name": "Ida Jansen",
    "note": "As agreed with the sponsors",
    "organisation": "north-ferries",
    "reason": "Asked for by both sides",
    "refs": f"/experts/{ID}",
    "request_id": ID,
    "result": "Answers within the hour rose from 40 % to 85 %",
    "rule": "verified-claims",
    "scopes": "organisations:read",
    "skill": "Social listening",
    "skills": "Social listening",
    "slug": "north-ferries",
    "time_zone": "Europe/Amsterdam",
    "version": 1,
}
# What is usually not there, where it need not be.
NOTHING = {"expert_id", "next_cursor", "on_behalf_of", "parent_id", "reason"}
# Only in answers to a request that asks for it.
ASKED_FOR = {"total"}
FORMATS = {"uuid": ID, "date": "2026-12-01", "date-time": "2026-11-24T09:30:00.000000Z", "uri": "https://example.org/"}
LATER = ("ends", "until", "leaves", "expires", "due", "before", "horizon")
CODES = {
    401: "invalid-token",
    403: "missing-scope",
    404: "not-found",
    409: "wrong-state",
    412: "stale",
    422: "invalid-input",
    428: "if-match-required",
    429: "too-many-requests",
    503: "database-busy",
}
PARTS: dict[int, dict[str, Any]] = {
    409: {"unmet": [{"rule": "status", "needed": ["draft"], "actual": "closed", "refs": []}]},
    422: {"errors": [{"pointer": "/name", "code": "missing", "detail": "Field required"}]},
}


def of_problem(status: int, detail: str) -> dict[str, Any]:
    """A problem as this status brings it."""
    titles = {number: title for number, title in STATUS.values()}
    code = CODES.get(status) or PROTOCOL[status][0]
    return {
        "type": f"/problems/{code}",
        "title": titles.get(status, code.replace("-", " ").capitalize()),
        "status": status,
        "detail": detail,
        "code": code,
        "instance": "/v1/…",
        "request_id": ID,
        **PARTS.get(status, {}),
    }


def of_shape(schema: dict[str, Any], shapes: dict[str, Any], name: str = "") -> Any:
    """A value that the schema allows; `shapes` are the document's, `name` is the field's."""
    if "$ref" in schema:
        return of_shape(shapes[schema["$ref"].rpartition("/")[2]], shapes, name)
    for told in ("examples", "enum"):
        if schema.get(told):
            return schema[told][0]
    if "const" in schema:
        return schema["const"]
    if "anyOf" in schema:
        return _of_any(schema["anyOf"], shapes, name)
    kind = schema.get("type")
    if kind == "object":
        fields = schema.get("properties", {}).items()
        return {field: of_shape(part, shapes, field) for field, part in fields if field not in ASKED_FOR}
    if kind == "array":
        return [of_shape(schema.get("items", {}), shapes, name)]
    return _plain(schema, kind, name)


def _of_any(choices: list[dict[str, Any]], shapes: dict[str, Any], name: str) -> Any:
    """Nothing where that is usual, else a string before a number: decimals are written as strings."""
    if {"type": "null"} in choices and name in NOTHING:
        return None
    told = [choice for choice in choices if choice.get("type") not in ("null", "number")]
    return of_shape((told or choices)[0], shapes, name)


def _plain(schema: dict[str, Any], kind: str | None, name: str) -> Any:
    if kind in ("integer", "number"):
        known = NAMES.get(name)
        return known if isinstance(known, int) else schema.get("default", int(schema.get("minimum", 1)))
    if kind == "boolean":
        return schema.get("default", False)
    if kind != "string":
        return None
    if form := schema.get("format"):
        return "2027-05-31" if form == "date" and name.startswith(LATER) else FORMATS.get(form, name)
    if isinstance(known := NAMES.get(name), str):
        return known
    if "\\d*" in schema.get("pattern", "") or name in ("amount", "hours"):
        return "125.00"
    return schema.get("default") or name.replace("_", " ").capitalize()[: schema.get("maxLength")]
