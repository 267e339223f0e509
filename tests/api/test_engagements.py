"""Engagements: approved by who did not draft them, within the means, and only while the programme stands."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

from api.demo import steps
from api.demo.cast import House, Voice
from api.engagements import EngagementOut, EvaluationOut
from tests.calls import rules
from tests.conftest import more_of
from tests.shapes import assert_as_serialised

Thing = dict[str, Any]


async def approved_expert(house: House, name: str = "Noor Luister", days: int = 700) -> Thing:
    expert = await steps.register_expert(house, 0, name, ["Social listening"])
    for client in ("River Transit", "City Theatre"):
        await steps.prove(house, expert, client, "Complaints answered within a day: 41 % to 88 %")
    await steps.vet(house, expert, house.today + timedelta(days=days))
    return await house["Petra"].post(f"/experts/{expert['id']}/approve")


async def active_programme(house: House, means: int = 120_000) -> Thing:
    programme, charter = await steps.draft_programme(house, "Social listening", means=means)
    await steps.sponsor(house, programme)
    await steps.propose(house, programme, charter)
    await steps.agree_and_activate(house, programme, charter)
    return programme


async def drafted(house: House, programme: Thing, expert: Thing, *, value: int = 10_000) -> Thing:
    engagement = await steps.draft_engagement(
        house, programme, expert, "Web care", mode="assignment", starts=house.today, days=60, value=value
    )
    await steps.scope(house, engagement, "delivery", "Web care", value=value)
    return engagement


async def submitted(house: House, programme: Thing, expert: Thing, *, value: int = 10_000) -> Thing:
    engagement = await drafted(house, programme, expert, value=value)
    return await house["Petra"].post(f"/engagements/{engagement['id']}/submit")


async def running(house: House) -> tuple[Thing, Thing, Voice]:
    """A programme, an active engagement in it, and its expert's voice."""
    programme, expert = await active_programme(house), await approved_expert(house)
    engagement = await submitted(house, programme, expert)
    at = f"/engagements/{engagement['id']}"
    await house["Marit"].post(f"{at}/approve")
    await house["Petra"].post(f"{at}/start-onboarding")
    voice = await house.hire(expert)
    sow = await steps.draft_contract(house, engagement, "sow", value=steps.euros(10_000))
    await steps.conclude(house, voice, sow)
    await steps.settle_tasks(house, voice, engagement)
    await steps.do_homework(house, voice, engagement)
    return programme, await house["Petra"].post(f"{at}/activate"), voice


async def test_each_resource_is_written_as_its_shape_says(ferries: House) -> None:
    programme, engagement, voice = await running(ferries)
    await steps.name_topics(ferries, programme, [("Rounds", True)])
    topics = (await ferries["Lena"].get("/topics"))["data"]
    await steps.plan_milestones(ferries, engagement, topics, ["Explained"], ["Mila"])
    await ferries["Lena"].post(f"/engagements/{engagement['id']}/begin-handover")
    await steps.part(ferries, voice, engagement)
    for caller in (ferries["Axel"].client, voice.client, await more_of(ferries).client("member")):
        await assert_as_serialised(caller, f"/engagements/{engagement['id']}", EngagementOut)
        await assert_as_serialised(caller, "/engagements", EngagementOut)
        await assert_as_serialised(caller, "/evaluations", EvaluationOut)


async def test_amounts_are_absent_without_money_read(ferries: House) -> None:
    engagement = await drafted(ferries, await active_programme(ferries), await approved_expert(ferries))
    member = await more_of(ferries).client("member")
    seen = (await member.get(f"/engagements/{engagement['id']}")).json()
    assert "value" not in seen
    listed = await member.get("/engagements", headers={"accept": "text/csv"})
    assert "value" not in listed.text.splitlines()[0]
    assert "10000" not in listed.text
    history = await member.get(f"/engagements/{engagement['id']}/events")
    assert "10000" not in history.text
    assert (await ferries["Axel"].get(f"/engagements/{engagement['id']}"))["value"] == steps.euros(10_000)


