"""docs/CLUSTER.md: its arithmetic follows from the figures that it says were measured, its words from the code."""

from __future__ import annotations

import math
import re

import pytest

from duanka.bootstrap.settings import Settings
from duanka.engine.batch.spark_session import _NOT_IN_PATHS
from support import ROOT

PAGE = (ROOT / "docs" / "CLUSTER.md").read_text(encoding="utf-8")
_RECORDS_A_DAY, _BUSY = 1_000_000_000, 0.5


def _rows(heading: str) -> list[list[str]]:
    """The cells of the table under the row that begins with `heading`."""
    lines = PAGE.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(heading))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def _grows(engine: str) -> float:
    return next(float(row[1]) for row in _rows("| engine | CPU s for") if row[0] == engine)


def test_the_sizing_follows_from_what_was_measured() -> None:
    said = re.search(r"Spark costs \*\*([\d.]+) CPU s for each million records\*\*", PAGE)
    assert said is not None
    cost = float(said[1])
    assert cost == _grows("Spark")
    rows = _rows("| days in one scan")
    assert len(rows) >= 3
    for days, records, core_hours, *cores in rows:
        total = int(days) * _RECORDS_A_DAY
        assert int(records.replace(",", "")) == total
        seconds = total / 1e6 * cost
        assert float(core_hours) == pytest.approx(seconds / 3600, abs=0.06)
        assert [int(c) for c in cores] == [math.ceil(seconds / (hours * 3600) / _BUSY) for hours in (2, 6)]


def test_the_page_names_the_characters_that_are_refused() -> None:
    named = next(part for part in re.findall(r"`([^`\n]+)`", PAGE) if part.startswith("[ ]")).split()
    assert len(named) >= 10
    assert all(_NOT_IN_PATHS.search(char) for char in named)
    assert not _NOT_IN_PATHS.search("/srv/省 01/.duanka-work-x_1/records")


def test_the_settings_that_the_page_names_are_there() -> None:
    named = {name.lower() for name in re.findall(r"DUANKA_([A-Z_]+)", PAGE)}
    assert named
    assert named <= set(Settings.model_fields)


def test_the_command_that_measured_is_there() -> None:
    assert re.search(
        r"^bench-cluster:.*\n\t.*benchmarks/cluster\.py", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    assert "`make bench-cluster`" in PAGE
