"""One parser for every JSON body: what two readers could understand differently is refused.

Refused are duplicate keys, NaN and Infinity (also 1e999), NUL, lone surrogates, depth beyond 32, encodings other than
UTF-8, a wrong Content-Type (415), more than 1 MiB (413) and a body that trickles in (408).
"""

import asyncio
import json
import math
import re
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem, protocol_problem

MAX_BYTES, MAX_DEPTH, MAX_SECONDS = 1 << 20, 32, 20.0
BODIED = {"POST", "PUT", "PATCH"}
JSON_TYPES = {"application/json", "application/merge-patch+json"}
STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"')


class NotStrict(ValueError):
    """Why a body is not acceptable JSON."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        twice = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        raise NotStrict(f"the key {twice[:100]!r} is given twice")
    return value


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise NotStrict("a number is too large")
    return value


def _constant(name: str) -> Any:
    raise NotStrict(f"{name} is not a JSON number")


def _require_plain(value: Any) -> None:
    """Raise NotStrict for NUL, and UnicodeEncodeError for lone surrogates, in any string of the value."""
    if isinstance(value, str):
        if "\x00" in value:
            raise NotStrict("a string holds the NUL character")
        value.encode()
    elif isinstance(value, list):
        for item in value:
            _require_plain(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _require_plain(key)
            _require_plain(item)


def parse(body: bytes) -> Any:
    """The JSON value of a body. Raises NotStrict with the reason."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise NotStrict("the body is not UTF-8") from None
    if text.startswith("\ufeff"):
        raise NotStrict("the body starts with a byte order mark")
    depth = 0
    for bracket in STRINGS.sub(b"", body):
        depth += (bracket in b"[{") - (bracket in b"]}")
        if depth > MAX_DEPTH:
            raise NotStrict(f"the body is nested deeper than {MAX_DEPTH} levels")
    try:
        value = json.loads(text, object_pairs_hook=_pairs, parse_float=_finite, parse_constant=_constant)
        # Only escapes can smuggle these in: raw ones are not valid UTF-8 or not valid JSON.
        if "\\u" in text:
            _require_plain(value)
    except UnicodeEncodeError:
        raise NotStrict("a string holds a lone surrogate") from None
    except ValueError as error:
        if isinstance(error, NotStrict):
            raise
        raise NotStrict(getattr(error, "msg", "a number is too long")) from None
    return value


class StrictBodies:
    """Pure ASGI: reads the whole body of a JSON operation, judges it, and hands it on unchanged."""

    def __init__(self, app: ASGIApp, max_seconds: float = MAX_SECONDS) -> None:
        self.app, self.max_seconds = app, max_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request = Request(scope)
        if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
            answer = problem(request, 422, "invalid-input", "Invalid input", "The address holds the NUL character.")
            return await answer(scope, receive, send)
        if scope["method"] not in BODIED:
            return await self.app(scope, receive, send)
        try:
            body = await asyncio.wait_for(self._read(receive), self.max_seconds)
        except TimeoutError:
            return await protocol_problem(request, 408, {"connection": "close"})(scope, receive, send)
        if body is None:
            return await protocol_problem(request, 413, {"connection": "close"})(scope, receive, send)
        if scope["path"].startswith("/v1/") and body:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind not in JSON_TYPES or (kind != "application/json" and scope["method"] != "PATCH"):
                return await protocol_problem(request, 415)(scope, receive, send)
            try:
                parse(body)
            except NotStrict as error:
                answer = problem(request, 422, "invalid-json", "Invalid JSON", f"Not acceptable JSON: {error}.")
                return await answer(scope, receive, send)
        scope.setdefault("state", {})["body"] = body
        await self.app(scope, _replay(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        chunks, size = [], 0
        while True:
            message = await receive()
            chunk = message.get("body", b"")
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_BYTES:
                return None
            if not message.get("more_body"):
                return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay
