"""One suite for every rule: it flags what it says, spares what it says, in any order, narrowed or whole."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from duanka.domain.rule import Limit, Rule
from duanka.domain.rule_examples import Case
from duanka.engine.batch.rule_tests import flagged
from duanka.rules import RULES

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


def _cases() -> list[object]:
    return [
        pytest.param(
            rule,
            example,
            flags,
            id=f"{rule.id}-{'flags' if flags else 'spares'}-{example.title}",
            marks=[pytest.mark.requirement(REQUIREMENT[rule.id])] if rule.id in REQUIREMENT else [],
        )
        for rule in RULES
        for flags, examples in ((True, rule.flags), (False, rule.spares))
        for example in examples
    ]


def _defaults(rule: Rule) -> dict[str, object]:
    return {name: limit.value for name, limit in rule.limits.items()}


def _shuffled(example: Case, seed: int) -> Case:
    order = random.Random(seed)
    return replace(
        example, tables={name: tuple(order.sample(rows, len(rows))) for name, rows in example.tables.items()}
    )


@pytest.mark.parametrize(("rule", "example", "flags"), _cases())
def test_a_rule_does_what_its_example_says(rule: Rule, example: Case, flags: bool) -> None:
    limits = _defaults(rule)
    found = flagged(rule, example, limits)  # type: ignore[arg-type]
    if flags:
        assert set(example.cards) <= found
    else:
        assert not set(example.cards) & found
    # arrival order says nothing, and a narrowed rollup hides no hit
    assert flagged(rule, _shuffled(example, 7), limits, narrowed=False) == found  # type: ignore[arg-type]


def _works(rule: Rule, limits: dict[str, object]) -> bool:
    flags = all(set(c.cards) <= flagged(rule, c, limits) for c in rule.flags)  # type: ignore[arg-type]
    return flags and not any(
        set(c.cards) & flagged(rule, c, limits)  # type: ignore[arg-type]
        for c in rule.spares
    )


@pytest.mark.parametrize(
    ("rule", "name", "limit"),
    [pytest.param(r, n, limit, id=f"{r.id}-{n}") for r in RULES for n, limit in r.limits.items()],
)
def test_every_limit_has_examples_on_both_sides(rule: Rule, name: str, limit: Limit) -> None:
    """A limit one step off, either way, must contradict an example: else nobody knows where it lies."""
    for moved in limit.neighbours():
        assert not _works(rule, {**_defaults(rule), name: moved}), f"{name}={moved} passes all examples too"
