"""Lifeline: who gets it, who never does by whatever way, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import count, cycle

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from duanka.domain.lifeline import NEVER_RULES
from duanka.domain.network import NetworkState
from duanka.domain.order import (
    SYSTEM,
    TRANSITIONS,
    Event,
    Kind,
    NeedsSecondPerson,
    NoLifeline,
    NoSuchTransition,
    OrderError,
    Person,
    Role,
    State,
)
from duanka.domain.order_decision import RequestedAction
from duanka.domain.order_policy import DeadlineStage, OrderPolicy
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import act_cards, cards, outbox
from duanka.ledger.unit_of_work.confirmations import ConfirmationSource, confirm, withdraw
from duanka.ledger.unit_of_work.lifeline import end_lifeline
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.bulk_actions.restoration import give_back
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.service import OrderService
from support.api.asking import on_sqlite_alone
from support.orders.books import (
    DESK,
    HOUR,
    NOW,
    POLICE,
    SECOND,
    all_delivered,
    book_on,
    card,
    delivered,
    demand,
    receive,
    restriction,
    verification,
)

WHY = BilingualText("须核实", "to be verified")
FIRST = OrderPolicy(
    stages=(DeadlineStage(24, NetworkState.LIFELINE), DeadlineStage(48, NetworkState.SUSPENDED))
)
LAST = OrderPolicy(stages=(DeadlineStage(24, NetworkState.LIFELINE),))
SECOND_OF_THREE = OrderPolicy(
    stages=(
        DeadlineStage(24, NetworkState.OUTGOING_BARRED),
        DeadlineStage(36, NetworkState.LIFELINE),
        DeadlineStage(72, NetworkState.SUSPENDED),
    )
)
REASONS = (*sorted(NEVER_RULES), "confirmed")


def state(book: OrderService, number: int = 0) -> State | None:
    found = restriction(book, number)
    return found.state if found else None


def exclude(book: OrderService, reason: str, number: int = 0, at: timedelta = timedelta(0)) -> None:
    """Let a rule hit the card, or the police confirm it by a clue's answer, which stops nothing by itself."""
    if reason != "confirmed":
        receive(book, [demand(number, rules=(reason,), id=f"later:{reason}:{number}")], NOW + at)
        return

    def say(unit: UnitOfWork) -> None:
        confirm(unit, card(number), "A1", ConfirmationSource.CLUE_FEEDBACK, POLICE, "answer", origin="C1")
        end_lifeline(unit, card(number), "the police confirmed it")

    book.transaction(say, NOW + at)


def put(book: OrderService, event: Event, *numbers: int, at: timedelta = timedelta(0)) -> str:
    """Propose `event`, approve it where that takes two, carry it out; the bulk action's id."""
    acts = BulkActionService(book)
    act = acts.propose(event, [card(number) for number in numbers or (0,)], WHY, DESK, NOW + at)
    if act.approved_at is None:
        acts.approve(act.id, SECOND, "seen", NOW + at)
    while acts.carry_out(NOW + at):
        pass
    return act.id


def told(book: OrderService, number: int = 0) -> list[str]:
    """What the network was told of the card, in order."""
    query = select(outbox.c.wanted).where(outbox.c.card == card(number), outbox.c.element == "call_proxy")
    with book.store.reading() as connection:
        return list(connection.execute(query.order_by(outbox.c.id)).scalars())


@pytest.mark.requirement("R1.5")
def test_it_is_the_first_stage_where_the_policy_says_so_and_a_pass_ends_it(store: Store) -> None:
    book = book_on(store, FIRST)
    order = delivered(book)
    assert book.sweep(NOW + timedelta(hours=23, minutes=59)) == 0
    assert book.sweep(NOW + 24 * HOUR) == 1
    assert (held := restriction(book))
    assert (held.state, held.due_at) == (State.LIFELINE, NOW + 48 * HOUR)
    assert held.carried_by == f"expired_verification:{order.id}"
    book.apply(order.id, Event.PASS, DESK, "it is them", NOW + 30 * HOUR)
    assert restriction(book) is None
    assert book.sweep(NOW + 1000 * HOUR) == 0
    assert told(book) == ["lifeline", "active"]


