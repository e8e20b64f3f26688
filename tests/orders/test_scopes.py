"""Who works for some operators and cities sees, counts and moves nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from duanka.domain.counter_check import CounterCheck, Document
from duanka.domain.disavowal import DisavowalSeen
from duanka.domain.objection import CounterVisit
from duanka.domain.order import SYSTEM, Event, OrderError, PermissionDenied, Person, Role
from duanka.domain.person import BadPerson, Scope, place_name, scope_of
from duanka.domain.text import BilingualText
from duanka.ledger.audit.kept_end import KeptEnds
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.people.case_sources import CaseSources
from duanka.ledger.people.requests import PersonProposal
from duanka.ledger.unit_of_work.network_elements import NetworkElements
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.disavowals.service import Disavowals
from duanka.orders.queries.service import Filter, OrderQueries, ViewerContext
from duanka.orders.service import OrderService
from duanka.orders.verification.counter import Counter
from support.orders.books import (
    DESK,
    HOUR,
    KEY,
    NOW,
    SECOND,
    acts_of,
    book_on,
    card,
    demand,
    receive,
    restriction,
    verification,
)
from support.people import FIRST, People
from support.people import SECOND as SECOND_OF_ALL

HERE, THERE, NOWHERE = 0, 1, 2  # cards by where they are; of the last nobody knows
CITY = Scope(cities=frozenset({"石家庄"}))
WHY = BilingualText("群众举报", "reported")


def near(person: Person, scope: Scope = CITY) -> Person:
    return replace(person, id=f"{person.id}.near", scope=scope)


def opened(store: Store) -> OrderService:
    book = book_on(store)
    places = {HERE: ("河北移动", "石家庄"), THERE: ("河北移动", "唐山"), NOWHERE: ("", "")}
    receive(book, [demand(n, operator=op, city=city) for n, (op, city) in places.items()], NOW)
    return book


def test_lists_and_counts_have_what_is_in_scope(store: Store) -> None:
    book = opened(store)
    read, acts = OrderQueries(store, Trail(KEY)), BulkActionService(book)
    mine = verification(book, HERE).id
    for reader in (ViewerContext(near(DESK)), ViewerContext(near(Person("zhao", Role.REGULATOR)))):
        page = read.orders(Filter(), reader, NOW)
        assert [order.id for order in page.items] == [mine]
        assert read.figures(NOW, NOW + HOUR, reader.person).opened == {"verification": 1}
    assert len(read.orders(Filter(), ViewerContext(DESK), NOW).items) == 3
    one, both = (acts.propose(Event.SUSPEND, [*map(card, cards)], WHY, DESK, NOW) for cards in ([0], [0, 1]))
    assert [act.id for act in read.bulk_actions(near(SECOND)).items] == [one.id]
    assert [act.id for act in acts_of(acts, near(SECOND))] == [one.id]
    assert {act.id for act in read.bulk_actions(SECOND).items} == {one.id, both.id}


@pytest.mark.parametrize("where", [THERE, NOWHERE])
def test_single_acts_out_of_scope_are_refused(store: Store, where: int) -> None:
    book = opened(store)
    read, acts, clerk, boss = (
        OrderQueries(store, Trail(KEY)),
        BulkActionService(book),
        near(DESK),
        near(SECOND),
    )
    number = verification(book, where).id
    act = acts.propose(Event.SUSPEND, [card(HERE), card(where)], WHY, DESK, NOW)
    tried: list[Callable[[], object]] = [
        lambda: read.order(number, ViewerContext(clerk), NOW),
        lambda: read.dossier(card(where), ViewerContext(clerk), NOW),
        lambda: read.dossier(card(77), ViewerContext(clerk), NOW),
        lambda: read.bulk_action(act.id, boss),
        lambda: read.act_cards(act.id, ViewerContext(boss), NOW),
        lambda: acts.approve(act.id, boss, "why", NOW),
        lambda: acts.reject(act.id, boss, "why", NOW),
        lambda: acts.undo(act.id, boss, "why", NOW),
        lambda: acts.propose(Event.SUSPEND, [card(HERE), card(where)], WHY, clerk, NOW),
        lambda: book.apply(number, Event.BEGIN, clerk, "why", NOW),
        lambda: book.apply(number, Event.WITHDRAW, clerk, "why", NOW),
        lambda: book.extend(number, "hospital", clerk, "why", NOW),
        lambda: book.object(card(where), "text", clerk, NOW),
        lambda: receive(book, [demand(where)], NOW, clerk),
        lambda: book.police_stop(card(where), "case", near(Person("p", Role.POLICE)), "why", NOW),
        lambda: Counter(book).reject(number, clerk, "why", NOW),
    ]
    for one in tried:
        with pytest.raises(PermissionDenied, match="out of the scope"):
            one()
    assert verification(book, where).state == "opened"


SEEN = CounterCheck(Document.ID_CARD, "长安路营业厅", True, True, True)
DISOWNED = DisavowalSeen(Document.ID_CARD, "长安路营业厅", True, True, True)


@pytest.mark.parametrize("tier", ["medium", "high"])
def test_whoever_stands_at_a_counter_in_another_city_is_verified_there(store: Store, tier: str) -> None:
    book = opened(store)
    receive(book, [demand(THERE, tier=tier)], NOW)
    number, counter = verification(book, THERE).id, Counter(book)
    clerk, second = near(DESK), near(SECOND)
    with pytest.raises(PermissionDenied, match="out of the scope"):
        counter.confirm(number, second, "seen", NOW)
    passed = counter.verify(number, SEEN, clerk, "the holder is here", NOW)
    if tier == "high":
        assert passed.state == "in_progress"
        counter.reject(number, clerk, "a wrong line", NOW)
        counter.verify(number, SEEN, clerk, "the holder is here", NOW)
        passed = counter.confirm(number, second, "seen too", NOW)
    assert passed.state == "passed"


def test_a_counter_anywhere_takes_the_number_of_the_stops_notice_and_an_objection(store: Store) -> None:
    book = opened(store)
    receive(book, [demand(THERE)], NOW)
    book.apply(verification(book, THERE).id, Event.DELIVERED, SYSTEM, "receipt", NOW, delivered_at=NOW)
    book.sweep(NOW + 24 * HOUR)
    stop, clerk = restriction(book, THERE), near(DESK)
    assert stop
    visit = CounterVisit("长安路营业厅", Document.ID_CARD, stop.id)
    for known in (None, replace(visit, order_id="")):
        with pytest.raises(PermissionDenied, match="out of the scope"):
            book.object(card(THERE), "a caller", clerk, NOW + 25 * HOUR, known)
    book.object(card(THERE), "I am here", clerk, NOW + 25 * HOUR, visit)
    passed = Counter(book).verify(stop.id, SEEN, clerk, "the holder is here", NOW + 25 * HOUR)
    assert (passed.state, restriction(book, THERE)) == ("passed", None)


def test_whose_name_was_used_elsewhere_disowns_the_card_where_they_live(store: Store) -> None:
    book = opened(store)
    said = Disavowals(book).record(card(THERE), DISOWNED, near(DESK), "not hers", NOW)
    assert Counter(book).confirm(said.id, near(SECOND), "seen too", NOW).state == "confirmed"


def test_a_counter_of_another_operator_verifies_nobody(store: Store) -> None:
    book = opened(store)
    other = near(DESK, Scope(frozenset({"河北电信"}), frozenset({"石家庄"})))
    for where in (HERE, THERE, NOWHERE):
        with pytest.raises(PermissionDenied, match="out of the scope"):
            Counter(book).verify(verification(book, where).id, SEEN, other, "the holder is here", NOW)
        with pytest.raises(PermissionDenied, match="out of the scope"):
            Disavowals(book).record(card(where), DISOWNED, other, "not hers", NOW)


def test_what_is_in_scope_is_moved_and_what_follows_stays_there(store: Store) -> None:
    book = opened(store)
    acts, clerk, boss = BulkActionService(book), near(DESK), near(SECOND)
    act = acts.propose(Event.SUSPEND, [card(HERE)], WHY, clerk, NOW)
    acts.approve(act.id, boss, "seen", NOW)
    acts.carry_out(NOW)
    stopped = OrderQueries(store, Trail(KEY)).dossier(card(HERE), ViewerContext(clerk), NOW)
    assert (stopped.state, {(one.operator, one.city) for one in stopped.orders}) == (
        "suspended",
        {("河北移动", "石家庄")},
    )
    undone = acts.undo(act.id, boss, "an error", NOW)
    assert acts.get(undone.id, boss).done == 1


def test_an_operator_and_a_city_must_both_be_in_scope(store: Store) -> None:
    scope = Scope(frozenset({"河北移动"}), frozenset({"石家庄", "唐山"}))
    read = OrderQueries(store, Trail(KEY))
    opened(store)
    assert len(read.orders(Filter(), ViewerContext(near(DESK, scope)), NOW).items) == 2
    other = Scope(frozenset({"河北电信"}), frozenset({"石家庄"}))
    assert read.orders(Filter(), ViewerContext(near(DESK, other)), NOW).items == ()


def test_what_is_about_the_whole_installation_takes_a_scope_of_all(store: Store) -> None:
    boss, trail = near(SECOND), Trail(KEY)
    network, sources = NetworkElements(store, trail), CaseSources(store, trail, KEY)
    network.set("call_proxy", "/calls", SECOND, "new", NOW)
    waiting = sources.propose("bureau", b"k" * 32, SECOND, NOW)
    tried: list[Callable[[], object]] = [
        lambda: network.set("call_proxy", "/elsewhere", boss, "a joke", NOW),
        lambda: network.remove("call_proxy", boss, "a joke", NOW),
        lambda: network.allow("call_proxy", 10, boss, "a joke", NOW),
        lambda: sources.propose("forged", b"f" * 32, boss, NOW),
        lambda: sources.approve(waiting, boss, "a joke", NOW),
        lambda: sources.remove(waiting, boss, "a joke", NOW),
        lambda: book_on(store).clear_alarm("clock", boss, "a joke", NOW),
        lambda: KeptEnds(store, trail, lambda: ()).accept(boss, "a joke", NOW),
    ]
    for one in tried:
        with pytest.raises(PermissionDenied, match="takes all operators and cities"):
            one()
    assert network.addresses() == {"call_proxy": "/calls"}


def test_nobody_gives_or_takes_a_scope_that_is_wider_than_their_own(store: Store) -> None:
    people = People(store, Trail(KEY))
    for name, role in (("near.a", Role.SUPERVISOR), ("near.b", Role.SUPERVISOR), ("clerk", Role.DESK)):
        people.add(name, role, CITY)
    people.add("wide", Role.DESK)
    one, other, persons = people.who("near.a"), people.who("near.b"), people.persons
    wide_key = next(key.id for key in people.keys.list(FIRST) if key.person.id == "wide")
    asked, _ = persons.propose(PersonProposal.CHANGE, Person("clerk", Role.DESK, "clerk"), FIRST, NOW)
    tried: list[Callable[[], object]] = [
        lambda: persons.propose(PersonProposal.PERSON, Person("mole", Role.DESK, "mole"), one, NOW),
        lambda: persons.propose(PersonProposal.CHANGE, Person("near.b", Role.SUPERVISOR, "b"), one, NOW),
        lambda: persons.propose(PersonProposal.KEY, Person("wide", Role.DESK), one, NOW),
        lambda: persons.approve(asked.id, other, "a favour", NOW),
        lambda: persons.disable(FIRST.id, one, "a joke", NOW),
        lambda: people.keys.revoke(wide_key, one, "a joke", NOW),
    ]
    for each in tried:
        with pytest.raises(PermissionDenied, match="wider than that of"):
            each()
    asked, _ = persons.propose(PersonProposal.PERSON, Person("new", Role.DESK, "new", CITY), one, NOW)
    persons.approve(asked.id, other, "works here", NOW)
    persons.disable("clerk", one, "left", NOW)
    mine = next(key.id for key in people.keys.list(FIRST) if key.person.id == "near.a")
    people.keys.revoke(mine, one, "lost", NOW)


def test_two_supervisors_of_everything_are_always_left(store: Store) -> None:
    people = People(store, Trail(KEY))
    people.add("near.a", Role.SUPERVISOR, CITY)
    with pytest.raises(OrderError, match="fewer than two supervisors of all"):
        people.persons.disable(SECOND_OF_ALL.id, FIRST, "left", NOW)
    people.add("third", Role.SUPERVISOR)
    narrower = Person("third", Role.SUPERVISOR, "third", CITY)
    asked, _ = people.persons.propose(PersonProposal.CHANGE, narrower, FIRST, NOW)
    people.persons.approve(asked.id, SECOND_OF_ALL, "moved", NOW)
    asked, _ = people.persons.propose(
        PersonProposal.CHANGE, Person(FIRST.id, Role.SUPERVISOR, "甲", CITY), SECOND_OF_ALL, NOW
    )
    people.add("fourth", Role.SUPERVISOR)
    people.persons.disable("fourth", FIRST, "left", NOW)
    people.add("fifth", Role.SUPERVISOR)
    people.persons.approve(asked.id, people.who("fifth"), "moved", NOW)
    with pytest.raises(OrderError, match="fewer than two supervisors of all"):
        people.persons.disable("fifth", SECOND_OF_ALL, "left", NOW)


@pytest.mark.parametrize("name", ["石家庄\u200b", "\u202e庄家石", "石\u2060家庄", "", " ", "a|b", "x" * 41])
def test_a_scope_names_nothing_that_only_looks_like_a_place(name: str) -> None:
    with pytest.raises(BadPerson):
        scope_of([], [name])
    assert place_name(name) == ""
