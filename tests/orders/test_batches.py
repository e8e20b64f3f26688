"""What a batch costs does not grow by a statement an order, and what is read for all of it is never out of date."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event, insert, select, text

from duanka.domain.network import NetworkState
from duanka.domain.order import SYSTEM, Event, Kind, State
from duanka.domain.order_policy import DeadlineStage, OrderPolicy
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.bulk import among, update_rows, upsert_rows
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import acts, cards
from duanka.ledger.db.tables_identity import counter_checks
from duanka.ledger.unit_of_work.four_eyes import check_waits
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.effects import apply_event
from duanka.orders.service import OrderService
from support.orders.books import (
    HOUR,
    KEY,
    NOW,
    SECOND,
    book_on,
    card,
    delivered,
    demand,
    receive,
    verification,
)

MANY = 120
MOST = 60  # statements of a batch, however many orders are in it
DUE = NOW + 24 * HOUR


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    made: list[str] = []

    def noted(*told: object) -> None:
        made.append(str(told[2]))

    event.listen(store.engine, "before_cursor_execute", noted)
    try:
        yield made
    finally:
        event.remove(store.engine, "before_cursor_execute", noted)


def deliver_all(book: OrderService) -> None:
    def work(unit: UnitOfWork) -> None:
        unit.lock([card(number) for number in range(MANY)])
        for number in range(MANY):
            order = unit.open_order(card(number), Kind.VERIFICATION)
            assert order is not None
            apply_event(unit, order, Event.DELIVERED, SYSTEM, "receipt")

    book.transaction(work, NOW)


def faults(store: Store) -> tuple[object, ...]:
    return Trail(KEY).verdict(store, SYSTEM).faults


@pytest.mark.requirement("R2")
@pytest.mark.parametrize("sealed", [True, False])
def test_a_batch_makes_the_same_few_statements_however_many_orders_are_in_it(
    store: Store, sealed: bool
) -> None:
    book = book_on(store)
    with statements(store) as taking:
        receive(book, [demand(n, id=f"0123456789abcdef:{n}" if sealed else "") for n in range(MANY)], NOW)
    deliver_all(book)
    with statements(store) as sweeping:
        assert book.sweep(DUE) == MANY
    assert len(taking) < MOST, taking
    assert len(sweeping) < MOST, sweeping
    with store.reading() as connection:
        stopped = connection.execute(select(cards.c.card).where(cards.c.wanted != "active")).scalars().all()
        proposed = connection.execute(select(acts.c.verification)).scalars().all()
    assert (len(stopped), len(proposed)) == ((MANY, 0) if sealed else (0, MANY))
    assert faults(store) == ()


@pytest.mark.requirement("R2")
def test_whether_cards_may_be_in_lifeline_is_asked_once_a_batch_and_only_where_there_is_a_lifeline(
    store: Store,
) -> None:
    stages = DeadlineStage(24, NetworkState.LIFELINE), DeadlineStage(48, NetworkState.SUSPENDED)
    book = book_on(store, OrderPolicy(stages=stages))
    asked = [demand(n, rules=("fan_out", *("sim_box",) * (n % 2))) for n in range(MANY)]
    with statements(store) as before:
        receive(book, asked, NOW)
    deliver_all(book)
    with statements(store) as sweeping:
        assert book.sweep(DUE) == MANY
    with statements(store) as again:
        receive(book, [demand(n, rules=("code_receiver",)) for n in range(MANY)], DUE)
    assert [
        len([one for one in made if "FROM confirmations" in one]) for made in (before, sweeping, again)
    ] == [0, 1, 1]
    assert max(map(len, (before, sweeping, again))) < MOST
    with store.reading() as connection:
        states = Counter(connection.execute(select(cards.c.wanted)).scalars())
    assert states == {"lifeline": MANY // 2, "suspended": MANY // 2}
    assert book.sweep(DUE) == MANY // 2, "those that `code_receiver` hit leave it now"
    assert faults(store) == ()


def test_what_was_read_for_a_batch_is_forgotten_when_its_table_changes(store: Store) -> None:
    book = book_on(store)
    order = delivered(book)
    other = delivered(book, 1)
    row = {
        "order_id": order.id,
        "document": "id_card",
        "counter": "c",
        "person_present": 1,
        "card_in_hand": 1,
        "notice_signed": 1,
        "words": "",
        "first_by": "wang",
        "first_at": NOW,
    }

    def work(unit: UnitOfWork) -> tuple[bool, ...]:
        unit.lock([card(0), card(1)])
        before = check_waits(unit, order), check_waits(unit, other)
        unit.connection.execute(insert(counter_checks).values(row))
        return *before, check_waits(unit, order), check_waits(unit, other)

    assert book.transaction(work, NOW) == (False, False, True, False)


def test_what_was_proposed_in_a_transaction_is_settled_in_it(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand(id="")], NOW)
    number = verification(book).id
    book.apply(number, Event.DELIVERED, SYSTEM, "receipt", NOW)

    def work(unit: UnitOfWork) -> None:
        apply_event(unit, unit.order(number), Event.EXPIRE, SYSTEM, "late")
        apply_event(unit, unit.order(number), Event.PASS, SYSTEM, "passed after all")

    book.transaction(work, DUE)
    with store.reading() as connection:
        assert connection.execute(select(acts.c.state)).scalars().all() == ["rejected"]
    assert faults(store) == ()


def test_what_fails_takes_its_proposal_back(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand(id="")], NOW)
    number = verification(book).id
    book.apply(number, Event.DELIVERED, SYSTEM, "receipt", NOW)

    def work(unit: UnitOfWork) -> None:
        with pytest.raises(RuntimeError), unit.attempt(card(0)):  # noqa: PT012  # what follows the event fails
            apply_event(unit, unit.order(number), Event.EXPIRE, SYSTEM, "late")
            raise RuntimeError

    book.transaction(work, DUE)
    with store.reading() as connection:
        assert connection.execute(select(acts.c.id)).scalars().all() == []
    assert verification(book).state is State.NOTIFIED
    assert faults(store) == ()


def test_rows_are_put_over_and_changed_and_found_alike_on_both_databases(store: Store) -> None:
    row = {"state": "suspended", "wanted": "suspended", "order_id": "R1", "since": NOW}
    with store.writing() as connection:
        upsert_rows(connection, cards, "card", [{"card": card(n), **row} for n in range(3)])
        upsert_rows(connection, cards, "card", [{"card": card(1), **row, "state": "punished"}])
        update_rows(
            connection,
            cards,
            "card",
            ["order_id", "since"],
            [{"card": card(2), "order_id": "R2", "since": DUE}],
        )
        wanted = among(connection, cards.c.card, [card(1), card(2), card(7), "'", ""])
        found = connection.execute(select(cards).where(wanted).order_by(cards.c.card)).all()
    assert [(one.card, one.state, one.order_id, one.since) for one in found] == [
        (card(1), "punished", "R1", NOW),
        (card(2), "suspended", "R2", DUE),
    ]


def test_a_glance_goes_on_after_the_server_ended_its_connection(store: Store) -> None:
    query = select(text("1"))
    assert store.read_one_row(query)[0] == 1
    if not store.embedded:
        with store.writing() as connection:
            others = "pid <> pg_backend_pid() AND datname = current_database()"
            connection.exec_driver_sql(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"
            )
    assert store.read_one_row(query)[0] == 1


def test_who_passed_is_known_in_a_batch_of_others(store: Store) -> None:
    book = book_on(store)
    order = delivered(book)
    book.apply(order.id, Event.TO_COUNTER, SYSTEM, "why", NOW)
    book.apply(order.id, Event.PASS, SECOND, "seen", NOW)
    received = receive(book, [demand(n, id=f"0123456789abcdef:{9 + n}") for n in range(3)], NOW + HOUR)
    assert (received.opened, received.left) == (2, 1)
