"""A query and a shape become one SQL text in which PostgreSQL writes the JSON.

Query functions are called with *symbols* (a typed bind parameter per given filter, None for the rest), never with
values: each combination is built and compiled once, and a value can only ever be bound.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, get_args
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Date,
    DateTime,
    Integer,
    Numeric,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    func,
    or_,
)
from sqlalchemy.dialects.postgresql import asyncpg as driver
from sqlalchemy.types import TypeEngine

from api.schema import holds, is_list
from models.queries import Rows
from models.types import MONEY_READ, Money

Query = Callable[[Any], Rows]
DIALECT: Any = driver.dialect()  # type: ignore[no-untyped-call]
SQL_TYPES: dict[type, TypeEngine[Any]] = {
    bool: Boolean(),
    int: Integer(),
    UUID: Uuid(),
    datetime: DateTime(timezone=True),
    date: Date(),
    Decimal: Numeric(),
}
INSTANT_FORMAT = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
NEWEST = "-created_at"


@dataclass(frozen=True)
class Ask:
    """All that shapes the SQL text of a read and nothing that is only bound: the key of the cache."""

    query: Query
    out: type[BaseModel]
    given: tuple[tuple[str, Any], ...] = ()
    absent: tuple[str, ...] = ()
    fields: frozenset[str] | None = None
    money: bool = True
    sort: str = NEWEST
    after: str | None = None


@dataclass(frozen=True)
class Statement:
    """SQL text in the driver's own form ($1, $2 …), and how to fill its parameters in order."""

    text: str
    order: tuple[tuple[str, Callable[[Any], Any] | None], ...]
    constants: Mapping[str, Any]

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        named = ((name, process, values.get(name, self.constants.get(name))) for name, process in self.order)
        return [process(value) if process else value for _, process, value in named]

    def number(self, name: str) -> int:
        return next(n for n, (given, _) in enumerate(self.order, 1) if given == name)

    def wrapped(self, text: str) -> "Statement":
        return Statement(text, self.order, self.constants)


def compiled(rows: Rows) -> Statement:
    result = rows.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
    names, processors = result.positiontup or [], dict[str, Any](result._bind_processors)
    return Statement(str(result), tuple((name, processors.get(name)) for name in names), dict(result.params))


@lru_cache(maxsize=2048)
def one(ask: Ask) -> Statement:
    """A row of text[]: the object's JSON and its version. No row when there is no such object."""
    inner = compiled(_shown(_rows(ask), ask))
    version = "r.version::text" if "version" in ask.out.model_fields and not ask.fields else "null"
    return inner.wrapped(f"select array[row_to_json(r)::text, {version}] from ({inner.text}) r")


@lru_cache(maxsize=2048)
def page(ask: Ask, form: str) -> Statement:
    """A row of text[]: the rows' text, the sort key of the last one, and how many came (one more than the limit at
    most).
    """
    rows = _rows(ask)
    key, descending = sort_key(rows, ask.sort)
    identity = rows.selected_columns["id"]
    if ask.after:
        rows = rows.where(_behind(key, identity, descending, ask.after))
    ways = (
        [key.desc().nulls_last() if descending else key.asc().nulls_last()]
        if _nullable(key)
        else [_way(key, descending)]
    )
    keys = ways if key is identity else [*ways, _way(identity, descending)]
    inner = compiled(_shown(rows.order_by(*keys).limit(_later("limit", Integer()) + 1), ask))
    names = list(shown_fields(ask))
    row, separator = "row_to_json(r)::text", "','" if form == "json" else "e'\\n'"
    if form == "csv":
        row = "array_to_string(array[" + ", ".join(f'app.csv(r."{name}"::text)' for name in names) + "], ',')"
    limit = f"${inner.number('limit')}"
    # One pass over the rows; the key is spelled for the last one only.
    key_parts = ", ".join(f'(array_agg(r."{name}"))[{limit}]' for name in (_key_name(ask.sort), "id"))
    return inner.wrapped(
        f"select array[coalesce(array_to_string((array_agg({row}))[1:{limit}], {separator}), ''),"
        f" case when count(*) >= {limit} then json_build_array({key_parts})::text end, count(*)::text]"
        f" from ({inner.text}) r"
    )


