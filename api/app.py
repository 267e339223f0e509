"""The application put together; it refuses to start when an operation stands without a rule."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from starlette.responses import Response

from api import (
    assignments,
    confidentiality,
    contracts,
    documents,
    engagements,
    events,
    experts,
    health,
    knowledge_transfer,
    logs,
    me,
    oauth,
    onboarding,
    openapi,
    organisations,
    problems,
    programmes,
    reports,
)
from api.auth import Remembered
from api.database import engine, refuse_powerful_role
from api.headers import EveryAnswer
from api.idempotency import Replay
from api.limits import Limited, Limits
from api.oauth.keys import Keys
from api.read import Connection
from api.settings import Settings
from api.strict import StrictBodies
from models.policy import RULES

AREAS = (
    me,
    organisations,
    *programmes.PARTS,
    experts,
    engagements,
    onboarding,
    assignments,
    contracts,
    confidentiality,
    *knowledge_transfer.PARTS,
    reports,
    events,
)


class Unruled(RuntimeError):
    """A route has no row in the policy table, or a row has no route."""


def create_app(settings: Settings) -> FastAPI:
    """Build the application. Raises Unruled when routes and the policy table do not match."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        url = settings.database_url or ""
        writing = engine(url, pool_size=settings.write_pool_size)
        async with asyncpg.create_pool(
            url, min_size=1, max_size=settings.read_pool_size, connection_class=Connection
        ) as pool:
            await refuse_powerful_role(pool)
            app.state.pool = pool
            app.state.sessions = async_sessionmaker(writing, class_=AsyncSession, expire_on_commit=False)
            app.state.keys = await Keys.load(app.state.sessions, settings)
            # What lives since the start lives on: collecting it again and again costs a third of the throughput.
            gc.collect()
            gc.freeze()
            gc.set_threshold(50_000, 20, 20)
            yield
        await writing.dispose()

    app = FastAPI(
        title="Engagement tracker",
        version=settings.api_version,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        generate_unique_id_function=lambda route: route.name,
    )
    logs.configure(settings.log_level)
    app.state.settings = settings
    app.state.remembered = Remembered()
    app.state.limits = Limits(settings.requests_per_minute)
    problems.install(app)
    app.add_exception_handler(Replay, replayed)
    for area in AREAS:
        app.include_router(area.router, prefix="/v1")
    for page in (oauth, documents, health):
        app.include_router(page.router)
    require_rules()
    openapi.install(app)
    app.add_middleware(StrictBodies)
    app.add_middleware(Limited)
    app.add_middleware(EveryAnswer, settings=settings)
    return app


async def replayed(_: Request, replay: Exception) -> Response:
    assert isinstance(replay, Replay)
    return replay.answer


def operations() -> list[APIRoute]:
    """The operations of the API itself, without pages and documents."""
    return [r for area in AREAS for r in area.router.routes if isinstance(r, APIRoute)]


def require_rules() -> None:
    names = {route.name for route in operations()}
    if bare := names - RULES.keys():
        raise Unruled(f"no row in models/policy.py for: {', '.join(sorted(bare))}")
    if lost := RULES.keys() - names:
        raise Unruled(f"no operation for the rows of models/policy.py: {', '.join(sorted(lost))}")
