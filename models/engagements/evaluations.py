"""What each side says of an engagement when it ends: once, and never changed."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Select, Text, UniqueConstraint, cast, select
from sqlmodel import Field, SQLModel, col

from models.base import Row, choice, link
from models.engagements.engagements import Engagement, EngagementStatus, Side
from models.errors import Conflict, Unmet
from models.queries import Rows, among, gathered
from models.tenancy import OWN, Sight
from models.types import Text as Prose

S = EngagementStatus


class Judgement(StrEnum):
    MET = "met"
    PARTIALLY_MET = "partially_met"
    NOT_MET = "not_met"


class EvaluationFields(SQLModel):
    """What one side says of the engagement; never changed afterwards."""

    engagement_id: UUID = link("engagements")
    objectives: Judgement = Field(sa_type=choice(Judgement), description="Whether the objectives were met")
    knowledge_transferred: bool = Field(description="Whether the client's own people can do the work alone")
    would_engage_again: bool
    comment: Prose = Field(description="What the judgement rests on, with figures")


class Evaluation(EvaluationFields, Row, table=True):
    """One per side. The expert sees their own side's only: what sponsors note is not for them."""

    __tablename__ = "evaluations"
    __table_args__ = (
        UniqueConstraint("tenant_id", "engagement_id", "side", name="uq_evaluations_side"),
        CheckConstraint("(expert_id is not null) = (side = 'expert')", name="expert_speaks_for_experts"),
    )
    expert_sight: ClassVar[Sight] = OWN

    side: Side = Field(sa_type=choice(Side))
    expert_id: UUID | None = link("experts", optional=True)
    evaluated_by: UUID


@dataclass(frozen=True)
class EvaluationFacts:
    """Who speaks, and as what in the engagement's programme."""

    account_id: UUID
    expert_id: UUID | None
    is_lead: bool
    is_sponsor: bool


def evaluate(given: EvaluationFields, engagement: Engagement, facts: EvaluationFacts) -> Evaluation:
    """One side's word. Raises Conflict before the handover, and for who speaks for neither side."""
    engagement.require_status(S.HANDOVER, S.CLOSED, S.TERMINATED)
    if facts.expert_id is None and not (facts.is_lead or facts.is_sponsor):
        refs = [f"/programmes/{engagement.programme_id}"]
        unmet = [Unmet("lead-or-sponsor", "the lead or a sponsor of the programme", "someone else", refs)]
        raise Conflict("speaks-for-neither", "The client is heard through the lead or a sponsor.", unmet=unmet)
    return Evaluation(
        **{name: getattr(given, name) for name in EvaluationFields.model_fields},
        side=Side.CLIENT if facts.expert_id is None else Side.EXPERT,
        expert_id=facts.expert_id,
        evaluated_by=facts.account_id,
    )


def evaluation(by: Any) -> Rows:
    return select(Evaluation).where(col(Evaluation.id) == by.id)


def evaluations(by: Any) -> Rows:
    return among(select(Evaluation), by, Evaluation.engagement_id, Evaluation.side)


def evaluated_by(engagement_id: UUID) -> Select[list[str]]:
    """The sides that have evaluated the engagement."""
    side = cast(col(Evaluation.side), Text)
    return select(gathered(side, Text(), side)).where(col(Evaluation.engagement_id) == engagement_id)
