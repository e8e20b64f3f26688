"""Runs a rule over its own examples: cards it must flag and cards it must not."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from duanka.domain.ports import Silent
from duanka.domain.rule import Literal, Rule
from duanka.domain.rule_examples import Case
from duanka.engine.batch.duckdb_engine import DuckDBEngine


@dataclass(frozen=True)
class RuleTestResult:
    """Result of one example. `wrong`: cards flagged by mistake or missed."""

    rule: str
    title: str
    flags: bool
    wrong: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the rule flagged exactly the cards the example expects."""
        return not self.wrong


def flagged(
    rule: Rule, example: Case, limits: Mapping[str, Literal], *, narrowed: bool = True
) -> frozenset[str]:
    """The cards that `rule` flags in `example` under `limits`."""
    with tempfile.TemporaryDirectory() as work, DuckDBEngine(Path(work), threads=1) as engine:
        engine.load_rows(example.tables, example.lists, example.as_of)
        engine.add_hits(example.hits)
        engine.build([(rule, limits)], Silent(), narrowed=narrowed)
        engine.run(rule, limits)
        return engine.flagged(rule.id)


def trials(rule: Rule, limits: Mapping[str, Literal] | None = None) -> list[RuleTestResult]:
    """Run every example of `rule` under `limits`, by default the rule's own."""
    used = limits or {name: limit.value for name, limit in rule.limits.items()}
    outcomes = []
    for flags, examples in ((True, rule.flags), (False, rule.spares)):
        for example in examples:
            hit = set(example.cards) & flagged(rule, example, used)
            wrong = set(example.cards) - hit if flags else hit
            outcomes.append(RuleTestResult(rule.id, example.title, flags, tuple(sorted(wrong))))
    return outcomes
