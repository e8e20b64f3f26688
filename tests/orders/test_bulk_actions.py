"""What people ask for many cards as one act: two people, all cards or none refused, progress, undoing."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import select, update

from duanka.domain.bulk_action import BulkAction, BulkActionState, numbers_of
from duanka.domain.network import NetworkState
from duanka.domain.order import (
    SYSTEM,
    DoneBefore,
    Event,
    Grounds,
    GroundsMissing,
    NeedsSecondPerson,
    NoSuchTransition,
    OrderError,
    PermissionDenied,
    Person,
    ProtectedCard,
    Role,
    State,
    UnknownOrder,
)
from duanka.domain.order_policy import DeadlineStage, OrderPolicy
from duanka.domain.phone_number import is_emergency
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import act_cards, audit, cards, orders, outbox
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.service import OrderService
from support.orders.books import (
    DESK,
    HOUR,
    KEY,
    NOW,
    POLICE,
    SECOND,
    acts_of,
    book_on,
    card,
    delivered,
    demand,
    receive,
    restriction,
    verification,
)
from support.phone_number_forms import CARD, FORMS, LAB_CARD, LAB_FORMS, REFUSED

WHY = BilingualText("养卡窝点", "a farm of cards")
THIRD = Person("zhao", Role.SUPERVISOR)
STAGED = OrderPolicy(
    stages=(DeadlineStage(24, NetworkState.OUTGOING_BARRED), DeadlineStage(72, NetworkState.SUSPENDED))
)


def suspended(
    acts: BulkActionService, numbers: list[int], event: Event = Event.SUSPEND, at: datetime = NOW
) -> BulkAction:
    """Proposed, approved and carried out."""
    act = acts.propose(event, [card(n) for n in numbers], WHY, DESK, at)
    acts.approve(act.id, SECOND, "seen", at)
    run(acts, at)
    return acts.get(act.id)


def run(acts: BulkActionService, at: datetime = NOW) -> int:
    total = 0
    while taken := acts.carry_out(at):
        total += taken
    return total


def holds(book: OrderService) -> None:
    assert [found for found in Trail(KEY).verify(book.store) if isinstance(found, Fault)] == []


def test_the_worker_is_woken_when_an_act_begins_and_not_before(store: Store) -> None:
    book, woken = book_on(store), list[int]()
    book.wake = lambda: woken.append(1)
    acts = BulkActionService(book)
    act = acts.propose(Event.SUSPEND, [card(0)], WHY, DESK, NOW)
    assert not woken, "a second person has to agree first"
    acts.approve(act.id, SECOND, "seen", NOW)
    assert woken, "nobody waits for the next look"


def test_one_act_stops_every_card_once(store: Store) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    proposed = acts.propose(Event.SUSPEND, [card(n) for n in range(7)], WHY, DESK, NOW)
    assert (proposed.state, proposed.total, proposed.left) == (BulkActionState.PROPOSED, 7, 7)
    assert run(acts) == 0, "nothing before a second person"
    assert restriction(book) is None
    acts.approve(proposed.id, SECOND, "the farm in the east", NOW + HOUR)
    assert acts.carry_out(NOW + HOUR, limit=3) == 3
    half = acts.get(proposed.id)
    assert (half.state, half.done, half.left, half.seconds) == (BulkActionState.RUNNING, 3, 4, None)
    assert run(acts, NOW + 2 * HOUR) == 4
    done = acts.get(proposed.id)
    assert (done.state, done.done, done.skipped, done.seconds) == (BulkActionState.DONE, 7, 0, 3600)
    for number in range(7):
        order = restriction(book, number)
        assert order
        assert (order.state, order.carried_by) == (State.SUSPENDED, f"two_people:{done.id}")
        assert order.grounds == Grounds(WHY, book.terms.policy.staff_redress, book.terms.policy.papers)
    with store.reading() as connection:
        told = connection.execute(select(outbox.c.card, outbox.c.element, outbox.c.wanted)).all()
        what = connection.execute(
            select(audit.c.what, audit.c.who).where(audit.c.subject == done.id).order_by(audit.c.seq)
        ).all()
        why = connection.execute(select(audit.c.why).where(audit.c.what == "restriction.suspend")).scalars()
    assert len(set(told)) == len(told) == 21
    assert [tuple(row) for row in what] == [
        ("act.propose", "wang"),
        ("act.approve", "li"),
        ("act.finish", "duanka"),
    ]
    assert set(why) == {f"{done.id} (wang + li): a farm of cards"}
    holds(book)


@pytest.mark.parametrize(
    ("by", "error"),
    [
        (Person("wang", Role.SUPERVISOR), NeedsSecondPerson),  # the same under another role
        (Person("wang", Role.SUPERVISOR, "somebody else"), NeedsSecondPerson),
        (Person("zhao", Role.DESK), PermissionDenied),
        (Person("zhao", Role.POLICE), PermissionDenied),
        (Person("zhao", Role.REGULATOR), PermissionDenied),
    ],
)
def test_the_second_is_a_supervisor_and_somebody_else(
    store: Store, by: Person, error: type[OrderError]
) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    act = acts.propose(Event.SUSPEND, [card(0)], WHY, DESK, NOW)
    with pytest.raises(error):
        acts.approve(act.id, by, "fine", NOW)
    assert run(acts) == 0
    assert restriction(book) is None
    with pytest.raises(OrderError, match="say why"):
        acts.approve(act.id, SECOND, "  ", NOW)
    acts.approve(act.id, SECOND, "fine", NOW)
    assert acts.approve(act.id, THIRD, "fine", NOW).before == DoneBefore(SECOND.id, NOW)


@pytest.mark.parametrize("role", [Role.POLICE, Role.REGULATOR, Role.HOLDER])
def test_others_propose_nothing(store: Store, role: Role) -> None:
    acts = BulkActionService(book_on(store))
    with pytest.raises(PermissionDenied):
        acts.propose(Event.SUSPEND, [card(0)], WHY, Person("x", role), NOW)
    with pytest.raises(PermissionDenied):
        acts.propose(Event.WITHDRAW, [card(0)], WHY, Person("x", role), NOW)
    assert acts_of(acts, SECOND) == []


def test_a_rejected_act_never_runs(store: Store) -> None:
    acts = BulkActionService(book_on(store))
    act = acts.propose(Event.SUSPEND, [card(0)], WHY, DESK, NOW)
    with pytest.raises(PermissionDenied):
        acts.reject(act.id, Person("chen", Role.DESK), "no", NOW)
    assert acts.reject(act.id, SECOND, "no farm", NOW).state is BulkActionState.REJECTED
    with pytest.raises(NoSuchTransition):
        acts.approve(act.id, SECOND, "after all", NOW)
    mine = acts.propose(Event.SUSPEND, [card(0)], WHY, DESK, NOW)
    assert acts.reject(mine.id, DESK, "my error", NOW).state is BulkActionState.REJECTED
    assert run(acts) == 0
    assert [act.state for act in acts_of(acts, SECOND, BulkActionState.REJECTED)] == [
        BulkActionState.REJECTED
    ] * 2
    assert acts_of(acts, SECOND, BulkActionState.PROPOSED) == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "no card is named"),
        ([card(0), "12"], "1 of 2 are no card numbers: '12'"),
        ([card(0), "138*0000"], "no card numbers"),
        (["8613800000001' OR 1=1"], "no card numbers"),
        (["0" * 13], "no card numbers"),
        (["1380000001"], "write 86 and the eleven digits"),
        (["86138000000012"], "1 of 1 are no card numbers"),
        ([f"x{n}" for n in range(9)], "and 4 more"),
    ],
)
def test_one_malformed_number_refuses_all(store: Store, given: list[str], says: str) -> None:
    acts = BulkActionService(book_on(store))
    with pytest.raises(OrderError, match=says.replace("*", r"\*")):
        acts.propose(Event.SUSPEND, given, WHY, DESK, NOW)
    assert acts_of(acts, SECOND) == []


def test_the_same_card_twice_is_one_card(store: Store) -> None:
    acts = BulkActionService(book_on(store))
    act = acts.propose(Event.SUSPEND, [card(0), f"+{card(0)}", f"+86 {card(0)[2:]}", card(1)], WHY, DESK, NOW)
    assert act.total == 2
    with acts.orders.store.reading() as connection:
        told = connection.execute(select(audit.c.after).where(audit.c.subject == act.id)).scalar_one()
    assert '"named_twice":2' in told


def test_protected_and_cancelled_cards_are_never_taken(store: Store) -> None:
    policy = OrderPolicy(protected=(card(1),))
    book = book_on(store, policy)
    acts = BulkActionService(book)
    suspended(acts, [2])
    suspended(acts, [2], Event.CANCEL)
    act = acts.propose(Event.SUSPEND, [card(0), card(1), card(2)], WHY, DESK, NOW)
    assert act.skipped == 2
    assert [(one.card, one.why) for one in acts.skipped(act.id)] == [
        (card(1), "on the protected list: never touched"),
        (card(2), "cancelled for good"),
    ]
    acts.approve(act.id, SECOND, "fine", NOW)
    assert run(acts) == 1
    assert restriction(book, 1) is None
    with pytest.raises(ProtectedCard):
        acts.propose(Event.SUSPEND, [card(1)], WHY, DESK, NOW)
    with pytest.raises(NoSuchTransition, match="cancelled for good"):
        acts.propose(Event.SUSPEND, [card(2)], WHY, DESK, NOW)


def test_a_card_that_is_protected_after_the_proposal_is_skipped(store: Store) -> None:
    book = book_on(store)
    act = BulkActionService(book).propose(Event.SUSPEND, [card(0), card(1)], WHY, DESK, NOW)
    later = BulkActionService(book_on(store, OrderPolicy(protected=(card(0),))))
    later.approve(act.id, SECOND, "fine", NOW)
    assert run(later) == 2
    assert (later.get(act.id).done, later.get(act.id).skipped) == (1, 1)
    assert "protected" in later.skipped(act.id)[0].why
    assert restriction(book, 0) is None, "not even an order that stops nothing"
    with store.reading() as connection:
        assert connection.execute(select(cards.c.card)).scalars().all() == [card(1)]
        assert connection.execute(select(outbox.c.card).distinct()).scalars().all() == [card(1)]
        opened = select(audit.c.subject).where(audit.c.what == "restriction.open")
        assert len(connection.execute(opened).all()) == 1, "nor is told what was not done"


def test_what_gives_back_needs_nobody_else_and_is_done_at_once(store: Store) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    suspended(acts, [0, 1])
    act = acts.propose(Event.RESTORE, [card(0), card(1), card(2)], WHY, DESK, NOW + HOUR)
    assert (act.state, act.done, act.skipped) == (BulkActionState.DONE, 2, 1)
    assert acts.skipped(act.id)[0].why == "it is not stopped"
    assert restriction(book, 0) is None
    receive(book, [demand(5)], NOW)
    act = acts.propose(Event.WITHDRAW, [card(5), card(6)], WHY, DESK, NOW + HOUR)
    assert (act.done, acts.skipped(act.id)[0].why) == (1, "nothing is asked of its holder")
    suspended(acts, [7])
    assert acts.propose(Event.EASE, [card(7)], WHY, DESK, NOW).done == 1
    assert (eased := restriction(book, 7))
    assert eased.state is State.OUTGOING_BARRED
    holds(book)


def test_only_the_police_lift_what_they_stopped(store: Store) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    book.police_stop(card(0), "case 1", POLICE, "confirmed", NOW)
    for event in (Event.RESTORE, Event.SUSPEND, Event.LIFELINE, Event.EASE_TO_LIFELINE):
        with pytest.raises(OrderError, match="only the police lift it"):
            acts.propose(event, [card(0)], WHY, SECOND, NOW)
        act = acts.propose(event, [card(0), card(1)], WHY, SECOND, NOW)
        assert "only the police lift it" in {one.card: one.why for one in acts.skipped(act.id)}[card(0)]
    proposed = acts.propose(Event.SUSPEND, [card(0), card(1)], WHY, SECOND, NOW)
    assert (proposed.skipped, proposed.left) == (1, 1), "whoever proposes reads it at once"
    assert acts.propose(Event.CANCEL, [card(0)], WHY, SECOND, NOW).skipped == 0, "two people may cancel it"
    assert (order := restriction(book))
    assert order.state is State.FORCED_STOP


def test_what_the_police_stop_after_the_proposal_is_skipped(store: Store) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    act = acts.propose(Event.SUSPEND, [card(0), card(1)], WHY, DESK, NOW)
    assert act.skipped == 0
    book.police_stop(card(0), "case 1", POLICE, "confirmed", NOW)
    acts.approve(act.id, SECOND, "fine", NOW)
    run(acts)
    assert "only the police lift it" in acts.skipped(act.id)[0].why


def test_a_card_that_is_so_already_is_skipped(store: Store) -> None:
    acts = BulkActionService(book_on(store))
    suspended(acts, [0])
    again = suspended(acts, [0, 1])
    assert (again.done, again.skipped) == (1, 1)
    assert "suspended already" in acts.skipped(again.id)[0].why
    barred = suspended(acts, [0], Event.BAR_OUTGOING)
    assert barred.skipped == 1
    cancel = suspended(acts, [9], Event.CANCEL)
    assert "only a card that is stopped is cancelled" in acts.skipped(cancel.id)[0].why


def test_a_punishment_ends_on_its_day(store: Store) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    far = (NOW + timedelta(days=1097), datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(-12 * HOUR)))
    wrong = ((None, "needs the day until"), (NOW, "after now"), (NOW.replace(tzinfo=None), "offset"))
    for until, said in (*wrong, (far[0], "three years"), (far[1], "between the years")):
        with pytest.raises(OrderError, match=said):
            acts.propose(Event.PUNISH, [card(0)], WHY, DESK, NOW, until=until)
    with pytest.raises(OrderError, match="nothing else has one"):
        acts.propose(Event.SUSPEND, [card(0)], WHY, DESK, NOW, until=NOW + HOUR)
    act = acts.propose(Event.PUNISH, [card(0)], WHY, DESK, NOW, until=NOW + 48 * HOUR)
    with pytest.raises(OrderError, match="would have ended"):
        acts.approve(act.id, SECOND, "late", NOW + 48 * HOUR)
    acts.approve(act.id, SECOND, "fine", NOW)
    run(acts)
    assert (order := restriction(book))
    assert (order.state, order.until, order.due_at) == (State.PUNISHED, NOW + 48 * HOUR, NOW + 48 * HOUR)
    assert book.sweep(NOW + 48 * HOUR - timedelta(microseconds=1)) == 0
    assert book.sweep(NOW + 48 * HOUR) == 1
    assert restriction(book) is None


def test_two_people_agreed_on_one_stop_only(store: Store) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    suspended(acts, [0], Event.BAR_OUTGOING)
    order = restriction(book)
    assert order
    for event in (Event.SUSPEND, Event.CANCEL, Event.PUNISH):
        with pytest.raises(NeedsSecondPerson):
            book.apply(order.id, event, SECOND, "more", NOW, until=NOW + HOUR)
    assert restriction(book) == order


def test_undoing_puts_back_what_was_there(store: Store) -> None:
    book = book_on(store, STAGED)
    acts = BulkActionService(book)
    delivered(book, 0)
    book.sweep(NOW + 24 * HOUR)
    barred = restriction(book, 0)
    assert barred
    act = suspended(acts, [0, 1, 2, 3, 4], at=NOW + 25 * HOUR)
    assert act.done == 5
    acts.propose(Event.RESTORE, [card(2)], WHY, DESK, NOW + 26 * HOUR)
    book.police_stop(card(3), "case", POLICE, "confirmed", NOW + 26 * HOUR)
    acts.propose(Event.EASE, [card(4)], WHY, DESK, NOW + 26 * HOUR)
    undo = acts.undo(act.id, THIRD, "the wrong list", NOW + 27 * HOUR)
    assert (undo.state, undo.undoes, undo.total, undo.done, undo.skipped) == (
        BulkActionState.DONE,
        act.id,
        5,
        2,
        3,
    )
    assert acts.get(act.id).state is BulkActionState.PARTLY_UNDONE, "what it suspended is barred, by it"
    acts.propose(Event.RESTORE, [card(4)], WHY, DESK, NOW + 27 * HOUR)
    assert acts.get(act.id).state is BulkActionState.UNDONE, "none of its cards is stopped by it any more"
    back = restriction(book, 0)
    assert back
    assert (back.state, back.carried_by, back.due_at, back.grounds) == (
        State.OUTGOING_BARRED,
        barred.carried_by,
        barred.due_at,
        barred.grounds,
    )
    assert restriction(book, 1) is None
    assert [one.card for one in acts.skipped(undo.id)] == [card(2), card(3), card(4)]
    assert all("changed since" in one.why for one in acts.skipped(undo.id))
    assert book.sweep(NOW + 72 * HOUR) == 1
    assert (stopped := restriction(book, 0))
    assert stopped.state is State.SUSPENDED, "its own timetable goes on"
    again = acts.undo(act.id, THIRD, "again", NOW + 28 * HOUR)
    assert (again.id, again.before and again.before.by) == (undo.id, THIRD.id)
    with pytest.raises(NoSuchTransition):
        acts.undo(undo.id, THIRD, "again", NOW + 28 * HOUR)
    holds(book)


def test_undoing_leaves_a_card_stopped_whose_verification_ran_out_meanwhile(store: Store) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    asked = delivered(book, 0)
    act = suspended(acts, [0])
    assert book.sweep(NOW + 24 * HOUR) == 1
    acts.undo(act.id, DESK, "the wrong list", NOW + 25 * HOUR)
    assert (order := restriction(book))
    assert (order.state, order.carried_by) == (State.SUSPENDED, f"expired_verification:{asked.id}")
    assert order.grounds == asked.grounds
    book.apply(asked.id, Event.PASS, DESK, "it is them", NOW + 26 * HOUR)
    assert restriction(book) is None


def test_an_undone_punishment_leaves_a_stop_that_passing_lifts(store: Store) -> None:
    """Its verification ran out meanwhile: that stops the card, by its own timetable and not until a day."""
    book, acts = book_on(store), BulkActionService(book_on(store))
    order = delivered(book)
    act = acts.propose(Event.PUNISH, [card(0)], WHY, DESK, NOW, NOW + 400 * HOUR)
    acts.approve(act.id, SECOND, "seen", NOW)
    acts.carry_out(NOW)
    book.sweep(NOW + 24 * HOUR)
    acts.undo(act.id, DESK, "the wrong list", NOW + 25 * HOUR)
    stopped = restriction(book)
    assert stopped
    assert (stopped.state, stopped.until) == (State.SUSPENDED, None)
    assert stopped.carried_by == f"expired_verification:{order.id}"
    book.apply(order.id, Event.PASS, DESK, "it is them", NOW + 26 * HOUR)
    assert restriction(book) is None


def test_one_person_undoes_no_stop_of_a_card_that_takes_two(store: Store) -> None:
    book, acts = book_on(store), BulkActionService(book_on(store))
    receive(book, [demand(0, tier="extreme")], NOW)
    act = acts.propose(Event.SUSPEND, [card(0), card(1)], WHY, DESK, NOW)
    acts.approve(act.id, SECOND, "seen", NOW)
    acts.carry_out(NOW)
    undo = acts.undo(act.id, DESK, "the wrong list", NOW)
    assert (undo.done, undo.skipped) == (1, 1)
    (left,) = acts.skipped(undo.id)
    found = acts.get(act.id)
    assert (left.card, found.state) == (card(0), BulkActionState.PARTLY_UNDONE)
    (proposal,) = set(found.undone_by) - {undo.id}
    assert left.why == f"its tier takes two people: {proposal} proposes to put it back"
    assert restriction(book)
    again = acts.undo(act.id, THIRD, "again", NOW)
    assert (again.id, again.before) == (undo.id, DoneBefore(DESK.id, NOW)), "its proposal waits"
    with pytest.raises(NeedsSecondPerson):
        acts.approve(proposal, Person(DESK.id, Role.SUPERVISOR), "alone", NOW)
    acts.reject(proposal, SECOND, "not so", NOW)
    assert acts.get(act.id).state is BulkActionState.PARTLY_UNDONE
    again = acts.undo(act.id, DESK, "again", NOW)
    assert (again.total, again.skipped) == (1, 1), "only what it still stops"
    waits = next(one for one in acts.get(act.id).undone_by if acts.get(one).state is BulkActionState.PROPOSED)
    acts.approve(waits, SECOND, "so it is", NOW)
    acts.carry_out(NOW)
    assert restriction(book) is None
    assert acts.get(act.id).state is BulkActionState.UNDONE
    assert [one.state for one in acts_of(acts, SECOND) if one.id == act.id] == [BulkActionState.UNDONE]
    holds(book)


def test_an_act_that_runs_ends_where_it_is_undone(store: Store) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    act = acts.propose(Event.SUSPEND, [card(n) for n in range(10)], WHY, DESK, NOW)
    acts.approve(act.id, SECOND, "fine", NOW)
    assert acts.carry_out(NOW, limit=4) == 4
    undo = acts.undo(act.id, DESK, "stop", NOW)
    assert (undo.total, undo.done) == (4, 4)
    stopped = acts.get(act.id)
    assert (stopped.state, stopped.done, stopped.skipped, stopped.left) == (BulkActionState.UNDONE, 4, 6, 0)
    assert run(acts) == 0
    assert all(restriction(book, n) is None for n in range(10))
    running = acts.propose(Event.SUSPEND, [card(20)], WHY, DESK, NOW)
    with pytest.raises(NoSuchTransition, match="reject"):
        acts.undo(running.id, DESK, "no", NOW)
    acts.approve(running.id, SECOND, "fine", NOW)
    assert acts.undo(running.id, DESK, "no", NOW).state is BulkActionState.DONE, (
        "nothing was done, nothing is put back"
    )


@pytest.mark.parametrize("event", [Event.RESTORE, Event.WITHDRAW, Event.CANCEL])
def test_what_is_given_back_or_gone_is_not_undone(store: Store, event: Event) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    suspended(acts, [0])
    receive(book, [demand(0)], NOW)
    act = acts.propose(event, [card(0)], WHY, DESK, NOW)
    if event is Event.CANCEL:
        acts.approve(act.id, SECOND, "fine", NOW)
        run(acts)
    with pytest.raises(NoSuchTransition, match="cannot be undone"):
        acts.undo(act.id, DESK, "hm", NOW)


def test_under_a_policy_where_one_suffices_the_trail_says_so(store: Store) -> None:
    book = book_on(store, OrderPolicy(two_people=False))
    acts = BulkActionService(book)
    act = acts.propose(Event.SUSPEND, [card(0)], WHY, DESK, NOW)
    assert act.state is BulkActionState.RUNNING
    assert run(acts) == 1
    order = restriction(book)
    assert order
    assert order.carried_by == f"one_person:{act.id}"
    book.apply(order.id, Event.CANCEL, DESK, "for good", NOW)
    with store.reading() as connection:
        rows = connection.execute(select(audit.c.what, audit.c.after)).all()
    assert any(row.what == "act.propose" and '"two_people":false' in row.after for row in rows)
    assert any(row.what == "restriction.cancel" and "one_person:wang" in row.after for row in rows)
    strict = BulkActionService(book_on(store))
    late = acts.propose(Event.SUSPEND, [card(1)], WHY, DESK, NOW)
    assert run(strict) == 1
    assert "second person" in strict.skipped(late.id)[0].why, "the policy of the moment counts"


def test_a_card_cancelled_by_one_act_is_not_stopped_anew_by_the_next_in_the_same_batch(store: Store) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    suspended(acts, [0])
    both = [acts.propose(event, [card(0)], WHY, DESK, NOW) for event in (Event.CANCEL, Event.SUSPEND)]
    for minutes, act in enumerate(both):
        acts.approve(act.id, SECOND, "fine", NOW + timedelta(minutes=minutes))
    assert acts.carry_out(NOW + HOUR) == 2
    assert [acts.get(act.id).done for act in both] == [1, 0]
    assert acts.skipped(both[1].id)[0].why == "cancelled for good"
    assert restriction(book) is None


def test_a_small_act_waits_for_no_large_one(store: Store) -> None:
    acts = BulkActionService(book_on(store))
    large = acts.propose(Event.SUSPEND, [card(n) for n in range(1000)], WHY, DESK, NOW)
    acts.approve(large.id, SECOND, "fine", NOW)
    assert acts.carry_out(NOW, limit=50) == 50
    urgent = acts.propose(Event.SUSPEND, [card(5000)], WHY, DESK, NOW + HOUR)
    acts.approve(urgent.id, SECOND, "now", NOW + HOUR)
    middle = acts.propose(Event.SUSPEND, [card(n) for n in range(6000, 6100)], WHY, DESK, NOW + HOUR)
    acts.approve(middle.id, SECOND, "now", NOW + HOUR)
    assert acts.carry_out(NOW + HOUR, limit=51) == 51
    assert acts.get(urgent.id).state is BulkActionState.DONE
    assert (acts.get(middle.id).done, acts.get(large.id).done) == (25, 75)


def test_a_reason_is_needed_in_both_languages(store: Store) -> None:
    acts = BulkActionService(book_on(store))
    with pytest.raises(GroundsMissing):
        acts.propose(Event.SUSPEND, [card(0)], BilingualText("原因", " "), DESK, NOW)
    with pytest.raises(GroundsMissing):
        acts.propose(Event.SUSPEND, [card(0)], Grounds(WHY, WHY, BilingualText("", "")), DESK, NOW)
    with pytest.raises(NoSuchTransition):
        acts.propose(Event.POLICE_STOP, [card(0)], WHY, DESK, NOW)
    with pytest.raises(UnknownOrder):
        acts.get("A0")
    with pytest.raises(UnknownOrder):
        acts.approve("A0", SECOND, "x", NOW)


def test_a_card_that_cannot_be_changed_spoils_no_other(store: Store) -> None:
    acts = BulkActionService(book_on(store))
    act = acts.propose(Event.SUSPEND, [card(n) for n in range(3)], WHY, DESK, NOW)
    acts.approve(act.id, SECOND, "fine", NOW)
    now_protected = OrderPolicy(protected=(card(1),))
    book = book_on(store, now_protected)
    assert run(BulkActionService(book)) == 3
    assert (acts.get(act.id).done, acts.get(act.id).skipped) == (2, 1)
    assert [restriction(book, number) is not None for number in range(3)] == [True, False, True]


def test_a_protected_number_put_into_an_act_past_the_door_is_not_touched(store: Store) -> None:
    acts = BulkActionService(book_on(store))
    act = acts.propose(Event.SUSPEND, [card(n) for n in range(3)], WHY, DESK, NOW)
    acts.approve(act.id, SECOND, "fine", NOW)
    with store.writing() as connection:
        connection.execute(update(act_cards).where(act_cards.c.card == card(1)).values(card="110"))
    assert run(acts) == 0
    assert acts.get(act.id).state is BulkActionState.REJECTED
    with store.reading() as connection:
        assert connection.execute(select(orders.c.id)).all() == []
    (found,) = [found.what for found in Trail(KEY).verify(store) if isinstance(found, Fault)]
    assert found == f"before this row acts {act.id} was changed past the trail: list of cards"


def test_a_clock_that_jumps_back_makes_no_negative_time(store: Store) -> None:
    acts = BulkActionService(book_on(store))
    act = acts.propose(Event.SUSPEND, [card(0)], WHY, DESK, NOW)
    acts.approve(act.id, SECOND, "fine", NOW)
    assert acts.carry_out(NOW - 5 * HOUR) == 1
    assert acts.get(act.id).seconds == 0
    assert acts.carry_out(NOW) == 0


def test_a_verification_stays_while_an_act_stops_the_card(store: Store) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    delivered(book)
    suspended(acts, [0])
    book.apply(verification(book).id, Event.BEGIN, SYSTEM, "came", NOW)
    book.apply(verification(book).id, Event.PASS, DESK, "it is them", NOW)
    assert restriction(book) is None


@pytest.mark.parametrize("text", FORMS)
def test_a_card_is_named_in_any_form(text: str) -> None:
    assert numbers_of([text, CARD]) == ((CARD,), 1)


@pytest.mark.parametrize("text", LAB_FORMS)
def test_a_card_of_a_test_system_is_named_in_any_form(text: str) -> None:
    assert numbers_of([text, LAB_CARD]) == ((LAB_CARD,), 1)


@pytest.mark.parametrize("text", [text for text in REFUSED if not is_emergency(text)])
def test_what_is_no_card_for_sure_is_refused(text: str) -> None:
    with pytest.raises(OrderError, match=r"no card number"):
        numbers_of([text])


def test_what_one_person_proposes_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """By one key nobody fills the database, nor the list that others look through."""
    monkeypatch.setattr("duanka.orders.bulk_actions.conditions.MOST_WAITING", 2)
    monkeypatch.setattr("duanka.orders.bulk_actions.conditions.MOST_CARDS_WAITING", 5)
    acts = BulkActionService(book_on(store))
    first = acts.propose(Event.SUSPEND, [card(n) for n in range(4)], WHY, DESK, NOW)
    with pytest.raises(OrderError, match="wait for a second person"):
        acts.propose(Event.SUSPEND, [card(5), card(6)], WHY, DESK, NOW)
    acts.propose(Event.SUSPEND, [card(5)], WHY, DESK, NOW)
    acts.reject(first.id, DESK, "too many", NOW)
    acts.propose(Event.SUSPEND, [card(6)], WHY, DESK, NOW)
    with pytest.raises(OrderError, match="wait for a second person"):
        acts.propose(Event.SUSPEND, [card(7)], WHY, DESK, NOW)
    acts.propose(Event.SUSPEND, [card(7)], WHY, SECOND, NOW)