@pytest.mark.requirement("R1.5")
@pytest.mark.parametrize(
    ("policy", "steps"),
    [
        (FIRST, [(24, State.LIFELINE), (48, State.SUSPENDED)]),
        (SECOND_OF_THREE, [(24, State.OUTGOING_BARRED), (36, State.LIFELINE), (72, State.SUSPENDED)]),
        (LAST, [(24, State.LIFELINE)]),
    ],
)
def test_the_stages_follow_one_another(
    store: Store, policy: OrderPolicy, steps: list[tuple[int, State]]
) -> None:
    book = book_on(store, policy)
    delivered(book)
    for hours, wanted in steps:
        assert book.sweep(NOW + timedelta(hours=hours, seconds=-1)) == 0
        assert book.sweep(NOW + hours * HOUR) == 1
        assert state(book) is wanted
    assert book.sweep(NOW + 10_000 * HOUR) == 0


@pytest.mark.parametrize(("policy", "hours"), [(FIRST, 24), (LAST, 24), (SECOND_OF_THREE, 36)])
def test_a_card_that_never_gets_it_gets_what_comes_after(
    store: Store, policy: OrderPolicy, hours: int
) -> None:
    book = book_on(store, policy)
    all_delivered(book, range(len(REASONS)))
    for number, reason in enumerate(REASONS):
        exclude(book, reason, number)
    book.sweep(NOW + 24 * HOUR)
    book.sweep(NOW + hours * HOUR)
    for number, reason in enumerate(REASONS):
        assert state(book, number) is State.SUSPENDED, reason
        assert "lifeline" not in told(book, number)


@pytest.mark.parametrize("policy", [FIRST, LAST, SECOND_OF_THREE])
def test_a_card_in_it_that_may_not_have_it_any_more_moves_on_with_the_next_sweep(
    store: Store, policy: OrderPolicy
) -> None:
    book = book_on(store, policy)
    all_delivered(book, range(len(REASONS) + 1))
    for hours in (24, 36):
        book.sweep(NOW + hours * HOUR)
    for number, reason in enumerate(REASONS):
        assert state(book, number) is State.LIFELINE
        exclude(book, reason, number, at=37 * HOUR)
    assert book.sweep(NOW + 37 * HOUR) == len(REASONS)
    for number, reason in enumerate(REASONS):
        assert (stopped := restriction(book, number))
        assert (stopped.state, stopped.parent) == (State.SUSPENDED, verification(book, number).id), reason
    assert state(book, len(REASONS)) is State.LIFELINE, "and no other card"


def test_so_does_one_that_two_people_put_into_it(store: Store) -> None:
    book = book_on(store, SECOND_OF_THREE)
    put(book, Event.LIFELINE, *range(len(REASONS)))
    assert book.sweep(NOW + 1000 * HOUR) == 0, "no clock runs for what people decided"
    for number, reason in enumerate(REASONS):
        assert state(book, number) is State.LIFELINE
        exclude(book, reason, number, at=2 * HOUR)
    assert book.sweep(NOW + 2 * HOUR) == len(REASONS)
    assert {state(book, number) for number in range(len(REASONS))} == {State.SUSPENDED}


def test_a_list_of_one_person_ends_no_lifeline(store: Store) -> None:
    book = book_on(store, FIRST)
    put(book, Event.LIFELINE)
    receive(book, [demand(rules=("in_ring",), id="")], NOW, DESK)
    assert book.sweep(NOW + HOUR) == 0
    assert state(book) is State.LIFELINE
    put(book, Event.SUSPEND)
    held = restriction(book)
    assert held is not None
    with pytest.raises(NoLifeline, match="in_ring"):  # but into it the card does not come again
        book.apply(held.id, Event.EASE_TO_LIFELINE, DESK, "as before", NOW)


def test_a_review_of_a_late_check_does_not_keep_it_open(store: Store) -> None:
    book = book_on(store, FIRST)
    order = delivered(book)
    book.sweep(NOW + 24 * HOUR)
    exclude(book, "sim_box", at=25 * HOUR)
    book.apply(order.id, Event.SUBMIT, SYSTEM, "a late check", NOW + 25 * HOUR)
    assert book.sweep(NOW + 25 * HOUR) == 1
    assert state(book) is State.SUSPENDED


