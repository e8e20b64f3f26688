"""Time in the live engine: lateness, silence, clocks that run ahead and back, and records that come twice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from duanka.domain.schema import TABLES
from duanka.domain.streaming import Batch, BatchPart, BatchResult, Lateness, LiveReason, SetAside
from duanka.engine.live import Live
from duanka.engine.live.state import watermarks as marks
from duanka.rules import RULES
from support.engine.streams import (
    NOW,
    arrivals,
    batch_of,
    cut_up,
    differences,
    hits_of,
    opened,
    piece,
    quarantined,
)
from support.engine.worlds import LIMITS, LISTS, START, World, canonical, invented, scanned

_HOUR = timedelta(hours=1)
_EMPTY = World({}, {}, LISTS)
_CARD = "8613800000001"
# of each way in which a rule is called: when something is due, when a day closes, at once
_RULES = [rule for rule in RULES if rule.id in ("new_card_unused", "outgoing_only", "over_frequency")]
_FEW: dict[str, Any] = {"rules": _RULES, "limits": {rule.id: LIMITS[rule.id] for rule in _RULES}}


def at(hours: float) -> datetime:
    """So many hours after the start."""
    return START + timedelta(hours=hours)


def call(hours: float, peer: str = "8613900000000", **columns: Any) -> dict[str, Any]:
    made = {"card": _CARD, "peer": peer, "direction": "out", "started_at": at(hours)}
    return {**made, "seconds": 60, "answered": True, **columns}


def calls(*hours: float, source: str = "calls", origin: str = "", **columns: Any) -> BatchPart:
    return of("calls", [call(h, **columns) for h in hours], source, origin)


def of(table: str, rows: Sequence[dict[str, Any]], source: str = "", origin: str = "") -> BatchPart:
    """Every row, also those that are the same as another."""
    schema = canonical(table, []).schema
    frame = pl.DataFrame([{c: row.get(c) for c in schema} for row in rows], schema=schema)
    made = piece(table, frame, range(1, frame.height + 1), source)
    return BatchPart(table, made.source, origin or table, made.rows)


def batch(*pieces: BatchPart, aside: tuple[SetAside, ...] = ()) -> Batch:
    rows = sum(len(pa.table(p.rows)) for p in pieces)
    return Batch(pieces, aside=aside, records=rows + len(aside))


def take(
    live: Live, *pieces: BatchPart, now: datetime = NOW, **options: Any
) -> tuple[int, int, int, int, int]:
    """Used, aside, late, repeated, ahead; nothing may be lost."""
    given = batch(*pieces, **options)
    taken: BatchResult = live.take(given, now)
    counts = (taken.used, taken.aside, taken.late, taken.repeated, taken.ahead)
    assert sum(counts) == taken.records == given.records
    return counts


def test_a_late_record_is_set_aside_by_name_and_reason(tmp_path: Path) -> None:
    with opened(tmp_path, _EMPTY, **_FEW) as live:
        assert take(live, calls(10)) == (1, 0, 0, 0, 0)
        assert take(live, calls(8, 7.99, origin="a.csv")) == (1, 0, 1, 0, 0)  # two hours are allowed
        assert quarantined(live, tmp_path) == [("a.csv", 2, "started_at", LiveReason.LATE)]
        source = live.take(Batch(), NOW).sources[0]
        assert (source.records, source.late, source.high, source.complete) == (3, 1, at(10), at(8))


def test_each_source_is_allowed_its_own_lateness(tmp_path: Path) -> None:
    lateness = Lateness(by_source={"slow/calls": 5 * _HOUR}, silent=timedelta(days=99))
    with opened(tmp_path, _EMPTY, **_FEW, lateness=lateness) as live:
        take(live, calls(10, source="calls"), calls(10, source="slow/calls", peer="1"))
        assert take(live, calls(6, source="calls")) == (0, 0, 1, 0, 0)
        assert take(live, calls(6, source="slow/calls")) == (1, 0, 0, 0, 0)
        assert take(live, calls(4.9, source="slow/calls")) == (0, 0, 1, 0, 0)


def test_a_batch_is_not_late_against_itself(tmp_path: Path) -> None:
    with opened(tmp_path, _EMPTY, **_FEW) as live:
        assert take(live, calls(48, 1, 20), calls(3, peer="1")) == (4, 0, 0, 0, 0)
        assert take(live, calls(2)) == (0, 0, 1, 0, 0)


def test_a_clock_ahead_is_refused_and_moves_nothing(tmp_path: Path) -> None:
    with opened(tmp_path, _EMPTY, **_FEW) as live:
        assert take(live, calls(10, 24 * 365 * 78), now=at(11)) == (1, 0, 0, 0, 1)
        assert quarantined(live, tmp_path) == [("calls", 2, "started_at", LiveReason.AHEAD)]
        assert take(live, calls(12, 12.01), now=at(11)) == (1, 0, 0, 0, 1)  # an hour is allowed
        assert take(live, calls(10.5), now=at(11)) == (1, 0, 0, 0, 0)
        assert live.take(Batch(), at(11)).sources[0].high == at(12)


def test_our_own_clock_may_be_set_back(tmp_path: Path) -> None:
    with opened(tmp_path, _EMPTY, **_FEW, lateness=Lateness(silent=6 * _HOUR)) as live:
        assert take(live, calls(10), now=at(11)) == (1, 0, 0, 0, 0)
        assert take(live, calls(10.1), now=at(2)) == (0, 0, 0, 0, 1)
        assert take(live, calls(10.2), now=at(11)) == (1, 0, 0, 0, 0)
        assert not live.take(Batch(), at(12)).sources[0].silent


def _unused(opened_hour: float) -> BatchPart:
    card = {"card": "8613800000009", "opened_at": at(opened_hour), "kind": "voice"}
    return of("cards", [card])


def _unused_at(live: Live, folder: Path) -> list[datetime]:
    return [seen for _, rule, seen, _ in hits_of(live, folder) if rule == "new_card_unused"]


def test_a_source_that_falls_silent_is_reported_and_holds_nobody_up(tmp_path: Path) -> None:
    with opened(tmp_path, _EMPTY, **_FEW, lateness=Lateness(silent=6 * _HOUR)) as live:
        north, south = "north/calls", "south/calls"
        take(live, _unused(1), calls(0, 2, source=north), calls(2, source=south, peer="1"), now=at(2))
        for hour in range(3, 17):  # the card is due at 13; calls are allowed two hours
            taken = live.take(batch(calls(hour, source=north)), at(hour))
            silent = {s.name for s in taken.sources if s.silent}
            assert silent == ({south} if hour > 8 else set())
        assert _unused_at(live, tmp_path) == [at(13)]
        # back again: what was judged without it stays judged
        assert take(live, calls(13.5, 14.5, source=south, peer="2"), now=at(17)) == (1, 0, 1, 0, 0)
        assert not any(s.silent for s in live.take(Batch(), at(17)).sources)


@pytest.mark.parametrize("again", [[2.0], [2.0, 1.5], [0.5]])
def test_a_source_that_brings_the_same_hours_again_and_again_holds_nobody_up(
    tmp_path: Path, again: list[float]
) -> None:
    with opened(tmp_path, _EMPTY, **_FEW, lateness=Lateness(silent=6 * _HOUR)) as live:
        north, south = "north/calls", "south/calls"
        take(live, _unused(1), calls(0, 2, source=north), calls(2, source=south, peer="1"), now=at(2))
        for hour in range(3, 17):
            taken = live.take(
                batch(calls(hour, source=north), calls(*again, source=south, peer=str(hour))), at(hour)
            )
            silent = {s.name for s in taken.sources if s.silent}
            assert silent == ({south} if hour > 8 else set())
        assert _unused_at(live, tmp_path) == [at(13)]
        take(live, calls(17, source=south, peer="2"), now=at(17))
        assert not any(s.silent for s in live.take(Batch(), at(17)).sources), "it has caught up"


def test_a_source_that_goes_on_by_seconds_in_an_hour_falls_silent_and_one_that_catches_up_does_not(
    tmp_path: Path,
) -> None:
    with opened(tmp_path, _EMPTY, **_FEW, lateness=Lateness(silent=6 * _HOUR)) as live:
        sources = {"steady": 1.0, "slow": 0.001, "behind": 1.0}
        for hour in range(20):
            pieces = [
                calls(20 + hour * pace - (9 if name == "behind" else 0), source=f"{name}/calls", peer=name)
                for name, pace in sources.items()
            ]
            taken = live.take(batch(*pieces), at(20 + hour))
        assert {s.name for s in taken.sources if s.silent} == {"slow/calls"}


def test_before_it_is_silent_a_source_holds_what_waits_for_it(tmp_path: Path) -> None:
    with opened(tmp_path, _EMPTY, **_FEW, lateness=Lateness(silent=timedelta(days=9))) as live:
        take(live, _unused(1), calls(0, 2, source="n/calls"), calls(2, source="s/calls", peer="1"), now=at(2))
        take(live, calls(40, source="n/calls"), now=at(40))
        assert _unused_at(live, tmp_path) == []
        assert take(live, calls(3, source="s/calls", card="8613800000009"), now=at(40)) == (1, 0, 0, 0, 0)
        take(live, calls(40, source="s/calls", peer="3"), now=at(41))
        assert _unused_at(live, tmp_path) == []  # it was used after all


def test_an_expected_source_that_never_speaks_is_silent_some_day(tmp_path: Path) -> None:
    with opened(tmp_path, _EMPTY, **_FEW, lateness=Lateness(silent=6 * _HOUR)) as live:
        live.expect({"calls": "calls", "messages": "messages"}, at(10))
        take(live, _unused(1), calls(0, 10), now=at(10))
        take(live, calls(15), now=at(15))
        assert _unused_at(live, tmp_path) == []
        take(live, calls(16), now=at(17))
        assert _unused_at(live, tmp_path) == [at(13)]


def test_all_silent_time_stands_still(tmp_path: Path) -> None:
    with opened(tmp_path, _EMPTY, **_FEW, lateness=Lateness(silent=6 * _HOUR)) as live:
        take(live, _unused(1), calls(0, 10), now=at(10))
        for hour in range(11, 40):
            assert take(live, now=at(hour)) == (0, 0, 0, 0, 0)
        assert _unused_at(live, tmp_path) == []
        assert take(live, calls(9), now=at(40)) == (1, 0, 0, 0, 0)


def test_days_of_data_come_a_day_later(tmp_path: Path) -> None:
    def data(*days: int) -> BatchPart:
        return of("data_days", [{"card": _CARD, "day": at(24 * d).date(), "bytes": d} for d in days])

    with opened(tmp_path, _EMPTY, **_FEW) as live:
        for day in range(1, 5):
            assert take(live, calls(24 * day + 3), data(day - 1), now=at(24 * day + 4)) == (2, 0, 0, 0, 0)
        assert take(live, data(1), now=at(110)) == (0, 0, 1, 0, 0)  # after that of the third day it is late
        assert take(live, data(4), now=at(110)) == (1, 0, 0, 0, 0)
        complete = {s.name: s.complete for s in live.take(Batch(), at(110)).sources}
        assert complete == {"calls": at(97), "data_days": at(96)}


def test_what_comes_twice_is_used_once(tmp_path: Path) -> None:
    twice = calls(3, 3, 4)
    with opened(tmp_path, _EMPTY, **_FEW) as live:
        assert take(live, twice) == (2, 0, 0, 1, 0)  # in one piece
        assert take(live, calls(4)) == (0, 0, 0, 1, 0)  # in another batch
        assert take(live, calls(5, source="a/calls"), calls(5, source="b/calls")) == (1, 0, 0, 1, 0)
        assert take(live, calls(5, source="c/calls"), calls(6)) == (1, 0, 0, 1, 0)  # from another source
        live.take(batch(calls(7)), NOW, settle=False)
        live.take(Batch(), NOW)
    with opened(tmp_path, _EMPTY, **_FEW) as live:
        assert take(live, calls(7, 6)) == (0, 0, 0, 2, 0)  # after a restart
        assert take(live, calls(7, peer="another")) == (1, 0, 0, 0, 0)
        live.finish(NOW)
        assert take(live, calls(7)) == (0, 0, 0, 1, 0)  # after an end
        reasons = [reason for *_, reason in quarantined(live, tmp_path)]
    assert reasons == [LiveReason.REPEATED] * 7


def test_what_is_not_settled_is_no_repeat_after_a_crash(tmp_path: Path) -> None:
    with opened(tmp_path, _EMPTY, **_FEW) as live:
        live.take(batch(calls(3)), NOW, settle=False)
    with opened(tmp_path, _EMPTY, **_FEW) as live:
        assert take(live, calls(3)) == (1, 0, 0, 0, 0)
        assert quarantined(live, tmp_path) == []


def test_what_comes_slowly_is_known_when_it_comes_again(tmp_path: Path) -> None:
    """Also where no rule waits for it, and those that wait for others are days ahead."""
    limits = {rule: LIMITS[rule] for rule in ("outgoing_only", "shared_device")}
    with opened(tmp_path, _EMPTY, limits=limits) as live:
        for day in range(4):
            shown = of("sightings", [{"card": _CARD, "seen_at": at(day), "imei": "1"}])
            assert take(live, calls(24.0 * day), shown) == (2, 0, 0, 0, 0)
            assert take(live, calls(24.0 * day + 1), shown) == (1, 0, 0, 1, 0)
        assert live._run("SELECT count(*) FROM state.seen WHERE tbl = 'calls'")[0][0] < 8
        shown = of("sightings", [{"card": _CARD, "seen_at": at(h), "imei": "1"} for h in (1, 2, 3)])
        assert take(live, shown) == (0, 0, 0, 3, 0)


def test_empty_and_bad_batches(tmp_path: Path) -> None:
    bad = SetAside("a.csv", 3, "started_at", "no time", "x")
    with opened(tmp_path, _EMPTY, **_FEW) as live:
        assert take(live) == (0, 0, 0, 0, 0)
        assert take(live, aside=(bad, bad)) == (0, 2, 0, 0, 0)
        assert take(live, calls(), of("cards", []), of("sightings", [])) == (0, 0, 0, 0, 0)
        assert take(live, calls(3), calls(), aside=(bad,)) == (1, 1, 0, 0, 0)
        assert take(live, calls(24 * 365 * 90), now=at(4)) == (0, 0, 0, 0, 1)  # nothing is left of it
        assert take(live, calls(3)) == (0, 0, 0, 1, 0)
        assert len(quarantined(live, tmp_path)) == 5
        live.finish(NOW)


def test_pieces_of_several_makers_in_one_batch(tmp_path: Path) -> None:
    """Text is text, however Arrow packs it."""
    by_polars = calls(3)
    rows = pa.table(calls(4).rows)
    small = pa.schema(
        [(f.name, pa.string() if pa.types.is_large_string(f.type) else f.type) for f in rows.schema]
    )
    by_arrow = BatchPart("calls", "calls", "other", rows.cast(small))
    cards = pa.table(_unused(1).rows)
    other = BatchPart(
        "cards",
        "cards",
        "other",
        cards.cast(
            pa.schema(
                [(f.name, pa.string() if pa.types.is_large_string(f.type) else f.type) for f in cards.schema]
            )
        ),
    )
    with opened(tmp_path, _EMPTY, **_FEW) as live:
        assert take(live, by_polars, by_arrow, _unused(2), other) == (4, 0, 0, 0, 0)


def test_a_source_may_deliver_several_tables(tmp_path: Path) -> None:
    """How far it has come is kept by table."""

    def shown(hours: float) -> BatchPart:
        return of("sightings", [{"card": _CARD, "seen_at": at(hours)}], "msc-2")

    with opened(tmp_path, _EMPTY, **_FEW) as live:
        assert take(live, calls(20, source="msc-2"), shown(1)) == (2, 0, 0, 0, 0)
        assert take(live, shown(2)) == (1, 0, 0, 0, 0)
        assert take(live, calls(17, source="msc-2")) == (0, 0, 1, 0, 0)
        named = [(s.name, s.table, s.high) for s in live.take(Batch(), NOW).sources]
    assert named == [("msc-2", "calls", at(20)), ("msc-2", "sightings", at(2))]


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in (2, 3))])
def test_any_order_at_all_ends_as_a_scan_over_what_was_used(seed: int, tmp_path: Path) -> None:
    """Whatever is late, ahead or repeated: what is left of the world counts, and every record is somewhere."""
    world, chance = invented(seed, cards=14), random.Random(seed)
    coming = arrivals(world, chance)
    delays = {a: timedelta(hours=chance.choice([0, 0, 0, 0, 30]) * chance.random()) for a in coming}
    records = [a for a in coming if TABLES[a.table].record]
    shaken = sorted(coming, key=lambda a: a.at + (delays[a] if a in records else timedelta()))
    shaken += chance.sample(records, 9)
    clock = START + timedelta(days=5)
    left = Counter((a.table, a.row) for a in shaken)
    with opened(tmp_path / "state", world, lateness=Lateness(silent=timedelta(days=400))) as live:
        totals = [0] * 5
        for some in cut_up(shaken, chance, 40):
            totals = [
                a + b
                for a, b in zip(totals, take(live, *batch_of(world, some).pieces, now=clock), strict=True)
            ]
        live.finish(clock)
        left.subtract((table, line) for table, line, *_ in quarantined(live, tmp_path))
        hits = hits_of(live, tmp_path)
    assert sum(totals) == len(shaken)
    assert totals[2] > 0
    assert totals[4] > 0
    used = world
    for table, frame in world.frames.items():
        used = used.only(table, [row for row in range(frame.height) if left[table, row] > 0])
    assert not differences(hits, scanned(used, tmp_path / "scan"))


@pytest.mark.parametrize("wrong", [datetime(1970, 1, 1), START + timedelta(days=300)], ids=["past", "future"])
def test_a_record_of_a_wrong_clock_accuses_nobody_else(tmp_path: Path, wrong: datetime) -> None:
    """Among what lies there at the start: as in a scan it neither begins nor ends the records."""
    new = "8613800000999"  # opened while nobody's calls are in the records yet
    register = [
        {"card": one, "opened_at": START - timedelta(days=40), "kind": "voice"} for one in (new, _CARD)
    ]
    busy = [
        call(24 * day + minute / 60, peer=f"86139{minute:08d}") for day in range(5) for minute in range(120)
    ]
    stray = call(0, peer="8613999999999", card="8613800000777") | {"started_at": wrong}
    now = START + timedelta(days=400)
    with opened(tmp_path, _EMPTY, history=True) as live:
        used = take(live, of("calls", [*busy, stray]), of("cards", register), now=now)
        assert used == (len(busy) + 3, 0, 0, 0, 0)
        live.finish(now)
        absent = {"new_card_unused", "silent_card", "sleeping_card"}
        assert {hit[0] for hit in hits_of(live, tmp_path) if absent & set(hit)} <= {"8613800000777"}


def test_ever_new_sources_hold_the_others_up_no_longer_than_a_silent_one(tmp_path: Path) -> None:
    """One record under a new name every five hours, or a folder for each delivery: days close all the same."""
    with opened(tmp_path, _EMPTY, **_FEW, lateness=Lateness()) as live:
        for hour in range(80):
            card = f"861380000000{hour // 24}"  # another one each day
            live.take(batch(calls(*(hour + part / 4 for part in range(4)), card=card)), at(hour + 1))
            if hour >= 24 and hour % 5 == 0:
                live.take(batch(calls(20, source=f"upload-{hour}/calls")), at(hour + 1))
        sources = {source.name: source for source in live.take(Batch(), at(80)).sources}
        assert sources["calls"].complete == at(77.75)
        found = {hit[0] for hit in hits_of(live, tmp_path) if hit[1] == "outgoing_only"}
        assert found == {f"861380000000{day}" for day in range(3)}


def test_a_source_that_goes_on_is_waited_for_although_it_came_later_and_lags(tmp_path: Path) -> None:
    with opened(tmp_path, _EMPTY, **_FEW, lateness=Lateness()) as live:
        late = []
        for hour in range(55):
            live.take(batch(calls(hour + 0.5)), at(hour + 1))
            if hour >= 20:
                slow = live.take(
                    batch(calls(hour - 3.5, source="slow/calls", peer="8613922222222")), at(hour + 1)
                )
                late += [hour] * slow.late
        # It lags by more than the lateness of the others. Late is what had been judged when it came, and what comes
        # between the end of the patience with new sources and its proof; were it not waited for, much more would be.
        assert late == [20, 21, 28, 29]


def test_no_more_sources_are_told_apart_than_there_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marks, "_MOST_SOURCES", 3)
    with opened(tmp_path, _EMPTY, **_FEW) as live:
        for number in range(6):
            live.take(batch(calls(number, source=f"u{number}/calls")), NOW)
        told = live.take(Batch(), NOW).sources
        assert [(s.name, s.records) for s in told] == [
            ("(others)/calls", 3),
            *((f"u{number}/calls", 1) for number in range(3)),
        ]
