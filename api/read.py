"""Read: one request that changes nothing, answered by one statement in one round trip.

The door stands in the same statement as the query: it checks the grant, opens the tenant, and returns the caller's
roles, which are judged here before a byte leaves. Target-list order is PostgreSQL's practice, not SQL's promise; were
it ever to change, the walls would find no tenant and raise.
"""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
from fastapi import Depends, Request
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.responses import Response, StreamingResponse

from api.auth import Caller, authenticate
from api.compile import Ask, Query, Statement, needs_money, one, page, shown_fields, total
from api.schema import Filter, require_single
from models.errors import Forbidden, Invalid, Missing
from models.policy import MONEY, RULES, Rule
from models.types import MONEY_READ

FORMS = {"text/csv": "csv", "application/x-ndjson": "ndjson"}
EXPORT_CHUNK = 1000


def rule_of(request: Request) -> Rule:
    """The row of the policy table for the route that runs."""
    return RULES[request.scope["route"].name]


def require_scope(rule: Rule, caller: Caller) -> None:
    if rule.scope is not None and rule.scope not in caller.scopes:
        raise Forbidden(
            "missing-scope", f"The token lacks the scope {rule.scope}: ask for it when you sign in.", scope=rule.scope
        )


def require_role(rule: Rule, roles: frozenset[str]) -> None:
    if not rule.admits(roles):
        needed = ", ".join(sorted(rule.roles | rule.own))
        held = ", ".join(sorted(roles)) or "none"
        raise Forbidden("missing-role", f"This needs one of the roles {needed}; yours: {held}.")


def as_json(ask: Ask) -> Statement:
    return page(ask, "json")


class Connection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that leaves nothing behind, since all context is local to a transaction: no reset round trip."""

    def get_reset_query(self) -> str:
        return ""


class Read:
    """One reading request: `one` object, a `page` of a list, or a list as CSV or NDJSON."""

    def __init__(self, request: Request, caller: Caller) -> None:
        self.request, self.caller = request, caller
        self.under(rule_of(request))
        self.money = MONEY_READ in caller.scopes

    def under(self, rule: Rule) -> None:
        """Judge the caller by this rule: the operation's, unless what is read has a stricter one."""
        require_scope(rule, self.caller)
        self.rule = rule

    async def one(self, query: Query, out: type[BaseModel], **by: Any) -> Response:
        """The object that the query names, or Missing. 304 when the caller holds this version already."""
        require_single(None, self.request)
        found = await self._behind_the_door(_ask(query, out, by), one, by)
        if found is None:
            what = " ".join(str(value) for value in by.values())
            raise Missing("not-found", f"There is no such object {what} here.".replace("  ", " "))
        text, version = found
        if version is None:
            return Response(text, media_type="application/json")
        headers = {"etag": f'"{version}"', "cache-control": "private, no-cache"}
        if self.request.headers.get("if-none-match") == headers["etag"] and not _derives(query, out):
            return Response(status_code=304, headers=headers)
        return Response(text, headers=headers, media_type="application/json")

    async def page(self, query: Query, out: type[BaseModel], by: Filter, **fixed: Any) -> Response:
        """One page of the list, in JSON; or the whole list as CSV or NDJSON when the caller accepts that."""
        require_single(type(by), self.request)
        values = {**by.filters(), **fixed}
        ask = _ask(query, out, values, by)
        if by.fields is not None:
            ask = replace(ask, fields=_fields(by.fields, out))
        form = FORMS.get(self.request.headers.get("accept", "").partition(";")[0].strip().lower())
        if form:
            return await self._export(ask, form, values)
        bound = self._binding(ask, values)
        ask, start = _resume(ask, by.cursor, bound)
        text, key, came = await self._behind_the_door(ask, as_json, {**values, **start, "limit": by.limit})
        cursor = _cursor(bound, key) if int(came) > by.limit else None
        parts = ['{"data":[', text, '],"next_cursor":', json.dumps(cursor)]
        if by.count:
            counted = await self._behind_the_door(replace(ask, after=None), total, values)
            parts.append(f',"total":{counted}')
        headers = {"cache-control": "private, no-cache"}
        if cursor:
            headers["link"] = f'<{self._next(cursor)}>; rel="next"'
        return Response("".join([*parts, "}"]), headers=headers, media_type="application/json")

    async def _behind_the_door(self, ask: Ask, build: Callable[[Ask], Statement], values: dict[str, Any]) -> Any:
        ask = ask if self.money else replace(ask, money=False)
        roles, found = await self._run(build(ask), values)
        require_role(self.rule, roles)
        if ask.money and not MONEY.admits(roles) and any(needs_money(f) for f in ask.out.model_fields.values()):
            # The token may see money but the roles, read live, may not: ask again for less.
            self.money = False
            roles, found = await self._run(build(replace(ask, money=False)), values)
        return found

    async def _run(self, statement: Statement, values: dict[str, Any]) -> tuple[frozenset[str], Any]:
        n = len(statement.order)
        sql = f"select app.enter(${n + 1}::uuid, ${n + 2}::uuid, ${n + 3}::uuid), ({statement.text})"
        who = self.caller
        row = await self.request.app.state.pool.fetchrow(
            sql, *statement.arguments(values), who.tenant_id, who.account_id, who.session_id
        )
        return frozenset(row[0]), row[1]

    async def _export(self, ask: Ask, form: str, values: dict[str, Any]) -> Response:
        """The whole list, streamed: each chunk is its own statement, so the door is asked again for each."""
        first = await self._chunk(ask, form, values)
        media = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}[form]

        async def rows() -> AsyncIterator[str]:
            text, key, came = first
            if form == "csv":
                yield ",".join(shown_fields(replace(ask, money=self.money))) + "\n"
            while text:
                yield text + "\n"
                if int(came) <= EXPORT_CHUNK:
                    return
                resumed, start = _resume_at(ask, json.loads(key))
                text, key, came = await self._chunk(resumed, form, {**values, **start})

        return StreamingResponse(rows(), media_type=media, headers={"cache-control": "private, no-cache"})

    async def _chunk(self, ask: Ask, form: str, values: dict[str, Any]) -> Any:
        return await self._behind_the_door(ask, lambda a: page(a, form), {**values, "limit": EXPORT_CHUNK})

    def _binding(self, ask: Ask, values: dict[str, Any]) -> str:
        """What a cursor is bound to: the operation, the filters, the sort and the tenant."""
        facts = (
            self.request.url.path,
            ask.sort,
            str(self.caller.tenant_id),
            sorted((k, str(v)) for k, v in values.items()),
        )
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

    def _next(self, cursor: str) -> str:
        kept = [(k, v) for k, v in self.request.query_params.multi_items() if k != "cursor"]
        return f"{self.request.url.path}?{urlencode([*kept, ('cursor', cursor)])}"


