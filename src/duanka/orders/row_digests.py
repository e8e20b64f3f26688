"""Rows of the database compared with what the audit trail last said of them.

An entry of the trail carries a digest of every row that it is about, as the row stands when the transaction ends. The
digest is over all columns of the table: a new column is covered without a word here, and what may change without an
entry is named. Beside it stands how the transaction found the row: what was changed past the trail stays visible when
the row is told again. `Comparison` finds rows that were changed, put in or removed past the trail, and names the
columns.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, Table, select

from duanka.domain.identity import Outcome
from duanka.domain.order import Kind
from duanka.orders.bulk import in_parts
from duanka.orders.columns import storable
from duanka.orders.tables import (
    act_cards,
    act_places,
    acts,
    audit,
    cards,
    keys,
    orders,
    person_requests,
    persons,
)
from duanka.orders.tables_identity import checks, counter_checks
from duanka.orders.tables_installation import elements

FOUND = "#found"  # behind the label of a row: its digest before the transaction
SAME = "="  # the digest did not change
_AT_ONCE = 400  # values in one IN
_MOST_REMOVED = 100  # removed orders that are named; more say nothing more
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_REMEMBERED = 8192  # facts whose text is kept: the texts of a policy, states, moments
_DIGITS = 3  # hexadecimal digits that tell a column from its neighbours


def _cards_of_acts(connection: Connection, of: Collection[str]) -> dict[str, dict[str, object]]:
    """The list of cards of each act: what two people agreed on is that list."""
    listed = {act: hashlib.sha256() for act in of}
    for part in in_parts(list(listed), _AT_ONCE):
        query = select(act_cards.c.act_id, act_cards.c.card).where(act_cards.c.act_id.in_(part))
        for act, card in connection.execute(query.order_by(act_cards.c.act_id, act_cards.c.card)):
            listed[act].update(f"{card}\n".encode())
    return {act: {"list of cards": digest.hexdigest()} for act, digest in listed.items()}


@dataclass(frozen=True)
class AuditedTable:
    """A table whose rows the trail tells. `told_by`: beginnings of what the entries are called that name its rows.

    An entry names a row by its subject, or by a value of what it tells before or after. `except_for`: columns that
    change without an entry. `more`: what belongs to a row and lies in another table. `begun_by`: entries that tell a
    new row.
    """

    table: Table
    told_by: tuple[str, ...]
    except_for: frozenset[str] = frozenset()
    more: Callable[[Connection, Collection[str]], dict[str, dict[str, object]]] | None = None
    begun_by: frozenset[str] = frozenset()

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
        if more:
            facts = {name: row[name] for name in self.covered if name in row} | dict(more)
            return _whole([_told(facts[name]) for name in sorted(facts)])
        return _whole([_told(row[name]) for name in self.covered if name in row])

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

    def keys(self) -> Select[Any]:
        """Every key."""
        return select(self.table.c[self.key])


@dataclass(frozen=True)
class AuditedRows(AuditedTable):
    """A table of which the rows about one order, or one act, are told as one.

    `only`: the rows that somebody rests on; `about`: the column that names the order or act.
    """

    only: tuple[ColumnElement[bool], ...] = ()
    about: str = "order_id"

    @property
    def key(self) -> str:
        """The column that names the order, or the act."""
        return self.about

    def rows(self, connection: Connection, of: Collection[str]) -> Iterator[tuple[str, str, list[str]]]:
        """As of a table; the digest of an order is over all of its rows."""
        key, inner = self.table.c[self.key], [*self.table.primary_key.columns]
        for part in in_parts(sorted(of), _AT_ONCE):
            query = select(self.table).where(key.in_(part), *self.only).order_by(key, *inner)
            of_order: dict[str, list[RowMapping]] = {}
            for row in connection.execute(query).mappings():
                of_order.setdefault(row[self.key], []).append(row)
            for order, rows in of_order.items():
                facts = [_told(tuple(_plain(row[name]) for row in rows)) for name in self.covered]
                yield order, _whole(facts), list(self.covered)

    def keys(self) -> Select[Any]:
        """Every order that has such rows."""
        return super().keys().where(*self.only).distinct()


_PEOPLE = ("person", "change", "key")
ORDERS = AuditedTable(orders, ("order",))  # those of a transaction of the order book come with their digests
CARDS = AuditedTable(cards, ())
_NEW_PERSON = frozenset({"person.first", "person.join", "person.approve"})
PERSONS = AuditedTable(persons, _PEOPLE, begun_by=_NEW_PERSON)
KEYS = AuditedTable(keys, _PEOPLE, begun_by=_NEW_PERSON | {"key.approve"})
REQUESTS = AuditedTable(
    person_requests,
    _PEOPLE,
    frozenset({"decided_by", "decided_at", "outcome"}),
    begun_by=frozenset({"person.propose"}),
)
ELEMENTS = AuditedTable(elements, ("element",), begun_by=frozenset({"element.set"}))
ACTS = AuditedTable(
    acts, ("act",), frozenset({"done", "skipped"}), _cards_of_acts, begun_by=frozenset({"act.propose"})
)
# Whose the cards of an act are. Acts of earlier versions were told without it.
PLACES = AuditedRows(
    act_places,
    ("act",),
    begun_by=frozenset(
        f"act.{what}" for what in ("propose", "approve", "reject", "undo", "finish", "strike")
    ),
    about="act_id",
)
NAMED = (
    PERSONS,
    KEYS,
    REQUESTS,
    ELEMENTS,
    ACTS,
    PLACES,
)
# What letting a card go, or stopping it, may rest on: who saw the person, and what the machine said.
COUNTER_CHECKS = AuditedRows(counter_checks, ("counter",), begun_by=frozenset({"counter.verify"}))
CHECKS = AuditedRows(
    checks,
    ("check",),
    frozenset({"reviewed_at"}),
    begun_by=frozenset({"check.settle"}),
    only=(checks.c.outcome.in_([outcome.value for outcome in Outcome]),),
)
OF_ORDERS = (COUNTER_CHECKS, CHECKS)
_BY_WHAT: dict[str, list[AuditedTable]] = {}
for _one in (ORDERS, *NAMED, *OF_ORDERS):
    for _what in _one.told_by:
        _BY_WHAT.setdefault(_what, []).append(_one)


def label(table: AuditedTable, key: str) -> str:
    """How an entry names a row."""
    return f"{table.table.name}/{key}"


def found(connection: Connection, table: AuditedTable, *keys: str) -> dict[str, str]:
    """What an entry says of these rows before the transaction changes them."""
    return {label(table, key) + FOUND: digest for key, digest, _ in table.rows(connection, keys)}


class RowsTold:
    """Digests of the rows that the entries of one transaction name, as it leaves them; each row is read once.

    `before`: what `found` said of the rows that the transaction changed.
    """

    def __init__(self, connection: Connection, before: Mapping[str, str]) -> None:
        self._connection, self._before = connection, dict(before)
        self._read: dict[str, str | None] = {}

    def read(self, entries: Iterable[tuple[str, str, Iterable[Mapping[str, object]]]]) -> None:
        """Read the rows that all these entries name, those of a table together: of each `of`'s arguments."""
        unread: dict[str, set[str]] = {}
        for what, subject, told in entries:
            beginning = what.partition(".")[0]
            if beginning in _BY_WHAT:
                unread.setdefault(beginning, set()).update(_named(subject, told))
        for beginning, named in unread.items():
            for table in _BY_WHAT[beginning]:
                self._read_rows(table, named)

    def of(self, what: str, subject: str, told: Iterable[Mapping[str, object]]) -> dict[str, str]:
        """Label -> digest of the rows that an entry names, with how they were found."""
        digests = dict[str, str]()
        tables = _BY_WHAT.get(what.partition(".")[0], ())
        named = _named(subject, told)
        for table in tables:
            self._read_rows(table, named)
            for name in (label(table, key) for key in sorted(named)):
                if digest := self._read[name]:
                    digests[name] = digest
                    digests[name + FOUND] = self._before.pop(name + FOUND, SAME)
        return digests

    def _read_rows(self, table: AuditedTable, keys: Collection[str]) -> None:
        unread = [key for key in keys if label(table, key) not in self._read]
        self._read |= {label(table, key): None for key in unread}
        self._read |= {label(table, key): digest for key, digest, _ in table.rows(self._connection, unread)}


