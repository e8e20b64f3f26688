"""An invented stream of calls for the live benchmark: a register, a past, and batches of 100,000 in event time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from duanka.domain.schema import CARDS
from duanka.domain.streaming import Batch, BatchPart
from duanka.ingest.storage.key_columns import with_keys

START = datetime(2021, 5, 3, 12)
BATCH = 100_000
_TEXT = pl.String
_AT_ONCE = 500_000


@dataclass
class Stream:
    """`cards` cards, each equally likely to call; `a_second` records a second of event time."""

    cards: int
    a_second: int = 20_000
    seed: int = 1

    def __post_init__(self) -> None:
        self._chance = np.random.default_rng(self.seed)
        self.at = START
        self._done = 0

    def register(self) -> Iterator[Batch]:
        """The register of cards: honest, long known, each in use."""
        for begin in range(0, self.cards, 2 * _AT_ONCE):
            count = min(2 * _AT_ONCE, self.cards - begin)
            known = pl.datetime(2020, 1, 1).cast(pl.Datetime("us"))
            number = pl.int_range(begin, begin + count, eager=True)
            rows = pl.DataFrame({"n": number}).select(
                card="86" + (pl.col("n") + 13_000_000_000).cast(_TEXT),
                holder=pl.col("n").cast(_TEXT),
                holder_kind=pl.lit("person"),
                operator=pl.lit("A"),
                virtual_operator=pl.lit(value=False),
                kind=pl.lit("voice"),
                opened_at=known,
                home_city=pl.lit("990100"),
                last_used_at=known + pl.duration(days=480),
                verified_at=known + pl.duration(days=400),
            )
            missing = [c.name for c in CARDS.columns if c.name not in rows.columns]
            rows = rows.with_columns(pl.lit(None, dtype=_TEXT).alias(name) for name in missing)
            rows = rows.select(c.name for c in CARDS.columns)
            yield self._batch(
                "cards", rows.with_columns(line=number.cast(pl.Int64), same=number.cast(pl.UInt64))
            )

    def past(self, records: int) -> Iterator[Batch]:
        """`records` calls over the hours before: every card is active, its devices and days are known."""
        span = timedelta(hours=10)
        left = records
        while left:
            count = min(_AT_ONCE, left)
            share = span * (count / records)
            yield self._batch("calls", self.calls(count, share))
            self.at += share
            left -= count

    def batches(self, count: int) -> Iterator[Batch]:
        """`count` batches of the present."""
        span = timedelta(seconds=BATCH / self.a_second)
        for _ in range(count):
            yield self._batch("calls", self.calls(BATCH, span))
            self.at += span

    def calls(self, count: int, span: timedelta) -> pl.DataFrame:
        """So many calls from `self.at` on."""
        chance = self._chance
        card = chance.integers(0, self.cards, count)
        contact = np.minimum(chance.geometric(0.08, count), 400)
        answered = chance.random(count) < 0.7
        second = np.sort(chance.random(count) * span.total_seconds())
        rows = pl.DataFrame(
            {
                "n": card + 13_000_000_000,
                "p": (card * 7919 + contact * 104_729) % 40_000_000 + 13_100_000_000,
                "direction": np.where(chance.random(count) < 0.52, "out", "in"),
                "started_at": np.datetime64(self.at, "us") + (second * 1e6).astype("timedelta64[us]"),
                "seconds": np.where(answered, chance.lognormal(4, 1, count), 0).astype(np.int64),
                "answered": answered,
                "i": card * 10 + (chance.random(count) < 0.02),
                "c": card % 30_000 + chance.integers(0, 5, count),
            }
        ).select(
            card="86" + pl.col("n").cast(_TEXT),
            peer="86" + pl.col("p").cast(_TEXT),
            direction="direction",
            started_at="started_at",
            seconds="seconds",
            answered="answered",
            imei="35" + pl.col("i").cast(_TEXT).str.zfill(13),
            cell="c" + pl.col("c").cast(_TEXT),
            city=((pl.col("n") % 11 + 1) * 100 + 990_000).cast(_TEXT),
            forwarded_from=pl.lit(None, dtype=_TEXT),
        )
        return rows.with_columns(line=pl.int_range(pl.len(), dtype=pl.Int64), same=rows.hash_rows())

    def _batch(self, table: str, rows: pl.DataFrame) -> Batch:
        self._done += rows.height
        piece = BatchPart(table, table, "stream", with_keys(table, rows))
        return Batch((piece,), positions={"stream": self._done}, records=rows.height)
