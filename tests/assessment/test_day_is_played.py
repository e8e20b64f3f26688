"""A day of the source document's size, at a small scale: the five figures equal an independent count to the unit."""

from __future__ import annotations

from pathlib import Path

import pytest

from duanka.domain.headline import Certainty
from support.assessment.played_day import PlayedDay


@pytest.mark.requirement("R12")
def test_figures_equal_the_day_after_kills_and_double_delivery(tmp_path: Path) -> None:
    day = PlayedDay(tmp_path, scale=1 / 620, ends_in_order=True)
    day.play()
    counts, certainty = day.told()
    assert counts == day.expected()
    assert certainty == {Certainty.EXACT.value}
    assert (day.kills, sum(day.many.values())) == (2, 9_999)
