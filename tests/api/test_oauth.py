"""The authorization server as a client and a browser meet it: pages, codes, tokens, rotation, revocation."""

import base64
import hashlib
import re
import secrets
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from fastapi import FastAPI

from api.oauth.session import auth_session
from api.provision import add_membership, create_account, create_client, invite
from tests.conftest import ISSUER, House

PASSWORD = "correct horse battery"
CALLBACK = f"{ISSUER}/docs/oauth2-redirect"


@dataclass
class Browser:
    """A person in a browser, and the public client `docs` they use."""

    http: httpx.AsyncClient
    email: str
    verifier: str = ""

    def authorize_url(self, **changes: str | None) -> str:
        self.verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": "docs",
            "redirect_uri": CALLBACK,
            "scope": "organisations:read experts:write admin",
            "state": "s-1",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return "/authorize?" + urlencode({k: v for k, v in {**query, **changes}.items() if v is not None})

    async def sign_in(self, url: str, password: str = PASSWORD) -> httpx.Response:
        page = await self.http.get(url)
        assert page.status_code == 200, page.text
        form = {"csrf": hidden(page, "csrf"), "next": url, "email": self.email, "password": password}
        return await self.http.post("/login", data=form)

    async def code(self, url: str, decision: str = "allow", organisation: str | None = None) -> dict[str, str]:
        """Sign in, consent, and return what the redirect carries."""
        await self.sign_in(url)
        page = await self.http.get(url)
        chosen = organisation or re.findall(r'option value="([^"]+)"', page.text)[0]
        form = {"csrf": hidden(page, "csrf"), "organisation": chosen, "decision": decision}
        answer = await self.http.post(url, data=form)
        assert answer.status_code in (302, 303), answer.text
        assert answer.headers["location"].startswith(CALLBACK)
        return {k: v[0] for k, v in parse_qs(urlsplit(answer.headers["location"]).query).items()}

    async def exchange(self, code: str, **changes: str) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": "docs",
            "redirect_uri": CALLBACK,
            "code_verifier": self.verifier,
        }
        return await self.http.post("/oauth/token", data={**form, **changes})

    async def refresh(self, token: str) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "docs"}
        return await self.http.post("/oauth/token", data=form)

    async def me(self, token: str) -> httpx.Response:
        return await self.http.get("/v1/me", headers={"authorization": f"Bearer {token}"})