@lru_cache(maxsize=512)
def total(ask: Ask) -> Statement:
    rows = _rows(ask).order_by(None).subquery()
    return compiled(Select(cast(func.count(), Text)).select_from(rows))


def _rows(ask: Ask) -> Rows:
    symbols = SimpleNamespace(**dict.fromkeys(ask.absent), **{name: _symbol(name, kind) for name, kind in ask.given})
    return ask.query(symbols)


def _symbol(name: str, annotation: Any) -> Any:
    kind = next((SQL_TYPES[k] for k in _leaves(annotation) if k in SQL_TYPES), Text())
    return _later(name, ARRAY(kind) if is_list(annotation) else kind)


def _later(name: str, kind: TypeEngine[Any]) -> Any:
    """A parameter bound when the statement runs. Not required: compiling an IN would ask for its value already."""
    return bindparam(name, type_=kind, required=False)


def _leaves(annotation: Any) -> list[Any]:
    args = get_args(annotation)
    return [leaf for arg in args for leaf in _leaves(arg)] if args else [annotation]


def shown_fields(ask: Ask) -> dict[str, Any]:
    """The fields of the shape that this caller asked for and may see."""
    wanted = None if ask.fields is None else ask.fields | {"id", _key_name(ask.sort)}
    return {
        name: field
        for name, field in ask.out.model_fields.items()
        if (wanted is None or name in wanted) and (ask.money or not needs_money(field))
    }


def needs_money(field: Any) -> bool:
    return holds(field, Money) or (field.json_schema_extra or {}).get("x-scope") == MONEY_READ


def _shown(rows: Rows, ask: Ask) -> Rows:
    columns = rows.selected_columns
    shown = [_spelled(columns, name, field).label(name) for name, field in shown_fields(ask).items()]
    return rows.with_only_columns(*shown, maintain_column_froms=True)


def _spelled(columns: Any, name: str, field: Any) -> ColumnElement[Any]:
    """A column as the wire spells it: instants in UTC with Z, decimals as strings, money as one object."""
    if holds(field, Money):
        amount, currency = columns[f"{name}_amount"], columns[f"{name}_currency"]
        value = func.json_build_object("amount", cast(amount, Text), "currency", currency)
        return case((amount.is_not(None), value))
    column: ColumnElement[Any] = columns[name]
    if isinstance(column.type, DateTime):
        return func.to_char(func.timezone("UTC", column), INSTANT_FORMAT)
    if isinstance(column.type, Numeric):
        places = column.type.scale
        return cast(cast(column, Numeric(18, 2 if places is None else places)), Text)
    return column


def _key_name(sort: str) -> str:
    return "id" if sort.lstrip("-") == "created_at" else sort.lstrip("-")


def sort_key(rows: Rows, sort: str) -> tuple[ColumnElement[Any], bool]:
    """The column to sort by and whether downwards. Ids sort by creation, so the key serves `created_at`."""
    return rows.selected_columns[_key_name(sort)], sort.startswith("-")


def _way(column: ColumnElement[Any], descending: bool) -> ColumnElement[Any]:
    return column.desc() if descending else column.asc()


def _nullable(column: ColumnElement[Any]) -> bool:
    return bool(getattr(column, "nullable", True)) and not getattr(column, "primary_key", False)


def _behind(key: Any, identity: Any, descending: bool, after: str) -> ColumnElement[bool]:
    """What lies behind the cursor's row; rows without a sort value come last either way."""
    last_id = _later("cursor_id", Uuid())
    later: ColumnElement[bool] = identity < last_id if descending else identity > last_id
    if key is identity:
        return later
    if after == "null":
        return and_(key.is_(None), later)
    last = _later("cursor_value", key.type)
    further: ColumnElement[bool] = key < last if descending else key > last
    within: ColumnElement[bool] = or_(further, and_(key == last, later))
    return or_(within, key.is_(None)) if _nullable(key) else within
