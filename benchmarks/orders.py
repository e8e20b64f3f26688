"""The order database: what 100,000 waiting orders cost, and how fast 10,000 that fall due at once are carried on.

On SQLite and on a PostgreSQL of our own. A whole worker runs, with fake elements; idle cost is its process's CPU time
and, on PostgreSQL, that of the server's processes, in percent of one core. What fell due is swept twice: sealed
decisions, whose cards are stopped, and as many that bear no seal, for which a stop is proposed to a second person.
It prints CPU time as well as seconds by the clock, since other programs may use the machine. The process is prepared
as that of every command, `duanka serve` among them: Python looks for garbage as often as it does there.

    python benchmarks/orders.py [--waiting 100000] [--due 10000] [--idle 20] [--on sqlite]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from pydantic import SecretStr

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap import serve as app_serve
from duanka.bootstrap.order_resources import elements_of
from duanka.bootstrap.scan import policy_named
from duanka.bootstrap.settings import Settings
from duanka.cli.shell.process import prepare_process
from duanka.domain.network import Element, KeptList, NoticeSender, RefusalSource
from duanka.domain.order import SYSTEM, Event, Kind
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.text import BilingualText
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.effects import apply_event
from duanka.orders.service import OrderService
from support import databases
from support.fakes import FakeElement, FakeSender
from support.orders.books import receive

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
AT_ONCE = 500  # orders in a transaction, as intake and sweep have them
GOAL_IDLE, GOAL_SWEEP = 2.0, 2_000
_TICKS = os.sysconf("SC_CLK_TCK")


def card(number: int) -> str:
    """An invented card."""
    return str(8613000000000 + number)


class Fakes(app_serve.Network):
    """A network in memory, whose elements and message centre answer at once."""

    def elements(self) -> list[Element]:
        """One for each that the settings name."""
        return [FakeElement(name) for name in elements_of(self._settings)]

    def sources(self) -> list[RefusalSource]:
        """None: nothing is refused."""
        return []

    def lists(self) -> list[KeptList]:
        """None: nothing keeps a list of its own."""
        return []

    def sender(self) -> NoticeSender:
        """Takes every notice."""
        return FakeSender()


@dataclass
class Clock:
    """The time of the benchmark's day, which runs on."""

    began: float = field(default_factory=time.monotonic)

    def __call__(self) -> datetime:
        """Now."""
        return NOW + timedelta(seconds=time.monotonic() - self.began)


@dataclass
class Cost:
    """What some work cost since this was made: seconds of the clock, of our CPU time and of the server's."""

    server: databases.Postgres | None
    _wall: float = 0.0
    _ours: float = 0.0
    _theirs: float = 0.0

    def __post_init__(self) -> None:
        """Begin."""
        self._wall, self._ours, self._theirs = (
            time.perf_counter(),
            time.process_time(),
            server_seconds(self.server),
        )

    def end(self) -> Cost:
        """Stop counting; returns this."""
        self._wall = time.perf_counter() - self._wall
        self._ours = time.process_time() - self._ours
        self._theirs = server_seconds(self.server) - self._theirs
        return self

    def rate(self, count: int) -> float:
        """How many of `count` a second of the clock."""
        return count / self._wall

    def cores(self) -> tuple[float, float]:
        """Percent of a core, ours and the server's."""
        return 100 * self._ours / self._wall, 100 * self._theirs / self._wall

    def each(self, count: int) -> str:
        """CPU time of one of `count`, in words."""
        beside = f" and {1e6 * self._theirs / count:,.0f} µs of the server's" if self.server else ""
        return f"{1e6 * self._ours / count:,.0f} µs of CPU time{beside} each"


def progress(line: str) -> None:
    """Say on the way what is being done: apart from the figures."""
    sys.stderr.write(f"  ... {line}\n")
    sys.stderr.flush()


def take_in(book: OrderService, count: int, unsealed: range) -> None:
    """Take in `count` decisions; those in `unsealed` bear no seal."""
    reason = BilingualText("一天外呼80个陌生号码", "80 strangers called in a day")
    for begin in range(0, count, AT_ONCE):
        numbers = range(begin, min(begin + AT_ONCE, count))
        receive(
            book,
            [
                OrderDecision(
                    card(number),
                    RequestedAction.VERIFY,
                    "medium",
                    reason,
                    ("fan_out",),
                    operator="中国电信",
                    city="某市",
                    id="" if number in unsealed else f"benchmark:{number}",
                )
                for number in numbers
            ],
            NOW,
        )
        if (begin + AT_ONCE) % 20_000 == 0:
            progress(f"{begin + AT_ONCE:,} of {count:,} decisions taken in")


def deliver(book: OrderService, count: int, delivered_at: Callable[[int], datetime]) -> None:
    """Let the notices of all orders be delivered, and be out: they are not what is measured here."""
    for begin in range(0, count, AT_ONCE):
        some = [card(number) for number in range(begin, min(begin + AT_ONCE, count))]
        book.transaction(lambda unit, some=some: _deliver(unit, some), delivered_at(begin))  # type: ignore[misc]
    with book.store.writing() as connection:
        connection.exec_driver_sql("UPDATE notices SET done_at = 0, outcome = 'delivered'")
    if not book.store.embedded:  # what the server does after so many changes is no cost of waiting
        with book.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM (ANALYZE)")
    progress(f"{count:,} notices delivered")


