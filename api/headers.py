"""What every answer carries, errors included: request id, version, security, rate limit; one log line, one metric.

Pure ASGI and outermost, so that even a crash leaves as a problem with its request id, and without internals.
"""

import re
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

from api import metrics
from api.problems import protocol_problem
from api.settings import Settings

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
log = structlog.get_logger("tracker.request")


class EveryAnswer:
    """Stamps every answer, and tells the log and the metrics about it."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.fixed = {
            "api-version": settings.api_version,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "x-frame-options": "DENY",
        }
        if settings.issuer.startswith("https:"):
            self.fixed["strict-transport-security"] = "max-age=63072000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else str(uuid7())
        scope.setdefault("state", {})["request_id"] = request_id
        started, status = time.perf_counter(), 0

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                for name, value in self.fixed.items():
                    headers[name] = value
                if quota := scope["state"].get("quota"):
                    headers.update(quota.headers())
                headers.setdefault("content-security-policy", "default-src 'none'; frame-ancestors 'none'")
                headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            await self.app(scope, receive, stamped)
        except Exception:
            log.exception("crashed", request_id=request_id, method=scope["method"], path=scope["path"])
            if not status:
                await protocol_problem(Request(scope), 500)(scope, receive, stamped)
        finally:
            self._tell(scope, request_id, status, time.perf_counter() - started)

    def _tell(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        metrics.observe(scope, status, seconds)
        caller = scope["state"].get("caller")
        log.info(
            "answered",
            request_id=request_id,
            method=scope["method"],
            route=metrics.template(scope),
            path=scope["path"],
            status=status,
            ms=round(seconds * 1000, 2),
            tenant=str(caller.tenant_id) if caller else None,
            actor=str(caller.account_id) if caller else None,
        )
