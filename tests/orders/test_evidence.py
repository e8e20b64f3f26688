"""What a stop rests on: nothing that one person could have made alone, by whatever way they try."""

from __future__ import annotations

from dataclasses import replace

import pytest

from duanka.domain.bulk_action import BulkActionState
from duanka.domain.identity import CheckReason, Outcome, Verdict
from duanka.domain.network import NetworkState
from duanka.domain.order import (
    SYSTEM,
    Event,
    Kind,
    NeedsSecondPerson,
    Order,
    Person,
    Role,
    State,
)
from duanka.domain.order_decision import RequestedAction
from duanka.domain.order_policy import DeadlineStage, OrderPolicy
from duanka.domain.person import HOLDER
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.service import OrderService
from support.orders.books import (
    DESK,
    HOUR,
    NOW,
    POLICE,
    SECOND,
    acts_of,
    book_on,
    card,
    decided_by_second,
    delivered,
    demand,
    receive,
    restriction,
    verification,
)
from support.orders.online import PASSED, UNSURE, Online, policy

OTHER, THIRD = Person("zhao", Role.DESK), Person("sun", Role.SUPERVISOR)
STRANGER = Verdict(Outcome.FAILED, (CheckReason.OTHER_PERSON,), 0.1)


def _demanded(book: OrderService, by: Person = DESK, number: int = 0, tier: str = "medium") -> Order:
    """A verification that one person demands, its notice delivered."""
    receive(book, [demand(number, tier=tier, id="")], NOW, by)
    return book.apply(verification(book, number).id, Event.DELIVERED, SYSTEM, "receipt", NOW)


def _proposed(book: OrderService) -> list[str]:
    return [
        str(act.verification) for act in acts_of(BulkActionService(book), SECOND, BulkActionState.PROPOSED)
    ]


# --- who can stop a card alone: nobody ---


@pytest.mark.parametrize("steps", [("begin", "fail"), ("begin", "submit", "fail"), ("to_counter", "fail")])
@pytest.mark.parametrize("sealed", [True, False])
def test_one_persons_word_that_it_failed_stops_nothing(
    store: Store, steps: tuple[str, ...], sealed: bool
) -> None:
    book = book_on(store)
    order = delivered(book) if sealed else _demanded(book)
    for step in steps:
        order = book.apply(order.id, Event(step), DESK, "I say so", NOW)
    assert (order.state, order.evidence) == (State.FAILED, "")
    assert restriction(book) is None
    assert _proposed(book) == [order.id]
    act = decided_by_second(book)
    stopped = restriction(book)
    assert stopped
    assert (stopped.state, stopped.carried_by, stopped.parent) == (
        State.SUSPENDED,
        f"two_people:{act.id}",
        order.id,
    )
    assert stopped.grounds.reason.en.startswith("the verification was not passed")


def test_what_one_person_demanded_expires_into_a_proposal_that_another_decides(store: Store) -> None:
    book = book_on(store)
    order = _demanded(book, SECOND)
    book.sweep(NOW + 24 * HOUR)
    assert verification(book).state is State.EXPIRED
    assert restriction(book) is None
    (act,) = acts_of(BulkActionService(book), SECOND, BulkActionState.PROPOSED)
    assert (act.proposed_by, act.verification, act.event) == ("li", order.id, Event.SUSPEND)
    with pytest.raises(NeedsSecondPerson):
        BulkActionService(book).approve(act.id, SECOND, "my own demand", NOW + 25 * HOUR)
    with pytest.raises(NeedsSecondPerson):
        BulkActionService(book).reject(act.id, SECOND, "and nobody sees it", NOW + 25 * HOUR)
    decided_by_second(book, THIRD, NOW + 25 * HOUR)
    assert (stopped := restriction(book))
    assert stopped.state is State.SUSPENDED


