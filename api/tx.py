"""Tx: one request that changes something; one transaction, one actor, one tenant.

Its verbs tell what a route does: get (to read), lock (to change), first, all, facts (to ask), add, change, show (the
answer, with its ETag). The transaction commits before the response leaves.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import date, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Depends, Request
from pydantic import BaseModel
from sqlalchemy import Result, Select, text
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import Caller, authenticate
from api.compile import Ask, Query, one
from api.idempotency import Once
from api.read import require_role, require_scope, rule_of
from api.schema import In, Transitions, require_single
from models.base import Row
from models.errors import Missing, Stale, Unconditional, Unmet
from models.lifecycle import Lifecycle, Transition
from models.policy import MONEY, RULES
from models.tenancy import Actor
from models.types import MONEY_READ

R = TypeVar("R", bound=Row)
F = TypeVar("F")
T = TypeVar("T")

ENTER = text(
    "select app.enter(:tenant, :account, :session) as roles,"
    " app.person_id() as person, app.expert_id() as expert, app.now() as now, app.today() as today"
)


class Tx:
    """See the module. `actor` is who acts, `now` and `today` are the organisation's time."""

    def __init__(self, request: Request, session: AsyncSession, actor: Actor) -> None:
        self.request, self.session, self.actor = request, session, actor
        self.money = MONEY_READ in actor.scopes and MONEY.admits(actor.roles)
        self.answer: Response | None = None

    @property
    def now(self) -> datetime:
        return self.actor.now

    @property
    def today(self) -> date:
        return self.actor.today

    async def get(self, model: type[R], id: UUID) -> R:
        return _found(await self.session.get(model, (self.actor.tenant_id, id)), model, id)

    async def lock(self, model: type[R], id: UUID) -> R:
        """Read a row in order to change it: locked, and still as the caller last saw it.

        Editing blindly loses someone's update, so PATCH, PUT and DELETE must say what they saw; an action is safe
        without, because its lifecycle refuses the second caller.
        """
        row = await self.hold(model, id)
        require_seen(self.request, row)
        return row

    async def hold(self, model: type[R], id: UUID) -> R:
        """Lock a row that a rule rests on, so that what was found stays true until the commit; the caller need not
        have seen it.
        """
        return _found(await self.session.get(model, (self.actor.tenant_id, id), with_for_update=True), model, id)

    async def first(self, query: Select[T]) -> T | None:
        return (await self.session.scalars(query.limit(1))).first()

    async def all(self, query: Select[T]) -> Sequence[T]:
        return (await self.session.scalars(query)).all()

    async def value(self, query: Select[T]) -> T | None:
        return await self.session.scalar(query)

    async def facts(self, kind: Callable[..., F], **queries: Select[*tuple[Any, ...]]) -> F:
        """Gather what a rule needs in one statement: each query gives one value, named as the fact is."""
        row: Result[*tuple[Any, ...]] = await self.session.execute(
            Select(*(q.scalar_subquery().label(name) for name, q in queries.items()))
        )
        return kind(**row.mappings().one())

    async def add(self, row: R) -> R:
        self.session.add(row)
        await self.session.flush()
        return row

    async def remove(self, row: Row) -> None:
        await self.session.delete(row)
        await self.session.flush()

    def change(self, row: Row, body: In) -> None:
        for name, value in body.columns().items():
            setattr(row, name, value)

    async def show(self, query: Query, out: type[BaseModel], row: Row, status: int = 200) -> Response:
        """The answer: the object as any reader would see it now, rendered by the same statement as a read."""
        await self.session.flush()
        ask = Ask(query, out, given=(("id", UUID),), money=self.money)
        statement = one(ask)
        connection = await self.session.connection()
        found = await connection.exec_driver_sql(statement.text, tuple(statement.arguments({"id": row.id})))
        body = found.scalar_one()[0]
        headers = {"etag": etag(row)}
        if status == 201:
            headers["location"] = f"/v1{row.ref}"
        self.answer = Response(body, status, headers, media_type="application/json")
        return self.answer

    def say(self, answer: BaseModel, status: int = 200) -> Response:
        """An answer that is no stored object."""
        self.answer = Response(answer.model_dump_json(), status, media_type="application/json")
        return self.answer

    def nothing(self) -> Response:
        """The answer when nothing is left to show."""
        self.answer = Response(status_code=204)
        return self.answer

    def transitions(self, lifecycle: Lifecycle[Any], row: Any, facts: Any = None) -> Response:
        """What may be done with the row now, and by this caller; else what stands in the way."""
        found = [self._with_role(row, t) for t in lifecycle.transitions(row, facts)]
        data = [{"action": t.action, "allowed": t.allowed, "unmet": [u.as_json() for u in t.unmet]} for t in found]
        return self.say(Transitions.model_validate({"data": data}))

    def _with_role(self, row: Any, transition: Transition) -> Transition:
        rule = RULES[f"{transition.action.replace('-', '_')}_{row.singular()}"]
        if rule.admits(self.actor.roles):
            return transition
        role = Unmet("role", sorted(rule.roles | rule.own), sorted(self.actor.roles))
        return Transition(transition.action, False, [role, *transition.unmet])


def etag(row: Row) -> str:
    return f'"{row.version}"'


def require_seen(request: Request, row: Row) -> None:
    """Raise Stale when the row is not as the caller last saw it, Unconditional when they had to say and did not."""
    seen = request.headers.get("if-match")
    if seen is None and request.method != "POST":
        raise Unconditional("if-match-required", "Send the ETag you last saw as If-Match.")
    if seen not in (None, "*", etag(row)):
        name = row.singular().replace("_", " ")
        raise Stale("stale", f"The {name} is at {etag(row)} now: read it again, then repeat your change.")


def _found(row: R | None, model: type[R], id: UUID) -> R:
    if row is None:
        raise Missing("not-found", f"There is no such object {id} here.")
    return row


async def open_tx(request: Request, caller: Annotated[Caller, Depends(authenticate)]) -> AsyncIterator[Tx]:
    """Open the transaction behind the door; commit it, with the answer under its Idempotency-Key, when the route is
    done.
    """
    rule = rule_of(request)
    require_scope(rule, caller)
    require_single(None, request)
    async with request.app.state.sessions() as session, session.begin():
        actor = await enter(session, caller, request.state.request_id)
        require_role(rule, actor.roles)
        once = await Once.begin(request, session, actor)
        tx = Tx(request, session, actor)
        yield tx
        await once.remember(session, tx.answer)


async def enter(session: AsyncSession, caller: Caller, request_id: str) -> Actor:
    """Go through the door: from here on the session sees one tenant and the journal knows who acts."""
    who = {"tenant": caller.tenant_id, "account": caller.account_id, "session": caller.session_id}
    found = (await session.execute(ENTER, who)).one()
    actor = Actor(
        tenant_id=caller.tenant_id,
        account_id=caller.account_id,
        client_id=caller.client_id,
        scopes=caller.scopes,
        roles=frozenset(found.roles),
        person_id=found.person,
        expert_id=found.expert,
        now=found.now,
        today=found.today,
        request_id=request_id,
    )
    session.info["actor"] = actor
    return actor


# scope="function": commit before the response leaves. FastAPI's default would commit after it.
Writes = Annotated[Tx, Depends(open_tx, scope="function")]
