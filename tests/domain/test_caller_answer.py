"""What a clerk reads to a caller: state, since when, why, by whose authority, what lifts it and by when."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from duanka.domain.caller_answer import UNKNOWN, answer
from duanka.domain.hit_summary import HitSummary, encoded_summaries
from duanka.domain.network import NetworkState
from duanka.domain.order import Grounds, Kind, Order, State
from duanka.domain.order_policy import DeadlineStage, OrderPolicy
from duanka.domain.text import BilingualText

POLICY = OrderPolicy(stages=(DeadlineStage(24, NetworkState.SUSPENDED),))
NOW = datetime(2026, 11, 28, 2, 14, 18, tzinfo=UTC)  # 10:14 in Shanghai
GROUNDS = Grounds(
    BilingualText("一天主叫60个号码", "60 numbers called in a day"), POLICY.redress, POLICY.papers
)
NUMBER = "+86 138****2292"


def order(kind: Kind, state: State, **facts: object) -> Order:
    made = Order(f"{kind.value[0].upper()}0", kind, NUMBER, state, 1, GROUNDS, NOW, NOW, decision="run:1")
    return replace(made, **facts)  # type: ignore[arg-type]


def test_a_number_that_nobody_ever_heard_of_is_said_to_be_that() -> None:
    assert answer(NUMBER, (), None, POLICY, known=False) == UNKNOWN


@pytest.mark.parametrize(
    ("carried_by", "state", "zh", "en"),
    [
        (
            "police_notice:案2026-7",
            State.FORCED_STOP,
            "公安机关通知（案2026-7）；没有期限",
            "police notice 案2026-7",
        ),
        (
            "expired_verification:V1",
            State.SUSPENDED,
            "核验V1逾期未办理",
            "verification V1 was not answered in time",
        ),
        ("failed_check:V1", State.SUSPENDED, "核验V1未通过", "verification V1 was not passed"),
        ("two_people:A1", State.SUSPENDED, "两人复核的决定（A1）", "two of the operator's staff (A1)"),
        ("one_person:A1", State.SUSPENDED, "运营商的决定（R0）", "a decision of the operator (R0)"),
    ],
)
def test_a_stop_says_by_whose_authority(carried_by: str, state: State, zh: str, en: str) -> None:
    said = answer(NUMBER, [order(Kind.RESTRICTION, state, carried_by=carried_by)], NOW, POLICY)
    assert "您尾号2292的号码自2026年11月28日10:14起" in said.zh
    assert "28 Nov 2026 10:14" in said.en
    assert zh in said.zh
    assert en in said.en


def test_whom_the_notice_sends_to_the_counter_hears_of_no_link() -> None:
    asked = order(Kind.VERIFICATION, State.OPENED, asked="verify_at_counter")
    stop = order(Kind.RESTRICTION, State.SUSPENDED, carried_by="expired_verification:V0")
    for orders in ([asked], [stop, asked]):
        said = answer(NUMBER, orders, NOW, POLICY)
        assert "链接" not in said.zh
        assert "link" not in said.en
        assert "须本人带" in said.zh
        assert "in person" in said.en
    online = replace(asked, asked="verify")
    assert all(
        "短信中的链接" in answer(NUMBER, orders, NOW, POLICY).zh for orders in ([online], [stop, online])
    )


def test_a_stop_that_grows_heavier_says_when_and_one_that_passing_lifts_says_so() -> None:
    staged = replace(
        POLICY,
        stages=(DeadlineStage(24, NetworkState.OUTGOING_BARRED), DeadlineStage(48, NetworkState.SUSPENDED)),
    )
    facts = {"carried_by": "expired_verification:V1", "due_at": NOW + timedelta(hours=24)}
    said = answer(NUMBER, [order(Kind.RESTRICTION, State.OUTGOING_BARRED, **facts)], NOW, staged)
    assert "通过立即恢复；2026年11月29日10:14前未通过将停机（双停）" in said.zh
    assert "from 29 Nov 2026 10:14 on it is suspended" in said.en


def test_the_reason_that_a_person_wrote_is_not_read_out() -> None:
    told = replace(GROUNDS, reason=BilingualText("王某说他是骗子", "he is a crook"))
    facts = {"carried_by": "two_people:A1", "grounds": told, "decision": ""}
    said = answer(NUMBER, [order(Kind.RESTRICTION, State.SUSPENDED, **facts)], NOW, POLICY)
    assert "骗子" not in said.zh
    assert "crook" not in said.en


def test_who_is_asked_hears_until_when_and_what_happens_otherwise() -> None:
    asked = order(Kind.VERIFICATION, State.NOTIFIED, due_at=NOW + timedelta(hours=24))
    said = answer(NUMBER, [asked], None, POLICY)
    assert "请于2026年11月29日10:14前办理，逾期将停机（双停）" in said.zh
    assert "do it by 29 Nov 2026 10:14, or it is suspended" in said.en
    assert "期限未开始" in answer(NUMBER, [order(Kind.VERIFICATION, State.OPENED)], None, POLICY).zh
    assert "期间不计时" in answer(NUMBER, [order(Kind.VERIFICATION, State.UNDER_REVIEW)], None, POLICY).zh


def test_the_days_on_which_rules_saw_it_are_named() -> None:
    seen = [HitSummary("fan_out", date(2026, 11, 3), date(2026, 11, 20), 5, BilingualText("一", "a"))]
    asked = order(Kind.VERIFICATION, State.NOTIFIED, hit_summaries=encoded_summaries(seen))
    said = answer(NUMBER, [asked], None, POLICY)
    assert "一天主叫60个号码（11月3日至11月20日）" in said.zh
    assert "60 numbers called in a day (3 Nov to 20 Nov)" in said.en
    stopped = order(Kind.RESTRICTION, State.SUSPENDED, carried_by="expired_verification:V0")
    late = order(Kind.VERIFICATION, State.EXPIRED, hit_summaries=encoded_summaries(seen))
    assert "（11月3日至11月20日）" in answer(NUMBER, [stopped, late], NOW, POLICY).zh


def test_who_is_free_hears_what_was_last_and_an_objection_is_named() -> None:
    over = order(Kind.VERIFICATION, State.PASSED, closed_at=NOW)
    said = answer(NUMBER, [over], None, POLICY)
    assert "正常使用：没有停机" in said.zh
    assert "V0 2026年11月28日10:14核验通过" in said.zh
    objection = order(Kind.OBJECTION, State.ACCEPTED, due_at=NOW)
    assert "您的异议O0已受理，2026年11月28日10:14前答复" in answer(NUMBER, [objection, over], None, POLICY).zh


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("state", State)
def test_every_state_has_its_sentence(kind: Kind, state: State) -> None:
    said = answer(NUMBER, [order(kind, state, closed_at=None)], NOW, POLICY)
    assert said.zh.endswith("。")
    assert said.en.endswith(".")
    assert "2292" in said.zh


@pytest.mark.parametrize(
    ("carried_by", "state"),
    [
        ("two_people:A1", State.SUSPENDED),
        ("police_notice:A", State.FORCED_STOP),
        ("own_request:D1", State.STOPPED_AT_REQUEST),
    ],
)
def test_a_sentence_goes_on_after_a_semicolon_without_a_capital_letter(carried_by: str, state: State) -> None:
    stop = order(Kind.RESTRICTION, state, carried_by=carried_by, decision="", until=NOW + timedelta(days=7))
    said = answer(NUMBER, [stop], NOW, POLICY)
    assert not re.search("; [A-Z][a-z]", said.en), said.en
