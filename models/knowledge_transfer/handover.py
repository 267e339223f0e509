"""The handover certificate: lead and sponsor attest that the client's own people can do the work without the expert."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Select, Text, UniqueConstraint, cast, select
from sqlmodel import Field, SQLModel, col

from models.base import INSTANT, Row, choice, link
from models.engagements import RUNNING
from models.errors import Conflict, Unmet
from models.lifecycle import Lifecycle
from models.queries import Rows, among
from models.tenancy import Sight, through
from models.types import Text as Prose


class HandoverCertificateStatus(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True)
class HandoverFacts:
    """Who acts and as what, and how far the handover really is."""

    account_id: UUID
    expert_id: UUID | None
    is_lead: bool
    is_sponsor: bool
    engagement_status: str
    uncovered_topics: list[str]
    unsettled_milestones: list[str]


def _by_expert(certificate: "HandoverCertificate", facts: HandoverFacts) -> Iterator[Unmet]:
    if facts.expert_id is None:
        yield Unmet("by-the-expert", "the expert of the engagement", "someone else")
    if facts.engagement_status not in RUNNING:
        refs = [f"/engagements/{certificate.engagement_id}"]
        yield Unmet("running-engagement", sorted(RUNNING), facts.engagement_status, refs)


def _judge(certificate: "HandoverCertificate", facts: HandoverFacts) -> Iterator[Unmet]:
    if facts.expert_id is not None:
        yield Unmet("never-the-expert", "the lead or a sponsor", "the expert")
    if facts.account_id in (certificate.submitted_by, certificate.lead_accepted_by, certificate.sponsor_accepted_by):
        yield Unmet("four-eyes", "someone who has not acted on it yet", "who submitted or accepted it")
    if certificate.vacant_side(facts) is None:
        needed = "the programme's lead or one of its committed sponsors, whichever has not accepted yet"
        yield Unmet("lead-and-sponsor", needed, "someone else", [certificate.ref])


def _transferred(certificate: "HandoverCertificate", facts: HandoverFacts) -> Iterator[Unmet]:
    yield from _judge(certificate, facts)
    if facts.uncovered_topics:
        yield Unmet("critical-topics-covered", [], facts.uncovered_topics, ["/reports/coverage"])
    if facts.unsettled_milestones:
        refs = [f"/milestones?engagement_id={certificate.engagement_id}"]
        yield Unmet("required-milestones-settled", [], facts.unsettled_milestones, refs)


S = HandoverCertificateStatus
HANDOVER_CERTIFICATE = Lifecycle(
    HandoverCertificateStatus,
    {
        "submit": ({S.DRAFT, S.REJECTED}, S.SUBMITTED, _by_expert),
        "accept": ({S.SUBMITTED}, S.ACCEPTED, _transferred),
        "reject": ({S.SUBMITTED}, S.REJECTED, _judge),
    },
)


class HandoverCertificateFields(SQLModel):
    engagement_id: UUID = link("engagements")
    summary: Prose = Field(description="What was handed over, to whom, and where it is written down")


class HandoverCertificate(HandoverCertificateFields, Row, table=True):
    """One per engagement. It stays submitted until the lead and a sponsor, two people, have both accepted it."""

    __tablename__ = "handover_certificates"
    __table_args__ = (
        UniqueConstraint("tenant_id", "engagement_id", name="uq_handover_certificates_engagement_id"),
        CheckConstraint("lead_accepted_by <> sponsor_accepted_by", name="two_people_accept"),
        CheckConstraint(
            "status <> 'accepted' or (lead_accepted_by is not null and sponsor_accepted_by is not null)",
            name="accepted_by_both",
        ),
    )
    expert_sight: ClassVar[Sight] = through("engagements", "engagement_id")

    status: HandoverCertificateStatus = Field(
        default=HandoverCertificateStatus.DRAFT, sa_type=choice(HandoverCertificateStatus)
    )
    submitted_by: UUID | None = None
    lead_accepted_by: UUID | None = None
    lead_accepted_at: datetime | None = Field(default=None, sa_type=INSTANT)
    sponsor_accepted_by: UUID | None = None
    sponsor_accepted_at: datetime | None = Field(default=None, sa_type=INSTANT)
    reason: str | None = None

    def vacant_side(self, facts: HandoverFacts) -> str | None:
        """As what the caller may still accept: lead, sponsor or neither."""
        if facts.is_lead and self.lead_accepted_by is None:
            return "lead"
        return "sponsor" if facts.is_sponsor and self.sponsor_accepted_by is None else None

    def require_editable(self) -> None:
        if self.status not in (S.DRAFT, S.REJECTED):
            raise Conflict("not-a-draft", f"This certificate is {self.status}: reject it to have it changed.")

    def submit(self, facts: HandoverFacts) -> None:
        HANDOVER_CERTIFICATE.move("submit", self, facts)
        self.submitted_by, self.reason = facts.account_id, None
        self.lead_accepted_by = self.lead_accepted_at = None
        self.sponsor_accepted_by = self.sponsor_accepted_at = None

    def accept(self, facts: HandoverFacts, at: datetime) -> None:
        """Accept for one side; the second side completes it. Raises Conflict with every unmet rule."""
        HANDOVER_CERTIFICATE.require("accept", self, facts)
        if self.vacant_side(facts) == "lead":
            other, self.lead_accepted_by, self.lead_accepted_at = self.sponsor_accepted_by, facts.account_id, at
        else:
            other, self.sponsor_accepted_by, self.sponsor_accepted_at = self.lead_accepted_by, facts.account_id, at
        if other is not None:
            self.status = S.ACCEPTED

    def reject(self, facts: HandoverFacts, reason: str) -> None:
        HANDOVER_CERTIFICATE.move("reject", self, facts)
        self.reason = reason


def handover_standing(engagement_id: Any) -> Select[str]:
    """The status of the engagement's certificate; null when there is none."""
    return select(cast(col(HandoverCertificate.status), Text)).where(
        col(HandoverCertificate.engagement_id) == engagement_id
    )


def handover_certificate(by: Any) -> Rows:
    return select(HandoverCertificate).where(col(HandoverCertificate.id) == by.id)


def handover_certificates(by: Any) -> Rows:
    return among(select(HandoverCertificate), by, HandoverCertificate.engagement_id, HandoverCertificate.status)
