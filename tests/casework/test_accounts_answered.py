"""Platforms answer, or do not: answers, the clock, releases by hand, and what is kept how long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from duanka.casework.accounts.queries import AccountFilter
from duanka.casework.accounts.upkeep import AccountUpkeep
from duanka.domain.account_policy import AccountPolicy
from duanka.domain.linked_accounts import AccountError, MalformedAnswer, PlatformState, TransportKind
from duanka.domain.order import NeedsSecondPerson, OrderError, PermissionDenied
from duanka.ledger.db.casework.accounts import account_answers, account_deliveries, platforms
from duanka.ledger.db.database import Store
from support.casework.account_scene import CHAT, FIRST, MALL, PAY, SECOND, SOON, AccountScene, account_scene
from support.casework.platform_server import PlatformStub, keys_in, platform_server
from support.orders.books import DESK, NOW, card

pytestmark = pytest.mark.requirement("R4")
HOUR = timedelta(hours=1)


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[PlatformStub]:
    with platform_server(tmp_path / "chat", CHAT) as server:
        yield server


@pytest.fixture
def scene(store: Store, tmp_path: Path) -> AccountScene:
    found = account_scene(store, tmp_path)
    found.stop(card(0))
    found.look()
    return found


def of(scene: AccountScene, platform: str) -> Any:
    return next(row for row in scene.requests() if row.platform == platform)


def test_a_silent_platform_holds_up_nobody_else(
    scene: AccountScene, chat: PlatformStub, tmp_path: Path
) -> None:
    with platform_server(tmp_path / "pay", PAY, "silent") as pay:
        scene.register(pay.platform, chat.platform)
        dispatchers = scene.dispatchers()
        dispatchers.work(NOW)
        begun = time.monotonic()
        while of(scene, CHAT).state != "sent" and time.monotonic() - begun < 5:
            time.sleep(0.02)
        assert of(scene, CHAT).state == "sent"
        assert of(scene, PAY).state == "waiting"
        dispatchers.stop()
    dispatchers.close()  # the silent one was killed: its link broke off
    with scene.store.reading() as connection:
        row = connection.execute(select(account_deliveries).where(account_deliveries.c.platform == PAY)).one()
    assert (row.tries, row.leased_by, row.done_at) == (1, None, None)


def test_what_has_no_answer_in_time_is_overdue_and_raises_an_alarm(
    scene: AccountScene, chat: PlatformStub
) -> None:
    scene.register(chat.platform)
    scene.dispatch()
    assert scene.services.queries.page(AccountFilter(overdue=True), DESK, NOW).requests == []
    chat.behaves("500")
    late = NOW + 25 * HOUR
    scene.dispatch(late)
    found = scene.services.queries.page(AccountFilter(overdue=True), DESK, late).requests
    assert {one.platform for one in found} == {CHAT, PAY, MALL}
    assert any("超过时限" in line for line in scene.said)
    chat.behaves("refuse")
    scene.dispatch(late + SOON)
    refused = of(scene, CHAT)
    assert (refused.state, refused.answered_by) == ("refused", "platform")


def test_a_platform_answers_by_itself_and_only_with_its_key(scene: AccountScene, chat: PlatformStub) -> None:
    scene.register(chat.platform)
    scene.dispatch()
    number, linked = of(scene, CHAT).id, scene.services.linked
    body, signature = chat.signs({"id": number, "state": "handled", "note": "restricted"})
    assert not linked.platform_answers(number, body + b" ", signature, NOW)
    assert not linked.platform_answers(of(scene, PAY).id, body, signature, NOW)
    other, signed = chat.signs({"id": "GAAAAAAAAAAAA", "state": "handled"})
    with pytest.raises(AccountError, match="another request"):
        linked.platform_answers(number, other, signed, NOW)
    nonsense, signed = chat.signs({"no": "answer"})
    with pytest.raises(MalformedAnswer):
        linked.platform_answers(number, nonsense, signed, NOW)
    for _ in range(2):
        assert linked.platform_answers(number, body, signature, NOW)
    with scene.store.reading() as connection:
        (kept,) = connection.execute(select(account_answers)).all()
    assert (kept.state, kept.who, kept.signature) == ("handled", "platform", signature)
    assert of(scene, CHAT).state == "handled"


def test_people_enter_answers_and_release_one_account(scene: AccountScene, chat: PlatformStub) -> None:
    scene.register(chat.platform)
    scene.dispatch()
    number, linked = of(scene, CHAT).id, scene.services.linked
    with pytest.raises(AccountError, match="handled, refused or released"):
        linked.answer(number, PlatformState.RECEIVED, "", DESK, "letter", NOW)
    with pytest.raises(AccountError, match="nothing to answer"):
        linked.answer(of(scene, PAY).id, PlatformState.HANDLED, "", DESK, "letter", NOW)
    assert linked.answer(number, PlatformState.HANDLED, "closed groups", DESK, "letter 12", NOW) == "handled"
    with pytest.raises(PermissionDenied):
        linked.release(number, DESK, "wrong account", NOW)
    assert linked.release(number, SECOND, "wrong account", NOW) == "releasing"
    assert linked.release(number, SECOND, "wrong account", NOW) == "releasing"
    scene.dispatch(NOW + SOON)
    assert of(scene, CHAT).state == "released"
    assert {what: times for (one, what), times in chat.effects().items() if one == number} == {
        "request": 1,
        "release": 1,
    }
    withdrawn = of(scene, PAY).id
    assert linked.release(withdrawn, SECOND, "wrong account, too", NOW) == "withdrawn"
    scene.looks().again(NOW + 24 * HOUR)
    linked.look(card(0), DESK, "once more", NOW + 24 * HOUR)
    scene.look(NOW + 24 * HOUR)
    assert len(scene.requests()) == 3, (
        "the ground stands, but what a person took back is asked by a person alone"
    )


def test_what_a_platform_never_takes_waits_for_a_person(scene: AccountScene, chat: PlatformStub) -> None:
    scene.register(chat.platform)
    chat.behaves("422")
    scene.dispatch()
    scene.dispatch(NOW + SOON)
    assert of(scene, CHAT).state == "waiting"
    assert [line for line in scene.said if "refuses" in line and "422 AS_TOLD" in line]
    with scene.store.reading() as connection:
        row = connection.execute(
            select(account_deliveries).where(account_deliveries.c.platform == CHAT)
        ).one()
    assert (row.outcome, row.tries) == ("refused", 1)


def test_what_was_written_past_us_is_never_sent(scene: AccountScene, chat: PlatformStub) -> None:
    scene.register(chat.platform)
    with scene.store.writing() as connection:
        mine = account_deliveries.c.platform == CHAT
        row = connection.execute(select(account_deliveries).where(mine)).mappings().one()
        closing = row["body"].replace("restrict", "close")
        connection.execute(account_deliveries.update().where(mine).values(body=closing))
    scene.dispatch()
    assert chat.came() == {}
    assert any("written past Duanka" in line for line in scene.said)


def test_two_people_register_a_platform_and_one_written_past_them_does_not_count(
    store: Store, tmp_path: Path
) -> None:
    scene = account_scene(store, tmp_path)
    register = scene.services.platforms
    one = keys_in(tmp_path / "k", CHAT, TransportKind.HTTP, "https://chat.example/duanka/")
    number = register.propose(one, FIRST, NOW)
    with pytest.raises(NeedsSecondPerson):
        register.approve(number, FIRST, "why", NOW)
    with pytest.raises(OrderError, match="has that name or key already"):
        register.propose(replace(one, address="https://other.example"), FIRST, NOW)
    assert register.in_force() == {}
    register.approve(number, SECOND, "contract", NOW)
    assert register.in_force()[CHAT].address == "https://chat.example/duanka"
    with store.writing() as connection:
        connection.execute(platforms.update().values(address="https://thief.example"))
    assert register.in_force() == {}
    for address in (
        "http://chat.example",
        "https://u:p@chat.example",
        "https://chat.example?x=1",
        "ftp://x",
        "",
    ):
        with pytest.raises(AccountError, match="address"):
            register.propose(replace(one, name="other", address=address), FIRST, NOW)


def test_accounts_are_forgotten_as_the_policy_says(store: Store, tmp_path: Path, chat: PlatformStub) -> None:
    scene = account_scene(store, tmp_path, policy=AccountPolicy(poll_minutes=1, keep_days=30))
    scene.register(chat.platform)
    scene.stop(card(0))
    scene.look()
    scene.dispatch()
    scene.restore(card(0), at=NOW + HOUR)
    scene.look(NOW + HOUR)
    scene.dispatch(NOW + HOUR)
    upkeep = AccountUpkeep(
        store, scene.trail, scene.policy, scene.services.items, scene.looks(), list, scene.alarms
    )
    upkeep.work(NOW + 24 * HOUR)
    assert {row.card for row in scene.requests()} == {card(0)}
    upkeep.work(NOW + 32 * 24 * HOUR)
    assert {(row.card, row.account, row.state) for row in scene.requests()} == {
        ("", "", "released"),
        ("", "", "withdrawn"),
    }
    with store.reading() as connection:
        assert connection.execute(select(account_deliveries)).all() == []
