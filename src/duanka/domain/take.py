"""A take: which decisions of a folder become orders now, what they cover, and what became of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.text import BilingualText

TIERS = ("", "low", "medium", "high", "extreme")  # the lightest first


class TierName(StrEnum):
    """A tier as a person names it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    EXTREME = "extreme"


@dataclass(frozen=True)
class Coverage:
    """What the records cover that decisions were made of.

    `days`: record table -> days that it has records of; `files`: how many were read, None where nobody counts them.
    """

    since: date
    until: date
    days: Mapping[str, int]
    files: int | None = None

    def lacks(self, before: Coverage) -> tuple[BilingualText, ...]:
        """What of `before` this one has less of, in words; empty where it covers as much."""
        less = [
            BilingualText(
                f"{table} {self.days.get(table, 0)} 天，原为 {days} 天",
                f"{self.days.get(table, 0)} day(s) of {table} instead of {days}",
            )
            for table, days in sorted(before.days.items())
            if self.days.get(table, 0) < days
        ]
        if self.files is not None and before.files is not None and self.files < before.files:
            zh = f"{self.files} 个文件，原为 {before.files} 个"
            less.append(BilingualText(zh, f"{self.files} file(s) instead of {before.files}"))
        return tuple(less)

    def __str__(self) -> str:
        return self.words.en

    @property
    def words(self) -> BilingualText:
        """From when until when, and of what."""
        tables = sorted(self.days.items())
        zh = "、".join(f"{table} {count} 天" for table, count in tables)
        en = ", ".join(f"{count} day(s) of {table}" for table, count in tables)
        if self.files is not None:
            zh, en = f"{zh}，{self.files} 个文件", f"{en}, {self.files} file(s)"
        return BilingualText(f"{self.since} 至 {self.until}：{zh}", f"{self.since} to {self.until}: {en}")

    def facts(self) -> dict[str, object]:
        """As JSON has it."""
        told: dict[str, object] = {
            "since": str(self.since),
            "until": str(self.until),
            "days": dict(self.days),
        }
        return told if self.files is None else {**told, "files": self.files}


def coverage_of(facts: Any) -> Coverage | None:
    """The coverage that `facts` tells, as JSON has it; None where it tells none."""
    try:
        days = {str(table): int(count) for table, count in facts["days"].items()}
        since, until = (date.fromisoformat(facts[name]) for name in ("since", "until"))
        files = int(facts["files"]) if "files" in facts else None
    except (TypeError, KeyError, ValueError, AttributeError):
        return None
    return Coverage(since, until, days, files)


@dataclass(frozen=True)
class Choice:
    """Which decisions are taken now. Empty: any. `limit`: at most so many, the heaviest; None: all.

    `hold`: cards that are held back; `hold_rest`: whatever is not taken is held back. `narrower`: withdrawals of a scan
    that covers less than the one before are meant.
    """

    tiers: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()
    cities: frozenset[str] = frozenset()
    operators: frozenset[str] = frozenset()
    cards: frozenset[str] = frozenset()
    limit: int | None = None
    hold: frozenset[str] = frozenset()
    hold_rest: bool = False
    narrower: bool = False

    @property
    def selects(self) -> bool:
        """Whether some decisions are not taken."""
        named = (self.tiers, self.rules, self.cities, self.operators, self.cards, self.hold)
        return any(named) or self.limit is not None or self.hold_rest

    @property
    def filters(self) -> bool:
        """Whether it says which are taken, or how many."""
        named = (self.tiers, self.rules, self.cities, self.operators, self.cards)
        return any(named) or self.limit is not None

    def names(self, demand: OrderDecision) -> bool:
        """Whether this decision is one of those, however many there are."""
        return (
            (not self.tiers or demand.tier in self.tiers)
            and (not self.rules or not self.rules.isdisjoint(demand.rules))
            and (not self.cards or demand.card in self.cards)
            and demand.card not in self.hold
            and self.names_place(demand)
        )

    def names_place(self, demand: OrderDecision) -> bool:
        """Whether the card is of a city and an operator that are taken; only that is asked of a withdrawal."""
        return (not self.cities or demand.city in self.cities) and (
            not self.operators or demand.operator in self.operators
        )

    def facts(self) -> dict[str, object]:
        """As the trail and the table of takes tell it; no number of a card."""
        named = {
            "tiers": self.tiers,
            "rules": self.rules,
            "cities": self.cities,
            "operators": self.operators,
        }
        told: dict[str, object] = {name: sorted(values) for name, values in named.items() if values}
        counts = {"cards": len(self.cards), "hold": len(self.hold), "limit": self.limit}
        told |= {name: count for name, count in counts.items() if count}
        flags = {"hold_rest": self.hold_rest, "narrower": self.narrower}
        return told | {name: True for name, on in flags.items() if on}


EVERYTHING = Choice()


def heaviest_first(demand: OrderDecision) -> tuple[object, ...]:
    """The key by which demands are sorted: a stop first, then by tier and by points."""
    return (
        demand.asked is not RequestedAction.STOP,
        -TIERS.index(demand.tier) if demand.tier in TIERS else 0,
        -demand.points,
    )


@dataclass(frozen=True)
class Take:
    """One take as it is listed. `counts`: what became of its decisions -> how many; `kept`: why -> how many still wait.

    `undone_in`: the acts that undo it, each with its state.
    """

    id: str
    at: datetime
    by: str
    source: str
    chosen: Mapping[str, object]
    counts: Mapping[str, int]
    covers: Coverage | None = None
    narrower: bool = False
    undone_at: datetime | None = None
    undone_by: str | None = None
    undone_in: tuple[str, ...] = ()
    kept: Mapping[str, int] = field(default_factory=dict)


def as_json(facts: Mapping[str, object]) -> str:
    """Facts as a column keeps them."""
    return json.dumps(facts, ensure_ascii=False, sort_keys=True)
