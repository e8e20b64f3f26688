"""What every test may use, and the record of which requirement each test shows."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "build" / "requirements.json"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real data sets; without it the test says so, and under CI=true it fails."""
    folder = Path(os.environ.get("DUANKA_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        message = f"no real data at {folder}/data; set DUANKA_SHARED to the folder that holds data/"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


class Requirements:
    """Collects which requirement each test shows, and how it went."""

    def __init__(self) -> None:
        self.outcomes: dict[str, dict[str, bool]] = defaultdict(dict)
        self.numbers: dict[str, list[str]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            self.numbers[item.nodeid] = [str(m.args[0]) for m in item.iter_markers("requirement")]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for number in self.numbers.get(report.nodeid, ()):
            passed = self.outcomes[number].get(report.nodeid, True)
            if report.when == "call" or not report.passed:
                self.outcomes[number][report.nodeid] = passed and report.passed

    def pytest_sessionfinish(self) -> None:
        if len(self.numbers) < 2:  # one test alone says nothing about the whole
            return
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(self.outcomes, indent=1, sort_keys=True))


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Requirements(), "requirements")
