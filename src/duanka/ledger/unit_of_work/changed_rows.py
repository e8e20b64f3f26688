"""Write the changed orders and cards of a transaction, and digest their rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, update

from duanka.domain.order import Order
from duanka.domain.restriction_states import in_the_network
from duanka.ledger.audit.row_digests import CARDS, FOUND, ORDERS, label
from duanka.ledger.audit.row_digests import found as rows_found
from duanka.ledger.audit.trail import AuditEntry
from duanka.ledger.db.bulk import among, put_rows, update_rows, upsert_rows
from duanka.ledger.db.rows import row_of
from duanka.ledger.db.tables import cards, orders, outbox
from duanka.ledger.lease_queue import closed

Row = Mapping[str, Any]


def write_orders(
    connection: Connection, changed: Sequence[Order], stored: Mapping[str, Row]
) -> dict[str, Row]:
    """Write these orders; return their rows by id. `stored`: their present rows."""
    rows: dict[str, Row] = {order.id: row_of(order) for order in changed}
    # In a fixed order, to avoid deadlocks between writers of the same new cards.
    new = sorted(
        (row for number, row in rows.items() if number not in stored),
        key=lambda row: (row["card"], row["kind"]),
    )
    moved_on = [row for number, row in rows.items() if number in stored]
    # Closing orders first: a card has at most one open order of a kind.
    _update(connection, [row for row in moved_on if row["closed_at"]], stored)
    put_rows(connection, orders, new)
    _update(connection, [row for row in moved_on if not row["closed_at"]], stored)
    return rows


def _update(connection: Connection, changed: Sequence[Row], stored: Mapping[str, Row]) -> None:
    """Write only changed columns: the texts of an order are long and rarely change."""
    differing = dict[str, None]()
    for row in changed:
        was = stored[row["id"]]
        differing |= dict.fromkeys([name for name, value in row.items() if was[name] != value])
    update_rows(connection, orders, "id", list(differing), changed)


def write_cards(
    connection: Connection, restricted: Mapping[str, Order], now: datetime
) -> tuple[Sequence[Row], dict[str, str]]:
    """Write the wanted states of cards; return their rows, and digests found before."""
    if not restricted:
        return [], {}
    found = rows_found(connection, CARDS, *restricted)
    rows = [
        {
            "card": card,
            "state": str(order.state),
            "wanted": in_the_network(order.state).value,
            "order_id": order.id,
            "since": now,
        }
        for card, order in sorted(restricted.items())
    ]
    upsert_rows(connection, cards, "card", rows)
    return rows, found


def add_digests(
    entries: Sequence[AuditEntry],
    changed: Mapping[str, Row],
    stored: Mapping[str, str],
    restricted: Sequence[Row],
    found: Mapping[str, str],
    texts: Mapping[str, Mapping[str, str]],
) -> None:
    """Add digests of order and card rows to the last entry about each order.

    `stored`: digests of changed orders before; `found`: of the cards; `texts`: of the texts of stops, by order.
    """
    digests = dict[str, dict[str, str]]()
    for number, row in changed.items():
        name = label(ORDERS, number)
        digests[number] = mine = {name: ORDERS.digest(row)}
        if was := stored.get(number):
            mine[name + FOUND] = was
        if number in texts:
            mine |= texts[number]
    for row in restricted:
        name, mine = label(CARDS, row["card"]), digests[row["order_id"]]
        mine[name] = CARDS.digest(row)
        if was := found.get(name + FOUND):
            mine[name + FOUND] = was
    for entry in reversed(entries):
        if told := digests.pop(entry.subject, None):
            entry.digests = told


def supersede(connection: Connection, of: Collection[str], now: datetime) -> None:
    """Supersede pending changes of these cards, except leased ones: a worker has them."""
    if of:
        waits = (
            outbox.c.done_at.is_(None),
            or_(outbox.c.leased_until.is_(None), outbox.c.leased_until < now),
        )
        these = update(outbox).where(among(connection, outbox.c.card, of), *waits)
        connection.execute(these.values(closed(now, "superseded")))
