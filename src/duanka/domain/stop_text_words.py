"""Words of the text of a stop: headings, who decided, on which law, and how a stop is rebutted."""

from __future__ import annotations

from duanka.domain.evidence import Evidence
from duanka.domain.order import State
from duanka.domain.text import BilingualText

BODY_HEADINGS = {
    "effect": BilingualText("停机后", "What it means"),
    "alone": BilingualText("决定的依据", "What the decision rests on"),
    "policy": BilingualText("适用策略", "Policy"),
    "rule": BilingualText("规则", "Rule"),
    "limits": BilingualText("停机时的限值", "Limits when it was stopped"),
    "records": BilingualText("数据来源", "Data"),
    "source": BilingualText("规则出处", "Where the rule comes from"),
    "rebut": BilingualText("如何反驳这条规则", "How to rebut this rule"),
    "rebut_all": BilingualText("如何反驳停机", "How to rebut the stop"),
    "law": BilingualText("法律依据", "Law"),
    "redress": BilingualText("救济途径", "Redress"),
    "papers": BilingualText("所需材料", "Papers to bring"),
    "hotline": BilingualText("客服热线", "Hotline"),
}

NO_FIGURES = BilingualText("建单时没有保存数字", "the order was opened without its figures")

_NOTHING_PASSES = BilingualText(
    "不能呼出和接听，不能上网；紧急电话可拨打", "no calls out or in, no data; emergency calls pass"
)
# None: any other state
EFFECTS: dict[State | None, BilingualText] = {
    State.OUTGOING_BARRED: BilingualText(
        "除12345和运营商客服外不能呼出，可以接听；紧急电话可拨打",
        "no calls out but to 12345 and the operator's line, calls in pass; emergency calls pass",
    ),
    State.LIFELINE: BilingualText(
        "只能拨打12345和运营商客服，只能接听运营商和银行来电、接收名单内发送方的短信，不能上网；紧急电话可拨打",
        "calls out to 12345 and the operator's line, calls in of the operator and of banks, messages of listed senders,"
        " no data; emergency calls pass",
    ),
    State.SUSPENDED: _NOTHING_PASSES,
    State.FORCED_STOP: _NOTHING_PASSES,
    State.PUNISHED: _NOTHING_PASSES,
    State.STOPPED_AT_REQUEST: _NOTHING_PASSES,
    State.CANCELLED: BilingualText("销户，不能恢复", "cancelled for good"),
    None: BilingualText("紧急电话可拨打", "emergency calls pass"),
}

DECIDED = {
    Evidence.POLICE_NOTICE: BilingualText("公安机关通知", "the police, by notice"),
    Evidence.EXPIRED_VERIFICATION: BilingualText("实人核验逾期未完成", "a verification not answered in time"),
    Evidence.FAILED_CHECK: BilingualText("实人核验未通过", "a verification not passed"),
    Evidence.TWO_PEOPLE: BilingualText("运营商两名工作人员", "two of the operator's staff"),
    Evidence.ONE_PERSON: BilingualText("运营商一名工作人员", "one of the operator's staff"),
    Evidence.OWN_REQUEST: BilingualText("登记人本人申请", "the registrant's own request"),
    "": BilingualText("运营商", "the operator"),
}

# A model or rule alone never decides: each says what did. Names of staff stay in the audit trail.
ALONE = {
    Evidence.POLICE_NOTICE: BilingualText(
        "依据是公安机关的通知，运营商没有自行判断",
        "the notice of the police; the operator judged nothing itself",
    ),
    Evidence.EXPIRED_VERIFICATION: BilingualText(
        "规则只引起核验；停机依据是通知送达后逾期未完成核验，不是规则或模型单独决定",
        "rules only led to the question; the stop rests on the answer that did not come after the notice was delivered,"
        " on no rule or model alone",
    ),
    Evidence.FAILED_CHECK: BilingualText(
        "机器比对之后，由一名没有经手此单的工作人员确认未通过，不是机器单独决定",
        "after the machine's check a member of staff who had no hand in it confirmed the result; no machine decided"
        " alone",
    ),
    Evidence.TWO_PEOPLE: BilingualText(
        "一人提出，另一人看过本号码的情况后批准，姓名保存在审计记录中，不是规则或模型单独决定",
        "one proposed it, another approved it after seeing this number's case; their names are in the audit trail; no"
        " rule"
        " or model decided alone",
    ),
    Evidence.ONE_PERSON: BilingualText(
        "适用的策略允许一人决定，姓名保存在审计记录中，不是规则或模型单独决定",
        "the policy lets one person decide; the name is in the audit trail; no rule or model decided alone",
    ),
    Evidence.OWN_REQUEST: BilingualText(
        "登记人的身份已经核实，这不是处罚", "who they are was established; this is no penalty"
    ),
    "": BilingualText("经手人保存在审计记录中", "who it was is in the audit trail"),
}

