"""The marker `waits`, and `--rounds`: tests that wait, many times over, while all cores are busy.

A test waits when its code, or that of a fixture or helper that runs for it alone, looks for something that happens
elsewhere: until it is so, for as long as a clock says, on a socket, in a browser, at another thread. What starts for a
whole file or run is not its own affair, and a command that is run to its end ends on a busy machine too, later.
"""

from __future__ import annotations

import copy
import functools
import inspect
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]
_LOOKS = {
    *("sleep", "monotonic", "perf_counter", "settimeout", "setdefaulttimeout", "acquire"),
    *("wait_for_function", "wait_for_timeout"),
    *("OwnProcess", "OwnCallProxy", "OwnMessageProxy", "OwnRegister", "OwnShortMessageCentre", "OwnNetwork"),
}
_BROWSER_LOOKS = "expect"  # a function; as a method it is the live engine's
_BOUNDS = {"HANG", "wait"}
_BOUND_BY = {"timeout", "within"}  # as a keyword of a call
_COMMANDS = {"run", "Popen"}  # of subprocess; what bounds these bounds a command that is run to its end
_TO_THE_END = ("support.desk", "support.prepared")  # run commands to their end; who starts one waits itself
_BEGIN = {"__init__", "__post_init__", "__enter__", "__exit__", "__call__"}  # runs wherever its class is used
_SHARED_LIFE = {"start", "stop", "close"}  # of what is shared: many others have these names, too
_SLOW = (
    "journeys",
    "engine/test_cluster",
    "api/test_holder_page",
    "identity/test_worker_pool",
)  # these come last
_BURNER = "import os, sys\nwhile os.getppid() == int(sys.argv[1]):\n    sum(range(1_000_000))"


def waits(item: pytest.Item) -> bool:
    """Whether the test, or a fixture or helper that runs for it alone, looks for what happens elsewhere."""
    if not isinstance(item, pytest.Function):
        return False
    fixtures = [one for many in item._fixtureinfo.name2fixturedefs.values() for one in many]
    own = [inspect.unwrap(one.func) for one in fixtures if one.scope == "function"]
    shared = [inspect.unwrap(one.func) for one in fixtures if one.scope != "function"]
    return look(frozenset([inspect.unwrap(item.function), *own]), frozenset(shared))


@functools.cache
def look(own: frozenset[Any], shared: frozenset[Any] = frozenset()) -> bool:
    """Whether one of `own`, functions and classes, looks for what happens elsewhere.

    `shared`: what makes things that others use too. To make them is not judged, what `own` asks of them is.
    """
    made = _reached(shared, _BEGIN | _SHARED_LIFE)[1]
    theirs = [(name, part) for name, part in _methods(made) if name not in _BEGIN | _SHARED_LIFE]
    return _reached(own, _BEGIN, theirs)[0]


def _reached(
    begin: Iterable[Any], used: Iterable[str], given: Iterable[tuple[str, Any]] = ()
) -> tuple[bool, set[type]]:
    """Whether code that is reached from `begin` looks, and the classes that are reached.

    `used`: names of methods that run in any case; `given`: methods of objects that come from elsewhere. Of a class runs
    what the code names.
    """
    looks, seen, names, methods, kinds = False, set[int](), set(used), list(given), set[type]()
    todo = list(begin)
    while todo:
        one = todo.pop()
        if isinstance(one, type) and one not in kinds:
            kinds.add(one)
            methods += _methods([one])
        elif not isinstance(one, type) and id(one) not in seen:
            seen.add(id(one))
            itself, its_names, found = _facts(one)
            looks |= itself
            names |= its_names
            todo += found
        if not todo:
            todo = [part for name, part in methods if name in names and id(part) not in seen]
    return looks, kinds


@functools.cache
def _facts(function: Any) -> tuple[bool, frozenset[str], tuple[Any, ...]]:
    """Whether a function itself looks, the names that it uses, and what of ours they stand for."""
    codes, known = tuple(_codes(function.__code__)), function.__globals__
    names = frozenset(name for code in codes for name in code.co_names)
    found = [one for code in codes for name in code.co_names for one in _named(name, known, code)]
    return any(_looks(code, known) for code in codes), names, tuple(found)


def _methods(kinds: Iterable[type]) -> Iterator[tuple[str, Any]]:
    """Name and function of each method and property of these classes, and of those that they are made from."""
    for kind in (one for each in kinds for one in each.__mro__ if _ours(one)):
        for name, part in vars(kind).items():
            if _ours(part) and not isinstance(part, type):
                yield (
                    name,
                    inspect.unwrap(getattr(part, "fget", None) or getattr(part, "__func__", None) or part),
                )


def _looks(code: CodeType, known: dict[str, Any]) -> bool:
    """Whether this code itself looks for something that happens elsewhere."""
    names = set(code.co_names)
    if names & _LOOKS or (_BROWSER_LOOKS in names and _BROWSER_LOOKS in known):
        return True
    within = {name for one in code.co_consts if _comprehension(one) for name in one.co_names}
    return bool(names & _BOUNDS or _keywords(code) & _BOUND_BY) and not (names | within) & _COMMANDS


def _comprehension(constant: object) -> bool:
    return isinstance(constant, CodeType) and constant.co_name in ("<listcomp>", "<genexpr>", "<dictcomp>")


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
    """What `name` is of ours in a module, or in a module that the code uses."""
    modules = (known.get(other) for other in code.co_names)
    places = [known, *(vars(module) for module in modules if isinstance(module, ModuleType))]
    yield from (inspect.unwrap(place[name]) for place in places if _ours(place.get(name)))


def _ours(one: object) -> bool:
    """Whether it is a function or a class of the tests."""
    found = inspect.unwrap(one) if callable(one) else getattr(one, "fget", None)
    if not (inspect.isfunction(found) or isinstance(found, type)) or found.__module__ in _TO_THE_END:
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
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Iterator[None]:
        if self.rounds > 1 or "waits" in config.option.markexpr:  # a second of each process, if nobody asks
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
