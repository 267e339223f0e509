"""Contracts: four eyes, the expert signs first, nobody signs for another, and dates say whether they bind."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.conftest import House
from tests.scene import behind_the_walls, engagement, expert, programme

NDA = {"purpose": "Market study", "categories": ["figures"], "highest_classification": "confidential"}


@dataclass
class Table:
    """Who sits at it: the drafter, an approving colleague, the client's signatory and the expert."""

    house: House
    drafter: httpx.AsyncClient
    legal: httpx.AsyncClient
    sponsor: httpx.AsyncClient
    expert: httpx.AsyncClient
    expert_id: UUID
    engagement_id: UUID

    def body(self, **more: Any) -> dict[str, Any]:
        """An NDA from tomorrow week to the end of June, unless `more` says otherwise."""
        terms = {
            "kind": "nda",
            "number": "NDA-1",
            "title": "Nobody tells",
            "expert_id": str(self.expert_id),
            "engagement_id": str(self.engagement_id),
            "wording": "What is read stays here.",
            "governing_law": "NL",
            "effective_on": "2030-01-10",
            "expires_on": "2030-06-30",
            "survival_months": 24,
            "value": {"amount": "1250.00", "currency": "EUR"},
        }
        return {**terms, **NDA, **more}

    async def drafted(self, **more: Any) -> dict[str, Any]:
        answer = await self.drafter.post("/contracts", json=self.body(**more))
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def sent(self, **more: Any) -> dict[str, Any]:
        path = f"/contracts/{(await self.drafted(**more))['id']}"
        await done(self.drafter, path, "submit")
        await done(self.legal, path, "approve")
        return await done(self.drafter, path, "send")

    async def signed(self, **more: Any) -> dict[str, Any]:
        contract = await self.sent(**more)
        for signer in (self.expert, self.sponsor):
            answer = await signer.post(f"/contracts/{contract['id']}/sign", json=consent(contract))
            assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def at(self, instant: str) -> None:
        admin = await self.house.client("admin")
        moved = await admin.post("/clock/advance", json={"to": instant})
        assert moved.status_code == 200, moved.text


def consent(contract: dict[str, Any]) -> dict[str, str]:
    return {"document_hash": contract["document_hash"], "consent_text": "I agree."}


