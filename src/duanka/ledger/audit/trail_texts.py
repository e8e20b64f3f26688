"""What the audit trail tells, in the words of the desk: the names of its rows and of the fields that change."""

from __future__ import annotations

from duanka.domain.order import Event, Kind
from duanka.domain.text import Words

# Rows that are no event of an order: those are named by its kind and the event.
_ROWS = {
    "act.approve": Words("复核通过批量处置", "act approved"),
    "act.finish": Words("批量处置完成", "act finished"),
    "act.propose": Words("提出批量处置", "act proposed"),
    "act.reject": Words("否决批量处置", "act rejected"),
    "act.set_aside": Words("搁置批量处置", "act set aside"),
    "act.strike": Words("批量处置剔除号码", "card struck from act"),
    "act.undo": Words("撤销批量处置", "act undone"),
    "alarm.clear": Words("解除告警", "alarm cleared"),
    "audit.accept_restored": Words("接受恢复的数据库", "restored database accepted"),
    "audit.end_spoilt": Words("审计链末端副本损坏", "kept end of the trail spoilt"),
    "act.upgraded": Words("数据库升级：批量处置", "act, as upgraded"),
    "book.backup": Words("备份工单库", "order book backed up"),
    "book.upgrade": Words("升级工单库", "order book upgraded"),
    "case_source.approve": Words("复核通过涉案名单签名方", "source of cases approved"),
    "case_source.propose": Words("提出涉案名单签名方", "source of cases proposed"),
    "case_source.remove": Words("撤销涉案名单签名方", "source of cases removed"),
    "check.release": Words("核验退回未看", "check released"),
    "check.settle": Words("线上核验结果", "check settled"),
    "consent.face_data": Words("同意采集人脸", "face data agreed to"),
    "consent.refused": Words("拒绝采集人脸", "face data refused"),
    "counter.confirm": Words("复核营业厅核验", "counter check confirmed"),
    "counter.refused": Words("营业厅核验不全", "counter check incomplete"),
    "counter.reject": Words("退回营业厅核验", "counter check rejected"),
    "counter.verify": Words("营业厅核验", "counter check"),
    "decisions.hold": Words("研判结果暂缓", "decisions held"),
    "decisions.take": Words("接收研判结果", "decisions taken"),
    "demand.passed": Words("已核验，不再建单", "holder has passed"),
    "demand.protected": Words("受保护号码，不建单", "card is protected"),
    "demands.receive": Words("接收处置请求", "demands received"),
    "element.allow": Words("允许比对批量修改", "comparison allowed"),
    "element.compared": Words("网元比对完成", "element compared"),
    "element.remove": Words("移除网元", "element removed"),
    "element.set": Words("设置网元", "element set"),
    "element.upgraded": Words("数据库升级：网元", "element, as upgraded"),
    "key.approve": Words("复核通过密钥", "key approved"),
    "key.kept": Words("保留密钥", "key kept"),
    "key.reject": Words("否决密钥", "key rejected"),
    "key.revoke": Words("吊销密钥", "key revoked"),
    "key.upgraded": Words("数据库升级：密钥", "key, as upgraded"),
    "link.make": Words("生成核验链接", "link made"),
    "link.request": Words("用户申请链接", "link asked for"),
    "network.drift": Words("网络状态不一致", "network differs"),
    "notice.spared": Words("当日已通知，不重发", "notice spared"),
    "order.set_aside": Words("搁置工单", "order set aside"),
    "passes.export": Words("导出核验通过名单", "passes exported"),
    "person.approve": Words("复核通过人员", "person approved"),
    "person.disable": Words("停用人员", "person disabled"),
    "person.first": Words("首名主管", "first supervisor"),
    "person.invite": Words("邀请主管", "supervisor invited"),
    "person.join": Words("主管加入", "supervisor joined"),
    "person.kept": Words("保留人员", "person kept"),
    "person.propose": Words("提出人员", "person proposed"),
    "person.reject": Words("否决人员", "person rejected"),
    "person.upgraded": Words("数据库升级：人员", "person, as upgraded"),
    "change.approve": Words("复核通过变更", "change approved"),
    "change.reject": Words("否决变更", "change rejected"),
    "pictures.purge": Words("清除核验画面", "pictures purged"),
    "pictures.seen": Words("查看核验画面", "pictures seen"),
    "read.act": Words("查看批量处置", "act read"),
    "read.dossier": Words("查看号码档案", "dossier read"),
    "read.drifts": Words("查看网络不一致", "differences read"),
    "read.handled": Words("查看处置明细", "handled numbers read"),
    "read.order": Words("查看工单", "order read"),
    "read.orders": Words("查看工单列表", "orders listed"),
    "read.own": Words("用户查看本人工单", "order read by its holder"),
    "take.undo": Words("撤销接收", "take undone"),
    "trail.broken": Words("审计链断裂", "trail broken"),
}
# Changes of an order that keeps its state, behind its kind.
_CHANGES = {
    "attach": Words("追加命中", "attached"),
    "carried": Words("改变依据", "carried anew"),
    "close": Words("办结", "closed"),
    "link": Words("新链接", "new link"),
    "goes_on": Words("继续计时", "goes on"),
    "overdue": Words("逾期未答复", "overdue"),
    "hours_anew": Words("重新计时", "hours begin anew"),
    "paused": Words("暂停计时", "paused"),
    "place": Words("更新归属地", "place"),
    "resumed": Words("恢复计时", "resumed"),
    "upgraded": Words("数据库升级", "as upgraded"),
    "waits": Words("待第二人复核", "waits for a second"),
}
# Fields of an order that a row can change.
_FIELDS = {
    "asked": Words("要求", "asked"),
    "card": Words("号码", "card"),
    "carried_by": Words("依据", "carried by"),
    "city": Words("城市", "city"),
    "closed_at": Words("办结", "closed"),
    "decision": Words("研判结果", "decision"),
    "delivered_at": Words("送达", "delivered"),
    "due_at": Words("期限", "due"),
    "evidence": Words("停机依据", "evidence"),
    "extended": Words("延期", "extended"),
    "grounds": Words("告知内容", "grounds"),
    "helped_by": Words("协助人", "helped by"),
    "hits": Words("命中次数", "hits"),
    "id": Words("编号", "id"),
    "kind": Words("类型", "kind"),
    "opened_at": Words("建单", "opened"),
    "opened_by": Words("建单人", "opened by"),
    "operator": Words("运营商", "operator"),
    "papers": Words("所需证件", "papers"),
    "parent": Words("来自工单", "follows from"),
    "reason": Words("原因", "reason"),
    "receipt_at": Words("回执", "receipt"),
    "redress": Words("申诉途径", "redress"),
    "rules": Words("规则", "rules"),
    "state": Words("状态", "state"),
    "step": Words("步骤", "step"),
    "tier": Words("等级", "tier"),
    "unmasked": Words("完整号码", "unmasked"),
    "until": Words("截止", "until"),
    "updated_at": Words("更新", "updated"),
}


def row_words(what: str) -> Words:
    """What a row of the trail tells; its own name where nobody has words for it."""
    kind, _, event = what.partition(".")
    if known := _ROWS.get(what):
        return known
    try:
        of = Kind(kind).words
        moved = _CHANGES.get(event) or Event(event).words
    except ValueError:
        return Words(what, what)
    return Words(f"{of.zh}：{moved.zh}", f"{of.en}: {moved.en}")


def field_words(name: str) -> Words:
    """A field that a row changed; its own name where nobody has words for it."""
    return _FIELDS.get(name, Words(name, name.replace("_", " ")))
