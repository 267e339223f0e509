"""What every row shares: a tenant, an id that sorts by time, a version and two timestamps."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Column, DateTime, Enum, ForeignKeyConstraint, Index, MetaData, Numeric, Table, event
from sqlalchemy import Text as TextType
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel
from sqlmodel.sql.sqltypes import AutoString
from uuid_utils.compat import uuid7 as uuid7

from models.tenancy import Walled


def _last_column(constraint: Any, _table: Table) -> str:
    """What tells keys apart: nearly all of them begin with the tenant."""
    return cast(str, list(constraint.columns)[-1].name)


SQLModel.metadata.naming_convention = {
    "last_column": _last_column,
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(last_column)s",
    "uq": "uq_%(table_name)s_%(last_column)s",
    "ix": "ix_%(table_name)s_%(last_column)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}

INSTANT: Any = DateTime(timezone=True)


def now() -> datetime:
    """The wall clock. Rules never call it: they are handed the organisation's time, which a sandbox may move."""
    return datetime.now(UTC)


def choice(kind: type[StrEnum]) -> Any:
    """Store an enum as text plus a CHECK: adding a member is then an ordinary migration."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        name=kind.__name__.lower(),
        length=None,
        values_callable=lambda members: [m.value for m in members],
    )


def link(table: str, *, optional: bool = False) -> Any:
    """A reference to a row of `table` in the same tenant: the foreign key is (tenant_id, this column), and indexed.

    A plain foreign key would accept a foreign tenant's row, because PostgreSQL checks keys past row-level security.
    """
    default: dict[str, Any] = {"default": None} if optional else {}
    return Field(**default, nullable=optional, sa_column_kwargs={"info": {"links": table}})


def amount(*, optional: bool = False) -> Any:
    """The amount column of a `Money` field, named `<name>_amount`; `currency()` declares its sibling."""
    return _money_part(Numeric(14, 2), optional)


def currency(*, optional: bool = False) -> Any:
    """The currency column of a `Money` field, named `<name>_currency`."""
    return _money_part(TextType(), optional)


def _money_part(kind: Any, optional: bool) -> Any:
    default: dict[str, Any] = {"default": None} if optional else {}
    return Field(**default, nullable=optional, sa_type=kind, sa_column_kwargs={"info": {"scope": "money:read"}})


def figure(*, optional: bool = False) -> Any:
    """The column of a `Figure`."""
    default: dict[str, Any] = {"default": None} if optional else {}
    return Field(**default, nullable=optional, sa_type=cast(Any, Numeric(18, 4)))


def document(default_factory: Callable[[], Any] = list, *, redacted: bool = False) -> Any:
    """A JSON value (jsonb). Replace it whole: changes inside it are not seen by the journal.

    Of a `redacted` one the journal tells that it changed, never from what to what.
    """
    return Field(
        default_factory=default_factory,
        nullable=False,
        sa_type=cast(Any, JSONB),
        sa_column_kwargs={"info": {"redacted": redacted}},
    )


class Row(Walled, SQLModel):
    """A tenant-owned, versioned, journalled table row. The key is (tenant_id, id)."""

    # The flush listener of models/journal.py fills the tenant and both timestamps from the transaction.
    tenant_id: UUID = Field(default=None, primary_key=True)
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    version: int = 1
    created_at: datetime = Field(default=None, nullable=False, sa_type=INSTANT)
    updated_at: datetime = Field(default=None, nullable=False, sa_type=INSTANT)

    def __init__(self, **data: Any) -> None:
        # SQLModel tables validate nothing and drop unknown names in silence.
        if unknown := data.keys() - type(self).model_fields.keys():
            raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}")
        super().__init__(**data)

    @property
    def ref(self) -> str:
        """The path of this object below /v1, as refusals and events name it."""
        return f"/{type(self).collection()}/{self.id}"

    @classmethod
    def collection(cls) -> str:
        """The name of the collection in URLs: the table's name in kebab-case."""
        return cast(str, cls.__tablename__).replace("_", "-")

    @classmethod
    def singular(cls) -> str:
        """The name of one such thing, as event types and refusals say it: `KnowledgeTopic` is `knowledge_topic`."""
        name = cls.__name__
        return "".join("_" + c.lower() if c.isupper() and i else c.lower() for i, c in enumerate(name))


@event.listens_for(Table, "after_parent_attach")
def complete_table(table: Table, _metadata: MetaData) -> None:
    """Turn links into composite foreign keys with their index, and every string column into text."""
    for column in list(table.columns):
        if isinstance(column.type, AutoString):
            column.type = TextType()
        if target := column.info.get("links"):
            _tie(table, column, target)


def _tie(table: Table, column: Column[Any], target: str) -> None:
    table.append_constraint(ForeignKeyConstraint([table.c.tenant_id, column], [f"{target}.tenant_id", f"{target}.id"]))
    Index(None, table.c.tenant_id, column)


def plain(value: Any) -> Any:
    """A column's value as JSON can hold it, spelled as the wire spells it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value if isinstance(value, str | int | float | bool | dict | None) else str(value)