def _named(subject: str, told: Iterable[Mapping[str, object]]) -> set[str]:
    return {subject, *(value for facts in told for value in facts.values() if isinstance(value, str))}


@dataclass
class _Chain:
    """What the trail said last of a row, while its entries are read in turn."""

    last: str | None = None

    def fault(self, told: Mapping[str, str], name: str, table: AuditedTable, what: str) -> str | None:
        """Take in an entry; in words, how the row was found otherwise than it was left. None: it was not."""
        was, self.last = self.last, told[name]
        found_as = told.get(name + FOUND)
        if found_as is None:  # a new order or card, or an entry of an earlier version
            return None
        if was is None:
            new = found_as == SAME and what in table.begun_by
            return None if new else "is not in the trail: it was put in past it"
        digest = told[name] if found_as == SAME else found_as
        names = table.names(dict.fromkeys(_MORE)) if table is ACTS else table.names({})
        return next((text.partition(" ")[2] for text in _differs("it", was, digest, names)), None)


class Comparison:
    """Compares rows with the trail in two steps: `read` each row of the trail in turn, then `faults`."""

    def __init__(self) -> None:
        self._last: dict[str, _Chain] = {}  # by label, of the tables that are small

    def read(self, row: RowMapping) -> Iterator[str]:
        """Take in one row of the trail. Those of orders and cards are read again, some at a time."""
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
        """Every row that is not as the trail last said, in words."""
        for table in NAMED:
            yield from self._named(connection, table)
        yield from _orders(connection)
        yield from _cards(connection)
        yield from _removed_orders(connection)
        for rows in OF_ORDERS:
            yield from _of_orders(connection, rows)

    def _named(self, connection: Connection, table: AuditedTable) -> Iterator[str]:
        seen = set()
        for part in _keys(connection, table):
            for key, digest, names in table.rows(connection, part):
                seen.add(label(table, key))
                chain = self._last.get(label(table, key), _Chain())
                if table is PLACES and chain.last is None:
                    continue  # an act of an earlier version; without an entry of its own the act itself is named
                yield from _differs(f"{table.table.name} {key}", chain.last, digest, names)
        gone = {name for name in self._last if name.startswith(f"{table.table.name}/")} - seen
        yield from (f"{name.replace('/', ' ', 1)} was removed past the trail" for name in sorted(gone))


