"""Baseline of an upgrade in the audit trail: digests of the rows after it.

From here on `audit verify` compares these rows with the trail. A row that the trail already covered is
recorded again only if it matched the trail. A row that was changed past the trail is not recorded: the change
stays visible and has no effect.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, inspect, select

from duanka.domain.order import SYSTEM, Kind
from duanka.ledger.audit.row_digests import (
    ACTS,
    CARDS,
    CHECKS,
    COUNTER_CHECKS,
    ELEMENTS,
    KEYS,
    ORDERS,
    PERSONS,
    PLACES,
    REQUESTS,
    AuditedTable,
    digits_of,
    label,
    text_of,
)
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.tables import cards, orders
from duanka.ledger.db.tables_people import person_requests
from duanka.ledger.migrations.trail_facts import TrailFacts

_BATCH_ROWS = 400
_TABLES = (ORDERS, CARDS, COUNTER_CHECKS, CHECKS, ACTS, PLACES, ELEMENTS, PERSONS, KEYS, REQUESTS)
Columns = Mapping[str, frozenset[str]]  # table -> its columns in the database


def columns_of(connection: Connection) -> Columns:
    """Return the columns of the audited tables before the first step of the upgrade."""
    there = inspect(connection)
    names = {"audit", *(one.table.name for one in _TABLES)} & set(there.get_table_names())
    return {name: frozenset(column["name"] for column in there.get_columns(name)) for name in names}


def tell_rows(connection: Connection, trail: Trail, facts: TrailFacts, before: Columns) -> int:
    """Append entries for all rows that the upgrade changed or added; return how many.

    `before`: columns of the earlier version.
    """
    told = 0
    for subjects in _subjects(connection):
        digests = _digests(connection, subjects, facts, before)
        entries = []
        for kind, subject, tables in subjects:
            names = [label(table, key) for table, keys in tables for key in keys]
            mine = {name: digests[name] for name in names if name in digests}
            if mine:
                entries.append(AuditEntry(facts.at, SYSTEM, f"{kind}.upgraded", subject, digests=mine))
        told += len(entries)
        trail.append(connection, entries)
    return told


_Keys = Sequence[tuple[AuditedTable, Sequence[str]]]


def _subjects(connection: Connection) -> Iterator[list[tuple[str, str, _Keys]]]:
    """Yield (kind, subject, rows that belong to it) of all entries, in batches."""
    for part in _parts(connection, ORDERS):
        rows = connection.execute(select(orders.c.id, orders.c.kind).where(orders.c.id.in_(part))).all()
        of_order: dict[str, list[str]] = {}
        for row in connection.execute(
            select(cards.c.card, cards.c.order_id).where(cards.c.order_id.in_(part))
        ):
            of_order.setdefault(row.order_id, []).append(row.card)
        yield [
            (Kind(row.kind).value, row.id, ((ORDERS, [row.id]), *_beside(row.id, of_order.get(row.id, ()))))
            for row in rows
        ]
    for kind, table, *more in (
        ("act", ACTS, PLACES),
        ("element", ELEMENTS),
        ("person", PERSONS),
        ("key", KEYS),
    ):
        for part in _parts(connection, table):
            yield [(kind, key, tuple((one, [key]) for one in (table, *more))) for key in part]
    waiting = select(person_requests.c.id, person_requests.c.person)
    yield [("person", row.person, ((REQUESTS, [row.id]),)) for row in connection.execute(waiting).all()]


def _beside(order: str, of_card: Sequence[str]) -> _Keys:
    return ((COUNTER_CHECKS, [order]), (CHECKS, [order]), (CARDS, of_card))


def _parts(connection: Connection, table: AuditedTable) -> Iterator[Sequence[str]]:
    keys = sorted(connection.execute(table.keys()).scalars())
    for at in range(0, len(keys), _BATCH_ROWS):
        yield keys[at : at + _BATCH_ROWS]


def _digests(
    connection: Connection, subjects: Sequence[tuple[str, str, _Keys]], facts: TrailFacts, before: Columns
) -> dict[str, str]:
    """Return label -> digest of the rows to record, with one query per table."""
    keys: dict[str, list[str]] = {}
    for _, _, tables in subjects:
        for table, of in tables:
            keys.setdefault(table.table.name, []).extend(of)
    found: dict[str, str] = {}
    has_row_digests = "digests" in before["audit"]
    for table in _TABLES:
        wanted = keys.get(table.table.name, ())
        now = {label(table, key): digest for key, digest, _ in table.rows(connection, wanted)}
        if not has_row_digests:  # an earlier version: these are the first digests of the rows
            found |= {name: digest for name, digest in now.items() if not _is_stranger(facts, name)}
            continue
        changed = {name: digest for name, digest in now.items() if facts.told.get(name) not in (None, digest)}
        if changed:
            then = _digests_then(connection, _as_it_was(table, before), wanted)
            found |= {name: digest for name, digest in changed.items() if facts.told[name] in then[name]}
    return found


def _is_stranger(facts: TrailFacts, name: str) -> bool:
    """Whether a row is a key that the trail neither issued nor revoked."""
    kind, _, key = name.partition("/")
    return kind == KEYS.table.name and key not in facts.keys and key not in facts.revoked


def _as_it_was(table: AuditedTable, before: Columns) -> AuditedTable:
    """Return the table restricted to the columns that it had before the upgrade."""
    there = before.get(table.table.name, frozenset())
    added = {column.name for column in table.table.columns} - there
    return replace(table, except_for=table.except_for | added)


def _digests_then(connection: Connection, table: AuditedTable, keys: Sequence[str]) -> dict[str, set[str]]:
    """Return label -> digests that earlier versions would record for these rows.

    Versions 5 to 8 combined facts differently.
    """
    found: dict[str, set[str]] = {}
    for whole in (None, _joined):
        for key, digest, _ in table.rows(connection, keys, whole):
            found.setdefault(label(table, key), set()).add(digest)
    return found


def _joined(facts: Sequence[Any]) -> str:
    texts = [text_of(fact) for fact in facts]
    digits = "".join(map(digits_of, texts))
    whole = hashlib.sha256(b"\n".join(texts)).hexdigest()
    return f"{whole[:32]}.{digits}"
