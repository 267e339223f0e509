"""/v1/programmes and /v1/participations: who leads, who champions, which units take part."""

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
from models.errors import Conflict, Forbidden, Missing, Stale
from models.organisations import BusinessUnit
from models.programmes.charters import agreed_version, unjudged_objectives
from models.programmes.programmes import (
    PROGRAMME,
    Participation,
    ParticipationFields,
    Programme,
    ProgrammeFacts,
    ProgrammeFields,
    ProgrammeStanding,
    champion_grade,
    champion_min_grade,
    combined_roles,
    participation,
    participations,
    programme,
    programmes,
    unit_count,
)
from models.programmes.sponsors import committed_sponsors, min_sponsors, sponsor_count
from models.types import Day, Text, Title

router = Area(tags=["programmes"])


class ProgrammeIn(ProgrammeFields, In): ...


class ProgrammePatch(Patch):
    title: Title = unset()
    summary: Text | None = unset()
    home_unit_id: UUID = unset()
    lead_id: UUID | None = unset()
    champion_id: UUID | None = unset()
    evangelist_id: UUID | None = unset()


class ProgrammeOut(ProgrammeFields, Out):
    derived: ClassVar = ("status", "sponsors", "suspends_on", "participating_unit_ids")

    status: ProgrammeStanding = Field(description="at_risk and suspended follow from the sponsors and the calendar")
    sponsors: int = Field(description="Sponsors that the quorum counts today")
    suspends_on: Day | None = Field(description="While at risk: the day on which the days of grace run out")
    participating_unit_ids: list[UUID] = Field(description="Units that take part besides the home unit")
    drafted_by: UUID = Field(description="The account that drafted it")
    proposed_by: UUID | None
    reason: str | None = Field(description="Why it was cancelled")


class ProgrammeFilter(Filter):
    q: Annotated[str | None, Query(max_length=200, description="Text in title or summary")] = None
    status: list[ProgrammeStanding] | None = None
    home_unit_id: list[UUID] | None = None
    lead_id: list[UUID] | None = None
    champion_id: list[UUID] | None = None
    sort: Literal["created_at", "-created_at", "title", "-title"] = "-created_at"


class ParticipationIn(ParticipationFields, In): ...


class ParticipationOut(ParticipationFields, Out): ...


class ParticipationFilter(Filter):
    programme_id: list[UUID] | None = None
    unit_id: list[UUID] | None = None


async def programme_facts(tx: Tx, row: Programme) -> ProgrammeFacts:
    return await tx.facts(
        partial(ProgrammeFacts, account_id=tx.actor.account_id, actor_id=tx.actor.person_id),
        sponsor_ids=committed_sponsors(row.id, tx.today),
        sponsors=sponsor_count(row.id, tx.today),
        min_sponsors=min_sponsors(),
        agreed_version=agreed_version(row.id),
        units=unit_count(row.id),
        champion_grade=champion_grade(row.champion_id),
        champion_min_grade=champion_min_grade(),
        combined_roles=combined_roles(),
        unjudged_objectives=unjudged_objectives(row.id),
    )


@router.get("/programmes", response_model=Page[ProgrammeOut])
async def list_programmes(read: Reads, by: Annotated[ProgrammeFilter, Query()]) -> Response:
    """List programmes; an expert sees those they are engaged for."""
    return await read.page(programmes, ProgrammeOut, by)


@router.post("/programmes", status_code=201, response_model=ProgrammeOut, responses=can_refuse(Missing, Conflict))
async def create_programme(tx: Writes, body: ProgrammeIn) -> Response:
    """Draft a programme; whoever drafts it steers it until it is active."""
    row = await tx.add(Programme(**body.columns(), drafted_by=tx.actor.account_id))
    return await tx.show(programme, ProgrammeOut, row, 201)


@router.get("/programmes/{programme_id}", response_model=ProgrammeOut, responses=can_refuse(Missing))
async def get_programme(read: Reads, programme_id: UUID) -> Response:
    """Read a programme: what people agreed, and what its sponsors and the calendar made of it."""
    return await read.one(programme, ProgrammeOut, id=programme_id)


@router.patch(
    "/programmes/{programme_id}", response_model=ProgrammeOut, responses=can_refuse(Missing, Forbidden, Conflict, Stale)
)
async def update_programme(tx: Writes, programme_id: UUID, body: ProgrammePatch) -> Response:
    """Change a programme or who holds its roles; one under way keeps them filled."""
    row = await tx.lock(Programme, programme_id)
    row.require_steered_by(tx.actor)
    row.require_open()
    tx.change(row, body)
    row.require_staffed(await programme_facts(tx, row))
    return await tx.show(programme, ProgrammeOut, row)


