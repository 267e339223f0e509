"""/v1/milestones, /v1/progress-entries: the steps of a handover and the expert's log of progress."""

from functools import partial
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import Field
from sqlmodel import col, select
from starlette.responses import Response

from api.auth import Caller, authenticate
from api.hot import Hot
from api.problems import can_refuse
from api.read import Reads
from api.routing import Area
from api.schema import Filter, In, Out, Page, Patch, Reason, Transitions, unset
from api.tx import Tx, Writes
from models.engagements import ENDED, Engagement, engagement_status, programme_of
from models.errors import Conflict, Forbidden, Invalid, Missing, Stale
from models.knowledge_transfer.milestones import (
    MILESTONE,
    Milestone,
    MilestoneFacts,
    MilestoneFields,
    MilestoneReceiver,
    MilestoneStatus,
    MilestoneTopic,
    ProgressEntryFields,
    milestone,
    milestones,
    progress_entries,
    progress_entry,
    receiver,
    receivers,
    receivers_of,
    topics_handed_over,
    topics_of_milestone,
    unconfirmed,
)
from models.knowledge_transfer.topics import (
    require_topics_of_programme,
    topics_of,
)
from models.programmes import Programme, champions, leads
from models.tenancy import Actor
from models.types import Day, Text, Title

router = Area(tags=["knowledge_transfer"])


TopicIds = Annotated[
    list[UUID], Field(min_length=1, max_length=20, description="Topics of the programme it hands over")
]
ReceiverIds = Annotated[
    list[UUID], Field(min_length=1, max_length=50, description="Internal people to whom it hands over; all confirm it")
]


class MilestoneIn(MilestoneFields, In):
    topic_ids: TopicIds
    receiver_ids: ReceiverIds


class MilestonePatch(Patch):
    title: Title = unset()
    due_on: Day = unset()
    weight: Annotated[int, Field(ge=1, le=100)] = unset()
    acceptance_criteria: Text = unset()
    required: bool = unset()
    topic_ids: TopicIds = unset()
    receiver_ids: ReceiverIds = unset()

    def columns(self) -> dict[str, Any]:
        given = super().columns()
        return {name: value for name, value in given.items() if name in MilestoneFields.model_fields}


class MilestoneOut(MilestoneFields, Out):
    derived: ClassVar = ("overdue", "topic_ids", "receiver_ids", "confirmed_by")

    status: MilestoneStatus
    percent: int = Field(description="What the newest progress entry says")
    overdue: bool = Field(description="Open after its due date")
    topic_ids: list[UUID]
    receiver_ids: list[UUID]
    confirmed_by: list[UUID] = Field(description="The receivers who confirmed that it reached them")
    submitted_by: UUID | None = Field(description="The expert's account that submitted it last")
    decided_by: UUID | None = Field(description="The account that accepted, returned or waived it last")
    decided_on: Day | None
    reason: str | None = Field(description="Why it was returned or waived")


class MilestoneFilter(Filter):
    q: Annotated[str | None, Query(max_length=200, description="Text in the title")] = None
    engagement_id: list[UUID] | None = None
    status: list[MilestoneStatus] | None = None
    overdue: bool | None = None
    due_on_from: Day | None = None
    due_on_before: Day | None = None
    sort: Literal["created_at", "-created_at", "due_on", "-due_on"] = "-created_at"


class ProgressEntryIn(ProgressEntryFields, In): ...


class ProgressEntryOut(ProgressEntryFields, Out):
    on: Day
    milestone_id: UUID
    engagement_id: UUID
    logged_by: UUID = Field(description="The expert's account that logged it")


class ProgressEntryFilter(Filter):
    milestone_id: list[UUID] | None = None
    engagement_id: list[UUID] | None = None
    on_from: Day | None = None
    on_before: Day | None = None
    sort: Literal["created_at", "-created_at", "on", "-on"] = "-created_at"


