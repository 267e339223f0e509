"""Charters: what a programme is to reach, in figures, and by which means; agreed when all who answer endorse it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Date, Select, Text, UniqueConstraint, func, select
from sqlmodel import Field, SQLModel, col

from models.base import Row, amount, choice, currency, figure, link
from models.errors import Conflict, Forbidden, Invalid, Unmet
from models.lifecycle import Lifecycle
from models.programmes.sponsors import SponsorCommitment
from models.queries import Rows, among, between, gathered, mentioning
from models.tenancy import Sight, through
from models.types import Day, Figure, Title
from models.types import Text as Prose


class CharterStatus(StrEnum):
    DRAFT = "draft"
    IN_REVIEW = "in_review"
    AGREED = "agreed"
    SUPERSEDED = "superseded"


class MeansSource(StrEnum):
    NEW = "new"
    REALLOCATED = "reallocated"


class Direction(StrEnum):
    INCREASE = "increase"
    DECREASE = "decrease"


class Verdict(StrEnum):
    MET = "met"
    PARTIALLY_MET = "partially_met"
    NOT_MET = "not_met"


@dataclass(frozen=True)
class CharterFacts:
    """Who acts, who has to endorse, and how many objectives the version holds.

    `actor_id` is the acting person, `sponsors` are the people committed and still here.
    """

    account_id: UUID
    actor_id: UUID | None
    today: date
    champion_id: UUID | None
    sponsors: frozenset[UUID]
    min_sponsors: int
    objectives: int


def _ready_for_review(charter: "Charter", facts: CharterFacts) -> Iterator[Unmet]:
    if facts.objectives == 0:
        yield Unmet("objectives-in-figures", "at least one", 0, [f"/objectives?charter_id={charter.id}"])


def _may_endorse(charter: "Charter", facts: CharterFacts) -> Iterator[Unmet]:
    if facts.account_id == charter.drafted_by:
        yield Unmet("four-eyes", "someone who did not draft it", "its drafter")
    if facts.actor_id is None or facts.actor_id not in {facts.champion_id, *facts.sponsors}:
        refs = [f"/sponsor-commitments?programme_id={charter.programme_id}"]
        yield Unmet("sponsor-or-champion", "a committed sponsor or the champion", "someone else", refs)


S = CharterStatus
CHARTER = Lifecycle(
    CharterStatus,
    {
        "submit": ({S.DRAFT}, S.IN_REVIEW, _ready_for_review),
        "endorse": ({S.IN_REVIEW, S.AGREED}, None, _may_endorse),
        "revise": ({S.IN_REVIEW, S.AGREED}, None),
    },
)


class CharterText(SQLModel):
    """What a version says, besides its objectives."""

    approach: Prose
    means_source: MeansSource = Field(sa_type=choice(MeansSource))
    means_from_unit_id: UUID | None = link("business_units", optional=True)
    horizon_on: Day = Field(description="The day by which the objectives are to be reached")
    review_dates: list[Day] = Field(default_factory=list, max_length=50, sa_type=ARRAY(Date))


class CharterFields(CharterText):
    programme_id: UUID = link("programmes")


class Charter(CharterFields, Row, table=True):
    """One version of a programme's charter. Endorsements are of this version: a revision starts without any."""

    __tablename__ = "charters"
    __table_args__ = (
        UniqueConstraint("tenant_id", "programme_id", "number", name="uq_charters_number"),
        CheckConstraint(
            "(means_source = 'reallocated') = (means_from_unit_id is not null)", name="reallocated_from_a_unit"
        ),
    )
    expert_sight: ClassVar[Sight] = through("programmes", "programme_id")

    number: int = 1
    means_amount: Decimal = amount()
    means_currency: str = currency()
    status: CharterStatus = Field(default=CharterStatus.DRAFT, sa_type=choice(CharterStatus))
    drafted_by: UUID
    champion_endorsed: UUID | None = link("people", optional=True)
    agreed_on: Day | None = None

    def require_source(self) -> None:
        """Raise Invalid unless reallocated means name the unit that they come from, and new ones none."""
        if (self.means_source == MeansSource.REALLOCATED) != (self.means_from_unit_id is not None):
            detail = "Reallocated means name the unit they come from (means_from_unit_id); new means come from none."
            raise Invalid("means-without-source", detail)

    def require_draft(self) -> None:
        if self.status is not S.DRAFT:
            raise Conflict("not-a-draft", f"This version is {self.status}: revise it to make the next one.")

    def endorse(
        self, facts: CharterFacts, commitments: Sequence[SponsorCommitment], predecessor: "Charter | None"
    ) -> None:
        """Endorse this version as champion, as sponsor or as both; the last one needed makes it agreed.

        `commitments` are those of `facts.sponsors`; `predecessor` is the agreed version that this one would supersede.
        """
        CHARTER.move("endorse", self, facts)
        if facts.actor_id == facts.champion_id:
            self.champion_endorsed = facts.actor_id
        for own in (c for c in commitments if c.person_id == facts.actor_id):
            own.endorse(self.number, self.status is S.AGREED, facts.today)
        if self.status is S.IN_REVIEW and self._endorsed_by_all(facts, commitments):
            self._agree(facts, commitments, predecessor)

    def _endorsed_by_all(self, facts: CharterFacts, commitments: Sequence[SponsorCommitment]) -> bool:
        by_champion = facts.champion_id is not None and self.champion_endorsed == facts.champion_id
        by_sponsors = all(c.endorsed_version == self.number for c in commitments)
        return by_champion and by_sponsors and len(commitments) >= facts.min_sponsors

    def _agree(
        self, facts: CharterFacts, commitments: Sequence[SponsorCommitment], predecessor: "Charter | None"
    ) -> None:
        self.status, self.agreed_on = S.AGREED, facts.today
        for commitment in commitments:
            commitment.endorse(self.number, True, facts.today)
        if predecessor is not None and predecessor.id != self.id:
            predecessor.status = S.SUPERSEDED

    def revise(self, by: UUID) -> "Charter":
        """The next version, a draft with the same text. An agreed version holds until the next one is agreed."""
        CHARTER.move("revise", self)
        if self.status is S.IN_REVIEW:
            self.status = S.SUPERSEDED
        kept = {name: getattr(self, name) for name in (*CharterFields.model_fields, "means_amount", "means_currency")}
        return Charter(**kept, number=self.number + 1, drafted_by=by)


