"""A counter out of whose scope a card is shows and files nothing without the order number that the holder brought."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from duanka.domain.counter_check import CounterCheck, Document
from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.objection import CounterVisit
from duanka.domain.order import (
    SYSTEM,
    Event,
    Kind,
    Order,
    PermissionDenied,
    Person,
    Role,
    TooManyTries,
    UnknownOrder,
)
from duanka.domain.person import Scope
from duanka.ledger.audit.trail import Fault
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit, orders
from duanka.orders.daily_limit import REFUSED
from duanka.orders.service import OrderService
from duanka.orders.verification.counter import Counter
from support.orders import books
from support.orders.books import DESK, HOUR, NOW, SECOND, book_on, card, receive, restriction, verification
from support.people import People
from support.typed_desk import Said, TypedDesk
from support.typed_desk import card as typed_card
from support.typed_desk import demand as typed_demand

HERE, THERE, ELSEWHERE, FREE = (
    0,
    1,
    2,
    3,
)  # of the clerk's city, of another, of another operator, and of no order
SCOPE = Scope(frozenset({"河北移动"}), frozenset({"石家庄"}))
CLERK = replace(DESK, id="zhang.near", scope=SCOPE)
COLLEAGUE = replace(DESK, id="zhou.near", scope=SCOPE)
VISIT = CounterVisit("长安路营业厅", Document.ID_CARD)
SEEN = CounterCheck(Document.ID_CARD, "长安路营业厅", True, True, True)
AT = NOW + 25 * HOUR
WRONG = "R0123456789AB"
TRIES, ALL = IdentityPolicy().unlinked_tries, IdentityPolicy().unlinked_address


@pytest.fixture
def book(store: Store) -> OrderService:
    """Three cards that are stopped for a verification that ran out."""
    found = book_on(store)
    places = {HERE: ("河北移动", "石家庄"), THERE: ("河北移动", "唐山"), ELSEWHERE: ("河北电信", "石家庄")}
    for number, (operator, city) in places.items():
        receive(found, [books.demand(number, operator=operator, city=city)], NOW)
        asked = verification(found, number).id
        found.apply(asked, Event.DELIVERED, SYSTEM, "receipt", NOW, delivered_at=NOW)
    found.sweep(NOW + 24 * HOUR)
    return found


def stop_of(book: OrderService, number: int) -> Order:
    found = restriction(book, number)
    assert found
    return found


def object_at(book: OrderService, number: int, brought: str, by: Person = CLERK) -> Order:
    return book.object(card(number), "这是我本人", by, AT, replace(VISIT, order_id=brought))


def filed(book: OrderService) -> int:
    with book.store.reading() as connection:
        return connection.execute(
            select(func.count()).select_from(orders).where(orders.c.kind == "objection")
        ).scalar_one()


def refused(store: Store) -> list[tuple[str, str]]:
    with store.reading() as connection:
        found = select(audit.c.who, audit.c.subject).where(audit.c.what == REFUSED).order_by(audit.c.seq)
        return [(row.who, row.subject) for row in connection.execute(found)]


@pytest.mark.parametrize("by", ["restriction", "verification"])
def test_with_the_number_of_the_notice_it_is_filed_and_an_earlier_one_is_joined(
    book: OrderService, by: str
) -> None:
    stop = stop_of(book, THERE)
    brought = stop.id if by == "restriction" else str(stop.parent)
    first = book.object(card(THERE), "a caller", DESK, AT)
    joined = object_at(book, THERE, brought)
    assert (joined.id, joined.hits) == (first.id, 2)
    assert joined.grounds == stop.grounds, "what was said before is not for this counter"
    assert refused(book.store) == []


def test_without_it_nothing_is_shown_or_filed_and_all_cards_are_answered_alike(book: OrderService) -> None:
    book.object(card(THERE), "a caller", DESK, AT)
    said = set()
    for number in (THERE, ELSEWHERE, FREE):
        with pytest.raises(PermissionDenied) as caught:
            object_at(book, number, "")
        said.add(str(caught.value))
    (only,) = said
    assert "order number of the notice" in only
    assert filed(book) == 1
    assert refused(book.store) == [], "nobody typed a number"


def test_a_wrong_one_is_answered_as_if_there_were_no_order_and_stands_in_the_trail(
    book: OrderService,
) -> None:
    other, objection = stop_of(book, HERE).id, book.object(card(THERE), "a caller", DESK, AT)
    for number, brought in (
        *((number, WRONG) for number in (THERE, ELSEWHERE, FREE)),
        *((THERE, wrong) for wrong in (other, objection.id)),
    ):
        with pytest.raises(UnknownOrder) as caught:
            object_at(book, number, brought)
        assert str(caught.value).replace(brought, "-") == (
            "phone number and order number - lead to no open order: read both from the notice again"
        )
    assert filed(book) == 1
    assert refused(book.store) == [
        (CLERK.id, card(number)) for number in (THERE, ELSEWHERE, FREE, THERE, THERE)
    ]
    assert not [one for one in book.terms.trail.verify(book.store) if isinstance(one, Fault)]


def test_a_number_of_an_order_that_is_over_leads_nowhere(book: OrderService) -> None:
    stop = stop_of(book, THERE)
    Counter(book).verify(stop.id, SEEN, DESK, "here", AT)
    with pytest.raises(UnknownOrder):
        object_at(book, THERE, stop.id)


def test_of_another_operator_the_right_number_files_nothing_either(book: OrderService) -> None:
    with pytest.raises(PermissionDenied, match="out of the scope"):
        object_at(book, ELSEWHERE, stop_of(book, ELSEWHERE).id)
    assert filed(book) == 0


def test_in_scope_nothing_is_asked_for(book: OrderService) -> None:
    object_at(book, HERE, "")
    object_at(book, HERE, WRONG, replace(CLERK, id="other"))
    for by in (DESK, SECOND):
        object_at(book, THERE, "", by)
    assert refused(book.store) == []


def test_wrong_numbers_of_one_person_are_limited_by_card_and_in_all_and_right_ones_then_tell_nothing(
    book: OrderService,
) -> None:
    right = stop_of(book, THERE).id
    for _ in range(TRIES):
        with pytest.raises(UnknownOrder):
            object_at(book, THERE, WRONG)
    for brought in (WRONG, right):
        with pytest.raises(TooManyTries):
            object_at(book, THERE, brought)
    with pytest.raises(UnknownOrder):
        object_at(book, FREE, WRONG)
    counter = Counter(book)
    for number in range(ALL - TRIES - 1):
        with pytest.raises(UnknownOrder):
            counter.verify(f"V{number:012}", SEEN, CLERK, "here", AT)
    asks: list[Callable[[str], object]] = [
        lambda brought: object_at(book, ELSEWHERE, brought),
        lambda brought: counter.verify(brought, SEEN, CLERK, "here", AT),
        lambda brought: counter.confirm(brought, CLERK, "here", AT),
        lambda brought: counter.reject(brought, CLERK, "here", AT),
    ]
    for ask in asks:
        for brought in (WRONG, right):
            with pytest.raises(TooManyTries):
                ask(brought)
    assert len(refused(book.store)) == ALL
    object_at(book, HERE, "")
    assert counter.verify(stop_of(book, HERE).id, SEEN, CLERK, "here", AT).state == "passed", "in scope"
    assert object_at(book, THERE, right, COLLEAGUE).hits == 1, "a colleague is not stopped by it"
    tomorrow = AT + 24 * HOUR
    assert counter.verify(right, SEEN, CLERK, "here", tomorrow).state == "passed"


def test_a_second_at_a_counter_confirms_and_rejects_by_the_number_of_the_stops_notice(store: Store) -> None:
    book = book_on(store)
    receive(book, [books.demand(THERE, tier="high", operator="河北移动", city="唐山")], NOW)
    asked, counter = verification(book, THERE), Counter(book)
    book.apply(asked.id, Event.DELIVERED, SYSTEM, "receipt", NOW, delivered_at=NOW)
    book.sweep(NOW + 24 * HOUR)
    stop = stop_of(book, THERE)
    for last in (False, True):
        counter.verify(stop.id, SEEN, CLERK, "here", AT)
        with pytest.raises(UnknownOrder):
            counter.confirm(WRONG, COLLEAGUE, "seen", AT)
        if not last:
            assert counter.reject(stop.id, COLLEAGUE, "an error", AT).id == asked.id
    assert counter.confirm(stop.id, COLLEAGUE, "seen", AT).state == "passed"
    assert restriction(book, THERE) is None


def _key_of(desk: TypedDesk, person: str) -> str:
    """A person of one city, at a desk where a card of another city waits."""
    desk.demand(replace(typed_demand(THERE), operator="河北移动", city="唐山"))
    with desk.open() as here:
        return People(here.store, here.trail, {"of the desk": ""}).add(person, Role.DESK, SCOPE)


def test_typed(tmp_path: Path) -> None:
    desk = TypedDesk(tmp_path / "orders")
    key, number = _key_of(desk, "near"), typed_card(THERE)
    with desk.open() as here:
        found = here.reading.last(number, Kind.VERIFICATION)
    assert found

    def near(*words: str) -> Said:
        return desk.type("", *words, DUANKA_API_KEY=key)

    at = ("--counter", "长安路营业厅", "--document", "id_card")
    objecting = ("objections", "file", number, "--text", "这是我本人", *at)
    without = near(*objecting)
    assert (without.code, "order number of the notice" in without.text.replace("\n", " ")) == (2, True), (
        without
    )
    for brought in (WRONG, "V-0123-4567-89AB"):
        wrong = near(*objecting, "--order", brought)
        assert (wrong.code, "lead to no open order" in wrong.text) == (2, True), wrong
    assert "12 letters and digits" in near(*objecting, "--order", "7").text
    assert "--order is for an objection at a counter" in near(*objecting[:5], "--order", found.id).text
    right = near(*objecting, "--order", found.id.lower())
    assert (right.code, right.id("O")[:1]) == (0, "O"), right
    assert near("objections", "file", found.id, *objecting[3:]).code == 0, "in place of the card's number"
    looks = (*at, "--person", "--card", "--notice", "--why", "here")
    for who in (number, typed_card(FREE)):
        said = near("counter", "verify", who, *looks)
        assert (said.code, "this card has no open verification" in said.text) == (2, True), said
    assert "no order" in near("counter", "verify", WRONG, *looks).text
    assert near("counter", "verify", found.id.lower(), *looks).code == 0
    with desk.open() as here:
        assert [subject for _, subject in refused(here.store)] == [number, number, WRONG]
