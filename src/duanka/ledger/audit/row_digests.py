"""Digests of database rows in audit trail entries; `row_comparison` verifies them.

An entry has a digest of each row it is about, taken when the transaction ends. A digest covers all columns of
the table, so a new column is included automatically; exceptions are listed. The entry also has the digest
from before the transaction: so a change past the trail stays visible after the next entry about the row.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, Table, select

from duanka.domain.identity import Outcome
from duanka.ledger.audit.assessment_digests import CANDIDATES, FIGURES, STEPS, of_listings, of_runs
from duanka.ledger.db.assessment.listings import assessment_runs, listings
from duanka.ledger.db.bulk import among, dictionaries, in_parts
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.columns import storable
from duanka.ledger.db.tables import act_cards, act_places, acts, cards, orders
from duanka.ledger.db.tables_identity import checks, counter_checks
from duanka.ledger.db.tables_installation import elements
from duanka.ledger.db.tables_people import keys, person_requests, persons
from duanka.ledger.db.tables_sign_in import credentials, staff_sessions

FOUND = "#found"  # suffix of a row's label: its digest before the transaction
SAME = "="  # same digest as before
AT_ONCE = 400  # values per IN
_LIST = "list of cards"
Whole = Callable[[Sequence[Any]], str]  # facts -> digest
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_CACHED_FACTS = 8192  # cached hashes of facts: texts of a policy, states, times
DIGITS = 3  # hexadecimal digits that identify a changed column


def _cards_of_bulk_actions(connection: Connection, of: Collection[str]) -> dict[str, dict[str, object]]:
    """Return a hash of each bulk action's cards, the list that two people approved."""
    listed = {act: hashlib.sha256() for act in of}
    query = select(act_cards.c.act_id, act_cards.c.card).where(among(connection, act_cards.c.act_id, of))
    for act, card in connection.execute(query.order_by(act_cards.c.act_id, act_cards.c.card)):
        listed[act].update(f"{card}\n".encode())
    return {act: {_LIST: digest.hexdigest()} for act, digest in listed.items()}


