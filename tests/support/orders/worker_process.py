"""A worker on elements with journals, as a process of its own that can be killed: URL FOLDER ELEMENT..."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from duanka.application.enforcement_worker import Enforcement, Enforcing
from duanka.domain.network import NetworkState
from duanka.domain.order_policy import DeadlineStage, OrderPolicy
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.unit_of_work.unit_of_work import Terms
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.dispatch.element_worker import ElementDispatcher
from duanka.orders.dispatch.outbox import Outbox, PendingWorkProbe
from duanka.orders.service import OrderService
from support.fakes import FakeElement

KEY = b"a key of a test, thirty-two bytes"
AT_ONCE = OrderPolicy(stages=(DeadlineStage(24, NetworkState.SUSPENDED),))
LEASE = timedelta(seconds=6)  # short, so that what a killed worker held is free again soon


def said(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main(url: str, folder: Path, names: tuple[str, ...]) -> None:
    store = Store(url)
    book = OrderService(store, Terms(AT_ONCE, Trail(KEY), names))
    worker = f"worker-{os.getpid()}"
    alarms = AlarmService(store, lambda _: None, timedelta(minutes=5))
    elements = {
        name: ElementDispatcher(
            Outbox(store, name, worker, LEASE), FakeElement(name, folder / name), alarms, at_once=20
        )
        for name in names
    }
    Enforcing(
        Enforcement(
            sweep=book.sweep,
            carry_out=BulkActionService(book).carry_out,
            elements=elements,
            look=PendingWorkProbe(store, names),
            clock=lambda: datetime.now(UTC),
            ticks=time.monotonic,
            say=said,
        )
    ).run()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), tuple(sys.argv[3:]))
