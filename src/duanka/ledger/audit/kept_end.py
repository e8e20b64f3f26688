"""The end of the audit trail kept outside of the database, and what holds while the database is older than it.

A database that was restored from a backup, or whose trail was cut, is consistent in itself; it shows against an end
that was kept elsewhere. Until a supervisor accepts it, a worker repairs nothing, restricts nobody and lifts nothing
by what that database said before: the network knows better.
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
_OLDER, _FOREIGN = "audit trail", "audit end elsewhere"  # alarms

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
        """As the trail names it when it is accepted that the database is older."""
        return f"{self.seq}:{self.hash[:20]}"


@dataclass(frozen=True)
class _Spoilt:
    """A file that says nothing: unreadable, or not under our seal. `foreign`: of another installation."""

    path: Path
    foreign: bool


class KeptBeside(Protocol):
    """What else is kept beside the end: people (`kept_people`). `file_names`: in each folder."""

    file_names: tuple[str, ...]

    def ends(self) -> Sequence[TrailEnd]:
        """How far it goes."""

    def keep(self, now: datetime) -> None:
        """Write what is known now."""

    def put_in_force(self, connection: Connection, by: Person, why: str, now: datetime) -> None:
        """Put into an older database what is kept, in the transaction that accepts it."""


class KeptEnds:
    """Reads and writes the ends kept in `folders`: of the call proxy, of the message proxy, of the order book.

    `beside`: what else is kept there.
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
        """The files, of the folders that there are now."""
        return tuple(folder / END_FILE for folder in self._folders())

    def head(self) -> tuple[object, ...]:
        """Number and hash of the end of the trail, and the hash of that row: by one cheap statement."""
        return tuple(self._store.glance(_HEAD))

    def stamps(self, folders: Sequence[Path]) -> list[object]:
        """What changes whenever one of the kept files does."""
        names = (END_FILE, *(self._beside.file_names if self._beside else ()))
        return [(folder.is_dir(), [_stamp(folder / name) for name in names]) for folder in folders]

    def folders(self) -> tuple[Path, ...]:
        """Where the ends are kept now."""
        return tuple(self._folders())

    def present(self) -> TrailEnd:
        """The end of the trail in the database."""
        seq, last = self._trail.end(self._store)
        return TrailEnd(seq, last)

    def read(self) -> Iterator[tuple[Path, TrailEnd | _Spoilt]]:
        """Every kept end that is there."""
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
        """The ends that are kept and under our seal."""
        return [*(end for _, end in self.read() if isinstance(end, TrailEnd)), *self.ends_beside()]

    def ends_beside(self) -> Sequence[TrailEnd]:
        """How far what else is kept goes."""
        return self._beside.ends() if self._beside else ()

    def keep_beside(self, now: datetime) -> None:
        """Write what else is kept."""
        if self._beside:
            self._beside.keep(now)

    def text(self, end: TrailEnd, at: datetime) -> str:
        """A kept end as it stands in a file: under our seal, so that nobody else makes one."""
        said = [self._installation, end.seq, end.hash, at.isoformat()]
        names = ("installation", "seq", "hash", "at")
        return json.dumps({**dict(zip(names, said, strict=True)), "seal": self._trail.signed("kept", *said)})

    def write(self, path: Path, end: TrailEnd, at: datetime) -> None:
        """Replace the file in one step; after a loss of power it is the old one or the new one."""
        aside = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(self.text(end, at) + "\n")
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)

    def older(self, ends: Sequence[TrailEnd]) -> list[TrailEnd]:
        """Those ends that the database does not have, and that nobody accepted to be without."""
        with self._store.reading() as connection:
            return [end for end in ends if missing(connection, end, self._trail)]

    @property
    def is_ahead(self) -> bool:
        """Whether the database is older than an end that is kept, and nobody accepted that."""
        return bool(self.older(list(dict.fromkeys(self.ends()))))

    def end_of(self, given: str) -> TrailEnd:
        """An end as a person gives it: SEQ:HASH, or a file that `text` was written to. DuankaError: neither."""
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
        """Go on with the database as it is, though it is older than these ends. NotTheirs: it takes a supervisor."""
        authorize(by, Permission.ACCEPT_RESTORED)
        if not why.strip():
            raise DuankaError(
                "say why the restored database is accepted: the reason stays in the audit trail"
            )
        older = self.older(self.ends())
        if not older:
            raise DuankaError("nothing to accept: the order book has every end of the trail that was kept")
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
        """Tell in the trail that a kept end was spoilt."""
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
    """What a whole check found that held nothing and wrote nothing. `at`: ticks."""

    at: float
    folders: tuple[Path, ...]
    state: tuple[object, ...]


class TrailGuard:
    """Keeps the end of the trail outside, and says while the database is older than a kept end. Thread-safe.

    `held_since`: None, or the moment of the kept end: what the database says of earlier moments may be outdated.
    """

    def __init__(
        self, ends: KeptEnds, alarms: AlarmService, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._ends, self._alarms, self._ticks = ends, alarms, ticks
        self._lock = threading.Lock()
        self._seen: TrailEnd | None = None  # by this process: a database that is replaced under it shows, too
        self._unmoved: _Unmoved | None = None
        self.held_since: datetime | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing may be repaired, restricted or lifted by what the database said before."""
        return self.held_since is not None

    def check(self, now: datetime) -> bool:
        """Compare the database with every kept end, and keep the present one; whether it holds. Tells by alarms."""
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
        """As a duty: `check`, unless neither the trail nor a kept file moved since it; never more to do at once.

        All of it is read at least every _FULL_CHECK_SECONDS, whatever the files and the end say.
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
            self._unmoved = _Unmoved(at, folders, state)  # the check found it so, and wrote nothing
        return False

    def _hold(self, end: TrailEnd, now: datetime) -> None:
        self.held_since = end.at or now
        self._seen = self._seen or end
        present = self._ends.present()
        self._alarms.raise_now(
            _OLDER,
            now,
            f"工单数据库比留存的审计链末端旧（第{present.seq}条，留存第{end.seq}条），已暂停停机、比对修复和通知"
            f" / the order book is older than the kept end of its trail (row {end.seq}, kept at"
            f" {operator_zone().written(self.held_since)}; the book goes to row {present.seq}): was a backup"
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
    """Whether the database does not have this end, and nobody accepted that by an entry that bears our hash."""
    return _lacks(connection, end) and not trail.has(connection, ACCEPTED, end.subject)


def _lacks(connection: Connection, end: TrailEnd) -> bool:
    """Whether the database does not have this row of the trail."""
    if end.seq == 0:
        return False
    head = connection.execute(select(audit_head.c.seq)).scalar_one()
    row = connection.execute(select(audit.c.hash).where(audit.c.seq == end.seq)).scalar()
    return head < end.seq or row != end.hash


def _stamp(path: Path) -> tuple[int, ...] | None:
    """Changes with every writing into the file; None: it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
