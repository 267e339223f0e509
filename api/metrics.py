"""Metrics for Prometheus: kept by route template and without tenants, shown on a port of their own.

The port answers from a thread of its own, so that a busy event loop can be looked at too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import Histogram, start_http_server
from starlette.types import Scope

from api.settings import Settings

SECONDS = Histogram(
    "tracker_request_seconds", "Time to answer a request", ["method", "route", "status"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)  # fmt: skip
# A caller may invent methods and addresses, and each label value costs memory for good.
METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}


def template(scope: Scope) -> str:
    """The address of the route below where its area hangs, with the names of its parameters, never their values."""
    route: Any = scope.get("route")
    return str(getattr(route, "path", "unknown"))


def observe(scope: Scope, status: int, seconds: float) -> None:
    method = scope["method"] if scope["method"] in METHODS else "other"
    SECONDS.labels(method, template(scope), status).observe(seconds)


@contextmanager
def shown(settings: Settings) -> Iterator[None]:
    """Answer on the metrics port while the block runs; do nothing when no port is set."""
    if settings.metrics_port is None:
        yield
        return
    server, thread = start_http_server(settings.metrics_port, settings.metrics_host)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
