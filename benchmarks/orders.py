"""The order book: what 100,000 waiting orders cost, and how fast 10,000 that fall due at once are carried on.

On SQLite and on a PostgreSQL of our own. A whole worker runs, with fake elements; idle cost is its process's CPU time
and, on PostgreSQL, that of the server's processes, in percent of one core.

    python benchmarks/orders.py [--waiting 100000] [--due 10000] [--idle 20]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from pydantic import SecretStr

import databases
from duanka import app_orders, app_serve
from duanka.app import policy_named
from duanka.domain.network import Element, NoticeSender, RefusalSource
from duanka.domain.order import SYSTEM, Asked, Demand, Event, Kind
from duanka.domain.words import Words
from duanka.network.fake import FakeElement, FakeSender
from duanka.orders.book import OrderBook
from duanka.orders.consequences import happen
from duanka.orders.turn import Turn
from duanka.settings import Settings

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
GOAL_IDLE, GOAL_SWEEP = 2.0, 2_000
_TICKS = os.sysconf("SC_CLK_TCK")


def card(number: int) -> str:
    """An invented card."""
    return str(8613000000000 + number)


class Fakes(app_serve.Network):
    """A network in memory, whose elements and message centre answer at once."""

    def elements(self) -> list[Element]:
        """One for each that the settings name."""
        return [FakeElement(name) for name in app_orders.elements_of(self._settings)]

    def sources(self) -> list[RefusalSource]:
        """None: nothing is refused."""
        return []

    def sender(self) -> NoticeSender:
        """Takes every notice."""
        return FakeSender()


def fill(book: OrderBook, count: int, due: int) -> float:
    """`count` orders whose notices are delivered; the first `due` fall due 24 hours after NOW, the others later."""
    began = time.perf_counter()
    for begin in range(0, count, 500):
        some = [card(number) for number in range(begin, min(begin + 500, count))]
        reason = Words("一天外呼80个陌生号码", "80 strangers called in a day")
        book.receive([Demand(one, Asked.VERIFY, "medium", reason, ("fan_out",)) for one in some], NOW)
    rate = count / (time.perf_counter() - began)
    for begin in range(0, count, 500):
        some = [card(number) for number in range(begin, min(begin + 500, count))]
        at = NOW if begin < due else NOW + 200 * HOUR
        book.turn(lambda turn, some=some: _deliver(turn, some), at)  # type: ignore[misc]
    with book.store.writing() as connection:  # the notices are out: they are not what is measured here
        connection.exec_driver_sql("UPDATE notices SET done_at = 0, outcome = 'delivered'")
    return rate


def _deliver(turn: Turn, some: list[str]) -> None:
    turn.lock(some)
    for one in some:
        order = turn.open_order(one, Kind.VERIFICATION)
        if order:
            happen(turn, order, Event.DELIVERED, SYSTEM, "receipt")


def server_seconds(server: databases.Postgres | None) -> float:
    """CPU seconds of a PostgreSQL of ours and all its children."""
    if server is None:
        return 0.0
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if server.pid in (int(process.name), int(fields[1])):
            total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def measure(
    name: str, url: str, postgres: databases.Postgres | None, waiting: int, due: int, idle: float
) -> None:
    """Print the figures of one database."""
    policy = policy_named("national")
    nowhere = Path("nowhere")  # the network is in memory; the settings only say which elements there are
    settings = Settings(
        database_url=SecretStr(url),
        secret=SecretStr("the secret of a benchmark, long enough"),
        home_register=str(nowhere),
        call_proxy=nowhere,
        message_proxy=nowhere,
    )
    with app_orders.desk(settings, policy, create=True) as here:
        _measure(
            name,
            here,
            app_serve.working(here, policy.orders, Fakes(settings), print, lambda: NOW),
            postgres,
            waiting,
            due,
            idle,
        )


def _measure(
    name: str,
    here: app_orders.Desk,
    worker: AbstractContextManager[object],
    postgres: databases.Postgres | None,
    waiting: int,
    due: int,
    idle: float,
) -> None:
    book = here.book
    taken = fill(book, waiting, due)
    with worker:
        time.sleep(2)
        ours, theirs, began = time.process_time(), server_seconds(postgres), time.perf_counter()
        time.sleep(idle)
        span = time.perf_counter() - began
        cost = 100 * (time.process_time() - ours) / span
        server = 100 * (server_seconds(postgres) - theirs) / span
    began, swept, batches = time.perf_counter(), 0, list[float]()
    then = NOW + 24 * HOUR
    while True:
        one = time.perf_counter()
        moved = book.sweep(then)
        if not moved:
            break
        swept += moved
        batches.append(time.perf_counter() - one)
    sweep = swept / (time.perf_counter() - began)
    began = time.perf_counter()
    verdict = here.trail.verdict(here.store, SYSTEM)
    verified = verdict.rows / (time.perf_counter() - began)
    missed = [] if cost + server < GOAL_IDLE else [f"idle {cost + server:.2f}% (goal {GOAL_IDLE}%)"]
    if postgres and sweep < GOAL_SWEEP:
        missed.append(f"sweep {sweep:,.0f}/s (goal {GOAL_SWEEP:,}/s)")
    print(f"{name}: " + ("MISSED: " + ", ".join(missed) if missed else "goals met"))
    beside = f" and {server:.2f}% of the server's" if postgres else ""
    print(f"  idle with {waiting:,} waiting: {cost:.2f}% of a core{beside}, over {idle:.0f} s")
    print(
        f"  sweep of {swept:,} due at once: {sweep:,.0f} orders/s, {statistics.median(batches):.3f} s a batch of 500"
    )
    print(
        f"  decisions taken in: {taken:,.0f}/s; audit trail verified: {verified:,.0f} rows/s,"
        f" {len(verdict.faults)} faults"
    )


def main() -> None:
    """Measure both databases."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--waiting", type=int, default=100_000)
    options.add_argument("--due", type=int, default=10_000)
    options.add_argument("--idle", type=float, default=20.0)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure("SQLite", f"sqlite:///{folder}/orders.sqlite", None, asked.waiting, asked.due, asked.idle)
    if missing := databases.missing():
        sys.exit(missing)
    server = databases.Postgres()
    try:
        server.start()
        with server.database() as url:
            measure("PostgreSQL", url, server, asked.waiting, asked.due, asked.idle)
    finally:
        server.close()


if __name__ == "__main__":
    main()
