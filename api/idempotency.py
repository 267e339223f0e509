"""Idempotency-Key: a repeated POST has its effect once, and is answered as the first time.

The answer is kept in the transaction of the change, so neither can exist without the other. Refusals are not kept: a
repeated call is judged anew. The key belongs to the caller's account.
"""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from fastapi import Request
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import Caller
from models.base import now
from models.errors import Conflict, Invalid
from models.idempotency import IdempotentCall
from models.tenancy import Actor

TRY_LOCK = text("select pg_try_advisory_xact_lock(hashtextextended(:name, 0))")


class Replay(Exception):
    """The call was answered before: this is that answer."""

    def __init__(self, call: IdempotentCall) -> None:
        super().__init__(call.key)
        headers = {**call.headers, "idempotency-replayed": "true"}
        self.answer = Response(call.body, call.status, headers, media_type="application/json")


@dataclass(frozen=True)
class Once:
    """One call under one key; without a key both methods do nothing."""

    tenant_id: UUID
    account_id: UUID
    method: str
    path: str
    body_hash: bytes
    key: str | None

    @classmethod
    def of(cls, request: Request, who: Actor | Caller) -> "Once":
        """The call as it was asked. Raises Invalid for a key that is none."""
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        if key is not None and not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
            raise Invalid("invalid-idempotency-key", "An Idempotency-Key has 1 to 255 printable ASCII characters.")
        body = request.scope.get("state", {}).get("body", b"")
        digest = hashlib.sha256(body).digest()
        return cls(who.tenant_id, who.account_id, request.method, request.url.path, digest, key)

    @classmethod
    async def begin(cls, request: Request, session: AsyncSession, actor: Actor) -> "Once":
        """Raise Replay for a call answered before, Conflict while it is in flight, Invalid for another call's key."""
        once = cls.of(request, actor)
        if once.key is not None:
            await once._claim(session)
        return once

    @property
    def lock(self) -> str:
        """The name that a running call holds."""
        return f"{self.tenant_id}:{self.account_id}:{self.key}"

    async def _claim(self, session: AsyncSession) -> None:
        if not await session.scalar(TRY_LOCK, {"name": self.lock}):
            raise Conflict(
                "idempotency-in-flight", "A call with this Idempotency-Key is still running: try again soon."
            )
        call = await session.get(IdempotentCall, (self.tenant_id, self.account_id, self.key))
        if call is not None:
            self.require_same(call)
            raise Replay(call)

    def require_same(self, call: IdempotentCall) -> None:
        call.require_same(self.method, self.path, self.body_hash)

    async def remember(self, session: AsyncSession, answer: Response | None) -> None:
        if self.key is not None and answer is not None:
            session.add(self.call(self.key, answer))

    def call(self, key: str, answer: Response) -> IdempotentCall:
        """What is kept of the answer."""
        return IdempotentCall(
            tenant_id=self.tenant_id,
            account_id=self.account_id,
            key=key,
            method=self.method,
            path=self.path,
            body_hash=self.body_hash,
            status=answer.status_code,
            headers={name: answer.headers[name] for name in ("etag", "location") if name in answer.headers},
            body=bytes(answer.body).decode(),
            at=now(),
        )
