"""Generates the calls of a day: count, peer, time, length, and the peer's own row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from duanka.simulator.chance import Flags, Floats, Hash, Ints, Rng, below, hashed, mix, unit
from duanka.simulator.chance import words as drawn_words
from duanka.simulator.limits import Limits
from duanka.simulator.province import (
    BANKS,
    EMERGENCY,
    OPERATOR_LINES,
    PUBLIC_LINES,
    foreign_to_us,
    numbers_abroad,
)
from duanka.simulator.traits import DAY, PARTNERS, Traits

LONGEST = 7_200  # seconds; operators cut calls after two hours
COMMUNITY_CONTACTS = 60  # numbers that people of one neighbourhood know: a clinic, a school, a neighbour
HANG_UP = 240  # seconds after its turn in which a port still ends the call of a card that is `cut_off`

# Weights of the 24 hours of a day, a row per people.*_RHYTHM. The first row is fitted to the busiest hours of
# measured honest users (peaks 10-11 and 17-18), the second to those of fraud users (flat from 10 to 17).
RHYTHMS: tuple[tuple[float, ...], ...] = (
    (4, 2, 1, 1, 1, 3, 12, 32, 58, 78, 93, 92, 74, 58, 54, 56, 66, 86, 89, 68, 48, 31, 16, 8),
    (0, 0, 0, 0, 0, 0, 0, 1, 12, 55, 100, 100, 98, 100, 100, 100, 100, 98, 45, 22, 18, 5, 0, 0),
    (0, 0, 0, 0, 0, 0, 4, 25, 80, 105, 110, 105, 80, 75, 85, 90, 95, 105, 90, 60, 30, 8, 0, 0),
    (0, 0, 0, 0, 0, 0, 0, 0, 30, 100, 115, 105, 40, 60, 105, 110, 105, 85, 25, 10, 5, 0, 0, 0),
    (18, 10, 6, 4, 5, 12, 35, 65, 70, 60, 58, 60, 58, 54, 54, 56, 62, 74, 74, 66, 60, 55, 48, 32),
    (0, 0, 0, 0, 0, 0, 1, 8, 40, 80, 100, 98, 75, 80, 92, 95, 92, 95, 80, 55, 45, 25, 5, 0),
)


@dataclass(frozen=True)
class EventRows:
    """Messages, or calls, as columns of equal length; `at`: second of the window."""

    card: Ints
    peer: Ints
    out: Flags
    at: Ints

    def where(self, keep: Flags | Ints) -> Self:
        """Return the rows picked by a mask or by indices."""
        return type(self)(*(column[keep] for column in vars(self).values()))

    def and_then(self, *others: Self) -> Self:
        """Append the rows of `others`."""
        return type(self)(
            *map(np.concatenate, zip(*(vars(p).values() for p in (self, *others)), strict=True))
        )


@dataclass(frozen=True)
class CallRows(EventRows):
    """Calls. forwarded: number forwarded from, 0 for none."""

    seconds: Ints
    answered: Flags
    forwarded: Ints


@dataclass(frozen=True)
class PlannedCalls:
    """Calls to be made, in any order. other: the called card of the province, or -1 and `peer` says who."""

    card: Ints
    other: Ints
    peer: Ints
    at: Ints  # second of the window
    seconds: Ints  # 0: not answered

    def where(self, keep: Flags | Ints) -> Self:
        """Return the calls picked by a mask or by indices."""
        return type(self)(*(column[keep] for column in vars(self).values()))

    def rows(self, numbers: Ints) -> tuple[CallRows, Ints]:
        """Return the callers' rows, and the called cards; `numbers`: own number of every card."""
        peer = np.where(self.other >= 0, numbers[self.other], self.peer)
        out, none = np.ones(len(peer), dtype=np.bool_), np.zeros(len(peer), dtype=np.int64)
        return CallRows(self.card, peer, out, self.at, self.seconds, self.seconds > 0, none), self.other


@dataclass(frozen=True)
class WorkedCalls:
    """Calls that take place whatever else the two cards do; of a world with victims.

    `other`: the card of the province at the other end, or -1. `busy`, `hidden`: rows of (card, from, until) in second
    of the window, sorted: of these calls, and of times in which a card answers nobody else.
    """

    rows: CallRows
    other: Ints
    busy: Ints
    hidden: Ints

    def where(self, keep: Flags) -> WorkedCalls:
        """Return the calls picked by a mask; the times stay."""
        return WorkedCalls(self.rows.where(keep), self.other[keep], self.busy, self.hidden)

    def make_room(self, rows: CallRows, other: Ints) -> tuple[CallRows, Ints]:
        """Return `rows` without those during one of these calls, and those that nobody answers as unanswered."""
        until = rows.at + rows.seconds
        keep = ~_during(self.busy, rows.card, rows.at, until)
        rows, other, until = rows.where(keep), other[keep], until[keep]
        silent = ~rows.out & _during(self.hidden, rows.card, rows.at, rows.at)
        ours = np.flatnonzero(other >= 0)
        there, at = other[ours], rows.at[ours]
        silent[ours] |= _during(self.busy, there, at, until[ours]) | _during(self.hidden, there, at, at)
        rows.answered[silent] = False
        rows.seconds[silent] = 0
        return rows.and_then(self.rows), np.concatenate((other, self.other))


