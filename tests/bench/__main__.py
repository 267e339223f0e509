"""`uv run poe bench`: what the application makes of its database, against a bare ASGI application on the same one.

Both serve from a process of their own, one worker each, and are asked in turns, so that what else the machine does
weighs on both alike; each figure is the median of the rounds.
"""

import asyncio
import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.table import Table

from api.database import (
    Cluster,
    ExternalCluster,
    create_database,
    drop_database,
    ensure_database,
    finish,
    migrate,
    prepare_roles,
)
from api.settings import Settings
from tests.bench.data import ENGAGEMENT, EXPERTS, MILESTONE, MILESTONES, TENANT, Data, id
from tests.bench.load import Round, ask

ROOT = Path(__file__).parents[2]
FULL, QUICK = Data(tenants=100, engagements=1000), Data(tenants=10, engagements=100)
AIMS = {"W1": 0.40, "W2": 0.7, "W3": 0.4, "W4": 10.0}
console = Console()
Who = tuple[int, str, str]
"""A tenant's number, the tokens of its buyer and of its first expert."""


def get(path: Callable[[Data, int], str]) -> Callable[[Data, Who], tuple[str, str, str]]:
    return lambda data, who: (f"GET {path(data, who[0])}", who[1], "")


def any_engagement(data: Data, tenant: int) -> str:
    return f"/v1/engagements/{id(ENGAGEMENT, tenant * data.engagements + random.randrange(data.engagements))}"


def progress(data: Data, who: Who) -> tuple[str, str, str]:
    """Log progress on an open milestone of the tenant's first expert."""
    engagement = who[0] * data.engagements + random.randrange(0, data.engagements, EXPERTS)
    milestone = engagement * MILESTONES + random.randrange(6)
    body = {"percent": random.randrange(101), "hours": "1.50", "note": "Walked through it together; questions stay."}
    return f"POST /v1/milestones/{id(MILESTONE, milestone)}/progress", who[2], json.dumps(body)


WORKLOADS: dict[str, tuple[str, Callable[[Data, Who], tuple[str, str, str]]]] = {
    "W1": ("read one", get(any_engagement)),
    "W2": ("page of 50", get(lambda data, tenant: "/v1/engagements")),
    "W3": ("log progress", progress),
    "W4": ("portfolio", get(lambda data, tenant: "/v1/reports/portfolio")),
}


def requests(data: Data, callers: list[Who], make: Callable[..., tuple[str, str, str]], bare: bool) -> Iterator[bytes]:
    """Requests without end, spread over tenants and rows."""
    while True:
        who = random.choice(callers)
        line, token, body = make(data, who)
        lines = [f"{line} HTTP/1.1", "host: bench"]
        lines.append(f"x-tenant: {id(TENANT, who[0])}" if bare else f"authorization: Bearer {token}")
        if body:
            lines += [f"idempotency-key: {uuid.uuid4()}", "content-type: application/json"]
            lines.append(f"content-length: {len(body)}")
        yield "\r\n".join([*lines, "", body]).encode()