_MORE = ("list of cards",)
_SMALL = {table.table.name: table for table in NAMED}


def _orders(connection: Connection) -> Iterator[str]:
    for part in _keys(connection, ORDERS):
        last, faults = _told_of(connection, part, ORDERS)
        for seq, order, fault in faults:
            yield f"before row {seq} order {order} {fault}"
        for key, digest, names in ORDERS.rows(connection, part):
            yield from _differs(f"order {key}", last.get(label(ORDERS, key)), digest, names)


def _cards(connection: Connection) -> Iterator[str]:
    """Each card as the last of its restrictions left it."""
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
    for lost in connection.execute(moved.limit(_MOST_REMOVED)):
        yield f"the card of order {lost.id} was removed past the trail"


def _of_orders(connection: Connection, table: AuditedRows) -> Iterator[str]:
    """Rows about orders as the last entry about each order left them."""
    name = table.table.name.replace("_", " ")
    for part in _keys(connection, table):
        last, faults = _told_of(connection, part, table)
        for seq, order, fault in faults:
            yield f"before row {seq} {name} of order {order} {fault}"
        query = select(audit.c.subject).where(
            audit.c.subject.in_(part), audit.c.what.in_(table.begun_by), audit.c.digests == ""
        )
        earlier = frozenset(
            connection.execute(query).scalars()
        )  # told by an earlier version, without digests
        for key, digest, names in table.rows(connection, part):
            told = last.get(label(table, key))
            if told or key not in earlier:
                yield from _differs(f"{name} of order {key}", told, digest, names)
    there = table.keys().where(table.table.c[table.key] == audit.c.subject).exists()
    gone = (
        select(audit.c.subject)
        .where(audit.c.what.in_(table.begun_by), audit.c.digests != "", ~there)
        .distinct()
        .limit(_MOST_REMOVED)
    )
    for number in connection.execute(gone).scalars():
        yield f"{name} of order {number} was removed past the trail"


def _removed_orders(connection: Connection) -> Iterator[str]:
    opened = [f"{kind.value}.open" for kind in Kind]
    there = select(orders.c.id).where(orders.c.id == audit.c.subject).exists()
    gone = select(audit.c.subject).where(audit.c.what.in_(opened), ~there).limit(_MOST_REMOVED)
    yield from (f"order {number} was removed past the trail" for number in connection.execute(gone).scalars())


def _keys(connection: Connection, table: AuditedTable) -> Iterator[Sequence[str]]:
    """All keys of a table, some at a time."""
    key, after = table.table.c[table.key], ""
    while (
        some := connection.execute(table.keys().where(key > after).order_by(key).limit(_AT_ONCE))
        .scalars()
        .all()
    ):
        yield some
        after = some[-1]


def _told_of(
    connection: Connection, subjects: Sequence[str], table: AuditedTable
) -> tuple[dict[str, str], list[tuple[int, str, str]]]:
    """Label -> digest of the last entries about these orders; and where a row was found otherwise than it was left."""
    entries: list[tuple[int, str, str, str]] = []
    for part in in_parts(subjects, _AT_ONCE):
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
            if was[at * _DIGITS : (at + 1) * _DIGITS] != now[at * _DIGITS : (at + 1) * _DIGITS]
        ]
        yield f"{what} was changed past the trail: {', '.join(changed) or 'a column'}"


def _whole(each: Sequence[tuple[str, str]]) -> str:
    """Of all facts, and behind a dot a few digits of each, so that the one that differs can be named."""
    whole = hashlib.sha256("\n".join([text for text, _ in each]).encode()).hexdigest()
    return f"{whole[:32]}.{''.join([digits for _, digits in each])}"


@lru_cache(maxsize=_REMEMBERED, typed=True)
def _told(fact: Hashable) -> tuple[str, str]:
    """One text of a fact, whatever Python writes it, and a few digits of it. Rows of one batch have most in common."""
    text = ascii(list(fact) if isinstance(fact, tuple) else _plain(fact))
    return text, f"{zlib.crc32(text.encode()) & 0xFFF:03x}"


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return (value - _EPOCH) // _MICROSECOND  # as it is stored, whatever zone it was given in
    return storable(value) if isinstance(value, str) else value
