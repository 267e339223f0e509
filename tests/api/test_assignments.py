"""Assignments: scope agreed before the work by someone who did not draft it, work accepted by who did not do it."""

import asyncio
import csv
import io
import uuid
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from api.assignments import AssignmentOut, DeliverableOut
from models.assignments import Assignment, Deliverable
from models.engagements import Engagement, EngagementStatus
from models.policy import SCOPES
from models.programmes import Programme, ProgrammeStatus, SponsorCommitment
from tests.calls import changed, done, hidden, made, not_for, refused
from tests.conftest import House
from tests.scene import Staffed, behind_the_walls, day, engagement, expert, programme
from tests.shapes import assert_as_serialised

S = EngagementStatus
ENDED = (S.CLOSED, S.CANCELLED, S.TERMINATED)
VALUE = {"amount": "1250.50", "currency": "EUR"}


@dataclass
class Desk:
    """An active engagement and who sits around it: procurement, the programme's lead, another lead, the expert."""

    house: House
    programme: Staffed
    engagement_id: uuid.UUID
    buyer: httpx.AsyncClient
    lead: httpx.AsyncClient
    other_lead: httpx.AsyncClient
    expert: httpx.AsyncClient

    def scope(self, **more: Any) -> dict[str, Any]:
        body = {"engagement_id": str(self.engagement_id), "title": "Learn to listen", "kind": "training"}
        body |= {"objectives": "The team hears customers", "in_scope": ["Two workshops"], "effort_days": 5}
        body |= {"acceptance_criteria": ["Done once alone"], "starts_on": str(day(0)), "ends_on": str(day(20))}
        return {**body, "value": VALUE, **more}

    async def draft(self, **more: Any) -> str:
        return f"/assignments/{(await made(self.buyer, 'assignments', self.scope(**more)))['id']}"

    async def started(self, **more: Any) -> str:
        path = await self.draft(**more)
        await done(self.lead, path, "agree")
        await done(self.expert, path, "start")
        return path

    async def promise(self, of: str, **more: Any) -> str:
        body = {"assignment_id": of.rpartition("/")[2], "title": "Report", "due_on": str(day(9))}
        answer = await made(self.buyer, "deliverables", {**body, "acceptance_criteria": "Tells how", **more})
        assert answer["engagement_id"] == str(self.engagement_id)
        return f"/deliverables/{answer['id']}"

    async def stands(self, status: EngagementStatus) -> None:
        async with behind_the_walls(self.house) as session:
            row = await session.get(Engagement, (self.house.id, self.engagement_id))
            assert row is not None
            row.closed_by_lead, row.closed_by_sponsor = uuid.uuid4(), uuid.uuid4()
            row.status = status

    async def lose_sponsors(self) -> None:
        """They left yesterday: the programme is at risk."""
        async with behind_the_walls(self.house) as session:
            for row in await session.scalars(select(SponsorCommitment)):
                row.leaves_on = day(-1)


@pytest.fixture
async def desk(house: House) -> Desk:
    of, expert_id = await programme(house), await expert(house)
    return Desk(
        house=house,
        programme=of,
        engagement_id=await engagement(house, of.id, expert_id),
        buyer=await house.client("procurement"),
        lead=await house.client("lead", person_id=of.lead_id),
        other_lead=await house.client("lead"),
        expert=await house.client("expert", expert_id=expert_id),
    )


async def untouched(caller: httpx.AsyncClient, path: str, version: int = 1) -> None:
    assert (await caller.get(path)).json()["version"] == version


async def test_scope_is_agreed_by_the_lead_who_did_not_draft_it(desk: Desk) -> None:
    drafted = await desk.draft()
    for caller in (desk.buyer, desk.expert):
        await not_for(caller, drafted, "agree")
    await refused(desk.other_lead, drafted, "agree", "by-the-lead")
    own = f"/assignments/{(await made(desk.lead, 'assignments', desk.scope()))['id']}"
    await refused(desk.lead, own, "agree", "four-eyes")
    empty = await desk.draft(in_scope=[], acceptance_criteria=[])
    await refused(desk.lead, empty, "agree", "in-scope", "acceptance-criteria")
    assert (await done(desk.lead, drafted, "agree"))["status"] == "agreed"
    await refused(desk.lead, drafted, "agree", "status")


