"""The audit trail's end kept outside of the database, to detect a restored backup.

A database that was restored from a backup, or whose trail was cut, is consistent in itself; only an end kept
elsewhere reveals this. Until a supervisor accepts the database, workers repair, restrict and lift nothing on
the basis of its earlier records: the state of the network is newer.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, select

from duanka.domain.authority import Permission, authorize
from duanka.domain.errors import DuankaError
from duanka.domain.local_time import operator_zone
from duanka.domain.order import SYSTEM
from duanka.domain.person import Person
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit, audit_head
from duanka.ledger.db.tables_installation import installation
from duanka.ledger.monitoring.alarms import AlarmService

END_FILE = "audit-end.json"
ACCEPTED = "audit.accept_restored"
SPOILT = "audit.end_spoilt"
_FULL_CHECK_SECONDS = 30.0
_HASH = re.compile(r"[0-9a-f]{64}")
_OLDER, _FOREIGN = "audit trail", "audit end elsewhere"  # alarm sources

_HEAD = select(
    audit_head.c.seq,
    audit_head.c.hash,
    select(audit.c.hash).where(audit.c.seq == audit_head.c.seq).scalar_subquery(),
)


@dataclass(frozen=True)
class TrailEnd:
    """Number and hash of the last row of a trail at a moment."""

    seq: int
    hash: str
    at: datetime | None = None

    @property
    def subject(self) -> str:
        """Subject of the audit entry that accepts a database older than this end."""
        return f"{self.seq}:{self.hash[:20]}"


@dataclass(frozen=True)
class _Spoilt:
    """An unusable kept file: unreadable, or not under our seal.

    `foreign`: from another installation.
    """

    path: Path
    foreign: bool


class KeptBeside(Protocol):
    """Other data kept beside the end (`kept_people`). `file_names`: its files."""

    file_names: tuple[str, ...]

    def ends(self) -> Sequence[TrailEnd]:
        """Return the end of the trail that each kept file records."""

    def keep(self, now: datetime) -> None:
        """Write the present data."""

    def put_in_force(self, connection: Connection, by: Person, why: str, now: datetime) -> None:
        """Apply the kept data to an older database, in the transaction that accepts it."""


class KeptEnds:
    """Reads and writes the ends kept in `folders`: both proxies' and the database's.

    `beside`: other data kept there.
    """

    def __init__(
        self,
        store: Store,
        trail: Trail,
        folders: Callable[[], Sequence[Path]],
        beside: KeptBeside | None = None,
    ) -> None:
        self._store, self._trail, self._folders, self._beside = store, trail, folders, beside
        with store.reading() as connection:
            self._installation = connection.execute(select(installation.c.installation_id)).scalar_one()

    @property
    def paths(self) -> tuple[Path, ...]:
        """Paths of the end files in the present folders."""
        return tuple(folder / END_FILE for folder in self._folders())

    def head(self) -> tuple[object, ...]:
        """Return number and hash of the trail's end, and the hash of that row; one query."""
        return tuple(self._store.read_one_row(_HEAD))

    def stamps(self, folders: Sequence[Path]) -> list[object]:
        """Return stamps of the folders and kept files; they change whenever a file does."""
        names = (END_FILE, *(self._beside.file_names if self._beside else ()))
        return [(folder.is_dir(), [_stamp(folder / name) for name in names]) for folder in folders]

    def folders(self) -> tuple[Path, ...]:
        """Return the folders that exist now."""
        return tuple(self._folders())

    def present(self) -> TrailEnd:
        """Return the end of the trail in the database."""
        seq, last = self._trail.end(self._store)
        return TrailEnd(seq, last)

    def read(self) -> Iterator[tuple[Path, TrailEnd | _Spoilt]]:
        """Yield each kept end that exists."""
        for path in self.paths:
            try:
                text = path.read_text(encoding="ascii")
            except FileNotFoundError:
                continue
            except (OSError, UnicodeDecodeError):
                yield path, _Spoilt(path, foreign=False)
                continue
            yield path, self._read(path, text)

    def ends(self) -> list[TrailEnd]:
        """Return the kept ends under our seal."""
        return [*(end for _, end in self.read() if isinstance(end, TrailEnd)), *self.ends_beside()]

    def ends_beside(self) -> Sequence[TrailEnd]:
        """Return the ends of the other kept data."""
        return self._beside.ends() if self._beside else ()

    def keep_beside(self, now: datetime) -> None:
        """Write the other kept data."""
        if self._beside:
            self._beside.keep(now)

    def text(self, end: TrailEnd, at: datetime) -> str:
        """Encode an end for a file, under our seal so that nobody else can forge one."""
        said = [self._installation, end.seq, end.hash, at.isoformat()]
        names = ("installation", "seq", "hash", "at")
        return json.dumps({**dict(zip(names, said, strict=True)), "seal": self._trail.signed("kept", *said)})

    def write(self, path: Path, end: TrailEnd, at: datetime) -> None:
        """Replace the file atomically; durable against loss of power."""
        aside = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(self.text(end, at) + "\n")
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)

    def older(self, ends: Sequence[TrailEnd]) -> list[TrailEnd]:
        """Return ends that are missing in the database and were not accepted as missing."""
        with self._store.reading() as connection:
            return [end for end in ends if missing(connection, end, self._trail)]

    @property
    def is_ahead(self) -> bool:
        """Whether the database is older than a kept end that was not accepted as missing."""
        return bool(self.older(list(dict.fromkeys(self.ends()))))

    def end_of(self, given: str) -> TrailEnd:
        """Parse an end given by a person: SEQ:HASH, or a file. DuankaError: neither."""
        seq, _, last = given.partition(":")
        if seq.isdecimal() and _HASH.fullmatch(last):
            return TrailEnd(int(seq), last)
        try:
            found = self._read(Path(given), Path(given).read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise DuankaError(
                f"--kept {given}: neither SEQ:HASH nor a file ({type(error).__name__})"
            ) from None
        if isinstance(found, _Spoilt):
            whose = "of another installation" if found.foreign else "not what `duanka audit end --out` wrote"
            raise DuankaError(f"--kept {given}: the file is {whose}")
        return found

    def accept(self, by: Person, why: str, now: datetime) -> list[TrailEnd]:
        """Accept the database although it is older than the returned ends.

        PermissionDenied: needs a supervisor.
        """
        authorize(by, Permission.ACCEPT_RESTORED)
        if not why.strip():
            raise DuankaError(
                "say why the restored database is accepted: the reason stays in the audit trail"
            )
        older = self.older(self.ends())
        if not older:
            raise DuankaError(
                "nothing to accept: the order database has every end of the trail that was kept"
            )
        present = self.present()
        told = {"seq": present.seq, "hash": present.hash}
        entries = [
            AuditEntry(now, by, ACCEPTED, end.subject, why.strip(), {"seq": end.seq, "hash": end.hash}, told)
            for end in older
        ]

        def work(connection: Connection) -> None:
            if self._beside:
                self._beside.put_in_force(connection, by, why.strip(), now)
            self._trail.append(connection, entries)

        self._store.transact(work)
        for path, kept in list(self.read()):
            if isinstance(kept, TrailEnd):
                self.write(path, self.present(), now)
        self.keep_beside(now)
        return older

    def spoilt(self, path: Path, now: datetime) -> None:
        """Record in the trail that a kept end was spoilt."""
        entry = AuditEntry(now, SYSTEM, SPOILT, path.parent.name[:40], "not readable, or not under our seal")
        self._store.transact(lambda connection: self._trail.append(connection, [entry]))

    def _read(self, path: Path, text: str) -> TrailEnd | _Spoilt:
        try:
            said = json.loads(text)
            end = TrailEnd(int(said["seq"]), str(said["hash"]), datetime.fromisoformat(said["at"]))
            number, seal = str(said["installation"]), str(said["seal"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return _Spoilt(path, foreign=False)
        if number != self._installation:
            return _Spoilt(path, foreign=True)
        sealed = self._trail.is_signed(seal, "kept", number, end.seq, end.hash, said["at"])
        return end if sealed and end.at and end.at.tzinfo else _Spoilt(path, foreign=False)


@dataclass(frozen=True)
class _Unmoved:
    """State after a full check that found and wrote nothing. `at`: monotonic time (s)."""

    at: float
    folders: tuple[Path, ...]
    state: tuple[object, ...]


class TrailGuard:
    """Keeps the trail's end outside; suspends work on an older database. Thread-safe.

    `held_since`: time of the kept end that the database lacks, or None; records from before may be outdated.
    """

    def __init__(
        self, ends: KeptEnds, alarms: AlarmService, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._ends, self._alarms, self._ticks = ends, alarms, ticks
        self._lock = threading.Lock()
        self._seen: TrailEnd | None = None  # seen by this process: detects a database replaced while it runs
        self._unmoved: _Unmoved | None = None
        self.held_since: datetime | None = None

    @property
    def holds(self) -> bool:
        """Whether to repair, restrict and lift nothing on the basis of earlier records."""
        return self.held_since is not None

    def check(self, now: datetime) -> bool:
        """Compare with every kept end; keep the present one. True: work is suspended.

        Raises or clears the alarms.
        """
        with self._lock:
            kept = list(self._ends.read())
            ends = [*(end for _, end in kept if isinstance(end, TrailEnd)), *self._ends.ends_beside()]
            older = self._ends.older([*ends, *([self._seen] if self._seen else [])])
            if older:
                self._hold(max(older, key=lambda end: end.seq), now)
                return True
            if self.holds:
                self.held_since = None
                self._alarms.working(_OLDER, now)
            self._keep(dict(kept), now)
            self._ends.keep_beside(now)
            return False

    def work(self, now: datetime) -> bool:
        """Run `check` if the trail or a kept file changed; always False: no work is left.

        A full check runs at least every _FULL_CHECK_SECONDS, even if nothing changed.
        """
        before = self._unmoved
        folders = before.folders if before else self._ends.folders()
        at = self._ticks()
        state = (self._ends.head(), self._ends.stamps(folders))
        if before and before.state == state and at - before.at < _FULL_CHECK_SECONDS:
            return False
        self._unmoved = None
        holds = self.check(now)
        folders_now = self._ends.folders()
        if not holds and folders_now == folders and (self._ends.head(), self._ends.stamps(folders)) == state:
            self._unmoved = _Unmoved(at, folders, state)  # nothing changed during the check
        return False

    def _hold(self, end: TrailEnd, now: datetime) -> None:
        self.held_since = end.at or now
        self._seen = self._seen or end
        present = self._ends.present()
        self._alarms.raise_now(
            _OLDER,
            now,
            f"工单库比留存的审计链末端旧（第{present.seq}条，留存第{end.seq}条），已暂停停机、比对修复和通知"
            f" / the order database is older than the kept end of its trail (row {end.seq}, kept at"
            f" {operator_zone().written(self.held_since)}; the database goes to row {present.seq}): was a backup"
            " restored? Nothing is repaired, restricted or sent until a supervisor looked and ran"
            " `duanka audit accept-restored` (docs/OPERATIONS.md)",
        )

    def _keep(self, kept: dict[Path, TrailEnd | _Spoilt], now: datetime) -> None:
        foreign = [found for found in kept.values() if isinstance(found, _Spoilt) and found.foreign]
        if foreign:
            self._alarms.raise_now(
                _FOREIGN,
                now,
                f"{foreign[0].path} 属于另一套系统 / is the end of another installation's trail: remove that file if"
                " this one takes its place; the end is not kept there until then",
            )
        else:
            self._alarms.working(_FOREIGN, now)
        for path, found in kept.items():
            if isinstance(found, _Spoilt) and not found.foreign:
                self._ends.spoilt(path, now)
        present = self._ends.present()
        self._seen = TrailEnd(present.seq, present.hash, now)
        for path in self._ends.paths:
            before = kept.get(path)
            if isinstance(before, _Spoilt) and before.foreign:
                continue
            if isinstance(before, TrailEnd) and (before.seq, before.hash) == (present.seq, present.hash):
                continue
            if path.parent.is_dir():
                self._ends.write(path, present, now)


def missing(connection: Connection, end: TrailEnd, trail: Trail) -> bool:
    """Whether the database lacks this end and no entry under our hash accepts that."""
    return _lacks(connection, end) and not trail.has(connection, ACCEPTED, end.subject)


def _lacks(connection: Connection, end: TrailEnd) -> bool:
    """Whether the database lacks this row of the trail."""
    if end.seq == 0:
        return False
    head = connection.execute(select(audit_head.c.seq)).scalar_one()
    row = connection.execute(select(audit.c.hash).where(audit.c.seq == end.seq)).scalar()
    return head < end.seq or row != end.hash


def _stamp(path: Path) -> tuple[int, ...] | None:
    """Return a stamp that changes with every write to the file; None: no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
