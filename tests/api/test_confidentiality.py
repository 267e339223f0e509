"""Confidentiality: content opens only while NDA, purpose, grant and engagement all hold, and every try is logged."""

import asyncio
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from api.database import Cluster
from models.base import now
from models.confidentiality import AccessGrant, Asset, GrantStatus
from models.contracts import Contract, ContractKind, ContractStatus
from models.engagements import Engagement, EngagementStatus
from models.programmes import Programme, ProgrammeStatus
from models.types import Classification
from tests.conftest import House
from tests.scene import Staffed, behind_the_walls, day, engagement, expert, plant, programme

SECRET = {"churn": "4.2 %", "by_region": [{"region": "Nord & Süd", "customers": 12000}]}
PURPOSE = "Market study"


def nda(expert_id: UUID, engagement_id: UUID, **more: Any) -> Contract:
    """An NDA signed by both, in force from a month ago to 200 days from now, unless `more` says otherwise."""
    values: dict[str, Any] = {
        "kind": ContractKind.NDA,
        "number": uuid.uuid4().hex,
        "title": "NDA",
        "expert_id": expert_id,
        "engagement_id": engagement_id,
        "wording": "What is read stays here.",
        "governing_law": "NL",
        "effective_on": day(-30),
        "expires_on": day(200),
        "purpose": PURPOSE,
        "categories": ["figures"],
        "highest_classification": Classification.CONFIDENTIAL,
        "survival_months": 24,
        "status": ContractStatus.SIGNED,
        "drafted_by": uuid.uuid4(),
        "sent_at": now(),
        "signed_at": now(),
    }
    return Contract(**{**values, **more})


