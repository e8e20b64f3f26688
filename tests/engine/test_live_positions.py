"""What intake is told to forget leaves the state."""

from __future__ import annotations

from pathlib import Path

from duanka.domain.streaming import GONE, Batch
from duanka.engine.live import Live
from support.engine.streams import NOW


def test_an_origin_that_is_gone_is_forgotten_for_good(tmp_path: Path) -> None:
    with Live(tmp_path, (), {}, {}) as live:
        live.take(Batch(positions={"file:a": 3, "file:b": 4}), NOW)
        live.take(Batch(positions={"file:a": GONE}), NOW)
        assert live.positions() == {"file:b": 4}
    with Live(tmp_path, (), {}, {}) as live:
        assert live.positions() == {"file:b": 4}
