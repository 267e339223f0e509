"""/v1/assignments and /v1/deliverables: scope agreed before the work, and work accepted by who did not do it."""

from functools import partial
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from fastapi import Query
from pydantic import Field
from starlette.responses import Response

from api.problems import can_refuse
from api.read import Reads
from api.routing import Area
from api.schema import Filter, In, Out, Page, Patch, Reason, Transitions, unset
from api.tx import Tx, Writes
from models.assignments import (
    ASSIGNMENT,
    DELIVERABLE,
    Assignment,
    AssignmentFacts,
    AssignmentFields,
    AssignmentKind,
    AssignmentStatus,
    Deliverable,
    DeliverableFacts,
    DeliverableFields,
    DeliverableStatus,
    assignment,
    assignment_standing,
    assignments,
    deliverable,
    deliverables,
    require_steady,
    unaccepted,
    unsubmitted,
)
from models.engagements import ENDED, Engagement, engagement_status, programme_of
from models.errors import Conflict, Invalid, Missing, Stale
from models.programmes import leads, programme_standing
from models.types import Day, Money, Text, Title

router = Area(tags=["assignments"])

Lines = Annotated[list[Title], Field(max_length=100)]


class AssignmentIn(AssignmentFields, In):
    in_scope: Lines = []
    out_of_scope: Lines = []
    assumptions: Lines = []
    acceptance_criteria: Lines = []
    value: Money | None = None


class AssignmentPatch(Patch):
    title: Title = unset()
    kind: AssignmentKind = unset()
    objectives: Text = unset()
    in_scope: Lines = unset()
    out_of_scope: Lines = unset()
    assumptions: Lines = unset()
    acceptance_criteria: Lines = unset()
    effort_days: Annotated[int, Field(ge=1, le=1000)] = unset()
    starts_on: Day = unset()
    ends_on: Day = unset()
    value: Money | None = unset()


class AssignmentOut(AssignmentFields, Out):
    value: Money | None
    status: AssignmentStatus
    drafted_by: UUID
    edited_by: list[UUID] = Field(description="Other accounts that changed the draft")
    delivered_by: UUID | None
    decided_by: UUID | None
    reason: str | None = Field(description="Why it was returned or cancelled")


class AssignmentFilter(Filter):
    q: Annotated[str | None, Query(max_length=200, description="Text in the title")] = None
    engagement_id: list[UUID] | None = None
    kind: list[AssignmentKind] | None = None
    status: list[AssignmentStatus] | None = None
    starts_on_from: Day | None = None
    starts_on_before: Day | None = None
    sort: Literal["created_at", "-created_at", "starts_on", "-starts_on"] = "-created_at"


class DeliverableIn(DeliverableFields, In): ...


class DeliverablePatch(Patch):
    title: Title = unset()
    due_on: Day = unset()
    acceptance_criteria: Text = unset()


class DeliverableOut(DeliverableFields, Out):
    derived: ClassVar = ("overdue",)

    engagement_id: UUID
    status: DeliverableStatus
    overdue: bool = Field(description="Not submitted after its due date")
    evidence: str | None = Field(description="Where it lies")
    submitted_by: UUID | None
    decided_by: UUID | None
    reason: str | None = Field(description="Why it was rejected")


class DeliverableFilter(Filter):
    q: Annotated[str | None, Query(max_length=200, description="Text in the title")] = None
    engagement_id: list[UUID] | None = None
    assignment_id: list[UUID] | None = None
    status: list[DeliverableStatus] | None = None
    overdue: bool | None = None
    due_on_from: Day | None = None
    due_on_before: Day | None = None
    sort: Literal["created_at", "-created_at", "due_on", "-due_on"] = "-created_at"


class Submission(In):
    evidence: Text = Field(description="Where the deliverable lies")


async def assignment_facts(tx: Tx, row: Assignment) -> AssignmentFacts:
    programme = programme_of(row.engagement_id)
    return await tx.facts(
        partial(AssignmentFacts, account_id=tx.actor.account_id, expert_id=tx.actor.expert_id),
        is_lead=leads(programme, tx.actor.person_id),
        programme=programme_standing(programme, tx.today),
        engagement=engagement_status(row.engagement_id),
        unsubmitted=unsubmitted(row.id),
        unaccepted=unaccepted(row.id),
    )


async def deliverable_facts(tx: Tx, row: Deliverable) -> DeliverableFacts:
    return await tx.facts(
        partial(DeliverableFacts, account_id=tx.actor.account_id, expert_id=tx.actor.expert_id),
        is_lead=leads(programme_of(row.engagement_id), tx.actor.person_id),
        assignment=assignment_standing(row.assignment_id),
        engagement=engagement_status(row.engagement_id),
    )


