"""Where programmes stand without their experts, and which experts may judge in them."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlmodel import col

from models.engagements import RUNNING, Engagement
from models.knowledge_transfer.topics import Topic, bus_factor, uncovered_topics
from models.programmes import Programme
from models.queries import Rows
from models.tenancy import sql_today


def running_engagements(topic_id: UUID, expert_id: UUID | None) -> Select[int]:
    """How many running engagements the expert has in the topic's programme."""
    return (
        select(func.count())
        .select_from(Engagement)
        .join(Topic, col(Topic.programme_id) == Engagement.programme_id)
        .where(col(Topic.id) == topic_id, col(Engagement.expert_id) == expert_id, col(Engagement.status).in_(RUNNING))
    )


def programme_coverage(by: Any) -> Rows:
    """One programme's standing today."""
    today = sql_today()
    return select(
        col(Programme.id).label("programme_id"),
        today.label("as_of"),
        bus_factor(Programme.id, today).correlate(Programme).scalar_subquery().label("bus_factor"),
        uncovered_topics(Programme.id, today).correlate(Programme).scalar_subquery().label("uncovered_topics"),
    ).where(col(Programme.id) == by.id)
