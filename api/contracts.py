"""/v1/contracts, /v1/contract-versions, /v1/signatures: draft, approve, send and sign; whether it binds is derived."""

from datetime import date
from functools import partial
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from fastapi import Query, Request
from pydantic import Field, StringConstraints
from starlette.responses import Response

from api.problems import can_refuse
from api.read import Reads
from api.routing import Area
from api.schema import Filter, In, Out, Page, Patch, Reason, Transitions, unset
from api.tx import Tx, Writes
from models.contracts import (
    CONTRACT,
    Consent,
    Contract,
    ContractFacts,
    ContractFields,
    ContractKind,
    ContractStatus,
    ContractTerms,
    Party,
    Wording,
    contract,
    contract_version,
    contract_versions,
    contracts,
    signature,
    signatures,
    signed_parties,
)
from models.engagements import Engagement
from models.errors import Conflict, Invalid, Missing, Stale
from models.experts import Expert
from models.types import Classification, Code, Day, Instant, Money, Text, Title

router = Area(tags=["contracts"])

Categories = Annotated[list[Code], Field(max_length=50)]
Fingerprint = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
NoticeDays = Annotated[int, Field(ge=0, le=3650)]
SurvivalMonths = Annotated[int, Field(ge=0, le=600)]


class ContractIn(ContractFields, In):
    categories: Categories = []
    value: Money | None = None


class ContractPatch(Patch):
    number: Code = unset()
    title: Title = unset()
    wording: Wording = unset()
    governing_law: Title = unset()
    effective_on: Day = unset()
    expires_on: Day | None = unset()
    notice_days: NoticeDays = unset()
    value: Money | None = unset()
    purpose: Title | None = unset()
    categories: Categories = unset()
    highest_classification: Classification | None = unset()
    survival_months: SurvivalMonths | None = unset()


class ContractListed(ContractTerms, Out):
    """A contract without its wording, as lists show it."""

    derived: ClassVar = ("in_force", "expired", "notice_deadline")

    value: Money | None = Field(default=None, description="Absent without money:read")
    status: ContractStatus
    edition: int = Field(description="How often it was sent")
    document_hash: str | None = Field(description="SHA-256 of the edition that lies with the parties: what they sign")
    drafted_by: UUID
    edited_by: list[UUID]
    submitted_by: UUID | None
    approved_by: UUID | None
    sent_at: Instant | None
    signed_at: Instant | None = Field(description="When the second party signed")
    terminated_on: date | None
    reason: str | None = Field(description="Why it was declined, voided or terminated")
    in_force: bool = Field(description="Signed by both, and today lies between its first and its last day, inclusive")
    expired: bool = Field(description="Signed by both, and its last day has passed")
    notice_deadline: date | None = Field(description="The last day to give notice")


class ContractOut(ContractFields, ContractListed):
    """A contract with its wording."""


class ContractFilter(Filter):
    q: Annotated[str | None, Query(max_length=200, description="Text in number or title")] = None
    kind: list[ContractKind] | None = None
    status: list[ContractStatus] | None = None
    expert_id: list[UUID] | None = None
    engagement_id: list[UUID] | None = None
    in_force_on: Annotated[Day | None, Query(description="Only what binds on this day")] = None
    expires_within: Annotated[
        int | None, Query(ge=0, le=36_500, description="In force, with its last day within so many days")
    ] = None
    effective_on_from: Day | None = None
    effective_on_before: Day | None = None
    expires_on_from: Day | None = None
    expires_on_before: Day | None = None
    sort: Literal[
        "created_at", "-created_at", "number", "-number", "effective_on", "-effective_on", "expires_on", "-expires_on"
    ] = "-created_at"


class ContractVersionListed(ContractTerms, Out):
    """What was sent, without its wording, as lists show it."""

    value: Money | None = Field(default=None, description="Absent without money:read")
    contract_id: UUID
    edition: int
    content_hash: str


