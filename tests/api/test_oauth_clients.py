"""Clients at the endpoints: who acts as itself, whose token is whose, and bytes of any kind."""

import uuid

import pytest
from fastapi import FastAPI

from api.oauth.session import auth_session
from api.provision import create_client
from models.errors import Invalid
from models.oauth import OAuthClient
from tests.browser import CALLBACK, FORM, Browser
from tests.conftest import ISSUER, House


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
