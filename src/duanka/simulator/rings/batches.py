"""How a gang's cards were opened: in batches at its stalls, in the names of people who know nothing of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duanka.simulator.chance import Flags, Ints, Rng
from duanka.simulator.register import Outlets
from duanka.simulator.traits import DAY, Traits

FEWEST, MOST = 25, 60  # cards of a batch
SECONDS_PER_CARD = (40, 150)  # at the shop's terminal, one card after another
DAYS_BEFORE_USE = 9.0  # mean between opening and first use
SHOPS = 60  # where a gang buys that does not want to be seen
OWN_BATCHES = 0.4  # share of the drawer that was opened in batches of its own
SPLIT = 0.06  # share of the cards that go to another site than the rest of their batch
OPERATORS = (0.3, 0.25, 0.2, 0.15, 0.1)  # of batches; resale brands more often than among the honest
DOCUMENT_SIZES, DOCUMENT_SHARES = (1, 2, 3, 5, 7, 9), (0.45, 0.27, 0.14, 0.07, 0.04, 0.03)
SINGLE_SHARES = (0.5, 0.3, 0.2, 0.0, 0.0, 0.0)  # of who buys one by one
USED_AGAIN = 0.15  # share of documents that were used before, in another batch
LOCAL_REGISTRANTS = 0.6  # share of documents whose person has a card of this province


@dataclass(frozen=True)
class Opened:
    """Cards in the order in which they were opened, and the batch of each."""

    card: Ints
    batch: Ints


def open_batches(t: Traits, used: list[Ints], stock: list[Ints], stalls: Ints, days: int, rng: Rng) -> Opened:
    """Open the cards of all sites, `used` and `stock` per site; sets when, where and by which operator.

    Most of the drawer comes from batches of which other cards are in use; the rest lies there as it was bought.
    """
    own = [rng.permutation(cards) for cards in stock]
    apart = [int(len(cards) * OWN_BATCHES) for cards in own]
    mixed = [np.concatenate((u, s[n:])) for u, s, n in zip(used, own, apart, strict=True)]
    site = np.repeat(np.arange(len(mixed)), [len(cards) for cards in mixed])
    cards = np.concatenate(mixed)
    since = t.alive_from[cards].astype(np.float64)
    drawer = np.concatenate([np.arange(len(m)) >= len(u) for m, u in zip(mixed, used, strict=True)])
    if drawer.any():  # drawer cards were bought along with those that are used at about that time
        since[drawer] = rng.choice(since[~drawer], int(drawer.sum())) if (~drawer).any() else 0.0
    there = np.where(rng.random(len(cards)) < SPLIT, rng.integers(0, len(mixed), len(cards)), site)
    order = np.lexsort((since + rng.normal(0, DAY, len(cards)), there))
    batches = _cut(there[order], rng)
    unused = np.concatenate([s[:n] for s, n in zip(own, apart, strict=True)])
    more = _cut(np.zeros(len(unused), dtype=np.int64), rng) + (batches.max() + 1 if len(batches) else 0)
    card, batch = np.concatenate((cards[order], unused)), np.concatenate((batches, more))
    first = np.where(np.isin(card, np.concatenate(stock)), 1 << 40, t.alive_from[card])
    _at_the_stall(t, card, batch, first, stalls, days, rng)
    return Opened(card, batch)


def _cut(group: Ints, rng: Rng) -> Ints:
    """Number the batches of consecutive cards; a batch lies within a group. `group` is sorted."""
    many = len(group) // FEWEST + 1
    ends = np.cumsum(rng.integers(FEWEST, MOST + 1, many))
    piece = np.searchsorted(ends, np.arange(len(group)), side="right")
    return np.cumsum(np.diff(group * (many + 1) + piece, prepend=-1) != 0) - 1


def _at_the_stall(t: Traits, card: Ints, batch: Ints, first: Ints, stalls: Ints, days: int, rng: Rng) -> None:
    """`first`: second of first use, 1 << 40 for cards of the drawer."""
    many = int(batch.max()) + 1 if len(batch) else 0
    earliest = np.full(many, 1 << 40, dtype=np.int64)
    np.minimum.at(earliest, batch, first)
    lying = earliest == 1 << 40
    waits = 1 + rng.exponential(DAYS_BEFORE_USE, many).astype(np.int64)
    day = np.where(lying, rng.integers(-90, days, many), earliest // DAY - waits)
    weights = 1.0 / np.arange(1, len(stalls) + 1)
    stall = stalls[rng.choice(len(stalls), many, p=weights / weights.sum())]
    operator = rng.choice(len(OPERATORS), many, p=OPERATORS)
    begun = day * DAY + rng.integers(9 * 3600, 17 * 3600, many)
    apart = rng.integers(*SECONDS_PER_CARD, len(card))
    spent = np.cumsum(apart)
    start = np.flatnonzero(np.diff(batch, prepend=-1) != 0)
    t.opened[card] = begun[batch] + spent - spent[start][batch]
    t.outlet[card], t.operator[card] = stall[batch], operator[batch]
    t.idle_days[card] = np.where((first < 0), 0.3, np.nan)


def open_singly(t: Traits, used: Ints, stock: Ints, outlets: Outlets, days: int, rng: Rng) -> Opened:
    """Open every card by itself: some weeks or months before, at one of many shops, like anybody."""
    card = np.concatenate((used, stock))
    first = np.where(np.isin(card, stock), rng.integers(-30, days, len(card)) * DAY, t.alive_from[card])
    day = first // DAY - 1 - rng.exponential(45.0, len(card)).astype(np.int64)
    t.opened[card] = day * DAY + rng.integers(9 * 3600, 19 * 3600, len(card))
    shops = rng.choice(len(outlets.county), min(SHOPS, len(outlets.county)), replace=False)
    t.outlet[card] = shops[rng.integers(0, len(shops), len(card))]
    stall = t.outlet[card] % 4 == 3  # others sell their own operator's cards
    t.operator[card] = np.where(stall, rng.choice(len(OPERATORS), len(card), p=OPERATORS), t.outlet[card] % 4)
    t.idle_days[card] = np.where(np.isin(card, stock) | (t.alive_from[card] >= 0), np.nan, 0.3)
    # A document is taken from shop to shop: its cards are not neighbours in time.
    order = rng.permutation(len(card))
    return Opened(card[order], np.arange(len(card)))


def name_documents(t: Traits, opened: Opened, persons: Ints, near: Flags, rng: Rng) -> Ints:
    """Register the opened cards on other people's documents; returns those with a card of their own here.

    `persons`: honest cards whose holders may be used, each at most once; `near`: which of them live where the shop is:
    half of the documents come from there. A document lies at hand for a batch, or for a few cards bought one by one;
    some are used again later, from the copy that the shop kept.
    """
    n = len(opened.card)
    singly = bool(n) and int(opened.batch.max()) == n - 1
    shares = SINGLE_SHARES if singly else DOCUMENT_SHARES
    ends = np.cumsum(rng.choice(DOCUMENT_SIZES, n, p=shares))
    document = np.searchsorted(ends, np.arange(n), side="right")
    batch = np.zeros(n, dtype=np.int64) if singly else opened.batch
    document = np.cumsum(np.diff(batch * (n + 1) + document, prepend=-1) != 0) - 1
    first = np.flatnonzero(np.diff(document, prepend=-1) != 0)
    holder = t.holder[opened.card[first]]
    known = np.flatnonzero(rng.random(len(first)) < LOCAL_REGISTRANTS)
    neighbours, others = rng.permutation(persons[near]), rng.permutation(persons[~near])
    half = min(len(known) // 2, len(neighbours))
    drawn = rng.permutation(np.concatenate((neighbours[:half], others[: len(known) - half])))
    holder[known[: len(drawn)]] = t.holder[drawn]
    again = np.flatnonzero(rng.random(len(first)) < USED_AGAIN)
    source = (rng.random(len(again)) * np.maximum(again, 1)).astype(np.int64)
    holder[again] = holder[source]
    t.holder[opened.card] = holder[document]
    return drawn[np.isin(t.holder[drawn], holder)]
