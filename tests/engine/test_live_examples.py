"""Every rule's examples through the live engine: in the order of an arrival, in small batches, it says the same."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from duanka.domain.schema import TABLES, ColumnKind
from duanka.engine.live import Live
from duanka.rules import RULES, shared_device
from support.engine.batches import Batch, Example, batches
from support.engine.streams import NOW, PATIENT, arrivals, batch_of, cut_up, hits_of
from support.engine.worlds import World, canonical

_USE = ("calls", "messages", "data_days")
_NOBODY = "8613700099999"
_BATCHES = 8
_Rows = dict[str, list[dict[str, Any]]]

# A rule over hits is played without the rules whose hits its examples bring along: those would take them back.
_OVER_HITS = [rule for rule in RULES if "hits" in rule.reads]
_DELIVERIES = batches([rule for rule in RULES if rule not in _OVER_HITS]) + batches(_OVER_HITS)


def _cases() -> list[Any]:
    return [
        pytest.param(
            place,
            example,
            id=f"{example.rule.id}-{'flags' if example.flags else 'spares'}-{example.case.title}",
        )
        for place, delivery in enumerate(_DELIVERIES)
        for example in delivery.examples
    ]


def _seen(delivery: Batch) -> _Rows:
    """The records as far as they are known at `as_of`, and all of the registers."""
    tables = delivery.rows
    for name, rows in tables.items():
        if TABLES[name].record:
            moment = _moment(name)
            day = TABLES[name].column(moment).kind is ColumnKind.DAY
            end = delivery.as_of.date() if day else delivery.as_of
            tables[name] = [row for row in rows if row[moment] < end]
    return tables


def _moment(table: str) -> str:
    return str(TABLES[table].time)


def _reaching(delivery: Batch, tables: _Rows) -> _Rows:
    """With a record of nobody just before `as_of`; it does not change from when on every kind of use is known."""
    records = [name for name, rows in tables.items() if TABLES[name].record and rows]
    table = "sightings" if {*records} & {*_USE} else records[0]
    filler = {"card": _NOBODY, _moment(table): delivery.as_of - timedelta(seconds=1)}
    return {**tables, table: [*tables.get(table, []), filler]}


def _played(delivery: Batch, folder: Path, seed: int) -> set[tuple[str, str]]:
    """Card and rule of the hits that stand at the end."""
    tables = _seen(delivery)
    # who spares because a day is not over lies behind its own moment: then nothing is assumed to end
    ends = any(TABLES[name].record and rows for name, rows in tables.items()) and not delivery.as_of.minute
    tables = _reaching(delivery, tables) if ends else delivery.rows
    frames = {name: canonical(name, rows) for name, rows in tables.items() if rows}
    coming = arrivals(world := World(frames, {}, delivery.lists), chance := random.Random(seed))
    limits = {rule.id: its for rule, its in delivery.rules}
    served = [rule for rule, _ in delivery.rules]
    if shared_device.RULE.id not in limits:
        served.append(shared_device.RULE)  # its rollup says when a card came into a device, as in real states
    with _opened(folder, served, limits, delivery.lists) as live:
        live.expect({a.source: a.table for a in coming if TABLES[a.table].record}, NOW)
        for hit in delivery.hits:  # of other rules, that do not run here
            values = [hit[name] for name in ("card", "rule", "seen_at", "evidence")]
            live._state.db.execute("INSERT INTO state.hits VALUES (?, ?, ?, ?)", values)
        for batch in cut_up(coming, chance, max(2 * len(coming) // _BATCHES, 1)):
            taken = live.take(batch_of(world, batch), NOW)
            assert taken.used == taken.records
        if ends:
            live.finish(NOW)
        return {(card, rule) for card, rule, *_ in hits_of(live, folder)}


def _opened(folder: Path, served: Sequence[Any], limits: Mapping[str, Any], lists: Mapping[str, Any]) -> Live:
    return Live(folder, served, limits, lists, lateness=PATIENT, history=False, threads=1, pack_rows=5)


@lru_cache(len(_DELIVERIES))
def _found(place: int) -> list[set[tuple[str, str]]]:
    """The hits of a delivery; where many share it, of two orders in which it may come."""
    delivery = _DELIVERIES[place]
    found = []
    for seed in (7, 8) if len(delivery.examples) > 1 else (7,):
        with tempfile.TemporaryDirectory() as folder:
            found.append(_played(delivery, Path(folder), seed))
    return found


@pytest.mark.parametrize(("place", "example"), _cases())
def test_a_rule_does_live_what_its_example_says(place: int, example: Example) -> None:
    for found in _found(place):
        flagged = {card for card, rule in found if rule == example.rule.id}
        if example.flags:
            assert example.cards <= flagged
        else:
            assert not example.cards & flagged
