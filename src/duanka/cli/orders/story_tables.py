"""Output of the history of an order or card: audit trail, network, notices."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Group, RenderableType

from duanka.cli.output.grid import grid
from duanka.cli.shell.language import shown, term, tier
from duanka.cli.shell.process import Indented, Prose
from duanka.domain.evidence import Evidence
from duanka.domain.local_time import operator_zone
from duanka.domain.network import Carried, NetworkState, RefusalReason
from duanka.domain.order import Kind, State
from duanka.domain.order_decision import RequestedAction
from duanka.domain.person import Role
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail_texts import field_words, row_words
from duanka.orders.dispatch.notice_texts import TITLES
from duanka.orders.dispatch.outbox import TaskOutcome
from duanka.orders.dispatch.receipts import NoticeOutcome
from duanka.orders.views import AuditEntryShown, ConfirmedShown, LegShown, NoticeShown, RefusedShown

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?[+-]\d{2}:\d{2}")
_ELEMENT, _OUTCOME = BilingualText("网元", "element"), BilingualText("结果", "outcome")
_AT, _SINCE, _WAITING = (
    BilingualText("时间", "at"),
    BilingualText("起始", "since"),
    BilingualText("等待", "waiting"),
)
_TRAIL_TITLE = BilingualText("\n审计记录", "\nAudit trail")
_TRAIL_ROW = BilingualText("{row}  {at}  {who}（{role}）  {what}", "{row}  {at}  {who} ({role})  {what}")
_WHY, _CHANGED = (
    BilingualText("理由：{why}", "why: {why}"),
    BilingualText("变更：{changed}", "changed: {changed}"),
)
_NEXT = BilingualText("；", "; ")
_LEGS_TITLE = BilingualText("\n网络执行", "\nNetwork")
_LEGS = (
    *(
        _ELEMENT,
        BilingualText("步骤", "step"),
        BilingualText("应为", "wanted"),
        BilingualText("下发", "decided"),
    ),
    *(
        BilingualText("完成", "done"),
        BilingualText("秒", "seconds"),
        BilingualText("次数", "tries"),
        _OUTCOME,
    ),
)
_CONFIRMED = (_ELEMENT, BilingualText("实际状态", "in force"), _SINCE, _WAITING)
_NOTICES_TITLE = BilingualText("\n通知短信", "\nNotices")
_NOTICE = BilingualText("{title}：{outcome}", "{title}: {outcome}")
_NOTICE_TIMES = (
    BilingualText("生成 {at}", "written {at}"),
    BilingualText("发送 {at}", "sent {at}"),
    BilingualText("回执 {at}", "receipt {at}"),
)
_REFUSED_TITLE = BilingualText("\n已拦截", "\nRefused")
_REFUSED = (
    _AT,
    _ELEMENT,
    BilingualText("业务", "what"),
    BilingualText("对方", "peer"),
    BilingualText("原因", "reason"),
)
_WAITS = BilingualText("等待中", "waiting")
_NOTHING, _YES, _NO = "-", BilingualText("是", "yes"), BilingualText("否", "no")
# Fields of the audit trail whose values have display texts.
_VALUES = {"state": State, "kind": Kind, "asked": RequestedAction, "wanted": NetworkState}


def local(at: datetime | None) -> str:
    """A time in the operator's zone, to the second, with offset."""
    return operator_zone().written(at) if at else "-"


def moment(at: datetime | None) -> str:
    """As `local`, without the offset: a cell then wraps only between date and time."""
    return f"{operator_zone().local(at):%Y-%m-%d %H:%M:%S}" if at else "-"


def carried_by(entitled: str) -> str:
    """Legal basis of a restriction, with the notice, order or bulk action behind it."""
    evidence, mark, reference = entitled.partition(":")
    return f"{term(Evidence, evidence)}{mark}{reference}" if entitled else "-"


