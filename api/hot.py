"""The hot write: what a route does in a `Tx`, in two round trips instead of a dozen.

One statement behind the door looks: the row, the facts, a call answered before. The models judge as ever, in Python.
One statement behind the door writes everything, or nothing when the row moved meanwhile: then it looks again. Written
for logging progress, the one write that many make at once; every other route stays with `Tx`.
"""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Generic, TypeVar
from uuid import UUID

from asyncpg import UniqueViolationError
from fastapi import Request
from pydantic import BaseModel
from sqlalchemy import ARRAY, Date, DateTime, Select, Text, Uuid, bindparam, func, select
from sqlalchemy.orm import make_transient_to_detached
from starlette.responses import Response

from api.auth import Caller
from api.compile import Statement, compiled
from api.idempotency import Once, Replay
from api.read import require_role, require_scope, rule_of
from api.schema import require_single
from api.tx import etag, require_seen
from models.base import Row
from models.errors import Conflict, Missing, Unavailable
from models.idempotency import IdempotentCall
from models.journal import Event, tell
from models.tenancy import Actor

R = TypeVar("R", bound=Row)
F = TypeVar("F")
Facts = Callable[[Any], Mapping[str, Select[Any]]]
"""The queries of the facts, given the id of the row as a symbol."""

ATTEMPTS = 50
ENTER = func.app.enter(*(bindparam(name, type_=Uuid()) for name in ("tenant", "account", "session")), type_=ARRAY(Text))


class Hot(Generic[R]):
    """One hot write of one row, which has been looked at when a route gets this."""

    def __init__(self, request: Request, caller: Caller, model: type[R], id: UUID, facts: Facts) -> None:
        self.request, self.caller, self.model, self.id, self.facts = request, caller, model, id, facts
        self.rule = rule_of(request)
        require_scope(self.rule, caller)
        require_single(None, request)
        self.once = Once.of(request, caller)
        self.who = {"tenant": caller.tenant_id, "account": caller.account_id, "session": caller.session_id}

    async def look(self) -> "Hot[R]":
        """Raise Forbidden without the role, Replay for a call answered before, Invalid for another call's key."""
        found = await self._run(_look(self.model, self.facts), {**self.who, "id": self.id, "key": self.once.key})
        roles, person_id, expert_id, now, today, row, call, *self.found = found
        who = self.caller
        self.actor = Actor(
            tenant_id=who.tenant_id,
            account_id=who.account_id,
            client_id=who.client_id,
            scopes=who.scopes,
            roles=frozenset(roles),
            person_id=person_id,
            expert_id=expert_id,
            now=now,
            today=today,
            request_id=self.request.state.request_id,
        )
        require_role(self.rule, self.actor.roles)
        if call is not None:
            kept = IdempotentCall(**dict(zip(_columns(IdempotentCall), call, strict=True)))
            kept.headers = json.loads(call[_columns(IdempotentCall).index("headers")])
            self.once.require_same(kept)
            raise Replay(kept)
        self.row = row and _loaded(self.model, row)
        return self

    async def write(self, kind: Callable[..., F], act: Callable[[R, F, Actor], Row], out: type[BaseModel]) -> Response:
        """Add the row that `act` makes of the row, the facts and the actor; the answer shows it."""
        for _ in range(ATTEMPTS):
            if self.row is None:
                raise Missing("not-found", f"There is no such object {self.id} here.")
            require_seen(self.request, self.row)
            seen, facts = self.row.version, kind(self.actor, **dict(zip(self.facts(None), self.found, strict=True)))
            made = act(self.row, facts, self.actor)
            told = [e for e in (tell(made, "created", self.actor), tell(self.row, "changed", self.actor)) if e]
            body = out.model_validate(made).model_dump_json()
            headers = {"etag": etag(made), "location": f"/v1{made.ref}"}
            answer = Response(body, 201, headers, media_type="application/json")
            if await self._write(seen, made, told, answer):
                return answer
            await self.look()
        raise Unavailable("busy", "Others keep changing this object: try again in a moment.")

    async def _write(self, seen: int, made: Row, told: list[Event], answer: Response) -> bool:
        rows: list[tuple[str, Any]] = [("made", made), *((f"told{n}", event) for n, event in enumerate(told))]
        values = {**self.who, "seen": seen, **_values("row", self.row)}
        if self.once.key is not None:
            rows.append(("kept", self.once.call(self.once.key, answer)))
            values["lock"] = self.once.lock
        for name, row in rows:
            values |= _values(name, row)
        statement = _written(self.model, tuple((name, type(row)) for name, row in rows), self.once.key is not None)
        try:
            _, held, moved = await self._run(statement, values)
        except UniqueViolationError as error:
            # Answered under this key since we looked.
            if error.constraint_name != "pk_idempotent_calls":
                raise
            return False
        if not held:
            raise Conflict(
                "idempotency-in-flight", "A call with this Idempotency-Key is still running: try again soon."
            )
        return bool(moved)

    async def _run(self, statement: Statement, values: Mapping[str, Any]) -> Any:
        return await self.request.app.state.pool.fetchrow(statement.text, *statement.arguments(values))


