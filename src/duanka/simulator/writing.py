"""Writes a day's records as canonical tables, one Parquet file per table and day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from duanka.simulator.calls import CallDay, CallRows, EventRows, invent_calls
from duanka.simulator.chance import Ints, Rng, generator, hashed
from duanka.simulator.devices import imeis
from duanka.simulator.register import WindowClock
from duanka.simulator.signals import invent_data, invent_messages, invent_shop_visits, invent_sightings
from duanka.simulator.traits import DAY
from duanka.simulator.whereabouts import Whereabouts

_DIRECTIONS = pl.Series(["in", "out"])


@dataclass(frozen=True)
class ExtraSightings:
    """Sightings besides: `card` at second `at` of the window, in phone `imei` (0: its own), where card `near` is."""

    card: Ints
    at: Ints
    imei: Ints
    near: Ints

    def and_then(self, *others: ExtraSightings) -> ExtraSightings:
        """Append the sightings of `others`."""
        return ExtraSightings(
            *map(np.concatenate, zip(*(vars(part).values() for part in (self, *others)), strict=True))
        )


@dataclass(frozen=True)
class Scene:
    """Input for the records of one day; card, imei: text per card."""

    calls: list[CallDay]  # one per group of cards
    where: Whereabouts
    clock: WindowClock
    card: pl.Series
    imei: pl.Series
    seed: int
    trader_role: int
    shown: ExtraSightings | None = None

    @property
    def day(self) -> int:
        """Number of the day, 0 = first of the window."""
        return self.where.day

    def seen(self, card: Ints, at: Ints, *, recorded: bool) -> dict[str, pl.Series]:
        """Imei, cell, city of `card` at second `at` of the window; `recorded`: with gaps, as in records."""
        place, cell = self.where.at(card, np.clip(at - self.day * DAY, 0, DAY - 1))
        places, unknown = self.where.places, self.where.traits.unknown_place[card]
        if recorded:  # -1 is out of bounds and becomes null
            place, cell = np.where(unknown > 0, -1, place), np.where(unknown > 1, -1, cell)
        return {
            "imei": self.imei.gather(card),
            "cell": _pick(places.cell_names, cell),
            "city": _pick(places.codes, place),
        }


def _pick(values: pl.Series, index: Ints) -> pl.Series:
    """Gather `values` by index; -1 gives null."""
    absent = index < 0
    if not absent.any():
        return values.gather(index)
    return values.gather(pl.Series(np.maximum(index, 0)).set(pl.Series(absent), None))


def write_day(out: Path, scene: Scene, today: date) -> dict[str, int]:
    """Write all record tables of one day under `out`; returns the rows by table."""
    rows = {}
    for table, frames in (
        ("calls", _events(scene, "started_at", 40, invent_calls)),
        ("messages", _events(scene, "sent_at", 41, invent_messages)),
        ("sightings", _sightings(scene)),
        ("data_days", _data_days(scene, today)),
    ):
        frame = pl.concat(frames)
        del frames
        frame.write_parquet(
            out / table / f"{today.isoformat()}.parquet", compression="zstd", compression_level=1
        )
        rows[table] = frame.height
    return rows


def _events(
    scene: Scene, time: str, stream: int, invent: Callable[[CallDay, Rng], EventRows]
) -> list[pl.DataFrame]:
    """Calls or messages; `time`: name of the column of their time."""
    frames = []
    for turn, today in enumerate(scene.calls):
        rows = invent(today, generator(scene.seed, stream, scene.day, turn))
        rows = rows.where(np.argsort(rows.at, kind="stable"))
        columns = {
            "peer": pl.Series(rows.peer).cast(pl.String),
            "direction": _DIRECTIONS.gather(rows.out.astype(np.int64)),
            time: scene.clock.times(time, rows.at),
        }
        forwarded = {}
        if isinstance(rows, CallRows):
            columns |= {
                "seconds": pl.Series(rows.seconds.astype(np.int32)),
                "answered": pl.Series(rows.answered),
            }
            numbers = pl.Series(rows.forwarded).set(pl.Series(rows.forwarded == 0), None)
            forwarded = {"forwarded_from": numbers.cast(pl.String)}
        columns |= scene.seen(rows.card, rows.at, recorded=True) | forwarded
        frames.append(pl.DataFrame({"card": scene.card.gather(rows.card), **columns}))
    return frames


def _sightings(scene: Scene) -> list[pl.DataFrame]:
    frames = []
    for turn, today in enumerate(scene.calls):
        card, at = invent_sightings(today, generator(scene.seed, 42, scene.day, turn))
        order = np.argsort(at, kind="stable")
        card, at = card[order], at[order]
        frames.append(_sighting_frame(scene, card, at, scene.seen(card, at, recorded=False)))
    visits = invent_shop_visits(scene.calls[0], scene.trader_role, generator(scene.seed, 43, scene.day))
    card, at, trader, phone = visits
    t = scene.where.traits
    shop_phone = imeis(hashed(t.device[trader], 64, phone), np.zeros(len(trader), dtype=np.int64))
    seen = scene.seen(trader, at, recorded=False) | {"imei": pl.Series(shop_phone).cast(pl.String)}
    frames.append(_sighting_frame(scene, card, at, seen))
    if scene.shown:
        more = scene.shown
        seen = scene.seen(more.near, more.at, recorded=False)
        lent = pl.Series(more.imei).cast(pl.String)
        seen["imei"] = lent.zip_with(pl.Series(more.imei > 0), scene.imei.gather(more.card))
        frames.append(_sighting_frame(scene, more.card, more.at, seen))
    return frames


def _sighting_frame(scene: Scene, card: Ints, at: Ints, seen: dict[str, pl.Series]) -> pl.DataFrame:
    return pl.DataFrame(
        {"card": scene.card.gather(card), "seen_at": scene.clock.times("seen_at", at), **seen}
    )


def _data_days(scene: Scene, today: date) -> list[pl.DataFrame]:
    frames = []
    for turn, cards in enumerate(scene.calls):
        card, volume = invent_data(cards, generator(scene.seed, 44, scene.day, turn))
        frame = pl.DataFrame({"card": scene.card.gather(card), "bytes": volume})
        frames.append(frame.select("card", pl.lit(today).alias("day"), "bytes"))
    return frames
