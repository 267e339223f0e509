"""/v1/onboarding-tasks and /v1/dossiers: what is ready before the work begins, and the expert's homework."""

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
from models.engagements import Engagement, engagement_status, programme_of
from models.errors import Conflict, Invalid, Missing, Stale
from models.onboarding import (
    DOSSIER,
    ONBOARDING_TASK,
    PREPARING,
    TASK_STAGES,
    Dossier,
    DossierFacts,
    DossierFields,
    DossierStatus,
    OnboardingTask,
    OnboardingTaskFields,
    TaskFacts,
    TaskPhase,
    TaskStatus,
    dossier,
    dossiers,
    onboarding_task,
    onboarding_tasks,
)
from models.policy import Role
from models.programmes import leads
from models.types import Day, Text, Title

router = Area(tags=["onboarding"])

Lines = Annotated[list[Title], Field(max_length=100)]


class OnboardingTaskIn(OnboardingTaskFields, In): ...


class OnboardingTaskPatch(Patch):
    title: Title = unset()
    mandatory: bool = unset()
    owner_role: Role = unset()
    due_on: Day = unset()


class OnboardingTaskOut(OnboardingTaskFields, Out):
    derived: ClassVar = ("overdue",)

    status: TaskStatus
    overdue: bool = Field(description="Not done after its due date")
    evidence: str | None = Field(description="What shows that it was done")
    submitted_by: UUID | None
    decided_by: UUID | None
    reason: str | None = Field(description="Why it was returned or waived")


class OnboardingTaskFilter(Filter):
    q: Annotated[str | None, Query(max_length=200, description="Text in the title")] = None
    engagement_id: list[UUID] | None = None
    phase: list[TaskPhase] | None = None
    status: list[TaskStatus] | None = None
    owner_role: list[Role] | None = None
    overdue: bool | None = None
    due_on_from: Day | None = None
    due_on_before: Day | None = None
    sort: Literal["created_at", "-created_at", "due_on", "-due_on"] = "-created_at"


class Evidence(In):
    evidence: Text = Field(description="What shows that it was done, and where it lies")


class DossierIn(DossierFields, In):
    objectives_addressed: Lines = []
    sources_read: Lines = []
    questions: Lines = []


class DossierPatch(Patch):
    needs: Text = unset()
    business: Text = unset()
    objectives_addressed: Lines = unset()
    sources_read: Lines = unset()
    questions: Lines = unset()
    first_30_days: Text = unset()


class DossierOut(DossierFields, Out):
    status: DossierStatus
    decided_by: UUID | None
    reason: str | None = Field(description="Why it was returned")


class DossierFilter(Filter):
    engagement_id: list[UUID] | None = None
    status: list[DossierStatus] | None = None


async def task_facts(tx: Tx, row: OnboardingTask) -> TaskFacts:
    return await tx.facts(
        partial(TaskFacts, account_id=tx.actor.account_id, roles=tx.actor.roles),
        engagement=engagement_status(row.engagement_id),
    )


async def dossier_facts(tx: Tx, row: Dossier) -> DossierFacts:
    return await tx.facts(
        partial(DossierFacts, account_id=tx.actor.account_id, expert_id=tx.actor.expert_id),
        is_lead=leads(programme_of(row.engagement_id), tx.actor.person_id),
        engagement=engagement_status(row.engagement_id),
    )


@router.get("/onboarding-tasks", response_model=Page[OnboardingTaskOut])
async def list_onboarding_tasks(read: Reads, by: Annotated[OnboardingTaskFilter, Query()]) -> Response:
    """List onboarding and offboarding tasks; an expert sees those of their own engagements."""
    return await read.page(onboarding_tasks, OnboardingTaskOut, by)


@router.post(
    "/onboarding-tasks",
    status_code=201,
    response_model=OnboardingTaskOut,
    responses=can_refuse(Missing, Conflict, Invalid),
)
async def create_onboarding_task(tx: Writes, body: OnboardingTaskIn) -> Response:
    """Add a task besides those of the template."""
    # Held, so that no engagement is activated past a task that comes in meanwhile.
    parent = await tx.hold(Engagement, body.engagement_id)
    parent.require_status(*TASK_STAGES[body.phase])
    row = OnboardingTask(**body.columns())
    row.require_doable()
    return await tx.show(onboarding_task, OnboardingTaskOut, await tx.add(row), 201)


@router.get("/onboarding-tasks/{task_id}", response_model=OnboardingTaskOut, responses=can_refuse(Missing))
async def get_onboarding_task(read: Reads, task_id: UUID) -> Response:
    """Read a task."""
    return await read.one(onboarding_task, OnboardingTaskOut, id=task_id)


@router.patch(
    "/onboarding-tasks/{task_id}",
    response_model=OnboardingTaskOut,
    responses=can_refuse(Missing, Conflict, Invalid, Stale),
)
async def update_onboarding_task(tx: Writes, task_id: UUID, body: OnboardingTaskPatch) -> Response:
    """Change a task that is not done yet."""
    row = await tx.lock(OnboardingTask, task_id)
    row.require_open()
    parent = await tx.hold(Engagement, row.engagement_id)
    parent.require_status(*TASK_STAGES[row.phase])
    tx.change(row, body)
    row.require_doable()
    return await tx.show(onboarding_task, OnboardingTaskOut, row)


