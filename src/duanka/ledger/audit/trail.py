"""Audit trail: append-only; each row's keyed hash covers it and the row before.

Somebody with the database but not the key cannot change, remove, insert or reorder rows, or cut the end off, without
`verify` naming the row. An older copy of the whole database is only detected with an `end` kept elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Row, Select, func, literal, select, update

from duanka.domain.authority import Permission, authorize
from duanka.domain.order import SYSTEM, Event, Person
from duanka.ledger.audit.row_comparison import Comparison
from duanka.ledger.audit.row_digests import AuditedTable, RowsTold, label
from duanka.ledger.audit.trail_encoding import canonical, keyed_hash, object_text, text, utc
from duanka.ledger.db.bulk import among, dictionaries, put_rows
from duanka.ledger.db.columns import storable
from duanka.ledger.db.database import Store
from duanka.ledger.db.installation import GENESIS
from duanka.ledger.db.tables import audit, audit_head, orders

BROKEN = "trail.broken"
UPGRADED = "book.upgrade"  # the database was upgraded: later entries record rows in their new form
_BATCH_ROWS = 5_000
_MAX_ROWS_NAMED = 100  # orders without an opening entry that are named; more would add no information


_HEAD = select(audit_head.c.seq, audit_head.c.hash, audit_head.c.seal)
_AT_END = select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)


@dataclass(slots=True)  # not frozen: there are many entries, and freezing doubles their cost
class AuditEntry:
    """An entry about `subject`, with what changed of it in `before` and `after`."""

    at: datetime
    by: Person
    what: str
    subject: str
    why: str = ""
    before: Mapping[str, object] = field(default_factory=dict)
    after: Mapping[str, object] = field(default_factory=dict)
    # Digests of rows, if the caller has them (`row_digests`).
    digests: Mapping[str, str] = field(default_factory=dict)
    found: Mapping[str, str] = field(default_factory=dict)  # digests of rows before they change


@dataclass(frozen=True)
class Fault:
    """A place where the trail does not hold. `seq`: row, 0: none; `what`: the fault."""

    seq: int
    what: str


@dataclass(frozen=True)
class TrailVerdict:
    """Result of verification: rows read, and faults."""

    rows: int
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class UpgradeTold:
    """An upgrade recorded in the trail. `seq`: its row; `before`: the earlier version."""

    seq: int
    at: datetime
    before: int
    told: Mapping[str, Any]

    @property
    def is_baseline(self) -> bool:
        """Whether the trail had no digests of rows before; from `first` on it has."""
        return bool(self.told["baseline"])

    @property
    def first(self) -> int:
        """First trail row that the upgrade wrote."""
        return self.seq - int(self.told["rows"])


class Trail:
    """Appends to and verifies the audit trail, under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._mac = keyed_hash(key)
        # returns the kept ends outside of the database: (number, hash) of a last row
        self.ends_kept_elsewhere: Callable[[], Collection[tuple[int, str]]] = lambda: ()

    def append(self, connection: Connection, entries: Sequence[AuditEntry]) -> None:
        """Append `entries` in the transaction of the changes they record."""
        if not entries:
            return
        head = connection.execute(_HEAD.with_for_update()).one()
        seq, last = head.seq, head.hash
        found = connection.execute(_AT_END).first()
        there = (found.seq, found.hash) if found else (0, GENESIS)
        if not self.is_sealed(head) or there != (seq, last):
            if there[0] > seq:  # an older end was put back: the number after it is in use
                seq, last = there
            # Work continues, but the tampering with the end stays visible for ever.
            ended = {"seq": head.seq, "hash": head.hash}
            entries = [
                AuditEntry(entries[0].at, SYSTEM, BROKEN, "trail", "the end was changed", ended),
                *entries,
            ]
        rows = []
        told = RowsTold(connection, {name: was for entry in entries for name, was in entry.found.items()})
        told.read((one.what, one.subject, (one.before, one.after)) for one in entries if not one.digests)
        for entry in entries:
            seq += 1
            row = {
                "seq": seq,
                "at": entry.at,
                "who": storable(entry.by.id),
                "role": entry.by.role.value,
                "what": entry.what,
                "subject": entry.subject,
                "why": storable(entry.why),
                "before": object_text(entry.before),
                "after": object_text(entry.after),
            }
            facts = (entry.before, entry.after)
            digests = entry.digests or told.of(entry.what, entry.subject, facts)
            row["digests"] = object_text(digests) if digests else ""
            last = row["hash"] = self._hash(row, last, _TOLD)
            rows.append(row)
        put_rows(connection, audit, rows)
        connection.execute(update(audit_head).values(seq=seq, hash=last, seal=self._seal(seq, last)))

    def end(self, store: Store) -> tuple[int, str]:
        """Return number and hash of the last row; kept outside, they reveal a cut trail."""
        with store.reading() as connection:
            seq, last = connection.execute(select(audit_head.c.seq, audit_head.c.hash)).one()
            return seq, last

    def verdict(self, store: Store, by: Person) -> TrailVerdict:
        """Verify the whole trail at once; see `verify`. PermissionDenied: `by` may not."""
        authorize(by, Permission.VERIFY_AUDIT)
        rows, faults = 0, list[Fault]()
        for found in self.verify(store):
            if isinstance(found, Fault):
                faults.append(found)
            else:
                rows = found
        return TrailVerdict(rows, tuple(faults))

    def verify(self, store: Store, kept: Collection[tuple[int, str]] = ()) -> Iterator[Fault | int]:
        """Verify the whole trail: yield faults, and now and then the number of rows read.

        `kept`: ends kept earlier, in addition to `ends_kept_elsewhere`. Without any, an older copy of the whole
        database passes as current.
        """
        ends = dict.fromkeys((*kept, *self.ends_kept_elsewhere()))
        with store.reading() as connection:
            head = self.head(connection)
            end, comparison = (0, GENESIS), Comparison()
            for row, expected, ours in self.walk(audit_rows(connection)):
                yield from (Fault(row["seq"], what) for what in comparison.read(row))
                if row["seq"] < expected:
                    yield Fault(row["seq"], "put in: the trail begins with 1")
                    continue
                if row["seq"] != expected:
                    missing = (
                        f"{expected}" if row["seq"] == expected + 1 else f"{expected} to {row['seq'] - 1}"
                    )
                    yield Fault(expected, f"missing: {missing}")
                elif not ours:
                    yield Fault(row["seq"], "changed, or moved from another place")
                if row["what"] == BROKEN:
                    yield Fault(row["seq"], "before this row the end of the trail was changed")
                if any(row["seq"] == seq and row["hash"] != last_kept for seq, last_kept in ends):
                    yield Fault(row["seq"], "not the row that was kept")
                end = row["seq"], row["hash"]
                if row["seq"] % _BATCH_ROWS == 0:
                    yield row["seq"]
            expected = end[0] + 1
            if (head.seq, head.hash) != end:
                yield Fault(expected, f"the end is wrong: the trail went to {head.seq}")
            elif not self.is_sealed(head):
                yield Fault(expected, "the end was changed: it does not bear our seal")
            if (furthest := max((seq for seq, _ in ends), default=0)) >= expected:
                yield Fault(expected, f"the end is missing: the trail went to {furthest} when that was kept")
            yield from (Fault(0, f"order {number} has no beginning here") for number in _untold(connection))
            yield from (Fault(0, what) for what in comparison.faults(connection))
            yield expected - 1

    def walk(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], int, bool]]:
        """Yield each row, its expected number, and if we wrote it after the row before.

        Each row is compared with what the row before claims, so that one wrong row counts as one fault.
        """
        expected, last = 1, GENESIS
        for row in rows:
            yield row, expected, self.bears_our_hash(row, last)
            if row["seq"] >= expected:
                expected, last = row["seq"] + 1, row["hash"]

    def row_matches(
        self,
        connection: Connection,
        table: AuditedTable,
        key: str,
        subjects: Collection[str],
        digest: str | None = None,
    ) -> bool:
        """Whether a row is as last recorded; `subjects`: of the entries that change it.

        False: it was changed or inserted past the trail, or its entry lacks our hash. `digest`: of the row, if
        already read.
        """
        if digest is None:
            digest = next((found for _, found, _ in table.rows(connection, [key])), "")
        name = label(table, key)
        about = (audit.c.subject.in_(subjects), audit.c.digests.contains(f'"{name}":', autoescape=True))
        told = next(iter(self._latest(connection, *about, limit=1)), None)
        if told is None or json.loads(told["digests"])[name] != digest:
            return False
        return self._is_ours(told)

    def rows_that_differ(
        self, connection: Connection, table: AuditedTable, found: Mapping[str, str]
    ) -> set[str]:
        """Return keys of the rows that fail `row_matches`; a row's key is its entries' subject.

        `found`: key -> digest, as read by the caller.
        """
        rows_that_differ = set(found)
        place = func.strpos if connection.dialect.name == "postgresql" else func.instr
        names_it = place(audit.c.digests, literal(f'"{label(table, "")}') + audit.c.subject + '":') > 0
        last = select(func.max(audit.c.seq)).where(among(connection, audit.c.subject, found), names_it)
        query = _with_the_one_before().where(audit.c.seq.in_(last.group_by(audit.c.subject)))
        for row in dictionaries(connection.execute(query)):
            key = row["subject"]
            # Only a name with its value is encoded like this: quotes within a text are escaped.
            says = f"{canonical(label(table, key))}:{canonical(found[key])}"
            if says in row["digests"] and self._is_ours(row):
                rows_that_differ.discard(key)
        return rows_that_differ

    def has(self, connection: Connection, what: str, subject: str) -> bool:
        """Whether there is such an entry under our hash."""
        rows = self._latest(connection, audit.c.what == what, audit.c.subject == subject)
        return any(map(self._is_ours, rows))

    def _latest(
        self, connection: Connection, *which: ColumnElement[bool], limit: int = _MAX_ROWS_NAMED
    ) -> Sequence[Mapping[str, Any]]:
        """Return rows, latest first, each with its predecessor's hash as `chained`."""
        rows = _with_the_one_before().where(*which).order_by(audit.c.seq.desc()).limit(limit)
        return dictionaries(connection.execute(rows))

    def _is_ours(self, row: Mapping[str, Any]) -> bool:
        chained = GENESIS if row["seq"] == 1 else row["chained"]
        return chained is not None and self.bears_our_hash(row, chained)

    def bears_our_hash(self, row: Mapping[str, Any], last: str) -> bool:
        """Whether we wrote this row after the row with hash `last`, in any version.

        Before database version 5 an entry had no digests, and the hash covered a list shorter by one. Neither list
        can be mistaken for the other, so accepting both helps nobody without the key.
        """
        if hmac.compare_digest(self._hash(row, last, _TOLD), row["hash"]):
            return True
        return not row["digests"] and hmac.compare_digest(self._hash(row, last, _TOLD_BEFORE), row["hash"])

    def head(self, connection: Connection) -> Row[int, str, str]:
        """Return number, hash and seal of the end, as stored."""
        return connection.execute(_HEAD).one()

    def is_sealed(self, head: Row[int, str, str]) -> bool:
        """Whether this end is under our seal."""
        fresh = (head.seq, head.hash, head.seal) == (0, GENESIS, "")
        return fresh or hmac.compare_digest(self._seal(head.seq, head.hash), head.seal)

    def upgrades(self, connection: Connection) -> list[UpgradeTold]:
        """Return the upgrades recorded under our hash, earliest first."""
        rows = self._latest(connection, audit.c.what == UPGRADED)
        ours = [row for row in reversed(rows) if self._is_ours(row)]
        return [
            UpgradeTold(row["seq"], row["at"], json.loads(row["before"])["version"], json.loads(row["after"]))
            for row in ours
        ]

    def signed(self, purpose: str, *told: object) -> str:
        """Return a keyed hash over data outside of the database."""
        return hmac.new(self._key, canonical([purpose, *told]).encode(), hashlib.sha256).hexdigest()

    def is_signed(self, seal: str, purpose: str, *told: object) -> bool:
        """Whether `seal` is that hash."""
        return hmac.compare_digest(self.signed(purpose, *told).encode(), seal.encode())

    def _seal(self, seq: int, last: str) -> str:
        return hmac.new(self._key, canonical(["end", seq, last]).encode(), hashlib.sha256).hexdigest()

    def _hash(self, row: Mapping[str, Any], last: str, told: Callable[[Any], tuple[str, ...]]) -> str:
        # equals `canonical` of [last, seq, at, ...], whose general encoding would dominate the time of a sweep
        texts = ",".join(map(text, told(row)))
        return self._mac(f"[{text(last)},{row['seq']},{text(utc(row['at']))},{texts}]".encode())


