"""People as they were last known, kept outside of the database beside the end of the trail.

A restored backup knows people as they were: whose key was revoked since, who was disabled since, or has another role
or scope since, is in it what they were before. The kept list says so. What was taken for good (a key, a person, a
source of police cases) stays taken; a role and a scope count as they are kept while the database is older.
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
from duanka.ledger.audit.row_digests import KEYS, PERSONS, found
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit
from duanka.ledger.db.tables_installation import installation
from duanka.ledger.db.tables_people import keys, persons
from duanka.ledger.people.keys import person_of

PEOPLE_FILE = "audit-people.json"
FOLDERS_SECONDS = 2.0  # for which the folders are remembered: every request asks
_PURPOSE = "kept people"  # of the seal
# Entries that change what is kept: the last of them is the end that is kept, on every machine the same.
_ABOUT_PEOPLE = (
    *("person.first", "person.join", "person.approve", "person.disable", "person.kept", "change.approve"),
    *("key.approve", "key.revoke", "key.kept", "case_source.approve", "case_source.remove"),
    *("person.upgraded", "key.upgraded"),
)


@dataclass(frozen=True)
class KeptPerson:
    """What is kept of a person; a scope is names joined by |, as in the database.

    `seq`, `hash`: of the last entry of the trail about them.
    """

    role: str
    operators: str
    cities: str
    disabled: bool
    seq: int
    hash: str

    @property
    def end(self) -> TrailEnd:
        """How far the trail goes about them."""
        return TrailEnd(self.seq, self.hash)


@dataclass(frozen=True)
class KnownPeople:
    """People as they were at `end`. `revoked`: ids of keys; `removed`: of sources of police cases."""

    end: TrailEnd
    people: Mapping[str, KeptPerson]
    revoked: frozenset[str]
    removed: frozenset[str]

    @property
    def same(self) -> tuple[object, ...]:
        """All that is kept, without the moment."""
        return self.end.seq, self.end.hash, dict(self.people), self.revoked, self.removed


class KeptPeople:
    """Reads and writes the lists kept in `folders`, and says what they take from somebody. Thread-safe.

    `removed_sources`: ids of the sources of police cases that were removed, for whoever wires them.
    """

    file_names: tuple[str, ...] = (PEOPLE_FILE,)

    def __init__(self, store: Store, trail: Trail, folders: Callable[[], Sequence[Path]]) -> None:
        self._store, self._trail, self._folders = store, trail, folders
        self.removed_sources: Callable[[Connection], Collection[str]] = lambda _: ()
        self._paths: tuple[float, tuple[Path, ...]] | None = None
        self._read: dict[Path, tuple[object, KnownPeople | None]] = {}  # as of the stamp of the file
        with store.reading() as connection:
            self._installation = connection.execute(select(installation.c.installation_id)).scalar_one()

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, of the folders that there are now."""
        now = time.monotonic()
        if self._paths is None or now - self._paths[0] > FOLDERS_SECONDS:
            self._paths = now, tuple(folder / PEOPLE_FILE for folder in self._folders())
        return self._paths[1]

    def ends(self) -> list[TrailEnd]:
        """How far the kept lists go."""
        return [known.end for known in self._known()]

    # --- judging ---

    def as_kept(self, person: Person, key: str) -> Person | None:
        """Who acts with this key, given whom the database has; None: the key or the person is out of force."""
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
        """Whether this id was somebody's who was disabled, whatever the database says."""
        return any((kept := known.people.get(person)) and kept.disabled for known in self._known())

    def removed(self) -> frozenset[str]:
        """Ids of the sources of police cases that were removed, whatever the database says."""
        return frozenset().union(*(known.removed for known in self._known()))

    def is_ahead(self, connection: Connection) -> bool:
        """Whether the database is older than a kept list."""
        return any(missing(connection, known.end, self._trail) for known in self._known())

    # --- keeping ---

    def keep(self, now: datetime) -> None:
        """Write what is known now into every folder where it is not. OSError."""
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
        """As `keep`, after a change; who may not write into a folder leaves it to the worker, which does it next."""
        with suppress(OSError):
            self.keep(now)

    def put_in_force(self, connection: Connection, by: Person, why: str, now: datetime) -> None:
        """Take from people and keys in this older database what was taken from them since, told in the trail."""
        older = [known for known in self._known() if missing(connection, known.end, self._trail)]
        entries = list[AuditEntry]()
        for known in older:
            entries += _people_put_in_force(connection, known, by, why, now)
            entries += _keys_put_in_force(connection, known, by, why, now)
        self._trail.append(connection, entries)

    # --- inside ---

    def _present(self, connection: Connection, known: Sequence[KnownPeople]) -> KnownPeople:
        """What the database says; taken for good is only what the trail tells, or a spoilt row would be for ever."""
        last = select(audit.c.seq, audit.c.hash).where(audit.c.what.in_(_ABOUT_PEOPLE))
        end = connection.execute(last.order_by(audit.c.seq.desc()).limit(1)).first()
        people, revoked, told = dict[str, KeptPerson](), set[str](), self._last_told(connection)
        for row in connection.execute(select(persons)).mappings():
            gone = row["disabled_at"] is not None
            gone = gone and (
                any((kept := one.people.get(row["id"])) and kept.disabled for one in known)
                or self._trail.tells(connection, PERSONS, row["id"], (row["id"],))
            )
            facts = (row["role"], row["operators"], row["cities"], gone)
            people[row["id"]] = KeptPerson(*facts, *told.get(row["id"], (0, "")))
        for row in connection.execute(select(keys).where(keys.c.revoked_at.is_not(None))).mappings():
            if any(row["id"] in one.revoked for one in known) or self._trail.tells(
                connection, KEYS, row["id"], (row["id"],)
            ):
                revoked.add(row["id"])
        removed = frozenset(self.removed_sources(connection))
        return KnownPeople(TrailEnd(*end) if end else TrailEnd(0, ""), people, frozenset(revoked), removed)

    def _counts(self, known: KnownPeople, kept: KeptPerson) -> bool:
        """Whether the database does not have what is known of this person, and nobody accepted a backup since."""
        with self._store.reading() as connection:
            return self._is_older(connection, known, kept)

    def _is_older(self, connection: Connection, known: KnownPeople, kept: KeptPerson) -> bool:
        """Also where the rest of the trail is there: an entry can be taken out of its middle."""
        accepted = self._trail.has(connection, ACCEPTED, known.end.subject)
        return not accepted and missing(connection, kept.end, self._trail)

    def _last_told(self, connection: Connection) -> dict[str, tuple[int, str]]:
        """Number and hash of the last entry about each person."""
        about = audit.c.what.in_(_ABOUT_PEOPLE)
        last = select(func.max(audit.c.seq)).where(about).group_by(audit.c.subject)
        rows = connection.execute(
            select(audit.c.subject, audit.c.seq, audit.c.hash).where(audit.c.seq.in_(last))
        )
        return {row.subject: (row.seq, row.hash) for row in rows}

    def _known(self) -> list[KnownPeople]:
        """The lists that are kept and under our seal, the oldest first."""
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
        """What a file says under our seal; None: the seal is not ours."""
        seal, told = str(said["seal"]), {name: value for name, value in said.items() if name != "seal"}
        if told["installation"] != self._installation or not self._trail.is_signed(seal, _PURPOSE, told):
            return None
        end = TrailEnd(int(said["seq"]), str(said["hash"]), datetime.fromisoformat(said["at"]))
        people = {name: KeptPerson(*facts) for name, facts in said["people"].items()}
        return KnownPeople(end, people, frozenset(said["revoked"]), frozenset(said["removed"]))

    def _is_foreign(self, path: Path) -> bool:
        """Whether a file is another installation's, and not ours to replace: until the end beside it is ours."""
        return self._installation_in(path) not in ("", self._installation) and (
            self._installation_in(path.with_name(END_FILE)) != self._installation
        )

    @staticmethod
    def _installation_in(path: Path) -> str:
        """The installation that a kept file names; empty where it names none."""
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
    """What is known of people: of roles the latest, and what was taken for good for good.

    `older`: the lists that the database does not have; `latest`: who is known later than there, by place and id.
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
    in_force = select(keys).where(keys.c.revoked_at.is_(None)).order_by(keys.c.id)
    for row in connection.execute(in_force).mappings().all():
        if row["id"] in known.revoked:
            found_as = found(connection, KEYS, row["id"])
            connection.execute(update(keys).where(keys.c.id == row["id"]).values(revoked_at=now))
            told = {"person": row["person"]}
            yield AuditEntry(now, by, "key.kept", row["id"], why, before=told, found=found_as)


__all__ = ["PEOPLE_FILE", "KeptPeople", "KeptPerson", "KnownPeople"]