def _during(spans: Ints, card: Ints, begin: Ints, until: Ints) -> Flags:
    """Whether each of `card` has one of `spans` between `begin` and `until`; those of a card do not overlap."""
    if not spans.shape[1]:
        return np.zeros(len(card), dtype=np.bool_)
    last = np.searchsorted((spans[0] << 32) + spans[1], (card << 32) + until, side="right") - 1
    found = spans[:, np.maximum(last, 0)]
    return np.asarray((last >= 0) & (found[0] == card) & (found[2] >= begin))


_HOURS: NDArray[np.int64] = np.stack(
    [
        np.searchsorted(np.cumsum(row) / np.sum(row), (np.arange(2048) + 0.5) / 2048).astype(np.int64)
        for row in (np.array(rhythm, dtype=np.float64) for rhythm in RHYTHMS)
    ]
)


@dataclass(frozen=True)
class CallDay:
    """Input of one day's calls for one group of cards."""

    traits: Traits
    numbers: Ints  # own number of every card
    cards: Ints  # cards whose calls are generated in this group
    day: int
    weekend: bool
    callable_cards: Ints  # voice cards in use today, which strangers may call
    mood: Floats  # factor on the rates of every card today
    planned: PlannedCalls | None = None  # what is made besides
    texts: EventRows | None = None  # messages sent besides
    limits: Limits | None = None  # counters of cards in boxes
    worked: WorkedCalls | None = None  # calls that others make room for
    text_share: Floats | None = None  # of every card: so many of those whom it calls get a message before
    texted: list[EventRows] = field(default_factory=list)  # those messages, once the calls are known

    def counts(self, rates: Floats, rng: Rng) -> Ints:
        """Draw the number of events of each card of the group, at `rates` per day."""
        t, cards = self.traits, self.cards
        expected = rates[cards] * self.mood[cards]
        if self.weekend:
            expected = expected * t.weekend[cards]
        return rng.poisson(np.where(t.used_on(self.day, cards), expected, 0.0))


def invent_calls(today: CallDay, rng: Rng) -> CallRows:
    """Generate the calls of a day; one between two cards of the province gives two rows."""
    t = today.traits
    parts = []
    for out, rates in ((True, t.out_rate), (False, t.in_rate)):
        card = np.repeat(today.cards, today.counts(rates, rng))
        parts.append(_with_others(today, card, out, rng))
    card = np.repeat(today.cards, today.counts(t.link_rate, rng))
    parts.append(_with_partners(today, card, rng))
    if today.planned:
        parts.append(today.planned.rows(today.numbers))
    rows, *more = (part for part, _ in parts)
    return _both_sides(today, rows.and_then(*more), np.concatenate([other for _, other in parts]), rng)


def _with_others(today: CallDay, card: Ints, out: bool, rng: Rng) -> tuple[CallRows, Ints]:
    t, n = today.traits, len(card)
    stranger = rng.random(n) < (t.stranger_out if out else t.stranger_in)[card]
    rank = np.power(t.favourites[card] + 1.0, rng.random(n)).astype(np.int64)  # P(rank) ~ 1/rank
    words = hashed(t.key[card], 71, rank)
    at = np.flatnonzero(stranger)
    some = card[at]
    pool = t.day_strangers[some]
    of_day = hashed(
        t.key[some], 72 + today.day * 4096, (rng.random(len(at)) * np.ceil(pool)).astype(np.int64)
    )
    words[at] = np.where(pool > 0, of_day, drawn_words(rng, len(at)))
    if t.shared.any():
        shared = at[rng.random(len(at)) < t.shared[some]]
        line = rng.random(len(shared)) ** t.list_skew[card[shared]] * t.list_size[card[shared]]
        words[shared] = listed(t, card[shared], today.day, line.astype(np.int64))
        _known_around(t, card, np.flatnonzero(~stranger), words, rng)
    peer = foreign_to_us(words)
    abroad = np.flatnonzero(rng.random(n) < t.foreign[card])
    peer[abroad] = numbers_abroad(words[abroad])
    _short_codes(t, card, peer, out, rng)
    other = np.full(n, -1, dtype=np.int64)
    ours = at[rng.random(len(at)) < t.ours[some]]
    if len(today.callable_cards):
        # Chosen by hash, so that a list dialled twice reaches the same card of the province twice.
        other[ours] = today.callable_cards[below(words[ours], len(today.callable_cards))]
        peer[ours] = today.numbers[other[ours]]
    chance = (t.answer_out if out else t.answer_in)[card]
    rows = _calls(today, card, peer, np.full(n, out), chance, rng)
    return rows, other


