"""The record of which requirement each test shows: of a whole run, for `duanka spec` and `make evidence`."""

from __future__ import annotations

import json
import platform
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from duanka import __version__
from duanka.specification.evidence import RESULTS, EvidenceRun, Shown, code_of
from support import ROOT


def evidence_of(
    outcomes: Mapping[str, Mapping[str, bool]],
    *,
    date: str,
    version: str,
    python: str,
    system: str,
    tests: int,
    files: Mapping[str, str],
) -> EvidenceRun:
    """Build evidence from outcomes: requirement -> test id -> passed."""
    shown = dict[str, dict[str, Shown]]()
    for number, by_test in sorted(outcomes.items()):
        found = dict[str, Shown]()
        for test, passed in sorted(by_test.items()):
            file = test.partition("::")[0]
            so_far = found.get(file, Shown(0, 0))
            found[file] = Shown(so_far.passed + passed, so_far.failed + (not passed))
        shown[number] = found
    failed = {test for by_test in outcomes.values() for test, passed in by_test.items() if not passed}
    return EvidenceRun(date, version, python, system, tests, dict(files), shown, tuple(sorted(failed)))


def write(evidence: EvidenceRun, path: Path) -> None:
    """Write evidence as JSON, a line per file, so that its differences stay small."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(evidence), indent=1, sort_keys=True) + "\n", encoding="utf-8")


class Requirements:
    """Collects which requirement each test shows, and how it went."""

    def __init__(self) -> None:
        self.outcomes: dict[str, dict[str, bool]] = defaultdict(dict)
        self.collected = dict[str, list[str]]()  # requirement -> tests, if this run collected every file
        self.tests = 0
        self.date = f"{datetime.now(UTC):%Y-%m-%d}"
        self.files = dict[str, str]()

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        if not hasattr(session.config, "workerinput"):
            self.files = code_of(ROOT)  # what runs; it may change meanwhile

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        if {item.path for item in items} >= _every_file():
            self.collected = markers(items)
        for item in items:  # a property travels from the process that ran the test to the one that counts
            numbers = [("requirement", str(m.args[0])) for m in item.iter_markers("requirement")]
            item.user_properties += numbers
        one = config.getoption("--requirement", None)
        if config.option.requirements or one:
            shows = [item for item in items if _shows(item, one)]
            config.hook.pytest_deselected(items=[item for item in items if not _shows(item, one)])
            items[:] = shows

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.tests += report.when == "call" and not report.skipped
        for number in (str(value) for name, value in report.user_properties if name == "requirement"):
            passed = self.outcomes[number].get(report.nodeid, True)
            if report.when == "call" or not report.passed:
                self.outcomes[number][report.nodeid] = passed and report.passed

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        # a run of some tests says nothing about the whole, and must not overwrite what a whole run said
        config = session.config
        whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not config.option.keyword
        whole = whole and config.option.markexpr in {"", "not long"}
        whole = whole and not config.getoption("--requirement", None)
        if not whole or config.option.collectonly or hasattr(config, "workerinput"):
            return
        if session.shouldstop or session.shouldfail:  # given up in the middle
            return
        found = evidence_of(
            self.outcomes,
            date=self.date,
            version=__version__,
            python=platform.python_version(),
            system=f"{platform.system()} {platform.machine()}",
            tests=self.tests,
            files=self.files,
        )
        write(found, ROOT / RESULTS)


def markers(items: Iterable[pytest.Item]) -> dict[str, list[str]]:
    """Return requirement number -> ids of the tests marked with it."""
    found = defaultdict[str, list[str]](list)
    for item in items:
        for marker in item.iter_markers("requirement"):
            found[str(marker.args[0])].append(item.nodeid)
    return dict(found)


def _every_file() -> set[Path]:
    """Files of tests, without those that only a long run reads; none of them shows a requirement."""
    return {path for path in (ROOT / "tests").rglob("test_*.py") if not path.stem.endswith("_at_length")}


def _shows(item: pytest.Item, number: str | None) -> bool:
    """Whether a test shows the requirement `number`; None: any."""
    numbers = [str(mark.args[0]) for mark in item.iter_markers("requirement")]
    return number in numbers if number else bool(numbers)
