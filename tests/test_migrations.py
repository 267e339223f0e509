"""The migrations make what the models say, can be undone and done again, and have one head."""

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Connection, Enum
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

import models  # noqa: F401
from api.database import Cluster, alembic_config, create_database, drop_database, finish, migrate

VERSIONS = Path(__file__).parent.parent / "migrations"


@pytest.fixture
def scratch(cluster: Cluster) -> Iterator[str]:
    name = f"scratch_{uuid.uuid4().hex[:8]}"
    create_database(cluster, name)
    yield cluster.url("tracker_owner", name)
    drop_database(cluster, name)


def test_there_is_one_head_and_the_file_says_which() -> None:
    script = ScriptDirectory.from_config(alembic_config(""))
    assert script.get_heads() == [(VERSIONS / "HEAD").read_text().strip()]
    for revision in script.walk_revisions():
        assert Path(revision.path).name.startswith(f"{revision.revision}_")


def test_up_down_up(scratch: str) -> None:
    migrate(scratch)
    finish(asyncio.to_thread(command.downgrade, alembic_config(scratch), "base"))
    tables = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
    assert finish(_fetch(scratch, tables)) == ["alembic_version"]
    migrate(scratch)


def test_the_schema_is_what_the_models_say(cluster: Cluster, database: str) -> None:
    assert finish(_differences(cluster.url("tracker_owner", database))) == []


def test_every_check_of_the_models_stands_in_the_schema(cluster: Cluster, database: str) -> None:
    """Autogenerate does not compare CHECK constraints: compare their number, and the values of each enum."""
    sql = (
        "select conname || ' ' || pg_get_constraintdef(oid) from pg_constraint"
        " where contype = 'c' and connamespace = 'public'::regnamespace"
    )
    found = dict(text.split(" ", 1) for text in finish(_fetch(cluster.url("tracker_owner", database), sql)))
    tables = SQLModel.metadata.tables.values()
    assert len(found) == sum(isinstance(c, CheckConstraint) for table in tables for c in table.constraints)
    for column in (c for table in tables for c in table.columns if isinstance(c.type, Enum)):
        rules = [rule for name, rule in found.items() if name.startswith(f"ck_{column.table.name}_")]
        assert any(all(f"'{value}'" in rule for value in column.type.enums) for rule in rules), column


async def _fetch(url: str, sql: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(sql)]
    finally:
        await connection.close()


async def _differences(url: str) -> list[Any]:
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))

    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, SQLModel.metadata))

    try:
        async with engine.connect() as connection:
            return await connection.run_sync(compare)
    finally:
        await engine.dispose()
