"""Generates the records of a day besides calls: messages, sightings, data volumes."""

from __future__ import annotations

import numpy as np

from duanka.simulator.calls import RHYTHMS, CallDay, EventRows
from duanka.simulator.chance import Ints, Rng, hashed, words
from duanka.simulator.province import BANKS, OPERATOR_LINES, PUBLIC_LINES, foreign_to_us, platform_numbers
from duanka.simulator.traits import DAY, Traits

_WAKING = np.cumsum(np.array(RHYTHMS[4]) / np.sum(RHYTHMS[4]))


def _moments(t: Traits, card: Ints, day: int, rng: Rng) -> Ints:
    """Draw times (s of the window): in waking hours, or in a box card's dialling turn."""
    hour = np.searchsorted(_WAKING, rng.random(len(card))).astype(np.int64)
    second = np.minimum(hour, 23) * 3600 + rng.integers(0, 3600, len(card))
    turn = t.burst_from[card]
    within = turn - 60 + (rng.random(len(card)) ** 2 * t.burst_span[card]).astype(np.int64)
    return np.asarray(np.where(turn >= 0, within, second) + day * DAY, dtype=np.int64)


def invent_messages(today: CallDay, rng: Rng) -> EventRows:
    """Generate the messages of one day: platform codes, notices, texts to contacts."""
    t = today.traits
    code = np.repeat(today.cards, today.counts(t.codes_in, rng))
    notice = np.repeat(today.cards, today.counts(t.notices_in, rng))
    text = np.repeat(today.cards, today.counts(t.texts_out, rng))
    senders = platform_numbers(words(rng, len(code)), t.platforms[code])
    lines = np.concatenate((BANKS[:8], OPERATOR_LINES.repeat(4), PUBLIC_LINES[:2]))
    pick = (hashed(t.key[notice], 81, rng.integers(0, 4, len(notice))) % np.uint64(len(lines))).astype(
        np.int64
    )
    partner = t.partners[text, 0].astype(np.int64)
    rank = np.power(t.favourites[text] + 1.0, rng.random(len(text))).astype(np.int64)
    peer = foreign_to_us(hashed(t.key[text], 71, rank))
    own = (partner >= 0) & (rng.random(len(text)) < 0.25)
    peer[own] = today.numbers[partner[own]]
    card, received = np.concatenate((code, notice, text)), len(code) + len(notice)
    rows = EventRows(
        card,
        np.concatenate((senders, lines[pick], peer)),
        np.arange(len(card)) >= received,
        _moments(t, card, today.day, rng),
    )
    other = np.concatenate((np.full(received, -1, dtype=np.int64), np.where(own, partner, -1)))
    if today.texts:
        rows = rows.and_then(today.texts)
        other = np.concatenate((other, np.full(len(today.texts.card), -1)))
    for more in today.texted:
        rows = rows.and_then(more)
        other = np.concatenate((other, np.full(len(more.card), -1)))
    return _received_too(today, rows, other)


def _received_too(today: CallDay, rows: EventRows, other: Ints) -> EventRows:
    keep = today.traits.alive(rows.card, rows.at) & ((other < 0) | today.traits.alive(other, rows.at))
    rows, other = rows.where(keep), other[keep]
    # Partners receive the text but send no reply by message: most replies go through an app.
    sent = rows.where(other >= 0)
    none = np.zeros(len(sent.card), dtype=np.bool_)
    return rows.and_then(EventRows(other[other >= 0], today.numbers[sent.card], none, sent.at))


def invent_sightings(today: CallDay, rng: Rng) -> tuple[Ints, Ints]:
    """Generate location updates: (card, second of the window)."""
    t = today.traits
    card = np.repeat(today.cards, today.counts(t.sightings, rng))
    at = _moments(t, card, today.day, rng)
    # A new card attaches to the network within seconds.
    start = t.alive_from[today.cards]
    fresh = today.cards[
        (start >= today.day * DAY) & (start < (today.day + 1) * DAY) & (t.sightings[today.cards] > 0)
    ]
    card, at = np.concatenate((card, fresh)), np.concatenate((at, t.alive_from[fresh] + 5))
    keep = t.alive(card, at)
    return card[keep], at[keep]


def invent_data(today: CallDay, rng: Rng) -> tuple[Ints, Ints]:
    """Generate the data volumes of the day: (card, bytes)."""
    t, cards = today.traits, today.cards
    card = cards[t.used_on(today.day, cards) & (t.megabytes[cards] > 0) & (rng.random(len(cards)) < 0.96)]
    volume = t.megabytes[card] * 1e6 * np.exp(0.8 * rng.standard_normal(len(card)))
    return card, np.maximum(volume, 400).astype(np.int64)


def invent_shop_visits(today: CallDay, trader_role: int, rng: Rng) -> tuple[Ints, Ints, Ints, Ints]:
    """Generate cards tried in phones of traders: (card, second of the window, trader, phone 0..3)."""
    t = today.traits
    traders = np.flatnonzero(t.role == trader_role)
    trader = np.repeat(traders, rng.poisson(1.4, len(traders))) if len(today.callable_cards) else traders[:0]
    card = rng.choice(today.callable_cards, len(trader)) if len(trader) else trader
    at = today.day * DAY + rng.integers(10 * 3600, 19 * 3600, len(trader))
    keep = t.alive(card, at) & (t.strategy[card] == 0)
    return card[keep], at[keep], trader[keep], rng.integers(0, 4, len(trader))[keep]
