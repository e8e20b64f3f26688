"""Audit trail: append-only rows, each with a keyed hash over itself and the last.

Somebody with the database but not the key cannot change, remove, insert or reorder rows, or cut the end off, without
`verify` naming the row. An older copy of the whole database is only detected with an `end` kept elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, literal, select, update

from duanka.domain.authority import Permission, authorize
from duanka.domain.order import SYSTEM, Event, Person
from duanka.ledger.audit.row_comparison import Comparison
from duanka.ledger.audit.row_digests import AuditedTable, RowsTold, label
from duanka.ledger.db.bulk import among, dictionaries, in_parts, put_rows
from duanka.ledger.db.columns import storable
from duanka.ledger.db.database import GENESIS, Store
from duanka.ledger.db.tables import audit, audit_head, orders

BROKEN = "trail.broken"
UPGRADED = "book.upgrade"  # the database was upgraded: later entries record rows in their new form
_BLOCK_BYTES = 64  # of SHA-256
_BATCH_ROWS = 5_000
_MAX_ROWS_NAMED = 100  # orders without an opening entry that are named; more would add no information


_AT_END = select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)


@dataclass(slots=True)  # not frozen: there are many, and that would double their cost
class AuditEntry:
    """An entry about `subject`, with what changed of it in `before` and `after`."""

    at: datetime
    by: Person
    what: str
    subject: str
    why: str = ""
    before: Mapping[str, object] = field(default_factory=dict)
    after: Mapping[str, object] = field(default_factory=dict)
    # Of rows, if the caller has them (`row_digests`).
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
        self.kept_elsewhere: Callable[[], Collection[tuple[int, str]]] = lambda: ()

    def append(self, connection: Connection, entries: Sequence[AuditEntry]) -> None:
        """Append `entries` in the transaction of the changes they record."""
        if not entries:
            return
        head = connection.execute(
            select(audit_head.c.seq, audit_head.c.hash, audit_head.c.seal).with_for_update()
        ).one()
        seq, last = head.seq, head.hash
        found = connection.execute(_AT_END).first()
        there = (found.seq, found.hash) if found else (0, GENESIS)
        if not self._sealed(*head) or there != (seq, last):
            if there[0] > seq:  # an older end was put back, so its next number is taken
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
                "before": _object(entry.before),
                "after": _object(entry.after),
            }
            facts = (entry.before, entry.after)
            digests = entry.digests or told.of(entry.what, entry.subject, facts)
            row["digests"] = _object(digests) if digests else ""
            last = row["hash"] = self._hash(row, last)
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

        `kept`: ends kept earlier, in addition to `kept_elsewhere`. Without any, an older copy of the whole database
        passes as current.
        """
        ends = dict.fromkeys((*kept, *self.kept_elsewhere()))
        with store.reading() as connection:
            head = connection.execute(select(audit_head.c.seq, audit_head.c.hash, audit_head.c.seal)).one()
            expected, last, comparison = 1, GENESIS, Comparison()
            for row in _rows(connection):
                yield from (Fault(row["seq"], what) for what in comparison.read(row))
                if row["seq"] < expected:
                    yield Fault(row["seq"], "put in: the trail begins with 1")
                    continue
                if row["seq"] != expected:
                    missing = (
                        f"{expected}" if row["seq"] == expected + 1 else f"{expected} to {row['seq'] - 1}"
                    )
                    yield Fault(expected, f"missing: {missing}")
                elif not self.bears_our_hash(row, last):
                    yield Fault(row["seq"], "changed, or moved from another place")
                if row["what"] == BROKEN:
                    yield Fault(row["seq"], "before this row the end of the trail was changed")
                if any(row["seq"] == seq and row["hash"] != last_kept for seq, last_kept in ends):
                    yield Fault(row["seq"], "not the row that was kept")
                # continue from what the row claims, so that one wrong row counts as one fault
                expected, last = row["seq"] + 1, row["hash"]
                if row["seq"] % _BATCH_ROWS == 0:
                    yield row["seq"]
            if (head.seq, head.hash) != (expected - 1, last):
                yield Fault(expected, f"the end is wrong: the trail went to {head.seq}")
            elif not self._sealed(*head):
                yield Fault(expected, "the end was changed: it does not bear our seal")
            if (furthest := max((seq for seq, _ in ends), default=0)) >= expected:
                yield Fault(expected, f"the end is missing: the trail went to {furthest} when that was kept")
            yield from (Fault(0, f"order {number} has no beginning here") for number in _untold(connection))
            yield from (Fault(0, what) for what in comparison.faults(connection))
            yield expected - 1

    def tells(
        self,
        connection: Connection,
        table: AuditedTable,
        key: str,
        subjects: Collection[str],
        digest: str | None = None,
    ) -> bool:
        """Whether a row is as the trail left it; `subjects`: of entries that change it.

        False: it was changed or inserted past the trail, or its entry lacks our hash. `digest`: of the row, if
        already read.
        """
        if digest is None:
            digest = next((found for _, found, _ in table.rows(connection, [key])), "")
        name = label(table, key)
        about = (audit.c.subject.in_(subjects), audit.c.digests.contains(f'"{name}":', autoescape=True))
        told = next(iter(self._with_the_one_before(connection, *about, limit=1)), None)
        if told is None or json.loads(told["digests"])[name] != digest:
            return False
        return self._is_ours(told)

    def untold(self, connection: Connection, table: AuditedTable, found: Mapping[str, str]) -> set[str]:
        """Return the rows that differ from the trail, as `tells`; each is its own subject.

        `found`: key -> digest, as read by the caller.
        """
        untold = set(found)
        place = func.strpos if connection.dialect.name == "postgresql" else func.instr
        names_it = place(audit.c.digests, literal(f'"{label(table, "")}') + audit.c.subject + '":') > 0
        for part in in_parts(sorted(found)):
            last = (
                select(func.max(audit.c.seq))
                .where(among(connection, audit.c.subject, part), names_it)
                .group_by(audit.c.subject)
            )
            before = audit.alias()
            query = (
                select(audit, before.c.hash.label("chained"))
                .outerjoin(before, before.c.seq == audit.c.seq - 1)
                .where(audit.c.seq.in_(last))
            )
            for row in dictionaries(connection.execute(query)):
                key = row["subject"]
                # Only a name with its value is encoded like this: quotes within a text are escaped.
                says = f"{_canonical(label(table, key))}:{_canonical(found[key])}"
                if says in row["digests"] and self._is_ours(row):
                    untold.discard(key)
        return untold

    def has(self, connection: Connection, what: str, subject: str) -> bool:
        """Whether there is such an entry under our hash."""
        rows = self._with_the_one_before(connection, audit.c.what == what, audit.c.subject == subject)
        return any(map(self._is_ours, rows))

    def _with_the_one_before(
        self, connection: Connection, *which: ColumnElement[bool], limit: int = _MAX_ROWS_NAMED
    ) -> Sequence[Mapping[str, Any]]:
        """Return rows, latest first, each with its predecessor's hash as `chained`."""
        before = audit.alias()
        rows = (
            select(audit, before.c.hash.label("chained"))
            .outerjoin(before, before.c.seq == audit.c.seq - 1)
            .where(*which)
            .order_by(audit.c.seq.desc())
            .limit(limit)
        )
        return dictionaries(connection.execute(rows))

    def _is_ours(self, row: Mapping[str, Any]) -> bool:
        chained = GENESIS if row["seq"] == 1 else row["chained"]
        return chained is not None and self.bears_our_hash(row, chained)

    def bears_our_hash(self, row: Mapping[str, Any], last: str) -> bool:
        """Whether we wrote this row after the row with hash `last`, in any version.

        Before database version 5 an entry had no digests, and the hash covered a list shorter by one. Neither list
        can be mistaken for the other, so accepting both helps nobody without the key.
        """
        if hmac.compare_digest(self._hash(row, last), row["hash"]):
            return True
        return not row["digests"] and hmac.compare_digest(self._hash_without_digests(row, last), row["hash"])

    def head(self, connection: Connection) -> tuple[int, str, str]:
        """Return number, hash and seal of the end, as stored."""
        row = connection.execute(select(audit_head.c.seq, audit_head.c.hash, audit_head.c.seal)).one()
        return row.seq, row.hash, row.seal

    def is_sealed(self, head: tuple[int, str, str]) -> bool:
        """Whether this end is under our seal."""
        return self._sealed(*head)

    def upgrades(self, connection: Connection) -> list[UpgradeTold]:
        """Return the upgrades recorded under our hash, earliest first."""
        rows = self._with_the_one_before(connection, audit.c.what == UPGRADED)
        ours = [row for row in reversed(rows) if self._is_ours(row)]
        return [
            UpgradeTold(row["seq"], row["at"], json.loads(row["before"])["version"], json.loads(row["after"]))
            for row in ours
        ]

    def signed(self, purpose: str, *told: object) -> str:
        """Return a keyed hash over data outside of the database."""
        return hmac.new(self._key, _canonical([purpose, *told]).encode(), hashlib.sha256).hexdigest()

    def is_signed(self, seal: str, purpose: str, *told: object) -> bool:
        """Whether `seal` is that hash."""
        return hmac.compare_digest(self.signed(purpose, *told).encode(), seal.encode())

    def _seal(self, seq: int, last: str) -> str:
        return hmac.new(self._key, _canonical(["end", seq, last]).encode(), hashlib.sha256).hexdigest()

    def _sealed(self, seq: int, last: str, seal: str) -> bool:
        fresh = (seq, last, seal) == (0, GENESIS, "")
        return fresh or hmac.compare_digest(self._seal(seq, last), seal)

    def _hash(self, row: Mapping[str, Any], last: str) -> str:
        # equals `_canonical` of [last, seq, at, ...], whose general encoding would dominate the time of a sweep
        texts = ",".join(map(_text, _TOLD(row)))
        told = f"[{_text(last)},{row['seq']},{_text(_utc(row['at']))},{texts}]"
        return self._mac(told.encode())

    def _hash_without_digests(self, row: Mapping[str, Any], last: str) -> str:
        texts = ",".join(map(_text, _TOLD(row)[:-1]))
        told = f"[{_text(last)},{row['seq']},{_text(_utc(row['at']))},{texts}]"
        return self._mac(told.encode())


