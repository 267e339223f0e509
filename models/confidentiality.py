"""Confidentiality: what is secret, who may read it until when, and a log of every read that was tried. Fails closed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ColumnElement, Index, Select, Text, UniqueConstraint, func, select, text
from sqlmodel import Field, SQLModel, col

from models.base import INSTANT, Row, choice, document, link, uuid7
from models.contracts import Contract, ContractKind, in_force
from models.engagements import RUNNING, Engagement
from models.errors import Conflict, Forbidden, Unmet
from models.lifecycle import Lifecycle
from models.queries import Rows, among, between, mentioning
from models.tenancy import Sight, Walled, sql_now, through
from models.types import Classification, Code, Title
from models.types import Text as Prose


class AssetFields(SQLModel):
    """What is known of a secret without reading it."""

    programme_id: UUID = link("programmes")
    title: Title
    category: Code = Field(description="What it is about, as NDAs name it, for example customer_figures")
    classification: Classification = Field(sa_type=choice(Classification))
    owner_id: UUID = link("people")


class Asset(AssetFields, Row, table=True):
    """Something that not everybody may read. Its content lies apart, behind a wall of its own."""

    __tablename__ = "assets"
    expert_sight: ClassVar[Sight] = through("programmes", "programme_id")

    def require_owner(self, person_id: UUID | None) -> None:
        if person_id is None or person_id != self.owner_id:
            raise Forbidden("not-the-owner", f"Only its owner, the person {self.owner_id}, may change this asset.")


class AssetContent(Row, table=True):
    """The secret itself. Even a query that forgot to ask shows an expert none of it without a grant that holds."""

    __tablename__ = "asset_contents"
    __table_args__ = (UniqueConstraint("tenant_id", "asset_id", name="uq_asset_contents_asset_id"),)
    expert_sight: ClassVar[Sight] = Sight(
        "exists (select 1 from access_grants g where g.tenant_id = {table}.tenant_id and g.asset_id = {table}.asset_id"
        " and g.status = 'granted' and g.expires_at > (select app.now()))"
    )

    asset_id: UUID = link("assets")
    content: dict[str, Any] = document(dict, redacted=True)


class GrantStatus(StrEnum):
    REQUESTED = "requested"
    GRANTED = "granted"
    REJECTED = "rejected"
    REVOKED = "revoked"


@dataclass(frozen=True)
class GrantFacts:
    """Who acts, whose the asset is, and what bounds the access: programme, engagement and the NDAs in force."""

    account_id: UUID
    person_id: UUID | None
    asset: Asset
    programme: str | None
    engagement: Engagement
    ndas: Sequence[Contract]
    last_day: date | None = None


def _by_owner(grant: "AccessGrant", facts: GrantFacts) -> Iterator[Unmet]:
    if facts.person_id is None or facts.person_id != facts.asset.owner_id:
        yield Unmet("by-the-owner", "the owner of the asset", "someone else", [facts.asset.ref])
    if facts.account_id == grant.requested_by:
        yield Unmet("four-eyes", "someone other than who asked for it", "who asked for it")


def _grantable(grant: "AccessGrant", facts: GrantFacts) -> Iterator[Unmet]:
    yield from _by_owner(grant, facts)
    if facts.programme != "active":
        refs = [f"/programmes/{facts.asset.programme_id}"]
        yield Unmet("programme-active", "active", facts.programme, refs)
    yield from covered(facts.asset, facts.engagement, grant.purpose, facts.ndas)
    ends = [facts.engagement.ends_on, *[n.expires_on for n in facts.ndas if n.expires_on is not None]]
    if facts.last_day is not None and facts.last_day > min(ends):
        refs = [facts.engagement.ref, *[nda.ref for nda in facts.ndas]]
        yield Unmet("within-nda-and-engagement", f"{min(ends)} or earlier", facts.last_day.isoformat(), refs)


G = GrantStatus
ACCESS_GRANT = Lifecycle(
    GrantStatus,
    {
        "grant": ({G.REQUESTED}, G.GRANTED, _grantable),
        "reject": ({G.REQUESTED}, G.REJECTED, _by_owner),
        "revoke": ({G.REQUESTED, G.GRANTED}, G.REVOKED),
    },
)


class AccessGrantFields(SQLModel):
    """Who asks to read what, in which engagement, and what for."""

    asset_id: UUID = link("assets")
    engagement_id: UUID = link("engagements")
    purpose: Title = Field(description="The purpose that the NDA names")


class AccessGrant(AccessGrantFields, Row, table=True):
    """An expert's leave to read one asset. `active` and `expired` are what the clock makes of it."""

    __tablename__ = "access_grants"
    __table_args__ = (
        CheckConstraint("status <> 'granted' or expires_at is not null", name="granted_until_an_instant"),
        CheckConstraint("decided_by <> requested_by or status = 'revoked'", name="four_eyes"),
        Index(
            "uq_access_grants_open",
            "tenant_id",
            "asset_id",
            "engagement_id",
            unique=True,
            postgresql_where=text("status = 'requested'"),
        ),
    )
    expert_sight: ClassVar[Sight] = through("engagements", "engagement_id")

    status: GrantStatus = Field(default=GrantStatus.REQUESTED, sa_type=choice(GrantStatus))
    requested_by: UUID
    decided_by: UUID | None = None
    expires_at: datetime | None = Field(default=None, sa_type=INSTANT)
    reason: str | None = None

    def active(self, now: datetime) -> bool:
        return self.status is G.GRANTED and self.expires_at is not None and now < self.expires_at

    def grant(self, facts: GrantFacts, expires_at: datetime, now: datetime) -> None:
        """Give access until an instant. Raises Conflict with every rule in the way."""
        if expires_at <= now:
            raise Conflict("grant-in-the-past", "expires_at must lie in the future.")
        ACCESS_GRANT.move("grant", self, facts)
        self.decided_by, self.expires_at = facts.account_id, expires_at

    def reject(self, facts: GrantFacts, reason: str) -> None:
        ACCESS_GRANT.move("reject", self, facts)
        self.decided_by, self.reason = facts.account_id, reason

    def revoke(self, by: UUID, reason: str) -> None:
        ACCESS_GRANT.move("revoke", self)
        self.decided_by, self.reason = by, reason


