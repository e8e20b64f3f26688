"""Signing in: a login name and a password become a session.

Whether a login name exists, is locked, or its person is disabled is not told: all are refused alike, and the same is
computed for all. Wrong passwords count before the password is looked at, so that guesses at once count too.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, delete, insert, or_, select, update

from duanka.domain.identity_provider import IdentityRefused
from duanka.domain.order import SYSTEM, Person
from duanka.domain.sign_in import (
    FAILURES_FORGOTTEN,
    GENERATED_DAYS,
    LOGIN_PATTERN,
    BadPassword,
    CredentialKind,
    SessionTerms,
    SignInRefused,
    StaffSession,
    WrongPassword,
    as_typed,
    good_password,
    locked_for,
)
from duanka.ledger.audit.row_digests import CREDENTIALS
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables_sign_in import credentials, sign_in_tries
from duanka.ledger.people.credentials import Credentials, NewCredential, replace_password
from duanka.ledger.people.kept_people import KeptPeople
from duanka.ledger.people.keys import changing_people, owner_of
from duanka.ledger.people.passwords import PasswordHashing
from duanka.ledger.people.staff_sessions import StaffSessions

_log = logging.getLogger("duanka.ledger.people.sign_in")
REFUSED = (
    "login name or password is wrong, or there were too many wrong ones: wait a quarter of an hour, or ask a supervisor"
    " for another password (`duanka persons password ID --generate`)"
)


@dataclass(frozen=True)
class _Try:
    """A try that counts as wrong until the password was right. `locked`: it is refused whatever the password is."""

    key: str
    failures: int
    locked: bool


class SignIn:
    """Signs people in by their password, and changes it. `key`: of the keyed hash of login names.

    `kept`: state of people outside of the database; None: none.
    """

    def __init__(
        self,
        store: Store,
        trail: Trail,
        key: bytes,
        sessions: StaffSessions,
        kept: KeptPeople | None = None,
        hashing: PasswordHashing | None = None,
    ) -> None:
        self._store, self._trail, self._key = store, trail, key
        self._sessions, self._kept_people = sessions, kept
        self._hashing = hashing or PasswordHashing()

    def begin(self, login: str, password: str, address: str, now: datetime) -> StaffSession:
        """Begin a session. `address`: from where. SignInRefused: for whatever reason."""
        tried, row, right = self._tried(login, password, now)
        if right and row and not tried.locked:
            with changing_people(self._store) as connection:
                person = self._owner(connection, row["id"], now)
                if person:
                    told = {"failures": tried.failures - 1}
                    return self._begun(connection, person, row, address, tried, told, now)
        self._note_failure(row, tried, address, now)
        raise SignInRefused(REFUSED)

    def begin_by_subject(
        self, issuer: str, subject: str, once: str, address: str, now: datetime
    ) -> StaffSession:
        """Begin a session of whoever is bound to a subject of an OIDC issuer. `once`: of the answer that names it.

        IdentityRefused: nobody is, or the answer was used before.
        """
        tried = self._counted(f"\0once {once}", now)
        if tried.locked or tried.failures > 1:
            raise IdentityRefused("this answer of the provider was used before; sign in again")
        of_subject = (credentials.c.kind == CredentialKind.SUBJECT.value, credentials.c.revoked_at.is_(None))
        named = (*of_subject, credentials.c.issuer == issuer, credentials.c.name == subject)
        with changing_people(self._store) as connection:
            row = connection.execute(select(credentials).where(*named)).mappings().first()
            person = self._owner(connection, row["id"], now) if row else None
            if row and person:
                return self._begun(connection, person, row, address, None, {}, now)
        _log.warning("sign-in refused from %s: nobody is bound to the subject that %s names", address, issuer)
        raise IdentityRefused(
            f"nobody here is bound to {subject!r} of {issuer}: tell a supervisor, who does `duanka persons bind-oidc"
            " ID SUBJECT`; another one approves"
        )

    def change_password(
        self, session: StaffSession, present: str, new: str, address: str, now: datetime
    ) -> StaffSession:
        """Change one's own password: all sessions end, and another one begins.

        WrongPassword: `present` is wrong, or too many were. BadPassword: what is wrong with `new`.
        """
        person = session.person
        tried = self._counted(f"\0{person.id}", now)
        with self._store.reading() as connection:
            row = self._row_of(connection, person)
        if not self._is_right(present, row) or row is None or tried.locked:
            self._note_failure(row, tried, address, now)
            raise WrongPassword(
                "the present password is wrong, or there were too many wrong ones; wait a quarter of an hour"
            )
        if as_typed(new) == as_typed(present):
            raise BadPassword("the new password is the present one")
        hashed = self._hashing.of(good_password(new, row["name"], person.id, person.display_name))
        with changing_people(self._store) as connection:
            if self._owner(connection, row["id"], now) is None:
                raise WrongPassword("the password was changed elsewhere meanwhile; sign in again")
            made = NewCredential(
                person.id, CredentialKind.PASSWORD, row["name"], person.id, person.id, hash=hashed
            )
            number = replace_password(connection, self._trail, made, person, now)
            new_row = _by_id(connection, number)
            begun = self._begun(connection, person, new_row, address, tried, {}, now)
        if self._kept_people:
            self._kept_people.keep_at_once(now)
        return begun

    def identify(
        self, login: str, password: str, beside: Person, about: str, address: str, now: datetime
    ) -> Person:
        """Identify a person by their password for one act, at the screen of `beside`; no session begins.

        `about`: what the act is about, for the trail. WrongPassword: for whatever reason, also where the password was
        generated: two people had a half of it, so it stands for nobody before it is changed.
        """
        tried, row, right = self._tried(login, password, now)
        if right and row and not tried.locked and not row["generated"]:
            with changing_people(self._store) as connection:
                person = self._owner(connection, row["id"], now)
                if person:
                    self._forget(connection, tried)
                    told = {"beside": beside.id, "from": address[:64], "failures": tried.failures - 1}
                    entry = AuditEntry(now, person, "second.identified", about, after=told)
                    self._trail.append(connection, [entry])
                    return person
        self._note_failure(row, tried, address, now)
        raise WrongPassword(
            "login name or password of the second person is wrong, is a generated password that was not changed yet, or"
            " there were too many wrong ones: wait a quarter of an hour"
        )

    # --- internal ---

    def _tried(self, login: str, password: str, now: datetime) -> tuple[_Try, RowMapping | None, bool]:
        """Count a try at a login name; its password if there is one, and whether this is it."""
        name = as_typed(login).lower()
        tried = self._counted(name, now)
        with self._store.reading() as connection:
            row = self._password_row(connection, name)
        return tried, row, self._is_right(password, row)

    def _forget(self, connection: Connection, tried: _Try) -> None:
        """The password was right: the wrong ones before it count no more."""
        connection.execute(delete(sign_in_tries).where(sign_in_tries.c.login_hash == tried.key))

    def _begun(
        self,
        connection: Connection,
        person: Person,
        credential: RowMapping,
        address: str,
        tried: _Try | None,
        told: Mapping[str, object],
        now: datetime,
    ) -> StaffSession:
        """Begin a session, and audit it. `tried`: is forgotten; None: nothing is."""
        if tried:
            self._forget(connection, tried)
        session, facts = self._sessions.begin(connection, person, credential, address, now)
        entry = AuditEntry(now, person, "sign_in.begin", session.id, after={**facts, **told})
        self._trail.append(connection, [entry])
        return session

    def _is_right(self, password: str, row: RowMapping | None) -> bool:
        hashed, generated = (row["hash"], bool(row["generated"])) if row else (None, False)
        return self._hashing.is_right(password, hashed, generated=generated)

    def _password_row(self, connection: Connection, name: str) -> RowMapping | None:
        """The password of a login name."""
        if not re.fullmatch(LOGIN_PATTERN, name):
            return None
        return _password(connection, credentials.c.name == name)

    def _row_of(self, connection: Connection, person: Person) -> RowMapping | None:
        return _password(connection, credentials.c.person == person.id)

    def _owner(self, connection: Connection, credential: str, now: datetime) -> Person | None:
        """Who may sign in by it now; None: revoked, too old, its person disabled, or changed past the trail."""
        row = _by_id(connection, credential)
        if row["revoked_at"]:
            return None
        if row["generated"] and now >= row["created_at"] + timedelta(days=GENERATED_DAYS):
            return None
        person = owner_of(connection, self._trail, CREDENTIALS, row)
        if person and self._kept_people:
            return self._kept_people.with_kept_role(person, credential)
        return person

    def _counted(self, name: str, now: datetime) -> _Try:
        """Count a try as wrong, unless the name is locked; the same for names that do not exist."""
        key = self._key_of(name)
        mine = sign_in_tries.c.login_hash == key
        with changing_people(self._store) as connection:
            old, ahead = now - FAILURES_FORGOTTEN, now + FAILURES_FORGOTTEN
            forgotten = or_(sign_in_tries.c.failed_at < old, sign_in_tries.c.failed_at > ahead)
            connection.execute(delete(sign_in_tries).where(forgotten))
            row = connection.execute(select(sign_in_tries).where(mine)).mappings().first()
            if row and locked_for(row["failures"], row["failed_at"], now):
                return _Try(key, row["failures"], locked=True)
            failures = (row["failures"] if row else 0) + 1
            if row:
                values = {"failures": failures, "failed_at": now}
                connection.execute(update(sign_in_tries).where(mine).values(values))
            else:
                connection.execute(
                    insert(sign_in_tries).values(login_hash=key, failures=failures, failed_at=now)
                )
        return _Try(key, failures, locked=False)

    def _key_of(self, name: str) -> str:
        return hmac.new(self._key, name.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def _note_failure(self, row: RowMapping | None, tried: _Try, address: str, now: datetime) -> None:
        """Audit a wrong password. What is tried while the name is locked, or at no one's name, is not written down.

        Else whoever can reach the API could fill the trail; the log tells of it.
        """
        if row is None or tried.locked:
            _log.warning(
                "sign-in refused from %s: %s", address, "locked" if tried.locked else "unknown login name"
            )
            return
        lock = locked_for(tried.failures, now, now)
        told: dict[str, object] = {"from": address[:64], "failures": tried.failures}
        if lock:
            told["seconds"] = int(lock.total_seconds())
        what = "sign_in.locked" if lock else "sign_in.failed"
        entry = AuditEntry(now, SYSTEM, what, f"login/{row['person']}", after=told)
        with self._store.writing() as connection:
            self._trail.append(connection, [entry])


@dataclass(frozen=True)
class SignInServices:
    """What signing in takes: by password, sessions, and the credentials themselves."""

    passwords: SignIn
    sessions: StaffSessions
    credentials: Credentials


def sign_in_services(
    store: Store,
    trail: Trail,
    key: bytes,
    kept: KeptPeople | None = None,
    terms: SessionTerms | None = None,
    hashing: PasswordHashing | None = None,
) -> SignInServices:
    """The services of one order database. `key`: of the keyed hash of login names."""
    hashing, sessions = hashing or PasswordHashing(), StaffSessions(store, trail, kept, terms)
    passwords = SignIn(store, trail, key, sessions, kept, hashing)
    return SignInServices(passwords, sessions, Credentials(store, trail, kept, hashing))


def _password(connection: Connection, *which: object) -> RowMapping | None:
    of_password = (credentials.c.kind == CredentialKind.PASSWORD.value, credentials.c.revoked_at.is_(None))
    return connection.execute(select(credentials).where(*of_password, *which)).mappings().first()  # type: ignore[arg-type]


def _by_id(connection: Connection, credential: str) -> RowMapping:
    return connection.execute(select(credentials).where(credentials.c.id == credential)).mappings().one()
