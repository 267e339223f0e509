"""The gate: whether content may be read at this instant, and the log of every try. Fails closed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ARRAY, Index, Select, Text, select, text
from sqlmodel import Field, SQLModel, col

from models.base import INSTANT, choice, uuid7
from models.confidentiality.assets import Asset
from models.confidentiality.grants import AccessGrant, G, covered
from models.contracts import Contract, ContractKind, in_force
from models.engagements import RUNNING, Engagement
from models.errors import Forbidden, Refusal, Unmet
from models.queries import Rows, among, between
from models.tenancy import Actor, Sight, Walled


@dataclass(frozen=True)
class Way:
    """One engagement by which an expert may reach an asset: its NDAs in force today and its grants for the asset."""

    engagement: Engagement
    ndas: Sequence[Contract]
    grants: Sequence[AccessGrant]

    def open_at(self, now: datetime) -> Sequence[AccessGrant | None]:
        """The grants active at an instant, or the lack of any."""
        return [g for g in self.grants if g.active(now)] or [None]


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
    tries = [(way, grant) for way in ways for grant in way.open_at(now)]
    unmet = min((list(_in_the_way(asset, way, grant)) for way, grant in tries), key=len, default=[needed])
    if not unmet:
        return None
    rules = ", ".join(u.rule for u in unmet)
    detail = f"This content stays closed: {rules}. See unmet for what each rule needs."
    return Forbidden(DENIALS[unmet[0].rule], detail, unmet=unmet)


def _in_the_way(asset: Asset, way: Way, grant: AccessGrant | None) -> Iterator[Unmet]:
    """The rules in the way of reading by this engagement and this active grant."""
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

    @classmethod
    def of(cls, actor: Actor, asset_id: UUID, refusal: Refusal | None) -> "AccessEntry":
        """What to write of a try: the refusal, or none when the content was shown."""
        return cls(
            tenant_id=actor.tenant_id,
            asset_id=asset_id,
            account_id=actor.account_id,
            person_id=actor.person_id,
            expert_id=actor.expert_id,
            client_id=actor.client_id,
            decision=Decision.DENY if refusal else Decision.ALLOW,
            code=refusal.code if refusal else None,
            rules=[u.rule for u in refusal.unmet] if refusal else [],
            request_id=actor.request_id,
            at=actor.now,
        )


def ways_engagements(asset: Asset, expert_id: UUID | None) -> Select[Engagement]:
    """The engagements of an expert in the asset's programme."""
    return select(Engagement).where(
        col(Engagement.programme_id) == asset.programme_id, col(Engagement.expert_id) == expert_id
    )


def ndas_in_force(engagement_ids: Sequence[UUID], today: date) -> Select[Contract]:
    """The NDAs that bind now, each with the expert whom its engagement is with now."""
    signatory = select(col(Engagement.expert_id)).where(col(Engagement.id) == Contract.engagement_id)
    return select(Contract).where(
        col(Contract.engagement_id).in_(engagement_ids),
        col(Contract.expert_id) == signatory.scalar_subquery(),
        col(Contract.kind) == ContractKind.NDA,
        in_force(today),
    )


def grants_for(asset_id: UUID, engagement_ids: Sequence[UUID]) -> Select[AccessGrant]:
    return select(AccessGrant).where(
        col(AccessGrant.asset_id) == asset_id, col(AccessGrant.engagement_id).in_(engagement_ids)
    )


def access_log(by: Any) -> Rows:
    query = among(select(AccessEntry), by, AccessEntry.asset_id, AccessEntry.account_id, AccessEntry.expert_id)
    return between(among(query, by, AccessEntry.decision, AccessEntry.code), by, AccessEntry.at)
