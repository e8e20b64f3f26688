"""What the police stop is stopped at once, over everything, and given back by nobody else."""

from __future__ import annotations

import pytest

from duanka.domain.bulk_action import BulkActionState
from duanka.domain.order import (
    SYSTEM,
    Event,
    NeedsSecondPerson,
    NoSuchTransition,
    OrderError,
    PermissionDenied,
    Person,
    Role,
    State,
)
from duanka.domain.order_decision import RequestedAction
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.bulk_actions.withdrawal import Which, Withdrawals
from duanka.orders.intake.receiving import Received
from duanka.orders.service import OrderService
from support.orders.books import (
    DESK,
    HOUR,
    NOW,
    POLICE,
    SECOND,
    book_on,
    card,
    delivered,
    demand,
    receive,
    restriction,
    verification,
)

WHY = BilingualText("窝点", "a farm")


def _by_two(book: OrderService, event: Event, **facts: object) -> None:
    acts = BulkActionService(book)
    act = acts.propose(event, [card(0)], WHY, DESK, NOW, **facts)  # type: ignore[arg-type]
    acts.approve(act.id, SECOND, "fine", NOW)
    acts.carry_out(NOW)


@pytest.mark.parametrize("before", ["nothing", "barred", "suspended", "punished", "expired"])
def test_a_police_stop_stands_over_everything(store: Store, before: str) -> None:
    book = book_on(store)
    match before:
        case "barred":
            _by_two(book, Event.BAR_OUTGOING)
        case "suspended":
            _by_two(book, Event.SUSPEND)
        case "punished":
            _by_two(book, Event.PUNISH, until=NOW + 48 * HOUR)
        case "expired":
            delivered(book)
            book.sweep(NOW + 24 * HOUR)
    order = book.police_stop(card(0), "case 7", POLICE, "confirmed", NOW + 25 * HOUR)
    assert (order.state, order.carried_by, order.tier) == (
        State.FORCED_STOP,
        "police_notice:case 7",
        "extreme",
    )
    assert "case 7" in order.grounds.reason.en
    assert order.due_at is None
    assert book.sweep(NOW + 1000 * HOUR) == 0, "no end of a punishment, no stage lifts or changes it"
    assert restriction(book) == order


def test_passing_does_not_lift_a_police_stop(store: Store) -> None:
    book = book_on(store)
    asked = delivered(book)
    book.police_stop(card(0), "case", POLICE, "confirmed", NOW)
    assert verification(book).state is State.SENT_TO_FRAUD_CENTRE
    with pytest.raises(PermissionDenied):
        book.apply(asked.id, Event.PASS, DESK, "it is them", NOW)
    book.apply(asked.id, Event.PASS, POLICE, "it is them", NOW)
    order = restriction(book)
    assert order
    assert order.state is State.FORCED_STOP


@pytest.mark.parametrize("by", [DESK, SECOND, SYSTEM, Person("ministry", Role.REGULATOR)])
def test_nobody_else_releases_it(store: Store, by: Person) -> None:
    book = book_on(store)
    order = book.police_stop(card(0), "case", POLICE, "confirmed", NOW)
    with pytest.raises(PermissionDenied):
        book.police_release(card(0), by, "please", NOW)
    with pytest.raises(NoSuchTransition):
        book.apply(order.id, Event.RESTORE, by, "please", NOW)
    with pytest.raises(NoSuchTransition):
        book.apply(order.id, Event.EASE, by, "please", NOW)
    assert restriction(book) == order
    assert book.police_release(card(0), POLICE, "an error", NOW).state is State.RESTORED
    assert restriction(book) is None
    with pytest.raises(NoSuchTransition, match="not stopped"):
        book.police_release(card(0), POLICE, "again", NOW)


def test_a_release_ends_what_was_at_the_fraud_centre(store: Store) -> None:
    book = book_on(store)
    delivered(book)
    book.police_stop(card(0), "case", POLICE, "confirmed", NOW)
    book.police_release(card(0), POLICE, "an error", NOW)
    assert receive(book, [demand(rules=("device_hopping",))], NOW).opened == 1, (
        "nothing of before is still open"
    )


OTHER_POLICE = Person("bureau", Role.POLICE)


