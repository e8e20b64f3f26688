"""What a gang's people do in a day: test calls to the boxes' cards, orders by phone, deals, visits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duanka.simulator.calls import PlannedCalls
from duanka.simulator.chance import Ints, Rng, generator
from duanka.simulator.province import OPERATOR_LINES
from duanka.simulator.rings.boxes import BoxSchedule
from duanka.simulator.rings.members import People
from duanka.simulator.traits import DAY, Traits
from duanka.simulator.whereabouts import Visits

TESTS_PER_MINDER = 9.0  # calls a day to cards of the boxes
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


def planned(parts: list[tuple[Ints, Ints, Ints, Ints]], lines: tuple[Ints, Ints, Ints, Ints]) -> PlannedCalls:
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


def run_errands(t: Traits, boxes: BoxSchedule, crews: list[Crew], day: int, seed: int) -> PlannedCalls:
    """Plan the calls of all gangs' people on `day`."""
    parts, lines = [], []
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


def _while_dialling(t: Traits, card: Ints, day: int, rng: Rng) -> Ints:
    return day * DAY + t.burst_from[card] + (rng.random(len(card)) * t.burst_span[card]).astype(np.int64)


def _tests(
    t: Traits, crew: Crew, living: Ints, site: Ints, day: int, rng: Rng
) -> tuple[Ints, Ints, Ints, Ints]:
    """Minders call cards that sit in their site's boxes: a few seconds, or no answer."""
    order = np.argsort(site, kind="stable")
    cards, sites = living[order], site[order]
    minder = np.repeat(
        np.arange(len(crew.people.minders)), rng.poisson(TESTS_PER_MINDER, len(crew.people.minders))
    )
    own = crew.people.minder_site[minder]
    first, last = np.searchsorted(sites, own), np.searchsorted(sites, own, side="right")
    minder, first, last = minder[last > first], first[last > first], last[last > first]
    card = cards[first + (rng.random(len(first)) * (last - first)).astype(np.int64)]
    seconds = np.where(rng.random(len(card)) < 0.6, rng.integers(2, 13, len(card)), 0)
    return crew.people.minders[minder], card, _while_dialling(t, card, day, rng), seconds


def _number_read(
    t: Traits, crew: Crew, fresh: Ints, site: Ints, day: int, rng: Rng
) -> tuple[Ints, Ints, Ints, Ints]:
    """Cards just put in ring a minder's phone, which shows their number."""
    chosen = rng.random(len(fresh)) < NUMBER_READ
    card, site = fresh[chosen], site[chosen]
    draw = rng.random((len(card), len(crew.people.minders)))
    draw[crew.people.minder_site[None, :] != site[:, None]] -= 2.0
    minder = crew.people.minders[draw.argmax(axis=1)] if len(card) else card
    at = day * DAY + t.burst_from[card] + rng.integers(30, 400, len(card))
    return card, minder, at, np.zeros(len(card), dtype=np.int64)


def _balance_asked(t: Traits, fresh: Ints, day: int, rng: Rng) -> tuple[Ints, Ints, Ints, Ints]:
    card = fresh[rng.random(len(fresh)) < BALANCE_ASKED]
    at = day * DAY + t.burst_from[card] + rng.integers(30, 900, len(card))
    return card, OPERATOR_LINES[t.operator[card] % 3], at, rng.integers(15, 60, len(card))


def _orders(crew: Crew, day: int, rng: Rng) -> tuple[Ints, Ints, Ints, Ints]:
    """Operators direct minders by phone; one call in four goes the other way."""
    people = crew.people
    boss = np.repeat(people.operators, rng.poisson(ORDERS_PER_OPERATOR, len(people.operators)))
    # Every operator deals with a few minders, mostly the same ones.
    pick = (boss * 7 + rng.geometric(0.5, len(boss))) % len(people.minders)
    minder = people.minders[pick]
    back = rng.random(len(boss)) < 0.25
    return _talk(np.where(back, minder, boss), np.where(back, boss, minder), day, rng)


def _deals(crew: Crew, day: int, rng: Rng) -> tuple[Ints, Ints, Ints, Ints]:
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


def _talk(caller: Ints, called: Ints, day: int, rng: Rng) -> tuple[Ints, Ints, Ints, Ints]:
    n = len(caller)
    at = day * DAY + rng.integers(8 * 3600, 22 * 3600, n)
    seconds = np.where(rng.random(n) < 0.8, np.clip(rng.lognormal(3.9, 0.8, n), 3, 1_800), 0.0)
    return caller, called, at, seconds.astype(np.int64)
