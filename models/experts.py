"""Experts: proven expertise, not fame. Who may be engaged, on what evidence, and until when."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Text, UniqueConstraint, case, cast, func, select
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import aliased
from sqlmodel import Field, SQLModel, col

from models.base import INSTANT, Row, choice, document, link
from models.errors import Conflict, Forbidden, Unmet
from models.lifecycle import Lifecycle
from models.queries import Rows, among, mentioning
from models.tenancy import OWN, Sight, sql_today
from models.types import Country, Day, Email, Title
from models.types import Text as Prose


class ExpertStatus(StrEnum):
    PROSPECT = "prospect"
    IN_VETTING = "in_vetting"
    APPROVED = "approved"
    SUSPENDED = "suspended"
    BLOCKED = "blocked"


class EvidenceType(StrEnum):
    CLIENT_OUTCOME = "client_outcome"
    REFERENCE_CALL = "reference_call"
    WORK_SAMPLE = "work_sample"
    CERTIFICATION = "certification"
    PUBLICATION = "publication"
    AUDIENCE = "audience"


# Publications and audience weigh nothing: they prove fame.
PROOF = frozenset(
    {EvidenceType.CLIENT_OUTCOME, EvidenceType.REFERENCE_CALL, EvidenceType.WORK_SAMPLE, EvidenceType.CERTIFICATION}
)


class CheckKind(StrEnum):
    IDENTITY = "identity"
    CONFLICT_OF_INTEREST = "conflict_of_interest"
    INSURANCE = "insurance"
    TAX = "tax"


class CheckResult(StrEnum):
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True)
class ExpertFacts:
    """What the vetting rules look at: verified proof, its clients, checks that do not hold today, and the policy."""

    claims: int
    clients: int
    failing_checks: list[str]
    checks: int
    min_claims: int
    min_clients: int


def _proven(expert: "Expert", facts: ExpertFacts) -> Iterator[Unmet]:
    refs = [f"/expertise-claims?expert_id={expert.id}"]
    if facts.claims < facts.min_claims:
        yield Unmet("verified-claims", facts.min_claims, facts.claims, refs)
    if facts.clients < facts.min_clients:
        yield Unmet("distinct-clients", facts.min_clients, facts.clients, refs)
    checks = [f"/vetting-checks?expert_id={expert.id}"]
    if facts.checks == 0:
        yield Unmet("vetting-checks", "at least one", 0, checks)
    if facts.failing_checks:
        yield Unmet("checks-in-force", [], facts.failing_checks, checks)


S = ExpertStatus
EXPERT = Lifecycle(
    ExpertStatus,
    {
        "start-vetting": ({S.PROSPECT}, S.IN_VETTING),
        "approve": ({S.IN_VETTING}, S.APPROVED, _proven),
        "suspend": ({S.APPROVED}, S.SUSPENDED),
        "reinstate": ({S.SUSPENDED}, S.APPROVED, _proven),
        "block": ({S.PROSPECT, S.IN_VETTING, S.APPROVED, S.SUSPENDED}, S.BLOCKED),
    },
)


class ExpertFields(SQLModel):
    """What procurement registers of an expert."""

    name: Title
    email: Email
    firm: Title | None = None
    country: Country
    skills: list[Title] = document()
    languages: list[Title] = document()


class Expert(ExpertFields, Row, table=True):
    """An outside expert. The stored status is what people decided; `lapsed` is what the calendar did to it."""

    __tablename__ = "experts"
    __table_args__ = (UniqueConstraint("tenant_id", "email", name="uq_experts_email"),)
    expert_sight: ClassVar[Sight] = Sight("{table}.id = (select app.expert_id())")

    status: ExpertStatus = Field(default=ExpertStatus.PROSPECT, sa_type=choice(ExpertStatus))
    reason: str | None = None

    def suspend(self, reason: str) -> None:
        EXPERT.move("suspend", self)
        self.reason = reason

    def reinstate(self, facts: ExpertFacts) -> None:
        EXPERT.move("reinstate", self, facts)
        self.reason = None

    def block(self, reason: str) -> None:
        EXPERT.move("block", self)
        self.reason = reason


class ExpertiseClaimFields(SQLModel):
    expert_id: UUID = link("experts")
    skill: Title
    evidence_type: EvidenceType = Field(sa_type=choice(EvidenceType))
    client: Title
    result: Prose = Field(description="The outcome, with figures")


class ExpertiseClaim(ExpertiseClaimFields, Row, table=True):
    """One piece of evidence; it counts once somebody other than its recorder has verified it."""

    __tablename__ = "expertise_claims"
    expert_sight: ClassVar[Sight] = OWN

    recorded_by: UUID
    verified_by: UUID | None = None
    verified_at: datetime | None = Field(default=None, sa_type=INSTANT)

    def verify(self, by: UUID, at: datetime) -> None:
        """Raise Forbidden for the recorder (four eyes) and Conflict when it is verified already."""
        if by == self.recorded_by:
            raise Forbidden("four-eyes", "Nobody verifies a claim they recorded: ask a colleague.")
        if self.verified_at is not None:
            raise Conflict("already-verified", "This claim is verified already.")
        self.verified_by, self.verified_at = by, at


class VettingCheckFields(SQLModel):
    expert_id: UUID = link("experts")
    kind: CheckKind = Field(sa_type=choice(CheckKind))
    result: CheckResult = Field(sa_type=choice(CheckResult))
    valid_until: Day = Field(description="The last day on which the check counts")
    note: Prose | None = None


class VettingCheck(VettingCheckFields, Row, table=True):
    """One check at one time; of each kind the newest counts."""

    __tablename__ = "vetting_checks"
    expert_sight: ClassVar[Sight] = OWN

    checked_by: UUID


def _counting(figure: Any, expert_id: Any) -> Rows:
    """A figure over the checks that count: of each kind the newest."""
    newer = aliased(VettingCheck)
    outdone = select(col(newer.id)).where(
        col(newer.expert_id) == col(VettingCheck.expert_id),
        col(newer.kind) == col(VettingCheck.kind),
        col(newer.id) > col(VettingCheck.id),
    )
    return select(figure).where(col(VettingCheck.expert_id) == expert_id, ~outdone.exists())


def approval_ends(expert_id: Any) -> Select[date | None]:
    """The earliest last day among the checks that count."""
    return _counting(func.min(col(VettingCheck.valid_until)), expert_id)


def verified_claims(expert_id: UUID) -> Select[int]:
    return _verified(func.count(), expert_id)


def verified_clients(expert_id: UUID) -> Select[int]:
    return _verified(func.count(func.lower(col(ExpertiseClaim.client)).distinct()), expert_id)


def _verified(figure: Any, expert_id: UUID) -> Select[int]:
    return select(figure).where(
        col(ExpertiseClaim.expert_id) == expert_id,
        col(ExpertiseClaim.verified_at).is_not(None),
        col(ExpertiseClaim.evidence_type).in_(PROOF),
    )


def checks_made(expert_id: UUID) -> Select[int]:
    return _counting(func.count(), expert_id)


def failing_checks(expert_id: UUID, today: date) -> Select[list[str]]:
    """The kinds whose newest check failed or ran out."""
    kinds = func.array_agg(cast(col(VettingCheck.kind), Text), type_=ARRAY(Text))
    failing = (col(VettingCheck.result) != CheckResult.PASSED) | (col(VettingCheck.valid_until) < today)
    return _counting(func.coalesce(kinds, cast(array([]), ARRAY(Text))), expert_id).where(failing)


def expert_standing(expert_id: UUID, today: date) -> Select[str]:
    """The one word that other areas go by: an ExpertStatus, or `lapsed` once a check behind an approval ran out."""
    standing = case((_lapsed(today), "lapsed"), else_=cast(col(Expert.status), Text))
    return select(standing).where(col(Expert.id) == expert_id)


def _lapsed(today: Any) -> ColumnElement[bool]:
    ends = approval_ends(Expert.id).scalar_subquery()
    return func.coalesce((col(Expert.status) == S.APPROVED) & (ends < today), False)


def expert(by: Any) -> Rows:
    return _experts().where(col(Expert.id) == by.id)


def experts(by: Any) -> Rows:
    query = among(_experts(), by, Expert.status, Expert.country)
    if by.skill is not None:
        query = query.where(col(Expert.skills).op("?|")(by.skill))
    return mentioning(query, by, Expert.name, Expert.email, Expert.firm)


def _experts() -> Rows:
    ends, lapsed = approval_ends(Expert.id).scalar_subquery(), _lapsed(sql_today())
    return select(*Expert.__table__.columns, ends.label("approval_ends_on"), lapsed.label("lapsed"))  # type: ignore[attr-defined]


def expertise_claim(by: Any) -> Rows:
    return select(ExpertiseClaim).where(col(ExpertiseClaim.id) == by.id)


def expertise_claims(by: Any) -> Rows:
    query = among(select(ExpertiseClaim), by, ExpertiseClaim.expert_id, ExpertiseClaim.evidence_type)
    if by.verified is not None:
        query = query.where(col(ExpertiseClaim.verified_at).is_not(None) == by.verified)
    return query


def vetting_check(by: Any) -> Rows:
    return select(VettingCheck).where(col(VettingCheck.id) == by.id)


def vetting_checks(by: Any) -> Rows:
    return among(select(VettingCheck), by, VettingCheck.expert_id, VettingCheck.kind, VettingCheck.result)
