"""Sessions of people who signed in with a browser. The database has the SHA-256 of what the cookie holds.

A session row that differs from the audit trail opens nothing, as a key's does.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, RowMapping, insert, select, update
from sqlalchemy.exc import OperationalError

from duanka.domain.authority import Permission, authorize, gives, may
from duanka.domain.bounds import reason_for
from duanka.domain.order import SYSTEM, OrderError, PermissionDenied, Person
from duanka.domain.person import same_person
from duanka.domain.sign_in import MOST_SESSIONS, SessionEnd, SessionTerms, StaffSession
from duanka.ledger.audit.row_digests import SESSIONS, found
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.rows import new_id, person_of
from duanka.ledger.db.tables_people import persons
from duanka.ledger.db.tables_sign_in import credentials, staff_sessions
from duanka.ledger.people.kept_people import KeptPeople
from duanka.ledger.people.keys import changing_people, owner_of

_TOKEN_BYTES = 32
SEEN_EVERY = timedelta(minutes=1)  # how often a session's last request is written
MOST_LISTED = 50  # sessions of a person, latest first


class StaffSessions:
    """Begins, finds, lists and ends sessions. `kept`: state of people outside of the database; None: none."""

    def __init__(
        self, store: Store, trail: Trail, kept: KeptPeople | None = None, terms: SessionTerms | None = None
    ) -> None:
        self._store, self._trail, self._kept_people = store, trail, kept
        self.terms = terms or SessionTerms()

    def who(self, token: str, now: datetime, *, active: bool = True) -> StaffSession | None:
        """Return the session of a token; None: unknown, over, its person disabled, or changed past the trail.

        `active`: somebody uses it, so that it is not idle. A session that is found to be over ends here.
        """
        wanted = token_hash(token)
        with self._store.reading() as connection:
            query = select(staff_sessions).where(staff_sessions.c.token_hash == wanted)
            row = connection.execute(query).mappings().first()
            if row is None or row["ended_at"] or not hmac.compare_digest(row["token_hash"], wanted):
                return None
            person = owner_of(connection, self._trail, SESSIONS, row)
            begun_by = connection.execute(
                select(credentials).where(
                    credentials.c.id == row["credential"], credentials.c.revoked_at.is_(None)
                )
            )
            credential = begun_by.mappings().first()
        if person and self._kept_people:
            person = self._kept_people.with_kept_role(person, row["credential"])
        if person is None or credential is None:
            return None
        session = replace(self._session(row, person), token=token, must_change=bool(credential["generated"]))
        if over := session.is_over(now):
            self._expire(session, over, now)
            return None
        if active and now - session.seen_at >= SEEN_EVERY:
            self._seen(session, now)
            session = replace(session, seen_at=now, idle_at=now + self.terms.idle)
        return session

    def list(
        self, person: str, by: Person, now: datetime
    ) -> Sequence[tuple[StaffSession, SessionEnd | None]]:
        """List the latest sessions of a person, and why each is over.

        PermissionDenied: needs a supervisor, or oneself.
        """
        authorize(by, Permission.LIST_SESSIONS)
        with self._store.reading() as connection:
            owner = acted_on(connection, person, by)
            mine = staff_sessions.c.person == person
            query = select(staff_sessions).where(mine).order_by(staff_sessions.c.begun_at.desc())
            rows = connection.execute(query.limit(MOST_LISTED)).mappings().all()
        found_ = [self._session(row, owner) for row in rows]
        return [(one, one.is_over(now)) for one in found_]

    def end(self, person: str, by: Person, why: str, now: datetime) -> int:
        """End all sessions of a person; return how many. PermissionDenied: needs a supervisor, or oneself."""
        authorize(by, Permission.END_SESSIONS)
        why = reason_for(why, "the sessions end")
        with changing_people(self._store) as connection:
            acted_on(connection, person, by)
            return end_sessions(connection, self._trail, person, SessionEnd.ENDED, by, now, why=why)

    def sign_out(
        self, session: StaffSession, now: datetime, because: SessionEnd = SessionEnd.SIGNED_OUT
    ) -> None:
        """End a session at the wish of its person; idempotent."""
        with changing_people(self._store) as connection:
            only = staff_sessions.c.id == session.id
            end_sessions(connection, self._trail, session.person.id, because, session.person, now, only)

    def begin(
        self, connection: Connection, person: Person, credential: RowMapping, address: str, now: datetime
    ) -> tuple[StaffSession, dict[str, object]]:
        """Insert a session with a new token; the caller audits it in the same transaction. The oldest of too many end.

        Returns also what the trail tells of it.
        """
        self._make_room(connection, person, now)
        token, number = secrets.token_urlsafe(_TOKEN_BYTES), new_id("N")
        row: dict[str, object] = {"id": number, "person": person.id, "credential": credential["id"]}
        row |= {"address": address[:64], "begun_at": now, "seen_at": now, "ends_at": now + self.terms.longest}
        connection.execute(insert(staff_sessions).values(**row, token_hash=token_hash(token)))
        session = StaffSession(
            number,
            person,
            address[:64],
            now,
            now,
            ends_at=now + self.terms.longest,
            idle_at=min(now + self.terms.idle, now + self.terms.longest),
            must_change=bool(credential["generated"]),
            token=token,
        )
        return session, {"by": credential["kind"], "from": session.address}

    def _make_room(self, connection: Connection, person: Person, now: datetime) -> None:
        mine = (staff_sessions.c.person == person.id, staff_sessions.c.ended_at.is_(None))
        query = select(staff_sessions).where(*mine).order_by(staff_sessions.c.seen_at.desc())
        rows = connection.execute(query).mappings().all()
        still = [row["id"] for row in rows if not self._session(row, person).is_over(now)]
        if len(still) >= MOST_SESSIONS:
            only = staff_sessions.c.id.in_(still[MOST_SESSIONS - 1 :])
            end_sessions(connection, self._trail, person.id, SessionEnd.TOO_MANY, person, now, only)

    def _session(self, row: RowMapping, person: Person) -> StaffSession:
        """A session as its row says; `idle_at` by the present terms."""
        names = ("id", "address", "begun_at", "seen_at", "ends_at", "ended_at")
        return StaffSession(
            **{name: row[name] for name in names}, person=person, idle_at=row["seen_at"] + self.terms.idle
        )

    def _expire(self, session: StaffSession, because: SessionEnd, now: datetime) -> None:
        with changing_people(self._store) as connection:
            only = staff_sessions.c.id == session.id
            end_sessions(connection, self._trail, session.person.id, because, SYSTEM, now, only)

    def _seen(self, session: StaffSession, now: datetime) -> None:
        mine = (staff_sessions.c.id == session.id, staff_sessions.c.ended_at.is_(None))
        with (
            suppress(OperationalError),
            self._store.writing() as connection,
        ):  # busy: the next request writes it
            connection.execute(update(staff_sessions).where(*mine).values(seen_at=now))


def acted_on(connection: Connection, person: str, by: Person) -> Person:
    """The person, if `by` is them, or a supervisor whose scope contains theirs. OrderError: nobody has the id."""
    row = connection.execute(select(persons).where(persons.c.id == person)).mappings().first()
    if row is None:
        raise OrderError(f"nobody has the id {person[:32]!r}; `duanka persons list` names them")
    if not same_person(by.id, person):
        if not may(by.role, Permission.DISABLE_PERSON):
            raise PermissionDenied(
                f"password and sessions of {person[:32]} are for them and for supervisors; {by.id} is {by.role}"
            )
        gives(by, person_of(row).scope)
    return person_of(row)


def end_sessions(
    connection: Connection,
    trail: Trail,
    person: str,
    because: SessionEnd,
    by: Person,
    now: datetime,
    *only: ColumnElement[bool],
    why: str = "",
) -> int:
    """End the open sessions of a person, and audit each; return how many. `only`: which of them."""
    mine = (staff_sessions.c.person == person, staff_sessions.c.ended_at.is_(None), *only)
    numbers = connection.execute(select(staff_sessions.c.id).where(*mine).with_for_update()).scalars().all()
    entries = []
    for number in numbers:
        was = found(connection, SESSIONS, number)
        connection.execute(update(staff_sessions).where(staff_sessions.c.id == number).values(ended_at=now))
        told: dict[str, object] = {"because": because.value}
        entries.append(AuditEntry(now, by, "sign_in.end", number, why, {"person": person}, told, found=was))
    trail.append(connection, entries)
    return len(numbers)


def token_hash(token: str) -> str:
    """The stored hash of a session's token."""
    # no slow hash: 256 random bits cannot be guessed, and every request computes it
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