def test_a_review_pauses_the_stage_after_it_for_all_others(store: Store) -> None:
    book = book_on(store, FIRST)
    order = delivered(book)
    book.sweep(NOW + 24 * HOUR)
    book.apply(order.id, Event.SUBMIT, SYSTEM, "a late check", NOW + 25 * HOUR)
    assert book.sweep(NOW + 100 * HOUR) == 0
    assert state(book) is State.LIFELINE


# --- every way that leads to it ---


def by_clock(book: OrderService, number: int) -> None:
    book.apply(verification(book, number).id, Event.DELIVERED, SYSTEM, "receipt", NOW, delivered_at=NOW)
    book.sweep(NOW + 24 * HOUR)


def by_bulk_action(book: OrderService, number: int) -> None:
    put(book, Event.LIFELINE, number)


def eased(book: OrderService, number: int) -> None:
    put(book, Event.SUSPEND, number)
    held = restriction(book, number)
    assert held is not None
    book.apply(held.id, Event.EASE_TO_LIFELINE, DESK, "they asked for it", NOW)


def eased_by_command(book: OrderService, number: int) -> None:
    put(book, Event.SUSPEND, number)
    held = restriction(book, number)
    assert held is not None
    give_back(BulkActionService(book), held, Event.EASE_TO_LIFELINE, DESK, "they asked for it", NOW)


def eased_in_bulk(book: OrderService, number: int) -> None:
    put(book, Event.SUSPEND, number)
    put(book, Event.EASE_TO_LIFELINE, number)


def alone_by_staff(book: OrderService, number: int) -> None:
    put(book, Event.BAR_OUTGOING, number)
    held = restriction(book, number)
    assert held is not None
    book.apply(held.id, Event.LIFELINE, SECOND, "alone", NOW)


WAYS: tuple[Callable[[OrderService, int], None], ...] = (
    by_clock,
    by_bulk_action,
    eased,
    eased_by_command,
    eased_in_bulk,
    alone_by_staff,
)


@pytest.mark.parametrize(("way", "rule"), [*zip(WAYS, cycle(sorted(NEVER_RULES)), strict=False)])
def test_no_way_leads_a_card_there_that_never_gets_it(
    store: Store, way: Callable[[OrderService, int], None], rule: str
) -> None:
    book = book_on(store, OrderPolicy(stages=FIRST.stages, two_people=False))
    for number, reason in enumerate(("confirmed", rule)):
        receive(book, [demand(number)], NOW)
        exclude(book, reason, number)
        with suppress(NoLifeline):
            way(book, number)
        assert state(book, number) is not State.LIFELINE, reason
        assert "lifeline" not in told(book, number)


def test_each_of_these_ways_leads_there_otherwise(store: Store) -> None:
    book = book_on(store, OrderPolicy(stages=FIRST.stages, two_people=False))
    for number, way in enumerate(WAYS):
        receive(book, [demand(number)], NOW)
        way(book, number)
        assert state(book, number) is State.LIFELINE, way


@pytest.mark.parametrize("reason", ["confirmed", "in_ring"])
def test_undoing_a_suspension_does_not_lead_back_to_it(store: Store, reason: str) -> None:
    book, acts = book_on(store, FIRST), BulkActionService(book_on(store, FIRST))
    for number in range(2):
        put(book, Event.LIFELINE, number)
    suspended = put(book, Event.SUSPEND, 0, 1)
    exclude(book, reason)
    undo = acts.undo(suspended, SECOND, "wrong list", NOW)
    assert (state(book, 0), state(book, 1)) == (State.SUSPENDED, State.LIFELINE)
    (skipped,) = acts.skipped(undo.id)
    assert skipped.card == card(0)
    assert "never gets the lifeline" in skipped.why


def test_undoing_it_leads_back_to_what_was_before(store: Store) -> None:
    book, acts = book_on(store, FIRST), BulkActionService(book_on(store, FIRST))
    barred = put(book, Event.BAR_OUTGOING, 0)
    held = put(book, Event.LIFELINE, 0, 1)
    assert (state(book, 0), state(book, 1)) == (State.LIFELINE, State.LIFELINE)
    acts.undo(held, SECOND, "wrong list", NOW)
    assert (now_is := restriction(book, 0))
    assert (now_is.state, now_is.carried_by) == (State.OUTGOING_BARRED, f"two_people:{barred}")
    assert restriction(book, 1) is None


