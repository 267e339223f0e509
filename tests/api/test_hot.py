"""The hot write against the ordinary one: the same rows, the same answers, the same refusals; races have one effect."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.responses import Response

from api.knowledge_transfer.milestones import ProgressEntryIn, ProgressEntryOut, milestone_facts
from api.tx import Writes
from models.engagements import EngagementStatus
from models.knowledge_transfer.milestones import Milestone, MilestoneStatus, progress_entry
from tests.conftest import House
from tests.scene import behind_the_walls, day, engagement, expert, plant, programme

TABLES = ("milestones", "progress_entries", "events", "idempotent_calls")
OWN = {"id", "subject_id", "milestone_id", "created_at", "updated_at", "at", "recorded_at", "commit_order"}
OWN |= {"request_id", "key", "path"}
"""What two calls never share."""


async def progress_milestone(tx: Writes, milestone_id: UUID, body: ProgressEntryIn) -> Response:
    row = await tx.lock(Milestone, milestone_id)
    entry = await tx.add(row.progress(body, await milestone_facts(tx, row), tx.today))
    return await tx.show(progress_entry, ProgressEntryOut, entry, 201)


@pytest.fixture
def ordinary(app: FastAPI) -> Iterator[str]:
    """The same operation in an ordinary Tx, under another path."""
    app.router.add_api_route("/v1/milestones/{milestone_id}/ordinary", progress_milestone, methods=["POST"])
    yield "ordinary"
    app.router.routes.pop()


async def milestones(house: House, count: int, engaged: EngagementStatus, **more: Any) -> tuple[list[UUID], UUID]:
    """Alike milestones of one engagement, and its expert."""
    expert_id = await expert(house)
    engagement_id = await engagement(house, (await programme(house)).id, expert_id, engaged)
    values: dict[str, Any] = {"title": "Dashboards", "due_on": day(30), "acceptance_criteria": "Runs alone", **more}
    rows = [Milestone(engagement_id=engagement_id, **values) for _ in range(count)]
    await plant(house, *rows)
    return [row.id for row in rows], expert_id


async def stored(house: House) -> dict[str, list[dict[str, Any]]]:
    async with behind_the_walls(house) as session:
        return {
            table: [dict(row) for row in (await session.execute(text(f"select * from {table}"))).mappings()]
            for table in TABLES
        }


def about(rows: dict[str, list[dict[str, Any]]], milestone_id: UUID) -> dict[str, list[dict[str, Any]]]:
    """What belongs to this milestone, without what only one call can have."""
    name = str(milestone_id)
    entries = {str(row["id"]) for row in rows["progress_entries"] if str(row["milestone_id"]) == name}
    found = {
        "milestones": [r for r in rows["milestones"] if str(r["id"]) == name],
        "progress_entries": [r for r in rows["progress_entries"] if str(r["milestone_id"]) == name],
        "events": [r for r in rows["events"] if str(r["subject_id"]) in {name, *entries}],
        "idempotent_calls": [r for r in rows["idempotent_calls"] if name in r["path"]],
    }
    plain = {table: [_plain(row) for row in each] for table, each in found.items()}
    said = json.dumps(plain, default=str, sort_keys=True).replace(name, "MILESTONE")
    for entry in entries:
        said = said.replace(entry, "ENTRY")
    for table in plain:
        plain[table] = sorted(json.loads(said)[table], key=str)
    return plain


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name not in OWN}
    if "body" in kept:
        told = json.loads(kept["body"])
        kept["body"] = {k: v for k, v in told.items() if k not in ("created_at", "updated_at")}
        kept["keys"] = list(told)
    return kept


@pytest.mark.parametrize(
    ("before", "given"),
    [
        ({}, {"percent": 40}),
        ({}, {"percent": 0}),
        ({"status": MilestoneStatus.IN_PROGRESS, "percent": 40}, {"percent": 40, "hours": "1.5"}),
        ({"status": MilestoneStatus.IN_PROGRESS, "percent": 40}, {"percent": 10, "note": 'Häh? "No" \\ 😀\n</b>'}),
        (
            {"status": MilestoneStatus.RETURNED, "percent": 100, "reason": "Thin", "decided_on": day(-1)},
            {"percent": 100, "blockers": "None", "evidence": "Minutes", "on": day(-2).isoformat(), "hours": "8.00"},
        ),
    ],
)
async def test_both_leave_the_same_rows(
    house: House, ordinary: str, before: dict[str, Any], given: dict[str, Any]
) -> None:
    (one, other), expert_id = await milestones(house, 2, EngagementStatus.ACTIVE, **before)
    caller = await house.client("expert", expert_id=expert_id)
    for milestone_id, way in ((one, "progress"), (other, ordinary)):
        path = f"/milestones/{milestone_id}/{way}"
        answer = await caller.post(path, json=given, headers={"idempotency-key": way})
        assert answer.status_code == 201, answer.text
        assert (await caller.get(answer.headers["location"].removeprefix("/v1"))).text == answer.text
        again = await caller.post(path, json=given, headers={"idempotency-key": way})
        assert (again.text, again.headers["idempotency-replayed"]) == (answer.text, "true")
        reused = await caller.post(path, json={"percent": 99}, headers={"idempotency-key": way})
        assert (reused.status_code, reused.json()["code"]) == (422, "idempotency-key-reused")
    rows = await stored(house)
    hot, cold = about(rows, one), about(rows, other)
    assert hot == cold
    assert len(hot["progress_entries"]) == len(hot["idempotent_calls"]) == 1


STATES = [{"status": status} for status in MilestoneStatus]
ENGAGED = [EngagementStatus.ACTIVE, EngagementStatus.PAUSED, EngagementStatus.HANDOVER, EngagementStatus.CANCELLED]


@pytest.mark.parametrize("status", ENGAGED)
async def test_both_judge_alike(house: House, ordinary: str, status: EngagementStatus) -> None:
    """Every state of the milestone, by the expert, a stranger and a lead, with sound and unsound bodies."""
    stranger = await house.client("expert", expert_id=await expert(house))
    lead = await house.client("lead")
    bodies = [{"percent": 30}, {"percent": 70}, {"percent": 101}, {"percent": 70, "on": day(2).isoformat()}, {"x": 1}]
    for state in STATES:
        ids, expert_id = await milestones(house, 2 * len(bodies), status, percent=60, **state)
        own = await house.client("expert", expert_id=expert_id)
        for body, one, other in zip(bodies, ids[::2], ids[1::2], strict=True):
            for caller in (stranger, lead, own):
                hot = await caller.post(f"/milestones/{one}/progress", json=body)
                cold = await caller.post(f"/milestones/{other}/{ordinary}", json=body)
                assert _told(hot, one) == _told(cold, other)
        stale = {"if-match": '"7"'}
        for way in ("progress", ordinary):
            answer = await own.post(f"/milestones/{ids[0]}/{way}", json={"percent": 70}, headers=stale)
            assert (answer.status_code, answer.json()["code"]) == (412, "stale")


def _told(answer: httpx.Response, milestone_id: UUID) -> Any:
    told = json.loads(answer.text.replace(str(milestone_id), "MILESTONE"))
    differing = ("id", "created_at", "updated_at", "request_id", "instance")
    return answer.status_code, {name: value for name, value in told.items() if name not in differing}


async def test_eight_at_once_under_one_key_have_one_effect(house: House) -> None:
    (one,), expert_id = await milestones(house, 1, EngagementStatus.ACTIVE)
    caller = await house.client("expert", expert_id=expert_id)
    path, headers = f"/milestones/{one}/progress", {"idempotency-key": "once"}
    answers = await asyncio.gather(*(caller.post(path, json={"percent": 5}, headers=headers) for _ in range(8)))
    assert {a.status_code for a in answers} <= {201, 409}
    assert sum(a.status_code == 201 and "idempotency-replayed" not in a.headers for a in answers) == 1
    assert {a.json()["code"] for a in answers if a.status_code == 409} <= {"idempotency-in-flight"}
    rows = about(await stored(house), one)
    assert [len(rows["progress_entries"]), len(rows["idempotent_calls"])] == [1, 1]


async def test_eight_at_once_each_on_top_of_the_other(house: House) -> None:
    (one,), expert_id = await milestones(house, 1, EngagementStatus.ACTIVE)
    caller = await house.client("expert", expert_id=expert_id)
    path = f"/milestones/{one}/progress"
    answers = await asyncio.gather(*(caller.post(path, json={"percent": n, "note": "x"}) for n in range(1, 9)))
    assert {a.status_code for a in answers} == {201}
    row = (await caller.get(f"/milestones/{one}")).json()
    assert (row["version"], len(about(await stored(house), one)["progress_entries"])) == (9, 8)


async def test_one_key_is_not_for_two_milestones(house: House) -> None:
    (one, other), expert_id = await milestones(house, 2, EngagementStatus.ACTIVE)
    caller = await house.client("expert", expert_id=expert_id)
    headers, body = {"idempotency-key": "mine"}, {"percent": 5}
    answers = await asyncio.gather(
        *(caller.post(f"/milestones/{id}/progress", json=body, headers=headers) for id in (one, other))
    )
    assert sorted(a.status_code for a in answers) in ([201, 409], [201, 422])
    rows = await stored(house)
    assert len(rows["progress_entries"]) == len(rows["idempotent_calls"]) == 1
