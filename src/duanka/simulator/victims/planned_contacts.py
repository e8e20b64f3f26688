"""Calls and messages planned by name rather than drawn card by card, collected while people are settled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from duanka.simulator.calls import CallRows, EventRows, WorkedCalls
from duanka.simulator.chance import Ints, Rng
from duanka.simulator.traits import DAY
from duanka.simulator.victims.lines import CallLines


class Target(NamedTuple):
    """Somebody whom a gang talks to: a card of the province, or -1 and a number outside it."""

    card: int
    number: int

    @property
    def line(self) -> int:
        """What a call of this person occupies: no card has so large an index as a number."""
        return self.card if self.card >= 0 else self.number


class _Call(NamedTuple):
    card: int
    other: int
    peer: int
    out: bool
    at: int
    seconds: int


class _Text(NamedTuple):
    card: int
    peer: int
    out: bool
    at: int


@dataclass
class PlannedContacts:
    """What is planned so far. `hidden`: (card, from, until) in which it answers no other call."""

    numbers: Ints
    lines: CallLines
    calls: list[_Call] = field(default_factory=list)
    texts: list[_Text] = field(default_factory=list)
    hidden: list[tuple[int, int, int]] = field(default_factory=list)

    def free(self, card: int, person: Target, at: int, seconds: int) -> tuple[int, int] | None:
        """When both can talk, not before `at`: (begin, seconds); None: not within days."""
        for _ in range(4):
            found = self.lines.next_free(card, at, seconds)
            if not found:
                return found
            at = self.lines.gap(person.line, *found)
            if at == found[0]:
                return found
        return None

    def call(self, card: int, person: Target, at: int, seconds: int, *, back: bool = False) -> None:
        """Plan that `card` calls `person`, or is called `back`; 0 seconds: not answered."""
        lasting = max(seconds, 1)
        self.lines.take(card, at, lasting)
        self.lines.take(person.line, at, lasting)
        if person.card < 0:
            self.calls.append(_Call(card, -1, person.number, not back, at, seconds))
            return
        caller, called = (person.card, card) if back else (card, person.card)
        self.calls.append(_Call(caller, called, 0, True, at, seconds))

    def line_called(self, card: int, line: int, at: int, seconds: int) -> int:
        """Plan a call to a bank's or public line when `card` is free; returns its end."""
        at = self.lines.gap(card, at, seconds)
        self.lines.take(card, at, seconds)
        self.calls.append(_Call(card, -1, line, True, at, seconds))
        return at + seconds

    def text(self, card: int, person: Target, at: int) -> None:
        """Plan a message from `card` to `person`."""
        self.texts.append(_Text(card, person.number, True, at))
        if person.card >= 0:
            self.texts.append(_Text(person.card, int(self.numbers[card]), False, at))

    def text_before(self, card: int, person: Target, call_at: int, rng: Rng) -> None:
        """Plan a message up to half an hour before a call, in the turn of the call."""
        if turn := self.lines.turn(card, call_at // DAY):
            self.text(card, person, max(turn[0], call_at - int(rng.integers(60, 1_800))))

    def code(self, card: int, sender: int, at: int) -> None:
        """Plan a message from a bank or platform."""
        self.texts.append(_Text(card, sender, False, at))


@dataclass(frozen=True)
class ContactRows:
    """The planned contacts as columns, with what the generators need of them by day."""

    calls: WorkedCalls
    texts: EventRows

    def on_day(self, day: int) -> ContactRows:
        """Return the rows of one day."""
        calls, texts = self.calls.rows.at // DAY == day, self.texts.at // DAY == day
        return ContactRows(self.calls.where(calls), self.texts.where(texts))

    def of_group(self, turn: int, turns: int) -> ContactRows:
        """Return the rows of every k-th card."""
        return ContactRows(
            self.calls.where(self.calls.rows.card % turns == turn),
            self.texts.where(self.texts.card % turns == turn),
        )


def contact_rows(planned: PlannedContacts) -> ContactRows:
    """Turn what is planned into columns."""
    calls = np.array(planned.calls, dtype=np.int64).reshape(-1, 6).T
    texts = np.array(planned.texts, dtype=np.int64).reshape(-1, 4).T
    card, other, peer, out, at, seconds = calls
    peer = np.where(other >= 0, planned.numbers[np.maximum(other, 0)], peer)
    none = np.zeros(len(card), dtype=np.int64)
    rows = CallRows(card, peer, out > 0, at, seconds, seconds > 0, none)
    busy = np.concatenate(
        [
            np.stack((card, at, at + np.maximum(seconds, 1))),
            np.stack((other, at, at + np.maximum(seconds, 1)))[:, other >= 0],
        ],
        axis=1,
    )
    hidden = np.array(planned.hidden, dtype=np.int64).reshape(-1, 3).T
    return ContactRows(
        WorkedCalls(rows, other, _ordered(busy), _ordered(hidden)),
        EventRows(texts[0], texts[1], texts[2] > 0, texts[3]),
    )


def _ordered(spans: Ints) -> Ints:
    """Sort spans (card, from, until) by card and time."""
    return np.asarray(spans[:, np.lexsort((spans[1], spans[0]))])
