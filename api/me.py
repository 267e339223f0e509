"""/v1/me: who the token speaks for, as what, and where else."""

from uuid import UUID

from pydantic import Field
from sqlmodel import SQLModel
from starlette.responses import Response

from api.read import Reads
from api.routing import Area
from models.organisations import me, my_organisations
from models.policy import Role

router = Area(tags=["me"])


class MeOut(SQLModel):
    account_id: UUID
    person_id: UUID | None
    expert_id: UUID | None
    roles: list[Role]
    scopes: list[str] = Field(description="What the token carries; a call needs one of them and one of the roles")
    organisation_id: UUID
    organisation: str = Field(description="Slug of the organisation that the token is bound to")


class MyOrganisation(SQLModel):
    slug: str
    name: str
    roles: list[Role]


class MyOrganisations(SQLModel):
    data: list[MyOrganisation]


@router.get("/me", response_model=MeOut)
async def get_me(read: Reads) -> Response:
    """Read who you are here: account, person or expert, roles, scopes, organisation."""
    return await read.one(me, MeOut, scope=" ".join(sorted(read.caller.scopes)))


@router.get("/me/organisations", response_model=MyOrganisations)
async def list_my_organisations(read: Reads) -> Response:
    """List the organisations you belong to; ask for another token to act in another one."""
    return await read.one(my_organisations, MyOrganisations)
