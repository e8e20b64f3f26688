"""What a live state keeps for a while only: hits that rest on what is forgotten stay, and nothing is made up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from duanka.domain.errors import DuankaError
from duanka.domain.streaming import Batch, BatchPart
from duanka.engine.live import Live
from duanka.ingest.storage.key_columns import with_keys
from duanka.rules import RULES
from support.engine.worlds import canonical

START = datetime(2021, 1, 1)
NOW = datetime(2026, 1, 1)
DAYS = 230
_LIMITS = {r.id: {name: limit.value for name, limit in r.limits.items()} for r in RULES}
_STEADY, _DIALLER = "8613800000001", "8613800000002"


def _batch(table: str, rows: list[dict[str, object]], number: int) -> Batch:
    frame = canonical(table, rows)
    frame = with_keys(table, frame).with_columns(
        line=pl.int_range(pl.len(), dtype=pl.Int64), same=frame.hash_rows()
    )
    return Batch((BatchPart(table, table, table, frame),), positions={"x": number}, records=frame.height)


def _days() -> Iterator[Batch]:
    """One card calls a friend a day, another dials a hundred strangers on the third day and is quiet after it."""
    cards = [{"card": c, "kind": "voice", "opened_at": datetime(2020, 1, 1)} for c in (_STEADY, _DIALLER)]
    yield _batch("cards", cards, 0)
    rows: list[dict[str, object]] = []
    for day in range(DAYS):
        at = START + timedelta(days=day, hours=10)
        call: dict[str, object] = {"card": _STEADY, "peer": "8613900000000", "direction": "out"}
        rows.append({**call, "started_at": at, "seconds": 60, "answered": True})
        if day == 2:
            rows += [
                {
                    "card": _DIALLER,
                    "peer": f"86137{n:08}",
                    "direction": "out",
                    "started_at": at + timedelta(seconds=n),
                    "seconds": 0,
                    "answered": False,
                }
                for n in range(100)
            ]
        if day % 5 == 4:
            yield _batch("calls", rows, day + 1)
            rows = []


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A state that kept 95 of 230 days."""
    folder = tmp_path_factory.mktemp("kept")
    with Live(folder, RULES, _LIMITS, {}, history=False, threads=1, keep=timedelta(days=95)) as live:
        for batch in _days():
            live.take(batch, NOW)
        while live.rest(1.0):
            pass
        live.finish(NOW)
        yield live


def test_a_hit_on_forgotten_days_stays(kept: Live) -> None:
    hits = {(h.rule, c.card) for c in kept.answers.cards_with_hits() for h in c.hits}
    assert ("fan_out", _DIALLER) in hits
    assert ("over_frequency", _DIALLER) in hits
    assert not [c for c in kept.answers.changes(0) if c.kind == "revoked" and c.hit.rule == "fan_out"]


def test_who_was_used_all_the_time_did_not_sleep(kept: Live) -> None:
    asleep = {c.card: h for c in kept.answers.cards_with_hits() for h in c.hits if h.rule == "sleeping_card"}
    assert _STEADY not in asleep, "what lies before the days that are kept is no sleep"
    assert asleep[_DIALLER].seen_at == START + timedelta(days=92, hours=10, seconds=99)


def test_the_days_are_gone(kept: Live) -> None:
    first = kept._run("SELECT min(day) FROM (" + kept._shelves["card_peers"].raw("day") + ")")[0][0]
    assert first >= (START + timedelta(days=DAYS - 95 - 7 - 7)).date(), (
        "at most a week, and the days not over yet"
    )


def test_a_state_that_keeps_less_than_a_rule_looks_back_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DuankaError, match="sleeping_card looks back 90 days; keep at least 93d"):
        Live(tmp_path, RULES, _LIMITS, {}, keep=timedelta(days=60))