class ObjectiveText(SQLModel):
    """What is to be reached, in figures, and who says whether it was."""

    title: Title
    kpi: Title = Field(description="What is measured")
    measured_in: Title = Field(description="The unit of the figures, such as % or days")
    baseline: Figure = figure()
    target: Figure = figure()
    direction: Direction = Field(sa_type=choice(Direction))
    data_source: Title
    judge_id: UUID = link("people")
    judged_on: Day = Field(description="The day from which it can be judged")


class ObjectiveFields(ObjectiveText):
    charter_id: UUID = link("charters")


class Objective(ObjectiveFields, Row, table=True):
    """One objective of one version of a charter; the verdict is its judge's alone."""

    __tablename__ = "objectives"
    __table_args__ = (
        CheckConstraint(
            "case direction when 'increase' then target > baseline else target < baseline end",
            name="target_lies_in_the_direction",
        ),
    )
    expert_sight: ClassVar[Sight] = through("programmes", "programme_id")

    programme_id: UUID = link("programmes")
    verdict: Verdict | None = Field(default=None, nullable=True, sa_type=choice(Verdict))
    result: Figure | None = figure(optional=True)
    verdict_note: str | None = None

    def require_direction(self) -> None:
        """Raise Invalid when the target does not lie where the direction points."""
        if (self.target > self.baseline) != (self.direction == Direction.INCREASE) or self.target == self.baseline:
            side = "above" if self.direction == Direction.INCREASE else "below"
            raise Invalid("target-against-direction", f"To {self.direction}, the target must lie {side} the baseline.")

    def copied_to(self, charter: Charter) -> "Objective":
        """The same objective in another version of the charter, not yet judged."""
        kept = {name: getattr(self, name) for name in ObjectiveText.model_fields}
        return Objective(**kept, charter_id=charter.id, programme_id=charter.programme_id)

    def require_judge(self, person_id: UUID | None) -> None:
        if person_id is None or person_id != self.judge_id:
            raise Forbidden("not-the-judge", f"Only the person {self.judge_id} judges this objective.")

    def judge(self, charter: Charter, today: date, verdict: Verdict, result: Decimal, note: str | None) -> None:
        """Give the verdict, once. Raises Conflict too early, a second time, or outside an agreed charter."""
        if self.verdict is not None:
            raise Conflict("already-judged", f"This objective is judged already: {self.verdict}.")
        if charter.status is not S.AGREED:
            raise Conflict("charter-not-agreed", f"The charter's version {charter.number} is {charter.status}.")
        if today < self.judged_on:
            raise Conflict("too-early-to-judge", f"This objective is judged from {self.judged_on} on.")
        self.verdict, self.result, self.verdict_note = verdict, result, note


def charter(by: Any) -> Rows:
    return select(Charter).where(col(Charter.id) == by.id)


def charters(by: Any) -> Rows:
    return among(select(Charter), by, Charter.programme_id, Charter.status)


def charter_count(programme_id: UUID) -> Select[int]:
    return select(func.count()).where(col(Charter.programme_id) == programme_id)


def agreed_charter(programme_id: UUID) -> Select[Charter]:
    return select(Charter).where(col(Charter.programme_id) == programme_id, col(Charter.status) == S.AGREED)


def agreed_version(programme_id: Any) -> Select[int | None]:
    """The number of the charter's version that holds; none before the first was agreed."""
    return select(func.max(col(Charter.number))).where(
        col(Charter.programme_id) == programme_id, col(Charter.status) == S.AGREED
    )


def charter_means(programme_id: Any, currency: str) -> Select[Decimal | None]:
    """What the agreed charter puts up, if it is in this currency."""
    return select(col(Charter.means_amount)).where(
        col(Charter.programme_id) == programme_id,
        col(Charter.status) == S.AGREED,
        col(Charter.means_currency) == currency,
    )


def objective(by: Any) -> Rows:
    return select(Objective).where(col(Objective.id) == by.id)


def objectives(by: Any) -> Rows:
    query = among(select(Objective), by, Objective.programme_id, Objective.charter_id, Objective.judge_id)
    return mentioning(between(query, by, Objective.judged_on), by, Objective.title, Objective.kpi)


def objectives_of(charter_id: UUID) -> Select[Objective]:
    return select(Objective).where(col(Objective.charter_id) == charter_id).order_by(col(Objective.id))


def objective_count(charter_id: UUID) -> Select[int]:
    return select(func.count()).where(col(Objective.charter_id) == charter_id)


def unjudged_objectives(programme_id: UUID) -> Select[list[str]]:
    """The objectives of the agreed charter that nobody has judged yet."""
    title = col(Objective.title)
    return (
        select(gathered(title, Text(), title))
        .join(Charter, col(Charter.id) == Objective.charter_id)
        .where(
            col(Objective.programme_id) == programme_id,
            col(Charter.status) == S.AGREED,
            col(Objective.verdict).is_(None),
        )
    )
