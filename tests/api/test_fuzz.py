"""Never a 500, and nothing that the document does not say: every operation fuzzed over real HTTP, as two roles."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
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
from tests.reference import problems

DOCUMENT = schemathesis.openapi.from_path(Path(__file__).parent.parent.parent / "openapi" / "openapi.json")
# Random examples beside the boundary values of each field, which are all tried; more of them for a long night.
EXAMPLES = int(os.environ.get("TRACKER_FUZZ_EXAMPLES", "5"))
CODES = {(status, code) for status, code, _ in problems()}


def is_a_documented_problem(_context: schemathesis.CheckContext, answer: schemathesis.Response, _case: object) -> None:
    """Every refusal has a code that stands in openapi/problems.md under its status."""
    if answer.status_code >= 400:
        assert (answer.status_code, answer.json()["code"]) in CODES, answer.text


CHECKS = [
    is_a_documented_problem,
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


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    """Connections that are kept, and no look at the environment for each of thousands of requests."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


@DOCUMENT.parametrize()
@effort(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_never_a_500_and_nothing_undocumented(
    case: schemathesis.Case, server: str, authorization: str, session: requests.Session
) -> None:
    case.call_and_validate(base_url=server, headers={"authorization": authorization}, checks=CHECKS, session=session)
