"""Topics, and who can do them without the expert: assessments, coverage and the bus factor."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, Index, Select, UniqueConstraint, case, func, or_, select, true
from sqlalchemy import Text as SqlText
from sqlalchemy.orm import aliased
from sqlmodel import Field, SQLModel, col

from models.base import Row, link
from models.errors import Conflict, Invalid, Unmet
from models.organisations import Person, Policy
from models.queries import Rows, among, between, gathered, mentioning
from models.tenancy import Sight, sql_today, through
from models.types import Day, Title
from models.types import Text as Prose

TEACHES = 4


class TopicFields(SQLModel):
    programme_id: UUID = link("programmes")
    title: Title = Field(description="What it is that people must be able to do; unique in the programme")
    critical: bool = Field(default=False, description="Whether a handover is refused while too few people can do it")
    required_level: int = Field(default=3, ge=1, le=4, description="1 informed, 2 supervised, 3 alone, 4 teaches")
    min_coverage: int = Field(default=2, ge=1, le=50, description="How many internal people must reach that level")


class Topic(TopicFields, Row, table=True):
    """Something that the client's own people must be able to do once the expert is gone."""

    __tablename__ = "topics"
    __table_args__ = (UniqueConstraint("tenant_id", "programme_id", "title", name="uq_topics_title"),)
    expert_sight: ClassVar[Sight] = Sight(
        "exists (select 1 from engagements e where e.tenant_id = {table}.tenant_id"
        " and e.programme_id = {table}.programme_id)"
    )


class AssessmentFields(SQLModel):
    topic_id: UUID = link("topics")
    person_id: UUID = link("people")
    level: int = Field(ge=0, le=4, description="0 none, 1 informed, 2 supervised, 3 alone, 4 teaches")
    evidence: Prose = Field(description="What the person was seen doing")


class Assessment(AssessmentFields, Row, table=True):
    """What one person could do on one day, as another saw it. Never changed: the newest counts, until it runs out."""

    __tablename__ = "assessments"
    __table_args__ = (Index("ix_assessments_standing", "tenant_id", "topic_id", "person_id", "id"),)
    expert_sight: ClassVar[Sight] = through("topics", "topic_id")

    assessed_by: UUID
    assessed_on: Day
    valid_until: Day = Field(description="The last day on which the assessment counts")


@dataclass(frozen=True)
class AssessmentFacts:
    """Who judges, and what entitles them: a running engagement for an expert, their own level for anyone else."""

    person_id: UUID | None
    expert_id: UUID | None
    account_id: UUID
    today: date
    own_level: int
    running_engagements: int
    valid_days: int


def _entitled(given: AssessmentFields, facts: AssessmentFacts) -> Iterator[Unmet]:
    if facts.person_id == given.person_id:
        yield Unmet("four-eyes", "an assessor other than the receiver", "the receiver", [f"/people/{given.person_id}"])
    if facts.expert_id is not None:
        if facts.running_engagements == 0:
            yield Unmet("running-engagement", "a running engagement in the programme of the topic", 0)
    elif facts.own_level < TEACHES:
        yield Unmet("assessor-level", TEACHES, facts.own_level, [f"/assessments?topic_id={given.topic_id}"])


def assess(given: AssessmentFields, facts: AssessmentFacts) -> Assessment:
    """The assessment, counting for as many days as the policy says. Raises Conflict when the caller may not judge."""
    if unmet := list(_entitled(given, facts)):
        detail = "Assessed by the expert, or by a colleague who teaches the topic (level 4), never by the receiver."
        raise Conflict("cannot-assess", detail, unmet=unmet)
    return Assessment(
        **{name: getattr(given, name) for name in AssessmentFields.model_fields},
        assessed_by=facts.account_id,
        assessed_on=facts.today,
        valid_until=facts.today + timedelta(days=facts.valid_days),
    )


