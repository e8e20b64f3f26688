from __future__ import annotations

import re

import pytest
from sqlalchemy import delete, insert, select, update

from duanka.domain.order import OrderError, PermissionDenied, Person, Role
from duanka.domain.person import Scope
from duanka.ledger.audit.row_digests import PERSONS
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit
from duanka.ledger.db.tables_people import invitations, person_requests, persons
from duanka.ledger.db.tables_people import keys as table
from duanka.ledger.people.keys import Keys, half_hash, key_hash, new_half
from duanka.ledger.people.requests import PersonProposal
from support.orders.books import HOUR, KEY, NOW
from support.people import FIRST, SECOND, People

TRAIL = Trail(KEY)


def test_a_key_says_who_acts_until_it_is_revoked(store: Store) -> None:
    people = People(store, TRAIL)
    mine, other = people.add("wang", Role.DESK), people.add("li", Role.DESK)
    keys = people.keys
    assert (keys.who(mine), keys.who(other)) == (Person("wang", Role.DESK), Person("li", Role.DESK))
    number = next(key.id for key in keys.list(FIRST) if key.person.id == "wang")
    with pytest.raises(PermissionDenied, match="not a key of li"):
        keys.revoke(number, people.who("li"), "for a joke", NOW)
    with pytest.raises(OrderError, match="say why"):
        keys.revoke(number, FIRST, " ", NOW)
    keys.revoke(number, people.who("wang"), "left the desk", NOW + HOUR)
    keys.revoke(number, FIRST, "again", NOW + 2 * HOUR)
    assert keys.who(mine) is None
    assert keys.who(other)
    assert [(key.person.id, key.revoked_at) for key in keys.list(FIRST) if key.revoked_at] == [
        ("wang", NOW + HOUR)
    ]
    with store.reading() as connection:
        rows = connection.execute(select(audit).where(audit.c.what == "key.revoke")).all()
    assert [(row.who, row.subject, row.why) for row in rows] == [("wang", number, "left the desk")]
    assert not [found for found in TRAIL.verify(store) if isinstance(found, Fault)]


def test_a_key_has_256_bits_and_the_database_does_not_hold_it(store: Store) -> None:
    people = People(store, TRAIL)
    given = [people.add(f"wang.{n}", Role.DESK) for n in range(3)] + list(people.given.values())
    assert len(set(given)) == 5
    assert all(re.fullmatch(r"dk_[A-Za-z0-9_-]{44}", key) for key in given)
    names = (table, audit, person_requests, invitations)
    with store.reading() as connection:
        kept = "".join(str(row) for name in names for row in connection.execute(select(name)).all())
    assert not [key for key in given if key[3:25] in kept or key[25:] in kept]


@pytest.mark.parametrize(
    "key", ["", "dk_", "dk_" + "A" * 44, "dk_" + "A" * 43, "dk_" + "é" * 44, "A" * 47, "dk_" + "A" * 10_000]
)
def test_nobody_has_an_unknown_key(store: Store, key: str) -> None:
    assert People(store, TRAIL).keys.who(key) is None


def test_half_a_key_opens_nothing(store: Store) -> None:
    people = People(store, TRAIL)
    key = people.add("wang", Role.DESK)
    for half in (
        key[:25],
        "dk_" + key[25:],
        key[:25] * 2,
        "dk_" + key[25:] * 2,
        "dk_" + key[25:] + key[3:25],
    ):
        assert people.keys.who(half) is None


def test_an_unknown_key_cannot_be_revoked(store: Store) -> None:
    with pytest.raises(OrderError, match="keys list"):
        Keys(store, TRAIL).revoke("K1", SECOND, "why", NOW)


def test_two_supervisors_who_can_act_are_always_left(store: Store) -> None:
    people = People(store, TRAIL)
    for one in people.keys.list(FIRST):
        with pytest.raises(OrderError, match="new key first"):
            people.keys.revoke(one.id, FIRST, "lost", NOW)
    people.add("third", Role.SUPERVISOR)
    mine = next(one.id for one in people.keys.list(FIRST) if one.person.id == FIRST.id)
    people.keys.revoke(mine, SECOND, "lost", NOW)
    assert people.keys.who(people.given[FIRST.id]) is None


def test_a_key_that_was_put_in_past_the_trail_opens_nothing(store: Store) -> None:
    people = People(store, TRAIL)
    people.add("wang_x", Role.DESK)
    one, two = new_half(), new_half()
    forged = {"id": "KAAAAAAAAAAAA", "hash": key_hash(half_hash(one), half_hash(two)), "created_at": NOW}
    with store.writing() as connection:
        connection.execute(
            insert(table).values(**forged, person="wang_x", proposed_by=FIRST.id, approved_by=SECOND.id)
        )
    assert people.keys.who(f"dk_{one}{two}") is None
    assert people.who("wang_x").role is Role.DESK


@pytest.mark.parametrize(
    "changed", [{"disabled_at": None}, {"role": "supervisor"}, {"operators": ""}, {"display_name": "other"}]
)
def test_a_person_who_was_changed_past_the_trail_opens_nothing(
    store: Store, changed: dict[str, object]
) -> None:
    people = People(store, TRAIL)
    mine = people.add("wang", Role.DESK, Scope(frozenset({"河北移动"})))
    if "disabled_at" in changed:
        people.persons.disable("wang", FIRST, "left", NOW)
    with store.writing() as connection:
        connection.execute(update(persons).where(persons.c.id == "wang").values(changed))
    assert people.keys.who(mine) is None


def test_an_older_key_or_person_put_back_by_sql_opens_nothing(store: Store) -> None:
    """What the trail said once is not what it says last."""
    people = People(store, TRAIL)
    mine, other = people.add("wang", Role.DESK), people.add("li", Role.SUPERVISOR)
    rows = {}
    with store.reading() as connection:
        for each in (table, persons):
            rows[each] = connection.execute(select(each)).mappings().all()
    (number,) = (row["id"] for row in rows[table] if row["person"] == "wang")
    people.keys.revoke(number, FIRST, "lost", NOW)
    asked, _ = people.persons.propose(PersonProposal.CHANGE, Person("li", Role.DESK, "li"), FIRST, NOW)
    people.persons.approve(asked.id, SECOND, "less", NOW)
    with store.writing() as connection:
        for each in (table, persons):
            connection.execute(delete(each))
            connection.execute(insert(each), [dict(row) for row in rows[each]])
    assert people.keys.who(mine) is None
    assert people.keys.who(other) is None
    assert people.who(FIRST.id) == FIRST


def test_an_entry_that_somebody_wrote_into_the_trail_gives_no_key(store: Store) -> None:
    people = People(store, TRAIL)
    mine = people.add("wang", Role.DESK)
    with store.writing() as connection:
        connection.execute(update(persons).where(persons.c.id == "wang").values(role="supervisor"))
        row = connection.execute(select(persons).where(persons.c.id == "wang")).mappings().one()
        last = connection.execute(select(audit).order_by(audit.c.seq.desc()).limit(1)).mappings().one()
        digests = f'{{"persons/wang":"{PERSONS.digest(row)}"}}'
        told = {**last, "seq": last["seq"] + 1, "subject": "wang", "digests": digests}
        connection.execute(insert(audit).values(told))
    assert people.keys.who(mine) is None
