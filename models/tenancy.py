"""Tenants, and the walls between them: who acts, and which rows PostgreSQL lets them see.

A tenant is one organisation. Forced row-level security holds every tenant table to the tenant that `app.enter` opened
for the transaction; a second, restrictive policy narrows an expert's view to their own engagements.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Date, DateTime, func
from sqlalchemy.sql.functions import Function


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


def sql_today() -> Function[date]:
    """The organisation's local date, for queries that run behind the door."""
    return func.app.today(type_=Date())


def sql_now() -> Function[datetime]:
    """The organisation's instant, for queries that run behind the door."""
    return func.app.now(type_=DateTime(timezone=True))


@dataclass(frozen=True)
class Sight:
    """What an expert sees of a table: a restrictive policy, or none.

    The default of every table is NOTHING, so a forgotten choice hides rows instead of showing them.
    """

    rule: str | None

    def policies(self, table: str) -> list[str]:
        if self.rule is None:
            return []
        test = f"(select app.expert_id()) is null or {self.rule.format(table=table)}"
        return [
            f"create policy expert_sight on {table} as restrictive to tracker_app using ({test}) with check ({test})"
        ]


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


def wall(table: Any) -> list[str]:
    """The DDL that walls a tenant table in. FORCE binds the owner too; the worker crosses tenants by its own policy."""
    name = table.__tablename__
    rule = "tenant_id = (select app.tenant_id())"
    return [
        f"alter table {name} enable row level security",
        f"alter table {name} force row level security",
        f"create policy tenant_wall on {name} to tracker_app using ({rule}) with check ({rule})",
        f"create policy worker_reach on {name} to tracker_worker using (true) with check (true)",
        *table.expert_sight.policies(name),
    ]
