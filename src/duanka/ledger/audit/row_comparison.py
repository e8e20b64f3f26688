"""Comparison of database rows with what the audit trail last recorded of them.

`Comparison` finds rows that were changed, inserted or removed past the trail, and names the columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from duanka.domain.order import Kind
from duanka.ledger.audit.assessment_digests import rows_of_none
from duanka.ledger.audit.row_digests import (
    ASSESSED,
    AT_ONCE,
    CARDS,
    DIGITS,
    FOUND,
    NAMED,
    OF_SUBJECTS,
    ORDERS,
    PLACES,
    SAME,
    AuditedRows,
    AuditedTable,
    label,
)
from duanka.ledger.audit.stop_text_comparison import stop_text_faults
from duanka.ledger.db.bulk import in_parts
from duanka.ledger.db.tables import audit, cards, orders

_MAX_REMOVED_NAMED = 100  # removed orders that are named; more would add no information


@dataclass
class _Chain:
    """Last recorded digest of a row while its entries are read in order."""

    last: str | None = None

    def fault(self, told: Mapping[str, str], name: str, table: AuditedTable, what: str) -> str | None:
        """Add an entry; return how the row had changed since the entry before, or None."""
        was, self.last = self.last, told[name]
        found_as = told.get(name + FOUND)
        if found_as is None:  # a new order or card, or an entry of an earlier version
            return None
        if was is None:
            new = found_as == SAME and what in table.begun_by
            return None if new else "is not in the trail: it was put in past it"
        digest = told[name] if found_as == SAME else found_as
        names = table.names(dict.fromkeys(table.more_names))
        return next((text.partition(" ")[2] for text in _differs("it", was, digest, names)), None)


class Comparison:
    """Compares rows with the trail: `read` each trail row in order, then `faults`."""

    def __init__(self) -> None:
        self._last: dict[str, _Chain] = {}  # by label; small tables only

    def read(self, row: Mapping[str, Any] | RowMapping) -> Iterator[str]:
        """Add a trail row; yield faults. Orders and cards are read later, in batches."""
        if not row["digests"]:
            return
        told: dict[str, str] = json.loads(row["digests"])
        for name in told:
            table = _SMALL.get(name.partition("/")[0])
            if table and not name.endswith(FOUND):
                chain = self._last.setdefault(name, _Chain())
                if fault := chain.fault(told, name, table, row["what"]):
                    yield f"before this row {name.replace('/', ' ', 1)} {fault}"

    def faults(self, connection: Connection) -> Iterator[str]:
        """Yield a description of every row that differs from the trail's last record."""
        for table in (*NAMED, *ASSESSED):
            yield from self._named(connection, table)
        yield from rows_of_none(connection)
        yield from _of_orders(connection, ORDERS, "order")
        yield from _cards(connection)
        yield from _removed_orders(connection)
        for rows in OF_SUBJECTS:
            what = f"{rows.table.name.replace('_', ' ')} of {rows.about.removesuffix('_id')}"
            yield from _of_orders(connection, rows, what)
            yield from _removed(connection, rows, what)
        yield from stop_text_faults(connection)

    def _named(self, connection: Connection, table: AuditedTable) -> Iterator[str]:
        seen = set()
        for part in _keys(connection, table):
            for key, digest, names in table.rows(connection, part):
                seen.add(label(table, key))
                chain = self._last.get(label(table, key), _Chain())
                if table is PLACES and chain.last is None:
                    continue  # of an earlier version; a bulk action without any entry is reported itself
                yield from _differs(f"{table.table.name} {key}", chain.last, digest, names)
        gone = {name for name in self._last if name.startswith(f"{table.table.name}/")} - seen
        yield from (f"{name.replace('/', ' ', 1)} was removed past the trail" for name in sorted(gone))


_SMALL = {table.table.name: table for table in (*NAMED, *ASSESSED)}


def _cards(connection: Connection) -> Iterator[str]:
    """Compare each card with the entries of its restrictions."""
    names = CARDS.names({})
    of_card = select(orders.c.card, orders.c.id).where(orders.c.kind == Kind.RESTRICTION.value)
    for part in _keys(connection, CARDS):
        restrictions = connection.execute(of_card.where(orders.c.card.in_(part))).all()
        last, faults = _told_of(connection, [row.id for row in restrictions], CARDS)
        for seq, order, fault in faults:
            yield f"before row {seq} the card of order {order} {fault}"
        for row in connection.execute(select(cards).where(cards.c.card.in_(part))).mappings():
            told = last.get(label(CARDS, row["card"]))
            yield from _differs(f"the card of order {row['order_id']}", told, CARDS.digest(row), names)
    moved = of_card.where(
        orders.c.step > 0, ~select(cards.c.card).where(cards.c.card == orders.c.card).exists()
    )
    for lost in connection.execute(moved.limit(_MAX_REMOVED_NAMED)):
        yield f"the card of order {lost.id} was removed past the trail"


