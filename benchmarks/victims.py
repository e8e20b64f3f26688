"""From a confirmed card to its ranked victims, in a store of 100 M records: one card, and a ring of 1,000.

The world is simulated once, with victims: 250,000 cards over 39 days, the gang of R11 and four careful gangs of 1,000
cards, 100 M records; `duanka scan` takes it into a store. `card`: the victims of one confirmed card over 72 hours
at the end of the 20th day; `ring`: those of the 1,000 cards of a careful gang, all of them confirmed. Measured is the
search that the command line, the API and the watch of confirmations share, with its order database (SQLite), in a
process of its own with none of the files in memory; `warm` is the next card in the same process.

    python benchmarks/victims.py [--cards 250000] [--days 39] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from lookups import forget
from measuring import Cost, cost_of, median

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.casework.victims import victim_search
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings
from duanka.casework.victims.confirmed import standing
from duanka.casework.victims.searching import VictimSearch
from duanka.domain.order import Person
from duanka.domain.person import Role
from duanka.engine.store.manifest import is_store, read_manifest
from duanka.engine.store.reading.parties import PartyStore
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.police_stops import police_stop
from duanka.simulator import RingOptions, simulate

DATA = Path("bench-data")
GOALS = {"card": 5.0, "warm": 5.0, "ring": 30.0}  # seconds
GANG, RING, DAY = "L4-01", 1_000, 20
_HOURS = timedelta(hours=72)


def made(folder: Path, cards: int, days: int) -> Path:
    """The store of the world in `folder`, which is made once."""
    store, unfinished = folder / "store", folder / "world.unfinished"
    if not (folder / "world").is_dir():
        shutil.rmtree(unfinished, ignore_errors=True)
        careful = max(60, min(RING, cards // 100))
        rings = RingOptions(gangs="r11", adversary=4, careful_gangs=4, careful_cards=careful)
        print(f"a world of {cards:,} cards and {days} days is invented in {folder}, once ...", flush=True)
        simulate(unfinished, cards=cards, days=days, seed=7, rings=rings, victims=True)
        unfinished.rename(folder / "world")
    if not is_store(store):
        command = [sys.executable, "-m", "duanka.cli.main", "scan", str(folder / "world")]
        told = ["--store", str(store), "--out", str(folder / "out"), "--memory", "2GB"]
        subprocess.run([*command, *told], check=True)
    return store


def until_of(world: Path) -> datetime:
    """The end of the hours that are looked at."""
    return datetime.fromisoformat(sorted((world / "calls").iterdir())[0].stem) + timedelta(days=DAY)


def confirmed_cards(world: Path, count: int) -> list[str]:
    """Cards of one gang, those that worked on most people in the hours looked at first."""
    truth = pl.read_parquet(world / "truth.parquet").filter(pl.col("gang") == GANG)
    until = until_of(world)
    met = pl.read_parquet(world / "truth_victims.parquet").explode("fraud_cards")
    met = met.filter(pl.col("worked_on_at").is_between(until - _HOURS, until))
    many = met.group_by(card="fraud_cards").len()
    ranked = truth.join(many, on="card", how="left").sort(pl.col("len").fill_null(0), "card", descending=True)
    return ranked["card"].head(count).to_list()


def confirm(folder: Path, store: Path) -> None:
    """Let the police stop the cards of the ring, in an order database that is made once."""
    orders, police = folder / "orders", Person("police", Role.POLICE)
    cards = confirmed_cards(folder / "world", RING)
    if orders.is_dir():
        return

    def stops(unit: UnitOfWork) -> None:
        for card in cards:
            police_stop(unit, card, "B1", police, "the benchmark", fraud_kind="loan")

    with app_orders.desk(Settings(orders=orders, store=store), policy_named("national"), create=True) as here:
        here.orders.transaction(stops, datetime.now(UTC))


def ask(folder: Path, store: Path, seed: int) -> dict[str, Cost | int]:
    """What the searches of one process cost, and how many victims they found."""
    policy = policy_named("national")
    ring = confirmed_cards(folder / "world", RING)
    until = until_of(folder / "world")
    with app_orders.desk(Settings(orders=folder / "orders", store=store), policy) as here:
        search = victim_search(here.store, here.trail, policy)
        found: dict[str, Cost | int] = {}
        source = PartyStore(store)
        for name, cards in (
            ("card", ring[seed : seed + 1]),
            ("warm", ring[seed + 10 : seed + 11]),
            ("ring", ring),
        ):
            found[name], found[f"{name}_victims"] = _searched(search, source, cards, until)
    return found


def _searched(
    search: VictimSearch, source: PartyStore, cards: list[str], until: datetime
) -> tuple[Cost, int]:
    found: list[int] = []

    def work() -> None:
        with search.store.reading() as connection:
            confirmed = standing(connection, cards)
        ranked = search.find(source, confirmed, until - _HOURS, until)
        found.append(len(ranked.victims))

    return cost_of(work), found[0]


def main() -> None:
    """Print a line for each search."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--cards", type=int, default=250_000)
    options.add_argument("--days", type=int, default=39)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--ask", type=int, help=argparse.SUPPRESS)  # number of a process that asks
    asked = options.parse_args()
    os.umask(0o077)
    folder = DATA / f"victims-{asked.cards}-{asked.days}"
    folder.mkdir(parents=True, exist_ok=True)
    store = made(folder, asked.cards, asked.days)
    if asked.ask is not None:
        found_here = ask(folder, store, asked.ask)
        print(json.dumps({k: asdict(v) if isinstance(v, Cost) else v for k, v in found_here.items()}))
        return
    confirm(folder, store)
    costs: dict[str, list[Cost]] = {}
    victims: dict[str, list[int]] = {}
    for number in range(asked.rounds):
        forget(store)
        again = [sys.executable, __file__, "--cards", str(asked.cards), "--days", str(asked.days)]
        said = subprocess.run([*again, "--ask", str(number)], check=True, capture_output=True, text=True)
        for name, value in json.loads(said.stdout).items():
            if isinstance(value, int):
                victims.setdefault(name, []).append(value)
            else:
                costs.setdefault(name, []).append(Cost(**value))
    records = sum(records for days in read_manifest(store).days.values() for records, _ in days.values())
    print(f"{records:,} records, {asked.cards:,} cards, {asked.days} days; medians of {asked.rounds}")
    print(f"{'':<8}{'clock':>8}{'goal':>8}{'CPU':>8}{'peak':>9}{'victims':>9}")
    for name, goal in GOALS.items():
        cost = median(costs[name])
        many = sorted(victims[f"{name}_victims"])[asked.rounds // 2]
        met = "" if cost.clock <= goal else "  missed"
        print(
            f"{name:<8}{cost.clock:7.2f}s{goal:7.1f}s{cost.cpu:7.2f}s{cost.peak:6.0f} MB{many:>9,}{met}",
            flush=True,
        )


if __name__ == "__main__":
    main()
