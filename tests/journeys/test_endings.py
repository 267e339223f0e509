"""How the story may end otherwise: terminated, or kept open by what is not delivered."""

from api.demo import steps
from api.demo.cast import House
from api.demo.story import Story
from tests.calls import rules
from tests.conftest import more_of


async def told_until(house: House, wanted: str) -> Story:
    """The story up to a scene."""
    story = Story(house)
    async for scene, day in story.scenes():
        if scene == wanted:
            break
        await house.until(day)
    return story


async def test_termination_ends_every_grant_in_the_same_transaction(ferries: House) -> None:
    story = await told_until(ferries, "activated_engagement")
    at, grant = f"/engagements/{story.engagement['id']}", f"/access-grants/{story.grant['id']}"
    content = f"/assets/{story.asset['id']}/content"
    seen = await story.voice.client.get(content)
    assert seen.status_code == 200
    asked = await steps.ask_access(story.voice, story.asset, story.engagement)
    await ferries["Olga"].post(f"{at}/terminate", reason="The need is gone.")
    for path in (grant, f"/access-grants/{asked['id']}"):
        ended = await ferries["Dora"].get(path)
        assert (ended["status"], ended["active"], ended["reason"]) == ("revoked", False, "The need is gone.")
    closed = await story.voice.client.get(content, headers={"if-none-match": seen.headers["etag"]})
    assert closed.status_code == 403
    assert {"engagement-running", "grant-active"} <= {unmet["rule"] for unmet in closed.json()["unmet"]}
    requests = {
        (await ferries["Axel"].get("/events", subject_id=path.rpartition("/")[2]))["data"][0]["request_id"]
        for path in (at, grant)
    }
    assert len(requests) == 1


async def test_a_stranger_to_the_programme_speaks_for_neither_side(ferries: House) -> None:
    story = await told_until(ferries, "activated_engagement")
    await ferries["Olga"].post(f"/engagements/{story.engagement['id']}/terminate", reason="The need is gone.")
    stranger = await more_of(ferries).client("sponsor")
    word = {
        "engagement_id": story.engagement["id"],
        "objectives": "not_met",
        "knowledge_transferred": False,
        "would_engage_again": False,
        "comment": "From afar.",
    }
    refused = await stranger.post("/evaluations", json=word)
    assert refused.json()["code"] == "speaks-for-neither"
    assert rules(refused) == ["lead-or-sponsor"]
    assert (await ferries["Axel"].get("/evaluations"))["data"] == []


async def test_what_is_not_delivered_keeps_it_open(ferries: House) -> None:
    story = await told_until(ferries, "activated_engagement")
    at = f"/engagements/{story.engagement['id']}"
    topics = await steps.name_topics(ferries, story.programme, [("Rounds", False)])
    await steps.plan_milestones(ferries, story.engagement, topics, ["Explained"], ["Mila"])
    await story.voice.post(f"{at}/begin-handover")
    refused = await ferries["Lena"].client.post(f"{at}/close")
    assert "deliverables-settled" in rules(refused)
    unmet = next(u for u in refused.json()["unmet"] if u["rule"] == "deliverables-settled")
    assert len(unmet["actual"]) == 3
    assert (await ferries["Axel"].get(at))["status"] == "handover"
