"""PostgreSQL writes the answers past the shapes: here is the check that it writes what the shapes would have said."""

import contextlib
import json
from typing import Any

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from api.compile import needs_money
from models.policy import MONEY


async def assert_as_serialised(client: httpx.AsyncClient, path: str, out: type[BaseModel]) -> None:
    """Check the object, or every object of the page, at `path`: same keys in the same order, same spelling.

    Amounts of money are there exactly when the client's token and roles let it see them, so call it as a caller of
    each kind. An empty page checks nothing, and is refused.
    """
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    told = json.loads(answer.text)
    found = told["data"] if told.keys() == {"data", "next_cursor"} else [told]
    assert found, f"{path} shows nothing to compare"
    me = (await client.get("/me")).json()
    money = MONEY.scope in me["scopes"] and MONEY.admits(frozenset(me["roles"]))
    for said in found:
        wanted = _exactly(serialised(said, out, money))
        assert _exactly(said) == wanted, f"{path} says {_exactly(said)}, the shape would say {wanted}"


def serialised(told: dict[str, Any], out: type[BaseModel], money: bool) -> Any:
    """What the shape itself writes for the object that was told; without money it never learns of an amount."""
    amounts = {name: field for name, field in out.model_fields.items() if needs_money(field)}
    hidden = {} if money else amounts
    assert not hidden.keys() & told.keys(), "amounts of money are not for this caller"
    assert money is False or amounts.keys() <= told.keys(), "amounts of money are there for this caller"
    known = {**told, **{name: _any_amount(field.annotation) for name, field in hidden.items()}}
    return json.loads(out.model_validate(known).model_dump_json(exclude=set(hidden)))


def _any_amount(kind: Any) -> Any:
    """Something that a hidden amount may be, so that the shape is whole."""
    for value in (None, {"amount": "1.00", "currency": "EUR"}, "1.00"):
        with contextlib.suppress(ValidationError):
            TypeAdapter(kind).validate_python(value)
            return value
    raise AssertionError(f"{kind} is no amount of money")


def _exactly(value: Any) -> str:
    """Order and spelling, without the spaces that PostgreSQL and pydantic set differently."""
    return json.dumps(value, ensure_ascii=False)
