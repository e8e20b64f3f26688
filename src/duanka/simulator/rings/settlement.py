"""Settles the gangs of a world with rings: their sites, boxes, stalls, cards and people."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from duanka.simulator.chance import Ints, Rng, generator
from duanka.simulator.fraud import UNKNOWN_PLACE, plain_card
from duanka.simulator.look_alikes import Ground
from duanka.simulator.province import CITIES, COUNTIES
from duanka.simulator.rings.batches import Opened, name_documents, open_batches, open_singly
from duanka.simulator.rings.boxes import (
    PER_BOX,
    PER_CARD,
    PER_PORT,
    TURNS,
    BoxSchedule,
    Rack,
    fill_boxes,
    ports_needed,
)
from duanka.simulator.rings.bridges import Bridges, build_bridges
from duanka.simulator.rings.dialling import dial
from duanka.simulator.rings.errands import Crew
from duanka.simulator.rings.knobs import CARELESS, Care, draw_care
from duanka.simulator.rings.members import settle_members
from duanka.simulator.rings.options import GangSize, RingOptions
from duanka.simulator.traits import EVASIVE, NAIVE, Traits, silence

RING_ROLES = ("box_card", "stock", "operator", "minder", "supplier", "registered_holder")


@dataclass(frozen=True)
class Gangland:
    """One settled gang: people and places, the order of its openings, its stalls, its bridges to honest cards."""

    name: str
    crew: Crew
    opened: Opened
    stalls: Ints  # none where it buys in many shops
    cards: Ints  # in boxes and in the drawer
    site: Ints  # of each of `cards`, on the first day
    drawer: Ints
    imei_per: int
    bridges: Bridges


@dataclass(frozen=True)
class Rings:
    """All gangs with rings of a world, and their boxes."""

    boxes: BoxSchedule
    gangs: list[Gangland]

    @property
    def crews(self) -> list[Crew]:
        """The gangs at work."""
        return [gang.crew for gang in self.gangs]


def settle_rings(
    ground: Ground, at: Ints, sizes: list[GangSize], first_gang: int, options: RingOptions
) -> Rings:
    """Settle gangs of `sizes` on the cards `at`; they are numbered from `first_gang` on."""
    gangs: list[Gangland] = []
    schedules: list[BoxSchedule] = []
    first_box = 0
    for number, size in enumerate(sizes):
        mine, at = np.split(at, [size.cards])
        gang, schedule = _settle(ground, mine, size, first_gang + number, first_box, options)
        first_box += len(schedule.box_county)
        schedules.append(schedule)
        gangs.append(gang)
    return Rings(reduce(BoxSchedule.and_then, schedules), gangs)


def _settle(
    ground: Ground, at: Ints, size: GangSize, number: int, first_box: int, options: RingOptions
) -> tuple[Gangland, BoxSchedule]:
    t, rng = ground.traits, generator(ground.seed, 25, number)
    care = draw_care(size.level, rng) if size.name != "R11" else CARELESS
    if options.knobs and size.name != "R11":
        care = replace(care, knobs=options.knobs)
    t.gang[at], t.strategy[at] = number, NAIVE if care.level == 1 else EVASIVE
    *groups, cards = np.split(at, np.cumsum([size.operators, size.minders, size.suppliers]))
    parts = np.split(cards, np.cumsum([*size.used, *size.stock])[:-1])
    used, stock = parts[: len(size.used)], parts[len(size.used) :]
    boxed, drawer = np.concatenate(used), np.concatenate(stock)
    plain_card(t, cards, rng)
    racks = _found_racks(ground, size, first_box, _imei_per(size, care, options), care, rng)
    filled = [fill_boxes(t, own, rack, ground.days, rng) for own, rack in zip(used, racks, strict=True)]
    schedule = reduce(BoxSchedule.and_then, filled)
    dial(t, boxed, care, ground.days, rng)
    _hide_places(t, schedule, racks, rng)
    _lay_aside(t, drawer)
    county = int(rng.choice(ground.places.home, p=ground.places.weight))
    opened, stalls = _open_cards(ground, size, care, (used, stock), county, rng)
    sites = _sites(size, racks)
    stall_cells = rng.integers(0, ground.places.cells[county], max(size.stalls, 1))
    people = settle_members(
        t, (groups[0], groups[1], groups[2]), sites, (county, stall_cells), ground.places, rng
    )
    for role, theirs in zip(RING_ROLES, (boxed, drawer, *groups), strict=False):
        t.role[theirs] = ground.roles.index(role)
    free = ground.persons[t.role[ground.persons] == ground.roles.index("person")]
    bridges = build_bridges(
        t, np.concatenate((cards, *groups)), boxed, free, options.bridged, ground.days, rng
    )
    site_of_box = np.array(size.site_of_box)
    crew = Crew(
        number, people, boxed, site_of_box, first_box, *sites, county, stall_cells, care, bridges.friends
    )
    first_sites = [np.full(len(own), rack[0]) for own, rack in zip(stock, size.racks, strict=True)]
    site = np.concatenate((site_of_box[schedule.box - first_box], *first_sites))
    gang = Gangland(size.name, crew, opened, stalls, cards, site, drawer, racks[0].imei_per, bridges)
    return gang, schedule


def _imei_per(size: GangSize, care: Care, options: RingOptions) -> int:
    if care.knobs.new_imei:
        return PER_CARD
    return PER_BOX if size.name == "R11" and options.imei_per == "box" else PER_PORT


def _found_racks(
    ground: Ground, size: GangSize, first_box: int, imei_per: int, care: Care, rng: Rng
) -> list[Rack]:
    """Place each site in a city of its own, in proportion to the cities' people, and the boxes at the sites."""
    weight = ground.places.weight.reshape(CITIES, COUNTIES).sum(axis=1)
    cities = rng.choice(CITIES, max(size.site_of_box) + 1, replace=False, p=weight)
    county = cities * COUNTIES + rng.integers(0, COUNTIES, len(cities))
    cell = (rng.random(len(cities)) * ground.places.cells[county]).astype(np.int64)
    turns = 1 if care.people_like else len(TURNS)
    racks = []
    for sites, cards in zip(size.racks, size.used, strict=True):
        ports = ports_needed(cards, len(sites), turns, ground.days)
        here = np.array(sites)
        mixed = turns > 1 and size.name != "R11"
        racks.append(
            Rack(first_box, county[here], cell[here], ports, turns, imei_per, care.knobs.rotate, mixed)
        )
        first_box += len(sites)
    return racks


