"""A person lets a client act for them: codes, tokens, rotation, scopes, and the organisation that is chosen."""

import logging
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI
from sqlmodel import select

from api.oauth.session import auth_session
from api.provision import add_membership
from models.oauth import Account, OAuthClient
from tests.browser import CALLBACK, FORM, PASSWORD, Browser
from tests.conftest import ISSUER, House


async def test_the_whole_code_flow(browser: Browser, house: House) -> None:
    url = browser.authorize_url()
    answer = await browser.code(url)
    assert (answer["state"], answer["iss"]) == ("s-1", ISSUER)
    token = await browser.exchange(answer["code"])
    assert token.status_code == 200, token.text
    assert token.headers["cache-control"] == "no-store"
    assert set(token.json()["scope"].split()) == {"organisations:read", "experts:write"}, "admin is not procurement's"
    me = await browser.me(token.json()["access_token"])
    assert (me.status_code, me.json()["roles"], me.json()["organisation"]) == (200, ["procurement"], house.slug)


async def test_nothing_secret_is_logged(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answer = await browser.code(browser.authorize_url())
    token = (await browser.exchange(answer["code"])).json()
    secret = (PASSWORD, answer["code"], token["access_token"], token["refresh_token"], browser.http.cookies["sid"])
    assert not [s for s in secret if s in caplog.text]


async def test_a_refresh_token_works_once_and_its_reuse_ends_the_family(browser: Browser) -> None:
    answer = await browser.code(browser.authorize_url())
    first = (await browser.exchange(answer["code"])).json()
    second = await browser.refresh(first["refresh_token"])
    assert second.status_code == 200, second.text
    assert second.json()["refresh_token"] != first["refresh_token"]
    assert (await browser.me(second.json()["access_token"])).status_code == 200
    reused = await browser.refresh(first["refresh_token"])
    assert (reused.status_code, reused.json()["error"]) == (400, "invalid_grant")
    assert (await browser.me(second.json()["access_token"])).status_code == 401
    assert (await browser.refresh(second.json()["refresh_token"])).status_code == 400


async def test_a_code_works_once_and_its_replay_ends_what_it_gave(browser: Browser) -> None:
    answer = await browser.code(browser.authorize_url())
    token = (await browser.exchange(answer["code"])).json()["access_token"]
    replayed = await browser.exchange(answer["code"])
    assert (replayed.status_code, replayed.json()["error"]) == (400, "invalid_grant")
    assert (await browser.me(token)).status_code == 401


async def test_a_code_needs_its_verifier_and_its_redirect(browser: Browser) -> None:
    for changes in ({"code_verifier": "x" * 43}, {"redirect_uri": f"{ISSUER}/other"}, {"code_verifier": ""}):
        answer = await browser.code(browser.authorize_url())
        assert (await browser.exchange(answer["code"], **changes)).status_code == 400


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense"])
async def test_revoking_either_token_ends_both(browser: Browser, hint: str) -> None:
    answer = await browser.code(browser.authorize_url())
    token = (await browser.exchange(answer["code"])).json()
    which = token["refresh_token" if hint == "refresh_token" else "access_token"]
    form = {"token": which, "token_type_hint": hint, "client_id": "docs"}
    assert (await browser.http.post("/oauth/revoke", data=form)).status_code == 200
    assert (await browser.me(token["access_token"])).status_code == 401
    assert (await browser.refresh(token["refresh_token"])).status_code == 400


@pytest.mark.parametrize(
    "changes",
    [{"code_challenge": None}, {"code_challenge_method": "plain"}, {"code_challenge_method": None}, {"scope": "root"}],
)
async def test_requests_that_fall_short_go_back_with_an_error(browser: Browser, changes: dict[str, str | None]) -> None:
    answer = await browser.http.get(browser.authorize_url(**changes))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(CALLBACK)
    told = parse_qs(urlsplit(answer.headers["location"]).query)
    assert told["error"] == ["invalid_scope" if "scope" in changes else "invalid_request"]
    assert (told["state"], told["iss"]) == (["s-1"], [ISSUER])


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        f"{CALLBACK}/x",
        f"{CALLBACK}?x=1",
        CALLBACK.replace("8000", "80; script-src 'unsafe-inline'"),
        "javascript:alert(1)",
        'a"ü',
        None,
    ],
)
async def test_nobody_is_sent_where_the_client_is_not(browser: Browser, target: str | None) -> None:
    answer = await browser.http.get(browser.authorize_url(redirect_uri=target))
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_a_repeated_parameter_is_refused(browser: Browser) -> None:
    answer = await browser.http.get(browser.authorize_url() + "&client_id=docs")
    assert answer.status_code == 400
    assert "client_id is given more than once" in answer.text
    content = "grant_type=client_credentials&grant_type=refresh_token"
    told = await browser.http.post("/oauth/token", content=content, headers=FORM)
    assert (told.status_code, told.json()["error"]) == (400, "invalid_request")


async def test_denying_tells_the_client(browser: Browser) -> None:
    answer = await browser.code(browser.authorize_url(), decision="deny")
    assert (answer["error"], answer["iss"]) == ("access_denied", ISSUER)


async def test_an_organisation_that_is_not_mine_gives_nothing(browser: Browser, other_house: House) -> None:
    answer = await browser.code(browser.authorize_url(), organisation=other_house.slug)
    assert answer["error"] == "access_denied"


async def test_scopes_that_no_role_could_use_are_not_granted(browser: Browser) -> None:
    answer = await browser.code(browser.authorize_url(scope="admin webhooks:manage"))
    assert (answer["error"], answer["state"], answer["iss"]) == ("invalid_scope", "s-1", ISSUER)
    answer = await browser.code(browser.authorize_url(scope=None))
    granted = set((await browser.exchange(answer["code"])).json()["scope"].split())
    assert "experts:write" in granted
    assert "admin" not in granted


async def test_a_refresh_narrows_and_never_widens(browser: Browser) -> None:
    first = (await browser.exchange((await browser.code(browser.authorize_url()))["code"])).json()
    wide = await browser.refresh(first["refresh_token"], scope="admin")
    assert (wide.status_code, wide.json()["error"]) == (400, "invalid_scope")
    narrow = await browser.refresh(first["refresh_token"], scope="organisations:read")
    assert narrow.json()["scope"] == "organisations:read"
    assert (await browser.refresh(narrow.json()["refresh_token"])).json()["scope"] == first["scope"]


async def test_the_organisation_is_chosen_and_a_clients_own_is_the_only_one(
    app: FastAPI, browser: Browser, house: House, other_house: House
) -> None:
    async with auth_session(app) as session:
        account_id = await session.scalar(select(Account.id).where(Account.email == browser.email))
        await add_membership(session, other_house.id, account_id, ["procurement"])
        session.add(
            OAuthClient(
                client_id=f"bound-{house.slug}",
                name="Bound",
                grant_types=["authorization_code"],
                redirect_uris=[CALLBACK],
                scopes=["organisations:read"],
                tenant_id=house.id,
            )
        )
    url = browser.authorize_url(organisation=other_house.slug)
    await browser.sign_in(url)
    assert f'value="{other_house.slug}" selected' in (await browser.http.get(url)).text
    answer = await browser.code(url, organisation=other_house.slug)
    token = (await browser.exchange(answer["code"])).json()["access_token"]
    assert (await browser.me(token)).json()["organisation"] == other_house.slug
    bound = browser.authorize_url(client_id=f"bound-{house.slug}", scope=None)
    assert other_house.slug not in (await browser.http.get(bound)).text
    assert (await browser.code(bound, organisation=other_house.slug))["error"] == "access_denied"
