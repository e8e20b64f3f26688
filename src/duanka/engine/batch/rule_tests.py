"""Runs a rule over its own examples: what it must flag, what it must spare."""

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
    """How one example went: `wrong` names the cards that were flagged or spared against it."""

    rule: str
    title: str
    flags: bool
    wrong: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the rule did what the example says."""
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
    """Run every example of `rule` under its default limits, or others."""
    used = limits or {name: limit.value for name, limit in rule.limits.items()}
    outcomes = []
    for example in rule.flags:
        missed = set(example.cards) - flagged(rule, example, used)
        outcomes.append(RuleTestResult(rule.id, example.title, True, tuple(sorted(missed))))
    for example in rule.spares:
        hit = set(example.cards) & flagged(rule, example, used)
        outcomes.append(RuleTestResult(rule.id, example.title, False, tuple(sorted(hit))))
    return outcomes
