"""Onboarding: what has to be ready before the work begins, and the homework that shows the expert listened."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Index, Select, Text, UniqueConstraint, and_, cast, or_, select
from sqlmodel import Field, SQLModel, col

from models.base import Row, choice, document, link
from models.engagements import Engagement, EngagementMode, EngagementStatus
from models.errors import Conflict, Invalid, Unmet
from models.lifecycle import Lifecycle
from models.policy import RULES, Role
from models.queries import Rows, among, between, gathered, mentioning
from models.tenancy import Sight, sql_today, through
from models.types import FIRST_DAY, Day, Title
from models.types import Text as Prose


class TaskPhase(StrEnum):
    ONBOARDING = "onboarding"
    OFFBOARDING = "offboarding"


class TaskKind(StrEnum):
    IDENTITY = "identity"
    INSURANCE = "insurance"
    ACCOUNT = "account"
    BRIEFING = "briefing"
    COMPLIANCE = "compliance"
    RETURN = "return"


class TaskStatus(StrEnum):
    OPEN = "open"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    RETURNED = "returned"
    WAIVED = "waived"


@dataclass(frozen=True)
class TaskFacts:
    """Who acts, in which roles, and how far the engagement is."""

    account_id: UUID
    roles: frozenset[str]
    engagement: str


def _in_stage(row: Any, engagement: str, stages: tuple[EngagementStatus, ...]) -> Iterator[Unmet]:
    if engagement not in stages:
        yield Unmet("stage", list(stages), engagement, [f"/engagements/{row.engagement_id}"])


def _by_owner(task: "OnboardingTask", facts: TaskFacts) -> Iterator[Unmet]:
    yield from _in_stage(task, facts.engagement, TASK_STAGES[task.phase])
    if task.owner_role not in facts.roles:
        yield Unmet("owner-role", task.owner_role, sorted(facts.roles), [task.ref])


def _four_eyes(task: "OnboardingTask", facts: TaskFacts) -> Iterator[Unmet]:
    yield from _in_stage(task, facts.engagement, TASK_STAGES[task.phase])
    if facts.account_id == task.submitted_by:
        yield Unmet("four-eyes", "someone other than who submitted it", "who submitted it")


# While an engagement is here it is being made ready: tasks of that phase and the dossier belong to it.
PREPARING = (EngagementStatus.APPROVED, EngagementStatus.ONBOARDING)
TASK_STAGES = {
    TaskPhase.ONBOARDING: PREPARING,
    TaskPhase.OFFBOARDING: (EngagementStatus.ACTIVE, EngagementStatus.PAUSED, EngagementStatus.HANDOVER),
}
T = TaskStatus
ONBOARDING_TASK = Lifecycle(
    TaskStatus,
    {
        "submit": ({T.OPEN, T.RETURNED}, T.SUBMITTED, _by_owner),
        "accept": ({T.SUBMITTED}, T.ACCEPTED, _four_eyes),
        "return": ({T.SUBMITTED}, T.RETURNED, _four_eyes),
        "waive": ({T.OPEN, T.SUBMITTED, T.RETURNED}, T.WAIVED, _four_eyes),
    },
)


class OnboardingTaskFields(SQLModel):
    """What has to be done, by whom, and by when."""

    engagement_id: UUID = link("engagements")
    phase: TaskPhase = Field(default=TaskPhase.ONBOARDING, sa_type=choice(TaskPhase))
    kind: TaskKind = Field(sa_type=choice(TaskKind))
    title: Title
    mandatory: bool = Field(default=True, description="Whether the work waits for it")
    owner_role: Role = Field(sa_type=choice(Role), description="The role whose holder does it")
    due_on: Day


class OnboardingTask(OnboardingTaskFields, Row, table=True):
    """One thing to do before the work begins, or after it ends; accepted by someone who did not do it."""

    __tablename__ = "onboarding_tasks"
    __table_args__ = (Index("ix_onboarding_tasks_due_on", "tenant_id", "due_on", "id"),)
    expert_sight: ClassVar[Sight] = through("engagements", "engagement_id")

    status: TaskStatus = Field(default=TaskStatus.OPEN, sa_type=choice(TaskStatus))
    evidence: str | None = None
    submitted_by: UUID | None = None
    decided_by: UUID | None = None
    reason: str | None = None

    def require_open(self) -> None:
        if self.status not in (T.OPEN, T.RETURNED):
            raise Conflict("task-not-open", f"This task is {self.status}: only an open or returned one can be changed.")

    def require_doable(self) -> None:
        """Raise Invalid for an owner role whose holders never write, so that the task would stay open for ever."""
        if not RULES["submit_onboarding_task"].admits(frozenset({self.owner_role})):
            raise Invalid("owner-never-submits", f"The role {self.owner_role} submits no tasks: choose another owner.")

    def submit(self, facts: TaskFacts, evidence: str) -> None:
        ONBOARDING_TASK.move("submit", self, facts)
        self.submitted_by, self.evidence, self.reason = facts.account_id, evidence, None

    def accept(self, facts: TaskFacts) -> None:
        ONBOARDING_TASK.move("accept", self, facts)
        self.decided_by = facts.account_id

    def give_back(self, facts: TaskFacts, reason: str) -> None:
        ONBOARDING_TASK.move("return", self, facts)
        self.decided_by, self.reason = facts.account_id, reason

    def waive(self, facts: TaskFacts, reason: str) -> None:
        ONBOARDING_TASK.move("waive", self, facts)
        self.decided_by, self.reason = facts.account_id, reason


@dataclass(frozen=True)
class TaskTemplate:
    """A task that every engagement of some modes begins with, due so many days before it starts."""

    kind: TaskKind
    title: str
    owner_role: Role
    days_before: int
    mandatory: bool = True
    modes: frozenset[EngagementMode] = frozenset(EngagementMode)


AT_WORK = frozenset({EngagementMode.ASSIGNMENT, EngagementMode.LONG_MISSION})
TEMPLATES = (
    TaskTemplate(TaskKind.IDENTITY, "Show proof of identity", Role.EXPERT, 14),
    TaskTemplate(TaskKind.COMPLIANCE, "Declare conflicts of interest", Role.EXPERT, 14),
    TaskTemplate(TaskKind.INSURANCE, "Show liability insurance", Role.EXPERT, 14, modes=AT_WORK),
    TaskTemplate(TaskKind.ACCOUNT, "Prepare accounts and workplace", Role.PROCUREMENT, 5, modes=AT_WORK),
    TaskTemplate(TaskKind.BRIEFING, "Introduce the team and its ways of working", Role.LEAD, 2, mandatory=False),
)


def tasks_for(engagement: Engagement) -> list[OnboardingTask]:
    """The tasks that the templates ask of an engagement of this mode."""
    return [
        OnboardingTask(
            engagement_id=engagement.id,
            kind=template.kind,
            title=template.title,
            mandatory=template.mandatory,
            owner_role=template.owner_role,
            due_on=max(engagement.starts_on - timedelta(days=template.days_before), FIRST_DAY),
        )
        for template in TEMPLATES
        if engagement.mode in template.modes
    ]


@dataclass(frozen=True)
class DocumentNeeds:
    """What decides which documents must be in force: the policy's bounds, their currency, and the secrets at stake."""

    msa_above_days: int
    msa_above_value: int
    currency: str
    classified_assets: int


