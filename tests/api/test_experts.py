"""Experts: approved on verified proof from several clients, and only while their checks last."""

from typing import Any

import httpx

from api.experts import ExpertiseClaimOut, ExpertOut, VettingCheckOut
from tests.conftest import House
from tests.shapes import assert_as_serialised

READING = frozenset({"experts:read"})

EXPERT = {"name": "Ida", "email": "Ida@Example.org", "country": "NL", "skills": ["Listening"]}


async def registered(buyer: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await buyer.post("/experts", json={**EXPERT, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def verified_claim(
    buyer: httpx.AsyncClient, colleague: httpx.AsyncClient, expert: dict[str, Any], **more: Any
) -> None:
    claim = {
        "expert_id": expert["id"],
        "skill": "Listening",
        "evidence_type": "client_outcome",
        "client": "A",
        "result": "+9 %",
    }
    made = await buyer.post("/expertise-claims", json={**claim, **more})
    assert made.status_code == 201, made.text
    verified = await colleague.post(f"/expertise-claims/{made.json()['id']}/verify")
    assert verified.status_code == 200, verified.text


async def checked(buyer: httpx.AsyncClient, expert: dict[str, Any], kind: str, result: str, until: str) -> None:
    check = {"expert_id": expert["id"], "kind": kind, "result": result, "valid_until": until}
    assert (await buyer.post("/vetting-checks", json=check)).status_code == 201


async def test_fame_does_not_approve_an_expert(house: House) -> None:
    buyer, colleague = await house.client("procurement"), await house.client("procurement")
    expert = await registered(buyer)
    assert expert["email"] == "ida@example.org"
    path = f"/experts/{expert['id']}"
    await buyer.post(f"{path}/start-vetting")
    for fame in ("publication", "audience"):
        await verified_claim(buyer, colleague, expert, evidence_type=fame, client=fame)
    await verified_claim(buyer, colleague, expert)
    await verified_claim(buyer, colleague, expert, client="a")
    await checked(buyer, expert, "identity", "failed", "2099-01-01")

    refused = await buyer.post(f"{path}/approve")
    assert (refused.status_code, refused.json()["code"]) == (409, "cannot-approve")
    unmet = {u["rule"]: (u["needed"], u["actual"]) for u in refused.json()["unmet"]}
    assert unmet == {"distinct-clients": (2, 1), "checks-in-force": ([], ["identity"])}
    assert (await buyer.get(path)).json()["status"] == "in_vetting"

    asked = {t["action"]: t for t in (await buyer.get(f"{path}/transitions")).json()["data"]}
    assert asked["approve"]["unmet"] == refused.json()["unmet"]
    assert asked["block"] == {"action": "block", "allowed": True, "unmet": []}
    told = {t["action"]: t for t in (await (await house.client("sponsor")).get(f"{path}/transitions")).json()["data"]}
    assert told["block"]["unmet"][0]["rule"] == "role"


async def test_proof_approves_and_the_calendar_lapses_it(house: House) -> None:
    buyer, colleague = await house.client("procurement"), await house.client("procurement")
    expert, other = await registered(buyer), await registered(buyer, email="b@example.org")
    path = f"/experts/{expert['id']}"
    await buyer.post(f"{path}/start-vetting")
    await verified_claim(buyer, colleague, expert)
    await verified_claim(buyer, colleague, expert, client="B")
    await checked(buyer, expert, "insurance", "failed", "2099-01-01")
    await checked(buyer, expert, "insurance", "passed", "2099-06-30")
    await checked(buyer, other, "insurance", "passed", "2027-01-01")
    approved = await buyer.post(f"{path}/approve")
    assert (approved.status_code, approved.json()["status"]) == (200, "approved"), approved.text
    assert (approved.json()["approval_ends_on"], approved.json()["lapsed"]) == ("2099-06-30", False)

    admin = await house.client("admin")
    await admin.post("/clock/advance", json={"to": "2099-06-30T20:00:00Z"})
    assert (await buyer.get(path)).json()["lapsed"] is False
    await admin.post("/clock/advance", json={"to": "2099-06-30T22:30:00Z"})
    assert (await buyer.get(path)).json()["lapsed"] is True, "midnight is the organisation's, not UTC's"
    etag = (await buyer.get(path)).headers["etag"]
    assert (await buyer.get(path, headers={"if-none-match": etag})).status_code == 200


async def test_nobody_verifies_their_own_claim(house: House) -> None:
    buyer = await house.client("procurement")
    expert = await registered(buyer)
    body = {"expert_id": expert["id"], "skill": "x", "evidence_type": "work_sample", "client": "A", "result": "r"}
    claim = (await buyer.post("/expertise-claims", json=body)).json()
    refused = await buyer.post(f"/expertise-claims/{claim['id']}/verify")
    assert (refused.status_code, refused.json()["code"]) == (403, "four-eyes")
    assert (await buyer.get(f"/expertise-claims/{claim['id']}")).json()["verified_at"] is None


async def test_an_expert_sees_themselves_and_nobody_else(house: House) -> None:
    buyer = await house.client("procurement")
    mine, other = await registered(buyer), await registered(buyer, email="b@example.org")
    await checked(buyer, other, "tax", "passed", "2099-01-01")
    expert = await house.client("expert", expert_id=mine["id"])
    assert [e["id"] for e in (await expert.get("/experts")).json()["data"]] == [mine["id"]]
    assert (await expert.get(f"/experts/{other['id']}")).status_code == 404
    assert (await expert.get("/vetting-checks")).json()["data"] == []
    refused = await expert.post("/experts", json={**EXPERT, "email": "c@example.org"})
    assert (refused.status_code, refused.json()["code"]) == (403, "missing-role")
    planted = {"expert_id": other["id"], "skill": "x", "evidence_type": "work_sample", "client": "A", "result": "r"}
    assert (await expert.post("/expertise-claims", json=planted)).status_code == 404
    assert (await buyer.get("/expertise-claims")).json()["data"] == []
    assert (await expert.get("/events")).status_code == 403


async def test_what_postgresql_writes_is_what_the_shapes_would_have_said(house: House) -> None:
    buyer, colleague = await house.client("procurement"), await house.client("procurement")
    expert = await registered(buyer, firm='Ümlaut & Søn "quoted" \\ \u2028', languages=["Nederlands"])
    await registered(buyer, email="b@example.org")
    await verified_claim(buyer, colleague, expert)
    await checked(buyer, expert, "identity", "passed", "2099-01-01")
    for reader in (buyer, await house.client("dashboard"), await house.client("lead", scopes=READING)):
        await assert_as_serialised(reader, f"/experts/{expert['id']}", ExpertOut)
        await assert_as_serialised(reader, "/experts", ExpertOut)
    for path, out in (("/expertise-claims", ExpertiseClaimOut), ("/vetting-checks", VettingCheckOut)):
        row = (await buyer.get(path)).json()["data"][0]
        await assert_as_serialised(buyer, path, out)
        await assert_as_serialised(buyer, f"{path}/{row['id']}", out)
