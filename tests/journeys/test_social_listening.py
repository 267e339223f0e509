"""The whole way: one engagement from a sponsored programme to an accepted handover, and what is refused on the way.

The scenes are those that the demo plays; after each, the journey tries what must not be, and sees that nothing changed.
"""

import uuid
from typing import Any

import httpx

from api.demo.cast import House, Voice
from api.demo.story import Story


class Journey:
    """One method per scene, named as the scene is."""

    def __init__(self, story: Story, other: House) -> None:
        self.story, self.house, self.other = story, story.house, other
        self.reads: list[tuple[str, str | None]] = []
        self.etag = ""

    async def refused(self, voice: Voice, path: str, status: int, *rules: str, **body: Any) -> dict[str, Any]:
        """Try a POST: it is refused for these rules (or this code), and the object is as it was."""
        thing = path.rpartition("/")[0]
        before = await voice.client.get(thing)
        answer = await (voice.client.post(path, json=body) if body else voice.client.post(path))
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        told: dict[str, Any] = answer.json()
        named = {told["code"], *(unmet["rule"] for unmet in told.get("unmet", []))}
        assert set(rules) <= named, told
        assert (await voice.client.get(thing)).text == before.text
        return told

    async def read_churn(self, status: int, code: str | None = None, etag: str | None = None) -> httpx.Response:
        """The expert tries to read the churn figures."""
        headers = {"if-none-match": etag} if etag else {}
        path = f"/assets/{self.story.asset['id']}/content"
        answer = await self.story.voice.client.get(path, headers=headers)
        assert answer.status_code == status, answer.text
        if code:
            assert answer.json()["code"] == code
        if status == 403:
            assert "churn_percent" not in answer.text
        self.reads.append(("deny" if code else "allow", code))
        return answer

    async def drafted_programme(self) -> None:
        at = f"/programmes/{self.story.programme['id']}"
        await self.refused(self.house["Marit"], f"{at}/activate", 409, "wrong-state", "status")
        await self.refused(self.house["Petra"], f"{at}/propose", 403, "missing-role")

    async def proposed_programme(self) -> None:
        at = f"/programmes/{self.story.programme['id']}"
        await self.refused(self.house["Marit"], f"{at}/activate", 409, "agreed-charter", "sponsor-quorum")
        await self.refused(self.house["Lena"], f"/charters/{self.story.charter['id']}/endorse", 403, "missing-role")

    async def activated_programme(self) -> None:
        seen = await self.house["Axel"].get(f"/programmes/{self.story.programme['id']}")
        assert (seen["status"], seen["sponsors"]) == ("active", 2)
        charter = await self.house["Axel"].get(f"/charters/{self.story.charter['id']}")
        assert charter["status"] == "agreed"

    async def half_proven(self) -> None:
        at = f"/experts/{self.story.expert['id']}"
        await self.refused(self.house["Petra"], f"{at}/approve", 409, "verified-claims", "distinct-clients")

    async def approved_expert(self) -> None:
        assert (await self.story.voice.get("/experts"))["data"][0]["status"] == "approved"
        assert (await self.story.voice.client.get("/people")).status_code == 403

    async def drafted_engagement(self) -> None:
        at = f"/engagements/{self.story.engagement['id']}"
        await self.refused(self.house["Petra"], f"{at}/submit", 409, "scoped-assignment")

    async def submitted_engagement(self) -> None:
        at = f"/engagements/{self.story.engagement['id']}"
        await self.refused(self.house["Petra"], f"{at}/approve", 403, "missing-role")
        await self.refused(self.house["Lena"], f"{at}/approve", 403, "missing-role")
        told = await self.house["Petra"].get(f"{at}/transitions")
        approve = next(t for t in told["data"] if t["action"] == "approve")
        assert (approve["allowed"], approve["unmet"][0]["rule"]) == (False, "role")

    async def approved_engagement(self) -> None:
        at = f"/engagements/{self.story.engagement['id']}"
        await self.refused(self.house["Petra"], f"{at}/activate", 409, "wrong-state")

    async def started_onboarding(self) -> None:
        assert self.story.engagement["required_documents"] == ["msa", "nda", "sow"]
        at = f"/engagements/{self.story.engagement['id']}"
        needed = ("documents-in-force", "mandatory-tasks-settled", "dossier-accepted", "start-reached")
        await self.refused(self.house["Petra"], f"{at}/activate", 409, *needed)
        await self.read_churn(403, "nda-not-in-force")

    async def sent_contracts(self) -> None:
        for contract in self.story.contracts.values():
            seen = await self.house["Marit"].get(f"/contracts/{contract['id']}")
            body = {"document_hash": seen["document_hash"], "consent_text": "I agree."}
            at = f"/contracts/{contract['id']}"
            await self.refused(self.house["Marit"], f"{at}/sign", 409, "signing-order", **body)
            await self.refused(self.house["Petra"], f"{at}/sign", 409, "four-eyes", **body)

    async def signed_contracts(self) -> None:
        for contract in self.story.contracts.values():
            assert (await self.story.voice.get(f"/contracts/{contract['id']}"))["in_force"] is True
        at = f"/access-grants/{self.story.grant['id']}"
        late = {"expires_at": "2900-01-01T00:00:00Z"}
        await self.refused(self.house["Dora"], f"{at}/grant", 409, "within-nda-and-engagement", **late)
        await self.refused(self.story.voice, f"{at}/grant", 403, "missing-role", **late)

    async def granted_access(self) -> None:
        await self.read_churn(403, "engagement-not-running")
        at = f"/engagements/{self.story.engagement['id']}"
        told = await self.refused(self.house["Petra"], f"{at}/activate", 409, "start-reached")
        assert [unmet["rule"] for unmet in told["unmet"]] == ["start-reached"]

    async def activated_engagement(self) -> None:
        answer = await self.read_churn(200)
        assert answer.json()["content"]["customers"] == 48210
        self.etag = answer.headers["etag"]
        await self.read_churn(304, etag=self.etag)
        told = await self.house["Axel"].get("/events", collection="asset-contents")
        assert "churn_percent" not in str(told)

    async def worked(self) -> None:
        """Weeks of the expert's log; nothing to refuse."""

    async def submitted_milestone(self) -> None:
        submitted = await self.house["Lena"].get("/milestones", status="submitted")
        at = f"/milestones/{submitted['data'][0]['id']}"
        await self.refused(self.house["Lena"], f"{at}/accept", 409, "confirmed-by-receivers")
        await self.refused(self.house["Eva"], f"{at}/confirm", 409, "by-a-receiver")

    async def certified(self) -> None:
        at = f"/handover-certificates/{self.story.certificate['id']}"
        told = await self.refused(self.house["Lena"], f"{at}/accept", 409, "critical-topics-covered")
        uncovered = next(u for u in told["unmet"] if u["rule"] == "critical-topics-covered")
        assert uncovered["actual"] == ["Answer in a crisis", "Run the weekly listening round"]
        await self.refused(self.story.voice, f"{at}/accept", 403, "missing-role")
        told = await self.refused(
            self.house["Lena"],
            f"/engagements/{self.story.engagement['id']}/close",
            409,
            *("handover-accepted", "critical-topics-covered", "access-ended", "return-certificate-filed"),
            "evaluated-by-both",
        )
        assert "Answer in a crisis" in str(told["unmet"])

    async def assessed(self) -> None:
        report = await self.house["Axel"].get("/reports/coverage", programme_id=self.story.programme["id"])
        assert {(t["coverage"], t["coverage_flag"]) for t in report["data"]} == {(2, "covered")}
        standing = await self.house["Axel"].get(f"/programmes/{self.story.programme['id']}/coverage")
        assert (standing["bus_factor"], standing["uncovered_topics"]) == (2, [])
        body = {"topic_id": self.story.topics[0]["id"], "level": 3, "evidence": "I did it."}
        own = await self.house["Mila"].client.post(
            "/assessments", json={**body, "person_id": self.house.people["Mila"]}
        )
        assert (own.status_code, own.json()["unmet"][0]["rule"]) == (409, "four-eyes")

    async def accepted_handover(self) -> None:
        at = f"/handover-certificates/{self.story.certificate['id']}"
        seen = await self.house["Axel"].get(at)
        if seen["status"] == "submitted":
            await self.refused(self.house["Lena"], f"{at}/accept", 409, "four-eyes")
            await self.refused(
                self.house["Lena"], f"/engagements/{self.story.engagement['id']}/close", 409, "handover-accepted"
            )
        else:
            assert seen["status"] == "accepted"

    async def revoked_access(self) -> None:
        await self.read_churn(403, "no-active-grant")
        await self.read_churn(403, "no-active-grant", etag=self.etag)
        log = await self.house["Axel"].get("/access-log", asset_id=self.story.asset["id"])
        assert [(entry["decision"], entry["code"]) for entry in reversed(log["data"])] == self.reads

    async def closed_by_lead(self) -> None:
        at = f"/engagements/{self.story.engagement['id']}"
        assert (await self.house["Axel"].get(at))["status"] == "handover"
        await self.refused(self.house["Lena"], f"{at}/close", 409, "lead-and-sponsor")

    async def closed(self) -> None:
        assert self.story.engagement["status"] == "closed"
        history = await self.house["Axel"].get(f"/engagements/{self.story.engagement['id']}/events")
        reached = [event["type"].partition(".")[2] for event in reversed(history["data"])]
        assert [state for state in reached if state != "changed"] == [
            *("created", "submitted", "approved", "onboarding", "active", "handover", "closed")
        ]
        await self._unseen_elsewhere()

    async def _unseen_elsewhere(self) -> None:
        """The second organisation finds none of it: not by id, not in lists, not in reports."""
        story = self.story
        axel, marit = self.other["Axel"], self.other["Marit"]
        for path in (
            f"/programmes/{story.programme['id']}",
            f"/engagements/{story.engagement['id']}",
            f"/experts/{story.expert['id']}",
            f"/contracts/{story.contracts['nda']['id']}",
            f"/assets/{story.asset['id']}",
            f"/milestones/{story.milestones[0]['id']}",
        ):
            unknown = path.rpartition("/")[0] + f"/{uuid.uuid4()}"
            theirs, nobodys = await axel.client.get(path), await axel.client.get(unknown)
            assert (theirs.status_code, nobodys.status_code) == (404, 404), path
            assert theirs.json().keys() == nobodys.json().keys()
        for path in ("/programmes", "/engagements", "/experts", "/contracts", "/assets", "/milestones", "/access-log"):
            assert (await axel.get(path))["data"] == [], path
        assert set((await axel.get("/reports/portfolio"))["engagements"].values()) == {0}
        answer = await marit.client.post(f"/engagements/{story.engagement['id']}/close")
        assert answer.status_code == 404


async def test_the_whole_way(ferries: House, museum: House) -> None:
    story = Story(ferries)
    journey = Journey(story, museum)
    seen = []
    async for scene, day in story.scenes():
        seen.append(scene)
        await getattr(journey, scene)()
        await ferries.until(day)
    assert seen[0] == "drafted_programme"
    assert seen[-1] == "closed"
