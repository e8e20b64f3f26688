"""The order database compared with the network, and what differs mended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from duanka.domain.network import NetworkState, Unreachable
from duanka.domain.order import OrderError, PermissionDenied
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit, cards, drifts, orders, outbox
from duanka.ledger.db.tables_installation import elements
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.unit_of_work.network_elements import NetworkElements
from duanka.orders.dispatch.element_worker import ElementDispatcher
from duanka.orders.dispatch.outbox import Outbox
from duanka.orders.monitoring.reconciliation import ChangeLimit, Reconciled, Reconciling
from duanka.orders.service import OrderService
from support.enacted import enacted
from support.fakes import FakeElement, Faults
from support.orders.books import DESK, KEY, NOW, POLICE, SECOND, book_on, card

ONE = ("home_register",)
LATER, MINUTE = NOW + timedelta(minutes=5), timedelta(minutes=1)
ACTIVE, SUSPENDED = NetworkState.ACTIVE, NetworkState.SUSPENDED


class Register(FakeElement):
    """Cannot bar one direction, as a home register."""

    def shows(self, state: NetworkState) -> NetworkState:
        return SUSPENDED if state is SUSPENDED else ACTIVE


def stopped(store: Store, element: FakeElement, count: int) -> OrderService:
    """A book whose first `count` cards are suspended, in the network too."""
    book = book_on(store, elements=ONE)
    for number in range(count):
        book.police_stop(card(number), "A1", POLICE, "notice", NOW)
    drain(store, element)
    return book


def drain(store: Store, element: FakeElement, now: Any = NOW) -> None:
    alarms = AlarmService(store, lambda _: None, timedelta(minutes=5))
    worker = ElementDispatcher(Outbox(store, element.name, "w"), element, alarms)
    while worker.work(now):
        pass


def comparing(store: Store, element: FakeElement, **changes: Any) -> Reconciling:
    return Reconciling(store, Trail(KEY), element, **changes)


def drifted(store: Store) -> list[Any]:
    with store.reading() as connection:
        return list(connection.execute(select(drifts).order_by(drifts.c.id)))


def test_what_agrees_is_left_alone(store: Store) -> None:
    element = FakeElement(ONE[0])
    stopped(store, element, 3)
    assert comparing(store, element).compare(LATER) == Reconciled(3, 0, 0, 0)
    assert drifted(store) == []


def test_what_the_network_forgot_or_kept_is_mended_and_told(store: Store) -> None:
    element = FakeElement(ONE[0])
    book = stopped(store, element, 4)
    book.police_release(card(3), POLICE, "consent", NOW)
    drain(store, element)
    element.restore(card(1))  # behind our back
    element.suspend(card(3))
    with store.reading() as connection:
        before = connection.execute(select(orders).order_by(orders.c.id)).all()
    assert comparing(store, element).compare(LATER) == Reconciled(4, 2, 2, 0)
    assert comparing(store, element).compare(LATER) == Reconciled(4, 0, 0, 0), "the mending is on its way"
    drain(store, element, LATER + MINUTE)
    assert (element.state_of(card(1)), element.state_of(card(3))) == (SUSPENDED, ACTIVE)
    assert [(row.card, row.wanted, row.found, row.repaired_at) for row in drifted(store)] == [
        (card(1), "suspended", "active", pytest.approx(LATER + MINUTE, abs=MINUTE)),
        (card(3), "active", "suspended", pytest.approx(LATER + MINUTE, abs=MINUTE)),
    ]
    with store.reading() as connection:
        assert connection.execute(select(orders).order_by(orders.c.id)).all() == before
        told = connection.execute(select(audit.c.subject).where(audit.c.what == "network.drift")).scalars()
        assert len(set(told)) == 2
    assert not [found for found in Trail(KEY).verify(store) if isinstance(found, Fault)]
    assert len(enacted(store, NOW)) == 5, "a mending is no leg of a decision"


def test_what_is_on_its_way_or_young_is_no_drift(store: Store) -> None:
    element = FakeElement(ONE[0])
    book = stopped(store, element, 1)
    element.restore(card(0))
    assert comparing(store, element).compare(NOW + timedelta(seconds=4)).drifted == 0
    book.police_release(card(0), POLICE, "consent", NOW)
    book.police_stop(card(0), "A2", POLICE, "notice", NOW)
    assert comparing(store, element).compare(LATER).drifted == 0, "the outbox will tell it"
    drain(store, element)
    assert element.state_of(card(0)) is SUSPENDED


def test_the_element_itself_is_asked_before_anything_is_called_different(store: Store) -> None:
    element = FakeElement(ONE[0])
    stopped(store, element, 2)

    class Old(FakeElement):
        """Its list is of a moment ago."""

        def restricted(self) -> Iterator[tuple[str, NetworkState]]:
            return iter([(card(0), SUSPENDED)])

        def state_of(self, card: str) -> NetworkState:
            return element.state_of(card)

    assert comparing(store, Old(ONE[0])).compare(LATER).drifted == 0


def test_a_register_that_cannot_bar_one_direction_does_not_differ(store: Store) -> None:
    element = Register(ONE[0])
    stopped(store, element, 1)
    with store.writing() as connection:
        connection.exec_driver_sql("UPDATE cards SET wanted = 'outgoing_barred'")
    element.restore(card(0))
    assert comparing(store, element).compare(LATER).drifted == 0


def test_cards_that_no_order_knows_are_reported_once_and_freed_by_nobody(store: Store) -> None:
    element = FakeElement(ONE[0])
    stopped(store, element, 1)
    element.suspend(card(70))
    assert comparing(store, element).compare(LATER) == Reconciled(2, 1, 0, 1)
    assert comparing(store, element).compare(LATER + MINUTE) == Reconciled(2, 0, 0, 1)
    assert [(row.card, row.repaired_at) for row in drifted(store)] == [(card(70), None)]
    drain(store, element, LATER + MINUTE)
    assert element.state_of(card(70)) is SUSPENDED
    element.restore(card(70))
    comparing(store, element).compare(LATER + 2 * MINUTE)
    assert all(row.repaired_at for row in drifted(store)), "what was reported is over"


def test_a_card_that_an_element_does_not_know_is_no_drift(store: Store) -> None:
    element = FakeElement(ONE[0])
    stopped(store, element, 1)
    element.restore(card(0))
    element.faults.unknown = {card(0)}
    assert comparing(store, element).compare(LATER).drifted == 0


def test_a_silent_element_is_said_and_nothing_is_mended(store: Store) -> None:
    element = FakeElement(ONE[0], faults=Faults())
    stopped(store, element, 1)
    element.faults.down = True
    with pytest.raises(Unreachable):
        comparing(store, element).compare(LATER)
    with store.reading() as connection:
        assert len(connection.execute(select(outbox)).all()) == 1


def test_more_cards_than_one_slice_are_all_compared(store: Store) -> None:
    element = FakeElement(ONE[0])
    for number in range(1200):
        element.suspend(card(10_000 + number))
    with store.writing() as connection:
        row = {"state": "suspended", "wanted": "suspended", "order_id": "R1", "since": NOW}
        connection.execute(cards.insert(), [{"card": card(number), **row} for number in range(1200)])
    with store.writing() as connection:
        connection.execute(elements.insert().values(name=ONE[0], address="/x", changed_at=NOW))
    one = comparing(store, element)
    assert one.compare(LATER) == Reconciled(2400, 2400, 0, 1200), "too many: a person looks first"
    NetworkElements(store, Trail(KEY)).allow(ONE[0], 1200, SECOND, "a new register", LATER)
    assert one.compare(LATER + MINUTE) == Reconciled(2400, 1200, 1200, 1200)
    drain(store, element, LATER + MINUTE)
    assert all(element.state_of(card(number)) is SUSPENDED for number in range(1200))


@pytest.mark.parametrize(
    ("restricted", "percent", "most"),
    [(0, 1, 20), (2000, 1, 20), (2001, 1, 21), (10_000, 1, 100), (10_000, 0.5, 50), (100_000, 100, 100_000)],
)
def test_a_comparison_changes_one_in_a_hundred_alone_and_at_least_twenty(
    restricted: int, percent: float, most: int
) -> None:
    assert ChangeLimit(percent).most(restricted) == most


def allowed(store: Store, changes: int, now: Any = LATER) -> None:
    elements = NetworkElements(store, Trail(KEY))
    if not elements.addresses():
        elements.set(ONE[0], "/x", SECOND, "new", now)
    elements.allow(ONE[0], changes, SECOND, "looked at it", now)


def test_a_comparison_that_wants_to_change_too_many_changes_none_until_a_supervisor_says_so(
    store: Store,
) -> None:
    element, said = FakeElement(ONE[0]), list[str]()
    stopped(store, element, 24)
    limit, alarms = ChangeLimit(1, 3), AlarmService(store, said.append, timedelta())
    one = Reconciling(store, Trail(KEY), element, limit=limit, alarms=alarms)
    for number in range(4):
        element.restore(card(number))
    for minute in range(3):
        assert one.compare(LATER + minute * MINUTE) == Reconciled(24, 4, 0, 0)
    assert len(said) == 1
    assert "duanka network allow home_register --changes 4" in said[0]
    assert [row.card for row in drifted(store)] == [card(number) for number in range(4)], "each is told once"
    allowed(store, 3)
    assert one.compare(LATER + 3 * MINUTE).repairing == 0, "fewer than it wants"
    allowed(store, 4)
    assert one.compare(LATER + timedelta(days=1, seconds=1)).repairing == 0, "for a day"
    allowed(store, 4, LATER + timedelta(days=2))
    late = LATER + timedelta(days=2, minutes=1)
    assert one.compare(late) == Reconciled(24, 4, 4, 0)
    drain(store, element, late)
    assert all(element.state_of(card(number)) is SUSPENDED for number in range(24))
    assert len(drifted(store)) == 4
    assert all(row.repaired_at for row in drifted(store))
    assert "告警解除" in said[-1]
    for number in range(4):
        element.restore(card(number))
    assert one.compare(late + MINUTE).repairing == 0, "what was allowed is used up"
    element.suspend(card(0))
    assert one.compare(late + 2 * MINUTE).repairing == 3
    assert not [found for found in Trail(KEY).verify(store) if isinstance(found, Fault)]


def test_nobody_but_a_supervisor_allows_it(store: Store) -> None:
    elements = NetworkElements(store, Trail(KEY))
    with pytest.raises(PermissionDenied):
        elements.allow(ONE[0], 5, DESK, "looked", LATER)
    for name, changes, why, told in (
        (ONE[0], 5, " ", "say why"),
        (ONE[0], 0, "looked", "--changes"),
        (ONE[0], 5, "looked", "not configured"),
    ):
        with pytest.raises(OrderError, match=told):
            elements.allow(name, changes, SECOND, why, LATER)
