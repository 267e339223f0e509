"""/v1/sponsor-commitments: managers who stand behind a programme, from their invitation to their last day."""

from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import Query
from pydantic import Field
from starlette.responses import Response

from api.problems import can_refuse
from api.read import Reads
from api.routing import Area
from api.schema import Filter, In, Out, Page, Reason, Transitions
from api.tx import Tx, Writes
from models.errors import Conflict, Forbidden, Invalid, Missing
from models.organisations import Person
from models.programmes.programmes import OVER, Programme
from models.programmes.sponsors import (
    SPONSOR_COMMITMENT,
    CommitmentFacts,
    CommitmentStatus,
    SponsorCommitment,
    SponsorCommitmentFields,
    sponsor_commitment,
    sponsor_commitments,
)
from models.types import Day

router = Area(tags=["programmes"])


class SponsorCommitmentIn(SponsorCommitmentFields, In): ...


class SponsorCommitmentOut(SponsorCommitmentFields, Out):
    derived: ClassVar = ("status", "leaves_on", "counts")

    status: CommitmentStatus = Field(description="leaving and ended follow from the announced last day, too")
    leaves_on: Day | None = Field(description="The last day on which it counts, announced here or for the person")
    counts: bool = Field(description="Whether the quorum counts it today")
    counts_from: Day | None = Field(description="The day on which the sponsor first stood behind an agreed charter")
    endorsed_version: int | None = Field(description="The newest version of the charter that the sponsor endorsed")
    invited_by: UUID
    reason: str | None = Field(description="Why it was declined or ended")


class SponsorCommitmentFilter(Filter):
    programme_id: list[UUID] | None = None
    person_id: list[UUID] | None = None
    status: list[CommitmentStatus] | None = None


class SponsorDeparture(In):
    leaves_on: Day = Field(description="The last day as a sponsor, today or later")


async def commitment_facts(tx: Tx, row: SponsorCommitment) -> CommitmentFacts:
    parent, person = await tx.get(Programme, row.programme_id), await tx.get(Person, row.person_id)
    return CommitmentFacts(
        actor_id=tx.actor.person_id,
        today=tx.today,
        steering=frozenset(p for p in (parent.lead_id, parent.champion_id) if p is not None),
        is_manager=person.is_manager,
        last_day=person.leaves_on,
        over=parent.status in OVER,
    )


@router.get("/sponsor-commitments", response_model=Page[SponsorCommitmentOut])
async def list_sponsor_commitments(read: Reads, by: Annotated[SponsorCommitmentFilter, Query()]) -> Response:
    """List who sponsors what, and until when."""
    return await read.page(sponsor_commitments, SponsorCommitmentOut, by)


@router.post(
    "/sponsor-commitments",
    status_code=201,
    response_model=SponsorCommitmentOut,
    responses=can_refuse(Missing, Forbidden, Conflict),
)
async def create_sponsor_commitment(tx: Writes, body: SponsorCommitmentIn) -> Response:
    """Invite a manager to sponsor a programme."""
    parent = await tx.get(Programme, body.programme_id)
    parent.require_steered_by(tx.actor)
    parent.require_open()
    await tx.get(Person, body.person_id)
    row = await tx.add(SponsorCommitment(**body.columns(), invited_by=tx.actor.account_id))
    return await tx.show(sponsor_commitment, SponsorCommitmentOut, row, 201)


@router.get("/sponsor-commitments/{commitment_id}", response_model=SponsorCommitmentOut, responses=can_refuse(Missing))
async def get_sponsor_commitment(read: Reads, commitment_id: UUID) -> Response:
    """Read a sponsor's commitment."""
    return await read.one(sponsor_commitment, SponsorCommitmentOut, id=commitment_id)


@router.get(
    "/sponsor-commitments/{commitment_id}/transitions", response_model=Transitions, responses=can_refuse(Missing)
)
async def get_sponsor_commitment_transitions(tx: Writes, commitment_id: UUID) -> Response:
    """Read what may be done with a commitment now, and what stands in the way of the rest."""
    row = await tx.get(SponsorCommitment, commitment_id)
    return tx.transitions(SPONSOR_COMMITMENT, row, await commitment_facts(tx, row))


@router.post(
    "/sponsor-commitments/{commitment_id}/commit",
    response_model=SponsorCommitmentOut,
    responses=can_refuse(Missing, Conflict),
)
async def commit_sponsor_commitment(tx: Writes, commitment_id: UUID) -> Response:
    """Commit to a programme, in your own name. You count once you endorsed its agreed charter."""
    row = await tx.lock(SponsorCommitment, commitment_id)
    SPONSOR_COMMITMENT.move("commit", row, await commitment_facts(tx, row))
    return await tx.show(sponsor_commitment, SponsorCommitmentOut, row)


@router.post(
    "/sponsor-commitments/{commitment_id}/decline",
    response_model=SponsorCommitmentOut,
    responses=can_refuse(Missing, Conflict),
)
async def decline_sponsor_commitment(tx: Writes, commitment_id: UUID, body: Reason) -> Response:
    """Decline an invitation, in your own name, with the reason."""
    row = await tx.lock(SponsorCommitment, commitment_id)
    row.decline(await commitment_facts(tx, row), body.reason)
    return await tx.show(sponsor_commitment, SponsorCommitmentOut, row)


@router.post(
    "/sponsor-commitments/{commitment_id}/announce-departure",
    response_model=SponsorCommitmentOut,
    responses=can_refuse(Missing, Conflict, Invalid),
)
async def announce_departure_sponsor_commitment(tx: Writes, commitment_id: UUID, body: SponsorDeparture) -> Response:
    """Announce a sponsor's last day in a programme; until then they count."""
    row = await tx.lock(SponsorCommitment, commitment_id)
    row.announce_departure(await commitment_facts(tx, row), body.leaves_on)
    return await tx.show(sponsor_commitment, SponsorCommitmentOut, row)


@router.post(
    "/sponsor-commitments/{commitment_id}/end",
    response_model=SponsorCommitmentOut,
    responses=can_refuse(Missing, Conflict),
)
async def end_sponsor_commitment(tx: Writes, commitment_id: UUID, body: Reason) -> Response:
    """End a commitment at once, with the reason."""
    row = await tx.lock(SponsorCommitment, commitment_id)
    row.end(await commitment_facts(tx, row), body.reason)
    return await tx.show(sponsor_commitment, SponsorCommitmentOut, row)
