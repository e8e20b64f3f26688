"""Orders, acts and cards as the commands print them. Times are local to the operator, with their offset."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from duanka.cli_grid import grid, share
from duanka.domain.act import Act, Skipped
from duanka.domain.caller_answer import answer, answer_about
from duanka.domain.hit_summary import decoded_summaries
from duanka.domain.identity import TOLD
from duanka.domain.local_time import operator_zone
from duanka.domain.masking import masked_text
from duanka.domain.order import Order
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.words import Words
from duanka.orders.audit import Fault
from duanka.orders.reviews import ReviewFile
from duanka.orders.views import (
    ActCard,
    Confirmed,
    Dossier,
    Figures,
    Leg,
    Notice,
    OrderFile,
    Page,
    Sight,
    Told,
)

_MASKED = Sight(unmasked=False)
_SKIPPED_SHOWN = 50
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?[+-]\d{2}:\d{2}")

STATE_WORDS = {
    "opened": "已建单",
    "notified": "已通知",
    "undeliverable": "通知未送达",
    "in_progress": "核验中",
    "under_review": "待复核",
    "sent_to_counter": "转营业厅",
    "sent_to_fraud_centre": "转反诈中心",
    "passed": "核验通过",
    "failed": "核验未通过",
    "expired": "逾期未核验",
    "withdrawn": "已撤回",
    "active": "正常",
    "outgoing_barred": "单停",
    "suspended": "双停",
    "forced_stop": "公安停机",
    "punished": "惩戒停机",
    "restored": "已复通",
    "cancelled": "已销户",
    "filed": "已提出",
    "accepted": "已受理",
    "upheld": "异议成立",
    "rejected": "异议不成立",
}


def local(at: datetime | None) -> str:
    """A moment in the operator's zone, to the second, with its offset."""
    return operator_zone().written(at) if at else "-"


def state(word: str) -> str:
    """A state in both languages."""
    return f"{STATE_WORDS.get(word, '')} {word}".strip()


def _with_next(table: RenderableType, command: str, following: str | None) -> RenderableType:
    """The page, and how to see the one that follows."""
    more = [Text(f"More: duanka {command} --after {following}")] if following else []
    return Group(table, *more)


def order_page(file: OrderFile, policy: OrderPolicy) -> RenderableType:
    """One order with its story; first what to tell a caller."""
    order = file.order
    moved = [told.at for told in file.trail if told.after.get("state") == order.state.value]
    said = _read_out(answer_about(order, moved[-1] if moved else order.updated_at, policy))
    facts = _facts(
        ("order", f"{order.id} ({order.kind})"),
        ("card", order.card),
        ("state", state(order.state.value)),
        ("asked for", f"{order.asked or '-'}, tier {order.tier or '-'}, {order.hits} hits"),
        ("rules", "\n".join(rules_seen(order)) or "-"),
        ("operator", f"{order.operator or '-'}, city {order.city or '-'}"),
        ("carried by", order.carried_by or "-"),
        ("reason", f"{order.grounds.reason.zh}\n{order.grounds.reason.en}"),
        ("redress", f"{order.grounds.redress.zh}\n{order.grounds.redress.en}"),
        ("to bring", f"{order.grounds.papers.zh}\n{order.grounds.papers.en}"),
        ("opened", local(order.opened_at)),
        ("delivered", local(order.delivered_at)),
        ("due", local(order.due_at)),
        ("follows from", order.parent or "-"),
        ("closed", local(order.closed_at)),
    )
    return Group(said, facts, _trail(file.trail), _legs(file.legs), _notices(file.notices))


def rules_seen(order: Order) -> Iterator[str]:
    """What each rule saw, and on which days; only its id where the decision did not say so."""
    seen = {one.rule: one for one in decoded_summaries(order.hit_summaries)}
    for rule in dict.fromkeys((*order.rules, *seen)):
        if not (one := seen.get(rule)):
            yield rule
            continue
        days = f"{one.first_day}" if one.days == 1 else f"{one.first_day} – {one.last_day}, {one.days} d"
        yield f"{rule} ({days}): {one.words.zh} / {one.words.en}"


def _read_out(said: Words) -> RenderableType:
    """A sentence to read to a caller."""
    return Group(Text(said.zh), Text(said.en), Text(""))


def dossier_page(card: Dossier, policy: OrderPolicy) -> RenderableType:
    """All that is known of a card; first what to tell a caller."""
    said = _read_out(answer(card.card, card.orders, card.since, policy, known=card.known))
    if not card.known:
        return said
    facts = _facts(
        ("card", card.card),
        ("state", state(card.state)),
        ("since", local(card.since)),
        ("wanted", card.wanted),
    )
    orders = grid("order", "kind", "state", "opened", "closed", "reason", title="\nOrders")
    for one in card.orders:
        told = one.grounds.reason.zh
        orders.add_row(
            one.id, one.kind.value, state(one.state.value), local(one.opened_at), local(one.closed_at), told
        )
    refused = grid("at", "element", "what", "peer", "reason", title="\nRefused")
    for met in card.refusals:
        refused.add_row(
            local(met.at), met.element, met.carried, met.peer, f"{met.reason} {met.detail}".strip()
        )
    return Group(said, facts, orders, _confirmed(card.network), refused, _notices(card.notices))