def _sites(size: GangSize, racks: list[Rack]) -> tuple[Ints, Ints]:
    """Return county and cell of every site."""
    county, cell = (
        np.concatenate(column) for column in zip(*((r.county, r.cell) for r in racks), strict=True)
    )
    first = np.unique(size.site_of_box, return_index=True)[1]
    return county[first], cell[first]


def _open_cards(
    ground: Ground, size: GangSize, care: Care, cards: tuple[list[Ints], list[Ints]], county: int, rng: Rng
) -> tuple[Opened, Ints]:
    """Open all cards of a gang on other people's documents; returns the order, and the stalls of the gang."""
    t, (used, stock) = ground.traits, cards
    if care.people_like:
        stalls = np.arange(0)
        opened = open_singly(t, np.concatenate(used), np.concatenate(stock), ground.outlets, ground.days, rng)
    else:
        quads = rng.permutation(int(ground.outlets.count[county]) // 4)[: size.stalls]
        stalls = ground.outlets.first[county] + quads * 4 + 3
        opened = open_batches(t, used, stock, stalls, ground.days, rng)
    drawer = np.concatenate(stock)
    t.alive_from[drawer] = t.opened[drawer]
    near = t.county[ground.persons] // COUNTIES == county // COUNTIES
    free = t.role[ground.persons] == ground.roles.index("person")
    registrants = name_documents(t, opened, ground.persons[free], near[free], rng)
    t.role[registrants] = ground.roles.index("registered_holder")
    return opened, stalls


def _hide_places(t: Traits, schedule: BoxSchedule, racks: list[Rack], rng: Rng) -> None:
    """Leave the place of some boxes unknown in calls and messages, half as often as in measured records."""
    many = sum(rack.boxes for rack in racks)
    unknown = np.where(rng.random(many) < UNKNOWN_PLACE / 2, rng.integers(1, 3, many), 0)
    t.unknown_place[schedule.card] = unknown[schedule.box - racks[0].first_box]


def _lay_aside(t: Traits, drawer: Ints) -> None:
    silence(t, drawer)
    for trait in (t.notices_in, t.codes_in, t.sightings, t.accounts, t.complaints):
        trait[drawer] = 0.0