async def test_a_draft_without_scope_or_with_an_unapproved_expert_stays_a_draft(ferries: House) -> None:
    programme = await active_programme(ferries)
    expert = await steps.register_expert(ferries, 0, "New Face", ["Social listening"])
    engagement = await steps.draft_engagement(
        ferries, programme, expert, "Web care", mode="assignment", starts=ferries.today, days=60, value=100
    )
    at = f"/engagements/{engagement['id']}"
    assert rules(await ferries["Petra"].client.post(f"{at}/submit")) == ["expert-approved", "scoped-assignment"]
    assert await ferries["Petra"].get(at) == engagement


async def test_an_approval_that_lapsed_stops_the_engagement(ferries: House) -> None:
    programme, expert = await active_programme(ferries), await approved_expert(ferries, days=3)
    engagement = await submitted(ferries, programme, expert)
    await ferries.until(ferries.today + timedelta(days=4))
    refused = await ferries["Marit"].client.post(f"/engagements/{engagement['id']}/approve")
    assert rules(refused) == ["expert-approved"]
    assert refused.json()["unmet"][0]["actual"] == "lapsed"


async def test_nobody_approves_what_they_drafted(ferries: House) -> None:
    programme, expert = await active_programme(ferries), await approved_expert(ferries)
    both = Voice(await more_of(ferries).client("procurement", "sponsor", person_id=uuid.UUID(ferries.people["Marit"])))
    ferries.voices["Petra"], petra = both, ferries["Petra"]
    engagement = await submitted(ferries, programme, expert)
    at = f"/engagements/{engagement['id']}"
    assert rules(await both.client.post(f"{at}/approve")) == ["four-eyes"]
    stranger = await more_of(ferries).client("sponsor")
    assert rules(await stranger.post(f"{at}/approve")) == ["sponsor-or-champion"]
    assert (await petra.get(at))["status"] == "submitted"
    assert (await ferries["Olga"].post(f"{at}/approve"))["status"] == "approved"


async def test_nobody_approves_what_they_edited(ferries: House) -> None:
    engagement = await drafted(ferries, await active_programme(ferries), await approved_expert(ferries))
    at = f"/engagements/{engagement['id']}"
    both = await more_of(ferries).client("procurement", "sponsor", person_id=uuid.UUID(ferries.people["Marit"]))
    edited = await both.patch(at, json={"title": "Web care, by me"}, headers={"if-match": "*"})
    assert len(edited.json()["edited_by"]) == 1
    await ferries["Petra"].post(f"{at}/submit")
    assert rules(await both.post(f"{at}/approve")) == ["four-eyes"]
    assert (await ferries["Petra"].get(at))["status"] == "submitted"


async def test_nobody_agrees_to_scope_they_edited(ferries: House) -> None:
    programme, expert = await active_programme(ferries), await approved_expert(ferries)
    engagement = await steps.draft_engagement(
        ferries, programme, expert, "Web care", mode="assignment", starts=ferries.today, days=60, value=100
    )
    assignment = await ferries["Petra"].post(
        "/assignments",
        engagement_id=engagement["id"],
        title="Web care",
        kind="delivery",
        objectives="Answer in time",
        in_scope=["Web care"],
        acceptance_criteria=["Done once"],
        effort_days=5,
        starts_on=engagement["starts_on"],
        ends_on=engagement["ends_on"],
    )
    at, lead = f"/assignments/{assignment['id']}", ferries["Lena"].client
    assert (await lead.patch(at, json={"effort_days": 9}, headers={"if-match": "*"})).status_code == 200
    assert rules(await lead.post(f"{at}/agree")) == ["four-eyes"]
    assert (await lead.get(at)).json()["status"] == "draft"


