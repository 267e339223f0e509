"""What knowledge transfer asks of engagements and programmes: who leads, who sponsors, whether the work runs."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, cast, func, select
from sqlmodel import col

from models.engagements import Engagement
from models.knowledge_transfer.milestones import RUNNING
from models.knowledge_transfer.topics import Topic, bus_factor, uncovered_topics
from models.programmes import Programme, SponsorCommitment
from models.queries import Rows
from models.tenancy import sql_today

# Who leaves still counts until then: the end of a commitment is a status of its own.
COUNTING = ("committed", "leaving")


def engagement_status(engagement_id: UUID) -> Select[str]:
    return select(cast(col(Engagement.status), Text)).where(col(Engagement.id) == engagement_id)


def running_engagements(topic_id: UUID, expert_id: UUID | None) -> Select[int]:
    """How many running engagements the expert has in the topic's programme."""
    return (
        select(func.count())
        .select_from(Engagement)
        .join(Topic, col(Topic.programme_id) == Engagement.programme_id)
        .where(
            col(Topic.id) == topic_id,
            col(Engagement.expert_id) == expert_id,
            cast(col(Engagement.status), Text).in_(RUNNING),
        )
    )


def leads(engagement_id: UUID, person_id: UUID | None) -> Select[bool]:
    """Whether the person leads the engagement's programme."""
    programme = select(col(Programme.id)).where(
        col(Programme.id) == _programme_of(engagement_id), col(Programme.lead_id) == person_id
    )
    return select(programme.exists())


def sponsors(engagement_id: UUID, person_id: UUID | None) -> Select[bool]:
    """Whether the person is a committed sponsor of the engagement's programme."""
    commitment = select(col(SponsorCommitment.id)).where(
        col(SponsorCommitment.programme_id) == _programme_of(engagement_id),
        col(SponsorCommitment.person_id) == person_id,
        cast(col(SponsorCommitment.status), Text).in_(COUNTING),
    )
    return select(commitment.exists())


def uncovered_by(engagement_id: UUID, today: Any) -> Select[list[str]]:
    """The critical topics of the engagement's programme that are below coverage."""
    return uncovered_topics(_programme_of(engagement_id), today)


def _programme_of(engagement_id: UUID) -> ColumnElement[UUID]:
    return select(col(Engagement.programme_id)).where(col(Engagement.id) == engagement_id).scalar_subquery()


def programme_coverage(by: Any) -> Rows:
    """One programme's standing today."""
    today = sql_today()
    return select(
        col(Programme.id).label("programme_id"),
        today.label("as_of"),
        bus_factor(Programme.id, today).correlate(Programme).scalar_subquery().label("bus_factor"),
        uncovered_topics(Programme.id, today).correlate(Programme).scalar_subquery().label("uncovered_topics"),
    ).where(col(Programme.id) == by.id)
