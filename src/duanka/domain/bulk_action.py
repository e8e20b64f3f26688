"""Bulk actions: one decision for up to 100,000 cards, run card by card."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from duanka.domain.order import STOP_EVENTS, DoneBefore, Event, Grounds, OrderError
from duanka.domain.phone_number import identity, is_emergency, parse
from duanka.domain.text import WordedEnum

# one person suffices, unless a tier needs two
LIFTS = frozenset({Event.RESTORE, Event.EASE, Event.EASE_TO_LIFELINE, Event.WITHDRAW})
MOST_CARDS = 100_000

_INNER_DIGITS = re.compile("(?<=[0-9]{3})[0-9](?=.*[0-9]{2})")  # to mask: all but first 3, last 2
_MAX_SHOWN = 5


class MalformedCard(OrderError):
    """The text is not a telephone number."""


class BulkActionState(WordedEnum):
    """States of a bulk action."""

    PROPOSED = "proposed", "待第二人复核"  # until a second person approves or rejects it
    RUNNING = "running", "执行中"
    DONE = "done", "已完成"
    REJECTED = "rejected", "已否决"
    UNDONE = "undone", "已撤销"
    PARTLY_UNDONE = ("partly_undone", "部分撤销")  # shown while it still stops a card; stored as undone


@dataclass(frozen=True)
class BulkAction:
    """A bulk action and its progress.

    `undoes`: the bulk action that this one reverses (its `event` is RESTORE, and EASE where that applies to a card),
    or the take (T...) whose orders it withdraws. `undone_by`: the bulk actions that reverse this one. `verification`:
    the order that ended without a pass and without evidence that would let a stop follow automatically. Of `total`
    cards, `done` were changed and `skipped` were not, each with a reason; the rest is pending. `approved_at`: when it
    began to run; `approved_by`: None where one person suffices. `before`: set where
    what was asked for had been done, so that nothing changed.
    """

    id: str
    event: Event
    state: BulkActionState
    grounds: Grounds
    proposed_by: str
    proposed_at: datetime
    total: int
    done: int = 0
    skipped: int = 0
    approved_by: str | None = None
    approved_at: datetime | None = None
    finished_at: datetime | None = None
    until: datetime | None = None
    undoes: str | None = None
    verification: str | None = None
    undone_by: tuple[str, ...] = ()
    before: DoneBefore | None = None

    @property
    def left(self) -> int:
        """Number of pending cards."""
        return self.total - self.done - self.skipped

    @property
    def seconds(self) -> float | None:
        """Run time in seconds; None while it is not over, 0 if a clock was set back."""
        if self.approved_at is None or self.finished_at is None:
            return None
        return max(0.0, (self.finished_at - self.approved_at).total_seconds())


@dataclass(frozen=True)
class Skipped:
    """A card that a bulk action did not change, and why."""

    card: str
    why: str


def can_be_asked(event: Event) -> bool:
    """Whether `event` can be requested for many cards at once."""
    return event in STOP_EVENTS or event in LIFTS


def numbers_of(cards: Iterable[str]) -> tuple[tuple[str, ...], int]:
    """Return the distinct cards, sorted (E.164 without +), and the number of repeats. MalformedCard."""
    named = list(cards)
    found = {card: _card(card) for card in named}
    if not found:
        raise OrderError("no card is named; name at least one")
    if wrong := [card for card in named if not found[card]]:
        raise MalformedCard(
            f"{len(wrong)} of {len(named)} are no card numbers: {_listed(wrong)}; write 86 and the eleven digits"
        )
    once = tuple(sorted({card for card in found.values() if card}))
    if len(once) > MOST_CARDS:
        raise OrderError(
            f"{len(once)} cards are more than a bulk action takes ({MOST_CARDS}); make it several bulk actions"
        )
    return once, len(named) - len(once)


def card_of(text: str) -> str:
    """Return a card, written in any form, as E.164 without +; MalformedCard: not a number."""
    return numbers_of([text])[0][0]


def _card(text: str) -> str | None:
    """Parse a subscriber number or protected line; a later check rejects the latter."""
    return parse(text) or (identity(text) if is_emergency(text) else None)


def _listed(cards: list[str]) -> str:
    # masked: a malformed number may still reveal most of a real one
    shown = ", ".join(repr(_INNER_DIGITS.sub("*", card[:24])) for card in cards[:_MAX_SHOWN])
    return shown if len(cards) <= _MAX_SHOWN else f"{shown} and {len(cards) - _MAX_SHOWN} more"
