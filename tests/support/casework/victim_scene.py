"""Two fraud cards, their victims, and those who are none: records in a store, and the parts that find and warn."""

from __future__ import annotations

import atexit
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from sqlalchemy import Table, select

from duanka.casework.victims.dispatch import VictimReceipts, WarningDispatcher
from duanka.casework.victims.recording import BookTerms
from duanka.casework.victims.searching import VictimSearch
from duanka.casework.victims.watching import ConfirmationWatch
from duanka.domain.local_time import OperatorZone
from duanka.domain.network import BulkNoticeSender
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.record_lookups import LookupRefused
from duanka.domain.victim_policy import VictimPolicy
from duanka.engine.store.reading.parties import PartyStore
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.casework.victims import victim_messages
from duanka.ledger.db.database import Store
from duanka.ledger.monitoring.alarms import AlarmService
from support.engine.filled_store import Tables, fill
from support.orders.books import KEY, NOW, POLICE, book_on

HERE = OperatorZone()
LOCAL = HERE.local(NOW).replace(tzinfo=None)  # 2026-03-02 16:00
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
FRAUD, FELLOW, FOREIGN = "8613800000001", "8613800000002", "8613700000009"
WORKED_ON, TWICE, CALLED = "8613900000001", "8613900000008", "8613900000002"
KIN, FAMILY, FIRM, DEVICE = "8613900000003", "8613900000004", "8613900000005", "8613900000006"
LITTLE, OFFICE = "8613900000007", "10086"
Row = dict[str, object]


def call(card: str, peer: str, at: datetime, seconds: int, direction: str = "out", **more: object) -> Row:
    facts = {"card": card, "peer": peer, "started_at": at, "seconds": seconds, "direction": direction}
    return {**facts, "answered": seconds > 0, **more}


def message(card: str, peer: str, at: datetime, direction: str = "in") -> Row:
    return {"card": card, "peer": peer, "sent_at": at, "direction": direction}


def both(card: str, peer: str, at: datetime, seconds: int) -> list[Row]:
    """A call between two own cards: it stands in the records of both."""
    return [call(card, peer, at, seconds), call(peer, card, at, seconds, "in")]


def registered(card: str, holder: str, **more: object) -> Row:
    return {"card": card, "holder": holder, "holder_kind": "person", "kind": "voice", **more}


def world() -> Tables:
    """What happened in the three days before NOW."""
    earlier = [
        row
        for day in range(5, 11)
        for row in (
            call(FRAUD, FAMILY, LOCAL - timedelta(days=day), 60),
            call(FRAUD, FAMILY, LOCAL - timedelta(days=day) + HOUR, 60, "in"),
        )
    ]
    calls = [
        *both(FRAUD, WORKED_ON, LOCAL - 3 * HOUR, 25 * 60),
        call(WORKED_ON, "95588", LOCAL - 3 * HOUR + 30 * MINUTE, 90),
        *both(FRAUD, CALLED, LOCAL - 4 * HOUR, 0),
        *(row for hour in (5, 6) for row in both(FRAUD, KIN, LOCAL - hour * HOUR, 20 * 60)),
        *both(FRAUD, FAMILY, LOCAL - 7 * HOUR, 20 * 60),
        *both(FRAUD, FIRM, LOCAL - 8 * HOUR, 20 * 60),
        *both(FRAUD, DEVICE, LOCAL - 9 * HOUR, 20 * 60),
        *(row for hour in (10, 11, 12) for row in both(FRAUD, LITTLE, LOCAL - hour * HOUR, 40)),
        *both(FRAUD, TWICE, LOCAL - 50 * MINUTE, 9 * 60),
        *both(FELLOW, TWICE, LOCAL - 2 * HOUR, 8 * 60),
        call(WORKED_ON, FOREIGN, LOCAL - 50 * MINUTE, 10 * 60, "in"),
        call(FRAUD, OFFICE, LOCAL - 2 * HOUR, 10 * 60),
        *earlier,
    ]
    messages = [message(WORKED_ON, "106575880", LOCAL - 3 * HOUR + 10 * MINUTE)]
    cards = [
        registered(FRAUD, "h1"),
        registered(FELLOW, "h2"),
        registered(WORKED_ON, "h3", operator="甲", home_city="130100", age_band="60+"),
        registered(KIN, "h1"),
        registered(FAMILY, "h4"),
        registered(FIRM, "h5", holder_kind="organisation"),
        registered(DEVICE, "h6"),
        registered(LITTLE, "h7"),
        registered(CALLED, "h8"),
        registered(TWICE, "h9", operator="乙", home_city="110100"),
    ]
    sightings = [
        {"card": card, "seen_at": LOCAL - timedelta(days=1), "imei": "86012304000001"}
        for card in (FRAUD, DEVICE)
    ]
    return {"calls": calls, "messages": messages, "cards": cards, "sightings": sightings}


