"""Onboarding: tasks done by their owner and accepted by somebody else; homework by the expert; both before the work."""

import uuid
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from api.onboarding import DossierOut, OnboardingTaskOut
from models.engagements import Engagement, EngagementStatus
from tests.calls import changed, done, hidden, made, not_for, refused
from tests.conftest import House
from tests.scene import Staffed, behind_the_walls, day, engagement, expert, programme
from tests.shapes import assert_as_serialised

S = EngagementStatus
PREPARING = (S.APPROVED, S.ONBOARDING)
RUNNING = (S.ACTIVE, S.PAUSED, S.HANDOVER)


@dataclass
class Desk:
    """An engagement and who sits around it: two of procurement, the programme's lead, and the expert."""

    house: House
    programme: Staffed
    engagement_id: uuid.UUID
    expert_id: uuid.UUID
    buyer: httpx.AsyncClient
    colleague: httpx.AsyncClient
    lead: httpx.AsyncClient
    expert: httpx.AsyncClient

    async def task(self, **more: Any) -> str:
        body = {"engagement_id": str(self.engagement_id), "kind": "account", "title": "Order a badge"}
        body |= {"owner_role": "procurement", "due_on": str(day(5)), **more}
        return f"/onboarding-tasks/{(await made(self.buyer, 'onboarding-tasks', body))['id']}"

    def homework(self, **more: Any) -> dict[str, Any]:
        body = {"engagement_id": str(self.engagement_id), "needs": "Hear customers", "business": "Ferries"}
        return {**body, "sources_read": ["Annual report"], "first_30_days": "Listen", **more}

    async def dossier(self) -> str:
        return f"/dossiers/{(await made(self.expert, 'dossiers', self.homework()))['id']}"

    async def stands(self, status: EngagementStatus) -> None:
        async with behind_the_walls(self.house) as session:
            row = await session.get(Engagement, (self.house.id, self.engagement_id))
            assert row is not None
            row.closed_by_lead, row.closed_by_sponsor = uuid.uuid4(), uuid.uuid4()
            row.status = status


async def desk_at(house: House, status: EngagementStatus = S.ONBOARDING) -> Desk:
    of, expert_id = await programme(house), await expert(house)
    return Desk(
        house=house,
        programme=of,
        engagement_id=await engagement(house, of.id, expert_id, status, starts_on=day(10)),
        expert_id=expert_id,
        buyer=await house.client("procurement"),
        colleague=await house.client("procurement"),
        lead=await house.client("lead", person_id=of.lead_id),
        expert=await house.client("expert", expert_id=expert_id),
    )


@pytest.fixture
async def desk(house: House) -> Desk:
    return await desk_at(house)


async def test_a_task_is_done_by_its_owner_and_accepted_by_somebody_else(desk: Desk) -> None:
    task = await desk.task()
    await refused(desk.lead, task, "submit", "owner-role", evidence="I did it")
    await refused(desk.colleague, task, "accept", "status")
    submitted = await done(desk.buyer, task, "submit", evidence="Badge 12")
    assert (submitted["status"], submitted["evidence"]) == ("submitted", "Badge 12")
    for action, body in (("accept", {}), ("return", {"reason": "No"}), ("waive", {"reason": "No"})):
        await refused(desk.buyer, task, action, "four-eyes", **body)
        await not_for(desk.expert, task, action, **body)
    before = (await desk.buyer.get(task)).json()
    patched = await changed(desk.buyer, task, title="Another")
    assert (patched.status_code, patched.json()["code"]) == (409, "task-not-open")
    assert (await desk.buyer.get(task)).json() == before

    returned = await done(desk.lead, task, "return", reason="No photograph")
    assert (returned["status"], returned["reason"]) == ("returned", "No photograph")
    assert (await changed(desk.colleague, task, title="A badge with a photograph")).status_code == 200
    again = await done(desk.buyer, task, "submit", evidence="Badge 13")
    assert (again["reason"], again["evidence"]) == (None, "Badge 13")
    accepted = await done(desk.colleague, task, "accept")
    assert (accepted["status"], accepted["decided_by"]) == (
        "accepted",
        (await desk.colleague.get("/me")).json()["account_id"],
    )
    await refused(desk.colleague, task, "waive", "status", reason="Late")


