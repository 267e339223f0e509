"""A repeated POST has its effect once, also when the repetitions race; on committed data."""

import asyncio

from tests.conftest import House


async def test_eight_at_once_have_one_effect(house: House) -> None:
    admin = await house.client("admin")
    headers = {"idempotency-key": "k-1"}
    calls = (admin.post("/business-units", json={"name": "Once"}, headers=headers) for _ in range(8))
    answers = await asyncio.gather(*calls)
    assert {a.status_code for a in answers} <= {201, 409}
    assert sum(a.status_code == 201 and "idempotency-replayed" not in a.headers for a in answers) == 1
    assert {a.json()["code"] for a in answers if a.status_code == 409} <= {"idempotency-in-flight"}
    units = (await admin.get("/business-units?q=once")).json()["data"]
    assert len(units) == 1

    replayed = await admin.post("/business-units", json={"name": "Once"}, headers=headers)
    assert (replayed.status_code, replayed.headers["idempotency-replayed"]) == (201, "true")
    assert replayed.json() == units[0]
    assert replayed.headers["location"] == f"/v1/business-units/{units[0]['id']}"


async def test_a_key_belongs_to_one_call(house: House) -> None:
    admin, other = await house.client("admin"), await house.client("admin")
    headers = {"idempotency-key": "k-1"}
    await admin.post("/business-units", json={"name": "A"}, headers=headers)
    reused = await admin.post("/business-units", json={"name": "B"}, headers=headers)
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency-key-reused")
    assert (await other.post("/business-units", json={"name": "C"}, headers=headers)).status_code == 201
    assert (await admin.get("/business-units?q=B")).json()["data"] == []


async def test_a_refusal_is_judged_anew(house: House) -> None:
    admin = await house.client("admin")
    headers = {"idempotency-key": "k-2"}
    taken = await admin.post("/business-units", json={"name": "Marketing"}, headers=headers)
    assert taken.status_code == 409
    path = f"/business-units/{house.unit_id}"
    await admin.patch(path, json={"name": "Renamed"}, headers={"if-match": "*"})
    again = await admin.post("/business-units", json={"name": "Marketing"}, headers=headers)
    assert (again.status_code, "idempotency-replayed" in again.headers) == (201, False)
