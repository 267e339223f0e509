"""Sponsors: who has committed to a programme, from which day to which day they count, and whether they are enough."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, Date, Index, Select, Text, Uuid, any_, case, cast, func, or_, select, text
from sqlalchemy.orm import aliased
from sqlmodel import Field, SQLModel, col

from models.base import Row, choice, link
from models.errors import Invalid, Unmet
from models.lifecycle import Lifecycle
from models.organisations import Person, Policy
from models.queries import Rows, among, gathered
from models.tenancy import Sight, sql_today, through
from models.types import Day


class CommitmentStatus(StrEnum):
    INVITED = "invited"
    COMMITTED = "committed"
    LEAVING = "leaving"
    ENDED = "ended"
    DECLINED = "declined"


@dataclass(frozen=True)
class CommitmentFacts:
    """Who acts, who steers the programme, and what the organisation knows of the sponsor.

    `actor_id` is the acting person, None for a machine; `last_day` is the sponsor's last in the organisation, once
    announced; `over` tells whether the programme is closed or cancelled.
    """

    actor_id: UUID | None
    today: date
    steering: frozenset[UUID]
    is_manager: bool
    last_day: date | None
    over: bool


def _own(commitment: "SponsorCommitment", facts: CommitmentFacts) -> Iterator[Unmet]:
    if facts.actor_id != commitment.person_id:
        yield Unmet("own-commitment", "the invited person", "someone else", [f"/people/{commitment.person_id}"])


def _ready_to_commit(commitment: "SponsorCommitment", facts: CommitmentFacts) -> Iterator[Unmet]:
    yield from _own(commitment, facts)
    refs = [f"/people/{commitment.person_id}"]
    if not facts.is_manager:
        yield Unmet("sponsor-is-manager", True, False, refs)
    if facts.last_day is not None and facts.last_day < facts.today:
        yield Unmet("sponsor-still-here", f"{facts.today} or later", facts.last_day.isoformat(), refs)
    if facts.over:
        yield Unmet("programme-open", "not closed or cancelled", "over", [f"/programmes/{commitment.programme_id}"])


def _own_or_steering(commitment: "SponsorCommitment", facts: CommitmentFacts) -> Iterator[Unmet]:
    if facts.actor_id not in {commitment.person_id, *facts.steering}:
        refs = [f"/programmes/{commitment.programme_id}"]
        yield Unmet("sponsor-or-steering", "the sponsor, the lead or the champion", "someone else", refs)


S = CommitmentStatus
SPONSOR_COMMITMENT = Lifecycle(
    CommitmentStatus,
    {
        "commit": ({S.INVITED}, S.COMMITTED, _ready_to_commit),
        "decline": ({S.INVITED}, S.DECLINED, _own),
        "announce-departure": ({S.COMMITTED, S.LEAVING}, S.LEAVING, _own_or_steering),
        "end": ({S.INVITED, S.COMMITTED, S.LEAVING}, S.ENDED, _own_or_steering),
    },
)


class SponsorCommitmentFields(SQLModel):
    """Who is asked to sponsor what."""

    programme_id: UUID = link("programmes")
    person_id: UUID = link("people")


class SponsorCommitment(SponsorCommitmentFields, Row, table=True):
    """A manager's word to stand behind a programme.

    It counts from `counts_from`, the day on which they first stood behind an agreed charter, to their last day: the
    one announced here or the one announced for the person, whichever comes first.
    """

    __tablename__ = "sponsor_commitments"
    __table_args__ = (
        Index(
            "uq_sponsor_commitments_person_id",
            "tenant_id",
            "programme_id",
            "person_id",
            unique=True,
            postgresql_where=text("status in ('invited', 'committed', 'leaving')"),
        ),
    )
    expert_sight: ClassVar[Sight] = through("programmes", "programme_id")

    status: CommitmentStatus = Field(default=CommitmentStatus.INVITED, sa_type=choice(CommitmentStatus))
    leaves_on: Day | None = None
    endorsed_version: int | None = None
    counts_from: Day | None = None
    invited_by: UUID
    reason: str | None = None

    def decline(self, facts: CommitmentFacts, reason: str) -> None:
        SPONSOR_COMMITMENT.move("decline", self, facts)
        self.reason = reason

    def announce_departure(self, facts: CommitmentFacts, leaves_on: date) -> None:
        """Raise Conflict for who may not, Invalid for a day gone by."""
        SPONSOR_COMMITMENT.move("announce-departure", self, facts)
        if leaves_on < facts.today:
            raise Invalid("departure-in-the-past", f"The last day must be {facts.today} or later.")
        self.leaves_on = leaves_on

    def end(self, facts: CommitmentFacts, reason: str) -> None:
        """End it at once: yesterday was the last day on which it counted."""
        SPONSOR_COMMITMENT.move("end", self, facts)
        yesterday = facts.today - timedelta(days=1)
        self.leaves_on, self.reason = min(self.leaves_on or yesterday, yesterday), reason

    def endorse(self, version: int, agreed: bool, today: date) -> None:
        """Stand behind a version of the charter; from an agreed one on, the sponsor counts."""
        self.endorsed_version = max(self.endorsed_version or 0, version)
        if agreed:
            self.counts_from = self.counts_from or today


def _last_day(commitment: Any, person: Any) -> ColumnElement[date | None]:
    return func.least(col(commitment.leaves_on), col(person.leaves_on), type_=Date())


def _counting(figure: Any, commitment: Any, person: Any, programme_id: Any, on: Any) -> Select[Any]:
    """A figure over the sponsors who count on a day; managers only, and experts are no people of the organisation."""
    last_day = _last_day(commitment, person)
    return (
        select(figure)
        .select_from(commitment)
        .join(person, col(person.id) == commitment.person_id)
        .where(
            col(commitment.programme_id) == programme_id,
            col(commitment.counts_from) <= on,
            or_(last_day.is_(None), last_day >= on),
            col(person.is_manager),
        )
        .correlate_except(commitment, person)
    )


def min_sponsors() -> Select[int]:
    return select(col(Policy.min_sponsors))


def sponsor_count(programme_id: Any, on: Any) -> Select[int]:
    """How many sponsors count towards the quorum on a day: distinct people, of distinct units if the policy says so."""
    commitment, person = aliased(SponsorCommitment), aliased(Person)
    by_unit = select(col(Policy.sponsors_from_distinct_units)).scalar_subquery()
    voice = case((by_unit, col(person.unit_id)), else_=col(person.id))
    return _counting(func.count(voice.distinct()), commitment, person, programme_id, on)


def committed_sponsors(programme_id: Any, today: Any) -> Select[list[UUID]]:
    """The people who count as sponsors today."""
    commitment, person = aliased(SponsorCommitment), aliased(Person)
    return _counting(gathered(col(person.id), Uuid(), col(person.id)), commitment, person, programme_id, today)


def sponsors(programme_id: Any, person_id: UUID | None, today: Any) -> Select[bool]:
    """Whether the person counts as a sponsor of the programme today."""
    commitment, person = aliased(SponsorCommitment), aliased(Person)
    own = _counting(col(commitment.id), commitment, person, programme_id, today).where(
        col(commitment.person_id) == person_id
    )
    return select(own.exists())


def quorum(programme_id: Any, on: Any) -> ColumnElement[bool]:
    return sponsor_count(programme_id, on).scalar_subquery() >= min_sponsors().scalar_subquery()


def quorum_lost_on(programme_id: Any, today: Any) -> Select[date | None]:
    """The first day without a quorum, given that there is none today.

    It follows the last departure that left too few. That a manager ceased to be one, or moved to another unit, has no
    date of its own and is taken as if it had always been so.
    """
    commitment, person = aliased(SponsorCommitment), aliased(Person)
    last_day = _last_day(commitment, person)
    return (
        select(func.max(last_day, type_=Date()) + 1)
        .select_from(commitment)
        .join(person, col(person.id) == commitment.person_id)
        .where(col(commitment.programme_id) == programme_id, last_day < today, quorum(programme_id, last_day))
        .correlate_except(commitment, person)
    )


def present_sponsors(programme_id: UUID, today: date) -> Select[SponsorCommitment]:
    """The commitments whose endorsement a charter waits for: committed or leaving, and still here."""
    last_day = _last_day(SponsorCommitment, Person)
    return (
        select(SponsorCommitment)
        .join(Person, col(Person.id) == SponsorCommitment.person_id)
        .where(
            col(SponsorCommitment.programme_id) == programme_id,
            col(SponsorCommitment.status).in_((S.COMMITTED, S.LEAVING)),
            or_(last_day.is_(None), last_day >= today),
        )
        .order_by(col(SponsorCommitment.id))
        .with_for_update(of=SponsorCommitment)
    )


def sponsor_commitment(by: Any) -> Rows:
    return _commitments().where(col(SponsorCommitment.id) == by.id)


def sponsor_commitments(by: Any) -> Rows:
    query = among(_commitments(), by, SponsorCommitment.programme_id, SponsorCommitment.person_id)
    return query if by.status is None else query.where(_shown_status() == any_(by.status))


def _shown_status() -> ColumnElement[str]:
    """What was agreed, and what the calendar made of it since."""
    last_day, status = _last_day(SponsorCommitment, Person), col(SponsorCommitment.status)
    given = status.in_((S.COMMITTED, S.LEAVING))
    return case(
        (given & (last_day < sql_today()), S.ENDED.value),
        (given & last_day.is_not(None), S.LEAVING.value),
        else_=cast(status, Text),
    )


def _commitments() -> Rows:
    today, last_day = sql_today(), _last_day(SponsorCommitment, Person)
    counts = (
        (col(SponsorCommitment.counts_from) <= today)
        & or_(last_day.is_(None), last_day >= today)
        & col(Person.is_manager)
    )
    columns = [c for c in SponsorCommitment.__table__.columns if c.name not in ("status", "leaves_on")]  # type: ignore[attr-defined]
    return select(
        *columns,
        _shown_status().label("status"),
        last_day.label("leaves_on"),
        func.coalesce(counts, False).label("counts"),
    ).join(Person, col(Person.id) == SponsorCommitment.person_id)
