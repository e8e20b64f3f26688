"""Rows of the database compared with what the audit trail last said of them.

An entry of the trail carries a digest of every row that it is about, as the row stands when the transaction ends. The
digest is over all columns of the table: a new column is covered without a word here, and what may change without an
entry is named. `compare` finds rows that were changed, put in or removed past the trail, and names the columns.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, select

from duanka.domain.order import Kind
from duanka.orders.bulk import in_parts
from duanka.orders.columns import storable
from duanka.orders.tables import (
    act_cards,
    acts,
    audit,
    cards,
    keys,
    orders,
    person_requests,
    persons,
)
from duanka.orders.tables_installation import elements

_AT_ONCE = 400  # values in one IN
_MOST_REMOVED = 100  # removed orders that are named; more say nothing more
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_DIGITS = 3  # hexadecimal digits that tell a column from its neighbours


def _cards_of_acts(connection: Connection, of: Collection[str]) -> dict[str, dict[str, object]]:
    """The list of cards of each act: what two people agreed on is that list."""
    found: dict[str, dict[str, object]] = {}
    for act in of:
        query = select(act_cards.c.card).where(act_cards.c.act_id == act).order_by(act_cards.c.card)
        listed = hashlib.sha256()
        for card in connection.execute(query).scalars():
            listed.update(f"{card}\n".encode())
        found[act] = {"list of cards": listed.hexdigest()}
    return found


@dataclass(frozen=True)
class AuditedTable:
    """A table whose rows the trail tells. `told_by`: beginnings of what the entries are called that name its rows.

    An entry names a row by its subject, or by a value of what it tells before or after. `except_for`: columns that
    change without an entry. `more`: what belongs to a row and lies in another table.
    """

    table: Table
    told_by: tuple[str, ...]
    except_for: frozenset[str] = frozenset()
    more: Callable[[Connection, Collection[str]], dict[str, dict[str, object]]] | None = None

    @property
    def key(self) -> str:
        """The name of the primary key."""
        (column,) = self.table.primary_key.columns
        return column.name

    @cached_property
    def covered(self) -> tuple[str, ...]:
        """The columns that the digest is over."""
        return tuple(sorted({column.name for column in self.table.columns} - self.except_for))

    def digest(self, row: Mapping[str, Any] | RowMapping, more: Mapping[str, object] | None = None) -> str:
        """Of all columns but the exceptions; a column that `row` does not have makes it another digest."""
        facts = {name: row[name] for name in self.covered if name in row}
        return _digest({**facts, **more} if more else facts)

    def rows(self, connection: Connection, of: Collection[str]) -> Iterator[tuple[str, str, list[str]]]:
        """Key and digest of these rows, and the names of what is in the digest."""
        key = self.table.c[self.key]
        for part in in_parts(sorted(of), _AT_ONCE):
            found = connection.execute(select(self.table).where(key.in_(part))).mappings().all()
            more = self.more(connection, [row[self.key] for row in found]) if self.more else {}
            for row in found:
                also = more.get(row[self.key], {})
                yield row[self.key], self.digest(row, also), self.names(also)

    def names(self, more: Mapping[str, object]) -> list[str]:
        """The names of what is in a digest, in its order."""
        return sorted([*self.covered, *more])


_PEOPLE = ("person", "change", "key")
ORDERS = AuditedTable(orders, ("order",))  # those of a transaction of the order book come with their digests
CARDS = AuditedTable(cards, ())
NAMED = (
    AuditedTable(persons, _PEOPLE),
    AuditedTable(keys, _PEOPLE),
    AuditedTable(person_requests, _PEOPLE, frozenset({"decided_by", "decided_at", "outcome"})),
    AuditedTable(elements, ("element",)),
    AuditedTable(acts, ("act",), frozenset({"done", "skipped"}), _cards_of_acts),
)
_BY_WHAT: dict[str, list[AuditedTable]] = {}
for _one in (ORDERS, *NAMED):
    for _what in _one.told_by:
        _BY_WHAT.setdefault(_what, []).append(_one)


def label(table: AuditedTable, key: str) -> str:
    """How an entry names a row."""
    return f"{table.table.name}/{key}"


def digests_of(
    connection: Connection, what: str, subject: str, told: Iterable[Mapping[str, object]]
) -> dict[str, str]:
    """Label -> digest of the rows that an entry names, read in its transaction."""
    tables = _BY_WHAT.get(what.partition(".")[0], ())
    if not tables:
        return {}
    named = {subject, *(value for facts in told for value in facts.values() if isinstance(value, str))}
    return {label(table, key): digest for table in tables for key, digest, _ in table.rows(connection, named)}


class Comparison:
    """Compares rows with the trail in two steps: `read` each row of the trail in turn, then `faults`."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}  # label -> digest, of the tables that are small

    def read(self, row: RowMapping) -> None:
        """Take in one row of the trail. Those of orders and cards are read again, some at a time."""
        if row["digests"]:
            told: dict[str, str] = json.loads(row["digests"])
            big = (f"{orders.name}/", f"{cards.name}/")
            self._last.update((name, digest) for name, digest in told.items() if not name.startswith(big))

    def faults(self, connection: Connection) -> Iterator[str]:
        """Every row that is not as the trail last said, in words."""
        for table in NAMED:
            yield from self._named(connection, table)
        yield from _orders(connection)
        yield from _cards(connection)
        yield from _removed_orders(connection)

    def _named(self, connection: Connection, table: AuditedTable) -> Iterator[str]:
        seen = set()
        for part in _keys(connection, table):
            for key, digest, names in table.rows(connection, part):
                seen.add(label(table, key))
                yield from _differs(
                    f"{table.table.name} {key}", self._last.get(label(table, key)), digest, names
                )
        gone = {name for name in self._last if name.startswith(f"{table.table.name}/")} - seen
        yield from (f"{name.replace('/', ' ', 1)} was removed past the trail" for name in sorted(gone))


