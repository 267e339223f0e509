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

from api.database import Cluster

SERVE = [sys.executable, "-c", "from api.cli import app; app()", "serve"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(cluster: Cluster, database: str, folder: Path, **more: str) -> dict[str, str]:
    said = {name: value for name, value in os.environ.items() if not name.startswith("TRACKER_")}
    url = cluster.url("tracker_app", database)
    return {**said, "TRACKER_DATABASE_URL": url, "TRACKER_DATA_DIR": str(folder), **more}


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
def served(
    cluster: Cluster, database: str, app: object, settings: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A running server, stopped by the signal of a service manager; it shares the database and keys of `app`."""
    port, metrics = free_port(), free_port()
    folder = settings.data_dir  # type: ignore[attr-defined]
    env = environment(cluster, database, folder, TRACKER_METRICS_PORT=str(metrics), TRACKER_LOG_LEVEL="error")
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


def test_a_taken_metrics_port_is_a_clear_error(cluster: Cluster, database: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        env = environment(cluster, database, tmp_path, TRACKER_METRICS_PORT=str(taken.getsockname()[1]))
        done = subprocess.run(
            [*SERVE, "--port", str(free_port())], env=env, capture_output=True, text=True, timeout=30, check=False
        )
    assert (done.returncode, "TRACKER_METRICS_PORT" in done.stderr, "Traceback" in done.stderr) == (1, True, False)
