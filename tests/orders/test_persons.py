"""People are rows, made by two: nobody makes themselves a second person."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from duanka.domain.order import (
    NeedsSecondPerson,
    NoSuchTransition,
    OrderError,
    PermissionDenied,
    Person,
    Role,
    UnknownOrder,
)
from duanka.domain.person import RESERVED_IDS, BadPerson, Scope, display_name, person_id, scope_of
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit
from duanka.ledger.people.persons import INVITATION_DAYS, Persons
from duanka.ledger.people.requests import REQUEST_DAYS, PersonProposal
from support.orders.books import HOUR, KEY, NOW
from support.people import AT, FIRST, SECOND, People
from support.typed_desk import TypedDesk

TRAIL = Trail(KEY)
DAY = timedelta(days=1)


def test_an_order_database_begins_with_a_first_supervisor_and_an_invitation_for_the_second(
    store: Store,
) -> None:
    people = People(store, TRAIL)
    assert [one.person.id for one in people.persons.list(FIRST)] == [FIRST.id, SECOND.id]
    assert {people.who(one.id).role for one in (FIRST, SECOND)} == {Role.SUPERVISOR}
    with pytest.raises(OrderError, match="has people already"):
        people.persons.begin("third", "third", "a test", NOW)
    with pytest.raises(OrderError, match="there is a second person already"):
        people.persons.invite(FIRST, NOW)
    assert not [found for found in TRAIL.verify(store) if isinstance(found, Fault)]


def test_an_invitation_is_good_once_for_somebody_else_and_for_a_time(store: Store) -> None:
    persons = Persons(store, TRAIL)
    _, first = persons.begin("wang", "wang", "a test", AT)
    for wrong in ("", "di_", "di_" + "A" * 43):
        with pytest.raises(OrderError, match="unknown, used or over"):
            persons.join(wrong, "li", "li", AT)
    with pytest.raises(OrderError, match="somebody else"):
        persons.join(first, "wang", "wang", AT)
    with pytest.raises(OrderError, match="unknown, used or over"):
        persons.join(first, "li", "li", AT + INVITATION_DAYS * DAY)
    with pytest.raises(PermissionDenied):
        persons.invite(Person("wang", Role.DESK), AT)
    again = persons.invite(Person("wang", Role.SUPERVISOR), AT)
    with pytest.raises(OrderError, match="unknown, used or over"):
        persons.join(first, "li", "li", AT)
    persons.join(again, "li", "li", AT)
    with pytest.raises(OrderError, match="unknown, used or over"):
        persons.join(again, "zhao", "zhao", AT)


@pytest.mark.parametrize("what", [PersonProposal.PERSON, PersonProposal.CHANGE, PersonProposal.KEY])
def test_what_is_proposed_of_a_person_is_approved_by_another_supervisor(
    store: Store, what: PersonProposal
) -> None:
    people = People(store, TRAIL)
    people.add("zhao", Role.DESK)
    people.add("chen", Role.SUPERVISOR)
    persons = people.persons
    about = Person("mallory" if what is PersonProposal.PERSON else "zhao", Role.SUPERVISOR, "m")
    asked, half = persons.propose(what, about, FIRST, NOW)
    assert (half is None) == (what is PersonProposal.CHANGE)
    for by, error in (
        (FIRST, NeedsSecondPerson),
        (replace(FIRST, display_name="somebody else"), NeedsSecondPerson),
        (people.who("zhao"), PermissionDenied),
        (Person("ministry", Role.REGULATOR), PermissionDenied),
        (Person("liaison", Role.POLICE), PermissionDenied),
    ):
        with pytest.raises(error):
            persons.approve(asked.id, by, "it is fine", NOW)
    with pytest.raises(OrderError, match="say why"):
        persons.approve(asked.id, SECOND, " ", NOW)
    if half:
        assert people.keys.who(half) is None
    assert [one.id for one in persons.waiting(FIRST)] == [asked.id]
    done, other = persons.approve(asked.id, SECOND, "seen with the document", NOW)
    assert (done.outcome, done.decided_by, persons.waiting(FIRST)) == ("approved", SECOND.id, [])
    listed = {one.person.id: one.person.role for one in persons.list(FIRST)}
    if what is PersonProposal.KEY:
        assert listed["zhao"] is Role.DESK, "a key changes no role"
    else:
        assert listed[about.id] is Role.SUPERVISOR
    if half:
        assert people.keys.who(f"{half}{other}") == Person(about.id, listed[about.id])
    with pytest.raises(NoSuchTransition, match="was approved"):
        persons.approve(asked.id, people.who("chen"), "again", NOW)
    with store.reading() as connection:
        rows = connection.execute(select(audit).where(audit.c.subject == about.id).order_by("seq")).all()
    assert [(row.who, row.what) for row in rows][-2:] == [
        (FIRST.id, "person.propose"),
        (SECOND.id, f"{what}.approve"),
    ]


def test_nobody_approves_what_is_about_themselves(store: Store) -> None:
    people = People(store, TRAIL)
    people.add("zhao", Role.DESK)
    narrow = Person("chen", Role.SUPERVISOR, "chen", Scope(cities=frozenset({"石家庄"})))
    people.add("chen", Role.SUPERVISOR, narrow.scope)
    wider = replace(narrow, scope=Scope())
    asked, _ = people.persons.propose(PersonProposal.CHANGE, wider, people.who("zhao"), NOW)
    with pytest.raises(NeedsSecondPerson):
        people.persons.approve(asked.id, people.who("chen"), "I need it", NOW)
    people.persons.approve(asked.id, FIRST, "moved to the head office", NOW)
    assert people.who("chen").scope == Scope()


def test_what_was_rejected_or_waited_too_long_gives_no_key(store: Store) -> None:
    people = People(store, TRAIL)
    asked, _ = people.persons.propose(PersonProposal.PERSON, Person("zhao", Role.DESK, "z"), FIRST, NOW)
    with pytest.raises(OrderError, match="waits already"):
        people.persons.propose(PersonProposal.PERSON, Person("zhao", Role.POLICE, "z"), FIRST, NOW)
    people.persons.reject(asked.id, FIRST, "a mistake", NOW)
    with pytest.raises(NoSuchTransition, match="was rejected"):
        people.persons.approve(asked.id, SECOND, "fine", NOW)
    old, _ = people.persons.propose(PersonProposal.PERSON, Person("zhao", Role.DESK, "z"), FIRST, NOW)
    late = NOW + REQUEST_DAYS * DAY
    with pytest.raises(NoSuchTransition, match="propose it anew"):
        people.persons.approve(old.id, SECOND, "fine", late)
    new, _ = people.persons.propose(PersonProposal.PERSON, Person("zhao", Role.DESK, "z"), FIRST, late)
    people.persons.approve(new.id, SECOND, "fine", late)
    with pytest.raises(OrderError, match="somebody already"):
        people.persons.propose(PersonProposal.PERSON, Person("zhao", Role.DESK, "z"), FIRST, late)


def test_who_is_disabled_acts_no_more(store: Store) -> None:
    people = People(store, TRAIL)
    people.add("zhao", Role.DESK)
    with pytest.raises(PermissionDenied):
        people.persons.disable("zhao", people.who("zhao"), "me", NOW)
    people.persons.disable("zhao", FIRST, "left", NOW)
    people.persons.disable("zhao", FIRST, "left", NOW + HOUR)
    assert people.keys.who(people.given["zhao"]) is None
    with pytest.raises(OrderError, match="nobody in force"):
        people.persons.propose(PersonProposal.KEY, Person("zhao", Role.DESK), FIRST, NOW)
    with pytest.raises(UnknownOrder):
        people.persons.disable("nobody.else", FIRST, "left", NOW)


@pytest.mark.parametrize("how", ["disable", "demote"])
def test_the_last_two_supervisors_stay(store: Store, how: str) -> None:
    people = People(store, TRAIL)
    people.add("zhao", Role.DESK)

    def without_second() -> None:
        if how == "disable":
            people.persons.disable(SECOND.id, FIRST, "left", NOW)
            return
        demoted = Person(SECOND.id, Role.DESK, "乙")
        asked, _ = people.persons.propose(PersonProposal.CHANGE, demoted, people.who("zhao"), NOW)
        people.persons.approve(asked.id, FIRST, "moved", NOW)

    with pytest.raises(OrderError, match="another supervisor first"):
        without_second()
    assert people.who(SECOND.id).role is Role.SUPERVISOR
    waiting = people.persons.waiting(FIRST)
    for one in waiting:
        people.persons.reject(one.id, FIRST, "not yet", NOW)
    people.add("chen", Role.SUPERVISOR)
    without_second()
    assert [one.person.role for one in people.persons.list(FIRST) if not one.disabled_at].count(
        Role.SUPERVISOR
    ) == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "w",
        "x" * 33,
        "Wang",
        "wang li",
        "wáng",
        "ｗａｎｇ",
        "wang\u200b",
        "wаng",
        "wang\n",
        "..",
        "--",
        "王伟",
        *sorted(RESERVED_IDS),
    ],
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(BadPerson):
        person_id(text)


@pytest.mark.parametrize("text", ["wang", "wang.wei", "w2", "li_3-a", "x" * 32])
def test_what_is_an_id(text: str) -> None:
    assert person_id(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "wаng",
        "Wang\u200b",
        "W\u202eang",
        "wang\x07",
        "a\nb",
        "ㅤ",
        "x" * 65,
        "王ᅟ伟",
        "王️",
        "a\xa0b",
        "Αlpha",
        "\ue000",
    ],
)
def test_a_name_that_is_not_what_it_looks_like_is_refused(text: str) -> None:
    with pytest.raises(BadPerson):
        display_name(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("王伟", "王伟"),
        ("  王  伟 ", "王 伟"),
        ("Ｗang", "Wang"),
        ("王伟 (Wang Wei)", "王伟 (Wang Wei)"),
        ("阿迪力·买买提", "阿迪力·买买提"),
        ("O'Brien-Smith", "O'Brien-Smith"),
        ("王\u3000伟", "王 伟"),
    ],
)
def test_a_name_is_shown_in_one_form(text: str, shown: str) -> None:
    assert display_name(text) == shown


@given(st.text(max_size=70))
def test_a_name_that_is_taken_is_taken_again_and_shows_nothing_invisible(text: str) -> None:
    try:
        shown = display_name(text)
    except BadPerson:
        return
    assert display_name(shown) == shown
    assert shown.isprintable()


def test_a_scope_has_bounds() -> None:
    assert scope_of(["河北移动"], []) == Scope(frozenset({"河北移动"}))
    for wrong in (["a|b"], [""], ["x" * 41], [str(n) for n in range(65)], ["a\nb"]):
        with pytest.raises(BadPerson):
            scope_of(wrong, [])
        with pytest.raises(BadPerson):
            scope_of([], wrong)


def test_the_roles_of_nobody_cannot_be_given(store: Store) -> None:
    people = People(store, TRAIL)
    for role in (Role.SYSTEM, Role.HOLDER):
        with pytest.raises(OrderError, match="nobody is"):
            people.persons.propose(PersonProposal.PERSON, Person("zhao", role, "z"), FIRST, NOW)


def test_what_one_person_proposes_of_people_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("duanka.ledger.people.requests.MOST_WAITING", 2)
    people = People(store, TRAIL)
    people.add("wang", Role.DESK)
    for number in range(2):
        asked, _ = people.persons.propose(
            PersonProposal.PERSON, Person(f"new.{number}", Role.DESK, "new"), people.who("wang"), NOW
        )
    third = Person("new.2", Role.DESK, "new")
    with pytest.raises(OrderError, match="wait already"):
        people.persons.propose(PersonProposal.PERSON, third, people.who("wang"), NOW)
    people.persons.reject(asked.id, FIRST, "who is that", NOW)
    people.persons.propose(PersonProposal.PERSON, third, people.who("wang"), NOW)


def test_who_begins_where_people_are_is_told_of_another_folder(tmp_path: Path) -> None:
    desk = TypedDesk(tmp_path / "orders")
    for words in (("persons", "init", "zhao"), ("demo", "--trust", str(tmp_path / "police.pub"))):
        said = desk.type("li", *words)
        assert said.code == 2
        assert "orders.sqlite has people" in said.text
        assert re.search(r"name (another|a\s+new) folder", said.text), said.text
