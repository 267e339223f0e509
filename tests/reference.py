"""Keep openapi/problems.md and openapi/lifecycles.md: what the sources can refuse with, and how each thing moves.

`--write` writes both anew; without it they are checked. Run through uv. No list is kept here: a refusal or a lifecycle
is found where it stands.
"""

import ast
import importlib
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import models
from api.problems import PROTOCOL, STATUS
from models.lifecycle import Lifecycle

ROOT = Path(__file__).parent.parent
REFUSALS = {kind.__name__: status for kind, (status, _) in STATUS.items()}
TITLES = {
    **{status: code.replace("-", " ").capitalize() for status, (code, _) in PROTOCOL.items()},
    **dict(STATUS.values()),
}
# What only a command line or a fixture can be told.
NOT_ON_THE_WIRE = {"cli.py", "demo.py", "provision.py"}
WAYS_OUT = {
    400: "The request is not HTTP as a server can read it: mend the client.",
    401: "Ask for a new access token; `WWW-Authenticate` tells where.",
    403: "Sign in with the scope, or let somebody act who holds the role; four eyes means: somebody else.",
    404: "Check the id: what is another organisation's, or not for your eyes, looks the same as what is not there.",
    405: "Use a method that `Allow` names.",
    408: "Send the body again, faster.",
    409: "Bring things into the state that is needed: `unmet` names each rule, what it needs and what it found.",
    412: "Read the object again, and repeat the change on what it says now.",
    413: "Send less at once.",
    415: "Send JSON, and say so in `Content-Type`.",
    422: "Mend the request: `errors` points at each part. The same request will never pass.",
    428: "Send `If-Match` with the ETag that you last saw.",
    429: "Wait for as many seconds as `Retry-After` says.",
    500: "Report it, with the `request_id`.",
    503: "Repeat the request after `Retry-After`; a POST with its `Idempotency-Key`.",
}

Problem = tuple[int, str, str]


class NotLiteral(ValueError):
    """A refusal whose code cannot be read from the source."""


def lifecycles() -> dict[str, Lifecycle[Any]]:
    """Every lifecycle of the models by the name of its thing: the constant is that name in capitals."""
    found: dict[str, Lifecycle[Any]] = {}
    for module in pkgutil.walk_packages(models.__path__, "models."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, Lifecycle) and found.setdefault(name.lower(), value) is not value:
                raise ValueError(f"two lifecycles are called {name}")
    return dict(sorted(found.items()))


def problems() -> set[Problem]:
    """Status, code and detail of every problem that the sources can send."""
    found = {(status, code, detail) for status, (code, detail) in PROTOCOL.items()}
    for path in sorted([*(ROOT / "models").rglob("*.py"), *(ROOT / "api").rglob("*.py")]):
        if path.name not in NOT_ON_THE_WIRE:
            found |= {told for problem in _refusals(path) for told in _each(problem)}
    return found


def _each(problem: Problem) -> Iterator[Problem]:
    """A code that ends in an action stands for one of each guarded action."""
    status, code, detail = problem
    if not code.endswith("-…"):
        yield problem
        return
    moves = [move for lifecycle in lifecycles().values() for move in lifecycle.moves.items()]
    for action in {action for action, move in moves if move.guard}:
        yield status, code.replace("…", action), detail


def _refusals(path: Path) -> Iterator[Problem]:
    module = ast.parse(path.read_text())
    shared = _said(module.body)
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            said = {**shared, **_said(ast.walk(function))}
            for call in (n for n in ast.walk(function) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)):
                yield from _refusal(path, call, said)


def _said(nodes: Iterable[ast.AST]) -> dict[str, ast.expr]:
    """What each name is set to."""
    told: dict[str, ast.expr] = {}
    for node in nodes:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if value := getattr(node, "value", None):
            told |= {target.id: value for target in targets if isinstance(target, ast.Name)}
    return told


def _refusal(path: Path, call: ast.Call, said: dict[str, ast.expr]) -> Iterator[Problem]:
    assert isinstance(call.func, ast.Name)
    if call.func.id in REFUSALS and call.args:
        codes = list(_codes(call.args[0], said))
        if not codes:
            raise NotLiteral(f"{path}:{call.lineno} refuses with a code that its module does not spell out")
        yield from ((REFUSALS[call.func.id], code, _text(call.args[1], said)) for code in codes)
    elif (
        call.func.id == "problem" and isinstance(call.args[1], ast.Constant) and isinstance(call.args[2], ast.Constant)
    ):
        yield call.args[1].value, call.args[2].value, _text(call.args[4], said)


def _codes(node: ast.expr, said: dict[str, ast.expr]) -> Iterator[str]:
    """The codes that an expression may mean: itself, or any value of the table that it is looked up in."""
    if isinstance(node, ast.Constant | ast.JoinedStr):
        yield _text(node, said)
    elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        table = said.get(node.value.id)
        for value in table.values if isinstance(table, ast.Dict) else []:
            yield from _codes(value, said)


def _text(node: ast.expr, said: dict[str, ast.expr]) -> str:
    """A text of the source, with … for what only a request can tell."""
    if isinstance(node, ast.Name) and node.id in said:
        return _text(said[node.id], {})
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, said) for part in node.values)
    return "…"


def problems_page() -> str:
    told = problems()
    lines = [
        "# Problems",
        "",
        "Every refusal is `application/problem+json` (RFC 9457). Its `code` is stable: go by it. `detail`",
        "names the thing and the way out; … is what only your request can tell. Written by `poe spec`.",
    ]
    for status in sorted({status for status, _, _ in told}):
        lines += ["", f"## {status} {TITLES[status]}", "", WAYS_OUT[status], "", "| code | detail |", "|---|---|"]
        for code in sorted({code for s, code, _ in told if s == status}):
            details = sorted(detail for s, c, detail in told if (s, c) == (status, code) and detail != "…")
            lines.append(f"| `{code}` | {' <br> '.join(d.replace('|', '&#124;') for d in details)} |")
    return "\n".join(lines) + "\n"


def lifecycles_page() -> str:
    lines = [
        "# Lifecycles",
        "",
        "What may become of what. Each arrow is an action, `POST /v1/…/{id}/<action>`; `GET",
        "/v1/…/{id}/transitions` tells which are open, and what stands in the way of the rest. Written by `poe spec`.",
    ]
    for name, lifecycle in lifecycles().items():
        lines += ["", f"## {name.replace('_', ' ').capitalize()}", "", "```mermaid", lifecycle.mermaid(), "```"]
    return "\n".join(lines) + "\n"


def main() -> int:
    pages = {"problems.md": problems_page(), "lifecycles.md": lifecycles_page()}
    for name, text in pages.items():
        path = ROOT / "openapi" / name
        if "--write" in sys.argv:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            sys.stderr.write(f"openapi/{name} is not what the sources say: run `uv run poe spec`.\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
