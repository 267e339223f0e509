"""What every answer carries, errors included: request id, version, security, rate limit; one log line, one metric.

Pure ASGI and outermost, so that even a crash leaves as a problem with its request id, and without internals.
"""

import re
import time

import structlog
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

from api import metrics
from api.problems import protocol_problem
from api.settings import Settings

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
log = structlog.get_logger("tracker.request")


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


DEFAULTS = _raw({"content-security-policy": "default-src 'none'; frame-ancestors 'none'", "cache-control": "no-store"})


class EveryAnswer:
    """Stamps every answer, and tells the log and the metrics about it."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        fixed = {
            "api-version": settings.api_version,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "x-frame-options": "DENY",
        }
        if settings.issuer.startswith("https:"):
            fixed["strict-transport-security"] = "max-age=63072000"
        self.fixed = _raw(fixed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        wished = Headers(scope=scope).get("x-request-id", "")
        request_id = wished if REQUEST_ID.fullmatch(wished) else str(uuid7())
        scope.setdefault("state", {})["request_id"] = request_id
        started, status = time.perf_counter(), 0

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                quota = scope["state"].get("quota")
                told = [(b"x-request-id", request_id.encode()), *self.fixed, *(_raw(quota.headers()) if quota else ())]
                given, taken = dict(message.get("headers", ())), dict(told)
                # Bytes in one go: a mapping of headers would look through all of them for each.
                message["headers"] = [
                    *((name, value) for name, value in message.get("headers", ()) if name not in taken),
                    *told,
                    *(default for default in DEFAULTS if default[0] not in given),
                ]
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
