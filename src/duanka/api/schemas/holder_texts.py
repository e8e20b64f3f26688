"""Texts for a holder: consequences, present restriction, why not online."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from duanka.domain.counter_check import digest_of
from duanka.domain.identity import CheckReason, SessionStage, VerificationProgress
from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.local_time import OperatorZone
from duanka.domain.network import NetworkState
from duanka.domain.order import Order, State
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.restriction_states import in_the_network
from duanka.domain.text import BilingualText

NEVER_ASKED = BilingualText(
    "我们不会索要银行卡号、密码、验证码", "We never ask for card numbers, passwords or codes"
)
DECLINED = BilingualText(
    "您没有同意采集人脸信息，这是您的权利，号码不会因此停机。请在期限之前带齐材料到营业厅核验。",
    "You did not agree to face data. That is your right, and nothing is stopped for it. Go to a counter with your"
    " papers before the time is over.",
)
_CALLS = "紧急电话始终可以拨打。"
_CALLS_EN = " Emergency numbers can always be called."
_FOLLOWS: Mapping[NetworkState, BilingualText] = {
    NetworkState.OUTGOING_BARRED: BilingualText(
        "将限制呼出（单停）：只能拨打紧急电话、12345和本运营商客服，仍可接听",
        "can call emergency numbers, 12345 and our own line alone; it can still be called",
    ),
    NetworkState.LIFELINE: BilingualText(
        "将转为保底服务：只能拨打紧急电话、12345和本运营商客服，只能接听本运营商和银行的来电、接收名单内发送方的短信，不能上网",
        "keeps the lifeline alone: emergency numbers, 12345 and our own line can be called, our line and banks can call"
        " it, listed senders can write to it, and there is no data",
    ),
    NetworkState.SUSPENDED: BilingualText(
        "将停机（双停）：不能打出，也不能接听", "is suspended: it can neither call nor be called"
    ),
}
_AT_ONCE = "核验通过后立即恢复。"
_AT_ONCE_EN = " It works again as soon as you have proved who you are."
_RESTRICTED: Mapping[State, BilingualText] = {
    State.OUTGOING_BARRED: BilingualText(
        "本号码目前限制呼出（单停）：只能拨打12345和本运营商客服，可以接听。" + _CALLS + _AT_ONCE,
        "The card can call 12345 and our own line alone; it can be called." + _CALLS_EN + _AT_ONCE_EN,
    ),
    State.LIFELINE: BilingualText(
        "本号码目前为保底服务：只能拨打12345和本运营商客服，只能接听本运营商和银行的来电、接收名单内发送方的短信，不能上网；"
        "请用Wi-Fi或其他手机打开本页。" + _CALLS + _AT_ONCE,
        "The card keeps the lifeline alone: it can call 12345 and our own line, our line and banks can call it, listed"
        " senders can write to it; there is no data: open this page over Wi-Fi or on another phone."
        + _CALLS_EN
        + _AT_ONCE_EN,
    ),
    State.SUSPENDED: BilingualText(
        "本号码目前停机（双停）：不能打出，也不能接听。" + _CALLS + _AT_ONCE,
        "The card is suspended: it can neither call nor be called." + _CALLS_EN + _AT_ONCE_EN,
    ),
    State.FORCED_STOP: BilingualText(
        "本号码已按公安机关通知停机。" + _CALLS + "核验通过后，仍须公安机关同意才能恢复。",
        "The card was stopped by police notice."
        + _CALLS_EN
        + " Even when you are verified, only the police lift it.",
    ),
    State.PUNISHED: BilingualText(
        "本号码被惩戒停机，到期恢复。" + _CALLS, "The card is stopped until a day, as a penalty." + _CALLS_EN
    ),
    State.STOPPED_AT_REQUEST: BilingualText(
        "登记人本人声明本号码不是其办理，已按其申请停机，到期销户。这不是处罚。"
        + _CALLS
        + "如有误，登记人本人可在销户前到营业厅撤回，立即恢复。",
        "The person in whose name it is registered says that it is not theirs: it is stopped at their request, and will"
        " be cancelled. It is no penalty."
        + _CALLS_EN
        + " If that is wrong, they take it back at a counter before it is"
        " cancelled, and it works again at once.",
    ),
    State.CANCELLED: BilingualText("本号码已销户。", "The card was cancelled."),
}
_NO_CLOCK: Mapping[State, BilingualText] = {
    State.UNDER_REVIEW: BilingualText(
        "正在由我们审核，审核期间不计时，号码不会因此停机。",
        "We are looking at it: no hours run meanwhile, and nothing is stopped for it.",
    ),
    State.SENT_TO_FRAUD_CENTRE: BilingualText(
        "已转反诈中心核查，核查期间不计时。", "The fraud centre is looking at it: no hours run meanwhile."
    ),
}
_SECOND = BilingualText(
    "已到场核验，正在由另一名工作人员复核，其间不计时。",
    "You were verified in person, and a second member of staff confirms it: no hours run meanwhile.",
)
_STAYS = BilingualText(
    "在核验通过之前，号码保持现状。", "Until you have proved who you are, it stays as it is."
)
_BY_STAGE: Mapping[SessionStage, BilingualText] = {
    SessionStage.REVIEW: BilingualText(
        "工作人员正在审核，您不需要再做什么。", "A person is looking at it. There is nothing to do now."
    ),
    SessionStage.PASSED: BilingualText(
        "核验已通过，您不需要再做什么。", "It is passed. There is nothing to do."
    ),
    SessionStage.DISOWNED: BilingualText(
        "登记人本人已声明本号码不是其办理，您不需要再做什么。",
        "The person in whose name it is registered said that it is not theirs. There is nothing to do.",
    ),
    SessionStage.COUNTER: BilingualText(
        "本次核验须本人到营业厅办理。", "This verification is done in person, at a counter."
    ),
}
_STAGES = (State.OUTGOING_BARRED, State.LIFELINE)  # after which a stricter stage may come
_OVER = frozenset({State.EXPIRED, State.FAILED})
OPEN = frozenset({SessionStage.READY, SessionStage.WAITING, SessionStage.AGAIN})


class HolderClock(StrEnum):
    """State of a holder's deadline."""

    UNTIL = "until"  # ends at a known moment
    FROM_NOTICE = "from_notice"  # begins with the delivery of the notice
    STOPPED = "stopped"  # no deadline runs
    OVER = "over"  # passed; verification is still possible


