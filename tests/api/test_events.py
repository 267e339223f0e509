"""Who may read an object may read its history, and nobody else; an expert reads what they did themselves."""

import uuid

import pytest

from models.journal import histories
from models.policy import RULES
from tests.api.test_experts import registered
from tests.conftest import House


async def test_the_history_takes_the_scope_that_reads_the_object(house: House) -> None:
    expert = await registered(await house.client("procurement"))
    path = f"/experts/{expert['id']}/events"
    reader = await house.client("lead", scopes=frozenset({"experts:read"}))
    assert [e["type"] for e in (await reader.get(path)).json()["data"]] == ["expert.created"]
    for scopes in ({"organisations:read"}, {"audit:read"}, set()):
        refused = await (await house.client("auditor", scopes=frozenset(scopes))).get(path)
        assert (refused.status_code, refused.json()["code"]) == (403, "missing-scope")
        assert 'scope="experts:read"' in refused.headers["www-authenticate"]


async def test_the_history_takes_the_role_that_reads_the_object(house: House) -> None:
    admin = await house.client("admin")
    membership = (await admin.get("/memberships")).json()["data"][0]
    path = f"/memberships/{membership['id']}/events"
    assert (await admin.get(path)).json()["data"]
    for client, where in ((await house.client("lead"), path), (await house.client("dashboard"), path)):
        refused = await client.get(where)
        assert (refused.status_code, refused.json()["code"], "data" in refused.json()) == (403, "missing-role", False)
    seen = await (await house.client("dashboard")).get(f"/vetting-checks/{uuid.uuid4()}/events")
    assert (seen.status_code, seen.json()["code"]) == (403, "missing-role")


async def test_an_expert_reads_of_a_history_what_they_did(house: House) -> None:
    buyer = await house.client("procurement")
    mine = await registered(buyer)
    expert = await house.client("expert", expert_id=mine["id"])
    claim = {"expert_id": mine["id"], "skill": "x", "evidence_type": "work_sample", "client": "A", "result": "r"}
    own = (await expert.post("/expertise-claims", json=claim)).json()
    assert (await buyer.post(f"/expertise-claims/{own['id']}/verify")).status_code == 200
    path = f"/expertise-claims/{own['id']}/events"
    told = [e["type"] for e in (await expert.get(path)).json()["data"]]
    assert told == ["expertise_claim.created"]
    assert len((await buyer.get(path)).json()["data"]) == 2
    assert (await expert.get(f"/experts/{mine['id']}/events")).json()["data"] == []


async def test_another_organisation_sees_no_history(house: House, other_house: House) -> None:
    expert = await registered(await house.client("procurement"))
    stranger = await other_house.client("admin")
    assert (await stranger.get(f"/experts/{expert['id']}/events")).json()["data"] == []


@pytest.mark.parametrize("collection", ["nothing", "accounts", "expert", "Experts", "%00", "oauth-grants", "events"])
async def test_what_is_no_collection_has_no_history(house: House, collection: str) -> None:
    admin = await house.client("admin")
    answer = await admin.get(f"/{collection}/{uuid.uuid4()}/events")
    assert answer.status_code in (404, 422)
    assert answer.json()["code"] in ("not-found", "invalid-input")


def test_every_collection_has_a_rule_that_is_its_objects() -> None:
    assert histories()["experts"].scope == RULES["get_expert"].scope == "experts:read"
    assert histories()["people"].scope == "organisations:read"
    assert histories()["memberships"].scope == "admin"
    assert all(rule.scope for rule in histories().values()), "no history is open to any token"
