"""Who took a step, in words: a role, or what made the program take it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from duanka.domain.evidence import Evidence
from duanka.domain.order import STOP_EVENTS, Event, Kind, Order
from duanka.domain.person import Role
from duanka.domain.text import BilingualText

RULES = BilingualText("自动：按策略的规则", "the rules of the policy, by themselves")
RECEIPT = BilingualText("自动：按短信中心的回执", "the message centre's receipt")
CLOCK = BilingualText("自动：期限已到", "the clock: a term was over")
CHECK = BilingualText("自动：按核验结果", "the result of a check")
STAFF = BilingualText("自动：执行工作人员的决定", "the program, as staff had decided")
REQUEST = BilingualText("自动：按登记人本人的申请", "the program, at the registrant's own request")
FOLLOWS = BilingualText("自动：随另一步骤执行", "the program, after another step")

_ATTACH, _OVERDUE = "attach", "overdue"  # changes of an order that are no event of its states
_OF_KIND: Mapping[Kind, Mapping[str, BilingualText]] = {
    Kind.VERIFICATION: {
        Event.OPEN: RULES,
        _ATTACH: RULES,
        Event.DELIVERED: RECEIPT,
        Event.NOT_DELIVERED: RECEIPT,
        Event.PASS: CHECK,
        Event.FAIL: CHECK,
        Event.SUBMIT: CHECK,
        Event.EXPIRE: CLOCK,
    },
    Kind.OBJECTION: {_OVERDUE: CLOCK, Event.LAPSE: CLOCK},
    Kind.DISAVOWAL: {Event.CANCEL: CLOCK, Event.DISCARD: CLOCK},
}
_BY_EVIDENCE: Mapping[str, BilingualText] = {
    Evidence.EXPIRED_VERIFICATION: CLOCK,
    Evidence.FAILED_CHECK: CHECK,
    Evidence.TWO_PEOPLE: STAFF,
    Evidence.ONE_PERSON: STAFF,
    Evidence.OWN_REQUEST: REQUEST,
}


def who_did(row: Any, order: Order) -> BilingualText:
    """Who took the step of `row`, an entry of the trail about `order`; no name, which stays in the trail."""
    if row["role"] != Role.SYSTEM:
        return Role(row["role"]).words
    event = str(row["what"]).partition(".")[2]
    if order.kind is not Kind.RESTRICTION:
        return _OF_KIND[order.kind].get(event, FOLLOWS)
    if event != Event.OPEN and event not in STOP_EVENTS:
        return FOLLOWS
    carried_by = str(json.loads(row["after"]).get("carried_by") or order.carried_by)
    return _BY_EVIDENCE.get(carried_by.partition(":")[0], FOLLOWS)
