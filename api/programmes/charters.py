"""/v1/charters and /v1/objectives: what a programme is to reach, who endorsed it, and whether it was reached."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from pydantic import Field
from starlette.responses import Response

from api.problems import can_refuse
from api.read import Reads
from api.routing import Area
from api.schema import Filter, In, Out, Page, Patch, Transitions, unset
from api.tx import Tx, Writes
from models.errors import Conflict, Forbidden, Invalid, Missing, Stale
from models.organisations import Person
from models.programmes.charters import (
    CHARTER,
    Charter,
    CharterFacts,
    CharterFields,
    CharterStatus,
    Direction,
    MeansSource,
    Objective,
    ObjectiveFields,
    Verdict,
    agreed_charter,
    charter,
    charter_count,
    charters,
    objective,
    objective_count,
    objectives,
    objectives_of,
)
from models.programmes.programmes import Programme
from models.programmes.sponsors import SponsorCommitment, min_sponsors, present_sponsors
from models.types import Day, Figure, Money, Text, Title

router = Area(tags=["programmes"])

Dates = Annotated[list[Day], Field(max_length=50)]


class CharterIn(CharterFields, In):
    means: Money = Field(description="What is put up for the programme")
    review_dates: Dates = []


class CharterPatch(Patch):
    approach: Text = unset()
    means: Money = unset()
    means_source: MeansSource = unset()
    means_from_unit_id: UUID | None = unset()
    horizon_on: Day = unset()
    review_dates: Dates = unset()


class CharterOut(CharterFields, Out):
    number: int = Field(description="The version of the programme's charter; a revision makes the next")
    means: Money
    status: CharterStatus
    drafted_by: UUID
    champion_endorsed: UUID | None = Field(description="The champion who endorsed this version")
    agreed_on: Day | None


class CharterFilter(Filter):
    programme_id: list[UUID] | None = None
    status: list[CharterStatus] | None = None


class ObjectiveIn(ObjectiveFields, In): ...


class ObjectivePatch(Patch):
    title: Title = unset()
    kpi: Title = unset()
    measured_in: Title = unset()
    baseline: Figure = unset()
    target: Figure = unset()
    direction: Direction = unset()
    data_source: Title = unset()
    judge_id: UUID = unset()
    judged_on: Day = unset()


class ObjectiveOut(ObjectiveFields, Out):
    programme_id: UUID
    verdict: Verdict | None
    result: Figure | None = Field(description="The figure that was reached")
    verdict_note: str | None


class ObjectiveFilter(Filter):
    q: Annotated[str | None, Query(max_length=200, description="Text in title or kpi")] = None
    programme_id: list[UUID] | None = None
    charter_id: list[UUID] | None = None
    judge_id: list[UUID] | None = None
    judged_on_from: Day | None = None
    judged_on_before: Day | None = None
    sort: Literal["created_at", "-created_at", "judged_on", "-judged_on"] = "-created_at"


class VerdictIn(In):
    verdict: Verdict
    result: Figure = Field(description="The figure that was reached")
    note: Text | None = None


async def steered(tx: Tx, programme_id: UUID) -> Programme:
    """The programme, if the caller may write its charter."""
    parent = await tx.get(Programme, programme_id)
    parent.require_steered_by(tx.actor)
    parent.require_open()
    return parent


async def charter_facts(tx: Tx, row: Charter) -> tuple[CharterFacts, list[SponsorCommitment]]:
    """What the charter's rules look at, and the commitments whose endorsement it waits for."""
    parent = await tx.get(Programme, row.programme_id)
    commitments = list(await tx.all(present_sponsors(row.programme_id, tx.today)))
    counts: dict[str, Any] = await tx.facts(dict, min_sponsors=min_sponsors(), objectives=objective_count(row.id))
    facts = CharterFacts(
        account_id=tx.actor.account_id,
        actor_id=tx.actor.person_id,
        today=tx.today,
        champion_id=parent.champion_id,
        sponsors=frozenset(c.person_id for c in commitments),
        **counts,
    )
    return facts, commitments


@router.get("/charters", response_model=Page[CharterOut])
async def list_charters(read: Reads, by: Annotated[CharterFilter, Query()]) -> Response:
    """List charters, each version on its own."""
    return await read.page(charters, CharterOut, by)


@router.post(
    "/charters", status_code=201, response_model=CharterOut, responses=can_refuse(Missing, Forbidden, Conflict)
)
async def create_charter(tx: Writes, body: CharterIn) -> Response:
    """Draft the first version of a programme's charter; later ones come from revising."""
    parent = await steered(tx, body.programme_id)
    parent.require_no_charter(await tx.value(charter_count(parent.id)) or 0)
    row = Charter(**body.columns(), drafted_by=tx.actor.account_id)
    row.require_source()
    return await tx.show(charter, CharterOut, await tx.add(row), 201)


@router.get("/charters/{charter_id}", response_model=CharterOut, responses=can_refuse(Missing))
async def get_charter(read: Reads, charter_id: UUID) -> Response:
    """Read one version of a charter."""
    return await read.one(charter, CharterOut, id=charter_id)


