"""What a holder is told: what happens otherwise, how the card is restricted, why not online."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from duanka.api.schemas.holder_texts import not_online, otherwise, restricted, words_digest
from duanka.domain.counter_check import CounterCheck, Document
from duanka.domain.identity import CheckReason, SessionStage, VerificationProgress
from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.network import NetworkState
from duanka.domain.order import SYSTEM, Event, Kind, Person, Role, State
from duanka.domain.order_policy import DeadlineStage as Deadline
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from support.api.asking import one_store, own_calling, own_desk
from support.api.desks import HOUR, NOW, Caller, TestDesk, card, demand, desk_on
from support.orders.books import receive

store = pytest.fixture(one_store)
desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)

Calling = Callable[[str | None], Caller]
TWO_STAGES = OrderPolicy(
    stages=(Deadline(24, NetworkState.OUTGOING_BARRED), Deadline(72, NetworkState.SUSPENDED))
)


def told(desk: TestDesk, order_id: str) -> tuple[BilingualText, BilingualText | None]:
    """What happens otherwise, and how the card is restricted."""
    order = desk.reading.state(order_id)
    restriction, _ = desk.reading.own(order, desk.clock.now)
    return otherwise(order, restriction, desk.orders.terms.policy), restricted(restriction)


def test_before_the_deadline_the_first_stage_of_the_policy_is_told(desk: TestDesk) -> None:
    order, _ = desk.asked()
    undelivered, none = told(desk, order.id)
    assert undelivered.zh.startswith(
        "收到短信通知后 24 小时内未完成核验，本号码将停机（双停）：不能打出，也不能接听。紧急"
    )
    assert undelivered.en.startswith("If it is not done within 24 hours of the notice, the card is suspended")
    assert none is None
    desk.orders.apply(order.id, Event.DELIVERED, SYSTEM, "receipt", NOW, delivered_at=NOW)
    delivered, _ = told(desk, order.id)
    assert delivered.zh.startswith("北京时间 3月3日 16:00 前未完成核验，本号码将停机（双停）")
    assert delivered.en.startswith(
        "If it is not done by 2026-03-03 16:00 Beijing time, the card is suspended"
    )
    for words in (undelivered, delivered):
        assert "紧急电话" in words.zh
        assert "Emergency" in words.en


def test_while_we_look_no_hours_run(desk: TestDesk) -> None:
    order, _ = desk.asked()
    desk.orders.apply(order.id, Event.BEGIN, SYSTEM, "came", NOW)
    desk.orders.apply(order.id, Event.SUBMIT, SYSTEM, "a person looks", NOW)
    assert "不计时" in told(desk, order.id)[0].zh
    desk.orders.apply(order.id, Event.TO_FRAUD_CENTRE, SYSTEM, "it is theirs", NOW)
    assert "反诈中心" in told(desk, order.id)[0].zh


def test_while_a_second_of_the_staff_is_waited_for_no_hours_run(desk: TestDesk) -> None:
    receive(desk.orders, [replace(demand(), tier="extreme")], NOW)
    order = desk.reading.last(card(), Kind.VERIFICATION)
    assert order is not None
    desk.orders.apply(order.id, Event.BEGIN, SYSTEM, "came", NOW)
    assert "北京时间 3月3日 16:00 前" in told(desk, order.id)[0].zh, "the hours run"
    seen = CounterCheck(
        Document.ID_CARD, "hall A", person_present=True, card_in_hand=True, notice_signed=True
    )
    desk.counter.verify(order.id, seen, Person("wang", Role.DESK), "came", NOW)
    assert "另一名工作人员" in told(desk, order.id)[0].zh


def test_who_is_barred_is_told_of_the_next_stage(store: Store) -> None:
    desk = desk_on(store, TWO_STAGES)
    order, _ = desk.asked()
    assert "限制呼出（单停）" in told(desk, order.id)[0].zh
    desk.orders.apply(order.id, Event.DELIVERED, SYSTEM, "receipt", NOW, delivered_at=NOW)
    desk.clock.now = NOW + 24 * HOUR
    desk.orders.sweep(desk.clock.now)
    then, now = told(desk, order.id)
    assert now is not None
    assert now.zh.startswith("本号码目前限制呼出（单停）：只能拨打12345和本运营商客服，可以接听。")
    assert "核验通过后立即恢复" in now.zh
    assert then.zh.startswith("北京时间 3月5日 16:00 前未完成核验，本号码将停机（双停）")
    desk.clock.now = NOW + 72 * HOUR
    desk.orders.sweep(desk.clock.now)
    then, now = told(desk, order.id)
    assert now is not None
    assert now.zh.startswith("本号码目前停机（双停）")
    assert then.zh == "在核验通过之前，号码保持现状。"


def test_what_the_police_stopped_is_not_promised_back(desk: TestDesk) -> None:
    order, _ = desk.asked()
    desk.orders.police_stop(card(), "case", Person("liaison", Role.POLICE), "confirmed", NOW)
    _, now = told(desk, order.id)
    assert now is not None
    assert "须公安机关同意" in now.zh
    assert "立即恢复" not in now.zh


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, CheckReason.NOT_AVAILABLE.words),
        *(
            (VerificationProgress(stage, State.IN_PROGRESS, 3), None)
            for stage in (SessionStage.READY, SessionStage.WAITING, SessionStage.AGAIN)
        ),
        (
            VerificationProgress(
                SessionStage.COUNTER, State.IN_PROGRESS, 0, (CheckReason.OTHER_PERSON, CheckReason.USED_UP)
            ),
            CheckReason.USED_UP.words,
        ),
    ],
    ids=["nobody-judges", "ready", "waiting", "again", "used-up"],
)
def test_why_not_online(found: VerificationProgress | None, said: BilingualText | None) -> None:
    assert not_online(found) == said


def test_other_ends_have_their_own_words() -> None:
    ends = [
        not_online(VerificationProgress(one, State.IN_PROGRESS, 0))
        for one in (SessionStage.REVIEW, SessionStage.PASSED, SessionStage.COUNTER)
    ]
    assert None not in ends
    assert len(set(ends)) == 3


def test_the_digest_says_which_texts_and_who_judges() -> None:
    policy = IdentityPolicy()
    digest = words_digest(policy, "one")
    assert len(digest) == 64
    assert digest == words_digest(IdentityPolicy(), "one")
    assert digest != words_digest(policy, "another")
    for other in (
        IdentityPolicy(face_consent=BilingualText("甲", "A")),
        IdentityPolicy(legal_notice=BilingualText("甲", "A")),
    ):
        assert words_digest(other, "one") != digest


def test_a_phone_is_given_all_that_its_page_shows(desk: TestDesk, calling: Calling) -> None:
    order, link = desk.asked()
    own = calling(link).get("/holder/order").json()
    policy = desk.orders.terms.policy
    assert own["online"] == {
        "open": True,
        "why": None,
        "stage": "ready",
        "left": 3,
        "supplier": "Test Judge",
        "faceConsent": {"zh": policy.identity.face_consent.zh, "en": policy.identity.face_consent.en},
        "legalNotice": {"zh": policy.identity.legal_notice.zh, "en": policy.identity.legal_notice.en},
        "wordsDigest": words_digest(policy.identity, "Test Judge"),
    }
    assert (own["now"], own["objectionDays"], own["restricted"]) == ("2026-03-02T08:00:00Z", 5, None)
    assert own["otherwise"]["zh"] == told(desk, order.id)[0].zh
    assert desk.reading.last(card(), Kind.RESTRICTION) is None
