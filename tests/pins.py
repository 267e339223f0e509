"""Keep `[tool.uv] constraint-dependencies`: every installed package that is no direct dependency, at its version.

`--write` pins what is installed now; without it the installed set is checked against the pins. Run through uv.
"""

import re
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "pyproject.toml"
BLOCK = re.compile(r"\n\[tool\.uv\]\nconstraint-dependencies = \[\n.*?\n\]\n", re.DOTALL)


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> int:
    project = tomllib.loads(PROJECT.read_text())
    direct = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    known = {plain(re.split(r"[\[=<>; ]", text)[0]) for text in direct} | {project["project"]["name"]}
    installed = {plain(d.metadata["Name"]): d.version for d in distributions()}
    pins = [f"{name}=={version}" for name, version in sorted(installed.items()) if name not in known]
    kept = project.get("tool", {}).get("uv", {}).get("constraint-dependencies", [])
    if "--write" in sys.argv:
        block = "\n[tool.uv]\nconstraint-dependencies = [\n" + "".join(f'  "{pin}",\n' for pin in pins) + "]\n"
        PROJECT.write_text(BLOCK.sub("", PROJECT.read_text()).rstrip("\n") + "\n" + block)
        return 0
    if loose := set(pins) - set(kept):
        sys.stderr.write(f"Not pinned as installed: {', '.join(sorted(loose))}. Run `uv run poe pin`.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
