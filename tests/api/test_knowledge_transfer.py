"""Knowledge transfer: the expert logs and submits, receivers confirm, the lead accepts, and coverage has its say."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from api.knowledge_transfer.handover import HandoverCertificateOut, HandoverReservationOut
from api.knowledge_transfer.milestones import MilestoneOut, ProgressEntryOut
from api.knowledge_transfer.topics import AssessmentOut, ProgrammeCoverageOut, TopicOut
from models.engagements import EngagementStatus
from models.programmes import ProgrammeStatus
from tests.conftest import House
from tests.scene import Staffed, behind_the_walls, day, engagement, expert, programme
from tests.shapes import assert_as_serialised


@dataclass
class Scene:
    """A programme with a running engagement, its expert, and two colleagues who learn."""

    house: House
    programme: Staffed
    engagement_id: UUID
    expert: httpx.AsyncClient
    expert_id: UUID
    lead: httpx.AsyncClient
    champion: httpx.AsyncClient
    sponsor: httpx.AsyncClient
    people: list[UUID] = field(default_factory=list)
    learners: list[httpx.AsyncClient] = field(default_factory=list)

    async def topic(self, **more: Any) -> dict[str, Any]:
        body = {"programme_id": str(self.programme.id), "title": "Churn", "critical": True, **more}
        return await made(self.lead, "/topics", **body)

    def plan(self, topic: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {
            "engagement_id": str(self.engagement_id),
            "title": "Dashboards",
            "due_on": day(30).isoformat(),
            "acceptance_criteria": "They run it alone",
            "topic_ids": [topic["id"]],
            "receiver_ids": [str(p) for p in self.people],
            **more,
        }

    async def milestone(self, topic: dict[str, Any], **more: Any) -> dict[str, Any]:
        return await made(self.lead, "/milestones", **self.plan(topic, **more))

    async def submitted(self, topic: dict[str, Any], **more: Any) -> str:
        path = f"/milestones/{(await self.milestone(topic, **more))['id']}"
        await made(self.expert, f"{path}/progress", percent=100)
        await done(self.expert, f"{path}/submit")
        return path

    async def accepted(self, topic: dict[str, Any], **more: Any) -> str:
        path = await self.submitted(topic, **more)
        for learner in self.learners:
            await done(learner, f"{path}/confirm")
        await done(self.lead, f"{path}/accept")
        return path

    async def assess(self, topic: dict[str, Any], person_id: UUID, level: int = 3) -> dict[str, Any]:
        return await made(self.expert, "/assessments", **judged(topic, person_id, level))

    async def certificate(self) -> str:
        body = {"engagement_id": str(self.engagement_id), "summary": "All of it"}
        path = f"/handover-certificates/{(await made(self.expert, '/handover-certificates', **body))['id']}"
        await done(self.expert, f"{path}/submit")
        return path

    async def to(self, on: date) -> None:
        admin = await self.house.client("admin")
        moved = await admin.post("/clock/advance", json={"to": f"{on}T12:00:00Z"})
        assert moved.status_code == 200, moved.text


def judged(topic: dict[str, Any], person_id: UUID, level: int = 3) -> dict[str, Any]:
    return {"topic_id": topic["id"], "person_id": str(person_id), "level": level, "evidence": "Ran a week alone"}


async def made(client: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def done(client: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(path, json=body or None)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def refused(client: httpx.AsyncClient, path: str, **body: Any) -> tuple[int, str, list[str]]:
    answer = await client.post(path, json=body or None)
    problem = answer.json()
    return answer.status_code, problem.get("code"), [u["rule"] for u in problem.get("unmet", [])]


async def told(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.fixture
async def scene(house: House) -> Scene:
    staffed, expert_id = await programme(house), await expert(house)
    found = Scene(
        house,
        staffed,
        await engagement(house, staffed.id, expert_id),
        expert=await house.client("expert", expert_id=expert_id),
        expert_id=expert_id,
        lead=await house.client("lead", person_id=staffed.lead_id),
        champion=await house.client("champion", person_id=staffed.champion_id),
        sponsor=await house.client("sponsor", person_id=staffed.sponsor_ids[0]),
    )
    for name in ("Mia", "Noa"):
        found.people.append(await house.person(name, is_manager=False))
        found.learners.append(await house.client("member", person_id=found.people[-1]))
    return found


async def test_only_those_who_steer_a_programme_name_its_topics(scene: Scene) -> None:
    stranger = await scene.house.client("lead")
    body = {"programme_id": str(scene.programme.id), "title": "Churn"}
    assert await refused(stranger, "/topics", **body) == (403, "not-steering", [])
    assert await refused(scene.expert, "/topics", **body) == (403, "missing-role", [])
    assert (await told(scene.lead, "/topics"))["data"] == []
    topic = await scene.topic()
    path, seen = f"/topics/{topic['id']}", {"if-match": '"1"'}
    assert (topic["coverage"], topic["coverage_flag"], topic["sufficient"]) == (0, "none", False)
    changed = await stranger.patch(path, json={"critical": False}, headers=seen)
    assert (changed.status_code, changed.json()["code"]) == (403, "not-steering")
    assert await refused(scene.lead, "/topics", **body) == (409, "already-exists", [])
    mended = await scene.lead.patch(path, json={"min_coverage": 1}, headers=seen)
    assert (mended.status_code, mended.json()["min_coverage"]) == (200, 1)
    over = await programme(scene.house, status=ProgrammeStatus.CLOSED)
    its_lead = await scene.house.client("lead", person_id=over.lead_id)
    late = await refused(its_lead, "/topics", programme_id=str(over.id), title="Late")
    assert late == (409, "programme-over", [])
    assert [t["title"] for t in (await told(scene.expert, "/topics"))["data"]] == ["Churn"]


async def test_a_milestone_is_planned_by_the_lead_with_topics_of_the_programme(scene: Scene) -> None:
    topic, stranger = await scene.topic(), await scene.house.client("lead")
    other = await programme(scene.house)
    their_lead = await scene.house.client("lead", person_id=other.lead_id)
    foreign = await made(their_lead, "/topics", programme_id=str(other.id), title="Theirs")
    ended = await engagement(scene.house, scene.programme.id, scene.expert_id, EngagementStatus.CANCELLED)
    assert await refused(stranger, "/milestones", **scene.plan(topic)) == (403, "not-steering", [])
    assert (await refused(scene.lead, "/milestones", **scene.plan(foreign)))[:2] == (422, "topic-of-another-programme")
    over = scene.plan(topic, engagement_id=str(ended))
    assert await refused(scene.lead, "/milestones", **over) == (409, "engagement-over", ["engagement-open"])
    nobody = scene.plan(topic, receiver_ids=[str(scene.expert_id)])
    assert (await refused(scene.lead, "/milestones", **nobody))[:2] == (422, "unknown-reference")
    assert (await refused(scene.lead, "/milestones", **scene.plan(topic, topic_ids=[])))[0] == 422
    assert (await told(scene.lead, "/milestones"))["data"] == [], "nothing of what was refused stays"

    row = await scene.milestone(topic, receiver_ids=[str(scene.people[0])] * 2)
    assert (row["status"], row["percent"], row["overdue"]) == ("planned", 0, False)
    assert (row["topic_ids"], row["receiver_ids"]) == ([topic["id"]], [str(scene.people[0])])
    path = f"/milestones/{row['id']}"
    headers = {"if-match": '"1"'}
    second = await scene.topic(title="Pricing")
    change = {"weight": 3, "topic_ids": [second["id"]], "receiver_ids": [str(p) for p in scene.people]}
    assert (await stranger.patch(path, json=change, headers=headers)).json()["code"] == "not-steering"
    theirs = await scene.lead.patch(path, json={"topic_ids": [foreign["id"]]}, headers=headers)
    assert theirs.json()["code"] == "topic-of-another-programme"
    assert (await told(scene.lead, path)) == row
    mended = (await scene.lead.patch(path, json=change, headers=headers)).json()
    assert (mended["weight"], mended["topic_ids"], len(mended["receiver_ids"])) == (3, [second["id"]], 2)
    await made(scene.expert, f"{path}/progress", percent=1)
    late = await scene.lead.patch(path, json={"weight": 1}, headers={"if-match": "*"})
    assert (late.status_code, late.json()["code"]) == (409, "already-begun")


async def test_progress_is_the_experts_word_and_is_never_unsaid(scene: Scene) -> None:
    path = f"/milestones/{(await scene.milestone(await scene.topic()))['id']}"
    progress = f"{path}/progress"
    assert await refused(scene.lead, progress, percent=10) == (403, "missing-role", [])
    stranger = await scene.house.client("expert", expert_id=await expert(scene.house))
    assert (await refused(stranger, progress, percent=10))[:2] == (404, "not-found")
    entry = await made(scene.expert, progress, percent=60, hours="2.50", on=day(-3).isoformat())
    assert (entry["percent"], entry["hours"], entry["on"]) == (60, "2.50", day(-3).isoformat())
    assert (await refused(scene.expert, progress, percent=50))[:2] == (422, "fall-without-note")
    ahead = await refused(scene.expert, progress, percent=70, on=day(2).isoformat())
    assert ahead[:2] == (422, "progress-in-the-future")
    assert (await refused(scene.expert, progress, percent=101))[:2] == (422, "invalid-input")
    row = await told(scene.expert, path)
    assert (row["status"], row["percent"]) == ("in_progress", 60)
    await made(scene.expert, progress, percent=40, note="The source closed its interface")
    assert (await told(scene.lead, path))["percent"] == 40
    entries = (await told(scene.lead, f"/progress-entries?milestone_id={path.rpartition('/')[2]}"))["data"]
    assert [e["percent"] for e in entries] == [40, 60]
    assert (await scene.expert.patch(f"/progress-entries/{entry['id']}", json={"percent": 1})).status_code == 405
    async with behind_the_walls(scene.house) as session:
        with pytest.raises(Exception, match="permission denied"):
            await session.execute(text("update progress_entries set percent = 0"))


@pytest.mark.parametrize("status", [EngagementStatus.CLOSED, EngagementStatus.TERMINATED, EngagementStatus.ONBOARDING])
async def test_only_the_expert_of_a_running_engagement_reports(scene: Scene, status: EngagementStatus) -> None:
    topic = await scene.topic()
    path = await scene.submitted(topic)
    second = f"/milestones/{(await scene.milestone(topic, title='Second'))['id']}"
    await made(scene.expert, f"{second}/progress", percent=100)
    async with behind_the_walls(scene.house) as session:
        await session.execute(
            text(
                "update engagements set status = :status, closed_by_lead = gen_random_uuid(),"
                " closed_by_sponsor = gen_random_uuid() where id = :id"
            ),
            {"status": status.value, "id": scene.engagement_id},
        )
    stopped = ["running-engagement"]
    assert await refused(scene.expert, f"{second}/progress", percent=100) == (409, "cannot-progress", stopped)
    assert await refused(scene.expert, f"{second}/submit") == (409, "cannot-submit", stopped)
    assert (await refused(scene.expert, "/assessments", **judged(topic, scene.people[0])))[2] == stopped
    assert (await told(scene.lead, second))["status"] == "in_progress"
    assert (await told(scene.lead, path))["status"] == "submitted"


async def test_from_progress_over_every_receivers_word_to_accepted(scene: Scene) -> None:
    row = await scene.milestone(await scene.topic())
    path = f"/milestones/{row['id']}"
    assert await refused(scene.expert, f"{path}/submit") == (409, "wrong-state", ["status"])
    await made(scene.expert, f"{path}/progress", percent=90)
    assert await refused(scene.expert, f"{path}/submit") == (409, "cannot-submit", ["progress"])
    await made(scene.expert, f"{path}/progress", percent=100)
    assert await refused(scene.learners[0], f"{path}/confirm") == (409, "wrong-state", ["status"])
    assert (await done(scene.expert, f"{path}/submit"))["status"] == "submitted"

    outsider = await scene.house.client("member")
    assert await refused(outsider, f"{path}/confirm") == (409, "cannot-confirm", ["by-a-receiver"])
    assert await refused(scene.expert, f"{path}/confirm") == (403, "missing-role", [])
    assert await refused(scene.lead, f"{path}/accept") == (409, "cannot-accept", ["confirmed-by-receivers"])
    first = await done(scene.learners[0], f"{path}/confirm")
    assert (first["confirmed_by"], first["status"]) == ([str(scene.people[0])], "submitted")
    half = await scene.lead.post(f"{path}/accept")
    assert half.json()["unmet"][0]["refs"] == [f"/people/{scene.people[1]}"], "who is missing is named"
    await done(scene.learners[1], f"{path}/confirm")

    stranger = await scene.house.client("lead")
    assert await refused(stranger, f"{path}/accept") == (409, "cannot-accept", ["by-the-lead"])
    assert await refused(stranger, f"{path}/return", reason="No") == (409, "cannot-return", ["by-the-lead"])
    assert await refused(scene.expert, f"{path}/accept") == (403, "missing-role", [])
    moves = (await told(scene.lead, f"{path}/transitions"))["data"]
    assert {m["action"]: m["allowed"] for m in moves}["accept"] is True
    final = await done(scene.lead, f"{path}/accept")
    assert (final["status"], final["decided_on"]) == ("accepted", day(0).isoformat())
    assert await refused(scene.lead, f"{path}/return", reason="Late") == (409, "wrong-state", ["status"])


async def test_what_is_given_back_is_confirmed_anew(scene: Scene) -> None:
    path = await scene.submitted(await scene.topic())
    for learner in scene.learners:
        await done(learner, f"{path}/confirm")
    assert (await refused(scene.lead, f"{path}/return"))[0] == 422, "a reason is needed"
    back = await done(scene.lead, f"{path}/return", reason="The guide is missing")
    assert (back["status"], back["reason"], back["confirmed_by"]) == ("returned", "The guide is missing", [])
    await made(scene.expert, f"{path}/progress", percent=100)
    again = await done(scene.expert, f"{path}/submit")
    assert (again["status"], again["reason"]) == ("submitted", None)
    assert await refused(scene.lead, f"{path}/accept") == (409, "cannot-accept", ["confirmed-by-receivers"])


async def test_a_lead_does_not_accept_what_they_received(scene: Scene) -> None:
    path = await scene.submitted(await scene.topic(), receiver_ids=[str(scene.programme.lead_id)])
    await done(scene.lead, f"{path}/confirm")
    assert await refused(scene.lead, f"{path}/accept") == (409, "cannot-accept", ["four-eyes"])
    assert (await told(scene.lead, path))["status"] == "submitted"


async def test_only_the_programmes_own_champion_waives(scene: Scene) -> None:
    path = f"/milestones/{(await scene.milestone(await scene.topic()))['id']}"
    stranger = await scene.house.client("champion")
    assert await refused(scene.lead, f"{path}/waive", reason="No time") == (403, "missing-role", [])
    assert await refused(stranger, f"{path}/waive", reason="No") == (409, "cannot-waive", ["by-the-champion"])
    assert (await told(scene.lead, path))["status"] == "planned"
    waived = await done(scene.champion, f"{path}/waive", reason="The source is gone")
    assert (waived["status"], waived["reason"]) == ("waived", "The source is gone")


async def test_overdue_is_what_the_calendar_says(scene: Scene) -> None:
    topic = await scene.topic()
    path = f"/milestones/{(await scene.milestone(topic, due_on=day(1).isoformat()))['id']}"
    await scene.milestone(topic, title="Later", due_on=day(99).isoformat())
    await scene.to(day(1))
    assert (await told(scene.lead, path))["overdue"] is False
    await scene.to(day(2))
    assert (await told(scene.lead, path))["overdue"] is True
    assert [m["title"] for m in (await told(scene.lead, "/milestones?overdue=true"))["data"]] == ["Dashboards"]
    soon = f"/milestones?due_on_before={day(50)}&status=planned&sort=due_on&q=board"
    assert [m["title"] for m in (await told(scene.expert, soon))["data"]] == ["Dashboards"]


async def test_who_may_judge_what_a_colleague_can_do(scene: Scene) -> None:
    topic = await scene.topic()
    learner, other = scene.people
    assert (await refused(scene.lead, "/assessments", **judged(topic, learner)))[2] == ["assessor-level"]
    own = await refused(scene.learners[0], "/assessments", **judged(topic, learner))
    assert own == (409, "cannot-assess", ["four-eyes", "assessor-level"])
    stranger = await scene.house.client("expert", expert_id=await expert(scene.house))
    assert (await refused(stranger, "/assessments", **judged(topic, learner)))[:2] == (404, "not-found")
    assert (await told(scene.lead, "/assessments"))["data"] == []

    row = await scene.assess(topic, learner, level=4)
    assert (row["assessed_on"], row["valid_until"]) == (day(0).isoformat(), day(180).isoformat())
    assert await refused(scene.learners[0], "/assessments", **judged(topic, learner)) == (
        409,
        "cannot-assess",
        ["four-eyes"],
    )
    await made(scene.learners[0], "/assessments", **judged(topic, other))
    shown = await told(scene.lead, f"/topics/{topic['id']}")
    assert (shown["coverage"], shown["coverage_flag"], shown["teacher_count"]) == (2, "covered", 1)
    await scene.to(day(181))
    lapsed = await refused(scene.learners[0], "/assessments", **judged(topic, other))
    assert lapsed == (409, "cannot-assess", ["assessor-level"])
    assert (await scene.lead.patch(f"/assessments/{row['id']}", json={"level": 1})).status_code == 405


async def test_the_policy_says_how_long_an_assessment_counts(scene: Scene) -> None:
    admin = await scene.house.client("admin")
    policy = await admin.get("/policy")
    changed = await admin.patch(
        "/policy", json={"assessment_valid_days": 7}, headers={"if-match": policy.headers["etag"]}
    )
    assert changed.status_code == 200, changed.text
    assert (await scene.assess(await scene.topic(), scene.people[0]))["valid_until"] == day(7).isoformat()


async def test_coverage_counts_the_able_who_are_here_on_their_newest_valid_word(scene: Scene) -> None:
    topic = await scene.topic()
    whole = f"/programmes/{scene.programme.id}/coverage"

    async def standing() -> tuple[int, str, int, list[str]]:
        seen, all_of_it = await told(scene.lead, f"/topics/{topic['id']}"), await told(scene.lead, whole)
        as_expert = await told(scene.expert, f"/topics/{topic['id']}")
        assert as_expert["coverage"] == seen["coverage"], "an expert reads the same figure"
        return seen["coverage"], seen["coverage_flag"], all_of_it["bus_factor"], all_of_it["uncovered_topics"]

    assert await standing() == (0, "none", 0, ["Churn"])
    await scene.assess(topic, scene.people[0], level=2)
    assert await standing() == (0, "none", 0, ["Churn"]), "below the required level"
    await scene.assess(topic, scene.people[0])
    assert await standing() == (1, "single", 1, ["Churn"])
    await scene.assess(topic, scene.people[1])
    assert await standing() == (2, "covered", 2, [])
    await scene.assess(topic, scene.people[1], level=1)
    assert await standing() == (1, "single", 1, ["Churn"]), "the newest word counts"
    await scene.assess(topic, scene.people[1])
    buyer = await scene.house.client("procurement")
    gone = await buyer.post(f"/people/{scene.people[1]}/announce-departure", json={"leaves_on": day(10).isoformat()})
    assert gone.status_code == 200, gone.text
    await scene.to(day(10))
    assert await standing() == (2, "covered", 2, []), "the last day is still a day"
    await scene.to(day(11))
    assert await standing() == (1, "single", 1, ["Churn"])
    await scene.to(day(180))
    assert await standing() == (1, "single", 1, ["Churn"])
    await scene.to(day(181))
    assert await standing() == (0, "none", 0, ["Churn"])


async def test_the_bus_factor_is_the_weakest_critical_topic(scene: Scene) -> None:
    whole = f"/programmes/{scene.programme.id}/coverage"
    await scene.topic(title="Nice to know", critical=False)
    assert (await told(scene.lead, whole))["bus_factor"] is None
    strong, weak = await scene.topic(title="Strong"), await scene.topic(title="Weak", min_coverage=1)
    for person_id in scene.people:
        await scene.assess(strong, person_id)
    assert ((await told(scene.lead, whole))["bus_factor"], (await told(scene.lead, whole))["uncovered_topics"]) == (
        0,
        ["Weak"],
    )
    await scene.assess(weak, scene.people[0])
    assert ((await told(scene.lead, whole))["bus_factor"], (await told(scene.lead, whole))["uncovered_topics"]) == (
        1,
        [],
    )


async def covered(scene: Scene) -> dict[str, Any]:
    """A critical topic that enough people can do."""
    topic = await scene.topic()
    for person_id in scene.people:
        await scene.assess(topic, person_id)
    return topic


async def test_the_handover_is_attested_by_the_lead_and_a_sponsor(scene: Scene) -> None:
    topic = await scene.topic()
    body = {"engagement_id": str(scene.engagement_id), "summary": "All of it"}
    assert (await refused(scene.lead, "/handover-certificates", **body))[:2] == (403, "missing-role")
    drafted = await made(scene.expert, "/handover-certificates", **body)
    assert (await refused(scene.expert, "/handover-certificates", **body))[:2] == (409, "already-exists")
    path = f"/handover-certificates/{drafted['id']}"
    assert await refused(scene.lead, f"{path}/accept") == (409, "wrong-state", ["status"])
    mended = await scene.expert.patch(path, json={"summary": "Each part of it"}, headers={"if-match": '"1"'})
    assert (mended.status_code, mended.json()["summary"]) == (200, "Each part of it")
    assert await refused(scene.lead, f"{path}/submit") == (403, "missing-role", [])
    await done(scene.expert, f"{path}/submit")
    late = await scene.expert.patch(path, json={"summary": "Less"}, headers={"if-match": "*"})
    assert (late.status_code, late.json()["code"]) == (409, "not-a-draft")

    await scene.milestone(topic, title="Open")
    await scene.milestone(topic, title="Optional", required=False)
    stands = await scene.lead.post(f"{path}/accept")
    unmet = {u["rule"]: u["actual"] for u in stands.json()["unmet"]}
    assert unmet == {"critical-topics-covered": ["Churn"], "required-milestones-settled": ["Open"]}
    open_one = next(m for m in (await told(scene.lead, "/milestones"))["data"] if m["title"] == "Open")
    await done(scene.champion, f"/milestones/{open_one['id']}/waive", reason="The source is gone")
    await scene.assess(topic, scene.people[0])
    assert await refused(scene.lead, f"{path}/accept") == (409, "cannot-accept", ["critical-topics-covered"])
    await scene.assess(topic, scene.people[1])

    assert await refused(scene.expert, f"{path}/accept") == (403, "missing-role", [])
    for stranger in (await scene.house.client("lead"), await scene.house.client("sponsor")):
        assert await refused(stranger, f"{path}/accept") == (409, "cannot-accept", ["lead-and-sponsor"])
    first = await done(scene.lead, f"{path}/accept")
    assert (first["status"], first["sponsor_accepted_by"]) == ("submitted", None)
    assert await refused(scene.lead, f"{path}/accept") == (409, "cannot-accept", ["four-eyes", "lead-and-sponsor"])
    final = await done(scene.sponsor, f"{path}/accept")
    assert (final["status"], final["lead_accepted_by"]) == ("accepted", first["lead_accepted_by"])
    assert await refused(scene.sponsor, f"{path}/reject", reason="No") == (409, "wrong-state", ["status"])


async def test_one_person_is_never_both_sides_whatever_the_account(scene: Scene) -> None:
    await covered(scene)
    path = await scene.certificate()
    async with behind_the_walls(scene.house) as session:
        await session.execute(
            text("update programmes set lead_id = :person where id = :id"),
            {"person": scene.programme.sponsor_ids[0], "id": scene.programme.id},
        )
    one = await scene.house.client("lead", person_id=scene.programme.sponsor_ids[0])
    assert (await done(one, f"{path}/accept"))["status"] == "submitted"
    for account in (one, scene.sponsor):
        assert await refused(account, f"{path}/accept") == (409, "cannot-accept", ["four-eyes"])
    other = await scene.house.client("sponsor", person_id=scene.programme.sponsor_ids[1])
    assert (await done(other, f"{path}/accept"))["status"] == "accepted"


async def test_a_sponsor_who_no_longer_counts_attests_nothing(scene: Scene) -> None:
    await covered(scene)
    path = await scene.certificate()
    buyer = await scene.house.client("procurement")
    leaving = {"leaves_on": day(5).isoformat()}
    told_so = await buyer.post(f"/people/{scene.programme.sponsor_ids[0]}/announce-departure", json=leaving)
    assert told_so.status_code == 200, told_so.text
    await scene.to(day(6))
    assert await refused(scene.sponsor, f"{path}/accept") == (409, "cannot-accept", ["lead-and-sponsor"])


async def test_a_rejected_certificate_begins_again(scene: Scene) -> None:
    await covered(scene)
    path = await scene.certificate()
    await done(scene.lead, f"{path}/accept")
    assert (await refused(scene.sponsor, f"{path}/reject"))[0] == 422, "a reason is needed"
    back = await done(scene.sponsor, f"{path}/reject", reason="Nobody wrote it down")
    assert (back["status"], back["reason"]) == ("rejected", "Nobody wrote it down")
    mended = await scene.expert.patch(path, json={"summary": "Written down"}, headers={"if-match": "*"})
    assert mended.status_code == 200
    again = await done(scene.expert, f"{path}/submit")
    assert (again["status"], again["lead_accepted_by"], again["reason"]) == ("submitted", None, None)
    await done(scene.lead, f"{path}/accept")
    assert (await done(scene.sponsor, f"{path}/accept"))["status"] == "accepted"


async def test_reservations_are_for_topics_that_are_not_critical(scene: Scene) -> None:
    critical, lesser = await covered(scene), await scene.topic(title="Colours", critical=False)
    other = await programme(scene.house)
    their_lead = await scene.house.client("lead", person_id=other.lead_id)
    foreign = await made(their_lead, "/topics", programme_id=str(other.id), title="Theirs")
    path = await scene.certificate()
    sound = {
        "topic_id": lesser["id"],
        "owner_id": str(scene.people[0]),
        "due_on": day(20).isoformat(),
        "note": "A guide",
    }

    async def reserve(**more: Any) -> tuple[int, str, list[str]]:
        return await refused(scene.lead, f"{path}/accept", reservations=[{**sound, **more}])

    assert await reserve(topic_id=critical["id"]) == (409, "cannot-reserve", ["non-critical-topics"])
    assert (await reserve(topic_id=foreign["id"]))[:2] == (422, "topic-of-another-programme")
    assert (await reserve(due_on=day(-1).isoformat()))[:2] == (422, "reservation-in-the-past")
    assert (await reserve(owner_id=str(scene.expert_id)))[:2] == (422, "owner-not-here")
    for name in sound:
        lacking = {key: value for key, value in sound.items() if key != name}
        assert (await refused(scene.lead, f"{path}/accept", reservations=[lacking]))[0] == 422, name
    assert (await told(scene.lead, path))["lead_accepted_by"] is None, "nothing of what was refused stays"
    assert (await told(scene.lead, "/handover-reservations"))["data"] == []

    await done(scene.lead, f"{path}/accept", reservations=[sound])
    final = await done(scene.sponsor, f"{path}/accept")
    assert final["status"] == "accepted_with_reservations"
    (row,) = (await told(scene.expert, f"/handover-reservations?owner_id={scene.people[0]}"))["data"]
    assert {key: row[key] for key in sound} == sound
    await assert_as_serialised(scene.lead, f"/handover-reservations/{row['id']}", HandoverReservationOut)
    async with behind_the_walls(scene.house) as session:
        await session.execute(text("update engagements set status = 'handover'"))
    moves = (await told(scene.lead, f"/engagements/{scene.engagement_id}/transitions"))["data"]
    (close,) = [m for m in moves if m["action"] == "close"]
    rules = [u["rule"] for u in close["unmet"]]
    assert "return-certificate-filed" in rules
    assert "handover-accepted" not in rules, "reservations do not stand in the way of closing"


async def test_a_new_submission_clears_what_was_reserved(scene: Scene) -> None:
    await covered(scene)
    lesser = await scene.topic(title="Colours", critical=False)
    path = await scene.certificate()
    reserved = {"topic_id": lesser["id"], "owner_id": str(scene.people[0]), "due_on": day(20).isoformat(), "note": "A"}
    await done(scene.lead, f"{path}/accept", reservations=[reserved])
    await done(scene.sponsor, f"{path}/reject", reason="No guide")
    await done(scene.expert, f"{path}/submit")
    assert (await told(scene.lead, "/handover-reservations"))["data"] == []
    await done(scene.lead, f"{path}/accept")
    assert (await done(scene.sponsor, f"{path}/accept"))["status"] == "accepted"


async def test_what_postgresql_writes_is_what_the_shapes_say(scene: Scene) -> None:
    topic = await covered(scene)
    path = await scene.accepted(topic)
    certificate = await scene.certificate()
    whole = f"/programmes/{scene.programme.id}/coverage"
    for caller in (scene.lead, scene.expert):
        for where, shape in (
            ("/topics", TopicOut),
            (f"/topics/{topic['id']}", TopicOut),
            ("/assessments", AssessmentOut),
            ("/milestones", MilestoneOut),
            (path, MilestoneOut),
            ("/progress-entries", ProgressEntryOut),
            (certificate, HandoverCertificateOut),
            (whole, ProgrammeCoverageOut),
        ):
            await assert_as_serialised(caller, where, shape)


async def test_nothing_is_seen_from_outside(scene: Scene, other_house: House) -> None:
    topic = await covered(scene)
    path, certificate = await scene.submitted(topic), await scene.certificate()
    outsider = await other_house.client("lead")
    other_expert_id = await expert(scene.house)
    await engagement(scene.house, (await programme(scene.house)).id, other_expert_id)
    other_expert = await scene.house.client("expert", expert_id=other_expert_id)
    for caller in (outsider, other_expert):
        for where in (f"/topics/{topic['id']}", path, certificate):
            assert (await caller.get(where)).status_code == 404, where
        for where in ("/topics", "/assessments", "/milestones", "/progress-entries", "/handover-certificates"):
            assert (await told(caller, where))["data"] == [], where
    assert (await refused(outsider, f"{path}/accept"))[:2] == (404, "not-found")
