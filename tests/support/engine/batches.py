"""The examples of rules in a few deliveries: one by one, each would cost the start of an engine.

Every card, device, holder and cell bears the number of its example, so that no example sees another's. Examples share a
delivery only when they look at it from the same moment, with the same lists, and, where their rule asks from when on
the records are whole, when that comes out the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import pyarrow.parquet as pq

from duanka.domain.policy import LISTS
from duanka.domain.rule import Literal, Rule
from duanka.domain.rule_examples import Case, Row
from duanka.domain.schema import TABLES
from duanka.engine.shared.duckdb_database import arrow_rows

_OWN = ("card", "imei", "bound_imei", "holder", "cell")
_USE = {"calls": "started_at", "messages": "sent_at", "data_days": "day"}


@dataclass(frozen=True)
class Example:
    """One example of `rule`, numbered."""

    number: int
    rule: Rule
    case: Case
    flags: bool

    def own(self, row: Mapping[str, object]) -> Row:
        """The row with whatever could meet another example made this one's own."""
        return {k: self._own(k, v) if k in _OWN and v is not None else v for k, v in row.items()}

    def _own(self, column: str, value: object) -> str:
        # a card stays a number of digits, which rules may ask for its first digits
        return f"{value}{self.number:03}" if column == "card" else f"{value}-{self.number}"

    def owns(self, card: str) -> bool:
        """Whether `card` is one of its own."""
        return card.endswith(f"{self.number:03}")

    @property
    def cards(self) -> set[str]:
        """The cards that must be flagged, or spared."""
        return {self._own("card", card) for card in self.case.cards}

    @property
    def first(self) -> dict[str, date]:
        """The first day of each kind of use."""
        return {
            t: min(_day(r[c]) for r in self.case.tables[t])
            for t, c in _USE.items()
            if self.case.tables.get(t)
        }

    @property
    def asks(self) -> bool:
        """Whether its rule asks from when on the records are whole."""
        return any(
            "$records_from" in sql for sql in (self.rule.sql, self.rule.unsure, *self.rule.narrow.values())
        )


@dataclass
class Batch:
    """Examples that share a delivery."""

    examples: list[Example] = field(default_factory=list)

    def takes(self, new: Example) -> bool:
        """Add `new` if it changes nothing for the others, nor they for it."""
        together = [*self.examples, new]
        if any(e.case.as_of != new.case.as_of for e in together):
            return False
        if any(self._list(together, name) is None for name in LISTS):
            return False
        since = _since(together)
        if any(e.asks and _since([e]) != since for e in together):
            return False
        self.examples.append(new)
        return True

    @staticmethod
    def _list(examples: Sequence[Example], name: str) -> tuple[Row, ...] | None:
        """The one list `name` of those whose rule reads it; None when they differ."""
        asked = {
            repr(e.case.lists.get(name, ())): e.case.lists.get(name, ())
            for e in examples
            if name in e.rule.reads
        }
        return next(iter(asked.values()), ()) if len(asked) < 2 else None

    @property
    def as_of(self) -> datetime:
        """Now."""
        return self.examples[0].case.as_of

    @property
    def lists(self) -> dict[str, tuple[Row, ...]]:
        """The lists of all."""
        return {name: self._list(self.examples, name) or () for name in LISTS}

    @property
    def rules(self) -> list[tuple[Rule, Mapping[str, Literal]]]:
        """The rules whose examples are here, with their default limits."""
        rules = {e.rule.id: e.rule for e in self.examples}
        return [(rule, {name: limit.value for name, limit in rule.limits.items()}) for rule in rules.values()]

    @property
    def hits(self) -> list[Row]:
        """The hits of other rules that examples bring along."""
        return [e.own(row) for e in self.examples for row in e.case.hits]

    @property
    def rows(self) -> dict[str, list[Row]]:
        """The rows of all examples by table."""
        rows: dict[str, list[Row]] = {}
        for example in self.examples:
            for table, of_table in example.case.tables.items():
                rows.setdefault(table, []).extend(map(example.own, of_table))
        return rows

    def write(self, folder: Path) -> tuple[dict[str, list[Path]], dict[str, frozenset[str]]]:
        """Write canonical Parquet; return the files of each table, and its columns with a value."""
        rows = self.rows
        folder.mkdir(parents=True)
        for table, together in rows.items():
            pq.write_table(arrow_rows(TABLES[table], together), folder / f"{table}.parquet")
        columns = {
            t: frozenset(k for r in of for k, v in r.items() if v is not None) for t, of in rows.items()
        }
        return {table: [folder / f"{table}.parquet"] for table in rows}, columns


def batches(rules: Sequence[Rule]) -> list[Batch]:
    """All examples of `rules`, in as few deliveries as a simple search finds."""
    examples = [
        Example(number, rule, case, flags)
        for number, (rule, case, flags) in enumerate(
            (rule, case, flags)
            for rule in rules
            for flags, cases in ((True, rule.flags), (False, rule.spares))
            for case in cases
        )
    ]
    found: list[Batch] = []
    for example in sorted(examples, key=lambda e: not e.asks):  # those that mind most first
        if not any(batch.takes(example) for batch in found):
            found.append(Batch([example]))
    return found


def _since(examples: Sequence[Example]) -> date:
    first: dict[str, date] = {}
    for example in examples:
        for table, day in example.first.items():
            first[table] = min(day, first.get(table, day))
    return max(first.values(), default=date.min)


def _day(value: date) -> date:
    return value.date() if isinstance(value, datetime) else value
