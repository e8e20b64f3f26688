"""What the order database has about one card, for its holder's statement."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, select

from duanka.domain.evidence import Evidence
from duanka.domain.linked_accounts import AccountGround
from duanka.domain.order import Kind, Order
from duanka.domain.person import Role
from duanka.domain.record_lookups import BasisKind
from duanka.domain.stop_text import StopTextWriter
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.bulk import among
from duanka.ledger.db.casework.accounts import account_requests
from duanka.ledger.db.rows import order_of
from duanka.ledger.db.tables import audit, notices, orders, outbox, refusals
from duanka.ledger.db.tables_holders import billing_events
from duanka.ledger.db.tables_identity import checks, counter_checks, pictures
from duanka.ledger.unit_of_work.network_elements import element_names
from duanka.orders.stop_texts import StopTextShown, texts_made

_LOOKS = (
    "read.",
    "lookup.",
    "paper.",
    "pictures.seen",
)  # entries of the trail that are looks at a card's data
# Looks of the police, and those on the basis of a case or of a notice of theirs, are neither shown nor counted: who
# is told of one knows of the investigation.
_TOLD_ROLES = frozenset({Role.DESK.value, Role.SUPERVISOR.value, Role.REGULATOR.value, Role.HOLDER.value})


@dataclass(frozen=True)
class CardRows:
    """Rows about a card; the earliest first. `steps`: entries of the trail by order; `looks`: as may be told;
    `elements`: of the network, as registered here.

    `purged_at`: when pictures of a verification were deleted; `pictured`: verifications whose pictures are kept.
    """

    card: str
    orders: tuple[Order, ...]
    steps: Mapping[str, Sequence[RowMapping]]
    texts: tuple[StopTextShown, ...]
    notices: Sequence[RowMapping]
    checks: Sequence[RowMapping]
    counter_checks: Sequence[RowMapping]
    pictured: frozenset[str]
    purged_at: Mapping[str, datetime]
    network: Sequence[RowMapping]
    refusals: Sequence[RowMapping]
    billing: Sequence[RowMapping]
    accounts: Sequence[RowMapping]
    looks: Sequence[RowMapping]
    elements: tuple[str, ...]


def rows_about(
    connection: Connection, card: str, trail: Trail, writer: StopTextWriter, now: datetime
) -> CardRows:
    """Read everything; texts of stops of an earlier version are made and stored on the way."""
    query = select(orders).where(orders.c.card == card).order_by(orders.c.opened_at, orders.c.id)
    found = tuple(order_of(row) for row in connection.execute(query).mappings())
    ids = [one.id for one in found]
    stops = [one for one in found if one.kind is Kind.RESTRICTION]
    texts = tuple(text for one in stops for text in texts_made(connection, trail, writer, one, now))
    entries = _rows(connection, audit, audit.c.subject, [*ids, card], audit.c.seq)
    kept = connection.execute(
        select(pictures.c.order_id).where(among(connection, pictures.c.order_id, ids))
    ).scalars()
    steps: dict[str, list[RowMapping]] = {}
    for row in entries:
        if row["subject"] != card and "state" in json.loads(row["after"]):
            steps.setdefault(row["subject"], []).append(row)
    return CardRows(
        card=card,
        orders=found,
        steps=steps,
        texts=texts,
        notices=_rows(connection, notices, notices.c.card, [card], notices.c.created_at, notices.c.id),
        checks=_rows(connection, checks, checks.c.order_id, ids, checks.c.seq),
        counter_checks=_rows(connection, counter_checks, counter_checks.c.order_id, ids, counter_checks.c.id),
        pictured=frozenset(kept),
        purged_at={row["subject"]: row["at"] for row in entries if row["what"] == "pictures.purge"},
        network=_rows(connection, outbox, outbox.c.card, [card], outbox.c.id),
        refusals=_rows(connection, refusals, refusals.c.card, [card], refusals.c.at),
        billing=_rows(connection, billing_events, billing_events.c.card, [card], billing_events.c.id),
        accounts=_accounts(connection, card, found),
        looks=[row for row in entries if _may_be_told(row, ids)],
        elements=element_names(connection),
    )


def _rows(
    connection: Connection, table: Table, column: Any, values: Sequence[str], *order: Any
) -> Sequence[RowMapping]:
    query = select(table).where(among(connection, column, values)).order_by(*order)
    return connection.execute(query).mappings().all()


def _accounts(connection: Connection, card: str, found: Sequence[Order]) -> Sequence[RowMapping]:
    """Requests about linked accounts; those of a police confirmation where a stop has told the holder of it."""
    told = any(one.carried_by.startswith(Evidence.POLICE_NOTICE.of("")) for one in found)
    rows = _rows(
        connection, account_requests, account_requests.c.card, [card], account_requests.c.requested_at
    )
    return [row for row in rows if told or row["ground"] != AccountGround.CONFIRMED]


def _may_be_told(row: RowMapping, ids: Sequence[str]) -> bool:
    if not row["what"].startswith(_LOOKS) or row["role"] not in _TOLD_ROLES:
        return False
    basis = json.loads(row["after"]).get("basis")
    return basis is None or basis == BasisKind.ORDER.value or basis in ids
