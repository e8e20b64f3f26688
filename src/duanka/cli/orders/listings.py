"""Columns of the lists of the order database, for people and programs."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from duanka.cli.output.list_columns import ListColumn, Listing
from duanka.cli.shell.language import shown, tier
from duanka.cli.shell.lazy import lazily
from duanka.domain.bulk_action import BulkActionState
from duanka.domain.counter_check import Document
from duanka.domain.hit_summary import decoded_summaries
from duanka.domain.local_time import operator_zone
from duanka.domain.network import NetworkState
from duanka.domain.objection import unanswered
from duanka.domain.order import Event, Kind, Order, State
from duanka.domain.text import BilingualText

if TYPE_CHECKING:
    from duanka.cli.output import grid as cli_grid
    from duanka.domain import identity
    from duanka.domain.disavowal import DisownedAtOutlet, DisownedCard
    from duanka.orders.verification.reviews import ReviewShown
    from duanka.orders.verification.standing import CounterWaitingShown
    from duanka.orders.views import AlarmShown, BulkActionShown, DriftShown
else:  # needed by one list only
    cli_grid = lazily("duanka.cli.output.grid")
    identity = lazily("duanka.domain.identity")

OVERDUE = BilingualText("逾期", "overdue")  # an objection past its term
_TWO_DAYS = timedelta(days=2)
_OPEN, _ALL = BilingualText("未结工单", "open orders"), BilingualText("工单", "orders")
_OBJECTIONS = BilingualText("异议", "objections")


def orders_listing(now: datetime, *, only_open: bool, kind: Kind | None = None) -> Listing[Order]:
    """List of orders.

    At 80 columns it shows what is needed to act; a wider terminal adds the number of further rules, the
    reason, hits, city, operator and time of opening.
    """
    what = _OBJECTIONS if kind is Kind.OBJECTION else _OPEN if only_open else _ALL
    columns: tuple[ListColumn[Order], ...] = (
        ListColumn("id", ("工单", "order"), lambda one: one.id),
        ListColumn("kind", None, lambda one: one.kind.value),
        ListColumn("card", ("号码", "card"), lambda one: one.card),
        ListColumn("tier", ("等级", "tier"), lambda one: one.tier, word=tier),
        ListColumn("state", ("状态", "state"), lambda one: one.state.value, word=State, least=10),
        ListColumn("due_at", ("期限", "due"), lambda one: one.due_at, lambda one: _due(one, now), right=True),
        ListColumn("overdue", None, unanswered),
        ListColumn("rules", ("规则", "rule"), lambda one: one.rules, lambda one: (*one.rules, "-")[0]),
        ListColumn("", ("", ""), lambda one: None, _more_rules, spare=1),
        ListColumn("asked", None, lambda one: one.asked),
        ListColumn("hits", ("次数", "hits"), lambda one: one.hits, spare=3, right=True),
        ListColumn("operator", ("运营商", "operator"), lambda one: one.operator, spare=5),
        ListColumn("city", ("城市", "city"), lambda one: one.city, spare=4),
        ListColumn("opened_at", ("建单", "opened"), lambda one: one.opened_at, spare=6),
        ListColumn("updated_at", None, lambda one: one.updated_at),
        ListColumn("delivered_at", None, lambda one: one.delivered_at),
        ListColumn("closed_at", None, lambda one: one.closed_at),
        ListColumn("parent", None, lambda one: one.parent),
        ListColumn("hit_summaries", None, _summaries),
        ListColumn(
            "reason", ("原因", "reason"), lambda one: one.grounds.reason, least=24, spare=2, both=True
        ),
    )
    if kind is Kind.OBJECTION:  # an objection has no hits
        columns = tuple(
            replace(one, heading=None) if one.name in ("rules", "", "hits") else one for one in columns
        )
    return Listing(what, columns, ("tier", "state", "rules", "city", "operator"))


def _due(order: Order, now: datetime) -> str:
    return shown(OVERDUE) if unanswered(order) else due(order.due_at, now)


def due(at: datetime | None, now: datetime) -> str:
    """Cell of a deadline: within two days H:MM, beyond that the date or the days.

    A deadline that passed is negative: `-H:MM`, or full days such as `-3d`.
    """
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


ACTS: Listing[BulkActionShown] = Listing(
    BilingualText("批量处置", "bulk actions"),
    (
        ListColumn("id", ("编号", "id"), lambda one: one.id),
        ListColumn("event", ("动作", "event"), lambda one: one.event, word=Event),
        ListColumn("state", ("状态", "state"), lambda one: one.state, word=BulkActionState),
        ListColumn("cards", ("号码数", "cards"), lambda one: one.total, right=True),
        ListColumn("done", ("完成", "done"), lambda one: one.done, right=True),
        ListColumn("skipped", ("跳过", "skipped"), lambda one: one.skipped, right=True, spare=3),
        ListColumn("proposed_by", ("提出人", "by"), lambda one: one.proposed_by, least=8),
        ListColumn("proposed_at", ("提出", "proposed"), lambda one: one.proposed_at, spare=2),
        ListColumn("approved_by", ("复核人", "approved by"), lambda one: one.approved_by, least=8),
        ListColumn("approved_at", None, lambda one: one.approved_at),
        ListColumn("finished_at", None, lambda one: one.finished_at),
        ListColumn("undoes", None, lambda one: one.undoes),
        ListColumn("undone_by", None, lambda one: one.undone_by),
        ListColumn(
            "reason", ("原因", "reason"), lambda one: one.grounds.reason.words, least=16, spare=4, both=True
        ),
    ),
    ("state", "event", "proposed_by"),
)

ALARMS: Listing[AlarmShown] = Listing(
    BilingualText("告警", "alarms"),
    (
        ListColumn("source", ("告警", "alarm"), lambda one: one.source),
        ListColumn("since", None, lambda one: one.since),
        ListColumn("raised_at", ("发出", "raised"), lambda one: one.raised_at),
        ListColumn("cleared_at", ("解除", "over"), lambda one: one.cleared_at),
        ListColumn("detail", ("内容", "what"), lambda one: one.detail, below=True),
    ),
    ("source",),
)

COUNTER: Listing[CounterWaitingShown] = Listing(
    BilingualText("待第二人复核的营业厅核验", "checks at a counter that wait for a second member of staff"),
    (
        ListColumn("id", ("工单", "order"), lambda one: one.order_id),
        ListColumn("card", ("号码", "card"), lambda one: one.card),
        ListColumn("tier", ("等级", "tier"), lambda one: one.tier, word=tier),
        ListColumn("document", ("证件", "document"), lambda one: one.document.value, word=Document, spare=3),
        ListColumn("counter", ("营业厅", "counter"), lambda one: one.counter, least=10),
        ListColumn("recorded_by", ("登记人", "recorded by"), lambda one: one.first_by, least=8, spare=2),
        ListColumn("recorded_at", ("时间", "at"), lambda one: one.first_at, spare=4),
    ),
    ("tier", "counter", "recorded_by"),
)


DISOWNED: Listing[DisownedCard] = Listing(
    BilingualText("本人否认开户的号码", "numbers that their registrants disowned"),
    (
        ListColumn("outlet", ("网点", "outlet"), lambda one: one.outlet, least=8),
        ListColumn("card", ("号码", "card"), lambda one: one.card),
        ListColumn("id", ("工单", "order"), lambda one: one.order_id),
        ListColumn("state", ("状态", "state"), lambda one: one.state.value, word=State, least=8),
        ListColumn("said_at", ("声明", "said"), lambda one: one.said_at, spare=3),
        ListColumn("confirmed_at", ("确认", "confirmed"), lambda one: one.confirmed_at, spare=1),
        ListColumn("operator", ("运营商", "operator"), lambda one: one.operator, spare=5),
        ListColumn("city", ("城市", "city"), lambda one: one.city, spare=4),
    ),
    ("outlet", "state", "city", "operator"),
)

DISOWNED_AT: Listing[DisownedAtOutlet] = Listing(
    BilingualText("有本人否认开户的网点", "outlets with numbers that their registrants disowned"),
    (
        ListColumn("outlet", ("网点", "outlet"), lambda one: one.outlet, least=12),
        ListColumn("cards", ("号码数", "cards"), lambda one: one.cards, right=True),
        ListColumn("taken_back", ("已撤回", "taken back"), lambda one: one.taken_back, right=True),
        ListColumn("first", ("最早", "first"), lambda one: one.first, spare=2),
        ListColumn("last", ("最近", "last"), lambda one: one.last),
    ),
    ("outlet",),
)


def _reason_words(reason: str) -> str:
    return shown(identity.CheckReason(reason).words) if reason in [*identity.CheckReason] else reason


def _disowns(one: ReviewShown) -> str:
    return shown(BilingualText("是", "yes")) if one.disowns else ""


REVIEWS: Listing[ReviewShown] = Listing(
    BilingualText("待人工复核的核验", "checks that wait for review"),
    (
        ListColumn("id", ("工单", "order"), lambda one: one.order_id),
        ListColumn("card", ("号码", "card"), lambda one: one.card),
        ListColumn("tier", ("等级", "tier"), lambda one: one.tier, word=tier),
        ListColumn("since", ("自", "since"), lambda one: one.since),
        ListColumn(
            "similarity",
            ("相似度", "similarity"),
            lambda one: one.similarity,
            lambda one: cli_grid.share(one.similarity),
            spare=2,
            right=True,
        ),
        ListColumn("failures", ("失败", "failures"), lambda one: one.failures, spare=3, right=True),
        ListColumn(
            "reasons",
            ("原因", "why"),
            lambda one: [reason.value for reason in one.reasons],
            lambda one: "; ".join(shown(reason.words) for reason in one.reasons),
            least=20,
            spare=1,
        ),
        ListColumn("disowns", ("否认开户", "not theirs"), lambda one: int(one.disowns), _disowns, spare=4),
    ),
    ("tier", "reasons"),
)


DIFFERENCES: Listing[DriftShown] = Listing(
    BilingualText("网络不一致", "differences"),
    (
        ListColumn("element", ("网元", "element"), lambda one: one.element),
        ListColumn("card", ("号码", "card"), lambda one: one.card),
        ListColumn("wanted", ("应为", "wanted"), lambda one: one.wanted, word=NetworkState, least=8),
        ListColumn("found", ("实为", "found"), lambda one: one.found, word=NetworkState, least=8),
        ListColumn("found_at", ("发现", "found at"), lambda one: one.found_at, spare=1),
    ),
    ("element", "wanted", "found"),
)


ELEMENTS: Listing[tuple[str, str]] = Listing(
    BilingualText("网元", "elements"),
    (
        ListColumn("element", ("网元", "element"), lambda one: one[0]),
        ListColumn("address", ("地址", "address"), lambda one: one[1]),
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
