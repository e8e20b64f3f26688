"""`--fast`: the inner loop of `make test-fast`, without what takes long or needs more than Python and SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import ROOT
from support.long_first import LONG
from support.rounds import waits

ROOMS = ("domain", "rules", "ingest", "engine", "orders")
_LONG = {ROOT / "tests" / f"{file}.py" for file in LONG}
_TESTS = ROOT / "tests"


class Fast:
    """Runs the tests of ROOMS, without PostgreSQL, what waits, and the files that take longest."""

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        if collection_path.parent == _TESTS and collection_path.is_dir():
            return collection_path.name not in ROOMS or None
        left_out = collection_path.parent == _TESTS and collection_path.name.startswith("test_")
        return True if left_out or collection_path in _LONG else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        kept = [item for item in items if not (_on_postgresql(item) or waits(item))]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept


def _on_postgresql(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    return "postgres" in getattr(item, "fixturenames", ()) or (
        callspec is not None and "postgresql" in callspec.id.split("-")
    )
