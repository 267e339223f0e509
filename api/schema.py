"""Shapes that cross the wire: what comes in, what goes out, and how a list is asked for."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args, get_origin
from uuid import UUID

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo
from sqlmodel import SQLModel
from sqlmodel._compat import SQLModelConfig

from models.errors import Invalid
from models.types import Instant, Money, Text

T = TypeVar("T")


def unset() -> Any:
    """A patch field that may be left out, yet may be null only if its type says so (RFC 7396)."""
    return Field(default_factory=lambda: None)


def holds(field: FieldInfo, kind: type) -> bool:
    """Whether a field is of this type, perhaps optional."""
    return field.annotation is kind or kind in get_args(field.annotation)


class In(SQLModel):
    """A request body. Unknown fields are refused, so a misspelt one cannot be lost in silence."""

    model_config = SQLModelConfig(extra="forbid")

    def columns(self) -> dict[str, Any]:
        """The fields that were given, as a row's columns: a Money becomes its two."""
        values: dict[str, Any] = {}
        for name, field in type(self).model_fields.items():
            if name not in self.model_fields_set and not field.is_required() and field.default_factory:
                continue
            value = getattr(self, name)
            if holds(field, Money):
                values[f"{name}_amount"] = value and value.amount
                values[f"{name}_currency"] = value and value.currency
            else:
                values[name] = value
        return values


class Reason(In):
    """Why; whoever it concerns will read it."""

    reason: Text


class Patch(In):
    """A merge patch (RFC 7396): absent keeps, null clears. Every field is `unset()`."""

    def columns(self) -> dict[str, Any]:
        given = super().columns()
        names = {n for n in given if n.removesuffix("_amount").removesuffix("_currency") in self.model_fields_set}
        return {n: given[n] for n in given if n in names or n in self.model_fields_set}


class Out(SQLModel):
    """An object as the wire shows it. PostgreSQL writes these fields; money is left out without money:read."""

    model_config = SQLModelConfig(from_attributes=True, extra="forbid")

    id: UUID
    version: int = Field(description="Grows with every change; the ETag is this number in quotes")
    created_at: Instant
    updated_at: Instant


class Unmet(BaseModel):
    """One rule that stands in the way of an action."""

    rule: str
    needed: Any
    actual: Any
    refs: list[str]


class Transition(BaseModel):
    """Whether an action may be taken now, and if not, why not."""

    action: str = Field(description="The last segment of the action's URL")
    allowed: bool
    unmet: list[Unmet]


class Transitions(BaseModel):
    data: list[Transition]


class Page(BaseModel, Generic[T]):
    """One page of a list. Follow `next_cursor` until it is null."""

    data: Sequence[T]
    next_cursor: str | None
    total: int | None = Field(default=None, description="The number of matches, only with count=exact")


class Filter(BaseModel):
    """What every list can be asked. Filters are equality by key (repeat a list key for any-of) and named ranges."""

    model_config = ConfigDict(extra="forbid")

    cursor: Annotated[str | None, Query(max_length=1000, description="`next_cursor` of the page before")] = None
    limit: Annotated[int, Query(ge=1, le=200)] = 50
    fields: Annotated[str | None, Query(max_length=1000, description="Only these fields, separated by commas")] = None
    count: Annotated[Literal["exact"] | None, Query(description="Also count all matches, which costs time")] = None
    sort: Annotated[str, Query(pattern="^-?created_at$", description="A leading minus turns it")] = "-created_at"

    def filters(self) -> dict[str, Any]:
        """The keys that choose rows, with their values; None where not given."""
        return {name: getattr(self, name) for name in type(self).model_fields if name not in Filter.model_fields}


def require_single(by: type[BaseModel] | None, request: Request) -> None:
    """Refuse unknown and repeated keys: a repeated scalar would be half ignored."""
    keys = [key for key, _ in request.query_params.multi_items()]
    known = by.model_fields if by else {}
    lists = _lists(by) if by else frozenset()
    for key in dict.fromkeys(keys):
        if key not in known:
            raise _bad_key(key, "unknown-parameter", "is not a parameter of this operation")
        if key not in lists and keys.count(key) > 1:
            raise _bad_key(key, "repeated-parameter", "may be given only once")


@lru_cache
def _lists(by: type[BaseModel]) -> frozenset[str]:
    """The keys that may be repeated."""
    return frozenset(name for name, field in by.model_fields.items() if is_list(field.annotation))


def _bad_key(key: str, code: str, why: str) -> Invalid:
    error = {"parameter": key[:100], "code": code, "detail": f"{key[:100]} {why}."}
    return Invalid("invalid-input", "1 part of the request is not valid: see errors.", errors=[error])


def is_list(annotation: Any) -> bool:
    """Whether a type is a list, perhaps optional."""
    return any(get_origin(part) is list for part in (annotation, *get_args(annotation)))
