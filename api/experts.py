"""/v1/experts, /v1/expertise-claims, /v1/vetting-checks: register experts, and approve them on proof."""

from datetime import date
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
from models.errors import Conflict, Forbidden, Missing, Stale
from models.experts import (
    EXPERT,
    CheckKind,
    CheckResult,
    EvidenceType,
    Expert,
    ExpertFacts,
    ExpertFields,
    ExpertiseClaim,
    ExpertiseClaimFields,
    ExpertStatus,
    VettingCheck,
    VettingCheckFields,
    checks_made,
    expert,
    expertise_claim,
    expertise_claims,
    experts,
    failing_checks,
    verified_claims,
    verified_clients,
    vetting_check,
    vetting_checks,
)
from models.organisations import min_claims, min_clients
from models.types import Country, Instant, Title

router = Area(tags=["experts"])

Words = Annotated[list[Title], Field(max_length=50)]


class ExpertIn(ExpertFields, In):
    skills: Words = []
    languages: Words = []


class ExpertPatch(Patch):
    name: Title = unset()
    firm: Title | None = unset()
    country: Country = unset()
    skills: Words = unset()
    languages: Words = unset()


class ExpertOut(ExpertFields, Out):
    derived: ClassVar = ("approval_ends_on", "lapsed")

    status: ExpertStatus
    reason: str | None = Field(description="Why the expert is suspended or blocked")
    approval_ends_on: date | None = Field(description="The earliest last day among the checks that count")
    lapsed: bool = Field(description="Approved, but a check behind the approval has run out")


class ExpertFilter(Filter):
    q: Annotated[str | None, Query(max_length=200, description="Text in name, e-mail or firm")] = None
    status: list[ExpertStatus] | None = None
    country: list[Country] | None = None
    skill: list[Title] | None = None
    sort: Literal["created_at", "-created_at", "name", "-name"] = "-created_at"


class ExpertiseClaimIn(ExpertiseClaimFields, In): ...


class ExpertiseClaimOut(ExpertiseClaimFields, Out):
    recorded_by: UUID
    verified_by: UUID | None
    verified_at: Instant | None


class ExpertiseClaimFilter(Filter):
    expert_id: list[UUID] | None = None
    evidence_type: list[EvidenceType] | None = None
    verified: bool | None = None


class VettingCheckIn(VettingCheckFields, In): ...


class VettingCheckOut(VettingCheckFields, Out):
    checked_by: UUID


class VettingCheckFilter(Filter):
    expert_id: list[UUID] | None = None
    kind: list[CheckKind] | None = None
    result: list[CheckResult] | None = None
    sort: Literal["created_at", "-created_at", "valid_until", "-valid_until"] = "-created_at"


async def facts(tx: Tx, row: Expert) -> ExpertFacts:
    return await tx.facts(
        ExpertFacts,
        claims=verified_claims(row.id),
        clients=verified_clients(row.id),
        checks=checks_made(row.id),
        failing_checks=failing_checks(row.id, tx.today),
        min_claims=min_claims(),
        min_clients=min_clients(),
    )


@router.get("/experts", response_model=Page[ExpertOut])
async def list_experts(read: Reads, by: Annotated[ExpertFilter, Query()]) -> Response:
    """List experts; an expert sees only themselves."""
    return await read.page(experts, ExpertOut, by)


@router.post("/experts", status_code=201, response_model=ExpertOut, responses=can_refuse(Conflict))
async def create_expert(tx: Writes, body: ExpertIn) -> Response:
    """Register an expert as a prospect."""
    row = await tx.add(Expert(**body.columns()))
    return await tx.show(expert, ExpertOut, row, 201)


@router.get("/experts/{expert_id}", response_model=ExpertOut, responses=can_refuse(Missing))
async def get_expert(read: Reads, expert_id: UUID) -> Response:
    """Read an expert."""
    return await read.one(expert, ExpertOut, id=expert_id)


@router.patch("/experts/{expert_id}", response_model=ExpertOut, responses=can_refuse(Missing, Stale))
async def update_expert(tx: Writes, expert_id: UUID, body: ExpertPatch) -> Response:
    """Change what is registered of an expert."""
    row = await tx.lock(Expert, expert_id)
    tx.change(row, body)
    return await tx.show(expert, ExpertOut, row)


@router.get("/experts/{expert_id}/transitions", response_model=Transitions, responses=can_refuse(Missing))
async def get_expert_transitions(tx: Writes, expert_id: UUID) -> Response:
    """Read what may be done with an expert now, and what stands in the way of the rest."""
    row = await tx.get(Expert, expert_id)
    return tx.transitions(EXPERT, row, await facts(tx, row))


