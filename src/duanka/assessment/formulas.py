"""The formula of each measure, in words. They are ours: no official ones are public."""

from __future__ import annotations

from collections.abc import Mapping

from duanka.domain.assessment import Measure
from duanka.domain.card_age import CardAge
from duanka.domain.text import BilingualText

OURS = BilingualText(
    "以下公式为本系统自定，官方公式未公开。", "These formulas are ours; the official ones are not public."
)
_AGES = BilingualText("、".join(one.words.zh for one in CardAge), ", ".join(one.words.en for one in CardAge))
FORMULAS: Mapping[Measure, BilingualText] = {
    Measure.CONFIRMED: BilingualText(
        "考核期内首次被公安确认涉案且未撤销的号码数 ÷ 活跃号码数 × 10,000。活跃号码：登记在册、考核期结束前开卡、"
        "自考核期开始以来有使用记录的号码，以及考核期内被确认的号码。"
        "新开的号码涉案远多于老号码，因此运营商、城市、网点按卡龄（{ages}）比较：按卡龄预期，是其他单位同样卡龄的号码"
        "有同样多时的涉案数；按号码数预期，是其他单位不分卡龄时的涉案数。",
        "Cards that the police first confirmed in the period, and have not taken back ÷ active cards × 10,000. Active:"
        " cards of the register, opened before the end of the period and used since its beginning, and those confirmed"
        " in it. Cards just opened are confirmed far more often than old ones, so operators, cities and outlets are"
        " compared by the ages of their cards ({ages}): expected by age are as many as other units have of as many"
        " cards of the same ages, expected by number as many as they have of as many cards of any age.",
    ).filled(ages=_AGES),
    Measure.IN_TIME: BilingualText(
        "考核期内首次结束的核验（通过、未通过或逾期）中，以通过结束的占比；撤回和本人否认的不计。",
        "Of the verifications that first ended in the period (passed, failed or expired): the share that ended by a"
        " pass. Those withdrawn or disowned do not count.",
    ),
    Measure.PASSED: BilingualText(
        "考核期内首次通知送达的核验中，至今通过的占比，逾期后通过的也计入。",
        "Of the verifications whose notice was first delivered in the period: the share that passed since, late passes"
        " too.",
    ),
    Measure.WRONGFUL: BilingualText(
        "考核期内首次双停、惩戒停机或公安停机的停机中，此后在停机期间核验通过、异议成立（含逾期未决而复通）或被撤销的占比。",
        "Of the restrictions that first suspended a card in the period (also as punishment, or for the police): the"
        " share that was passed while suspended, whose objection was upheld or not decided in its term, or that was"
        " undone.",
    ),
    Measure.RESTORE_P50: BilingualText(
        "考核期内复通的停机，从首次限制到复通所用小时数的中位数（按次序取值）；本人申请的停机不计。",
        "Of the restrictions lifted in the period: the hours from their first stage to the restoration, median (nearest"
        " rank). Stops that a registrant asked for do not count.",
    ),
    Measure.RESTORE_P95: BilingualText(
        "同上，第95百分位数（按次序取值）。", "The same, the 95th percentile (nearest rank)."
    ),
    Measure.UPHELD: BilingualText(
        "考核期内办结的异议中，成立的占比；逾期未决而复通的视同成立。",
        "Of the objections that ended in the period: the share that was upheld, or that nobody decided in its term, so"
        " that the card was given back.",
    ),
    Measure.UNDELIVERED: BilingualText(
        "考核期内发出或放弃发送的通知中，已知未送达的占比；尚无回执的视为未知，不计为未送达。",
        "Of the notices sent or given up in the period: the share known not to have reached the holder. One without a"
        " receipt is not known to have failed.",
    ),
    Measure.ACCOUNTS: BilingualText(
        "考核期内发给互联网平台的关联账号处置请求中，平台已答复处置的占比。",
        "Of the requests about linked accounts sent to platforms in the period: the share that the platform says it"
        " handled.",
    ),
    Measure.WARNED: BilingualText(
        "考核期内已预警的受害人数：短信中心接受了预警短信，且未报告未送达。",
        "Persons who were warned in the period: the message centre accepted the warning and did not report it"
        " undelivered.",
    ),
    Measure.DISSUADED: BilingualText(
        "考核期内经回访劝阻的受害人数。", "Persons whom a call in the period kept from paying."
    ),
    Measure.OUTLETS: BilingualText(
        "考核期内涉案且网点已知的号码中，涉案最多的 10 个网点所开号码的占比。",
        "Of the cards confirmed in the period whose outlet is known: the share opened at the 10 outlets with the most.",
    ),
}
