"""Amounts of money in an answer: spelled as the shape spells them, and absent for who may not see them."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import Numeric, literal, null, select
from sqlmodel import Field

from api.compile import Ask, one, page
from api.examples import ID
from api.schema import Out
from models.queries import Rows
from models.types import MONEY_READ, Amount, Money
from tests.shapes import serialised


class PricedOut(Out):
    name: str
    fee: Money
    cap: Money | None
    rate: Amount = Field(schema_extra={"json_schema_extra": {"x-scope": MONEY_READ}})
    effort_days: Amount | None


def priced(_by: Any) -> Rows:
    """A row of no table, with each way in which a shape may hold an amount."""
    at = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
    return select(
        literal(UUID(ID)).label("id"),
        literal(3).label("version"),
        literal(at).label("created_at"),
        literal(at).label("updated_at"),
        literal("Fee").label("name"),
        literal(Decimal("125.5"), Numeric(14, 2)).label("fee_amount"),
        literal("EUR").label("fee_currency"),
        null().cast(Numeric(14, 2)).label("cap_amount"),
        literal("EUR").label("cap_currency"),
        literal(Decimal("80"), Numeric(14, 2)).label("rate"),
        literal(Decimal("2.5"), Numeric(14, 2)).label("effort_days"),
    )


@pytest.mark.parametrize("money", [True, False])
async def test_amounts_are_as_the_shape_spells_them_or_absent(app: FastAPI, money: bool) -> None:
    ask = Ask(priced, PricedOut, money=money)
    statement = one(ask)
    text, version = await app.state.pool.fetchval(statement.text, *statement.arguments({}))
    listed = page(ask, "json")
    rows, _, came = await app.state.pool.fetchval(listed.text, *listed.arguments({"limit": 50}))
    told = json.loads(text)
    shape = json.dumps(serialised(told, PricedOut, money))
    assert (json.dumps(told), version, came) == (shape, "3", "1")
    assert json.loads(rows) == told, "a page holds what one object holds"
    assert {"fee", "cap", "rate"} & told.keys() == ({"fee", "cap", "rate"} if money else set())
    assert told["effort_days"] == "2.50"
    if money:
        assert (told["fee"], told["cap"], told["rate"]) == ({"amount": "125.50", "currency": "EUR"}, None, "80.00")


async def test_a_query_may_hold_a_list_of_its_own_beside_what_is_asked(app: FastAPI) -> None:
    def chosen(by: Any) -> Rows:
        rows = priced(by)
        return rows.where(rows.selected_columns["name"].in_(["Fee", "Cap"]), rows.selected_columns["name"] == by.name)

    for build, more in ((one, {}), (lambda ask: page(ask, "json"), {"limit": 1})):
        for name, seen in (("Fee", True), ("Cap", False)):
            statement = build(Ask(chosen, PricedOut, given=(("name", str),)))
            found = await app.state.pool.fetchval(statement.text, *statement.arguments({"name": name, **more}))
            assert bool(found and found[0]) is seen


def test_the_check_notices_what_the_shape_would_have_said_otherwise() -> None:
    at = "2026-11-24T09:30:00.000000Z"
    fine: dict[str, Any] = {"id": ID, "version": 1, "created_at": at, "updated_at": at, "name": "Fee"}
    fine |= {"fee": {"amount": "1.00", "currency": "EUR"}, "cap": None, "rate": "1.00", "effort_days": "2.50"}
    assert serialised(fine, PricedOut, True) == fine
    for wrong in ({"effort_days": "2.5"}, {"created_at": "2026-11-24T09:30:00Z"}, {"rate": "1.0"}):
        assert serialised({**fine, **wrong}, PricedOut, True) != {**fine, **wrong}
    for wrong in ({"effort_days": 2.5}, {"extra": 1}):
        with pytest.raises(ValueError, match="validation error"):
            serialised({**fine, **wrong}, PricedOut, True)
    with pytest.raises(AssertionError, match="not for this caller"):
        serialised(fine, PricedOut, False)
    with pytest.raises(AssertionError, match="are there"):
        serialised({name: value for name, value in fine.items() if name != "fee"}, PricedOut, True)