def _of_orders(connection: Connection, table: AuditedTable, what: str) -> Iterator[str]:
    """Compare orders, or their rows in `table`, with the trail. `what`: for messages."""
    for part in _keys(connection, table):
        last, faults = _told_of(connection, part, table)
        for seq, order, fault in faults:
            yield f"before row {seq} {what} {order} {fault}"
        query = select(audit.c.subject).where(
            audit.c.subject.in_(part), audit.c.what.in_(table.begun_by), audit.c.digests == ""
        )
        # Recorded by an earlier version, without digests.
        earlier = frozenset(connection.execute(query).scalars()) if table.begun_by else frozenset()
        for key, digest, names in table.rows(connection, part):
            told = last.get(label(table, key))
            if told or key not in earlier:
                yield from _differs(f"{what} {key}", told, digest, names)


def _removed(connection: Connection, table: AuditedRows, what: str) -> Iterator[str]:
    """Yield orders whose rows in this table are gone."""
    there = table.keys().where(table.table.c[table.key] == audit.c.subject).exists()
    gone = (
        select(audit.c.subject)
        .where(audit.c.what.in_(table.begun_by), audit.c.digests != "", ~there)
        .distinct()
        .limit(_MAX_REMOVED_NAMED)
    )
    for number in connection.execute(gone).scalars():
        yield f"{what} {number} was removed past the trail"


def _removed_orders(connection: Connection) -> Iterator[str]:
    opened = [f"{kind.value}.open" for kind in Kind]
    there = select(orders.c.id).where(orders.c.id == audit.c.subject).exists()
    gone = select(audit.c.subject).where(audit.c.what.in_(opened), ~there).limit(_MAX_REMOVED_NAMED)
    yield from (f"order {number} was removed past the trail" for number in connection.execute(gone).scalars())


def _keys(connection: Connection, table: AuditedTable) -> Iterator[Sequence[str]]:
    """Yield all keys of a table, in batches."""
    key, after = table.table.c[table.key], ""
    while (
        some := connection.execute(table.keys().where(key > after).order_by(key).limit(AT_ONCE))
        .scalars()
        .all()
    ):
        yield some
        after = some[-1]


def _told_of(
    connection: Connection, subjects: Sequence[str], table: AuditedTable
) -> tuple[dict[str, str], list[tuple[int, str, str]]]:
    """Return label -> last digest for these orders, and (entry, order, fault) found."""
    entries: list[tuple[int, str, str, str]] = []
    for part in in_parts(subjects, AT_ONCE):
        query = select(audit.c.seq, audit.c.subject, audit.c.what, audit.c.digests)
        rows = connection.execute(query.where(audit.c.subject.in_(part), audit.c.digests != ""))
        entries += [(row.seq, row.subject, row.what, row.digests) for row in rows]
    chains: dict[str, _Chain] = {}
    faults: list[tuple[int, str, str]] = []
    for seq, subject, what, digests in sorted(entries):
        told: dict[str, str] = json.loads(digests)
        mine = [name for name in told if name.startswith(f"{table.table.name}/")]
        for name in mine:
            if not name.endswith(FOUND):
                fault = chains.setdefault(name, _Chain()).fault(told, name, table, what)
                faults += [(seq, subject, fault)] if fault else []
    return {name: chain.last for name, chain in chains.items() if chain.last}, faults


def _differs(what: str, told: str | None, digest: str, names: Sequence[str]) -> Iterator[str]:
    if told is None:
        yield f"{what} is not in the trail: it was put in past it"
    elif told != digest:
        was, now = told.partition(".")[2], digest.partition(".")[2]
        changed = [
            name
            for at, name in enumerate(names)
            if was[at * DIGITS : (at + 1) * DIGITS] != now[at * DIGITS : (at + 1) * DIGITS]
        ]
        yield f"{what} was changed past the trail: {', '.join(changed) or 'a column'}"
