"""Programmes: who leads, who champions, which units take part, and whether enough managers stand behind the work."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, Date, Select, Text, UniqueConstraint, Uuid, any_, case, cast, func, select
from sqlmodel import Field, SQLModel, col

from models.base import Row, choice, link
from models.errors import Conflict, Forbidden, Unmet
from models.lifecycle import Lifecycle
from models.organisations import Person, Policy
from models.programmes.sponsors import quorum, quorum_lost_on, sponsor_count
from models.queries import Rows, among, gathered, mentioning
from models.tenancy import Actor, Sight, sql_today, through
from models.types import Text as Prose
from models.types import Title


class ProgrammeStatus(StrEnum):
    """What people agreed."""

    DRAFT = "draft"
    PROPOSED = "proposed"
    ACTIVE = "active"
    CLOSING = "closing"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class ProgrammeStanding(StrEnum):
    """What people agreed and the calendar made of it: without its quorum an active one is at risk, then suspended."""

    DRAFT = "draft"
    PROPOSED = "proposed"
    ACTIVE = "active"
    AT_RISK = "at_risk"
    SUSPENDED = "suspended"
    CLOSING = "closing"
    CLOSED = "closed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class ProgrammeFacts:
    """Who acts, and what the programme rests on.

    `sponsor_ids` are the people who count today, `sponsors` is how many of them the quorum counts; `agreed_version` is
    the version of the charter that holds.
    """

    account_id: UUID
    actor_id: UUID | None
    sponsor_ids: list[UUID]
    sponsors: int
    min_sponsors: int
    agreed_version: int | None
    units: int
    champion_grade: int | None
    champion_min_grade: int
    combined_roles: bool
    unjudged_objectives: list[str]


def _staffed(programme: "Programme", facts: ProgrammeFacts) -> Iterator[Unmet]:
    for role in ("champion", "evangelist", "lead"):
        if getattr(programme, f"{role}_id") is None:
            yield Unmet(role, "a person", None, [programme.ref])
    if facts.champion_grade is not None and facts.champion_grade < facts.champion_min_grade:
        refs = [f"/people/{programme.champion_id}"]
        yield Unmet("champion-grade", facts.champion_min_grade, facts.champion_grade, refs)
    if programme.champion_id is not None and programme.champion_id in (programme.evangelist_id, programme.lead_id):
        yield Unmet("champion-apart", "a champion who does not work in it", "lead or evangelist", [programme.ref])
    same = programme.lead_id is not None and programme.lead_id == programme.evangelist_id
    if same and not facts.combined_roles:
        yield Unmet("one-role-each", "two people", "one person as lead and evangelist", [programme.ref])


def _manned(programme: "Programme", facts: ProgrammeFacts) -> Iterator[Unmet]:
    if facts.units < MIN_UNITS:
        yield Unmet("participating-units", MIN_UNITS, facts.units, [f"/participations?programme_id={programme.id}"])


def _by_decider(programme: "Programme", facts: ProgrammeFacts) -> Iterator[Unmet]:
    if facts.actor_id is None or facts.actor_id not in {programme.champion_id, *facts.sponsor_ids}:
        yield Unmet("sponsor-or-champion", "a committed sponsor or the champion", "someone else", [programme.ref])


def _by_steering(programme: "Programme", facts: ProgrammeFacts) -> Iterator[Unmet]:
    if not programme.steered_by(facts.account_id, facts.actor_id):
        yield Unmet("by-steering", "the lead or the champion", "someone else", [programme.ref])


def _ready_to_activate(programme: "Programme", facts: ProgrammeFacts) -> Iterator[Unmet]:
    if facts.account_id in (programme.drafted_by, programme.proposed_by):
        yield Unmet("four-eyes", "someone who neither drafted nor proposed it", "who did")
    yield from _by_decider(programme, facts)
    of = f"?programme_id={programme.id}"
    if facts.agreed_version is None:
        yield Unmet("agreed-charter", "agreed", None, [f"/charters{of}"])
    if facts.sponsors < facts.min_sponsors:
        yield Unmet("sponsor-quorum", facts.min_sponsors, facts.sponsors, [f"/sponsor-commitments{of}"])
    yield from _staffed(programme, facts)
    yield from _manned(programme, facts)


def _ready_to_close(programme: "Programme", facts: ProgrammeFacts) -> Iterator[Unmet]:
    yield from _by_decider(programme, facts)
    if facts.unjudged_objectives:
        refs = [f"/objectives?programme_id={programme.id}"]
        yield Unmet("objectives-judged", [], facts.unjudged_objectives, refs)


# No island: whatever one unit does alone is no programme.
MIN_UNITS = 2
S = ProgrammeStatus
OVER = frozenset({S.CLOSED, S.CANCELLED})
PROGRAMME = Lifecycle(
    ProgrammeStatus,
    {
        "propose": ({S.DRAFT}, S.PROPOSED, _by_steering),
        "activate": ({S.PROPOSED}, S.ACTIVE, _ready_to_activate),
        "begin-closing": ({S.ACTIVE}, S.CLOSING, _by_steering),
        "close": ({S.CLOSING}, S.CLOSED, _ready_to_close),
        "cancel": ({S.DRAFT, S.PROPOSED}, S.CANCELLED, _by_steering),
    },
)


class ProgrammeFields(SQLModel):
    """What a programme is about, whose home it has, and who holds its three roles."""

    title: Title
    summary: Prose | None = None
    home_unit_id: UUID = link("business_units")
    lead_id: UUID | None = link("people", optional=True)
    champion_id: UUID | None = link("people", optional=True)
    evangelist_id: UUID | None = link("people", optional=True)


class Programme(ProgrammeFields, Row, table=True):
    """A sponsored programme. `status` is what people agreed; `programme_standing` adds what the calendar made of it."""

    __tablename__ = "programmes"
    # An expert sees the programmes they are engaged for; row-level security shows them no other engagement.
    expert_sight: ClassVar[Sight] = Sight(
        "exists (select 1 from engagements e where e.tenant_id = {table}.tenant_id and e.programme_id = {table}.id)"
    )

    status: ProgrammeStatus = Field(default=ProgrammeStatus.DRAFT, sa_type=choice(ProgrammeStatus))
    drafted_by: UUID
    proposed_by: UUID | None = None
    reason: str | None = None

    def steered_by(self, account_id: UUID, person_id: UUID | None) -> bool:
        """Whether this is its lead or champion, or its drafter as long as it has not begun."""
        if account_id == self.drafted_by and self.status in (S.DRAFT, S.PROPOSED):
            return True
        return person_id is not None and person_id in (self.lead_id, self.champion_id)

    def require_steered_by(self, actor: Actor) -> None:
        if not self.steered_by(actor.account_id, actor.person_id):
            raise Forbidden("not-steering", "Only the programme's lead and champion steer it: ask one of them.")

    def require_open(self) -> None:
        if self.status in OVER:
            raise Conflict("programme-over", f"This programme is {self.status}: nothing in it changes any more.")

    def require_no_charter(self, charters: int) -> None:
        if charters:
            refs = [f"/charters?programme_id={self.id}"]
            unmet = [Unmet("first-charter", 0, charters, refs)]
            raise Conflict("charter-exists", "This programme has a charter: revise its newest version.", unmet=unmet)

    def require_staffed(self, facts: ProgrammeFacts) -> None:
        """Raise Conflict when a programme under way would lose a role, a unit, or give a role to somebody unfit."""
        unmet = [*_staffed(self, facts), *_manned(self, facts)]
        if self.status in (S.ACTIVE, S.CLOSING) and unmet:
            rules = ", ".join(u.rule for u in unmet)
            raise Conflict("not-staffed", f"A programme under way keeps its roles and units: {rules}.", unmet=unmet)

    def propose(self, facts: ProgrammeFacts) -> None:
        PROGRAMME.move("propose", self, facts)
        self.proposed_by = facts.account_id

    def cancel(self, facts: ProgrammeFacts, reason: str) -> None:
        PROGRAMME.move("cancel", self, facts)
        self.reason = reason


class ParticipationFields(SQLModel):
    programme_id: UUID = link("programmes")
    unit_id: UUID = link("business_units")


class Participation(ParticipationFields, Row, table=True):
    """A unit that takes part in a programme besides its home unit."""

    __tablename__ = "participations"
    __table_args__ = (UniqueConstraint("tenant_id", "programme_id", "unit_id", name="uq_participations_unit_id"),)
    expert_sight: ClassVar[Sight] = through("programmes", "programme_id")


def _units(programme_id: Any) -> Any:
    """The distinct units that take part, the home unit among them."""
    home: Select[UUID] = select(col(Programme.home_unit_id).label("unit_id")).where(col(Programme.id) == programme_id)
    return home.union(select(col(Participation.unit_id)).where(col(Participation.programme_id) == programme_id))


def unit_count(programme_id: UUID) -> Select[int]:
    return select(func.count()).select_from(_units(programme_id).subquery())


def champion_grade(person_id: UUID | None) -> Select[int]:
    return select(col(Person.grade)).where(col(Person.id) == person_id)


def champion_min_grade() -> Select[int]:
    return select(col(Policy.champion_min_grade))


def combined_roles() -> Select[bool]:
    return select(col(Policy.allow_combined_roles))


def leads(programme_id: Any, person_id: UUID | None) -> Select[bool]:
    """Whether the person is the programme's lead."""
    return _holds(Programme.lead_id, programme_id, person_id)


