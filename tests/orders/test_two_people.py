"""A stop that neither the police nor an expired verification carries needs two people."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from duanka.domain.counter_check import CounterCheck, Document
from duanka.domain.order import SYSTEM, Event, Kind, NeedsSecondPerson, Person, Role, State
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.people.case_sources import CaseSources
from duanka.ledger.people.requests import PersonProposal
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.effects import apply_event
from support.orders.books import DESK, HOUR, KEY, NOW, POLICE, SECOND, book_on, card, delivered, restriction
from support.orders.online import Online
from support.people import FIRST, People
from support.people import SECOND as OTHER

ADMIN = Person("root", Role.SUPERVISOR)
WHY = BilingualText("窝点", "a farm")


@pytest.mark.parametrize("by", [DESK, SECOND, ADMIN])
def test_nobody_stops_a_card_alone(store: Store, by: Person) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    act = acts.propose(Event.BAR_OUTGOING, [card(0)], WHY, DESK, NOW)
    acts.approve(act.id, SECOND, "fine", NOW)
    acts.carry_out(NOW)
    order = restriction(book)
    assert order
    with pytest.raises(NeedsSecondPerson, match="propose it"):
        book.apply(order.id, Event.SUSPEND, by, "I say so", NOW)
    assert restriction(book) == order


def test_a_stop_by_the_book_without_anything_that_carries_it_is_refused(store: Store) -> None:
    """Not even ourselves: the code that opens a restriction must say what entitles it."""
    book = book_on(store)
    grounds = delivered(book).grounds

    def work(unit: UnitOfWork) -> None:
        order = unit.open(Kind.RESTRICTION, card(1), grounds, SYSTEM, "because")
        apply_event(unit, order, Event.SUSPEND, SYSTEM, "because")

    with pytest.raises(NeedsSecondPerson):
        book.transaction(work, NOW)
    assert restriction(book, 1) is None


def test_an_expired_verification_carries_the_next_stage(store: Store) -> None:
    book = book_on(store)
    asked = delivered(book)
    book.sweep(NOW + 24 * HOUR)
    order = restriction(book)
    assert order
    assert (order.state, order.carried_by) == (State.SUSPENDED, f"expired_verification:{asked.id}")
    assert order.parent == asked.id


def test_a_police_notice_carries_a_stop_by_one(store: Store) -> None:
    book = book_on(store)
    order = book.police_stop(card(0), "公诈字〔2026〕7号", POLICE, "confirmed", NOW)
    assert (order.state, order.carried_by) == (State.FORCED_STOP, "police_notice:公诈字〔2026〕7号")
    assert "公诈字〔2026〕7号" in order.grounds.reason.zh


def test_a_card_barred_by_hand_goes_on_when_its_verification_runs_out(store: Store) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    asked = delivered(book)
    act = acts.propose(Event.BAR_OUTGOING, [card(0)], WHY, DESK, NOW)
    acts.approve(act.id, SECOND, "fine", NOW)
    acts.carry_out(NOW)
    assert book.sweep(NOW + 24 * HOUR) == 1
    order = restriction(book)
    assert order
    assert (order.state, order.parent) == (State.SUSPENDED, asked.id)
    assert order.carried_by == f"expired_verification:{asked.id}"
    undo = acts.undo(act.id, DESK, "the wrong list", NOW + 25 * HOUR)
    assert (undo.done, undo.skipped) == (0, 1), "the act is no longer what stops it"
    assert restriction(book) == order


def _out_of_it(people: People, how: str, *names: str) -> None:
    for name in names:
        if how == "disabled":
            people.persons.disable(name, FIRST, "their key was stolen", NOW)
        else:
            asked, _ = people.persons.propose(
                PersonProposal.CHANGE, Person(name, Role.REGULATOR, name), FIRST, NOW
            )
            people.persons.approve(asked.id, OTHER, "moved", NOW)


@pytest.mark.parametrize("how", ["disabled", "moved"])
def test_what_somebody_began_who_may_no_more_has_no_second_person(store: Store, how: str) -> None:
    """A key that was stolen proposes, its owner is disabled, and the proposal would still wait for one person."""
    people = People(store, Trail(KEY))
    people.add("wang", Role.DESK)
    people.add("zhao", Role.SUPERVISOR)
    wang, zhao = people.who("wang"), people.who("zhao")
    way, sources = Online(store), CaseSources(store, Trail(KEY), KEY)
    acts, order = BulkActionService(way.orders), way.asked(1, tier="high")
    act = acts.propose(Event.SUSPEND, [card(0)], WHY, wang, NOW)
    asked, _ = people.persons.propose(
        PersonProposal.PERSON, Person("mole", Role.SUPERVISOR, "mole"), wang, NOW
    )
    source = sources.propose("bureau", b"k" * 32, zhao, NOW)
    seen = CounterCheck(Document.ID_CARD, "hall", person_present=True, card_in_hand=True, notice_signed=True)
    way.counter.verify(order.id, seen, wang, "seen", NOW)
    _out_of_it(people, how, "wang", "zhao")
    tried: list[Callable[[], object]] = [
        lambda: acts.approve(act.id, FIRST, "seen", NOW),
        lambda: people.persons.approve(asked.id, FIRST, "seen", NOW),
        lambda: sources.approve(source, FIRST, "seen", NOW),
        lambda: way.counter.confirm(order.id, FIRST, "seen", NOW),
    ]
    for each in tried:
        with pytest.raises(NeedsSecondPerson, match="does not count any more"):
            each()
    acts.reject(act.id, FIRST, "by a stolen key", NOW)
    people.persons.reject(asked.id, FIRST, "by a stolen key", NOW)
    sources.remove(source, FIRST, "by a stolen key", NOW)
    way.counter.reject(order.id, FIRST, "by a stolen key", NOW)
