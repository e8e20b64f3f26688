"""Lift one card: at once where one person suffices, else as a proposal for two."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection, select

from duanka.domain.bulk_action import BulkAction, BulkActionState
from duanka.domain.order import DoneBefore, Event, NeedsSecondPerson, Order, Person
from duanka.domain.text import BilingualText
from duanka.ledger.db.tables import act_cards, acts
from duanka.orders.bulk_actions.service import BulkActionService


def give_back(
    doing: BulkActionService, order: Order, event: Event, by: Person, why: str, now: datetime
) -> tuple[Order, DoneBefore | None] | BulkAction:
    """Move `order` as `apply_once` does, or propose it as a bulk action if it takes two people.

    `event`: one of LIFTS. Returns the order, or the bulk action that waits, new or already there. OrderError:
    neither is possible.
    """
    with suppress(NeedsSecondPerson):
        return doing.orders.apply_once(order.id, event, by, why, now)
    with doing.orders.store.reading() as connection:
        waiting = _waiting(connection, order.card, event)
    if waiting:
        return doing.get(waiting, by)
    return doing.propose(event, [order.card], BilingualText(why, why), by, now)


def _waiting(connection: Connection, card: str, event: Event) -> str | None:
    """Return the id of the pending proposal of `event` for this card alone."""
    query = select(acts.c.id).join(act_cards, act_cards.c.act_id == acts.c.id)
    query = query.where(act_cards.c.card == card, acts.c.event == event.value, acts.c.total == 1)
    query = query.where(acts.c.state == BulkActionState.PROPOSED.value).order_by(acts.c.proposed_at)
    return connection.execute(query.limit(1)).scalar()
