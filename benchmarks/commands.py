"""What typing a command costs: CPU seconds (user and system) of --help, and of some commands on 100,000 orders.

CPU seconds, because they depend less than the clock on who else works on the machine; the least of five runs each.

    python benchmarks/commands.py [--orders 100000] [--runs 5]
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from measuring import command

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings
from duanka.domain.order import Kind
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.text import BilingualText
from duanka.ledger.db.tables import SCHEMA_VERSION
from duanka.orders.service import OrderService
from support.orders.books import receive

DATA = Path("bench-data")
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
AT_ONCE = 500  # orders in a transaction
GOAL_HELP, GOAL_ORDERS = 0.3, 0.8


def card(number: int) -> str:
    """An invented card."""
    return str(8613000000000 + number)


def fill(book: OrderService, count: int) -> None:
    """Ask the holders of so many cards to verify."""
    reason = BilingualText("一天外呼80个陌生号码", "80 strangers called in a day")
    for begin in range(0, count, AT_ONCE):
        some = (card(number) for number in range(begin, min(begin + AT_ONCE, count)))
        receive(
            book,
            [OrderDecision(one, RequestedAction.VERIFY, "medium", reason, ("fan_out",)) for one in some],
            NOW,
        )


def order_database(folder: Path, orders: int) -> str:
    """An order database with so many open orders in `folder`, made once; the key of its supervisor."""
    kept = folder / "key-of-the-benchmark"
    if not kept.exists():
        print(f"{orders:,} orders are made in {folder}, once ...", flush=True)
        with app_orders.desk(Settings(orders=folder), policy_named("national"), create=True) as here:
            key, invitation = here.persons.begin("wang", "wang", "the benchmark", NOW)
            here.persons.join(invitation, "li", "li", NOW)
            fill(here.orders, orders)
        kept.write_text(key, encoding="ascii")
    return kept.read_text(encoding="ascii")


def main() -> None:
    """Print a line for each command."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--orders", type=int, default=100_000)
    options.add_argument("--runs", type=int, default=5)
    asked = options.parse_args()
    os.umask(0o077)
    folder = DATA / f"orders-{SCHEMA_VERSION}-{asked.orders}"
    environment = {"DUANKA_API_KEY": order_database(folder, asked.orders), "DUANKA_ORDERS": str(folder)}
    number = card(asked.orders // 2)
    with app_orders.desk(Settings(orders=folder), policy_named("national")) as here:
        order = here.reading.last(number, Kind.VERIFICATION)
    assert order  # noqa: S101  # every card of the benchmark has one
    commands = {
        "--help": (["--help"], GOAL_HELP),
        "orders list": (["orders", "list"], GOAL_ORDERS),
        "orders list, by state": (["orders", "list", "--state", order.state.value], GOAL_ORDERS),
        "orders list --rule": (["orders", "list", "--rule", "fan_out", "--sort", "weight"], GOAL_ORDERS),
        "orders list --count": (["orders", "list", "--count"], GOAL_ORDERS),
        "orders list --page 3000": (["orders", "list", "--page", "3000"], GOAL_ORDERS),
        "orders list --tier --csv": (
            ["orders", "list", "--tier", "medium", "--csv", "--limit", "200"],
            GOAL_ORDERS,
        ),
        "cards show CARD": (["cards", "show", number], GOAL_ORDERS),
        "orders show ORDER": (["orders", "show", order.id], GOAL_ORDERS),
        "whoami": (["whoami"], GOAL_ORDERS),
    }
    for name, (words, goal) in commands.items():
        least = min(command(environment, *words).cpu for _ in range(asked.runs))
        met = "" if least <= goal else "  missed"
        print(f"{name:<24}{least:6.2f} CPU s  (goal {goal:.1f}){met}", flush=True)


if __name__ == "__main__":
    main()