def _able(topic_id: Any, as_of: Any, *figures: Any) -> Rows:
    """Figures over the newest valid assessments of internal people who are still here on that day.

    An expert is no such person, so experts count 0.
    """
    newer = aliased(Assessment)
    superseded = (
        select(col(newer.id))
        .where(
            col(newer.topic_id) == Assessment.topic_id,
            col(newer.person_id) == Assessment.person_id,
            col(newer.assessed_on) <= as_of,
            col(newer.id) > Assessment.id,
        )
        .correlate(Assessment)
        .exists()
    )
    return (
        select(*figures)
        .select_from(Assessment)
        .join(Person, col(Person.id) == Assessment.person_id)
        .where(
            col(Assessment.topic_id) == topic_id,
            col(Assessment.assessed_on) <= as_of,
            col(Assessment.valid_until) >= as_of,
            or_(col(Person.leaves_on).is_(None), col(Person.leaves_on) >= as_of),
            ~superseded,
        )
        .correlate(Topic)
    )


def _at_level(level: Any) -> ColumnElement[int]:
    return func.count().filter(col(Assessment.level) >= level)


def coverage(as_of: Any) -> ColumnElement[int]:
    """Of the topic at hand: how many internal people reach its required level."""
    return _able(Topic.id, as_of, _at_level(Topic.required_level)).scalar_subquery()


def uncovered_topics(programme_id: Any, today: Any) -> Select[list[str]]:
    """The titles of the programme's critical topics that too few people can do."""
    return select(gathered(col(Topic.title), SqlText(), col(Topic.title))).where(
        col(Topic.programme_id) == programme_id, col(Topic.critical), coverage(today) < col(Topic.min_coverage)
    )


def bus_factor(programme_id: Any, as_of: Any) -> Select[int | None]:
    """The lowest coverage over the programme's critical topics; null when it has none."""
    return select(func.min(coverage(as_of))).where(col(Topic.programme_id) == programme_id, col(Topic.critical))


def own_level(topic_id: Any, person_id: UUID | None, today: Any) -> Select[int]:
    """The level of the person's newest assessment, 0 when there is none or it ran out."""
    newest = (
        select(case((col(Assessment.valid_until) >= today, col(Assessment.level)), else_=0))
        .where(col(Assessment.topic_id) == topic_id, col(Assessment.person_id) == person_id)
        .order_by(col(Assessment.id).desc())
        .limit(1)
    )
    return select(func.coalesce(newest.scalar_subquery(), 0))


def assessment_valid_days() -> Select[int]:
    return select(col(Policy.assessment_valid_days))


def topics_of(programme_id: Any, ids: list[UUID]) -> Select[int]:
    """How many of these topics belong to the programme."""
    return select(func.count()).where(col(Topic.id).in_(ids), col(Topic.programme_id) == programme_id)


def require_topics_of_programme(wanted: list[UUID], found: int) -> None:
    if found < len(set(wanted)):
        raise Invalid("topic-of-another-programme", "Each topic must be one of the engagement's own programme.")


def topic(by: Any) -> Rows:
    return told_topics(sql_today()).where(col(Topic.id) == by.id)


def topics(by: Any) -> Rows:
    query = among(told_topics(sql_today()), by, Topic.programme_id)
    if by.critical is not None:
        query = query.where(col(Topic.critical) == by.critical)
    return mentioning(query, by, Topic.title)


def told_topics(as_of: Any) -> Rows:
    """Topics with who can do them on that day: the number, the flag, the teachers, and whether it is enough."""
    able = _able(
        Topic.id, as_of, _at_level(Topic.required_level).label("coverage"), _at_level(TEACHES).label("teacher_count")
    ).lateral("able")
    flag = case((able.c.coverage == 0, "none"), (able.c.coverage == 1, "single"), else_="covered")
    return (
        select(
            *Topic.__table__.columns,  # type: ignore[attr-defined]
            able.c.coverage,
            flag.label("coverage_flag"),
            able.c.teacher_count,
            (able.c.coverage >= col(Topic.min_coverage)).label("sufficient"),
        )
        .select_from(Topic)
        .join(able, true())
    )


def assessment(by: Any) -> Rows:
    return select(Assessment).where(col(Assessment.id) == by.id)


def assessments(by: Any) -> Rows:
    query = among(select(Assessment), by, Assessment.topic_id, Assessment.person_id)
    return between(query, by, Assessment.valid_until)