async def require_scopable(tx: Tx, engagement_id: UUID) -> Engagement:
    """The engagement, if new scope may still be written for it."""
    # Held, so that no engagement is closed past what comes in meanwhile.
    parent = await tx.hold(Engagement, engagement_id)
    parent.require_not(*ENDED)
    require_steady(await tx.value(programme_standing(parent.programme_id, tx.today)), parent)
    return parent


@router.get("/assignments", response_model=Page[AssignmentOut])
async def list_assignments(read: Reads, by: Annotated[AssignmentFilter, Query()]) -> Response:
    """List assignments; an expert sees those of their own engagements."""
    return await read.page(assignments, AssignmentOut, by)


@router.post(
    "/assignments", status_code=201, response_model=AssignmentOut, responses=can_refuse(Missing, Conflict, Invalid)
)
async def create_assignment(tx: Writes, body: AssignmentIn) -> Response:
    """Draft a piece of work: what is in scope, what is not, and when it counts as done."""
    await require_scopable(tx, body.engagement_id)
    row = Assignment(**body.columns(), drafted_by=tx.actor.account_id)
    row.require_ordered_days()
    return await tx.show(assignment, AssignmentOut, await tx.add(row), 201)


@router.get("/assignments/{assignment_id}", response_model=AssignmentOut, responses=can_refuse(Missing))
async def get_assignment(read: Reads, assignment_id: UUID) -> Response:
    """Read an assignment."""
    return await read.one(assignment, AssignmentOut, id=assignment_id)


@router.patch(
    "/assignments/{assignment_id}",
    response_model=AssignmentOut,
    responses=can_refuse(Missing, Conflict, Invalid, Stale),
)
async def update_assignment(tx: Writes, assignment_id: UUID, body: AssignmentPatch) -> Response:
    """Change a draft; what was agreed is not changed in passing."""
    row = await tx.lock(Assignment, assignment_id)
    row.edit(tx.actor.account_id)
    await require_scopable(tx, row.engagement_id)
    tx.change(row, body)
    row.require_ordered_days()
    return await tx.show(assignment, AssignmentOut, row)


@router.get("/assignments/{assignment_id}/transitions", response_model=Transitions, responses=can_refuse(Missing))
async def get_assignment_transitions(tx: Writes, assignment_id: UUID) -> Response:
    """Read what may be done with an assignment now, and what stands in the way of the rest."""
    row = await tx.get(Assignment, assignment_id)
    return tx.transitions(ASSIGNMENT, row, await assignment_facts(tx, row))


@router.post(
    "/assignments/{assignment_id}/agree", response_model=AssignmentOut, responses=can_refuse(Missing, Conflict)
)
async def agree_assignment(tx: Writes, assignment_id: UUID) -> Response:
    """Agree to the scope, as the lead who did not draft it."""
    row = await tx.lock(Assignment, assignment_id)
    ASSIGNMENT.move("agree", row, await assignment_facts(tx, row))
    return await tx.show(assignment, AssignmentOut, row)


@router.post(
    "/assignments/{assignment_id}/start", response_model=AssignmentOut, responses=can_refuse(Missing, Conflict)
)
async def start_assignment(tx: Writes, assignment_id: UUID) -> Response:
    """Begin the work: refused before the engagement is active."""
    row = await tx.lock(Assignment, assignment_id)
    ASSIGNMENT.move("start", row, await assignment_facts(tx, row))
    return await tx.show(assignment, AssignmentOut, row)


@router.post(
    "/assignments/{assignment_id}/deliver", response_model=AssignmentOut, responses=can_refuse(Missing, Conflict)
)
async def deliver_assignment(tx: Writes, assignment_id: UUID) -> Response:
    """Say that the work is done, as the expert: refused while a deliverable is not submitted."""
    row = await tx.lock(Assignment, assignment_id)
    row.deliver(await assignment_facts(tx, row))
    return await tx.show(assignment, AssignmentOut, row)


@router.post(
    "/assignments/{assignment_id}/accept", response_model=AssignmentOut, responses=can_refuse(Missing, Conflict)
)
async def accept_assignment(tx: Writes, assignment_id: UUID) -> Response:
    """Accept the work, as the lead who did not deliver it."""
    row = await tx.lock(Assignment, assignment_id)
    row.accept(await assignment_facts(tx, row))
    return await tx.show(assignment, AssignmentOut, row)


