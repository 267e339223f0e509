"""Reports: what dashboards read. The portfolio reads summary rows that triggers keep, and never scans."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Date,
    Integer,
    Text,
    any_,
    cast,
    column,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSON
from sqlmodel import Field, SQLModel, col

from models.contracts import Contract, ContractKind, in_force
from models.engagements import RUNNING, Engagement, EngagementStatus
from models.knowledge_transfer.milestones import OPEN, Milestone, MilestoneStatus
from models.knowledge_transfer.topics import Topic, told_topics
from models.programmes import Programme, ProgrammeStatus, programme_standing
from models.programmes.programmes import ProgrammeStanding
from models.queries import Rows, among
from models.tenancy import NOTHING, Sight, Walled, sql_today


class PortfolioCount(Walled, SQLModel, table=True):
    """How many objects of a collection stand at a status. Kept by migrations/summaries.sql alone."""

    __tablename__ = "portfolio_counts"
    expert_sight: ClassVar[Sight] = NOTHING

    tenant_id: UUID = Field(primary_key=True)
    collection: str = Field(primary_key=True)
    status: str = Field(primary_key=True)
    n: int = 0


def portfolio(_by: Any) -> Rows:
    """How many programmes, engagements and milestones stand at each status today, and what time makes of them.

    What only time decides cannot be kept by triggers; it is counted over active programmes and NDAs that have not
    expired, which are few.
    """
    counts, standings, ndas = _counts().subquery("counts"), _standings().subquery("standings"), _ndas().subquery("ndas")
    figures = (*counts.c, *standings.c, *ndas.c)
    return select(sql_today().label("as_of"), *figures).select_from(counts.join(standings, true()).join(ndas, true()))


COUNTED: dict[str, type[StrEnum]] = {
    "programmes": ProgrammeStatus,
    "engagements": EngagementStatus,
    "milestones": MilestoneStatus,
}


def _counts() -> Rows:
    """Every status with its count, also those at which nothing stands, so that a reader need not know them."""
    pairs = [(collection, status.value) for collection, statuses in COUNTED.items() for status in statuses]
    named = [_words(column) for column in zip(*pairs, strict=True)]
    every = func.unnest(*named).table_valued(column("collection", Text), column("status", Text))
    every = every.render_derived(name="every")
    n = func.coalesce(col(PortfolioCount.n), 0)

    def total(collection: str, statuses: Iterable[StrEnum]) -> ColumnElement[int]:
        wanted = (every.c.collection == collection) & (every.c.status == any_(_words(sorted(statuses))))
        return cast(func.coalesce(func.sum(n).filter(wanted), 0), Integer)

    counted = (col(PortfolioCount.collection) == every.c.collection) & (col(PortfolioCount.status) == every.c.status)
    return select(
        *(
            func.json_object_agg(every.c.status, n, type_=JSON)
            .filter(every.c.collection == collection)
            .label(collection)
            for collection in COUNTED
        ),
        total("engagements", RUNNING).label("running_engagements"),
        total("milestones", OPEN).label("open_milestones"),
    ).select_from(every.outerjoin(PortfolioCount, counted))


def _words(words: Iterable[str]) -> ColumnElement[Any]:
    """Constants of ours as an array in the statement's text: as parameters they would be sent with each call."""
    return literal_column("'{" + ",".join(words) + "}'::text[]", ARRAY(Text))


def _standings() -> Rows:
    standing = programme_standing(Programme.id, sql_today()).correlate(Programme).scalar_subquery()
    active = (
        select(standing.label("standing")).where(col(Programme.status) == ProgrammeStatus.ACTIVE).subquery("active")
    )
    return select(
        *(
            func.count().filter(active.c.standing == shaken.value).label(f"programmes_{shaken.value}")
            for shaken in (ProgrammeStanding.AT_RISK, ProgrammeStanding.SUSPENDED)
        )
    ).select_from(active)


def _ndas() -> Rows:
    # The last day leads the index, and every NDA has one.
    lasting = col(Contract.expires_on) >= sql_today()
    soon = col(Contract.expires_on) <= sql_today() + 30
    return select(func.count().label("ndas_in_force"), func.count().filter(soon).label("ndas_expiring")).where(
        lasting, col(Contract.kind) == ContractKind.NDA, in_force(sql_today())
    )


def handover_progress(by: Any) -> Rows:
    """Per engagement: the share of the handover that was due by today, and the share that is done."""
    weight = cast(col(Milestone.weight), Integer)
    whole = func.nullif(func.sum(weight), 0)
    due = func.sum(weight).filter(col(Milestone.due_on) <= sql_today())
    done = (
        select(
            func.count().label("milestones"),
            func.count().filter(col(Milestone.status) == MilestoneStatus.ACCEPTED).label("accepted"),
            func.count().filter(col(Milestone.status).in_(OPEN), col(Milestone.due_on) < sql_today()).label("overdue"),
            cast(func.floor(func.coalesce(100 * due / whole, 0)), Integer).label("planned_percent"),
            cast(func.floor(func.coalesce(func.sum(weight * col(Milestone.percent)) / whole, 0)), Integer).label(
                "actual_percent"
            ),
        )
        .where(col(Milestone.engagement_id) == Engagement.id, col(Milestone.status) != MilestoneStatus.WAIVED)
        .correlate(Engagement)
        .lateral("done")
    )
    query = (
        select(
            col(Engagement.id),
            sql_today().label("as_of"),
            col(Engagement.programme_id),
            col(Engagement.expert_id),
            col(Engagement.title),
            col(Engagement.status),
            col(Engagement.ends_on),
            *done.c,
        )
        .select_from(Engagement)
        .join(done, true())
    )
    return among(query, by, Engagement.programme_id, Engagement.expert_id, Engagement.status)


def coverage(by: Any) -> Rows:
    """Per topic: who could do it without the expert on a day, today when none is given."""
    as_of = sql_today() if by.as_of is None else by.as_of
    query = among(told_topics(as_of), by, Topic.programme_id)
    if by.critical is not None:
        query = query.where(col(Topic.critical) == by.critical)
    return query.add_columns(cast(as_of, Date).label("as_of"))


def expiring_contracts(by: Any) -> Rows:
    """Signed contracts and NDAs whose last day lies within so many days from today."""
    today = sql_today()
    query = select(
        col(Contract.id),
        today.label("as_of"),
        col(Contract.kind),
        col(Contract.title),
        col(Contract.engagement_id),
        col(Contract.expert_id),
        col(Contract.effective_on),
        col(Contract.expires_on),
        cast(col(Contract.expires_on) - col(Contract.notice_days), Date).label("notice_deadline"),
        (col(Contract.expires_on) - today).label("days_left"),
    ).where(
        cast(col(Contract.status), Text) == "signed",
        col(Contract.expires_on) >= today,
        col(Contract.expires_on) <= today + by.within,
    )
    return among(query, by, Contract.kind, Contract.expert_id)
