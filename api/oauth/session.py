"""A transaction of the authorization server: as tracker_auth, the one role that may touch how people sign in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

BECOME = text("set local role tracker_auth")


@asynccontextmanager
async def as_authority(sessions: async_sessionmaker[Any]) -> AsyncIterator[AsyncSession]:
    async with sessions() as session, session.begin():
        await session.execute(BECOME)
        yield session


@asynccontextmanager
async def auth_session(app: FastAPI) -> AsyncIterator[AsyncSession]:
    """One transaction of the authorization server, committed at the end of the block."""
    async with as_authority(app.state.sessions) as session:
        yield session
