"""`--fast`: the inner loop of `make test-fast`, without what costs much or needs more than Python and SQLite."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Generator
from pathlib import Path

import pytest

from support import ROOT
from support.rounds import waits

ROOMS = ("domain", "rules", "ingest", "engine", "orders")
SECONDS_A_TEST = 0.25  # of CPU, on quiet cores: a file is dear whose tests take more than that on average,
SECONDS_A_FILE = 2.0  # and more than that together
DEAR = (
    "engine/test_cluster",
    "engine/test_live_crash",
    "engine/test_live_decides_as_scan",
    "engine/test_live_growing_file",
    "engine/test_live_keep",
    "engine/test_live_replay",
    "engine/test_live_restart",
    "engine/test_live_time",
    "engine/test_rollups",
    "ingest/guessing/test_five_operators",
    "ingest/test_bombs",
    "ingest/test_growing_files",
    "ingest/test_parquet_blocks",
    "ingest/test_parquet_bombs",
    "ingest/test_random_input",
    "orders/test_bulk",
    "orders/test_giving_back_by_command",
    "orders/test_kept_lists",
    "orders/test_kill",
    "orders/test_online_at_random",
    "orders/test_poison",
    "orders/test_police_stops_not_held",
    "orders/test_rows_past_the_trail",
    "orders/test_takes",
    "orders/test_transitions",
    "orders/test_upgrades",
)
_TESTS = ROOT / "tests"
_DEAR = {_TESTS / f"{file}.py" for file in DEAR}


class Fast:
    """Runs the tests of ROOMS, without PostgreSQL, what waits, and DEAR files; says which others have become dear."""

    def __init__(self) -> None:
        if missing := sorted(file for file in DEAR if not (_TESTS / f"{file}.py").is_file()):
            raise pytest.UsageError(f"DEAR in tests/support/fast.py: no such file: {', '.join(missing)}")
        self._began = 0.0
        self._seconds = defaultdict[str, float](float)
        self._tests = Counter[str]()

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        if collection_path.parent == _TESTS and collection_path.is_dir():
            return collection_path.name not in ROOMS or None
        left_out = collection_path.parent == _TESTS and collection_path.name.startswith("test_")
        return True if left_out or collection_path in _DEAR else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        kept = [item for item in items if not (_on_postgresql(item) or waits(item))]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept

    def pytest_runtest_logstart(self) -> None:
        self._began = _cpu_seconds()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.when == "teardown":  # a property travels to the process that counts
            report.user_properties.append(("cpu", _cpu_seconds() - self._began))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, seconds in report.user_properties:
            if name == "cpu" and isinstance(seconds, float):
                self._seconds[report.nodeid.partition("::")[0]] += seconds
                self._tests[report.nodeid.partition("::")[0]] += 1

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for file, seconds in sorted(self._seconds.items(), key=lambda one: -one[1]):
            if seconds > max(SECONDS_A_FILE, SECONDS_A_TEST * self._tests[file]):
                each = seconds / self._tests[file]
                terminalreporter.line(
                    f"{file}: {seconds:.1f} CPU seconds, {each:.2f} a test: cheaper, or DEAR (tests/support/fast.py)"
                )


def _cpu_seconds() -> float:
    """What this process has taken, and processes that it started and that have ended."""
    return sum(os.times()[:4])


def _on_postgresql(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    return "postgres" in getattr(item, "fixturenames", ()) or (
        callspec is not None and "postgresql" in callspec.id.split("-")
    )
