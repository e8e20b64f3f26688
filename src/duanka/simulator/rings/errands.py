"""What a gang's people do in a day: test calls to the boxes' cards, orders by phone, deals, visits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duanka.simulator.calls import PlannedCalls
from duanka.simulator.chance import Ints, Rng, generator
from duanka.simulator.province import OPERATOR_LINES
from duanka.simulator.rings.boxes import BoxSchedule
from duanka.simulator.rings.knobs import Care
from duanka.simulator.rings.members import People
from duanka.simulator.traits import DAY, Traits
from duanka.simulator.whereabouts import Visits

SWITCHED_ON = 32_400  # second of the day at which boxes are switched on that have no turns
OwnCalls = tuple[Ints, Ints, Ints, Ints]  # card, called card, second of the window, seconds

TESTS_PER_MINDER = 9.0  # calls a day to cards of the boxes
CAREFUL_TESTS = 2.0  # of gangs that look like people
FRIENDS_TALK = 0.5  # calls a day between a card and its honest friend
NUMBER_READ = 0.5  # share of cards that ring a minder's phone once when put in, to show their number
BALANCE_ASKED = 0.3  # share of cards that call their operator's line when put in
ORDERS_PER_OPERATOR = 2.5  # calls a day to minders
DEALS_PER_SUPPLIER = 0.8  # calls a day with operators and keepers
OPERATOR_COMES, SUPPLIER_COMES = 1 / 14, 1 / 10  # chance per day of a visit at a site, at a stall


@dataclass(frozen=True)
class Crew:
    """One gang at work: its number, people, `boxed` cards, their first site by card, and where the sites stand."""

    number: int
    people: People
    boxed: Ints
    site_of_box: Ints  # site of every box, from box `first_box` on
    first_box: int
    site_county: Ints
    site_cell: Ints  # within the county
    stall_county: int
    stall_cells: Ints
    care: Care
    friends: tuple[Ints, Ints]  # cards of the gang, and the honest friend of each


def planned(parts: list[OwnCalls], lines: tuple[Ints, Ints, Ints, Ints]) -> PlannedCalls:
    """Join calls to own cards (card, other, at, seconds) and calls to `lines` (card, number, at, seconds)."""
    card, other, at, seconds = (np.concatenate(column) for column in zip(*parts, strict=True))
    caller, number, when, lasting = lines
    return PlannedCalls(
        np.concatenate((card, caller)),
        np.concatenate((other, np.full(len(caller), -1))),
        np.concatenate((np.zeros(len(card), dtype=np.int64), number)),
        np.concatenate((at, when)),
        np.concatenate((seconds, lasting)),
    )


def run_errands(
    t: Traits, boxes: BoxSchedule, crews: list[Crew], day: int, seed: int, others: OwnCalls
) -> PlannedCalls:
    """Plan the calls of all gangs' people on `day`, besides those of `others`."""
    parts, lines = [others], []
    box = np.full(t.count, -1)
    box[boxes.card] = boxes.box_on(day)
    for crew in crews:
        rng = generator(seed, 46, crew.number, day)
        living = crew.boxed[t.used_on(day, crew.boxed)]
        site = crew.site_of_box[box[living] - crew.first_box]
        parts += [_tests(t, crew, living, site, day, rng), _orders(crew, day, rng), _deals(crew, day, rng)]
        fresh = living[t.alive_from[living] >= day * DAY]
        parts.append(_number_read(t, crew, fresh, crew.site_of_box[box[fresh] - crew.first_box], day, rng))
        lines.append(_balance_asked(t, fresh, day, rng))
        parts.append(_with_friends(t, crew, day, rng))
        if crew.care.knobs.own_calls:
            parts.append(_calls_among(t, crew, day, rng))
    return planned(parts, tuple(np.concatenate(c) for c in zip(*lines, strict=True)))  # type: ignore[arg-type]


def visits(crews: list[Crew], day: int, seed: int) -> Visits:
    """Plan where the gangs' operators and suppliers go on `day`."""
    card, county, cell = [], [], []
    for crew in crews:
        rng = generator(seed, 47, crew.number, day)
        come = crew.people.operators[rng.random(len(crew.people.operators)) < OPERATOR_COMES]
        which = rng.integers(0, len(crew.site_county), len(come))
        card.append(come)
        county.append(crew.site_county[which])
        cell.append(crew.site_cell[which])
        runners = crew.people.suppliers[crew.people.keepers :]
        come = runners[rng.random(len(runners)) < SUPPLIER_COMES]
        card.append(come)
        county.append(np.full(len(come), crew.stall_county))
        cell.append(rng.choice(crew.stall_cells, len(come)))
    cards = np.concatenate(card)
    begin = generator(seed, 48, day).integers(10 * 3600, 16 * 3600, len(cards))
    return Visits(cards, np.concatenate(county), np.concatenate(cell), begin, begin + 2 * 3600)


def moments(t: Traits, card: Ints, day: int, rng: Rng) -> Ints:
    """Draw seconds of the window at which each of `card` is switched on."""
    turns = t.burst_from[card] >= 0
    begin = np.where(turns, t.burst_from[card], SWITCHED_ON)
    span = np.where(turns, t.burst_span[card], 36_000)
    return np.asarray(day * DAY + begin + (rng.random(len(card)) * span).astype(np.int64), dtype=np.int64)