@router.patch(
    "/charters/{charter_id}", response_model=CharterOut, responses=can_refuse(Missing, Forbidden, Conflict, Stale)
)
async def update_charter(tx: Writes, charter_id: UUID, body: CharterPatch) -> Response:
    """Change a draft; what was put to review is revised instead."""
    row = await tx.lock(Charter, charter_id)
    await steered(tx, row.programme_id)
    row.require_draft()
    tx.change(row, body)
    row.require_source()
    return await tx.show(charter, CharterOut, row)


@router.get("/charters/{charter_id}/transitions", response_model=Transitions, responses=can_refuse(Missing))
async def get_charter_transitions(tx: Writes, charter_id: UUID) -> Response:
    """Read what may be done with a charter now, and what stands in the way of the rest."""
    row = await tx.get(Charter, charter_id)
    facts, _ = await charter_facts(tx, row)
    return tx.transitions(CHARTER, row, facts)


@router.post(
    "/charters/{charter_id}/submit", response_model=CharterOut, responses=can_refuse(Missing, Forbidden, Conflict)
)
async def submit_charter(tx: Writes, charter_id: UUID) -> Response:
    """Put a draft to review: refused without an objective in figures."""
    row = await tx.lock(Charter, charter_id)
    await steered(tx, row.programme_id)
    facts, _ = await charter_facts(tx, row)
    CHARTER.move("submit", row, facts)
    return await tx.show(charter, CharterOut, row)


@router.post("/charters/{charter_id}/endorse", response_model=CharterOut, responses=can_refuse(Missing, Conflict))
async def endorse_charter(tx: Writes, charter_id: UUID) -> Response:
    """Endorse this version, as champion or committed sponsor; the last one needed makes it agreed."""
    row = await tx.lock(Charter, charter_id)
    facts, commitments = await charter_facts(tx, row)
    row.endorse(facts, commitments, await tx.first(agreed_charter(row.programme_id)))
    return await tx.show(charter, CharterOut, row)


@router.post(
    "/charters/{charter_id}/revise",
    status_code=201,
    response_model=CharterOut,
    responses=can_refuse(Missing, Forbidden, Conflict),
)
async def revise_charter(tx: Writes, charter_id: UUID) -> Response:
    """Make the next version, a draft with the same text and objectives and no endorsements."""
    row = await tx.lock(Charter, charter_id)
    await steered(tx, row.programme_id)
    revision = await tx.add(row.revise(tx.actor.account_id))
    for kept in await tx.all(objectives_of(row.id)):
        await tx.add(kept.copied_to(revision))
    return await tx.show(charter, CharterOut, revision, 201)


@router.get("/objectives", response_model=Page[ObjectiveOut])
async def list_objectives(read: Reads, by: Annotated[ObjectiveFilter, Query()]) -> Response:
    """List objectives with their figures and verdicts."""
    return await read.page(objectives, ObjectiveOut, by)


@router.post(
    "/objectives",
    status_code=201,
    response_model=ObjectiveOut,
    responses=can_refuse(Missing, Forbidden, Conflict, Invalid),
)
async def create_objective(tx: Writes, body: ObjectiveIn) -> Response:
    """Add an objective, in figures, to a draft of a charter."""
    version = await tx.hold(Charter, body.charter_id)
    await steered(tx, version.programme_id)
    version.require_draft()
    await tx.get(Person, body.judge_id)
    row = Objective(**body.columns(), programme_id=version.programme_id)
    row.require_direction()
    return await tx.show(objective, ObjectiveOut, await tx.add(row), 201)


@router.get("/objectives/{objective_id}", response_model=ObjectiveOut, responses=can_refuse(Missing))
async def get_objective(read: Reads, objective_id: UUID) -> Response:
    """Read an objective."""
    return await read.one(objective, ObjectiveOut, id=objective_id)


@router.patch(
    "/objectives/{objective_id}",
    response_model=ObjectiveOut,
    responses=can_refuse(Missing, Forbidden, Conflict, Invalid, Stale),
)
async def update_objective(tx: Writes, objective_id: UUID, body: ObjectivePatch) -> Response:
    """Change an objective while its charter is a draft."""
    row = await tx.lock(Objective, objective_id)
    version = await tx.hold(Charter, row.charter_id)
    await steered(tx, version.programme_id)
    version.require_draft()
    tx.change(row, body)
    row.require_direction()
    return await tx.show(objective, ObjectiveOut, row)


@router.post(
    "/objectives/{objective_id}/judge",
    response_model=ObjectiveOut,
    responses=can_refuse(Missing, Forbidden, Conflict),
)
async def judge_objective(tx: Writes, objective_id: UUID, body: VerdictIn) -> Response:
    """Say whether an objective was met: its judge only, once, from the day on which it can be judged."""
    row = await tx.lock(Objective, objective_id)
    row.require_judge(tx.actor.person_id)
    row.judge(await tx.get(Charter, row.charter_id), tx.today, body.verdict, body.result, body.note)
    return await tx.show(objective, ObjectiveOut, row)
