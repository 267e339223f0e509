"""The bench itself works, on a small data set; how fast anything is, no test says."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_workload_is_asked_and_told(tmp_path: Path) -> None:
    told = tmp_path / "figures.json"
    words = ["-m", "tests.bench", "--quick", "--seconds", "0.5", "--rounds", "1", "--json", str(told)]
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(told.read_text())
    assert list(figures) == ["W1", "W2", "W3", "W4"]
    for found in figures.values():
        assert list(found) == ["rps", "p50_ms", "p99_ms", "limit_rps", "ratio"]
        assert all(value > 0 for value in found.values())