def act_page(act: Act, skipped: Sequence[Skipped] = ()) -> RenderableType:
    """One act and how far it is."""
    act = _MASKED.seen(act)
    took = f" in {act.seconds:.1f} s" if act.seconds is not None else ""
    facts = _facts(
        ("act", f"{act.id}: {act.event} {act.total:,} card(s)"),
        ("state", act.state.value),
        ("progress", f"{act.done:,} done, {act.skipped:,} skipped, {act.left:,} to come{took}"),
        ("reason", f"{act.grounds.reason.zh}\n{act.grounds.reason.en}"),
        ("proposed", f"{act.proposed_by}, {local(act.proposed_at)}"),
        ("approved", f"{act.approved_by or '-'}, {local(act.approved_at)}"),
        ("undoes", act.undoes or "-"),
        ("undone by", ", ".join(act.undone_by) or "-"),
    )
    if not skipped:
        return facts
    table = grid("card", "why it was skipped", title="\nSkipped")
    for one in skipped[:_SKIPPED_SHOWN]:
        table.add_row(_MASKED.number(one.card), masked_text(one.why or "-"))
    more = len(skipped) - _SKIPPED_SHOWN
    rest = [Text(f"and {more:,} more: `duanka orders show {act.id}`")] if more > 0 else []
    return Group(facts, table, *rest)


def act_cards_table(act_id: str, page: Page[ActCard]) -> RenderableType:
    """Every card of an act as the second person must know it; `page` is already masked."""
    table = grid("#", "card", "now", "tier", "reason", "open", "passed", "objection", "outcome")
    for one in page.items:
        passed = f"{one.passes}x, {local(one.passed_at)}" if one.passes else "-"
        outcome = one.outcome or "to come"
        if one.why:
            outcome = f"{outcome}: {one.why}"
        table.add_row(
            f"{one.line}",
            one.card,
            state(one.state),
            one.tier or "-",
            one.reason.zh if one.reason else "-",
            ", ".join(f"{order.id} {state(order.state)}" for order in one.open_orders) or "-",
            passed,
            state(one.objection) if one.objection else "-",
            outcome,
        )
    return _with_next(table, f"orders show {act_id}", page.next)


def figures_page(figures: Figures) -> RenderableType:
    """What was done in a period."""
    rows = [("numbers handled 处置号码", f"{figures.handled:,}")]
    rows += [(f"  {what}", f"{count:,}") for what, count in figures.handled_by.items()]
    rows += [(f"orders opened: {kind}", f"{count:,}") for kind, count in figures.opened.items()]
    rows += [(f"{one.carried}s refused: {one.reason}", f"{one.count:,}") for one in figures.refused]
    rows += [
        ("alarms", f"{figures.alarms:,}"),
        ("drifts (repaired)", f"{figures.drifts:,} ({figures.drifts_repaired:,})"),
    ]
    return Group(Text(f"From {local(figures.since)} until before {local(figures.until)}"), _facts(*rows))


def fault_line(fault: Fault) -> Text:
    """Where the audit trail does not hold."""
    return Text(f"row {fault.seq}: {fault.what}", style="red")


def _facts(*rows: tuple[str, str]) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    return table


def _trail(trail: Sequence[Told]) -> RenderableType:
    table = grid("row", "at", "who", "what", "why", "changed", title="\nAudit trail", right=("row",))
    for told in trail:
        changed = ", ".join(
            f"{name} {_readable(told.before.get(name, '-'))} → {_readable(value)}"
            for name, value in told.after.items()
        )
        table.add_row(
            str(told.seq), local(told.at), f"{told.who} ({told.role})", told.what, told.why, changed
        )
    return table


def _readable(value: object) -> str:
    """A value of the trail; a moment, which the trail keeps in UTC, in the operator's zone and to the second."""
    return (
        local(datetime.fromisoformat(value))
        if isinstance(value, str) and _MOMENT.fullmatch(value)
        else str(value)
    )


def _legs(legs: Sequence[Leg]) -> RenderableType:
    table = grid(
        "element",
        "step",
        "wanted",
        "decided",
        "done",
        "seconds",
        "tries",
        "outcome",
        title="\nNetwork",
        right=("step", "seconds", "tries"),
    )
    for leg in legs:
        took = f"{(leg.done_at - leg.created_at).total_seconds():.2f}" if leg.done_at else "-"
        said = f"{leg.outcome or 'waiting'} {leg.error or ''}".strip()
        table.add_row(
            leg.element,
            str(leg.step),
            leg.wanted,
            local(leg.created_at),
            local(leg.done_at),
            took,
            str(leg.tries),
            said,
        )
    return table


def _confirmed(network: Sequence[Confirmed]) -> RenderableType:
    table = grid("element", "in force", "since", "waiting", title="\nNetwork")
    for one in network:
        waits = f"{one.waiting} {one.error or ''}".strip() if one.waiting else "-"
        table.add_row(one.element, one.confirmed or "-", local(one.confirmed_at), waits)
    return table


def _notices(notices: Sequence[Notice]) -> RenderableType:
    table = grid("notice", "written", "sent", "receipt", "outcome", "text", title="\nNotices")
    for one in notices:
        outcome = f"{one.outcome or 'waiting'} {one.error or ''}".strip()
        table.add_row(
            one.template,
            local(one.created_at),
            local(one.sent_at),
            local(one.receipt_at),
            outcome,
            one.text or "-",
        )
    return table


def review_page(file: ReviewFile) -> RenderableType:
    """What a check measured, and what earlier ones said."""
    order = file.order
    lines = [
        f"{order.id} {order.card}: {state(order.state.value)}, tier {order.tier}",
        f"similarity {share(file.similarity)}; " + "; ".join(TOLD[reason].en for reason in file.reasons),
        "signals: " + ", ".join(f"{name} {value:.2f}" for name, value in sorted(file.signals.items())),
        *(
            f"before, {local(one.at)}: {one.outcome}, similarity {share(one.similarity)},"
            f" {', '.join(one.reasons) or 'no reason'}"
            for one in file.earlier
        ),
    ]
    return Text("\n".join(lines))