def required_documents(engagement: Engagement, needs: DocumentNeeds) -> list[str]:
    """The kinds of contract that must bind before the work begins; computed, never the caller's to choose."""
    costly = engagement.value_amount > needs.msa_above_value or engagement.value_currency != needs.currency
    return [
        *(["msa"] if engagement.days > needs.msa_above_days or costly else []),
        *(["nda"] if needs.classified_assets else []),
        "sow",
    ]


class DossierStatus(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    RETURNED = "returned"


@dataclass(frozen=True)
class DossierFacts:
    """Who acts, as what in the engagement, and how far that is."""

    account_id: UUID
    expert_id: UUID | None
    is_lead: bool
    engagement: str


def _by_expert(dossier: "Dossier", facts: DossierFacts) -> Iterator[Unmet]:
    yield from _in_stage(dossier, facts.engagement, PREPARING)
    if facts.expert_id is None:
        yield Unmet("by-the-expert", "the expert of the engagement", "someone else")


def _by_lead(dossier: "Dossier", facts: DossierFacts) -> Iterator[Unmet]:
    yield from _in_stage(dossier, facts.engagement, PREPARING)
    if not facts.is_lead:
        refs = [f"/engagements/{dossier.engagement_id}"]
        yield Unmet("by-the-lead", "the lead of the programme", "someone else", refs)


D = DossierStatus
DOSSIER = Lifecycle(
    DossierStatus,
    {
        "submit": ({D.DRAFT, D.RETURNED}, D.SUBMITTED, _by_expert),
        "accept": ({D.SUBMITTED}, D.ACCEPTED, _by_lead),
        "return": ({D.SUBMITTED}, D.RETURNED, _by_lead),
    },
)


class DossierText(SQLModel):
    """The expert's homework: what they understood of the client before they begin."""

    needs: Prose = Field(description="The client's needs, in the expert's own words")
    business: Prose = Field(description="The client's business and its customers")
    objectives_addressed: list[Title] = document()
    sources_read: list[Title] = document()
    questions: list[Title] = document()
    first_30_days: Prose


class DossierFields(DossierText):
    engagement_id: UUID = link("engagements")


class Dossier(DossierFields, Row, table=True):
    """One per engagement, written by its expert and accepted by the lead."""

    __tablename__ = "dossiers"
    __table_args__ = (UniqueConstraint("tenant_id", "engagement_id", name="uq_dossiers_engagement_id"),)
    expert_sight: ClassVar[Sight] = through("engagements", "engagement_id")

    status: DossierStatus = Field(default=DossierStatus.DRAFT, sa_type=choice(DossierStatus))
    decided_by: UUID | None = None
    reason: str | None = None

    def require_editable(self) -> None:
        if self.status not in (D.DRAFT, D.RETURNED):
            raise Conflict("not-a-draft", f"This dossier is {self.status}: only a draft or a returned one changes.")

    def submit(self, facts: DossierFacts) -> None:
        DOSSIER.move("submit", self, facts)
        self.reason = None

    def accept(self, facts: DossierFacts) -> None:
        DOSSIER.move("accept", self, facts)
        self.decided_by = facts.account_id

    def give_back(self, facts: DossierFacts, reason: str) -> None:
        DOSSIER.move("return", self, facts)
        self.decided_by, self.reason = facts.account_id, reason


def onboarding_task(by: Any) -> Rows:
    return _tasks().where(col(OnboardingTask.id) == by.id)


def onboarding_tasks(by: Any) -> Rows:
    query = among(
        _tasks(),
        by,
        OnboardingTask.engagement_id,
        OnboardingTask.phase,
        OnboardingTask.status,
        OnboardingTask.owner_role,
    )
    if by.overdue is not None:
        query = query.where(_overdue() == by.overdue)
    return mentioning(between(query, by, OnboardingTask.due_on), by, OnboardingTask.title)


def _tasks() -> Rows:
    return select(*OnboardingTask.__table__.columns, _overdue().label("overdue"))  # type: ignore[attr-defined]


def _overdue() -> Any:
    """Not done after its due date, while it still can be: no task outlives the stage that it belongs to."""
    in_stage = (
        select(col(Engagement.id))
        .where(
            col(Engagement.id) == col(OnboardingTask.engagement_id),
            or_(
                *(
                    and_(col(OnboardingTask.phase) == phase, col(Engagement.status).in_(stages))
                    for phase, stages in TASK_STAGES.items()
                )
            ),
        )
        .correlate(OnboardingTask)
    )
    late = col(OnboardingTask.status).in_((T.OPEN, T.RETURNED)) & (col(OnboardingTask.due_on) < sql_today())
    return late & in_stage.exists()


def open_tasks(engagement_id: UUID) -> Select[list[str]]:
    """The titles of mandatory onboarding tasks that are neither accepted nor waived."""
    title = col(OnboardingTask.title)
    return select(gathered(title, Text(), title)).where(
        col(OnboardingTask.engagement_id) == engagement_id,
        col(OnboardingTask.phase) == TaskPhase.ONBOARDING,
        col(OnboardingTask.mandatory),
        col(OnboardingTask.status).not_in((T.ACCEPTED, T.WAIVED)),
    )


def dossier(by: Any) -> Rows:
    return select(Dossier).where(col(Dossier.id) == by.id)


def dossiers(by: Any) -> Rows:
    return among(select(Dossier), by, Dossier.engagement_id, Dossier.status)


def dossier_standing(engagement_id: UUID) -> Select[str]:
    """The status of the engagement's dossier; null when there is none."""
    return select(cast(col(Dossier.status), Text)).where(col(Dossier.engagement_id) == engagement_id)