def champions(programme_id: Any, person_id: UUID | None) -> Select[bool]:
    """Whether the person is the programme's champion."""
    return _holds(Programme.champion_id, programme_id, person_id)


def _holds(role: Any, programme_id: Any, person_id: UUID | None) -> Select[bool]:
    held = select(col(Programme.id)).where(col(Programme.id) == programme_id, col(role) == person_id)
    return select(held.exists())


def programme_standing(programme_id: Any, today: Any) -> Select[str]:
    """The one word that other areas go by: a value of ProgrammeStanding."""
    return select(_standing(today)).where(col(Programme.id) == programme_id)


def _suspends_on(today: Any) -> ColumnElement[date | None]:
    """The day on which an active programme without its quorum suspends, or did."""
    grace = select(col(Policy.grace_days)).scalar_subquery()
    return quorum_lost_on(Programme.id, today).scalar_subquery() + grace


def _standing(today: Any) -> ColumnElement[str]:
    without = case(
        (_suspends_on(today) <= today, ProgrammeStanding.SUSPENDED.value), else_=ProgrammeStanding.AT_RISK.value
    )
    status = col(Programme.status)
    return case(((status == S.ACTIVE) & ~quorum(Programme.id, today), without), else_=cast(status, Text))


def programme(by: Any) -> Rows:
    return _programmes().where(col(Programme.id) == by.id)