_TOLD_BEFORE = itemgetter("who", "role", "what", "subject", "why", "before", "after")
_TOLD = itemgetter("who", "role", "what", "subject", "why", "before", "after", "digests")


def last_change(store: Store) -> int:
    """Return the number of the last entry that changed something; 0: there is none. Looks are entries, too."""
    latest = select(audit.c.seq).where(audit.c.what.not_like("read.%")).order_by(audit.c.seq.desc()).limit(1)
    with store.reading() as connection:
        return connection.execute(latest).scalar() or 0


def audit_rows(
    connection: Connection, table: FromClause = audit, after: int | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the trail's rows in order, in batches. `table`: as of an earlier version."""
    query = select(table).order_by(table.c.seq).limit(_BATCH_ROWS)
    while rows := dictionaries(
        connection.execute(query if after is None else query.where(table.c.seq > after))
    ):
        yield from rows
        after = rows[-1]["seq"]


def _with_the_one_before() -> Select[Any]:
    """Select rows, each with its predecessor's hash as `chained`."""
    before = audit.alias()
    return select(audit, before.c.hash.label("chained")).outerjoin(before, before.c.seq == audit.c.seq - 1)


def _untold(connection: Connection) -> Iterator[str]:
    """Return orders without an opening entry: inserted past the service, or trail cut."""
    # The expression keeps SQLite from joining by `what`, which would scan all opening entries for each order.
    what = audit.c.what.concat("")
    opening = (
        select(audit.c.seq)
        .where(audit.c.subject == orders.c.id, what == orders.c.kind + f".{Event.OPEN}")
        .exists()
    )
    yield from connection.execute(
        select(orders.c.id).where(~opening).order_by(orders.c.id).limit(_MAX_ROWS_NAMED)
    ).scalars()
