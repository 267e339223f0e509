"""Every change is one event row, written in the change's own transaction.

The row is the audit trail (who, what, when, from, to), the activity feed and the outbox in one, so none of them can be
forgotten and none can disagree with the data. The table is append-only by grant.
"""

from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Index, Text, cast, event, inspect, select, text
from sqlalchemy.orm import Session
from sqlmodel import Field, SQLModel, col

from models.base import INSTANT, Row, document, plain, uuid7
from models.policy import RULES, Role, Rule
from models.queries import Rows, among, between
from models.tenancy import Actor, Sight, Walled

UNTOLD = {"id", "tenant_id", "version", "created_at", "updated_at"}
REDACTED = "[redacted]"


class Event(Walled, SQLModel, table=True):
    """One change of one object: `changes` maps each changed field to `[old, new]`.

    `at` is the organisation's time, `recorded_at` the wall clock. `commit_order` is the writing transaction's id: a
    reader that stays below the oldest transaction still running never skips a late commit.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_subject_id", "tenant_id", "subject_id", "id"),
        Index("ix_events_commit_order", "tenant_id", "commit_order", "id"),
    )
    # An expert reads only what they did themselves; the worker and every writer may add.
    expert_sight: ClassVar[Sight] = Sight("{table}.actor_id = (select app.account_id())")

    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    type: str
    collection: str
    subject_id: UUID
    subject_version: int
    actor_id: UUID
    on_behalf_of: UUID | None = None
    client_id: str
    request_id: str | None = None
    changes: dict[str, Any] = document(dict)
    at: datetime = Field(sa_type=INSTANT)
    recorded_at: datetime = Field(
        default=None, nullable=False, sa_type=INSTANT, sa_column_kwargs={"server_default": text("clock_timestamp()")}
    )
    commit_order: int = Field(
        default=None,
        nullable=False,
        sa_type=BigInteger,
        sa_column_kwargs={"server_default": text("(pg_current_xact_id()::text)::bigint")},
    )


class Untenanted(RuntimeError):
    """A change was flushed without an actor: a defect in the program, never a caller's fault."""


@event.listens_for(Session, "before_flush")
def write_events(session: Session, _context: object, _instances: object) -> None:
    """Stamp every changed Row and write its event. The actor stands in `session.info["actor"]`."""
    for verb, rows in ("created", session.new), ("changed", session.dirty), ("deleted", session.deleted):
        for row in [r for r in rows if isinstance(r, Row)]:
            actor = session.info.get("actor")
            if not isinstance(actor, Actor):
                raise Untenanted(f"{type(row).__name__} {verb} outside a transaction with an actor")
            if (told := tell(row, verb, actor)) is not None:
                session.add(told)


def tell(row: Row, verb: str, actor: Actor) -> Event | None:
    """Stamp a row that was created, changed or deleted; its event, or None when nothing changed."""
    changes = _changes(row)
    if verb == "changed" and not changes:
        return None
    _stamp(row, verb, actor)
    return _event(row, verb, changes, actor)


def _stamp(row: Row, verb: str, actor: Actor) -> None:
    if verb == "created":
        row.tenant_id, row.created_at = row.tenant_id or actor.tenant_id, actor.now
    else:
        row.version += 1
    row.updated_at = actor.now


def _event(row: Row, verb: str, changes: dict[str, list[Any]], actor: Actor) -> Event:
    reached = changes["status"][1] if verb == "changed" and "status" in changes else verb
    return Event(
        tenant_id=actor.tenant_id,
        type=f"{row.singular()}.{reached}",
        collection=row.collection(),
        subject_id=row.id,
        subject_version=row.version,
        actor_id=actor.account_id,
        on_behalf_of=actor.on_behalf_of,
        client_id=actor.client_id,
        request_id=actor.request_id,
        changes=changes,
        at=actor.now,
    )


def _changes(row: Row) -> dict[str, list[Any]]:
    state = inspect(row)
    changes = {}
    for column in state.mapper.column_attrs:
        past = state.attrs[column.key].history
        if column.key in UNTOLD or not past.has_changes():
            continue
        old, new = plain((past.deleted or [None])[0]), plain((past.added or [None])[0])
        if old != new:
            secret = column.columns[0].info.get("redacted")
            changes[column.key] = [old and REDACTED, new and REDACTED] if secret else [old, new]
    return changes


def money_fields() -> list[str]:
    """The columns whose values nobody without money:read may see, in events either."""
    tables = Row.metadata.tables.values()
    return sorted({c.name for t in tables for c in t.columns if c.info.get("scope") == "money:read"})


@cache
def histories() -> dict[str, Rule]:
    """Who may read the history of an object, by its collection: who may read the object, as any reader may.

    Staff who may read only what is their own are left out, since the guard that tells is the operation's; an expert's
    own is what the walls leave. Without an operation to read the object, it takes who reads the whole journal.
    """
    tables = [mapper.class_ for mapper in Row._sa_registry.mappers if issubclass(mapper.class_, Row)]
    found = {table.collection(): RULES.get(f"get_{table.singular()}", RULES["list_events"]) for table in tables}
    return {name: replace(rule, own=rule.own & {Role.EXPERT}) for name, rule in found.items()}


def events(by: Any) -> Rows:
    """What happened in this organisation."""
    query = among(_told(), by, Event.type, Event.collection, Event.subject_id, Event.actor_id)
    return between(query, by, Event.at)


def subject_events(by: Any) -> Rows:
    """The history of one object."""
    query = _told().where(Event.collection == by.collection, Event.subject_id == by.subject_id)
    return between(among(query, by, Event.type), by, Event.at)


def _told() -> Rows:
    """Events without what only money:read may see: the journal is read by people who may not."""
    told = col(Event.changes).op("-")(cast(money_fields(), ARRAY(Text)))
    columns = [c for c in Event.__table__.columns if c.name != "changes"]  # type: ignore[attr-defined]
    return select(*columns, told.label("changes"))
