"""How far the network and the holders' notices are with what a bulk action did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pydantic import Field
from sqlalchemy import Connection, RowMapping, Table, func, select

from duanka.domain.authority import Permission, authorize
from duanka.domain.order import Person
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import act_cards, notices, outbox
from duanka.orders.bulk_actions.execution import DONE
from duanka.orders.bulk_actions.review import visible_bulk_action
from duanka.orders.masking import View

_WAITS = "waiting"


class ElementProgressShown(View):
    """How many changes of state an element of the network (网元) has and has not carried out."""

    element: str = Field(examples=["home_register"])
    counts: dict[str, int] = Field(
        description="waiting; done; superseded: by a later change; unknown_card and refused: it did not.",
        examples=[{"done": 154, "waiting": 1}],
    )


class BulkActionProgressShown(View):
    """What followed from a bulk action in the network and for the holders."""

    elements: list[ElementProgressShown]
    notices: dict[str, int] = Field(
        description="Notices to holders: waiting, sent, delivered, undelivered, given_up.",
        examples=[{"delivered": 150, "sent": 5}],
    )


def progress_of(store: Store, act_id: str, by: Person) -> BulkActionProgressShown:
    """Return what followed from a bulk action. UnknownOrder. PermissionDenied: a card is out of scope."""
    authorize(by, Permission.LIST_BULK_ACTIONS)
    with store.reading() as connection:
        act = visible_bulk_action(connection, act_id, by)
        found: dict[str, Counter[str]] = {}
        for element, outcome, count in _counted(connection, act, outbox, "element"):
            found.setdefault(element, Counter())[outcome or _WAITS] += count
        told = Counter[str]()
        for _, outcome, count in _counted(connection, act, notices, "template"):
            told[outcome or _WAITS] += count
    elements = [ElementProgressShown(element=name, counts=dict(found[name])) for name in sorted(found)]
    return BulkActionProgressShown(elements=elements, notices=dict(told))


def _counted(connection: Connection, act: RowMapping, table: Table, column: str) -> Sequence[Any]:
    """Count rows of `table` that the bulk action made; later ones of the same orders are not its own."""
    if act["approved_at"] is None:
        return []
    columns = (table.c[column], table.c.outcome)
    query = (
        select(*columns, func.count())
        .join(act_cards, act_cards.c.order_id == table.c.order_id)
        .where(act_cards.c.act_id == act["id"], act_cards.c.outcome == DONE)
        .where(table.c.created_at >= act["approved_at"])
        .group_by(*columns)
    )
    if act["finished_at"] is not None:
        query = query.where(table.c.created_at <= act["finished_at"])
    return connection.execute(query).all()
