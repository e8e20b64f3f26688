"""One suite for every rule: it flags what it says, spares what it says, in any order, narrowed or whole."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import pytest

from duanka.domain.ports import Silent
from duanka.domain.rule import Limit, Literal, Rule
from duanka.engine import DuckDBEngine
from duanka.rules import RULES
from support.engine.batches import Batch, Example, batches

REQUIREMENT = {
    "new_card_unused": "R1.1",
    "device_changed": "R1.2",
    "high_risk_area": "R1.3",
    "over_frequency": "R1.4",
    "sleeping_card": "R3.1",
    "silent_card": "R3.2",
    "cards_per_holder": "R3.3",
    "virtual_operator_stock": "R3.4",
    "iot_misuse": "R3.5",
    "sim_box": "R11",
    "fraud_prone_abroad": "R10",
}
_TOGETHER = {rule.id: batches([rule]) for rule in RULES}  # no two rules: one would hide what another narrows


def _cases() -> list[object]:
    return [
        pytest.param(
            example,
            id=f"{rule.id}-{'flags' if example.flags else 'spares'}-{example.case.title}",
            marks=[pytest.mark.requirement(REQUIREMENT[rule.id])] if rule.id in REQUIREMENT else [],
        )
        for rule in RULES
        for example in sorted(
            (one for batch in _TOGETHER[rule.id] for one in batch.examples), key=lambda one: one.number
        )
    ]


@contextmanager
def _loaded(batch: Batch, seed: int | None = None) -> Iterator[DuckDBEngine]:
    """An engine that has read these examples; with `seed`, their rows in another order."""
    rows = batch.rows
    if seed is not None:
        chance = random.Random(seed)
        rows = {table: chance.sample(of_table, len(of_table)) for table, of_table in rows.items()}
    with tempfile.TemporaryDirectory() as work, DuckDBEngine(Path(work), threads=1) as engine:
        engine.load_rows(rows, batch.lists, batch.as_of)
        engine.add_hits(batch.hits)
        yield engine


def _flagged(
    engine: DuckDBEngine, rule: Rule, limits: Mapping[str, Literal], *, narrowed: bool = True
) -> frozenset[str]:
    engine.forget(rule.id)
    engine.build([(rule, limits)], Silent(), narrowed=narrowed)
    engine.run(rule, limits)
    return engine.flagged(rule.id)


def _defaults(rule: Rule) -> dict[str, Literal]:
    return {name: limit.value for name, limit in rule.limits.items()}


@lru_cache(len(RULES))
def _found(rule_id: str) -> tuple[frozenset[str], frozenset[str]]:
    """The cards that a rule flags in all its examples; and in another order, with whole rollups."""
    rule = next(rule for rule in RULES if rule.id == rule_id)
    plain, disturbed = frozenset[str](), frozenset[str]()
    for batch in _TOGETHER[rule_id]:
        with _loaded(batch) as engine:
            plain |= _flagged(engine, rule, _defaults(rule))
        with _loaded(batch, 7) as engine:
            disturbed |= _flagged(engine, rule, _defaults(rule), narrowed=False)
    return plain, disturbed


@pytest.mark.parametrize("example", _cases())
def test_a_rule_does_what_its_example_says(example: Example) -> None:
    plain, disturbed = ({card for card in cards if example.owns(card)} for cards in _found(example.rule.id))
    if example.flags:
        assert example.cards <= plain
    else:
        assert not example.cards & plain
    # arrival order says nothing, and a narrowed rollup hides no hit
    assert disturbed == plain


def _contradicts(found: frozenset[str], batch: Batch) -> bool:
    return any(
        example.cards & found != (example.cards if example.flags else set()) for example in batch.examples
    )


@pytest.mark.parametrize(
    ("rule", "name", "limit"),
    [pytest.param(r, n, limit, id=f"{r.id}-{n}") for r in RULES for n, limit in r.limits.items()],
)
def test_every_limit_has_examples_on_both_sides(rule: Rule, name: str, limit: Limit) -> None:
    """A limit one step off, either way, must contradict an example: else nobody knows where it lies."""
    unnoticed = list(limit.neighbours())
    for batch in _TOGETHER[rule.id]:
        if unnoticed:
            with _loaded(batch) as engine:
                unnoticed = [
                    moved
                    for moved in unnoticed
                    if not _contradicts(_flagged(engine, rule, {**_defaults(rule), name: moved}), batch)
                ]
    assert not unnoticed, f"{name}={unnoticed} passes all examples too"
