"""One row that cannot be processed among a hundred: ninety-nine are done, and an alarm names the one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select, text

from duanka.decision_log.reader import DecisionFile
from duanka.domain.network import Carried, NetworkState, Receipt, Refusal, RefusalReason
from duanka.domain.order import Event, Kind, Order, OrderError, State
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.columns import DoesNotFit
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import act_cards, alarms, notices, orders, outbox, refusals
from duanka.ledger.db.tables_identity import pictures
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.dispatch.element_worker import ElementDispatcher
from duanka.orders.dispatch.notice_worker import NoticeDispatcher
from duanka.orders.dispatch.outbox import Outbox
from duanka.orders.effects import apply_event
from duanka.orders.intake.decisions import DecisionIntake
from duanka.orders.monitoring.reconciliation import ChangeLimit, Reconciling
from duanka.orders.monitoring.refusals import RefusalCollector
from duanka.orders.service import OrderService
from duanka.orders.verification.pictures import CAPTURED, Pictures
from support.fakes import FakeElement
from support.orders.books import (
    DESK,
    HOUR,
    NOW,
    SECOND,
    acts_of,
    all_delivered,
    all_stopped,
    book_on,
    card,
    delivered,
    demand,
    receive,
    verification,
)
from support.refusal_sources import LosesNothing

MANY, BAD = 100, 37  # how many, and which of them is spoilt
ELEMENT = "home_register"


@dataclass
class Desk:
    """A book on one element, its alarms, and what they said."""

    store: Store
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.orders: OrderService = book_on(self.store, elements=(ELEMENT,))
        self.alarms = AlarmService(self.store, self.said.append, timedelta(minutes=5))
        self.orders.set_aside = self.alarms.set_aside

    def spoil(self, statement: str, **values: object) -> None:
        """What nobody writes who comes by us."""
        with self.store.writing() as connection:
            connection.execute(text(statement), values)

    def count(self, table: object, *which: object) -> int:
        query = select(func.count()).select_from(table).where(*which)  # type: ignore[arg-type]
        with self.store.reading() as connection:
            return connection.execute(query).scalar_one()

    def reported(self) -> list[str]:
        """The details of the alarms that are open; none shows a number."""
        with self.store.reading() as connection:
            found = list(connection.execute(select(alarms.c.detail)).scalars())
        assert len(found) == len(self.said)
        assert not any(card(n) in detail for n in range(MANY) for detail in found)
        return found


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


def worked(work: Callable[[datetime], object], now: datetime) -> None:
    """Until there is nothing left; a queue that a row holds up would never end."""
    for _ in range(3 * MANY):
        if not work(now):
            return
    pytest.fail("there is always more")


def test_deadlines(desk: Desk) -> None:
    all_delivered(desk.orders, range(MANY))
    bad = verification(desk.orders, BAD).id
    desk.spoil("UPDATE orders SET state = 'nonsense' WHERE id = :id", id=bad)
    worked(desk.orders.sweep, NOW + 30 * HOUR)
    is_expired = (orders.c.kind == "verification", orders.c.state == State.EXPIRED.value)
    assert desk.count(orders, *is_expired) == MANY - 1
    (told,) = desk.reported()
    assert bad in told
    assert desk.orders.sweep(NOW + 31 * HOUR) == 0, "it is not tried for ever"


def test_acts_of_people(desk: Desk) -> None:
    acts = BulkActionService(desk.orders)
    delivered(desk.orders, BAD)
    act = acts.propose(Event.SUSPEND, map(card, range(MANY)), BilingualText("涉诈", "fraud"), DESK, NOW)
    acts.approve(act.id, SECOND, "seen", NOW)
    desk.spoil("UPDATE orders SET kind = 'nonsense' WHERE card = :card", card=card(BAD))
    worked(acts.carry_out, NOW)
    assert desk.count(act_cards, act_cards.c.outcome == "done") == MANY - 1
    assert acts.get(act.id).finished_at == NOW
    assert [one.card for one in acts.skipped(act.id)] == [card(BAD)]
    (told,) = desk.reported()
    assert act.id in told


class Odd(FakeElement):
    """An element that a card drives to a defect."""

    def suspend(self, card_: str) -> None:
        if card_ == card(BAD):
            raise TypeError("no such field")
        super().suspend(card_)


def test_acts_for_an_element_one_of_which_cannot_be_read(desk: Desk) -> None:
    all_stopped(desk.orders, range(MANY))
    desk.spoil("UPDATE outbox SET wanted = 'nonsense' WHERE card = :card", card=card(BAD))
    element = FakeElement(ELEMENT)
    worked(ElementDispatcher(Outbox(desk.store, ELEMENT, "w"), element, desk.alarms, at_once=10).work, NOW)
    assert desk.count(outbox, outbox.c.outcome == "done") == MANY - 1
    assert len(desk.reported()) == 1


def test_acts_for_an_element_one_of_which_meets_a_defect(desk: Desk) -> None:
    all_stopped(desk.orders, range(MANY))
    enacting = ElementDispatcher(Outbox(desk.store, ELEMENT, "w"), Odd(ELEMENT), desk.alarms, at_once=10)
    worked(enacting.work, NOW)
    assert desk.count(outbox, outbox.c.outcome == "done") == MANY - 1, "in one go: it holds nobody up"
    for hour in range(1, 9):
        worked(enacting.work, NOW + hour * HOUR)
    assert desk.count(outbox, outbox.c.done_at.is_(None)) == 0, "tried some times, then set aside"
    assert len(desk.reported()) == 1


@dataclass
class Centre:
    """Takes every notice, and gives the receipts that a test puts there."""

    name: str = "message_centre"
    sent: list[str] = field(default_factory=list)
    came: list[Receipt] = field(default_factory=list)

    def send(self, to: str, _: str) -> str:
        self.sent.append(to)
        return f"m{len(self.sent) - 1}"

    def receipts(self) -> Iterable[Receipt]:
        came, self.came = self.came, []
        return came

    def close(self) -> None: ...


def plainly(_: Connection, template: str, order: Order, now: datetime) -> str:
    del now
    return f"{template} {order.id}"


def posting(desk: Desk, centre: Centre, write: Callable[..., str] = plainly) -> NoticeDispatcher:
    return NoticeDispatcher(desk.orders, "w", centre, write, desk.alarms, ticks=lambda: 0.0)


FAILURES = {
    "a time beyond the calendar": OverflowError("date value out of range"),
    "a defect": KeyError("papers"),
    "words of the policy": OrderError("no words"),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_notices_one_of_which_cannot_be_written(desk: Desk, failure: Exception) -> None:
    receive(desk.orders, [demand(number) for number in range(MANY)], NOW)

    def write(connection: Connection, template: str, order: Order, now: datetime) -> str:
        if order.card == card(BAD):
            raise failure
        return plainly(connection, template, order, now)

    centre = Centre()
    worked(posting(desk, centre, write).work, NOW)
    assert len(centre.sent) == MANY - 1
    assert desk.count(notices, notices.c.outcome == "given_up") == 1
    (told,) = desk.reported()
    assert verification(desk.orders, BAD).id in told
    assert verification(desk.orders, BAD).state is State.UNDELIVERABLE


def test_notices_the_order_of_one_of_which_cannot_be_read(desk: Desk) -> None:
    receive(desk.orders, [demand(number) for number in range(MANY)], NOW)
    desk.spoil("UPDATE orders SET state = 'nonsense' WHERE card = :card", card=card(BAD))
    centre = Centre()
    worked(posting(desk, centre).work, NOW)
    assert (len(centre.sent), len(desk.reported())) == (MANY - 1, 1)


_UNREADABLE, _NAIVE = "of an order that cannot be read", "at a time without an offset"


@pytest.mark.parametrize("spoilt", [_UNREADABLE, _NAIVE])
def test_receipts(desk: Desk, spoilt: str) -> None:
    receive(desk.orders, [demand(number) for number in range(MANY)], NOW)
    centre = Centre()
    work = posting(desk, centre).work
    worked(work, NOW)
    for number in range(MANY):
        at = NOW.replace(tzinfo=None) if (spoilt, number) == (_NAIVE, BAD) else NOW
        centre.came.append(Receipt(f"m{number}", delivered=True, at=at, detail=""))
    if spoilt == _UNREADABLE:
        desk.spoil("UPDATE orders SET state = 'nonsense' WHERE card = :card", card=card(BAD))
    worked(work, NOW + HOUR)
    assert desk.count(orders, orders.c.state == State.NOTIFIED.value) == MANY - 1
    assert len(desk.reported()) == 1


def refusal(number: int) -> Refusal:
    at = NOW if number != BAD else datetime(9999, 12, 31, tzinfo=UTC)
    return Refusal(
        "call_proxy", f"k{number}", at, Carried.CALL, card(number), "95588", RefusalReason.BLOCKED_SENDER
    )


@dataclass
class Source(LosesNothing):
    """A record of refusals at positions from 1; `broken`: the position that cannot be read."""

    broken: int = -1
    name: str = "call_proxy"

    def refusals(self, after: int, limit: int) -> tuple[Sequence[Refusal], int]:
        last = min(after + limit, MANY)
        if after < self.broken <= last:
            raise ValueError("no number")
        return [refusal(number - 1) for number in range(after + 1, last + 1)], max(after, last)

    def forget(self, before: int) -> None: ...


@pytest.mark.parametrize("source", [Source(), Source(broken=BAD + 1)], ids=["not recordable", "not readable"])
def test_refusals(desk: Desk, source: Source) -> None:
    worked(RefusalCollector(desk.store, source, desk.alarms).read, NOW)
    assert desk.count(refusals) == MANY - 1
    assert len(desk.reported()) == 1


def line(number: int, **changes: object) -> str:
    reasons = [{"rule": "fan_out", "zh": "甲", "en": "a"}]
    said = {"seq": number + 1, "card": card(number), "tier": "medium", "action": "verify", "reasons": reasons}
    return json.dumps({**said, **changes})


LINES = {
    "no JSON": "{",
    "no decision": "{}",
    "an action that is none": line(BAD, action="nonsense"),
    "an opaque card": line(BAD, card="a3f5" * 16),
    "half a character": line(BAD, card="8613\ud800"),
    "a zero byte": line(BAD, card="8613\x00"),
    "a tier of many letters": line(BAD, tier="extraordinary"),
}


@pytest.mark.parametrize("bad", LINES.values(), ids=LINES)
def test_decisions(desk: Desk, bad: str, tmp_path: Path) -> None:
    lines = [line(number) if number != BAD else bad for number in range(MANY)]
    (tmp_path / "decisions.jsonl").write_text("\n".join(lines) + "\n")
    received = DecisionIntake(desk.orders, DecisionFile(tmp_path)).take_all(NOW)
    assert (received.opened, received.aside) == (MANY - 1, 1)
    (told,) = desk.reported()
    assert f"@{len(chr(10).join(lines[:BAD])) + 1}" in told, "the byte where it begins"
    assert DecisionIntake(desk.orders, DecisionFile(tmp_path)).take(NOW) is None, "it is passed for good"


@pytest.mark.parametrize("spoilt", ["in the book", "in the network"])
def test_comparison_with_the_network(desk: Desk, spoilt: str) -> None:
    all_stopped(desk.orders, range(MANY))
    element = FakeElement(ELEMENT)
    worked(ElementDispatcher(Outbox(desk.store, ELEMENT, "w"), element, desk.alarms).work, NOW)
    for number in range(MANY):
        element.restore(card(number))
    if spoilt == "in the book":
        desk.spoil("UPDATE cards SET wanted = 'nonsense' WHERE card = :card", card=card(BAD))
    else:
        asked = element.state_of

        def state_of(one: str) -> NetworkState:
            if one == card(BAD):
                raise TypeError("no such field")
            return asked(one)

        element.state_of = state_of  # type: ignore[method-assign,assignment]
    comparing = Reconciling(desk.store, Trail(b"0" * 32), element, alarms=desk.alarms, limit=ChangeLimit(100))
    assert comparing.compare(NOW + HOUR).repairing == MANY - 1
    assert len(desk.reported()) == 1


def test_pictures_that_are_kept_no_longer(desk: Desk) -> None:
    kept = Pictures(desk.orders, b"0" * 32)
    receive(desk.orders, [demand(number) for number in range(MANY)], NOW)

    def withdraw(unit: UnitOfWork) -> None:
        unit.lock([card(number) for number in range(MANY)])
        for number in range(MANY):
            order = unit.open_order(card(number), Kind.VERIFICATION)
            assert order is not None
            kept.keep(unit, order.id, CAPTURED, b"picture")
            apply_event(unit, order, Event.WITHDRAW, SECOND, "an error")

    desk.orders.transaction(withdraw, NOW)
    too_long = f"V{'X' * 60}"  # SQLite takes any length from who does not come by us
    if desk.store.embedded:
        bad = verification_id(desk, BAD)
        desk.spoil("UPDATE orders SET id = :new WHERE id = :id", new=too_long, id=bad)
        desk.spoil("UPDATE pictures SET order_id = :new WHERE order_id = :id", new=too_long, id=bad)
        worked(kept.purge, NOW + 1000 * HOUR)
        assert desk.count(pictures) == 1
        assert len(desk.reported()) == 1
    else:
        worked(kept.purge, NOW + 1000 * HOUR)
        assert desk.count(pictures) == 0


def verification_id(desk: Desk, number: int) -> str:
    with desk.store.reading() as connection:
        return str(connection.execute(select(orders.c.id).where(orders.c.card == card(number))).scalar_one())


@pytest.mark.parametrize(
    "until", ["9999-12-31T23:59:59+00:00", "9999-12-31T23:59:59-12:00", "2100-01-01T00:00:00+00:00"]
)
def test_a_punishment_for_ever_is_refused_in_words(desk: Desk, until: str) -> None:
    acts = BulkActionService(desk.orders)
    with pytest.raises(OrderError, match=r"between the years|three years"):
        acts.propose(
            Event.PUNISH,
            [card(1)],
            BilingualText("惩戒", "penalty"),
            DESK,
            NOW,
            datetime.fromisoformat(until),
        )
    assert acts_of(acts, DESK) == []


@pytest.mark.parametrize("stored", [-(1 << 63), 0, 253402300799999999, (1 << 63) - 1])
def test_whatever_time_is_stored_can_be_read_shown_and_compared(desk: Desk, stored: int) -> None:
    delivered(desk.orders)
    desk.spoil("UPDATE orders SET until = :at, delivered_at = :at", at=stored)
    order = verification(desk.orders)
    for hours in (-14, 14):
        assert order.until
        order.until.astimezone(NOW.astimezone().tzinfo).isoformat()
        (order.until + timedelta(hours=hours)).isoformat()
    assert desk.count(orders, orders.c.opened_at > datetime.min.replace(tzinfo=UTC)) == 1
    assert desk.count(orders, orders.c.opened_at > datetime.max.replace(tzinfo=UTC)) == 0


def test_both_databases_refuse_the_same(desk: Desk) -> None:
    for bad in ("8" * 25, "86\x00", "86\ud800"):
        with pytest.raises(DoesNotFit) as refused:
            receive(desk.orders, [demand(), replace(demand(), card=bad)], NOW)
        assert bad not in str(refused.value)
    assert desk.count(orders) == 0
