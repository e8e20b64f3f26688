"""Confirmations: made by the police alone, withdrawn by their release, and guarded by the audit trail."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import delete, insert, select

from duanka.domain.fraud_kind import FraudKind
from duanka.domain.order import OrderError, Role
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.database import Store
from duanka.ledger.unit_of_work.confirmations import ConfirmationSource, confirm, withdraw, withdraw_answer
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from support.orders.books import DESK, KEY, NOW, book_on, card, demand, receive

OFFICER, OTHER = replace(DESK, role=Role.POLICE, id="officer"), replace(DESK, role=Role.POLICE, id="other")


def standing(store: Store) -> list[tuple[str, str, str]]:
    columns = (confirmations.c.card, confirmations.c.case_number, confirmations.c.source)
    query = select(*columns).where(confirmations.c.withdrawn_at.is_(None)).order_by(confirmations.c.id)
    with store.reading() as connection:
        return [tuple(row) for row in connection.execute(query)]


def faults(store: Store) -> list[str]:
    return [found.what for found in Trail(KEY).verify(store) if isinstance(found, Fault)]


def test_only_the_police_confirm_a_card_and_each_case_counts_once(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand(0)], NOW)
    assert standing(store) == []
    book.police_stop(card(0), "京公2026-9", OFFICER, "their letter", NOW)
    book.police_stop(card(0), "京公2026-9", OFFICER, "again", NOW)
    book.police_stop(card(0), "沪公2026-1", OFFICER, "another case", NOW)
    assert standing(store) == [
        (card(0), "京公2026-9", "police_notice"),
        (card(0), "沪公2026-1", "police_notice"),
    ]
    book.police_release(card(0), OTHER, "a mistake", NOW)
    assert standing(store) == []
    book.police_stop(card(0), "京公2026-9", OFFICER, "it was no mistake", NOW)
    assert len(standing(store)) == 1

    def both(unit: UnitOfWork) -> None:  # twice in one transaction
        for number in ("甲", "乙"):
            confirm(unit, card(0), number, ConfirmationSource.CLUE_FEEDBACK, OFFICER, "their answer")
        withdraw(unit, card(0), OTHER, "a mistake")

    book.transaction(both, NOW)
    assert standing(store) == []
    assert faults(store) == []


def test_a_confirmation_that_was_written_past_the_trail_is_found(store: Store) -> None:
    """Warnings and requests follow from it: nobody may make a card 涉案 by a row."""
    book = book_on(store)
    book.police_stop(card(0), "京公2026-9", OFFICER, "their letter", NOW)
    with store.writing() as connection:
        made = {"case_number": "invented", "source": "police_notice", "confirmed_at": NOW}
        connection.execute(insert(confirmations).values(card=card(1), **made))
    assert any("not in the trail" in fault for fault in faults(store))
    with store.writing() as connection:
        connection.execute(delete(confirmations).where(confirmations.c.card == card(1)))
    assert faults(store) == []
    with store.writing() as connection:
        connection.execute(confirmations.update().values(fraud_kind="investment"))
    assert any("fraud_kind" in fault for fault in faults(store))
    with store.writing() as connection:
        connection.execute(delete(confirmations))
    assert any("removed past the trail" in fault for fault in faults(store))


def test_what_the_police_say_of_the_fraud_is_kept_for_warnings(store: Store) -> None:
    book_on(store).police_stop(card(0), "京公2026-9", OFFICER, "their letter", NOW, FraudKind.LOAN)
    with store.reading() as connection:
        assert connection.execute(select(confirmations.c.fraud_kind)).scalars().all() == ["loan"]


def test_one_word_of_the_police_that_is_taken_back_leaves_the_others(store: Store) -> None:
    """A card may stand confirmed by a notice and by two clues, all of one case: each is a word of its own."""
    book = book_on(store)

    def answers(unit: UnitOfWork) -> None:
        for clue in ("L000000000001", "L000000000002"):
            confirm(unit, card(0), "A9", ConfirmationSource.CLUE_FEEDBACK, OFFICER, "yes", origin=clue)

    book.transaction(answers, NOW)
    book.police_stop(card(0), "A9", OFFICER, "their letter", NOW)
    assert len(standing(store)) == 3
    book.transaction(lambda unit: withdraw_answer(unit, card(0), "L000000000001", OTHER, "no"), NOW)
    assert len(standing(store)) == 2
    book.transaction(lambda unit: withdraw_answer(unit, card(0), "L000000000002", OTHER, "no"), NOW)
    assert standing(store) == [(card(0), "A9", "police_notice")]
    assert faults(store) == []


@pytest.mark.parametrize("number", ["", " ", "A\n9", "A\x1b9", "A\u202e9", "9" * 65])
def test_the_number_of_a_notice_is_one_line_that_can_be_read(store: Store, number: str) -> None:
    with pytest.raises(OrderError):
        book_on(store).police_stop(card(0), number, OFFICER, "their letter", NOW)
    assert standing(store) == []
