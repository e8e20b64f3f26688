"""The marker `waits`, and `--rounds`: tests that wait, many times over, while all cores are busy.

A test waits when its code, or that of its fixtures and helpers, looks at a clock or bounds something by one.
"""

from __future__ import annotations

import copy
import functools
import inspect
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

TESTS = Path(__file__).parent
_CLOCKS = {
    *("HANG", "sleep", "monotonic", "perf_counter", "settimeout", "setdefaulttimeout", "expect"),
    *("Popen", "kill", "killpg", "wait", "communicate", "acquire", "wait_for_function", "wait_for_timeout"),
    *("OwnProcess", "OwnCallProxy", "OwnMessageProxy", "OwnRegister", "OwnShortMessageCentre", "OwnNetwork"),
}
_BOUNDS = {"timeout", "within"}  # as a keyword of a call
_SLOW = (
    "journeys",
    "engine/test_cluster",
    "api/test_holder_page",
    "identity/test_workers",
)  # these come last
_BURNER = "import os, sys\nwhile os.getppid() == int(sys.argv[1]):\n    sum(range(1_000_000))"


def waits(item: pytest.Item) -> bool:
    """Whether the test, a fixture or a helper of it waits by a clock."""
    if not isinstance(item, pytest.Function):
        return False
    fixtures = (one for many in item._fixtureinfo.name2fixturedefs.values() for one in many)
    return any(
        _waits(inspect.unwrap(one)) for one in (item.function, *(fixture.func for fixture in fixtures))
    )


@functools.cache
def _waits(begin: Callable[..., Any] | type) -> bool:
    seen: set[int] = set()
    todo: list[Any] = [begin]
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, type):
            todo += [
                inspect.unwrap(getattr(part, "fget", None) or part)
                for part in vars(one).values()
                if _ours(part)
            ]
            continue
        for code in _codes(one.__code__):
            if _CLOCKS & set(code.co_names) or _BOUNDS & _keywords(code):
                return True
            todo += [
                found
                for name in code.co_names
                for found in _named(name, one.__globals__, code)
                if _ours(found)
            ]
    return False


def _codes(code: CodeType) -> Iterator[CodeType]:
    """The code, and that of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _keywords(code: CodeType) -> set[str]:
    return {
        word
        for constant in code.co_consts
        if isinstance(constant, tuple)
        for word in constant
        if isinstance(word, str)
    }


def _named(name: str, known: dict[str, Any], code: CodeType) -> Iterator[Any]:
    """What `name` is in a module, or in a module of ours that the code uses."""
    yield inspect.unwrap(known[name]) if callable(known.get(name)) else None
    for other in code.co_names:
        module = known.get(other)
        if isinstance(module, ModuleType) and callable(found := vars(module).get(name)):
            yield inspect.unwrap(found)


def _ours(one: object) -> bool:
    """Whether it is a function or a class of the tests."""
    found = inspect.unwrap(one) if callable(one) else getattr(one, "fget", None)
    if not (inspect.isfunction(found) or isinstance(found, type)):
        return False
    file = getattr(sys.modules.get(found.__module__), "__file__", None) or ""
    return file.startswith(str(TESTS))


def _again(item: pytest.Item) -> pytest.Item:
    """The test as another one: pytest keeps what it set up for a test that follows itself."""
    other = copy.copy(item)
    if isinstance(other, pytest.Function):
        other._initrequest()
    return other


class Rounds:
    """Runs what was chosen so many times, file by file, and tells each round."""

    def __init__(self, rounds: int, burners: int) -> None:
        self.rounds, self._burners = rounds, burners
        self.burners: list[subprocess.Popen[bytes]] = []
        self.outcomes: Counter[str] = Counter()
        self.fallen: Counter[str] = Counter()
        self.starts: dict[int, tuple[str, int]] = {}  # place among all -> file and round that begin there
        self.place = 0

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        if self.rounds > 1:
            command = [sys.executable, "-c", _BURNER, str(os.getpid())]
            self.burners = [subprocess.Popen(command) for _ in range(self._burners)]

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Iterator[None]:
        for item in items:
            if waits(item):
                item.add_marker("waits")
        yield  # now what was not asked for is gone
        if self.rounds > 1:
            self._multiply(items)

    def _multiply(self, items: list[pytest.Item]) -> None:
        files = [(file, list(some)) for file, some in groupby(items, lambda item: item.location[0])]
        items.clear()
        for file, some in sorted(files, key=lambda one: any(slow in one[0] for slow in _SLOW)):
            for number in range(1, self.rounds + 1):
                self.starts[len(items)] = (file, number)
                items += [_again(item) for item in some]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self.place in self.starts:
            file, number = self.starts[self.place]
            self._say(f"\n{file}: round {number} of {self.rounds} ")
        self.place += 1

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self.rounds > 1 and report.failed:
            self.fallen[report.nodeid] += 1
            self._say(f"\nfell: {report.nodeid} ({report.when})\n{report.longreprtext}\n")

    def pytest_sessionfinish(self) -> None:
        for burner in self.burners:
            burner.kill()
            burner.wait()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.rounds > 1:
            terminalreporter.section(f"{self.rounds} rounds")
            for test, many in self.fallen.most_common():
                terminalreporter.line(f"{test} fell in {many} of {self.rounds}")
            terminalreporter.line(f"{len(self.fallen)} tests fell")

    @staticmethod
    def _say(words: str) -> None:
        sys.__stdout__.write(words)  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]
