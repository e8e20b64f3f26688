"""Settles the gangs of a world with rings: their sites, boxes, stalls, cards and people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duanka.simulator.chance import Ints, Rng, generator
from duanka.simulator.fraud import UNKNOWN_PLACE, dial_lists, plain_card
from duanka.simulator.province import CITIES, COUNTIES, Places
from duanka.simulator.register import Outlets
from duanka.simulator.rings.batches import Opened, name_documents, open_batches
from duanka.simulator.rings.boxes import PER_BOX, PER_PORT, BoxSchedule, Site, fill_boxes, ports_needed
from duanka.simulator.rings.errands import Crew
from duanka.simulator.rings.members import settle_members
from duanka.simulator.rings.options import GangSize, RingOptions, r11_size
from duanka.simulator.traits import NAIVE, Traits, silence

RING_ROLES = ("box_card", "stock", "operator", "minder", "supplier", "registered_holder")
MOST_IN_TURN = 200  # call attempts that fit into a turn
SHARED_LIST = 0.3  # share of the calls of boxes that go to the gang's list (K)


@dataclass(frozen=True)
class Base:
    """What gangs are settled in. `persons`: ordinary honest cards."""

    traits: Traits
    places: Places
    outlets: Outlets
    persons: Ints
    roles: tuple[str, ...]  # all roles of the world
    days: int
    seed: int


@dataclass(frozen=True)
class Gangland:
    """One settled gang: people and places, the order of its openings, its stalls."""

    name: str
    crew: Crew
    opened: Opened
    stalls: Ints
    site: Ints  # of each of `cards`
    cards: Ints  # in boxes and in the drawer
    drawer: Ints
    registrants: Ints  # honest cards of those whose documents were used


@dataclass(frozen=True)
class Rings:
    """All gangs with rings of a world, and their boxes."""

    boxes: BoxSchedule
    gangs: list[Gangland]
    imei_per: int


def plan_rings(cards: int, options: RingOptions) -> list[GangSize]:
    """Return the sizes of the gangs asked for."""
    return [r11_size(cards)] if options.gangs == "r11" else []


def settle_rings(
    base: Base, at: Ints, sizes: list[GangSize], first_gang: int, options: RingOptions
) -> Rings | None:
    """Settle gangs of `sizes` on the cards `at`; they are numbered from `first_gang` on."""
    if not sizes:
        return None
    gangs: list[Gangland] = []
    boxes: BoxSchedule | None = None
    ends = np.cumsum([size.cards for size in sizes])
    for number, (size, mine) in enumerate(zip(sizes, np.split(at, ends[:-1]), strict=True)):
        first_box = len(boxes.box_county) if boxes else 0
        gang, schedule = _settle(base, mine, size, first_gang + number, first_box, options)
        boxes = boxes.and_then(schedule) if boxes else schedule
        gangs.append(gang)
    return Rings(boxes, gangs, PER_PORT if options.imei_per == "port" else PER_BOX) if boxes else None


def _settle(
    base: Base, at: Ints, size: GangSize, number: int, first_box: int, options: RingOptions
) -> tuple[Gangland, BoxSchedule]:
    t, rng = base.traits, generator(base.seed, 25, number)
    t.gang[at], t.strategy[at] = number, NAIVE
    people, cards = np.split(at, [size.people])
    bounds = np.cumsum([*size.used, *size.stock])[:-1]
    parts = np.split(cards, bounds)
    used, stock = parts[: len(size.used)], parts[len(size.used) :]
    sites = _found_sites(base, size, first_box, rng)
    plain_card(t, cards, rng)
    boxed, drawer = np.concatenate(used), np.concatenate(stock)
    _dial(t, boxed, size, base.days, rng)
    imei_per = PER_PORT if options.imei_per == "port" else PER_BOX
    schedules = [
        fill_boxes(t, own, site, imei_per, base.days, rng) for own, site in zip(used, sites, strict=True)
    ]
    schedule = schedules[0]
    for more in schedules[1:]:
        schedule = schedule.and_then(more)
    _hide_places(t, schedule, sites, rng)
    for site, own in zip(sites, stock, strict=True):
        t.county[own], t.cell[own] = site.county, site.cell
    _lay_aside(t, drawer)
    county = int(rng.choice(base.places.home, p=base.places.weight))
    quads = rng.permutation(int(base.outlets.count[county]) // 4)[: size.stalls]
    stalls = base.outlets.first[county] + quads * 4 + 3
    opened = open_batches(t, used, stock, stalls, base.days, rng)
    t.alive_from[drawer] = t.opened[drawer]
    near = t.county[base.persons] // COUNTIES == county // COUNTIES
    registrants = name_documents(t, opened, base.persons, near, rng)
    t.role[registrants] = base.roles.index("registered_holder")
    groups = np.split(people, np.cumsum([size.operators, size.minders]))
    stall_cells = rng.integers(0, base.places.cells[county], len(stalls))
    members = settle_members(
        t, (groups[0], groups[1], groups[2]), sites, (county, stall_cells), base.places, rng
    )
    for role, theirs in zip(RING_ROLES, (boxed, drawer, *groups), strict=False):
        t.role[theirs] = base.roles.index(role)
    site_of_box = np.repeat(np.arange(len(sites)), [site.boxes for site in sites])
    crew = Crew(
        number,
        members,
        boxed,
        site_of_box,
        first_box,
        np.array([site.county for site in sites]),
        np.array([site.cell for site in sites]),
        county,
        stall_cells,
    )
    site_of_card = np.repeat(np.tile(np.arange(len(sites)), 2), [*size.used, *size.stock])
    return Gangland(size.name, crew, opened, stalls, site_of_card, cards, drawer, registrants), schedule


def _found_sites(base: Base, size: GangSize, first_box: int, rng: Rng) -> list[Site]:
    """Place each site in a city of its own, in proportion to the cities' people."""
    weight = base.places.weight.reshape(CITIES, COUNTIES).sum(axis=1)
    cities = rng.choice(CITIES, len(size.boxes), replace=False, p=weight)
    sites = []
    for city, boxes, cards in zip(cities, size.boxes, size.used, strict=True):
        county = int(city) * COUNTIES + int(rng.integers(COUNTIES))
        cell = int(rng.integers(base.places.cells[county]))
        sites.append(Site(county, cell, first_box, boxes, ports_needed(cards, boxes, base.days)))
        first_box += boxes
    return sites