def _deliver(unit: UnitOfWork, some: list[str]) -> None:
    unit.lock(some)
    for one in some:
        order = unit.open_order(one, Kind.VERIFICATION)
        if order:
            apply_event(unit, order, Event.DELIVERED, SYSTEM, "receipt")


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


def sweep(book: OrderService, now: datetime, server: databases.Postgres | None) -> tuple[int, Cost, float]:
    """Carry on all that is due; how many, what it cost, and the median seconds of a batch."""
    cost, swept, batches = Cost(server), 0, list[float]()
    while True:
        one = time.perf_counter()
        moved = book.sweep(now)
        if not moved:
            return swept, cost.end(), statistics.median(batches)
        swept += moved
        batches.append(time.perf_counter() - one)


def measure(
    name: str, url: str, server: databases.Postgres | None, waiting: int, due: int, idle: float, folder: Path
) -> None:
    """Print the figures of one database."""
    policy = policy_named("national")
    for proxy in ("calls", "messages"):
        (folder / proxy).mkdir()
    settings = Settings(  # the network is in memory: they only say which elements there are
        database_url=SecretStr(url),
        secret=SecretStr("the secret of a benchmark, long enough"),
        orders=folder / "orders",
        home_register="127.0.0.1",
        call_proxy=folder / "calls",
        message_proxy=folder / "messages",
    )
    said: list[str] = []
    with app_orders.desk(settings, policy, create=True) as here:
        cost = Cost(server)
        take_in(here.orders, waiting, range(due, 2 * due))
        taken = cost.end()
        deliver(
            here.orders,
            waiting,
            lambda number: NOW + (0 if number < due else 1 if number < 2 * due else 200) * HOUR,
        )
        with app_serve.working(here, policy.orders, Fakes(settings), said.append, Clock()):
            time.sleep(2)
            progress(f"idle for {idle:.0f} s")
            cost = Cost(server)
            time.sleep(idle)
            ours, theirs = cost.end().cores()
        progress("sweeping")
        stopped = sweep(here.orders, NOW + 24 * HOUR, server)
        proposed = sweep(here.orders, NOW + 25 * HOUR, server)
        progress("verifying the audit trail")
        began = time.perf_counter()
        verdict = here.trail.verdict(here.store, SYSTEM)
        verified = verdict.rows / (time.perf_counter() - began)
    missed = [] if ours + theirs < GOAL_IDLE else [f"idle {ours + theirs:.2f}% (goal {GOAL_IDLE}%)"]
    for what, (swept, cost, _) in (("stopped", stopped), ("proposed", proposed)):
        if cost.rate(swept) < GOAL_SWEEP:
            missed.append(f"{what} {cost.rate(swept):,.0f}/s (goal {GOAL_SWEEP:,}/s)")
    print(f"{name}: " + ("MISSED: " + ", ".join(missed) if missed else "goals met"))
    beside = f" and {theirs:.2f}% of the server's" if server else ""
    print(f"  idle with {waiting:,} waiting: {ours:.2f}% of a core{beside}, over {idle:.0f} s")
    for what, (swept, cost, batch) in (
        ("sealed decisions, cards stopped", stopped),
        ("decisions without a seal, stops proposed", proposed),
    ):
        print(
            f"  {swept:,} due at once, {what}: {cost.rate(swept):,.0f} orders/s, {batch:.3f} s a batch of"
            f" {AT_ONCE}, {cost.each(swept)}"
        )
    print(f"  decisions taken in: {taken.rate(waiting):,.0f}/s, {taken.each(waiting)}")
    print(f"  audit trail verified: {verified:,.0f} rows/s, {len(verdict.faults)} faults")
    for line in said:
        print(f"  the worker said: {line}")


def main() -> None:
    """Measure both databases."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--waiting", type=int, default=100_000)
    options.add_argument("--due", type=int, default=10_000, help="of each kind; twice as many must wait")
    options.add_argument("--idle", type=float, default=20.0)
    options.add_argument("--on", choices=("sqlite", "postgresql"), help="one database alone")
    asked = options.parse_args()
    if asked.waiting < 2 * asked.due:
        options.error("--waiting must be at least twice --due")
    prepare_process()
    if asked.on != "postgresql":
        with tempfile.TemporaryDirectory() as name:
            folder, url = Path(name), f"sqlite:///{name}/orders.sqlite"
            measure("SQLite", url, None, asked.waiting, asked.due, asked.idle, folder)
    if asked.on == "sqlite":
        return
    if missing := databases.missing():
        sys.exit(missing)
    server = databases.Postgres()
    try:
        server.start()
        with server.database() as url, tempfile.TemporaryDirectory() as name:
            measure("PostgreSQL", url, server, asked.waiting, asked.due, asked.idle, Path(name))
    finally:
        server.close()


if __name__ == "__main__":
    main()
