"""Small words that query functions share: any-of equality, ranges and text search over the symbols of a filter."""

from typing import Any, TypeVar

from sqlalchemy import Select, any_, cast, func, or_

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