@pytest.mark.parametrize("receipt", [True, False])
def test_the_hours_carry_a_stop_only_behind_a_receipt(store: Store, receipt: bool) -> None:
    """Who made a link can begin in the holder's place; that the holder was told, only the message centre says."""
    book = book_on(store)
    receive(book, [demand()], NOW)
    order = book.apply(verification(book).id, Event.BEGIN, HOLDER, "verified online", NOW)
    assert order.due_at == NOW + 24 * HOUR
    if receipt:
        later = book.apply(order.id, Event.DELIVERED, SYSTEM, "receipt", NOW + 23 * HOUR)
        assert (later.state, later.due_at) == (State.IN_PROGRESS, NOW + 47 * HOUR), (
            "the whole time from the receipt on"
        )
    book.sweep(NOW + 48 * HOUR)
    stopped = restriction(book)
    assert (stopped.carried_by if stopped else None) == (
        f"expired_verification:{order.id}" if receipt else None
    )
    assert _proposed(book) == ([] if receipt else [order.id])


def test_begin_by_the_staff_starts_no_hours(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand()], NOW)
    order = book.apply(verification(book).id, Event.BEGIN, DESK, "came", NOW)
    assert (order.due_at, order.delivered_at, order.helped_by) == (None, None, ("wang",))
    assert book.sweep(NOW + 1000 * HOUR) == 0
    assert book.apply(order.id, Event.DELIVERED, SYSTEM, "receipt", NOW + HOUR).due_at == NOW + 25 * HOUR


def test_a_failure_that_one_person_says_does_not_stop_the_clock(store: Store) -> None:
    """Or a friend at the desk would fail the holder, and the order would never end."""
    book = book_on(store)
    order = delivered(book)
    book.apply(order.id, Event.BEGIN, DESK, "came", NOW)
    book.apply(order.id, Event.FAIL, DESK, "not them", NOW + HOUR)
    (act,) = acts_of(BulkActionService(book), SECOND, BulkActionState.PROPOSED)
    with pytest.raises(NeedsSecondPerson):
        BulkActionService(book).reject(act.id, DESK, "oh well", NOW + HOUR)
    BulkActionService(book).reject(act.id, SECOND, "not for this", NOW + HOUR)
    book.sweep(NOW + 24 * HOUR)
    assert (stopped := restriction(book))
    assert stopped.carried_by == f"expired_verification:{order.id}"


@pytest.mark.parametrize("event", [Event.SUSPEND, Event.CANCEL, Event.PUNISH])
@pytest.mark.parametrize("by", [DESK, SECOND])
def test_what_carries_one_stage_carries_no_heavier_act_by_hand(
    store: Store, event: Event, by: Person
) -> None:
    stages = (DeadlineStage(24, NetworkState.OUTGOING_BARRED), DeadlineStage(48, NetworkState.SUSPENDED))
    book = book_on(store, OrderPolicy(stages=stages))
    delivered(book)
    book.sweep(NOW + 24 * HOUR)
    before = restriction(book)
    assert before
    assert before.state is State.OUTGOING_BARRED
    facts = {"until": NOW + 900 * HOUR} if event is Event.PUNISH else {}
    with pytest.raises(NeedsSecondPerson):
        book.apply(before.id, event, by, "sooner", NOW + 25 * HOUR, **facts)
    assert restriction(book) == before
    book.police_stop(card(1), "case", POLICE, "confirmed", NOW)
    forced = restriction(book, 1)
    assert forced
    with pytest.raises(NeedsSecondPerson):
        book.apply(forced.id, Event.CANCEL, by, "for good", NOW)


# --- the machine and a reviewer ---


