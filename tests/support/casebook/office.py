"""The order database that takes the cases' decisions under `national`, with a clock at the time of the records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import select

from duanka.bootstrap.papers.rules_told import rules_told
from duanka.decision_log.reader import DecisionFile
from duanka.domain.order import SYSTEM, Event, Kind, Order, Person, Role, State
from duanka.domain.policy import Policy
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import notices, orders
from duanka.orders.intake.decisions import DecisionIntake
from duanka.orders.intake.receiving import Received
from support.api.desks import Clock, TestDesk, desk_on
from support.casebook.world import SETTINGS, Night, national

ASKS = ("verify", "verify_at_counter")  # the notices that ask something of a holder
HOLDER, CLERK = Person("holder", Role.HOLDER), Person("wang", Role.DESK)
STOPPED = (State.OUTGOING_BARRED, State.SUSPENDED, State.FORCED_STOP, State.PUNISHED)
_ZONE = ZoneInfo("Asia/Shanghai")


def at_six(day: date) -> datetime:
    """Six o'clock of that morning, when the desk takes the scan of the night."""
    return datetime.combine(day, time(6), _ZONE)


@dataclass
class Office:
    """A desk that takes what a scan wrote, morning after morning."""

    desk: TestDesk

    def takes(self, out: Path, now: datetime) -> Received:
        """Take the decisions of this folder, as the worker does."""
        return DecisionIntake(self.desk.orders, DecisionFile(out, SETTINGS.decision_key)).take_all(now)

    def open(self, card: str, kind: Kind = Kind.VERIFICATION) -> Order | None:
        """The open order of this kind."""
        return self.desk.orders.transaction(
            lambda unit: unit.open_order(card, kind), at_six(date(2021, 6, 1))
        )

    def told(self, card: str) -> list[str]:
        """The notices about a card, the first first."""
        mine = select(notices.c.template).join(orders, orders.c.id == notices.c.order_id)
        with self.desk.store.reading() as connection:
            return list(
                connection.execute(mine.where(orders.c.card == card).order_by(notices.c.id)).scalars()
            )

    def asked(self, card: str) -> int:
        """How many times the holder was asked."""
        return sum(template in ASKS for template in self.told(card))

    def delivered(self, card: str, now: datetime) -> None:
        """The message centre's receipt of what was asked, if that is new."""
        order = self.open(card)
        if order and order.state is State.OPENED:
            self.desk.orders.apply(order.id, Event.DELIVERED, SYSTEM, "receipt", now, delivered_at=now)

    def passes(self, card: str, now: datetime) -> None:
        """The holder proves who they are, where something is asked."""
        order = self.open(card)
        if order and order.state in (State.NOTIFIED, State.OPENED):
            self.desk.orders.apply(order.id, Event.BEGIN, HOLDER, "the holder is here", now)
            self.desk.orders.apply(order.id, Event.PASS, SYSTEM, "the face is that of the register", now)

    def every_morning(
        self, folder: Path, nights: Iterable[Night], cards: Iterable[str], *, answer: bool
    ) -> None:
        """Take each scan; the notice arrives at once, and the holder answers two hours later, or never."""
        for night in nights:
            six = at_six(night.morning)
            self.takes(folder / night.name, six)
            for card in cards:
                self.delivered(card, six + timedelta(minutes=1))
                if answer:
                    self.passes(card, six + timedelta(hours=2))
            self.desk.orders.sweep(six + timedelta(hours=3))


@contextmanager
def opened_office(url: str, policy: Policy | None = None, clock: Clock | None = None) -> Iterator[Office]:
    """An office under `policy`, by default `national`, on the order database at `url`."""
    policy, store = policy or national(), Store(url)
    try:
        yield Office(desk_on(store, policy.orders, clock, rules_told(policy)))
    finally:
        store.close()
