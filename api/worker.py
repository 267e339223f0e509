"""The worker: what has to be done by the clock and not by a caller. Today: forgetting what has outlived its use.

It runs inside `tracker serve`, and alone as `tracker worker`; any number may run, since each sweep is one idempotent
transaction under an advisory lock.
"""

import asyncio
import contextlib

import asyncpg
import structlog

SWEEP_SECONDS = 600
LOCK = "select pg_try_advisory_xact_lock(hashtextextended('tracker-sweep', 0))"
SWEEPS = {
    "idempotent_calls": "delete from idempotent_calls where at < now() - interval '48 hours'",
    "oauth_codes": "delete from oauth_codes where expires_at < now() - interval '1 day'",
    "oauth_refresh_tokens": "delete from oauth_refresh_tokens where expires_at < now() - interval '1 day'",
    # The short grants of clients that act as themselves: one a token. A person's grant has no end of its own.
    "oauth_grants": "delete from oauth_grants where expires_at < now() - interval '1 day'",
    "login_sessions": "delete from login_sessions where expires_at < now()",
    "login_attempts": "delete from login_attempts where at < now() - interval '1 day'",
    "one_time_links": "delete from one_time_links where expires_at < now() - interval '30 days'",
}
log = structlog.get_logger("tracker.worker")


async def sweep(url: str) -> dict[str, int]:
    """Forget what has outlived its use, once; the number of rows forgotten per table. Empty when another sweeps now."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            if not await connection.fetchval(LOCK):
                return {}
            return {table: int((await connection.execute(sql)).rpartition(" ")[2]) for table, sql in SWEEPS.items()}
    finally:
        await connection.close()


async def run(url: str, seconds: float = SWEEP_SECONDS) -> None:
    """Sweep now and then until cancelled; a database that is away is waited for."""
    while True:
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            log.info("swept", **await sweep(url))
        await asyncio.sleep(seconds)
