"""Reports: kept counts equal a scan, time decides by the sandbox clock, and nothing ranks people."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text

from api.database import Cluster
from models.contracts import Contract, ContractKind, ContractStatus
from models.knowledge_transfer import Assessment, Milestone, Topic
from tests.conftest import House
from tests.scene import behind_the_walls, day, engagement, expert, plant, programme

KEPT = ("programmes", "engagements", "milestones")


def step(engagement_id: Any, **more: Any) -> Milestone:
    values = {"title": "Step", "due_on": day(30), "acceptance_criteria": "Seen", **more}
    return Milestone(engagement_id=engagement_id, **values)


async def counted(house: House) -> dict[str, dict[str, int]]:
    """What the portfolio says, without zeros, once it was found to equal a scan."""
    told = (await (await house.client("dashboard")).get("/reports/portfolio")).json()
    kept = {name: {s: n for s, n in told[name].items() if n} for name in KEPT}
    async with behind_the_walls(house) as session:
        for name in KEPT:
            rows = await session.execute(text(f"select status, count(*) from {name} group by status"))
            assert kept[name] == {status: n for status, n in rows}, name
    return kept


async def test_counts_follow_what_happens_and_nobody_writes_them(house: House) -> None:
    assert await counted(house) == {"programmes": {}, "engagements": {}, "milestones": {}}
    staffed, expert_id = await programme(house), await expert(house)
    engagement_id = await engagement(house, staffed.id, expert_id)
    steps = [step(engagement_id, title=str(n)) for n in range(8)]
    await plant(house, *steps)
    assert await counted(house) == {
        "programmes": {"active": 1},
        "engagements": {"active": 1},
        "milestones": {"planned": 8},
    }
    own = await house.client("expert", expert_id=expert_id)
    answers = await asyncio.gather(
        *(own.post(f"/milestones/{s.id}/progress", json={"percent": 100}) for s in steps),
    )
    assert [a.status_code for a in answers] == [201] * 8, "writers who move the same counts wait, none is a victim"
    assert (await counted(house))["milestones"] == {"in_progress": 8}
    spare = step(engagement_id, title="Spare")
    await plant(house, spare)
    async with behind_the_walls(house) as session:
        await session.execute(text("delete from milestones where id = :id"), {"id": spare.id})
    assert (await counted(house))["milestones"] == {"in_progress": 8}
    for forged in ("update portfolio_counts set n = 9", "delete from portfolio_counts"):
        with pytest.raises(Exception, match="permission denied"):
            async with behind_the_walls(house) as session:
                await session.execute(text(forged))


async def test_the_portfolio_tells_what_time_made_of_programmes_and_ndas(house: House) -> None:
    sound = await programme(house)
    await programme(house, sponsors=1)
    expert_id = await expert(house)
    engagement_id = await engagement(house, sound.id, expert_id)
    await plant(house, nda(engagement_id, expert_id, expires_on=day(30)), nda(engagement_id, expert_id))
    reader, admin = await house.client("dashboard"), await house.client("admin")

    async def figures() -> tuple[int, int, int, int]:
        told = (await reader.get("/reports/portfolio")).json()
        standing = told["programmes_at_risk"], told["programmes_suspended"]
        return (*standing, told["ndas_in_force"], told["ndas_expiring"])

    assert await figures() == (1, 0, 2, 1)
    buyer = await house.client("procurement")
    gone = {"leaves_on": day(5).isoformat()}
    assert (await buyer.post(f"/people/{sound.sponsor_ids[0]}/announce-departure", json=gone)).status_code == 200
    for offset, expected in ((6, (2, 0, 2, 1)), (31, (2, 0, 1, 0)), (40, (1, 1, 1, 0))):
        moved = await admin.post("/clock/advance", json={"to": f"{day(offset)}T12:00:00Z"})
        assert moved.status_code == 200, moved.text
        assert await figures() == expected, offset


def nda(engagement_id: Any, expert_id: Any, **more: Any) -> Contract:
    values = {
        "kind": ContractKind.NDA,
        "number": uuid4().hex,
        "title": "Nobody tells",
        "wording": "What is read stays here.",
        "governing_law": "NL",
        "effective_on": day(-10),
        "expires_on": day(200),
        "purpose": "Market study",
        "categories": ["figures"],
        "highest_classification": "confidential",
        "survival_months": 24,
        "status": ContractStatus.SIGNED,
        "signed_at": datetime.now(UTC),
        "drafted_by": uuid4(),
    }
    return Contract(engagement_id=engagement_id, expert_id=expert_id, **{**values, **more})


async def test_expiring_contracts_say_until_when_to_decide(house: House) -> None:
    staffed, expert_id = await programme(house), await expert(house)
    engagement_id = await engagement(house, staffed.id, expert_id)
    soon = nda(engagement_id, expert_id, expires_on=day(40), notice_days=14)
    await plant(
        house, soon, nda(engagement_id, expert_id), nda(engagement_id, expert_id, status="sent", signed_at=None)
    )
    reader = await house.client("dashboard")
    (row,) = (await reader.get("/reports/expiring-contracts?within=40&kind=nda")).json()["data"]
    assert (row["id"], row["notice_deadline"], row["days_left"]) == (str(soon.id), day(26).isoformat(), 40)
    assert row["as_of"] == day(0).isoformat()
    assert (await reader.get("/reports/expiring-contracts?within=39")).json()["data"] == []
    csv = await reader.get("/reports/expiring-contracts?within=40", headers={"accept": "text/csv"})
    assert csv.headers["content-type"].startswith("text/csv")
    assert "notice_deadline" in csv.text.splitlines()[0]
    assert len(csv.text.splitlines()) == 2


async def test_handover_progress_sets_what_is_done_beside_what_was_due(house: House) -> None:
    staffed, expert_id = await programme(house), await expert(house)
    engagement_id = await engagement(house, staffed.id, expert_id)
    await plant(
        house,
        step(engagement_id, due_on=day(-1), weight=3, percent=50, status="in_progress"),
        step(engagement_id, weight=1, percent=100, status="accepted"),
        step(engagement_id, weight=9, status="waived"),
    )
    reader = await house.client("dashboard")
    (row,) = (await reader.get(f"/reports/handover-progress?programme_id={staffed.id}")).json()["data"]
    assert (row["milestones"], row["accepted"], row["overdue"]) == (2, 1, 1)
    assert (row["planned_percent"], row["actual_percent"], row["as_of"]) == (75, 62, day(0).isoformat())
    ranked = await reader.get("/reports/handover-progress?sort=-actual_percent")
    assert ranked.status_code == 422, "a report ranks nobody"


async def test_coverage_looks_back_and_ahead(house: House) -> None:
    staffed = await programme(house)
    mia = await house.person("Mia")
    topic = Topic(programme_id=staffed.id, title="Churn", critical=True)
    seen = Assessment(
        topic_id=topic.id,
        person_id=mia,
        level=4,
        evidence="Ran a week alone",
        assessed_by=uuid4(),
        assessed_on=day(-10),
        valid_until=day(100),
    )
    await plant(house, topic, seen)
    buyer, reader = await house.client("procurement"), await house.client("dashboard")

    async def on(offset: int) -> tuple[int, str]:
        (row,) = (await reader.get(f"/reports/coverage?as_of={day(offset)}&critical=true")).json()["data"]
        assert row["as_of"] == day(offset).isoformat()
        return row["coverage"], row["coverage_flag"]

    assert [await on(n) for n in (-11, -10, 100, 101)] == [(0, "none"), (1, "single"), (1, "single"), (0, "none")]
    gone = {"leaves_on": day(50).isoformat()}
    assert (await buyer.post(f"/people/{mia}/announce-departure", json=gone)).status_code == 200
    assert [await on(n) for n in (50, 51)] == [(1, "single"), (0, "none")], "an announced departure is foreseen"
    csv = await reader.get("/reports/coverage", headers={"accept": "text/csv"})
    assert "person_id" not in csv.text
    assert "Churn" in csv.text.splitlines()[1]


async def test_the_worker_counts_anew_what_was_kept(house: House, cluster: Cluster, database: str) -> None:
    staffed, expert_id = await programme(house), await expert(house)
    await plant(house, step(await engagement(house, staffed.id, expert_id)))
    before = await counted(house)
    connection = await asyncpg.connect(cluster.url("tracker_worker", database))
    try:
        await connection.execute("select app.rebuild_portfolio_counts()")
    finally:
        await connection.close()
    assert await counted(house) == before
