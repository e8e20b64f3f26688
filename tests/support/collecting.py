"""Collecting with less work: each process of a run imports every file of tests."""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import ROOT

_TESTS = ROOT / "tests"


class Collecting:
    """Collects without the garbage collector; on a clean clone, each process compiles a share of the files."""

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self, session: pytest.Session) -> Iterator[None]:
        gc.disable()  # nearly all of it stays: nothing to look at, now or later
        try:
            _import_from_the_middle(session.config)
            return (yield)
        finally:
            gc.freeze()
            gc.enable()


def _import_from_the_middle(config: pytest.Config) -> None:
    """Begin where no other process begins: what one has compiled, assertions and all, the others find cached."""
    given = getattr(config, "workerinput", None)
    if given is None or config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    files = [path for path in sorted(_TESTS.rglob("test_*.py")) if not _ignored(path, config)]
    begin = len(files) * int(given["workerid"].removeprefix("gw")) // given["workercount"]
    for path in files[begin:] if begin else ():
        if str(path.parent) not in sys.path:
            sys.path.insert(0, str(path.parent))
        with contextlib.suppress(Exception, pytest.skip.Exception):  # collecting will say it
            importlib.import_module(path.stem)


def _ignored(path: Path, config: pytest.Config) -> bool:
    """Whether this run does not read the file, or a folder that it is in."""
    below = [path, *(parent for parent in path.parents if _TESTS in parent.parents)]
    return any(config.hook.pytest_ignore_collect(collection_path=one, config=config) for one in below)