@pytest.mark.parametrize(
    ("verdict", "by", "carried"),
    [
        (UNSURE, DESK, True),
        (PASSED, DESK, False),  # only the policy wanted a person to look
        (UNSURE, OTHER, False),  # who made the link may have been before the camera
    ],
)
def test_a_reviewer_and_a_machine_are_two_where_the_check_is_not_the_reviewers(
    store: Store, verdict: Verdict, by: Person, carried: bool
) -> None:
    way = Online(store, policy(review_tiers=("medium",)))
    order = way.asked()
    way.orders.transaction(
        lambda unit: unit.change(unit.order(order.id), OTHER, "link", "lost", helped_by=("zhao",)), NOW
    )
    way.settled(way.agreed(order.id), verdict)
    after = way.orders.apply(order.id, Event.FAIL, by, "another face", NOW + HOUR)
    assert after.evidence == ("failed_check" if carried else "")
    assert bool(restriction(way.orders)) is carried
    assert _proposed(way.orders) == ([] if carried else [order.id])


def test_who_had_a_hand_in_a_check_passes_nobody_by_it(store: Store) -> None:
    way = Online(store)
    order = way.asked(tier="high")
    way.orders.transaction(
        lambda unit: unit.change(unit.order(order.id), DESK, "link", "lost", helped_by=("wang",)), NOW
    )
    way.settled(way.agreed(order.id), UNSURE)
    with pytest.raises(NeedsSecondPerson):
        way.orders.apply(order.id, Event.PASS, DESK, "it is them", NOW + HOUR)
    assert way.orders.apply(order.id, Event.PASS, OTHER, "it is them", NOW + HOUR).state is State.PASSED


# --- ways round the second person, for the tiers that take two ---


def _stopped_high(book: OrderService, number: int = 0) -> tuple[Order, Order]:
    receive(book, [demand(number, tier="extreme", id=f"0123456789abcdef:{number + 1}")], NOW)
    order = book.apply(verification(book, number).id, Event.DELIVERED, SYSTEM, "receipt", NOW)
    book.sweep(NOW + 24 * HOUR)
    stopped = restriction(book, number)
    assert stopped
    return order, stopped


@pytest.mark.parametrize("by", [DESK, SECOND])
def test_no_way_lets_a_high_tier_go_alone(store: Store, by: Person) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    order, stopped = _stopped_high(book)
    later = NOW + 25 * HOUR
    why = BilingualText("误", "in error")
    for number, event in (
        (order.id, Event.PASS),
        (order.id, Event.WITHDRAW),
        (stopped.id, Event.RESTORE),
        (stopped.id, Event.EASE),
        (book.object(card(0), "it is mine", HOLDER, later).id, Event.UPHOLD),
    ):
        with pytest.raises(NeedsSecondPerson):
            book.apply(number, event, by, "a friend", later)
    for event in (Event.RESTORE, Event.WITHDRAW):
        act = acts.propose(event, [card(0)], why, by, later)
        assert act.state is BulkActionState.PROPOSED
        acts.reject(act.id, by, "never mind", later)
    receive(book, [demand(asked=RequestedAction.NOTHING, id="")], later, by)
    assert restriction(book) == stopped
    assert verification(book).id == order.id


def test_two_let_it_go_and_whoever_passes_has_the_card_back_at_once(store: Store) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    _stopped_high(book)
    later = NOW + 25 * HOUR
    objection = book.object(card(0), "it is mine", HOLDER, later)
    book.apply(objection.id, Event.ACCEPT, DESK, "we look", later)
    with pytest.raises(NeedsSecondPerson):
        book.apply(objection.id, Event.UPHOLD, DESK, "a friend", later)
    book.apply(objection.id, Event.UPHOLD, SECOND, "they are right", later)
    assert restriction(book) is None
    _stopped_high(book, 1)  # who was given the card back is not asked about the same again
    act = acts.propose(Event.RESTORE, [card(1)], BilingualText("误", "in error"), DESK, later)
    acts.approve(act.id, SECOND, "so it is", later)
    acts.carry_out(later)
    assert restriction(book, 1) is None
    order, _ = _stopped_high(book, 2)
    book.apply(order.id, Event.PASS, SYSTEM, "the check online passed", later)
    assert restriction(book, 2) is None


