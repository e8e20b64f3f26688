"""Persons: the first two at set-up, others proposed and approved by two people.

A person, a change of role or scope, a key, a password for somebody else, and a subject take two people each.
Disabling and revoking take one supervisor.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from duanka.domain.authority import Permission, authorize, gives
from duanka.domain.bounds import reason_for
from duanka.domain.order import SYSTEM, NeedsSecondPerson, OrderError, Person, Role, UnknownOrder
from duanka.domain.person import WITH_KEYS, display_name, person_id, same_person
from duanka.domain.sign_in import CredentialKind, SessionEnd, new_password_half
from duanka.ledger.audit.row_digests import PERSONS, REQUESTS, found
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.rows import new_id, person_of
from duanka.ledger.db.tables_people import invitations, person_requests, persons
from duanka.ledger.people.credentials import WITH_ACCOUNT, account_for, names_in_force, put_approved
from duanka.ledger.people.kept_people import KeptPeople
from duanka.ledger.people.keys import (
    PREFIX,
    changing_people,
    gives_all,
    half_hash,
    key_hash,
    new_half,
    put_key,
    require_still_permitted,
    supervisors_with_keys,
)
from duanka.ledger.people.passwords import PasswordHashing
from duanka.ledger.people.requests import (
    PersonProposal,
    PersonRequest,
    RequestOutcome,
    not_too_many,
    nothing_waits,
    request_of,
    request_row,
    waiting_request,
)
from duanka.ledger.people.staff_sessions import end_sessions

INVITATION_PREFIX = "di_"
INVITATION_DAYS = 3


@dataclass(frozen=True)
class ListedPerson:
    """A person, with the times of creation and disabling, and what they sign in by: "" where they cannot."""

    person: Person
    created_at: datetime
    disabled_at: datetime | None
    login: str = ""
    subject: str = ""


class Persons:
    """Manages the persons of an order database; one audited transaction per method.

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

    # --- set-up ---

    def begin(self, person: str, name: str, machine: str, now: datetime) -> tuple[str, str]:
        """Create the first supervisor; return their key and the second one's invitation.

        `machine`: who ran the set-up, for the trail. OrderError: there are persons already.
        """
        first = Person(person_id(person), Role.SUPERVISOR, display_name(name))
        with changing_people(self._store) as connection:
            self._not_older(connection)
            if _count(connection):
                raise OrderError(
                    f"the order database {self._store.name} has people already: ask one of them for `duanka persons"
                    " add ID --role ROLE`; to begin another one, name another folder (`duanka init FOLDER`, or"
                    " DUANKA_ORDERS)"
                )
            _put_person(connection, first, now)
            key, number = _whole_key(connection, first, machine, now)
            invitation = self._invite(connection, first, now)
            told = {**_facts(first), "key": number}
            entry = AuditEntry(now, SYSTEM, "person.first", first.id, f"set up by {machine}", after=told)
            self._trail.append(connection, [entry, AuditEntry(now, first, "person.invite", first.id)])
        return key, invitation

    def invite(self, by: Person, now: datetime) -> str:
        """Replace the second supervisor's invitation while there is only one person."""
        authorize(by, Permission.APPROVE_PERSON)
        with changing_people(self._store) as connection:
            if _count(connection) != 1:
                raise OrderError("there is a second person already; propose others with `duanka persons add`")
            invitation = self._invite(connection, by, now)
            self._trail.append(connection, [AuditEntry(now, by, "person.invite", by.id)])
        return invitation

    def join(self, invitation: str, person: str, name: str, now: datetime) -> str:
        """Join as second supervisor, once; return the key. OrderError: invitation invalid."""
        second = Person(person_id(person), Role.SUPERVISOR, display_name(name))
        with changing_people(self._store) as connection:
            self._not_older(connection)
            mine = invitations.c.hash == _invitation_hash(invitation)
            row = connection.execute(select(invitations).where(mine)).first()
            if row is None or row.used_at or row.expires_at <= now or _count(connection) != 1:
                raise OrderError(
                    "this invitation is unknown, used or over; the first supervisor makes another with"
                    " `duanka persons invite`"
                )
            if _find(connection, second.id):
                raise OrderError(f"{second.id} is the first supervisor: the second one is somebody else")
            connection.execute(update(invitations).where(mine).values(used_at=now))
            _put_person(connection, second, now)
            key, number = _whole_key(connection, second, row.made_by, now)
            told = {**_facts(second), "key": number, "invited_by": row.made_by}
            self._trail.append(connection, [AuditEntry(now, second, "person.join", second.id, after=told)])
        return key

    # --- requests: four eyes ---

    def propose(
        self, what: PersonProposal, person: Person, by: Person, now: datetime, account: str = ""
    ) -> tuple[PersonRequest, str | None]:
        """Propose a person, a change, a key, a password or a subject; return also the first half of a key or password.

        `person`: the proposed state; for the last three only the id matters. `account`: login name for a password ("":
        the latest one, or the id), or issuer and subject (`bound_account`). OrderError, BadPerson: what is wrong.
        """
        authorize(by, Permission.PROPOSE_PERSON)
        with changing_people(self._store) as connection:
            wanted = self._checked(connection, what, person, by)
            nothing_waits(connection, wanted.id, now)
            not_too_many(connection, by)
            half, shown = _first_half(what)
            account = account_for(connection, what, wanted.id, account)
            number = new_id("P")
            row = {
                "id": number,
                "what": what.value,
                "person": wanted.id,
                **_columns(wanted),
                "half": half and half_hash(half),
                "account": account,
                "proposed_by": by.id,
                "proposed_at": now,
            }
            connection.execute(insert(person_requests).values(row))
            told = {"request": number, "what": what.value, **_facts(wanted)}
            told |= {"account": account} if account else {}
            self._trail.append(connection, [AuditEntry(now, by, "person.propose", wanted.id, after=told)])
            return request_of(request_row(connection, number)), shown

    def approve(self, number: str, by: Person, why: str, now: datetime) -> tuple[PersonRequest, str | None]:
        """Approve a request of somebody else; return also the second half of a new key or password.

        NeedsSecondPerson: `by` proposed it, or it is about them. NoSuchTransition: decided or expired.
        """
        authorize(by, Permission.APPROVE_PERSON)
        why = reason_for(why)
        with changing_people(self._store) as connection:
            row = waiting_request(connection, number, now)
            request = request_of(row)
            if same_person(by.id, request.proposed_by) or same_person(by.id, request.person.id):
                raise NeedsSecondPerson(
                    f"{by.id} proposed {number} or is whom it is about: another supervisor must approve it"
                )
            require_still_permitted(connection, request.proposed_by, Permission.PROPOSE_PERSON)
            if not self._trail.row_matches(connection, REQUESTS, number, (request.person.id,)):
                raise OrderError(
                    f"{number} was changed past the audit trail since it was proposed: reject it"
                )
            wanted = self._checked(connection, request.what, request.person, by)
            before, found_as = _find(connection, wanted.id), found(connection, PERSONS, wanted.id)
            if request.what is PersonProposal.PERSON:
                _put_person(connection, wanted, now)
            elif request.what is PersonProposal.CHANGE:
                connection.execute(
                    update(persons).where(persons.c.id == wanted.id).values(**_columns(wanted))
                )
                _two_supervisors_stay(connection, before)
            second, told = None, {"request": number, **_facts(wanted)}
            if request.what in WITH_ACCOUNT:
                second, more, replaced = put_approved(connection, self._hashing, row, by, now)
                end_sessions(connection, self._trail, wanted.id, SessionEnd.PASSWORD, by, now)
                told |= more
                found_as |= replaced
            elif row["half"]:
                second = new_half()
                hashed = key_hash(row["half"], half_hash(second))
                told["key"] = put_key(connection, wanted.id, hashed, request.proposed_by, by.id, now)
            decided = self._decide(connection, number, RequestOutcome.APPROVED, by, now)
            was = _facts(person_of(before)) if before else {}
            entry = AuditEntry(now, by, f"{request.what}.approve", wanted.id, why, was, told, found=found_as)
            self._trail.append(connection, [entry])
        self._keep_outside(now)
        return decided, second

    def reject(self, number: str, by: Person, why: str, now: datetime) -> PersonRequest:
        """Reject a request; by a supervisor."""
        authorize(by, Permission.APPROVE_PERSON)
        why = reason_for(why)
        with changing_people(self._store) as connection:
            request = request_of(waiting_request(connection, number, None))
            decided = self._decide(connection, number, RequestOutcome.REJECTED, by, now)
            told = {"request": number}
            entry = AuditEntry(now, by, f"{request.what}.reject", request.person.id, why, {}, told)
            self._trail.append(connection, [entry])
        return decided

    def disable(self, person: str, by: Person, why: str, now: datetime) -> None:
        """Disable a person, all their keys and their password for good, and end their sessions; idempotent."""
        authorize(by, Permission.DISABLE_PERSON)
        why = reason_for(why)
        with changing_people(self._store) as connection:
            row = _known(connection, person)
            if row["disabled_at"]:
                return
            gives(by, person_of(row).scope)
            found_as = found(connection, PERSONS, person)
            connection.execute(update(persons).where(persons.c.id == person).values(disabled_at=now))
            _two_supervisors_stay(connection, row)
            was = _facts(person_of(row))
            entry = AuditEntry(now, by, "person.disable", person, why, was, found=found_as)
            self._trail.append(connection, [entry])
            end_sessions(connection, self._trail, person, SessionEnd.DISABLED, by, now)
        self._keep_outside(now)

    # --- reading ---

    def list(self, by: Person) -> Sequence[ListedPerson]:
        """List all persons by id, also disabled ones."""
        authorize(by, Permission.LIST_PERSONS)
        with self._store.reading() as connection:
            rows = connection.execute(select(persons).order_by(persons.c.id)).mappings().all()
            named = names_in_force(connection)
        times = ("created_at", "disabled_at")
        return [
            ListedPerson(
                person_of(row),
                *(row[one] for one in times),
                *(named.get((row["id"], kind), "") for kind in CredentialKind),
            )
            for row in rows
        ]

    def waiting(self, by: Person) -> Sequence[PersonRequest]:
        """List pending requests, oldest first."""
        authorize(by, Permission.LIST_PERSONS)
        query = select(person_requests).where(person_requests.c.decided_at.is_(None))
        with self._store.reading() as connection:
            rows = connection.execute(query.order_by(person_requests.c.proposed_at)).mappings().all()
        return [request_of(row) for row in rows]

    # --- internal ---

    def _keep_outside(self, now: datetime) -> None:
        """Update the state kept outside of the database."""
        if self._kept_people:
            self._kept_people.keep_at_once(now)

    def _not_older(self, connection: Connection) -> None:
        """OrderError if the database is older than the kept people: a restored backup."""
        if self._kept_people and self._kept_people.is_ahead(connection):
            raise OrderError(
                "the order database is older than the list of people that is kept beside it (audit-people.json): a"
                " backup was restored; people in force in both can act as before (docs/OPERATIONS.md)"
            )

    def _checked(self, connection: Connection, what: PersonProposal, person: Person, by: Person) -> Person:
        """Return the proposed person. OrderError, BadPerson: invalid, or outside the scope of `by`."""
        if self._kept_people and self._kept_people.is_disabled(person.id):
            raise OrderError(f"{person.id} was disabled: ids are never given twice; choose another")
        wanted, before = _checked(connection, what, person), _find(connection, person.id)
        for one in (wanted, person_of(before)) if before else (wanted,):
            gives(by, one.scope)
        return wanted

    def _invite(self, connection: Connection, by: Person, now: datetime) -> str:
        """Create an invitation; earlier ones become void."""
        made = INVITATION_PREFIX + secrets.token_urlsafe(32)
        connection.execute(update(invitations).where(invitations.c.used_at.is_(None)).values(used_at=now))
        ends = now + timedelta(days=INVITATION_DAYS)
        row = {"hash": _invitation_hash(made), "made_by": by.id, "made_at": now, "expires_at": ends}
        connection.execute(insert(invitations).values(row))
        return made

    def _decide(
        self, connection: Connection, number: str, outcome: RequestOutcome, by: Person, now: datetime
    ) -> PersonRequest:
        values = {"decided_by": by.id, "decided_at": now, "outcome": outcome.value}
        connection.execute(update(person_requests).where(person_requests.c.id == number).values(values))
        return request_of(request_row(connection, number))


