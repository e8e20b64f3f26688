"""The figures of an alarm are those of now, whatever came in which batch."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from duanka.domain.police_reasons import CLAIMED
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import alarms, notices
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.orders.monitoring.waiting import WaitingOrders, watch_claims
from support.orders.books import HOUR, NOW, POLICE, book_on, card, demand, receive


def _told(store: Store) -> list[str]:
    with store.reading() as connection:
        open_ones = select(alarms.c.detail).where(alarms.c.cleared_at.is_(None))
        return list(connection.execute(open_ones).scalars())


def test_cases_without_a_signature_are_counted_as_they_are_now(store: Store) -> None:
    book, told = book_on(store), AlarmService(store, lambda _: None, timedelta())
    watch = WaitingOrders(store, told, timedelta(hours=1000))
    for number in range(4):
        receive(book, [demand(number, rules=(CLAIMED,))], NOW)
        watch_claims(store, told, NOW)
    (detail,) = _told(store)
    assert "4 card(s) in cases without signature" in detail
    book.police_stop(card(0), "case", POLICE, "signed by now", NOW)
    watch.watch(NOW + HOUR)
    (detail,) = _told(store)
    assert "3 card(s)" in detail
    for number in range(1, 4):
        book.police_stop(card(number), "case", POLICE, "signed by now", NOW)
    watch.watch(NOW + 2 * HOUR)
    assert _told(store) == []


def test_an_order_whose_notice_is_on_its_way_waits_for_no_person(store: Store) -> None:
    book, told = book_on(store), AlarmService(store, lambda _: None, timedelta())
    receive(book, [demand()], NOW)
    watch = WaitingOrders(store, told, HOUR)
    watch.watch(NOW + 2 * HOUR)
    assert _told(store) == []
    store.transact(lambda connection: connection.execute(notices.update().values(done_at=NOW)))
    watch.watch(NOW + 3 * HOUR)
    assert len(_told(store)) == 1, "nothing is on its way any more, and no hours run"
