"""The headline figures on a year of days of the source document's size, and a page of what lies behind one of them.

The year is invented: 2 M calls, 4.2 M messages, 51,000 numbers, 2,740 clues and 8,030 dissuaded victims a day in 31
cities of 3 operators; a tenth of the numbers was handled before, a tenth of the clues has cards of two operators.
Refusals are counted by hour and day; those of the last day lie in the order database (SQLite), those of 30 days in the
store. Of numbers, clues and victims the events of the last 30 days are kept, and the counts by day of all. A cost is
that of the whole command, by the clock on two quiet cores, the median of 5.

    python benchmarks/figures.py [--days 30] [--rounds 5]
    python benchmarks/figures.py --day 1        # plays a whole day into `duanka serve`, with kills, and compares
"""

from __future__ import annotations

import argparse
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from measuring import command, median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings
from duanka.engine.store.manifest import FileKind, is_store
from duanka.engine.store.record_store import RecordStore
from duanka.ledger.figures.calendar import day_of, midnight, month_of
from support.assessment.played_day import CITIES, OPERATORS, PlayedDay

DATA = Path("bench-data")
CALLS, MESSAGES, NUMBERS, CLUES, DISSUADED = 2_000_000, 4_200_000, 51_000, 2_740, 8_030
YEAR = 365
GOALS = {"figures": 0.5, "page": 1.0}  # seconds
PLACES = [(operator, city) for operator in OPERATORS for city in CITIES]
_REASONS = {"call": ("blocked_sender", "blocked_destination"), "message": ("blocked_sender", "rate", "text")}
_HERE = 200_000  # refusals of today that lie in the order database at the least: those of a morning


def store_of(folder: Path, today: date, days: int) -> None:
    """The store with the refusals of `days` days before today, of one file each, as after compaction."""
    if is_store(folder):
        return
    print(f"{days} days of {CALLS + MESSAGES:,} refusals are invented in {folder}, once ...", flush=True)
    names = ", ".join(f"'{one}'" for one in OPERATORS)
    cities = ", ".join(f"'{one}'" for one in CITIES)
    with RecordStore(folder).writing(datetime(today.year, today.month, today.day)) as writer:
        for back in range(days, 0, -1):
            day = today - timedelta(days=back)
            moment = f"TIMESTAMP '{day}' + to_microseconds((hash(i + 1) % 86400000000)::BIGINT)"
            rows = (
                f"SELECT i, (hash(i) % 400000)::BIGINT AS n, {moment} AS moment,"
                f" if(i < {CALLS}, 'call', 'message') AS c"
                f" FROM range({CALLS + MESSAGES}) AS r(i)"
            )
            select = (
                "SELECT 8613000000000 + n AS card, moment AS refused_at, 8613900000000 + i AS peer, c AS carried,"
                " 'blocked_sender' AS reason, c || '_proxy' AS element, md5(i::VARCHAR) AS key, '' AS detail,"
                f" [{names}][1 + n % {len(OPERATORS)}] AS operator, [{cities}][1 + n // 3 % {len(CITIES)}] AS city"
                f" FROM ({rows}) ORDER BY card, refused_at, element, key"
            )
            writer.draft.write(select, FileKind.REFUSALS, day=day)
        writer.commit()


def desk(folder: Path, store: Path) -> dict[str, str]:
    """Environment of a supervisor of a new order database with the store."""
    settings = Settings(orders=folder, store=store)
    with app_orders.desk(settings, policy_named("national"), create=True) as here:
        key, _ = here.persons.begin("wang", "wang", "the benchmark", datetime.now(UTC))
        person = here.keys.who(key)
        assert person  # noqa: S101  # it has just been made
        app_orders.attach_store(here, None, person, "the benchmark")
        here.assessment.figures.counts(
            datetime.now(UTC) - timedelta(days=1), datetime.now(UTC), person, here.now()
        )
    return {"DUANKA_ORDERS": str(folder), "DUANKA_STORE": str(store), "DUANKA_API_KEY": key}


def _micros(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)


