"""Cards that fulfil a precondition, found in unmerged rows: a fraction of what it takes to merge and judge them.

Rows come in tables that hold all rows of a range of cards each. More cards may be found than fulfil it, never fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa

from duanka.domain.preconditions import Exceeds
from duanka.engine.live.state.compiled_rule import CompiledRule, read_from
from duanka.engine.live.state.rollup_shelf import RollupShelf
from duanka.engine.live.state.state_file import LiveState
from duanka.engine.shared.duckdb_database import lent
from duanka.engine.store.days.grouping import Ints, differs


class Candidates:
    """Finds the cards that matter to a hit of rules: those that fulfil their preconditions, and those with a hit."""

    def __init__(self, state: LiveState, shelves: Mapping[str, RollupShelf]) -> None:
        self._db, self._run, self._shelves = state.db, state.run, shelves
        self._all_found = False

    def find(
        self, rules: Sequence[CompiledRule], stirred: str, since: datetime | None, least: int, most: int
    ) -> int:
        """Create the table `stirring`: those of all cards; return the rows of the SELECT `stirred`, `most` at most.

        `since`: windows that are evaluated. 0: there is no such table, for `rules` have no preconditions, or `stirred`
        has fewer than `least` rows, of which `narrow` finds them.
        """
        self._all_found = False
        if not all(rule.stirs for rule in rules):
            return 0
        rows = int(self._run(f"SELECT count(*) FROM (FROM ({stirred}) LIMIT {max(least, most)})")[0][0])
        if rows < least:
            return 0
        window, recent = read_from(rules, since), []

        def read(rollup: str, columns: Sequence[str]) -> Iterator[pa.Table]:
            shelf = self._shelves[rollup]
            yield from shelf.by_card(columns, window)
            yield shelf.recent(columns)  # these cards are in other tables, too
            recent.append(f"SELECT card FROM state.{rollup}")

        with lent(self._db, "given", _found(rules, read)):
            among = " UNION ALL ".join(["SELECT card FROM given", _with_hits(rules), *recent])
            self._run(f"CREATE OR REPLACE TEMP TABLE stirring AS SELECT DISTINCT card FROM ({among})")
        self._all_found = True
        return rows

    def narrow(self, rules: Sequence[CompiledRule]) -> bool:
        """Drop all others from the tables `affected` and `visible`, whose rollups are there; False: none is left.

        It does nothing if `find` has found them.
        """
        if self._all_found or not all(rule.stirs for rule in rules):
            return True

        def read(rollup: str, columns: Sequence[str]) -> Iterator[pa.Table]:
            yield self._db.sql(f"SELECT {', '.join(columns)} FROM {rollup}").to_arrow_table()

        with lent(self._db, "given", _found(rules, read)):
            matter = f"SELECT card FROM given UNION ALL {_with_hits(rules)}"
            for name in ("visible", "affected"):
                self._run(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM {name} WHERE card IN ({matter})")
        return bool(self._run("SELECT 1 FROM affected LIMIT 1"))


def _with_hits(rules: Sequence[CompiledRule]) -> str:
    ids = ", ".join(f"'{rule.id}'" for rule in rules)
    return f"SELECT card FROM state.hits WHERE rule IN ({ids})"


def _found(
    rules: Sequence[CompiledRule], read: Callable[[str, Sequence[str]], Iterable[pa.Table]]
) -> pa.Table:
    """The cards that may fulfil the preconditions of `rules`. `read`: columns of a rollup."""
    found = []
    for stirs, limit in {rule.stirs for rule in rules if rule.stirs}:
        if isinstance(stirs, Exceeds):
            found.append(exceeding(read(stirs.rollup, ("card", stirs.column)), stirs.column, limit))
        else:
            found.append(linked(read(stirs.rollup, ("card", stirs.key)), stirs.key))
    return pa.table({"card": np.concatenate(found)})


def exceeding(tables: Iterable[pa.Table], column: str, limit: float) -> Ints:
    """The cards with a total of `column` above `limit`. `tables`: each has all rows of its cards."""
    found = [np.array([], np.int64)]
    for card, value in _by_card(tables, column):
        first = np.flatnonzero(differs(card))
        found.append(card[first[np.add.reduceat(value, first) > limit]])
    return np.concatenate(found)


def linked(tables: Iterable[pa.Table], key: str) -> Ints:
    """The cards with several values of `key`, or one that another card has; a card may come twice."""
    found, cards, values = ([np.array([], np.int64)] for _ in range(3))
    for card, value in _by_card(tables, key):
        begins = differs(card)
        other = ~begins & differs(value)  # than the same card has in the row before
        found.append(card[other])
        once = begins | other
        cards.append(card[once])
        values.append(value[once])
    value = np.concatenate(values)
    order = np.argsort(value)
    value, card = value[order], np.concatenate(cards)[order]
    shared = (value[1:] == value[:-1]) & (card[1:] != card[:-1])
    return np.concatenate([*found, card[1:][shared], card[:-1][shared]])


def _by_card(tables: Iterable[pa.Table], column: str) -> Iterable[tuple[Ints, Ints]]:
    """The card and `column` of the rows of each table, in order of the card."""
    for table in tables:
        rows = table.drop_null()
        if rows.num_rows:
            card: Ints = rows["card"].to_numpy()
            order = np.argsort(card)
            yield card[order], rows[column].to_numpy()[order]
