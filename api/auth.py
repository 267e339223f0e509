"""Who is calling: a bearer token becomes a Caller (RFC 6750, RFC 9068).

What can change before a token ends (roles, revocation) is not asked here but live, at the door. A token that was
verified once is remembered until it ends: verifying each time costs more than the query.
"""

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import Request
from joserfc import jws, jwt
from joserfc.errors import JoseError

from api.settings import Settings
from models.errors import Forbidden, Refusal, Unauthenticated

ALGORITHM = "ES256"
MAX_TOKEN, MAX_REMEMBERED, LEEWAY = 8192, 10_000, 30
REQUIRED: Any = {"essential": True}
# What hostile tokens make the libraries raise: RecursionError for JSON nested a thousand deep.
UNSOUND = (JoseError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Caller:
    """What a token proves: the account, the one organisation it is bound to, the grant, the client and its scopes."""

    account_id: UUID
    tenant_id: UUID
    session_id: UUID
    client_id: str
    scopes: frozenset[str]


class Remembered:
    """Verified tokens until they end; bounded, the oldest go first."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[Caller, float]] = {}

    def get(self, token: str) -> Caller | None:
        found = self.known.get(token)
        return found[0] if found and found[1] > time.time() else None

    def put(self, token: str, caller: Caller, until: float) -> None:
        if len(self.known) >= MAX_REMEMBERED:
            del self.known[next(iter(self.known))]
        self.known[token] = caller, until


def bearer(header: str) -> str:
    """The token of an Authorization header; empty when there is none."""
    scheme, _, token = header.partition(" ")
    return token if scheme.lower() == "bearer" else ""


async def authenticate(request: Request) -> Caller:
    """The caller. Raises Unauthenticated without a token, or with one that does not hold."""
    token = bearer(request.headers.get("authorization", ""))
    if not token:
        raise Unauthenticated("no-token", "Send an access token: Authorization: Bearer …")
    state = request.app.state
    caller = state.remembered.get(token)
    if caller is None:
        caller, until = await _verify(token, state)
        state.remembered.put(token, caller, until)
        request.state.quota = state.limits.take(caller.session_id)
    request.state.caller = caller
    return caller  # type: ignore[no-any-return]


async def _verify(token: str, state: Any) -> tuple[Caller, float]:
    """Whom an access token of ours speaks for, and until when: signature, issuer, audience, times (RFC 9068 §4)."""
    settings: Settings = state.settings
    try:
        key = await state.keys.public(signing_key_id(token))
        claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
        jwt.JWTClaimsRegistry(
            leeway=LEEWAY,
            iss={"essential": True, "value": settings.issuer},
            aud={"essential": True, "value": settings.audience},
            exp=REQUIRED,
            iat=REQUIRED,
        ).validate(claims)
        caller = Caller(
            account_id=UUID(claims["sub"]),
            tenant_id=UUID(claims["org"]),
            session_id=UUID(claims["sid"]),
            client_id=claims["client_id"],
            scopes=frozenset(claims["scope"].split()),
        )
        return caller, float(claims["exp"])
    except UNSOUND:
        raise Unauthenticated("invalid-token", "The access token does not hold: ask for a new one.") from None


def signing_key_id(token: str) -> str:
    """The key that an access token says it was signed with. Raises one of UNSOUND for what is none (RFC 8725)."""
    if len(token) > MAX_TOKEN:
        raise ValueError("oversized")
    header = jws.extract_compact(token.encode()).headers()
    if header["typ"] not in ("at+jwt", "application/at+jwt") or header["alg"] != ALGORITHM or "crit" in header:
        raise ValueError("not an access token of ours")
    return str(header["kid"])


def challenge(settings: Settings, refusal: Refusal) -> str:
    """WWW-Authenticate (RFC 6750 §3, RFC 9728 §5.1). Without a token there is no error to name."""
    parts = [f'Bearer realm="{settings.audience}"']
    if refusal.code == "invalid-token":
        parts.append('error="invalid_token"')
    if isinstance(refusal, Forbidden):
        parts += ['error="insufficient_scope"', f'scope="{refusal.scope}"']
    parts.append(f'resource_metadata="{settings.issuer}/.well-known/oauth-protected-resource/v1"')
    return ", ".join(parts)
