"""Whose accounts platforms are asked about: 涉案, and what failed before two; nobody else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from duanka.casework.accounts.queries import AccountFilter
from duanka.casework.accounts.service import AskedFor
from duanka.domain.bulk_action import BulkActionState
from duanka.domain.linked_accounts import AccountError, RequestKind
from duanka.domain.order import Event, NeedsSecondPerson, Order, PermissionDenied, Person, Role
from duanka.domain.order_decision import RequestedAction
from duanka.domain.person import Scope
from duanka.domain.record_lookups import Basis, BasisKind
from duanka.domain.text import BilingualText
from duanka.ledger.db.casework.accounts import account_looks
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit
from duanka.ledger.lookups import LookupContext
from duanka.ledger.unit_of_work.confirmations import ConfirmationSource, confirm
from duanka.orders.bulk_actions.service import BulkActionService
from support.casework.account_scene import CHAT, AccountScene, account_scene
from support.orders.books import (
    DESK,
    NOW,
    POLICE,
    SECOND,
    acts_of,
    card,
    decided_by_second,
    delivered,
    demand,
    receive,
    restriction,
)
from support.orders.online import PASSED, UNSURE, Online, policy

pytestmark = pytest.mark.requirement("R4")
HOUR = timedelta(hours=1)
CASE = Basis(BasisKind.CASE, "京公2026-1")


def reader(by: Person = DESK, *, unmasked: bool = False) -> LookupContext:
    return LookupContext(by, "the accounts", CASE, unmasked)


def kinds(scene: AccountScene) -> set[tuple[str, str]]:
    return {(row.kind, row.ground) for row in scene.requests()}


def test_a_card_that_is_only_high_risk_sends_nothing(store: Store, tmp_path: Path) -> None:
    """Flagged, asked, expired, stopped by it, and stopped by two people without a verification: nothing is a ground."""
    scene = account_scene(store, tmp_path, *(card(number) for number in range(3)))
    receive(scene.book, [demand(0, RequestedAction.VERIFY_AT_COUNTER, tier="high")], NOW)
    delivered(scene.book, 1)
    scene.book.sweep(NOW + 25 * HOUR)
    expired = restriction(scene.book, 1)
    assert expired is not None
    assert expired.carried_by.startswith("expired_verification:")
    acts = BulkActionService(scene.book)
    acts.propose(Event.SUSPEND, [card(2)], BilingualText("高风险", "high risk"), DESK, NOW)
    decided_by_second(scene.book)
    stopped = restriction(scene.book, 2)
    assert stopped is not None
    assert stopped.carried_by.startswith("two_people:")
    scene.look(NOW + 30 * HOUR)
    assert scene.requests() == []
    with pytest.raises(AccountError, match="no ground stands"):
        scene.services.linked.request(AskedFor(card(2), RequestKind.RESTRICT), reader(), NOW)


def failed_by(scene: AccountScene, number: int, *, machine: bool) -> Order:
    """A verification that a reviewer fails; `machine`: the machine was not satisfied, else only the policy looked."""
    way = Online(scene.store, policy(review_tiers=("medium",)))
    order = way.asked(number)
    way.settled(way.agreed(order.id), UNSURE if machine else PASSED)
    return scene.book.apply(order.id, Event.FAIL, DESK, "another face", NOW)


def test_a_verification_that_failed_before_machine_and_reviewer_asks_to_verify_again(
    store: Store, tmp_path: Path
) -> None:
    scene = account_scene(store, tmp_path)
    order = failed_by(scene, 0, machine=True)
    assert order.evidence == "failed_check"
    scene.look()
    assert kinds(scene) == {("re_verify", "failed_check")}
    assert {row.ground_number for row in scene.requests()} == {order.id}
    stop = restriction(scene.book)
    assert stop is not None
    scene.book.apply(stop.id, Event.RESTORE, SECOND, "it was them", NOW + HOUR)
    scene.look(NOW + HOUR)
    assert set(scene.states()) == {"withdrawn"}, "nothing had been sent"


def test_one_that_a_reviewer_failed_alone_asks_once_a_second_person_decided(
    store: Store, tmp_path: Path
) -> None:
    scene = account_scene(store, tmp_path)
    order = failed_by(scene, 0, machine=False)
    scene.look()
    assert scene.requests() == [], "one person alone is no ground"
    (proposed,) = acts_of(BulkActionService(scene.book), SECOND, BulkActionState.PROPOSED)
    decided_by_second(scene.book)
    scene.look()
    assert kinds(scene) == {("re_verify", "failed_two")}
    assert {row.ground_number for row in scene.requests()} == {order.id}
    assert proposed.verification == order.id


def test_a_confirmation_that_was_written_past_us_asks_nothing(store: Store, tmp_path: Path) -> None:
    scene = account_scene(store, tmp_path, card(0), card(1))
    forged = {"card": card(1), "case_number": "A1", "source": "police_notice", "confirmed_at": NOW}
    look = {"card": card(1), "created_at": NOW, "next_try_at": NOW}
    with store.writing() as connection:
        connection.execute(insert(confirmations).values(forged))
        connection.execute(insert(account_looks).values(look))
    scene.stop(card(0))
    scene.look()
    assert {row.card for row in scene.requests()} == {card(0)}
    assert any("changed past Duanka" in line for line in scene.said)


def test_a_card_that_the_police_stop_again_in_the_same_case_is_asked_about_again(
    store: Store, tmp_path: Path
) -> None:
    """Its confirmation stood all the time, but its stop was lifted in between."""
    scene = account_scene(store, tmp_path)
    acts = BulkActionService(scene.book)
    scene.book.transaction(
        lambda unit: confirm(unit, card(0), "A9", ConfirmationSource.CLUE_FEEDBACK, POLICE, "their answer"),
        NOW,
    )
    scene.look()
    acts.propose(Event.SUSPEND, [card(0)], BilingualText("高风险", "high risk"), DESK, NOW)
    decided_by_second(scene.book)
    stop = restriction(scene.book)
    assert stop is not None
    scene.book.apply(stop.id, Event.RESTORE, SECOND, "lifted", NOW + HOUR)
    scene.look(NOW + HOUR)
    assert scene.states() == ["withdrawn"] * 3
    scene.stop(card(0), case="A9", at=NOW + 2 * HOUR)
    scene.look(NOW + 2 * HOUR)
    assert scene.states() == ["waiting"] * 3 + ["withdrawn"] * 3


def test_a_clock_that_was_set_back_holds_up_no_look(store: Store, tmp_path: Path) -> None:
    scene = account_scene(store, tmp_path)
    scene.stop(card(0), at=NOW + 48 * HOUR)
    scene.look(NOW)
    assert scene.states() == ["waiting"] * 3


def test_a_protected_number_is_asked_about_by_nobody(store: Store, tmp_path: Path) -> None:
    scene = account_scene(store, tmp_path)
    scene.stop(card(0))
    looks = scene.looks()
    looks._protects = lambda _: True
    looks.work(NOW)
    assert scene.requests() == []


def test_closing_takes_two_people_and_a_police_case(store: Store, tmp_path: Path) -> None:
    scene = account_scene(store, tmp_path, card(0), card(1))
    failed_by(scene, 1, machine=True)
    scene.stop(card(0))
    linked = scene.services.linked
    with pytest.raises(AccountError, match="closing takes: confirmed by the police"):
        linked.request(AskedFor(card(1), RequestKind.CLOSE), reader(), NOW)
    (number,) = linked.request(AskedFor(card(0), RequestKind.CLOSE, CHAT), reader(SECOND), NOW)
    assert linked.request(AskedFor(card(0), RequestKind.CLOSE, CHAT), reader(SECOND), NOW) == []
    with pytest.raises(NeedsSecondPerson):
        linked.approve(number, SECOND, "sure", NOW)
    with pytest.raises(PermissionDenied):
        linked.approve(number, DESK, "sure", NOW)
    linked.approve(number, Person("zhao", Role.SUPERVISOR), "the police ask for it", NOW)
    assert scene.states() == ["waiting"]


def test_who_works_for_another_city_sees_and_asks_nothing(store: Store, tmp_path: Path) -> None:
    scene = account_scene(store, tmp_path)
    scene.stop(card(0))
    scene.look()
    other = Person("qian", Role.SUPERVISOR, scope=Scope(cities=frozenset({"310000"})))
    assert scene.services.queries.page(AccountFilter(), other, NOW).requests == []
    (first, *_) = scene.requests()
    with pytest.raises(PermissionDenied):
        scene.services.queries.file(first.id, reader(other), NOW)
    with pytest.raises(PermissionDenied):
        scene.services.linked.release(first.id, other, "why", NOW)
    here = Person("sun", Role.SUPERVISOR, scope=Scope(cities=frozenset({"130100"})))
    shown = scene.services.queries.page(AccountFilter(), here, NOW).requests
    assert len(shown) == 3
    assert all(one.account.endswith("***") and card(0) not in one.card for one in shown)
    full = scene.services.queries.file(first.id, reader(here, unmasked=True), NOW)
    assert full.request.account == first.account
    figures = scene.services.queries.figures(NOW - HOUR, NOW + HOUR, here, NOW)
    assert {(one.operator, one.city, one.requested) for one in figures} == {("甲", "130100", 1)}


def test_every_look_is_in_the_trail_with_its_reason(store: Store, tmp_path: Path) -> None:
    scene = account_scene(store, tmp_path)
    scene.stop(card(0))
    scene.look()
    (first, *_) = scene.requests()
    scene.services.queries.file(first.id, reader(), NOW)
    told = [(entry.what, entry.who, entry.why) for entry in _trail(scene)]
    assert ("lookup.accounts", "duanka", "涉案 京公2026-1") in told
    assert ("lookup.account", "wang", "the accounts") in told


def test_without_a_store_nothing_is_lost(store: Store, tmp_path: Path) -> None:
    scene = account_scene(store, tmp_path, attached=False)
    scene.stop(card(0))
    scene.look()
    assert scene.requests() == []
    assert any("关联账号" in line for line in scene.said)
    scene.attached = True
    scene.look(NOW + HOUR)
    assert scene.states() == ["waiting"] * 3


def _trail(scene: AccountScene) -> list[Any]:
    with scene.store.reading() as connection:
        return list(connection.execute(select(audit)))