@router.post(
    "/assignments/{assignment_id}/return", response_model=AssignmentOut, responses=can_refuse(Missing, Conflict)
)
async def return_assignment(tx: Writes, assignment_id: UUID, body: Reason) -> Response:
    """Give the work back, as the lead, with the reason."""
    row = await tx.lock(Assignment, assignment_id)
    row.give_back(await assignment_facts(tx, row), body.reason)
    return await tx.show(assignment, AssignmentOut, row)


@router.post(
    "/assignments/{assignment_id}/cancel", response_model=AssignmentOut, responses=can_refuse(Missing, Conflict)
)
async def cancel_assignment(tx: Writes, assignment_id: UUID, body: Reason) -> Response:
    """Do without the work, as the lead, with the reason; its deliverables end with it."""
    row = await tx.lock(Assignment, assignment_id)
    row.cancel(await assignment_facts(tx, row), body.reason)
    return await tx.show(assignment, AssignmentOut, row)


@router.get("/deliverables", response_model=Page[DeliverableOut])
async def list_deliverables(read: Reads, by: Annotated[DeliverableFilter, Query()]) -> Response:
    """List deliverables; an expert sees those of their own engagements."""
    return await read.page(deliverables, DeliverableOut, by)


@router.post("/deliverables", status_code=201, response_model=DeliverableOut, responses=can_refuse(Missing, Conflict))
async def create_deliverable(tx: Writes, body: DeliverableIn) -> Response:
    """Name something that an assignment promises."""
    parent = await tx.hold(Assignment, body.assignment_id)
    parent.require_open()
    await require_scopable(tx, parent.engagement_id)
    row = await tx.add(Deliverable(**body.columns(), engagement_id=parent.engagement_id))
    return await tx.show(deliverable, DeliverableOut, row, 201)


@router.get("/deliverables/{deliverable_id}", response_model=DeliverableOut, responses=can_refuse(Missing))
async def get_deliverable(read: Reads, deliverable_id: UUID) -> Response:
    """Read a deliverable."""
    return await read.one(deliverable, DeliverableOut, id=deliverable_id)


@router.patch(
    "/deliverables/{deliverable_id}", response_model=DeliverableOut, responses=can_refuse(Missing, Conflict, Stale)
)
async def update_deliverable(tx: Writes, deliverable_id: UUID, body: DeliverablePatch) -> Response:
    """Change a deliverable that is still pending."""
    row = await tx.lock(Deliverable, deliverable_id)
    row.require_pending()
    await require_scopable(tx, row.engagement_id)
    tx.change(row, body)
    return await tx.show(deliverable, DeliverableOut, row)


@router.get("/deliverables/{deliverable_id}/transitions", response_model=Transitions, responses=can_refuse(Missing))
async def get_deliverable_transitions(tx: Writes, deliverable_id: UUID) -> Response:
    """Read what may be done with a deliverable now, and what stands in the way of the rest."""
    row = await tx.get(Deliverable, deliverable_id)
    return tx.transitions(DELIVERABLE, row, await deliverable_facts(tx, row))


@router.post(
    "/deliverables/{deliverable_id}/submit",
    response_model=DeliverableOut,
    responses=can_refuse(Missing, Conflict),
)
async def submit_deliverable(tx: Writes, deliverable_id: UUID, body: Submission) -> Response:
    """Hand it in, as the expert."""
    row = await tx.lock(Deliverable, deliverable_id)
    row.submit(await deliverable_facts(tx, row), body.evidence)
    return await tx.show(deliverable, DeliverableOut, row)


@router.post(
    "/deliverables/{deliverable_id}/accept", response_model=DeliverableOut, responses=can_refuse(Missing, Conflict)
)
async def accept_deliverable(tx: Writes, deliverable_id: UUID) -> Response:
    """Accept it, as the lead who did not submit it."""
    row = await tx.lock(Deliverable, deliverable_id)
    row.accept(await deliverable_facts(tx, row))
    return await tx.show(deliverable, DeliverableOut, row)


@router.post(
    "/deliverables/{deliverable_id}/reject", response_model=DeliverableOut, responses=can_refuse(Missing, Conflict)
)
async def reject_deliverable(tx: Writes, deliverable_id: UUID, body: Reason) -> Response:
    """Reject it, as the lead, with the reason; the expert may submit it again."""
    row = await tx.lock(Deliverable, deliverable_id)
    row.reject(await deliverable_facts(tx, row), body.reason)
    return await tx.show(deliverable, DeliverableOut, row)