def programmes(by: Any) -> Rows:
    query = among(_programmes(), by, Programme.home_unit_id, Programme.lead_id, Programme.champion_id)
    if by.status is not None:
        query = query.where(_standing(sql_today()) == any_(by.status))
    return mentioning(query, by, Programme.title, Programme.summary)


def _programmes() -> Rows:
    columns = [c for c in Programme.__table__.columns if c.name != "status"]  # type: ignore[attr-defined]
    joined = (
        select(gathered(col(Participation.unit_id), Uuid(), col(Participation.unit_id)))
        .where(col(Participation.programme_id) == col(Programme.id))
        .correlate(Programme)
    )
    shaken = (col(Programme.status) == S.ACTIVE) & ~quorum(Programme.id, sql_today())
    return select(
        *columns,
        _standing(sql_today()).label("status"),
        cast(case((shaken, _suspends_on(sql_today()))), Date).label("suspends_on"),
        sponsor_count(Programme.id, sql_today()).scalar_subquery().label("sponsors"),
        joined.scalar_subquery().label("participating_unit_ids"),
    )


def participation(by: Any) -> Rows:
    return select(Participation).where(col(Participation.id) == by.id)


def participations(by: Any) -> Rows:
    return among(select(Participation), by, Participation.programme_id, Participation.unit_id)
