"""Grounds of a case: what there is of them, and about which card they are.

A hit counts if its decision bears the seal of this installation, which the order database keeps; an order if it is
there; a complaint if the records hold one about the card. A letter is what the police sent: who opens the case stands
for it, in the trail.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, select

from duanka.domain.authority import within
from duanka.domain.case_file import CaseError, CaseGround, GroundKind, KnownComplaints
from duanka.domain.order import Person
from duanka.domain.record_lookups import Basis, BasisKind
from duanka.ledger.db.bulk import among
from duanka.ledger.db.tables import orders

_BASIS = {GroundKind.POLICE_LETTER: BasisKind.POLICE_NOTICE, GroundKind.COMPLAINT: BasisKind.CASE}


@dataclass(frozen=True)
class CheckedGround:
    """A ground that exists. `card`: which it is about; None: a letter or a complaint names none here.

    `basis`: on which the cards behind it may be looked up.
    """

    ground: CaseGround
    card: str | None
    basis: Basis


def checked_ground(connection: Connection, ground: CaseGround, card: str | None, by: Person) -> CheckedGround:
    """Return what there is of `ground`. CaseError: it does not exist. PermissionDenied: it is out of the scope.

    `card`: the card that the case begins at, for a hit without a number: the latest one about it counts.
    """
    if basis := _BASIS.get(ground.kind):
        return CheckedGround(ground, None, Basis(basis, ground.number))
    columns = (orders.c.id, orders.c.card, orders.c.decision, orders.c.operator, orders.c.city)
    query = select(*columns).order_by(orders.c.opened_at.desc(), orders.c.id).limit(1)
    if ground.kind is GroundKind.ORDER:
        query, what = query.where(orders.c.id == ground.number), f"order {ground.number}"
    elif ground.number:
        query, what = query.where(orders.c.decision == ground.number), f"sealed hit {ground.number}"
    elif card is None:
        raise CaseError(
            "give the number of the hit, hit:NUMBER, unless the case begins at a card: `duanka orders show ORDER` names"
            " the decision"
        )
    else:
        query, what = query.where(orders.c.card == card, orders.c.decision != ""), "sealed hit on this card"
    row = connection.execute(query).first()
    if row is None:
        raise CaseError(
            f"there is no {what} in the order database: `duanka orders list` and `orders show` name what there is."
            " Other grounds: complaint:NUMBER, police-letter:NUMBER, or none (a supervisor then approves the case"
            " first)"
        )
    within(by, row.id, row.operator, row.city)
    number = row.id if ground.kind is GroundKind.ORDER else row.decision
    return CheckedGround(CaseGround(ground.kind, number), row.card, Basis(BasisKind.ORDER, row.id))


def must_concern(checked: CheckedGround, cards: Collection[str], complaints: KnownComplaints | None) -> None:
    """CaseError: the ground is about none of the cards of the case."""
    if checked.card is not None and checked.card not in cards:
        raise CaseError(
            f"{checked.ground.kind.words.en} {checked.ground.number} is about a card that is not of this case: give one"
            " about its cards"
        )
    if checked.ground.kind is GroundKind.COMPLAINT and not (complaints and complaints.complained_of(cards)):
        known = (
            "the records hold no complaint about a card of this case"
            if complaints
            else "no store is attached"
        )
        raise CaseError(
            f"{known}, so complaint {checked.ground.number} cannot be seen: deliver it with the records (table"
            " complaints), or open the case with --ground none, which a supervisor approves first"
        )


def decisions_of(connection: Connection, cards: Collection[str]) -> dict[str, str]:
    """Return the latest sealed decision about each of these cards."""
    query = (
        select(orders.c.card, orders.c.decision)
        .where(among(connection, orders.c.card, cards), orders.c.decision != "")
        .order_by(orders.c.opened_at)
    )
    return {row.card: row.decision for row in connection.execute(query)}
