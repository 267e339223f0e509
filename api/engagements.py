"""/v1/engagements and /v1/evaluations: one expert at work for one programme, from draft to closed."""

from functools import partial
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import Field
from starlette.responses import Response

from api.problems import can_refuse
from api.read import Reads
from api.routing import Area
from api.schema import Filter, In, Out, Page, Patch, Reason, Transitions, unset
from api.tx import Tx, Writes
from models.assignments import open_deliverables, scoped_assignments
from models.confidentiality import classified_assets, open_grants, return_certificates_filed, unended_grants
from models.contracts import documents_in_force
from models.engagements.engagements import (
    ENGAGEMENT,
    Engagement,
    EngagementFacts,
    EngagementFields,
    EngagementMode,
    EngagementStatus,
    Side,
    engagement,
    engagements,
    within_budget,
)
from models.engagements.evaluations import (
    EvaluationFacts,
    EvaluationFields,
    evaluate,
    evaluated_by,
    evaluation,
    evaluations,
)
from models.errors import Conflict, Forbidden, Invalid, Missing, Stale
from models.experts import Expert, expert_standing
from models.knowledge_transfer import handover_standing, planned_transfer, uncovered_topics
from models.onboarding import DocumentNeeds, dossier_standing, open_tasks, required_documents, tasks_for
from models.organisations import home_currency, msa_above_days, msa_above_value
from models.policy import Role
from models.programmes import Programme, champions, leads, programme_standing, sponsors
from models.types import Day, Money, Title

router = Area(tags=["engagements"])


class EngagementIn(EngagementFields, In):
    value: Money = Field(description="What the whole engagement may cost")


class EngagementPatch(Patch):
    title: Title = unset()
    mode: EngagementMode = unset()
    starts_on: Day = unset()
    ends_on: Day = unset()
    value: Money = unset()


class EngagementOut(EngagementFields, Out):
    value: Money
    status: EngagementStatus
    required_documents: list[str] = Field(description="Kinds of contract that must be in force to activate; computed")
    drafted_by: UUID
    edited_by: list[UUID] = Field(description="Other accounts that changed the draft")
    submitted_by: UUID | None
    decided_by: UUID | None = Field(description="The account that approved or rejected it")
    closed_by_lead: UUID | None
    closed_by_sponsor: UUID | None
    reason: str | None = Field(description="Why it was rejected, cancelled or terminated")


class EngagementFilter(Filter):
    q: Annotated[str | None, Query(max_length=200, description="Text in the title")] = None
    programme_id: list[UUID] | None = None
    expert_id: list[UUID] | None = None
    status: list[EngagementStatus] | None = None
    mode: list[EngagementMode] | None = None
    starts_on_from: Day | None = None
    starts_on_before: Day | None = None
    ends_on_from: Day | None = None
    ends_on_before: Day | None = None
    sort: Literal["created_at", "-created_at", "starts_on", "-starts_on", "ends_on", "-ends_on"] = "-created_at"


class EvaluationIn(EvaluationFields, In): ...


class EvaluationOut(EvaluationFields, Out):
    side: Side
    expert_id: UUID | None
    evaluated_by: UUID


class EvaluationFilter(Filter):
    engagement_id: list[UUID] | None = None
    side: list[Side] | None = None


async def engagement_facts(tx: Tx, row: Engagement) -> EngagementFacts:
    who = tx.actor
    return await tx.facts(
        partial(EngagementFacts, account_id=who.account_id, expert_id=who.expert_id, today=tx.today),
        is_lead=leads(row.programme_id, who.person_id),
        is_sponsor=sponsors(row.programme_id, who.person_id, tx.today),
        is_champion=champions(row.programme_id, who.person_id),
        programme=programme_standing(row.programme_id, tx.today),
        expert=expert_standing(row.expert_id, tx.today),
        scoped_assignments=scoped_assignments(row.id),
        within_budget=within_budget(row),
        documents=documents_in_force(row.id, tx.today),
        open_tasks=open_tasks(row.id),
        dossier=dossier_standing(row.id),
        planned_transfer=planned_transfer(row.id),
        handover=handover_standing(row.id),
        uncovered_topics=uncovered_topics(row.programme_id, tx.today),
        open_deliverables=open_deliverables(row.id),
        open_grants=open_grants(row.id, tx.now),
        return_certificates=return_certificates_filed(row.id),
        evaluated_by=evaluated_by(row.id),
    )


async def require_buyer(tx: Tx, programme_id: UUID) -> None:
    """Procurement buys for any programme, a lead for their own."""
    parent = await tx.get(Programme, programme_id)
    parent.require_open()
    if Role.PROCUREMENT not in tx.actor.roles:
        parent.require_steered_by(tx.actor)