class ContractVersionOut(ContractFields, ContractVersionListed):
    """What was sent, word for word."""


class ContractVersionFilter(Filter):
    contract_id: list[UUID] | None = None


class ConsentIn(In):
    """A signature: the fingerprint of the document that the signer read, and the words of consent."""

    document_hash: Fingerprint = Field(description="document_hash of the contract as you read it", examples=["9f" * 32])
    consent_text: Text = Field(description="The words by which you agree")


class SignatureOut(Out):
    contract_id: UUID
    edition: int
    party: Party
    signing_order: int
    person_id: UUID | None
    expert_id: UUID | None
    signed_at: Instant
    document_hash: str
    consent_text: str
    ip: str | None
    user_agent: str | None


class SignatureFilter(Filter):
    contract_id: list[UUID] | None = None
    party: list[Party] | None = None


async def facts(tx: Tx, row: Contract) -> ContractFacts:
    who = tx.actor
    found = partial(ContractFacts, account_id=who.account_id, person_id=who.person_id, expert_id=who.expert_id)
    return await tx.facts(found, signed=signed_parties(row.id, row.edition))


async def engagement_of(tx: Tx, engagement_id: UUID | None) -> Engagement | None:
    return None if engagement_id is None else await tx.get(Engagement, engagement_id)


@router.get("/contracts", response_model=Page[ContractListed])
async def list_contracts(read: Reads, by: Annotated[ContractFilter, Query()]) -> Response:
    """List contracts without their wording; an expert sees those that were sent to them."""
    return await read.page(contracts, ContractListed, by)


@router.post(
    "/contracts", status_code=201, response_model=ContractOut, responses=can_refuse(Missing, Conflict, Invalid)
)
async def create_contract(tx: Writes, body: ContractIn) -> Response:
    """Draft a contract with an expert."""
    await tx.get(Expert, body.expert_id)
    engagement = await engagement_of(tx, body.engagement_id)
    row = Contract(**body.columns(), drafted_by=tx.actor.account_id)
    row.require_sound(engagement)
    await tx.add(row)
    return await tx.show(contract, ContractOut, row, 201)


@router.get("/contracts/{contract_id}", response_model=ContractOut, responses=can_refuse(Missing))
async def get_contract(read: Reads, contract_id: UUID) -> Response:
    """Read a contract with its wording."""
    return await read.one(contract, ContractOut, id=contract_id)


@router.patch(
    "/contracts/{contract_id}", response_model=ContractOut, responses=can_refuse(Missing, Conflict, Invalid, Stale)
)
async def update_contract(tx: Writes, contract_id: UUID, body: ContractPatch) -> Response:
    """Change a draft. Who changed it cannot approve or sign it."""
    row = await tx.lock(Contract, contract_id)
    engagement = await engagement_of(tx, row.engagement_id)
    row.edit(tx.actor.account_id)
    tx.change(row, body)
    row.require_sound(engagement)
    return await tx.show(contract, ContractOut, row)


@router.get("/contracts/{contract_id}/transitions", response_model=Transitions, responses=can_refuse(Missing))
async def get_contract_transitions(tx: Writes, contract_id: UUID) -> Response:
    """Read what may be done with a contract now, and what stands in the way of the rest."""
    row = await tx.get(Contract, contract_id)
    return tx.transitions(CONTRACT, row, await facts(tx, row))


@router.post("/contracts/{contract_id}/submit", response_model=ContractOut, responses=can_refuse(Missing, Conflict))
async def submit_contract(tx: Writes, contract_id: UUID) -> Response:
    """Hand a draft in for review."""
    row = await tx.lock(Contract, contract_id)
    row.submit(tx.actor.account_id)
    return await tx.show(contract, ContractOut, row)


@router.post("/contracts/{contract_id}/approve", response_model=ContractOut, responses=can_refuse(Missing, Conflict))
async def approve_contract(tx: Writes, contract_id: UUID) -> Response:
    """Approve what somebody else drafted and submitted."""
    row = await tx.lock(Contract, contract_id)
    row.approve(await facts(tx, row))
    return await tx.show(contract, ContractOut, row)