async def milestone_facts(tx: Tx, row: Milestone) -> MilestoneFacts:
    actor = tx.actor
    return await tx.facts(
        partial(MilestoneFacts, account_id=actor.account_id, person_id=actor.person_id, expert_id=actor.expert_id),
        engagement_status=engagement_status(row.engagement_id),
        topics=topics_handed_over(row.id),
        receivers=receivers(row.id),
        unconfirmed=unconfirmed(row.id),
        is_lead=leads(programme_of(row.engagement_id), actor.person_id),
        is_champion=champions(programme_of(row.engagement_id), actor.person_id),
    )


def progress_queries(milestone_id: Any) -> dict[str, Any]:
    engagement_id = select(col(Milestone.engagement_id)).where(col(Milestone.id) == milestone_id).scalar_subquery()
    return {"engagement_status": engagement_status(engagement_id)}


def progress_facts(actor: Actor, engagement_status: str) -> MilestoneFacts:
    """What the guard of progress asks: who acts, and whether the engagement runs."""
    who = actor.account_id, actor.person_id, actor.expert_id
    return MilestoneFacts(*who, engagement_status, topics=0, receivers=[], unconfirmed=[])


async def open_progress(
    request: Request, caller: Annotated[Caller, Depends(authenticate)], milestone_id: UUID
) -> Hot[Milestone]:
    return await Hot(request, caller, Milestone, milestone_id, progress_queries).look()


Progress = Annotated[Hot[Milestone], Depends(open_progress)]


async def require_plannable(tx: Tx, engagement_id: UUID, topic_ids: list[UUID]) -> None:
    """Refuse who does not steer the programme, an engagement that has ended, and topics of another programme."""
    engagement = await tx.get(Engagement, engagement_id)
    programme = await tx.get(Programme, engagement.programme_id)
    programme.require_steered_by(tx.actor)
    engagement.require_not(*ENDED)
    found = await tx.value(topics_of(engagement.programme_id, topic_ids))
    require_topics_of_programme(topic_ids, found or 0)


async def hand_over(tx: Tx, row: Milestone, topic_ids: list[UUID], receiver_ids: list[UUID]) -> None:
    for topic_id in dict.fromkeys(topic_ids):
        await tx.add(MilestoneTopic(milestone_id=row.id, topic_id=topic_id))
    for person_id in dict.fromkeys(receiver_ids):
        await tx.add(MilestoneReceiver(milestone_id=row.id, person_id=person_id))


@router.get("/milestones", response_model=Page[MilestoneOut])
async def list_milestones(read: Reads, by: Annotated[MilestoneFilter, Query()]) -> Response:
    """List milestones; an expert sees those of their own engagements."""
    return await read.page(milestones, MilestoneOut, by)


@router.post(
    "/milestones",
    status_code=201,
    response_model=MilestoneOut,
    responses=can_refuse(Missing, Forbidden, Conflict, Invalid),
)
async def create_milestone(tx: Writes, body: MilestoneIn) -> Response:
    """Plan a step of the handover, as the lead: which topics reach whom by when."""
    await require_plannable(tx, body.engagement_id, body.topic_ids)
    row = await tx.add(Milestone(**{name: getattr(body, name) for name in MilestoneFields.model_fields}))
    await hand_over(tx, row, body.topic_ids, body.receiver_ids)
    return await tx.show(milestone, MilestoneOut, row, 201)


@router.get("/milestones/{milestone_id}", response_model=MilestoneOut, responses=can_refuse(Missing))
async def get_milestone(read: Reads, milestone_id: UUID) -> Response:
    """Read a milestone."""
    return await read.one(milestone, MilestoneOut, id=milestone_id)


@router.patch(
    "/milestones/{milestone_id}",
    response_model=MilestoneOut,
    responses=can_refuse(Missing, Forbidden, Conflict, Invalid, Stale),
)
async def update_milestone(tx: Writes, milestone_id: UUID, body: MilestonePatch) -> Response:
    """Change a milestone that is still planned; topics and receivers are replaced as a whole."""
    row = await tx.lock(Milestone, milestone_id)
    await require_plannable(tx, row.engagement_id, body.topic_ids or [])
    row.require_planned()
    tx.change(row, body)
    for old in await tx.all(topics_of_milestone(row.id)) if body.topic_ids else ():
        await tx.remove(old)
    for former in await tx.all(receivers_of(row.id)) if body.receiver_ids else ():
        await tx.remove(former)
    await hand_over(tx, row, body.topic_ids or [], body.receiver_ids or [])
    return await tx.show(milestone, MilestoneOut, row)


