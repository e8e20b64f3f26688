"""Words of a statement for a holder: headings, and what is not in it."""

from __future__ import annotations

from duanka.domain.text import BilingualText

TITLE = BilingualText("号码处置情况说明", "Statement about your number")
SUBTITLE = BilingualText(
    "本号码所保存的资料和所作的处置，应机主要求出具",
    "What is held about this number and what was done, at the request of its holder",
)
HEAD = {
    "number": BilingualText("号码", "Number"),
    "operator": BilingualText("运营商", "Operator"),
    "made": BilingualText("出具时间", "Made"),
    "identity": BilingualText("身份核对", "Identity seen"),
    "state": BilingualText("目前状态", "State now"),
    "contents": BilingualText("内容", "Contents"),
}
SEEN = BilingualText(
    "{document}原件，{counter}，由工作人员当面核对", "{document}, the original, in person at {counter}"
)
COUNTS = BilingualText(
    "工单 {orders} 件，停机告知书 {texts} 份，通知 {notices} 条，核验 {checks} 次，查看记录 {looks} 次",
    "{orders:order|orders}, {texts:text of a stop|texts of stops}, {notices:notice|notices}, {checks:check|checks},"
    " {looks:look|looks}",
)
NEVER_STOPPED = BilingualText("正常，从未停机", "works; it was never stopped")
SECTIONS = {
    "orders": BilingualText("一、工单及其经过", "1. Orders, and how they went"),
    "texts": BilingualText("二、停机告知书原文", "2. Texts of the stops"),
    "notices": BilingualText("三、发给您的通知", "3. Notices to you"),
    "checks": BilingualText("四、身份核验", "4. Verifications"),
    "network": BilingualText("五、网络执行情况", "5. What the network did"),
    "refusals": BilingualText("六、停机期间未接通的通话和短信", "6. Calls and messages refused meanwhile"),
    "billing": BilingualText("七、计费", "7. Billing"),
    "accounts": BilingualText("八、要求互联网平台处置的账号", "8. What internet platforms were asked"),
    "looks": BilingualText("九、谁查看过本号码的资料", "9. Who looked at the data of this number"),
    "records": BilingualText("十、保存的资料和期限", "10. What is kept, and until when"),
    "limits": BilingualText("十一、说明", "11. Remarks"),
}
NOT_KNOWN = BilingualText(
    "本系统没有接入网元，情况不详。", "No network element is registered here: not known."
)
NOTHING = BilingualText("没有。", "None.")
MORE = BilingualText("另有 {n} 条较早的，不在此列。", "{n} earlier ones are not listed.")
COLUMNS = {
    "number": BilingualText("#", "#"),
    "at": BilingualText("时间", "at"),
    "order": BilingualText("工单", "order"),
    "step": BilingualText("经过", "step"),
    "state": BilingualText("状态", "state"),
    "by": BilingualText("经手", "by"),
    "sent": BilingualText("发出", "sent"),
    "arrived": BilingualText("送达", "delivered"),
    "text": BilingualText("内容", "text"),
    "result": BilingualText("结果", "result"),
    "how": BilingualText("方式", "how"),
    "pictures": BilingualText("画面", "pictures"),
    "part": BilingualText("网络部分", "part of the network"),
    "asked": BilingualText("要求", "asked"),
    "done": BilingualText("完成", "done"),
    "kind": BilingualText("类型", "kind"),
    "other": BilingualText("对方", "the other side"),
    "event": BilingualText("事项", "event"),
    "platform": BilingualText("平台", "platform"),
    "ground": BilingualText("依据", "ground"),
    "what": BilingualText("事项", "what"),
    "why": BilingualText("理由", "why"),
    "kept": BilingualText("资料", "data"),
    "span": BilingualText("现有", "held"),
    "until": BilingualText("保存到", "kept until"),
}
ORDER_FACTS = {
    "asked": BilingualText("要求", "Asked"),
    "reason": BilingualText("原因", "Reason"),
    "saw": BilingualText("记录显示", "What the records showed"),
    "parent": BilingualText("来自工单", "Follows from"),
    "due": BilingualText("期限", "Until"),
    "own_words": BilingualText("异议内容", "What was objected"),
}
ELEMENTS = {
    "home_register": BilingualText("号码登记系统", "register of the network"),
    "call_proxy": BilingualText("通话", "calls"),
    "message_proxy": BilingualText("短信", "messages"),
}
OUTCOMES = {
    "done": BilingualText("已执行", "done"),
    "superseded": BilingualText("被后来的处置取代", "superseded by a later measure"),
    "unknown_card": BilingualText("网络中没有此号码", "the network does not know the number"),
    "refused": BilingualText("网络拒绝", "refused by the network"),
    "sent": BilingualText("已发出", "sent"),
    "delivered": BilingualText("已送达", "delivered"),
    "undelivered": BilingualText("未送达", "not delivered"),
    "given_up": BilingualText("未能发出", "could not be sent"),
    "": BilingualText("等待", "waiting"),
}
ONLINE = BilingualText("手机在线核验", "online")
COUNTER = BilingualText("营业厅核验，{document}，{counter}", "at {counter}, {document}")
REFUSED_CHECK = BilingualText("没有比对", "not compared")
REJECTED = BilingualText("退回", "rejected")
WAITS = BilingualText("待第二人复核", "waits for a second person")
SIMILARITY = BilingualText("相似度 {share}", "similarity {share}")
PURGED = BilingualText("已于 {at} 删除", "deleted on {at}")
PICTURED = BilingualText(
    "为复核保存，工单办结 {hours} 小时后删除",
    "kept for the review, deleted {hours} hours after the order is closed",
)
NO_PICTURES = BilingualText("没有保存", "none kept")
CHECK_NOTE = BilingualText(
    "画面只用于与登记照片比对，不在本说明中，也不保存人脸特征。",
    "Pictures served only the comparison with the registered photograph. They are not in this statement, and no"
    " features of"
    " a face are kept.",
)
LOOKS_NOTE = BilingualText(
    "只写岗位，不写姓名。依法不予告知的查询（如公安机关办案）不在此列，也不计数；无论有没有，本说明都写这一句。"
    "号码在列表中掩码显示的，不逐个记录。",
    "Roles, not names. Looks that the law does not let us tell of (such as those of the police for a case) are neither"
    " listed nor counted; this sentence stands here whether there are any or not. Lists that show numbers masked are"
    " not"
    " recorded number by number.",
)
RECORD_KINDS = {
    "calls": BilingualText(
        "通话记录（时间、对方、时长，不含内容）", "calls (time, other side, length; no content)"
    ),
    "messages": BilingualText("短信记录（时间、对方，不含内容）", "messages (time, other side; no content)"),
    "sightings": BilingualText("所在地区和终端", "areas and devices"),
    "data_days": BilingualText("每日流量", "data volume by day"),
    "complaints": BilingualText("对本号码的投诉", "complaints about the number"),
    "rollups": BilingualText("以上记录的每日汇总", "daily totals of these"),
    "refusals": BilingualText("被拦截的通话和短信", "refused calls and messages"),
    "trail": BilingualText("工单、告知书、审计记录", "orders, texts, audit trail"),
}
SPAN = BilingualText("{first} 至 {last}", "{first} to {last}")
ALL_CARDS = BilingualText(
    "本运营商记录的起止日期，是否含本号码以记录为准。",
    "Days of the operator's records; not each has this number.",
)
DAYS_LATER = BilingualText(
    "记录之日起 {days} 天，最晚到 {last}", "{days} days from the day of the record, at the latest {last}"
)
DAYS_ONLY = BilingualText("记录之日起 {days} 天", "{days} days from the day of the record")
FOR_GOOD = BilingualText("作为处置的证明保存，不能删改", "kept as proof of what was done, and never changed")
NO_STORE = BilingualText(
    "本系统没有接入可读的通话记录库，所以不能列出现有哪些日期的记录；期限按策略列出。",
    "No store of records is attached here, or it cannot be read, so this cannot say of which days records are held; the"
    " terms are those of the policy.",
)
REMARKS = (
    BilingualText(
        "本说明由保存的资料生成，没有加以取舍；他人的号码已掩码。工作人员所写的内部理由和姓名保存在审计记录中。",
        "This statement is made of what is stored, without selection; numbers of others are masked. What staff wrote"
        " for"
        " themselves and their names are in the audit trail.",
    ),
    BilingualText(
        "涉及公安机关的内容，只包括已经告知您的停机依据。",
        "Of matters of the police it has only the ground of a stop that you were told.",
    ),
    BilingualText(
        "尚未决定是否处置的研判结果不在此列。", "Findings that nobody has decided to act on are not in it."
    ),
    BilingualText(
        "对任何一项有异议，可拨打客服热线 {hotline}，或到{counter}提出。",
        "To object to any of it, call {hotline} or come to {counter_en}.",
    ),
)
