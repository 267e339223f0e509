"""Bodies that two readers could understand differently are refused, and nothing is a 500."""

import pytest

from tests.conftest import House

GOOD = b'{"name": "Sales", "parent_id": null}'
TORTURE = {
    "duplicate keys": b'{"name": "a", "name": "b"}',
    "not a number": b'{"name": NaN}',
    "infinity by exponent": b'{"name": 1e999}',
    "minus infinity": b'{"name": -Infinity}',
    "escaped NUL": rb'{"name": "a\u0000b"}',
    "raw NUL": b'{"name": "a\x00b"}',
    "lone surrogate": rb'{"name": "\ud800"}',
    "deep arrays": b'{"name": ' + b"[" * 900 + b"]" * 900 + b"}",
    "deep within the limit of parsers": b'{"name": ' + b"[" * 40 + b"]" * 40 + b"}",
    "UTF-16": GOOD.decode().encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + GOOD,
    "latin-1": '{"name": "Café"}'.encode("latin-1"),
    "half": GOOD[:10],
    "two values": GOOD + GOOD,
    "a list": b"[]",
    "a string": b'"x"',
    "null": b"null",
    "a huge integer": b'{"name": ' + b"9" * 5000 + b"}",
    "a number for a name": b'{"name": 5}',
    "unknown field": b'{"name": "a", "colour": "red"}',
    "empty": b"",
    "only spaces": b"   ",
}


@pytest.mark.parametrize("case", TORTURE)
async def test_a_body_that_is_not_plain_json_is_refused_and_changes_nothing(house: House, case: str) -> None:
    admin = await house.client("admin")
    before = (await admin.get("/business-units")).json()
    answer = await admin.post("/business-units", content=TORTURE[case], headers={"content-type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] in ("invalid-json", "invalid-input")
    assert (await admin.get("/business-units")).json() == before


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "", "multipart/form-data"]
)
async def test_another_type_of_content_is_415(house: House, kind: str) -> None:
    admin = await house.client("admin")
    answer = await admin.post("/business-units", content=GOOD, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-content-type")


async def test_two_megabytes_are_413(house: House) -> None:
    admin = await house.client("admin")
    body = b'{"name": "' + b"x" * (2 << 20) + b'"}'
    answer = await admin.post("/business-units", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


async def test_escapes_that_are_fine_are_kept(house: House) -> None:
    admin = await house.client("admin")
    answer = await admin.post(
        "/business-units",
        content=rb'{"name": "\u00c9quipe \ud83d\ude00 u0000"}',
        headers={"content-type": "application/json"},
    )
    assert (answer.status_code, answer.json()["name"]) == (201, "Équipe 😀 u0000")


@pytest.mark.parametrize(
    "path", ["/people?q=%00", "/people/%00", "/business-units?limit=0", "/people?colour=red", "/people?limit=5&limit=6"]
)
async def test_a_bad_address_is_a_problem(house: House, path: str) -> None:
    admin = await house.client("admin")
    answer = await admin.get(path)
    assert answer.status_code in (404, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
