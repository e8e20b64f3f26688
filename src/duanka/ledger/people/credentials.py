"""By what people sign in with a browser: passwords under a login name, and subjects of an OIDC issuer.

One's own password is set with one's own key. Somebody else's is generated in two halves, as a key is: who proposed it
sees one half and who approved it the other, so neither can act as its owner, who must change it at the first sign-in.
A subject is bound by two people, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, insert, select, update

from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import reason_for
from duanka.domain.identity_provider import MOST_SUBJECT
from duanka.domain.order import OrderError, Person
from duanka.domain.person import same_person
from duanka.domain.sign_in import CredentialKind, SessionEnd, good_password, login_name, new_password_half
from duanka.ledger.audit.row_digests import CREDENTIALS, found
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.rows import new_id
from duanka.ledger.db.tables_people import persons
from duanka.ledger.db.tables_sign_in import credentials
from duanka.ledger.people.kept_people import KeptPeople
from duanka.ledger.people.keys import changing_people, half_hash
from duanka.ledger.people.passwords import PasswordHashing
from duanka.ledger.people.requests import PersonProposal
from duanka.ledger.people.staff_sessions import acted_on, end_sessions

WITH_ACCOUNT = (PersonProposal.PASSWORD, PersonProposal.SUBJECT)


@dataclass(frozen=True)
class NewCredential:
    """A credential to put in force. `hash`: argon2id of a password, "" for a subject."""

    person: str
    kind: CredentialKind
    name: str
    proposed_by: str
    approved_by: str
    issuer: str = ""
    hash: str = ""
    generated: bool = False


class Credentials:
    """Manages the credentials of an order database; audits every change.

    `kept`: state of people outside of the database; None: none.
    """

    def __init__(
        self,
        store: Store,
        trail: Trail,
        kept: KeptPeople | None = None,
        hashing: PasswordHashing | None = None,
    ) -> None:
        self._store, self._trail, self._kept_people = store, trail, kept
        self._hashing = hashing or PasswordHashing()

    def set_password(
        self, person: str, password: str | None, login: str, by: Person, now: datetime
    ) -> tuple[str, str | None]:
        """Set one's own password; return the login name, and the password that was generated for `password` None.

        `login`: "" keeps the present one, or takes the id. All sessions end. OrderError: it is somebody else's, or the
        login name is taken. BadPassword, BadPerson: what is wrong with it.
        """
        authorize(by, Permission.SET_PASSWORD)
        only_ones_own(person, by)
        made = None
        if password is None:
            first, second = new_password_half(), new_password_half()
            made, hashed = f"{first}-{second}", self._hashing.of_halves(half_hash(first), second)
        else:
            hashed = self._hashing.of(good_password(password, login, by.id, by.display_name))
        with changing_people(self._store) as connection:
            name = login_for(connection, person, login)
            new = NewCredential(
                person, CredentialKind.PASSWORD, name, by.id, by.id, hash=hashed, generated=made is not None
            )
            replace_password(connection, self._trail, new, by, now)
        self._keep_outside(now)
        return name, made

    def remove(self, person: str, kind: CredentialKind, by: Person, why: str, now: datetime) -> None:
        """Take a password or the binding to a subject out of force, and end the person's sessions; idempotent.

        PermissionDenied: needs a supervisor or the person.
        """
        authorize(by, Permission.REMOVE_CREDENTIAL)
        why = reason_for(why)
        with changing_people(self._store) as connection:
            acted_on(connection, person, by)
            told, was = _revoke(connection, person, kind, now)
            if told:
                entry = AuditEntry(now, by, "credential.revoke", person, why, before=told, found=was)
                self._trail.append(connection, [entry])
            end_sessions(connection, self._trail, person, SessionEnd.PASSWORD, by, now)
        self._keep_outside(now)

    def _keep_outside(self, now: datetime) -> None:
        if self._kept_people:
            self._kept_people.keep_at_once(now)


def only_ones_own(person: str, by: Person) -> None:
    """OrderError if the password is not that of `by`."""
    if not same_person(by.id, person):
        raise OrderError(
            f"only {person[:32]} sets their password; to give them one takes two people:"
            f" `duanka persons password {person[:32]} --generate`"
        )


def replace_password(
    connection: Connection, trail: Trail, new: NewCredential, by: Person, now: datetime
) -> str:
    """Put a password in force in place of the present one, and end the person's sessions; return its id."""
    number, told, before, was = put_credential(connection, new, now)
    entry = AuditEntry(now, by, "password.set", new.person, before=before, after=told, found=was)
    trail.append(connection, [entry])
    end_sessions(connection, trail, new.person, SessionEnd.PASSWORD, by, now)
    return number


