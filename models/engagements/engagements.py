"""Engagements: one expert for one programme, from draft to closed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ColumnElement,
    Index,
    Select,
    Text,
    Uuid,
    cast,
    func,
    select,
)
from sqlmodel import Field, SQLModel, col

from models.base import Row, amount, choice, currency, link
from models.errors import Conflict, Invalid, Unmet
from models.lifecycle import Lifecycle
from models.programmes import charter_means
from models.queries import Rows, among, between, mentioning
from models.tenancy import OWN, Sight
from models.types import Day, Title


class EngagementMode(StrEnum):
    SOUNDING_BOARD = "sounding_board"
    ASSIGNMENT = "assignment"
    LONG_MISSION = "long_mission"


class EngagementStatus(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    ONBOARDING = "onboarding"
    ACTIVE = "active"
    PAUSED = "paused"
    HANDOVER = "handover"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"


class Side(StrEnum):
    CLIENT = "client"
    EXPERT = "expert"


@dataclass(frozen=True)
class EngagementFacts:
    """Who acts and as what in this programme, and how far every other area is with the engagement.

    `programme`, `expert`, `dossier` and `handover` are statuses, None where there is no such object.
    """

    account_id: UUID
    expert_id: UUID | None
    today: date
    is_lead: bool
    is_sponsor: bool
    is_champion: bool
    programme: str | None
    expert: str | None
    scoped_assignments: int
    documents: list[str]
    open_tasks: list[str]
    dossier: str | None
    planned_transfer: int
    handover: str | None
    uncovered_topics: list[str]
    open_deliverables: list[str]
    within_budget: bool
    open_grants: int
    return_certificates: int
    evaluated_by: list[str]


def _expert_approved(engagement: "Engagement", facts: EngagementFacts) -> Iterator[Unmet]:
    if facts.expert != "approved":
        yield Unmet("expert-approved", "approved", facts.expert, [f"/experts/{engagement.expert_id}"])


def _programme_active(engagement: "Engagement", facts: EngagementFacts) -> Iterator[Unmet]:
    if facts.programme != "active":
        yield Unmet("programme-active", "active", facts.programme, [f"/programmes/{engagement.programme_id}"])


def _ready_to_submit(engagement: "Engagement", facts: EngagementFacts) -> Iterator[Unmet]:
    yield from _expert_approved(engagement, facts)
    if facts.scoped_assignments == 0:
        refs = [f"/assignments?engagement_id={engagement.id}"]
        yield Unmet("scoped-assignment", "one with scope, acceptance criteria and dates", 0, refs)


def _judge(engagement: "Engagement", facts: EngagementFacts) -> Iterator[Unmet]:
    if facts.account_id in (engagement.drafted_by, *engagement.edited_by, engagement.submitted_by):
        yield Unmet("four-eyes", "someone who neither drafted, edited nor submitted it", "who did")
    if not (facts.is_sponsor or facts.is_champion):
        refs = [f"/programmes/{engagement.programme_id}"]
        yield Unmet("sponsor-or-champion", "a sponsor or the champion of the programme", "someone else", refs)


def _ready_to_approve(engagement: "Engagement", facts: EngagementFacts) -> Iterator[Unmet]:
    yield from _judge(engagement, facts)
    yield from _programme_active(engagement, facts)
    yield from _expert_approved(engagement, facts)
    if not facts.within_budget:
        refs = [f"/charters?programme_id={engagement.programme_id}&status=agreed"]
        yield Unmet("within-budget", "what the charter's means leave, in their currency", "more", refs)


def _ready_to_activate(engagement: "Engagement", facts: EngagementFacts) -> Iterator[Unmet]:
    yield from _expert_approved(engagement, facts)
    if not set(engagement.required_documents) <= set(facts.documents):
        refs = [f"/contracts?engagement_id={engagement.id}"]
        yield Unmet("documents-in-force", engagement.required_documents, facts.documents, refs)
    if facts.open_tasks:
        refs = [f"/onboarding-tasks?engagement_id={engagement.id}"]
        yield Unmet("mandatory-tasks-settled", [], facts.open_tasks, refs)
    if facts.dossier != "accepted":
        yield Unmet("dossier-accepted", "accepted", facts.dossier, [f"/dossiers?engagement_id={engagement.id}"])
    if facts.today < engagement.starts_on:
        yield Unmet("start-reached", engagement.starts_on.isoformat(), facts.today.isoformat(), [engagement.ref])


def _by_lead(engagement: "Engagement", facts: EngagementFacts) -> Iterator[Unmet]:
    if not facts.is_lead:
        refs = [f"/programmes/{engagement.programme_id}"]
        yield Unmet("by-the-lead", "the lead of the programme", "someone else", refs)


def _by_lead_or_champion(engagement: "Engagement", facts: EngagementFacts) -> Iterator[Unmet]:
    if not (facts.is_lead or facts.is_champion):
        refs = [f"/programmes/{engagement.programme_id}"]
        yield Unmet("lead-or-champion", "the lead or the champion of the programme", "someone else", refs)


def _ready_for_handover(engagement: "Engagement", facts: EngagementFacts) -> Iterator[Unmet]:
    # Row-level security shows an expert no engagement but their own.
    if facts.expert_id is None:
        yield from _by_lead(engagement, facts)
    if facts.planned_transfer == 0:
        yield Unmet("milestones-planned", "at least one", 0, [f"/milestones?engagement_id={engagement.id}"])


def _ready_to_close(engagement: "Engagement", facts: EngagementFacts) -> Iterator[Unmet]:
    if facts.account_id in (engagement.closed_by_lead, engagement.closed_by_sponsor):
        yield Unmet("four-eyes", "someone who has not closed it yet", "who closed it for the other side")
    if engagement.vacant_side(facts) is None:
        needed = "the programme's lead or one of its sponsors, whichever has not closed it yet"
        yield Unmet("lead-and-sponsor", needed, "someone else", [f"/programmes/{engagement.programme_id}"])
    of = f"?engagement_id={engagement.id}"
    if facts.handover != "accepted":
        yield Unmet("handover-accepted", "accepted", facts.handover, [f"/handover-certificates{of}"])
    if facts.uncovered_topics:
        refs = [f"/topics?programme_id={engagement.programme_id}"]
        yield Unmet("critical-topics-covered", [], facts.uncovered_topics, refs)
    if facts.open_deliverables:
        yield Unmet("deliverables-settled", [], facts.open_deliverables, [f"/deliverables{of}"])
    if facts.open_grants:
        yield Unmet("access-ended", 0, facts.open_grants, [f"/access-grants{of}"])
    if facts.return_certificates == 0:
        yield Unmet("return-certificate-filed", "at least one", 0, [f"/return-certificates{of}"])
    if not set(Side) <= set(facts.evaluated_by):
        yield Unmet("evaluated-by-both", sorted(Side), facts.evaluated_by, [f"/evaluations{of}"])


S = EngagementStatus
# Work is under way in these: access may be used, time logged, knowledge handed over.
RUNNING = frozenset({S.ACTIVE, S.PAUSED, S.HANDOVER})
ENDED = frozenset({S.CLOSED, S.CANCELLED, S.TERMINATED})
# Nobody approved these, or nobody works on them: their value takes nothing from the programme's means.
UNCOMMITTED = frozenset({S.DRAFT, S.SUBMITTED, S.CANCELLED})
ENGAGEMENT = Lifecycle(
    EngagementStatus,
    {
        "submit": ({S.DRAFT}, S.SUBMITTED, _ready_to_submit),
        "approve": ({S.SUBMITTED}, S.APPROVED, _ready_to_approve),
        "reject": ({S.SUBMITTED}, S.DRAFT, _judge),
        "start-onboarding": ({S.APPROVED}, S.ONBOARDING),
        "activate": ({S.ONBOARDING}, S.ACTIVE, _ready_to_activate),
        "pause": ({S.ACTIVE}, S.PAUSED, _by_lead),
        "resume": ({S.PAUSED}, S.ACTIVE, _by_lead),
        "begin-handover": ({S.ACTIVE}, S.HANDOVER, _ready_for_handover),
        "close": ({S.HANDOVER}, S.CLOSED, _ready_to_close),
        "cancel": ({S.DRAFT, S.SUBMITTED, S.APPROVED, S.ONBOARDING}, S.CANCELLED),
        "terminate": (set(RUNNING), S.TERMINATED, _by_lead_or_champion),
    },
)


class EngagementFields(SQLModel):
    """What procurement or a lead drafts."""

    programme_id: UUID = link("programmes")
    expert_id: UUID = link("experts")
    title: Title
    mode: EngagementMode = Field(sa_type=choice(EngagementMode))
    starts_on: Day = Field(description="The first day of work")
    ends_on: Day = Field(description="The last day of work")


class Engagement(EngagementFields, Row, table=True):
    """One expert at work for one programme; its id is stable across contract versions.

    The lead and a sponsor close it together: it stays in handover until both have said so.
    """

    __tablename__ = "engagements"
    __table_args__ = (
        CheckConstraint("starts_on <= ends_on", name="starts_before_it_ends"),
        CheckConstraint("closed_by_lead <> closed_by_sponsor", name="two_people_close"),
        CheckConstraint(
            "status <> 'closed' or (closed_by_lead is not null and closed_by_sponsor is not null)",
            name="closed_by_both",
        ),
        Index("ix_engagements_starts_on", "tenant_id", "starts_on", "id"),
    )
    expert_sight: ClassVar[Sight] = OWN

    value_amount: Decimal = amount()
    value_currency: str = currency()
    status: EngagementStatus = Field(default=EngagementStatus.DRAFT, sa_type=choice(EngagementStatus))
    required_documents: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    drafted_by: UUID
    edited_by: list[UUID] = Field(default_factory=list, sa_type=ARRAY(Uuid))
    submitted_by: UUID | None = None
    decided_by: UUID | None = None
    closed_by_lead: UUID | None = None
    closed_by_sponsor: UUID | None = None
    reason: str | None = None

    @property
    def days(self) -> int:
        """Its length in days, both ends included."""
        return (self.ends_on - self.starts_on).days + 1

    def edit(self, by: UUID) -> None:
        """Open a draft to a change, and remember whose: who wrote in it may not approve it. Raises Conflict."""
        if self.status is not S.DRAFT:
            raise Conflict("not-a-draft", f"This engagement is {self.status}: only a draft can be changed.")
        if by not in (self.drafted_by, *self.edited_by):
            self.edited_by = [*self.edited_by, by]

    def require_ordered_days(self) -> None:
        if self.ends_on < self.starts_on:
            raise Invalid("ends-before-it-starts", f"ends_on must be {self.starts_on} (starts_on) or later.")

    def require_status(self, *wanted: EngagementStatus) -> None:
        """Raise Conflict for work that belongs to another stage of the engagement."""
        if self.status not in wanted:
            detail = f"The engagement is {self.status}; this is done while it is {' or '.join(wanted)}."
            raise Conflict("wrong-stage", detail, unmet=[Unmet("stage", list(wanted), str(self.status), [self.ref])])

    def require_not(self, *states: EngagementStatus) -> None:
        """Raise Conflict for work on an engagement that has come to its end."""
        if self.status in states:
            detail = f"The engagement is {self.status}: nothing is added to it any more."
            raise Conflict(
                "engagement-over", detail, unmet=[Unmet("engagement-open", "open", str(self.status), [self.ref])]
            )

    def vacant_side(self, facts: EngagementFacts) -> str | None:
        """For which side the caller may still close it: lead, sponsor or neither."""
        if facts.is_lead and self.closed_by_lead is None:
            return "lead"
        return "sponsor" if facts.is_sponsor and self.closed_by_sponsor is None else None

    def submit(self, facts: EngagementFacts) -> None:
        ENGAGEMENT.move("submit", self, facts)
        self.submitted_by, self.reason = facts.account_id, None

    def approve(self, facts: EngagementFacts) -> None:
        ENGAGEMENT.move("approve", self, facts)
        self.decided_by = facts.account_id

    def reject(self, facts: EngagementFacts, reason: str) -> None:
        """Give it back to its drafter, who may mend and submit it again."""
        ENGAGEMENT.move("reject", self, facts)
        self.decided_by, self.reason = facts.account_id, reason

    def start_onboarding(self, facts: EngagementFacts, documents: list[str]) -> None:
        ENGAGEMENT.move("start-onboarding", self, facts)
        self.required_documents = documents

    def close(self, facts: EngagementFacts) -> None:
        """Close it for one side; the second side completes it. Raises Conflict with every unmet rule."""
        ENGAGEMENT.require("close", self, facts)
        if self.vacant_side(facts) == "lead":
            self.closed_by_lead = facts.account_id
        else:
            self.closed_by_sponsor = facts.account_id
        if self.closed_by_lead and self.closed_by_sponsor:
            self.status = S.CLOSED

    def cancel(self, facts: EngagementFacts, reason: str) -> None:
        ENGAGEMENT.move("cancel", self, facts)
        self.reason = reason

    def terminate(self, facts: EngagementFacts, reason: str) -> None:
        """End it before its time. Its access grants end with it: the caller revokes them in the same transaction."""
        ENGAGEMENT.move("terminate", self, facts)
        self.reason = reason


def engagement_status(engagement_id: Any) -> Select[str]:
    return select(cast(col(Engagement.status), Text)).where(col(Engagement.id) == engagement_id)


def programme_of(engagement_id: UUID) -> ColumnElement[UUID]:
    """The programme of an engagement, to hand to queries that ask for a programme."""
    return select(col(Engagement.programme_id)).where(col(Engagement.id) == engagement_id).scalar_subquery()


def within_budget(engagement: Engagement) -> Select[bool]:
    """Whether the means of the agreed charter cover this engagement besides all others that were approved."""
    means = charter_means(engagement.programme_id, engagement.value_currency).scalar_subquery()
    committed = select(func.coalesce(func.sum(col(Engagement.value_amount)), 0)).where(
        col(Engagement.programme_id) == engagement.programme_id,
        col(Engagement.id) != engagement.id,
        col(Engagement.status).not_in(UNCOMMITTED),
        col(Engagement.value_currency) == engagement.value_currency,
    )
    return select(func.coalesce(means >= committed.scalar_subquery() + engagement.value_amount, False))


def engagement(by: Any) -> Rows:
    return select(Engagement).where(col(Engagement.id) == by.id)


def engagements(by: Any) -> Rows:
    query = among(
        select(Engagement), by, Engagement.programme_id, Engagement.expert_id, Engagement.status, Engagement.mode
    )
    query = between(between(query, by, Engagement.starts_on), by, Engagement.ends_on)
    return mentioning(query, by, Engagement.title)