def fill(database: Path, now: datetime, kept: int) -> None:
    """A year of counts, and the events and refusals that are kept."""
    today = day_of(now)
    with closing(sqlite3.connect(database)) as db, db:
        for table, rows in (
            ("refusal_days", _refusal_days(today)),
            ("refusal_hours", _refusal_hours(today)),
            ("counted_days", _counted_days(today)),
            ("counted_again_days", _again(today)),
            ("counted_events", _events(today, kept)),
            ("refusals", _refusals(now)),
        ):
            first = next(rows)
            marks = ", ".join("?" * len(first))
            db.execute(f"DELETE FROM {table}")  # our own names
            db.execute(f"INSERT INTO {table} VALUES ({marks})", first)
            db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        _months(db, today)
        db.execute("DELETE FROM counted_again_months")
        db.execute(
            "INSERT INTO counted_again_months SELECT figure, m, p, operator, city, sum(count) FROM ("
            " SELECT figure, operator, city, count, months.month AS m, before.month AS p FROM counted_again_days"
            " JOIN months ON months.day = counted_again_days.day JOIN months AS before ON before.day = previous)"
            " GROUP BY 1, 2, 3, 4, 5"
        )
        spans = [
            (name, _micros(midnight(today - YEAR)), carried, _micros(now))
            for name, carried in (("call_proxy", "call"), ("message_proxy", "message"))
        ]
        db.executemany("INSERT OR REPLACE INTO refusal_coverage VALUES (?, ?, ?, ?)", spans)
        db.execute(
            "INSERT OR REPLACE INTO positions VALUES ('refusals moved', ?, '0')", (_micros(midnight(today)),)
        )


def _months(db: sqlite3.Connection, today: int) -> None:
    db.execute("CREATE TEMP TABLE months (day INTEGER PRIMARY KEY, month INTEGER)")
    db.executemany(
        "INSERT INTO months VALUES (?, ?)", ((d, month_of(d)) for d in range(today - YEAR, today + 1))
    )


