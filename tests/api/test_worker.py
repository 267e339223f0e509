"""The worker forgets what has outlived its use, and nothing else."""

import asyncpg
from fastapi import FastAPI

from api.worker import SWEEPS, sweep
from tests.conftest import House


async def test_a_sweep_forgets_what_is_old_and_keeps_what_is_young(
    app: FastAPI, house: House, cluster, database: str
) -> None:
    admin = await house.client("admin")
    headers = {"idempotency-key": "k"}
    made = await admin.post("/business-units", json={"name": "Sales"}, headers=headers)
    url = cluster.url("tracker_worker", database)
    assert (await sweep(url)).keys() == SWEEPS.keys()
    again = await admin.post("/business-units", json={"name": "Sales"}, headers=headers)
    assert (again.json(), again.headers["idempotency-replayed"]) == (made.json(), "true")

    connection = await asyncpg.connect(url)
    try:
        aged = "update idempotent_calls set at = now() - interval '3 days' where tenant_id = $1"
        assert await connection.execute(aged, house.id) == "UPDATE 1"
    finally:
        await connection.close()
    assert (await sweep(url))["idempotent_calls"] >= 1
    taken = await admin.post("/business-units", json={"name": "Sales"}, headers=headers)
    assert taken.status_code == 409, "the key is free again, the name is not"
    assert (await admin.get("/me")).status_code == 200
