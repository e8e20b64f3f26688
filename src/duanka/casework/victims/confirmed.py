"""Standing confirmations of the police: the only ground on which anything is sent to a victim."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from duanka.ledger.db.bulk import among
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.casework.victims import victim_contacts

Standing = Mapping[str, "Sequence[Confirmed]"]  # card -> its standing confirmations, the latest first


@dataclass(frozen=True)
class Confirmed:
    """A confirmation of a card; `fraud_kind`: "" if unknown."""

    id: int
    card: str
    case_number: str
    fraud_kind: str
    confirmed_at: datetime


def standing(connection: Connection, cards: Collection[str]) -> Standing:
    """The standing confirmations of those of `cards` that have one."""
    mine = (among(connection, confirmations.c.card, cards), confirmations.c.withdrawn_at.is_(None))
    return by_card(connection.execute(select(confirmations).where(*mine)))


def still_standing(connection: Connection, confirmed: Standing) -> Standing:
    """Those of `confirmed` that stand now; they are locked, so that a withdrawal waits for the transaction."""
    ids = [one.id for those in confirmed.values() for one in those]
    asked = (
        select(confirmations.c.id)
        .where(among(connection, confirmations.c.id, ids), confirmations.c.withdrawn_at.is_(None))
        .order_by(confirmations.c.id)
        .with_for_update(read=True)
    )
    stand = set(connection.execute(asked).scalars())
    found = {card: [one for one in those if one.id in stand] for card, those in confirmed.items()}
    return {card: those for card, those in found.items() if those}


def by_card(rows: Iterable[Row[Any]]) -> Standing:
    """Rows of `confirmations` by card, the latest first."""
    found = defaultdict[str, list[Confirmed]](list)
    for row in rows:
        one = Confirmed(row.id, row.card, row.case_number, row.fraud_kind, row.confirmed_at)
        found[row.card].append(one)
    return {
        card: sorted(those, key=lambda one: (one.confirmed_at, one.id), reverse=True)
        for card, those in found.items()
    }


def kinds_of(confirmed: Standing) -> dict[str, str]:
    """The kind of fraud of each card, as far as one is known."""
    return {
        card: next((one.fraud_kind for one in those if one.fraud_kind), "")
        for card, those in confirmed.items()
    }


def standing_card(connection: Connection, number: str) -> tuple[str, str] | None:
    """The card that talked longest with the victim of those whose confirmation stands, and its kind of fraud."""
    query = (
        select(victim_contacts.c.card, confirmations.c.fraud_kind)
        .join(confirmations, confirmations.c.card == victim_contacts.c.card)
        .where(victim_contacts.c.victim_id == number, confirmations.c.withdrawn_at.is_(None))
        .order_by(
            victim_contacts.c.seconds.desc(), (confirmations.c.fraud_kind == "").asc(), confirmations.c.id
        )
        .limit(1)
    )
    row = connection.execute(query).first()
    return (row.card, row.fraud_kind) if row else None
