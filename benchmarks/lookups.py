"""A desk's questions to a store of 100 M records: a card's month, contacts of 1,000 numbers, the whole command.

The store is invented, not simulated: 600,000 cards over 30 days, a day 1.8 M calls, 0.5 M messages, 0.5 M sightings
and 0.54 M data days, in the files that a scan writes. `cold`: the first question of a process, none of the files in
memory; `warm`: the median of 50 other cards in the same process. Contacts are those of 500 cards and 500 foreign
numbers over 72 hours. Goals are by the clock, on two quiet cores; the peak is that of the process that answered.

    python benchmarks/lookups.py [--cards 600000] [--days 30] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from measuring import Cost, command, cost_of, median

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings
from duanka.engine.store.columns import names
from duanka.engine.store.manifest import is_store
from duanka.engine.store.reading.lookups import StoreLookups
from duanka.engine.store.record_store import RecordStore

DATA = Path("bench-data")
FIRST = date(2026, 3, 1)
GOALS = {"cold": 0.400, "warm": 0.060, "contacts": 1.0, "command": 1.0}  # seconds
_FOREIGN = 20_000_000  # numbers that cards are in contact with
_WARM, _NUMBERS = 50, 1_000
_NOW = datetime(2026, 4, 1, 6)


def number(card: int) -> int:
    """An own number."""
    return 8613000000000 + card * 7


def table_sql(day: int, cards: int) -> dict[str, str]:
    """SELECT of a day's invented records, by table, unsorted."""

    def chance(salt: int) -> str:
        return f"hash(i + {day}::BIGINT * 100000000 + {salt}::BIGINT * 1000000007)"

    card = f"({chance(1)} % {cards})::BIGINT"
    begin = f"TIMESTAMP '{FIRST + timedelta(days=day)}'"
    moment = f"{begin} + to_microseconds(({chance(4)} % 86400000000)::BIGINT)"
    own, foreign = (
        f"8613000000000 + ({chance(3)} % {cards})::BIGINT * 7",
        f"({chance(3)} % {_FOREIGN})::BIGINT",
    )
    peer = (
        f"CASE WHEN {chance(2)} % 10 < 3 THEN {own} WHEN {chance(2)} % 10 = 9 THEN 95588"
        f" ELSE 8615000000000 + {foreign} END"
    )
    place = (
        f"86012304000000 + {card} * 3 AS imei, 46000000000 + ({card} * 17 + ({chance(5)} % 3)::BIGINT) % 60000 AS cell,"
        f" (130100 + {card} % 200)::VARCHAR AS city"
    )
    head = f"8613000000000 + {card} * 7 AS card"
    both = f"{head}, {peer} AS peer, if({chance(6)} % 2 = 0, 'out', 'in') AS direction"
    usage = f"({chance(7)} % 300)::BIGINT AS seconds, {chance(8)} % 4 > 0 AS answered"
    return {
        "calls": f"SELECT {both}, {moment} AS started_at, {usage}, {place}, NULL::BIGINT AS forwarded_from"
        f" FROM range({cards * 3}) AS r(i)",
        "messages": f"SELECT {both}, {moment} AS sent_at, {place} FROM range({cards * 5 // 6}) AS r(i)",
        "sightings": f"SELECT {head}, {moment} AS seen_at, {place} FROM range({cards * 5 // 6}) AS r(i)",
        "data_days": f"SELECT 8613000000000 + i * 7 AS card, {begin}::DATE AS day,"
        f" ({chance(9)} % 2000000000)::BIGINT AS bytes FROM range({cards * 9 // 10}) AS r(i)",
    }


def made(folder: Path, cards: int, days: int) -> int:
    """The number of records of the store in `folder`, which is invented once."""
    store = RecordStore(folder)
    if not is_store(folder):
        print(f"a store of {days} days and {cards:,} cards is invented in {folder}, once ...", flush=True)
        parts = {table: DATA / f"lookups-{table}.parquet" for table in table_sql(0, cards)}
        with store.writing(_NOW) as writer:
            for day in range(days):
                for table, select in table_sql(day, cards).items():
                    writer.draft.run(f"COPY ({select}) TO '{parts[table]}' (FORMAT parquet)")
                filled = {table: set(names(table)) - {"forwarded_from"} for table in parts}
                writer.add({table: [path] for table, path in parts.items()}, filled)
            writer.commit()
        for path in parts.values():
            path.unlink()
    return sum(records for days in store.manifest().days.values() for records, _ in days.values())


