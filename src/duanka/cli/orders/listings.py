"""The lists of the order book: which columns they have, in a terminal and for programs."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from duanka.cli.output.list_columns import Column, Listing
from duanka.cli.shell.language import shown, term, tier
from duanka.cli.shell.lazy import lazily
from duanka.domain.bulk_action import ActState
from duanka.domain.counter_check import Document
from duanka.domain.hit_summary import decoded_summaries
from duanka.domain.local_time import operator_zone
from duanka.domain.network import NetworkState
from duanka.domain.order import Event, Kind, Order, State
from duanka.domain.text import Words

if TYPE_CHECKING:
    from duanka.cli.output import grid as cli_grid
    from duanka.domain import identity
    from duanka.domain.counter_check import CounterWaiting
    from duanka.orders.verification.reviews import ReviewItem
    from duanka.orders.views import ActView, Alarm, Drift
else:  # what one list alone needs
    cli_grid = lazily("duanka.cli.output.grid")
    identity = lazily("duanka.domain.identity")

_TWO_DAYS = timedelta(days=2)
_OPEN, _ALL = Words("未结工单", "open orders"), Words("工单", "orders")
_OBJECTIONS = Words("异议", "objections")


def orders_listing(now: datetime, *, only_open: bool, kind: Kind | None = None) -> Listing[Order]:
    """Orders: at 80 columns what one acts on, in a wider terminal the reason and whose card it is."""
    what = _OBJECTIONS if kind is Kind.OBJECTION else _OPEN if only_open else _ALL
    columns: tuple[Column[Order], ...] = (
        Column("id", Words("工单", "order"), lambda one: one.id),
        Column("kind", None, lambda one: one.kind.value),
        Column("card", Words("号码", "card"), lambda one: one.card),
        Column("tier", Words("等级", "tier"), lambda one: one.tier, word=tier),
        Column(
            "state", Words("状态", "state"), lambda one: one.state.value, word=partial(term, State), least=10
        ),
        Column(
            "due_at",
            Words("期限", "due"),
            lambda one: one.due_at,
            lambda one: due(one.due_at, now),
            right=True,
        ),
        Column("rules", Words("规则", "rule"), lambda one: one.rules, lambda one: (*one.rules, "-")[0]),
        Column("", Words("", ""), lambda one: None, _more_rules, spare=1),
        Column("asked", None, lambda one: one.asked),
        Column("hits", Words("次数", "hits"), lambda one: one.hits, spare=3, right=True),
        Column("operator", Words("运营商", "operator"), lambda one: one.operator, spare=5),
        Column("city", Words("城市", "city"), lambda one: one.city, spare=4),
        Column("opened_at", Words("建单", "opened"), lambda one: one.opened_at, spare=6),
        Column("updated_at", None, lambda one: one.updated_at),
        Column("delivered_at", None, lambda one: one.delivered_at),
        Column("closed_at", None, lambda one: one.closed_at),
        Column("parent", None, lambda one: one.parent),
        Column("hit_summaries", None, _summaries),
        Column(
            "reason", Words("原因", "reason"), lambda one: one.grounds.reason, least=24, spare=2, both=True
        ),
    )
    if kind is Kind.OBJECTION:  # it rests on no hit
        columns = tuple(
            replace(one, heading=None) if one.name in ("rules", "", "hits") else one for one in columns
        )
    return Listing(what, columns, ("tier", "state", "rules", "city", "operator"))


def due(at: datetime | None, now: datetime) -> str:
    """A deadline for a cell: hours and minutes to come, or behind us with a minus; beyond two days its day."""
    if at is None:
        return "-"
    left = at - now
    if abs(left) < _TWO_DAYS:
        minutes = int(abs(left).total_seconds()) // 60
        return f"{'-' if left < timedelta(0) else ''}{minutes // 60}:{minutes % 60:02}"
    if left < timedelta(0):
        return f"{left // timedelta(days=1) + 1}d"
    local = operator_zone().local(at)
    return f"{local:%m-%d}" if local.year == operator_zone().local(now).year else f"{local:%Y-%m-%d}"


ACTS: Listing[ActView] = Listing(
    Words("批量处置", "acts"),
    (
        Column("id", Words("处置", "act"), lambda one: one.id),
        Column("event", Words("动作", "event"), lambda one: one.event, word=partial(term, Event)),
        Column("state", Words("状态", "state"), lambda one: one.state, word=partial(term, ActState)),
        Column("cards", Words("号码数", "cards"), lambda one: one.total, right=True),
        Column("done", Words("完成", "done"), lambda one: one.done, right=True),
        Column("skipped", Words("跳过", "skipped"), lambda one: one.skipped, right=True, spare=3),
        Column("proposed_by", Words("提出人", "by"), lambda one: one.proposed_by, least=8),
        Column("proposed_at", Words("提出", "proposed"), lambda one: one.proposed_at, spare=2),
        Column("approved_by", Words("复核人", "approved by"), lambda one: one.approved_by, least=8),
        Column("approved_at", None, lambda one: one.approved_at),
        Column("finished_at", None, lambda one: one.finished_at),
        Column("undoes", None, lambda one: one.undoes),
        Column("undone_by", None, lambda one: one.undone_by),
        Column(
            "reason", Words("原因", "reason"), lambda one: one.grounds.reason, least=16, spare=4, both=True
        ),
    ),
    ("state", "event", "proposed_by"),
)

ALARMS: Listing[Alarm] = Listing(
    Words("告警", "alarms"),
    (
        Column("source", Words("告警", "alarm"), lambda one: one.source),
        Column("since", None, lambda one: one.since),
        Column("raised_at", Words("发出", "raised"), lambda one: one.raised_at),
        Column("cleared_at", Words("解除", "over"), lambda one: one.cleared_at),
        Column("detail", Words("内容", "what"), lambda one: one.detail, below=True),
    ),
    ("source",),
)

COUNTER: Listing[CounterWaiting] = Listing(
    Words("待第二人复核的营业厅核验", "checks at a counter that wait for a second of the staff"),
    (
        Column("id", Words("工单", "order"), lambda one: one.order_id),
        Column("card", Words("号码", "card"), lambda one: one.card),
        Column("tier", Words("等级", "tier"), lambda one: one.tier, word=tier),
        Column(
            "document",
            Words("证件", "document"),
            lambda one: one.document.value,
            word=partial(term, Document),
            spare=3,
        ),
        Column("counter", Words("营业厅", "counter"), lambda one: one.counter, least=10),
        Column("recorded_by", Words("登记人", "recorded by"), lambda one: one.first_by, least=8, spare=2),
        Column("recorded_at", Words("时间", "at"), lambda one: one.first_at, spare=4),
    ),
    ("tier", "counter", "recorded_by"),
)


def _told(reason: str) -> str:
    return shown(identity.TOLD[identity.Reason(reason)]) if reason in [*identity.Reason] else reason


REVIEWS: Listing[ReviewItem] = Listing(
    Words("待人工复核的核验", "checks that wait for review"),
    (
        Column("id", Words("工单", "order"), lambda one: one.order_id),
        Column("card", Words("号码", "card"), lambda one: one.card),
        Column("tier", Words("等级", "tier"), lambda one: one.tier, word=tier),
        Column("since", Words("自", "since"), lambda one: one.since),
        Column(
            "similarity",
            Words("相似度", "similarity"),
            lambda one: one.similarity,
            lambda one: cli_grid.share(one.similarity),
            spare=2,
            right=True,
        ),
        Column("failures", Words("失败", "failures"), lambda one: one.failures, spare=3, right=True),
        Column(
            "reasons",
            Words("原因", "why"),
            lambda one: [reason.value for reason in one.reasons],
            lambda one: "; ".join(shown(identity.TOLD[reason]) for reason in one.reasons),
            least=20,
            spare=1,
        ),
    ),
    ("tier", "reasons"),
)


DIFFERENCES: Listing[Drift] = Listing(
    Words("网络不一致", "differences"),
    (
        Column("element", Words("网元", "element"), lambda one: one.element),
        Column("card", Words("号码", "card"), lambda one: one.card),
        Column(
            "wanted",
            Words("应为", "wanted"),
            lambda one: one.wanted,
            word=partial(term, NetworkState),
            least=8,
        ),
        Column(
            "found",
            Words("实为", "found"),
            lambda one: one.found,
            word=partial(term, NetworkState),
            least=8,
        ),
        Column("found_at", Words("发现", "found at"), lambda one: one.found_at, spare=1),
    ),
    ("element", "wanted", "found"),
)


ELEMENTS: Listing[tuple[str, str]] = Listing(
    Words("网元", "elements"),
    (
        Column("element", Words("网元", "element"), lambda one: one[0]),
        Column("address", Words("地址", "address"), lambda one: one[1]),
    ),
    ("element",),
)


def _more_rules(one: Order) -> str:
    return f"+{len(one.rules) - 1}" if len(one.rules) > 1 else ""


def _summaries(one: Order) -> list[dict[str, Any]]:
    return [
        {
            "rule": summary.rule,
            "first_day": summary.first_day.isoformat(),
            "last_day": summary.last_day.isoformat(),
            "days": summary.days,
            "zh": summary.words.zh,
            "en": summary.words.en,
        }
        for summary in decoded_summaries(one.hit_summaries)
    ]