def _columns(model: Any) -> list[str]:
    return [column.name for column in model.__table__.columns]


def _values(name: str, row: Any) -> dict[str, Any]:
    return {f"{name}_{column}": getattr(row, column) for column in _columns(type(row))}


def _loaded(model: type[R], record: Any) -> R:
    """The row as a session would have loaded it, so that what changes from here on is known."""
    columns = model.__table__.columns  # type: ignore[attr-defined]
    kinds = [getattr(column.type, "enum_class", None) for column in columns]
    values = [kind(value) if kind and value else value for kind, value in zip(kinds, record, strict=True)]
    row = model(**dict(zip(columns.keys(), values, strict=True)))
    make_transient_to_detached(row)
    return row


def _record(model: Any, *conditions: Any) -> Any:
    return select(func.row(*model.__table__.columns)).where(*conditions).scalar_subquery()


@lru_cache
def _look(model: Any, facts: Facts) -> Statement:
    id, mine = bindparam("id", type_=Uuid()), bindparam("account", type_=Uuid())
    key = IdempotentCall.key == bindparam("key", type_=Text())
    return compiled(
        Select(
            ENTER,
            func.app.person_id(type_=Uuid()),
            func.app.expert_id(type_=Uuid()),
            func.app.now(type_=DateTime(timezone=True)),
            func.app.today(type_=Date()),
            _record(model, model.id == id),
            _record(IdempotentCall, IdempotentCall.account_id == mine, key),
            *(query.scalar_subquery() for query in facts(id).values()),
        )
    )


@lru_cache
def _written(model: Any, rows: tuple[tuple[str, Any], ...], keyed: bool) -> Statement:
    """Everything hangs on the row that moved. Target-list order is why the door comes first, as for reads."""
    table = model.__table__
    free = func.pg_try_advisory_xact_lock(func.hashtextextended(bindparam("lock", type_=Text()), 0))
    held = select((free if keyed else func.coalesce(True)).label("held")).cte("held")
    new = {c.name: bindparam(f"row_{c.name}", type_=c.type) for c in table.columns if c.name not in ("tenant_id", "id")}
    moved = (
        table.update()
        .where(
            table.c.tenant_id == bindparam("tenant", type_=Uuid()),
            table.c.id == bindparam("row_id", type_=Uuid()),
            table.c.version == bindparam("seen", type_=table.c.version.type),
            select(held.c.held).scalar_subquery(),
        )
        .values(new)
        .returning(table.c.id)
        .cte("moved")
    )
    added = []
    for name, kind in rows:
        columns = [c for c in kind.__table__.columns if c.server_default is None]
        given = select(*(bindparam(f"{name}_{c.name}", type_=c.type) for c in columns)).select_from(moved)
        insert = kind.__table__.insert().from_select([c.name for c in columns], given, include_defaults=False)
        added.append(insert.cte(name))
    count = select(func.count()).select_from(moved).scalar_subquery()
    return compiled(select(ENTER, select(held.c.held).scalar_subquery(), count).add_cte(*added))
