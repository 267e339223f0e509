"""/v1/topics, /v1/assessments: what the programme must be able to do alone, and who can."""

from functools import partial
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from fastapi import Query
from pydantic import Field
from sqlmodel import SQLModel
from starlette.responses import Response

from api.problems import can_refuse
from api.read import Reads
from api.routing import Area
from api.schema import Filter, In, Out, Page, Patch, unset
from api.tx import Tx, Writes
from models.errors import Conflict, Forbidden, Missing, Stale
from models.knowledge_transfer.standing import (
    programme_coverage,
    running_engagements,
)
from models.knowledge_transfer.topics import (
    AssessmentFacts,
    AssessmentFields,
    Topic,
    TopicFields,
    assess,
    assessment,
    assessment_valid_days,
    assessments,
    own_level,
    topic,
    topics,
)
from models.programmes import Programme
from models.types import Day, Title

router = Area(tags=["knowledge_transfer"])

Level = Annotated[int, Field(ge=1, le=4)]
COVERAGE = (
    "Internal people who are still here {} and whose newest assessment is valid and at required_level or above;"
    " experts count 0"
)


class TopicIn(TopicFields, In): ...


class TopicPatch(Patch):
    title: Title = unset()
    critical: bool = unset()
    required_level: Level = unset()
    min_coverage: Annotated[int, Field(ge=1, le=50)] = unset()


class TopicOut(TopicFields, Out):
    derived: ClassVar = ("coverage", "coverage_flag", "teacher_count", "sufficient")

    coverage: int = Field(description=COVERAGE.format("today"))
    coverage_flag: Literal["none", "single", "covered"] = Field(description="none: 0, single: 1, covered: 2 or more")
    teacher_count: int = Field(description="Of the internal people with a valid newest assessment, those at level 4")
    sufficient: bool = Field(description="Whether coverage reaches min_coverage")


class TopicFilter(Filter):
    q: Annotated[str | None, Query(max_length=200, description="Text in the title")] = None
    programme_id: list[UUID] | None = None
    critical: bool | None = None
    sort: Literal["created_at", "-created_at", "title", "-title"] = "-created_at"


class ProgrammeCoverageOut(SQLModel):
    programme_id: UUID
    as_of: Day = Field(description="The organisation's date today, for which the figures hold")
    bus_factor: int | None = Field(description="The lowest coverage over critical topics; null without any")
    uncovered_topics: list[str] = Field(description="Titles of critical topics below coverage")


class AssessmentIn(AssessmentFields, In): ...


class AssessmentOut(AssessmentFields, Out):
    assessed_by: UUID = Field(description="The account that judged; never the person's own")
    assessed_on: Day
    valid_until: Day = Field(description="The last day on which it counts")


class AssessmentFilter(Filter):
    topic_id: list[UUID] | None = None
    person_id: list[UUID] | None = None
    valid_until_from: Day | None = None
    valid_until_before: Day | None = None


async def assessment_facts(tx: Tx, given: AssessmentFields) -> AssessmentFacts:
    who = tx.actor
    return await tx.facts(
        partial(AssessmentFacts, who.person_id, who.expert_id, who.account_id, tx.today),
        own_level=own_level(given.topic_id, who.person_id, tx.today),
        running_engagements=running_engagements(given.topic_id, who.expert_id),
        valid_days=assessment_valid_days(),
    )


@router.get("/topics", response_model=Page[TopicOut])
async def list_topics(read: Reads, by: Annotated[TopicFilter, Query()]) -> Response:
    """List topics with who can do them today."""
    return await read.page(topics, TopicOut, by)


async def require_led(tx: Tx, programme_id: UUID) -> None:
    parent = await tx.get(Programme, programme_id)
    parent.require_steered_by(tx.actor)
    parent.require_open()


@router.post("/topics", status_code=201, response_model=TopicOut, responses=can_refuse(Missing, Forbidden, Conflict))
async def create_topic(tx: Writes, body: TopicIn) -> Response:
    """Name something that the programme's own people must be able to do in the end, as its lead."""
    await require_led(tx, body.programme_id)
    row = await tx.add(Topic(**body.columns()))
    return await tx.show(topic, TopicOut, row, 201)


@router.get("/topics/{topic_id}", response_model=TopicOut, responses=can_refuse(Missing))
async def get_topic(read: Reads, topic_id: UUID) -> Response:
    """Read a topic with its coverage today."""
    return await read.one(topic, TopicOut, id=topic_id)


@router.patch("/topics/{topic_id}", response_model=TopicOut, responses=can_refuse(Missing, Forbidden, Conflict, Stale))
async def update_topic(tx: Writes, topic_id: UUID, body: TopicPatch) -> Response:
    """Change a topic, or how well and by how many it must be known, as the programme's lead."""
    row = await tx.lock(Topic, topic_id)
    await require_led(tx, row.programme_id)
    tx.change(row, body)
    return await tx.show(topic, TopicOut, row)


@router.get("/programmes/{programme_id}/coverage", response_model=ProgrammeCoverageOut, responses=can_refuse(Missing))
async def get_programme_coverage(read: Reads, programme_id: UUID) -> Response:
    """Read how much of a programme would stand without its experts: bus factor and topics below coverage."""
    return await read.one(programme_coverage, ProgrammeCoverageOut, id=programme_id)


@router.get("/assessments", response_model=Page[AssessmentOut])
async def list_assessments(read: Reads, by: Annotated[AssessmentFilter, Query()]) -> Response:
    """List what people were judged able to do."""
    return await read.page(assessments, AssessmentOut, by)


@router.post("/assessments", status_code=201, response_model=AssessmentOut, responses=can_refuse(Missing, Conflict))
async def create_assessment(tx: Writes, body: AssessmentIn) -> Response:
    """Judge what a person can do: by the expert or a colleague who teaches the topic, never by oneself."""
    await tx.get(Topic, body.topic_id)
    row = await tx.add(assess(body, await assessment_facts(tx, body)))
    return await tx.show(assessment, AssessmentOut, row, 201)


@router.get("/assessments/{assessment_id}", response_model=AssessmentOut, responses=can_refuse(Missing))
async def get_assessment(read: Reads, assessment_id: UUID) -> Response:
    """Read an assessment."""
    return await read.one(assessment, AssessmentOut, id=assessment_id)
