"""Tenants, and the walls between them: who acts, and which rows PostgreSQL lets them see.

A tenant is one organisation. Forced row-level security holds every tenant table to the tenant that `app.enter` opened
for the transaction; a second, restrictive policy narrows an expert's view to their own engagements.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, Date, DateTime, ScalarSelect, cast, func, select


@dataclass(frozen=True)
class Actor:
    """Who acts in this transaction, as the door found them: always from the token, never from a body.

    `person_id` is set for the organisation's own people, `expert_id` for an expert, neither for a machine client.
    `now` and `today` are the organisation's time: its zone, and in a sandbox its own clock.
    """

    tenant_id: UUID
    account_id: UUID
    client_id: str
    scopes: frozenset[str]
    roles: frozenset[str]
    person_id: UUID | None
    expert_id: UUID | None
    now: datetime
    today: date
    request_id: str | None = None
    on_behalf_of: UUID | None = None


# Each stands in a subquery of its own: the planner evaluates a bare stable function while it estimates, which is before
# the door in the same statement has opened.
def sql_today() -> ScalarSelect[date]:
    """The organisation's local date, for queries that run behind the door."""
    return select(func.app.today(type_=Date())).scalar_subquery()


def sql_now() -> ScalarSelect[datetime]:
    """The organisation's instant, for queries that run behind the door."""
    return select(func.app.now(type_=DateTime(timezone=True))).scalar_subquery()


def sql_local_date(instant: Any) -> ColumnElement[date]:
    """The organisation's local date at an instant, for queries that run behind the door."""
    zone = select(func.current_setting("app.time_zone")).scalar_subquery()
    return cast(func.timezone(zone, instant), Date())


@dataclass(frozen=True)
class Sight:
    """What an expert sees of a table: the condition of a restrictive policy, or None for everything.

    The default of every table is NOTHING, so a forgotten choice hides rows instead of showing them.
    """

    rule: str | None


NOTHING = Sight("false")
EVERYTHING = Sight(None)
OWN = Sight("{table}.expert_id = (select app.expert_id())")


def through(parent: str, column: str) -> Sight:
    """An expert sees a row when they see the parent row it points to."""
    return Sight(
        f"exists (select 1 from {parent} p where p.tenant_id = {{table}}.tenant_id and p.id = {{table}}.{column})"
    )


class Walled:
    """Mixed into every tenant table: says what an expert sees of it."""

    expert_sight: ClassVar[Sight] = NOTHING