@router.get("/programmes/{programme_id}/transitions", response_model=Transitions, responses=can_refuse(Missing))
async def get_programme_transitions(tx: Writes, programme_id: UUID) -> Response:
    """Read what may be done with a programme now, and what stands in the way of the rest."""
    row = await tx.get(Programme, programme_id)
    return tx.transitions(PROGRAMME, row, await programme_facts(tx, row))


@router.post("/programmes/{programme_id}/propose", response_model=ProgrammeOut, responses=can_refuse(Missing, Conflict))
async def propose_programme(tx: Writes, programme_id: UUID) -> Response:
    """Put a draft before its sponsors and its champion."""
    row = await tx.lock(Programme, programme_id)
    row.propose(await programme_facts(tx, row))
    return await tx.show(programme, ProgrammeOut, row)


@router.post(
    "/programmes/{programme_id}/activate", response_model=ProgrammeOut, responses=can_refuse(Missing, Conflict)
)
async def activate_programme(tx: Writes, programme_id: UUID) -> Response:
    """Start a programme: on an agreed charter, a quorum of sponsors, its three roles and at least two units."""
    row = await tx.lock(Programme, programme_id)
    PROGRAMME.move("activate", row, await programme_facts(tx, row))
    return await tx.show(programme, ProgrammeOut, row)


@router.post(
    "/programmes/{programme_id}/begin-closing", response_model=ProgrammeOut, responses=can_refuse(Missing, Conflict)
)
async def begin_closing_programme(tx: Writes, programme_id: UUID) -> Response:
    """Begin to close a programme: nothing new starts in it."""
    row = await tx.lock(Programme, programme_id)
    PROGRAMME.move("begin-closing", row, await programme_facts(tx, row))
    return await tx.show(programme, ProgrammeOut, row)


@router.post("/programmes/{programme_id}/close", response_model=ProgrammeOut, responses=can_refuse(Missing, Conflict))
async def close_programme(tx: Writes, programme_id: UUID) -> Response:
    """Close a programme once each objective of its charter is judged."""
    row = await tx.lock(Programme, programme_id)
    PROGRAMME.move("close", row, await programme_facts(tx, row))
    return await tx.show(programme, ProgrammeOut, row)


@router.post("/programmes/{programme_id}/cancel", response_model=ProgrammeOut, responses=can_refuse(Missing, Conflict))
async def cancel_programme(tx: Writes, programme_id: UUID, body: Reason) -> Response:
    """Cancel a programme that has not begun, with the reason."""
    row = await tx.lock(Programme, programme_id)
    row.cancel(await programme_facts(tx, row), body.reason)
    return await tx.show(programme, ProgrammeOut, row)


@router.get("/participations", response_model=Page[ParticipationOut])
async def list_participations(read: Reads, by: Annotated[ParticipationFilter, Query()]) -> Response:
    """List which units take part in which programmes, besides their home units."""
    return await read.page(participations, ParticipationOut, by)


@router.post(
    "/participations",
    status_code=201,
    response_model=ParticipationOut,
    responses=can_refuse(Missing, Forbidden, Conflict),
)
async def create_participation(tx: Writes, body: ParticipationIn) -> Response:
    """Let a unit take part in a programme."""
    parent = await tx.get(Programme, body.programme_id)
    parent.require_steered_by(tx.actor)
    parent.require_open()
    await tx.get(BusinessUnit, body.unit_id)
    row = await tx.add(Participation(**body.columns()))
    return await tx.show(participation, ParticipationOut, row, 201)


@router.get("/participations/{participation_id}", response_model=ParticipationOut, responses=can_refuse(Missing))
async def get_participation(read: Reads, participation_id: UUID) -> Response:
    """Read a unit's participation."""
    return await read.one(participation, ParticipationOut, id=participation_id)


@router.delete(
    "/participations/{participation_id}", status_code=204, responses=can_refuse(Missing, Forbidden, Conflict, Stale)
)
async def delete_participation(tx: Writes, participation_id: UUID) -> Response:
    """Let a unit withdraw; a programme under way keeps at least two."""
    row = await tx.lock(Participation, participation_id)
    parent = await tx.hold(Programme, row.programme_id)
    parent.require_steered_by(tx.actor)
    await tx.remove(row)
    parent.require_staffed(await programme_facts(tx, parent))
    return tx.nothing()
