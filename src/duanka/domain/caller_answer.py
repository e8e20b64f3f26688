"""The answer to a caller about their number: a sentence, Chinese and English.

It says the state, since when, why, on whose authority, what lifts it and by when, in words that a holder may hear: a
reason that a person wrote stays in the audit trail.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from duanka.domain.evidence import Evidence, named_verification
from duanka.domain.hit_summary import decoded_summaries
from duanka.domain.holder_grounds import grounds_for_holder
from duanka.domain.network import NetworkState
from duanka.domain.objection import unanswered
from duanka.domain.order import CLOSED, Kind, Order, State
from duanka.domain.order_decision import RequestedAction
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.restriction_states import in_the_network
from duanka.domain.text import BilingualText

UNKNOWN = BilingualText(
    "工单库中没有这个号码的任何记录：没有要求核验，也没有停机。请核对号码。",
    "The order database has never heard of this number: nothing is asked of it, nothing stops it. Check the number.",
)
_STOPPED = {
    State.OUTGOING_BARRED: BilingualText("被限制呼出（单停）", "has been barred from calling out (单停)"),
    State.LIFELINE: BilingualText("转为保底服务", "has had the lifeline alone (保底服务)"),
    State.SUSPENDED: BilingualText("停机（双停）", "has been suspended (双停)"),
    State.FORCED_STOP: BilingualText("由公安机关通知停机", "has been stopped by police notice"),
    State.PUNISHED: BilingualText("惩戒停机", "has been suspended as a punishment"),
    State.STOPPED_AT_REQUEST: BilingualText(
        "按登记人本人申请停机", "has been stopped at the request of its registrant"
    ),
}
_OTHERWISE = {
    NetworkState.OUTGOING_BARRED: BilingualText("将限制呼出（单停）", "cannot call out"),
    NetworkState.LIFELINE: BilingualText("将转为保底服务", "keeps the lifeline alone"),
    NetworkState.SUSPENDED: BilingualText("将停机（双停）", "is suspended"),
    NetworkState.ACTIVE: BilingualText("将再次通知", "is asked again"),
}
_ASKED = {
    State.OPENED: BilingualText(
        "通知尚未送达，期限未开始", "the notice is not delivered yet, and no time runs"
    ),
    State.UNDELIVERABLE: BilingualText(
        "通知未能送达，期限未开始", "the notice could not be delivered, and no time runs"
    ),
    State.UNDER_REVIEW: BilingualText(
        "您提交的材料正由我们审核，期间不计时",
        "we are looking at what you gave us, and no time runs meanwhile",
    ),
    State.SENT_TO_FRAUD_CENTRE: BilingualText(
        "由公安反诈中心核实", "the fraud centre of the police looks at it"
    ),
    State.FAILED: BilingualText(
        "核验未通过，是否停机由第二人决定", "it was not passed, and a second person decides"
    ),
    State.EXPIRED: BilingualText(
        "已逾期，是否停机由第二人决定", "the time is over, and a second person decides"
    ),
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def answer(
    number: str, orders: Sequence[Order], since: datetime | None, policy: OrderPolicy, *, known: bool = True
) -> BilingualText:
    """Return what to tell the caller about card `number`; `orders`: newest first.

    `since`: when its present state began. `number` may be masked except for its end. `known`: False if no order data
    of the card exists.
    """
    if not (orders or known):
        return UNKNOWN
    tail = number[-4:]
    restriction = _open(orders, Kind.RESTRICTION)
    verification = _open(orders, Kind.VERIFICATION)
    disavowal = _open(orders, Kind.DISAVOWAL)
    if restriction is not None and restriction.state in _STOPPED:
        said = _stopped(tail, restriction, verification, since or restriction.updated_at, policy)
    elif verification is not None:
        said = _asked(tail, verification, policy)
    else:
        said = _free(tail, orders, policy)
    if disavowal is not None and (restriction is None or restriction.state is not State.STOPPED_AT_REQUEST):
        said = _with_disavowal(said, disavowal)
    return _with_objection(said, _open(orders, Kind.OBJECTION), policy)


def answer_about(order: Order, since: datetime, policy: OrderPolicy) -> BilingualText:
    """Return what to say about one order. `since`: when it entered its state."""
    tail = order.card[-4:]
    if order.kind is Kind.RESTRICTION and order.state in _STOPPED:
        return _ended(_stopped(tail, order, None, since, policy))
    if order.kind is Kind.VERIFICATION and order.closed_at is None:
        return _ended(_asked(tail, order, policy))
    if order.kind is Kind.OBJECTION and order.closed_at is None:
        return _with_objection(
            BilingualText(f"关于您尾号{tail}的号码", f"About your number ending {tail}"), order, policy
        )
    if order.kind is Kind.DISAVOWAL and order.closed_at is None:
        about = BilingualText(f"关于您尾号{tail}的号码", f"About your number ending {tail}")
        return _ended(_with_disavowal(about, order))
    return _ended(_free(tail, [order], policy))


def _stopped(
    tail: str, order: Order, verification: Order | None, since: datetime, policy: OrderPolicy
) -> BilingualText:
    state, lift = _STOPPED[order.state], _lift(order, verification, policy)
    told = _with_days(grounds_for_holder(order, policy).reason, order, verification)
    begun, by = _moment(since, policy), _authority(order)
    return BilingualText(
        f"您尾号{tail}的号码自{begun.zh}起{state.zh}，原因：{told.zh}；依据：{by.zh}；{lift.zh}",
        f"Your number ending {tail} {state.en} since {begun.en}, because: {told.en}; by {by.en}; {lift.en}",
    )


def _with_days(reason: BilingualText, order: Order, verification: Order | None) -> BilingualText:
    """Append the days on which rules hit; a stop by the police rests on none."""
    if order.state is State.FORCED_STOP:
        return reason
    seen = decoded_summaries(order.hit_summaries or (verification.hit_summaries if verification else ""))
    if not seen:
        return reason
    first, last = min(one.first_day for one in seen), max(one.last_day for one in seen)
    zh, en = (f"{one.month}月{one.day}日" for one in (first, last)), (_day(one) for one in (first, last))
    days_zh, days_en = ("至".join(dict.fromkeys(zh)), " to ".join(dict.fromkeys(en)))
    return BilingualText(f"{reason.zh}（{days_zh}）", f"{reason.en} ({days_en})")


def _day(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]}"


def _lift(order: Order, verification: Order | None, policy: OrderPolicy) -> BilingualText:
    """Say what lifts the restriction, and when a heavier one follows."""
    if order.state is State.FORCED_STOP:
        return BilingualText(
            f"没有期限；{policy.police_redress.zh}",
            f"no time is set; {_continued(policy.police_redress.en)}",
        )
    if order.state is State.PUNISHED and order.until:
        until = _moment(order.until, policy)
        return BilingualText(f"{until.zh}自动恢复", f"it ends by itself on {until.en}")
    redress = grounds_for_holder(order, policy)
    if order.state is State.STOPPED_AT_REQUEST and order.until:
        until = _moment(order.until, policy)
        return BilingualText(
            f"{until.zh}销户；{redress.redress.zh}",
            f"it is cancelled on {until.en}; {_continued(redress.redress.en)}",
        )
    by_passing = verification is not None or named_verification(order) is not None
    in_person = _in_person(verification or order)
    how = _prove(policy, redress.papers, in_person=in_person) if by_passing else redress.redress
    how = BilingualText(how.zh, _continued(how.en))
    following = policy.after(in_the_network(order.state))
    if order.state in (State.OUTGOING_BARRED, State.LIFELINE) and order.due_at and following:
        due, then = _moment(order.due_at, policy), _OTHERWISE[following.state]
        return BilingualText(
            f"{how.zh}；{due.zh}前未通过{then.zh}", f"{how.en}; from {due.en} on it {then.en}"
        )
    return BilingualText(f"{how.zh}，不设期限", f"{how.en}; no time is set")


def _continued(sentence: str) -> str:
    """A sentence of the policy after a semicolon: without the capital letter, unless it is of an acronym."""
    return sentence[:1].lower() + sentence[1:] if sentence[1:2].islower() else sentence


def _in_person(order: Order) -> bool:
    """Whether the notice named only the counter, and no link."""
    return order.state is State.SENT_TO_COUNTER or order.asked == RequestedAction.VERIFY_AT_COUNTER


def _prove(policy: OrderPolicy, papers: BilingualText, *, in_person: bool) -> BilingualText:
    """Say how a holder gets a restricted card back: as `_to_do`, and with what effect."""
    asked = _to_do(policy, papers, in_person=in_person)
    here = f"prove who you are, in person at {policy.counter.en} with {papers.en}"
    how = here if in_person else asked.en
    return BilingualText(f"{asked.zh}，通过立即恢复", f"it works again as soon as you {how}")


def _authority(order: Order) -> BilingualText:
    evidence, _, reference = order.carried_by.partition(":")
    match evidence:
        case Evidence.POLICE_NOTICE:
            return BilingualText(f"公安机关通知（{reference}）", f"police notice {reference}")
        case Evidence.EXPIRED_VERIFICATION:
            return BilingualText(
                f"运营商的规定，核验{reference}逾期未办理",
                f"the operator's rules, as verification {reference} was not answered in time",
            )
        case Evidence.FAILED_CHECK:
            return BilingualText(
                f"运营商的规定，核验{reference}未通过",
                f"the operator's rules, as verification {reference} was not passed",
            )
        case Evidence.OWN_REQUEST:
            return BilingualText(
                f"登记人本人的声明（{reference}）", f"what its registrant declared ({reference})"
            )
        case Evidence.TWO_PEOPLE:
            return BilingualText(
                f"运营商两人复核的决定（{reference}）",
                f"a decision of two of the operator's staff ({reference})",
            )
        case _:
            return BilingualText(f"运营商的决定（{order.id}）", f"a decision of the operator ({order.id})")


def _asked(tail: str, order: Order, policy: OrderPolicy) -> BilingualText:
    """For a working number whose holder must verify their identity."""
    told, begun = grounds_for_holder(order, policy), _moment(order.opened_at, policy)
    now = _ASKED.get(order.state)
    reason = _with_days(told.reason, order, None)
    how = _to_do(policy, told.papers, in_person=_in_person(order))
    by = now or BilingualText("不设期限", "no time is set")
    if order.due_at and now is None:
        due, otherwise = _moment(order.due_at, policy), _OTHERWISE[policy.stages[0].state]
        by = BilingualText(
            f"请于{due.zh}前办理，逾期{otherwise.zh}", f"do it by {due.en}, or it {otherwise.en}"
        )
    return BilingualText(
        f"您尾号{tail}的号码可以正常使用，但自{begun.zh}起须实人核验（{order.id}），原因：{reason.zh}；"
        f"依据：运营商的风险核验；{how.zh}；{by.zh}",
        f"Your number ending {tail} works, but since {begun.en} you are asked to prove who you are ({order.id}),"
        f" because: {reason.en}; by the operator's risk check; {how.en}; {by.en}",
    )


def _to_do(policy: OrderPolicy, papers: BilingualText, *, in_person: bool) -> BilingualText:
    """Say what a holder whose card works is asked to do."""
    if in_person:
        return BilingualText(
            f"须本人带{papers.zh}到{policy.counter.zh}核验",
            f"come in person to {policy.counter.en} with {papers.en}",
        )
    return BilingualText(
        f"凭短信中的链接、或带{papers.zh}到{policy.counter.zh}核验",
        f"prove who you are, by the link of our message or at {policy.counter.en} with {papers.en}",
    )


def _free(tail: str, orders: Sequence[Order], policy: OrderPolicy) -> BilingualText:
    """For a number without open order or restriction: the latest past event, if any."""
    last = next(
        (order for order in orders if order.kind not in (Kind.OBJECTION, Kind.DISAVOWAL)),
        orders[0] if orders else None,
    )
    if last is not None and last.state is State.CANCELLED:
        at = _moment(last.closed_at or last.updated_at, policy)
        return BilingualText(
            f"您尾号{tail}的号码已于{at.zh}销户（{last.id}），不能恢复；{last.grounds.redress.zh}",
            f"Your number ending {tail} was cancelled on {at.en} ({last.id}) for good;"
            f" {_continued(last.grounds.redress.en)}",
        )
    free = BilingualText(
        f"您尾号{tail}的号码正常使用：没有停机，没有待办的核验",
        f"Your number ending {tail} works: nothing stops it, nothing is asked of you",
    )
    if last is None or last.state not in CLOSED:
        return free
    at = _moment(last.closed_at or last.updated_at, policy)
    return BilingualText(
        f"{free.zh}；上一次：{last.id} {at.zh}{last.state.words.zh}",
        f"{free.en}; the last time: {last.id}, {last.state.words.en} on {at.en}",
    )


def _with_disavowal(said: BilingualText, order: Order) -> BilingualText:
    """Add that somebody said that the number is not theirs, where nothing is stopped for it yet."""
    if order.state is State.CLAIMED:
        more = BilingualText(
            f"有人声明本号码非本人办理（{order.id}），尚未确认本人，没有因此停机",
            f"somebody said that it is not theirs ({order.id}); who says it is not established, and nothing is stopped"
            " for it",
        )
    else:
        more = BilingualText(
            f"登记人本人已声明本号码非其办理（{order.id}），现有停机解除后按其申请停机并销户",
            f"its registrant declared that it is not theirs ({order.id}): once the present stop is lifted it is stopped"
            " at their request, and cancelled",
        )
    return BilingualText(f"{said.zh}；{more.zh}", f"{said.en}; {more.en}")


def _with_objection(said: BilingualText, objection: Order | None, policy: OrderPolicy) -> BilingualText:
    if objection is None:
        return _ended(said)
    more = BilingualText(
        f"您的异议{objection.id}{objection.state.words.zh}",
        f"your objection {objection.id} is {objection.state.words.en}",
    )
    if unanswered(objection):
        more = BilingualText(
            f"{more.zh}，答复期限已过，尚未答复，须由工作人员尽快答复",
            f"{more.en}, its term is over without an answer, and a member of staff owes it now",
        )
    if objection.due_at:
        due = _moment(objection.due_at, policy)
        more = BilingualText(f"{more.zh}，{due.zh}前答复", f"{more.en}, and answered by {due.en}")
    return _ended(BilingualText(f"{said.zh}；{more.zh}", f"{said.en}; {more.en}"))


def _ended(said: BilingualText) -> BilingualText:
    return BilingualText(said.zh.rstrip("。；") + "。", said.en.rstrip(".;") + ".")


def _open(orders: Iterable[Order], kind: Kind) -> Order | None:
    return next((order for order in orders if order.kind is kind and order.closed_at is None), None)


def _moment(at: datetime, policy: OrderPolicy) -> BilingualText:
    """Format a time for speech, in the operator's zone."""
    local = policy.local_time.local(at)
    zh = f"{local.year}年{local.month}月{local.day}日{local:%H:%M}"
    return BilingualText(zh, f"{local.day} {_MONTHS[local.month - 1]} {local.year} {local:%H:%M}")
