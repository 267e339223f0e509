"""Signing in with a browser: forms that are ours, guesses that have to wait, links that work once."""

import asyncio
import uuid
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI
from sqlmodel import select

from api.oauth.session import auth_session
from api.provision import create_account, create_client, invite
from models.base import now
from models.oauth import FREE_PER_ACCOUNT, FREE_PER_ADDRESS, Account, AccountStatus, LoginAttempt, OAuthClient
from tests.browser import FORM, PASSWORD, Browser, hidden
from tests.conftest import ISSUER, House


async def test_forms_from_elsewhere_are_refused(browser: Browser) -> None:
    url = browser.authorize_url()
    page = await browser.http.get(url)
    form = {"csrf": hidden(page, "csrf"), "query": urlsplit(url).query, "email": browser.email, "password": PASSWORD}
    for data, headers in (
        ({**form, "csrf": "x"}, {}),
        (form, {"origin": "https://evil.example"}),
        (form, {"sec-fetch-site": "cross-site"}),
        (form, {"sec-fetch-site": "same-site"}),
    ):
        assert (await browser.http.post("/login", data=data, headers=headers)).status_code == 403
        assert (await browser.http.post("/oauth/sign-out", data=data, headers=headers)).status_code == 403
    assert (await browser.http.post("/login", data=form)).status_code == 303
    for changes in ({"csrf": "x"}, {"csrf": form["csrf"]}):
        decision = {"organisation": "any", "decision": "allow", **changes}
        assert (await browser.http.post(url, data=decision)).status_code == 403, "the token of the session before"


@pytest.mark.parametrize("odd", [b"a\x00", b"a%00", b"\xed\xa0\x80", b"%ED%A0%80", b"%FF", b"%", b"a&" * 30])
async def test_a_form_of_any_bytes_is_answered(browser: Browser, odd: bytes) -> None:
    csrf = hidden(await browser.http.get(browser.authorize_url()), "csrf").encode()
    content = b"csrf=" + csrf + b"&query=" + odd + b"&email=" + odd + b"&password=" + odd
    answer = await browser.http.post("/login", content=content, headers=FORM)
    assert answer.status_code in (401, 403)


async def test_signing_in_takes_a_new_session_and_a_strict_page(browser: Browser) -> None:
    url = browser.authorize_url()
    page = await browser.http.get(url)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    before = browser.http.cookies["sid"]
    assert (await browser.sign_in(url)).status_code == 303
    assert browser.http.cookies["sid"] != before
    consent = await browser.http.get(url)
    assert f"form-action 'self' {ISSUER}" in consent.headers["content-security-policy"]
    left = await browser.http.post(
        "/oauth/sign-out", data={"csrf": hidden(consent, "csrf"), "query": urlsplit(url).query}
    )
    assert (left.status_code, left.headers["location"]) == (303, url)
    assert 'name="password"' in (await browser.http.get(url)).text


async def test_guessing_has_to_wait(app: FastAPI, browser: Browser) -> None:
    url = browser.authorize_url()
    assert (await browser.sign_in(url, "wrong password")).status_code == 401
    async with auth_session(app) as session:
        session.add_all([LoginAttempt(key=f"account {browser.email}") for _ in range(FREE_PER_ACCOUNT + 5)])
    late = await browser.sign_in(url)
    assert late.status_code == 429, "also with the right password"
    assert 32 < int(late.headers["retry-after"]) <= 64


async def test_who_signs_in_rightly_never_has_to_wait(browser: Browser) -> None:
    url = browser.authorize_url()
    for _ in range(FREE_PER_ADDRESS + 2):
        browser.http.cookies.clear()
        assert (await browser.sign_in(url)).status_code == 303


async def test_guesses_made_at_once_are_counted_too(browser: Browser) -> None:
    url = browser.authorize_url()
    form = {
        "csrf": hidden(await browser.http.get(url), "csrf"),
        "query": "",
        "email": browser.email,
        "password": "wrong",
    }
    tries = await asyncio.gather(*(browser.http.post("/login", data=form) for _ in range(12)))
    codes = [tried.status_code for tried in tries]
    assert 429 in codes
    assert codes.count(401) <= FREE_PER_ACCOUNT + 1


async def test_a_one_time_link_sets_a_password_once(app: FastAPI, browser: Browser) -> None:
    email = f"{uuid.uuid4().hex}@example.org"
    async with auth_session(app) as session:
        account_id = await create_account(session, email=email, name="New", password=None)
        link = (await invite(session, app.state.settings, account_id)).removeprefix(ISSUER)
    assert 'name="password"' in (await browser.http.get(link)).text
    assert (await browser.http.post(link, data={"password": "short"})).status_code == 422
    assert (await browser.http.post(link, data={"password": PASSWORD})).status_code == 200
    assert (await browser.http.post(link, data={"password": "another password"})).status_code == 404
    for used in (link, "/oauth/welcome", "/oauth/welcome?link=x"):
        assert (await browser.http.get(used)).status_code == 404
    assert (await Browser(browser.http, email).sign_in(browser.authorize_url())).status_code == 303


async def test_a_disabled_account_and_a_disabled_client_end_at_once(
    app: FastAPI, browser: Browser, house: House
) -> None:
    url = browser.authorize_url()
    token = (await browser.exchange((await browser.code(url))["code"])).json()
    async with auth_session(app) as session:
        account = (await session.execute(select(Account).where(Account.email == browser.email))).scalar_one()
        account.status = AccountStatus.DISABLED
        client_id, secret = await create_client(session, house.id, "Old", ["dashboard"], ["experts:read"])
        (await session.get_one(OAuthClient, client_id)).disabled_at = now()
    assert (await browser.me(token["access_token"])).status_code == 401
    assert (await browser.refresh(token["refresh_token"])).status_code == 400
    assert 'name="password"' in (await browser.http.get(url)).text, "the browser's session is over too"
    assert (await browser.sign_in(url)).status_code == 401
    form = {"grant_type": "client_credentials"}
    assert (await browser.http.post("/oauth/token", data=form, auth=(client_id, secret))).status_code == 401