def _refusal_days(today: int) -> Iterator[tuple[object, ...]]:
    for day in range(today - YEAR, today + 1):
        for carried, many in (("call", CALLS), ("message", MESSAGES)):
            for place in PLACES:
                yield (carried, day, *place, many // len(PLACES))


def _refusal_hours(today: int) -> Iterator[tuple[object, ...]]:
    for day in range(today - YEAR, today + 1):
        for hour in range(24):
            at = _micros(midnight(day)) + hour * 3_600_000_000
            for carried, reasons in _REASONS.items():
                many = (CALLS if carried == "call" else MESSAGES) // len(PLACES) // 24 // len(reasons)
                for reason in reasons:
                    yield from ((at, carried, reason, *place, many) for place in PLACES)


def _counted_days(today: int) -> Iterator[tuple[object, ...]]:
    for figure, many in (
        ("numbers_handled", NUMBERS),
        ("clues_sent", CLUES),
        ("victims_dissuaded", DISSUADED),
    ):
        for day in range(today - YEAR, today + 1):
            yield from ((figure, day, *place, many // len(PLACES)) for place in PLACES)


def _again(today: int) -> Iterator[tuple[object, ...]]:
    """A tenth of the numbers of each day, by the day on which they were handled before."""
    lot = random.Random(1)  # noqa: S311
    for day in range(today - YEAR + 1, today + 1):
        found: dict[tuple[object, ...], int] = {}
        for _ in range(NUMBERS // 10):
            key = ("numbers_handled", day, lot.randrange(today - YEAR, day), *lot.choice(PLACES))
            found[key] = found.get(key, 0) + 1
        yield from ((*key, count) for key, count in found.items())


def _events(today: int, kept: int) -> Iterator[tuple[object, ...]]:
    """Events of the last days; of things in several places those of the whole year."""
    seq = 0
    for figure, many, several in (
        ("numbers_handled", NUMBERS, 200),
        ("clues_sent", CLUES, CLUES // 10),
        ("victims_dissuaded", DISSUADED, 0),
    ):
        for day in range(today - YEAR, today + 1):
            begin = _micros(midnight(day))
            for n in range(many if day > today - kept else several):
                seq += 1
                at, places = begin + n * (86_400_000_000 // many), 2 if n < several else 1
                for place in range(places):
                    operator, city = PLACES[(n + place * len(CITIES)) % len(PLACES)]
                    key = f"86130{seq:08d}"
                    yield (figure, key, seq, operator, city, at, None, "restriction.suspend", "R0", places)


def _refusals(now: datetime) -> Iterator[tuple[object, ...]]:
    """Refusals since midnight, at the day's rate."""
    begin, end = midnight(day_of(now)), now
    every = timedelta(seconds=86_400) / (CALLS + MESSAGES)
    many = max(int((end - begin) / every), _HERE)
    for n in range(many):
        carried = "call" if n % 31 < 10 else "message"
        at = _micros(begin) + int(n * every.total_seconds() * 1_000_000)
        place = PLACES[n * 7919 % len(PLACES)]
        card = str(8613000000000 + n % 400_000)
        yield (
            f"{carried}_proxy",
            f"{n:032x}",
            at,
            carried,
            card,
            str(8613900000000 + n),
            "blocked_sender",
            "",
            *place,
        )


def year(days: int, rounds: int) -> None:
    """Print a line for each question to a year."""
    now = datetime.now(UTC)
    today = date.fromtimestamp(now.timestamp() + 8 * 3600)
    store = DATA / f"figures-store-{days}-{today}"
    store_of(store, today, days)
    with tempfile.TemporaryDirectory(dir=DATA) as folder:
        environment = desk(Path(folder) / "orders", store)
        print("a year of counts is invented ...", flush=True)
        fill(Path(folder) / "orders" / "orders.sqlite", now, days)
        ago, day = (f"{today - timedelta(days=n)}" for n in (YEAR - 1, days // 2))
        after = f"{today - timedelta(days=days // 2 - 1)}"
        page = ("--since", day, "--until", after, "--operator", OPERATORS[0], "--limit", "100", "--json")
        questions = {
            "the start of any command": ("figures", ()),
            "figures, seven days": ("figures", ()),
            "figures, a year": ("figures", ("--since", ago)),
            "figures, a year by operator": ("figures", ("--since", ago, "--by", "operator")),
            "figures, a year by city": ("figures", ("--since", ago, "--by", "city")),
            "figures, a year by month": ("figures", ("--since", ago, "--by", "month")),
            "a page of calls": ("page", ("--rows", "calls_intercepted", *page)),
            "a page of messages": ("page", ("--rows", "messages_intercepted", *page)),
            "a page of numbers": ("page", ("--rows", "numbers_handled", *page)),
            "a page of today's calls": (
                "page",
                ("--rows", "calls_intercepted", "--since", f"{today}", *page[4:]),
            ),
        }
        print(f"{'':<30}{'clock':>8}{'CPU':>8}{'goal':>8}")
        for number, (name, (kind, words)) in enumerate(questions.items()):
            typed = ("figures", *words) if number else ("whoami",)
            command(environment, *typed)
            cost = median([command(environment, *typed) for _ in range(rounds)])
            met = "" if cost.clock <= GOALS[kind] else "  missed"
            print(f"{name:<30}{cost.clock:7.3f}s{cost.cpu:7.3f}s{GOALS[kind]:7.1f}s{met}", flush=True)


def played(scale: float) -> None:
    """Play a day into `duanka serve` and print what was counted beside what was played."""
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:7.0f} s  {line}", flush=True)

    with tempfile.TemporaryDirectory(dir=DATA) as folder:
        day = PlayedDay(Path(folder).resolve(), scale, limit=6 * 3600, say=say, pause=1.0)
        day.play()
        say("played")
        (counts, certainty), expected = day.told(), day.expected()
    for key in sorted(expected):
        mark = "" if counts[key] == expected[key] else "  WRONG"
        print(f"{key[0]:<22}{key[1] or 'all':<8}{expected[key]:>12,}{counts[key]:>12,}{mark}")
    print(f"certainty: {', '.join(sorted(certainty))}; equal: {counts == expected}")


def main() -> None:
    """Ask a year, or play a day."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--days", type=int, default=30, help="days of rows that are kept")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--day", type=float, metavar="SCALE", help="play a day of this size; 1: the whole")
    asked = options.parse_args()
    os.umask(0o077)
    DATA.mkdir(exist_ok=True)
    if asked.day:
        played(asked.day)
    else:
        year(asked.days, asked.rounds)


if __name__ == "__main__":
    main()
