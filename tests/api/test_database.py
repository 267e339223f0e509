"""The embedded server: starts until it answers, is shared, survives a kill; and the app refuses a role with power."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from typer.testing import CliRunner

from api.cli import app as tracker
from api.database import Cluster, EmbeddedCluster, NoDatabase, engine, ensure_database, refuse_powerful_role


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


def test_lock_files_whose_process_id_went_to_another_process_do_not_hold_the_server_up(folder: Path) -> None:
    first = ensure_database(folder, throwaway=True)
    server, user = str(postmaster(folder)), first.user
    locks = {
        path: path.read_text() for path in (first.data / "postmaster.pid", first.socket_dir / ".s.PGSQL.5432.lock")
    }
    first.stop()
    stranger = subprocess.Popen(["sleep", "60"], user=user.pw_uid if user else None)
    try:
        for path, said in locks.items():
            path.write_text(said.replace(server, str(stranger.pid), 1))
            if user:
                os.chown(path, user.pw_uid, user.pw_gid)
        ensure_database(folder, throwaway=True).stop()
    finally:
        stranger.kill()
        stranger.wait()


def test_an_interrupted_start_leaves_no_server_and_no_half_made_data(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(cluster: EmbeddedCluster) -> bool:
        if not (cluster.data / "postmaster.pid").exists():
            return False
        raise KeyboardInterrupt

    half_made = folder / "postgres.making"
    half_made.mkdir()
    folder.chmod(0o711)
    (half_made / "PG_VERSION").write_text("18")
    with monkeypatch.context() as patched:
        patched.setattr(EmbeddedCluster, "_answers", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ensure_database(folder, throwaway=True)
    assert not (folder / "postgres" / "postmaster.pid").exists()
    ensure_database(folder, throwaway=True).stop()


def test_only_its_user_enters_the_socket_folder(folder: Path) -> None:
    cluster = ensure_database(folder, throwaway=True)
    assert cluster.socket_dir.stat().st_mode & 0o077 == 0
    cluster.stop()


@pytest.mark.parametrize(
    ("role", "why"), [("postgres", "is a superuser"), ("tracker_owner", "owns tables"), ("tracker_app", None)]
)
async def test_the_app_refuses_a_role_that_walks_past_walls(
    app: FastAPI, cluster: Cluster, database: str, role: str, why: str | None
) -> None:
    connection = await asyncpg.connect(cluster.url(role, database))
    try:
        if why:
            with pytest.raises(NoDatabase, match=f"{why}.*: connect as tracker_app"):
                await refuse_powerful_role(connection)
        else:
            await refuse_powerful_role(connection)
    finally:
        await connection.close()


async def test_an_address_may_carry_what_asyncpg_knows(app: FastAPI, cluster: Cluster, database: str) -> None:
    url = cluster.url("tracker_app", database)
    database_engine = engine(f"{url}{'&' if '?' in url else '?'}sslmode=prefer")
    async with database_engine.connect() as connection:
        assert await connection.scalar(text("select current_user")) == "tracker_app"
    await database_engine.dispose()


async def test_the_app_cannot_touch_how_people_sign_in(app: FastAPI, cluster: Cluster, database: str) -> None:
    connection = await asyncpg.connect(cluster.url("tracker_app", database))
    try:
        for table in ("accounts", "oauth_keys", "oauth_refresh_tokens", "one_time_links"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"select count(*) from {table}")
    finally:
        await connection.close()


def test_a_busy_port_a_lost_database_and_a_public_demo_are_clear_errors() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = CliRunner().invoke(tracker, ["demo", "--port", str(taken.getsockname()[1])])
    assert (busy.exit_code, "--port" in busy.stderr) == (1, True)
    lost = CliRunner().invoke(
        tracker, ["migrate"], env={"TRACKER_OWNER_DATABASE_URL": "postgresql://tracker_owner@127.0.0.1:1/tracker"}
    )
    assert (lost.exit_code, "cannot be reached" in lost.stderr) == (1, True)
    public = CliRunner().invoke(tracker, ["demo", "--host", "0.0.0.0"])
    assert (public.exit_code, "loopback only" in public.stderr.replace("\n", " ")) == (1, True)
