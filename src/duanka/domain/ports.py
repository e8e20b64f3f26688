"""Protocols that `application` uses; `bootstrap` injects their implementations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from duanka.domain.rule import Hit, Literal, Rule


class Progress(Protocol):
    """Observer of long work. `total` None: unknown. Units are up to the caller."""

    def step(self, what: str, done: float, total: float | None = None) -> None:
        """Report that `what` has reached `done` of `total`."""


class Silent:
    """No-op Progress, for tests and pipes."""

    def step(self, what: str, done: float, total: float | None = None) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class RecordCoverage:
    """The event time that the records cover, local.

    `first`    the first record that counts
    `since`    from here on the records have every kind of use, so absence of use is certain
    `until`    "now": windows that ended by then are closed, and nothing after it is seen
    `certain`  the records reach to here, so absence of use is certain
    `reach`    end of the last record; `certain` is later where `as_of` says so
    `as_of`    "now" as set by a person: a police case counts if confirmed by then, else as delivered
    `outside`  records outside of the range, which the rules do not see: wrong clocks, or after `as_of`
    `days`     record table -> days within the range that have records of it
    """

    first: datetime
    since: datetime
    until: datetime
    certain: datetime
    outside: int = 0
    reach: datetime | None = None
    as_of: datetime | None = None
    days: Mapping[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Share:
    """A place, outlet or device: `at_risk` of its `cards` have more than a watch."""

    name: str
    title: str
    at_risk: int
    cards: int


@dataclass(frozen=True)
class HitsOfDay:
    """Number of hits of a rule on a day."""

    day: date
    rule: str
    hits: int


@dataclass(frozen=True)
class Profile:
    """Where and when cards at risk are: the largest first, a few dozen each at most."""

    outlets: tuple[Share, ...]
    cities: tuple[Share, ...]
    devices: tuple[Share, ...]
    days: tuple[HitsOfDay, ...]


@dataclass(frozen=True)
class RuleRun:
    """Result of running one rule.

    `lacks`: needed "table.column" without data, in which case it did not run. `without`: absent tables it would also
    read. `unsure`: number of cards whose records reach back too little to judge.
    """

    rule: str
    hits: int = 0
    cards: int = 0
    unsure: int = 0
    lacks: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def ran(self) -> bool:
        """Whether the rule ran."""
        return not self.lacks


@dataclass(frozen=True)
class CardHits:
    """Hits of one card, and the police cases that confirmed it (涉案).

    `cases`: from files signed by a registered source, `signed_by`; `claimed`: from unsigned files. `operator`,
    `city`: from the register; "" if unknown.
    """

    card: str
    hits: tuple[Hit, ...]
    cases: tuple[str, ...] = ()
    signed_by: tuple[str, ...] = ()
    claimed: tuple[str, ...] = ()
    operator: str = ""
    city: str = ""


class Engine(Protocol):
    """Runs rules over canonical records; one instance per scan."""

    def load(
        self,
        tables: Mapping[str, Sequence[Path]],
        columns: Mapping[str, frozenset[str]],
        lists: Mapping[str, Sequence[Mapping[str, object]]],
        as_of: datetime | None,
        texts: Sequence[Path] = (),
    ) -> RecordCoverage:
        """Open Parquet files; ignore all after `as_of`, None: the last day.

        `columns`: those with values. `texts`: files of the texts of hashed record keys.
        """

    def build(self, rules: Sequence[tuple[Rule, Mapping[str, Literal]]], progress: Progress) -> None:
        """Build the rollups that `rules` read."""

    def run(self, rule: Rule, limits: Mapping[str, Literal]) -> RuleRun:
        """Run one rule and add its hits to the table `hits`."""

    def flagged(self, rule: str) -> frozenset[str]:
        """Return the cards that `rule` hit."""

    def forget(self, rule: str) -> None:
        """Remove the hits of `rule`, so that it can run again with other limits."""

    def write_hits(self, path: Path) -> None:
        """Write hits.parquet: card, rule, seen_at, evidence (JSON), sorted."""

    def cards_with_hits(self) -> Iterator[CardHits]:
        """Yield each card with a hit or police case, in order, with the first hit of each rule."""

    def profile(self, cards_at_risk: Path) -> Profile:
        """Return where and when the cards of cards_at_risk.csv are."""

    def cards(self) -> int:
        """Return the number of cards in the register or, without a register, in the records."""