def listed(t: Traits, card: Ints, day: int, line: Ints) -> Hash:
    """Return the hashes of numbers on the list of each of `card`, which is another one every `list_days`."""
    return hashed(t.list_key[card].astype(np.uint64), 76, day // np.maximum(t.list_days[card], 1), line)


def _known_around(t: Traits, card: Ints, known: Ints, words: Hash, rng: Rng) -> None:
    """Replace some of the contacts at `known` by those that neighbours have too, few of them most often."""
    chosen = known[rng.random(len(known)) < t.circle[card[known]]]
    rank = (rng.random(len(chosen)) ** 2 * COMMUNITY_CONTACTS).astype(np.int64)
    words[chosen] = hashed(t.community[card[chosen]].astype(np.uint64), 78, rank)


def _short_codes(t: Traits, card: Ints, peer: Ints, out: bool, rng: Rng) -> None:
    """Send some calls of people (`day_strangers` 4) to banks, operators, public or emergency lines."""
    lines = np.concatenate((BANKS, OPERATOR_LINES, PUBLIC_LINES))
    chance = rng.random(len(card))
    at = np.flatnonzero((chance < (0.014 if out else 0.02)) & (t.day_strangers[card] == 4.0))
    peer[at] = lines[rng.integers(0, len(lines), len(at))]
    if out:
        at = np.flatnonzero((chance > 0.9998) & (t.day_strangers[card] == 4.0))
        peer[at] = EMERGENCY[rng.integers(0, len(EMERGENCY), len(at))]


def _with_partners(today: CallDay, card: Ints, rng: Rng) -> tuple[CallRows, Ints]:
    t, n = today.traits, len(card)
    column = (PARTNERS * rng.random(n) ** 1.6).astype(np.int64)
    other = t.partners[card, column].astype(np.int64)
    known = other >= 0
    card, other = card[known], other[known]
    rows = _calls(today, card, today.numbers[other], np.full(len(card), True), t.answer_out[card], rng)
    return rows, other


def _calls(today: CallDay, card: Ints, peer: Ints, out: Flags, chance: Floats, rng: Rng) -> CallRows:
    t, n = today.traits, len(card)
    answered = rng.random(n) < chance
    seconds = np.where(answered, _lengths(t.median_seconds[card], t.shape[card], rng), 0)
    hour = _HOURS[t.rhythm[card], rng.integers(0, 2048, n)]
    second = hour * 3600 + rng.integers(0, 3600, n)
    at = np.flatnonzero(t.burst_from[card] >= 0)
    if len(at):
        some = card[at]
        second[at] = _back_to_back(some, seconds[at], t.burst_from[some], t.burst_span[some], rng)
        left = t.burst_from[some] + t.burst_span[some] + HANG_UP - second[at]
        seconds[at] = np.where(t.cut_off[some], np.minimum(seconds[at], left), seconds[at])
    # A few incoming calls are forwarded from another number of the same person.
    forwarded = np.zeros(n, dtype=np.int64)
    over = np.flatnonzero(~out & (rng.random(n) < 0.004))
    forwarded[over] = foreign_to_us(hashed(t.key[card[over]], 73))
    return CallRows(card, peer, out, second + today.day * DAY, seconds, answered, forwarded)


def _lengths(median: Floats, shape: Floats, rng: Rng) -> Ints:
    """Draw call lengths (s): log-logistic, truncated to 1 s and LONGEST."""
    most = 1.0 / (1.0 + (LONGEST / median) ** -shape)
    u = np.maximum(rng.random(len(median)) * most, 1e-9)
    return np.maximum(median * (u / (1.0 - u)) ** (1.0 / shape), 1.0).astype(np.int64)


def _back_to_back(card: Ints, seconds: Ints, start: Ints, span: Ints, rng: Rng) -> Ints:
    """Place the calls of each card one after another within its turn.

    Equal entries of `card` must be adjacent. `start`, `span`: second of the day and length (s) of the turn.
    """
    ringing, gap = rng.integers(9, 26, len(card)), rng.geometric(0.18, len(card))
    spent = seconds + ringing + gap
    before = np.cumsum(spent) - spent
    first = np.flatnonzero(np.diff(card, prepend=-1) != 0)
    group = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(card))))
    total = np.bincount(group, weights=spent, minlength=len(first))
    jitter = (rng.random(len(first)) * np.maximum(span[first] - total, 60)).astype(np.int64)
    place = start + jitter[group] + before - before[first][group]
    # Calls that do not fit into the turn get a time outside every card's life, so that they are dropped later.
    return np.asarray(np.where(place > start + span, -(1 << 40), place), dtype=np.int64)