def forget(folder: Path) -> None:
    """Have the system drop the files from its memory."""
    for path in folder.rglob("*.parquet"):
        opened = os.open(path, os.O_RDONLY)
        os.fsync(opened)
        os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(opened)


def ask(folder: Path, cards: int, days: int, seed: int) -> dict[str, Cost]:
    """What the questions of one process cost."""
    chance = random.Random(seed)  # noqa: S311  # which cards are asked for
    begin = datetime(FIRST.year, FIRST.month, FIRST.day)
    end = begin + timedelta(days=days)
    store = StoreLookups(folder)

    def card() -> str:
        return str(number(chance.randrange(cards)))

    cold, *warm = (cost_of(lambda: store.records_of(card(), begin, end)) for _ in range(1 + _WARM))
    numbers = [card() for _ in range(_NUMBERS // 2)]
    numbers += [str(8615000000000 + chance.randrange(_FOREIGN)) for _ in range(_NUMBERS // 2)]
    noon = end - timedelta(hours=12)  # neither begin nor end is that of a day
    contacts = cost_of(lambda: store.contacts_of(numbers, noon - timedelta(hours=72), noon))
    return {"cold": cold, "warm": median(warm), "contacts": contacts}


def desk(folder: Path, store: Path) -> dict[str, str]:
    """Environment of a person who may look up in `store`."""
    settings = Settings(orders=folder, store=store)
    kept = folder / "key-of-the-benchmark"
    with app_orders.desk(settings, policy_named("national"), create=not kept.exists()) as here:
        if not kept.exists():
            kept.write_text(here.persons.begin("wang", "wang", "the benchmark", datetime.now(UTC))[0])
        person = here.keys.who(key := kept.read_text(encoding="ascii"))
        assert person  # noqa: S101  # it has just been made
        app_orders.attach_store(here, None, person, "the benchmark")
    return {"DUANKA_ORDERS": str(folder), "DUANKA_STORE": str(store), "DUANKA_API_KEY": key}


def main() -> None:
    """Print a line for each question."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--cards", type=int, default=600_000)
    options.add_argument("--days", type=int, default=30)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--ask", type=int, help=argparse.SUPPRESS)  # seed of a process that asks
    asked = options.parse_args()
    os.umask(0o077)
    folder = DATA / f"lookups-{asked.cards}-{asked.days}"
    if asked.ask is not None:
        found_here = ask(folder, asked.cards, asked.days, asked.ask)
        print(json.dumps({name: asdict(cost) for name, cost in found_here.items()}))
        return
    records = made(folder, asked.cards, asked.days)
    environment = desk(DATA / "lookups-orders", folder)
    found: dict[str, list[Cost]] = {}
    for seed in range(asked.rounds):
        forget(folder)
        again = [sys.executable, __file__, "--cards", str(asked.cards), "--days", str(asked.days)]
        said = subprocess.run([*again, "--ask", str(seed)], check=True, capture_output=True, text=True)
        for name, cost in json.loads(said.stdout).items():
            found.setdefault(name, []).append(Cost(**cost))
        card = str(number(seed * 7919 % asked.cards))
        typed = ("store", "card", card, "--why", "the benchmark", "--case", "1")
        found.setdefault("command", []).append(command(environment, *typed))
    print(f"{records:,} records, {asked.cards:,} cards, {asked.days} days; medians of {asked.rounds}")
    print(f"{'':<10}{'clock':>8}{'goal':>8}{'CPU':>8}{'peak':>9}")
    for name, goal in GOALS.items():
        cost = median(found[name])
        met = "" if cost.clock <= goal and cost.peak <= 1000 else "  missed"
        print(f"{name:<10}{cost.clock:7.3f}s{goal:7.3f}s{cost.cpu:7.3f}s{cost.peak:6.0f} MB{met}", flush=True)


if __name__ == "__main__":
    main()