def test_a_word_of_the_police_that_is_taken_back_keeps_nobody_out(store: Store) -> None:
    book = book_on(store, FIRST)
    put(book, Event.SUSPEND)
    exclude(book, "confirmed")
    held = restriction(book)
    assert held is not None
    with pytest.raises(NoLifeline, match="the police confirmed it; suspend it instead"):
        book.apply(held.id, Event.EASE_TO_LIFELINE, DESK, "they asked for it", NOW)
    book.transaction(lambda unit: withdraw(unit, card(0), POLICE, "an error"), NOW)
    assert book.apply(held.id, Event.EASE_TO_LIFELINE, DESK, "they asked", NOW).state is State.LIFELINE


@pytest.mark.parametrize("stop", ["forced_stop", "punished"])
def test_a_stop_of_the_police_and_a_punishment_are_never_eased_to_it(store: Store, stop: str) -> None:
    book = book_on(store, FIRST)
    if stop == "forced_stop":
        book.police_stop(card(0), "A1", POLICE, "notice", NOW)
    else:
        acts = BulkActionService(book)
        act = acts.propose(Event.PUNISH, [card(0)], WHY, DESK, NOW, NOW + 48 * HOUR)
        acts.approve(act.id, SECOND, "seen", NOW)
        acts.carry_out(NOW)
    held = restriction(book)
    assert held is not None
    for event in (Event.LIFELINE, Event.EASE_TO_LIFELINE):
        with pytest.raises(OrderError):
            book.apply(held.id, event, SECOND, "try", NOW)
        if stop == "forced_stop":
            with pytest.raises(NoSuchTransition, match="only the police lift it"):
                put(book, event)
            continue
        act_id = put(book, event)
        with book.store.reading() as connection:
            outcome = select(act_cards.c.outcome).where(act_cards.c.act_id == act_id)
            assert connection.execute(outcome).scalars().all() == ["skipped"]
    assert state(book) is State(stop)


@pytest.mark.parametrize("event", [Event.LIFELINE, Event.EASE_TO_LIFELINE])
def test_who_proposes_it_reads_at_once_which_cards_never_get_it(store: Store, event: Event) -> None:
    book = book_on(store, FIRST)
    for number in range(3):
        receive(book, [demand(number, tier="high")], NOW)
    exclude(book, "confirmed", 0)
    exclude(book, "code_receiver", 1)
    acts = BulkActionService(book)
    act = acts.propose(event, [card(number) for number in range(3)], WHY, DESK, NOW)
    assert [(one.card, one.why) for one in acts.skipped(act.id)] == [
        (card(0), "never given the lifeline (保底服务): the police confirmed it"),
        (
            card(1),
            "never given the lifeline (保底服务): code_receiver hit it, and such a card is never kept reachable",
        ),
    ]
    with pytest.raises(NoLifeline, match="nothing is left to do"):
        acts.propose(event, [card(0)], WHY, DESK, NOW)


@pytest.mark.requirement("R1.5")
def test_easing_takes_one_person_and_restricting_two_and_more_where_the_tier_says_so(store: Store) -> None:
    book = book_on(store, FIRST)
    put(book, Event.SUSPEND)
    held = restriction(book)
    assert held is not None
    eased = book.apply(held.id, Event.EASE_TO_LIFELINE, DESK, "they asked", NOW)
    assert eased.state is State.LIFELINE
    with pytest.raises(NeedsSecondPerson):
        book.apply(held.id, Event.SUSPEND, SECOND, "and back, alone", NOW)
    put(book, Event.SUSPEND)
    assert state(book) is State.SUSPENDED
    receive(book, [demand(1, RequestedAction.VERIFY_AT_COUNTER, tier="high")], NOW)
    put(book, Event.SUSPEND, 1)
    other = restriction(book, 1)
    assert other is not None
    with pytest.raises(NeedsSecondPerson, match="ease-to-lifeline"):
        book.apply(other.id, Event.EASE_TO_LIFELINE, DESK, "they asked", NOW)


# --- the table ---


