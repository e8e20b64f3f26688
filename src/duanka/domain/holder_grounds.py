"""The reason told to a holder: texts of rules and policy, nothing a person wrote."""

from __future__ import annotations

from dataclasses import replace

from duanka.domain.evidence import Evidence, lifted_by_passing
from duanka.domain.order import Grounds, Kind, Order
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.text import BilingualText

TOO_LATE = BilingualText("未在规定时间内完成实人核验：", "the verification was not answered in time: ")
NOT_PASSED = BilingualText("实人核验未通过：", "the verification was not passed: ")
DISOWNED = BilingualText(
    "登记人本人声明未办理本号码，按其申请停机",
    "the person in whose name it is registered says that it is not theirs, and asked for it to be stopped",
)
# before what the program adds to a reason for the second person, about the ring that a stop is of
OF_RING = BilingualText("〔团伙", " [ring")
_TOLD_UNCHANGED = (Evidence.POLICE_NOTICE.of(""), Evidence.OWN_REQUEST.of(""))


def grounds_for_holder(order: Order, policy: OrderPolicy) -> Grounds:
    """Return the grounds of `order` as its holder may read them.

    Texts of a sealed decision, a police notice or an own request are told unchanged. A reason that a person wrote stays
    in the audit trail: the holder reads the policy's text for it, and the policy's redress and papers. No
    redress promises that a check lifts what staff decided without a verification.
    """
    ours = order.decision or order.carried_by.startswith(_TOLD_UNCHANGED)
    if ours:
        return order.grounds
    for began in (TOO_LATE, NOT_PASSED):
        if order.grounds.reason.zh.startswith(began.zh):
            rest = BilingualText(
                *(text.removeprefix(b) for text, b in zip(order.grounds.reason, began, strict=True))
            )
            told = policy.reason_for(rest)
            reason = BilingualText(began.zh + told.zh, began.en + told.en)
            return replace(order.grounds, reason=reason, redress=policy.redress, papers=policy.papers)
    reason = policy.reason_for(_as_written(order.grounds.reason))
    by_staff = order.kind is Kind.RESTRICTION and not lifted_by_passing(order)
    redress = policy.staff_redress if by_staff else policy.redress
    return replace(order.grounds, reason=reason, redress=redress, papers=policy.papers)


def _as_written(reason: BilingualText) -> BilingualText:
    """A reason without what the program added to it."""
    return BilingualText(*(text.partition(mark)[0] for text, mark in zip(reason, OF_RING, strict=True)))