def account_for(connection: Connection, what: PersonProposal, person: str, account: str) -> str:
    """The account that a proposal names. OrderError: somebody has it, or it is no subject."""
    if what is PersonProposal.PASSWORD:
        return login_for(connection, person, account)
    if what is not PersonProposal.SUBJECT:
        return ""
    issuer, _, subject = account.partition(" ")
    named = (
        credentials.c.issuer == issuer,
        credentials.c.name == subject,
        credentials.c.revoked_at.is_(None),
    )
    taken = select(credentials.c.person).where(*named, credentials.c.person != person)
    if connection.execute(taken).first():
        raise OrderError(
            f"{subject!r} of {issuer} is bound to somebody else: `duanka persons unbind-oidc` first"
        )
    return account


def bound_account(issuer: str, subject: str) -> str:
    """A subject of an issuer, as a proposal has it. OrderError: no subject."""
    if not 0 < len(subject) <= MOST_SUBJECT or not subject.isprintable() or subject != subject.strip():
        raise OrderError(f"a subject has 1 to {MOST_SUBJECT} visible letters, as the provider names it")
    return f"{issuer} {subject}"


def put_approved(
    connection: Connection, hashing: PasswordHashing, request: RowMapping, by: Person, now: datetime
) -> tuple[str | None, dict[str, object], dict[str, str]]:
    """Put a proposed password or subject in force, when `by` approves it; the caller audits it and ends the sessions.

    Returns a password's second half, what the trail tells, and digests from before.
    """
    person, what = request["person"], PersonProposal(request["what"])
    account, second = account_for(connection, what, person, request["account"]), None
    if what is PersonProposal.SUBJECT:
        issuer, _, name = account.partition(" ")
        new = NewCredential(person, CredentialKind.SUBJECT, name, request["proposed_by"], by.id, issuer)
    else:
        second = new_password_half()
        hashed = hashing.of_halves(request["half"], second)
        kind = CredentialKind.PASSWORD
        new = NewCredential(person, kind, account, request["proposed_by"], by.id, hash=hashed, generated=True)
    _, told, before, was = put_credential(connection, new, now)
    return second, {**told, **({"replaces": before["credential"]} if before else {})}, was


def put_credential(
    connection: Connection, new: NewCredential, now: datetime
) -> tuple[str, dict[str, object], dict[str, object], dict[str, str]]:
    """Insert a credential in place of the present one of its kind; the caller audits it in the same transaction.

    Returns its id; what the trail tells of it, and of the one before; digests from before.
    """
    before, was = _revoke(connection, new.person, new.kind, now)
    number = new_id("Q")
    row = {name: value for name, value in vars(new).items() if name not in ("kind", "generated")}
    row |= {"id": number, "kind": new.kind.value, "generated": int(new.generated), "created_at": now}
    connection.execute(insert(credentials).values(row))
    told: dict[str, object] = {"credential": number, "name": new.name}
    if new.issuer:
        told["issuer"] = new.issuer
    if new.generated:
        told["generated"] = True
    return number, told, before, was


def login_for(connection: Connection, person: str, login: str) -> str:
    """The login name that a person may have; "": their latest one, or their id. OrderError: somebody has it."""
    of_password = credentials.c.kind == CredentialKind.PASSWORD.value
    theirs = select(credentials.c.name).where(of_password, credentials.c.person == person)
    latest = connection.execute(theirs.order_by(credentials.c.created_at.desc()).limit(1)).scalar()
    name = login_name(login) if login else latest or person
    taken = select(credentials.c.person).where(
        of_password,
        credentials.c.name == name,
        credentials.c.revoked_at.is_(None),
        credentials.c.person != person,
    )
    somebodys_id = select(persons.c.id).where(persons.c.id == name, persons.c.id != person)
    if connection.execute(taken.union_all(somebodys_id)).first():
        raise OrderError(f"the login name {name} is somebody else's; choose another with --login")
    return name


def names_in_force(connection: Connection) -> dict[tuple[str, CredentialKind], str]:
    """Login names and subjects in force, by person and kind."""
    of = credentials.c
    rows = connection.execute(select(of.person, of.kind, of.name).where(of.revoked_at.is_(None)))
    return {(row.person, CredentialKind(row.kind)): row.name for row in rows}


def in_force(connection: Connection, person: str, kind: CredentialKind) -> RowMapping | None:
    """The person's credential of this kind."""
    mine = (
        credentials.c.person == person,
        credentials.c.kind == kind.value,
        credentials.c.revoked_at.is_(None),
    )
    return connection.execute(select(credentials).where(*mine)).mappings().first()


def _revoke(
    connection: Connection, person: str, kind: CredentialKind, now: datetime
) -> tuple[dict[str, object], dict[str, str]]:
    """Take the present credential out of force; what the trail tells of it, and its digest from before."""
    present = in_force(connection, person, kind)
    if present is None:
        return {}, {}
    was = found(connection, CREDENTIALS, present["id"])
    mine = credentials.c.id == present["id"]
    connection.execute(update(credentials).where(mine).values(revoked_at=now))
    return {"credential": present["id"]}, was
