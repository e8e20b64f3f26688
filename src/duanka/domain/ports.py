"""The Protocols through which `bootstrap` hands the rooms to `application`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from duanka.domain.rule import Hit, Literal, Rule


class Progress(Protocol):
    """Told how far a long piece of work is. `total` None: not known. Units are the caller's words."""

    def step(self, what: str, done: float, total: float | None = None) -> None:
        """`what` has come to `done` of `total`."""


class Silent:
    """A Progress that says nothing: for tests and pipes."""

    def step(self, what: str, done: float, total: float | None = None) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class RecordCoverage:
    """The event time that the records cover, local.

    `first`    the first record that counts
    `since`    from here on every kind of use is in the records, so that an absence of use is certain
    `until`    "now": windows that ended by then are closed, and nothing after it is seen
    `certain`  to here the records reach, so that an absence of use is certain
    `reach`    the last record ends here; `certain` is later where `as_of` says so
    `as_of`    "now" where a person said it: a police case counts if it was confirmed by then, else as delivered
    `outside`  records before or after it, which the rules do not see: strays of a wrong clock, or after `as_of`
    `days`     record table -> days within it that have records of it
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
    """A place, outlet or device: `at_risk` of its `cards` have an action beyond watch."""

    name: str
    title: str
    at_risk: int
    cards: int


@dataclass(frozen=True)
class HitsOfDay:
    """How often a rule was tripped on a day."""

    day: date
    rule: str
    hits: int


@dataclass(frozen=True)
class Profile:
    """Where and when the cards at risk are: the largest first, at most a few dozen each."""

    outlets: tuple[Share, ...]
    cities: tuple[Share, ...]
    devices: tuple[Share, ...]
    days: tuple[HitsOfDay, ...]


@dataclass(frozen=True)
class RuleRun:
    """How one rule fared. `lacks`: "table.column" it needs and did not get; then it did not run.

    `without`: tables it would also have read. `unsure`: cards that the records reach back too little to judge.
    """

    rule: str
    hits: int = 0
    cards: int = 0
    unsure: int = 0
    lacks: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def ran(self) -> bool:
        """Whether the rule ran at all."""
        return not self.lacks


@dataclass(frozen=True)
class CardHits:
    """The hits of one card, and the police cases it was confirmed in (涉案).

    `cases`: of files that a registered source signed, `signed_by` those; `claimed`: of files that nobody signed.
    `operator`, `city`: of the card, as the register says; "" where it does not.
    """

    card: str
    hits: tuple[Hit, ...]
    cases: tuple[str, ...] = ()
    signed_by: tuple[str, ...] = ()
    claimed: tuple[str, ...] = ()
    operator: str = ""
    city: str = ""


class Engine(Protocol):
    """What runs rules over canonical records. One engine value serves one scan."""

    def load(
        self,
        tables: Mapping[str, Sequence[Path]],
        columns: Mapping[str, frozenset[str]],
        lists: Mapping[str, Sequence[Mapping[str, object]]],
        as_of: datetime | None,
    ) -> RecordCoverage:
        """Open canonical Parquet files; nothing after `as_of` is seen (None: the end of the last day).

        `columns`: table -> columns that hold at least one value.
        """

    def build(self, rules: Sequence[tuple[Rule, Mapping[str, Literal]]], progress: Progress) -> None:
        """Build the rollups that `rules` read."""

    def run(self, rule: Rule, limits: Mapping[str, Literal]) -> RuleRun:
        """Run one rule; its hits join the table `hits`."""

    def flagged(self, rule: str) -> frozenset[str]:
        """The cards that `rule` hit."""

    def forget(self, rule: str) -> None:
        """Take the hits of `rule` back, so that it can run again with other limits."""

    def write_hits(self, path: Path) -> None:
        """Write hits.parquet: card, rule, seen_at, evidence (JSON), sorted."""

    def cards_with_hits(self) -> Iterator[CardHits]:
        """Each card with a hit or a police case: the first hit of every rule it tripped, cards in order."""

    def profile(self, cards_at_risk: Path) -> Profile:
        """Where and when the cards of cards_at_risk.csv are."""

    def cards(self) -> int:
        """How many cards there are: in the register, or without one in the records."""