@dataclass
class Scene:
    """An order database and a store of records. `attached` False: no store answers."""

    store: Store
    folder: Path
    policy: VictimPolicy = field(default_factory=VictimPolicy)
    orders: OrderPolicy = field(default_factory=OrderPolicy)
    attached: bool = True
    said: list[str] = field(default_factory=list)
    seconds: float = 1_000.0

    def __post_init__(self) -> None:
        self.book, self.trail = book_on(self.store), Trail(KEY)
        self.terms = BookTerms(self.policy, self.orders, HERE)
        self.search = VictimSearch(self.store, self.trail, self.terms, ("95588",))
        self.alarms = AlarmService(self.store, self.said.append)

    @cached_property
    def records(self) -> PartyStore:
        return PartyStore(self.folder, threads=1)

    def source(self) -> PartyStore:
        if not self.attached:
            raise LookupRefused("no store is attached")
        return self.records

    def watch(self, worker: str = "w") -> ConfirmationWatch:
        return ConfirmationWatch(self.search, self.source, self.alarms, worker, lambda: self.seconds)

    def dispatcher(self, sender: BulkNoticeSender, worker: str = "w", **more: Any) -> WarningDispatcher:
        sizes = {"batch": self.policy.batch, "window": self.policy.window}
        return WarningDispatcher(self.store, worker, sender, self.alarms, **{**sizes, **more})

    def receipts(self) -> VictimReceipts:
        return VictimReceipts(self.store)

    def confirm(self, *cards: str, case: str = "京公2026-1", at: datetime = NOW, kind: str = "") -> None:
        """The police confirm cards: they are stopped, and the confirmation stands."""
        from duanka.orders.police_stops import police_stop

        for card in cards:
            self.book.transaction(
                lambda unit, card=card: police_stop(unit, card, case, POLICE, "stop it", fraud_kind=kind),  # type: ignore[misc]
                at,
            )

    def release(self, *cards: str, at: datetime = NOW) -> None:
        for card in cards:
            self.book.police_release(card, POLICE, "it was an error", at)

    def rows(self, table: Table = victim_messages) -> Sequence[Any]:
        (column, *_) = table.primary_key.columns
        with self.store.reading() as connection:
            return connection.execute(select(table).order_by(column)).all()


_FILLED: dict[str, Path] = {}  # the store of `world`, which the first test of a process makes


def scene_in(store: Store, tmp_path: Path, tables: Tables | None = None, **more: Any) -> Scene:
    """The scene with its records stored; without `tables` those of `world`."""
    folder = tmp_path / "records"
    if tables is not None:
        fill(folder, tables, at=LOCAL)
        return Scene(store, folder, **more)
    if "world" not in _FILLED:
        made = Path(mkdtemp(prefix="victims-")) / "records"
        atexit.register(shutil.rmtree, made.parent, ignore_errors=True)
        fill(made, world(), at=LOCAL)
        _FILLED["world"] = made
    shutil.copytree(_FILLED["world"], folder)
    return Scene(store, folder, **more)