@router.get("/engagements", response_model=Page[EngagementOut])
async def list_engagements(read: Reads, by: Annotated[EngagementFilter, Query()]) -> Response:
    """List engagements; an expert sees their own."""
    return await read.page(engagements, EngagementOut, by)


@router.post(
    "/engagements",
    status_code=201,
    response_model=EngagementOut,
    responses=can_refuse(Missing, Forbidden, Conflict, Invalid),
)
async def create_engagement(tx: Writes, body: EngagementIn) -> Response:
    """Draft an engagement of an expert for a programme."""
    await require_buyer(tx, body.programme_id)
    await tx.get(Expert, body.expert_id)
    row = Engagement(**body.columns(), drafted_by=tx.actor.account_id)
    row.require_ordered_days()
    return await tx.show(engagement, EngagementOut, await tx.add(row), 201)


@router.get("/engagements/{engagement_id}", response_model=EngagementOut, responses=can_refuse(Missing))
async def get_engagement(read: Reads, engagement_id: UUID) -> Response:
    """Read an engagement."""
    return await read.one(engagement, EngagementOut, id=engagement_id)


@router.patch(
    "/engagements/{engagement_id}",
    response_model=EngagementOut,
    responses=can_refuse(Missing, Forbidden, Conflict, Invalid, Stale),
)
async def update_engagement(tx: Writes, engagement_id: UUID, body: EngagementPatch) -> Response:
    """Change a draft."""
    row = await tx.lock(Engagement, engagement_id)
    await require_buyer(tx, row.programme_id)
    row.edit(tx.actor.account_id)
    tx.change(row, body)
    row.require_ordered_days()
    return await tx.show(engagement, EngagementOut, row)


@router.get("/engagements/{engagement_id}/transitions", response_model=Transitions, responses=can_refuse(Missing))
async def get_engagement_transitions(tx: Writes, engagement_id: UUID) -> Response:
    """Read what may be done with an engagement now, and what stands in the way of the rest."""
    row = await tx.get(Engagement, engagement_id)
    return tx.transitions(ENGAGEMENT, row, await engagement_facts(tx, row))


@router.post(
    "/engagements/{engagement_id}/submit",
    response_model=EngagementOut,
    responses=can_refuse(Missing, Forbidden, Conflict),
)
async def submit_engagement(tx: Writes, engagement_id: UUID) -> Response:
    """Ask for approval: refused without an approved expert and an assignment with scope and criteria."""
    row = await tx.lock(Engagement, engagement_id)
    await require_buyer(tx, row.programme_id)
    row.submit(await engagement_facts(tx, row))
    return await tx.show(engagement, EngagementOut, row)


@router.post(
    "/engagements/{engagement_id}/approve", response_model=EngagementOut, responses=can_refuse(Missing, Conflict)
)
async def approve_engagement(tx: Writes, engagement_id: UUID) -> Response:
    """Approve, as a sponsor or the champion who did not draft it, within the charter's means."""
    row = await tx.lock(Engagement, engagement_id)
    # Two approvals at once must not both spend what the charter's means leave.
    await tx.hold(Programme, row.programme_id)
    row.approve(await engagement_facts(tx, row))
    return await tx.show(engagement, EngagementOut, row)


@router.post(
    "/engagements/{engagement_id}/reject", response_model=EngagementOut, responses=can_refuse(Missing, Conflict)
)
async def reject_engagement(tx: Writes, engagement_id: UUID, body: Reason) -> Response:
    """Give it back to its drafter, with the reason."""
    row = await tx.lock(Engagement, engagement_id)
    row.reject(await engagement_facts(tx, row), body.reason)
    return await tx.show(engagement, EngagementOut, row)


@router.post(
    "/engagements/{engagement_id}/start-onboarding",
    response_model=EngagementOut,
    responses=can_refuse(Missing, Conflict),
)
async def start_onboarding_engagement(tx: Writes, engagement_id: UUID) -> Response:
    """Begin to onboard: tasks come from the template, and the documents it needs are computed."""
    row = await tx.lock(Engagement, engagement_id)
    needs = await tx.facts(
        DocumentNeeds,
        msa_above_days=msa_above_days(),
        msa_above_value=msa_above_value(),
        currency=home_currency(),
        classified_assets=classified_assets(row.programme_id),
    )
    row.start_onboarding(await engagement_facts(tx, row), required_documents(row, needs))
    for task in tasks_for(row):
        await tx.add(task)
    return await tx.show(engagement, EngagementOut, row)


