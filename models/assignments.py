"""Assignments: the agreed scope of an engagement, and the deliverables that show it is done."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Index, Select, Text, Uuid, func, select
from sqlmodel import Field, SQLModel, col

from models.base import Row, amount, choice, currency, document, link
from models.engagements import ENDED, Engagement
from models.errors import Conflict, Invalid, Unmet
from models.lifecycle import Lifecycle
from models.queries import Rows, among, between, gathered, mentioning
from models.tenancy import Sight, sql_today, through
from models.types import Day, Title
from models.types import Text as Prose


class AssignmentKind(StrEnum):
    SOUNDING_BOARD = "sounding_board"
    FACILITATION = "facilitation"
    KNOWLEDGE_TRANSFER = "knowledge_transfer"
    STRATEGY = "strategy"
    TRAINING = "training"
    DELIVERY = "delivery"


class AssignmentStatus(StrEnum):
    DRAFT = "draft"
    AGREED = "agreed"
    IN_PROGRESS = "in_progress"
    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    RETURNED = "returned"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class AssignmentFacts:
    """Who acts, how the engagement and its programme stand, and which deliverables are still out."""

    account_id: UUID
    expert_id: UUID | None
    is_lead: bool
    programme: str | None
    engagement: str
    unsubmitted: list[str]
    unaccepted: list[str]


def _by_lead(assignment: "Assignment", facts: AssignmentFacts) -> Iterator[Unmet]:
    if not facts.is_lead:
        refs = [f"/engagements/{assignment.engagement_id}"]
        yield Unmet("by-the-lead", "the lead of the programme", "someone else", refs)


def _agreeable(assignment: "Assignment", facts: AssignmentFacts) -> Iterator[Unmet]:
    yield from _by_lead(assignment, facts)
    if facts.account_id in (assignment.drafted_by, *assignment.edited_by):
        yield Unmet("four-eyes", "someone who neither drafted nor edited it", "who did")
    if facts.programme in SHAKEN:
        yield Unmet("programme-not-at-risk", "a programme with its sponsors", facts.programme)
    if facts.engagement in ENDED:
        refs = [f"/engagements/{assignment.engagement_id}"]
        yield Unmet("engagement-open", "open", facts.engagement, refs)
    for name in ("in_scope", "acceptance_criteria"):
        if not getattr(assignment, name):
            yield Unmet(name.replace("_", "-"), "at least one", 0, [assignment.ref])


def _engagement_active(assignment: "Assignment", facts: AssignmentFacts) -> Iterator[Unmet]:
    if facts.engagement not in WORKING:
        refs = [f"/engagements/{assignment.engagement_id}"]
        yield Unmet("engagement-active", sorted(WORKING), facts.engagement, refs)


def _startable(assignment: "Assignment", facts: AssignmentFacts) -> Iterator[Unmet]:
    yield from _engagement_active(assignment, facts)
    # Row-level security shows an expert no assignment but their own.
    if facts.expert_id is None and not facts.is_lead:
        refs = [f"/engagements/{assignment.engagement_id}"]
        yield Unmet("lead-or-expert", "the lead of the programme or the expert", "someone else", refs)


def _delivered(assignment: "Assignment", facts: AssignmentFacts) -> Iterator[Unmet]:
    yield from _engagement_active(assignment, facts)
    if facts.expert_id is None:
        yield Unmet("by-the-expert", "the expert of the engagement", "someone else")
    if facts.unsubmitted:
        refs = [f"/deliverables?assignment_id={assignment.id}"]
        yield Unmet("deliverables-submitted", [], facts.unsubmitted, refs)


def _four_eyes(assignment: "Assignment", facts: AssignmentFacts) -> Iterator[Unmet]:
    yield from _by_lead(assignment, facts)
    if facts.account_id == assignment.delivered_by:
        yield Unmet("four-eyes", "someone other than who delivered it", "who delivered it")


def _acceptable(assignment: "Assignment", facts: AssignmentFacts) -> Iterator[Unmet]:
    yield from _four_eyes(assignment, facts)
    if facts.unaccepted:
        refs = [f"/deliverables?assignment_id={assignment.id}"]
        yield Unmet("deliverables-accepted", [], facts.unaccepted, refs)


# Programmes that may not take on new scope: their sponsors or their time ran out.
SHAKEN = frozenset({"at_risk", "suspended", "closing", "closed", "cancelled"})
# Engagements in which work is done.
WORKING = frozenset({"active", "handover"})
S = AssignmentStatus
ASSIGNMENT = Lifecycle(
    AssignmentStatus,
    {
        "agree": ({S.DRAFT}, S.AGREED, _agreeable),
        "start": ({S.AGREED}, S.IN_PROGRESS, _startable),
        "deliver": ({S.IN_PROGRESS, S.RETURNED}, S.DELIVERED, _delivered),
        "accept": ({S.DELIVERED}, S.ACCEPTED, _acceptable),
        "return": ({S.DELIVERED}, S.RETURNED, _four_eyes),
        "cancel": ({S.DRAFT, S.AGREED, S.IN_PROGRESS, S.RETURNED}, S.CANCELLED, _by_lead),
    },
)


def require_steady(programme: str | None, engagement: Engagement) -> None:
    """Raise Conflict for new scope in a programme that its sponsors or its time ran out on."""
    if programme in SHAKEN:
        refs = [f"/programmes/{engagement.programme_id}"]
        unmet = [Unmet("programme-not-at-risk", "a programme with its sponsors", programme, refs)]
        raise Conflict("programme-at-risk", f"The programme is {programme}: it takes on no new scope.", unmet=unmet)


class AssignmentFields(SQLModel):
    """The scope as client and expert agree it."""

    engagement_id: UUID = link("engagements")
    title: Title
    kind: AssignmentKind = Field(sa_type=choice(AssignmentKind))
    objectives: Prose
    in_scope: list[Title] = document()
    out_of_scope: list[Title] = document()
    assumptions: list[Title] = document()
    acceptance_criteria: list[Title] = document()
    effort_days: int = Field(ge=1, le=1000, description="The most days of work that this may take")
    starts_on: Day
    ends_on: Day


class Assignment(AssignmentFields, Row, table=True):
    """A piece of work: scoped before it is done, and accepted by someone who did not deliver it."""

    __tablename__ = "assignments"
    __table_args__ = (
        CheckConstraint("starts_on <= ends_on", name="starts_before_it_ends"),
        CheckConstraint("(value_amount is null) = (value_currency is null)", name="money_has_a_currency"),
        Index("ix_assignments_starts_on", "tenant_id", "starts_on", "id"),
    )
    expert_sight: ClassVar[Sight] = through("engagements", "engagement_id")

    value_amount: Decimal | None = amount(optional=True)
    value_currency: str | None = currency(optional=True)
    status: AssignmentStatus = Field(default=AssignmentStatus.DRAFT, sa_type=choice(AssignmentStatus))
    drafted_by: UUID
    edited_by: list[UUID] = Field(default_factory=list, sa_type=ARRAY(Uuid))
    delivered_by: UUID | None = None
    decided_by: UUID | None = None
    reason: str | None = None

    def edit(self, by: UUID) -> None:
        """Open a draft to a change, and remember whose: who wrote in it may not agree to it. Raises Conflict."""
        if self.status is not S.DRAFT:
            raise Conflict("not-a-draft", f"This assignment is {self.status}: only a draft can be changed.")
        if by not in (self.drafted_by, *self.edited_by):
            self.edited_by = [*self.edited_by, by]

    def require_ordered_days(self) -> None:
        if self.ends_on < self.starts_on:
            raise Invalid("ends-before-it-starts", f"ends_on must be {self.starts_on} (starts_on) or later.")

    def require_open(self) -> None:
        """Raise Conflict for a deliverable that nobody could submit any more."""
        if self.status in (S.DELIVERED, S.ACCEPTED, S.CANCELLED):
            raise Conflict("assignment-over", f"This assignment is {self.status}: it takes no further deliverables.")

    def deliver(self, facts: AssignmentFacts) -> None:
        ASSIGNMENT.move("deliver", self, facts)
        self.delivered_by, self.reason = facts.account_id, None

    def accept(self, facts: AssignmentFacts) -> None:
        ASSIGNMENT.move("accept", self, facts)
        self.decided_by = facts.account_id

    def give_back(self, facts: AssignmentFacts, reason: str) -> None:
        ASSIGNMENT.move("return", self, facts)
        self.decided_by, self.reason = facts.account_id, reason

    def cancel(self, facts: AssignmentFacts, reason: str) -> None:
        ASSIGNMENT.move("cancel", self, facts)
        self.decided_by, self.reason = facts.account_id, reason


class DeliverableStatus(StrEnum):
    PENDING = "pending"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True)
class DeliverableFacts:
    """Who acts, and whether the work it belongs to is under way."""

    account_id: UUID
    expert_id: UUID | None
    is_lead: bool
    assignment: str
    engagement: str


def _by_expert(deliverable: "Deliverable", facts: DeliverableFacts) -> Iterator[Unmet]:
    if facts.expert_id is None:
        yield Unmet("by-the-expert", "the expert of the engagement", "someone else")
    if facts.assignment not in (S.IN_PROGRESS, S.RETURNED):
        refs = [deliverable.parent_ref]
        yield Unmet("assignment-in-progress", [S.IN_PROGRESS, S.RETURNED], facts.assignment, refs)
    if facts.engagement not in WORKING:
        refs = [f"/engagements/{deliverable.engagement_id}"]
        yield Unmet("engagement-active", sorted(WORKING), facts.engagement, refs)


def _by_another(deliverable: "Deliverable", facts: DeliverableFacts) -> Iterator[Unmet]:
    if not facts.is_lead:
        refs = [f"/engagements/{deliverable.engagement_id}"]
        yield Unmet("by-the-lead", "the lead of the programme", "someone else", refs)
    if facts.account_id == deliverable.submitted_by:
        yield Unmet("four-eyes", "someone other than who submitted it", "who submitted it")
    if facts.assignment == S.CANCELLED:
        yield Unmet("assignment-not-cancelled", "work that is still wanted", S.CANCELLED, [deliverable.parent_ref])


D = DeliverableStatus
DELIVERABLE = Lifecycle(
    DeliverableStatus,
    {
        "submit": ({D.PENDING, D.REJECTED}, D.SUBMITTED, _by_expert),
        "accept": ({D.SUBMITTED}, D.ACCEPTED, _by_another),
        "reject": ({D.SUBMITTED}, D.REJECTED, _by_another),
    },
)


class DeliverableFields(SQLModel):
    assignment_id: UUID = link("assignments")
    title: Title
    due_on: Day
    acceptance_criteria: Prose


class Deliverable(DeliverableFields, Row, table=True):
    """One thing that an assignment promises. A rejected one may be submitted again; with its assignment it ends."""

    __tablename__ = "deliverables"
    __table_args__ = (Index("ix_deliverables_due_on", "tenant_id", "due_on", "id"),)
    expert_sight: ClassVar[Sight] = through("engagements", "engagement_id")

    engagement_id: UUID = link("engagements")
    status: DeliverableStatus = Field(default=DeliverableStatus.PENDING, sa_type=choice(DeliverableStatus))
    evidence: str | None = None
    submitted_by: UUID | None = None
    decided_by: UUID | None = None
    reason: str | None = None

    @property
    def parent_ref(self) -> str:
        return f"/assignments/{self.assignment_id}"

    def require_pending(self) -> None:
        if self.status is not D.PENDING:
            raise Conflict("not-pending", f"This deliverable is {self.status}: only a pending one can be changed.")

    def submit(self, facts: DeliverableFacts, evidence: str) -> None:
        DELIVERABLE.move("submit", self, facts)
        self.submitted_by, self.evidence, self.reason = facts.account_id, evidence, None

    def accept(self, facts: DeliverableFacts) -> None:
        DELIVERABLE.move("accept", self, facts)
        self.decided_by = facts.account_id

    def reject(self, facts: DeliverableFacts, reason: str) -> None:
        DELIVERABLE.move("reject", self, facts)
        self.decided_by, self.reason = facts.account_id, reason


def assignment(by: Any) -> Rows:
    return select(Assignment).where(col(Assignment.id) == by.id)


def assignments(by: Any) -> Rows:
    query = among(select(Assignment), by, Assignment.engagement_id, Assignment.kind, Assignment.status)
    return mentioning(between(query, by, Assignment.starts_on), by, Assignment.title)


def deliverable(by: Any) -> Rows:
    return _told_deliverables().where(col(Deliverable.id) == by.id)


def deliverables(by: Any) -> Rows:
    query = among(_told_deliverables(), by, Deliverable.engagement_id, Deliverable.assignment_id, Deliverable.status)
    if by.overdue is not None:
        query = query.where(_overdue() == by.overdue)
    return mentioning(between(query, by, Deliverable.due_on), by, Deliverable.title)


def _told_deliverables() -> Rows:
    return select(*Deliverable.__table__.columns, _overdue().label("overdue"))  # type: ignore[attr-defined]


def _overdue() -> Any:
    """Not submitted after its due date, while somebody still waits for it."""
    awaited = (
        select(col(Assignment.id))
        .join(Engagement, col(Engagement.id) == col(Assignment.engagement_id))
        .where(
            col(Assignment.id) == col(Deliverable.assignment_id),
            col(Assignment.status) != S.CANCELLED,
            col(Engagement.status).not_in(ENDED),
        )
        .correlate(Deliverable)
    )
    late = col(Deliverable.status).in_((D.PENDING, D.REJECTED)) & (col(Deliverable.due_on) < sql_today())
    return late & awaited.exists()


def scoped_assignments(engagement_id: UUID) -> Select[int]:
    """How many assignments of the engagement say what is in scope and when it is accepted."""
    return select(func.count()).where(
        col(Assignment.engagement_id) == engagement_id,
        col(Assignment.status) != S.CANCELLED,
        func.jsonb_array_length(col(Assignment.in_scope)) > 0,
        func.jsonb_array_length(col(Assignment.acceptance_criteria)) > 0,
    )


def assignment_standing(assignment_id: UUID) -> Select[AssignmentStatus]:
    return select(col(Assignment.status)).where(col(Assignment.id) == assignment_id)


def open_deliverables(engagement_id: UUID) -> Select[list[str]]:
    """The titles of deliverables not accepted, leaving out those whose assignment is cancelled."""
    dropped = select(col(Assignment.id)).where(
        col(Assignment.id) == col(Deliverable.assignment_id), col(Assignment.status) == S.CANCELLED
    )
    return _titles(col(Deliverable.engagement_id) == engagement_id, {D.ACCEPTED}).where(~dropped.exists())


def unsubmitted(assignment_id: UUID) -> Select[list[str]]:
    return _titles(col(Deliverable.assignment_id) == assignment_id, {D.SUBMITTED, D.ACCEPTED})


def unaccepted(assignment_id: UUID) -> Select[list[str]]:
    return _titles(col(Deliverable.assignment_id) == assignment_id, {D.ACCEPTED})


def _titles(of: Any, but: set[DeliverableStatus]) -> Select[list[str]]:
    title = col(Deliverable.title)
    return select(gathered(title, Text(), title)).where(of, col(Deliverable.status).not_in(but))
