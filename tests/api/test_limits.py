"""A caller learns what is left, is refused beyond it, and takes nothing from anybody else."""

from collections.abc import AsyncIterator

import httpx
import pytest
from asgi_lifespan import LifespanManager
from fastapi import FastAPI

from api.app import create_app
from api.limits import Limits, Quota
from api.settings import Settings
from tests.conftest import ISSUER, House, found

LIMIT = 5


@pytest.fixture
async def tight(app: FastAPI, settings: Settings) -> AsyncIterator[House]:
    """An organisation on a server that answers five requests a minute for each caller."""
    served = create_app(settings.model_copy(update={"requests_per_minute": LIMIT}))
    async with LifespanManager(served):
        yield await found(served)


def rest(answer: httpx.Response) -> int:
    """What is left for the caller, from a header that is spelled as the draft has it."""
    policy, left, seconds = answer.headers["ratelimit"].split(";")
    assert answer.headers["ratelimit-policy"] == f"{policy};q={LIMIT};w=60"
    assert 0 < int(seconds.removeprefix("t=")) <= 60
    return int(left.removeprefix("r="))


async def test_every_answer_tells_what_is_left(tight: House) -> None:
    reader = await tight.client("lead")
    answers = [await reader.get(path) for path in ("/people", "/people/x", "/nothing")]
    answers.append(await reader.post("/people", content=b"{"))
    assert [a.status_code for a in answers] == [200, 422, 404, 415]
    assert [rest(a) for a in answers] == [4, 3, 2, 1]
    assert all(a.headers["ratelimit"].startswith('"token";') for a in answers)


async def test_one_too_many_is_refused_until_the_window_ends(tight: House) -> None:
    admin = await tight.client("admin")
    for _ in range(LIMIT):
        assert (await admin.get("/me")).status_code == 200
    refused = await admin.post("/business-units", json={"name": "Sales"})
    assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
    assert (refused.json()["code"], refused.json()["status"]) == ("too-many-requests", 429)
    assert (rest(refused), refused.headers["retry-after"]) == (0, refused.headers["ratelimit"].rpartition("=")[2])
    assert refused.json()["request_id"] == refused.headers["x-request-id"]
    tight.app.state.limits.ends = 0.0
    units = (await admin.get("/business-units")).json()["data"]
    assert [u["name"] for u in units] == ["Marketing"], "the refused call did nothing"


async def test_two_tokens_do_not_share(tight: House) -> None:
    one, other = await tight.client("lead"), await tight.client("lead")
    for _ in range(LIMIT + 1):
        last = await one.get("/me")
    assert (last.status_code, rest(await other.get("/me"))) == (429, LIMIT - 1)


async def test_who_shows_no_token_is_counted_by_address(tight: House) -> None:
    def caller(host: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=tight.app, client=(host, 1)), base_url=ISSUER)

    async with caller("2001:db8::1") as one, caller("2001:db8::2") as neighbour, caller("192.0.2.1") as other:
        forms = [{"grant_type": "client_credentials"}] * LIMIT
        assert {(await one.post("/oauth/token", data=form)).status_code for form in forms} == {401}
        assert (await one.post("/oauth/token", data=forms[0])).status_code == 429
        wrong = await neighbour.get("/v1/me", headers={"authorization": "Bearer wrong"})
        assert (wrong.status_code, wrong.headers["ratelimit"].split(";")[0]) == (429, '"address"'), "one network"
        assert rest(await other.get("/v1/me")) == LIMIT - 1
        assert {(await one.get("/health/live")).status_code for _ in range(LIMIT + 1)} == {200}


def test_a_window_that_ended_is_forgotten_whole() -> None:
    limits = Limits(2)
    assert [limits.take("a").left for _ in range(3)] == [1, 0, -1]
    assert limits.take("b") == Quota("address", 2, 1, 60)
    limits.ends = 0.0
    assert (limits.take("a").left, limits.counts) == (1, {"a": 1})
