"""Scopes of rollups in a store: the days that a group of rules reads, each in a schema of its own.

A rule names `card_days`; which days that table holds is decided by the search path under which the rule runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from duanka.domain.rollups import ROLLUPS, Rollup
from duanka.domain.rule import Literal, Rule
from duanka.engine.sql.rollup_sql import TYPES, as_statements, key_type, lean, mentions
from duanka.engine.store.manifest import FileKind
from duanka.engine.store.next_generation import NextGeneration

LIFE = ("card_life", "card_devices")
_WHOLE_ROWS = "card_days"  # its partials have one row a card and day; those of others may repeat a key


@dataclass(frozen=True)
class RollupScope:
    """The schema `name` with the rollups that `rules` read; by-day ones of `days` only, and of `cards` ("": all).

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


def rollup_select(draft: NextGeneration, rollup: Rollup, scope: RollupScope, narrow: str) -> tuple[str, bool]:
    """SELECT of `rollup` in `scope` for the groups that fulfil `narrow`; and whether to compute it only once.

    A rollup that is read as it lies on the disk is not worth a copy.
    """
    columns = ", ".join(rollup.columns)
    paths: dict[bool, list[str]] = {True: [], False: []}
    for day in sorted(scope.days):
        of_day = draft.manifest.paths(FileKind.ROLLUPS, rollup.name, day)
        paths[len(of_day) == 1 and rollup.name == _WHOLE_ROWS] += of_day
    conditions = [f"({narrow})"] if narrow else []
    if scope.cards:
        conditions.append(f"card IN (SELECT card FROM {scope.cards})")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    merged = ", ".join(
        f"CAST(sum({a.name}) AS BIGINT) AS {a.name}" if a.how == "sum" else f"{a.how}({a.name}) AS {a.name}"
        for a in rollup.aggregates
    )
    keys = ", ".join(rollup.keys)
    parts = [f"SELECT {columns} FROM {_files(draft, paths[True], rollup)}{where}"] if paths[True] else []
    if paths[False] or not parts:
        values = f", {merged}" if merged else ""
        parts.append(
            f"SELECT {keys}{values} FROM {_files(draft, paths[False], rollup)}{where} GROUP BY {keys}"
        )
    return " UNION ALL ".join(parts), bool(paths[False] or where)


def life_files(draft: NextGeneration, rollup: Rollup) -> str:
    """SQL source of a rollup of LIFE: all days that count, merged."""
    return _files(draft, draft.manifest.paths(FileKind.LIFE, rollup.name), rollup)


def _files(draft: NextGeneration, paths: Sequence[str], rollup: Rollup) -> str:
    if paths:
        return draft.source(paths)
    kinds = {
        **{key: key_type(key) for key in rollup.keys},
        **{a.name: TYPES[a.how] for a in rollup.aggregates},
    }
    return f"(SELECT {', '.join(f'CAST(NULL AS {kind}) AS {name}' for name, kind in kinds.items())} LIMIT 0)"