def _checked(connection: Connection, what: PersonProposal, person: Person) -> Person:
    """Return the proposed person. OrderError, BadPerson: it is not possible."""
    row = _find(connection, person.id)
    if what is PersonProposal.PERSON:
        person_id(person.id)
        if row:
            raise OrderError(f"{person.id} is somebody already: ids are never given twice; choose another")
    elif row is None or row["disabled_at"]:
        raise OrderError(f"nobody in force has the id {person.id[:32]!r}; `duanka persons list` names them")
    if what in (PersonProposal.KEY, *WITH_ACCOUNT) and row:
        return person_of(row)
    if person.role not in WITH_KEYS:
        raise OrderError(f"nobody is {person.role}; roles of people: {', '.join(WITH_KEYS)}")
    return Person(person.id, person.role, display_name(person.display_name), person.scope)


def _first_half(what: PersonProposal) -> tuple[str | None, str | None]:
    """Draw the first half of a key or password; also as it is shown. None for a change or a subject."""
    if what in (PersonProposal.CHANGE, PersonProposal.SUBJECT):
        return None, None
    if what is PersonProposal.PASSWORD:
        return (half := new_password_half()), half
    return (half := new_half()), f"{PREFIX}{half}"


def _two_supervisors_stay(connection: Connection, before: RowMapping | None) -> None:
    """OrderError if fewer than two supervisors remained: nobody could be approved."""
    if before and gives_all(before) and supervisors_with_keys(connection) < 2:
        raise OrderError(
            f"without {before['id']} fewer than two supervisors of all operators and cities could act, and nobody"
            " could be added any more: add another supervisor first"
        )