def _both_sides(today: CallDay, rows: CallRows, other: Ints, rng: Rng) -> CallRows:
    """Drop impossible calls; add the peer's row where it is a card of the province.

    Impossible are calls outside a card's life, with itself, or during another of its calls.
    """
    t = today.traits
    keep = t.alive(rows.card, rows.at)
    at = np.flatnonzero(other >= 0)
    there = other[at]
    keep[at] &= t.alive(there, rows.at[at]) & (there != rows.card[at])
    rows, other = _one_at_a_time(rows.where(keep), other[keep])
    if today.limits:
        keep = today.limits.allowed(rows.card, rows.out, rows.seconds, rows.answered)
        rows, other = rows.where(keep), other[keep]
    if today.text_share is not None:
        today.texted.append(_text_before(today, rows, other, today.text_share))
    if today.worked:
        rows, other = today.worked.make_room(rows, other)
    heard = _bridged(today, rows, rng)
    mirrored = np.flatnonzero(other >= 0)
    seen = rows.where(mirrored)
    mirror = CallRows(
        other[mirrored],
        today.numbers[seen.card],
        ~seen.out,
        seen.at,
        seen.seconds,
        seen.answered,
        np.zeros(len(mirrored), dtype=np.int64),
    )
    return rows.and_then(mirror, heard)


def _text_before(today: CallDay, rows: CallRows, other: Ints, share: Floats) -> EventRows:
    """Messages to some of those whom cards call, up to half an hour before the first call of the day."""
    t = today.traits
    lot = hashed(t.key[rows.card], 83, rows.peer)
    at = np.flatnonzero(rows.out & (rows.peer > 10**10) & (unit(lot) < share[rows.card]))
    at = at[np.argsort(rows.at[at], kind="stable")]
    at = at[np.unique(lot[at], return_index=True)[1]]
    card, there = rows.card[at], other[at]
    sent = rows.at[at] - 60 - below(mix(lot[at]), 1_740)
    begin = t.burst_from[card] + today.day * DAY
    sent = np.where(t.burst_from[card] >= 0, np.maximum(sent, begin), np.maximum(sent, today.day * DAY))
    out = np.ones(len(at), dtype=np.bool_)
    ours = there >= 0
    received = EventRows(there[ours], today.numbers[card[ours]], ~out[ours], sent[ours])
    return EventRows(card, rows.peer[at], out, sent).and_then(received)


def _one_at_a_time(rows: CallRows, other: Ints) -> tuple[CallRows, Ints]:
    """During a call of a card, mark its incoming calls unanswered, drop outgoing ones."""
    order = np.argsort((rows.card << 32) + rows.at, kind="stable")
    rows, other = rows.where(order), other[order]
    base = rows.card << 32  # keeps the running maximum within the card
    until = np.maximum.accumulate(base + rows.at + rows.seconds)
    busy = np.zeros(len(order), dtype=np.bool_)
    busy[1:] = (rows.card[1:] == rows.card[:-1]) & (until[:-1] > base[1:] + rows.at[1:])
    rows.answered[busy] = False
    rows.seconds[busy] = 0
    keep = ~(busy & rows.out)
    return rows.where(keep), other[keep]


def _bridged(today: CallDay, rows: CallRows, rng: Rng) -> CallRows:
    """Generate, for each call of a bridging phone, its partner phone's parallel call."""
    t = today.traits
    said = rows.where((t.bridge[rows.card] >= 0) & rows.out & (rows.peer > 10_000_000))
    ear, n = t.bridge[said.card], len(said.card)
    begun = said.at - rng.integers(3, 20, n)
    # the gang's call room uses a handful of lines
    room = hashed(t.gang[ear].astype(np.uint64), 74, rng.integers(0, 5, n))
    peer = np.where(rng.random(n) < 0.6, numbers_abroad(room), foreign_to_us(room))
    lasting = said.seconds + (said.at - begun) + rng.integers(1, 9, n)
    lasting = np.where(said.answered, lasting, rng.integers(8, 40, n))
    forwarded = np.where(rng.random(n) < 0.1, foreign_to_us(hashed(t.key[ear], 75)), 0)
    return CallRows(
        ear, peer, np.zeros(n, dtype=np.bool_), begun, lasting, np.ones(n, dtype=np.bool_), forwarded
    )
