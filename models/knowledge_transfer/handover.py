"""The handover certificate: lead and sponsor attest that the client's own people can do the work without the expert."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Select, Text, UniqueConstraint, case, cast, func, or_, select
from sqlmodel import Field, SQLModel, col

from models.base import INSTANT, Row, choice, link
from models.engagements import RUNNING
from models.errors import Conflict, Invalid, Unmet
from models.knowledge_transfer.topics import Topic
from models.lifecycle import Lifecycle
from models.organisations import Membership, Person
from models.queries import Rows, among, between, gathered
from models.tenancy import Sight, through
from models.types import Day
from models.types import Text as Prose


class HandoverCertificateStatus(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    ACCEPTED_WITH_RESERVATIONS = "accepted_with_reservations"
    REJECTED = "rejected"


@dataclass(frozen=True)
class HandoverFacts:
    """Who acts and as what, and how far the handover really is.

    `has_acted` tells whether the acting person submitted or accepted it before, under whatever account.
    """

    account_id: UUID
    expert_id: UUID | None
    is_lead: bool
    is_sponsor: bool
    engagement_status: str
    uncovered_topics: list[str]
    unsettled_milestones: list[str]
    has_acted: bool = False
    reservations: int = 0


@dataclass(frozen=True)
class ReservationFacts:
    """Of the topics and owners that reservations name: what cannot be reserved, and who is there to see to it."""

    topics: int
    critical_topics: list[str]
    owners: int
    today: date


def _by_expert(certificate: "HandoverCertificate", facts: HandoverFacts) -> Iterator[Unmet]:
    if facts.expert_id is None:
        yield Unmet("by-the-expert", "the expert of the engagement", "someone else")
    if facts.engagement_status not in RUNNING:
        refs = [f"/engagements/{certificate.engagement_id}"]
        yield Unmet("running-engagement", sorted(RUNNING), facts.engagement_status, refs)


def _judge(certificate: "HandoverCertificate", facts: HandoverFacts) -> Iterator[Unmet]:
    if facts.expert_id is not None:
        yield Unmet("never-the-expert", "the lead or a sponsor", "the expert")
    acted = (certificate.submitted_by, certificate.lead_accepted_by, certificate.sponsor_accepted_by)
    if facts.has_acted or facts.account_id in acted:
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
        # With reservations of either side it is accepted_with_reservations.
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
            "status not in ('accepted', 'accepted_with_reservations')"
            " or (lead_accepted_by is not null and sponsor_accepted_by is not null)",
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

    def accept(self, facts: HandoverFacts, at: datetime, reservations: int = 0) -> None:
        """Accept for one side, with so many reservations; the second side completes it. Raises Conflict with every
        unmet rule.
        """
        HANDOVER_CERTIFICATE.require("accept", self, facts)
        if self.vacant_side(facts) == "lead":
            other, self.lead_accepted_by, self.lead_accepted_at = self.sponsor_accepted_by, facts.account_id, at
        else:
            other, self.sponsor_accepted_by, self.sponsor_accepted_at = self.lead_accepted_by, facts.account_id, at
        if other is not None:
            reserved = facts.reservations + reservations > 0
            self.status = S.ACCEPTED_WITH_RESERVATIONS if reserved else S.ACCEPTED

    def reject(self, facts: HandoverFacts, reason: str) -> None:
        HANDOVER_CERTIFICATE.move("reject", self, facts)
        self.reason = reason


class HandoverReservationFields(SQLModel):
    """What is still to be done about a topic after the handover, by whom and until when."""

    topic_id: UUID = link("topics")
    owner_id: UUID = link("people")
    due_on: Day = Field(description="The last day by which the owner sees to it")
    note: Prose = Field(description="What is still to be done")


class HandoverReservation(HandoverReservationFields, Row, table=True):
    """What a side reserved when it accepted. A new submission of the certificate clears it, with the acceptances."""

    __tablename__ = "handover_reservations"
    expert_sight: ClassVar[Sight] = through("handover_certificates", "certificate_id")

    certificate_id: UUID = link("handover_certificates")
    reserved_by: UUID


def require_reservable(given: list[HandoverReservationFields], facts: ReservationFacts) -> None:
    """Raise Invalid for what makes no sense, Conflict naming each critical topic: those are covered, never reserved."""
    if facts.topics < len({r.topic_id for r in given}):
        raise Invalid("topic-of-another-programme", "Each topic must be one of the engagement's own programme.")
    if facts.owners < len({r.owner_id for r in given}):
        raise Invalid("owner-not-here", "Each owner must be a person of the organisation who is still here.")
    if any(r.due_on < facts.today for r in given):
        raise Invalid("reservation-in-the-past", f"A reservation is due on {facts.today} or later.")
    if facts.critical_topics:
        unmet = [Unmet("non-critical-topics", "topics that are not critical", facts.critical_topics)]
        raise Conflict("cannot-reserve", "A critical topic must be covered: it cannot be reserved.", unmet=unmet)


def reservable_topics(programme_id: Any, ids: list[UUID]) -> Select[int]:
    return select(func.count()).where(col(Topic.programme_id) == programme_id, col(Topic.id).in_(ids))


def critical_topics(ids: list[UUID]) -> Select[list[str]]:
    """The titles of the critical ones among these topics."""
    return select(gathered(col(Topic.title), Text(), col(Topic.title))).where(
        col(Topic.id).in_(ids), col(Topic.critical)
    )


def owners_here(ids: list[UUID], today: date) -> Select[int]:
    here = or_(col(Person.leaves_on).is_(None), col(Person.leaves_on) >= today)
    return select(func.count()).where(col(Person.id).in_(ids), here)


def has_acted(certificate: HandoverCertificate, person_id: UUID | None) -> Select[bool]:
    """Whether an account of the person submitted or accepted the certificate."""
    by = (certificate.submitted_by, certificate.lead_accepted_by, certificate.sponsor_accepted_by)
    own = select(col(Membership.id)).where(
        col(Membership.person_id) == person_id, col(Membership.account_id).in_([a for a in by if a])
    )
    return select(own.exists())


def reservation_count(certificate_id: UUID) -> Select[int]:
    return select(func.count()).where(col(HandoverReservation.certificate_id) == certificate_id)


def reservations_of(certificate_id: UUID) -> Select[HandoverReservation]:
    return select(HandoverReservation).where(col(HandoverReservation.certificate_id) == certificate_id)


def handover_standing(engagement_id: Any) -> Select[str]:
    """How the handover stands, for other areas: the certificate's status, `accepted` with or without reservations;
    null when there is no certificate.
    """
    status = col(HandoverCertificate.status)
    standing = case((status == S.ACCEPTED_WITH_RESERVATIONS, S.ACCEPTED.value), else_=cast(status, Text))
    return select(standing).where(col(HandoverCertificate.engagement_id) == engagement_id)


def handover_certificate(by: Any) -> Rows:
    return select(HandoverCertificate).where(col(HandoverCertificate.id) == by.id)


def handover_certificates(by: Any) -> Rows:
    return among(select(HandoverCertificate), by, HandoverCertificate.engagement_id, HandoverCertificate.status)


def handover_reservation(by: Any) -> Rows:
    return select(HandoverReservation).where(col(HandoverReservation.id) == by.id)


def handover_reservations(by: Any) -> Rows:
    row = HandoverReservation
    return between(among(select(row), by, row.certificate_id, row.topic_id, row.owner_id), by, row.due_on)
