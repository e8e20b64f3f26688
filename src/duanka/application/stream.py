"""The live path: micro-batches in, hits that come and go out, and what is asked for each card beside them.

Three things stand at every moment: what intake may forget (committed), what the state knows (committed with it), and
what was told. They follow each other in this order, so that a restart tells again what was not told, and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from duanka.application.scan import CARDS_AT_RISK, HITS, SPREADSHEET, CardList, Tally
from duanka.domain.decision import Tier
from duanka.domain.findings import CardAtRisk
from duanka.domain.judgement import Judgement, Shadows
from duanka.domain.ports import CardHits
from duanka.domain.rule import Action, Hit
from duanka.domain.streaming import Batch, BatchResult, Feed, HitChange, LiveObserver
from duanka.domain.take import Coverage
from duanka.domain.text import BilingualText

QUARANTINE = "quarantine.parquet"
_REST = 2.0  # seconds, while nothing comes
_TOLD_AT_ONCE = 20_000  # changes: each takes about a kilobyte with its words


class LiveQueries(Protocol):
    """What the live state answers."""

    def changes(self, after: int, most: int) -> Iterator[HitChange]:
        """The changes of hits behind number `after`, in order, at most so many."""

    def cards_with_hits(self, changed: tuple[int, int] | None = None) -> Iterator[CardHits]:
        """Each card with a hit or a case; with `changed`, those whose hits changed from (not with) to (with)."""

    def write_hits(self, path: Path) -> None:
        """Write hits.parquet as a scan does."""

    def write_quarantine(self, path: Path) -> None:
        """Write quarantine.parquet."""


class LiveEngine(Protocol):
    """What keeps the state and judges it."""

    @property
    def answers(self) -> LiveQueries:
        """What the state knows."""

    @property
    def in_history(self) -> bool:
        """Whether what comes was there at the start: nothing of it is late, nothing is judged yet."""

    def reaches(self, now: datetime) -> bool:
        """Whether the records have come to `now`, but for the lateness they are allowed."""

    def end_history(self) -> None:
        """From here on time counts."""

    def positions(self) -> Mapping[str, int]:
        """How far every origin is read and committed."""

    def take(self, batch: Batch, now: datetime, *, settle: bool, judge: bool) -> BatchResult:
        """Take a micro-batch in; with `settle`, commit everything since the last time, and first `judge` it."""

    def finish(self, now: datetime) -> BatchResult:
        """Judge as if nothing more came."""

    def rest(self, seconds: float) -> bool:
        """Nothing waits: put the state in order, about so long."""

    def decided_by(self) -> str:
        """The fingerprint of the policy under which decisions were told last; empty where that is not known."""

    def decide_again(self, policy: str, cards: Collection[str]) -> None:
        """Decisions are told under another policy from here on: those of `cards`, which it changes, are changes."""

    def coverage(self) -> Coverage | None:
        """What the records cover by now; None before the first."""

    def told(self, seq: int) -> None:
        """Changes up to `seq` are written elsewhere for good."""


class DecisionLog(Protocol):
    """Where changes are told, each once."""

    def last_seq(self) -> int:
        """The last change that is told."""

    def decided(self) -> Mapping[str, tuple[str, str]]:
        """Card -> tier and action as they were told last."""

    def write(
        self,
        changes: Sequence[HitChange],
        words: Callable[[Hit], BilingualText],
        cards: Iterable[CardAtRisk],
        covers: Coverage | None,
    ) -> None:
        """Tell these changes, what is asked for their cards now, and what the records cover by now."""


@dataclass(frozen=True)
class Following:
    """The parts of a live run. While records wait, they are committed every `settle` seconds and judged every `pace`
    seconds; else at once. `once`: do not wait for more.

    `clock`: now, local; `ticks`: seconds that only grow.
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
    """What a live run did so far."""

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
    """Follow a feed until it ends or is stopped. Says to the watch how it goes, and to the ledger what it found."""
    so_far, waits = Followed(), dict[str, int]()
    so_far.told += _tell(run)  # what an earlier run committed and did not come to tell
    so_far.told += _decide_again(run)
    settled_at = judged_at = run.ticks()
    for batch in run.feed.batches(run.engine.positions()):
        waits |= batch.positions
        waiting = run.feed.waiting()
        caught_up = not waiting.pieces
        # An empty batch alone may come from a server that has not answered yet, or from one large file.
        if run.engine.in_history and not run.once and not batch.records and waiting.backlog == 0:
            run.engine.end_history()  # what lay there at the start is in
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
            run.engine.rest(_REST)
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
    """Whether what lay there at the start is in, and what comes is of now, although records never cease to come.

    One record of now among those of three months says nothing: clocks are wrong, and files come in any order.
    """
    return run.feed.waiting().backlog == 0 and run.engine.reaches(run.clock())


def _tell(run: Following) -> int:
    """Write the changes that are committed and not told yet; returns how many."""
    told = 0
    answers = run.engine.answers
    while changes := list(answers.changes(run.ledger.last_seq(), _TOLD_AT_ONCE)):
        between = (changes[0].seq - 1, changes[-1].seq)
        cards = map(run.judgement.of, answers.cards_with_hits(between))
        run.ledger.write(changes, run.judgement.words, cards, run.engine.coverage())
        run.engine.told(changes[-1].seq)
        told += len(changes)
    return told


def _decide_again(run: Following) -> int:
    """Tell the decisions that this policy makes otherwise than the one before, over the same hits; how many."""
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
    """Write the hits as they stand, cards_at_risk.csv and quarantine.parquet, as a scan leaves them, to `out`.

    Notes every card in `shadows`; returns the count of those that are listed.
    """
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


__all__ = [
    "CARDS_AT_RISK",
    "HITS",
    "QUARANTINE",
    "SPREADSHEET",
    "Followed",
    "Following",
    "follow_records",
    "write_lists",
]