def _dial(t: Traits, boxed: Ints, size: GangSize, days: int, rng: Rng) -> None:
    dial_lists(t, boxed, rng, 35.0, 1.0, 550.0)
    t.out_rate[boxed] = np.minimum(t.out_rate[boxed] * 1.3, MOST_IN_TURN)
    t.wander[boxed] = 2
    t.cut_off[boxed] = True
    t.shared[boxed] = SHARED_LIST
    # A list lasts three days; each of its numbers is dialled about twice.
    alive = len(boxed) / max(1.0, days / 8.0)
    t.list_size[boxed] = max(20, int(alive * float(np.mean(t.out_rate[boxed])) * SHARED_LIST * 3 / 2))


def _hide_places(t: Traits, schedule: BoxSchedule, sites: list[Site], rng: Rng) -> None:
    """Leave the place of some boxes unknown in calls and messages, as in measured records; half as often as there."""
    first, many = sites[0].first_box, sum(site.boxes for site in sites)
    unknown = np.where(rng.random(many) < UNKNOWN_PLACE / 2, rng.integers(1, 3, many), 0)
    t.unknown_place[schedule.card] = unknown[schedule.box - first]


def _lay_aside(t: Traits, drawer: Ints) -> None:
    silence(t, drawer)
    for trait in (t.notices_in, t.codes_in, t.sightings, t.accounts, t.complaints):
        trait[drawer] = 0.0
    t.alive_from[drawer] = 0