async def open_read(request: Request, caller: Annotated[Caller, Depends(authenticate)]) -> Read:
    """A coroutine on purpose: FastAPI hands whatever else it depends on, a class too, to a thread."""
    return Read(request, caller)


Reads = Annotated[Read, Depends(open_read)]


def _ask(query: Query, out: type[BaseModel], values: dict[str, Any], by: Filter | None = None) -> Ask:
    known = type(by).model_fields if by else {}
    given = tuple((n, known[n].annotation if n in known else type(v)) for n, v in values.items() if v is not None)
    absent = tuple(n for n, v in values.items() if v is None)
    return Ask(query, out, given, absent, sort=by.sort if by else "-created_at")


def _fields(wanted: str, out: type[BaseModel]) -> frozenset[str]:
    names = frozenset(wanted.split(","))
    if unknown := names - out.model_fields.keys():
        detail = f"No such field: {', '.join(sorted(unknown))[:200]}. There are: {', '.join(out.model_fields)}."
        raise Invalid(
            "invalid-input", detail, errors=[{"parameter": "fields", "code": "unknown-field", "detail": detail}]
        )
    return names


def _derives(query: Query, out: type[BaseModel]) -> bool:
    """Whether the shape holds fields that time alone changes: then the version does not vouch for them."""
    return bool(getattr(out, "derived", ()))


def _cursor(bound: str, key: str) -> str:
    return base64.urlsafe_b64encode(f"{bound}{key}".encode()).decode().rstrip("=")


def _resume(ask: Ask, cursor: str | None, bound: str) -> tuple[Ask, dict[str, Any]]:
    if cursor is None:
        return ask, {}
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        if text[:16] != bound:
            raise ValueError
        return _resume_at(ask, json.loads(text[16:]))
    except (ValueError, TypeError, KeyError, ValidationError):
        detail = "This cursor belongs to another list: start again without one, or keep filters and sort as they were."
        raise Invalid(
            "cursor-mismatch", detail, errors=[{"parameter": "cursor", "code": "cursor-mismatch", "detail": detail}]
        ) from None


def _resume_at(ask: Ask, key: list[Any]) -> tuple[Ask, dict[str, Any]]:
    value, last_id = key
    name = ask.sort.lstrip("-")
    start: dict[str, Any] = {"cursor_id": UUID(last_id)}
    if name == "created_at":
        return replace(ask, after="value"), start
    if value is None:
        return replace(ask, after="null"), start
    kind: Any = ask.out.model_fields[name].annotation
    start["cursor_value"] = TypeAdapter(kind).validate_python(value)
    return replace(ask, after="value"), start
