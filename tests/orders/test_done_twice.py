"""What is approved, rejected, undone or decided twice, at any door: one effect, one row of the trail."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import func, select

from duanka.domain.bulk_action import BulkAction
from duanka.domain.order import (
    DoneBefore,
    Event,
    NeedsSecondPerson,
    NoSuchTransition,
    OrderError,
    Person,
    Role,
)
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import acts, audit, outbox
from duanka.orders.bulk_actions.service import BulkActionService
from support.api.desks import callers, desk_on
from support.orders.books import (
    DESK,
    HOUR,
    NOW,
    SECOND,
    book_on,
    card,
    delivered,
    demand,
    receive,
    verification,
)
from support.typed_desk import TypedDesk
from support.waiting import HANG

WHY, THIRD = BilingualText("养卡窝点", "a farm of cards"), Person("zhao", Role.SUPERVISOR)
WAYS = ["approve", "reject", "undo"]


def _ready(service: BulkActionService, way: str) -> BulkAction:
    """Two cards to be suspended: proposed, and carried out if it is to be undone."""
    act = service.propose(Event.SUSPEND, [card(1), card(2)], WHY, DESK, NOW)
    if way == "undo":
        service.approve(act.id, SECOND, "seen", NOW)
        service.carry_out(NOW)
    return act


def _rows(store: Store) -> tuple[int, ...]:
    with store.reading() as connection:
        counts = (select(func.count()).select_from(one) for one in (audit, acts, outbox))
        return tuple(connection.execute(count).scalar_one() for count in counts)


@pytest.mark.parametrize("way", WAYS)
def test_twice_has_the_effect_of_once_and_says_who_did_it(store: Store, way: str) -> None:
    service = BulkActionService(book_on(store))
    act = _ready(service, way)
    first = getattr(service, way)(act.id, SECOND, "once", NOW)
    changed = _rows(store)
    for by in (SECOND, THIRD):
        again = getattr(service, way)(act.id, by, "again", NOW + HOUR)
        assert (first.before, again.before) == (None, DoneBefore(SECOND.id, NOW))
        assert (again.id, again.state, again.done) == (first.id, first.state, first.done)
    assert _rows(store) == changed


@pytest.mark.parametrize("way", WAYS)
def test_of_two_at_once_one_does_it_and_the_other_sees_it(store: Store, way: str) -> None:
    service, together = BulkActionService(book_on(store)), Barrier(2)
    act = _ready(service, way)

    def do(by: Person) -> BulkAction:
        together.wait(timeout=HANG)
        found: BulkAction = getattr(service, way)(act.id, by, "at once", NOW)
        return found

    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(do, (SECOND, THIRD))
    assert [one.before, other.before].count(None) == 1
    winner = THIRD if one.before else SECOND
    assert (one.before or other.before) == DoneBefore(winner.id, NOW)
    with store.reading() as connection:
        rows = connection.execute(select(audit.c.who).where(audit.c.what == f"act.{way}"))
        assert rows.scalars().all() == [winner.id]


def test_the_second_of_two_supervisors_leaves_no_card_out_any_more(store: Store) -> None:
    service = BulkActionService(book_on(store))
    act = _ready(service, "approve")
    service.approve(act.id, SECOND, "seen", NOW, ["#1"])
    assert service.approve(act.id, SECOND, "seen", NOW, ["#1"]).before, "the same said twice"
    with pytest.raises(NoSuchTransition, match="no card can be left out any more"):
        service.approve(act.id, THIRD, "seen", NOW, ["#2"])


def test_who_proposed_it_approves_it_neither_before_nor_after(store: Store) -> None:
    service = BulkActionService(book_on(store))
    act, mine = _ready(service, "approve"), Person(DESK.id, Role.SUPERVISOR)
    with pytest.raises(NeedsSecondPerson):
        service.approve(act.id, mine, "fine", NOW)
    service.approve(act.id, SECOND, "seen", NOW)
    with pytest.raises(NoSuchTransition, match="running"):
        service.approve(act.id, mine, "fine", NOW)


@pytest.mark.parametrize("way", WAYS)
def test_the_api_gives_the_state_again(store: Store, way: str) -> None:
    desk = desk_on(store)
    act = _ready(desk.bulk_actions, way)
    with callers(desk.api()) as calling:
        second = calling(desk.given[Role.SUPERVISOR])
        first, again = (second.post(f"/acts/{act.id}/{way}", {"why": "w"}) for _ in range(2))
        assert (first.status_code, again.json()) == (200, first.json())


def test_a_command_typed_twice_ends_well_and_says_when_it_was_done(tmp_path: Path) -> None:
    typed = TypedDesk(tmp_path / "book")

    def made(*, approved: bool) -> str:
        number = typed.done("wang", "orders", "stop", card(1), "--reason", "呼", "--reason-en", "call").id(
            "A"
        )
        if approved:
            typed.done("li", "orders", "approve", number, "--why", "w")
            typed.work()
        return number

    def said(*words: str) -> str:
        return typed.done("li", "orders", *words, "--why", "w").text

    number = made(approved=True)
    assert f"{number} was approved before, by li at " in said("approve", number)
    assert "before" not in said("undo", number)
    assert f"{number} was undone before, by li at " in said("undo", number)
    number = made(approved=False)
    said("reject", number)
    assert f"{number} was rejected before, by li at " in said("reject", number)


def test_an_order_is_moved_once_and_who_asks_again_sees_by_whom(store: Store) -> None:
    orders = book_on(store)
    receive(orders, [demand(0)], NOW)
    number = verification(orders).id
    first, before = orders.apply_once(number, Event.TO_COUNTER, DESK, "come in person", NOW)
    changed = _rows(store)
    again, by = orders.apply_once(number, Event.TO_COUNTER, SECOND, "come in person", NOW + HOUR)
    assert (before, by) == (None, DoneBefore(DESK.id, NOW))
    assert again == first
    assert _rows(store) == changed


def test_an_order_in_another_state_is_refused_as_ever(store: Store) -> None:
    orders = book_on(store)
    receive(orders, [demand(0)], NOW)
    number = verification(orders).id
    orders.apply_once(number, Event.WITHDRAW, DESK, "asked in error", NOW)
    for event in (Event.TO_COUNTER, Event.FAIL):
        with pytest.raises(NoSuchTransition, match="closed since"):
            orders.apply_once(number, event, DESK, "again", NOW)


def test_the_same_hardship_twice_gives_more_time_once(store: Store) -> None:
    orders = book_on(store)
    number = delivered(orders).id
    first = orders.extend(number, "hospital", DESK, "shown", NOW)
    assert orders.extend(number, "hospital", SECOND, "shown", NOW + HOUR) == first
    with pytest.raises(OrderError, match="extended before"):
        orders.extend(number, "roaming", DESK, "abroad", NOW)


def test_a_verdict_typed_twice_ends_well_and_says_when_it_was_given(tmp_path: Path) -> None:
    typed = TypedDesk(tmp_path / "book")
    typed.demand(demand(1))
    listed = typed.done("wang", "orders", "list").text
    number = re.search(r"V\w+", listed)
    assert number
    assert "before" not in typed.done("wang", "orders", "begin", number[0], "--why", "came").text
    again = typed.done("li", "orders", "begin", number[0], "--why", "came").text
    assert f"{number[0]} was moved to “" in again
    assert "before, by wang at " in again
