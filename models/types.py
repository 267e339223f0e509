"""The words of the wire: bounded strings, days, instants and money, each with one spelling everywhere."""

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic import StringConstraints as Chars

Title = Annotated[str, Chars(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, Chars(strip_whitespace=True, min_length=1, max_length=10_000)]
Code = Annotated[str, Chars(strip_whitespace=True, min_length=1, max_length=64)]
Slug = Annotated[str, Chars(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")]
Email = Annotated[
    str, Chars(strip_whitespace=True, to_lower=True, max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
]
Country = Annotated[str, Chars(pattern=r"^[A-Z]{2}$"), Field(description="ISO 3166-1 alpha-2 code")]
Currency = Annotated[str, Chars(pattern=r"^[A-Z]{3}$"), Field(description="ISO 4217 code")]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Percent = Annotated[int, Field(ge=0, le=100)]

# Rules add months and years to dates; these bounds keep every sum inside what both Python and PostgreSQL can hold.
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)


def _whole_day(value: Any) -> Any:
    """A day is written `2026-11-24`: numbers (seconds since 1970) and instants are not days."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and len(value) == 10:
        return value
    raise ValueError("a day is written YYYY-MM-DD")


def _zoned_text(value: Any) -> Any:
    if isinstance(value, datetime) or (isinstance(value, str) and not value.replace(".", "").isdigit()):
        return value
    raise ValueError("an instant is written as RFC 3339 with an offset, for example 2026-11-24T09:30:00Z")


def spell_instant(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Day = Annotated[date, BeforeValidator(_whole_day), Ge(FIRST_DAY), Le(LAST_DAY)]
Instant = Annotated[
    datetime,
    BeforeValidator(_zoned_text),
    Field(json_schema_extra={"format": "date-time"}),
    PlainSerializer(spell_instant, return_type=str, when_used="json"),
]
"""An instant in UTC (RFC 3339), always written with microseconds and `Z`."""


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("an instant needs its offset, for example 2026-11-24T09:30:00Z")
    if not FIRST_DAY.year < value.year < LAST_DAY.year:
        raise ValueError("an instant lies between the years 1901 and 2998")
    return value


InstantIn = Annotated[datetime, BeforeValidator(_zoned_text), AfterValidator(_aware)]


def _decimal_text(value: Any) -> Any:
    if isinstance(value, str | Decimal):
        return value
    raise ValueError('a decimal is written as a string, for example "125.00"')


Amount = Annotated[
    Decimal,
    BeforeValidator(_decimal_text),
    Field(ge=0, max_digits=14, decimal_places=2, allow_inf_nan=False),
    PlainSerializer(lambda value: f"{value:.2f}", return_type=str, when_used="json"),
]
"""A decimal string with two places, such as hours or an amount of money; never a JSON number."""

Figure = Annotated[
    Decimal,
    BeforeValidator(_decimal_text),
    Field(max_digits=18, decimal_places=4, allow_inf_nan=False, examples=["41.0000"]),
    PlainSerializer(lambda value: f"{value:.4f}", return_type=str, when_used="json"),
]
"""A measured or wanted figure of an objective: a decimal string with four places, may be negative."""


class Classification(StrEnum):
    """How secret a thing is, from the least to the most."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    STRICTLY_CONFIDENTIAL = "strictly_confidential"

    def reaches(self, other: str) -> bool:
        """Whether what may be seen up to this classification includes the other."""
        ranks = list(Classification)
        return ranks.index(self) >= ranks.index(Classification(other))


class Money(BaseModel):
    """An amount with its ISO 4217 currency. Stored as two columns, `<name>_amount` and `<name>_currency`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"amount": "125.00", "currency": "EUR"}]})

    amount: Amount
    currency: Currency


MONEY_READ: Literal["money:read"] = "money:read"
