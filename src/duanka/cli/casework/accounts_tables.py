"""Lists and pages of linked accounts and items for take-down, for people and programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType

from duanka.casework.accounts.queries import AccountFigure, AccountFile, AccountRequest
from duanka.casework.accounts.takedown import TakedownItem
from duanka.cli.output.grid import facts
from duanka.cli.output.list_columns import ListColumn, Listing
from duanka.cli.shell.language import shown
from duanka.cli.shell.process import Indented, Prose
from duanka.domain.linked_accounts import AccountGround, RequestKind, RequestState
from duanka.domain.local_time import operator_zone
from duanka.domain.takedown import IndicatorKind, ItemState
from duanka.domain.text import BilingualText

_TITLE = BilingualText("账号处置请求 {id}", "Request {id}")
_ANSWERS = BilingualText("\n平台答复", "\nAnswers")
_NO_ANSWER = BilingualText("尚无答复", "none so far")
_OVERDUE = BilingualText("已超时限", "overdue")
_FACTS = (
    BilingualText("状态", "state"),
    BilingualText("平台", "platform"),
    BilingualText("账号", "account"),
    BilingualText("号码", "card"),
    BilingualText("请求", "asked to"),
    BilingualText("依据", "ground"),
    BilingualText("提出", "asked"),
    BilingualText("复核人", "approved by"),
    BilingualText("已发送", "sent"),
    BilingualText("时限", "due"),
    BilingualText("解除", "released"),
    BilingualText("理由", "why"),
    BilingualText("发送失败", "could not be sent"),
)


@dataclass(frozen=True)
class FetchedRequests:
    """A page of requests as lists fetch them."""

    items: Sequence[AccountRequest]
    next: str | None


@dataclass(frozen=True)
class FetchedItems:
    """A page of items as lists fetch them."""

    items: Sequence[TakedownItem]
    next: str | None


REQUESTS: Listing[AccountRequest] = Listing(
    BilingualText("账号处置请求", "requests about accounts"),
    (
        ListColumn("id", ("编号", "id"), lambda one: one.id),
        ListColumn("state", ("状态", "state"), lambda one: one.state.value, word=RequestState),
        ListColumn("platform", ("平台", "platform"), lambda one: one.platform, least=8),
        ListColumn("kind", ("请求", "asked to"), lambda one: one.kind.value, word=RequestKind),
        ListColumn("account", ("账号", "account"), lambda one: one.account, least=4, spare=3),
        ListColumn("card", ("号码", "card"), lambda one: one.card, spare=2),
        ListColumn(
            "ground", ("依据", "ground"), lambda one: one.ground.value, word=AccountGround, least=6, spare=4
        ),
        ListColumn("ground_number", None, lambda one: one.ground_number),
        ListColumn("requested_at", ("提出", "asked"), lambda one: one.requested_at, spare=1),
        ListColumn("due_at", ("时限", "due"), lambda one: one.due_at, spare=5),
        ListColumn("overdue", None, lambda one: one.overdue),
        ListColumn("operator", None, lambda one: one.operator),
        ListColumn("city", None, lambda one: one.city),
        ListColumn("answered_at", None, lambda one: one.answered_at),
        ListColumn("answered_by", None, lambda one: one.answered_by or ""),
        ListColumn("released_at", None, lambda one: one.released_at),
    ),
    ("state", "platform", "kind", "ground"),
)

ITEMS: Listing[TakedownItem] = Listing(
    BilingualText("待清理线索", "items for take-down"),
    (
        ListColumn("id", ("编号", "id"), lambda one: one.id),
        ListColumn("kind", ("类型", "kind"), lambda one: one.kind.value, word=IndicatorKind),
        ListColumn("value", ("线索", "item"), lambda one: one.value, least=16),
        ListColumn("state", ("状态", "state"), lambda one: one.state.value, word=ItemState),
        ListColumn("refused", ("拦截短信", "refused"), lambda one: one.refused, right=True, spare=2),
        ListColumn("complaints", ("投诉", "complaints"), lambda one: one.complaints, right=True, spare=3),
        ListColumn("last_seen", ("最近出现", "last seen"), lambda one: one.last_seen, spare=1),
        ListColumn("first_seen", None, lambda one: one.first_seen),
        ListColumn("agreed_by", None, lambda one: one.agreed_by or ""),
        ListColumn("blocked_by", None, lambda one: one.blocked_by or ""),
        ListColumn("blocked_at", ("拦截自", "refused since"), lambda one: one.blocked_at, spare=4),
        ListColumn("passed_to", None, lambda one: one.passed_to),
    ),
    ("state", "kind"),
)

FIGURES: Listing[AccountFigure] = Listing(
    BilingualText("关联账号处置统计", "figures of linked accounts"),
    (
        ListColumn("operator", ("运营商", "operator"), lambda one: one.operator, least=6),
        ListColumn("city", ("城市", "city"), lambda one: one.city),
        ListColumn("platform", ("平台", "platform"), lambda one: one.platform, least=8),
        ListColumn("kind", ("请求", "asked to"), lambda one: one.kind.value, word=RequestKind),
        ListColumn("requested", ("提出", "asked"), lambda one: one.requested, right=True),
        ListColumn("handled", ("已处置", "handled"), lambda one: one.handled, right=True),
        ListColumn("refused", ("不予处置", "refused"), lambda one: one.refused, right=True),
        ListColumn("released", ("已解除", "released"), lambda one: one.released, right=True),
        ListColumn("overdue", ("超时限", "overdue"), lambda one: one.overdue, right=True),
    ),
)


def request_page(file: AccountFile) -> RenderableType:
    """A request: its facts, and the answers in order."""
    one = file.request
    due = f"{_at(one.due_at)}  {shown(_OVERDUE) if one.overdue else ''}".strip() if one.due_at else ""
    values = (
        shown(one.state.words),
        one.platform,
        one.account,
        one.card,
        shown(one.kind.words),
        f"{shown(one.ground.words)} {one.ground_number}",
        f"{_at(one.requested_at)}  {one.requested_by}",
        one.approved_by or "",
        _at(one.sent_at),
        due,
        _at(one.released_at or one.release_at),
        one.why,
        f"{file.tries}×  {file.error}" if file.error else "",
    )
    told = [(shown(name), value) for name, value in zip(_FACTS, values, strict=True) if value]
    answers = [
        Indented(f"{_at(answer.at)}  {shown(answer.state.words)}  {answer.who}  {answer.note}".rstrip())
        for answer in file.answers
    ]
    title = Prose(shown(_TITLE, id=one.id), style="bold")
    head = Prose(shown(_ANSWERS), style="bold")
    return Group(title, facts(told), head, *answers, *([] if answers else [shown(_NO_ANSWER)]))


def _at(at: object) -> str:
    return f"{operator_zone().local(at):%Y-%m-%d %H:%M}" if at else ""  # type: ignore[arg-type]
