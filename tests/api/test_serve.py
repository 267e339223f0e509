"""`tracker serve` as an operator runs it: a process of its own, its metrics on a port of their own, a clean stop."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from api.database import Cluster, create_database, engine, finish, migrate
from api.oauth.session import as_authority
from api.provision import ensure_docs_client
from api.settings import Settings

ISSUER = "https://tracker.example"
SERVE = [sys.executable, "-c", "from api.cli import app; app()", "serve"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(cluster: Cluster, database: str, folder: Path, **more: str) -> dict[str, str]:
    said = {name: value for name, value in os.environ.items() if not name.startswith("TRACKER_")}
    url = cluster.url("tracker_app", database)
    return {**said, "TRACKER_DATABASE_URL": url, "TRACKER_ISSUER": ISSUER, "TRACKER_DATA_DIR": str(folder), **more}


@dataclass
class Served:
    process: subprocess.Popen[bytes]
    url: str
    metrics: str


def until_ready(served: Served) -> None:
    ends = time.monotonic() + 30
    while time.monotonic() < ends and served.process.poll() is None:
        try:
            if httpx.get(f"{served.url}/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the server did not become ready")


@pytest.fixture(scope="module")
def own_database(cluster: Cluster) -> str:
    """A database of this module's own, which was served at another address before."""
    name = f"serve_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
    create_database(cluster, name)
    migrate(cluster.url("tracker_owner", name))

    async def served_before() -> None:
        database = engine(cluster.url("tracker_app", name))
        async with as_authority(async_sessionmaker(database, class_=AsyncSession)) as session:
            await ensure_docs_client(session, Settings())
        await database.dispose()

    finish(served_before())
    return name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def served(cluster: Cluster, own_database: str, folder: Path) -> Iterator[Served]:
    """A running server, stopped by the signal of a service manager."""
    port, metrics = free_port(), free_port()
    env = environment(cluster, own_database, folder, TRACKER_METRICS_PORT=str(metrics), TRACKER_LOG_LEVEL="error")
    process = subprocess.Popen([*SERVE, "--port", str(port)], env=env)
    found = Served(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics}/metrics")
    try:
        until_ready(found)
        yield found
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(found.metrics)
    finally:
        process.kill()
        process.wait()


def test_metrics_name_routes_never_addresses(served: Served) -> None:
    secret = "0199c0de-0000-7000-8000-000000000000"
    for path in (f"/v1/people/{secret}", f"/{secret}", f"/v1/nothing/{secret}/more"):
        assert httpx.get(served.url + path).status_code in (401, 404)
    httpx.request("BREW", served.url)
    told = httpx.get(served.metrics).text
    assert 'tracker_request_seconds_count{method="GET",route="/people/{person_id}",status="401"} 1.0' in told
    assert secret not in told
    labels = {name for line in told.splitlines() for name in re.findall(r"(\w+)=\"", line) if "tracker" in line}
    assert labels == {"method", "route", "status", "le"}, "nothing tells tenants apart"


def test_the_public_port_shows_no_metrics(served: Served) -> None:
    for path in ("/metrics", "/v1/metrics"):
        assert httpx.get(served.url + path).status_code == 404


def test_metrics_listen_on_loopback_only(served: Served) -> None:
    port = int(served.metrics.split(":")[2].split("/")[0])
    listening = Path("/proc/net/tcp")
    if not listening.exists():
        pytest.skip("this system does not tell who listens")
    lines = [line.split() for line in listening.read_text().splitlines()[1:]]
    hosts = {line[1].split(":")[0] for line in lines if line[3] == "0A" and int(line[1].split(":")[1], 16) == port}
    assert hosts == {"0100007F"}


def test_the_documentation_signs_in_where_the_server_is(served: Served) -> None:
    query = {"response_type": "code", "client_id": "docs", "code_challenge": "x" * 43, "code_challenge_method": "S256"}
    for issuer, status in ((ISSUER, 200), (Settings().issuer, 400)):
        target = {"redirect_uri": f"{issuer}/docs/oauth2-redirect"}
        assert httpx.get(f"{served.url}/authorize", params={**query, **target}).status_code == status, issuer


def refused(env: dict[str, str]) -> str:
    """What a server that cannot start says."""
    command = [*SERVE, "--port", str(free_port())]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    return " ".join(done.stderr.split())


def test_a_taken_metrics_port_is_a_clear_error(cluster: Cluster, own_database: str, folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        env = environment(cluster, own_database, folder, TRACKER_METRICS_PORT=str(taken.getsockname()[1]))
        assert "choose another with TRACKER_METRICS_PORT" in refused(env)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("no key at all!", "TRACKER_KEY is not 32 bytes in base64url"),
        ("A" * 43, "TRACKER_KEY does not open the signing keys of this database"),
    ],
)
def test_a_wrong_key_is_a_clear_error(
    served: Served, cluster: Cluster, own_database: str, folder: Path, key: str, why: str
) -> None:
    assert refused(environment(cluster, own_database, folder, TRACKER_KEY=key)).startswith(why)
    assert httpx.get(f"{served.url}/oauth/jwks").json()["keys"], "who runs is not disturbed"
