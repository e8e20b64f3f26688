"""Who works for some operators and cities sees, counts and moves nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from books import DESK, HOUR, KEY, NOW, SECOND, book_on, card, demand, verification
from duanka.domain.order import Event, NotTheirs, Person, Role
from duanka.domain.person import Scope
from duanka.domain.words import Words
from duanka.orders.acts import Acts
from duanka.orders.audit import Trail
from duanka.orders.book import OrderBook
from duanka.orders.counter import Counter
from duanka.orders.reading import Filter, Reader, Reading
from duanka.orders.store import Store

HERE, THERE, NOWHERE = 0, 1, 2  # cards by where they are; of the last nobody knows
CITY = Scope(cities=frozenset({"石家庄"}))
WHY = Words("群众举报", "reported")


def near(person: Person, scope: Scope = CITY) -> Person:
    return replace(person, id=f"{person.id}.near", scope=scope)


def opened(store: Store) -> OrderBook:
    book = book_on(store)
    places = {HERE: ("河北移动", "石家庄"), THERE: ("河北移动", "唐山"), NOWHERE: ("", "")}
    book.receive([demand(n, operator=op, city=city) for n, (op, city) in places.items()], NOW)
    return book


def test_lists_and_counts_have_what_is_in_scope(store: Store) -> None:
    book = opened(store)
    read, acts = Reading(store, Trail(KEY)), Acts(book)
    mine = verification(book, HERE).id
    for reader in (Reader(near(DESK)), Reader(near(Person("zhao", Role.REGULATOR)))):
        page = read.orders(Filter(), reader, NOW)
        assert [order.id for order in page.items] == [mine]
        assert read.figures(NOW, NOW + HOUR, reader.person).opened == {"verification": 1}
    assert len(read.orders(Filter(), Reader(DESK), NOW).items) == 3
    one, both = (acts.propose(Event.SUSPEND, [*map(card, cards)], WHY, DESK, NOW) for cards in ([0], [0, 1]))
    assert [act.id for act in read.acts(near(SECOND)).items] == [one.id]
    assert [act.id for act in acts.acts(near(SECOND))] == [one.id]
    assert {act.id for act in read.acts(SECOND).items} == {one.id, both.id}


@pytest.mark.parametrize("where", [THERE, NOWHERE])
def test_single_acts_out_of_scope_are_refused(store: Store, where: int) -> None:
    book = opened(store)
    read, acts, clerk, boss = Reading(store, Trail(KEY)), Acts(book), near(DESK), near(SECOND)
    number = verification(book, where).id
    act = acts.propose(Event.SUSPEND, [card(HERE), card(where)], WHY, DESK, NOW)
    tried: list[Callable[[], object]] = [
        lambda: read.order(number, Reader(clerk), NOW),
        lambda: read.dossier(card(where), Reader(clerk), NOW),
        lambda: read.dossier(card(77), Reader(clerk), NOW),
        lambda: read.act(act.id, boss),
        lambda: read.act_cards(act.id, Reader(boss), NOW),
        lambda: acts.approve(act.id, boss, "why", NOW),
        lambda: acts.reject(act.id, boss, "why", NOW),
        lambda: acts.undo(act.id, boss, "why", NOW),
        lambda: acts.propose(Event.SUSPEND, [card(HERE), card(where)], WHY, clerk, NOW),
        lambda: book.act(number, Event.BEGIN, clerk, "why", NOW),
        lambda: book.act(number, Event.WITHDRAW, clerk, "why", NOW),
        lambda: book.extend(number, "hospital", clerk, "why", NOW),
        lambda: book.object(card(where), "text", clerk, NOW),
        lambda: book.receive([demand(where)], NOW, clerk),
        lambda: book.police_stop(card(where), "case", near(Person("p", Role.POLICE)), "why", NOW),
        lambda: Counter(book).reject(number, clerk, "why", NOW),
    ]
    for one in tried:
        with pytest.raises(NotTheirs, match="out of the scope"):
            one()
    assert verification(book, where).state == "opened"


def test_what_is_in_scope_is_moved_and_what_follows_stays_there(store: Store) -> None:
    book = opened(store)
    acts, clerk, boss = Acts(book), near(DESK), near(SECOND)
    act = acts.propose(Event.SUSPEND, [card(HERE)], WHY, clerk, NOW)
    acts.approve(act.id, boss, "seen", NOW)
    acts.carry_out(NOW)
    stopped = Reading(store, Trail(KEY)).dossier(card(HERE), Reader(clerk), NOW)
    assert (stopped.state, {(one.operator, one.city) for one in stopped.orders}) == (
        "suspended",
        {("河北移动", "石家庄")},
    )
    undone = acts.undo(act.id, boss, "an error", NOW)
    assert acts.act(undone.id, boss).done == 1


def test_an_operator_and_a_city_must_both_be_in_scope(store: Store) -> None:
    scope = Scope(frozenset({"河北移动"}), frozenset({"石家庄", "唐山"}))
    read = Reading(store, Trail(KEY))
    opened(store)
    assert len(read.orders(Filter(), Reader(near(DESK, scope)), NOW).items) == 2
    other = Scope(frozenset({"河北电信"}), frozenset({"石家庄"}))
    assert read.orders(Filter(), Reader(near(DESK, other)), NOW).items == ()
