"""How often one may ask: so many requests a minute for each grant, and for each address that shows no verified token.

Counted in this process, in windows of a minute that all begin together, so that forgetting is one assignment. The
answers tell what is left (draft-ietf-httpapi-ratelimit-headers).
"""

import time
from functools import lru_cache
from ipaddress import ip_network
from typing import NamedTuple
from uuid import UUID

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.auth import bearer
from api.problems import problem

WINDOW = 60


class Quota(NamedTuple):
    """What is left of a policy (`token` or `address`) in this window, which ends in so many seconds."""

    policy: str
    limit: int
    left: int
    seconds: int

    def headers(self) -> dict[str, str]:
        return {
            "ratelimit-policy": f'"{self.policy}";q={self.limit};w={WINDOW}',
            "ratelimit": f'"{self.policy}";r={max(self.left, 0)};t={self.seconds}',
        }


class Limits:
    def __init__(self, per_minute: int) -> None:
        self.per_minute, self.ends, self.counts = per_minute, 0.0, dict[UUID | str, int]()

    def take(self, who: UUID | str) -> Quota:
        """Count one request of a grant or an address; `left` falls below zero when it is one too many."""
        now = time.monotonic()
        if now >= self.ends:
            self.ends, self.counts = now + WINDOW, {}
        used = self.counts[who] = self.counts.get(who, 0) + 1
        policy = "token" if isinstance(who, UUID) else "address"
        return Quota(policy, self.per_minute, self.per_minute - used, min(int(self.ends - now) + 1, WINDOW))


class Limited:
    """Pure ASGI: refuses before a body is read or a statement is run. Probes of an operator's are never counted."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/health/"):
            return await self.app(scope, receive, send)
        state = scope["app"].state
        token = bearer(dict(scope["headers"]).get(b"authorization", b"").decode("latin-1"))
        caller = state.remembered.get(token)
        quota = scope["state"]["quota"] = state.limits.take(caller.session_id if caller else network(scope))
        if quota.left >= 0:
            return await self.app(scope, receive, send)
        detail = f"More than {quota.limit} requests in a minute: wait {quota.seconds} seconds, then go on."
        headers = {"retry-after": str(quota.seconds)}
        answer = problem(Request(scope), 429, "too-many-requests", "Too many requests", detail, headers=headers)
        await answer(scope, receive, send)


def network(scope: Scope) -> str:
    """Whose address it is: an IPv6 caller owns a whole /64."""
    return _network(scope["client"][0] if scope.get("client") else "")


@lru_cache(maxsize=4096)
def _network(host: str) -> str:
    try:
        return str(ip_network(f"{host}/64" if ":" in host else host, strict=False))
    except ValueError:
        return "unknown"
