"""/health/live and /health/ready: whether the process runs, and whether it can serve."""

import asyncio

import asyncpg
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from models.errors import Unavailable

router = APIRouter(include_in_schema=False)


@router.get("/health/live")
async def live() -> Response:
    return JSONResponse({"status": "live"})


@router.get("/health/ready")
async def ready(request: Request) -> Response:
    """Ready when the database answers within a second. Raises Unavailable otherwise."""
    try:
        async with asyncio.timeout(1):
            await request.app.state.pool.fetchval("select 1")
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        raise Unavailable("database-away", "The database does not answer: this instance cannot serve.") from None
    return JSONResponse({"status": "ready"})