@contextlib.contextmanager
def served(app: str, environment: dict[str, str], log: Path) -> Iterator[int]:
    """A server process of its own; its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["-m", "uvicorn", *app.split(), "--port", str(port), "--loop", "uvloop", "--http", "httptools"]
    words += ["--no-access-log", "--log-level", "warning"]
    with log.open("w") as said:
        process = subprocess.Popen([sys.executable, *words], cwd=ROOT, env=os.environ | environment, stderr=said)
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{app} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


@dataclass
class Bench:
    data: Data
    settings: Settings
    seconds: float
    rounds: int
    ports: tuple[int, int]

    async def measure(self, name: str) -> dict[str, float]:
        """One workload: both sides in turns."""
        callers = [(t, *pair) for t, pair in zip(self.data.asked, await self.data.tokens(self.settings), strict=True)]
        make = WORKLOADS[name][1]
        sides = [(port, requests(self.data, callers, make, bare)) for bare, port in enumerate(self.ports)]
        for port, asked in sides:
            await ask(port, asked, min(1.0, self.seconds))
        found: tuple[list[Round], list[Round]] = [], []
        for _ in range(self.rounds):
            for (port, asked), rounds in zip(sides, found, strict=True):
                rounds.append(await ask(port, asked, self.seconds))
        rps, limit_rps = (median(r.rps for r in rounds) for rounds in found)
        cuts = quantiles([took * 1000 for r in found[0] for took in r.took], n=100)
        figures = {"rps": rps, "p50_ms": cuts[49], "p99_ms": cuts[98], "limit_rps": limit_rps}
        return {key: round(value, 2) for key, value in figures.items()} | {"ratio": round(rps / limit_rps, 3)}


def main(
    quick: Annotated[bool, typer.Option(help="A hundredth of the data: to see that it works")] = False,
    seconds: Annotated[float, typer.Option(help="How long one round of one side takes")] = 2.0,
    rounds: Annotated[int, typer.Option(help="How often both sides take their turn")] = 5,
    only: Annotated[str, typer.Option(help="Only these workloads, by commas")] = ",".join(WORKLOADS),
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here")] = None,
    keep: Annotated[Path | None, typer.Option(help="Keep the embedded database here, and use it again")] = None,
) -> None:
    """Measure reads, writes and reports. TRACKER_TEST_SUPERUSER_URL names a server to use instead of the embedded."""
    folder = keep or Path(tempfile.mkdtemp(prefix="tracker-bench-"))
    data = QUICK if quick else FULL
    url = os.environ.get("TRACKER_TEST_SUPERUSER_URL")
    cluster: Cluster = ExternalCluster(url) if url else ensure_database(folder, throwaway=True)
    name = f"bench_{data.tenants}"
    try:
        prepared(cluster, name, data)
        figures = measured(cluster, name, data, folder, only.split(","), seconds, rounds)
    finally:
        if url:
            drop_database(cluster, name)
        cluster.stop()
        if keep is None:
            shutil.rmtree(folder)
    show(figures)
    if json_file:
        json_file.write_text(json.dumps(figures, indent=2) + "\n")


def prepared(cluster: Cluster, name: str, data: Data) -> None:
    prepare_roles(cluster)
    if not create_database(cluster, name):
        return
    started, amount = time.monotonic(), data.tenants * data.engagements
    console.print(f"{amount} engagements and {amount * MILESTONES} milestones of {data.tenants} tenants …", end=" ")
    migrate(cluster.url("tracker_owner", name))
    finish(data.write(cluster.url("postgres", name)))
    console.print(f"{time.monotonic() - started:.0f} s")


def measured(
    cluster: Cluster, name: str, data: Data, folder: Path, only: list[str], seconds: float, rounds: int
) -> dict[str, dict[str, float]]:
    settings = Settings(
        database_url=cluster.url("tracker_app", name), data_dir=folder, log_level="error", requests_per_minute=10**9
    )
    environment = {
        "TRACKER_DATABASE_URL": cluster.url("tracker_app", name),
        "TRACKER_DATA_DIR": str(folder),
        "TRACKER_REQUESTS_PER_MINUTE": str(10**9),
        "TRACKER_LOG_LEVEL": os.environ.get("TRACKER_LOG_LEVEL", "info"),
    }
    bare = {"BENCH_SUPERUSER_URL": cluster.url("postgres", name)}
    figures: dict[str, dict[str, float]] = {}
    with (
        served("--factory tests.bench.apps:ours", environment, folder / "ours.log") as ours,
        served("tests.bench.apps:limit", bare, folder / "limit.log") as limit,
    ):
        bench = Bench(data, settings, seconds, rounds, (ours, limit))
        for workload in only:
            console.print(f"{workload} {WORKLOADS[workload][0]} …", end=" ")
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                figures[workload] = runner.run(bench.measure(workload))
            console.print(f"{figures[workload]['ratio']} of the limit")
    return figures


def show(figures: dict[str, dict[str, float]]) -> None:
    table = Table("", "", "requests/s", "p50 ms", "p99 ms", "limit/s", "ratio", "aim")
    for name, found in figures.items():
        cells = (f"{found[key]:.2f}" for key in ("p50_ms", "p99_ms"))
        rates = f"{found['rps']:.0f}", *cells, f"{found['limit_rps']:.0f}", f"{found['ratio']:.2f}"
        table.add_row(name, WORKLOADS[name][0], *rates, f"{AIMS[name]:.2f}")
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