async def test_a_task_is_waived_with_a_reason_by_who_buys(desk: Desk) -> None:
    task = await desk.task(owner_role="expert")
    bare = await desk.lead.post(f"{task}/waive", json={})
    assert (bare.status_code, bare.json()["errors"][0]["pointer"]) == (422, "/reason")
    await not_for(await desk.house.client("champion", person_id=desk.programme.champion_id), task, "waive", reason="x")
    waived = await done(desk.lead, task, "waive", reason="A badge from last year")
    assert (waived["status"], waived["reason"]) == ("waived", "A badge from last year")
    await refused(desk.expert, task, "submit", "status", evidence="Late")


@pytest.mark.parametrize("owner", ["auditor", "dashboard"])
async def test_no_task_belongs_to_a_role_that_never_writes(desk: Desk, owner: str) -> None:
    task = await desk.task()
    body = {**(await desk.buyer.get(task)).json(), "owner_role": owner}
    asked = {k: body[k] for k in ("engagement_id", "kind", "title", "owner_role", "due_on")}
    for answer in (
        await desk.buyer.post("/onboarding-tasks", json=asked),
        await changed(desk.buyer, task, owner_role=owner),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "owner-never-submits"), answer.text
    (kept,) = (await desk.buyer.get("/onboarding-tasks")).json()["data"]
    assert (kept["owner_role"], kept["version"]) == ("procurement", 1)


