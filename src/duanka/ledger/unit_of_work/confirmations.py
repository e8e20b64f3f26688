"""What the police confirmed (涉案): by whom it became known, in which case, and whether it still stands."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import select, update

from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork


class ConfirmationSource(StrEnum):
    """How a confirmation of the police became known; stored values."""

    POLICE_NOTICE = "police_notice"
    SIGNED_FILE = "signed_file"
    CLUE_FEEDBACK = "clue_feedback"


def confirm(
    unit: UnitOfWork, card: str, case_number: str, source: ConfirmationSource, fraud_kind: str = ""
) -> None:
    """Keep that the police confirmed `card`; nothing if that very case stands already."""
    unit.write_prepared()
    standing = select(confirmations.c.id).where(
        confirmations.c.card == card,
        confirmations.c.case_number == case_number,
        confirmations.c.withdrawn_at.is_(None),
    )
    if unit.connection.execute(standing).first() is not None:
        return
    unit.prepare(
        confirmations,
        {
            "card": card,
            "case_number": case_number,
            "source": source.value,
            "fraud_kind": fraud_kind,
            "confirmed_at": unit.now,
        },
    )


def withdraw(unit: UnitOfWork, card: str, why: str) -> None:
    """Keep that what the police confirmed about `card` stands no more."""
    unit.write_prepared()
    standing = (confirmations.c.card == card, confirmations.c.withdrawn_at.is_(None))
    unit.connection.execute(
        update(confirmations).where(*standing).values(withdrawn_at=unit.now, withdrawn_why=why)
    )


def withdraw_answer(unit: UnitOfWork, card: str, case_number: str, why: str) -> int:
    """Keep that what an answer to a clue confirmed stands no more; what else confirmed the card stays. How many."""
    unit.write_prepared()
    mine = (
        confirmations.c.card == card,
        confirmations.c.case_number == case_number,
        confirmations.c.source == ConfirmationSource.CLUE_FEEDBACK.value,
        confirmations.c.withdrawn_at.is_(None),
    )
    changed = unit.connection.execute(
        update(confirmations).where(*mine).values(withdrawn_at=unit.now, withdrawn_why=why)
    )
    return changed.rowcount