def covered(asset: Asset, engagement: Engagement, purpose: str, ndas: Sequence[Contract]) -> Iterator[Unmet]:
    """What keeps the engagement's NDAs in force from covering this asset for this purpose."""
    if not ndas:
        yield Unmet(
            "nda-in-force", "an NDA signed by both", None, [f"/contracts?engagement_id={engagement.id}&kind=nda"]
        )
        return
    gaps = [list(_gaps(asset, purpose, nda)) for nda in ndas]
    yield from min(gaps, key=len)


def _gaps(asset: Asset, purpose: str, nda: Contract) -> Iterator[Unmet]:
    highest = nda.highest_classification
    if highest is None or not Classification(highest).reaches(asset.classification):
        yield Unmet("nda-covers-class", str(asset.classification), highest and str(highest), [nda.ref])
    if asset.category not in nda.categories:
        yield Unmet("nda-covers-category", asset.category, nda.categories, [nda.ref])
    if nda.purpose is None or nda.purpose.casefold() != purpose.casefold():
        yield Unmet("nda-purpose", nda.purpose, purpose, [nda.ref])


@dataclass(frozen=True)
class Way:
    """One engagement by which an expert may reach an asset: its NDAs in force today and its grants for the asset."""

    engagement: Engagement
    ndas: Sequence[Contract]
    grants: Sequence[AccessGrant]


# The rule in the way -> the code of the refusal.
DENIALS = {
    "nda-in-force": "nda-not-in-force",
    "nda-covers-class": "nda-does-not-cover",
    "nda-covers-category": "nda-does-not-cover",
    "nda-purpose": "another-purpose",
    "engagement-running": "engagement-not-running",
    "grant-active": "no-active-grant",
    "grant-needed": "no-active-grant",
}


def gate(asset: Asset, person_id: UUID | None, ways: Sequence[Way], now: datetime) -> Forbidden | None:
    """Whether the asset's content may be read at this instant: None, or the refusal that names every rule in the way.

    Its owner may; an expert may by an engagement that meets every rule; nobody else.
    """
    if person_id is not None and person_id == asset.owner_id:
        return None
    needed = Unmet("grant-needed", "the owner of the asset, or an expert with a grant", "neither", [asset.ref])
    unmet = min((list(_in_the_way(asset, way, now)) for way in ways), key=len, default=[needed])
    if not unmet:
        return None
    rules = ", ".join(u.rule for u in unmet)
    detail = f"This content stays closed: {rules}. See unmet for what each rule needs."
    return Forbidden(DENIALS[unmet[0].rule], detail, unmet=unmet)


def _in_the_way(asset: Asset, way: Way, now: datetime) -> Iterator[Unmet]:
    grant = next((g for g in way.grants if g.active(now)), None)
    purpose = grant.purpose if grant else next((n.purpose for n in way.ndas if n.purpose), "")
    yield from covered(asset, way.engagement, purpose, way.ndas)
    if way.engagement.status not in RUNNING:
        yield Unmet("engagement-running", sorted(RUNNING), str(way.engagement.status), [way.engagement.ref])
    if grant is None:
        newest = max(way.grants, key=lambda g: g.id, default=None)
        actual = newest and ("expired" if newest.status is G.GRANTED else str(newest.status))
        yield Unmet("grant-active", "an active grant", actual, [newest.ref] if newest else [asset.ref])


class Decision(StrEnum):
    ALLOW = "allow"
    DENY = "deny"


