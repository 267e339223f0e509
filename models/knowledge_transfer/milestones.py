"""Milestones of an engagement: what is handed over to whom by when, and the expert's log of progress on it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Index,
    Numeric,
    Select,
    UniqueConstraint,
    Uuid,
    func,
    select,
)
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import JSON, aggregate_order_by
from sqlmodel import Field, SQLModel, col

from models.base import INSTANT, Row, choice, link
from models.engagements import RUNNING
from models.errors import Conflict, Invalid, Unmet
from models.lifecycle import Lifecycle
from models.queries import Rows, among, between, gathered, mentioning
from models.tenancy import Sight, sql_today, through
from models.types import Amount, Day, Percent, Title
from models.types import Text as Prose


class MilestoneStatus(StrEnum):
    PLANNED = "planned"
    IN_PROGRESS = "in_progress"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    RETURNED = "returned"
    WAIVED = "waived"


@dataclass(frozen=True)
class MilestoneFacts:
    """Who acts and as what in the programme, whether the engagement runs, and what the receivers have said."""

    account_id: UUID
    person_id: UUID | None
    expert_id: UUID | None
    engagement_status: str
    topics: int
    receivers: list[UUID]
    unconfirmed: list[UUID]
    is_lead: bool = False
    is_champion: bool = False


def _running(milestone: "Milestone", facts: MilestoneFacts) -> Iterator[Unmet]:
    if facts.engagement_status not in RUNNING:
        refs = [f"/engagements/{milestone.engagement_id}"]
        yield Unmet("running-engagement", sorted(RUNNING), facts.engagement_status, refs)


def _by_expert(milestone: "Milestone", facts: MilestoneFacts) -> Iterator[Unmet]:
    yield from _running(milestone, facts)
    if facts.expert_id is None:
        yield Unmet("by-the-expert", "the expert of the engagement", "someone else")


def _ready_to_submit(milestone: "Milestone", facts: MilestoneFacts) -> Iterator[Unmet]:
    yield from _by_expert(milestone, facts)
    if milestone.percent < 100:
        yield Unmet("progress", 100, milestone.percent, [f"/progress-entries?milestone_id={milestone.id}"])
    if facts.topics == 0:
        yield Unmet("topics", "at least one", 0, [milestone.ref])
    if not facts.receivers:
        yield Unmet("receivers", "at least one", 0, [milestone.ref])


def _by_receiver(milestone: "Milestone", facts: MilestoneFacts) -> Iterator[Unmet]:
    if facts.person_id not in facts.receivers:
        yield Unmet("by-a-receiver", "one of the milestone's receivers", "someone else", [milestone.ref])


def _four_eyes(milestone: "Milestone", facts: MilestoneFacts) -> Iterator[Unmet]:
    if facts.account_id == milestone.submitted_by:
        yield Unmet("four-eyes", "someone other than who submitted it", "who submitted it")


def _by_lead(milestone: "Milestone", facts: MilestoneFacts) -> Iterator[Unmet]:
    if not facts.is_lead:
        yield Unmet("by-the-lead", "the lead of the programme", "someone else", [milestone.ref])
    yield from _four_eyes(milestone, facts)


def _by_champion(milestone: "Milestone", facts: MilestoneFacts) -> Iterator[Unmet]:
    if not facts.is_champion:
        yield Unmet("by-the-champion", "the champion of the programme", "someone else", [milestone.ref])
    yield from _four_eyes(milestone, facts)


def _confirmed(milestone: "Milestone", facts: MilestoneFacts) -> Iterator[Unmet]:
    yield from _by_lead(milestone, facts)
    if facts.person_id in facts.receivers:
        yield Unmet("four-eyes", "someone to whom it does not hand over", "one of its receivers", [milestone.ref])
    if facts.unconfirmed:
        refs = [f"/people/{person_id}" for person_id in facts.unconfirmed]
        yield Unmet("confirmed-by-receivers", len(facts.receivers), len(facts.receivers) - len(facts.unconfirmed), refs)


S = MilestoneStatus
OPEN = {S.PLANNED, S.IN_PROGRESS, S.SUBMITTED, S.RETURNED}
MILESTONE = Lifecycle(
    MilestoneStatus,
    {
        "progress": ({S.PLANNED, S.IN_PROGRESS, S.RETURNED}, S.IN_PROGRESS, _by_expert),
        "confirm": ({S.SUBMITTED}, None, _by_receiver),
        "submit": ({S.IN_PROGRESS}, S.SUBMITTED, _ready_to_submit),
        "accept": ({S.SUBMITTED}, S.ACCEPTED, _confirmed),
        "return": ({S.SUBMITTED}, S.RETURNED, _by_lead),
        "waive": (OPEN, S.WAIVED, _by_champion),
    },
)


class MilestoneFields(SQLModel):
    engagement_id: UUID = link("engagements")
    title: Title
    due_on: Day = Field(description="The last day on which it is not overdue")
    weight: int = Field(default=1, ge=1, le=100, description="Its share of the handover, against the other weights")
    acceptance_criteria: Prose = Field(description="What must be seen before the lead accepts it")
    required: bool = Field(default=True, description="Whether the handover waits for it")


class Milestone(MilestoneFields, Row, table=True):
    """One step of the handover. `percent` is what the newest progress entry says."""

    __tablename__ = "milestones"
    __table_args__ = (
        CheckConstraint("percent between 0 and 100", name="percent_is_a_share"),
        Index("ix_milestones_due_on", "tenant_id", "due_on", "id"),
    )
    expert_sight: ClassVar[Sight] = through("engagements", "engagement_id")

    status: MilestoneStatus = Field(default=MilestoneStatus.PLANNED, sa_type=choice(MilestoneStatus))
    percent: Percent = 0
    submitted_by: UUID | None = None
    decided_by: UUID | None = None
    decided_on: Day | None = None
    reason: str | None = None

    def require_planned(self) -> None:
        if self.status is not S.PLANNED:
            raise Conflict("already-begun", f"This milestone is {self.status}: only a planned one can be changed.")

    def progress(self, given: "ProgressEntryFields", facts: MilestoneFacts, today: date) -> "ProgressEntry":
        """The entry, which moves the milestone. Raises Conflict, or Invalid for a silent fall or a day to come."""
        MILESTONE.require("progress", self, facts)
        on = given.on or today
        if on > today:
            raise Invalid("progress-in-the-future", f"Progress is logged for {today} or an earlier day.")
        if given.percent < self.percent and not given.note:
            detail = f"Progress falls from {self.percent} to {given.percent} percent: say why in note."
            raise Invalid("fall-without-note", detail)
        MILESTONE.move("progress", self, facts)
        self.percent = given.percent
        values = {name: getattr(given, name) for name in ProgressEntryFields.model_fields if name != "on"}
        return ProgressEntry(
            **values, on=on, milestone_id=self.id, engagement_id=self.engagement_id, logged_by=facts.account_id
        )

    def submit(self, facts: MilestoneFacts) -> None:
        MILESTONE.move("submit", self, facts)
        self.submitted_by, self.reason = facts.account_id, None

    def accept(self, facts: MilestoneFacts, today: date) -> None:
        MILESTONE.move("accept", self, facts)
        self._decide(facts, today, None)

    def give_back(self, facts: MilestoneFacts, reason: str, today: date) -> None:
        MILESTONE.move("return", self, facts)
        self._decide(facts, today, reason)

    def waive(self, facts: MilestoneFacts, reason: str, today: date) -> None:
        MILESTONE.move("waive", self, facts)
        self._decide(facts, today, reason)

    def _decide(self, facts: MilestoneFacts, today: date, reason: str | None) -> None:
        self.decided_by, self.decided_on, self.reason = facts.account_id, today, reason


class MilestoneTopic(Row, table=True):
    """A topic that a milestone hands over."""

    __tablename__ = "milestone_topics"
    __table_args__ = (UniqueConstraint("tenant_id", "milestone_id", "topic_id", name="uq_milestone_topics_topic_id"),)
    expert_sight: ClassVar[Sight] = through("milestones", "milestone_id")

    milestone_id: UUID = link("milestones")
    topic_id: UUID = link("topics")


class MilestoneReceiver(Row, table=True):
    """An internal person to whom a milestone hands over, and when they confirmed that it reached them."""

    __tablename__ = "milestone_receivers"
    __table_args__ = (
        UniqueConstraint("tenant_id", "milestone_id", "person_id", name="uq_milestone_receivers_person_id"),
    )
    expert_sight: ClassVar[Sight] = through("milestones", "milestone_id")

    milestone_id: UUID = link("milestones")
    person_id: UUID = link("people")
    confirmed_at: datetime | None = Field(default=None, sa_type=INSTANT)


class ProgressEntryFields(SQLModel):
    """What the expert says of a day's work on a milestone."""

    on: Day | None = Field(default=None, description="The day of the work; today when absent")
    percent: Percent = Field(description="How much of the milestone is done by then, all in all; may fall, with a note")
    hours: Amount | None = Field(default=None, sa_type=Numeric(14, 2), description="Hours of work since the last entry")
    note: Prose | None = Field(default=None, description="What was done, or why percent falls")
    blockers: Prose | None = Field(default=None, description="What stands in the way")
    evidence: Prose | None = Field(default=None, description="Where what was done can be seen")


