"""Collects the whole test suite without running it and prints, as JSON, requirement number -> test ids.

Run as a program of its own, so that it sees every test whatever part of the suite is running:
`python tests/specification/collected_markers.py FILE`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from support import ROOT
from support.requirement_run import markers


class Markers:
    """Notes the requirement numbers of every test that was collected."""

    def __init__(self) -> None:
        self.tests = dict[str, list[str]]()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.tests = markers(items)


def collect(out: Path) -> int:
    """Write the JSON to `out`; returns pytest's exit code, 0 when everything could be collected."""
    every = Markers()
    # -p no:requirements: a run of no tests must not overwrite the results of the last real one
    options = [
        "--collect-only",
        "-qq",
        "-p",
        "no:requirements",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(ROOT),
    ]
    code = pytest.main([*options, str(ROOT / "tests")], plugins=[every])
    out.write_text(json.dumps(every.tests), encoding="utf-8")
    return int(code)


if __name__ == "__main__":
    sys.exit(collect(Path(sys.argv[1])))