def trail_table(trail: Sequence[AuditEntryShown]) -> RenderableType:
    """Rows of the audit trail, one line each, with reason and changes below."""
    if not trail:
        return Group()
    lines, width = list[str](), len(str(max(told.seq for told in trail)))
    for told in trail:
        row = {"row": f"{told.seq:>{width}}", "at": moment(told.at), "what": shown(row_words(told.what))}
        lines.append(shown(_TRAIL_ROW, **row, who=told.who, role=term(Role, told.role)))
        below = [shown(_WHY, why=told.why)] if told.why else []
        if changed := shown(_NEXT).join(_changes(told)):
            below.append(shown(_CHANGED, changed=changed))
        lines += [f"{'':{width + 2}}{one}" for text in below for one in text.split("\n")]
    return Group(Prose(shown(_TRAIL_TITLE), style="bold"), Indented("\n".join(lines)))


def _changes(told: AuditEntryShown) -> Iterator[str]:
    """Fields changed by a row; for new fields, only the value."""
    for name, value in told.after.items():
        before, after = _readable(name, told.before.get(name)), _readable(name, value)
        if before != after:
            yield f"{shown(field_words(name))} {after if before == _NOTHING else f'{before} → {after}'}"


def _readable(name: str, value: object) -> str:
    """Display text of a value in the trail.

    Times, stored in UTC, are shown in the operator's zone, to the second.
    """
    if value is None or value == "":
        return _NOTHING
    if isinstance(value, bool):
        return shown(_YES if value else _NO)
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        return local(datetime.fromisoformat(value))
    if isinstance(value, str) and name in _VALUES:
        return term(_VALUES[name], value)
    if isinstance(value, str) and name == "tier":
        return tier(value)
    return carried_by(value) if isinstance(value, str) and name == "carried_by" else str(value)


def legs_table(legs: Sequence[LegShown]) -> RenderableType:
    """Dispatch to each element, and its outcome."""
    right = ("step", "seconds", "tries")
    return grid(_LEGS, map(_leg, legs), title=_LEGS_TITLE, right=right) if legs else Group()


def _leg(leg: LegShown) -> tuple[str, ...]:
    took = f"{(leg.done_at - leg.created_at).total_seconds():.2f}" if leg.done_at else "-"
    said = f"{term(TaskOutcome, leg.outcome, shown(_WAITS))} {leg.error or ''}".strip()
    wanted, times = term(NetworkState, leg.wanted), (moment(leg.created_at), moment(leg.done_at))
    return leg.element, str(leg.step), wanted, *times, took, str(leg.tries), said


def confirmed_table(network: Sequence[ConfirmedShown]) -> RenderableType:
    """State confirmed by each element for a card."""
    return grid(_CONFIRMED, map(_confirmed, network), title=_LEGS_TITLE) if network else Group()


def _confirmed(one: ConfirmedShown) -> tuple[str, ...]:
    waits = f"{term(NetworkState, one.waiting)} {one.error or ''}".strip() if one.waiting else "-"
    return one.element, term(NetworkState, one.confirmed), moment(one.confirmed_at), waits


def refused_table(refusals: Sequence[RefusedShown]) -> RenderableType:
    """Refused calls and messages of a card."""
    return grid(_REFUSED, map(_refused, refusals), title=_REFUSED_TITLE) if refusals else Group()


def _refused(met: RefusedShown) -> tuple[str, ...]:
    why = f"{term(RefusalReason, met.reason)} {met.detail}".strip()
    return moment(met.at), met.element, term(Carried, met.carried), met.peer, why


def notices_table(notices: Sequence[NoticeShown]) -> RenderableType:
    """Notices to the holder with time and delivery; the text is below each."""
    if not notices:
        return Group()
    lines = list[str]()
    for one in notices:
        title = shown(TITLES[one.template]) if one.template in TITLES else one.template
        outcome = f"{term(NoticeOutcome, one.outcome, shown(_WAITS))} {one.error or ''}".strip()
        at = zip(_NOTICE_TIMES, (one.created_at, one.sent_at, one.receipt_at), strict=True)
        times = shown(_NEXT).join(shown(words, at=moment(when)) for words, when in at if when)
        lines.append(shown(_NOTICE, title=title, outcome=outcome))
        lines += [f"  {line}" for text in (times, one.text) if text for line in text.split("\n")]
    return Group(Prose(shown(_NOTICES_TITLE), style="bold"), Indented("\n".join(lines)))
