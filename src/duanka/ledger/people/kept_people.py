"""State of people kept outside of the database, beside the trail's end.

A restored backup has people as they were: keys revoked since and persons disabled since are valid again, and
former roles and scopes are back. The kept list reveals this. What was revoked, disabled or removed stays so;
roles and scopes apply as kept while the database is older.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select, update

from duanka.domain.person import Person
from duanka.domain.private_files import write_private
from duanka.ledger.audit.kept_end import ACCEPTED, END_FILE, TrailEnd, missing
from duanka.ledger.audit.row_digests import CREDENTIALS, KEYS, PERSONS, found
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.rows import person_of
from duanka.ledger.db.tables import audit
from duanka.ledger.db.tables_installation import installation
from duanka.ledger.db.tables_people import persons

PEOPLE_FILE = "audit-people.json"
FOLDERS_SECONDS = 2.0  # cache time of the folders, which every request needs
_PURPOSE = "kept people"  # of the seal
# Entries that change the kept list. The list's end is the last such entry, so it is equal on every machine.
_ABOUT_PEOPLE = (
    *("person.first", "person.join", "person.approve", "person.disable", "person.kept", "change.approve"),
    *("key.approve", "key.revoke", "key.kept", "case_source.approve", "case_source.remove"),
    *("person.upgraded", "key.upgraded"),
    *("password.set", "password.approve", "credential.revoke", "credential.kept"),
)


@dataclass(frozen=True)
class KeptPerson:
    """Kept state of a person; scopes are names joined by |, as in the database.

    `seq`, `hash`: of the trail's last entry about the person.
    """

    role: str
    operators: str
    cities: str
    disabled: bool
    seq: int
    hash: str

    @property
    def end(self) -> TrailEnd:
        """End of the trail as of the last entry about the person."""
        return TrailEnd(self.seq, self.hash)


@dataclass(frozen=True)
class KnownPeople:
    """People as of `end`. `revoked`: ids of keys and credentials; `removed`: ids of case sources."""

    end: TrailEnd
    people: Mapping[str, KeptPerson]
    revoked: frozenset[str]
    removed: frozenset[str]

    @property
    def same(self) -> tuple[object, ...]:
        """Everything kept except the time, for comparison."""
        return self.end.seq, self.end.hash, dict(self.people), self.revoked, self.removed


class KeptPeople:
    """Reads and writes the kept lists in `folders`, and applies them. Thread-safe.

    `removed_sources`: returns ids of removed case sources; assigned on start-up.
    """

    file_names: tuple[str, ...] = (PEOPLE_FILE,)

    def __init__(self, store: Store, trail: Trail, folders: Callable[[], Sequence[Path]]) -> None:
        self._store, self._trail, self._folders = store, trail, folders
        self.removed_sources: Callable[[Connection], Collection[str]] = lambda _: ()
        self._paths: tuple[float, tuple[Path, ...]] | None = None
        self._read: dict[Path, tuple[object, KnownPeople | None]] = {}  # with the stamp of the file
        with store.reading() as connection:
            self._installation = connection.execute(select(installation.c.installation_id)).scalar_one()

    @property
    def paths(self) -> tuple[Path, ...]:
        """Paths of the files in the present folders."""
        now = time.monotonic()
        if self._paths is None or now - self._paths[0] > FOLDERS_SECONDS:
            self._paths = now, tuple(folder / PEOPLE_FILE for folder in self._folders())
        return self._paths[1]

    def ends(self) -> list[TrailEnd]:
        """Return the ends of the kept lists."""
        return [known.end for known in self._known()]

    # --- authorization ---

    def with_kept_role(self, person: Person, key: str) -> Person | None:
        """Return the person with the kept role and scope; None: key or credential revoked, or disabled."""
        for known in self._known():
            kept = known.people.get(person.id)
            if key in known.revoked or (kept and kept.disabled):
                return None
            if kept is None:
                continue
            as_it_was = _person(person, kept)
            if as_it_was != person and self._counts(known, kept):
                person = as_it_was
        return person

    def is_disabled(self, person: str) -> bool:
        """Whether this person was disabled, whatever the database says."""
        return any((kept := known.people.get(person)) and kept.disabled for known in self._known())

    def removed(self) -> frozenset[str]:
        """Return removed case sources, whatever the database says."""
        return frozenset().union(*(known.removed for known in self._known()))

    def is_ahead(self, connection: Connection) -> bool:
        """Whether the database is older than a kept list."""
        return any(missing(connection, known.end, self._trail) for known in self._known())

    # --- writing ---

    def keep(self, now: datetime) -> None:
        """Write the present state into every folder that lacks it. OSError."""
        with self._store.reading() as connection:
            known = self._known()
            older = [one for one in known if missing(connection, one.end, self._trail)]
            latest = {
                (at, name)
                for at, one in enumerate(known)
                for name, kept in one.people.items()
                if self._is_older(connection, one, kept)
            }
            merged = _merged(self._present(connection, known), known, older, latest)
        if not merged.people:
            return
        for path in self.paths:
            there = self._known_at(path)
            if (
                path.parent.is_dir()
                and not self._is_foreign(path)
                and (not there or there.same != merged.same)
            ):
                write_private(path, (self._text(merged, now) + "\n").encode())

    def keep_at_once(self, now: datetime) -> None:
        """As `keep`, after a change; without write access it is left to the worker."""
        with suppress(OSError):
            self.keep(now)

    def put_in_force(self, connection: Connection, by: Person, why: str, now: datetime) -> None:
        """Apply kept revocations, roles and scopes to an older database, and audit that."""
        older = [known for known in self._known() if missing(connection, known.end, self._trail)]
        entries = list[AuditEntry]()
        for known in older:
            entries += _people_put_in_force(connection, known, by, why, now)
            entries += _keys_put_in_force(connection, known, by, why, now)
        self._trail.append(connection, entries)

    # --- internal ---

    def _present(self, connection: Connection, known: Sequence[KnownPeople]) -> KnownPeople:
        """Return the state in the database.

        Revocations and disabling count only if the trail confirms them: the kept list makes them permanent.
        """
        last = select(audit.c.seq, audit.c.hash).where(audit.c.what.in_(_ABOUT_PEOPLE))
        end = connection.execute(last.order_by(audit.c.seq.desc()).limit(1)).first()
        people, revoked, told = dict[str, KeptPerson](), set[str](), self._last_entries(connection)
        for row in connection.execute(select(persons)).mappings():
            gone = row["disabled_at"] is not None
            gone = gone and (
                any((kept := one.people.get(row["id"])) and kept.disabled for one in known)
                or self._trail.row_matches(connection, PERSONS, row["id"], (row["id"],))
            )
            facts = (row["role"], row["operators"], row["cities"], gone)
            people[row["id"]] = KeptPerson(*facts, *told.get(row["id"], (0, "")))
        for table in (KEYS, CREDENTIALS):
            of = table.table
            for row in connection.execute(select(of).where(of.c.revoked_at.is_not(None))).mappings():
                if any(row["id"] in one.revoked for one in known) or self._trail.row_matches(
                    connection, table, row["id"], (row["id"], row["person"])
                ):
                    revoked.add(row["id"])
        removed = frozenset(self.removed_sources(connection))
        return KnownPeople(TrailEnd(*end) if end else TrailEnd(0, ""), people, frozenset(revoked), removed)

    def _counts(self, known: KnownPeople, kept: KeptPerson) -> bool:
        """Whether the database lacks this state of a person, and nobody accepted a backup."""
        with self._store.reading() as connection:
            return self._is_older(connection, known, kept)

    def _is_older(self, connection: Connection, known: KnownPeople, kept: KeptPerson) -> bool:
        """As `_counts`; True also if an entry was removed from the middle of the trail."""
        accepted = self._trail.has(connection, ACCEPTED, known.end.subject)
        return not accepted and missing(connection, kept.end, self._trail)

    def _last_entries(self, connection: Connection) -> dict[str, tuple[int, str]]:
        """Return number and hash of the last entry about each person."""
        about = audit.c.what.in_(_ABOUT_PEOPLE)
        last = select(func.max(audit.c.seq)).where(about).group_by(audit.c.subject)
        rows = connection.execute(
            select(audit.c.subject, audit.c.seq, audit.c.hash).where(audit.c.seq.in_(last))
        )
        return {row.subject: (row.seq, row.hash) for row in rows}

    def _known(self) -> list[KnownPeople]:
        """Return the kept lists under our seal, oldest first."""
        found = [known for path in self.paths if (known := self._known_at(path))]
        return sorted(found, key=lambda known: known.end.seq)

    def _known_at(self, path: Path) -> KnownPeople | None:
        try:
            stat = path.stat()
            stamp = stat.st_ino, stat.st_size, stat.st_mtime_ns
            if (read := self._read.get(path)) and read[0] == stamp:
                return read[1]
            known = self._parsed(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        self._read[path] = stamp, known
        return known

    def _parsed(self, said: Any) -> KnownPeople | None:
        """Parse a file; None: not under our seal."""
        seal, told = str(said["seal"]), {name: value for name, value in said.items() if name != "seal"}
        if told["installation"] != self._installation or not self._trail.is_signed(seal, _PURPOSE, told):
            return None
        end = TrailEnd(int(said["seq"]), str(said["hash"]), datetime.fromisoformat(said["at"]))
        people = {name: KeptPerson(*facts) for name, facts in said["people"].items()}
        return KnownPeople(end, people, frozenset(said["revoked"]), frozenset(said["removed"]))

    def _is_foreign(self, path: Path) -> bool:
        """Whether to keep another installation's file: until the end file beside is ours."""
        return self._installation_in(path) not in ("", self._installation) and (
            self._installation_in(path.with_name(END_FILE)) != self._installation
        )

    @staticmethod
    def _installation_in(path: Path) -> str:
        """Return the installation named in a kept file, or ""."""
        try:
            return str(json.loads(path.read_text(encoding="utf-8"))["installation"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return ""

    def _text(self, known: KnownPeople, at: datetime) -> str:
        told: dict[str, object] = {"installation": self._installation}
        told |= {"seq": known.end.seq, "hash": known.end.hash, "at": at.isoformat()}
        told["people"] = {name: list(astuple(kept)) for name, kept in sorted(known.people.items())}
        told |= {"revoked": sorted(known.revoked), "removed": sorted(known.removed)}
        return json.dumps({**told, "seal": self._trail.signed(_PURPOSE, told)})


def _person(person: Person, kept: KeptPerson) -> Person:
    return person_of({"id": person.id, "display_name": person.display_name, **asdict(kept)})


def _merged(
    present: KnownPeople,
    known: Sequence[KnownPeople],
    older: Sequence[KnownPeople],
    latest: Collection[tuple[int, str]],
) -> KnownPeople:
    """Merge states: the latest roles; revocations and disabling are permanent.

    `older`: lists that the database lacks; `latest`: (index, id) of persons that a list knows in a later state.
    """
    people = dict(present.people)
    for at, one in enumerate(known):
        for name, kept in one.people.items():
            mine = people.get(name)
            if mine is None:
                people[name] = kept
                continue
            last = kept if (at, name) in latest else mine
            people[name] = replace(last, disabled=mine.disabled or kept.disabled)
    ends = [present.end, *(one.end for one in older)]
    end = max(ends[1:], key=lambda end: end.seq) if older else present.end
    revoked = present.revoked.union(*(one.revoked for one in known))
    removed = present.removed.union(*(one.removed for one in known))
    return KnownPeople(end, people, revoked, removed)


def _people_put_in_force(
    connection: Connection, known: KnownPeople, by: Person, why: str, now: datetime
) -> Iterable[AuditEntry]:
    for row in connection.execute(select(persons).order_by(persons.c.id)).mappings().all():
        kept = known.people.get(row["id"])
        if kept is None:
            continue
        was = {name: row[name] for name in ("role", "operators", "cities")}
        will = {name: value for name, value in asdict(kept).items() if name in was and value != was[name]}
        changed: dict[str, Any] = dict(will)
        if kept.disabled and row["disabled_at"] is None:
            changed["disabled_at"] = now
        if changed:
            found_as = found(connection, PERSONS, row["id"])
            connection.execute(update(persons).where(persons.c.id == row["id"]).values(changed))
            after: dict[str, object] = {**will, **({"disabled": True} if "disabled_at" in changed else {})}
            before: dict[str, object] = {name: was[name] for name in will}
            yield AuditEntry(now, by, "person.kept", row["id"], why, before, after, found=found_as)


def _keys_put_in_force(
    connection: Connection, known: KnownPeople, by: Person, why: str, now: datetime
) -> Iterable[AuditEntry]:
    for table, what in ((KEYS, "key.kept"), (CREDENTIALS, "credential.kept")):
        of = table.table
        for row in (
            connection.execute(select(of).where(of.c.revoked_at.is_(None)).order_by(of.c.id)).mappings().all()
        ):
            if row["id"] in known.revoked:
                found_as = found(connection, table, row["id"])
                connection.execute(update(of).where(of.c.id == row["id"]).values(revoked_at=now))
                told: dict[str, object] = {"person": row["person"]} | (
                    {} if table is KEYS else {"credential": row["id"]}
                )
                subject = row["id"] if table is KEYS else row["person"]
                yield AuditEntry(now, by, what, subject, why, before=told, found=found_as)