@dataclass
class Room:
    """A data room: the owner of its one asset, an expert under an NDA, and their programme."""

    house: House
    staffed: Staffed
    owner: httpx.AsyncClient
    expert: httpx.AsyncClient
    lead: httpx.AsyncClient
    expert_id: UUID
    engagement_id: UUID
    nda_id: UUID
    asset: dict[str, Any] = field(default_factory=dict)

    @property
    def content(self) -> str:
        return f"/assets/{self.asset['id']}/content"

    async def lay(self, **more: Any) -> dict[str, Any]:
        body = {"programme_id": str(self.staffed.id), "title": "Customer figures", "category": "figures"}
        body |= {"classification": "confidential", "content": SECRET, **more}
        answer = await self.owner.post("/assets", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def asked(self, by: httpx.AsyncClient | None = None, **more: Any) -> dict[str, Any]:
        body = {"asset_id": self.asset["id"], "engagement_id": str(self.engagement_id), "purpose": PURPOSE, **more}
        answer = await (by or self.expert).post("/access-grants", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def grant(self, asked: dict[str, Any], **more: Any) -> httpx.Response:
        body = {"expires_at": (now() + timedelta(days=30)).isoformat(), **more}
        return await self.owner.post(f"/access-grants/{asked['id']}/grant", json=body)

    async def granted(self, **more: Any) -> dict[str, Any]:
        answer = await self.grant(await self.asked(), **more)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def change(self, model: Any, id: UUID | str, **values: Any) -> None:
        """Change a row past the rules, as if its own area had done so."""
        async with behind_the_walls(self.house) as session:
            row = await session.get(model, (self.house.id, UUID(str(id))))
            for name, value in values.items():
                setattr(row, name, value)

    async def log(self, reader: httpx.AsyncClient | None = None) -> list[tuple[str, str | None]]:
        """Every try so far as (decision, code), oldest first."""
        answer = await (reader or self.owner).get("/access-log?sort=created_at")
        assert answer.status_code == 200, answer.text
        return [(e["decision"], e["code"]) for e in answer.json()["data"]]


def refusal(answer: httpx.Response) -> tuple[int, str, list[str]]:
    problem = answer.json()
    return answer.status_code, problem["code"], [u["rule"] for u in problem.get("unmet", [])]


@pytest.fixture
async def room(house: House) -> Room:
    expert_id, staffed = await expert(house), await programme(house)
    engagement_id = await engagement(house, staffed.id, expert_id)
    signed = nda(expert_id, engagement_id)
    await plant(house, signed)
    room = Room(
        house,
        staffed,
        owner=await house.client("data_owner"),
        expert=await house.client("expert", expert_id=expert_id),
        lead=await house.client("lead", person_id=staffed.lead_id),
        expert_id=expert_id,
        engagement_id=engagement_id,
        nda_id=signed.id,
    )
    room.asset = await room.lay()
    return room


async def test_content_opens_while_every_rule_is_met(room: Room) -> None:
    granted = await room.granted()
    assert (granted["status"], granted["active"], granted["expired"]) == ("granted", True, False)
    read = await room.expert.get(room.content)
    assert (read.status_code, read.json()["content"], read.headers["etag"]) == (200, SECRET, '"1"')
    assert read.headers["cache-control"] == "no-store"
    assert (await room.owner.get(room.content)).json() == read.json(), "its owner needs no grant"
    entries = (await room.owner.get("/access-log?sort=created_at")).json()["data"]
    assert [(e["decision"], e["code"], e["rules"]) for e in entries] == [("allow", None, [])] * 2
    assert [e["expert_id"] for e in entries] == [str(room.expert_id), None]
    assert entries[0]["request_id"] == read.headers["x-request-id"]
    assert {e["asset_id"] for e in entries} == {room.asset["id"]}


@dataclass(frozen=True)
class Wrong:
    """One thing wrong with an access that was granted well, and what the gate must say of it."""

    model: Any
    values: dict[str, Any]
    code: str
    rules: tuple[str, ...]


IN_FORCE, COVERS = "nda-not-in-force", "nda-does-not-cover"


def wrongs() -> list[Any]:
    cases = {
        "nda unsigned": Wrong(Contract, {"signed_at": None, "status": "sent"}, IN_FORCE, ("nda-in-force",)),
        "nda expired": Wrong(Contract, {"expires_on": day(-2)}, IN_FORCE, ("nda-in-force",)),
        "nda later": Wrong(Contract, {"effective_on": day(2)}, IN_FORCE, ("nda-in-force",)),
        "nda terminated": Wrong(Contract, {"terminated_on": day(-2)}, IN_FORCE, ("nda-in-force",)),
        "no nda": Wrong(
            Contract,
            {
                "kind": ContractKind.MSA, "purpose": None, "categories": [],
                "highest_classification": None, "survival_months": None,
            },
            IN_FORCE,
            ("nda-in-force",),
        ),
        "class": Wrong(Contract, {"highest_classification": Classification.INTERNAL}, COVERS, ("nda-covers-class",)),
        "category": Wrong(Contract, {"categories": ["strategy"]}, COVERS, ("nda-covers-category",)),
        "purpose": Wrong(Contract, {"purpose": "Advice"}, "another-purpose", ("nda-purpose",)),
        **{
            f"engagement {status}": Wrong(
                Engagement, {"status": status}, "engagement-not-running", ("engagement-running",)
            )
            for status in (EngagementStatus.ONBOARDING, EngagementStatus.CANCELLED, EngagementStatus.TERMINATED)
        },
        "requested": Wrong(AccessGrant, {"status": GrantStatus.REQUESTED}, "no-active-grant", ("grant-active",)),
        "rejected": Wrong(AccessGrant, {"status": GrantStatus.REJECTED}, "no-active-grant", ("grant-active",)),
        "revoked": Wrong(AccessGrant, {"status": GrantStatus.REVOKED}, "no-active-grant", ("grant-active",)),
        "expired": Wrong(AccessGrant, {"expires_at": now()}, "no-active-grant", ("grant-active",)),
    }  # fmt: skip
    return [pytest.param(case, id=name) for name, case in cases.items()]


@pytest.mark.parametrize("wrong", wrongs())
async def test_one_unmet_rule_closes_it(room: Room, wrong: Wrong) -> None:
    granted = await room.granted()
    opened = await room.expert.get(room.content)
    assert opened.status_code == 200
    ids = {Contract: room.nda_id, Engagement: room.engagement_id, AccessGrant: granted["id"]}
    await room.change(wrong.model, ids[wrong.model], **wrong.values)

    refused = await room.expert.get(room.content)
    assert refusal(refused) == (403, wrong.code, list(wrong.rules))
    assert "churn" not in refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    conditional = await room.expert.get(room.content, headers={"if-none-match": opened.headers["etag"]})
    assert refusal(conditional)[:2] == (403, wrong.code), "an old ETag opens nothing"
    newest = (await room.owner.get("/access-log?limit=1")).json()["data"][0]
    assert (newest["decision"], newest["code"], newest["rules"]) == ("deny", wrong.code, list(wrong.rules))
    assert await room.log() == [("allow", None), ("deny", wrong.code), ("deny", wrong.code)]
    assert (await room.owner.get(room.content)).status_code == 200


async def test_a_refusal_names_every_rule_in_the_way(room: Room) -> None:
    await room.change(Contract, room.nda_id, purpose="Advice", categories=["strategy"])
    await room.change(Engagement, room.engagement_id, status=EngagementStatus.TERMINATED)
    refused = await room.expert.get(room.content)
    assert refusal(refused) == (
        403,
        "nda-does-not-cover",
        ["nda-covers-category", "engagement-running", "grant-active"],
    )
    assert refused.json()["unmet"][0]["refs"] == [f"/contracts/{room.nda_id}"]


async def test_a_304_is_a_try_as_any_other(room: Room) -> None:
    granted = await room.granted()
    etag = (await room.expert.get(room.content)).headers["etag"]
    same = await room.expert.get(room.content, headers={"if-none-match": etag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    assert await room.log() == [("allow", None)] * 2
    gone = await room.owner.post(f"/access-grants/{granted['id']}/revoke", json={"reason": "Enough"})
    assert (gone.json()["status"], gone.json()["active"], gone.json()["reason"]) == ("revoked", False, "Enough")
    late = await room.expert.get(room.content, headers={"if-none-match": etag})
    assert refusal(late) == (403, "no-active-grant", ["grant-active"])
    assert late.json()["unmet"][0]["actual"] == "revoked"
    assert (await room.log())[-1] == ("deny", "no-active-grant")


async def test_only_its_owner_replaces_the_content(room: Room) -> None:
    await room.granted()
    other = await room.house.client("data_owner")
    body = {"content": {"churn": "5 %"}}
    assert refusal(await other.put(room.content, json=body, headers={"if-match": "*"}))[:2] == (403, "not-the-owner")
    assert refusal(await room.expert.put(room.content, json=body))[:2] == (403, "missing-role")
    assert (await room.owner.put(room.content, json=body)).status_code == 428
    assert (await room.expert.get(room.content)).json()["content"] == SECRET
    etag = (await room.owner.get(room.content)).headers["etag"]
    replaced = await room.owner.put(room.content, json=body, headers={"if-match": etag})
    assert (replaced.status_code, replaced.headers["etag"], replaced.json()) == (200, '"2"', room.asset)
    assert (await room.owner.put(room.content, json=body, headers={"if-match": etag})).status_code == 412
    read = await room.expert.get(room.content, headers={"if-none-match": etag})
    assert (read.status_code, read.json()["content"]) == (200, {"churn": "5 %"})


async def test_whoever_is_neither_owner_nor_expert_is_refused_and_logged(room: Room) -> None:
    await room.granted()
    for role in ("admin", "lead", "sponsor", "auditor", "dashboard", "legal", "procurement", "champion", "member"):
        assert refusal(await (await room.house.client(role)).get(room.content))[:2] == (403, "missing-role")
    colleague = await room.house.client("data_owner")
    assert refusal(await colleague.get(room.content)) == (403, "no-active-grant", ["grant-needed"])
    unscoped = await room.house.client("expert", expert_id=room.expert_id, scopes=frozenset({"confidentiality:read"}))
    refused = await unscoped.get(room.content)
    assert refusal(refused)[:2] == (403, "missing-scope")
    assert 'scope="confidential:read"' in refused.headers["www-authenticate"]
    told = [("deny", "missing-role")] * 9 + [("deny", "no-active-grant"), ("deny", "missing-scope")]
    assert await room.log() == told
    assert await room.log(unscoped) == [("deny", "missing-scope")]


async def test_what_is_out_of_sight_is_404_and_logged(room: Room, other_house: House) -> None:
    elsewhere = await room.lay(programme_id=str((await programme(room.house)).id))
    path = f"/assets/{elsewhere['id']}"
    unknown = f"/assets/{uuid.uuid4()}"
    for closed in (path, unknown):
        assert (await room.expert.get(closed)).status_code == 404
        assert (await room.expert.get(f"{closed}/content")).status_code == 404
    body = {"asset_id": elsewhere["id"], "engagement_id": str(room.engagement_id), "purpose": PURPOSE}
    assert (await room.expert.post("/access-grants", json=body)).status_code == 404
    assert [a["id"] for a in (await room.expert.get("/assets")).json()["data"]] == [room.asset["id"]]
    assert await room.log(room.expert) == [("deny", "not-found")] * 2

    outsider = await other_house.client("data_owner")
    assert (await outsider.get(room.content)).status_code == 404
    assert (await outsider.get("/assets")).json()["data"] == []
    assert await room.log() == [("deny", "not-found")] * 2, "the outsider's try stands in their own house's log"
    assert await room.log(outsider) == [("deny", "not-found")]


async def test_an_expert_with_two_programmes_cannot_carry_a_grant_across(room: Room) -> None:
    second = await engagement(room.house, (await programme(room.house)).id, room.expert_id)
    await plant(room.house, nda(room.expert_id, second))
    body = {"asset_id": room.asset["id"], "engagement_id": str(second), "purpose": PURPOSE}
    refused = await room.expert.post("/access-grants", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "another-programme")
    assert (await room.expert.get("/access-grants")).json()["data"] == []
    planted = AccessGrant(
        asset_id=UUID(room.asset["id"]),
        engagement_id=second,
        purpose=PURPOSE,
        status=GrantStatus.GRANTED,
        requested_by=uuid.uuid4(),
        decided_by=uuid.uuid4(),
        expires_at=now() + timedelta(days=1),
    )
    await plant(room.house, planted)
    assert refusal(await room.expert.get(room.content)) == (403, "no-active-grant", ["grant-active"])


async def test_access_ends_by_the_clock(room: Room) -> None:
    until = now() + timedelta(days=30)
    granted = await room.granted(expires_at=until.isoformat())
    admin = await room.house.client("admin")
    await admin.post("/clock/advance", json={"to": (until - timedelta(minutes=1)).isoformat()})
    assert (await room.expert.get(room.content)).status_code == 200
    await admin.post("/clock/advance", json={"to": until.isoformat()})
    refused = await room.expert.get(room.content)
    assert refusal(refused)[:2] == (403, "no-active-grant")
    assert refused.json()["unmet"][0]["actual"] == "expired"
    shown = (await room.expert.get(f"/access-grants/{granted['id']}")).json()
    assert (shown["status"], shown["active"], shown["expired"]) == ("granted", False, True)
    assert (await room.owner.get("/access-grants?active=true")).json()["data"] == []
    assert len((await room.owner.get("/access-grants?active=false")).json()["data"]) == 1


async def test_the_nda_ends_with_its_last_local_day(room: Room) -> None:
    await room.granted(expires_at=f"{day(200)}T18:00:00Z")
    await room.change(Contract, room.nda_id, expires_on=day(100))
    admin = await room.house.client("admin")
    await admin.post("/clock/advance", json={"to": f"{day(100)}T20:00:00Z"})
    assert (await room.expert.get(room.content)).status_code == 200
    await admin.post("/clock/advance", json={"to": f"{day(100)}T23:30:00Z"})
    assert refusal(await room.expert.get(room.content))[:2] == (403, "nda-not-in-force"), "midnight is local"


async def test_a_grant_rests_on_every_rule(room: Room) -> None:
    asked = await room.asked()
    path = f"/access-grants/{asked['id']}"
    await room.change(Contract, room.nda_id, purpose="Advice", highest_classification=Classification.PUBLIC)
    await room.change(Programme, room.staffed.id, status=ProgrammeStatus.CLOSING)
    await room.change(Engagement, room.engagement_id, status=EngagementStatus.TERMINATED)
    refused = await room.grant(asked)
    rules = ["programme-active", "engagement-open", "nda-covers-class", "nda-purpose"]
    assert refusal(refused) == (409, "cannot-grant", rules)
    told = {t["action"]: t for t in (await room.owner.get(f"{path}/transitions")).json()["data"]}
    assert told["grant"]["unmet"] == refused.json()["unmet"]
    assert told["reject"]["allowed"] is True
    assert (await room.owner.get(path)).json() == asked
    await room.change(Contract, room.nda_id, signed_at=None)
    assert refusal(await room.grant(asked))[2][-1] == "nda-in-force"
    assert (await room.expert.get(room.content)).status_code == 403


async def test_at_risk_no_access_is_granted(room: Room) -> None:
    from models.programmes import SponsorCommitment

    asked = await room.asked()
    async with behind_the_walls(room.house) as session:
        found = await session.execute(text("select id from sponsor_commitments limit 1"))
        one = found.scalar_one()
    await room.change(SponsorCommitment, one, leaves_on=day(-2))
    refused = await room.grant(asked)
    assert refusal(refused) == (409, "cannot-grant", ["programme-active"])
    assert refused.json()["unmet"][0]["actual"] == "at_risk"


async def test_only_the_owner_grants_and_never_what_they_asked_for(room: Room) -> None:
    asked = await room.asked()
    path, until = f"/access-grants/{asked['id']}", {"expires_at": (now() + timedelta(days=1)).isoformat()}
    other = await room.house.client("data_owner")
    assert refusal(await other.post(f"{path}/grant", json=until)) == (409, "cannot-grant", ["by-the-owner"])
    assert refusal(await other.post(f"{path}/reject", json={"reason": "x"})) == (409, "cannot-reject", ["by-the-owner"])
    assert refusal(await other.post(f"{path}/revoke", json={"reason": "x"}))[2] == ["owner-or-champion"]
    assert refusal(await room.expert.post(f"{path}/grant", json=until))[:2] == (403, "missing-role")
    assert (await room.owner.get(path)).json() == asked
    rejected = await room.owner.post(f"{path}/reject", json={"reason": "Not needed"})
    assert (rejected.json()["status"], rejected.json()["reason"]) == ("rejected", "Not needed")

    both = await room.house.client("lead", "data_owner", person_id=room.staffed.lead_id)
    handed = await room.owner.patch(
        f"/assets/{room.asset['id']}", json={"owner_id": str(room.staffed.lead_id)}, headers={"if-match": "*"}
    )
    assert handed.status_code == 200, handed.text
    own = await room.asked(by=both)
    refused = await both.post(f"/access-grants/{own['id']}/grant", json=until)
    assert refusal(refused) == (409, "cannot-grant", ["four-eyes"])
    assert refusal(await room.grant(own))[2] == ["by-the-owner"], "who handed it on is its owner no more"
    assert refusal(await room.owner.get(room.content))[:2] == (403, "no-active-grant")


async def test_the_programmes_lead_asks_for_the_expert_and_no_other_lead_does(room: Room) -> None:
    asked = await room.asked(by=room.lead)
    assert (asked["status"], asked["expires_at"]) == ("requested", None)
    body = {"asset_id": room.asset["id"], "engagement_id": str(room.engagement_id), "purpose": PURPOSE}
    stranger = await room.house.client("lead")
    assert refusal(await stranger.post("/access-grants", json=body))[:2] == (403, "not-the-lead")
    assert refusal(await room.expert.post("/access-grants", json=body))[:2] == (409, "already-exists")
    assert len((await room.owner.get("/access-grants")).json()["data"]) == 1
    other = await room.house.client("expert", expert_id=await expert(room.house))
    assert (await other.post("/access-grants", json=body)).status_code == 404
    assert (await other.get(f"/access-grants/{asked['id']}")).status_code == 404
    assert (await other.get("/access-grants")).json()["data"] == []


async def test_an_engagement_that_is_over_asks_for_nothing(room: Room) -> None:
    await room.change(Engagement, room.engagement_id, status=EngagementStatus.TERMINATED)
    body = {"asset_id": room.asset["id"], "engagement_id": str(room.engagement_id), "purpose": PURPOSE}
    assert refusal(await room.expert.post("/access-grants", json=body))[:2] == (409, "engagement-over")
    assert (await room.owner.get("/access-grants")).json()["data"] == []


async def test_access_outlasts_neither_nda_nor_engagement(room: Room) -> None:
    asked = await room.asked()
    # 23:30Z is the next day in Amsterdam, summer and winter.
    late = await room.grant(asked, expires_at=f"{day(200)}T23:30:00Z")
    assert refusal(late) == (409, "cannot-grant", ["within-nda-and-engagement"])
    assert late.json()["unmet"][0]["needed"] == f"{day(200)} or earlier"
    await room.change(Engagement, room.engagement_id, ends_on=day(50))
    assert refusal(await room.grant(asked, expires_at=f"{day(51)}T12:00:00Z"))[2] == ["within-nda-and-engagement"]
    past = await room.grant(asked, expires_at=now().isoformat())
    assert (past.status_code, past.json()["code"]) == (422, "expiry-in-the-past")
    assert (await room.owner.post(f"/access-grants/{asked['id']}/grant", json={})).status_code == 422
    assert (await room.owner.get(f"/access-grants/{asked['id']}")).json() == asked
    assert (await room.grant(asked, expires_at=f"{day(50)}T20:00:00Z")).status_code == 200
    assert refusal(await room.grant(asked))[:2] == (409, "wrong-state")


async def test_of_two_ndas_the_covering_one_bounds_the_grant(room: Room) -> None:
    await plant(room.house, nda(room.expert_id, room.engagement_id, categories=["strategy"], expires_on=day(5)))
    assert (await room.grant(await room.asked(), expires_at=f"{day(150)}T12:00:00Z")).status_code == 200
    assert (await room.expert.get(room.content)).status_code == 200


async def test_the_nda_of_another_expert_covers_nobody_else(room: Room) -> None:
    asked = await room.asked(by=room.lead)
    successor = await expert(room.house)
    await room.change(Engagement, room.engagement_id, expert_id=successor)
    assert refusal(await room.grant(asked)) == (409, "cannot-grant", ["nda-in-force"])
    newcomer = await room.house.client("expert", expert_id=successor)
    assert refusal(await newcomer.get(room.content))[:2] == (403, "nda-not-in-force")
    assert (await room.expert.get(room.content)).status_code == 404


async def test_what_cannot_be_logged_is_not_read(room: Room, cluster: Cluster, database: str) -> None:
    await room.granted()
    owner = await asyncpg.connect(cluster.url("tracker_owner", database))
    try:
        await owner.execute("create policy closed on access_log as restrictive for insert with check (false)")
        for reader in (room.expert, room.owner, room.lead):
            answer = await reader.get(room.content)
            assert (answer.status_code, "churn" in answer.text) == (500, False)
    finally:
        await owner.execute("drop policy closed on access_log")
        await owner.close()
    assert await room.log() == []
    assert (await room.expert.get(room.content)).status_code == 200


@pytest.mark.parametrize("who", ["owner", "champion"])
async def test_owner_and_champion_revoke_at_once(room: Room, who: str) -> None:
    granted = await room.granted()
    champion = await room.house.client("champion", person_id=room.staffed.champion_id)
    revoke = f"/access-grants/{granted['id']}/revoke"
    another = await room.house.client("champion")
    assert refusal(await another.post(revoke, json={"reason": "x"})) == (409, "cannot-revoke", ["owner-or-champion"])
    assert (await room.expert.get(room.content)).status_code == 200
    by = {"owner": room.owner, "champion": champion}[who]
    assert (await by.post(revoke)).status_code == 422, "a reason is needed"
    assert (await by.post(revoke, json={"reason": "Breach"})).json()["status"] == "revoked"
    assert refusal(await room.expert.get(room.content))[:2] == (403, "no-active-grant")
    assert refusal(await by.post(revoke, json={"reason": "again"}))[:2] == (409, "wrong-state")


async def test_of_parallel_decisions_exactly_one_counts(room: Room) -> None:
    asked = await room.asked()
    until = {"expires_at": (now() + timedelta(days=1)).isoformat()}
    path = f"/access-grants/{asked['id']}"
    answers = await asyncio.gather(
        *(room.owner.post(f"{path}/grant", json=until) for _ in range(3)),
        *(room.owner.post(f"{path}/reject", json={"reason": "No"}) for _ in range(3)),
    )
    assert sorted(a.status_code for a in answers) == [200, 409, 409, 409, 409, 409]
    assert (await room.owner.get(path)).json()["version"] == 2


@pytest.mark.parametrize(
    ("model", "values", "rule"),
    [
        (Engagement, {"status": EngagementStatus.TERMINATED}, "engagement-open"),
        (Programme, {"status": ProgrammeStatus.CLOSING}, "programme-active"),
        (Asset, {"classification": Classification.STRICTLY_CONFIDENTIAL}, "nda-covers-class"),
        (Contract, {"terminated_on": day(-2)}, "nda-in-force"),
    ],
)
async def test_no_grant_stands_on_what_ends_meanwhile(
    room: Room, model: Any, values: dict[str, Any], rule: str
) -> None:
    asked = await room.asked()
    ids = {Engagement: room.engagement_id, Programme: room.staffed.id, Contract: room.nda_id}
    async with behind_the_walls(room.house) as session:
        key = (room.house.id, ids.get(model) or UUID(room.asset["id"]))
        row = await session.get(model, key, with_for_update=True)
        granting = asyncio.create_task(room.grant(asked))
        blocks = text(
            "select count(*) from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))"
        )
        while not granting.done() and not await session.scalar(blocks):
            await asyncio.wait({granting}, timeout=0.01)
        assert not granting.done(), "the grant waits for whoever holds what it rests on"
        for name, value in values.items():
            setattr(row, name, value)
    assert refusal(await granting) == (409, "cannot-grant", [rule])
    assert (await room.expert.get(room.content)).status_code == 403


async def test_the_content_shows_nowhere_but_through_the_gate(room: Room) -> None:
    await room.granted()
    changed = {"content": {"churn": "unmistakable"}}
    await room.owner.put(room.content, json=changed, headers={"if-match": "*"})
    auditor = await room.house.client("auditor")
    id = room.asset["id"]
    history = f"/events?collection=asset-contents&subject_id={id}"
    paths = ["/events", history, f"/assets/{id}/events", f"/assets/{id}", "/assets"]
    paths += ["/access-grants", "/access-log"]
    for path in paths:
        for form in ("application/json", "text/csv", "application/x-ndjson"):
            answer = await auditor.get(path, headers={"accept": form})
            assert answer.status_code == 200, answer.text
            assert "churn" not in answer.text, path
            assert "unmistakable" not in answer.text, path
    told = (await auditor.get(f"{history}&sort=created_at")).json()["data"]
    assert [e["changes"]["content"] for e in told] == [[None, "[redacted]"], ["[redacted]", "[redacted]"]]
    assert (await auditor.get("/assets?fields=content")).status_code == 422
    repeated = {"idempotency-key": "k"}
    body = {"programme_id": str(room.staffed.id), "title": "T", "category": "c", "classification": "public"}
    made = await room.owner.post("/assets", json={**body, "content": SECRET}, headers=repeated)
    assert (made.status_code, "churn" in made.text) == (201, False)


async def contents(room: Room, expert_id: UUID | None) -> int:
    async with behind_the_walls(room.house, expert_id) as session:
        return int((await session.execute(text("select count(*) from asset_contents"))).scalar_one())


async def test_the_second_wall_shows_an_expert_no_content_without_a_grant(room: Room) -> None:
    await room.lay(title="Another")
    assert await contents(room, None) == 2
    assert await contents(room, room.expert_id) == 0
    granted = await room.granted()
    assert await contents(room, room.expert_id) == 1
    assert await contents(room, await expert(room.house)) == 0
    for model, id, broken, whole in (
        (Contract, room.nda_id, {"terminated_on": day(-2)}, {"terminated_on": None}),
        (Contract, room.nda_id, {"expires_on": day(-2)}, {"expires_on": day(200)}),
        (Contract, room.nda_id, {"signed_at": None}, {"signed_at": now()}),
        (
            Engagement,
            room.engagement_id,
            {"status": EngagementStatus.TERMINATED},
            {"status": EngagementStatus.ACTIVE},
        ),
        (AccessGrant, granted["id"], {"expires_at": now()}, {"expires_at": now() + timedelta(days=1)}),
        (AccessGrant, granted["id"], {"status": GrantStatus.REVOKED}, {"status": GrantStatus.GRANTED}),
    ):
        await room.change(model, id, **broken)
        assert await contents(room, room.expert_id) == 0, broken
        await room.change(model, id, **whole)
        assert await contents(room, room.expert_id) == 1, whole


@pytest.mark.parametrize("change", ["update access_log set code = null, decision = 'allow'", "delete from access_log"])
async def test_nobody_changes_the_log(room: Room, change: str) -> None:
    await room.expert.get(room.content)
    for expert_id in (None, room.expert_id):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with behind_the_walls(room.house, expert_id) as session:
                await session.execute(text(change))
    assert await room.log() == [("deny", "no-active-grant")]


async def test_the_log_is_read_by_owners_auditors_and_each_expert_their_own(room: Room) -> None:
    await room.granted()
    await room.expert.get(room.content)
    other = await room.house.client("expert", expert_id=await expert(room.house))
    await other.get(room.content)
    assert await room.log(room.expert) == [("allow", None)]
    assert await room.log(other) == [("deny", "not-found")]
    auditor = await room.house.client("auditor")
    assert await room.log(auditor) == [("allow", None), ("deny", "not-found")]
    assert refusal(await room.lead.get("/access-log"))[:2] == (403, "missing-role")
    denied = (await auditor.get("/access-log?decision=deny&code=not-found")).json()["data"]
    assert len(denied) == 1
    ours = (await auditor.get(f"/access-log?expert_id={room.expert_id}&at_from=2000-01-01T00:00:00Z")).json()["data"]
    assert [e["decision"] for e in ours] == ["allow"]
    table = (await auditor.get("/access-log", headers={"accept": "text/csv"})).text.splitlines()
    assert len(table) == 3


async def test_assets_are_classified_by_their_owner(room: Room) -> None:
    path = f"/assets/{room.asset['id']}"
    other = await room.house.client("data_owner")
    changed = {"classification": "strictly_confidential"}
    refused = await other.patch(path, json=changed, headers={"if-match": "*"})
    assert refusal(refused)[:2] == (403, "not-the-owner")
    assert refusal(await room.lead.patch(path, json=changed, headers={"if-match": "*"}))[:2] == (403, "missing-role")
    assert (await room.lead.get(path)).json() == room.asset
    await room.granted()
    assert (await room.owner.patch(path, json=changed, headers={"if-match": '"1"'})).status_code == 200
    assert refusal(await room.expert.get(room.content)) == (403, "nda-does-not-cover", ["nda-covers-class"])
    listed = (await room.expert.get("/assets?classification=strictly_confidential&q=FIGURES")).json()["data"]
    assert [a["id"] for a in listed] == [room.asset["id"]]
    unknown = await room.owner.patch(path, json={"owner_id": str(uuid.uuid4())}, headers={"if-match": "*"})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown-reference")
    body = {"programme_id": str(room.staffed.id), "title": "T", "category": "c", "classification": "public"}
    assert (await room.owner.post("/assets", json=body)).status_code == 422, "an asset has content"
    assert (await room.lead.post("/assets", json={**body, "content": {}})).status_code == 403
    await room.change(Programme, room.staffed.id, status=ProgrammeStatus.CLOSED)
    assert refusal(await room.owner.post("/assets", json={**body, "content": {}}))[:2] == (409, "programme-over")
    assert len((await room.owner.get("/assets")).json()["data"]) == 1


async def test_the_expert_files_a_return_certificate_when_the_work_ends(room: Room) -> None:
    body = {"engagement_id": str(room.engagement_id), "method": "destroyed", "items": ["Figures"], "carve_outs": None}
    early = await room.expert.post("/return-certificates", json=body)
    assert refusal(early) == (409, "wrong-stage", ["stage"])
    await room.change(Engagement, room.engagement_id, status=EngagementStatus.HANDOVER)
    assert refusal(await room.owner.post("/return-certificates", json=body))[:2] == (403, "missing-role")
    other = await room.house.client("expert", expert_id=await expert(room.house))
    assert (await other.post("/return-certificates", json=body)).status_code == 404
    assert (await room.owner.get("/return-certificates")).json()["data"] == []
    filed = await room.expert.post("/return-certificates", json=body)
    assert (filed.status_code, filed.json()["items"]) == (201, ["Figures"])
    listed = await room.owner.get(f"/return-certificates?engagement_id={room.engagement_id}")
    assert listed.json()["data"] == [filed.json()]
    path = filed.headers["location"].removeprefix("/v1")
    assert (await room.expert.get(path)).json() == filed.json()
    assert (await other.get(path)).status_code == 404


async def test_what_postgresql_writes_is_what_the_shapes_would_have_said(room: Room) -> None:
    from api.confidentiality import AccessEntryOut, AccessGrantOut, AssetContentOut, AssetOut

    granted = await room.granted()
    read = (await room.expert.get(room.content)).json()
    entry = (await room.owner.get("/access-log")).json()["data"][0]
    for shape, shown in (
        (AssetOut, room.asset),
        (AccessGrantOut, granted),
        (AssetContentOut, read),
        (AccessEntryOut, entry),
    ):
        assert shape.model_validate(shown).model_dump(mode="json") == shown