async def test_a_rejected_draft_comes_back_with_the_reason(ferries: House) -> None:
    engagement = await submitted(ferries, await active_programme(ferries), await approved_expert(ferries))
    at = f"/engagements/{engagement['id']}"
    bare = await ferries["Marit"].client.post(f"{at}/reject", json={})
    assert bare.status_code == 422
    rejected = await ferries["Marit"].post(f"{at}/reject", reason="Say what stays behind.")
    assert (rejected["status"], rejected["reason"]) == ("draft", "Say what stays behind.")
    assert (await ferries["Petra"].post(f"{at}/submit"))["reason"] is None


async def test_a_programme_at_risk_takes_on_nothing_new(ferries: House) -> None:
    programme, expert = await active_programme(ferries), await approved_expert(ferries)
    engagement = await submitted(ferries, programme, expert)
    held = await ferries["Lena"].get("/sponsor-commitments", person_id=ferries.people["Carlos"])
    await ferries["Carlos"].post(f"/sponsor-commitments/{held['data'][0]['id']}/end", reason="Left.")
    refused = await ferries["Marit"].client.post(f"/engagements/{engagement['id']}/approve")
    assert rules(refused) == ["programme-active"]
    assert refused.json()["unmet"][0]["actual"] == "at_risk"
    late = await ferries["Petra"].client.post(
        "/assignments",
        json={
            "engagement_id": engagement["id"],
            "title": "More",
            "kind": "delivery",
            "objectives": "More",
            "effort_days": 1,
            "starts_on": "2030-01-01",
            "ends_on": "2030-01-02",
        },
    )
    assert (late.status_code, late.json()["code"]) == (409, "programme-at-risk")


