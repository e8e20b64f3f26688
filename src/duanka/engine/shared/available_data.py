"""What a delivery holds, and so which rules can run on it and how much of a rollup they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from duanka.domain.policy import LISTS
from duanka.domain.ports import RecordCoverage
from duanka.domain.rollups import Rollup
from duanka.domain.rule import Literal, Rule
from duanka.domain.schema import TABLES
from duanka.engine.sql.render import Value, condition


@dataclass(frozen=True)
class AvailableData:
    """`columns`: table -> columns with at least one value; `lists`: those of the policy with at least one row.

    `values`: the three moments that every rule may name, see engine/sql/render.py.
    """

    columns: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lists: frozenset[str] = frozenset()
    values: Mapping[str, Value] = field(default_factory=dict)

    def lacks(self, rule: Rule) -> tuple[str, ...]:
        """What `rule` needs and is not there."""

        def there(need: str) -> bool:
            table, _, column = need.partition(".")
            if table in LISTS:
                return table in self.lists
            return column in self.columns.get(table, frozenset()) if column else table in self.columns

        return tuple(need for need in rule.needs if not there(need))

    def without(self, rule: Rule) -> tuple[str, ...]:
        """The tables that `rule` would also have read."""
        return tuple(t for t in rule.wants if not self.columns.get(t))

    def narrow(self, rollup: Rollup, rules: Sequence[tuple[Rule, Mapping[str, Literal]]]) -> str:
        """What any of `rules` may need of `rollup`, as one condition; empty: all of it."""
        readers = [(rule, limits) for rule, limits in rules if rollup.name in rule.reads]
        if not readers or any(rollup.name not in rule.narrow for rule, _ in readers):
            return ""
        return " OR ".join(
            f"({condition(rule.narrow[rollup.name], {**limits, **self.values})})" for rule, limits in readers
        )

    def counting_cards(self) -> str:
        """The SELECT that counts the cards of the register, or without one those in the records."""
        if "cards" in self.columns:
            return "SELECT count(*) FROM cards"
        records = [name for name in self.columns if TABLES[name].record]
        return f"SELECT count(DISTINCT card) FROM ({' UNION ALL '.join(f'SELECT card FROM {r}' for r in records)})"


def moments(found: RecordCoverage) -> dict[str, Value]:
    """The moments that rules name with `$`."""
    return {"as_of": found.until, "records_from": found.since, "records_until": found.certain}
