"""What the police confirmed (涉案): by whom it became known, in which case, and whether it still stands.

Each is told in the audit trail with a digest of the card's rows: one that was written past the trail is found by
`duanka audit verify`.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ColumnElement, select, update

from duanka.domain.order import Person
from duanka.ledger.audit.row_digests import CONFIRMATIONS, found
from duanka.ledger.db.casework.accounts import account_looks
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.unit_of_work.account_looks import look_of
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork

STATED, WITHDRAWN = "confirmation.stated", "confirmation.withdrawn"  # entries of the trail


class ConfirmationSource(StrEnum):
    """How a confirmation of the police became known; stored values."""

    POLICE_NOTICE = "police_notice"
    SIGNED_FILE = "signed_file"
    CLUE_FEEDBACK = "clue_feedback"


def confirm(
    unit: UnitOfWork,
    card: str,
    case_number: str,
    source: ConfirmationSource,
    by: Person,
    why: str,
    *,
    fraud_kind: str = "",
    origin: str = "",
) -> None:
    """Keep that the police confirmed `card`; nothing if that very word of theirs stands already.

    `origin`: the clue that was answered. A card that several words of the police confirm has a row for each: one that
    is taken back leaves the others standing.
    """
    unit.write_prepared()
    standing = select(confirmations.c.id).where(
        confirmations.c.card == card,
        confirmations.c.case_number == case_number,
        confirmations.c.source == source.value,
        confirmations.c.origin == origin,
        confirmations.c.withdrawn_at.is_(None),
    )
    if unit.connection.execute(standing).first() is not None:
        return
    before = _before(unit, card)
    row = {"card": card, "case_number": case_number, "source": source.value, "fraud_kind": fraud_kind}
    unit.prepare(confirmations, {**row, "origin": origin, "confirmed_at": unit.now})
    unit.prepare(account_looks, look_of(card, unit.now))
    unit.note(by, STATED, card, why, {}, {name: row[name] for name in ("case_number", "source")}, before)


def withdraw(unit: UnitOfWork, card: str, by: Person, why: str) -> None:
    """Keep that what the police confirmed about `card` stands no more."""
    _withdraw(unit, card, by, why)


def withdraw_answer(unit: UnitOfWork, card: str, clue: str, by: Person, why: str) -> int:
    """Keep that what answers to this clue confirmed stands no more; what else confirmed the card stays. How many."""
    answered = confirmations.c.source == ConfirmationSource.CLUE_FEEDBACK.value
    return _withdraw(unit, card, by, why, confirmations.c.origin == clue, answered)


def _withdraw(unit: UnitOfWork, card: str, by: Person, why: str, *which: ColumnElement[bool]) -> int:
    unit.write_prepared()
    standing = (confirmations.c.card == card, confirmations.c.withdrawn_at.is_(None), *which)
    if unit.connection.execute(select(confirmations.c.id).where(*standing)).first() is None:
        return 0
    before = _before(unit, card)
    gone = update(confirmations).where(*standing).values(withdrawn_at=unit.now, withdrawn_why=why)
    count = unit.connection.execute(gone).rowcount
    unit.prepare(account_looks, look_of(card, unit.now))
    unit.note(by, WITHDRAWN, card, why, {}, {"withdrawn_at": unit.now.isoformat()}, before)
    return count


def _before(unit: UnitOfWork, card: str) -> dict[str, str]:
    """Digest of the card's rows before this transaction; told once, by its first entry about them."""
    if card in unit.stated_about:
        return {}
    unit.stated_about.add(card)
    return found(unit.connection, CONFIRMATIONS, card)