class ProgressEntry(ProgressEntryFields, Row, table=True):
    """Written once and never changed: a correction is a further entry."""

    __tablename__ = "progress_entries"
    expert_sight: ClassVar[Sight] = through("engagements", "engagement_id")

    on: Day
    hours: Decimal | None = Field(default=None, sa_type=Numeric(14, 2))
    milestone_id: UUID = link("milestones")
    engagement_id: UUID = link("engagements")
    logged_by: UUID


def _receiver_ids(milestone_id: Any, *conditions: Any) -> Select[list[UUID]]:
    return select(gathered(col(MilestoneReceiver.person_id), Uuid())).where(
        col(MilestoneReceiver.milestone_id) == milestone_id, *conditions
    )


def receivers(milestone_id: Any) -> Select[list[UUID]]:
    return _receiver_ids(milestone_id)


def unconfirmed(milestone_id: Any) -> Select[list[UUID]]:
    return _receiver_ids(milestone_id, col(MilestoneReceiver.confirmed_at).is_(None))


def topics_handed_over(milestone_id: Any) -> Select[int]:
    return select(func.count()).where(col(MilestoneTopic.milestone_id) == milestone_id)


def receiver(milestone_id: UUID, person_id: UUID | None) -> Select[MilestoneReceiver]:
    return receivers_of(milestone_id).where(col(MilestoneReceiver.person_id) == person_id)


