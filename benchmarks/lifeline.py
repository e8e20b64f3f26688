"""Lifeline: 500 cards at once into it and out of it, in a real home register, call proxy and message proxy.

Each switch is one bulk action, approved by a second person where it restricts. Counted is for each card the time from
the request until the last of its three elements has carried it out, as the order database says; the elements are asked
afterwards whether it is so.

    python benchmarks/lifeline.py [--cards 500] [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from duanka.bootstrap import orders as app_orders
from duanka.bootstrap import serve as app_serve
from duanka.bootstrap.orders import OrderDesk
from duanka.bootstrap.scan import policy_named
from duanka.cli.shell.process import prepare_process
from duanka.domain.network import NetworkState
from duanka.domain.order import Event, Person, Role
from duanka.domain.text import BilingualText
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.sandbox.network import OwnNetwork
from support.enacted import enacted

GOAL_SECONDS = 2.0
ELEMENTS = 3
DESK, SECOND = Person("wang", Role.DESK), Person("li", Role.SUPERVISOR)
WHY = BilingualText("须核实", "to be verified")
# from active and back to it, each way into lifeline and out of it; suspending and restoring first, to compare with
SWITCHES = (
    (Event.SUSPEND, NetworkState.SUSPENDED, "active to suspended"),
    (Event.RESTORE, NetworkState.ACTIVE, "suspended to active"),
    (Event.LIFELINE, NetworkState.LIFELINE, "active to lifeline"),
    (Event.EASE, NetworkState.OUTGOING_BARRED, "lifeline to outgoing barred"),
    (Event.LIFELINE, NetworkState.LIFELINE, "outgoing barred to lifeline"),
    (Event.SUSPEND, NetworkState.SUSPENDED, "lifeline to suspended"),
    (Event.EASE_TO_LIFELINE, NetworkState.LIFELINE, "suspended to lifeline"),
    (Event.RESTORE, NetworkState.ACTIVE, "lifeline to active"),
)
_STILL_SECONDS = 60.0  # after which a switch has failed


def main() -> None:
    """Switch so often, and print what each kind of switch took."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    options.add_argument("--cards", type=int, default=500)
    options.add_argument("--rounds", type=int, default=5)
    asked = options.parse_args()
    prepare_process()
    policy = policy_named("national")
    cards = [str(8613800000000 + number) for number in range(asked.cards)]
    took: dict[str, list[Switched]] = {name: [] for _, _, name in SWITCHES}
    with tempfile.TemporaryDirectory() as name, OwnNetwork(Path(name), policy) as network:
        network.register.add(cards)
        settings = network.settings(Path(name) / "orders")
        with (
            app_orders.desk(settings, policy, create=True) as here,
            app_serve.working(here, policy.orders, app_serve.Network(settings), lambda _: None) as worker,
        ):
            time.sleep(2)
            for _ in range(asked.rounds):
                for event, state, kind in SWITCHES:
                    took[kind].append(_switched(here, cards, event, worker.wake))
                    if not network.in_force(cards, state):
                        sys.exit(f"{kind}: an element says otherwise")
    _tell(took, asked.cards, asked.rounds)


@dataclass(frozen=True)
class Switched:
    """One switch: seconds of each restriction until all elements had it, and of each element alone; CPU seconds."""

    seconds: list[float]
    elements: dict[str, list[float]]
    cpu: float


def _switched(here: OrderDesk, cards: list[str], event: Event, wake: Callable[[], None]) -> Switched:
    """Ask for it, and wait until all elements have carried it out."""
    acts, begun, cpu = BulkActionService(here.orders), datetime.now(UTC), time.process_time()
    act = acts.propose(event, cards, WHY, DESK, app_orders.now())
    if act.approved_at is None:
        begun, cpu = datetime.now(UTC), time.process_time()
        acts.approve(act.id, SECOND, "seen", app_orders.now())
    wake()
    end = time.monotonic() + _STILL_SECONDS
    while time.monotonic() < end:
        by_order: dict[str, list[float]] = {}
        by_element: dict[str, list[float]] = {}
        for row in enacted(here.store, begun):
            seconds = (row.enforced_at - begun).total_seconds()
            by_order.setdefault(row.order_id, []).append(seconds)
            by_element.setdefault(row.element, []).append(seconds)
        if len(by_order) == len(cards) and all(len(done) == ELEMENTS for done in by_order.values()):
            return Switched([*map(max, by_order.values())], by_element, time.process_time() - cpu)
        time.sleep(0.1)
    sys.exit(f"{event}: not everywhere after {_STILL_SECONDS:.0f} s")


def _p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def _tell(took: dict[str, list[Switched]], cards: int, rounds: int) -> None:
    print(f"{cards} cards at once, {rounds} rounds; seconds from the request to the last of three elements")
    for name, switches in took.items():
        seconds = [one for switch in switches for one in switch.seconds]
        quietest = min(_p95(switch.seconds) for switch in switches)
        met = "met" if _p95(seconds) <= GOAL_SECONDS else "MISSED"
        print(
            f"  {name:<28} median {statistics.median(seconds):.2f}  P95 {_p95(seconds):.2f} (goal"
            f" {GOAL_SECONDS:.0f}: {met})  of the quietest round {quietest:.2f}"
            f"  CPU {statistics.median(switch.cpu for switch in switches):.2f}"
        )
        each = {
            element: [one for switch in switches for one in switch.elements[element]]
            for element in switches[0].elements
        }
        told = ", ".join(f"{element} {_p95(found):.2f}" for element, found in sorted(each.items()))
        print(f"    P95 of each element: {told}")


if __name__ == "__main__":
    main()
