"""Return certificates: what an expert attests when the work ends."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlmodel import Field, SQLModel, col

from models.base import INSTANT, Row, choice, document, link
from models.queries import Rows, among
from models.tenancy import Sight, through
from models.types import Text as Prose
from models.types import Title


class ReturnMethod(StrEnum):
    RETURNED = "returned"
    DESTROYED = "destroyed"
    RETURNED_AND_DESTROYED = "returned_and_destroyed"


class ReturnCertificateFields(SQLModel):
    """What an expert attests when the work ends: that nothing confidential stays with them."""

    engagement_id: UUID = link("engagements")
    method: ReturnMethod = Field(sa_type=choice(ReturnMethod))
    items: list[Title] = document()
    carve_outs: Prose | None = Field(default=None, description="What must be kept by law, and for how long")


class ReturnCertificate(ReturnCertificateFields, Row, table=True):
    """Filed by the expert in their own name; never changed."""

    __tablename__ = "return_certificates"
    expert_sight: ClassVar[Sight] = through("engagements", "engagement_id")

    filed_by: UUID
    filed_at: datetime = Field(sa_type=INSTANT)


def return_certificates_filed(engagement_id: UUID) -> Select[int]:
    return select(func.count()).where(col(ReturnCertificate.engagement_id) == engagement_id)


def return_certificate(by: Any) -> Rows:
    return select(ReturnCertificate).where(col(ReturnCertificate.id) == by.id)


def return_certificates(by: Any) -> Rows:
    return among(select(ReturnCertificate), by, ReturnCertificate.engagement_id)
