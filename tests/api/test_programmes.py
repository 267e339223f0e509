"""Programmes: two managers behind each, a charter that they endorsed, and what happens when one of them leaves."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import pytest

from api.demo import steps
from api.demo.cast import House
from api.programmes.charters import CharterOut, ObjectiveOut
from api.programmes.programmes import ParticipationOut, ProgrammeOut
from api.programmes.sponsors import SponsorCommitmentOut
from tests.calls import rules
from tests.conftest import more_of
from tests.shapes import assert_as_serialised


async def active(house: House) -> tuple[dict[str, Any], dict[str, Any]]:
    programme, charter = await steps.draft_programme(house, "Social listening", means=120_000)
    await steps.sponsor(house, programme)
    await steps.propose(house, programme, charter)
    await steps.agree_and_activate(house, programme, charter)
    return await house["Lena"].get(f"/programmes/{programme['id']}"), charter


async def commitment(house: House, programme: dict[str, Any], name: str) -> str:
    found = await house["Lena"].get("/sponsor-commitments", programme_id=programme["id"], person_id=house.people[name])
    return f"/sponsor-commitments/{found['data'][0]['id']}"


async def test_each_resource_is_written_as_its_shape_says(ferries: House) -> None:
    programme, charter = await active(ferries)
    of = f"?programme_id={programme['id']}"
    for path, shape in (
        (f"/programmes/{programme['id']}", ProgrammeOut),
        ("/programmes", ProgrammeOut),
        (f"/participations{of}", ParticipationOut),
        (f"/sponsor-commitments{of}", SponsorCommitmentOut),
        (f"/charters/{charter['id']}", CharterOut),
        (f"/charters{of}", CharterOut),
        (f"/objectives{of}", ObjectiveOut),
    ):
        await assert_as_serialised(ferries["Axel"].client, path, shape)
    await assert_as_serialised(await more_of(ferries).client("member"), "/charters", CharterOut)


async def test_who_does_not_steer_changes_nothing(ferries: House) -> None:
    programme, charter = await steps.draft_programme(ferries, "Social listening", means=1000)
    stranger = await more_of(ferries).client("lead")
    at = f"/programmes/{programme['id']}"
    etag = {"if-match": f'"{programme["version"]}"'}
    for answer in (
        await stranger.patch(at, json={"title": "Mine"}, headers=etag),
        await stranger.post(
            "/participations", json={"programme_id": programme["id"], "unit_id": ferries.units["Sales"]}
        ),
        await stranger.post(
            "/sponsor-commitments", json={"programme_id": programme["id"], "person_id": ferries.people["Marit"]}
        ),
        await stranger.post(f"/charters/{charter['id']}/submit"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "not-steering")
    assert rules(await stranger.post(f"{at}/propose")) == ["by-steering"]
    assert (await stranger.get(at)).json()["version"] == programme["version"]


async def test_only_a_manager_commits_and_only_for_themselves(ferries: House) -> None:
    programme, _ = await steps.draft_programme(ferries, "Social listening", means=1000)
    more = more_of(ferries)
    clerk = await more.person("Clerk", is_manager=False)
    invited = await ferries["Lena"].post("/sponsor-commitments", programme_id=programme["id"], person_id=str(clerk))
    at = f"/sponsor-commitments/{invited['id']}"
    assert rules(await ferries["Marit"].client.post(f"{at}/commit")) == ["own-commitment", "sponsor-is-manager"]
    own = await more.client("sponsor", person_id=clerk)
    assert rules(await own.post(f"{at}/commit")) == ["sponsor-is-manager"]
    assert (await own.get(at)).json()["status"] == "invited"
    declined = await own.post(f"{at}/decline", json={"reason": "Not a manager."})
    assert (declined.json()["status"], declined.json()["reason"]) == ("declined", "Not a manager.")


async def test_who_has_left_commits_to_nothing(ferries: House) -> None:
    programme, _ = await steps.draft_programme(ferries, "Social listening", means=1000)
    invited = await ferries["Lena"].post(
        "/sponsor-commitments", programme_id=programme["id"], person_id=ferries.people["Marit"]
    )
    last_day = ferries.today + timedelta(days=1)
    await ferries["Ada"].post(f"/people/{ferries.people['Marit']}/announce-departure", leaves_on=str(last_day))
    await ferries.until(last_day + timedelta(days=1))
    at = f"/sponsor-commitments/{invited['id']}"
    assert rules(await ferries["Marit"].client.post(f"{at}/commit")) == ["sponsor-still-here"]
    assert (await ferries["Lena"].get(at))["status"] == "invited"


async def test_a_cancelled_programme_takes_no_sponsor(ferries: House) -> None:
    programme, _ = await steps.draft_programme(ferries, "Social listening", means=1000)
    invited = await ferries["Lena"].post(
        "/sponsor-commitments", programme_id=programme["id"], person_id=ferries.people["Marit"]
    )
    await ferries["Lena"].post(f"/programmes/{programme['id']}/cancel", reason="No need.")
    at = f"/sponsor-commitments/{invited['id']}"
    assert rules(await ferries["Marit"].client.post(f"{at}/commit")) == ["programme-open"]
    assert (await ferries["Lena"].get(at))["status"] == "invited"


async def test_nobody_ends_anothers_commitment(ferries: House) -> None:
    programme, _ = await active(ferries)
    at = await commitment(ferries, programme, "Carlos")
    before = await ferries["Lena"].get(at)
    marit = ferries["Marit"].client
    assert rules(await marit.post(f"{at}/end", json={"reason": "Mine alone."})) == ["sponsor-or-steering"]
    departs = await marit.post(f"{at}/announce-departure", json={"leaves_on": str(ferries.today)})
    assert rules(departs) == ["sponsor-or-steering"]
    assert await ferries["Lena"].get(at) == before


async def test_an_objective_is_judged_in_an_agreed_charter_only(ferries: House) -> None:
    programme, _ = await steps.draft_programme(ferries, "Social listening", means=1000)
    await ferries.until(ferries.today + timedelta(days=361))
    objective = (await ferries["Lena"].get("/objectives", programme_id=programme["id"]))["data"][0]
    verdict = {"verdict": "met", "result": "86"}
    answer = await ferries["Olga"].client.post(f"/objectives/{objective['id']}/judge", json=verdict)
    assert (answer.status_code, answer.json()["code"]) == (409, "charter-not-agreed")
    assert (await ferries["Lena"].get(f"/objectives/{objective['id']}"))["verdict"] is None


async def test_nobody_sponsors_twice(ferries: House) -> None:
    programme, _ = await steps.draft_programme(ferries, "Social listening", means=1000)
    body = {"programme_id": programme["id"], "person_id": ferries.people["Marit"]}
    assert (await ferries["Lena"].client.post("/sponsor-commitments", json=body)).status_code == 201
    assert (await ferries["Lena"].client.post("/sponsor-commitments", json=body)).status_code == 409


async def test_activation_names_everything_that_is_missing(ferries: House) -> None:
    lead = ferries["Lena"]
    bare = await lead.post("/programmes", title="Bare", home_unit_id=ferries.units["PR"])
    await lead.post(f"/programmes/{bare['id']}/propose")
    refused = await ferries["Marit"].client.post(f"/programmes/{bare['id']}/activate")
    assert rules(refused) == [
        *("sponsor-or-champion", "agreed-charter", "sponsor-quorum"),
        *("champion", "evangelist", "lead", "participating-units"),
    ]
    assert (await lead.get(f"/programmes/{bare['id']}"))["status"] == "proposed"


async def test_sponsors_of_one_unit_count_once_unless_the_policy_says_otherwise(ferries: House) -> None:
    programme, charter = await steps.draft_programme(ferries, "Social listening", means=1000)
    more = more_of(ferries)
    second = await more.person("Second", unit_id=uuid.UUID(ferries.units["Marketing"]))
    own = await more.client("sponsor", person_id=second)
    await steps.sponsor(ferries, programme, ["Marit"])
    invited = await ferries["Lena"].post("/sponsor-commitments", programme_id=programme["id"], person_id=str(second))
    assert (await own.post(f"/sponsor-commitments/{invited['id']}/commit")).status_code == 200
    await steps.propose(ferries, programme, charter)
    for endorser in (ferries["Olga"].client, ferries["Marit"].client, own):
        assert (await endorser.post(f"/charters/{charter['id']}/endorse")).status_code == 200
    refused = await own.post(f"/programmes/{programme['id']}/activate")
    assert rules(refused) == ["sponsor-quorum"]
    assert (refused.json()["unmet"][0]["needed"], refused.json()["unmet"][0]["actual"]) == (2, 1)
    policy = await ferries["Ada"].client.get("/policy")
    changed = await ferries["Ada"].client.patch(
        "/policy", json={"sponsors_from_distinct_units": False}, headers={"if-match": policy.headers["etag"]}
    )
    assert changed.status_code == 200
    assert (await own.post(f"/programmes/{programme['id']}/activate")).json()["status"] == "active"


async def test_a_departure_puts_the_programme_at_risk_and_then_suspends_it(ferries: House) -> None:
    """Day by day: it counts until its last day, leaves a risk from the next, and suspends after the days of grace."""
    programme, _ = await active(ferries)
    at, last_day = f"/programmes/{programme['id']}", ferries.today + timedelta(days=10)
    left = await ferries["Ada"].post(f"/people/{ferries.people['Carlos']}/announce-departure", leaves_on=str(last_day))
    assert left["leaves_on"] == str(last_day)
    held = await ferries["Lena"].get(await commitment(ferries, programme, "Carlos"))
    assert (held["status"], held["leaves_on"], held["counts"]) == ("leaving", str(last_day), True)
    await ferries.until(last_day)
    assert (await ferries["Lena"].get(at))["status"] == "active"
    await ferries.until(last_day + timedelta(days=1))
    seen = await ferries["Lena"].get(at)
    suspends = last_day + timedelta(days=31)
    assert (seen["status"], seen["sponsors"], seen["suspends_on"]) == ("at_risk", 1, str(suspends))
    assert (await ferries["Lena"].get(await commitment(ferries, programme, "Carlos")))["status"] == "ended"
    await ferries.until(suspends - timedelta(days=1))
    assert (await ferries["Lena"].get("/programmes", status="at_risk"))["data"][0]["id"] == programme["id"]
    await ferries.until(suspends)
    assert (await ferries["Lena"].get(at))["status"] == "suspended"
    assert (await ferries["Lena"].get("/programmes", status="at_risk"))["data"] == []


async def test_a_new_sponsor_counts_once_they_endorsed_the_agreed_charter(ferries: House) -> None:
    programme, charter = await active(ferries)
    at = f"/programmes/{programme['id']}"
    ended = await ferries["Lena"].post(f"{await commitment(ferries, programme, 'Carlos')}/end", reason="Left.")
    assert ended["status"] == "ended"
    assert (await ferries["Lena"].get(at))["status"] == "at_risk"
    more = more_of(ferries)
    heir = await more.person("Heir", unit_id=uuid.UUID(ferries.units["Sales"]))
    own = await more.client("sponsor", person_id=heir)
    invited = await ferries["Lena"].post("/sponsor-commitments", programme_id=programme["id"], person_id=str(heir))
    await own.post(f"/sponsor-commitments/{invited['id']}/commit")
    assert (await ferries["Lena"].get(at))["status"] == "at_risk"
    assert (await own.post(f"/charters/{charter['id']}/endorse")).status_code == 200
    assert (await ferries["Lena"].get(at))["status"] == "active"


async def test_a_charter_is_put_to_review_with_an_objective_and_endorsed_by_those_who_answer(ferries: House) -> None:
    programme = await ferries["Lena"].post(
        "/programmes",
        title="Bare",
        home_unit_id=ferries.units["PR"],
        lead_id=ferries.people["Lena"],
        champion_id=ferries.people["Olga"],
    )
    draft = {
        "programme_id": programme["id"],
        "approach": "Listen first.",
        "means": {"amount": "1000.00", "currency": "EUR"},
        "means_source": "new",
        "horizon_on": "2030-01-01",
    }
    lead = ferries["Lena"].client
    unsourced = await lead.post("/charters", json={**draft, "means_source": "reallocated"})
    assert (unsourced.status_code, unsourced.json()["code"]) == (422, "means-without-source")
    charter = (await lead.post("/charters", json=draft)).json()
    again = await lead.post("/charters", json=draft)
    assert (again.status_code, again.json()["code"]) == (409, "charter-exists")
    at = f"/charters/{charter['id']}"
    assert rules(await lead.post(f"{at}/submit")) == ["objectives-in-figures"]
    objective = {
        "charter_id": charter["id"],
        "title": "Answer in time",
        "kpi": "answers within the hour",
        "measured_in": "%",
        "baseline": "40",
        "target": "30",
        "direction": "increase",
        "data_source": "Report",
        "judge_id": ferries.people["Olga"],
        "judged_on": "2030-01-01",
    }
    against = await lead.post("/objectives", json=objective)
    assert (against.status_code, against.json()["code"]) == (422, "target-against-direction")
    assert (await lead.post("/objectives", json={**objective, "target": "85"})).status_code == 201
    assert (await lead.post(f"{at}/submit")).json()["status"] == "in_review"
    late = await lead.post("/objectives", json={**objective, "target": "85"})
    assert (late.status_code, late.json()["code"]) == (409, "not-a-draft")
    assert rules(await ferries["Marit"].client.post(f"{at}/endorse")) == ["sponsor-or-champion"]
    assert (await ferries["Olga"].post(f"{at}/endorse"))["status"] == "in_review"


async def test_a_revision_starts_without_endorsements_and_supersedes_once_agreed(ferries: House) -> None:
    programme, charter = await active(ferries)
    revision = await ferries["Lena"].post(f"/charters/{charter['id']}/revise")
    assert (revision["number"], revision["status"], revision["champion_endorsed"]) == (2, "draft", None)
    assert len((await ferries["Lena"].get("/objectives", charter_id=revision["id"]))["data"]) == 2
    await ferries["Lena"].post(f"/charters/{revision['id']}/submit")
    for name in ("Olga", "Marit"):
        assert (await ferries[name].post(f"/charters/{revision['id']}/endorse"))["status"] == "in_review"
    assert (await ferries["Lena"].get(f"/charters/{charter['id']}"))["status"] == "agreed"
    assert (await ferries["Carlos"].post(f"/charters/{revision['id']}/endorse"))["status"] == "agreed"
    assert (await ferries["Lena"].get(f"/charters/{charter['id']}"))["status"] == "superseded"
    assert (await ferries["Lena"].get(f"/programmes/{programme['id']}"))["status"] == "active"


async def test_two_sponsors_endorse_at_once_and_the_charter_is_agreed(ferries: House) -> None:
    programme, charter = await steps.draft_programme(ferries, "Social listening", means=1000)
    await steps.sponsor(ferries, programme)
    await steps.propose(ferries, programme, charter)
    path = f"/charters/{charter['id']}/endorse"
    answers = await asyncio.gather(*(ferries[name].client.post(path) for name in ("Olga", "Marit", "Carlos")))
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert (await ferries["Lena"].get(f"/charters/{charter['id']}"))["status"] == "agreed"
    assert (await ferries["Marit"].post(f"/programmes/{programme['id']}/activate"))["sponsors"] == 2


async def test_only_the_judge_gives_the_verdict_in_time_and_once(ferries: House) -> None:
    programme, _ = await active(ferries)
    objective = (await ferries["Lena"].get("/objectives", programme_id=programme["id"]))["data"][0]
    path = f"/objectives/{objective['id']}/judge"
    verdict = {"verdict": "met", "result": "86"}
    other = await ferries["Marit"].client.post(path, json=verdict)
    assert (other.status_code, other.json()["code"]) == (403, "not-the-judge")
    early = await ferries["Olga"].client.post(path, json=verdict)
    assert (early.status_code, early.json()["code"]) == (409, "too-early-to-judge")
    await ferries.until(ferries.today + timedelta(days=360))
    judged = await ferries["Olga"].post(path, **verdict)
    assert (judged["verdict"], judged["result"]) == ("met", "86.0000")
    twice = await ferries["Olga"].client.post(path, json=verdict)
    assert (twice.status_code, twice.json()["code"]) == (409, "already-judged")


async def test_closing_waits_for_every_verdict(ferries: House) -> None:
    programme, _ = await active(ferries)
    at = f"/programmes/{programme['id']}"
    assert (await ferries["Lena"].post(f"{at}/begin-closing"))["status"] == "closing"
    refused = await ferries["Marit"].client.post(f"{at}/close")
    assert rules(refused) == ["objectives-judged"]
    assert refused.json()["unmet"][0]["actual"] == ["Answer in time", "Keep customers"]
    await ferries.until(ferries.today + timedelta(days=360))
    for objective in (await ferries["Lena"].get("/objectives", programme_id=programme["id"]))["data"]:
        await ferries["Olga"].post(f"/objectives/{objective['id']}/judge", verdict="met", result="1")
    assert (await ferries["Marit"].post(f"{at}/close"))["status"] == "closed"
    over = await ferries["Olga"].client.patch(at, json={"title": "New"}, headers={"if-match": "*"})
    assert (over.status_code, over.json()["code"]) == (409, "programme-over")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"champion_id": None}, "champion"),
        ({"evangelist_id": "Lena"}, "one-role-each"),
        ({"champion_id": "Lena"}, "champion-apart"),
        ({"champion_id": "Tom"}, "champion-grade"),
    ],
)
async def test_a_programme_under_way_keeps_its_roles(ferries: House, change: dict[str, Any], rule: str) -> None:
    programme, _ = await active(ferries)
    at = f"/programmes/{programme['id']}"
    body = {role: name and ferries.people[name] for role, name in change.items()}
    refused = await ferries["Lena"].client.patch(at, json=body, headers={"if-match": "*"})
    assert refused.json()["code"] == "not-staffed"
    assert rule in rules(refused)
    assert (await ferries["Lena"].get(at)) == programme


async def test_a_programme_under_way_keeps_two_units(ferries: House) -> None:
    programme, _ = await active(ferries)
    first, second = (await ferries["Lena"].get("/participations", programme_id=programme["id"]))["data"]
    lead, seen = ferries["Lena"].client, {"if-match": "*"}
    assert (await lead.delete(f"/participations/{first['id']}")).status_code == 428
    assert (await lead.delete(f"/participations/{first['id']}", headers=seen)).status_code == 204
    assert rules(await lead.delete(f"/participations/{second['id']}", headers=seen)) == ["participating-units"]
    assert (await lead.get(f"/participations/{second['id']}")).status_code == 200
    assert (await lead.get(f"/participations/{first['id']}")).status_code == 404


async def test_another_organisation_sees_none_of_it(ferries: House, museum: House) -> None:
    programme, charter = await active(ferries)
    sponsor = await commitment(ferries, programme, "Marit")
    for path in (f"/programmes/{programme['id']}", f"/charters/{charter['id']}", sponsor):
        assert (await museum["Axel"].client.get(path)).status_code == 404
    assert (await museum["Lena"].client.post(f"/programmes/{programme['id']}/propose")).status_code == 404
    foreign = await museum["Lena"].client.post(
        "/programmes", json={"title": "Island", "home_unit_id": ferries.units["PR"]}
    )
    assert foreign.status_code in (404, 409, 422), foreign.text
