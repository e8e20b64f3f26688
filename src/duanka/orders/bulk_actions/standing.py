"""Stops of cards that stand: proposed, on their way, or in force."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection, and_, or_, select

from duanka.domain.bulk_action import BulkActionState
from duanka.domain.order import STOP_EVENTS, Event, NoSuchTransition
from duanka.ledger.db.bulk import among
from duanka.ledger.db.tables import act_cards, acts, cards
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.bulk_actions.execution import DONE, SKIPPED

_OPEN = (BulkActionState.PROPOSED.value, BulkActionState.RUNNING.value)


class HeldMeanwhile(NoSuchTransition):
    """A stop by somebody else holds some of the cards since they were looked at."""

    def __init__(self, held: Mapping[str, str]) -> None:
        acts_of = ", ".join(sorted(set(held.values())))
        super().__init__(f"{len(held)} of the cards are in {acts_of} since a moment ago: propose it again")


def require_unheld(unit: UnitOfWork, event: Event, numbers: Collection[str]) -> None:
    """HeldMeanwhile if a stop holds one of `numbers`. Others who propose one wait for this transaction."""
    unit.lock(numbers)
    if held := standing_stops(unit.connection, event, numbers):
        raise HeldMeanwhile(held)


def standing_stops(connection: Connection, event: Event, numbers: Iterable[str]) -> dict[str, str]:
    """Map those of `numbers` (E.164 without +) that a stop holds already to the id of its bulk action.

    It is proposed or running, whatever its event; or it was the same `event`, and the card is still as it left it. A
    card that it skipped, or that was given back since, is not held.
    """
    waits = and_(acts.c.state.in_(_OPEN), act_cards.c.outcome.is_distinct_from(SKIPPED))
    in_force = and_(
        acts.c.state == BulkActionState.DONE.value,
        acts.c.event == event.value,
        act_cards.c.outcome == DONE,
        cards.c.state == act_cards.c.after,
    )
    query = (
        select(act_cards.c.card, acts.c.id)
        .join(acts, acts.c.id == act_cards.c.act_id)
        .outerjoin(cards, cards.c.card == act_cards.c.card)
        .where(
            among(connection, act_cards.c.card, numbers),
            acts.c.event.in_(sorted(one.value for one in STOP_EVENTS)),
            or_(waits, in_force),
        )
        .order_by(acts.c.proposed_at, acts.c.id)
    )
    return {row.card: row.id for row in connection.execute(query)}
