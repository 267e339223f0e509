"""What the documents promise is there."""

import json
import re
from pathlib import Path

from fastapi import FastAPI

from tests.reference import lifecycles_page, problems, problems_page

ROOT = Path(__file__).parent.parent


def test_the_committed_openapi_document_is_what_the_code_says(app: FastAPI) -> None:
    assert json.loads((ROOT / "openapi" / "openapi.json").read_text()) == json.loads(json.dumps(app.openapi()))


def test_the_problems_and_lifecycles_are_what_the_sources_say() -> None:
    for name, text in (("problems.md", problems_page()), ("lifecycles.md", lifecycles_page())):
        assert (ROOT / "openapi" / name).read_text() == text, "run `uv run poe spec`"


def test_a_problem_is_read_from_wherever_the_sources_refuse() -> None:
    """One of each way in which the sources name a code."""
    told = {(status, code): detail for status, code, detail in problems()}
    assert told[403, "four-eyes"] == "Nobody verifies a claim they recorded: ask a colleague."
    assert told[422, "cursor-mismatch"].startswith("This cursor belongs"), "a detail that is a variable"
    assert told[405, "method-not-allowed"].endswith("see the Allow header.")
    assert told[429, "too-many-requests"] == "More than … requests in a minute: wait … seconds, then go on."
    assert {(409, "wrong-state"), (409, "cannot-approve"), (409, "cannot-reinstate")} <= told.keys()
    assert (409, "cannot-block") not in told, "blocking has no guard"
    assert len({code for _, code in told}) == len(told), "a code has one status"


def test_a_lifecycle_is_drawn_once_under_its_own_name() -> None:
    assert lifecycles_page().count("## Expert\n") == 1
    assert "  in_vetting --> approved: approve" in lifecycles_page()


def test_every_rule_of_the_readme_stands_where_it_says() -> None:
    rows = re.findall(r"^\| .+? \| (.+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)[1:]
    assert len(rows) > 10
    for row in rows:
        for path, names in re.findall(r"`([a-z_/]+\.(?:py|sql))`((?:,? `[A-Za-z_.]+`)*)", row):
            text = (ROOT / path).read_text()
            for name in re.findall(r"`([A-Za-z_.]+)`", names):
                assert name.rpartition(".")[2] in text, f"{path} has no {name}"


def test_every_command_of_the_readme_exists() -> None:
    from typer.testing import CliRunner

    from api.cli import app as tracker

    for name in ("demo", "serve", "worker", "migrate", "openapi", "init", "token", "create-client"):
        assert CliRunner().invoke(tracker, [name, "--help"]).exit_code == 0