class AccessEntry(Walled, SQLModel, table=True):
    """One try to read an asset's content: allowed or denied, and by which rules. Nobody can change or delete one."""

    __tablename__ = "access_log"
    __table_args__ = (Index("ix_access_log_asset_id", "tenant_id", "asset_id", "id"),)
    expert_sight: ClassVar[Sight] = Sight("{table}.account_id = (select app.account_id())")

    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    asset_id: UUID
    account_id: UUID
    person_id: UUID | None = None
    expert_id: UUID | None = None
    client_id: str
    decision: Decision = Field(sa_type=choice(Decision))
    code: str | None = Field(default=None, description="The code of the refusal")
    rules: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    request_id: str | None = None
    at: datetime = Field(sa_type=INSTANT)
    recorded_at: datetime = Field(
        default=None, nullable=False, sa_type=INSTANT, sa_column_kwargs={"server_default": text("clock_timestamp()")}
    )


class ReturnMethod(StrEnum):
    RETURNED = "returned"
    DESTROYED = "destroyed"
    RETURNED_AND_DESTROYED = "returned_and_destroyed"


class ReturnCertificateFields(SQLModel):
    """What an expert attests when the work ends: that nothing confidential stays with them."""

    engagement_id: UUID = link("engagements")
    method: ReturnMethod = Field(sa_type=choice(ReturnMethod))
    items: list[Title] = document()
    carve_outs: Prose | None = Field(default=None, description="What must be kept by law, and for how long")


class ReturnCertificate(ReturnCertificateFields, Row, table=True):
    """Filed by the expert in their own name; never changed."""

    __tablename__ = "return_certificates"
    expert_sight: ClassVar[Sight] = through("engagements", "engagement_id")

    filed_by: UUID
    filed_at: datetime = Field(sa_type=INSTANT)


def ways_engagements(asset: Asset, expert_id: UUID | None) -> Select[Engagement]:
    """The engagements of an expert in the asset's programme."""
    return select(Engagement).where(
        col(Engagement.programme_id) == asset.programme_id, col(Engagement.expert_id) == expert_id
    )


def ndas_in_force(engagement_ids: Sequence[UUID], today: date) -> Select[Contract]:
    return select(Contract).where(
        col(Contract.engagement_id).in_(engagement_ids),
        col(Contract.kind) == ContractKind.NDA,
        in_force(today),
    )


def grants_for(asset_id: UUID, engagement_ids: Sequence[UUID]) -> Select[AccessGrant]:
    return select(AccessGrant).where(
        col(AccessGrant.asset_id) == asset_id, col(AccessGrant.engagement_id).in_(engagement_ids)
    )


def content_of(asset_id: UUID) -> Select[AssetContent]:
    return select(AssetContent).where(col(AssetContent.asset_id) == asset_id)


def open_grants(engagement_id: UUID, now: datetime) -> Select[int]:
    """How many grants of the engagement still let somebody read."""
    return select(func.count()).where(
        col(AccessGrant.engagement_id) == engagement_id,
        col(AccessGrant.status) == G.GRANTED,
        col(AccessGrant.expires_at) > now,
    )


def unended_grants(engagement_id: UUID) -> Select[AccessGrant]:
    """The grants that an engagement's termination revokes, those only asked for included."""
    return (
        select(AccessGrant)
        .where(col(AccessGrant.engagement_id) == engagement_id, col(AccessGrant.status).in_((G.REQUESTED, G.GRANTED)))
        .order_by(col(AccessGrant.id))
        .with_for_update()
    )


def return_certificates_filed(engagement_id: UUID) -> Select[int]:
    return select(func.count()).where(col(ReturnCertificate.engagement_id) == engagement_id)


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


def access_grant(by: Any) -> Rows:
    return _grants().where(col(AccessGrant.id) == by.id)


def access_grants(by: Any) -> Rows:
    query = among(_grants(), by, AccessGrant.asset_id, AccessGrant.engagement_id, AccessGrant.status)
    return query if by.active is None else query.where(_active() == by.active)


def _grants() -> Rows:
    granted = col(AccessGrant.status) == G.GRANTED
    return select(
        *AccessGrant.__table__.columns,  # type: ignore[attr-defined]
        _active().label("active"),
        func.coalesce(granted & (col(AccessGrant.expires_at) <= sql_now()), False).label("expired"),
    )


def _active() -> ColumnElement[bool]:
    granted = col(AccessGrant.status) == G.GRANTED
    return func.coalesce(granted & (col(AccessGrant.expires_at) > sql_now()), False)


def access_log(by: Any) -> Rows:
    query = among(select(AccessEntry), by, AccessEntry.asset_id, AccessEntry.account_id, AccessEntry.decision)
    return between(query, by, AccessEntry.at)


def return_certificate(by: Any) -> Rows:
    return select(ReturnCertificate).where(col(ReturnCertificate.id) == by.id)


def return_certificates(by: Any) -> Rows:
    return among(select(ReturnCertificate), by, ReturnCertificate.engagement_id)
