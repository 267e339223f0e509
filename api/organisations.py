"""/v1/organisation, /v1/business-units, /v1/people, /v1/memberships, /v1/policy, /v1/clock: the client's own house."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import Field
from sqlmodel import SQLModel
from starlette.responses import Response

from api.problems import can_refuse
from api.read import Reads
from api.routing import Area
from api.schema import Filter, In, Out, Page, Patch, unset
from api.tx import Writes
from models.errors import Conflict, Forbidden, Invalid, Missing, Stale
from models.organisations import (
    BusinessUnit,
    BusinessUnitFields,
    Membership,
    Organisation,
    OrganisationFields,
    Person,
    PersonFields,
    Policy,
    PolicyFields,
    ancestors,
    business_unit,
    business_units,
    clock,
    membership,
    memberships,
    organisation,
    own_policy,
    people,
    person,
)
from models.policy import Role
from models.types import Day, Instant, InstantIn, Title

router = Area(tags=["organisations"])


class OrganisationOut(OrganisationFields, Out):
    slug: str
    sandbox: bool = Field(description="Whether this is a trial organisation with a clock of its own")


class OrganisationPatch(Patch):
    name: Title = unset()
    time_zone: str = unset()


class PolicyOut(PolicyFields, Out): ...


class PolicyPatch(Patch):
    min_sponsors: Annotated[int, Field(ge=2, le=10)] = unset()
    sponsors_from_distinct_units: bool = unset()
    grace_days: Annotated[int, Field(ge=0, le=365)] = unset()
    champion_min_grade: Annotated[int, Field(ge=0, le=30)] = unset()
    allow_combined_roles: bool = unset()
    max_rotation_months: Annotated[int, Field(ge=1, le=60)] = unset()
    vetting_min_claims: Annotated[int, Field(ge=1, le=10)] = unset()
    vetting_min_clients: Annotated[int, Field(ge=1, le=10)] = unset()
    msa_above_days: Annotated[int, Field(ge=0, le=3650)] = unset()
    msa_above_value: Annotated[int, Field(ge=0, le=10_000_000)] = unset()
    assessment_valid_days: Annotated[int, Field(ge=1, le=3650)] = unset()
    kt_payment_share: Annotated[int, Field(ge=0, le=100)] = unset()


class BusinessUnitIn(BusinessUnitFields, In): ...


class BusinessUnitPatch(Patch):
    name: Title = unset()
    parent_id: UUID | None = unset()


class BusinessUnitOut(BusinessUnitFields, Out): ...


class BusinessUnitFilter(Filter):
    q: Annotated[str | None, Query(max_length=200, description="Text in the name")] = None
    parent_id: list[UUID] | None = None


class PersonIn(PersonFields, In): ...


class PersonPatch(Patch):
    name: Title = unset()
    unit_id: UUID = unset()
    job_title: Title = unset()
    is_manager: bool = unset()
    grade: Annotated[int, Field(ge=0, le=30)] = unset()


class PersonOut(PersonFields, Out):
    leaves_on: Day | None = Field(description="The announced last day")


class PersonFilter(Filter):
    q: Annotated[str | None, Query(max_length=200, description="Text in name, e-mail or job title")] = None
    unit_id: list[UUID] | None = None
    is_manager: bool | None = None
    leaves_on_from: Day | None = None
    leaves_on_before: Day | None = None
    sort: Literal["created_at", "-created_at", "name", "-name", "leaves_on", "-leaves_on"] = "-created_at"


class Departure(In):
    leaves_on: Day = Field(description="The person's last day, today or later")


class MembershipOut(Out):
    account_id: UUID
    roles: list[Role]
    person_id: UUID | None
    expert_id: UUID | None


class MembershipPatch(Patch):
    roles: Annotated[list[Role], Field(min_length=1, max_length=13)] = unset()


class MembershipFilter(Filter):
    person_id: list[UUID] | None = None
    expert_id: list[UUID] | None = None


class ClockOut(SQLModel):
    now: Instant = Field(description="The organisation's instant")
    today: Day = Field(description="The organisation's local date")
    sandbox: bool


class ClockAdvance(In):
    to: InstantIn = Field(description="The instant to move to, later than the clock's now")


@router.get("/organisation", response_model=OrganisationOut)
async def get_organisation(read: Reads) -> Response:
    """Read your organisation: the one your token is bound to."""
    return await read.one(organisation, OrganisationOut)


@router.patch("/organisation", response_model=OrganisationOut, responses=can_refuse(Stale))
async def update_organisation(tx: Writes, body: OrganisationPatch) -> Response:
    """Change your organisation."""
    row = await tx.lock(Organisation, tx.actor.tenant_id)
    tx.change(row, body)
    row.require_known_time_zone()
    return await tx.show(organisation, OrganisationOut, row)


@router.get("/policy", response_model=PolicyOut)
async def get_policy(read: Reads) -> Response:
    """Read the numbers and switches that rules go by."""
    return await read.one(own_policy, PolicyOut)


@router.patch("/policy", response_model=PolicyOut, responses=can_refuse(Stale))
async def update_policy(tx: Writes, body: PolicyPatch) -> Response:
    """Change the numbers and switches that rules go by."""
    row = await tx.lock(Policy, tx.actor.tenant_id)
    tx.change(row, body)
    return await tx.show(own_policy, PolicyOut, row)


@router.get("/business-units", response_model=Page[BusinessUnitOut])
async def list_business_units(read: Reads, by: Annotated[BusinessUnitFilter, Query()]) -> Response:
    """List business units."""
    return await read.page(business_units, BusinessUnitOut, by)


@router.post("/business-units", status_code=201, response_model=BusinessUnitOut, responses=can_refuse(Conflict))
async def create_business_unit(tx: Writes, body: BusinessUnitIn) -> Response:
    """Add a business unit."""
    row = await tx.add(BusinessUnit(**body.columns()))
    return await tx.show(business_unit, BusinessUnitOut, row, 201)


@router.get("/business-units/{unit_id}", response_model=BusinessUnitOut, responses=can_refuse(Missing))
async def get_business_unit(read: Reads, unit_id: UUID) -> Response:
    """Read a business unit."""
    return await read.one(business_unit, BusinessUnitOut, id=unit_id)


@router.patch(
    "/business-units/{unit_id}", response_model=BusinessUnitOut, responses=can_refuse(Missing, Conflict, Stale)
)
async def update_business_unit(tx: Writes, unit_id: UUID, body: BusinessUnitPatch) -> Response:
    """Rename a business unit or move it in the tree."""
    row = await tx.lock(BusinessUnit, unit_id)
    tx.change(row, body)
    if row.parent_id is not None:
        row.require_acyclic(await tx.all(ancestors(row.parent_id)))
    return await tx.show(business_unit, BusinessUnitOut, row)


@router.get("/people", response_model=Page[PersonOut])
async def list_people(read: Reads, by: Annotated[PersonFilter, Query()]) -> Response:
    """List the organisation's people."""
    return await read.page(people, PersonOut, by)


