"""The embedded server: starts until it answers, is shared, survives a kill; and the app refuses a role with power."""

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from api.cli import app as tracker
from api.database import Cluster, NoDatabase, ensure_database, refuse_powerful_role


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tracker-"))
    yield folder
    shutil.rmtree(folder)


def postmaster(folder: Path) -> int:
    return int((folder / "postgres" / "postmaster.pid").read_text().split()[0])


def test_it_is_shared_and_the_last_one_out_stops_it(folder: Path) -> None:
    first, second = ensure_database(folder, throwaway=True), ensure_database(folder, throwaway=True)
    server = postmaster(folder)
    first.stop()
    os.kill(server, 0)
    second.stop()
    assert not (folder / "postgres" / "postmaster.pid").exists()


def test_a_killed_server_is_started_again(folder: Path) -> None:
    first = ensure_database(folder, throwaway=True)
    os.kill(postmaster(folder), signal.SIGKILL)
    second = ensure_database(folder, throwaway=True)
    assert second.url("postgres", "postgres") == first.url("postgres", "postgres")
    first.stop()
    second.stop()


def test_only_its_user_enters_the_socket_folder(folder: Path) -> None:
    cluster = ensure_database(folder, throwaway=True)
    assert cluster.socket_dir.stat().st_mode & 0o077 == 0
    cluster.stop()


@pytest.mark.parametrize(("role", "refused"), [("postgres", True), ("tracker_owner", True), ("tracker_app", False)])
async def test_the_app_refuses_a_role_that_walks_past_walls(
    app: FastAPI, cluster: Cluster, database: str, role: str, refused: bool
) -> None:
    connection = await asyncpg.connect(cluster.url(role, database))
    try:
        if refused:
            with pytest.raises(NoDatabase, match="tracker_app"):
                await refuse_powerful_role(connection)
        else:
            await refuse_powerful_role(connection)
    finally:
        await connection.close()


async def test_the_app_cannot_touch_how_people_sign_in(app: FastAPI, cluster: Cluster, database: str) -> None:
    connection = await asyncpg.connect(cluster.url("tracker_app", database))
    try:
        for table in ("accounts", "oauth_keys", "oauth_refresh_tokens", "one_time_links"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"select count(*) from {table}")
    finally:
        await connection.close()


def test_a_busy_port_and_a_public_demo_are_clear_errors() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = CliRunner().invoke(tracker, ["demo", "--port", str(taken.getsockname()[1])])
    assert (busy.exit_code, "--port" in busy.stderr) == (1, True)
    public = CliRunner().invoke(tracker, ["demo", "--host", "0.0.0.0"])
    assert (public.exit_code, "loopback only" in public.stderr.replace("\n", " ")) == (1, True)
