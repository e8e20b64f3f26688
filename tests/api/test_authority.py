"""Every role tries every act through every door, and each door says what the one table says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import EnumType
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap import scan as app
from duanka.bootstrap.settings import Settings
from duanka.casework.clues.answers import Answer
from duanka.cli import main as cli
from duanka.domain.authority import Permission, authorize, may, move_permission
from duanka.domain.counter_check import CounterCheck, Document
from duanka.domain.disavowal import DisavowalSeen
from duanka.domain.headline import HeadlineFigure
from duanka.domain.order import (
    TRANSITIONS,
    Event,
    Grounds,
    Kind,
    NoSuchTransition,
    Order,
    OrderError,
    PermissionDenied,
    State,
    next_state,
)
from duanka.domain.person import WITH_KEYS, Person, Role, Scope
from duanka.domain.record_lookups import Basis, BasisKind
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from duanka.ledger.lookups import LookupContext
from duanka.ledger.people.requests import PersonProposal
from duanka.orders.queries.service import Filter, ViewerContext
from duanka.orders.service import OrderService
from support.api.desks import NOW, TestDesk, card, demand, desk_on
from support.doors import PROCESSES, RECORDS, all_commands, commands
from support.orders.books import receive
from support.people import People
from test_access import WHO

# how an order database begins, or is upgraded: nobody has a key then that could be asked for
SET_UP = {"init", "persons init", "persons join", "database status", "database upgrade"}
BY_FOLDER = {
    "store status",  # who may read the folder; it tells nothing of a single card
    "clues verify",  # who may read the folder: whether its files are as they were signed
}
# on files that belong to an order database they ask the table as well: tests/test_ring_access.py
BY_OWNER = {"links build", "links around", "links rings", "links outlets", "links devices"}
SEEN = CounterCheck(Document.ID_CARD, "counter", True, True, True)
NOT_MINE = DisavowalSeen(Document.ID_CARD, "counter", True, True, True)
WORDS = BilingualText("理由", "a reason")
Try = Callable[[TestDesk, Order, Person], object]


def _reader(by: Person, **more: Any) -> ViewerContext:
    return ViewerContext(by, case="case-1", **more)


def _looking(by: Person) -> LookupContext:
    return LookupContext(by, "why", Basis(BasisKind.CASE, "case-1"))


# What each permission lets somebody do, as a service is asked for it. An act on an order is tried on an order that is
# there: that its state does not allow it comes after the question who may.
SERVICES: Mapping[Permission, Try] = {
    Permission.LIST_ORDERS: lambda d, o, by: d.reading.orders(Filter(), _reader(by), NOW),
    Permission.READ_ORDER: lambda d, o, by: d.reading.order(o.id, _reader(by), NOW),
    Permission.READ_DOSSIER: lambda d, o, by: d.reading.dossier(card(), _reader(by), NOW),
    Permission.READ_FIGURES: lambda d, o, by: d.reading.figures(NOW, NOW, by),
    Permission.LIST_HANDLED: lambda d, o, by: d.reading.handled(NOW, NOW, _reader(by), NOW),
    Permission.OPEN_FIGURE: lambda d, o, by: d.assessment.figures.rows(
        HeadlineFigure.NUMBERS, NOW, NOW, by, NOW
    ),
    Permission.LIST_ALARMS: lambda d, o, by: d.reading.alarms(by),
    Permission.LIST_DRIFTS: lambda d, o, by: d.reading.drifts(_reader(by), NOW),
    Permission.READ_STORE: lambda d, o, by: d.records.status(by),
    Permission.LOOK_UP_RECORDS: lambda d, o, by: d.records.card(card(), _looking(by), NOW),
    Permission.LOOK_UP_CONTACTS: lambda d, o, by: d.records.contacts([card()], _looking(by), NOW),
    Permission.READ_RINGS: lambda d, o, by: (d.rings.rings(by), d.rings.outlets(by)),
    Permission.VERIFY_AUDIT: lambda d, o, by: d.trail.verdict(d.store, by),
    Permission.TAKE_DECISIONS: lambda d, o, by: receive(d.orders, [demand()], NOW, by),
    Permission.FILE_OBJECTION: lambda d, o, by: d.orders.object(card(), "a text", by, NOW),
    Permission.VERIFICATION_EXTEND: lambda d, o, by: d.orders.extend(o.id, "hospital", by, "why", NOW),
    Permission.RESTRICTION_POLICE_STOP: lambda d, o, by: d.orders.police_stop(card(9), "c", by, "why", NOW),
    Permission.RESTRICTION_POLICE_RELEASE: lambda d, o, by: d.orders.police_release(card(8), by, "why", NOW),
    Permission.LIST_BULK_ACTIONS: lambda d, o, by: d.reading.bulk_actions(by),
    Permission.PROPOSE_BULK_ACTION: lambda d, o, by: d.bulk_actions.propose(
        Event.RESTORE, [card()], WORDS, by, NOW
    ),
    Permission.APPROVE_BULK_ACTION: lambda d, o, by: d.bulk_actions.approve("A0", by, "why", NOW),
    Permission.REJECT_BULK_ACTION: lambda d, o, by: d.bulk_actions.reject("A0", by, "why", NOW),
    Permission.UNDO_BULK_ACTION: lambda d, o, by: d.bulk_actions.undo("A0", by, "why", NOW),
    Permission.LIST_REVIEWS: lambda d, o, by: d.reviews.waiting(by),
    Permission.OPEN_REVIEW: lambda d, o, by: d.reviews.open(o.id, by, "why", NOW),
    Permission.LIST_COUNTER_CHECKS: lambda d, o, by: d.counter.waiting(by),
    Permission.RECORD_COUNTER_CHECK: lambda d, o, by: d.counter.verify("V0", SEEN, by, "why", NOW),
    Permission.CONFIRM_COUNTER_CHECK: lambda d, o, by: d.counter.confirm(o.id, by, "why", NOW),
    Permission.REJECT_COUNTER_CHECK: lambda d, o, by: d.counter.reject(o.id, by, "why", NOW),
    Permission.RECORD_DISAVOWAL: lambda d, o, by: d.disavowals.record(card(), NOT_MINE, by, "why", NOW),
    Permission.LIST_DISOWNED: lambda d, o, by: d.reading.disowned(NOW, NOW, _reader(by), NOW),
    Permission.CLAIM_DISAVOWAL: lambda d, o, by: d.disavowals.say(o, by, NOW),
    Permission.LIST_PERSONS: lambda d, o, by: d.people.persons.list(by),
    Permission.PROPOSE_PERSON: lambda d, o, by: d.people.persons.propose(
        PersonProposal.KEY, Person("nobody.here", Role.DESK), by, NOW
    ),
    Permission.APPROVE_PERSON: lambda d, o, by: d.people.persons.approve("P0", by, "why", NOW),
    Permission.DISABLE_PERSON: lambda d, o, by: d.people.persons.disable("nobody.here", by, "why", NOW),
    Permission.REVOKE_KEY: lambda d, o, by: d.keys.revoke("K0", by, "why", NOW),
    Permission.ANSWER_CLUE: lambda d, o, by: d.casework.clues.answers.answer(
        "L0", Answer((card(),), (), "A1"), by, "why", NOW
    ),
}
# Asked within another one of these, or by a command: tried there.
WITHIN = {
    Permission.WHO_AM_I: "a key says who somebody is",
    Permission.READ_RULES: "test_every_rule_is_told_with_its_limits_in_force",
    Permission.SEARCH_BY_NUMBER: "test_a_second_permission_is_asked_within_the_first",
    Permission.UNMASK: "test_a_second_permission_is_asked_within_the_first",
    Permission.READ_OWN_ORDER: "by a link alone",
    Permission.VERIFY_ONLINE: "by a session alone",
    Permission.MAKE_LINK: "test_every_command_asks_the_table",
}


def test_every_permission_is_granted_or_given_by_a_transition() -> None:
    moves = {move_permission(row.kind, row.event) for row in TRANSITIONS}
    assert {one for one in Permission if "." in one} == moves
    assert all(permission.roles for permission in Permission)


def test_every_permission_is_tried() -> None:
    moves = {one for one in Permission if "." in one}
    by_command = {*commands().values()}
    assert {*Permission} - {*SERVICES} - {*WITHIN} - moves - by_command == set()


@dataclass
class Book:
    """An order database in a folder, as commands open it."""

    folder: Path
    keys: Mapping[Role, str]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestDesk, Order]]:
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('authority')}/orders.sqlite")
    made = desk_on(store)
    order, _ = made.asked()
    yield made, order
    store.close()


@pytest.mark.parametrize("permission", SERVICES, ids=str)
def test_every_service_asks_the_table(desk: tuple[TestDesk, Order], permission: Permission) -> None:
    made, order = desk
    for role in Role:
        refused = False
        try:
            SERVICES[permission](made, order, Person(f"a.{role}", role))
        except PermissionDenied:
            refused = True
        except OrderError:
            pass  # who may: the order, act or person does not allow it
        assert refused is not may(role, permission), (permission, role)


@given(st.sampled_from(TRANSITIONS), st.sampled_from(Role), st.sampled_from(Event))
def test_what_moves_an_order_is_what_its_permission_grants(row: Any, role: Role, event: Event) -> None:
    try:
        next_state(row.kind, row.before, event, role)
    except PermissionDenied:
        allowed = False
    except NoSuchTransition:
        return
    else:
        allowed = True
    if allowed:
        assert may(role, move_permission(row.kind, event))
    if not may(role, move_permission(row.kind, event)):
        assert not allowed


@given(
    st.sampled_from(Role),
    st.sampled_from(Permission),
    st.frozensets(st.sampled_from(["甲", "乙"])),
    st.sampled_from(["甲", "乙", ""]),
)
def test_role_and_scope_decide_together(
    role: Role, permission: Permission, operators: frozenset[str], operator: str
) -> None:
    person = Person("somebody", role, scope=Scope(operators))
    order = _an_order(operator)
    scoped = not operators or (operator in operators and not permission.everywhere)
    expected = may(role, permission) and scoped
    try:
        authorize(person, permission, order)
    except PermissionDenied:
        assert not expected
    else:
        assert expected


def _an_order(operator: str) -> Order:

    told = Grounds(WORDS, WORDS, WORDS)
    return Order(
        "V0", Kind.VERIFICATION, card(), State.OPENED, 0, told, NOW, NOW, operator=operator, city="c"
    )


def test_a_second_permission_is_asked_within_the_first(desk: tuple[TestDesk, Order]) -> None:
    made, order = desk
    for role in WITH_KEYS:
        by = Person(f"a.{role}", role)
        for permission, read in (
            (
                Permission.UNMASK,
                lambda by=by: made.reading.order(order.id, ViewerContext(by, unmasked=True, why="w"), NOW),
            ),
            (
                Permission.SEARCH_BY_NUMBER,
                lambda by=by: made.reading.orders(Filter(card=card()), ViewerContext(by), NOW),
            ),
        ):
            first = Permission.READ_ORDER if permission is Permission.UNMASK else Permission.LIST_ORDERS
            if may(role, permission) and may(role, first):
                read()
            else:
                with pytest.raises(PermissionDenied):
                    read()


# --- the command line ---


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    folder = tmp_path_factory.mktemp("commands")
    settings = Settings(orders=folder / "book")
    with app_orders.desk(settings, app.policy_named("national"), create=True) as here:
        assert isinstance(here.orders, OrderService)
        people = People(here.store, here.trail)
        keys = {role: people.add(f"the.{role}", role) for role in WITH_KEYS}
        receive(here.orders, [demand()], app_orders.now())
    (folder / "decisions.jsonl").touch()
    return Book(folder, keys)


def test_every_command_has_a_permission() -> None:
    """A new command of the order database without one fails here."""
    known = commands()
    for words, _ in all_commands():
        first = words.split()[0]
        assert words in known or first in RECORDS | PROCESSES or words in SET_UP | BY_FOLDER | BY_OWNER, (
            f"`duanka {words}` has no permission: register it with acting.command(group, Permission....)"
        )


@pytest.mark.parametrize("words", commands(), ids=str)
def test_every_command_asks_the_table(book: Book, words: str) -> None:
    permission = commands()[words]
    click = dict(all_commands())[words]
    for role, key in book.keys.items():
        typed = [*words.split(), *_arguments(click, book.folder)]
        found = CliRunner().invoke(
            cli.cli,
            typed,
            env={"DUANKA_ORDERS": str(book.folder / "book"), "DUANKA_API_KEY": key},
            catch_exceptions=True,
        )
        refused = isinstance(found.exception, PermissionDenied)
        assert found.exit_code != 2 or refused, (typed, found.output)
        assert refused is not may(role, permission), (words, role, found.exception, found.output)


def _arguments(command: Any, folder: Path) -> list[str]:
    """Something for every argument and option that a command needs."""
    words = list[str]()
    for one in command.params:
        if not one.required and one.name not in ("why", "reason", "reason_en", "cards", "case"):
            continue
        value = _value(one, folder)
        words += [value] if one.param_type_name == "argument" else [one.opts[0], value]
    return words


def _value(one: Any, folder: Path) -> str:
    kind = one.type_descriptor.annotation
    members = list(kind) if isinstance(kind, EnumType) else get_args(kind)
    choices = [str(each) for each in members if isinstance(each, str)]
    named = {
        "folder": str(folder),
        "cards": card(7),
        "card": card(),
        "act": "A000000000000",
        "request": "P000000000000",
        "number": "K000000000000",
        "person": "nobody.here",
        "order": "V000000000000",
        "hardship": "hospital",
        "export": str(folder / "exported"),
        "file": str(folder / "copy.sqlite"),
    }
    if kind is int:
        return "1"
    return choices[0] if choices else named.get(one.name, "text")


def test_every_endpoint_and_command_of_one_permission_let_the_same_in() -> None:
    assert {role for roles in WHO.values() for role in roles} <= {*WITH_KEYS}
    for words, permission in commands().items():
        assert permission.roles & {*WITH_KEYS}, f"nobody with a key may `duanka {words}`"
