"""Every rule's examples through the live engine: in the order of an arrival, in small batches, it says the same."""

from __future__ import annotations

import random
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from duanka.domain.rule import Rule
from duanka.domain.rule_examples import Case
from duanka.domain.schema import TABLES, ColumnKind
from duanka.engine.live import Live
from duanka.rules import RULES, shared_device
from support.engine.streams import NOW, PATIENT, arrivals, batch_of, cut_up, hits_of
from support.engine.worlds import World, canonical

_USE = ("calls", "messages", "data_days")
_NOBODY = "8613700099999"
_BATCHES = 8


def _cases() -> list[Any]:
    return [
        pytest.param(rule, example, flags, id=f"{rule.id}-{'flags' if flags else 'spares'}-{example.title}")
        for rule in RULES
        for flags, examples in ((True, rule.flags), (False, rule.spares))
        for example in examples
    ]


def _seen(example: Case) -> dict[str, list[dict[str, Any]]]:
    """The example's records as far as they are known at its `as_of`, and all of its registers."""
    tables = {name: list(rows) for name, rows in example.tables.items()}
    for name, rows in tables.items():
        if TABLES[name].record:
            moment = _moment(name)
            day = TABLES[name].column(moment).kind is ColumnKind.DAY
            tables[name] = [
                row for row in rows if row[moment] < (example.as_of.date() if day else example.as_of)
            ]
    return tables


def _moment(table: str) -> str:
    return str(TABLES[table].time)


def _reaching(example: Case, tables: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """With a record of nobody just before `as_of`; it does not change from when on every kind of use is known."""
    records = [name for name, rows in tables.items() if TABLES[name].record and rows]
    table = "sightings" if {*records} & {*_USE} else records[0]
    filler = {"card": _NOBODY, _moment(table): example.as_of - timedelta(seconds=1)}
    return {**tables, table: [*tables.get(table, []), filler]}


def _found(rule: Rule, example: Case, folder: Path, seed: int) -> set[str]:
    limits = {name: limit.value for name, limit in rule.limits.items()}
    tables = _seen(example)
    # who spares because a day is not over lies behind its own moment: then nothing is assumed to end
    ends = any(TABLES[name].record and rows for name, rows in tables.items()) and not example.as_of.minute
    tables = (
        _reaching(example, tables) if ends else {name: list(rows) for name, rows in example.tables.items()}
    )
    frames = {name: canonical(name, rows) for name, rows in tables.items() if rows}
    coming = arrivals(world := World(frames, {}, example.lists), chance := random.Random(seed))
    served = [
        rule,
        shared_device.RULE,
    ]  # its rollup says when a card came into a device, as in every real state
    options = {"lateness": PATIENT, "history": False, "threads": 1, "seal_rows": 5}
    with Live(folder, served, {rule.id: limits}, example.lists, **options) as live:  # type: ignore[arg-type]
        live.expect({a.source: a.table for a in coming if TABLES[a.table].record}, NOW)
        for hit in example.hits:  # of other rules, that do not run here
            values = [hit[name] for name in ("card", "rule", "seen_at", "evidence")]
            live._state.db.execute("INSERT INTO state.hits VALUES (?, ?, ?, ?)", values)
        for batch in cut_up(coming, chance, max(2 * len(coming) // _BATCHES, 1)):
            taken = live.take(batch_of(world, batch), NOW)
            assert taken.used == taken.records
        if ends:
            live.finish(NOW)
        return {card for card, its, *_ in hits_of(live, folder) if its == rule.id}


@pytest.mark.parametrize(("rule", "example", "flags"), _cases())
def test_a_rule_does_live_what_its_example_says(rule: Rule, example: Case, flags: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = _found(rule, example, Path(folder), seed=7)
    if flags:
        assert set(example.cards) <= found
    else:
        assert not set(example.cards) & found