def _ways_in() -> Iterator[tuple[State, Event]]:
    return ((row.before, row.event) for row in TRANSITIONS if row.after is State.LIFELINE)


def test_the_table_leads_there_from_milder_states_by_stops_and_from_suspended_by_easing() -> None:
    assert set(_ways_in()) == {
        (State.ACTIVE, Event.LIFELINE),
        (State.OUTGOING_BARRED, Event.LIFELINE),
        (State.SUSPENDED, Event.EASE_TO_LIFELINE),
    }
    assert all(
        row.kind is Kind.RESTRICTION for row in TRANSITIONS if State.LIFELINE in (row.before, row.after)
    )


_fresh = count(1000)  # a card for each example: they share a database
_PEOPLE = (SYSTEM, DESK, SECOND, POLICE, Person("han", Role.HOLDER))
_STEPS = st.one_of(
    st.tuples(st.just("event"), st.sampled_from(Event), st.sampled_from(_PEOPLE)),
    st.tuples(
        st.just("bulk"),
        st.sampled_from(
            [Event.BAR_OUTGOING, Event.LIFELINE, Event.SUSPEND, Event.EASE, Event.EASE_TO_LIFELINE]
        ),
        st.just(DESK),
    ),
    st.tuples(st.just("undo"), st.just(Event.RESTORE), st.just(SECOND)),
    st.tuples(st.just("hours"), st.integers(1, 50), st.just(SYSTEM)),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    reason=st.sampled_from(REASONS),
    policy=st.sampled_from([FIRST, LAST, SECOND_OF_THREE]),
    steps=st.lists(_STEPS, min_size=3, max_size=12),
)
def test_whatever_is_done_in_whatever_order_no_such_card_gets_it(
    store: Store, reason: str, policy: OrderPolicy, steps: list[tuple[str, object, Person]]
) -> None:
    """Every row of the table, by every role, one by one, in bulk, by the clock and by undoing."""
    number = next(_fresh)
    book, now, acts = book_on(store, policy), timedelta(0), list[str]()
    delivered(book, number)
    exclude(book, reason, number)
    for what, which, by in steps:
        try:
            if what == "hours" and isinstance(which, int):
                now += which * HOUR
                book.sweep(NOW + now)
            elif what == "undo":
                if acts:
                    BulkActionService(book).undo(acts[-1], by, "wrong list", NOW + now)
            elif what == "bulk":
                acts.append(put(book, Event(str(which)), number, at=now))
            elif held := restriction(book, number):
                book.apply(held.id, Event(str(which)), by, "try", NOW + now)
        except OrderError:
            pass
        with book.store.reading() as connection:
            found = connection.execute(select(cards.c.state).where(cards.c.card == card(number))).scalar()
        assert found != State.LIFELINE.value
    assert "lifeline" not in told(book, number)


@on_sqlite_alone
@pytest.mark.parametrize("rule", sorted(NEVER_RULES))
def test_a_rule_is_not_forgotten_when_a_clerk_withdraws_the_verification(store: Store, rule: str) -> None:
    book = book_on(store, FIRST)
    receive(book, [demand(0, rules=(rule,))], NOW)
    put(book, Event.SUSPEND)
    asked = verification(book, 0)
    book.apply(asked.id, Event.WITHDRAW, DESK, "in error", NOW + HOUR)
    with suppress(OrderError):
        put(book, Event.EASE_TO_LIFELINE, at=2 * HOUR)
    assert state(book) is State.SUSPENDED


@on_sqlite_alone
@pytest.mark.parametrize("rule", sorted(NEVER_RULES))
def test_a_decision_that_asks_nobody_ends_the_lifeline_all_the_same(store: Store, rule: str) -> None:
    book = book_on(store, FIRST)
    asked = delivered(book)
    book.apply(asked.id, Event.BEGIN, DESK, "came", NOW)
    book.apply(asked.id, Event.PASS, DESK, "seen", NOW)
    put(book, Event.LIFELINE, at=HOUR)
    assert state(book) is State.LIFELINE
    again = demand(0, rules=("fan_out", rule), id="later:1")
    receive(book, [again], NOW + 2 * HOUR)
    book.sweep(NOW + 2 * HOUR)
    assert state(book) is State.SUSPENDED
