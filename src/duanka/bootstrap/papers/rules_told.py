"""What holders are told of the rules of a policy: limits in force, records read, source, what rebuts each."""

from __future__ import annotations

import re
from collections.abc import Callable

from duanka.domain.limit_words import limit_in_words
from duanka.domain.policy import Policy
from duanka.domain.rule import Rule
from duanka.domain.stop_text import RulesTold, RuleTold
from duanka.domain.text import BilingualText

_USE = BilingualText("通话和短信的时间、次数", "times and numbers of calls and messages")
_OPENED = BilingualText("开户登记资料", "the registration of the card")
_DEVICES = BilingualText("所用终端的串号", "the devices it was used in")
_PLACES = BilingualText("通话、短信时所在地区", "the areas of its calls and messages")
_LIST = BilingualText("策略中的名单", "a list of the policy")
_LINKS = BilingualText("号码之间的关联", "links between cards")
# what a rule reads -> words; rollups hold no content of calls or messages
_RECORDS = {
    **dict.fromkeys(("card_hours", "card_days", "card_peers", "card_life", "calls", "messages"), _USE),
    "card_devices": _DEVICES,
    "card_places": _PLACES,
    "cards": _OPENED,
    "complaints": BilingualText("经核实的投诉", "verified complaints"),
    "hits": BilingualText("其他规则的命中", "hits of other rules"),
    "rings": _LINKS,
    "outlet_batches": BilingualText("同一网点同批开户的号码", "cards opened together at one outlet"),
}
_GRADES = re.compile(
    r" \(S[0-9](-S[0-9])?\)"
)  # how good a source is: letters of the catalogue, not of a holder


def rules_told(policy: Policy) -> Callable[[], RulesTold]:
    """Return what reads the catalogue when the first text is written: few commands need it."""

    def read() -> RulesTold:
        from duanka.rules import RULES  # noqa: PLC0415  # few commands need the whole catalogue

        return RulesTold(policy.title, {rule.id: _told(rule, policy) for rule in RULES})

    return read


def _told(rule: Rule, policy: Policy) -> RuleTold:
    limits = policy.limits(rule)
    read = list(dict.fromkeys(_RECORDS.get(name, _LIST) for name in rule.reads))
    grade, source = rule.source.grade.meaning, _GRADES.sub("", rule.source.text)
    return RuleTold(
        rule.title,
        BilingualText(
            "；".join(
                f"{limit.zh} {limit_in_words(limits[name], limit.unit).zh}"
                for name, limit in rule.limits.items()
            )
            or "无",
            "; ".join(
                f"{limit.en} {limit_in_words(limits[name], limit.unit).en}"
                for name, limit in rule.limits.items()
            )
            or "none",
        ),
        BilingualText(
            f"{'；'.join(one.zh for one in read)}；不含通话和短信内容",
            f"{', '.join(one.en for one in read)}; no content of calls or messages",
        ),
        BilingualText(f"{grade.zh}：{rule.source.zh or source}", f"{grade.en}: {source}"),
        rule.rebuttal,
    )
