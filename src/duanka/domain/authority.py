"""Authorization: one table of permissions, and the one function that checks it.

Services, API and commands call `authorize`, which decides by role, permission and scope. The table of
transitions decides what the state of an order allows, and has the roles of the permissions that move one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Self

from duanka.domain.order import TRANSITIONS, Event, Kind, Order, PermissionDenied
from duanka.domain.person import STAFF, Person, Role, Scope
from duanka.domain.text import BilingualText

_BY_US = frozenset({Role.SYSTEM})
_SENIOR = frozenset({Role.SUPERVISOR})
_SUPERVISION = frozenset({Role.SUPERVISOR, Role.REGULATOR})
_READERS = STAFF | {Role.REGULATOR}
_WITH_CASE = STAFF | {Role.POLICE}  # the police may do it with their case number
_HOLDER = frozenset({Role.HOLDER})
_EVERYBODY = _READERS | {Role.POLICE}
_ALL = True  # the permission concerns the whole installation


class Permission(StrEnum):
    """Everything that a person can do; a dotted name (kind.event) moves an order.

    `roles` have it; `words` complete "may not ..." and 不可……. `everywhere`: it concerns the whole
    installation, so the person's scope must cover all operators and cities.
    """

    roles: frozenset[Role]
    words: BilingualText
    everywhere: bool

    def __new__(
        cls,
        value: str,
        granted: frozenset[Role] = frozenset(),
        zh: str = "",
        en: str = "",
        everywhere: bool = False,  # given as `_ALL`
    ) -> Self:
        """Create the member; one that moves orders takes roles and words from TRANSITIONS."""
        kind, _, event = value.partition(".")
        if event:
            granted = frozenset().union(
                *(row.who for row in TRANSITIONS if (row.kind, row.event) == (kind, event))
            )
            zh, en = f"{Kind(kind).words.zh}：{Event(event).words.zh}", event.replace("_", " ")
        member = str.__new__(cls, value)
        member._value_ = value
        member.roles = granted
        member.words = BilingualText(zh, en)
        member.everywhere = everywhere
        return member

    WHO_AM_I = "who_am_i", _EVERYBODY, "查看本人身份", "ask who they are"
    # reading
    LIST_ORDERS = "list_orders", _READERS, "查看工单列表", "list orders"
    READ_ORDER = "read_order", _READERS, "查看工单", "read an order"
    SEARCH_BY_NUMBER = "search_by_number", STAFF, "按号码查询", "search orders by number"
    UNMASK = "unmask", _WITH_CASE, "查看完整号码", "see numbers in full"
    READ_DOSSIER = "read_dossier", _WITH_CASE, "查看号码档案", "read the dossier of a card"
    READ_FIGURES = "read_figures", _READERS, "查看统计", "read figures"
    LIST_HANDLED = "list_handled", _READERS, "查看处置号码明细", "list the numbers handled"
    OPEN_FIGURE = "open_figure", STAFF, "查看统计明细", "open a figure to its rows"
    EXPORT_PASSES = "export_passes", _SENIOR, "导出核验通过名单", "export who passed", _ALL
    LIST_ALARMS = "list_alarms", _READERS, "查看告警", "list alarms"
    CLEAR_ALARM = "clear_alarm", _SENIOR, "解除告警", "clear an alarm", _ALL
    LIST_DRIFTS = "list_drifts", _READERS, "查看状态不一致", "list differences in the network"
    VERIFY_AUDIT = "verify_audit", _SUPERVISION | _BY_US, "校验审计链", "verify the audit trail"
    READ_RULES = "read_rules", _READERS, "查看规则", "read the rules"
    READ_OWN_ORDER = "read_own_order", _HOLDER, "查看本人工单", "read the order of a holder's link"
    # the store of records
    READ_STORE = "read_store", _EVERYBODY, "查看记录库概况", "read what the store holds"
    LOOK_UP_RECORDS = "look_up_records", _WITH_CASE, "查询号码记录", "look up the records of a card"
    LOOK_UP_CONTACTS = "look_up_contacts", _WITH_CASE, "查询联系人", "look up the contacts of numbers"
    READ_RINGS = "read_rings", _EVERYBODY, "查看团伙与网点排名", "list rings and outlets", _ALL
    ATTACH_STORE = "attach_store", _SENIOR, "关联记录库", "attach a store to the order database", _ALL
    # cases
    LIST_CASES = "list_cases", _EVERYBODY, "查看案件列表", "list cases"
    READ_CASE = "read_case", _WITH_CASE, "查看案件", "look into a case"
    OPEN_CASE = "open_case", STAFF, "立案", "open a case"
    WORK_ON_CASE = "work_on_case", STAFF, "办理案件", "work on a case"
    MERGE_CASES = "merge_cases", STAFF, "并案、拆案", "merge and split cases"
    APPROVE_CASE = "approve_case", _SENIOR, "批准立案", "approve a case without a ground"
    EXPORT_CASES = "export_cases", _READERS, "导出案件变更", "export changes of cases", _ALL
    # linked accounts and take-down
    LIST_ACCOUNTS = "list_accounts", _READERS, "查看关联账号处置", "list requests about linked accounts"
    READ_ACCOUNT = "read_account", _WITH_CASE, "查看关联账号", "look at the accounts of a card"
    REQUEST_ACCOUNTS = "request_accounts", STAFF, "提出关联账号处置", "ask platforms about linked accounts"
    APPROVE_ACCOUNT = "approve_account", _SENIOR, "复核关停账号", "approve that an account is closed"
    ANSWER_ACCOUNT = "answer_account", STAFF, "登记平台答复", "enter a platform's answer"
    RELEASE_ACCOUNT = "release_account", _SENIOR, "解除账号处置", "have an account released"
    LIST_PLATFORMS = "list_platforms", _READERS, "查看互联网平台", "list platforms"
    PROPOSE_PLATFORM = "propose_platform", _SENIOR, "提出互联网平台", "propose a platform", _ALL
    APPROVE_PLATFORM = "approve_platform", _SENIOR, "复核互联网平台", "approve a platform", _ALL
    REMOVE_PLATFORM = "remove_platform", _SENIOR, "撤销互联网平台", "remove a platform", _ALL
    LIST_TAKEDOWN = "list_takedown", _READERS, "查看待清理线索", "list items for take-down"
    AGREE_TAKEDOWN = "agree_takedown", STAFF, "办理待清理线索", "work on items for take-down"
    BLOCK_TAKEDOWN = "block_takedown", _SENIOR, "启用短信拦截", "let the message filter refuse an item", _ALL
    # victims
    FIND_VICTIMS = "find_victims", _WITH_CASE, "查找受害人", "find the victims of confirmed cards"
    WARN_VICTIMS = "warn_victims", STAFF, "预警受害人", "have victims warned"
    READ_VICTIMS = "read_victims", _WITH_CASE, "查看受害人", "look at victims"
    CALL_VICTIMS = "call_victims", STAFF, "回访受害人", "call victims"
    PROPOSE_CALLS = (
        "propose_calls",
        STAFF,
        "提出回访名单",
        "propose a worklist for cards that are not confirmed",
    )
    APPROVE_CALLS = (
        "approve_calls",
        _SENIOR,
        "复核回访名单",
        "approve a worklist for cards that are not confirmed",
    )
    # assessment of units, and listing for rectification
    RUN_ASSESSMENT = "run_assessment", _SUPERVISION, "运行考核", "run an assessment", _ALL
    READ_ASSESSMENT = "read_assessment", _READERS, "查看考核", "read assessments and listings"
    LIST_ASSESSED = "list_assessed", STAFF, "查看考核明细", "list the cards behind a figure of an assessment"
    LIST_UNIT = "list_unit", _SUPERVISION, "提出挂牌整治", "propose that a unit is listed"
    APPROVE_LISTING = "approve_listing", _SUPERVISION, "批准挂牌整治", "approve that a unit is listed"
    ANSWER_LISTING = "answer_listing", STAFF, "报送整改材料或申诉", "answer for a listed unit"
    CHECK_LISTING = "check_listing", _SUPERVISION, "检查整改、摘牌", "check whether a unit has mended"
    # orders
    TAKE_DECISIONS = "take_decisions", STAFF | _BY_US, "接收研判结果", "take decisions"
    EXPORT_BILLING = "export_billing", STAFF, "导出计费事件", "export events for billing", _ALL
    GIVE_STATEMENT = (
        "give_statement",
        STAFF,
        "出具号码处置情况说明",
        "give a holder the statement of their card",
    )
    COPY_STOP_TEXT = "copy_stop_text", STAFF, "出具停机告知书副本", "give a copy of the text of a stop"
    MAKE_LINK = "make_link", STAFF, "重发核验链接", "make a link for a holder"
    FILE_OBJECTION = "file_objection", STAFF | _HOLDER, "登记异议", "file an objection"
    VERIFICATION_DELIVERED = "verification.delivered"
    VERIFICATION_NOT_DELIVERED = "verification.not_delivered"
    VERIFICATION_BEGIN = "verification.begin"
    VERIFICATION_SUBMIT = "verification.submit"
    VERIFICATION_PASS = "verification.pass"  # noqa: S105  # a verdict
    VERIFICATION_FAIL = "verification.fail"
    VERIFICATION_TO_COUNTER = "verification.to_counter"
    VERIFICATION_TO_FRAUD_CENTRE = "verification.to_fraud_centre"
    VERIFICATION_EXTEND = "verification.extend"
    VERIFICATION_EXPIRE = "verification.expire"
    VERIFICATION_WITHDRAW = "verification.withdraw"
    RESTRICTION_BAR_OUTGOING = "restriction.bar_outgoing"
    RESTRICTION_LIFELINE = "restriction.lifeline"
    RESTRICTION_SUSPEND = "restriction.suspend"
    RESTRICTION_EASE = "restriction.ease"
    RESTRICTION_EASE_TO_LIFELINE = "restriction.ease_to_lifeline"
    RESTRICTION_POLICE_STOP = "restriction.police_stop"
    RESTRICTION_POLICE_RELEASE = "restriction.police_release"
    RESTRICTION_PUNISH = "restriction.punish"
    RESTRICTION_RESTORE = "restriction.restore"
    RESTRICTION_CANCEL = "restriction.cancel"
    OBJECTION_ACCEPT = "objection.accept"
    OBJECTION_TO_FRAUD_CENTRE = "objection.to_fraud_centre"
    OBJECTION_UPHOLD = "objection.uphold"
    OBJECTION_REJECT = "objection.reject"
    OBJECTION_WITHDRAW = "objection.withdraw"
    OBJECTION_LAPSE = "objection.lapse"
    VERIFICATION_DISOWN = "verification.disown"
    RESTRICTION_STOP_AT_REQUEST = "restriction.stop_at_request"
    DISAVOWAL_CONFIRM = "disavowal.confirm"
    DISAVOWAL_DISCARD = "disavowal.discard"
    DISAVOWAL_WITHDRAW = "disavowal.withdraw"
    DISAVOWAL_CANCEL = "disavowal.cancel"
    # bulk actions that take two people
    LIST_TAKES = "list_takes", STAFF, "查看接收批次", "list takes and what is held"
    LIST_BULK_ACTIONS = "list_acts", STAFF | _BY_US, "查看批量处置", "see what was proposed"
    PROPOSE_BULK_ACTION = "propose_act", STAFF, "提出批量处置", "propose a stop or release"
    APPROVE_BULK_ACTION = "approve_act", _SENIOR, "复核通过批量处置", "approve what somebody else proposed"
    REJECT_BULK_ACTION = "reject_act", STAFF, "否决批量处置", "reject what was proposed"
    UNDO_BULK_ACTION = "undo_act", STAFF, "撤销批量处置", "undo what was done"
    # second verification
    VERIFY_ONLINE = "verify_online", _HOLDER, "在线核验", "be verified online"
    LIST_REVIEWS = "list_reviews", STAFF, "查看待审核列表", "list checks that wait for a person"
    OPEN_REVIEW = "open_review", STAFF, "查看比对画面", "see pictures of holders"
    LIST_COUNTER_CHECKS = "list_counter_checks", STAFF, "查看待复核列表", "list counter checks"
    RECORD_COUNTER_CHECK = "record_counter_check", STAFF, "登记营业厅核验", "verify a holder in person"
    CONFIRM_COUNTER_CHECK = "confirm_counter_check", STAFF, "复核营业厅核验", "confirm a counter check"
    REJECT_COUNTER_CHECK = "reject_counter_check", STAFF, "退回营业厅核验", "reject a counter check"
    # a registrant says: not my number
    CLAIM_DISAVOWAL = "claim_disavowal", _HOLDER, "声明非本人号码", "say that a number is not theirs"
    RECORD_DISAVOWAL = "record_disavowal", STAFF, "登记否认开户", "record that a registrant disowns a number"
    LIST_DISOWNED = "list_disowned", _READERS, "查看否认开户统计", "list disowned numbers by outlet"
    # the installation
    LIST_ELEMENTS = "list_elements", _READERS, "查看网元", "list the network's elements"
    CONFIGURE_NETWORK = "configure_network", _SENIOR, "配置网元", "change the network's elements", _ALL
    ALLOW_CHANGES = "allow_changes", _SENIOR, "允许比对批量修改", "let a comparison change many cards", _ALL
    BACK_UP = "back_up", _SENIOR, "备份工单库", "back up the order database", _ALL
    ACCEPT_RESTORED = "accept_restored", _SENIOR, "接受恢复的数据库", "accept a restored database", _ALL
    # people and keys
    LIST_PERSONS = "list_persons", _SUPERVISION, "查看人员与密钥", "list people and keys"
    PROPOSE_PERSON = "propose_person", STAFF, "提出人员与密钥", "propose a person, a change or a key"
    APPROVE_PERSON = "approve_person", _SENIOR, "复核人员与密钥", "decide on what was proposed of people"
    DISABLE_PERSON = "disable_person", _SENIOR, "停用人员", "disable a person"
    SET_PASSWORD = "set_password", _EVERYBODY, "设置口令", "set a password"
    REMOVE_CREDENTIAL = "remove_credential", _EVERYBODY, "撤销登录凭据", "remove a password or a subject"
    LIST_SESSIONS = "list_sessions", _EVERYBODY, "查看登录会话", "list sessions"
    END_SESSIONS = "end_sessions", _EVERYBODY, "终止登录会话", "end sessions"
    REVOKE_KEY = "revoke_key", _EVERYBODY, "吊销密钥", "revoke a key"
    # sources of police cases
    LIST_CASE_SOURCES = (
        "list_case_sources",
        _SUPERVISION,
        "查看涉案名单签名方",
        "list the sources of police cases",
    )
    PROPOSE_CASE_SOURCE = (
        "propose_case_source",
        _SENIOR,
        "提出涉案名单签名方",
        "propose a source of police cases",
        _ALL,
    )
    APPROVE_CASE_SOURCE = (
        "approve_case_source",
        _SENIOR,
        "复核涉案名单签名方",
        "approve a source of police cases",
        _ALL,
    )
    REMOVE_CASE_SOURCE = (
        "remove_case_source",
        _SENIOR,
        "撤销涉案名单签名方",
        "remove a source of police cases",
        _ALL,
    )
    # clues for the police
    LIST_CLUES = "list_clues", _EVERYBODY, "查看线索列表", "list clues"
    READ_CLUE = "read_clue", _WITH_CASE, "查看线索", "read a clue, masked"
    BUILD_CLUE = "build_clue", STAFF, "编制线索", "build a clue of a case"
    REVIEW_CLUE = "review_clue", STAFF, "复核线索", "review the clue of somebody else"
    SEND_CLUE = "send_clue", _SENIOR, "发送线索", "send a clue to the police"
    ACKNOWLEDGE_CLUE = "acknowledge_clue", _SENIOR | {Role.POLICE}, "签收线索", "acknowledge a clue"
    ANSWER_CLUE = "answer_clue", frozenset({Role.POLICE}), "反馈线索", "answer a clue"
    HAND_IN_ANSWER = (
        "hand_in_answer",
        _WITH_CASE,
        "录入公安签名的线索反馈",
        "hand in a signed answer of the police",
    )
    EXPORT_LABELS = "export_labels", _SENIOR, "导出涉案标签", "export confirmed cards as labels", _ALL
    LIST_CLUE_RECIPIENTS = "list_clue_recipients", _READERS, "查看线索收件机关", "list who gets clues"
    PROPOSE_CLUE_RECIPIENT = (
        "propose_clue_recipient",
        _SENIOR,
        "提出线索收件机关",
        "propose who gets clues",
        _ALL,
    )
    APPROVE_CLUE_RECIPIENT = (
        "approve_clue_recipient",
        _SENIOR,
        "复核线索收件机关",
        "approve who gets clues",
        _ALL,
    )
    REMOVE_CLUE_RECIPIENT = (
        "remove_clue_recipient",
        _SENIOR,
        "撤销线索收件机关",
        "remove who gets clues",
        _ALL,
    )


def move_permission(kind: Kind, event: Event) -> Permission:
    """Return the permission to move an order of `kind` by `event`."""
    return Permission(f"{kind.value}.{event.value}")


# Commands suggested in a refusal; without the id of an order, which is not known here.
_POLICE_STOP, _POLICE_RELEASE = "`duanka orders police-stop`", "`duanka orders police-release`"
_INSTEAD: Mapping[tuple[Role, Permission], str] = {
    (Role.POLICE, Permission.RESTRICTION_RESTORE): f"the police lift what they stopped: {_POLICE_RELEASE}",
    (Role.POLICE, Permission.RESTRICTION_EASE): f"the police lift what they stopped: {_POLICE_RELEASE}",
    (Role.POLICE, Permission.PROPOSE_BULK_ACTION): f"the police stop a card: {_POLICE_STOP}",
}


def may(role: Role, permission: Permission) -> bool:
    """Whether the role has the permission at all, whatever the order's state and the scope."""
    return role in permission.roles


