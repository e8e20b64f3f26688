"""Bilingual names of audit entries and changed fields, for display."""

from __future__ import annotations

from duanka.domain.order import Event, Kind
from duanka.domain.text import BilingualText

# Entries other than events of an order, which are named by kind and event.
_ROWS = {
    "act.approve": BilingualText("复核通过批量处置", "bulk action approved"),
    "act.finish": BilingualText("批量处置完成", "bulk action finished"),
    "act.propose": BilingualText("提出批量处置", "bulk action proposed"),
    "act.reject": BilingualText("否决批量处置", "bulk action rejected"),
    "act.set_aside": BilingualText("搁置批量处置", "bulk action set aside"),
    "act.strike": BilingualText("批量处置剔除号码", "card struck from bulk action"),
    "act.undo": BilingualText("撤销批量处置", "bulk action undone"),
    "alarm.clear": BilingualText("解除告警", "alarm cleared"),
    "audit.accept_restored": BilingualText("接受恢复的数据库", "restored database accepted"),
    "audit.end_spoilt": BilingualText("审计链末端副本损坏", "kept end of the trail spoilt"),
    "act.upgraded": BilingualText("数据库升级：批量处置", "bulk action, as upgraded"),
    "book.backup": BilingualText("备份工单库", "order database backed up"),
    "book.upgrade": BilingualText("升级工单库", "order database upgraded"),
    "case.add": BilingualText("案件加入内容", "added to the case"),
    "case.approve": BilingualText("批准立案", "case approved"),
    "case.assign": BilingualText("案件分派", "case assigned"),
    "case.close": BilingualText("结案", "case closed"),
    "case.merge": BilingualText("并入另一案件", "merged into another case"),
    "case.merged": BilingualText("并入案件", "another case merged into it"),
    "case.note": BilingualText("案件记事", "note in the case"),
    "case.open": BilingualText("立案", "case opened"),
    "case.reject": BilingualText("不予立案", "case rejected"),
    "case.reopen": BilingualText("重新立案", "case reopened"),
    "case.split": BilingualText("拆出另一案件", "split into another case"),
    "case_source.approve": BilingualText("复核通过涉案名单签名方", "source of cases approved"),
    "case_source.propose": BilingualText("提出涉案名单签名方", "source of cases proposed"),
    "case_source.remove": BilingualText("撤销涉案名单签名方", "source of cases removed"),
    "clue.acknowledge": BilingualText("公安机关签收线索", "clue acknowledged"),
    "clue.build": BilingualText("开始编制线索", "clue begun"),
    "clue.built": BilingualText("编制线索", "clue built"),
    "clue.confirm": BilingualText("公安机关反馈：确认涉案", "clue confirmed by the police"),
    "clue.purge": BilingualText("删除线索完整文件", "files of a clue in full deleted"),
    "clue.refute": BilingualText("公安机关反馈：排除", "clue refuted by the police"),
    "clue.review": BilingualText("复核线索", "clue reviewed"),
    "clue.send": BilingualText("发送线索", "clue sent"),
    "clue_recipient.approve": BilingualText("复核通过线索收件机关", "recipient of clues approved"),
    "clue_recipient.propose": BilingualText("提出线索收件机关", "recipient of clues proposed"),
    "clue_recipient.remove": BilingualText("撤销线索收件机关", "recipient of clues removed"),
    "check.release": BilingualText("核验退回未看", "check released"),
    "check.settle": BilingualText("线上核验结果", "check settled"),
    "consent.face_data": BilingualText("同意采集人脸", "face data agreed to"),
    "consent.refused": BilingualText("拒绝采集人脸", "face data refused"),
    "counter.confirm": BilingualText("复核营业厅核验", "counter check confirmed"),
    "counter.mine": BilingualText("营业厅撤回否认", "disavowal taken back at a counter"),
    "counter.not_mine": BilingualText("营业厅登记否认开户", "disowned at a counter"),
    "counter.refused": BilingualText("营业厅核验不全", "counter check incomplete"),
    "counter.reject": BilingualText("退回营业厅核验", "counter check rejected"),
    "counter.verify": BilingualText("营业厅核验", "counter check"),
    "decisions.hold": BilingualText("研判结果暂缓", "decisions held"),
    "decisions.take": BilingualText("接收研判结果", "decisions taken"),
    "demand.passed": BilingualText("已核验，不再建单", "holder has passed"),
    "demand.protected": BilingualText("受保护号码，不建单", "card is protected"),
    "demands.receive": BilingualText("接收研判结果", "decisions received"),
    "element.allow": BilingualText("允许比对批量修改", "comparison allowed"),
    "element.compared": BilingualText("网元比对完成", "element compared"),
    "element.remove": BilingualText("移除网元", "element removed"),
    "element.set": BilingualText("设置网元", "element set"),
    "element.upgraded": BilingualText("数据库升级：网元", "element, as upgraded"),
    "key.approve": BilingualText("复核通过密钥", "key approved"),
    "key.kept": BilingualText("保留密钥", "key kept"),
    "key.reject": BilingualText("否决密钥", "key rejected"),
    "key.revoke": BilingualText("吊销密钥", "key revoked"),
    "key.upgraded": BilingualText("数据库升级：密钥", "key, as upgraded"),
    "link.make": BilingualText("生成核验链接", "link made"),
    "link.request": BilingualText("用户申请链接", "link asked for"),
    "lookup.card": BilingualText("查询号码记录", "records of a card looked up"),
    "lookup.contacts": BilingualText("查询联系人", "contacts looked up"),
    "lookup.ring": BilingualText("查询团伙", "ring looked up"),
    "lookup.rows": BilingualText("查询结果行数", "rows of a lookup"),
    "network.drift": BilingualText("网络状态不一致", "network differs"),
    "notice.spared": BilingualText("当日已通知，不重发", "notice spared"),
    "order.set_aside": BilingualText("搁置工单", "order set aside"),
    "passes.export": BilingualText("导出核验通过名单", "passes exported"),
    "person.approve": BilingualText("复核通过人员", "person approved"),
    "person.disable": BilingualText("停用人员", "person disabled"),
    "person.first": BilingualText("首名主管", "first supervisor"),
    "person.invite": BilingualText("邀请主管", "supervisor invited"),
    "person.join": BilingualText("主管加入", "supervisor joined"),
    "person.kept": BilingualText("保留人员", "person kept"),
    "person.propose": BilingualText("提出人员", "person proposed"),
    "person.reject": BilingualText("否决人员", "person rejected"),
    "person.upgraded": BilingualText("数据库升级：人员", "person, as upgraded"),
    "change.approve": BilingualText("复核通过变更", "change approved"),
    "change.reject": BilingualText("否决变更", "change rejected"),
    "pictures.purge": BilingualText("清除核验画面", "pictures purged"),
    "pictures.seen": BilingualText("查看核验画面", "pictures seen"),
    "read.clue": BilingualText("查看线索", "clue read"),
    "read.case": BilingualText("查看案件", "case looked into"),
    "read.act": BilingualText("查看批量处置", "bulk action read"),
    "read.stated": BilingualText(
        "为关联分析读取否认开户、异议成立的号码", "disowned, upheld numbers read for links"
    ),
    "read.disowned": BilingualText("查看否认开户名单", "disowned numbers read"),
    "read.dossier": BilingualText("查看号码档案", "dossier read"),
    "read.drifts": BilingualText("查看网络不一致", "differences read"),
    "read.handled": BilingualText("查看处置明细", "handled numbers read"),
    "read.order": BilingualText("查看工单", "order read"),
    "read.orders": BilingualText("查看工单列表", "orders listed"),
    "read.own": BilingualText("用户查看本人工单", "order read by its holder"),
    "store.attach": BilingualText("关联记录库", "store attached"),
    "take.undo": BilingualText("撤销接收", "take undone"),
    "victims.search": BilingualText("查找受害人", "victims looked for"),
    "trail.broken": BilingualText("审计链断裂", "trail broken"),
}
# Changes of an order without a change of state, shown after its kind.
_CHANGES = {
    "attach": BilingualText("追加命中", "attached"),
    "carried": BilingualText("改变依据", "carried anew"),
    "close": BilingualText("办结", "closed"),
    "link": BilingualText("新链接", "new link"),
    "goes_on": BilingualText("继续计时", "goes on"),
    "overdue": BilingualText("逾期未答复", "overdue"),
    "hours_anew": BilingualText("重新计时", "hours begin anew"),
    "paused": BilingualText("暂停计时", "paused"),
    "place": BilingualText("更新归属地", "place"),
    "resumed": BilingualText("恢复计时", "resumed"),
    "upgraded": BilingualText("数据库升级", "as upgraded"),
    "waits": BilingualText("待第二人复核", "waits for a second"),
}
# Fields of an order in before and after.
_FIELDS = {
    "asked": BilingualText("要求", "asked"),
    "basis": BilingualText("查询依据", "basis"),
    "card": BilingualText("号码", "card"),
    "carried_by": BilingualText("依据", "carried by"),
    "city": BilingualText("城市", "city"),
    "closed_at": BilingualText("办结", "closed"),
    "decision": BilingualText("研判结果", "decision"),
    "delivered_at": BilingualText("送达", "delivered"),
    "due_at": BilingualText("期限", "due"),
    "evidence": BilingualText("停机依据", "evidence"),
    "extended": BilingualText("延期", "extended"),
    "folder": BilingualText("文件夹", "folder"),
    "grounds": BilingualText("告知内容", "grounds"),
    "helped_by": BilingualText("协助人", "helped by"),
    "hits": BilingualText("命中次数", "hits"),
    "id": BilingualText("编号", "id"),
    "kind": BilingualText("类型", "kind"),
    "numbers": BilingualText("号码", "numbers"),
    "opened_at": BilingualText("建单", "opened"),
    "opened_by": BilingualText("建单人", "opened by"),
    "operator": BilingualText("运营商", "operator"),
    "papers": BilingualText("所需证件", "papers"),
    "parent": BilingualText("来自工单", "follows from"),
    "reason": BilingualText("原因", "reason"),
    "receipt_at": BilingualText("回执", "receipt"),
    "redress": BilingualText("申诉途径", "redress"),
    "rows": BilingualText("行数", "rows"),
    "rules": BilingualText("规则", "rules"),
    "since": BilingualText("起始", "since"),
    "state": BilingualText("状态", "state"),
    "step": BilingualText("步骤", "step"),
    "tier": BilingualText("等级", "tier"),
    "unmasked": BilingualText("完整号码", "unmasked"),
    "until": BilingualText("截止", "until"),
    "updated_at": BilingualText("更新", "updated"),
}


def row_words(what: str) -> BilingualText:
    """Return the name of an entry; the raw name if unknown."""
    kind, _, event = what.partition(".")
    if known := _ROWS.get(what):
        return known
    try:
        of = Kind(kind).words
        moved = _CHANGES.get(event) or Event(event).words
    except ValueError:
        return BilingualText(what, what)
    return BilingualText(f"{of.zh}：{moved.zh}", f"{of.en}: {moved.en}")


def field_words(name: str) -> BilingualText:
    """Return the name of a field; the raw name if unknown."""
    return _FIELDS.get(name, BilingualText(name, name.replace("_", " ")))
