"""What the documents promise is there."""

import json
import re
from pathlib import Path

from fastapi import FastAPI

ROOT = Path(__file__).parent.parent


def test_the_committed_openapi_document_is_what_the_code_says(app: FastAPI) -> None:
    assert json.loads((ROOT / "openapi" / "openapi.json").read_text()) == json.loads(json.dumps(app.openapi()))


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
