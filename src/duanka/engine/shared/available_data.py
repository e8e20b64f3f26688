"""Data present in a delivery: decides which rules can run and what they need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from duanka.domain.policy import LISTS
from duanka.domain.rollups import Rollup
from duanka.domain.rule import Literal, Rule
from duanka.engine.sql.render import any_condition
from duanka.engine.sql.values import Value


@dataclass(frozen=True)
class AvailableData:
    """Columns, policy lists and times available to rules.

    `columns`: table -> columns with at least one value. `lists`: policy lists with at least one row. `values`: the
    three times that every rule may name, see engine/sql/render.py.
    """

    columns: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lists: frozenset[str] = frozenset()
    values: Mapping[str, Value] = field(default_factory=dict)

    def lacks(self, rule: Rule) -> tuple[str, ...]:
        """Inputs that `rule` requires and that are missing."""

        def there(need: str) -> bool:
            table, _, column = need.partition(".")
            if table in LISTS:
                return table in self.lists
            return column in self.columns.get(table, frozenset()) if column else table in self.columns

        return tuple(need for need in rule.needs if not there(need))

    def without(self, rule: Rule) -> tuple[str, ...]:
        """Optional tables of `rule` that are missing."""
        return tuple(t for t in rule.wants if not self.columns.get(t))

    def narrow(self, rollup: Rollup, rules: Sequence[tuple[Rule, Mapping[str, Literal]]]) -> str:
        """Condition for the groups of `rollup` that any of `rules` needs; "": all of them."""
        readers = [(rule, limits) for rule, limits in rules if rollup.name in rule.reads]
        if not all(rollup.name in rule.narrow for rule, _ in readers):
            return ""
        return any_condition(
            (rule.narrow[rollup.name], {**limits, **self.values}) for rule, limits in readers
        )


def any_of(conditions: Iterable[str]) -> str:
    """Condition for the rows that any of `conditions` needs; "", given or returned, means all rows."""
    each = list(conditions)
    return " OR ".join(f"({one})" for one in each) if all(each) else ""
