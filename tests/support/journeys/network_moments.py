"""The story of a card in a real network, by a clock that is moved: python network_moments.py FOLDER says its moments.

Run in a process of its own, for the zone of a machine is that of a process.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from duanka.bootstrap import serve as app_serve
from duanka.bootstrap.orders import OrderDesk, desk
from duanka.bootstrap.scan import policy_named
from duanka.domain.local_time import operator_zone
from duanka.domain.network import NetworkState
from duanka.domain.order import Event, Kind, Person, Role
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.text import BilingualText
from duanka.ledger.db import tables
from duanka.ledger.db.columns import UtcMicroseconds
from duanka.sandbox.network import OwnNetwork
from support.orders.books import receive
from support.waiting import until

_BEGAN = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)  # another day in Shanghai than in Lima
_MINUTE = 60_000_000  # microseconds, in which moments are stored
_CARD = "8613800000000"
_TOLD = re.compile(
    "[0-9]{4}年[0-9]{1,2}月[0-9]{1,2}日[0-9]{2}:[0-9]{2}|[0-9]{1,2} March 2026 [0-9]{2}:[0-9]{2}"
)
_STAGES = ((NetworkState.OUTGOING_BARRED, timedelta(hours=24)), (NetworkState.SUSPENDED, timedelta(hours=24)))


class _Clock:
    """A clock that stands, and is moved."""

    def __init__(self) -> None:
        self.now = _BEGAN

    def __call__(self) -> datetime:
        return self.now


def story(folder: Path) -> dict[str, Any]:
    """Ask a card, let its hours pass, and let its holder pass at the counter; return what was stored and said."""
    policy, clock = policy_named("national"), _Clock()
    with OwnNetwork(folder, policy) as network:
        network.register.add([_CARD])
        settings = network.settings(folder / "orders")
        with (
            desk(settings, policy, create=True) as here,
            app_serve.working(
                here, policy.orders, app_serve.Network(settings), lambda _: None, clock
            ) as worker,
        ):
            asked = OrderDecision(
                _CARD,
                RequestedAction.VERIFY,
                "medium",
                BilingualText("外呼", "calls"),
                ("fan_out",),
                id="run:1",
            )
            receive(here.orders, [asked], clock())
            worker.wake()
            until(lambda: _stored(here, "SELECT due_at FROM orders WHERE due_at IS NOT NULL"))
            _settle(here)
            for state, hours in _STAGES:
                clock.now += hours + timedelta(minutes=1)
                worker.wake()
                until(lambda state=state: network.in_force([_CARD], state))  # type: ignore[misc]
                _settle(here)
            order = here.reading.last(_CARD, Kind.VERIFICATION)
            assert order is not None
            here.orders.apply(order.id, Event.PASS, Person("wang", Role.DESK), "at the counter", clock())
            worker.wake()
            until(lambda: network.in_force([_CARD], NetworkState.ACTIVE))
            _settle(here)
            return {
                "stored": {
                    table: _moments(here, table) for table in ("orders", "notices", "outbox", "audit")
                },
                "told": sorted(_TOLD.findall("".join(one.text for one in network.centre.accepted))),
                "shown": [operator_zone().written(moment) for moment in (_BEGAN, clock())],
            }


def _settle(here: OrderDesk) -> None:
    """Wait until nothing is left to be done now: what is done later bears another time."""
    until(lambda: not _stored(here, "SELECT 1 FROM outbox WHERE done_at IS NULL"))
    until(lambda: not _stored(here, "SELECT 1 FROM notices WHERE receipt_at IS NULL"))


def _stored(here: OrderDesk, query: str) -> list[Any]:
    with here.store.reading() as connection:
        return list(connection.exec_driver_sql(query))


def _moments(here: OrderDesk, table: str) -> list[str]:
    """Every moment of a table to the minute, for some are measured; but when what failed is tried again."""
    columns = [
        one.name for one in tables.metadata.tables[table].columns if isinstance(one.type, UtcMicroseconds)
    ]
    names = ", ".join(name for name in columns if name != "next_try_at")
    rows = _stored(here, f"SELECT {names} FROM {table}")
    # What the worker had in hand when the clock was moved ends by the clock before, earlier than it began.
    return sorted(str([None if at is None else max(at, row[0]) // _MINUTE for at in row]) for row in rows)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(story(Path(sys.argv[1])), ensure_ascii=False, indent=1))
