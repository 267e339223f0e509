"""Assets: what is secret, how secret, and whose; the content lies apart, behind a wall of its own."""

from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Select, func, select
from sqlmodel import Field, SQLModel, col

from models.base import Row, choice, document, link
from models.engagements import RUNNING
from models.errors import Forbidden
from models.queries import Rows, among, mentioning
from models.tenancy import Sight, through
from models.types import Classification, Code, Title


class AssetFields(SQLModel):
    """What is known of a secret without reading it."""

    programme_id: UUID = link("programmes")
    title: Title
    category: Code = Field(description="What it is about, as NDAs name it, for example customer_figures")
    classification: Classification = Field(sa_type=choice(Classification))


class Asset(AssetFields, Row, table=True):
    """Something that not everybody may read. Its content lies apart, behind a wall of its own."""

    __tablename__ = "assets"
    expert_sight: ClassVar[Sight] = through("programmes", "programme_id")

    owner_id: UUID = link("people")

    def require_owner(self, person_id: UUID | None) -> None:
        if person_id is None or person_id != self.owner_id:
            raise Forbidden("not-the-owner", f"Only its owner, the person {self.owner_id}, may change this asset.")


class AssetContent(Row, table=True):
    """The secret itself, under its asset's id.

    Even a query that forgot to ask the gate shows an expert none of it without a grant, an NDA and an engagement that
    hold at this instant. What the NDA covers is the gate's to judge.
    """

    __tablename__ = "asset_contents"
    __table_args__ = (CheckConstraint("id = asset_id", name="one_per_asset"),)
    expert_sight: ClassVar[Sight] = Sight(
        "exists (select 1 from access_grants g"
        " join engagements e on e.tenant_id = g.tenant_id and e.id = g.engagement_id"
        " join contracts c on c.tenant_id = g.tenant_id and c.engagement_id = g.engagement_id"
        " where g.tenant_id = {table}.tenant_id and g.asset_id = {table}.asset_id"
        " and g.status = 'granted' and g.expires_at > (select app.now())"
        f" and e.status in ({', '.join(repr(str(s)) for s in sorted(RUNNING))})"
        " and c.kind = 'nda' and c.signed_at is not null"
        " and (select app.today()) between c.effective_on and c.expires_on"
        " and coalesce(c.terminated_on > (select app.today()), true))"
    )

    asset_id: UUID = link("assets")
    content: dict[str, Any] = document(dict, redacted=True)


def classified_assets(programme_id: UUID) -> Select[int]:
    """How many assets of the programme are confidential or more."""
    return select(func.count()).where(
        col(Asset.programme_id) == programme_id,
        col(Asset.classification).in_((Classification.CONFIDENTIAL, Classification.STRICTLY_CONFIDENTIAL)),
    )


def asset(by: Any) -> Rows:
    return select(Asset).where(col(Asset.id) == by.id)


def assets(by: Any) -> Rows:
    query = among(select(Asset), by, Asset.programme_id, Asset.category, Asset.classification, Asset.owner_id)
    return mentioning(query, by, Asset.title)


def asset_content(by: Any) -> Rows:
    return select(AssetContent).where(col(AssetContent.id) == by.id)