async def done(client: httpx.AsyncClient, path: str, action: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(f"{path}/{action}", json=body or None)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def refusal(answer: httpx.Response) -> tuple[int, str, list[str]]:
    problem = answer.json()
    return answer.status_code, problem["code"], [u["rule"] for u in problem.get("unmet", [])]


@pytest.fixture
async def table(house: House) -> Table:
    expert_id, staffed = await expert(house), await programme(house)
    return Table(
        house,
        drafter=await house.client("procurement"),
        legal=await house.client("legal"),
        sponsor=await house.client("sponsor", person_id=staffed.sponsor_ids[0]),
        expert=await house.client("expert", expert_id=expert_id),
        expert_id=expert_id,
        engagement_id=await engagement(house, staffed.id, expert_id),
    )


async def test_from_draft_to_signed(table: Table) -> None:
    drafted = await table.drafted()
    path = f"/contracts/{drafted['id']}"
    assert (drafted["status"], drafted["document_hash"], drafted["edition"]) == ("draft", None, 0)
    assert (await table.expert.get(path)).status_code == 404, "an expert sees what was sent, not what is drafted"
    await done(table.drafter, path, "submit")
    assert refusal(await table.drafter.post(f"{path}/approve")) == (409, "cannot-approve", ["four-eyes"])
    assert (await table.drafter.get(path)).json()["status"] == "in_review"
    await done(table.legal, path, "approve")
    sent = await done(table.drafter, path, "send")
    assert (sent["status"], sent["edition"], len(sent["document_hash"])) == ("sent", 1, 64)

    first = await table.expert.post(f"{path}/sign", json=consent(sent), headers={"user-agent": "Pen/1"})
    assert (first.status_code, first.json()["status"], first.json()["in_force"]) == (200, "sent", False)
    second = await done(table.sponsor, path, "sign", **consent(sent))
    assert second["status"] == "signed"
    assert second["signed_at"] is not None

    signatures = (await table.expert.get(f"/signatures?contract_id={drafted['id']}&sort=created_at")).json()["data"]
    assert [(s["party"], s["signing_order"], s["document_hash"]) for s in signatures] == [
        ("expert", 1, sent["document_hash"]),
        ("client", 2, sent["document_hash"]),
    ]
    assert (signatures[0]["user_agent"], signatures[0]["ip"]) == ("Pen/1", "127.0.0.1")
    assert (signatures[0]["expert_id"], signatures[0]["person_id"]) == (str(table.expert_id), None)
    assert (await table.legal.get(f"/signatures/{signatures[1]['id']}")).json() == signatures[1]
    versions = (await table.expert.get(f"/contract-versions?contract_id={drafted['id']}")).json()["data"]
    assert [(v["edition"], v["content_hash"]) for v in versions] == [(1, sent["document_hash"])]
    assert "wording" not in versions[0]
    frozen = (await table.legal.get(f"/contract-versions/{versions[0]['id']}")).json()
    assert frozen["wording"] == "What is read stays here."
    auditor = await table.house.client("auditor")
    told = (await auditor.get(f"/signatures/{signatures[0]['id']}/events")).json()["data"][0]["changes"]
    assert (told["ip"], told["user_agent"]) == ([None, "[redacted]"], [None, "[redacted]"])


async def test_the_client_never_signs_before_the_expert(table: Table) -> None:
    sent = await table.sent()
    path = f"/contracts/{sent['id']}"
    early = await table.sponsor.post(f"{path}/sign", json=consent(sent))
    assert refusal(early) == (409, "cannot-sign", ["signing-order"])
    asked = {t["action"]: t for t in (await table.sponsor.get(f"{path}/transitions")).json()["data"]}
    assert asked["sign"]["unmet"] == early.json()["unmet"]
    assert (await table.legal.get("/signatures")).json()["data"] == []
    assert (await table.legal.get(path)).json()["version"] == sent["version"]


async def test_nobody_signs_for_another(table: Table) -> None:
    sent = await table.sent()
    sign = f"/contracts/{sent['id']}/sign"
    stranger = await table.house.client("expert", expert_id=await expert(table.house))
    assert (await stranger.post(sign, json=consent(sent))).status_code == 404
    assert refusal(await table.legal.post(sign, json=consent(sent)))[:2] == (403, "missing-role")
    unscoped = await table.house.client("sponsor", scopes=frozenset({"contracts:read", "contracts:write"}))
    assert refusal(await unscoped.post(sign, json=consent(sent)))[:2] == (403, "missing-scope")
    named = await table.expert.post(sign, json={**consent(sent), "person_id": str(table.expert_id)})
    assert named.status_code == 422
    assert (await table.expert.post(sign, json=consent(sent))).status_code == 200
    assert refusal(await table.expert.post(sign, json=consent(sent))) == (409, "cannot-sign", ["unsigned"])
    assert refusal(await table.drafter.post(sign, json=consent(sent))) == (409, "cannot-sign", ["four-eyes"])
    assert len((await table.legal.get("/signatures")).json()["data"]) == 1
    assert (await table.legal.get(f"/contracts/{sent['id']}")).json()["status"] == "sent"


async def test_a_machine_signs_for_nobody(table: Table) -> None:
    sent = await table.sent()
    await table.expert.post(f"/contracts/{sent['id']}/sign", json=consent(sent))
    machine, admin = await table.house.client("dashboard"), await table.house.client("admin")
    members = (await admin.get("/memberships")).json()["data"]
    membership = next(m for m in members if m["roles"] == ["dashboard"])
    buys = {"roles": ["dashboard", "procurement"]}
    changed = await admin.patch(f"/memberships/{membership['id']}", json=buys, headers={"if-match": "*"})
    assert changed.status_code == 200, changed.text
    refused = await machine.post(f"/contracts/{sent['id']}/sign", json=consent(sent))
    assert refusal(refused) == (409, "cannot-sign", ["signatory"])
    assert len((await table.legal.get("/signatures")).json()["data"]) == 1


async def test_only_the_document_that_was_sent_is_signed(table: Table) -> None:
    sent = await table.sent()
    path = f"/contracts/{sent['id']}"
    other = await table.expert.post(f"{path}/sign", json={"document_hash": "0" * 64, "consent_text": "I agree."})
    assert refusal(other)[:2] == (409, "another-document")
    bare = await table.expert.post(f"{path}/sign", json={"document_hash": sent["document_hash"]})
    assert bare.status_code == 422, "a signature needs the words of consent"
    assert (await table.legal.get("/signatures")).json()["data"] == []


async def test_who_edited_or_submitted_a_draft_neither_approves_nor_signs_it(table: Table) -> None:
    drafted = await table.drafted()
    path = f"/contracts/{drafted['id']}"
    assert (await table.legal.patch(path, json={"title": "Edited"})).status_code == 428
    edited = await table.legal.patch(path, json={"title": "Edited"}, headers={"if-match": '"1"'})
    assert (edited.status_code, edited.json()["title"]) == (200, "Edited")
    third, fourth = await table.house.client("procurement"), await table.house.client("procurement")
    await done(third, path, "submit")
    for author in (table.drafter, table.legal, third):
        assert refusal(await author.post(f"{path}/approve")) == (409, "cannot-approve", ["four-eyes"])
    await done(fourth, path, "approve")
    sent = await done(fourth, path, "send")
    late = await table.legal.patch(path, json={"title": "Late"}, headers={"if-match": "*"})
    assert refusal(late)[:2] == (409, "not-a-draft")
    await done(table.expert, path, "sign", **consent(sent))
    assert refusal(await third.post(f"{path}/sign", json=consent(sent))) == (409, "cannot-sign", ["four-eyes"])
    assert (await done(fourth, path, "sign", **consent(sent)))["status"] == "signed"


async def test_a_revision_voids_what_was_sent_and_signed(table: Table) -> None:
    sent = await table.sent()
    path = f"/contracts/{sent['id']}"
    await done(table.expert, path, "sign", **consent(sent))
    revised = await done(table.drafter, path, "revise")
    assert (revised["status"], revised["document_hash"], revised["approved_by"]) == ("draft", None, None)
    assert (await table.expert.get(path)).status_code == 404
    await table.drafter.patch(path, json={"wording": "Other words."}, headers={"if-match": "*"})
    await done(table.drafter, path, "submit")
    await done(table.legal, path, "approve")
    again = await done(table.drafter, path, "send")
    assert (again["edition"], again["document_hash"] == sent["document_hash"]) == (2, False)
    stale = await table.expert.post(f"{path}/sign", json=consent(sent))
    assert refusal(stale)[:2] == (409, "another-document")
    early = await table.sponsor.post(f"{path}/sign", json=consent(again))
    assert refusal(early)[2] == ["signing-order"], "the signature under the first edition counts no more"
    await done(table.expert, path, "sign", **consent(again))
    assert (await done(table.sponsor, path, "sign", **consent(again)))["status"] == "signed"
    assert refusal(await table.drafter.post(f"{path}/revise"))[:2] == (409, "wrong-state")


async def test_decline_void_and_terminate_tell_why(table: Table) -> None:
    sent = await table.sent()
    path = f"/contracts/{sent['id']}"
    assert (await table.expert.post(f"{path}/decline")).status_code == 422, "a reason is needed"
    assert refusal(await table.drafter.post(f"{path}/decline", json={"reason": "x"}))[2] == ["four-eyes"]
    declined = await done(table.expert, path, "decline", reason="Too broad")
    assert (declined["status"], declined["reason"]) == ("declined", "Too broad")
    assert refusal(await table.expert.post(f"{path}/sign", json=consent(sent)))[:2] == (409, "wrong-state")
    voided = await done(table.drafter, path, "void", reason="We part")
    assert (voided["status"], voided["reason"]) == ("voided", "We part")

    half = await table.sent(number="NDA-2")
    await done(table.expert, f"/contracts/{half['id']}", "sign", **consent(half))
    regret = await table.expert.post(f"/contracts/{half['id']}/decline", json={"reason": "Regret"})
    assert refusal(regret) == (409, "cannot-decline", ["unsigned"])
    assert (await table.expert.get(f"/contracts/{half['id']}")).json()["status"] == "sent"

    signed = await table.signed(number="NDA-3")
    path = f"/contracts/{signed['id']}"
    assert refusal(await table.drafter.post(f"{path}/void", json={"reason": "x"}))[:2] == (409, "wrong-state")
    await table.at("2030-03-01T12:00:00Z")
    assert (await table.drafter.get(path)).json()["in_force"] is True
    ended = await done(table.legal, path, "terminate", reason="Breach")
    assert (ended["status"], ended["terminated_on"], ended["in_force"]) == ("terminated", "2030-03-01", False)
    listed = (await table.drafter.get("/contracts?in_force_on=2030-02-28")).json()["data"]
    assert [c["id"] for c in listed] == [signed["id"]], "the day before its end it bound"
    assert (await table.drafter.get("/contracts?in_force_on=2030-03-01")).json()["data"] == []


@pytest.mark.parametrize(
    ("instant", "in_force", "expired"),
    [
        ("2030-01-09T22:59:59Z", False, False),
        ("2030-01-09T23:00:00Z", True, False),
        ("2030-06-30T21:59:59Z", True, False),
        ("2030-06-30T22:00:00Z", False, True),
    ],
)
async def test_it_binds_from_its_first_to_its_last_local_day(
    table: Table, instant: str, in_force: bool, expired: bool
) -> None:
    signed = await table.signed(notice_days=30)
    await table.sent(number="unsigned")
    await table.at(instant)
    shown = (await table.expert.get(f"/contracts/{signed['id']}")).json()
    assert (shown["in_force"], shown["expired"]) == (in_force, expired)
    assert shown["notice_deadline"] == "2030-05-31"


async def test_lists_ask_for_a_day_and_for_what_ends_soon(table: Table) -> None:
    nda = await table.signed()
    msa = await table.signed(
        kind="msa", number="MSA-1", expires_on=None, engagement_id=None, value=None, survival_months=None,
        purpose=None, categories=[], highest_classification=None,
    )  # fmt: skip
    await table.sent(number="unsigned")

    async def listed(query: str) -> set[str]:
        answer = await table.drafter.get(f"/contracts?{query}")
        assert answer.status_code == 200, answer.text
        return {c["id"] for c in answer.json()["data"]}

    assert await listed("in_force_on=2030-01-09") == set()
    assert await listed("in_force_on=2030-01-10") == {nda["id"], msa["id"]}
    assert await listed("in_force_on=2030-06-30") == {nda["id"], msa["id"]}
    assert await listed("in_force_on=2030-07-01") == {msa["id"]}
    assert await listed("expires_within=36500") == set(), "not in force yet"
    await table.at("2030-06-01T12:00:00Z")
    assert await listed("expires_within=29") == {nda["id"]}
    assert await listed("expires_within=28") == set()
    assert await listed("kind=msa&status=signed") == {msa["id"]}
    assert await listed("q=nda-") == {nda["id"]}
    in_order = (await table.drafter.get("/contracts?sort=-expires_on&kind=msa&kind=nda&limit=1")).json()
    assert in_order["next_cursor"]
    assert (await table.drafter.get("/contracts?in_force_on=yesterday")).status_code == 422
    assert (await table.drafter.get("/contracts?expires_within=-1")).status_code == 422
    assert await table.expert.get("/contracts?status=draft") is not None
    stranger = await table.house.client("expert", expert_id=await expert(table.house))
    for mine in ("contracts", "contract-versions", "signatures"):
        assert (await stranger.get(f"/{mine}")).json()["data"] == []


async def test_money_is_absent_without_money_read(table: Table) -> None:
    drafted = await table.drafted()
    assert drafted["value"] == {"amount": "1250.00", "currency": "EUR"}
    path = f"/contracts/{drafted['id']}"
    poor = await table.house.client("procurement", scopes=frozenset({"contracts:read", "contracts:write"}))
    member = await table.house.client("member")
    edited = await poor.patch(path, json={"title": "Seen"}, headers={"if-match": "*"})
    assert (edited.status_code, "value" in edited.json()) == (200, False)
    assert (await table.drafter.get(path)).json()["value"]["amount"] == "1250.00", "and it stays"
    for reader in (poor, member):
        assert "value" not in (await reader.get(path)).json()
        assert "value" not in (await reader.get("/contracts")).json()["data"][0]
        table_of = (await reader.get("/contracts", headers={"accept": "text/csv"})).text
        assert "NDA-1" in table_of
        assert "value" not in table_of.splitlines()[0].split(",")
        assert "1250" not in table_of
    assert "1250" in (await table.legal.get("/contracts", headers={"accept": "text/csv"})).text
    events = (await member.get(f"{path}/events")).text
    assert "1250" not in events
    assert "What is read" not in events


async def test_a_dashboard_lists_and_never_reads_the_wording(table: Table) -> None:
    drafted = await table.drafted()
    dashboard = await table.house.client("dashboard")
    listed = (await dashboard.get("/contracts")).json()["data"]
    assert [c["id"] for c in listed] == [drafted["id"]]
    assert "wording" not in listed[0]
    assert refusal(await dashboard.get(f"/contracts/{drafted['id']}"))[:2] == (403, "missing-role")
    assert refusal(await dashboard.post("/contracts", json=table.body()))[0] == 403
    assert refusal(await table.expert.post("/contracts", json=table.body()))[:2] == (403, "missing-role")


@pytest.mark.parametrize(
    ("terms", "pointers"),
    [
        ({"purpose": None, "categories": []}, {"/purpose", "/categories"}),
        ({"expires_on": None}, {"/expires_on"}),
        ({"expires_on": "2030-01-09"}, {"/expires_on"}),
        ({"kind": "sow"}, {"/purpose", "/categories", "/highest_classification", "/survival_months"}),
        ({"engagement_id": None}, {"/engagement_id"}),
    ],
)
async def test_terms_that_do_not_fit_together_are_refused(
    table: Table, terms: dict[str, Any], pointers: set[str]
) -> None:
    refused = await table.drafter.post("/contracts", json=table.body(**terms))
    assert (refused.status_code, refused.json()["code"]) == (422, "unsound-terms"), refused.text
    assert {e["pointer"] for e in refused.json()["errors"]} == pointers
    drafted = await table.drafted()
    if patch := {k: v for k, v in terms.items() if k not in ("kind", "engagement_id")}:
        path = f"/contracts/{drafted['id']}"
        refused = await table.drafter.patch(path, json=patch, headers={"if-match": "*"})
        assert {e["pointer"] for e in refused.json()["errors"]} == pointers
        assert (await table.drafter.get(path)).json() == drafted
    assert len((await table.drafter.get("/contracts")).json()["data"]) == 1


async def test_an_engagement_with_another_expert_is_refused(table: Table) -> None:
    other = await expert(table.house)
    refused = await table.drafter.post("/contracts", json=table.body(expert_id=str(other)))
    assert refused.json()["errors"][0]["code"] == "another-expert"
    unknown = await table.drafter.post("/contracts", json=table.body(engagement_id=str(table.expert_id)))
    assert unknown.status_code == 404


async def test_a_number_is_given_once(table: Table) -> None:
    await table.drafted()
    again = await table.drafter.post("/contracts", json=table.body())
    assert refusal(again)[:2] == (409, "already-exists")


@pytest.mark.parametrize("party", ["expert", "client"])
async def test_of_parallel_signatures_exactly_one_counts(table: Table, party: str) -> None:
    sent = await table.sent()
    path = f"/contracts/{sent['id']}"
    if party == "client":
        await done(table.expert, path, "sign", **consent(sent))
    signers = {"expert": [table.expert] * 4, "client": [table.sponsor, await table.house.client("champion")] * 2}
    answers = await asyncio.gather(*(s.post(f"{path}/sign", json=consent(sent)) for s in signers[party]))
    assert sorted(a.status_code for a in answers) == [200, 409, 409, 409]
    signatures = (await table.legal.get(f"/signatures?party={party}")).json()["data"]
    assert len(signatures) == 1
    events = (await (await table.house.client("auditor")).get("/events?type=contract.signed")).json()["data"]
    assert len(events) == (party == "client")


async def test_nobody_alters_a_signature_or_what_was_sent(table: Table) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import ProgrammingError

    await table.signed()
    for change in ("update {} set version = 9", "delete from {}"):
        for name in ("signatures", "contract_versions"):
            with pytest.raises(ProgrammingError, match="permission denied"):
                async with behind_the_walls(table.house) as session:
                    await session.execute(text(change.format(name)))


async def test_another_organisation_sees_nothing(table: Table, other_house: House) -> None:
    signed = await table.signed()
    outsider = await other_house.client("procurement")
    for path in (f"contracts/{signed['id']}", f"contracts/{signed['id']}/transitions"):
        assert (await outsider.get(f"/{path}")).status_code == 404
    assert (await outsider.post(f"/contracts/{signed['id']}/terminate", json={"reason": "x"})).status_code == 404
    assert (await outsider.get("/contracts")).json()["data"] == []
    assert (await table.drafter.get(f"/contracts/{signed['id']}")).json()["status"] == "signed"


async def test_what_postgresql_writes_is_what_the_shapes_would_have_said(table: Table) -> None:
    from api.contracts import ContractListed, ContractOut, ContractVersionOut, SignatureOut

    signed = await table.signed(title='Ümlaut & Søn "quoted"')
    shown = (await table.legal.get(f"/contracts/{signed['id']}")).json()
    assert ContractOut.model_validate(shown).model_dump(mode="json") == shown
    listed = (await table.legal.get("/contracts")).json()["data"][0]
    assert ContractListed.model_validate(listed).model_dump(mode="json") == listed
    version = (await table.legal.get("/contract-versions")).json()["data"][0]
    version = (await table.legal.get(f"/contract-versions/{version['id']}")).json()
    assert ContractVersionOut.model_validate(version).model_dump(mode="json") == version
    signature = (await table.legal.get("/signatures")).json()["data"][0]
    assert SignatureOut.model_validate(signature).model_dump(mode="json") == signature