def hidden(page: httpx.Response, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


@pytest.fixture
async def browser(app: FastAPI, house: House) -> AsyncIterator[Browser]:
    email = f"{uuid.uuid4().hex}@example.org"
    async with auth_session(app) as session:
        account_id = await create_account(session, email=email, name="Ann", password=PASSWORD)
        await add_membership(session, house.id, account_id, ["procurement"], person_id=None)
    transport = httpx.ASGITransport(app=app, client=(f"10.0.0.{secrets.randbelow(250)}", 1))
    async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as http:
        yield Browser(http, email)


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
    told = parse_qs(urlsplit(answer.headers.get("location", "")).query)
    error = told.get("error", [""])[0] or answer.json()["error"]
    assert error in ("invalid_request", "invalid_scope")


@pytest.mark.parametrize(
    "target", ["https://evil.example/", f"{CALLBACK}/x", f"{CALLBACK}?x=1", "javascript:alert(1)", None]
)
async def test_nobody_is_sent_where_the_client_is_not(browser: Browser, target: str | None) -> None:
    answer = await browser.http.get(browser.authorize_url(redirect_uri=target))
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_a_repeated_parameter_is_refused(browser: Browser) -> None:
    answer = await browser.http.get(browser.authorize_url() + "&client_id=docs")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_denying_tells_the_client(browser: Browser) -> None:
    answer = await browser.code(browser.authorize_url(), decision="deny")
    assert (answer["error"], answer["iss"]) == ("access_denied", ISSUER)


async def test_an_organisation_that_is_not_mine_gives_nothing(browser: Browser, other_house: House) -> None:
    answer = await browser.code(browser.authorize_url(), organisation=other_house.slug)
    assert answer["error"] == "access_denied"


async def test_forms_from_elsewhere_are_refused(browser: Browser) -> None:
    url = browser.authorize_url()
    page = await browser.http.get(url)
    form = {"csrf": hidden(page, "csrf"), "next": url, "email": browser.email, "password": PASSWORD}
    for data, headers in (
        ({**form, "csrf": "x"}, {}),
        (form, {"origin": "https://evil.example"}),
        (form, {"sec-fetch-site": "cross-site"}),
        ({**form, "next": "https://evil.example/"}, {}),
    ):
        assert (await browser.http.post("/login", data=data, headers=headers)).status_code == 403


async def test_signing_in_takes_a_new_session_and_a_strict_page(browser: Browser) -> None:
    url = browser.authorize_url()
    page = await browser.http.get(url)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    before = browser.http.cookies["sid"]
    assert (await browser.sign_in(url)).status_code == 303
    assert browser.http.cookies["sid"] != before
    assert f"form-action 'self' {ISSUER}" in (await browser.http.get(url)).headers["content-security-policy"]


async def test_guessing_has_to_wait(browser: Browser) -> None:
    url = browser.authorize_url()
    for _ in range(5):
        assert (await browser.sign_in(url, "wrong password")).status_code == 401
    late = await browser.sign_in(url)
    assert (late.status_code, late.headers["retry-after"]) == (429, "300")


async def test_a_one_time_link_sets_a_password_once(app: FastAPI, browser: Browser) -> None:
    email = f"{uuid.uuid4().hex}@example.org"
    async with auth_session(app) as session:
        account_id = await create_account(session, email=email, name="New", password=None)
        link = urlsplit(await invite(session, app.state.settings, account_id)).path
    assert (await browser.http.post(link, data={"password": "short"})).status_code == 422
    assert (await browser.http.post(link, data={"password": PASSWORD})).status_code == 200
    assert (await browser.http.post(link, data={"password": "another password"})).status_code == 404
    assert (await Browser(browser.http, email).sign_in(browser.authorize_url())).status_code == 303


async def test_a_client_acts_as_itself(app: FastAPI, house: House, browser: Browser) -> None:
    async with auth_session(app) as session:
        client_id, secret = await create_client(session, house.id, "Board", ["dashboard"], ["experts:read"])
    assert secret.startswith("cet_")
    form = {"grant_type": "client_credentials"}
    given = await browser.http.post("/oauth/token", data=form, auth=(client_id, secret))
    assert given.status_code == 200, given.text
    token = given.json()["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    assert (await browser.http.get("/v1/experts", headers=headers)).status_code == 200
    assert (await browser.http.post("/v1/experts", json={}, headers=headers)).status_code == 403
    wide = await browser.http.post("/oauth/token", data={**form, "scope": "admin"}, auth=(client_id, secret))
    assert (wide.status_code, wide.json()["error"]) == (400, "invalid_scope")
    revoked = await browser.http.post("/oauth/revoke", data={"token": token}, auth=(client_id, secret))
    assert revoked.status_code == 200
    assert (await browser.http.get("/v1/experts", headers=headers)).status_code == 401


async def test_an_unknown_client_and_a_wrong_secret_look_alike(app: FastAPI, house: House, browser: Browser) -> None:
    async with auth_session(app) as session:
        client_id, secret = await create_client(session, house.id, "Board", ["dashboard"], ["experts:read"])
    form = {"grant_type": "client_credentials"}
    wrong = await browser.http.post("/oauth/token", data=form, auth=(client_id, "cet_wrong"))
    unknown = await browser.http.post("/oauth/token", data=form, auth=("nobody", "cet_wrong"))
    assert (wrong.status_code, wrong.json()) == (unknown.status_code, unknown.json())
    assert wrong.status_code == 401
    in_query = await browser.http.post(f"/oauth/token?client_id={client_id}&client_secret={secret}", data=form)
    assert in_query.status_code == 401


async def test_a_dashboard_never_holds_a_scope_to_write(app: FastAPI, house: House) -> None:
    from models.errors import Invalid

    with pytest.raises(Invalid, match="read only"):
        async with auth_session(app) as session:
            await create_client(session, house.id, "Board", ["dashboard"], ["experts:write"])


async def test_the_metadata_is_true(browser: Browser) -> None:
    told = (await browser.http.get("/.well-known/oauth-authorization-server")).json()
    assert told["issuer"] == ISSUER
    for name in ("token_endpoint", "revocation_endpoint"):
        assert (await browser.http.post(told[name], data={})).status_code in (400, 401)
    keys = (await browser.http.get(told["jwks_uri"])).json()["keys"]
    assert keys
    assert all({"kid", "x", "y"} <= key.keys() and "d" not in key for key in keys)
    resource = (await browser.http.get("/.well-known/oauth-protected-resource/v1")).json()
    assert resource["authorization_servers"] == [ISSUER]
