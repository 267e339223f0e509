"""Reports: what dashboards read. The portfolio reads summary rows that triggers keep, and never scans."""

from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, Date, Integer, Text, cast, column, func, literal, select, true
from sqlalchemy.dialects.postgresql import JSON, array
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
    return select(
        sql_today().label("as_of"),
        _by_status("programmes", ProgrammeStatus).label("programmes"),
        _by_status("engagements", EngagementStatus).label("engagements"),
        _by_status("milestones", MilestoneStatus).label("milestones"),
        _sum("engagements", sorted(RUNNING)).label("running_engagements"),
        _sum("milestones", sorted(OPEN)).label("open_milestones"),
        _standing_at(ProgrammeStanding.AT_RISK).label("programmes_at_risk"),
        _standing_at(ProgrammeStanding.SUSPENDED).label("programmes_suspended"),
        _ndas().label("ndas_in_force"),
        _ndas(col(Contract.expires_on) <= sql_today() + 30).label("ndas_expiring"),
    )


def _standing_at(standing: ProgrammeStanding) -> ColumnElement[int]:
    stands = programme_standing(Programme.id, sql_today()).correlate(Programme).scalar_subquery()
    active = col(Programme.status) == ProgrammeStatus.ACTIVE
    return select(func.count()).select_from(Programme).where(active, stands == standing.value).scalar_subquery()


def _ndas(*conditions: Any) -> ColumnElement[int]:
    # The last day leads the index, and every NDA has one.
    lasting = col(Contract.expires_on) >= sql_today()
    nda = col(Contract.kind) == ContractKind.NDA
    return select(func.count()).where(lasting, nda, in_force(sql_today()), *conditions).scalar_subquery()


def _by_status(collection: str, statuses: type[StrEnum]) -> ColumnElement[Any]:
    """Every status with its count, also those at which nothing stands, so that a reader need not know them."""
    names = array([literal(s.value, Text) for s in statuses])
    every = func.unnest(names).table_valued(column("status", Text)).render_derived(name="every")
    counted = (col(PortfolioCount.collection) == collection) & (col(PortfolioCount.status) == every.c.status)
    figures = func.json_object_agg(every.c.status, func.coalesce(col(PortfolioCount.n), 0), type_=JSON)
    return select(figures).select_from(every.outerjoin(PortfolioCount, counted)).scalar_subquery()


def _sum(collection: str, statuses: Any) -> ColumnElement[int]:
    wanted = (col(PortfolioCount.collection) == collection) & col(PortfolioCount.status).in_(statuses)
    return select(cast(func.coalesce(func.sum(col(PortfolioCount.n)), 0), Integer)).where(wanted).scalar_subquery()


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