def _orders(connection: Connection) -> Iterator[str]:
    for part in _keys(connection, ORDERS):
        last = _last_told(connection, part)
        for key, digest, names in ORDERS.rows(connection, part):
            yield from _differs(f"order {key}", last.get(label(ORDERS, key)), digest, names)


def _cards(connection: Connection) -> Iterator[str]:
    """Each card as the last of its restrictions left it."""
    names = CARDS.names({})
    of_card = select(orders.c.card, orders.c.id).where(orders.c.kind == Kind.RESTRICTION.value)
    for part in _keys(connection, CARDS):
        restrictions = connection.execute(of_card.where(orders.c.card.in_(part))).all()
        last = _last_told(connection, [row.id for row in restrictions])
        for row in connection.execute(select(cards).where(cards.c.card.in_(part))).mappings():
            told = last.get(label(CARDS, row["card"]))
            yield from _differs(f"the card of order {row['order_id']}", told, CARDS.digest(row), names)
    moved = of_card.where(
        orders.c.step > 0, ~select(cards.c.card).where(cards.c.card == orders.c.card).exists()
    )
    for lost in connection.execute(moved.limit(_MOST_REMOVED)):
        yield f"the card of order {lost.id} was removed past the trail"


def _removed_orders(connection: Connection) -> Iterator[str]:
    opened = [f"{kind.value}.open" for kind in Kind]
    there = select(orders.c.id).where(orders.c.id == audit.c.subject).exists()
    gone = select(audit.c.subject).where(audit.c.what.in_(opened), ~there).limit(_MOST_REMOVED)
    yield from (f"order {number} was removed past the trail" for number in connection.execute(gone).scalars())


def _keys(connection: Connection, table: AuditedTable) -> Iterator[Sequence[str]]:
    """All keys of a table, some at a time."""
    key, after = table.table.c[table.key], ""
    while (
        some := connection.execute(select(key).where(key > after).order_by(key).limit(_AT_ONCE))
        .scalars()
        .all()
    ):
        yield some
        after = some[-1]


def _last_told(connection: Connection, subjects: Sequence[str]) -> dict[str, str]:
    """Label -> digest of the last entries about these orders."""
    found: list[tuple[int, str]] = []
    for part in in_parts(subjects, _AT_ONCE):
        query = select(audit.c.seq, audit.c.digests).where(audit.c.subject.in_(part), audit.c.digests != "")
        found += [(row.seq, row.digests) for row in connection.execute(query)]
    last: dict[str, str] = {}
    for _, digests in sorted(found):
        last.update(json.loads(digests))
    return last


def _differs(what: str, told: str | None, digest: str, names: Sequence[str]) -> Iterator[str]:
    if told is None:
        yield f"{what} is not in the trail: it was put in past it"
    elif told != digest:
        was, now = told.partition(".")[2], digest.partition(".")[2]
        changed = [
            name
            for at, name in enumerate(names)
            if was[at * _DIGITS : (at + 1) * _DIGITS] != now[at * _DIGITS : (at + 1) * _DIGITS]
        ]
        yield f"{what} was changed past the trail: {', '.join(changed) or 'a column'}"


def _digest(facts: Mapping[str, object]) -> str:
    """Of all facts, and behind a dot a few digits of each, so that the one that differs can be named."""
    each = [
        ascii(_plain(facts[name])) for name in sorted(facts)
    ]  # one text a value, whatever Python writes it
    whole = hashlib.sha256("\n".join(each).encode()).hexdigest()
    return f"{whole[:32]}.{''.join(f'{zlib.crc32(one.encode()) & 0xFFF:03x}' for one in each)}"


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return (value - _EPOCH) // _MICROSECOND  # as it is stored, whatever zone it was given in
    return storable(value) if isinstance(value, str) else value
