"""An act: what a person asks for one card or ten thousand at once, decided once and carried out card by card."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from duanka.domain.order import STOPS, Event, Grounds, OrderError
from duanka.domain.phone_number import identity, is_emergency, parse
from duanka.domain.text import WordedEnum

LIFTS = frozenset(
    {Event.RESTORE, Event.EASE, Event.WITHDRAW}
)  # they take nothing from anybody: one person suffices
MOST_CARDS = 100_000

_INSIDE = re.compile("(?<=[0-9]{3})[0-9](?=.*[0-9]{2})")  # digits but for the first three and the last two
_SHOWN = 5


class MalformedCard(OrderError):
    """What was written is no telephone number."""


class ActState(WordedEnum):
    """What may become of an act."""

    PROPOSED = "proposed", "待第二人复核"  # waits for a second person
    RUNNING = "running", "执行中"
    DONE = "done", "已完成"
    REJECTED = "rejected", "已否决"
    UNDONE = "undone", "已撤销"
    PARTLY_UNDONE = (
        "partly_undone",
        "部分撤销",
    )  # as it is shown while it still stops a card; stored as undone


@dataclass(frozen=True)
class Act:
    """One act and how far it is. `undoes`: the act that it puts back; its `event` is then RESTORE, card by card EASE;
    or the take (T...) whose orders it withdraws. `undone_by`: the acts that put this one back.

    `verification`: the order that ended unpassed, without evidence that would let a stop follow by itself.
    `total` cards, of which `done` were changed and `skipped` were not, each with a reason; the rest is still to come.
    `approved_at` is when it began to run; `approved_by` is None where one person suffices.
    """

    id: str
    event: Event
    state: ActState
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

    @property
    def left(self) -> int:
        """Cards that are still to come."""
        return self.total - self.done - self.skipped

    @property
    def seconds(self) -> float | None:
        """From the beginning to the end of the run; None while it is not over. A clock set back makes it 0."""
        if self.approved_at is None or self.finished_at is None:
            return None
        return max(0.0, (self.finished_at - self.approved_at).total_seconds())


@dataclass(frozen=True)
class Skipped:
    """A card that an act did not change, and why."""

    card: str
    why: str


def can_be_asked(event: Event) -> bool:
    """Whether `event` can be asked for many cards at once."""
    return event in STOPS or event in LIFTS


def numbers_of(cards: Iterable[str]) -> tuple[tuple[str, ...], int]:
    """The cards as E.164 without +, each once and in order, and how often one was named again.

    MalformedCard names those that are none: a list that is wrong in one place may be wrong in others.
    """
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
        raise OrderError(f"{len(once)} cards are more than an act takes ({MOST_CARDS}); make it several acts")
    return once, len(named) - len(once)


def card_of(text: str) -> str:
    """One card as a person or a program writes it, as E.164 without +; MalformedCard where it is none."""
    return numbers_of([text])[0][0]


def _card(text: str) -> str | None:
    """A subscriber, or a line that is always protected: what is asked for that one is answered by saying so."""
    return parse(text) or (identity(text) if is_emergency(text) else None)


def _listed(cards: list[str]) -> str:
    # what is no number may still be most of one: a digit lost, a number of another country
    shown = ", ".join(repr(_INSIDE.sub("*", card[:24])) for card in cards[:_SHOWN])
    return shown if len(cards) <= _SHOWN else f"{shown} and {len(cards) - _SHOWN} more"