@pytest.mark.parametrize("way", ["notice", "notice over a stop by the clock", "fraud centre"])
def test_one_of_the_police_frees_nothing_that_two_must_free(store: Store, way: str) -> None:
    book = book_on(store)
    receive(book, [demand(tier="extreme")], NOW)
    asked, then = verification(book), NOW + 25 * HOUR
    book.apply(asked.id, Event.DELIVERED, SYSTEM, "receipt", NOW, delivered_at=NOW)
    if way != "notice":
        book.sweep(then)
        assert restriction(book)
    if way == "fraud centre":
        book.apply(asked.id, Event.TO_FRAUD_CENTRE, POLICE, "ours", then)
        with pytest.raises(NeedsSecondPerson, match="somebody else of the police"):
            book.apply(asked.id, Event.PASS, POLICE, "it is them", then)
        assert restriction(book)
        book.apply(asked.id, Event.PASS, OTHER_POLICE, "it is them", then)
    else:
        book.police_stop(card(0), "case 7", POLICE, "confirmed", then)
        for event in (Event.PASS, Event.POLICE_RELEASE):
            order = asked if event is Event.PASS else restriction(book)
            assert order
            with pytest.raises(NeedsSecondPerson, match="somebody else of the police"):
                book.apply(order.id, event, POLICE, "an error", then)
        with pytest.raises(NeedsSecondPerson):
            book.police_release(card(0), POLICE, "an error", then)
        assert restriction(book)
        book.police_release(card(0), OTHER_POLICE, "an error", then)
    assert restriction(book) is None


def test_one_of_the_police_takes_back_their_own_stop_and_what_others_sent_them(store: Store) -> None:
    book = book_on(store)
    delivered(book)  # of a tier that one person lets go
    book.police_stop(card(0), "case", POLICE, "a wrong digit", NOW)
    assert book.police_release(card(0), POLICE, "an error", NOW).state is State.RESTORED
    receive(book, [demand(1, tier="extreme")], NOW)
    book.apply(verification(book, 1).id, Event.TO_FRAUD_CENTRE, SECOND, "theirs", NOW)
    book.apply(verification(book, 1).id, Event.PASS, POLICE, "it is them", NOW)
    stop = demand(2, asked=RequestedAction.STOP, cases=("A1",), tier="extreme")
    receive(book, [demand(2, tier="extreme"), stop], NOW)
    assert book.police_release(card(2), POLICE, "an error", NOW).state is State.RESTORED


def test_while_the_police_stop_a_card_nobody_of_ours_takes_its_question_back_alone(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand(tier="extreme")], NOW)
    book.police_stop(card(0), "case", POLICE, "confirmed", NOW)
    act = Withdrawals(BulkActionService(book)).propose(Which((card(0),)), DESK, "not needed", NOW)
    assert act.state is BulkActionState.PROPOSED
    assert verification(book).state is State.SENT_TO_FRAUD_CENTRE


def test_only_the_police_stop_by_notice_and_with_its_number(store: Store) -> None:
    book = book_on(store)
    for by in (DESK, SECOND, Person("h", Role.HOLDER)):
        with pytest.raises(PermissionDenied):
            book.police_stop(card(0), "case", by, "confirmed", NOW)
    with pytest.raises(OrderError, match="number of the notice"):
        book.police_stop(card(0), " ", POLICE, "confirmed", NOW)
    assert restriction(book) is None


def test_a_confirmed_card_is_stopped_and_a_second_notice_joins(store: Store) -> None:
    book = book_on(store)
    stop = demand(asked=RequestedAction.STOP, cases=("A1", "A2"), tier="extreme")
    assert receive(book, [stop], NOW) == Received(stopped=1)
    assert receive(book, [stop], NOW) == Received(left=1)
    first = restriction(book)
    assert first
    assert first.carried_by == "police_notice:A1, A2"
    second = book.police_stop(card(0), "A3", POLICE, "another case", NOW)
    assert (second.id, second.hits, second.state) == (first.id, 2, State.FORCED_STOP)


def test_whom_the_police_stopped_we_ask_nothing_new(store: Store) -> None:
    book = book_on(store)
    book.police_stop(card(0), "case", POLICE, "confirmed", NOW)
    assert receive(book, [demand()], NOW) == Received(left=1)
    delivered(book, 1)
    book.police_stop(card(1), "case", POLICE, "confirmed", NOW)
    assert receive(book, [demand(1)], NOW) == Received(attached=1)
