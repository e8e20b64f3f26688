"""The live path: micro-batches in, changes of hits and decisions out.

Input positions and state are committed in one transaction; then their changes are written to the decision
log. After a restart, the committed changes that the log lacks are written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from duanka.application.scan import HITS, CardList, Tally
from duanka.domain.decision import Tier
from duanka.domain.findings import CardAtRisk
from duanka.domain.judgement import Judgement, Shadows
from duanka.domain.ports import CardHits
from duanka.domain.rule import Action, Hit
from duanka.domain.streaming import Batch, BatchResult, Feed, HitChange, LiveObserver
from duanka.domain.take import Coverage
from duanka.domain.text import BilingualText

QUARANTINE = "quarantine.parquet"
_MAINTENANCE_SECONDS = 2.0  # time for maintenance after an empty batch
_CHANGES_PER_WRITE = 20_000  # changes per write; each takes about 1 kB with its texts


class LiveQueries(Protocol):
    """Queries on the live state."""

    def changes(self, after: int, most: int) -> Iterator[HitChange]:
        """Up to `most` changes of hits with a sequence number above `after`, in order."""

    def cards_with_hits(self, changed: tuple[int, int] | None = None) -> Iterator[CardHits]:
        """Yield the cards with a hit or a case.

        `changed`: (after, upto), only the cards whose hits changed with sequence numbers above `after` and up
        to `upto`; cards without any hit left are included.
        """

    def write_hits(self, path: Path) -> None:
        """Write hits.parquet in the format of a scan."""

    def write_quarantine(self, path: Path) -> None:
        """Write quarantine.parquet."""


class LiveEngine(Protocol):
    """Keeps the state and evaluates the rules on it."""

    @property
    def answers(self) -> LiveQueries:
        """Queries on the state."""

    @property
    def in_history(self) -> bool:
        """Whether the backlog found at the start is being read: no record is late, no card is judged."""

    def reaches(self, now: datetime) -> bool:
        """Whether the records have reached `now`, less the lateness allowed."""

    def end_history(self) -> None:
        """End the backlog phase: from now on, records can be late."""

    def positions(self) -> Mapping[str, int]:
        """Origin -> position up to which it is read and committed."""

    def take(self, batch: Batch, now: datetime, *, settle: bool, judge: bool) -> BatchResult:
        """Take in a micro-batch; with `settle`, run the rules (if `judge`), then commit all so far."""

    def finish(self, now: datetime) -> BatchResult:
        """Judge everything, as at the end of the input."""

    def rest(self, seconds: float) -> bool:
        """Maintain the state for about `seconds` while no records wait."""

    def decided_by(self) -> str:
        """Fingerprint of the policy of the last decisions written; empty where unknown."""

    def decide_again(self, policy: str, cards: Collection[str]) -> None:
        """Adopt another policy; add a change for each of `cards`, whose decisions differ under it."""

    def coverage(self) -> Coverage | None:
        """Coverage of the records; None before the first record and during the backlog."""

    def told(self, seq: int) -> None:
        """Acknowledge that changes up to `seq` are written to the decision log."""


class DecisionLog(Protocol):
    """Append-only log of changes, each written once."""

    def last_seq(self) -> int:
        """Sequence number of the last change written."""

    def decided(self) -> Mapping[str, tuple[str, str]]:
        """Card -> (tier, action) as last written."""

    def write(
        self,
        changes: Sequence[HitChange],
        words: Callable[[Hit], BilingualText],
        cards: Iterable[CardAtRisk],
        covers: Coverage | None,
    ) -> None:
        """Write changes, the decisions on their cards, and the coverage of the records."""


@dataclass(frozen=True)
class Following:
    """The parts of a live run.

    While records wait, they are committed every `settle` seconds and judged every `pace` seconds; otherwise
    at once. `once`: end when no records wait. `clock`: current time in the operator's zone, naive. `ticks`:
    monotonic seconds.
    """

    feed: Feed
    engine: LiveEngine
    judgement: Judgement
    ledger: DecisionLog
    watch: LiveObserver
    clock: Callable[[], datetime]
    ticks: Callable[[], float]
    settle: float = 5.0
    pace: float = 30.0
    once: bool = False


@dataclass
class Followed:
    """Counts of a live run so far."""

    records: int = 0
    used: int = 0
    aside: int = 0
    late: int = 0
    repeated: int = 0
    ahead: int = 0
    told: int = 0
    last: BatchResult = field(default_factory=BatchResult)

    def add(self, taken: BatchResult) -> None:
        """Count one micro-batch."""
        self.records += taken.records
        self.used += taken.used
        self.aside += taken.aside
        self.late += taken.late
        self.repeated += taken.repeated
        self.ahead += taken.ahead
        self.last = taken


def follow_records(run: Following) -> Followed:
    """Process a feed until it ends or is stopped, and write all changes to the log."""
    so_far, waits = Followed(), dict[str, int]()
    so_far.told += _tell(run)  # changes that an earlier run committed but did not write
    so_far.told += _decide_again(run)
    settled_at = judged_at = run.ticks()
    for batch in run.feed.batches(run.engine.positions()):
        waits |= batch.positions
        waiting = run.feed.waiting()
        caught_up = not waiting.pieces
        # An empty batch does not end the backlog: a server may be slow, or one large file is being read.
        if run.engine.in_history and not run.once and not batch.records and waiting.backlog == 0:
            run.engine.end_history()  # the backlog found at the start is processed
        judge = caught_up or run.ticks() - judged_at >= run.pace
        settle = judge or run.ticks() - settled_at >= run.settle
        taken = run.engine.take(batch, run.clock(), settle=settle, judge=judge)
        so_far.add(taken)
        if run.engine.in_history and not run.once and _has_caught_up(run):
            run.engine.end_history()
        if settle:
            run.feed.settled(waits)
            waits.clear()
            so_far.told += _tell(run)
            settled_at = run.ticks()
            judged_at = settled_at if judge else judged_at
        run.watch.note(taken, run.feed.waiting())
        if not batch.records:
            run.engine.rest(_MAINTENANCE_SECONDS)
    so_far.add(
        run.engine.finish(run.clock())
        if run.once
        else run.engine.take(Batch(), run.clock(), settle=True, judge=True)
    )
    run.feed.settled(waits)
    so_far.told += _tell(run)
    run.watch.note(so_far.last, run.feed.waiting())
    return so_far


def _has_caught_up(run: Following) -> bool:
    """Whether the backlog is processed and records are current.

    Needed where no batch is ever empty. One current record among three months of old ones does not suffice:
    clocks may be wrong, and files come in any order.
    """
    return run.feed.waiting().backlog == 0 and run.engine.reaches(run.clock())


def _tell(run: Following) -> int:
    """Write the changes that are committed but not written yet; returns how many."""
    told = 0
    answers = run.engine.answers
    while changes := list(answers.changes(run.ledger.last_seq(), _CHANGES_PER_WRITE)):
        between = (changes[0].seq - 1, changes[-1].seq)
        cards = map(run.judgement.of, answers.cards_with_hits(between))
        run.ledger.write(changes, run.judgement.words, cards, run.engine.coverage())
        run.engine.told(changes[-1].seq)
        told += len(changes)
    return told


def _decide_again(run: Following) -> int:
    """Write the decisions that this policy changes for unchanged hits; return how many."""
    if run.engine.decided_by() == run.judgement.fingerprint:
        return 0
    told = run.ledger.decided()
    nothing = (Tier.LOW.word, Action.WATCH.word)
    changed = [
        card.card
        for card in map(run.judgement.of, run.engine.answers.cards_with_hits())
        if told.get(card.card, nothing) != (card.tier.word, card.action.word)
    ]
    run.engine.decide_again(run.judgement.fingerprint, changed)
    return _tell(run)


def write_lists(
    answers: LiveQueries, judgement: Judgement, shadows: Shadows, card_list: CardList, out: Path
) -> Tally:
    """Write the lists of the current state as a scan does; fill `shadows`, return the tally."""
    tally = Tally()
    answers.write_hits(out / HITS)
    answers.write_quarantine(out / QUARANTINE)
    with card_list:
        for card in map(judgement.of, answers.cards_with_hits()):
            shadows.note(card)
            if card.listed:
                card_list.add(card)
                tally.note(card)
    return tally