@router.get("/onboarding-tasks/{task_id}/transitions", response_model=Transitions, responses=can_refuse(Missing))
async def get_onboarding_task_transitions(tx: Writes, task_id: UUID) -> Response:
    """Read what may be done with a task now, and what stands in the way of the rest."""
    row = await tx.get(OnboardingTask, task_id)
    return tx.transitions(ONBOARDING_TASK, row, await task_facts(tx, row))


@router.post(
    "/onboarding-tasks/{task_id}/submit", response_model=OnboardingTaskOut, responses=can_refuse(Missing, Conflict)
)
async def submit_onboarding_task(tx: Writes, task_id: UUID, body: Evidence) -> Response:
    """Say that a task is done, in the role that owns it, and what shows it."""
    row = await tx.lock(OnboardingTask, task_id)
    row.submit(await task_facts(tx, row), body.evidence)
    return await tx.show(onboarding_task, OnboardingTaskOut, row)


@router.post(
    "/onboarding-tasks/{task_id}/accept", response_model=OnboardingTaskOut, responses=can_refuse(Missing, Conflict)
)
async def accept_onboarding_task(tx: Writes, task_id: UUID) -> Response:
    """Accept a task that somebody else did."""
    row = await tx.lock(OnboardingTask, task_id)
    row.accept(await task_facts(tx, row))
    return await tx.show(onboarding_task, OnboardingTaskOut, row)


@router.post(
    "/onboarding-tasks/{task_id}/return", response_model=OnboardingTaskOut, responses=can_refuse(Missing, Conflict)
)
async def return_onboarding_task(tx: Writes, task_id: UUID, body: Reason) -> Response:
    """Give a task back to who did it, with the reason."""
    row = await tx.lock(OnboardingTask, task_id)
    row.give_back(await task_facts(tx, row), body.reason)
    return await tx.show(onboarding_task, OnboardingTaskOut, row)


@router.post(
    "/onboarding-tasks/{task_id}/waive", response_model=OnboardingTaskOut, responses=can_refuse(Missing, Conflict)
)
async def waive_onboarding_task(tx: Writes, task_id: UUID, body: Reason) -> Response:
    """Do without a task, with the reason; never by who submitted it."""
    row = await tx.lock(OnboardingTask, task_id)
    row.waive(await task_facts(tx, row), body.reason)
    return await tx.show(onboarding_task, OnboardingTaskOut, row)


@router.get("/dossiers", response_model=Page[DossierOut])
async def list_dossiers(read: Reads, by: Annotated[DossierFilter, Query()]) -> Response:
    """List the experts' homework."""
    return await read.page(dossiers, DossierOut, by)


@router.post("/dossiers", status_code=201, response_model=DossierOut, responses=can_refuse(Missing, Conflict))
async def create_dossier(tx: Writes, body: DossierIn) -> Response:
    """Begin the homework, as the expert: what you understood of the client; there is one per engagement."""
    parent = await tx.get(Engagement, body.engagement_id)
    parent.require_status(*PREPARING)
    row = await tx.add(Dossier(**body.columns()))
    return await tx.show(dossier, DossierOut, row, 201)


@router.get("/dossiers/{dossier_id}", response_model=DossierOut, responses=can_refuse(Missing))
async def get_dossier(read: Reads, dossier_id: UUID) -> Response:
    """Read a dossier."""
    return await read.one(dossier, DossierOut, id=dossier_id)


@router.patch("/dossiers/{dossier_id}", response_model=DossierOut, responses=can_refuse(Missing, Conflict, Stale))
async def update_dossier(tx: Writes, dossier_id: UUID, body: DossierPatch) -> Response:
    """Change a dossier that is a draft or was returned."""
    row = await tx.lock(Dossier, dossier_id)
    row.require_editable()
    parent = await tx.get(Engagement, row.engagement_id)
    parent.require_status(*PREPARING)
    tx.change(row, body)
    return await tx.show(dossier, DossierOut, row)


@router.get("/dossiers/{dossier_id}/transitions", response_model=Transitions, responses=can_refuse(Missing))
async def get_dossier_transitions(tx: Writes, dossier_id: UUID) -> Response:
    """Read what may be done with a dossier now, and what stands in the way of the rest."""
    row = await tx.get(Dossier, dossier_id)
    return tx.transitions(DOSSIER, row, await dossier_facts(tx, row))


@router.post("/dossiers/{dossier_id}/submit", response_model=DossierOut, responses=can_refuse(Missing, Conflict))
async def submit_dossier(tx: Writes, dossier_id: UUID) -> Response:
    """Hand the homework in, as the expert."""
    row = await tx.lock(Dossier, dossier_id)
    row.submit(await dossier_facts(tx, row))
    return await tx.show(dossier, DossierOut, row)


@router.post("/dossiers/{dossier_id}/accept", response_model=DossierOut, responses=can_refuse(Missing, Conflict))
async def accept_dossier(tx: Writes, dossier_id: UUID) -> Response:
    """Accept the homework, as the programme's lead."""
    row = await tx.lock(Dossier, dossier_id)
    row.accept(await dossier_facts(tx, row))
    return await tx.show(dossier, DossierOut, row)


@router.post("/dossiers/{dossier_id}/return", response_model=DossierOut, responses=can_refuse(Missing, Conflict))
async def return_dossier(tx: Writes, dossier_id: UUID, body: Reason) -> Response:
    """Give the homework back, as the programme's lead, with the reason."""
    row = await tx.lock(Dossier, dossier_id)
    row.give_back(await dossier_facts(tx, row), body.reason)
    return await tx.show(dossier, DossierOut, row)