_TOLD = itemgetter("who", "role", "what", "subject", "why", "before", "after", "digests")


def _rows(connection: Connection) -> Iterator[dict[str, Any]]:
    after = None
    while True:
        query = select(audit).order_by(audit.c.seq).limit(_BATCH_ROWS)
        query = query if after is None else query.where(audit.c.seq > after)
        rows = dictionaries(connection.execute(query))
        if not rows:
            return
        yield from rows
        after = rows[-1]["seq"]


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


@lru_cache(maxsize=1024)  # all rows of a transaction have the same time
def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


# a single encoder: its output is hashed and must not depend on the caller
_canonical = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str).encode
_text: Callable[[str], str] = encode_basestring  # of a text, as `_canonical`


def _object(facts: Mapping[str, object]) -> str:
    """As `_canonical`, three times as fast for texts and whole numbers; `storable`."""
    if not facts:
        return "{}"
    each = [
        f"{_text(name)}:{_text(value)}"
        if type(value) is str
        else f"{_text(name)}:{value if type(value) is int else _canonical(value)}"
        for name, value in sorted(facts.items())
    ]
    whole = f"{{{','.join(each)}}}"
    return whole if whole.isascii() else storable(whole)  # JSON contains no raw zero byte


def keyed_hash(key: bytes) -> Callable[[bytes], str]:
    """Return HMAC-SHA-256 with `key` set up once: twice as fast as `hmac.digest`."""
    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(_BLOCK_BYTES, b"\0")
    inner, outer = (hashlib.sha256(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))

    def mac(told: bytes) -> str:
        within, around = inner.copy(), outer.copy()
        within.update(told)
        around.update(within.digest())
        return around.hexdigest()

    return mac