def roles_text(permission: Permission) -> str:
    """Return the roles that have the permission, for help texts and documentation."""
    return ", ".join(role.value for role in Role if role in permission.roles - _BY_US)


def authorize(person: Person, permission: Permission, about: Order | None = None) -> None:
    """Raise PermissionDenied unless `person` has the permission, and `about` is within their scope."""
    if person.role not in permission.roles:
        takes = roles_text(permission) or "ourselves"
        what = permission.words.en
        if "." in permission:
            what = f"{what} a {permission.value.partition('.')[0]}"
        instead = _INSTEAD.get((person.role, permission), "")
        raise PermissionDenied(f"{person.role} may not {what}; {instead or f'it takes {takes}'}")
    if permission.everywhere and not person.scope.everywhere:
        raise PermissionDenied(
            f"{person.id} has a narrower scope ({person.scope}): to {permission.words.en}"
            " takes all operators and cities"
        )
    if about is not None:
        within(person, about.id, about.operator, about.city)


def at_counter(person: Person) -> Person:
    """Return `person` with the scope that holds where a holder stands before them: their operators, and any city.

    Holders travel, and a card may have been opened in their name where they never were.
    """
    return replace(person, scope=replace(person.scope, cities=frozenset()))


def gives(person: Person, scope: Scope) -> None:
    """Raise PermissionDenied if `scope` exceeds that of `person`, who grants or revokes it."""
    if not person.scope.contains(scope):
        raise PermissionDenied(f"the scope {scope} is wider than that of {person.id} ({person.scope})")


def within(person: Person, what: str, operator: str, city: str) -> None:
    """Raise PermissionDenied, naming `what`, unless operator and city are in the person's scope."""
    if not person.scope.covers(operator, city):
        raise PermissionDenied(f"{what} is out of the scope of {person.id} ({person.scope})")
