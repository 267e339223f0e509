"""What a test of one area needs of the others, planted as rows: programmes with their people, experts, engagements."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from api.provision import act_for
from models.base import Row
from models.engagements import Engagement, EngagementMode, EngagementStatus
from models.experts import Expert, ExpertStatus
from models.programmes import Programme, ProgrammeStatus, SponsorCommitment
from models.programmes.sponsors import CommitmentStatus
from tests.conftest import House

TODAY = datetime.now(UTC).date()
OPEN = text(
    "select set_config('app.tenant_id', :tenant, true), set_config('app.account_id', :account, true),"
    " set_config('app.person_id', '', true), set_config('app.expert_id', :expert, true),"
    " set_config('app.clock_offset', '0', true), set_config('app.time_zone', 'Europe/Amsterdam', true),"
    " set_config('app.roles', '', true)"
)


def day(offset: int) -> date:
    return TODAY + timedelta(days=offset)


@dataclass
class Staffed:
    """A programme and the people behind it."""

    id: uuid.UUID
    lead_id: uuid.UUID
    champion_id: uuid.UUID
    sponsor_ids: list[uuid.UUID]


@asynccontextmanager
async def behind_the_walls(house: House, expert_id: uuid.UUID | None = None) -> AsyncIterator[AsyncSession]:
    """A transaction of tracker_app in this organisation, seeing what the expert sees if one is given."""
    who = {"tenant": str(house.id), "account": str(uuid.uuid4()), "expert": str(expert_id or "")}
    async with house.app.state.sessions() as session, session.begin():
        await session.execute(OPEN, who)
        act_for(session, house.id)
        yield session


async def plant(house: House, *rows: Row) -> None:
    async with behind_the_walls(house) as session:
        for row in rows:
            session.add(row)
            await session.flush()


async def programme(house: House, *, status: ProgrammeStatus = ProgrammeStatus.ACTIVE, sponsors: int = 2) -> Staffed:
    """A programme with its lead, champion and so many sponsors of distinct units who count."""
    lead_id, champion_id = await house.person("Lea Lead"), await house.person("Cem Champion")
    backing = [
        await house.person(f"Sponsor {n}", unit_id=await house.unit(f"Unit {uuid.uuid4().hex}"))
        for n in range(sponsors)
    ]
    row = Programme(
        title="Know our customers",
        home_unit_id=house.unit_id,
        lead_id=lead_id,
        champion_id=champion_id,
        evangelist_id=await house.person("Eve Evangelist"),
        status=status,
        drafted_by=uuid.uuid4(),
    )
    commitments = [
        SponsorCommitment(
            programme_id=row.id,
            person_id=person_id,
            status=CommitmentStatus.COMMITTED,
            endorsed_version=1,
            counts_from=day(-30),
            invited_by=uuid.uuid4(),
        )
        for person_id in backing
    ]
    await plant(house, row, *commitments)
    return Staffed(row.id, lead_id, champion_id, backing)


async def expert(house: House) -> uuid.UUID:
    """An approved expert."""
    row = Expert(name="Ida", email=f"{uuid.uuid4().hex}@example.org", country="NL", status=ExpertStatus.APPROVED)
    await plant(house, row)
    return row.id


async def engagement(
    house: House,
    programme_id: uuid.UUID,
    expert_id: uuid.UUID,
    status: EngagementStatus = EngagementStatus.ACTIVE,
    **more: Any,
) -> uuid.UUID:
    """An engagement from 30 days ago to 300 days from now, unless `more` says otherwise."""
    values = {"title": "Listen to customers", "mode": EngagementMode.ASSIGNMENT, "starts_on": day(-30)}
    values |= {"ends_on": day(300), "value_amount": Decimal("20000"), "value_currency": "EUR"}
    row = Engagement(
        programme_id=programme_id, expert_id=expert_id, status=status, drafted_by=uuid.uuid4(), **{**values, **more}
    )
    await plant(house, row)
    return row.id
