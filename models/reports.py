"""Reports: what dashboards read. The portfolio reads summary rows that triggers keep, and never scans."""

from typing import ClassVar
from uuid import UUID

from sqlmodel import Field, SQLModel

from models.tenancy import NOTHING, Sight, Walled


class PortfolioCount(Walled, SQLModel, table=True):
    """How many objects of a collection stand at a status. Kept by migrations/summaries.sql alone."""

    __tablename__ = "portfolio_counts"
    expert_sight: ClassVar[Sight] = NOTHING

    tenant_id: UUID = Field(primary_key=True)
    collection: str = Field(primary_key=True)
    status: str = Field(primary_key=True)
    n: int = 0
