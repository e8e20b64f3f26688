"""Bilingual names of audit entries and changed fields, for display."""

from __future__ import annotations

from collections.abc import Mapping

from duanka.domain.listing import ListingEvent
from duanka.domain.order import Event, Kind
from duanka.domain.text import BilingualText

# Entries other than events of an order, which are named by kind and event.
_ROWS = {
    "account.answer": BilingualText("平台答复", "platform answered"),
    "account.approve": BilingualText("复核通过关停账号", "closing of account approved"),
    "account.forget": BilingualText("账号信息到期删除", "account kept no longer"),
    "account.look": BilingualText("重新核对关联账号", "accounts to be looked at again"),
    "account.reject": BilingualText("否决关停账号", "closing of account rejected"),
    "account.release": BilingualText("解除账号处置", "account released"),
    "account.request": BilingualText("提出账号处置", "platform asked about account"),
    "takedown.agree": BilingualText("认定涉诈线索", "item for take-down agreed"),
    "takedown.block": BilingualText("启用短信拦截", "message filter refuses item"),
    "takedown.move": BilingualText("办理涉诈线索", "item for take-down moved on"),
    "takedown.unblock": BilingualText("停用短信拦截", "message filter lets item pass"),
    "act.approve": BilingualText("复核通过批量处置", "bulk action approved"),
    "act.finish": BilingualText("批量处置完成", "bulk action finished"),
    "act.propose": BilingualText("提出批量处置", "bulk action proposed"),
    "act.reject": BilingualText("否决批量处置", "bulk action rejected"),
    "act.set_aside": BilingualText("搁置批量处置", "bulk action set aside"),
    "act.strike": BilingualText("批量处置剔除号码", "card struck from bulk action"),
    "act.undo": BilingualText("撤销批量处置", "bulk action undone"),
    "alarm.clear": BilingualText("解除告警", "alarm cleared"),
    "assessment.run": BilingualText("运行考核", "assessment run"),
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
    "confirmation.stated": BilingualText("公安机关确认涉案", "confirmed by the police"),
    "confirmation.withdrawn": BilingualText("涉案确认已撤回", "confirmation withdrawn"),
    "consent.face_data": BilingualText("同意采集人脸", "face data agreed to"),
    "consent.refused": BilingualText("拒绝采集人脸", "face data refused"),
    "counter.confirm": BilingualText("复核营业厅核验", "counter check confirmed"),
    "counter.mine": BilingualText("营业厅撤回否认", "disavowal taken back at a counter"),
    "counter.not_mine": BilingualText("营业厅登记否认开户", "disowned at a counter"),
    "counter.objection": BilingualText("营业厅登记异议", "objection at a counter"),
    "counter.refused": BilingualText("营业厅核验不全", "counter check incomplete"),
    "counter.reject": BilingualText("退回营业厅核验", "counter check rejected"),
    "counter.verify": BilingualText("营业厅核验", "counter check"),
    "decisions.hold": BilingualText("研判结果暂缓", "decisions held"),
    "decisions.take": BilingualText("接收研判结果", "decisions taken"),
    "demand.given_back": BilingualText(
        "异议逾期未决已复通，不再建单", "card was given back, objection undecided"
    ),
    "demand.passed": BilingualText("已核验，不再建单", "holder has passed"),
    "demand.protected": BilingualText("受保护号码，不建单", "card is protected"),
    "demand.restored": BilingualText("已由人工复通，不再建单", "somebody gave the card back"),
    "demands.receive": BilingualText("接收研判结果", "decisions received"),
    "element.allow": BilingualText("允许比对批量修改", "comparison allowed"),
    "element.compared": BilingualText("网元比对完成", "element compared"),
    "element.remove": BilingualText("移除网元", "element removed"),
    "element.set": BilingualText("设置网元", "element set"),
    "element.upgraded": BilingualText("数据库升级：网元", "element, as upgraded"),
    "platform.approve": BilingualText("复核通过互联网平台", "platform approved"),
    "platform.propose": BilingualText("提出互联网平台", "platform proposed"),
    "platform.remove": BilingualText("撤销互联网平台", "platform removed"),
    "key.approve": BilingualText("复核通过密钥", "key approved"),
    "key.kept": BilingualText("保留密钥", "key kept"),
    "key.reject": BilingualText("否决密钥", "key rejected"),
    "key.revoke": BilingualText("吊销密钥", "key revoked"),
    "key.upgraded": BilingualText("数据库升级：密钥", "key, as upgraded"),
    "labels.export": BilingualText("导出涉案标签", "confirmed cards exported"),
    "link.make": BilingualText("生成核验链接", "link made"),
    "link.request": BilingualText("用户申请链接", "link asked for"),
    "lookup.account": BilingualText("查看关联账号处置", "request about an account looked at"),
    "lookup.accounts": BilingualText("查询关联账号", "accounts of a card looked up"),
    "lookup.card": BilingualText("查询号码记录", "records of a card looked up"),
    "lookup.contacts": BilingualText("查询联系人", "contacts looked up"),
    "lookup.ring": BilingualText("查询团伙", "ring looked up"),
    "lookup.rows": BilingualText("查询结果行数", "rows of a lookup"),
    "network.drift": BilingualText("网络状态不一致", "network differs"),
    "notice.spared": BilingualText("当日已通知，不重发", "notice spared"),
    "order.set_aside": BilingualText("搁置工单", "order set aside"),
    "paper.copy": BilingualText("出具停机告知书副本", "text of a stop copied"),
    "paper.statement": BilingualText("出具号码处置情况说明", "statement given to its holder"),
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
    "refused.order_number": BilingualText("工单号不符", "order number that leads nowhere"),
    "read.billing": BilingualText("导出计费事件", "events for billing read"),
    "read.assessed": BilingualText("查看考核明细", "rows of an assessment read"),
    "read.clue": BilingualText("查看线索", "clue read"),
    "read.case": BilingualText("查看案件", "case looked into"),
    "victims.approve": BilingualText("批准回访名单", "worklist approved"),
    "victims.call": BilingualText("领取受害人回访", "call to a victim claimed"),
    "victims.list": BilingualText("查看受害人列表", "victims listed"),
    "victims.look": BilingualText("查找受害人", "victims looked for"),
    "victims.outcome": BilingualText("登记回访结果", "outcome of a call to a victim"),
    "victims.propose": BilingualText("提出回访名单", "worklist proposed"),
    "victims.purge": BilingualText("清除受害人信息", "victims forgotten"),
    "victims.reject": BilingualText("否决回访名单", "worklist rejected"),
    "victims.release": BilingualText("退回受害人回访", "call to a victim given back"),
    "victims.search": BilingualText("自动查找受害人", "victims of confirmed cards searched"),
    "victims.show": BilingualText("查看受害人", "victim looked at"),
    "victims.warn": BilingualText("预警受害人", "victims warned"),
    "read.act": BilingualText("查看批量处置", "bulk action read"),
    "read.stated": BilingualText(
        "为关联分析读取否认开户、异议成立的号码", "disowned, upheld numbers read for links"
    ),
    "read.disowned": BilingualText("查看否认开户名单", "disowned numbers read"),
    "read.dossier": BilingualText("查看号码档案", "dossier read"),
    "read.figure": BilingualText("查看统计明细", "rows of a figure read"),
    "read.drifts": BilingualText("查看网络不一致", "differences read"),
    "read.handled": BilingualText("查看处置明细", "handled numbers read"),
    "read.order": BilingualText("查看工单", "order read"),
    "read.orders": BilingualText("查看工单列表", "orders listed"),
    "read.own": BilingualText("用户查看本人工单", "order read by its holder"),
    "credential.kept": BilingualText("保留登录凭据", "credential kept"),
    "credential.revoke": BilingualText("撤销登录凭据", "credential revoked"),
    "objection.attach": BilingualText("再次提出异议", "objected again"),
    "password.approve": BilingualText("复核通过口令", "password approved"),
    "password.reject": BilingualText("否决口令", "password rejected"),
    "password.set": BilingualText("设置口令", "password set"),
    "second.identified": BilingualText(
        "第二人在同一屏幕验明身份", "second person identified on the same screen"
    ),
    "sign_in.begin": BilingualText("登录", "signed in"),
    "sign_in.end": BilingualText("登录会话结束", "session ended"),
    "sign_in.failed": BilingualText("登录失败", "wrong password"),
    "sign_in.locked": BilingualText("登录名暂时锁定", "login name locked for a time"),
    "subject.approve": BilingualText("复核通过统一身份绑定", "subject approved"),
    "subject.reject": BilingualText("否决统一身份绑定", "subject rejected"),
    "store.attach": BilingualText("关联记录库", "store attached"),
    "take.undo": BilingualText("撤销接收", "take undone"),
    "unlinked.begin": BilingualText("无链接核验：开始", "check without a link begun"),
    "unlinked.settle": BilingualText("无链接核验：结果", "check without a link settled"),
    "trail.broken": BilingualText("审计链断裂", "trail broken"),
}
_ROWS |= {f"listing.{one.value}": one.words for one in ListingEvent}
# Changes of an order without a change of state, shown after its kind.
_CHANGES = {
    "attach": BilingualText("追加命中", "attached"),
    "carried": BilingualText("改变依据", "carried anew"),
    "close": BilingualText("办结", "closed"),
    "lifeline_over": BilingualText("不再适用保底服务", "lifeline over"),
    "link": BilingualText("新链接", "new link"),
    "goes_on": BilingualText("继续计时", "goes on"),
    "overdue": BilingualText("逾期未答复", "overdue"),
    "hours_anew": BilingualText("重新计时", "hours begin anew"),
    "paused": BilingualText("暂停计时", "paused"),
    "place": BilingualText("更新归属地", "place"),
    "resumed": BilingualText("恢复计时", "resumed"),
    "told": BilingualText("补作告知书", "text made belatedly"),
    "upgraded": BilingualText("数据库升级", "as upgraded"),
    "waits": BilingualText("待第二人复核", "waits for a second"),
}
# Fields of an order in before and after.
_FIELDS = {
    "asked": BilingualText("要求", "asked"),
    "basis": BilingualText("查询依据", "basis"),
    "card": BilingualText("号码", "card"),
    "channel": BilingualText("提出方式", "filed"),
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
    "sha256": BilingualText("校验值", "SHA-256"),
    "since": BilingualText("起始", "since"),
    "state": BilingualText("状态", "state"),
    "step": BilingualText("步骤", "step"),
    "tier": BilingualText("等级", "tier"),
    "unmasked": BilingualText("完整号码", "unmasked"),
    "until": BilingualText("截止", "until"),
    "updated_at": BilingualText("更新", "updated"),
}


def entry_texts() -> Mapping[str, BilingualText]:
    """Return the names of entries by `what`, but for those of an order, which are named by kind and event."""
    return _ROWS


def change_texts() -> Mapping[str, BilingualText]:
    """Return the names of changes of an order without a change of state."""
    return _CHANGES


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