def deadline(
    order: Order, restriction: Order | None, policy: OrderPolicy
) -> tuple[HolderClock, datetime | None]:
    """Return state and end of the holder's deadline. `order`: the verification."""
    if restriction:
        following = policy.after(in_the_network(restriction.state))
        if restriction.state in _STAGES and restriction.due_at and following:
            return HolderClock.UNTIL, restriction.due_at
        return (HolderClock.OVER if order.state in _OVER else HolderClock.STOPPED), None
    if order.state in _OVER:
        return HolderClock.OVER, None
    if order.state in _NO_CLOCK or order.closed_at:
        return HolderClock.STOPPED, None
    if order.due_at:
        return HolderClock.UNTIL, order.due_at
    return (HolderClock.STOPPED if order.state is State.IN_PROGRESS else HolderClock.FROM_NOTICE), None


def otherwise(order: Order, restriction: Order | None, policy: OrderPolicy) -> BilingualText:
    """Say what happens if the holder does nothing."""
    if restriction:
        following = policy.after(in_the_network(restriction.state))
        due_at = deadline(order, restriction, policy)[1]
        if due_at and following:
            return _unless(policy.local_time, due_at, _follows(policy, following.state))
        return _STAYS
    if told := _NO_CLOCK.get(order.state):
        return told
    if order.state is State.IN_PROGRESS and order.due_at is None:
        return _SECOND
    follows = _follows(policy, policy.stages[0].state)
    if order.due_at:
        return _unless(policy.local_time, order.due_at, follows)
    hours = f"{policy.stages[0].hours:g}"
    return BilingualText(
        f"收到短信通知后 {hours} 小时内未完成核验，{follows.zh}",
        f"If it is not done within {hours} hours of the notice, {follows.en}",
    )


def _follows(policy: OrderPolicy, state: NetworkState) -> BilingualText:
    """Say how the card is restricted in `state`, and when the next stage follows."""
    told, following = _FOLLOWS[state], policy.after(state)
    zh, en = f"本号码{told.zh}", f"the card {told.en}"
    if following:
        hours, then = f"{policy.hours_until_next(state):g}", _FOLLOWS[following.state]
        zh, en = f"{zh}；再过 {hours} 小时{then.zh}", f"{en}. {hours} hours later it {then.en}"
    return BilingualText(f"{zh}。{_CALLS}", f"{en}.{_CALLS_EN}")


def restricted(restriction: Order | None) -> BilingualText | None:
    """Say how the card is restricted now."""
    return _RESTRICTED.get(restriction.state) if restriction else None


def not_online(found: VerificationProgress | None) -> BilingualText | None:
    """Say why verification cannot continue online; None if it can.

    `found`: None if there is no online verification.
    """
    if found is None:
        return CheckReason.NOT_AVAILABLE.words
    if found.stage in OPEN:
        return None
    if found.stage is SessionStage.COUNTER and found.reasons:
        return found.reasons[-1].words
    return _BY_STAGE[found.stage]


def words_digest(policy: IdentityPolicy, supplier: str, declares: BilingualText | None = None) -> str:
    """Return the SHA-256 (hex) of the consent: its texts, and who checks.

    `declares`: what is declared in place of the legal notice, by who disowns the number.
    """
    second = declares or policy.legal_notice
    return digest_of(policy.face_consent, second, BilingualText(supplier, supplier))


def _unless(zone: OperatorZone, at: datetime, follows: BilingualText) -> BilingualText:
    local, (place, place_en) = zone.local(at), zone.place(at)
    return BilingualText(
        f"{place} {local.month}月{local.day}日 {local:%H:%M} 前未完成核验，{follows.zh}",
        f"If it is not done by {local:%Y-%m-%d %H:%M} {place_en}, {follows.en}",
    )
