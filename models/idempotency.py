"""Answers kept under the caller's Idempotency-Key, so that a repeated call has its effect once."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import LargeBinary
from sqlmodel import Field, SQLModel

from models.base import INSTANT, document
from models.errors import Invalid
from models.tenancy import Sight, Walled


class IdempotentCall(Walled, SQLModel, table=True):
    """What was asked and answered; written in the transaction of the change itself."""

    __tablename__ = "idempotent_calls"
    expert_sight: ClassVar[Sight] = Sight("{table}.account_id = (select app.account_id())")

    tenant_id: UUID = Field(primary_key=True)
    account_id: UUID = Field(primary_key=True)
    key: str = Field(primary_key=True)
    method: str
    path: str
    body_hash: bytes = Field(sa_type=LargeBinary)
    status: int
    headers: dict[str, Any] = document(dict)
    body: str
    at: datetime = Field(sa_type=INSTANT, index=True)

    def require_same(self, method: str, path: str, body_hash: bytes) -> None:
        if (self.method, self.path, self.body_hash) != (method, path, body_hash):
            raise Invalid("idempotency-key-reused", "This Idempotency-Key was used for another call: choose a new key.")