async def test_what_was_agreed_is_not_changed_in_passing(desk: Desk) -> None:
    path = await desk.draft()
    first = await changed(desk.buyer, path, effort_days=8, value=None, ends_on=str(day(0)))
    told = first.json()
    assert (told["effort_days"], told["value"], told["version"]) == (8, None, 2)
    backwards = await changed(desk.buyer, path, ends_on=str(day(-1)))
    assert (backwards.status_code, backwards.json()["code"]) == (422, "ends-before-it-starts")
    born = await desk.buyer.post("/assignments", json=desk.scope(ends_on=str(day(-1))))
    assert (born.status_code, born.json()["code"]) == (422, "ends-before-it-starts")
    for field in ("status", "drafted_by", "engagement_id"):
        assert (await changed(desk.buyer, path, **{field: "agreed"})).status_code == 422
    mine = await changed(desk.expert, path, effort_days=900)
    assert (mine.status_code, mine.json()["code"]) == (403, "missing-role")
    await untouched(desk.buyer, path, 2)
    await done(desk.lead, path, "agree")
    late = await changed(desk.buyer, path, effort_days=900)
    assert (late.status_code, late.json()["code"]) == (409, "not-a-draft")
    await untouched(desk.buyer, path, 3)


async def test_a_programme_at_risk_takes_on_no_scope_but_goes_on_with_what_it_has(desk: Desk) -> None:
    drafted, running = await desk.draft(), await desk.started()
    promised = await desk.promise(running)
    await desk.lose_sponsors()
    bodies = {"assignments": desk.scope(), "deliverables": (await desk.buyer.get(promised)).json()}
    keys = ("assignment_id", "title", "due_on", "acceptance_criteria")
    bodies["deliverables"] = {key: bodies["deliverables"][key] for key in keys}
    answers = [await desk.buyer.post(f"/{name}", json=body) for name, body in bodies.items()]
    answers += [await changed(desk.buyer, path, title="More") for path in (drafted, promised)]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (409, "programme-at-risk"), answer.text
        (unmet,) = answer.json()["unmet"]
        assert (unmet["rule"], unmet["actual"]) == ("programme-not-at-risk", "at_risk")
    await refused(desk.lead, drafted, "agree", "programme-not-at-risk")
    await untouched(desk.buyer, drafted)
    await untouched(desk.buyer, promised)
    assert [len((await desk.buyer.get(f"/{name}")).json()["data"]) for name in bodies] == [2, 1]
    await done(desk.expert, promised, "submit", evidence="In the folder")
    await done(desk.lead, promised, "accept")
    await done(desk.expert, running, "deliver")
    assert (await done(desk.lead, running, "accept"))["status"] == "accepted"


@pytest.mark.parametrize("status", [ProgrammeStatus.CLOSING, ProgrammeStatus.CLOSED, ProgrammeStatus.CANCELLED])
async def test_a_programme_that_ends_takes_on_no_scope(desk: Desk, status: ProgrammeStatus) -> None:
    async with behind_the_walls(desk.house) as session:
        row = await session.get(Programme, (desk.house.id, desk.programme.id))
        assert row is not None
        row.status = status
    answer = await desk.buyer.post("/assignments", json=desk.scope())
    assert (answer.status_code, answer.json()["unmet"][0]["actual"]) == (409, status)
    assert (await desk.buyer.get("/assignments")).json()["data"] == []


