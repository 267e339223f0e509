"""Tokens that are not ours, not for us, or not any more: each is the same 401."""

import base64
import hmac
import json
import time
import uuid
from typing import Any

import pytest
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from tests.conftest import ISSUER, House

NOW = int(time.time())
FINE = {
    "iss": ISSUER,
    "aud": f"{ISSUER}/v1",
    "exp": NOW + 300,
    "iat": NOW,
    "client_id": "docs",
    "scope": "organisations:read",
}
HOSTILE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another issuer": ({}, {"iss": "https://evil.example"}),
    "another audience": ({}, {"aud": "docs"}),
    "expired": ({}, {"exp": NOW - 60}),
    "no expiry": ({}, {"exp": None}),
    "not yet": ({}, {"nbf": NOW + 600}),
    "an id token": ({"typ": "JWT"}, {}),
    "no type": ({"typ": None}, {}),
    "unknown key": ({"kid": "other"}, {}),
    "no key id": ({"kid": None}, {}),
    "oversized": ({}, {"padding": "x" * 9000}),
    "no organisation": ({}, {"org": None}),
    "subject of another shape": ({}, {"sub": "root"}),
}


def signed(app: FastAPI, key: Any, header: dict[str, Any], claims: dict[str, Any], alg: str = "ES256") -> str:
    head = {"typ": "at+jwt", "alg": alg, "kid": app.state.keys.signing.kid, **header}
    head = {k: v for k, v in head.items() if v is not None}
    body = {k: v for k, v in claims.items() if v is not None}
    return jwt.encode(head, body, key, algorithms=[alg])


def confused(app: FastAPI, claims: dict[str, Any]) -> str:
    """Signed by HMAC with our public key as its secret: what a careless verifier would take (CVE-2024-37568)."""
    header = {"typ": "at+jwt", "alg": "HS256", "kid": app.state.keys.signing.kid}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    mac = hmac.new(app.state.keys.signing.as_pem(private=False), b".".join(parts), "sha256").digest()
    return b".".join([*parts, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode()


@pytest.fixture
def fine(house: House) -> dict[str, Any]:
    return {**FINE, "org": str(house.id), "sub": str(uuid.uuid4()), "sid": str(uuid.uuid4())}


async def refused(house: House, token: str) -> None:
    client = await house.client("admin")
    answer = await client.get("/me", headers={"authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid-token")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("case", HOSTILE)
async def test_a_token_that_falls_short_is_refused(app: FastAPI, house: House, fine: dict[str, Any], case: str) -> None:
    header, claims = HOSTILE[case]
    await refused(house, signed(app, app.state.keys.signing, header, {**fine, **claims}))


async def test_a_token_signed_by_another_key_or_none_is_refused(
    app: FastAPI, house: House, fine: dict[str, Any]
) -> None:
    await refused(house, signed(app, ECKey.generate_key("P-256"), {}, fine))
    await refused(house, confused(app, fine))
    own = ECKey.generate_key("P-256")
    await refused(house, signed(app, own, {"jwk": own.as_dict(private=False)}, fine))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{}",
        b"[" * 4000,
        b"\xff",
        b'{"typ": "at+jwt", "alg": "none"}',
        b'{"typ": "at+jwt", "alg": "ES256", "kid": ["a"]}',
        b'{"typ": "at+jwt", "alg": "ES256", "kid": "a", "crit": ["x"], "x": 1}',
        b'{"typ": ["at+jwt"], "alg": {}, "kid": null}',
    ],
)
async def test_a_header_of_any_shape_is_refused(house: House, header: bytes) -> None:
    await refused(house, f"{base64.urlsafe_b64encode(header).decode().rstrip('=')}.e30.AAAA")


async def test_a_well_signed_token_without_a_grant_stops_at_the_door(
    app: FastAPI, house: House, fine: dict[str, Any]
) -> None:
    await refused(house, signed(app, KeySet([app.state.keys.signing]), {}, fine))


async def test_no_token_names_no_error_and_the_query_is_no_place_for_one(house: House) -> None:
    client = await house.client("admin")
    token = client.headers.pop("authorization").partition(" ")[2]
    for path in ("/me", f"/me?access_token={token}"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "no-token")
        assert "error=" not in answer.headers["www-authenticate"]
        assert "resource_metadata=" in answer.headers["www-authenticate"]
