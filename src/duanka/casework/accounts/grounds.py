"""Grounds that stand for a card's linked accounts, read from confirmations and orders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Select, and_, exists, or_, select

from duanka.domain.evidence import Evidence
from duanka.domain.linked_accounts import AccountGround
from duanka.domain.order import Kind, State
from duanka.ledger.db.bulk import among
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.tables import acts, orders

_TWO_PEOPLE, _POLICE_NOTICE = Evidence.TWO_PEOPLE.of(""), Evidence.POLICE_NOTICE.of("")


@dataclass(frozen=True)
class StandingGround:
    """A ground that stands now; `number`: the police's case, or the verification."""

    ground: AccountGround
    number: str


def standing_grounds(connection: Connection, cards: Collection[str]) -> Mapping[str, list[StandingGround]]:
    """Grounds that stand, by card; one of each kind. Cards without any are absent."""
    found: dict[str, dict[AccountGround, str]] = defaultdict(dict)
    for ground, query in (
        (AccountGround.CONFIRMED, _confirmed(connection, cards)),
        (AccountGround.FAILED_CHECK, _failed_check(connection, cards)),
        (AccountGround.FAILED_TWO, _failed_before_two(connection, cards)),
    ):
        for card, number in connection.execute(query):
            found[card].setdefault(ground, number[:80])
    return {
        card: [StandingGround(ground, number) for ground, number in grounds.items()]
        for card, grounds in found.items()
    }


def _confirmed(connection: Connection, cards: Collection[str]) -> Select[str, str]:
    """Confirmations that stand, unless the card was restored since and the police did not stop it again."""
    stopped = orders.alias()
    again = exists().where(
        stopped.c.card == confirmations.c.card,
        stopped.c.kind == Kind.RESTRICTION.value,
        stopped.c.closed_at.is_(None),
        stopped.c.carried_by.startswith(_POLICE_NOTICE, autoescape=True),
    )
    restored = exists().where(
        orders.c.card == confirmations.c.card,
        orders.c.kind == Kind.RESTRICTION.value,
        orders.c.state == State.RESTORED.value,
        orders.c.closed_at >= confirmations.c.confirmed_at,
    )
    return (
        select(confirmations.c.card, confirmations.c.case_number)
        .where(
            among(connection, confirmations.c.card, cards),
            confirmations.c.withdrawn_at.is_(None),
            or_(~restored, again),
        )
        .order_by(confirmations.c.id)
    )


def _failed_check(connection: Connection, cards: Collection[str]) -> Select[str, str]:
    """Open verifications that failed before the machine and a reviewer, while their stop stands."""
    return (
        select(orders.c.card, orders.c.id)
        .where(
            among(connection, orders.c.card, cards),
            orders.c.kind == Kind.VERIFICATION.value,
            orders.c.closed_at.is_(None),
            orders.c.evidence == Evidence.FAILED_CHECK.value,
        )
        .order_by(orders.c.id)
    )


def _failed_before_two(connection: Connection, cards: Collection[str]) -> Select[str, str]:
    """Failed verifications whose stop two of the staff decided on, while that stop stands."""
    verification = orders.alias()
    return (
        select(orders.c.card, verification.c.id)
        .join(acts, orders.c.carried_by == _TWO_PEOPLE + acts.c.id)
        .join(
            verification,
            and_(
                verification.c.id == acts.c.verification,
                or_(
                    verification.c.state == State.FAILED.value,
                    verification.c.evidence == Evidence.FAILED_CHECK.value,
                ),
            ),
        )
        .where(
            among(connection, orders.c.card, cards),
            orders.c.kind == Kind.RESTRICTION.value,
            orders.c.closed_at.is_(None),
        )
        .order_by(orders.c.id)
    )