@router.post("/experts/{expert_id}/start-vetting", response_model=ExpertOut, responses=can_refuse(Missing, Conflict))
async def start_vetting_expert(tx: Writes, expert_id: UUID) -> Response:
    """Begin to vet a prospect."""
    row = await tx.lock(Expert, expert_id)
    EXPERT.move("start-vetting", row)
    return await tx.show(expert, ExpertOut, row)


@router.post("/experts/{expert_id}/approve", response_model=ExpertOut, responses=can_refuse(Missing, Conflict))
async def approve_expert(tx: Writes, expert_id: UUID) -> Response:
    """Approve an expert on verified proof; refused with what is missing."""
    row = await tx.lock(Expert, expert_id)
    EXPERT.move("approve", row, await facts(tx, row))
    return await tx.show(expert, ExpertOut, row)


@router.post("/experts/{expert_id}/suspend", response_model=ExpertOut, responses=can_refuse(Missing, Conflict))
async def suspend_expert(tx: Writes, expert_id: UUID, body: Reason) -> Response:
    """Suspend an approved expert, with the reason."""
    row = await tx.lock(Expert, expert_id)
    row.suspend(body.reason)
    return await tx.show(expert, ExpertOut, row)


@router.post("/experts/{expert_id}/reinstate", response_model=ExpertOut, responses=can_refuse(Missing, Conflict))
async def reinstate_expert(tx: Writes, expert_id: UUID) -> Response:
    """Approve a suspended expert again, if the proof still holds."""
    row = await tx.lock(Expert, expert_id)
    row.reinstate(await facts(tx, row))
    return await tx.show(expert, ExpertOut, row)


@router.post("/experts/{expert_id}/block", response_model=ExpertOut, responses=can_refuse(Missing, Conflict))
async def block_expert(tx: Writes, expert_id: UUID, body: Reason) -> Response:
    """Block an expert for good, with the reason."""
    row = await tx.lock(Expert, expert_id)
    row.block(body.reason)
    return await tx.show(expert, ExpertOut, row)


@router.get("/expertise-claims", response_model=Page[ExpertiseClaimOut])
async def list_expertise_claims(read: Reads, by: Annotated[ExpertiseClaimFilter, Query()]) -> Response:
    """List claims of expertise with their evidence."""
    return await read.page(expertise_claims, ExpertiseClaimOut, by)


@router.post("/expertise-claims", status_code=201, response_model=ExpertiseClaimOut, responses=can_refuse(Missing))
async def create_expertise_claim(tx: Writes, body: ExpertiseClaimIn) -> Response:
    """Record evidence of what an expert achieved for a client."""
    await tx.get(Expert, body.expert_id)
    row = await tx.add(ExpertiseClaim(**body.columns(), recorded_by=tx.actor.account_id))
    return await tx.show(expertise_claim, ExpertiseClaimOut, row, 201)


@router.get("/expertise-claims/{claim_id}", response_model=ExpertiseClaimOut, responses=can_refuse(Missing))
async def get_expertise_claim(read: Reads, claim_id: UUID) -> Response:
    """Read a claim."""
    return await read.one(expertise_claim, ExpertiseClaimOut, id=claim_id)


@router.post(
    "/expertise-claims/{claim_id}/verify",
    response_model=ExpertiseClaimOut,
    responses=can_refuse(Missing, Forbidden, Conflict),
)
async def verify_expertise_claim(tx: Writes, claim_id: UUID) -> Response:
    """Confirm a claim with its client; never by who recorded it."""
    row = await tx.lock(ExpertiseClaim, claim_id)
    row.verify(tx.actor.account_id, tx.now)
    return await tx.show(expertise_claim, ExpertiseClaimOut, row)


@router.get("/vetting-checks", response_model=Page[VettingCheckOut])
async def list_vetting_checks(read: Reads, by: Annotated[VettingCheckFilter, Query()]) -> Response:
    """List vetting checks."""
    return await read.page(vetting_checks, VettingCheckOut, by)


@router.post("/vetting-checks", status_code=201, response_model=VettingCheckOut, responses=can_refuse(Missing))
async def create_vetting_check(tx: Writes, body: VettingCheckIn) -> Response:
    """Record a vetting check and until when it counts."""
    await tx.get(Expert, body.expert_id)
    row = await tx.add(VettingCheck(**body.columns(), checked_by=tx.actor.account_id))
    return await tx.show(vetting_check, VettingCheckOut, row, 201)


@router.get("/vetting-checks/{check_id}", response_model=VettingCheckOut, responses=can_refuse(Missing))
async def get_vetting_check(read: Reads, check_id: UUID) -> Response:
    """Read a vetting check."""
    return await read.one(vetting_check, VettingCheckOut, id=check_id)
