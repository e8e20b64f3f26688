from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from books import HOUR, KEY, NOW
from duanka.domain.order import SYSTEM, OrderError, Person, Role
from duanka.orders.audit import Fault, Trail
from duanka.orders.keys import Keys
from duanka.orders.store import Store
from duanka.orders.tables import audit
from duanka.orders.tables import keys as table

TRAIL = Trail(KEY)


def test_a_key_says_who_acts_until_it_is_taken_back(store: Store) -> None:
    keys = Keys(store, TRAIL)
    mine, other = keys.add("wang", Role.DESK, SYSTEM, NOW), keys.add(" li ", Role.SUPERVISOR, SYSTEM, NOW)
    assert keys.who(mine) == Person("wang", Role.DESK)
    assert keys.who(other) == Person("li", Role.SUPERVISOR)
    number = next(key.id for key in keys.list() if key.person.id == "wang")
    keys.revoke(number, Person("li", Role.SUPERVISOR), "left the desk", NOW + HOUR)
    keys.revoke(number, Person("li", Role.SUPERVISOR), "again", NOW + 2 * HOUR)
    assert keys.who(mine) is None
    assert keys.who(other)
    assert [(key.person.id, key.revoked_at) for key in keys.list() if key.revoked_at] == [
        ("wang", NOW + HOUR)
    ]
    with store.reading() as connection:
        trail = [(row.what, row.who, row.why) for row in connection.execute(select(audit).order_by("seq"))]
    assert trail == [
        ("key.add", "duanka", ""),
        ("key.add", "duanka", ""),
        ("key.revoke", "li", "left the desk"),
    ]
    assert not [found for found in TRAIL.verify(store) if isinstance(found, Fault)]


def test_a_key_has_256_bits_and_the_database_does_not_hold_it(store: Store) -> None:
    keys = Keys(store, TRAIL)
    given = [keys.add("wang", Role.DESK, SYSTEM, NOW) for _ in range(5)]
    assert len(set(given)) == 5
    assert all(re.fullmatch(r"dk_[A-Za-z0-9_-]{43}", key) for key in given)
    with store.reading() as connection:
        kept = "".join(str(row) for name in (table, audit) for row in connection.execute(select(name)).all())
    assert not [key for key in given if key[3:] in kept]


@pytest.mark.parametrize(
    "key", ["", "dk_", "dk_" + "A" * 43, "dk_" + "é" * 43, "A" * 46, "dk_" + "A" * 10_000]
)
def test_nobody_has_an_unknown_key(store: Store, key: str) -> None:
    keys = Keys(store, TRAIL)
    keys.add("wang", Role.DESK, SYSTEM, NOW)
    assert keys.who(key) is None


@pytest.mark.parametrize(
    ("name", "role"),
    [("", Role.DESK), (" ", Role.DESK), ("a\nb", Role.DESK), ("x", Role.SYSTEM), ("x", Role.HOLDER)],
)
def test_a_key_needs_a_person(store: Store, name: str, role: Role) -> None:
    with pytest.raises(OrderError):
        Keys(store, TRAIL).add(name, role, SYSTEM, NOW)


def test_an_unknown_key_cannot_be_taken_back(store: Store) -> None:
    with pytest.raises(OrderError, match="keys list"):
        Keys(store, TRAIL).revoke("K1", SYSTEM, "why", NOW)
