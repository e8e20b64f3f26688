"""No restriction without its reason, the way of redress and the papers to bring: the code refuses, and the database."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError

from duanka.domain.evidence import Evidence
from duanka.domain.order import SYSTEM, Event, Grounds, GroundsMissing, Kind, State
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from duanka.ledger.db.rows import new_id
from duanka.ledger.db.tables import audit, orders
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.effects import apply_event
from support.orders.books import HOUR, NOW, POLICE, book_on, card, delivered, restriction

GOOD = {
    "reason": BilingualText("原因", "reason"),
    "redress": BilingualText("申诉", "redress"),
    "papers": BilingualText("证件", "papers"),
}
TEXTS = [(name, language) for name in GOOD for language in ("zh", "en")]


@pytest.mark.requirement("R1.5")
@pytest.mark.parametrize(("name", "language"), TEXTS)
def test_the_code_refuses_it(store: Store, name: str, language: str) -> None:
    book = book_on(store)

    def work(unit: UnitOfWork, grounds: Grounds) -> None:
        order = unit.open(
            Kind.RESTRICTION, card(0), grounds, SYSTEM, "why", carried_by=Evidence.TWO_PEOPLE.of("A")
        )
        apply_event(unit, order, Event.SUSPEND, SYSTEM, "why")

    for blank in ("", " \n", "\u3000"):
        told = Grounds(**{**GOOD, name: GOOD[name]._replace(**{language: blank})})
        with pytest.raises(GroundsMissing, match=f"needs its {name}"):
            book.transaction(lambda unit, told=told: work(unit, told), NOW)  # type: ignore[misc]
    with store.reading() as connection:
        assert connection.execute(select(orders.c.id)).all() == []
        assert connection.execute(select(audit.c.seq)).all() == []


@pytest.mark.requirement("R1.5")
@pytest.mark.parametrize(("name", "language"), TEXTS)
def test_the_database_refuses_it_whoever_writes(store: Store, name: str, language: str) -> None:
    book = book_on(store)
    delivered(book)
    book.sweep(NOW + 24 * HOUR)
    stopped = restriction(book)
    assert stopped
    column = f"{name}_{language}"
    with pytest.raises(IntegrityError, match="grounds"), store.writing() as connection:
        connection.execute(text(f"UPDATE orders SET {column} = ' ' WHERE id = '{stopped.id}'"))
    with store.reading() as connection:
        row = dict(connection.execute(select(orders).where(orders.c.id == stopped.id)).mappings().one())
    another = {**row, "id": new_id("R"), "card": card(9), column: ""}
    with pytest.raises(IntegrityError, match="grounds"), store.writing() as connection:
        connection.execute(insert(orders).values(another))
    with pytest.raises(IntegrityError), store.writing() as connection:
        connection.execute(insert(orders).values({**another, column: None}))
    assert restriction(book) == stopped
    assert restriction(book, 9) is None


def test_the_database_keeps_one_open_order_of_a_kind(store: Store) -> None:
    book = book_on(store)
    order = delivered(book)
    with store.reading() as connection:
        row = dict(connection.execute(select(orders).where(orders.c.id == order.id)).mappings().one())
    with pytest.raises(IntegrityError), store.writing() as connection:
        connection.execute(insert(orders).values({**row, "id": new_id("V")}))
    with store.writing() as connection:
        connection.execute(update(orders).where(orders.c.id == order.id).values(closed_at=NOW))
        connection.execute(insert(orders).values({**row, "id": new_id("V")}))


@pytest.mark.requirement("R1.5")
def test_a_policy_without_redress_stops_nobody(store: Store) -> None:
    book = book_on(store, OrderPolicy(police_redress=BilingualText("", "")))
    with pytest.raises(GroundsMissing):
        book.police_stop(card(0), "case", POLICE, "confirmed", NOW)
    assert restriction(book) is None


@pytest.mark.requirement("R1.5")
def test_the_reason_of_a_stop_says_what_went_before(store: Store) -> None:
    book = book_on(store)
    delivered(book)
    book.sweep(NOW + 24 * HOUR)
    stopped = restriction(book)
    assert stopped
    assert stopped.state is State.SUSPENDED
    assert stopped.grounds.reason == BilingualText(
        "未在规定时间内完成实人核验：一天外呼80个陌生号码",
        "the verification was not answered in time: 80 strangers called in a day",
    )
    assert stopped.grounds.redress == OrderPolicy().redress
    assert stopped.grounds.papers == OrderPolicy().papers