@router.post(
    "/engagements/{engagement_id}/activate", response_model=EngagementOut, responses=can_refuse(Missing, Conflict)
)
async def activate_engagement(tx: Writes, engagement_id: UUID) -> Response:
    """Start the work: documents in force, mandatory tasks settled, dossier accepted, start date reached."""
    row = await tx.lock(Engagement, engagement_id)
    ENGAGEMENT.move("activate", row, await engagement_facts(tx, row))
    return await tx.show(engagement, EngagementOut, row)


@router.post(
    "/engagements/{engagement_id}/pause", response_model=EngagementOut, responses=can_refuse(Missing, Conflict)
)
async def pause_engagement(tx: Writes, engagement_id: UUID) -> Response:
    """Pause the work, as the programme's lead."""
    row = await tx.lock(Engagement, engagement_id)
    ENGAGEMENT.move("pause", row, await engagement_facts(tx, row))
    return await tx.show(engagement, EngagementOut, row)


@router.post(
    "/engagements/{engagement_id}/resume", response_model=EngagementOut, responses=can_refuse(Missing, Conflict)
)
async def resume_engagement(tx: Writes, engagement_id: UUID) -> Response:
    """Go on after a pause, as the programme's lead."""
    row = await tx.lock(Engagement, engagement_id)
    ENGAGEMENT.move("resume", row, await engagement_facts(tx, row))
    return await tx.show(engagement, EngagementOut, row)


@router.post(
    "/engagements/{engagement_id}/begin-handover", response_model=EngagementOut, responses=can_refuse(Missing, Conflict)
)
async def begin_handover_engagement(tx: Writes, engagement_id: UUID) -> Response:
    """Begin the handover, as the lead or the expert: refused without milestones that hand over topics."""
    row = await tx.lock(Engagement, engagement_id)
    ENGAGEMENT.move("begin-handover", row, await engagement_facts(tx, row))
    return await tx.show(engagement, EngagementOut, row)


@router.post(
    "/engagements/{engagement_id}/close", response_model=EngagementOut, responses=can_refuse(Missing, Conflict)
)
async def close_engagement(tx: Writes, engagement_id: UUID) -> Response:
    """Close it, as the lead and as a sponsor: it takes both.

    Refused until the client's own people can do the work, naming each critical topic below coverage.
    """
    row = await tx.lock(Engagement, engagement_id)
    row.close(await engagement_facts(tx, row))
    return await tx.show(engagement, EngagementOut, row)


@router.post(
    "/engagements/{engagement_id}/cancel",
    response_model=EngagementOut,
    responses=can_refuse(Missing, Forbidden, Conflict),
)
async def cancel_engagement(tx: Writes, engagement_id: UUID, body: Reason) -> Response:
    """Cancel an engagement that is not active yet, with the reason."""
    row = await tx.lock(Engagement, engagement_id)
    row.cancel(await engagement_facts(tx, row), body.reason)
    return await tx.show(engagement, EngagementOut, row)


@router.post(
    "/engagements/{engagement_id}/terminate", response_model=EngagementOut, responses=can_refuse(Missing, Conflict)
)
async def terminate_engagement(tx: Writes, engagement_id: UUID, body: Reason) -> Response:
    """End it before its time, with the reason; every access grant ends in the same transaction."""
    row = await tx.lock(Engagement, engagement_id)
    row.terminate(await engagement_facts(tx, row), body.reason)
    for grant in await tx.all(unended_grants(row.id)):
        grant.revoke(tx.actor.account_id, body.reason)
    return await tx.show(engagement, EngagementOut, row)


@router.get("/evaluations", response_model=Page[EvaluationOut])
async def list_evaluations(read: Reads, by: Annotated[EvaluationFilter, Query()]) -> Response:
    """List what each side said of an engagement; an expert sees their own words only."""
    return await read.page(evaluations, EvaluationOut, by)


@router.post("/evaluations", status_code=201, response_model=EvaluationOut, responses=can_refuse(Missing, Conflict))
async def create_evaluation(tx: Writes, body: EvaluationIn) -> Response:
    """Evaluate an engagement for your side, once; it is never changed."""
    parent = await tx.get(Engagement, body.engagement_id)
    facts = await tx.facts(
        partial(EvaluationFacts, account_id=tx.actor.account_id, expert_id=tx.actor.expert_id),
        is_lead=leads(parent.programme_id, tx.actor.person_id),
        is_sponsor=sponsors(parent.programme_id, tx.actor.person_id, tx.today),
    )
    row = await tx.add(evaluate(body, parent, facts))
    return await tx.show(evaluation, EvaluationOut, row, 201)


@router.get("/evaluations/{evaluation_id}", response_model=EvaluationOut, responses=can_refuse(Missing))
async def get_evaluation(read: Reads, evaluation_id: UUID) -> Response:
    """Read one side's evaluation."""
    return await read.one(evaluation, EvaluationOut, id=evaluation_id)