@router.get("/milestones/{milestone_id}/transitions", response_model=Transitions, responses=can_refuse(Missing))
async def get_milestone_transitions(tx: Writes, milestone_id: UUID) -> Response:
    """Read what may be done with a milestone now, and what stands in the way of the rest."""
    row = await tx.get(Milestone, milestone_id)
    return tx.transitions(MILESTONE, row, await milestone_facts(tx, row))


@router.post(
    "/milestones/{milestone_id}/progress",
    status_code=201,
    response_model=ProgressEntryOut,
    responses=can_refuse(Missing, Conflict, Invalid),
)
async def progress_milestone(hot: Progress, body: ProgressEntryIn) -> Response:
    """Log progress, as the expert. Entries are never changed; percent may fall, with a note."""
    return await hot.write(
        progress_facts, lambda row, facts, actor: row.progress(body, facts, actor.today), ProgressEntryOut
    )


@router.post("/milestones/{milestone_id}/confirm", response_model=MilestoneOut, responses=can_refuse(Missing, Conflict))
async def confirm_milestone(tx: Writes, milestone_id: UUID) -> Response:
    """Confirm, as one of its receivers, that what was submitted reached you."""
    row = await tx.lock(Milestone, milestone_id)
    MILESTONE.move("confirm", row, await milestone_facts(tx, row))
    for own in await tx.all(receiver(row.id, tx.actor.person_id)):
        own.confirmed_at = own.confirmed_at or tx.now
    return await tx.show(milestone, MilestoneOut, row)


@router.post("/milestones/{milestone_id}/submit", response_model=MilestoneOut, responses=can_refuse(Missing, Conflict))
async def submit_milestone(tx: Writes, milestone_id: UUID) -> Response:
    """Submit a milestone, as the expert, once it is done."""
    row = await tx.lock(Milestone, milestone_id)
    row.submit(await milestone_facts(tx, row))
    return await tx.show(milestone, MilestoneOut, row)


@router.post("/milestones/{milestone_id}/accept", response_model=MilestoneOut, responses=can_refuse(Missing, Conflict))
async def accept_milestone(tx: Writes, milestone_id: UUID) -> Response:
    """Accept a milestone, as the programme's lead, once every receiver confirmed it."""
    row = await tx.lock(Milestone, milestone_id)
    row.accept(await milestone_facts(tx, row), tx.today)
    return await tx.show(milestone, MilestoneOut, row)


@router.post("/milestones/{milestone_id}/return", response_model=MilestoneOut, responses=can_refuse(Missing, Conflict))
async def return_milestone(tx: Writes, milestone_id: UUID, body: Reason) -> Response:
    """Give a submitted milestone back with the reason; its receivers will confirm anew."""
    row = await tx.lock(Milestone, milestone_id)
    row.give_back(await milestone_facts(tx, row), body.reason, tx.today)
    for each in await tx.all(receivers_of(row.id)):
        each.confirmed_at = None
    return await tx.show(milestone, MilestoneOut, row)


@router.post("/milestones/{milestone_id}/waive", response_model=MilestoneOut, responses=can_refuse(Missing, Conflict))
async def waive_milestone(tx: Writes, milestone_id: UUID, body: Reason) -> Response:
    """Do without a milestone, as the champion, with the reason."""
    row = await tx.lock(Milestone, milestone_id)
    row.waive(await milestone_facts(tx, row), body.reason, tx.today)
    return await tx.show(milestone, MilestoneOut, row)


@router.get("/progress-entries", response_model=Page[ProgressEntryOut])
async def list_progress_entries(read: Reads, by: Annotated[ProgressEntryFilter, Query()]) -> Response:
    """List the log of progress."""
    return await read.page(progress_entries, ProgressEntryOut, by)


@router.get("/progress-entries/{entry_id}", response_model=ProgressEntryOut, responses=can_refuse(Missing))
async def get_progress_entry(read: Reads, entry_id: UUID) -> Response:
    """Read an entry of the log of progress."""
    return await read.one(progress_entry, ProgressEntryOut, id=entry_id)