def receivers_of(milestone_id: UUID) -> Select[MilestoneReceiver]:
    return select(MilestoneReceiver).where(col(MilestoneReceiver.milestone_id) == milestone_id)


def topics_of_milestone(milestone_id: UUID) -> Select[MilestoneTopic]:
    return select(MilestoneTopic).where(col(MilestoneTopic.milestone_id) == milestone_id)


def planned_transfer(engagement_id: Any) -> Select[int]:
    """How many of the engagement's milestones hand over at least one topic."""
    handed_over = (
        select(col(MilestoneTopic.id)).where(col(MilestoneTopic.milestone_id) == Milestone.id).correlate(Milestone)
    )
    return select(func.count()).where(col(Milestone.engagement_id) == engagement_id, handed_over.exists())


def unsettled_milestones(engagement_id: Any) -> Select[list[str]]:
    """The titles of required milestones that are neither accepted nor waived."""
    return select(gathered(col(Milestone.title), SqlText(), col(Milestone.id))).where(
        col(Milestone.engagement_id) == engagement_id, col(Milestone.required), col(Milestone.status).in_(OPEN)
    )


def milestone(by: Any) -> Rows:
    return _told().where(col(Milestone.id) == by.id)


def milestones(by: Any) -> Rows:
    query = among(_told(), by, Milestone.engagement_id, Milestone.status)
    if by.overdue is not None:
        query = query.where(_overdue() == by.overdue)
    return mentioning(between(query, by, Milestone.due_on), by, Milestone.title)


def _told() -> Rows:
    return select(
        *Milestone.__table__.columns,  # type: ignore[attr-defined]
        _overdue().label("overdue"),
        _ids(MilestoneTopic.topic_id, MilestoneTopic.milestone_id).label("topic_ids"),
        _ids(MilestoneReceiver.person_id, MilestoneReceiver.milestone_id).label("receiver_ids"),
        _ids(
            MilestoneReceiver.person_id,
            MilestoneReceiver.milestone_id,
            col(MilestoneReceiver.confirmed_at).is_not(None),
        ).label("confirmed_by"),
    )


def _overdue() -> ColumnElement[bool]:
    return (col(Milestone.due_on) < sql_today()) & col(Milestone.status).in_(OPEN)


def _ids(column: Any, milestone_id: Any, *conditions: Any) -> ColumnElement[Any]:
    ids = func.json_agg(aggregate_order_by(col(column), col(column)), type_=JSON)
    query = select(func.coalesce(ids, func.json_build_array(type_=JSON))).where(
        col(milestone_id) == Milestone.id, *conditions
    )
    return query.correlate(Milestone).scalar_subquery()


def progress_entry(by: Any) -> Rows:
    return select(ProgressEntry).where(col(ProgressEntry.id) == by.id)


def progress_entries(by: Any) -> Rows:
    query = among(select(ProgressEntry), by, ProgressEntry.milestone_id, ProgressEntry.engagement_id)
    return between(query, by, ProgressEntry.on)
