"""An objection that nobody decides in its term gives the card back, once, and the trail says why or why not."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import insert, select

from duanka.domain.case_file import CaseState
from duanka.domain.counter_check import Document
from duanka.domain.network import NetworkState
from duanka.domain.objection import CounterVisit, unanswered
from duanka.domain.order import SYSTEM, Event, Kind, Order, OrderError, Person, Role, State
from duanka.domain.person import Scope
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import Fault
from duanka.ledger.db.casework.cases import case_items, cases
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import alarms, outbox
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.unit_of_work.confirmations import ConfirmationSource, confirm
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.dispatch.notice_texts import NoticeTexts
from duanka.orders.monitoring.backups import hours_anew
from duanka.orders.monitoring.objections_due import ObjectionsDue
from duanka.orders.queries.listing import Filter
from duanka.orders.queries.service import OrderQueries, ViewerContext
from support.api.asking import on_sqlite_alone
from support.order_policies import AT_ONCE
from support.orders.books import (
    DESK,
    HOUR,
    NOW,
    POLICE,
    SECOND,
    card,
    delivered,
    demand,
    receive,
    restriction,
)
from support.orders.online import DARK, STRANGER, UNSURE, Online, templates, trail
from support.waiting import HANG

HOLDER = Person("holder", Role.HOLDER)
POLICY = replace(AT_ONCE, restore_undecided=True)
VISIT = CounterVisit("中山路营业厅", Document.ID_CARD)
FILED = NOW + 25 * HOUR  # a Tuesday, 09:00 UTC, 17:00 in China
TERM = FILED + timedelta(days=7)  # five working days later, with a weekend between
Case = Callable[[Online, Order], None]


def _stopped(way: Online, number: int = 0) -> Order:
    delivered(way.orders, number)
    way.orders.sweep(NOW + 24 * HOUR)
    found = restriction(way.orders, number)
    assert found
    return found


def _state(way: Online, order: Order) -> State:
    return way.state(order.id).state


def _why_kept(store: Store) -> str:
    (entry,) = trail(store, "objection.overdue")
    return str(entry.why)


def _object(way: Online, _: Order) -> None:
    way.orders.object(card(0), "这是我本人", HOLDER, FILED)


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("visit", [None, VISIT])
def test_what_nobody_decided_gives_the_card_back(
    store: Store, visit: CounterVisit | None, accepted: bool
) -> None:
    way = Online(store, POLICY)
    stopped = _stopped(way)
    objection = way.orders.object(card(0), "这是我本人", DESK if visit else HOLDER, FILED, visit)
    assert objection.due_at == TERM
    if accepted:  # whoever takes it up later has no more time for it
        objection = way.orders.apply(objection.id, Event.ACCEPT, DESK, "we look", FILED + 24 * HOUR)
        assert objection.due_at == TERM
    assert way.orders.sweep(TERM - timedelta(microseconds=1)) == 0
    assert way.orders.sweep(TERM) == 1
    assert (_state(way, objection), _state(way, stopped)) == (State.LAPSED, State.RESTORED)
    (lapse,), (back,) = trail(store, "objection.lapse"), trail(store, "restriction.restore")
    assert (lapse.who, back.who) == (SYSTEM.id, SYSTEM.id)
    assert ("filed at a counter" if visit else "filed by the holder's link") in lapse.why
    assert objection.id in back.why
    with store.reading() as connection:
        wanted = select(outbox.c.wanted).where(outbox.c.order_id == stopped.id).order_by(outbox.c.id)
        assert connection.execute(wanted).scalars().all()[-3:] == [NetworkState.ACTIVE.value] * 3
    assert templates(store)[-1] == "restored_undecided"
    assert way.orders.sweep(TERM + 999 * HOUR) == 0, "and nothing comes after it"


def test_the_verification_behind_it_ends_as_it_is(store: Store) -> None:
    way = Online(store, POLICY)
    stopped = _stopped(way)
    assert stopped.parent
    _object(way, stopped)
    way.orders.sweep(TERM)
    behind = way.state(stopped.parent)
    assert (behind.state, behind.closed_at) == (State.EXPIRED, TERM), "nobody passed"


def _police(way: Online, _: Order) -> None:
    way.orders.object(card(0), "一", HOLDER, FILED)
    way.orders.police_stop(card(0), "case", POLICE, "confirmed", FILED + HOUR)


def _punished(way: Online, _: Order) -> None:
    acts = BulkActionService(way.orders)
    act = acts.propose(
        Event.PUNISH, [card(0)], BilingualText("出租", "rented out"), DESK, NOW, NOW + 9999 * HOUR
    )
    acts.approve(act.id, SECOND, "fine", FILED)
    acts.carry_out(FILED)
    _object(way, _)


def _failed_check(way: Online, stopped: Order) -> None:
    assert stopped.parent
    way.settled(way.agreed(stopped.parent, FILED), STRANGER, FILED)
    _object(way, stopped)


def _open_case(way: Online, _: Order, state: CaseState = CaseState.OPEN) -> None:
    _object(way, _)
    row = {
        "id": "C0123456789AB",
        "title": "a gang",
        "state": state.value,
        "ground": "letter",
        "ground_number": "1",
        "seed_kind": "card",
        "seed": card(0),
        "opened_by": "wang",
        "opened_at": NOW,
        "updated_at": NOW,
        "change": 1,
    }
    item = {"case_id": row["id"], "kind": "card", "value": card(0), "source": "", "added_by": "wang"}
    with way.store.writing() as connection:
        connection.execute(insert(cases).values(row))
        connection.execute(insert(case_items).values(**item, added_at=NOW))


def _second(way: Online, _: Order) -> None:
    first = way.orders.object(card(0), "一", HOLDER, NOW + 24 * HOUR)
    way.orders.apply(first.id, Event.WITHDRAW, HOLDER, "no", NOW + 24 * HOUR)
    _object(way, _)


def _rejected_before(way: Online, _: Order) -> None:
    first = way.orders.object(card(0), "一", DESK, NOW + 24 * HOUR)
    way.orders.apply(first.id, Event.ACCEPT, DESK, "read", NOW + 24 * HOUR)
    way.orders.apply(first.id, Event.REJECT, DESK, "another face", NOW + 24 * HOUR)
    _object(way, _)


def _by_telephone(way: Online, _: Order) -> None:
    way.orders.object(card(0), "a caller", DESK, FILED)


def _confirmed(way: Online, _: Order) -> None:
    _object(way, _)

    def answer(unit: UnitOfWork) -> None:
        confirm(unit, card(0), "9", ConfirmationSource.CLUE_FEEDBACK, POLICE, "an answer", origin="C1")

    way.orders.transaction(answer, FILED + HOUR)


def _at_the_fraud_centre(way: Online, stopped: Order) -> None:
    assert stopped.parent
    way.orders.apply(stopped.parent, Event.TO_FRAUD_CENTRE, POLICE, "we look", FILED)
    _object(way, stopped)


def _looked_at(way: Online, stopped: Order) -> None:
    assert stopped.parent
    way.settled(way.agreed(stopped.parent, FILED), UNSURE, FILED)
    _object(way, stopped)


def _policy_says_no(way: Online, _: Order) -> None:
    _object(way, _)
    way.orders.terms = replace(way.orders.terms, policy=AT_ONCE)


@on_sqlite_alone
@pytest.mark.parametrize(
    ("case", "why"),
    [
        (_police, "the police stopped the card"),
        (_punished, "the card is punished until a day"),
        (_failed_check, "failed"),
        (_open_case, "the card is in the open case C0123456789AB"),
        (_second, "was the first objection to it"),
        (_rejected_before, "was the first objection to it"),
        (_by_telephone, "recorded by the desk"),
        (_confirmed, "the police confirmed the card in case 9"),
        (_at_the_fraud_centre, "is at the fraud centre, which decides it"),
        (_looked_at, "waits for somebody who reviews it"),
        (_policy_says_no, "the policy leaves it to a person"),
    ],
)
def test_what_the_clock_does_not_give_back_and_why(store: Store, case: Case, why: str) -> None:
    way = Online(store, POLICY)
    stopped = _stopped(way)
    case(way, stopped)
    objection = way.orders.transaction(lambda unit: unit.open_order(card(0), Kind.OBJECTION), FILED)
    assert objection
    before = _state(way, stopped)
    way.orders.sweep(TERM)
    after = way.state(objection.id)
    assert (after.state, after.due_at) == (objection.state, None), "a person must look"
    assert _state(way, stopped) is before is not State.RESTORED
    assert why in _why_kept(store)
    assert "; " not in _why_kept(store).partition("stays as it is: ")[2], "and nothing else"
    assert way.orders.sweep(TERM + HOUR) == 0


@on_sqlite_alone
def test_another_face_is_not_forgotten_when_its_verification_is_withdrawn(store: Store) -> None:
    way, acts = Online(store, POLICY), BulkActionService(Online(store, POLICY).orders)
    asked = delivered(way.orders)
    way.settled(way.agreed(asked.id, NOW), STRANGER, NOW)
    act = acts.propose(Event.SUSPEND, [card(0)], BilingualText("涉嫌", "suspected"), DESK, NOW)
    acts.approve(act.id, SECOND, "fine", NOW)
    acts.carry_out(NOW)
    way.orders.apply(asked.id, Event.WITHDRAW, DESK, "in error", NOW + HOUR)
    way.orders.object(card(0), "一", HOLDER, FILED)
    way.orders.sweep(TERM)
    assert f"a check of {asked.id} failed" in _why_kept(store)


@on_sqlite_alone
def test_every_reason_is_named(store: Store) -> None:
    way = Online(store, POLICY)
    stopped = _stopped(way)
    _second(way, stopped)
    assert stopped.parent
    way.settled(way.agreed(stopped.parent, FILED), STRANGER, FILED)
    way.orders.sweep(TERM)
    assert _why_kept(store).count("; ") == 2, _why_kept(store)


@on_sqlite_alone
def test_a_question_alone_is_left_to_a_person(store: Store) -> None:
    way = Online(store, POLICY)
    asked = delivered(way.orders)
    way.orders.apply(asked.id, Event.BEGIN, DESK, "came", NOW)
    way.orders.apply(asked.id, Event.SUBMIT, DESK, "we look", NOW)
    way.orders.object(card(0), "一", HOLDER, NOW)
    way.orders.sweep(TERM)
    assert "nothing is stopped" in _why_kept(store)
    assert templates(store) == ["verify"]


@on_sqlite_alone
@pytest.mark.parametrize(
    "spares",
    [
        lambda way, stopped: way.settled(way.agreed(stopped.parent, FILED), DARK, FILED),  # a dark picture
        lambda way, stopped: _open_case(way, stopped, CaseState.CLOSED),
        lambda way, _: way.orders.apply(
            way.orders.object(card(0), "a caller", DESK, NOW + 24 * HOUR).id,
            Event.WITHDRAW,
            DESK,
            "called again",
            NOW + 24 * HOUR,
        ),
    ],
    ids=["dark picture", "closed case", "recorded by the desk and withdrawn"],
)
def test_what_does_not_keep_the_card_stopped(store: Store, spares: Case) -> None:
    way = Online(store, POLICY)
    stopped = _stopped(way)
    spares(way, stopped)
    _object(way, stopped)
    way.orders.sweep(TERM)
    assert _state(way, stopped) is State.RESTORED


def test_an_objection_to_the_question_is_one_to_the_stop_that_followed(store: Store) -> None:
    way = Online(store, POLICY)
    delivered(way.orders)
    objection = way.orders.object(card(0), "一", HOLDER, NOW)
    way.orders.sweep(NOW + 24 * HOUR)
    stopped = restriction(way.orders)
    assert stopped
    way.orders.sweep(TERM)
    assert (_state(way, objection), _state(way, stopped)) == (State.LAPSED, State.RESTORED)


def test_who_called_first_and_then_used_the_link_has_filed_it(store: Store) -> None:
    way = Online(store, POLICY)
    stopped = _stopped(way)
    called = way.orders.object(card(0), "a caller", DESK, FILED)
    joined = way.orders.object(card(0), "and here", HOLDER, TERM - HOUR)
    assert joined.id == called.id
    assert joined.due_at == POLICY.working_days_after(TERM - HOUR, 2), "the desk still has its warning"
    assert way.orders.sweep(TERM) == 0
    assert way.orders.sweep(POLICY.working_days_after(TERM - HOUR, 2)) == 1
    assert _state(way, stopped) is State.RESTORED


def test_two_workers_give_back_once(store: Store) -> None:
    way, together = Online(store, POLICY), Barrier(2)
    for number in range(6):
        _stopped(way, number)
        way.orders.object(card(number), "一", HOLDER, FILED)

    def work(_: int) -> None:
        together.wait(timeout=HANG)
        way.orders.sweep(TERM)

    with ThreadPoolExecutor(2) as both:
        list(both.map(work, range(2)))
    assert len(trail(store, "objection.lapse")) == len(trail(store, "restriction.restore")) == 6
    assert not [one for one in way.orders.terms.trail.verify(store) if isinstance(one, Fault)]


def test_the_same_facts_do_not_ask_again_and_newer_ones_do(store: Store) -> None:
    way = Online(store, POLICY)
    stopped = _stopped(way)
    _object(way, stopped)
    way.orders.sweep(TERM)
    local = POLICY.local_time.local(TERM).replace(tzinfo=None)
    again = demand(0, seen_until=local - HOUR)
    assert receive(way.orders, [again], TERM + HOUR).left == 1
    (entry,) = trail(store, "demand.given_back")
    assert entry.subject == stopped.id
    assert receive(way.orders, [replace(again, rules=("sim_box",))], TERM + HOUR).opened == 1
    other = replace(demand(0, seen_until=local + HOUR))
    assert receive(way.orders, [other], TERM + HOUR).attached == 1


def test_newer_facts_ask_and_nothing_protects_for_months(store: Store) -> None:
    way = Online(store, POLICY)
    _object(way, _stopped(way))
    way.orders.sweep(TERM)
    local = POLICY.local_time.local(TERM).replace(tzinfo=None)
    assert receive(way.orders, [demand(0, seen_until=local + HOUR)], TERM + 2 * HOUR).opened == 1


def test_the_desk_is_alarmed_two_working_days_before(store: Store) -> None:
    way, told = Online(store, POLICY), AlarmService(store)
    watch = ObjectionsDue(store, told, POLICY)
    _object(way, _stopped(way))

    def alarmed(at: datetime) -> list[str]:
        watch.watch(at)
        with store.reading() as connection:
            mine = (alarms.c.source == "objections due", alarms.c.cleared_at.is_(None))
            return list(connection.execute(select(alarms.c.detail).where(*mine)).scalars())

    friday = FILED + timedelta(days=3)  # the term ends on Tuesday
    assert alarmed(friday - timedelta(seconds=1)) == []
    (detail,) = alarmed(friday + timedelta(minutes=1))
    assert detail.startswith("1 件异议2个工作日内到期未决")
    assert "then the card is given back" in detail
    way.orders.sweep(TERM)
    assert alarmed(TERM) == []


def test_the_alarm_counts_apart_what_the_clock_never_gives_back(store: Store) -> None:
    way = Online(store, POLICY)
    for number, by in enumerate((HOLDER, DESK, DESK)):
        _stopped(way, number)
        way.orders.object(card(number), "一", by, FILED)
    ObjectionsDue(store, AlarmService(store), POLICY).watch(FILED + timedelta(days=5))
    with store.reading() as connection:
        (detail,) = connection.execute(
            select(alarms.c.detail).where(alarms.c.source == "objections due")
        ).scalars()
    assert "3 objection(s) undecided" in detail
    assert "1 filed by the holder: then the card is given back" in detail
    assert "2 recorded by the desk: never given back by the clock" in detail
    assert "2 件由值班代登" in detail


def test_an_objection_that_nobody_took_up_waits_for_a_person(store: Store) -> None:
    way = Online(store, POLICY)
    _stopped(way)
    objection = way.orders.object(card(0), "一", HOLDER, FILED)
    reading = OrderQueries(store, way.orders.terms.trail)

    def waiting() -> list[str]:
        return [one.id for one in reading.orders(Filter(waiting=True), ViewerContext(SECOND), FILED).items]

    assert waiting() == [objection.id]
    way.orders.apply(objection.id, Event.ACCEPT, DESK, "we look", FILED)
    assert waiting() == []
    way.orders.terms = replace(way.orders.terms, policy=AT_ONCE)
    way.orders.sweep(TERM)
    assert waiting() == [objection.id], "overdue"


@pytest.mark.parametrize("event", [Event.ACCEPT, Event.TO_FRAUD_CENTRE])
def test_whoever_takes_up_an_overdue_objection_gets_no_new_term(store: Store, event: Event) -> None:
    way = Online(store, AT_ONCE)
    if event is Event.TO_FRAUD_CENTRE:
        way.orders.police_stop(card(0), "A1", POLICE, "confirmed", NOW)
    else:
        _stopped(way)
    objection = way.orders.object(card(0), "一", HOLDER, FILED)
    way.orders.sweep(TERM)
    taken = way.orders.apply(objection.id, event, DESK, "we look", TERM + 24 * HOUR)
    assert (taken.due_at, unanswered(taken)) == (None, True), "a person owes the answer, at once"
    told = NoticeTexts(AT_ONCE).text(
        f"objection_{taken.state}" if event is Event.ACCEPT else "objection_passed_on",
        taken,
        TERM + 24 * HOUR,
        "",
    )
    assert "尽快（答复期限已过）答复" in told
    assert "小时内" not in told, "nor is an answer within hours promised"
    assert way.orders.sweep(TERM + 999 * HOUR) == 0
    assert len(trail(store, "objection.overdue")) == 1


@on_sqlite_alone
@pytest.mark.parametrize(
    ("visit", "by", "why"),
    [
        (CounterVisit("  ", Document.ID_CARD), DESK, "at which counter"),
        (CounterVisit("厅 110101199003070017", Document.ID_CARD), DESK, "document number"),
        (VISIT, HOLDER, "recorded by the staff"),
    ],
)
def test_a_visit_that_is_none_files_nothing(store: Store, visit: CounterVisit, by: Person, why: str) -> None:
    way = Online(store, POLICY)
    _stopped(way)
    with pytest.raises(OrderError, match=why):
        way.orders.object(card(0), "一", by, FILED, visit)
    assert trail(store, "objection.open") == []


@on_sqlite_alone
def test_the_visit_stands_in_the_trail(store: Store) -> None:
    way = Online(store, POLICY)
    _stopped(way)
    objection = way.orders.object(card(0), "一", DESK, FILED, VISIT)
    (entry,) = trail(store, "counter.objection")
    assert (entry.subject, entry.who) == (objection.id, DESK.id)
    assert "中山路营业厅" in entry.after
    assert "id_card" in entry.after


def test_after_a_restored_backup_the_desk_has_its_warning_again(store: Store) -> None:
    way = Online(store, POLICY)
    stopped = _stopped(way)
    objection = way.orders.object(card(0), "一", HOLDER, FILED)
    late = TERM + 48 * HOUR  # who rejected it since the backup is not known any more
    assert hours_anew(way.orders, late) == 1
    assert way.state(objection.id).due_at == POLICY.working_days_after(late, 2)
    assert way.orders.sweep(late) == 0
    assert _state(way, stopped) is State.SUSPENDED


def test_a_clock_that_is_not_trusted_still_gives_back(store: Store) -> None:
    way = Online(store, POLICY)
    stopped = _stopped(way)
    _object(way, stopped)
    way.orders.sweep(TERM, restrict=False)
    assert _state(way, stopped) is State.RESTORED


@on_sqlite_alone
def test_another_citys_counter_does_not_read_what_the_holder_wrote_before(store: Store) -> None:
    way = Online(store, POLICY)
    receive(way.orders, [demand(0, operator="甲", city="130100")], NOW)
    earlier = way.orders.object(card(0), "我在医院", HOLDER, NOW)
    assert earlier.parent
    for cities, reads in ((("110100",), False), (("130100",), True)):
        clerk = Person("clerk", Role.DESK, scope=Scope(frozenset({"甲"}), frozenset(cities)))
        visit = replace(VISIT, order_id=earlier.parent)
        joined = way.orders.object(card(0), "本人到场", clerk, NOW, visit)
        assert ("医院" in joined.grounds.reason.zh) is reads