@pytest.mark.parametrize("phase", ["onboarding", "offboarding"])
async def test_each_phase_has_its_stages(desk: Desk, phase: str) -> None:
    fitting = PREPARING if phase == "onboarding" else RUNNING
    await desk.stands(fitting[0])
    opened, submitted = await desk.task(phase=phase), await desk.task(phase=phase)
    await done(desk.buyer, submitted, "submit", evidence="Badge")
    asked = {k: v for k, v in (await desk.buyer.get(opened)).json().items() if k in ("engagement_id", "kind", "title")}
    asked |= {"phase": phase, "owner_role": "lead", "due_on": str(day(1))}
    for status in EngagementStatus:
        await desk.stands(status)
        if status in fitting:
            assert (await changed(desk.buyer, opened, title=status)).status_code == 200
            continue
        before = (await desk.buyer.get("/onboarding-tasks")).json()
        for answer in (
            await desk.buyer.post("/onboarding-tasks", json=asked),
            await changed(desk.buyer, opened, title="x"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (409, "wrong-stage"), answer.text
            assert answer.json()["unmet"] == [
                {
                    "rule": "stage",
                    "needed": list(fitting),
                    "actual": status,
                    "refs": [f"/engagements/{desk.engagement_id}"],
                }
            ]
        await refused(desk.buyer, opened, "submit", "stage", evidence="Late")
        await refused(desk.lead, opened, "waive", "stage", reason="Late")
        await refused(desk.lead, submitted, "accept", "stage")
        await refused(desk.lead, submitted, "return", "stage", reason="Late")
        assert (await desk.buyer.get("/onboarding-tasks")).json() == before


async def test_a_task_is_overdue_from_the_day_after_until_it_is_done_or_past(desk: Desk) -> None:
    late, today = await desk.task(due_on=str(day(-1))), await desk.task(due_on=str(day(0)), title="Due today")

    async def overdue(flag: str) -> list[str]:
        found = (await desk.buyer.get("/onboarding-tasks", params={"overdue": flag})).json()["data"]
        assert {row["overdue"] for row in found} <= {flag == "true"}
        return [f"/onboarding-tasks/{row['id']}" for row in found]

    assert (await overdue("true"), await overdue("false")) == ([late], [today])
    await desk.stands(S.CANCELLED)
    assert await overdue("true") == [], "nobody waits for it any more"
    await desk.stands(S.ONBOARDING)
    await done(desk.buyer, late, "submit", evidence="Badge")
    assert await overdue("true") == []
    await done(desk.lead, late, "return", reason="Wrong badge")
    assert await overdue("true") == [late]
    await done(desk.lead, late, "waive", reason="Not needed")
    assert (await desk.buyer.get(late)).json()["overdue"] is False


async def test_tasks_are_found_by_what_they_are(desk: Desk) -> None:
    mine = await desk.task(title="Show insurance", owner_role="expert", due_on=str(day(3)))
    badge = await desk.task()
    other = await engagement(desk.house, desk.programme.id, desk.expert_id, S.APPROVED)
    elsewhere = await desk.task(engagement_id=str(other), title="Elsewhere", due_on=str(day(1)))
    await done(desk.expert, mine, "submit", evidence="Policy 9")
    for query, found in (
        ({"engagement_id": str(other)}, [elsewhere]),
        ({"status": "submitted"}, [mine]),
        ({"owner_role": ["expert", "lead"]}, [mine]),
        ({"phase": "offboarding"}, []),
        ({"q": "INSUR"}, [mine]),
        ({"due_on_from": str(day(3)), "due_on_before": str(day(5))}, [mine]),
        ({"sort": "due_on"}, [elsewhere, mine, badge]),
    ):
        rows = (await desk.buyer.get("/onboarding-tasks", params=query)).json()["data"]
        assert [f"/onboarding-tasks/{row['id']}" for row in rows] == found, query
    await assert_as_serialised(desk.buyer, "/onboarding-tasks", OnboardingTaskOut)
    await assert_as_serialised(await desk.house.client("dashboard"), mine, OnboardingTaskOut)


async def test_an_expert_sees_their_own_tasks_and_does_those_that_are_theirs(desk: Desk, other_house: House) -> None:
    mine, badge = await desk.task(owner_role="expert"), await desk.task()
    stranger_id = await expert(desk.house)
    await engagement(desk.house, desk.programme.id, stranger_id, S.ONBOARDING)
    stranger = await desk.house.client("expert", expert_id=stranger_id)
    await hidden(stranger, mine, "submit", evidence="x")
    buyer = await other_house.client("procurement")
    await hidden(buyer, mine, "patch", "accept")
    await hidden(buyer, mine, "submit", evidence="x")
    await hidden(buyer, mine, "return", "waive", reason="x")
    asked = {"engagement_id": str(desk.engagement_id), "kind": "account", "title": "x", "owner_role": "lead"}
    assert (await buyer.post("/onboarding-tasks", json={**asked, "due_on": str(day(1))})).status_code == 404
    refusal = await desk.expert.post("/onboarding-tasks", json={**asked, "due_on": str(day(1))})
    assert (refusal.status_code, refusal.json()["code"]) == (403, "missing-role")
    assert {f"/onboarding-tasks/{t['id']}" for t in (await desk.expert.get("/onboarding-tasks")).json()["data"]} == {
        mine,
        badge,
    }
    await refused(desk.expert, badge, "submit", "owner-role", evidence="x")
    assert (await done(desk.expert, mine, "submit", evidence="Passport"))["status"] == "submitted"
    assert (await desk.buyer.get(mine)).json()["version"] == 2


async def test_homework_is_the_experts_and_judged_by_the_lead_of_that_programme(desk: Desk) -> None:
    for caller in (desk.buyer, desk.lead):
        answer = await caller.post("/dossiers", json=desk.homework())
        assert (answer.status_code, answer.json()["code"]) == (403, "missing-role")
    dossier = await desk.dossier()
    twice = await desk.expert.post("/dossiers", json=desk.homework(needs="Other"))
    assert (twice.status_code, twice.json()["code"]) == (409, "already-exists")
    stranger = await desk.house.client("lead")
    await refused(desk.lead, dossier, "accept", "status")
    first = (await desk.expert.get(dossier)).json()
    for caller in (desk.lead, desk.buyer):
        edit = await changed(caller, dossier, needs="What we would rather read")
        assert (edit.status_code, edit.json()["code"]) == (403, "missing-role")
        await not_for(caller, dossier, "submit")
    assert (await desk.expert.get(dossier)).json() == first

    assert (await changed(desk.expert, dossier, questions=["Who speaks at night?"])).json()["version"] == 2
    await done(desk.expert, dossier, "submit")
    edit = await changed(desk.expert, dossier, needs="Other")
    assert (edit.status_code, edit.json()["code"]) == (409, "not-a-draft")
    assert (await desk.expert.get(dossier)).json()["version"] == 3
    for action, body in (("accept", {}), ("return", {"reason": "Thin"})):
        await refused(stranger, dossier, action, "by-the-lead", **body)
        await not_for(desk.buyer, dossier, action, **body)
        await not_for(desk.expert, dossier, action, **body)
    assert (await done(desk.lead, dossier, "return", reason="Nothing on churn"))["reason"] == "Nothing on churn"
    assert (await changed(desk.expert, dossier, needs="Hear who leaves")).status_code == 200
    assert (await done(desk.expert, dossier, "submit"))["reason"] is None
    accepted = await done(desk.lead, dossier, "accept")
    assert (accepted["status"], accepted["needs"]) == ("accepted", "Hear who leaves")
    await refused(desk.lead, dossier, "return", "status", reason="Late")
    for caller in (desk.expert, await desk.house.client("auditor")):
        await assert_as_serialised(caller, "/dossiers", DossierOut)
    assert (await (await desk.house.client("dashboard")).get("/dossiers")).status_code == 403


async def test_homework_belongs_to_the_stages_before_the_work(desk: Desk) -> None:
    draft = await desk.dossier()
    for status in set(EngagementStatus) - set(PREPARING):
        await desk.stands(status)
        before = (await desk.expert.get(draft)).json()
        edit = await changed(desk.expert, draft, needs="Late")
        assert (edit.status_code, [u["rule"] for u in edit.json()["unmet"]]) == (409, ["stage"])
        second = await desk.expert.post("/dossiers", json=desk.homework())
        assert (second.status_code, second.json()["code"]) == (409, "wrong-stage")
        await refused(desk.expert, draft, "submit", "stage")
        assert (await desk.expert.get(draft)).json() == before
    await desk.stands(S.APPROVED)
    await done(desk.expert, draft, "submit")
    await desk.stands(S.CANCELLED)
    await refused(desk.lead, draft, "accept", "stage")
    await refused(desk.lead, draft, "return", "stage", reason="Late")


async def test_nobody_reads_anothers_homework(desk: Desk, other_house: House) -> None:
    dossier = await desk.dossier()
    stranger_id = await expert(desk.house)
    stranger = await desk.house.client("expert", expert_id=stranger_id)
    await hidden(stranger, dossier, "patch", "submit")
    assert (await stranger.post("/dossiers", json=desk.homework())).status_code == 404
    outsider = await other_house.client("lead")
    await hidden(outsider, dossier, "accept")
    await hidden(outsider, dossier, "return", reason="x")
    assert (await desk.expert.get(dossier)).json()["version"] == 1


async def test_an_engagement_waits_for_its_tasks_and_homework(house: House) -> None:
    desk = await desk_at(house, S.APPROVED)
    path = f"/engagements/{desk.engagement_id}"
    assert (await done(desk.buyer, path, "start-onboarding"))["required_documents"] == ["msa", "sow"]

    async def waits_for() -> dict[str, Any]:
        told = {t["action"]: t for t in (await desk.buyer.get(f"{path}/transitions")).json()["data"]}
        return {u["rule"]: u["actual"] for u in told["activate"]["unmet"]}

    tasks = (await desk.buyer.get("/onboarding-tasks")).json()["data"]
    assert await waits_for() == {
        "documents-in-force": [],
        "mandatory-tasks-settled": sorted(t["title"] for t in tasks if t["mandatory"]),
        "dossier-accepted": None,
        "start-reached": str(day(0)),
    }
    assert {t["title"] for t in tasks if not t["mandatory"]} == {"Introduce the team and its ways of working"}
    owners = {"expert": desk.expert, "procurement": desk.buyer}
    for task in (t for t in tasks if t["mandatory"]):
        await done(owners[task["owner_role"]], f"/onboarding-tasks/{task['id']}", "submit", evidence="Seen")
        assert task["title"] in (await waits_for())["mandatory-tasks-settled"]
        await done(desk.colleague, f"/onboarding-tasks/{task['id']}", "accept")
    dossier = await desk.dossier()
    assert (await waits_for())["dossier-accepted"] == "draft"
    await done(desk.expert, dossier, "submit")
    await done(desk.lead, dossier, "accept")
    assert (await waits_for()).keys() == {"documents-in-force", "start-reached"}
