"""A take: the selection of decisions that become orders, and its result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.text import BilingualText

TIERS = ("", "low", "medium", "high", "extreme")  # lightest first


class TierName(StrEnum):
    """A tier as people name it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    EXTREME = "extreme"


@dataclass(frozen=True)
class Coverage:
    """What records cover. `days`: table -> days with records; `files`: how many were read, if known."""

    since: date
    until: date
    days: Mapping[str, int]
    files: int | None = None

    def lacks(self, before: Coverage) -> tuple[BilingualText, ...]:
        """Say what this lacks compared with `before`; empty if nothing."""
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
        """The covered time span and tables, in words."""
        tables = sorted(self.days.items())
        zh = "、".join(f"{table} {count} 天" for table, count in tables)
        en = ", ".join(f"{count} day(s) of {table}" for table, count in tables)
        if self.files is not None:
            zh, en = f"{zh}，{self.files} 个文件", f"{en}, {self.files} file(s)"
        return BilingualText(f"{self.since} 至 {self.until}：{zh}", f"{self.since} to {self.until}: {en}")

    def facts(self) -> dict[str, object]:
        """Return it as JSON values."""
        told: dict[str, object] = {
            "since": str(self.since),
            "until": str(self.until),
            "days": dict(self.days),
        }
        return told if self.files is None else {**told, "files": self.files}


def coverage_of(facts: Any) -> Coverage | None:
    """Parse a coverage from JSON values; None if there is none."""
    try:
        days = {str(table): int(count) for table, count in facts["days"].items()}
        since, until = (date.fromisoformat(facts[name]) for name in ("since", "until"))
        files = int(facts["files"]) if "files" in facts else None
    except (TypeError, KeyError, ValueError, AttributeError):
        return None
    return Coverage(since, until, days, files)


@dataclass(frozen=True)
class Choice:
    """Which decisions to take; an empty field does not restrict.

    `limit`: take at most this many, the heaviest. `hold`: cards to hold back; `hold_rest`: hold back everything not
    taken. `narrower`: confirms withdrawals from a scan that covers less than the one before.
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
        """Whether some decisions may be left out: by a filter, by the limit, or held back."""
        return self.filters or bool(self.hold) or self.hold_rest

    @property
    def filters(self) -> bool:
        """Like `selects`, but ignoring what is held back."""
        named = (self.tiers, self.rules, self.cities, self.operators, self.cards)
        return any(named) or self.limit is not None

    def names(self, decision: OrderDecision) -> bool:
        """Whether it selects this decision, ignoring `limit`."""
        return (
            (not self.tiers or decision.tier in self.tiers)
            and (not self.rules or not self.rules.isdisjoint(decision.rules))
            and (not self.cards or decision.card in self.cards)
            and decision.card not in self.hold
            and self.names_place(decision)
        )

    def names_place(self, decision: OrderDecision) -> bool:
        """Whether city and operator are selected; the only condition on a withdrawal."""
        return (not self.cities or decision.city in self.cities) and (
            not self.operators or decision.operator in self.operators
        )

    def facts(self) -> dict[str, object]:
        """Return it as JSON values without card numbers, for audit trail and takes."""
        named = {"tiers": self.tiers, "rules": self.rules, "cities": self.cities, "operators": self.operators}
        told: dict[str, object] = {name: sorted(values) for name, values in named.items() if values}
        counts = {"cards": len(self.cards), "hold": len(self.hold), "limit": self.limit}
        told |= {name: count for name, count in counts.items() if count}
        flags = {"hold_rest": self.hold_rest, "narrower": self.narrower}
        return told | {name: True for name, on in flags.items() if on}


EVERYTHING = Choice()


def heaviest_first(decision: OrderDecision) -> tuple[object, ...]:
    """Sort key of decisions: stops first, then by tier and points."""
    return (
        decision.asked is not RequestedAction.STOP,
        -TIERS.index(decision.tier) if decision.tier in TIERS else 0,
        -decision.points,
    )


@dataclass(frozen=True)
class Take:
    """A take. `counts`: decisions by outcome; `kept`: waiting ones by reason; `undone_in`: acts, states."""

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
    """Encode facts for a database column."""
    return json.dumps(facts, ensure_ascii=False, sort_keys=True)
