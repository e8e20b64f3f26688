"""The worker dies by kill -9 at each step of a stop: the next one does what is left, and nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select

from duanka.domain.order import State
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import notices, orders, outbox
from duanka.ledger.unit_of_work.unit_of_work import Terms
from duanka.orders.service import OrderService
from support.fakes import read_journal
from support.order_policies import AT_ONCE
from support.orders.books import HOUR, KEY, NOW, card, delivered
from support.orders.dying_worker import NAMES, STEPS, killed_at, work


@pytest.mark.requirement("R2")
def test_the_next_worker_does_what_is_left_and_nothing_twice(
    store: Store, order_database_url: str, tmp_path: Path
) -> None:
    book = OrderService(store, Terms(AT_ONCE, Trail(KEY), NAMES))
    for number, step in enumerate(STEPS):
        begins = NOW + number * 48 * HOUR
        due = begins + 24 * HOUR
        delivered(book, number, begins)
        store.transact(lambda connection: connection.execute(notices.delete()))  # of the question
        killed_at(
            step,
            order_database_url,
            tmp_path,
            due,
            lambda book, due=due: book.sweep(due),  # type: ignore[misc]
        )
        later = begins + 25 * HOUR  # every lease of the first one is over
        for _ in range(2):  # the second time nothing is left
            work(
                order_database_url,
                tmp_path,
                "second",
                later,
                lambda book, later=later: book.sweep(later),  # type: ignore[misc]
            )
        for name in NAMES:
            told = [line for line in read_journal(tmp_path / name) if line["card"] == card(number)]
            assert [line["state"] for line in told if line["changed"]] == ["suspended"], step
        sent = [line["card"] for line in read_journal(tmp_path / "centre")].count(card(number))
        # between the centre's answer and our commit nobody knows: the holder reads it twice rather than never
        assert sent == (2 if step == "a notice was sent" else 1), step
    with store.reading() as connection:
        left = select(func.count()).select_from(outbox).where(outbox.c.done_at.is_(None))
        assert connection.execute(left).scalar_one() == 0
        states = connection.execute(select(orders.c.state, func.count()).group_by(orders.c.state)).all()
    assert {tuple(row) for row in states} == {(State.SUSPENDED, len(STEPS)), (State.EXPIRED, len(STEPS))}
    assert not [fault for fault in Trail(KEY).verify(store) if isinstance(fault, Fault)]