async def test_two_approvals_at_once_do_not_spend_the_means_twice(ferries: House) -> None:
    programme, expert = await active_programme(ferries, means=100_000), await approved_expert(ferries)
    first = await submitted(ferries, programme, expert, value=60_000)
    second = await submitted(ferries, programme, expert, value=60_000)
    answers = await asyncio.gather(
        ferries["Marit"].client.post(f"/engagements/{first['id']}/approve"),
        ferries["Carlos"].client.post(f"/engagements/{second['id']}/approve"),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert rules(refused) == ["within-budget"]
    assert "60000" not in refused.text
    assert "100000" not in refused.text


async def test_means_in_another_currency_cover_nothing(ferries: House) -> None:
    programme, expert = await active_programme(ferries), await approved_expert(ferries)
    engagement = await drafted(ferries, programme, expert)
    at = f"/engagements/{engagement['id']}"
    seen = await ferries["Petra"].client.get(at)
    await ferries["Petra"].client.patch(
        at, json={"value": {"amount": "5.00", "currency": "USD"}}, headers={"if-match": seen.headers["etag"]}
    )
    await ferries["Petra"].post(f"{at}/submit")
    assert rules(await ferries["Marit"].client.post(f"{at}/approve")) == ["within-budget"]


async def test_only_a_draft_changes_and_never_its_status(ferries: House) -> None:
    engagement = await submitted(ferries, await active_programme(ferries), await approved_expert(ferries))
    at = f"/engagements/{engagement['id']}"
    petra = ferries["Petra"].client
    later = await petra.patch(at, json={"title": "Other"}, headers={"if-match": "*"})
    assert (later.status_code, later.json()["code"]) == (409, "not-a-draft")
    status = await petra.patch(at, json={"status": "approved"}, headers={"if-match": "*"})
    assert status.status_code == 422
    assert (await petra.patch(at, json={"title": "Other"})).status_code == 428


async def test_days_stand_in_order(ferries: House) -> None:
    programme, expert = await active_programme(ferries), await approved_expert(ferries)
    answer = await ferries["Petra"].client.post(
        "/engagements",
        json={
            "programme_id": programme["id"],
            "expert_id": expert["id"],
            "title": "Web care",
            "mode": "assignment",
            "starts_on": "2030-02-01",
            "ends_on": "2030-01-01",
            "value": steps.euros(1),
        },
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "ends-before-it-starts")
    assert (await ferries["Petra"].get("/engagements"))["data"] == []


async def test_a_lead_buys_for_their_own_programme_only(ferries: House) -> None:
    programme, expert = await active_programme(ferries), await approved_expert(ferries)
    stranger = Voice(await more_of(ferries).client("lead"))
    ferries.voices["Petra"] = stranger
    body = {
        "programme_id": programme["id"],
        "expert_id": expert["id"],
        "title": "Web care",
        "mode": "assignment",
        "starts_on": "2030-01-01",
        "ends_on": "2030-02-01",
        "value": steps.euros(1),
    }
    refused = await stranger.client.post("/engagements", json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "not-steering")
    assert (await ferries["Lena"].client.post("/engagements", json=body)).status_code == 201


async def test_only_the_lead_of_the_programme_pauses_and_only_its_champion_or_lead_terminates(ferries: House) -> None:
    _, engagement, _ = await running(ferries)
    at = f"/engagements/{engagement['id']}"
    stranger = await more_of(ferries).client("lead", "champion")
    assert rules(await stranger.post(f"{at}/pause")) == ["by-the-lead"]
    assert rules(await stranger.post(f"{at}/terminate", json={"reason": "No."})) == ["lead-or-champion"]
    assert (await ferries["Lena"].post(f"{at}/pause"))["status"] == "paused"
    assert rules(await ferries["Lena"].client.post(f"{at}/pause")) == ["status"]
    assert (await ferries["Lena"].post(f"{at}/resume"))["status"] == "active"
    ended = await ferries["Olga"].post(f"{at}/terminate", reason="The need is gone.")
    assert (ended["status"], ended["reason"]) == ("terminated", "The need is gone.")


async def test_no_handover_without_milestones(ferries: House) -> None:
    _, engagement, voice = await running(ferries)
    refused = await voice.client.post(f"/engagements/{engagement['id']}/begin-handover")
    assert rules(refused) == ["milestones-planned"]


async def test_experts_see_their_own_engagements_and_evaluations_only(ferries: House) -> None:
    _, engagement, voice = await running(ferries)
    other = await ferries.hire(await approved_expert(ferries, "Other Expert"))
    assert (await other.get("/engagements"))["data"] == []
    assert (await other.client.get(f"/engagements/{engagement['id']}")).status_code == 404
    assert (await other.get("/programmes"))["data"] == []
    assert [e["id"] for e in (await voice.get("/engagements"))["data"]] == [engagement["id"]]
    early = await voice.client.post(
        "/evaluations",
        json={
            "engagement_id": engagement["id"],
            "objectives": "met",
            "knowledge_transferred": True,
            "would_engage_again": True,
            "comment": "Well.",
        },
    )
    assert (early.status_code, early.json()["code"]) == (409, "wrong-stage")
    await ferries["Lena"].post(f"/engagements/{engagement['id']}/terminate", reason="Ends here.")
    await steps.part(ferries, voice, engagement)
    assert [e["side"] for e in (await voice.get("/evaluations"))["data"]] == ["expert"]
    assert len((await ferries["Axel"].get("/evaluations"))["data"]) == 2
    twice = await ferries["Marit"].client.post(
        "/evaluations",
        json={
            "engagement_id": engagement["id"],
            "objectives": "met",
            "knowledge_transferred": True,
            "would_engage_again": True,
            "comment": "Again.",
        },
    )
    assert twice.status_code == 409


async def test_another_organisation_finds_nothing(ferries: House, museum: House) -> None:
    engagement = await drafted(ferries, await active_programme(ferries), await approved_expert(ferries))
    at = f"/engagements/{engagement['id']}"
    for answer in (
        await museum["Petra"].client.get(at),
        await museum["Petra"].client.post(f"{at}/submit"),
        await museum["Petra"].client.get(f"{at}/transitions"),
        await museum["Petra"].client.patch(at, json={"title": "Mine"}, headers={"if-match": "*"}),
    ):
        assert answer.status_code == 404
    assert (await ferries["Petra"].get(at))["version"] == engagement["version"]
