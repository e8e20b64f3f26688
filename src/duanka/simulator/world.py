"""Generates a world: people, gangs, registers, then the records day by day."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

import numpy as np
import polars as pl
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from duanka.domain.case_source import SIGNATURE_ENDING
from duanka.domain.errors import DuankaError
from duanka.domain.ports import Progress, Silent
from duanka.simulator import register
from duanka.simulator.calls import CallDay
from duanka.simulator.chance import Ints, generator
from duanka.simulator.devices import first_devices, next_day
from duanka.simulator.fraud import Cast, cast_gangs
from duanka.simulator.gangs import FRAUD_ROLES, Strategy, found_gangs, fraud_counts
from duanka.simulator.look_alikes import (
    LOOK_ALIKE_ROLES,
    Ground,
    LookAlikes,
    look_alike_counts,
    settle_look_alikes,
)
from duanka.simulator.people import HONEST_ROLES, honest_counts, pair_partners, settle_people
from duanka.simulator.province import (
    AUTHORITY,
    FRAUD_PRONE_PLACES,
    HIGH_RISK_AREAS,
    Places,
    build_places,
    own_numbers,
)
from duanka.simulator.register import Outlets, WindowClock
from duanka.simulator.rings import RING_ROLES, RingOptions, Rings, plan_rings, settle_rings
from duanka.simulator.rings.days import ring_day
from duanka.simulator.rings.dialling import limits_of
from duanka.simulator.rings.truth import ring_serials, ring_tables
from duanka.simulator.traits import Traits, blank, draw_ordinary
from duanka.simulator.victims import Preyed, settle_victims
from duanka.simulator.victims.settlement import SettledWorld
from duanka.simulator.victims.truth import victim_tables, with_ages, with_indicators, with_kinds
from duanka.simulator.whereabouts import on_day
from duanka.simulator.writing import Scene, write_day

ROLES = (*HONEST_ROLES, "new_customer", *FRAUD_ROLES)
ALL_ROLES = (*ROLES, *RING_ROLES, *LOOK_ALIKE_ROLES)  # the last ones only in worlds with rings
FRAUD_SHARE = 0.02
PUBLIC_KEY = "police.pub"  # of the invented police, who sign their cases with a key derived from the seed
RECORDS = ("calls", "messages", "sightings", "data_days")
_GROUP_CARDS = 250_000  # cards generated at once; bounds the memory of a day
_SILENT = Silent()
_STANDARD = RingOptions()


@dataclass(frozen=True)
class World:
    """What was written: the folder, and the number of rows by table."""

    out: Path
    rows: dict[str, int]


@dataclass(frozen=True)
class _Linked:
    """What a world with rings has besides."""

    rings: Rings
    others: LookAlikes


@dataclass(frozen=True)
class _Province:
    """Everything that does not change from day to day."""

    traits: Traits
    places: Places
    outlets: Outlets
    numbers: Ints
    gang_names: list[str]
    linked: _Linked | None
    preyed: Preyed | None


@dataclass(frozen=True)
class _Arguments:
    """The arguments of a world."""

    cards: int
    days: int
    seed: int
    strategy: Strategy
    start: date
    fraud_share: float
    rings: RingOptions
    victims: bool


def simulate(
    out: Path,
    *,
    cards: int,
    days: int,
    seed: int,
    strategy: Strategy = "mixed",
    start: date = date(2021, 5, 3),
    progress: Progress = _SILENT,
    fraud_share: float = FRAUD_SHARE,
    rings: RingOptions = _STANDARD,
    victims: bool = False,
) -> World:
    """Write an invented province to the empty directory `out`.

    `cards`, `days`: its size; `start`: first day. Writes the tables in the native format (domain/schema.py),
    truth.parquet (card, fraud, gang, role, strategy), world.toml (the arguments and the invented area lists), and the
    signature of the invented police with their public key. `rings`: gangs to add, and with them honest look-alikes of
    their links (docs/WORLDS.md); the truth then says more, of devices and outlets too. `victims`: let all gangs work
    on people, with a truth of its own. Equal arguments give equal tables. Raises DuankaError when an argument is out
    of range or `out` is not empty.
    """
    asked = _Arguments(cards, days, seed, strategy, start, fraud_share, rings, victims)
    _check(out, asked)
    progress.step("settling the province", 0, 1)
    province = _settle(asked)
    clock = WindowClock(start)
    tables = _registers(province, clock, asked)
    out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.write_parquet(out / f"{name}.parquet", compression="zstd")
    _sign_cases(out, seed)
    (out / "world.toml").write_text(_toml(asked), encoding="utf-8")
    rows = {name: table.height for name, table in tables.items()}
    del tables
    return World(out, rows | _live_through(out, province, clock, days, seed, progress))


def _check(out: Path, asked: _Arguments) -> None:
    cards, days, strategy, fraud_share = asked.cards, asked.days, asked.strategy, asked.fraud_share
    if cards < 100:
        raise DuankaError(f"{cards} cards are too few for a province; ask for at least 100")
    if cards > 10_000_000:
        raise DuankaError(
            f"{cards} cards are more than the invented number range holds; ask for at most 10000000"
        )
    if days < 1:
        raise DuankaError(f"{days} days are too few; ask for at least 1")
    if strategy not in get_args(Strategy):
        raise DuankaError(f"no strategy {strategy!r}; take one of {', '.join(get_args(Strategy))}")
    if not 0 <= fraud_share <= 0.5:
        raise DuankaError(f"a fraud share of {fraud_share} is out of range; take 0 to 0.5")
    asked.rings.check(cards)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DuankaError(f"{out} is not an empty directory; name a new one or empty it first")


def _settle(asked: _Arguments) -> _Province:
    cards, days, seed, strategy = asked.cards, asked.days, asked.seed, asked.strategy
    places = build_places(cards)
    traits = blank(cards, seed)
    draw_ordinary(traits, places, seed, days)
    gang_cards = fraud_counts(round(cards * asked.fraud_share), strategy)
    sizes = plan_rings(cards, asked.rings)
    ringed = sum(size.cards for size in sizes)
    alike = look_alike_counts(cards) if sizes else {}
    people = honest_counts(cards - sum((*gang_cards.values(), *alike.values(), ringed)), days)
    casting: list[str | tuple[int, str]] = [*people, *gang_cards]
    ends = np.cumsum([*people.values(), *gang_cards.values(), *alike.values()])
    *split, ring_cards = np.split(np.arange(cards), ends)
    ranges = dict(zip(casting, split, strict=False))
    for who, mine in ranges.items():
        traits.role[mine] = ROLES.index(who if isinstance(who, str) else who[1])
    at = {role: ranges[role] for role in people}
    gang_at = {who: ranges[who] for who in gang_cards}
    settle_people(traits, at, places, seed, days)
    outlets = register.build_outlets(cards, places)
    gangs = found_gangs(sum(gang_cards.values()), strategy, places, outlets.first, seed)
    register.assign_outlets(traits, outlets)
    cast_gangs(Cast(traits, places, gangs, days), gang_at, seed)
    linked = None
    if sizes:
        ground = Ground(traits, places, outlets, at["person"], at["family"], ALL_ROLES, days, seed)
        others = settle_look_alikes(ground, dict(zip(alike, split[len(casting) :], strict=True)), asked.start)
        linked = _Linked(settle_rings(ground, ring_cards, sizes, len(gangs), asked.rings), others)
        others.share_contacts()
    pair_partners(traits, traits.link_rate > 0, seed)
    numbers = own_numbers(traits.key, traits.operator, traits.iot)
    if linked:
        linked.others.renumber(numbers)
    names = [gang.name for gang in (*gangs, *(linked.rings.gangs if linked else ()))]
    preyed = None
    if asked.victims:
        boxes = linked.rings.boxes if linked else None
        hunted = SettledWorld(traits, numbers, ALL_ROLES, boxes, days, asked.start, seed)
        preyed = settle_victims(hunted, len(names))
    return _Province(traits, places, outlets, numbers, names, linked, preyed)


def _registers(province: _Province, clock: WindowClock, asked: _Arguments) -> dict[str, pl.DataFrame]:
    traits, numbers, days, seed = province.traits, province.numbers, asked.days, asked.seed
    linked, serials, unheard = province.linked, None, np.arange(0)
    if linked:
        serials = ring_serials(linked.rings, linked.others, traits, asked.start.year, seed)
        unheard = np.concatenate([gang.drawer for gang in linked.rings.gangs])
    tables = {
        "cards": register.cards_table(traits, numbers, province.places, clock, seed, serials),
        "outlets": register.outlets_table(province.outlets, province.places),
        "accounts": register.accounts_table(traits, numbers, clock, days, seed),
        "complaints": register.complaints_table(traits, numbers, clock, days, seed),
        "cases": register.cases_table(traits, numbers, clock, days, seed, unheard),
        "truth": register.truth_table(traits, numbers, ALL_ROLES, province.gang_names),
    }
    if linked:
        names, truth = province.gang_names, tables["truth"]
        tables |= ring_tables(linked.rings, linked.others, numbers, names, truth)
    return tables | _preyed_tables(province, tables, clock, seed)


def _preyed_tables(
    province: _Province, tables: dict[str, pl.DataFrame], clock: WindowClock, seed: int
) -> dict[str, pl.DataFrame]:
    """What a world with victims says besides: ages, kinds of fraud, what complaints name, and the truth."""
    preyed, traits, numbers = province.preyed, province.traits, province.numbers
    if preyed is None:
        return {}
    members = np.flatnonzero(traits.gang >= 0)
    kinds = {str(numbers[card]): preyed.kinds[traits.gang[card]] for card in members.tolist()}
    return {
        "cards": with_ages(tables["cards"], preyed, numbers),
        "cases": with_kinds(tables["cases"], kinds, seed),
        "complaints": with_indicators(tables["complaints"], kinds, seed),
        **victim_tables(preyed, numbers, province.gang_names, clock),
    }


def _live_through(
    out: Path, province: _Province, clock: WindowClock, days: int, seed: int, progress: Progress
) -> dict[str, int]:
    """Write the records of all days; returns the number of rows per table."""
    traits, numbers, linked = province.traits, province.numbers, province.linked
    for table in RECORDS:
        (out / table).mkdir()
    devices = first_devices(traits)
    text = pl.Series("card", numbers).cast(pl.String)
    everyone = np.arange(traits.count)
    crews = linked.rings.crews if linked else []
    limits = limits_of([(crew.boxed, crew.care.knobs) for crew in crews], traits.count)
    rows = dict.fromkeys(RECORDS, 0)
    # Each group takes every k-th card, so that gang cards are spread over the groups.
    turns = -(-traits.count // _GROUP_CARDS)
    for day in range(days):
        progress.step("inventing calls", day, days)
        today = clock.start + timedelta(days=day)
        rng = generator(seed, 45, day)
        if day:
            next_day(devices, day, today, rng)
        ring = ring_day(linked.rings, linked.others, devices, day, seed) if linked else None
        weekend = today.weekday() >= 5
        # A card in a port takes part in calls in its turn only: strangers of the province do not reach it at random.
        reachable = np.flatnonzero(
            traits.used_on(day, everyone) & ~traits.iot & (traits.in_rate > 0) & ~traits.cut_off
        )
        mood = rng.gamma(3.0, 1 / 3.0, traits.count)
        preyed = province.preyed.rows.on_day(day) if province.preyed else None
        calls = []
        for turn in range(turns):
            told = preyed.of_group(turn, turns) if preyed else None
            texts = ring.texts.where(ring.texts.card % turns == turn) if ring else None
            if told:
                texts = texts.and_then(told.texts) if texts else told.texts
            planned = ring.calls.where(ring.calls.card % turns == turn) if ring else None
            calls.append(
                CallDay(
                    traits,
                    numbers,
                    everyone[turn::turns],
                    day,
                    weekend,
                    reachable,
                    mood,
                    planned,
                    texts,
                    limits,
                    told.calls if told else None,
                    province.preyed.text_share if province.preyed else None,
                )
            )
        where = on_day(traits, province.places, day, not weekend, ring.visits if ring else None)
        trader, shown = ROLES.index("phone_trader"), ring.shown if ring else None
        scene = Scene(calls, where, clock, text, devices.text(), seed, trader, shown)
        for table, count in write_day(out, scene, today).items():
            rows[table] += count
    progress.step("inventing calls", days, days)
    return rows


def _sign_cases(out: Path, seed: int) -> None:
    """Sign cases.parquet by a key derived from the seed (not secret); write the public key."""
    key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"invented police {seed}".encode()).digest())
    signature = base64.b64encode(key.sign((out / "cases.parquet").read_bytes())) + b"\n"
    (out / f"cases.parquet{SIGNATURE_ENDING}").write_bytes(signature)
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    (out / PUBLIC_KEY).write_bytes(key.public_key().public_bytes(encoding, form))


def _toml(asked: _Arguments) -> str:
    start, days = asked.start, asked.days
    lines = [
        "# An invented province: no place, number, person or authority in it is real.",
        f"seed = {asked.seed}",
        f"cards = {asked.cards}",
        f"days = {days}",
        f"start = {start.isoformat()}",
        f'strategy = "{asked.strategy}"',
        f"fraud_share = {asked.fraud_share}",
        *asked.rings.toml(),
        *(["victims = true"] if asked.victims else []),
    ]
    for name, areas in (("high_risk_areas", HIGH_RISK_AREAS), ("fraud_prone_places", FRAUD_PRONE_PLACES)):
        for city, title in areas:
            lines += [
                "",
                f"[[lists.{name}]]",
                f'city = "{city}"',
                f'title = "{title}"',
                f'authority = "{AUTHORITY}"',
                f"since = {start.year}-01-01",
                f"until = {(start + timedelta(days=days)).year}-12-31",
            ]
    return "\n".join(lines) + "\n"
