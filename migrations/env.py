"""Migrations run as the owner, one at a time, and give up rather than wait for a lock."""

import asyncio
import os
from functools import partial

import asyncpg
from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

import models  # noqa: F401  (fills the metadata)

LIMITS = ("set lock_timeout = '4s'", "set statement_timeout = '10min'")


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        transaction_per_migration=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def online(url: str) -> None:
    connect = partial(asyncpg.connect, url)
    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.execute(text("select pg_advisory_lock(hashtext('tracker-migrations'))"))
        for limit in LIMITS:
            await connection.execute(text(limit))
        await connection.commit()
        await connection.run_sync(run)
    await engine.dispose()


def offline() -> None:
    context.configure(dialect_name="postgresql", target_metadata=SQLModel.metadata, transaction_per_migration=True)
    for limit in LIMITS:
        context.get_context().impl.static_output(f"{limit};")
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    offline()
elif (given := context.config.attributes.get("connection")) is not None:
    run(given)
else:
    asyncio.run(online(context.config.attributes.get("url") or os.environ["TRACKER_OWNER_DATABASE_URL"]))