@router.post("/people", status_code=201, response_model=PersonOut, responses=can_refuse(Conflict))
async def create_person(tx: Writes, body: PersonIn) -> Response:
    """Add a person."""
    row = await tx.add(Person(**body.columns()))
    return await tx.show(person, PersonOut, row, 201)


@router.get("/people/{person_id}", response_model=PersonOut, responses=can_refuse(Missing))
async def get_person(read: Reads, person_id: UUID) -> Response:
    """Read a person."""
    return await read.one(person, PersonOut, id=person_id)


@router.patch("/people/{person_id}", response_model=PersonOut, responses=can_refuse(Missing, Conflict, Stale))
async def update_person(tx: Writes, person_id: UUID, body: PersonPatch) -> Response:
    """Change a person."""
    row = await tx.lock(Person, person_id)
    tx.change(row, body)
    return await tx.show(person, PersonOut, row)


@router.post("/people/{person_id}/announce-departure", response_model=PersonOut, responses=can_refuse(Missing, Stale))
async def announce_departure_person(tx: Writes, person_id: UUID, body: Departure) -> Response:
    """Announce a person's last day; everything that counts on them sees it at once."""
    row = await tx.lock(Person, person_id)
    row.announce_departure(body.leaves_on, tx.today)
    return await tx.show(person, PersonOut, row)


@router.get("/memberships", response_model=Page[MembershipOut])
async def list_memberships(read: Reads, by: Annotated[MembershipFilter, Query()]) -> Response:
    """List who may act in this organisation, and as what."""
    return await read.page(memberships, MembershipOut, by)


@router.get("/memberships/{membership_id}", response_model=MembershipOut, responses=can_refuse(Missing))
async def get_membership(read: Reads, membership_id: UUID) -> Response:
    """Read a membership."""
    return await read.one(membership, MembershipOut, id=membership_id)


@router.patch(
    "/memberships/{membership_id}",
    response_model=MembershipOut,
    responses=can_refuse(Missing, Forbidden, Invalid, Stale),
)
async def update_membership(tx: Writes, membership_id: UUID, body: MembershipPatch) -> Response:
    """Change what a member may do; it holds from their next request on."""
    row = await tx.lock(Membership, membership_id)
    row.require_not_own(tx.actor.account_id)
    tx.change(row, body)
    return await tx.show(membership, MembershipOut, row)


@router.get("/clock", response_model=ClockOut)
async def get_clock(read: Reads) -> Response:
    """Read the organisation's time: the wall clock, or a sandbox's own."""
    return await read.one(clock, ClockOut)


@router.post("/clock/advance", response_model=ClockOut, responses=can_refuse(Forbidden, Conflict))
async def advance_clock(tx: Writes, body: ClockAdvance) -> Response:
    """Move a sandbox's clock forward, to test what time decides."""
    row = await tx.lock(Organisation, tx.actor.tenant_id)
    row.advance_clock(body.to - tx.now)
    return tx.say(ClockOut(now=body.to, today=row.local_date(body.to), sandbox=row.sandbox))