_PASS = BilingualText(
    "完成实人核验即恢复；或证明核验通知没有送达本人、期限内已经办理、因漫游、住院或残疾不能按时办理（带相应凭证）；"
    "或按上列各规则说明用途，提出异议",
    "prove who you are, and it works again; or show that the notice did not reach you, that you answered in time, or"
    " that roaming, hospital or disability kept you away (with the papers); or object, with what rebuts the rules"
    " above",
)
GENERAL_REBUTTALS = {
    Evidence.POLICE_NOTICE: BilingualText(
        "向公安机关说明您与该案无关（如证件遗失、被冒用，号码已转出），带相应凭证；运营商收到后转交公安机关，"
        "仅公安机关可以解除",
        "show the police that you have nothing to do with the case (a lost or misused document, a number passed on),"
        " with"
        " papers; the operator passes it on, and only the police lift the stop",
    ),
    Evidence.EXPIRED_VERIFICATION: _PASS,
    Evidence.FAILED_CHECK: BilingualText(
        "本人到营业厅当面核验即恢复；容貌变化、光线或设备问题导致比对不通过的，当面说明即可；或提出异议",
        "prove who you are in person at a counter, and it works again: a changed face, poor light or a poor camera is"
        " no"
        " fault of yours; or object",
    ),
    Evidence.OWN_REQUEST: BilingualText(
        "如果申请不是您本人提出的，或号码确是您的，登记人本人到营业厅撤回即恢复",
        "if it was not you who asked, or the number is yours after all, take it back in person at a counter",
    ),
    "": BilingualText(
        "说明号码的实际用途和使用人，带能证明的材料（工作、交易、行程、家庭关系等），提出异议",
        "object, and say what the number is used for and by whom, with papers that show it (work, trade, travel,"
        " family)",
    ),
}

# Only where the policy takes two people to stop a card: ledger/unit_of_work/part_in_stop keeps it.
ANSWERED_BY_ANOTHER = BilingualText(
    "；由没有参与停机的人答复，参与停机的人只能予以恢复",
    "; somebody who had no part in the stop answers, and whoever had one can only give the number back",
)

LAW = {
    Evidence.POLICE_NOTICE: BilingualText(
        "公安机关的通知；告知原因、救济途径和所需材料：《中华人民共和国反电信网络诈骗法》第三十二条",
        "the notice of the police; reason, redress and papers are told by article 32 of the Anti-Telecom and Online"
        " Fraud"
        " Law of the People's Republic of China",
    ),
    Evidence.OWN_REQUEST: BilingualText("登记人本人的申请", "the registrant's own request"),
    "": BilingualText(
        "《中华人民共和国反电信网络诈骗法》第十一条（重新实名核验及限制、暂停），第三十二条（告知原因、"
        "救济途径和所需材料）",
        "Anti-Telecom and Online Fraud Law of the People's Republic of China, article 11 (verification anew,"
        " restriction)"
        " and article 32 (reason, redress and papers are told)",
    ),
}
LAW_OF_STATE = {
    State.PUNISHED: BilingualText(
        "《中华人民共和国反电信网络诈骗法》第三十一条（惩戒），第三十二条（告知原因、救济途径和所需材料）",
        "Anti-Telecom and Online Fraud Law of the People's Republic of China, article 31 (punishment) and article 32"
        " (reason, redress and papers are told)",
    ),
}
