"""Data present in a delivery: decides which rules can run and what they need."""

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
        if not readers or any(rollup.name not in rule.narrow for rule, _ in readers):
            return ""
        return " OR ".join(
            f"({condition(rule.narrow[rollup.name], {**limits, **self.values})})" for rule, limits in readers
        )

    def counting_cards(self) -> str:
        """SELECT of the number of cards in the register or, without one, in the records."""
        if "cards" in self.columns:
            return "SELECT count(*) FROM cards"
        records = [name for name in self.columns if TABLES[name].record]
        return f"SELECT count(DISTINCT card) FROM ({' UNION ALL '.join(f'SELECT card FROM {r}' for r in records)})"


def moments(found: RecordCoverage) -> dict[str, Value]:
    """The times that rules name with `$`."""
    return {"as_of": found.until, "records_from": found.since, "records_until": found.certain}
