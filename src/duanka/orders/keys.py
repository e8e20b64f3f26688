"""Keys of the people who act: 256 bits by lot, shown once; the database knows only their SHA-256."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update

from duanka.domain.order import OrderError, Person, Role
from duanka.orders.audit import Entry, Trail
from duanka.orders.rows import new_id
from duanka.orders.store import Store
from duanka.orders.tables import keys

PREFIX = "dk_"  # so that whoever finds one in a text, a person or a scanner of secrets, knows what it is
_KEY = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
_NEVER = (Role.SYSTEM, Role.HOLDER)  # ourselves; a holder comes by the link in the notice


@dataclass(frozen=True)
class Key:
    """What is known of a key; never the key itself."""

    id: str
    person: Person
    created_at: datetime
    revoked_at: datetime | None


class Keys:
    """Gives keys out, knows whose one is, and takes them back; each of it in the audit trail."""

    def __init__(self, store: Store, trail: Trail) -> None:
        self._store, self._trail = store, trail

    def add(self, person: str, role: Role, by: Person, now: datetime) -> str:
        """A new key for `person`, who may have others; it cannot be shown again. OrderError: no such name or role."""
        name = person.strip()
        if not _NAME.fullmatch(name):
            raise OrderError(
                "a key needs the name of a person, up to 64 letters; it stands in the audit trail"
            )
        if role in _NEVER:
            given = ", ".join(one for one in Role if one not in _NEVER)
            raise OrderError(f"no keys are given to {role}; roles with keys: {given}")
        key = PREFIX + secrets.token_urlsafe(32)
        number = new_id("K")
        row = {
            "id": number,
            "person": name,
            "role": role.value,
            "hash": _hash(key),
            "created_at": now,
        }
        told = {"person": name, "role": role.value}
        with self._store.writing() as connection:
            connection.execute(insert(keys).values(row))
            self._trail.append(connection, [Entry(now, by, "key.add", number, after=told)])
        return key

    def who(self, key: str) -> Person | None:
        """Whose key this is; None: nobody's, or it was taken back."""
        if not _KEY.fullmatch(key):
            return None
        wanted = _hash(key)
        with self._store.reading() as connection:
            found = select(keys).where(keys.c.hash == wanted, keys.c.revoked_at.is_(None))
            row = connection.execute(found).first()
        if row is None or not hmac.compare_digest(row.hash, wanted):
            return None
        return Person(row.person, Role(row.role))

    def revoke(self, number: str, by: Person, why: str, now: datetime) -> None:
        """Take a key back, by its id; again is harmless. OrderError: there is no such key."""
        with self._store.writing() as connection:
            row = connection.execute(select(keys).where(keys.c.id == number)).first()
            if row is None:
                raise OrderError(f"no key {number!r}; `duanka keys list` names them")
            gone = update(keys).where(keys.c.id == number, keys.c.revoked_at.is_(None)).values(revoked_at=now)
            if connection.execute(gone).rowcount:
                told = {"person": row.person, "role": row.role}
                self._trail.append(connection, [Entry(now, by, "key.revoke", number, why, before=told)])

    def list(self) -> Sequence[Key]:
        """Every key that was given, the oldest first."""
        with self._store.reading() as connection:
            rows = connection.execute(select(keys).order_by(keys.c.created_at, keys.c.id)).all()
        return [
            Key(row.id, Person(row.person, Role(row.role)), row.created_at, row.revoked_at) for row in rows
        ]


def _hash(key: str) -> str:
    # no slow hash: 256 bits by lot cannot be guessed, and every request asks
    return hashlib.sha256(key.encode()).hexdigest()
