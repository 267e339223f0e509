"""The authorization server as a client and a browser meet it: pages, codes, tokens, rotation, revocation."""

import asyncio
import base64
import hashlib
import logging
import re
import secrets
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from sqlmodel import select

from api.oauth.session import auth_session
from api.provision import add_membership, create_account, create_client, invite
from models.base import now
from models.errors import Invalid
from models.oauth import FREE_PER_ACCOUNT, FREE_PER_ADDRESS, Account, AccountStatus, LoginAttempt, OAuthClient
from tests.conftest import ISSUER, House

PASSWORD = "correct horse battery"
CALLBACK = f"{ISSUER}/docs/oauth2-redirect"
FORM = {"content-type": "application/x-www-form-urlencoded"}


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
        form = {"csrf": hidden(page, "csrf"), "query": url.partition("?")[2], "email": self.email, "password": password}
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

    async def refresh(self, token: str, **changes: str) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "docs", **changes}
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


async def test_another_client_neither_uses_nor_ends_what_is_not_its_own(app: FastAPI, browser: Browser) -> None:
    async with auth_session(app) as session:
        client_id = f"stranger-{uuid.uuid4().hex}"
        session.add(
            OAuthClient(client_id=client_id, name="Stranger", grant_types=["authorization_code", "refresh_token"])
        )
    code = (await browser.code(browser.authorize_url()))["code"]
    assert (await browser.exchange(code, client_id=client_id)).status_code == 400
    token = (await browser.exchange(code)).json()
    for form in (
        {"grant_type": "refresh_token", "refresh_token": token["refresh_token"]},
        {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": browser.verifier},
    ):
        assert (await browser.http.post("/oauth/token", data={**form, "client_id": client_id})).status_code == 400
    stolen = {"token": token["access_token"], "client_id": client_id}
    assert (await browser.http.post("/oauth/revoke", data=stolen)).status_code == 400
    assert (await browser.me(token["access_token"])).status_code == 200


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


@pytest.mark.parametrize(
    "headers",
    [{}, *({"authorization": f"Basic {pair}"} for pair in ("", "%%%", "_w==", "/w==", "Og==", "AA==", "AGE6YQ=="))],
)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe=\xff",
        b"grant_type=%00&client_id=%00&client_secret=%00",
        b"grant_type=client_credentials",
        b"grant_type=authorization_code&client_id=docs&code=%22%C3%BC",
        b"grant_type=refresh_token&client_id=docs&refresh_token=" + b"x" * 10_000,
        b"token=" + b"W1tb" * 9000 + b".e30.e30&client_id=docs",
        b"token=" + b"W1tb" * 2000 + b".e30.e30&client_id=docs",
        b"token=.&client_id=docs",
        b"a&" * 5000,
    ],
)
async def test_nothing_that_is_sent_breaks_the_endpoints(
    browser: Browser, headers: dict[str, str], content: bytes
) -> None:
    for path in ("/oauth/token", "/oauth/revoke"):
        answer = await browser.http.post(path, content=content, headers={**FORM, **headers})
        assert answer.status_code in (200, 400, 401)
        assert answer.headers["cache-control"] == "no-store"
    assert (await browser.http.post("/oauth/token", json={})).status_code == 400
    query = content.decode("latin-1")[:5000]
    for path in ("/authorize?", "/oauth/welcome?link="):
        assert (await browser.http.get(path + query)).status_code in (400, 404, 422)
    assert (await browser.http.post("/login", content=content, headers=FORM)).status_code == 403


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
    assert (await browser.http.get("/.well-known/openid-configuration")).json() == told
    assert "id_token_signing_alg_values_supported" not in told, "there are no ID tokens yet"
    elsewhere = await browser.http.get("/.well-known/oauth-authorization-server", headers={"host": "evil.example"})
    assert elsewhere.json() == told
    resource = (await browser.http.get("/.well-known/oauth-protected-resource/v1")).json()
    assert resource["authorization_servers"] == [ISSUER]
