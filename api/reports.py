"""/v1/reports: what dashboards read, as JSON or, for a list, as CSV; each answer says as of which day."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import Field
from sqlmodel import SQLModel
from starlette.responses import Response

from api.read import Reads
from api.routing import Area
from api.schema import Filter, Page
from models.contracts import ContractKind
from models.engagements import EngagementStatus
from models.reports import coverage, expiring_contracts, handover_progress, portfolio
from models.types import Day

router = Area(prefix="/reports", tags=["reports"])


class PortfolioOut(SQLModel):
    as_of: Day = Field(description="The day for which the figures hold")
    programmes: dict[str, int] = Field(description="Programmes by status, zeros included")
    engagements: dict[str, int] = Field(description="Engagements by status, zeros included")
    milestones: dict[str, int] = Field(description="Milestones by status, zeros included")
    running_engagements: int = Field(description="Active, paused or in handover")
    open_milestones: int = Field(description="Neither accepted nor waived")
    programmes_at_risk: int = Field(
        description="Active, but too few sponsors count today; within the policy's grace_days"
    )
    programmes_suspended: int = Field(
        description="Active, but without its quorum for the policy's grace_days or longer"
    )
    ndas_in_force: int = Field(description="NDAs signed by both sides whose days include today")
    ndas_expiring: int = Field(description="Of ndas_in_force, those whose last day is at most 30 days away")


class HandoverProgressOut(SQLModel):
    id: UUID = Field(description="The engagement")
    as_of: Day = Field(description="The day for which the figures hold")
    programme_id: UUID
    expert_id: UUID
    title: str
    status: EngagementStatus
    ends_on: Day
    milestones: int = Field(description="Milestones that are not waived")
    accepted: int = Field(description="Milestones that the lead accepted")
    overdue: int = Field(description="Open after their due date")
    planned_percent: int = Field(description="The weight that was due by then, of all weights; rounded down")
    actual_percent: int = Field(description="The weighted progress logged; rounded down, so 100 means done")


class HandoverProgressFilter(Filter):
    programme_id: list[UUID] | None = None
    expert_id: list[UUID] | None = None
    status: list[EngagementStatus] | None = None
    sort: Literal["created_at", "-created_at", "ends_on", "-ends_on"] = "-created_at"


class CoverageOut(SQLModel):
    id: UUID = Field(description="The topic")
    as_of: Day = Field(description="The day for which the figures hold")
    programme_id: UUID
    title: str
    critical: bool
    required_level: int
    min_coverage: int
    coverage: int = Field(description="Internal people who could do it on that day; experts count 0")
    coverage_flag: Literal["none", "single", "covered"] = Field(description="none: 0, single: 1, covered: 2 or more")
    teacher_count: int = Field(description="Of the people with a valid newest assessment that day, those at level 4")
    sufficient: bool = Field(description="Whether coverage reaches min_coverage")


class CoverageFilter(Filter):
    programme_id: list[UUID] | None = None
    critical: bool | None = None
    as_of: Annotated[Day | None, Query(description="The day to look at, past or coming; today when absent")] = None
    sort: Literal["created_at", "-created_at", "title", "-title"] = "-created_at"


class ExpiringContractOut(SQLModel):
    id: UUID = Field(description="The contract")
    as_of: Day = Field(description="The day for which the figures hold")
    kind: ContractKind
    title: str
    engagement_id: UUID | None
    expert_id: UUID
    effective_on: Day
    expires_on: Day = Field(description="Its last day in force")
    notice_deadline: Day = Field(description="expires_on less notice_days: the last day to decide what follows")
    days_left: int = Field(description="Days from as_of to expires_on; 0 on the last day")


class ExpiringContractFilter(Filter):
    within: Annotated[int, Query(ge=0, le=3650, description="Days from today")] = 90
    kind: list[ContractKind] | None = None
    expert_id: list[UUID] | None = None
    sort: Literal["expires_on", "-expires_on", "created_at", "-created_at"] = "expires_on"


@router.get("/portfolio", response_model=PortfolioOut)
async def get_portfolio_report(read: Reads) -> Response:
    """Read how many programmes, engagements and milestones stand where; cheap enough to poll."""
    return await read.one(portfolio, PortfolioOut)


@router.get("/handover-progress", response_model=Page[HandoverProgressOut])
async def list_handover_progress_report(read: Reads, by: Annotated[HandoverProgressFilter, Query()]) -> Response:
    """List engagements with their handover as planned and as logged."""
    return await read.page(handover_progress, HandoverProgressOut, by)


@router.get("/coverage", response_model=Page[CoverageOut])
async def list_coverage_report(read: Reads, by: Annotated[CoverageFilter, Query()]) -> Response:
    """List topics with the people who can do them without the expert, on any day."""
    return await read.page(coverage, CoverageOut, by)


@router.get("/expiring-contracts", response_model=Page[ExpiringContractOut])
async def list_expiring_contracts_report(read: Reads, by: Annotated[ExpiringContractFilter, Query()]) -> Response:
    """List signed contracts and NDAs that end soon."""
    return await read.page(expiring_contracts, ExpiringContractOut, by)
