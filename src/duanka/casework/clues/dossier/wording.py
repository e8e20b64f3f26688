"""Words of a dossier that are the same in every one: terms, methods and their limits."""

from __future__ import annotations

from duanka.domain.text import BilingualText

LEARNT = {
    "police_notice": BilingualText("公安机关停机通知", "notice of the police"),
    "signed_file": BilingualText("公安机关签名的涉案名单", "case file signed by the police"),
    "clue_feedback": BilingualText("公安机关对线索的反馈", "answer of the police to a clue"),
}
HOLDERS = {
    "person": BilingualText("个人", "person"),
    "organisation": BilingualText("单位", "organisation"),
}
TIERS = {
    "low": BilingualText("低", "low"),
    "medium": BilingualText("中", "medium"),
    "high": BilingualText("高", "high"),
    "extreme": BilingualText("极高", "extreme"),
}
METHODS = (
    BilingualText(
        "规则只看谁在何时与谁通信、用哪部终端、在哪个基站，不看通话和短信的内容。每条规则都有可能错怪的正常用户，列在该规则之下。",
        "Rules see who was in contact with whom, when, in which device and cell; never what was said. Each may wrong"
        " honest people: they are named with the rule.",
    ),
    BilingualText(
        "关联图把共用终端、同批开户、同时开关机等联系在一起的卡连成团伙。确定度是模型对“该卡属于同一团伙”的估计，不是犯罪的概率；"
        "低于门槛的卡不列入。",
        "The links join cards that share a device, were opened together, or are switched on and off together. The"
        " certainty is an estimate that a card belongs to the same ring, not that of a crime.",
    ),
    BilingualText(
        "基站位置精确到基站覆盖范围，不是卡的确切位置；终端串号可以被改写，同一串号不必然是同一部终端。",
        "A cell tells an area and no exact place. Device numbers can be rewritten: one number need not be one device.",
    ),
    BilingualText(
        "开户登记人不一定是使用人：卡可能被出租、出借、盗用或冒名开立。",
        "Who a card is registered to need not be who uses it: cards are let, lent, stolen, or opened in others' names.",
    ),
)
TERMS = (
    (
        "涉案",
        BilingualText(
            "公安机关已确认与案件有关，并给出案件编号。", "confirmed by the police, with a case number"
        ),
    ),
    (
        "高风险",
        BilingualText(
            "运营商规则或关联分析得出的嫌疑，未经公安机关确认。", "suspected by the operator, not confirmed"
        ),
    ),
    (
        "单停 / 双停",
        BilingualText(
            "单停：除12345和运营商客服外不能呼出；保底服务：另仅可接运营商和银行来电，无数据；双停：呼出呼入均停。紧急号码始终可拨。",
            "outgoing barred / suspended",
        ),
    ),
    (
        "猫池（设备用卡）",
        BilingualText("一部设备内轮流或同时使用许多卡，供远程拨打。", "SIM box: many cards in one device"),
    ),
    ("库存卡", BilingualText("已由团伙掌握、尚未使用的卡。", "stock: held by the ring, not used yet")),
    (
        "运营者、看护者",
        BilingualText("在多部设备之间联系、换卡、管理的人所用的卡。", "run and mind the devices"),
    ),
    ("供卡者", BilingualText("把开好的卡交给团伙的人所用的卡。", "supplies cards that others opened")),
    (
        "话务卡、接码卡",
        BilingualText("话务卡用于拨打；接码卡只用于接收验证码。", "callers; receivers of codes"),
    ),
    (
        "同行倍数",
        BilingualText("该网点的新卡出现风险的比例，是同城同规模网点的多少倍。", "outlet against peers"),
    ),
    (
        "登记人编码",
        BilingualText("由证件号码加密钥计算的编码，不能反推证件号码。", "keyed hash of a document number"),
    ),
    ("SHA-256", BilingualText("文件的指纹：改动一个字节，指纹即不同。", "fingerprint of a file")),
)