async def test_an_engagement_that_ended_takes_on_no_scope_and_no_work(desk: Desk) -> None:
    drafted, agreed, running = await desk.draft(), await desk.draft(), await desk.started()
    await done(desk.lead, agreed, "agree")
    promised = await desk.promise(running)
    for status in ENDED:
        await desk.stands(status)
        for answer in (
            await desk.buyer.post("/assignments", json=desk.scope()),
            await changed(desk.buyer, drafted, title="More"),
            await changed(desk.buyer, promised, title="More"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (409, "engagement-over"), answer.text
            assert answer.json()["unmet"][0] == {
                "rule": "engagement-open",
                "needed": "open",
                "actual": status,
                "refs": [f"/engagements/{desk.engagement_id}"],
            }
        await refused(desk.lead, drafted, "agree", "engagement-open")
    for status in (*ENDED, S.DRAFT, S.APPROVED, S.ONBOARDING, S.PAUSED):
        await desk.stands(status)
        await refused(desk.lead, agreed, "start", "engagement-active")
        await refused(desk.expert, running, "deliver", "engagement-active", "deliverables-submitted")
        await refused(desk.expert, promised, "submit", "engagement-active", evidence="x")
    assert len((await desk.buyer.get("/assignments")).json()["data"]) == 3
    await desk.stands(S.HANDOVER)
    assert (await done(desk.lead, agreed, "start"))["status"] == "in_progress"


async def test_work_is_started_by_those_concerned_delivered_by_the_expert_and_accepted_by_the_lead(desk: Desk) -> None:
    path = await desk.draft()
    await refused(desk.expert, path, "start", "status")
    await done(desk.lead, path, "agree")
    await not_for(desk.buyer, path, "start")
    await refused(desk.other_lead, path, "start", "lead-or-expert")
    assert (await done(desk.expert, path, "start"))["status"] == "in_progress"
    promised, second = await desk.promise(path), await desk.promise(path, title="Handbook")
    await refused(desk.expert, path, "deliver", "deliverables-submitted")
    await done(desk.expert, promised, "submit", evidence="In the folder")
    await refused(desk.expert, path, "deliver", "deliverables-submitted")
    await done(desk.expert, second, "submit", evidence="In the folder")
    await not_for(desk.lead, path, "deliver")
    delivered = await done(desk.expert, path, "deliver")
    assert delivered["delivered_by"] == (await desk.expert.get("/me")).json()["account_id"]

    body = {"assignment_id": path.rpartition("/")[2], "title": "x", "due_on": str(day(1)), "acceptance_criteria": "x"}
    more = await desk.buyer.post("/deliverables", json=body)
    assert (more.status_code, more.json()["code"]) == (409, "assignment-over")
    await refused(desk.lead, path, "accept", "deliverables-accepted")
    await refused(desk.other_lead, path, "accept", "by-the-lead", "deliverables-accepted")
    await refused(desk.other_lead, path, "return", "by-the-lead", reason="Thin")
    for caller in (desk.buyer, desk.expert):
        await not_for(caller, path, "accept")
        await not_for(caller, path, "return", reason="Thin")
    await refused(desk.lead, path, "cancel", "status", reason="Late")
    assert (await done(desk.lead, path, "return", reason="Thin"))["reason"] == "Thin"
    again = await done(desk.expert, path, "deliver")
    assert (again["status"], again["reason"]) == ("delivered", None)
    for deliverable in (promised, second):
        await done(desk.lead, deliverable, "accept")
    assert (await done(desk.lead, path, "accept"))["status"] == "accepted"
    await refused(desk.lead, path, "return", "status", reason="Late")


async def test_nobody_accepts_what_they_delivered_or_submitted(desk: Desk) -> None:
    """Roles part the two hands already; the rule stands even if an account changed sides in between."""
    path = await desk.started()
    promised = await desk.promise(path)
    await done(desk.expert, promised, "submit", evidence="x")
    await done(desk.expert, path, "deliver")
    lead_account = uuid.UUID((await desk.lead.get("/me")).json()["account_id"])
    async with behind_the_walls(desk.house) as session:
        row = await session.get(Assignment, (desk.house.id, uuid.UUID(path.rpartition("/")[2])))
        assert row is not None
        row.delivered_by = lead_account
        report = await session.get(Deliverable, (desk.house.id, uuid.UUID(promised.rpartition("/")[2])))
        assert report is not None
        report.submitted_by = lead_account
    await refused(desk.lead, promised, "accept", "four-eyes")
    await refused(desk.lead, promised, "reject", "four-eyes", reason="x")
    await refused(desk.lead, path, "accept", "four-eyes", "deliverables-accepted")
    await refused(desk.lead, path, "return", "four-eyes", reason="x")


async def test_work_is_cancelled_by_the_lead_and_its_deliverables_end_with_it(desk: Desk) -> None:
    path = await desk.started()
    late, handed_in = await desk.promise(path, due_on=str(day(-1))), await desk.promise(path)
    await done(desk.expert, handed_in, "submit", evidence="x")
    assert (await desk.buyer.get(late)).json()["overdue"] is True
    bare = await desk.lead.post(f"{path}/cancel", json={})
    assert (bare.status_code, bare.json()["errors"][0]["pointer"]) == (422, "/reason")
    await not_for(desk.buyer, path, "cancel", reason="x")
    await refused(desk.other_lead, path, "cancel", "by-the-lead", reason="x")
    assert (await done(desk.lead, path, "cancel", reason="No longer wanted"))["reason"] == "No longer wanted"
    assert (await desk.buyer.get(late)).json()["overdue"] is False
    await refused(desk.expert, late, "submit", "assignment-in-progress", evidence="x")
    await refused(desk.lead, handed_in, "accept", "assignment-not-cancelled")
    await refused(desk.lead, handed_in, "reject", "assignment-not-cancelled", reason="x")
    told = {
        t["action"]: t for t in (await desk.lead.get(f"/engagements/{desk.engagement_id}/transitions")).json()["data"]
    }
    assert told["close"]["unmet"][0]["rule"] == "status"


async def test_a_deliverable_is_submitted_by_the_expert_and_judged_by_the_lead(desk: Desk) -> None:
    path = await desk.draft()
    promised = await desk.promise(path)
    assert (await changed(desk.buyer, promised, title="Short report")).json()["title"] == "Short report"
    await refused(desk.expert, promised, "submit", "assignment-in-progress", evidence="x")
    await done(desk.lead, path, "agree")
    await done(desk.lead, path, "start")
    for caller in (desk.buyer, desk.lead):
        await not_for(caller, promised, "submit", evidence="x")
    await refused(desk.lead, promised, "accept", "status")
    bare = await desk.expert.post(f"{promised}/submit", json={})
    assert (bare.status_code, bare.json()["errors"][0]["pointer"]) == (422, "/evidence")
    submitted = await done(desk.expert, promised, "submit", evidence="In the folder")
    assert (submitted["status"], submitted["evidence"]) == ("submitted", "In the folder")
    edit = await changed(desk.buyer, promised, title="Another")
    assert (edit.status_code, edit.json()["code"]) == (409, "not-pending")
    assert (await desk.buyer.get(promised)).json()["title"] == "Short report"
    await refused(desk.other_lead, promised, "accept", "by-the-lead")
    await refused(desk.other_lead, promised, "reject", "by-the-lead", reason="x")
    for caller in (desk.buyer, desk.expert):
        await not_for(caller, promised, "accept")
        await not_for(caller, promised, "reject", reason="x")
    assert (await done(desk.lead, promised, "reject", reason="No figures"))["reason"] == "No figures"
    await refused(desk.expert, path, "deliver", "deliverables-submitted")
    again = await done(desk.expert, promised, "submit", evidence="With figures")
    assert (again["evidence"], again["reason"]) == ("With figures", None)
    assert (await done(desk.lead, promised, "accept"))["status"] == "accepted"
    await refused(desk.lead, promised, "reject", "status", reason="Late")


async def test_lists_are_found_by_what_they_hold(desk: Desk) -> None:
    first, second = await desk.started(title="Listen"), await desk.draft(kind="strategy", starts_on=str(day(3)))
    late = await desk.promise(first, due_on=str(day(-1)), title="Log")
    today = await desk.promise(first, due_on=str(day(0)))
    for collection, query, found in (
        ("assignments", {"kind": "strategy"}, [second]),
        ("assignments", {"status": ["in_progress", "agreed"]}, [first]),
        ("assignments", {"q": "LISTEN", "sort": "starts_on"}, [first, second]),
        ("assignments", {"starts_on_from": str(day(1)), "starts_on_before": str(day(4))}, [second]),
        ("assignments", {"engagement_id": str(uuid.uuid4())}, []),
        ("deliverables", {"overdue": "true"}, [late]),
        ("deliverables", {"overdue": "false"}, [today]),
        ("deliverables", {"assignment_id": first.rpartition("/")[2], "sort": "-due_on"}, [today, late]),
        ("deliverables", {"due_on_before": str(day(0))}, [late]),
        ("deliverables", {"status": "submitted"}, []),
        ("deliverables", {"q": "log"}, [late]),
    ):
        rows = (await desk.buyer.get(f"/{collection}", params=query)).json()["data"]
        assert [f"/{collection}/{row['id']}" for row in rows] == found, query
    await done(desk.expert, late, "submit", evidence="x")
    assert (await desk.buyer.get("/deliverables?overdue=true")).json()["data"] == []
    await done(desk.lead, late, "reject", reason="x")
    assert len((await desk.buyer.get("/deliverables?overdue=true")).json()["data"]) == 1
    for status in ENDED:
        await desk.stands(status)
        assert (await desk.buyer.get("/deliverables?overdue=true")).json()["data"] == [], "nobody waits for it"


async def test_the_value_is_absent_for_who_may_not_see_money(desk: Desk) -> None:
    path = await desk.draft()
    await desk.promise(path)
    assert (await changed(desk.buyer, path, value={"amount": "77.70", "currency": "EUR"})).status_code == 200
    unscoped = frozenset(SCOPES) - {"money:read"}
    blind = [
        await desk.house.client("member"),
        await desk.house.client("evangelist"),
        await desk.house.client("lead", person_id=desk.programme.champion_id, scopes=unscoped),
        await desk.house.client("dashboard", scopes=unscoped),
    ]
    seeing = [desk.buyer, desk.expert, await desk.house.client("finance"), await desk.house.client("dashboard")]
    for caller in (*blind, *seeing):
        await assert_as_serialised(caller, "/assignments", AssignmentOut)
        await assert_as_serialised(caller, path, AssignmentOut)
        await assert_as_serialised(caller, "/deliverables", DeliverableOut)
        sees = caller in seeing
        told = [await caller.get(path), await caller.get("/assignments?fields=value&sort=starts_on")]
        told += [
            await caller.get("/assignments", headers={"accept": form}) for form in ("text/csv", "application/x-ndjson")
        ]
        told.append(await caller.get("/assignments?fields=value", headers={"accept": "text/csv"}))
        assert [("77.70" in answer.text, "value" in answer.text) for answer in told] == [(sees, sees)] * len(told)
        (row,) = csv.DictReader(io.StringIO(told[2].text))
        assert row["title"] == "Learn to listen"
        history = await caller.get(f"{path}/events")
        if caller is not desk.expert:
            assert [event["type"] for event in history.json()["data"]] == ["assignment.changed", "assignment.created"]
        assert "77.70" not in history.text
        assert "value" not in history.text
    # Who may not read an amount may still be the one to write it down; the answer keeps it to itself.
    lead = blind[2]
    born = await lead.post("/assignments", json=desk.scope())
    assert (born.status_code, "value" in born.json()) == (201, False)
    edit = await changed(lead, path, value={"amount": "88.80", "currency": "EUR"})
    assert (edit.status_code, "88.80" in edit.text) == (200, False)
    journal = await (await desk.house.client("auditor")).get("/events")
    assert "88.80" not in journal.text


async def test_money_is_two_decimals_in_a_known_spelling_or_nothing(desk: Desk) -> None:
    for wrong in (
        {"amount": 5, "currency": "EUR"},
        {"amount": "-1.00", "currency": "EUR"},
        {"amount": "1.001", "currency": "EUR"},
        {"amount": "NaN", "currency": "EUR"},
        {"amount": "1.00"},
        {"amount": "1.00", "currency": "euro"},
        "1.00",
    ):
        assert (await desk.buyer.post("/assignments", json=desk.scope(value=wrong))).status_code == 422, wrong
    assert (await desk.buyer.get("/assignments")).json()["data"] == []
    assert (await desk.buyer.get(await desk.draft(value=None))).json()["value"] is None


async def test_who_reads_and_who_does_not(desk: Desk, other_house: House) -> None:
    path = await desk.started()
    promised = await desk.promise(path)
    for role in ("admin", "sponsor", "legal", "auditor", "member", "dashboard"):
        caller = await desk.house.client(role)
        assert [(await caller.get(p)).status_code for p in (path, promised, "/assignments")] == [200, 200, 200], role
        born = await caller.post("/assignments", json=desk.scope())
        assert (born.status_code, born.json()["code"]) == (403, "missing-role"), role
    stranger = await desk.house.client("expert", expert_id=await expert(desk.house))
    outsider = await other_house.client("procurement", "lead")
    for caller in (stranger, outsider):
        await hidden(caller, path, "start")
        await hidden(caller, promised)
    await hidden(stranger, path, "deliver")
    await hidden(stranger, promised, "submit", evidence="x")
    await hidden(outsider, path, "patch", "agree", "accept")
    await hidden(outsider, path, "return", "cancel", reason="x")
    await hidden(outsider, promised, "patch", "accept")
    await hidden(outsider, promised, "reject", reason="x")
    body = {"assignment_id": path.rpartition("/")[2], "title": "x", "due_on": str(day(1)), "acceptance_criteria": "x"}
    foreign = [await outsider.post("/assignments", json=desk.scope()), await outsider.post("/deliverables", json=body)]
    assert [answer.status_code for answer in foreign] == [404, 404]
    await untouched(desk.buyer, path, 3)
    await untouched(desk.buyer, promised)


async def test_no_deliverable_slips_in_behind_a_delivery(desk: Desk) -> None:
    """Two at once: either the deliverable came first and the delivery is refused, or the other way round."""
    for _ in range(5):
        path = await desk.started()
        body = {
            "assignment_id": path.rpartition("/")[2],
            "title": "x",
            "due_on": str(day(1)),
            "acceptance_criteria": "x",
        }
        promise, delivery = await asyncio.gather(
            desk.buyer.post("/deliverables", json=body), desk.expert.post(f"{path}/deliver")
        )
        assert sorted((promise.status_code, delivery.status_code)) in ([200, 409], [201, 409])
