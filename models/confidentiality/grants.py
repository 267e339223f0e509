"""Access grants: an expert's leave to read one asset, given by its owner within what an NDA covers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ColumnElement, Index, Select, func, literal, select, text
from sqlmodel import Field, SQLModel, col

from models.base import INSTANT, Row, choice, link
from models.confidentiality.assets import Asset
from models.contracts import Contract
from models.engagements import Engagement, EngagementStatus
from models.errors import Conflict, Forbidden, Invalid, Unmet
from models.lifecycle import Lifecycle
from models.queries import Rows, among
from models.tenancy import Sight, sql_local_date, sql_now, through
from models.types import Classification, Title


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
    is_champion: bool
    engagement: Engagement
    ndas: Sequence[Contract]
    last_day: date | None = None


def _by_owner(grant: "AccessGrant", facts: GrantFacts) -> Iterator[Unmet]:
    if facts.person_id is None or facts.person_id != facts.asset.owner_id:
        yield Unmet("by-the-owner", "the owner of the asset", "someone else", [facts.asset.ref])
    if facts.account_id == grant.requested_by:
        yield Unmet("four-eyes", "someone other than who asked for it", "who asked for it")


def _by_owner_or_champion(grant: "AccessGrant", facts: GrantFacts) -> Iterator[Unmet]:
    if not facts.is_champion and (facts.person_id is None or facts.person_id != facts.asset.owner_id):
        refs = [facts.asset.ref, f"/programmes/{facts.asset.programme_id}"]
        yield Unmet("owner-or-champion", "the asset's owner or the programme's champion", "someone else", refs)


def _grantable(grant: "AccessGrant", facts: GrantFacts) -> Iterator[Unmet]:
    yield from _by_owner(grant, facts)
    if facts.programme != "active":
        refs = [f"/programmes/{facts.asset.programme_id}"]
        yield Unmet("programme-active", "active", facts.programme, refs)
    if facts.engagement.status in OVER:
        needed = "an engagement that is not over"
        yield Unmet("engagement-open", needed, str(facts.engagement.status), [facts.engagement.ref])
    yield from covered(facts.asset, facts.engagement, grant.purpose, facts.ndas)
    covering = [nda for nda in facts.ndas if not list(_gaps(facts.asset, grant.purpose, nda))]
    protected = max((nda.expires_on for nda in covering if nda.expires_on is not None), default=None)
    end = min(filter(None, (facts.engagement.ends_on, protected)))
    if facts.last_day is not None and facts.last_day > end:
        refs = [facts.engagement.ref, *[nda.ref for nda in covering]]
        yield Unmet("within-nda-and-engagement", f"{end} or earlier", facts.last_day.isoformat(), refs)


G = GrantStatus
OVER = frozenset({EngagementStatus.CLOSED, EngagementStatus.CANCELLED, EngagementStatus.TERMINATED})
ACCESS_GRANT = Lifecycle(
    GrantStatus,
    {
        "grant": ({G.REQUESTED}, G.GRANTED, _grantable),
        "reject": ({G.REQUESTED}, G.REJECTED, _by_owner),
        "revoke": ({G.REQUESTED, G.GRANTED}, G.REVOKED, _by_owner_or_champion),
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

    def require_askable(self, asset: Asset, engagement: Engagement, *, is_party: bool) -> None:
        """Raise unless the expert or the programme's lead asks, for an open engagement of the asset's programme."""
        if not is_party:
            raise Forbidden("not-the-lead", "The expert asks for access, or the lead of the programme does for them.")
        if engagement.programme_id != asset.programme_id:
            detail = f"The engagement belongs to another programme than the asset: {engagement.programme_id}."
            error = {"pointer": "/engagement_id", "code": "another-programme", "detail": detail}
            raise Invalid("another-programme", detail, errors=[error])
        if engagement.status in OVER:
            raise Conflict("engagement-over", f"This engagement is {engagement.status}: it needs no access any more.")

    def grant(self, facts: GrantFacts, expires_at: datetime, now: datetime) -> None:
        """Give access until an instant. Raises Conflict with every rule in the way."""
        if expires_at <= now:
            raise Invalid("expiry-in-the-past", "expires_at must lie in the future.")
        ACCESS_GRANT.move("grant", self, facts)
        self.decided_by, self.expires_at = facts.account_id, expires_at

    def reject(self, facts: GrantFacts, reason: str) -> None:
        ACCESS_GRANT.move("reject", self, facts)
        self.decided_by, self.reason = facts.account_id, reason

    def take_back(self, facts: GrantFacts, reason: str) -> None:
        ACCESS_GRANT.require("revoke", self, facts)
        self.revoke(facts.account_id, reason)

    def revoke(self, by: UUID, reason: str) -> None:
        """End it whoever acts, for what it rests on has ended."""
        self.status, self.decided_by, self.reason = G.REVOKED, by, reason


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


def ground_of(grant_id: UUID) -> dict[str, Select[UUID]]:
    """The engagement and the asset of a grant, by name."""
    columns = {"engagement_id": col(AccessGrant.engagement_id), "asset_id": col(AccessGrant.asset_id)}
    return {name: select(column).where(col(AccessGrant.id) == grant_id) for name, column in columns.items()}


def local_day(instant: datetime) -> Select[date]:
    """The organisation's local date at an instant."""
    return select(sql_local_date(literal(instant, INSTANT)))


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
