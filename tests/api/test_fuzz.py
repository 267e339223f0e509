"""Never a 500, and nothing that the document does not say: every operation fuzzed over real HTTP, as two roles."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
import uvicorn
from fastapi import FastAPI
from hypothesis import HealthCheck
from hypothesis import settings as effort
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app
from api.settings import Settings
from tests.conftest import found

DOCUMENT = schemathesis.openapi.from_path(Path(__file__).parent.parent.parent / "openapi" / "openapi.json")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[str]:
    """The application on a port of its own, in a thread of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serving = uvicorn.Server(uvicorn.Config(create_app(settings), port=port, log_level="error", access_log=False))
    thread = threading.Thread(target=serving.run, daemon=True)
    thread.start()
    while not serving.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    serving.should_exit = True
    thread.join()


@pytest.fixture(scope="module", params=["admin", "procurement"])
async def authorization(request: pytest.FixtureRequest, app: FastAPI) -> str:
    house = await found(app)
    client = await house.client(request.param)
    return str(client.headers["authorization"])


@DOCUMENT.parametrize()
@effort(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_never_a_500_and_nothing_undocumented(case: schemathesis.Case, server: str, authorization: str) -> None:
    case.call_and_validate(base_url=server, headers={"authorization": authorization}, checks=CHECKS)