@dataclass(frozen=True)
class AuditedTable:
    """A table with audited rows. `entry_prefixes`: prefixes of the entries that name them.

    An entry names a row by its subject, or by a value in its before or after. `except_for`: columns that change
    without an entry. `more`: data of a row in other tables, by `more_names`. `begun_by`: entries that record a new
    row.
    """

    table: Table
    entry_prefixes: tuple[str, ...]
    except_for: frozenset[str] = frozenset()
    more: Callable[[Connection, Collection[str]], dict[str, dict[str, object]]] | None = None
    begun_by: frozenset[str] = frozenset()
    more_names: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Name of the primary key."""
        (column,) = self.table.primary_key.columns
        return column.name

    @cached_property
    def covered(self) -> tuple[str, ...]:
        """Columns that the digest covers."""
        return tuple(sorted({column.name for column in self.table.columns} - self.except_for))

    @cached_property
    def _values(self) -> Callable[[Mapping[str, Any] | RowMapping], tuple[Any, ...]]:
        return itemgetter(*self.covered)

    def digest(
        self,
        row: Mapping[str, Any] | RowMapping,
        more: Mapping[str, object] | None = None,
        whole: Whole | None = None,
    ) -> str:
        """Digest of all covered columns; a column missing in `row` changes the digest.

        `whole`: combines facts to a digest; None: in the present way.
        """
        whole = whole or _whole
        if more:
            facts = {name: row[name] for name in self.covered if name in row} | dict(more)
            return whole([facts[name] for name in self.names(more) if name in facts])
        try:
            return whole(self._values(row))
        except KeyError:
            return whole([row[name] for name in self.covered if name in row])

    def rows(
        self, connection: Connection, of: Collection[str], whole: Whole | None = None
    ) -> Iterator[tuple[str, str, list[str]]]:
        """Yield key, digest and covered names of these rows. `whole`: see `digest`."""
        key = self.table.c[self.key]
        for part in in_parts(sorted(of), AT_ONCE):
            found = dictionaries(connection.execute(select(self.table).where(among(connection, key, part))))
            more = self.more(connection, [row[self.key] for row in found]) if self.more else {}
            for row in found:
                also = more.get(row[self.key], {})
                yield row[self.key], self.digest(row, also, whole), self.names(also)

    def names(self, more: Mapping[str, object]) -> list[str]:
        """Return the names covered by a digest, in order."""
        return [*_in_order(self.covered, *more)]

    def keys(self) -> Select[Any]:
        """Select all keys."""
        return select(self.table.c[self.key])


@dataclass(frozen=True)
class AuditedRows(AuditedTable):
    """A table whose rows about one order, bulk action or card share one digest.

    `only`: condition on the rows that matter; `about`: the column with the order, bulk action or card.
    """

    only: tuple[ColumnElement[bool], ...] = ()
    about: str = "order_id"

    @property
    def key(self) -> str:
        """Column with the order, bulk action or card."""
        return self.about

    def rows(
        self, connection: Connection, of: Collection[str], whole: Whole | None = None
    ) -> Iterator[tuple[str, str, list[str]]]:
        """As for a table; the digest covers all rows of an order."""
        key, inner = self.table.c[self.key], [*self.table.primary_key.columns]
        for part in in_parts(sorted(of), AT_ONCE):
            query = select(self.table).where(among(connection, key, part), *self.only).order_by(key, *inner)
            of_order: dict[str, list[RowMapping]] = {}
            for row in connection.execute(query).mappings():
                of_order.setdefault(row[self.key], []).append(row)
            for order, rows in of_order.items():
                facts = [tuple(_plain(row[name]) for row in rows) for name in self.covered]
                yield order, (whole or _whole)(facts), list(self.covered)

    def keys(self) -> Select[Any]:
        """Select the orders that have such rows."""
        return super().keys().where(*self.only).distinct()


_PEOPLE = ("person", "change", "key")
ORDERS = AuditedTable(orders, ("order",))  # the order service's entries bring these digests along
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
    acts,
    ("act",),
    frozenset({"done", "skipped"}),
    _cards_of_bulk_actions,
    begun_by=frozenset({"act.propose"}),
    more_names=(_LIST,),
)
# Places of the cards of a bulk action. Earlier versions did not record them.
PLACES = AuditedRows(
    act_places,
    ("act",),
    begun_by=frozenset(
        f"act.{what}" for what in ("propose", "approve", "reject", "undo", "finish", "strike")
    ),
    about="act_id",
)
CREDENTIALS = AuditedTable(
    credentials,
    ("password", "subject", "credential"),
    begun_by=frozenset({"password.set", "password.approve", "subject.approve"}),
)
SESSIONS = AuditedTable(
    staff_sessions, ("sign_in",), frozenset({"seen_at"}), begun_by=frozenset({"sign_in.begin"})
)
NAMED = (PERSONS, KEYS, REQUESTS, CREDENTIALS, SESSIONS, ELEMENTS, ACTS, PLACES)
# Runs of the assessment and units listed for rectification, each with all rows that belong to it.
RUNS = AuditedTable(
    assessment_runs,
    ("assessment",),
    more=of_runs,
    begun_by=frozenset({"assessment.run"}),
    more_names=(CANDIDATES, FIGURES),
)
LISTINGS = AuditedTable(
    listings,
    ("listing",),
    more=of_listings,
    begun_by=frozenset({"listing.propose"}),
    more_names=(STEPS,),
)
ASSESSED = (RUNS, LISTINGS)
# What a stop or its lifting may rest on: who saw the person, and the results of online checks.
COUNTER_CHECKS = AuditedRows(
    counter_checks,
    ("counter",),
    begun_by=frozenset({"counter.verify", "counter.not_mine", "counter.mine"}),
)
CHECKS = AuditedRows(
    checks,
    ("check",),
    frozenset({"reviewed_at"}),
    begun_by=frozenset({"check.settle"}),
    only=(checks.c.outcome.in_([outcome.value for outcome in Outcome]),),
)
# What the police confirmed, by card: warnings, requests to platforms and labels follow from it.
CONFIRMATIONS = AuditedRows(
    confirmations, ("confirmation",), begun_by=frozenset({"confirmation.stated"}), about="card"
)
OF_SUBJECTS = (COUNTER_CHECKS, CHECKS, CONFIRMATIONS)
_BY_WHAT: dict[str, list[AuditedTable]] = {}
for _one in (ORDERS, *NAMED, *ASSESSED, *OF_SUBJECTS):
    for _what in _one.entry_prefixes:
        _BY_WHAT.setdefault(_what, []).append(_one)


def label(table: AuditedTable, key: str) -> str:
    """Return the name of a row in entries."""
    return f"{table.table.name}/{key}"


def found(connection: Connection, table: AuditedTable, *keys: str) -> dict[str, str]:
    """Return digests of these rows before the transaction changes them."""
    return {label(table, key) + FOUND: digest for key, digest, _ in table.rows(connection, keys)}


class RowsTold:
    """Digests of the rows that a transaction's entries name, read once at its end.

    `before`: what `found` returned for the rows that the transaction changed.
    """

    def __init__(self, connection: Connection, before: Mapping[str, str]) -> None:
        self._connection, self._before = connection, dict(before)
        self._read: dict[str, str | None] = {}

    def read(self, entries: Iterable[tuple[str, str, Iterable[Mapping[str, object]]]]) -> None:
        """Read all rows that these entries (arguments of `of`) name, one query per table."""
        unread: dict[str, set[str]] = {}
        for what, subject, told in entries:
            beginning = what.partition(".")[0]
            if beginning in _BY_WHAT:
                unread.setdefault(beginning, set()).update(_named(subject, told))
        for beginning, named in unread.items():
            for table in _BY_WHAT[beginning]:
                self._read_rows(table, named)

    def of(self, what: str, subject: str, told: Iterable[Mapping[str, object]]) -> dict[str, str]:
        """Return label -> digest of the rows that an entry names, after and before."""
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


@lru_cache(maxsize=128)
def _in_order(covered: Sequence[str], *more: str) -> tuple[str, ...]:
    return tuple(sorted([*covered, *more]))


def _whole(facts: Iterable[Hashable]) -> str:
    """Combine facts into a hash, plus digits of each fact that identify a changed one."""
    facts = tuple(facts)
    hashes, digits = b"".join(map(_hash_of, facts)), "".join(map(_digits_of, facts))
    return f"{hashlib.sha256(hashes).hexdigest()[:32]}.{digits}"


class _Hashes(dict[Hashable, bytes]):
    """Cache of facts' hashes; rows of a batch share most facts, some of them long.

    A dict lookup calls no Python code and takes a quarter of the time of `lru_cache`. When full, it is cleared.
    """

    def __missing__(self, fact: Hashable) -> bytes:
        if len(self) >= _CACHED_FACTS:
            self.clear()
            _digits.clear()
        text = text_of(fact)
        _digits[fact] = digits_of(text)
        made = self[fact] = hashlib.sha256(text).digest()
        return made


class _Digits(dict[Hashable, str]):
    """Facts -> a few digits of their hashes."""

    def __missing__(self, fact: Hashable) -> str:
        return digits_of(text_of(fact))


def text_of(fact: Hashable) -> bytes:
    """Encode a fact as text, independent of its Python type."""
    return ascii(list(fact) if isinstance(fact, tuple) else _plain(fact)).encode()


def digits_of(text: bytes) -> str:
    """Return a few check digits of a fact's text."""
    return f"{zlib.crc32(text) & 0xFFF:03x}"


_hashes, _digits = _Hashes(), _Digits()
_hash_of, _digits_of = _hashes.__getitem__, _digits.__getitem__


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return (value - _EPOCH) // _MICROSECOND  # as stored, whatever its time zone
    return storable(value) if isinstance(value, str) else value
