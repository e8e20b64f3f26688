"""Authorization: one table of permissions, and the one function that checks it.

Services, API and commands all ask it. It decides by role, permission and scope. What the state of an order allows is
decided by its table of transitions, which also gives the roles of every permission that moves an order, so that they
are written down once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from duanka.domain.order import TRANSITIONS, Event, Kind, Order, PermissionDenied
from duanka.domain.person import STAFF, Person, Role, Scope
from duanka.domain.text import BilingualText


class Permission(StrEnum):
    """Everything that a person can do; a dotted name (kind.event) moves an order."""

    WHO_AM_I = "who_am_i"
    # reading
    LIST_ORDERS = "list_orders"
    READ_ORDER = "read_order"
    SEARCH_BY_NUMBER = "search_by_number"
    UNMASK = "unmask"
    READ_DOSSIER = "read_dossier"
    READ_FIGURES = "read_figures"
    LIST_HANDLED = "list_handled"
    EXPORT_PASSES = "export_passes"
    LIST_ALARMS = "list_alarms"
    CLEAR_ALARM = "clear_alarm"
    LIST_DRIFTS = "list_drifts"
    VERIFY_AUDIT = "verify_audit"
    READ_OWN_ORDER = "read_own_order"
    # orders
    TAKE_DECISIONS = "take_decisions"
    MAKE_LINK = "make_link"
    FILE_OBJECTION = "file_objection"
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
    RESTRICTION_SUSPEND = "restriction.suspend"
    RESTRICTION_EASE = "restriction.ease"
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
    # bulk actions that take two people
    LIST_TAKES = "list_takes"
    LIST_ACTS = "list_acts"
    PROPOSE_ACT = "propose_act"
    APPROVE_ACT = "approve_act"
    REJECT_ACT = "reject_act"
    UNDO_ACT = "undo_act"
    # second verification
    VERIFY_ONLINE = "verify_online"
    LIST_REVIEWS = "list_reviews"
    OPEN_REVIEW = "open_review"
    LIST_COUNTER_CHECKS = "list_counter_checks"
    RECORD_COUNTER_CHECK = "record_counter_check"
    CONFIRM_COUNTER_CHECK = "confirm_counter_check"
    REJECT_COUNTER_CHECK = "reject_counter_check"
    # the installation
    LIST_ELEMENTS = "list_elements"
    CONFIGURE_NETWORK = "configure_network"
    ALLOW_CHANGES = "allow_changes"
    BACK_UP = "back_up"
    ACCEPT_RESTORED = "accept_restored"
    # people and keys
    LIST_PERSONS = "list_persons"
    PROPOSE_PERSON = "propose_person"
    APPROVE_PERSON = "approve_person"
    DISABLE_PERSON = "disable_person"
    REVOKE_KEY = "revoke_key"
    # sources of police cases
    LIST_CASE_SOURCES = "list_case_sources"
    PROPOSE_CASE_SOURCE = "propose_case_source"
    APPROVE_CASE_SOURCE = "approve_case_source"
    REMOVE_CASE_SOURCE = "remove_case_source"


_DESK = STAFF
_SENIOR = frozenset({Role.SUPERVISOR})
_SUPERVISION = frozenset({Role.SUPERVISOR, Role.REGULATOR})
_READERS = STAFF | {Role.REGULATOR}
_WITH_CASE = STAFF | {Role.POLICE}  # the police may do it with their case number
_HOLDER = frozenset({Role.HOLDER})
_EVERYBODY = _READERS | {Role.POLICE}


_BY_US = frozenset({Role.SYSTEM})


@dataclass(frozen=True)
class Grant:
    """The roles of a permission; `words` complete "may not ..." and 不可…….

    `everywhere`: it concerns the whole installation, so the person's scope must cover all operators and cities.
    """

    permission: Permission
    roles: frozenset[Role]
    words: BilingualText
    everywhere: bool = False


_GRANTED: tuple[Grant, ...] = (
    Grant(Permission.WHO_AM_I, _EVERYBODY, BilingualText("查看本人身份", "ask who they are")),
    Grant(Permission.LIST_ORDERS, _READERS, BilingualText("查看工单列表", "list orders")),
    Grant(Permission.READ_ORDER, _READERS, BilingualText("查看工单", "read an order")),
    Grant(Permission.SEARCH_BY_NUMBER, _DESK, BilingualText("按号码查询", "search orders by number")),
    Grant(Permission.UNMASK, _WITH_CASE, BilingualText("查看完整号码", "see numbers in full")),
    Grant(Permission.READ_DOSSIER, _WITH_CASE, BilingualText("查看号码档案", "read the dossier of a card")),
    Grant(Permission.READ_FIGURES, _READERS, BilingualText("查看统计", "read figures")),
    Grant(Permission.LIST_HANDLED, _READERS, BilingualText("查看处置号码明细", "list the numbers handled")),
    Grant(
        Permission.EXPORT_PASSES,
        _SENIOR,
        BilingualText("导出核验通过名单", "export who passed"),
        everywhere=True,
    ),
    Grant(Permission.LIST_ALARMS, _READERS, BilingualText("查看告警", "list alarms")),
    Grant(Permission.CLEAR_ALARM, _SENIOR, BilingualText("解除告警", "clear an alarm"), everywhere=True),
    Grant(
        Permission.LIST_DRIFTS, _READERS, BilingualText("查看状态不一致", "list differences in the network")
    ),
    Grant(
        Permission.VERIFY_AUDIT, _SUPERVISION | _BY_US, BilingualText("校验审计链", "verify the audit trail")
    ),
    Grant(
        Permission.READ_OWN_ORDER, _HOLDER, BilingualText("查看本人工单", "read the order of a holder's link")
    ),
    Grant(Permission.TAKE_DECISIONS, _DESK | _BY_US, BilingualText("接收研判结果", "take decisions")),
    Grant(Permission.MAKE_LINK, _DESK, BilingualText("重发核验链接", "make a link for a holder")),
    Grant(Permission.FILE_OBJECTION, _DESK | _HOLDER, BilingualText("登记异议", "file an objection")),
    Grant(Permission.LIST_TAKES, _DESK, BilingualText("查看接收批次", "list takes and what is held")),
    Grant(Permission.LIST_ACTS, _DESK | _BY_US, BilingualText("查看批量处置", "see what was proposed")),
    Grant(Permission.PROPOSE_ACT, _DESK, BilingualText("提出处置", "propose a stop or release")),
    Grant(
        Permission.APPROVE_ACT, _SENIOR, BilingualText("复核通过处置", "approve what somebody else proposed")
    ),
    Grant(Permission.REJECT_ACT, _DESK, BilingualText("否决处置", "reject what was proposed")),
    Grant(Permission.UNDO_ACT, _DESK, BilingualText("撤销处置", "undo what was done")),
    Grant(Permission.VERIFY_ONLINE, _HOLDER, BilingualText("在线核验", "be verified online")),
    Grant(
        Permission.LIST_REVIEWS, _DESK, BilingualText("查看待审核列表", "list checks that wait for a person")
    ),
    Grant(Permission.OPEN_REVIEW, _DESK, BilingualText("查看比对画面", "see pictures of holders")),
    Grant(Permission.LIST_COUNTER_CHECKS, _DESK, BilingualText("查看待复核列表", "list counter checks")),
    Grant(
        Permission.RECORD_COUNTER_CHECK, _DESK, BilingualText("登记营业厅核验", "verify a holder in person")
    ),
    Grant(
        Permission.CONFIRM_COUNTER_CHECK, _DESK, BilingualText("复核营业厅核验", "confirm a counter check")
    ),
    Grant(Permission.REJECT_COUNTER_CHECK, _DESK, BilingualText("退回营业厅核验", "reject a counter check")),
    Grant(Permission.LIST_ELEMENTS, _READERS, BilingualText("查看网元", "list the network's elements")),
    Grant(
        Permission.CONFIGURE_NETWORK,
        _SENIOR,
        BilingualText("配置网元", "change the network's elements"),
        everywhere=True,
    ),
    Grant(
        Permission.ALLOW_CHANGES,
        _SENIOR,
        BilingualText("允许比对批量修改", "let a comparison change many cards"),
        everywhere=True,
    ),
    Grant(
        Permission.BACK_UP, _SENIOR, BilingualText("备份工单库", "back up the order book"), everywhere=True
    ),
    Grant(
        Permission.ACCEPT_RESTORED,
        _SENIOR,
        BilingualText("接受恢复的数据库", "accept a restored database"),
        everywhere=True,
    ),
    Grant(Permission.LIST_PERSONS, _SUPERVISION, BilingualText("查看人员与密钥", "list people and keys")),
    Grant(
        Permission.PROPOSE_PERSON,
        _DESK,
        BilingualText("提出人员与密钥", "propose a person, a change or a key"),
    ),
    Grant(
        Permission.APPROVE_PERSON,
        _SENIOR,
        BilingualText("复核人员与密钥", "decide on what was proposed of people"),
    ),
    Grant(Permission.DISABLE_PERSON, _SENIOR, BilingualText("停用人员", "disable a person")),
    Grant(Permission.REVOKE_KEY, _EVERYBODY, BilingualText("吊销密钥", "revoke a key")),
    Grant(
        Permission.LIST_CASE_SOURCES,
        _SUPERVISION,
        BilingualText("查看涉案名单签名方", "list the sources of police cases"),
    ),
    Grant(
        Permission.PROPOSE_CASE_SOURCE,
        _SENIOR,
        BilingualText("提出涉案名单签名方", "propose a source of police cases"),
        everywhere=True,
    ),
    Grant(
        Permission.APPROVE_CASE_SOURCE,
        _SENIOR,
        BilingualText("复核涉案名单签名方", "approve a source of police cases"),
        everywhere=True,
    ),
    Grant(
        Permission.REMOVE_CASE_SOURCE,
        _SENIOR,
        BilingualText("撤销涉案名单签名方", "remove a source of police cases"),
        everywhere=True,
    ),
)


def move_permission(kind: Kind, event: Event) -> Permission:
    """Return the permission to move an order of `kind` by `event`."""
    return Permission(f"{kind.value}.{event.value}")


def _move_words(permission: Permission) -> BilingualText:
    kind, _, event = permission.value.partition(".")
    return BilingualText(f"{Kind(kind).words.zh}：{Event(event).words.zh}", event.replace("_", " "))


def _moves() -> dict[Permission, Grant]:
    """Return the grants of permissions that move orders; roles from the transitions."""
    roles: dict[Permission, frozenset[Role]] = {}
    for row in TRANSITIONS:
        permission = move_permission(row.kind, row.event)
        roles[permission] = roles.get(permission, frozenset()) | row.who
    return {one: Grant(one, who, _move_words(one)) for one, who in roles.items()}


GRANTS: Mapping[Permission, Grant] = {
    **{one.permission: one for one in _GRANTED},
    **_moves(),
}


# Alternatives named in a refusal; without an order, as none is known here.
_POLICE_STOP, _POLICE_RELEASE = "`duanka orders police-stop`", "`duanka orders police-release`"
_INSTEAD: Mapping[tuple[Role, Permission], str] = {
    (Role.POLICE, Permission.RESTRICTION_RESTORE): f"the police lift what they stopped: {_POLICE_RELEASE}",
    (Role.POLICE, Permission.RESTRICTION_EASE): f"the police lift what they stopped: {_POLICE_RELEASE}",
    (Role.POLICE, Permission.PROPOSE_ACT): f"the police stop a card: {_POLICE_STOP}",
}


def may(role: Role, permission: Permission) -> bool:
    """Whether the role has the permission, in some order state and within its scope."""
    return role in GRANTS[permission].roles


def roles_text(permission: Permission) -> str:
    """Return the roles that have the permission, for help texts and documentation."""
    return ", ".join(role.value for role in Role if role in GRANTS[permission].roles - _BY_US)


def authorize(person: Person, permission: Permission, about: Order | None = None) -> None:
    """Return if `person` has the permission; PermissionDenied otherwise.

    The error names the roles that have it, or says that `about` is out of the person's scope.
    """
    grant = GRANTS[permission]
    if person.role not in grant.roles:
        takes = roles_text(permission) or "ourselves"
        what = grant.words.en
        if "." in permission:
            what = f"{what} a {permission.value.partition('.')[0]}"
        instead = _INSTEAD.get((person.role, permission), "")
        raise PermissionDenied(f"{person.role} may not {what}; {instead or f'it takes {takes}'}")
    if grant.everywhere and not person.scope.everywhere:
        raise PermissionDenied(
            f"{person.id} has a narrower scope ({person.scope}): to {grant.words.en} takes all operators and cities"
        )
    if about is not None:
        within(person, about.id, about.operator, about.city)


def gives(person: Person, scope: Scope) -> None:
    """Return if `person` may grant or revoke this scope; PermissionDenied otherwise.

    Nobody grants a scope beyond their own.
    """
    if not person.scope.contains(scope):
        raise PermissionDenied(f"the scope {scope} is wider than that of {person.id} ({person.scope})")


def within(person: Person, what: str, operator: str, city: str) -> None:
    """Return if operator and city are in the person's scope; else PermissionDenied."""
    if not person.scope.covers(operator, city):
        raise PermissionDenied(f"{what} is out of the scope of {person.id} ({person.scope})")
