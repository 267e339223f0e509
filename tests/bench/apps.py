"""What is measured: the application as it is served, and the limit it is held against.

The limit is a bare ASGI application that runs the same SQL work, written by hand for asyncpg as a superuser: no token,
no walls, no validation, no framework. For the portfolio it counts the tenant's rows instead of reading summary rows.
"""

import hashlib
import json
import os
from typing import Any
from uuid import UUID

import asyncpg
from fastapi import FastAPI
from uuid_utils.compat import uuid7

from api.app import create_app
from api.settings import Settings


def ours() -> FastAPI:
    return create_app(Settings())


INSTANT = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
SHOWN = f"""id, version, to_char(created_at at time zone 'UTC', {INSTANT}) as created_at,
  to_char(updated_at at time zone 'UTC', {INSTANT}) as updated_at, programme_id, expert_id, title, mode, starts_on,
  ends_on, json_build_object('amount', value_amount::text, 'currency', value_currency) as value, status,
  required_documents, drafted_by, edited_by, submitted_by, decided_by, closed_by_lead, closed_by_sponsor, reason"""
ONE = f"select row_to_json(r)::text from (select {SHOWN} from engagements where tenant_id = $1 and id = $2) r"
PAGE = f"""select string_agg(row_to_json(r)::text, ',')
  from (select {SHOWN} from engagements where tenant_id = $1 order by id desc limit 50) r"""
PORTFOLIO = """select json_object_agg(what || ' ' || status, n)::text from (
  select 'programmes' as what, status, count(*) as n from programmes where tenant_id = $1 group by status
  union all select 'engagements', status, count(*) from engagements where tenant_id = $1 group by status
  union all select 'milestones', status, count(*) from milestones where tenant_id = $1 group by status) c"""
PROGRESS = """
with moved as (
  update milestones set status = 'in_progress', percent = $3, version = version + 1, updated_at = now()
   where tenant_id = $1 and id = $2 returning engagement_id, version),
entry as (
  insert into progress_entries (tenant_id, id, version, created_at, updated_at, "on", percent, hours, note,
                                milestone_id, engagement_id, logged_by)
  select $1, $4, 1, now(), now(), current_date, $3, $5::text::numeric, $6, $2, engagement_id, $1 from moved),
told as (
  insert into events (tenant_id, id, type, collection, subject_id, subject_version, actor_id, client_id, changes, at)
  select $1, $7::uuid, 'milestone.changed', 'milestones', $2, version, $1, 'bare', $9::jsonb, now() from moved
  union all
  select $1, $8::uuid, 'progress_entry.created', 'progress-entries', $4, 1, $1, 'bare', $10::jsonb, now() from moved),
kept as (
  insert into idempotent_calls (tenant_id, account_id, key, method, path, body_hash, status, headers, body, at)
  values ($1, $1, $11, 'POST', $12, $13, 201, '{}', $14, now()))
select count(*) from moved"""


async def limit(scope: Any, receive: Any, send: Any) -> None:
    """The bare application; the tenant stands in a header, where the application has a token."""
    global pool
    if scope["type"] == "lifespan":
        await receive()
        pool = await asyncpg.create_pool(os.environ["BENCH_SUPERUSER_URL"], min_size=16, max_size=16)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await pool.close()
        return await send({"type": "lifespan.shutdown.complete"})
    headers, path = dict(scope["headers"]), scope["path"]
    tenant = UUID(headers[b"x-tenant"].decode())
    if scope["method"] == "POST":
        body = await _progress(tenant, path, headers[b"idempotency-key"].decode(), (await receive())["body"])
    elif path == "/v1/reports/portfolio":
        body = await pool.fetchval(PORTFOLIO, tenant)
    elif path == "/v1/engagements":
        body = '{"data":[' + await pool.fetchval(PAGE, tenant) + "]}"
    else:
        body = await pool.fetchval(ONE, tenant, UUID(path.rpartition("/")[2]))
    answer = body.encode()
    length = str(len(answer)).encode()
    fixed = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": fixed})
    await send({"type": "http.response.body", "body": answer})


async def _progress(tenant: UUID, path: str, key: str, body: bytes) -> str:
    given = json.loads(body)
    milestone_id, entry_id = UUID(path.split("/")[3]), uuid7()
    changes = {"percent": [0, given["percent"]], "status": ["planned", "in_progress"]}
    created = {**{name: [None, value] for name, value in given.items()}, "milestone_id": [None, str(milestone_id)]}
    answer = json.dumps({"id": str(entry_id), **given})
    moved = await pool.fetchval(
        PROGRESS,
        tenant,
        milestone_id,
        given["percent"],
        entry_id,
        given["hours"],
        given["note"],
        uuid7(),
        uuid7(),
        json.dumps(changes),
        json.dumps(created),
        key,
        path,
        hashlib.sha256(body).digest(),
        answer,
    )
    assert moved == 1
    return answer
