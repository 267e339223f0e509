"""RFC 9457: every refusal leaves the server as application/problem+json."""

import json
from typing import Any

from asyncpg import PostgresError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.auth import challenge
from models.errors import (
    Conflict,
    Forbidden,
    Invalid,
    Missing,
    Refusal,
    Stale,
    TooMany,
    Unauthenticated,
    Unavailable,
    Unconditional,
)

STATUS: dict[type[Refusal], tuple[int, str]] = {
    Invalid: (422, "Invalid input"),
    Unauthenticated: (401, "Not authenticated"),
    Forbidden: (403, "Not allowed"),
    Missing: (404, "Not found"),
    Conflict: (409, "Conflict"),
    Stale: (412, "Changed meanwhile"),
    Unconditional: (428, "If-Match required"),
    TooMany: (429, "Too many requests"),
    Unavailable: (503, "Try again later"),
}
PROTOCOL: dict[int, tuple[str, str]] = {
    400: ("bad-request", "The request could not be read."),
    404: ("no-such-route", "There is nothing at this address: see /v1/openapi.json for what there is."),
    405: ("method-not-allowed", "This address does not know that method: see the Allow header."),
    408: ("body-too-slow", "The body did not arrive in time: send it again."),
    413: ("body-too-large", "The body is too large: the limit is 1 MiB."),
    415: (
        "unsupported-content-type",
        "Send application/json (PATCH: application/merge-patch+json or application/json).",
    ),
    500: ("internal-error", "Something went wrong on our side. Quote the request_id when you report it."),
}
# SQLSTATE classes of a database that is busy or away: the caller may simply try again.
PASSING = ("08", "40", "53", "55", "57")


class Problem(BaseModel):
    """RFC 9457 problem details. `code` is stable and documented in openapi/problems.md."""

    type: str = Field(examples=["/problems/not-found"])
    title: str
    status: int
    detail: str
    code: str
    instance: str
    request_id: str
    errors: list[dict[str, Any]] | None = Field(default=None, description="[{pointer | parameter, code, detail}]")
    unmet: list[dict[str, Any]] | None = Field(default=None, description="[{rule, needed, actual, refs}]")


def problem_body(scope: Any, status: int, code: str, title: str, detail: str, **more: Any) -> bytes:
    body = {
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "instance": scope["path"],
        "request_id": scope.get("state", {}).get("request_id", ""),
        **{name: value for name, value in more.items() if value},
    }
    return json.dumps(body, default=str).encode()


def problem(request: Request, status: int, code: str, title: str, detail: str, **more: Any) -> Response:
    headers = more.pop("headers", None)
    body = problem_body(request.scope, status, code, title, detail, **more)
    return Response(body, status, headers, media_type="application/problem+json")


def protocol_problem(request: Request, status: int, headers: dict[str, str] | None = None) -> Response:
    """A refusal of the protocol itself, before any rule of ours was asked."""
    code, detail = PROTOCOL.get(status, PROTOCOL[400] if status < 500 else PROTOCOL[500])
    return problem(request, status, code, code.replace("-", " ").capitalize(), detail, headers=headers)


def pointer(location: tuple[Any, ...]) -> dict[str, str]:
    """Where an error lies: a JSON pointer (RFC 6901) into the body, or the name of a parameter."""
    place, *path = location
    if place == "body":
        steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
        return {"pointer": "".join(f"/{step}" for step in steps)}
    return {"parameter": str(path[0]) if path else str(place)}


def refusal(request: Request, error: Refusal) -> Response:
    """A refusal as an answer, for the handler below and for a route whose transaction must commit all the same."""
    status, title = STATUS[type(error)]
    headers = {}
    if isinstance(error, Unauthenticated) or (isinstance(error, Forbidden) and error.scope):
        headers["www-authenticate"] = challenge(request.app.state.settings, error)
    if isinstance(error, TooMany):
        headers["retry-after"] = str(error.retry_after)
    if isinstance(error, Unavailable):
        headers["retry-after"] = "1"
    unmet = [u.as_json() for u in error.unmet]
    return problem(request, status, error.code, title, error.detail, errors=error.errors, unmet=unmet, headers=headers)


def install(app: FastAPI) -> None:
    """Register the handlers that turn every exception a route may raise into a problem."""

    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> Response:
        return refusal(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        errors = [
            {**pointer(e["loc"]), "code": e["type"].replace("_", "-"), "detail": e["msg"]} for e in error.errors()
        ]
        detail = f"{len(errors)} part{'s' * (len(errors) > 1)} of the request not valid: see errors."
        return problem(request, 422, "invalid-input", "Invalid input", detail, errors=errors)

    @app.exception_handler(DBAPIError)
    async def broken_rule(request: Request, error: DBAPIError) -> Response:
        cause = error.orig.__cause__ if error.orig else None
        return refusal(request, from_database(cause, error))

    @app.exception_handler(PostgresError)
    async def read_failed(request: Request, error: PostgresError) -> Response:
        return refusal(request, from_database(error, error))

    @app.exception_handler(OSError)
    async def away(request: Request, error: OSError) -> Response:
        return refusal(request, Unavailable("database-away", "The database cannot be reached: try again."))

    @app.exception_handler(HTTPException)
    async def protocol(request: Request, error: HTTPException) -> Response:
        return protocol_problem(request, error.status_code, dict(error.headers or {}))


def from_database(cause: BaseException | None, error: Exception) -> Refusal:
    """What a refusal of PostgreSQL means to the caller; anything unforeseen is re-raised and becomes a 500."""
    state = str(getattr(cause, "sqlstate", "") or "")
    rule = str(getattr(cause, "constraint_name", "") or "")
    fact = rule.partition("_")[2].replace("_", "-")
    if state == "28000":
        return Unauthenticated("invalid-token", "The grant behind this token no longer stands: sign in again.")
    if state == "23505":
        return Conflict("already-exists", f"Another object already has this value ({fact}): change it or use that one.")
    if state == "23503":
        return Invalid("unknown-reference", f"The object that {fact} points to does not exist here.")
    if state == "23514":
        return Invalid("breaks-a-rule", f"The values break the rule {fact}.")
    if state.startswith(PASSING) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return Unavailable("database-busy", "The database is busy: try again in a moment.")
    raise error


def can_refuse(*refusals: type[Refusal]) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses=`: the refusals a caller must expect besides those that every route shares."""
    return {STATUS[r][0]: {"model": Problem, "description": STATUS[r][1]} for r in refusals}
