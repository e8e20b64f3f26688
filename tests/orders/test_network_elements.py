"""The network's elements stand in the database: every process tells all of them, whatever its own settings say."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from duanka.domain.order import OrderError, PermissionDenied
from duanka.domain.order_policy import OrderPolicy
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit, outbox
from duanka.ledger.unit_of_work.network_elements import ElementDiffers, NetworkElements
from duanka.ledger.unit_of_work.unit_of_work import Terms
from duanka.orders.service import OrderService
from support.orders.books import DESK, KEY, NOW, POLICE, SECOND, book_on, card

LATER = NOW + timedelta(minutes=5)
AT = {"call_proxy": "/calls", "home_register": "127.0.0.1:4258:4259"}


def configured(store: Store) -> NetworkElements:
    return NetworkElements(store, Trail(KEY))


def told(store: Store) -> set[tuple[str, str, str | None]]:
    with store.reading() as connection:
        rows = connection.execute(select(outbox.c.card, outbox.c.element, outbox.c.outcome))
        return {(row.card, row.element, row.outcome) for row in rows}


def test_the_first_settings_are_taken_over_once_and_every_book_tells_all_of_them(store: Store) -> None:
    elements = configured(store)
    assert elements.take_over(AT, NOW) == elements.take_over(AT, NOW) == elements.take_over({}, NOW) == AT
    for _ in range(2):  # of any process
        book = OrderService(store, Terms(OrderPolicy(), Trail(KEY)))
    book.police_stop(card(0), "case", POLICE, "notice", NOW)
    assert told(store) == {(card(0), "call_proxy", None), (card(0), "home_register", None)}
    with store.reading() as connection:
        rows = connection.execute(select(audit.c.subject, audit.c.why).where(audit.c.what == "element.set"))
        assert [tuple(row) for row in rows] == [
            ("call_proxy", "taken over from DUANKA_CALL_PROXY"),
            ("home_register", "taken over from DUANKA_HOME_REGISTER"),
        ]


def test_a_setting_that_differs_is_refused_with_the_next_step(store: Store) -> None:
    elements = configured(store)
    elements.take_over(AT, NOW)
    for given in ({"call_proxy": "/others"}, {**AT, "home_register": "10.0.0.1:4258:4259"}):
        for refuse in (elements.check, lambda given: elements.take_over(given, NOW)):
            with pytest.raises(ElementDiffers, match="duanka network set"):
                refuse(given)
    elements.check(AT)
    elements.check({})
    assert elements.addresses() == AT


def test_a_supervisor_changes_them_and_nobody_else(store: Store) -> None:
    elements = configured(store)
    for by in (DESK, POLICE):
        with pytest.raises(PermissionDenied):
            elements.set("call_proxy", "/calls", by, "new", NOW)
    with pytest.raises(OrderError, match="home_register"):
        elements.set("switch", "/x", SECOND, "new", NOW)
    with pytest.raises(OrderError, match="say why"):
        elements.set("call_proxy", "/calls", SECOND, " ", NOW)
    with pytest.raises(OrderError, match="not configured"):
        elements.remove("call_proxy", SECOND, "gone", NOW)
    assert elements.addresses() == {}


def test_an_element_that_comes_later_is_told_who_is_stopped(store: Store) -> None:
    book = book_on(store, elements=())
    for number in range(3):
        book.police_stop(card(number), "case", POLICE, "notice", NOW)
    book.police_release(card(2), POLICE, "consent", NOW)
    elements = configured(store)
    assert elements.set("call_proxy", "/calls", SECOND, "new", LATER) == 2
    assert told(store) == {(card(0), "call_proxy", None), (card(1), "call_proxy", None)}
    assert elements.set("call_proxy", "/moved", SECOND, "new folder", LATER) == 0


def test_what_was_taken_out_is_told_nothing_and_no_setting_puts_it_back(store: Store) -> None:
    elements = configured(store)
    elements.take_over(AT, NOW)
    book = OrderService(store, Terms(OrderPolicy(), Trail(KEY)))
    book.police_stop(card(0), "case", POLICE, "notice", NOW)
    elements.remove("call_proxy", SECOND, "switched off", LATER)
    book.police_release(card(0), POLICE, "consent", LATER)
    assert {row for row in told(store) if row[1] == "call_proxy"} == {(card(0), "call_proxy", "superseded")}
    with pytest.raises(ElementDiffers, match="taken out"):
        elements.take_over(AT, LATER)
    elements.set("call_proxy", "/calls", SECOND, "back", LATER)
    assert elements.addresses() == AT
