"""This number is not mine: who says so, what confirms it, and what follows for the card and for nobody else."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select

from duanka.domain.counter_check import CounterCheck, Document, digest_of
from duanka.domain.disavowal import DisavowalSeen
from duanka.domain.evidence import Evidence
from duanka.domain.order import (
    SYSTEM,
    Event,
    Kind,
    NeedsSecondPerson,
    NoSuchTransition,
    Order,
    OrderError,
    PermissionDenied,
    Person,
    ProtectedCard,
    Role,
    State,
)
from duanka.domain.order_decision import RequestedAction
from duanka.domain.person import HOLDER
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import orders, outbox
from duanka.ledger.db.tables_identity import counter_checks
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.effects import apply_event
from duanka.orders.monitoring.backups import hours_anew
from duanka.orders.queries.service import Filter, OrderQueries, ViewerContext
from support.order_policies import AT_ONCE
from support.orders.books import (
    DESK,
    ELEMENTS,
    HOUR,
    KEY,
    NOW,
    POLICE,
    SECOND,
    card,
    demand,
    receive,
    restriction,
)
from support.orders.online import PASSED, STRANGER, UNSURE, YES, Online, templates, trail
from support.waiting import HANG

SEEN = DisavowalSeen(
    Document.ID_CARD,
    "长安街营业厅",
    person_present=True,
    in_register=True,
    statement_signed=True,
    outlet="W-17",
)
MINE = CounterCheck(
    Document.ID_CARD, "长安街营业厅", person_present=True, card_in_hand=True, notice_signed=True
)
OTHER = Person("zhao", Role.DESK)
WHY = "the document is theirs, the number is not"
DAY = timedelta(days=1)
DISOWNS = replace(YES, legal_notice=False, disowns=True)


def without(seen: Any, missing: str) -> Any:
    return replace(seen, **{missing: False})


def said(way: Online, number: int = 0, at: Any = NOW) -> Order:
    """Recorded at a counter, and waiting for the second person."""
    order = way.disavowals.record(card(number), SEEN, DESK, WHY, at)
    assert order.state is State.CLAIMED
    return order


def disowned(way: Online, number: int = 0, at: Any = NOW) -> Order:
    """Recorded at a counter by one, and confirmed by another."""
    return way.counter.confirm(said(way, number, at).id, OTHER, "seen too", at)


def open_of(way: Online, kind: Kind, number: int = 0) -> Order | None:
    return way.orders.transaction(lambda unit: unit.open_order(card(number), kind), NOW)


def wanted(way: Online, number: int = 0) -> list[str]:
    """What the network is to be told last of the card, by element."""
    rows = select(outbox).where(outbox.c.card == card(number)).order_by(outbox.c.id)
    with way.store.reading() as connection:
        last = {row.element: row.wanted for row in connection.execute(rows)}
    return [last[element] for element in ELEMENTS]


def whole(store: Store) -> None:
    assert not [found for found in Trail(KEY).verify(store) if isinstance(found, Fault)]


# --- at the counter ---


def test_two_of_the_staff_stop_a_card_whose_registrant_disowns_it(store: Store) -> None:
    """Also one that nobody ever asked about: the registrant found it in the list of their numbers."""
    way = Online(store)
    claimed = said(way)
    assert (claimed.id[0], restriction(way.orders), templates(store)) == ("D", None, [])
    (item,) = way.counter.waiting(DESK).items
    assert (item.order_id, item.first_by) == (claimed.id, "wang")
    after = way.counter.confirm(claimed.id, OTHER, "seen too", NOW + HOUR)
    assert (after.state, after.due_at) == (State.CONFIRMED, NOW + HOUR + 7 * DAY)
    stop = restriction(way.orders)
    assert stop
    assert (stop.state, stop.carried_by, stop.parent) == (
        State.STOPPED_AT_REQUEST, Evidence.OWN_REQUEST.of(after.id), after.id,
    )  # fmt: skip
    assert stop.grounds.redress == AT_ONCE.disowned_redress
    assert wanted(way) == ["suspended"] * 3
    assert templates(store) == ["stopped_at_request"]
    with store.reading() as connection:
        (row,) = connection.execute(select(counter_checks)).all()
    assert (row.outlet, row.outcome, row.first_by, row.second_by) == ("W-17", "passed", "wang", "zhao")
    assert row.words == digest_of(AT_ONCE.disowned_statement)
    assert [told.who for told in trail(store, "disavowal.confirm")] == ["zhao"]
    whole(store)


def test_one_of_the_staff_stops_no_card(store: Store) -> None:
    way = Online(store)
    order = said(way)
    attempts: list[Callable[[], object]] = [
        lambda: way.counter.confirm(order.id, DESK, "me again", NOW),
        lambda: way.counter.confirm(order.id, replace(DESK, role=Role.SUPERVISOR), "me again", NOW),
        lambda: way.orders.apply(order.id, Event.CONFIRM, DESK, "just so", NOW),
        lambda: way.orders.apply(order.id, Event.CONFIRM, SECOND, "just so", NOW),
    ]
    for attempt in attempts:
        with pytest.raises(NeedsSecondPerson):
            attempt()
    assert (way.state(order.id), restriction(way.orders)) == (order, None)
    alone = Online(store, replace(AT_ONCE, two_people=False))
    after = alone.disavowals.record(card(1), SEEN, DESK, WHY, NOW)
    assert after.state is State.CONFIRMED, "unless the policy says that one suffices"


def test_what_is_missing_is_named_and_stops_nothing(store: Store) -> None:
    way = Online(store)
    for missing in ("person_present", "in_register", "statement_signed"):
        with pytest.raises(OrderError, match=missing):
            way.disavowals.record(card(0), without(SEEN, missing), DESK, WHY, NOW)
        assert f'"{missing}":0' in trail(store, "counter.refused")[-1].after
    number = "11010119900307771X"
    for seen, why in (
        (replace(SEEN, outlet=number), WHY),
        (replace(SEEN, counter=number), WHY),
        (SEEN, number),
    ):
        with pytest.raises(OrderError, match="document number"):
            way.disavowals.record(card(0), seen, DESK, why, NOW)
    for role in (Role.POLICE, Role.REGULATOR, Role.HOLDER, Role.SYSTEM):
        with pytest.raises(PermissionDenied):
            way.disavowals.record(card(0), SEEN, Person("x", role), WHY, NOW)
    with pytest.raises(ProtectedCard):
        way.disavowals.record("110", SEEN, DESK, WHY, NOW)
    assert open_of(way, Kind.DISAVOWAL) is None


def test_said_twice_is_said_once(store: Store) -> None:
    way = Online(store)
    order = said(way)
    with pytest.raises(NoSuchTransition, match="second"):
        way.disavowals.record(card(0), SEEN, OTHER, WHY, NOW)
    confirmed = way.counter.confirm(order.id, OTHER, "seen too", NOW)
    again = way.disavowals.record(card(0), SEEN, DESK, WHY, NOW + HOUR)
    assert again == confirmed
    assert way.disavowals.say(confirmed, HOLDER, NOW + HOUR) == confirmed
    with pytest.raises(NoSuchTransition):
        way.counter.confirm(order.id, OTHER, "again", NOW)
    assert (len(trail(store, "disavowal.open")), templates(store)) == (1, ["stopped_at_request"])


def test_a_discarded_record_stops_nothing_and_can_be_made_again(store: Store) -> None:
    way = Online(store)
    order = said(way)
    assert way.counter.reject(order.id, DESK, "another number", NOW).state is State.DISCARDED
    assert restriction(way.orders) is None
    assert disowned(way).state is State.CONFIRMED
    whole(store)


def test_a_verification_ends_disowned_neither_failed_nor_passed(store: Store) -> None:
    way = Online(store)
    asked = way.asked()
    way.orders.sweep(NOW + 24 * HOUR)
    assert way.state(asked.id).state is State.EXPIRED
    confirmed = disowned(way, at=NOW + 25 * HOUR)
    ended = way.state(asked.id)
    assert (ended.state, ended.closed_at) == (State.DISOWNED, NOW + 25 * HOUR)
    stop = restriction(way.orders)
    assert stop
    assert (stop.state, stop.carried_by) == (State.STOPPED_AT_REQUEST, f"own_request:{confirmed.id}")
    assert not trail(store, "verification.fail")
    assert wanted(way) == ["suspended"] * 3


def test_other_cards_stay_as_they_are(store: Store) -> None:
    way = Online(store)
    other = way.asked(1)
    disowned(way)
    assert (way.state(other.id), restriction(way.orders, 1)) == (other, None)


# --- taken back, and over ---


def test_who_takes_it_back_in_person_has_the_card_at_once(store: Store) -> None:
    way = Online(store)
    order = disowned(way)
    for missing in ("person_present", "card_in_hand", "notice_signed"):
        with pytest.raises(OrderError, match=missing):
            way.disavowals.take_back(order.id, without(MINE, missing), DESK, "a mistake", NOW)
    with pytest.raises(NeedsSecondPerson, match="counter mine"):
        way.orders.apply(order.id, Event.WITHDRAW, DESK, "just so", NOW)
    after = way.disavowals.take_back(order.id, MINE, DESK, "their daughter uses it", NOW + 6 * DAY)
    assert (after.state, restriction(way.orders)) == (State.WITHDRAWN, None)
    assert wanted(way) == ["active"] * 3
    assert templates(store) == ["stopped_at_request", "restored"]
    way.orders.sweep(NOW + 30 * DAY)
    assert wanted(way) == ["active"] * 3
    with pytest.raises(NoSuchTransition):
        way.disavowals.take_back(order.id, MINE, DESK, "again", NOW)
    whole(store)


def test_a_tier_of_two_is_given_back_by_two_and_not_cancelled_meanwhile(store: Store) -> None:
    way = Online(store)
    way.asked(tier="high")
    order = disowned(way)
    late = NOW + 6 * DAY
    assert way.disavowals.take_back(order.id, MINE, DESK, "a mistake", late).state is State.CONFIRMED
    assert way.orders.sweep(NOW + 60 * DAY) == 0, "the delay is ours"
    with pytest.raises(NeedsSecondPerson):
        way.counter.confirm(order.id, DESK, "me again", late)
    assert way.counter.reject(order.id, SECOND, "not them", NOW + 8 * DAY).due_at == NOW + 9 * DAY
    way.disavowals.take_back(order.id, MINE, DESK, "with the card", NOW + 8 * DAY)
    assert way.counter.confirm(order.id, OTHER, "it is them", NOW + 8 * DAY).state is State.WITHDRAWN
    assert restriction(way.orders) is None


def test_when_the_days_are_over_the_card_is_cancelled_once_and_for_good(store: Store) -> None:
    way = Online(store, replace(AT_ONCE, disowned_days=3))
    order = disowned(way)
    assert way.orders.sweep(NOW + 3 * DAY - timedelta(seconds=1)) == 0
    assert way.orders.sweep(NOW + 3 * DAY, restrict=False) == 0, "not by a clock that nobody trusts"
    way.orders.sweep(NOW + 3 * DAY)
    way.orders.sweep(NOW + 3 * DAY)
    assert (way.state(order.id).state, restriction(way.orders)) == (State.CANCELLED, None)
    assert len(trail(store, "restriction.cancel")) == 1
    assert templates(store) == ["stopped_at_request", "cancelled"]
    assert wanted(way) == ["suspended"] * 3
    with pytest.raises(NoSuchTransition, match="cancelled"):
        way.disavowals.record(card(0), SEEN, DESK, WHY, NOW + 4 * DAY)
    whole(store)


def test_a_claim_that_nobody_confirms_lapses_and_never_stops_anything(store: Store) -> None:
    way = Online(store)
    asked = way.asked()
    claimed = way.disavowals.say(asked, HOLDER, NOW)
    assert (claimed.state, claimed.due_at) == (State.CLAIMED, NOW + 7 * DAY)
    assert (restriction(way.orders), way.state(asked.id)) == (None, asked)
    receive(way.orders, [], NOW)
    way.orders.apply(asked.id, Event.WITHDRAW, DESK, "asked in error", NOW)
    way.orders.sweep(NOW + 7 * DAY)
    assert (way.state(claimed.id).state, restriction(way.orders)) == (State.DISCARDED, None)


def test_whoever_has_the_link_can_take_a_claim_back_but_no_confirmed_one(store: Store) -> None:
    way = Online(store)
    asked = way.asked()
    way.disavowals.say(asked, HOLDER, NOW)
    assert way.disavowals.unsay(asked, HOLDER, NOW).state is State.WITHDRAWN
    with pytest.raises(NoSuchTransition, match="nobody said"):
        way.disavowals.unsay(asked, HOLDER, NOW)
    order = said(way)
    with pytest.raises(NoSuchTransition, match="counter"):
        way.disavowals.unsay(asked, HOLDER, NOW)
    way.counter.confirm(order.id, OTHER, "seen too", NOW)
    with pytest.raises(NoSuchTransition, match="counter"):
        way.disavowals.unsay(asked, HOLDER, NOW)
    with pytest.raises(PermissionDenied):
        way.orders.apply(order.id, Event.WITHDRAW, HOLDER, "it is mine", NOW)


# --- online ---


def test_a_registrant_who_passes_the_check_and_disowns_the_number_stops_it(store: Store) -> None:
    way = Online(store)
    asked = way.asked()
    session = way.checks.agree(way.link(asked.id), DISOWNS, NOW, browser="browser")
    assert session
    claimed = open_of(way, Kind.DISAVOWAL)
    assert claimed
    assert (claimed.state, restriction(way.orders)) == (State.CLAIMED, None)
    found = way.settled(session, PASSED)
    assert (found.stage, found.state) == ("disowned", State.DISOWNED)
    assert way.state(claimed.id).state is State.CONFIRMED
    stop = restriction(way.orders)
    assert stop
    assert stop.state is State.STOPPED_AT_REQUEST
    assert not trail(store, "verification.pass")
    whole(store)


def test_a_stranger_with_the_phone_stops_nothing(store: Store) -> None:
    """Neither by the face, nor by their word before the registrant proves that the number is theirs."""
    way = Online(store)
    asked = way.asked()
    session = way.checks.agree(way.link(asked.id), DISOWNS, NOW, browser="browser")
    assert session
    for attempt in range(3):
        way.settled(session, STRANGER, NOW + attempt * timedelta(minutes=5))
    assert way.state(asked.id).state is State.SENT_TO_COUNTER
    assert restriction(way.orders) is None
    claimed = open_of(way, Kind.DISAVOWAL)
    assert claimed
    assert claimed.state is State.CLAIMED
    way.counter.verify(asked.id, MINE, DESK, "it is theirs", NOW + 4 * HOUR)
    assert (way.state(asked.id).state, way.state(claimed.id).state) == (State.PASSED, State.WITHDRAWN)
    assert restriction(way.orders) is None


def test_who_changes_their_mind_on_the_page_passes_as_anybody(store: Store) -> None:
    way = Online(store)
    asked = way.asked()
    link = way.link(asked.id)
    way.checks.agree(link, DISOWNS, NOW, browser="browser")
    session = way.checks.agree(link, YES, NOW + HOUR, browser="browser")
    assert session
    assert way.settled(session, PASSED, NOW + HOUR).state is State.PASSED
    assert restriction(way.orders) is None


@pytest.mark.parametrize("verdict", [PASSED, UNSURE])
def test_where_a_person_looks_they_confirm_who_it_is_and_pass_or_fail_nobody(
    store: Store, verdict: Any
) -> None:
    way = Online(store)
    asked = way.asked(tier="high")
    session = way.checks.agree(way.link(asked.id), DISOWNS, NOW, browser="browser")
    assert session
    way.settled(session, verdict)
    assert way.state(asked.id).state is State.UNDER_REVIEW
    (item,) = way.reviews.waiting(DESK).items
    assert item.disowns
    assert way.reviews.open(asked.id, DESK, "to look at", NOW + HOUR).disowns
    way.checks.purge(NOW + 200 * HOUR)  # the session is forgotten; what was said in it is not
    for event in (Event.PASS, Event.FAIL):
        with pytest.raises(NoSuchTransition, match="not_mine"):
            way.orders.apply(asked.id, event, DESK, "so", NOW + HOUR)
    later = NOW + 200 * HOUR  # the claim lapsed meanwhile
    way.orders.sweep(later)
    after = way.disavowals.confirm_reviewed(asked.id, DESK, "it is the registrant", later)
    assert (after.state, way.state(asked.id).state) == (State.CONFIRMED, State.DISOWNED)
    stop = restriction(way.orders)
    assert stop
    assert stop.state is State.STOPPED_AT_REQUEST
    assert way.reviews.waiting(DESK).items == ()
    whole(store)


def test_a_reviewer_confirms_only_what_was_said_and_none_who_had_a_hand_in_it(store: Store) -> None:
    way = Online(store)
    plain, own = way.asked(0, tier="high"), way.asked(1, tier="high")
    way.settled(way.agreed(plain.id), UNSURE)
    with pytest.raises(NeedsSecondPerson):
        way.disavowals.confirm_reviewed(plain.id, DESK, "I think so", NOW + HOUR)
    way.orders.apply(own.id, Event.BEGIN, DESK, "called", NOW)
    session = way.checks.agree(way.link(own.id), DISOWNS, NOW, browser="browser")
    assert session
    way.settled(session, UNSURE)
    with pytest.raises(NeedsSecondPerson):
        way.disavowals.confirm_reviewed(own.id, DESK, "it is them", NOW + HOUR)
    assert [restriction(way.orders, n) for n in (0, 1)] == [None, None]
    way.orders.apply(own.id, Event.TO_COUNTER, DESK, "unclear", NOW + HOUR)
    assert way.state(own.id).state is State.SENT_TO_COUNTER
    with pytest.raises(NoSuchTransition, match="sent_to_counter"):
        way.disavowals.confirm_reviewed(own.id, OTHER, "late", NOW + HOUR)


# --- beside other orders ---


def test_a_police_stop_stays_and_nothing_is_cancelled_before_the_police_release_it(store: Store) -> None:
    way = Online(store)
    way.orders.police_stop(card(0), "A1", POLICE, "confirmed", NOW)
    order = disowned(way)
    stop = restriction(way.orders)
    assert stop
    assert (stop.state, order.due_at, order.until) == (State.FORCED_STOP, None, None)
    assert way.orders.sweep(NOW + 60 * DAY) == 0
    with pytest.raises(NoSuchTransition, match="only the police lift it"):
        way.orders.apply(order.id, Event.CANCEL, SYSTEM, "the days are over", NOW + 60 * DAY)
    assert receive(way.orders, [demand()], NOW).left == 1
    way.orders.police_release(card(0), Person("other", Role.POLICE), "no case", NOW + DAY)
    stop, order = restriction(way.orders), way.state(order.id)
    assert stop
    assert (stop.state, stop.parent, order.due_at) == (State.STOPPED_AT_REQUEST, order.id, NOW + 8 * DAY)
    assert wanted(way) == ["suspended"] * 3
    assert templates(store)[-2:] == ["forced_stop", "stopped_at_request"]
    whole(store)


def test_the_police_stop_a_disowned_card_and_what_is_taken_back_meanwhile_lifts_no_police_stop(
    store: Store,
) -> None:
    way = Online(store)
    order = disowned(way)
    way.orders.police_stop(card(0), "A1", POLICE, "confirmed", NOW + HOUR)
    assert way.state(order.id).due_at is None
    way.disavowals.take_back(order.id, MINE, DESK, "a mistake", NOW + DAY)
    if way.state(order.id).state is State.CONFIRMED:
        way.counter.confirm(order.id, OTHER, "it is them", NOW + DAY)
    stop = restriction(way.orders)
    assert stop
    assert (stop.state, way.state(order.id).state) == (State.FORCED_STOP, State.WITHDRAWN)
    way.orders.police_release(card(0), Person("other", Role.POLICE), "no case", NOW + 2 * DAY)
    assert (restriction(way.orders), wanted(way)) == (None, ["active"] * 3)


def test_it_counts_also_after_the_registrant_had_passed(store: Store) -> None:
    way = Online(store)
    asked = way.asked()
    way.settled(way.agreed(asked.id), PASSED)
    assert way.state(asked.id).state is State.PASSED
    assert disowned(way).state is State.CONFIRMED
    assert way.state(asked.id).state is State.PASSED, "a closed order never changes"


def test_nothing_is_asked_of_a_card_that_is_disowned_but_the_police_stop_it(store: Store) -> None:
    way = Online(store)
    disowned(way)
    unsigned = demand(0, RequestedAction.STOP, cases=("A1",), signed_by=())
    assert receive(way.orders, [demand(), unsigned], NOW).left == 2
    assert open_of(way, Kind.VERIFICATION) is None
    assert receive(way.orders, [demand(0, RequestedAction.STOP, cases=("A1",))], NOW).stopped == 1


def test_neither_restored_nor_cancelled_past_the_registrant(store: Store) -> None:
    way = Online(store)
    order = disowned(way)
    stop = restriction(way.orders)
    assert stop
    acts = BulkActionService(way.orders)
    for event in (Event.RESTORE, Event.CANCEL):
        act = acts.propose(event, [card(0)], BilingualText("窝点", "a farm"), DESK, NOW)
        if act.approved_at is None:
            acts.approve(act.id, SECOND, "fine", NOW)
        acts.carry_out(NOW)
        assert acts.get(act.id).skipped == 1
        with pytest.raises(NoSuchTransition, match="counter mine"):
            way.orders.apply(stop.id, event, DESK, "so", NOW)
    objection = way.orders.object(card(0), "it is mine", HOLDER, NOW)
    way.orders.apply(objection.id, Event.ACCEPT, Person("qian", Role.DESK), "looked at", NOW)
    with pytest.raises(NoSuchTransition, match="counter mine"):
        way.orders.apply(objection.id, Event.UPHOLD, SECOND, "right", NOW)
    assert restriction(way.orders) == stop
    way.disavowals.take_back(order.id, MINE, DESK, "theirs", NOW)
    assert way.state(objection.id).state is State.UPHELD


def test_a_punishment_stays_until_its_day_and_then_the_request_applies(store: Store) -> None:
    way = Online(store)
    acts = BulkActionService(way.orders)
    act = acts.propose(Event.PUNISH, [card(0)], BilingualText("惩戒", "a penalty"), DESK, NOW, NOW + 2 * DAY)
    acts.approve(act.id, SECOND, "fine", NOW)
    acts.carry_out(NOW)
    order = disowned(way)
    stop = restriction(way.orders)
    assert stop
    assert stop.state is State.PUNISHED
    way.orders.sweep(NOW + 2 * DAY)
    stop = restriction(way.orders)
    assert stop
    assert stop.state is State.STOPPED_AT_REQUEST
    way.orders.sweep(NOW + 7 * DAY)
    assert way.state(order.id).state is State.CANCELLED


def test_a_restoration_at_the_same_moment_leaves_the_card_stopped(store: Store) -> None:
    """Whichever comes first: who disowned the number does not find it working."""
    way = Online(store)
    for number in range(6):
        asked = way.asked(number)
        way.orders.sweep(NOW + 24 * HOUR)
        stop, claimed, start = restriction(way.orders, number), said(way, number, NOW + DAY), Barrier(2)
        assert stop

        def restore(stop: Order = stop, start: Barrier = start) -> None:
            start.wait(HANG)
            way.orders.apply(stop.id, Event.RESTORE, DESK, "an error", NOW + DAY)

        def confirm(claimed: Order = claimed, start: Barrier = start) -> None:
            start.wait(HANG)
            way.counter.confirm(claimed.id, OTHER, "seen too", NOW + DAY)

        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(restore), pool.submit(confirm)]
        assert both[1].exception() is None
        assert isinstance(both[0].exception(), NoSuchTransition | None)
        now_is = restriction(way.orders, number)
        assert now_is
        assert now_is.state is State.STOPPED_AT_REQUEST
        assert wanted(way, number) == ["suspended"] * 3
        assert way.state(asked.id).closed_at
    whole(store)


def test_what_fails_midway_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stop, its row in the trail, what the network and the holder are told: all of it, or none."""
    way = Online(store)
    order = said(way)

    def fails(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(Trail, "append", fails)
        with pytest.raises(RuntimeError):
            way.counter.confirm(order.id, OTHER, "seen too", NOW)
    assert (way.state(order.id), restriction(way.orders), templates(store)) == (order, None, [])
    way.counter.confirm(order.id, OTHER, "seen too", NOW)
    with store.reading() as connection:
        told = connection.execute(select(outbox.c.element, outbox.c.step).order_by(outbox.c.id)).all()
    assert len(told) == len(set(told)) == len(ELEMENTS)


def test_a_restored_backup_gives_the_days_anew(store: Store) -> None:
    way = Online(store)
    order = disowned(way)
    assert hours_anew(way.orders, NOW + 6 * DAY) == 1
    after = way.state(order.id)
    assert (after.due_at, after.until) == (NOW + 13 * DAY, NOW + 13 * DAY)


def test_a_deadline_that_was_written_past_the_trail_cancels_nothing(store: Store) -> None:
    way = Online(store)
    order = disowned(way)
    with store.writing() as connection:
        connection.execute(orders.update().where(orders.c.id == order.id).values(due_at=NOW))
    way.orders.sweep(NOW + HOUR)
    stop = restriction(way.orders)
    assert stop
    assert (stop.state, way.state(order.id).state) == (State.STOPPED_AT_REQUEST, State.CONFIRMED)


def test_a_request_carries_the_stop_of_its_own_card_and_nothing_else(store: Store) -> None:
    way = Online(store)
    basis = Evidence.OWN_REQUEST.of(disowned(way).id)
    asked = way.asked(1)

    def another(event: Event) -> Callable[[UnitOfWork], Order]:
        def work(unit: UnitOfWork) -> Order:
            opened = unit.open(Kind.RESTRICTION, card(1), asked.grounds, SYSTEM, "why", carried_by=basis)
            return apply_event(unit, opened, event, SYSTEM, "why")

        return work

    for event in (Event.STOP_AT_REQUEST, Event.SUSPEND, Event.BAR_OUTGOING):
        with pytest.raises(NeedsSecondPerson):
            way.orders.transaction(another(event), NOW)
    stop = restriction(way.orders)
    assert stop
    with pytest.raises(NoSuchTransition):
        way.orders.apply(stop.id, Event.CANCEL, SYSTEM, "at once", NOW)
    assert restriction(way.orders, 1) is None


def test_only_a_confirmed_request_carries_a_stop(store: Store) -> None:
    way = Online(store)
    claimed = said(way)

    def work(unit: UnitOfWork) -> Order:
        basis = Evidence.OWN_REQUEST.of(claimed.id)
        opened = unit.open(Kind.RESTRICTION, card(0), claimed.grounds, SYSTEM, "why", carried_by=basis)
        return apply_event(unit, opened, Event.STOP_AT_REQUEST, SYSTEM, "why")

    with pytest.raises(NeedsSecondPerson, match="no registrant asked"):
        way.orders.transaction(work, NOW)


def test_what_the_police_decide_is_left_to_them_and_alarms_nobody(store: Store) -> None:
    """A disavowal under a police stop waits for the police; one that waits for a second person waits for us."""
    way = Online(store)
    way.orders.police_stop(card(0), "A1", POLICE, "confirmed", NOW)
    disowned(way)
    waits = said(way, 1)
    found = OrderQueries(store, Trail(KEY)).orders(Filter(waiting=True), ViewerContext(DESK), NOW)
    assert [order.id for order in found.items] == [waits.id]