def test_undoing_is_no_way_round_what_waits_for_a_second_person(store: Store) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    order = _demanded(book, tier="high")
    book.sweep(NOW + 24 * HOUR)
    act = decided_by_second(book, at=NOW + 25 * HOUR)
    undo = acts.undo(act.id, DESK, "a friend", NOW + 26 * HOUR)
    assert (undo.done, undo.skipped, acts.get(act.id).state) == (0, 1, BulkActionState.PARTLY_UNDONE)
    assert restriction(book)
    assert verification(book).id == order.id


# --- proposals and what happens meanwhile ---


def test_a_proposal_ends_with_what_it_is_about(store: Store) -> None:
    book = book_on(store)
    order = _demanded(book)
    book.sweep(NOW + 24 * HOUR)
    assert _proposed(book) == [order.id]
    book.apply(order.id, Event.PASS, OTHER, "came late", NOW + 25 * HOUR)
    assert _proposed(book) == []
    assert restriction(book) is None


def test_a_proposal_that_was_approved_stops_nobody_who_passed_before_it_ran(store: Store) -> None:
    book = book_on(store)
    order = _demanded(book)
    book.sweep(NOW + 24 * HOUR)
    (act,) = acts_of(BulkActionService(book), SECOND, BulkActionState.PROPOSED)
    BulkActionService(book).approve(act.id, SECOND, "seen", NOW + 25 * HOUR)
    book.apply(order.id, Event.PASS, OTHER, "came late", NOW + 25 * HOUR)
    BulkActionService(book).carry_out(NOW + 25 * HOUR)
    assert restriction(book) is None
    again = BulkActionService(book).approve(act.id, SECOND, "again", NOW + 25 * HOUR)
    assert (again.done, again.before and again.before.by) == (0, SECOND.id)


def test_a_sealed_decision_takes_over_what_somebody_asked_before(store: Store) -> None:
    """Or whoever asks first, with no seal, keeps a card from ever being stopped."""
    book = book_on(store)
    order = _demanded(book)
    receive(book, [demand(reason=BilingualText("群呼", "calls by the hundred"))], NOW + 20 * HOUR)
    taken = verification(book)
    assert (taken.id, taken.decision, taken.due_at) == (order.id, demand().id, None)
    assert taken.grounds.reason.en == "calls by the hundred", "and that is what the holder is told"
    assert book.sweep(NOW + 24 * HOUR) == 0, "the hours run anew, from the new notice"
    book.apply(order.id, Event.DELIVERED, SYSTEM, "receipt", NOW + 21 * HOUR)
    book.sweep(NOW + 45 * HOUR)
    assert (stopped := restriction(book))
    assert stopped.carried_by == f"expired_verification:{order.id}"


def test_a_stop_without_a_seal_is_a_question(store: Store) -> None:
    book = book_on(store)
    received = receive(
        book, [replace(demand(asked=RequestedAction.STOP, tier="extreme", cases=("X1",)), id="")], NOW
    )
    assert (received.opened, received.stopped, received.unsealed, received.unsealed_stops) == (1, 0, 1, 1)
    order = verification(book)
    assert (order.asked, order.tier) == (RequestedAction.VERIFY_AT_COUNTER, "high")
    assert restriction(book) is None


def test_what_the_holder_of_a_police_stop_reads_is_the_police_and_no_rule(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand(asked=RequestedAction.STOP, tier="extreme", cases=("公诈7号",))], NOW)
    stopped = restriction(book)
    assert stopped
    assert stopped.grounds.reason == BilingualText(
        "公安机关确认涉案（公诈7号）", "confirmed by the police in case 公诈7号"
    )
    assert stopped.grounds.redress == OrderPolicy().police_redress
    assert "核验通过" not in stopped.grounds.redress.zh
    assert book.transaction(lambda unit: unit.open_order(card(0), Kind.VERIFICATION), NOW) is None
