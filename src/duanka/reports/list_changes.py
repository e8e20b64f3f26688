"""changes.csv: cards new, gone, heavier or lighter since the last work list."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from duanka.domain.decision import Tier
from duanka.domain.private_files import put_in_place
from duanka.domain.text import WordedEnum

COLUMNS = ("card", "change", "tier_before", "tier", "rules", "reasons", "action")


class ListChange(WordedEnum):
    """How a card changed on the list; the file has the changes in this order."""

    NEW = "new", "新增"
    HEAVIER = "heavier", "加重"
    LIGHTER = "lighter", "减轻"
    GONE = "gone", "移出"


class _Row(NamedTuple):
    card: str
    tier: str
    rules: str
    reasons: str
    action: str


@dataclass(frozen=True)
class ListChanges:
    """Number of cards by change; `first`: there was no earlier list to compare with."""

    counts: Counter[ListChange]
    first: bool = False


def write_changes(before: Path, now: Path, path: Path) -> ListChanges:
    """Write to `path` how two work lists differ; without `before`, only a heading."""
    first = not before.exists()
    old = {} if first else {row.card: row for row in _rows(before)}
    counts: Counter[ListChange] = Counter()
    changed: dict[ListChange, list[tuple[str, ...]]] = {kind: [] for kind in ListChange}
    for row in _rows(now):
        was = old.pop(row.card, None)
        kind = None if first else _change(was, row)
        if kind is not None:
            changed[kind].append((row.card, kind, was.tier if was else "", *row[1:]))
    changed[ListChange.GONE] = [(row.card, ListChange.GONE, row.tier, "", *row[2:]) for row in old.values()]
    with put_in_place(path) as aside, aside.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for kind, rows in changed.items():
            counts[kind] = len(rows)
            writer.writerows(rows)
    return ListChanges(counts, first)


def _change(was: _Row | None, row: _Row) -> ListChange | None:
    if was is None:
        return ListChange.NEW
    weights = [Tier[tier.upper()] for tier in (was.tier, row.tier)]
    if weights[0] == weights[1]:
        return None
    return ListChange.HEAVIER if weights[1] > weights[0] else ListChange.LIGHTER


def _rows(path: Path) -> Iterator[_Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            yield _Row(row["card"], row["tier"], row["rules"], row["reasons"], row["action"])