def _tests(t: Traits, crew: Crew, living: Ints, site: Ints, day: int, rng: Rng) -> OwnCalls:
    """Minders call cards that sit in their site's boxes: a few seconds, or no answer."""
    order = np.argsort(site, kind="stable")
    cards, sites = living[order], site[order]
    minder = np.repeat(
        np.arange(len(crew.people.minders)),
        rng.poisson(CAREFUL_TESTS if crew.care.people_like else TESTS_PER_MINDER, len(crew.people.minders)),
    )
    own = crew.people.minder_site[minder]
    first, last = np.searchsorted(sites, own), np.searchsorted(sites, own, side="right")
    minder, first, last = minder[last > first], first[last > first], last[last > first]
    card = cards[first + (rng.random(len(first)) * (last - first)).astype(np.int64)]
    seconds = np.where(rng.random(len(card)) < 0.6, rng.integers(2, 13, len(card)), 0)
    return crew.people.minders[minder], card, moments(t, card, day, rng), seconds


def _number_read(t: Traits, crew: Crew, fresh: Ints, site: Ints, day: int, rng: Rng) -> OwnCalls:
    """Cards just put in ring a minder's phone, which shows their number."""
    chosen = rng.random(len(fresh)) < NUMBER_READ
    card, site = fresh[chosen], site[chosen]
    draw = rng.random((len(card), len(crew.people.minders)))
    draw[crew.people.minder_site[None, :] != site[:, None]] -= 2.0
    minder = crew.people.minders[draw.argmax(axis=1)] if len(card) else card
    begin = np.where(t.burst_from[card] >= 0, t.burst_from[card], SWITCHED_ON)
    at = day * DAY + begin + rng.integers(30, 400, len(card))
    return card, minder, at, np.zeros(len(card), dtype=np.int64)


def _balance_asked(t: Traits, fresh: Ints, day: int, rng: Rng) -> OwnCalls:
    card = fresh[rng.random(len(fresh)) < BALANCE_ASKED]
    begin = np.where(t.burst_from[card] >= 0, t.burst_from[card], SWITCHED_ON)
    at = day * DAY + begin + rng.integers(30, 900, len(card))
    return card, OPERATOR_LINES[t.operator[card] % 3], at, rng.integers(15, 60, len(card))


def _with_friends(t: Traits, crew: Crew, day: int, rng: Rng) -> OwnCalls:
    """Cards bridged to honest friends talk with them now and then, either way."""
    card, friend = crew.friends
    some = t.used_on(day, card) & (rng.random(len(card)) < FRIENDS_TALK)
    card, friend = card[some], friend[some]
    back, n = rng.random(len(card)) < 0.5, len(card)
    at = moments(t, card, day, rng)
    return np.where(back, friend, card), np.where(back, card, friend), at, rng.integers(20, 400, n)


def _orders(crew: Crew, day: int, rng: Rng) -> OwnCalls:
    """Operators direct minders by phone; one call in four goes the other way."""
    people = crew.people
    boss = np.repeat(people.operators, rng.poisson(ORDERS_PER_OPERATOR, len(people.operators)))
    # Every operator deals with a few minders, mostly the same ones.
    pick = (boss * 7 + rng.geometric(0.5, len(boss))) % len(people.minders)
    minder = people.minders[pick]
    back = rng.random(len(boss)) < 0.25
    return _talk(np.where(back, minder, boss), np.where(back, boss, minder), day, rng)


def _deals(crew: Crew, day: int, rng: Rng) -> OwnCalls:
    """Suppliers deal with operators, and with the keepers of the stalls."""
    people = crew.people
    runners, keepers = people.suppliers[people.keepers :], people.suppliers[: people.keepers]
    runners = runners if len(runners) else keepers
    one = np.repeat(runners, rng.poisson(DEALS_PER_SUPPLIER, len(runners)))
    two = np.repeat(runners, rng.poisson(DEALS_PER_SUPPLIER, len(runners)))
    caller = np.concatenate((rng.choice(people.operators, len(one)), two))
    called = np.concatenate((one, rng.choice(keepers, len(two))))
    swap = rng.random(len(caller)) < 0.4
    return _talk(np.where(swap, called, caller), np.where(swap, caller, called), day, rng)


def _talk(caller: Ints, called: Ints, day: int, rng: Rng) -> OwnCalls:
    n = len(caller)
    at = day * DAY + rng.integers(8 * 3600, 22 * 3600, n)
    seconds = np.where(rng.random(n) < 0.8, np.clip(rng.lognormal(3.9, 0.8, n), 3, 1_800), 0.0)
    return caller, called, at, seconds.astype(np.int64)


def _calls_among(t: Traits, crew: Crew, day: int, rng: Rng) -> OwnCalls:
    """Calls between the gang's own ports: uniform lengths, early in the turn that caller and called share."""
    cards = crew.boxed[t.used_on(day, crew.boxed)]
    turn = t.burst_from[cards] // 9_600
    order = np.argsort(turn, kind="stable")
    cards, turn = cards[order], turn[order]
    caller = np.repeat(np.arange(len(cards)), rng.poisson(crew.care.knobs.own_calls, len(cards)))
    first, last = np.searchsorted(turn, turn[caller]), np.searchsorted(turn, turn[caller], side="right")
    called = first + (rng.random(len(caller)) * (last - first)).astype(np.int64)
    caller, called = caller[caller != called], called[caller != called]
    one, two = cards[caller], cards[called]
    begin = np.maximum(t.burst_from[one], t.burst_from[two])
    within = np.minimum(t.burst_span[one], t.burst_span[two]) // 3
    at = np.where(begin >= 0, day * DAY + begin + (rng.random(len(one)) * within).astype(np.int64), 0)
    at = np.where(begin >= 0, at, moments(t, one, day, rng))
    shortest, longest = crew.care.knobs.own_seconds
    return one, two, at, rng.integers(shortest, longest + 1, len(one))
