"""API keys: two random halves of 128 bits, shown once; only a SHA-256 is stored.

The proposer of a key is shown one half and the approver the other, so neither can act as its owner.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, insert, select, update

from duanka.domain.authority import Permission, authorize, gives, may
from duanka.domain.bounds import reason_for
from duanka.domain.order import NeedsSecondPerson, OrderError, PermissionDenied, Person, Role
from duanka.domain.person import same_person
from duanka.ledger.audit.row_digests import KEYS, PERSONS, AuditedTable, found
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.rows import new_id, person_of
from duanka.ledger.db.tables import audit_head
from duanka.ledger.db.tables_people import keys, persons
from duanka.ledger.people.kept_people import KeptPeople

_log = logging.getLogger("duanka.ledger.people.keys")

PREFIX = "dk_"  # identifies a key found in a text, for people and secret scanners
_HALF_BYTES, _HALF_LETTERS = 16, 22
_KEY = re.compile(rf"{PREFIX}([A-Za-z0-9_-]{{{_HALF_LETTERS}}})([A-Za-z0-9_-]{{{_HALF_LETTERS}}})")
_WHOLE_KEY = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")  # of release 0.1.0: not in halves


@dataclass(frozen=True)
class Key:
    """Data about a key, without the key itself."""

    id: str
    person: Person
    created_at: datetime
    proposed_by: str
    approved_by: str
    revoked_at: datetime | None


class Keys:
    """Authenticates, lists and revokes keys; `ledger/people/persons.py` issues them.

    `kept`: state of people outside of the database; None: none.
    """

    def __init__(self, store: Store, trail: Trail, kept: KeptPeople | None = None) -> None:
        self._store, self._trail, self._kept_people = store, trail, kept

    def who(self, key: str) -> Person | None:
        """Return the owner of a key; None: unknown, revoked, or the owner is disabled.

        Rows that differ from the trail count for nothing, so writing into the database gives nobody access.
        """
        if (wanted := _hash_of(key)) is None:
            return None
        with self._store.reading() as connection:
            in_force = (keys.c.hash == wanted, keys.c.revoked_at.is_(None))
            row = connection.execute(select(keys).where(*in_force)).mappings().first()
            if row is None or not hmac.compare_digest(row["hash"], wanted):
                return None
            acts = owner_of(connection, self._trail, KEYS, row)
        if acts is None:
            return None
        return self._kept_people.with_kept_role(acts, row["id"]) if self._kept_people else acts

    def revoke(self, number: str, by: Person, why: str, now: datetime) -> None:
        """Revoke a key at once, by its id; idempotent.

        PermissionDenied: needs a supervisor or the key's owner. OrderError: no such key, or the last key of one of
        the last two supervisors, without whom no key could ever be issued again.
        """
        authorize(by, Permission.REVOKE_KEY)
        reason_for(why, "the key is revoked")
        with changing_people(self._store) as connection:
            row = connection.execute(select(keys).where(keys.c.id == number)).mappings().first()
            if row is None:
                raise OrderError(f"no key {number!r}; `duanka keys list` names them")
            if by.role is not Role.SUPERVISOR and not same_person(by.id, row["person"]):
                raise PermissionDenied(f"{number} is not a key of {by.id}; it takes a supervisor")
            owner = (
                connection.execute(select(persons).where(persons.c.id == row["person"])).mappings().first()
            )
            if owner and not same_person(by.id, owner["id"]):
                gives(by, person_of(owner).scope)
            was = found(connection, KEYS, number)
            gone = update(keys).where(keys.c.id == number, keys.c.revoked_at.is_(None)).values(revoked_at=now)
            if connection.execute(gone).rowcount:
                if owner and gives_all(owner) and supervisors_with_keys(connection) < 2:
                    raise OrderError(
                        f"{number} is the last key of one of the last two supervisors, and a new key takes two people:"
                        f" give {row['person']} a new key first (`duanka keys add {row['person']}`)"
                    )
                told = {"person": row["person"]}
                entry = AuditEntry(now, by, "key.revoke", number, why, before=told, found=was)
                self._trail.append(connection, [entry])
        if self._kept_people:
            self._kept_people.keep_at_once(now)

    def list(self, by: Person) -> Sequence[Key]:
        """List all issued keys, oldest first."""
        authorize(by, Permission.LIST_PERSONS)
        names = ("created_at", "proposed_by", "approved_by", "revoked_at")
        query = select(
            persons, keys.c.id.label("key_id"), *(keys.c[name].label(f"key_{name}") for name in names)
        ).join(keys, keys.c.person == persons.c.id)
        with self._store.reading() as connection:
            rows = connection.execute(query.order_by(keys.c.created_at, keys.c.id)).mappings().all()
        return [Key(row["key_id"], person_of(row), *(row[f"key_{name}"] for name in names)) for row in rows]


def owner_of(connection: Connection, trail: Trail, table: AuditedTable, row: RowMapping) -> Person | None:
    """The enabled person whose key, credential or session a row is; None: not enabled, or changed past the trail."""
    owner = (persons.c.id == row["person"], persons.c.disabled_at.is_(None))
    person = connection.execute(select(persons).where(*owner)).mappings().first()
    if person is None:
        return None
    for audited, one in ((table, row), (PERSONS, person)):
        about = (person["id"], row["id"])
        if not trail.row_matches(connection, audited, one["id"], about, audited.digest(one)):
            _log.warning("%s is not as the audit trail left it: %s opens nothing", one["id"], row["id"])
            return None
    return person_of(person)


def _hash_of(key: str) -> str | None:
    """Return the stored hash for a key; None: malformed."""
    if halves := _KEY.fullmatch(key):
        return key_hash(half_hash(halves[1]), half_hash(halves[2]))
    return half_hash(key) if _WHOLE_KEY.fullmatch(key) else None


def new_half() -> str:
    """Create a random half of a key."""
    return secrets.token_urlsafe(_HALF_BYTES)


def half_hash(half: str) -> str:
    """Hash a half, to store it until the other one exists."""
    return hashlib.sha256(half.encode()).hexdigest()


def key_hash(first: str, second: str) -> str:
    """Hash a key from the hashes of its halves."""
    # no slow hash: 256 random bits cannot be guessed, and every request computes it
    return hashlib.sha256(f"{first} {second}".encode()).hexdigest()


def put_key(
    connection: Connection, person: str, hashed: str, proposed_by: str, approved_by: str, now: datetime
) -> str:
    """Insert a key; return its id. The caller audits it in the same transaction."""
    number = new_id("K")
    row = {"id": number, "person": person, "hash": hashed, "created_at": now}
    connection.execute(insert(keys).values(**row, proposed_by=proposed_by, approved_by=approved_by))
    return number


@contextmanager
def changing_people(store: Store) -> Iterator[Connection]:
    """A transaction that changes people: what it reads stays true until its end."""
    with store.writing() as connection:
        connection.execute(select(audit_head.c.seq).with_for_update())
        yield connection


def require_still_permitted(connection: Connection, proposed_by: str, permission: Permission) -> None:
    """NeedsSecondPerson if the proposer or first witness has lost the permission."""
    row = connection.execute(select(persons).where(persons.c.id == proposed_by)).mappings().first()
    if row and (row["disabled_at"] or not may(Role(row["role"]), permission)):
        since = "was disabled" if row["disabled_at"] else f"became {row['role']}"
        raise NeedsSecondPerson(
            f"{proposed_by} {since} since, and their word does not count any more: reject it, and let somebody else"
            " begin"
        )


def gives_all(person: Mapping[Any, Any]) -> bool:
    """Whether the person is a supervisor for all operators and cities."""
    return person_of(person).role is Role.SUPERVISOR and person_of(person).scope.everywhere


def supervisors_with_keys(connection: Connection) -> int:
    """Count active supervisors of everything: only they can pass on all rights."""
    everywhere = (persons.c.operators == "", persons.c.cities == "")
    return people_with_keys(connection, persons.c.role == Role.SUPERVISOR.value, *everywhere)


def people_with_keys(connection: Connection, *which: ColumnElement[bool]) -> int:
    """Count people who can act: not disabled, and with a key in force."""
    query = (
        select(func.count(persons.c.id.distinct()))
        .join(keys, keys.c.person == persons.c.id)
        .where(persons.c.disabled_at.is_(None), keys.c.revoked_at.is_(None), *which)
    )
    return int(connection.execute(query).scalar_one())
