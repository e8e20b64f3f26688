"""What the live engine is measured against: a plain dictionary loop that keeps the same counters, and bytewax."""
# ruff: noqa: PLR1730  # a call of min() would make the loop slower than it need be

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl

Row = tuple[Any, ...]
COLUMNS = ("card", "peer", "direction", "started_at", "answered", "imei", "cell", "city")


def plain_values(frame: pl.DataFrame) -> list[Row]:
    """The rows as Python values; making them is not measured."""
    return frame.select(COLUMNS).rows()


class HourLoop:
    """Counts by card and hour, in one dictionary."""

    def __init__(self) -> None:
        self.hours: dict[tuple[str, datetime], list[int]] = {}

    def take(self, rows: Sequence[Row]) -> None:
        """Count one batch."""
        hours = self.hours
        for card, _, direction, at, answered, _, _, _ in rows:
            key = (card, at.replace(minute=0, second=0, microsecond=0))
            counts = hours.get(key)
            if counts is None:
                counts = hours[key] = [0, 0, 0]
            if direction == "out":
                counts[0] += 1
                counts[2] += answered
            else:
                counts[1] += 1


class AllLoop:
    """Keeps the counters of all six rollups, as the live engine does, in six dictionaries; judges nothing."""

    def __init__(self) -> None:
        self.hours: dict[tuple[str, datetime], list[int]] = {}
        self.days: dict[tuple[str, Any], list[Any]] = {}
        self.lives: dict[Any, list[Any]] = {}
        self.peers: dict[tuple[str, str, Any], list[int]] = {}
        self.devices: dict[Any, list[Any]] = {}
        self.places: dict[Any, list[Any]] = {}

    def take(self, rows: Sequence[Row]) -> None:
        """Count one batch."""
        for card, peer, direction, at, answered, imei, cell, city in rows:
            day = at.date()
            out = direction == "out"
            hour = self.hours.setdefault((card, at.replace(minute=0, second=0, microsecond=0)), [0, 0, 0])
            of_day = self.days.get((card, day))
            if of_day is None:
                of_day = self.days[card, day] = [0, 0, 0, 0, at, at]
            with_peer = self.peers.setdefault((card, peer, day), [0, 0, 0, 0])
            if out:
                hour[0] += 1
                hour[2] += answered
                of_day[0] += 1
                of_day[2 if answered else 3] += 1
                with_peer[0] += 1
                with_peer[2 if answered else 3] += 1
            else:
                hour[1] += 1
                of_day[1] += 1
                with_peer[1] += 1
            _stretch(self.lives, card, at)
            _stretch(self.devices, (card, imei), at)
            _stretch(self.places, (card, city, cell, day), at)
            if at < of_day[4]:
                of_day[4] = at
            if at > of_day[5]:
                of_day[5] = at


def _stretch(seen: dict[Any, list[Any]], key: object, at: datetime) -> None:
    found = seen.get(key)
    if found is None:
        seen[key] = [at, at, 1]
        return
    if at < found[0]:
        found[0] = at
    if at > found[1]:
        found[1] = at
    found[2] += 1


def bytewax_hours(batches: Sequence[Sequence[Row]]) -> float:
    """Seconds that bytewax takes for the hourly count of `batches` in its keyed state, on one worker."""
    import bytewax.operators as op  # noqa: PLC0415
    from bytewax.dataflow import Dataflow  # noqa: PLC0415
    from bytewax.testing import TestingSink, TestingSource, run_main  # noqa: PLC0415

    def count(state: list[int] | None, row: Row) -> tuple[list[int], int]:
        state = state or [0, 0, 0]
        if row[2] == "out":
            state[0] += 1
            state[2] += row[4]
        else:
            state[1] += 1
        return state, state[0]

    def hour(row: Row) -> str:
        return f"{row[0]} {row[3]:%Y%m%d%H}"

    flow = Dataflow("hours")
    out: list[Any] = []
    rows = op.flat_map("rows", op.input("in", flow, TestingSource(batches)), lambda batch: batch)
    counted = op.stateful_map("count", op.key_on("key", rows, hour), count)
    op.output("out", op.filter("none", counted, lambda _: False), TestingSink(out))
    begin = time.perf_counter()
    run_main(flow)
    return time.perf_counter() - begin
