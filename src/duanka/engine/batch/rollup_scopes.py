"""Scopes of rollups in a store: the days that a group of rules reads.

A rule names `card_days`; the engine decides which days that table holds, by the scope in which the rule runs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from duanka.domain.rollups import ROLLUPS, Rollup
from duanka.domain.rule import Literal, Rule
from duanka.engine.sql.rollup_sql import TYPES, as_statements, key_type, lean, mentions, merged_rows
from duanka.engine.store.days.rollup_partials import rollup_schema
from duanka.engine.store.life import LIVES
from duanka.engine.store.manifest import FileKind, Manifest

Files = Callable[
    [Sequence[str], pa.Schema], str
]  # SQL source of files of the store, by their paths and columns
LIFE = tuple(rollup.name for rollup, _ in LIVES)


@dataclass(frozen=True)
class RollupScope:
    """The scope `name` with the rollups that `rules` read; by-day ones of `days` only, and of `cards` ("": all).

    `cards`: table of the cards it is restricted to.
    """

    name: str
    rules: Sequence[tuple[Rule, Mapping[str, Literal]]]
    days: Collection[date]
    cards: str = ""

    @property
    def rollups(self) -> list[Rollup]:
        """The rollups that its rules read, in build order, reduced to the aggregates they read."""
        reads = [
            one
            for rule, _ in self.rules
            for one in mentions(rule.sql, rule.unsure, *as_statements(rule.narrow.values()))
        ]
        return [found for rollup in ROLLUPS.values() if (found := lean(rollup, reads))]


def rollup_select(
    manifest: Manifest, files: Files, rollup: Rollup, scope: RollupScope, narrow: str
) -> tuple[str, bool]:
    """SELECT of `rollup` in `scope` for the groups that fulfil `narrow`; and whether to compute it only once.

    Keys of rollups by day are of one day, and stand in a file once: the file of a day that has no other is read as it
    lies on the disk. A rollup of such days alone, of all its groups, is not worth a copy.
    """
    of_day: dict[date | None, list[str]] = {}
    for path in manifest.paths(FileKind.ROLLUPS, rollup.name):
        of_day.setdefault(manifest.files[path].day, []).append(path)
    as_they_lie, to_merge = list[str](), list[str]()
    for day in sorted(scope.days):
        paths = of_day.get(day, [])
        (as_they_lie if len(paths) == 1 else to_merge).extend(paths)
    conditions = [f"({narrow})"] if narrow else []
    if scope.cards:
        conditions.append(f"card IN (SELECT card FROM {scope.cards})")
    where = " AND ".join(conditions)
    parts = []
    if as_they_lie:
        columns = ", ".join(rollup.columns)
        parts.append(
            f"SELECT {columns} FROM {rollup_files(files, as_they_lie, rollup)} WHERE {where or 'TRUE'}"
        )
    if to_merge or not parts:
        parts.append(merged_rows(rollup, rollup_files(files, to_merge, rollup), where))
    return " UNION ALL ".join(parts), bool(to_merge or where)


def rollup_files(files: Files, paths: Sequence[str], rollup: Rollup) -> str:
    """SQL source of the files of a rollup; without files, of no row."""
    if paths:
        return files(paths, rollup_schema(rollup))
    kinds = {
        **{key: key_type(key) for key in rollup.keys},
        **{a.name: TYPES[a.how] for a in rollup.aggregates},
    }
    return f"(SELECT {', '.join(f'CAST(NULL AS {kind}) AS {name}' for name, kind in kinds.items())} LIMIT 0)"


def not_among(cards: str) -> str:
    """Condition: the card is none of `cards`, a SELECT of one column.

    Not NOT IN: beside an OR, Spark then compares each row with each of the cards, for either might be NULL. IN is a
    hash join there.
    """
    return f"NOT coalesce(card IN ({cards}), FALSE)"