def _whole_key(connection: Connection, person: Person, by: str, now: datetime) -> tuple[str, str]:
    """Create a key at set-up, shown whole to its owner; return it and its id."""
    first, second = new_half(), new_half()
    hashed = key_hash(half_hash(first), half_hash(second))
    return f"{PREFIX}{first}{second}", put_key(connection, person.id, hashed, by[:32], person.id, now)


def _find(connection: Connection, person: str) -> RowMapping | None:
    return connection.execute(select(persons).where(persons.c.id == person)).mappings().first()


def _known(connection: Connection, person: str) -> RowMapping:
    row = _find(connection, person)
    if row is None:
        raise UnknownOrder(f"nobody has the id {person[:32]!r}; `duanka persons list` names them")
    return row


def _count(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(persons)).scalar_one())


def _put_person(connection: Connection, person: Person, now: datetime) -> None:
    connection.execute(insert(persons).values(id=person.id, **_columns(person), created_at=now))


def _columns(person: Person) -> dict[str, str]:
    return {
        "display_name": person.display_name,
        "role": person.role.value,
        "operators": "|".join(sorted(person.scope.operators)),
        "cities": "|".join(sorted(person.scope.cities)),
    }


def _facts(person: Person) -> dict[str, object]:
    """Return the audited fields of a person."""
    return {name: value for name, value in _columns(person).items() if value}


def _invitation_hash(invitation: str) -> str:
    return hashlib.sha256(invitation.encode()).hexdigest()