@router.post("/contracts/{contract_id}/send", response_model=ContractOut, responses=can_refuse(Missing, Conflict))
async def send_contract(tx: Writes, contract_id: UUID) -> Response:
    """Freeze the approved contract as its next edition and send it to the parties to sign."""
    row = await tx.lock(Contract, contract_id)
    await tx.add(row.send(tx.now))
    return await tx.show(contract, ContractOut, row)


@router.post("/contracts/{contract_id}/sign", response_model=ContractOut, responses=can_refuse(Missing, Conflict))
async def sign_contract(tx: Writes, request: Request, contract_id: UUID, body: ConsentIn) -> Response:
    """Sign in one's own name: the expert first, then the client. The second signature binds both."""
    row = await tx.lock(Contract, contract_id)
    agent = request.headers.get("user-agent")
    consent = Consent(**body.columns(), ip=request.client and request.client.host, user_agent=agent and agent[:500])
    await tx.add(row.sign(await facts(tx, row), consent, tx.now))
    return await tx.show(contract, ContractOut, row)


@router.post("/contracts/{contract_id}/decline", response_model=ContractOut, responses=can_refuse(Missing, Conflict))
async def decline_contract(tx: Writes, contract_id: UUID, body: Reason) -> Response:
    """Decline to sign, with the reason."""
    row = await tx.lock(Contract, contract_id)
    row.decline(await facts(tx, row), body.reason)
    return await tx.show(contract, ContractOut, row)


@router.post("/contracts/{contract_id}/revise", response_model=ContractOut, responses=can_refuse(Missing, Conflict))
async def revise_contract(tx: Writes, contract_id: UUID) -> Response:
    """Make it a draft again; what was sent is void, with any signature under it."""
    row = await tx.lock(Contract, contract_id)
    row.revise()
    return await tx.show(contract, ContractOut, row)


@router.post("/contracts/{contract_id}/void", response_model=ContractOut, responses=can_refuse(Missing, Conflict))
async def void_contract(tx: Writes, contract_id: UUID, body: Reason) -> Response:
    """Give up a contract that does not bind yet, with the reason."""
    row = await tx.lock(Contract, contract_id)
    row.void(body.reason)
    return await tx.show(contract, ContractOut, row)


@router.post("/contracts/{contract_id}/terminate", response_model=ContractOut, responses=can_refuse(Missing, Conflict))
async def terminate_contract(tx: Writes, contract_id: UUID, body: Reason) -> Response:
    """End a signed contract before its time, with the reason: from today on it binds nobody."""
    row = await tx.lock(Contract, contract_id)
    row.terminate(body.reason, tx.today)
    return await tx.show(contract, ContractOut, row)


@router.get("/contract-versions", response_model=Page[ContractVersionListed])
async def list_contract_versions(read: Reads, by: Annotated[ContractVersionFilter, Query()]) -> Response:
    """List the editions of contracts that were sent."""
    return await read.page(contract_versions, ContractVersionListed, by)


@router.get("/contract-versions/{version_id}", response_model=ContractVersionOut, responses=can_refuse(Missing))
async def get_contract_version(read: Reads, version_id: UUID) -> Response:
    """Read what was sent, word for word."""
    return await read.one(contract_version, ContractVersionOut, id=version_id)


@router.get("/signatures", response_model=Page[SignatureOut])
async def list_signatures(read: Reads, by: Annotated[SignatureFilter, Query()]) -> Response:
    """List signatures: who signed which edition, when, and in which words."""
    return await read.page(signatures, SignatureOut, by)


@router.get("/signatures/{signature_id}", response_model=SignatureOut, responses=can_refuse(Missing))
async def get_signature(read: Reads, signature_id: UUID) -> Response:
    """Read a signature."""
    return await read.one(signature, SignatureOut, id=signature_id)
