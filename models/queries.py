"""Small words that query functions share: equality, ranges and search over a filter's symbols; columns as arrays."""

from typing import Any, TypeVar

from sqlalchemy import ARRAY, ColumnElement, Select, any_, cast, func, or_
from sqlalchemy.dialects.postgresql import aggregate_order_by, array

Rows = Select[*tuple[Any, ...]]
Q = TypeVar("Q", bound=Select[*tuple[Any, ...]])


def among(query: Q, by: Any, *columns: Any) -> Q:
    """Keep rows whose column equals one of the values given for its namesake in `by`."""
    for column in columns:
        if (wanted := getattr(by, column.key)) is not None:
            plain = cast(column, wanted.type.item_type) if hasattr(column.type, "enums") else column
            query = query.where(plain == any_(wanted))
    return query


def between(query: Q, by: Any, column: Any) -> Q:
    """Keep rows from `<column>_from` (inclusive) up to `<column>_before` (exclusive)."""
    if (first := getattr(by, f"{column.key}_from")) is not None:
        query = query.where(column >= first)
    if (end := getattr(by, f"{column.key}_before")) is not None:
        query = query.where(column < end)
    return query


def mentioning(query: Q, by: Any, *columns: Any) -> Q:
    """Keep rows in which one of the columns contains `q`, whatever its case."""
    if by.q is None:
        return query
    return query.where(or_(*(func.strpos(func.lower(column), func.lower(by.q)) > 0 for column in columns)))


def gathered(column: Any, kind: Any, order: Any = None) -> ColumnElement[Any]:
    """All values of a column as one array, empty rather than null."""
    values = column if order is None else aggregate_order_by(column, order)
    return func.coalesce(func.array_agg(values, type_=ARRAY(kind)), cast(array([]), ARRAY(kind)))
