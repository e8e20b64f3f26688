"""Output of orders, bulk actions and cards.

Times are in the operator's zone, with offset.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from duanka.cli.orders.listings import OVERDUE
from duanka.cli.orders.story_tables import (
    carried_by,
    confirmed_table,
    legs_table,
    local,
    notices_table,
    refused_table,
    trail_table,
)
from duanka.cli.output.grid import facts, grid, share
from duanka.cli.output.list_columns import ListColumn, Listing
from duanka.cli.output.lists import table_lines
from duanka.cli.shell.language import shown, term, tier
from duanka.cli.shell.process import Prose
from duanka.domain.bulk_action import BulkAction, Skipped
from duanka.domain.caller_answer import answer, answer_about
from duanka.domain.hit_summary import decoded_summaries
from duanka.domain.identity import Outcome as CheckOutcome
from duanka.domain.network import Carried, NetworkState, RefusalReason
from duanka.domain.objection import Channel, unanswered
from duanka.domain.order import Kind, Order, State
from duanka.domain.order_decision import RequestedAction
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.phone_masking import masked_text
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import Fault
from duanka.ledger.audit.trail_texts import row_words
from duanka.orders.bulk_actions.execution import CardOutcome
from duanka.orders.masking import MASKED
from duanka.orders.stop_texts import StopTextShown
from duanka.orders.verification.reviews import ReviewFile
from duanka.orders.views import AuditEntryShown, BulkActionCardShown, Dossier, FiguresShown, OrderFile, Page

_SKIPPED_SHOWN = 50

_ORDER, _CARD, _STATE = (
    BilingualText("工单", "order"),
    BilingualText("号码", "card"),
    BilingualText("状态", "state"),
)
_REASON, _OPENED, _CLOSED = (
    BilingualText("原因", "reason"),
    BilingualText("建单", "opened"),
    BilingualText("办结", "closed"),
)
_TIER, _RULES, _DUE = (
    BilingualText("等级", "tier"),
    BilingualText("规则", "rules"),
    BilingualText("期限", "due"),
)
_ASKED_FOR = BilingualText("要求", "asked for")
_ASKED = BilingualText("{asked}，命中 {hits} 次", "{asked}, {hits} hit(s)")
_OF_TIER, _NEXT_FACT = BilingualText("等级 {tier}", "tier {tier}"), BilingualText("，", ", ")
_OPERATOR, _CITY = BilingualText("运营商", "operator"), BilingualText("城市", "city")
_CARRIED_BY, _REDRESS = BilingualText("依据", "carried by"), BilingualText("申诉途径", "redress")
_FILED = BilingualText("提出方式", "filed")
_PAPERS, _DELIVERED = BilingualText("所需证件", "to bring"), BilingualText("送达", "delivered")
_PARENT, _DAYS = (
    BilingualText("来自工单", "follows from"),
    BilingualText("{first} 至 {last}，{days} 天", "{first} – {last}, {days} d"),
)
_SEEN = BilingualText("{rule}（{days}）：{what}", "{rule} ({days}): {what}")
_SINCE, _WANTED = BilingualText("起始", "since"), BilingualText("应为", "wanted")
_ORDERS_TITLE = BilingualText("\n工单", "\nOrders")
_ACT, _ACT_IS = (
    BilingualText("批量处置", "bulk action"),
    BilingualText("{id}：{event}，{cards} 张卡", "{id}: {event} {cards} card(s)"),
)
_PROGRESS = BilingualText("进度", "progress")
_DONE = BilingualText(
    "{done} 张已处置，{skipped} 张跳过，{left} 张未办", "{done} done, {skipped} skipped, {left} to come"
)
_TOOK = BilingualText("，用时 {seconds} 秒", " in {seconds} s")
_PROPOSED, _APPROVED = BilingualText("提出", "proposed"), BilingualText("复核", "approved")
_UNDOES, _UNDONE_BY = BilingualText("撤销", "undoes"), BilingualText("被撤销于", "undone by")
_SKIPPED_TITLE = BilingualText("\n跳过的号码", "\nSkipped")
_SKIPPED = (_CARD, BilingualText("跳过原因", "why it was skipped"))
_MORE_SKIPPED = BilingualText(
    "另有 {more} 张：`duanka orders show {act}`", "and {more} more: `duanka orders show {act}`"
)
_PASSES = BilingualText("曾通过核验 {times} 次，上次 {at}", "passed {times}x before, last {at}")
_TO_COME = BilingualText("未办", "to come")
_NEXT = BilingualText("下一页：", "More: ")
_PERIOD = BilingualText("{since} 起，{until} 前", "From {since} until before {until}")
_HANDLED = BilingualText("处置号码", "numbers handled")
_OPENED_OF = BilingualText("新建工单：{kind}", "orders opened: {kind}")
_DISOWNED_OF = BilingualText("本人否认开户：{state}", "disowned by their registrants: {state}")
_REFUSED_OF = BilingualText("拦截{carried}：{reason}", "{carried}s refused: {reason}")
_ALARMS, _DRIFTS = BilingualText("告警", "alarms"), BilingualText("网络不一致（已修复）", "drifts (repaired)")
_FAULT = BilingualText("第 {row} 行：{what}", "row {row}: {what}")
_REVIEW = BilingualText(
    "{id} {card}：{state}，等级 {tier}\n相似度 {similarity}；{reasons}\n指标：{signals}",
    "{id} {card}: {state}, tier {tier}\nsimilarity {similarity}; {reasons}\nsignals: {signals}",
)
_EARLIER = BilingualText(
    "此前，{at}：{outcome}，相似度 {similarity}，{reasons}",
    "before, {at}: {outcome}, similarity {similarity}, {reasons}",
)
_STOP_TEXT = BilingualText("\n停机告知书（SHA-256 {digest}）：", "\nText of the stop (SHA-256 {digest}):")
_EARLIER_TEXTS = BilingualText(
    "此前第 {steps} 步另有告知书：`duanka orders copy {order} --step N`",
    "Earlier steps with a text of their own: {steps}: `duanka orders copy {order} --step N`",
)
_NO_REASON, _AND = BilingualText("无原因", "no reason"), BilingualText("；", "; ")


def _outcome(one: BulkActionCardShown) -> str:
    return term(CardOutcome, one.outcome, shown(_TO_COME))


def _open_orders(one: BulkActionCardShown) -> str:
    return ", ".join(f"{order.id} {term(State, order.state)}" for order in one.open_orders)


def _why_asked(one: BulkActionCardShown) -> str:
    """Reason of the card's latest order, earlier passes, and why the card was skipped."""
    passed = shown(_PASSES, times=one.passes, at=local(one.passed_at)) if one.passes else ""
    reason = shown(one.reason.words) if one.reason else ""
    return shown(_AND).join(text for text in (reason, passed, one.why or "") if text)


def order_page(file: OrderFile, policy: OrderPolicy) -> RenderableType:
    """Page of one order; the first lines are the answer to a caller."""
    order, grounds = file.order, file.order.grounds
    moved = [told.at for told in file.trail if told.after.get("state") == order.state.value]
    said = _read_out(answer_about(order, moved[-1] if moved else order.updated_at, policy))
    page = _facts(
        (_ORDER, f"{order.id} ({shown(order.kind.words)})"),
        (_CARD, order.card),
        (_STATE, shown(order.state.words)),
        *_asked_for(order),
        (_OPERATOR, order.operator or "-"),
        (_CITY, order.city or "-"),
        (_CARRIED_BY, carried_by(order.carried_by)),
        (_FILED, term(Channel, order.channel) if order.channel else "-"),
        (_REASON, shown(grounds.reason)),
        (_REDRESS, shown(grounds.redress)),
        (_PAPERS, shown(grounds.papers)),
        (_OPENED, local(order.opened_at)),
        (_DELIVERED, local(order.delivered_at)),
        (_DUE, shown(OVERDUE) if unanswered(order) else local(order.due_at)),
        (_PARENT, order.parent or "-"),
        (_CLOSED, local(order.closed_at)),
    )
    trail = [_in_words(told, grounds.reason) for told in file.trail]
    told = _last_text(file.stop_texts)
    return Group(said, page, trail_table(trail), legs_table(file.legs), notices_table(file.notices), *told)


def _last_text(texts: Sequence[StopTextShown]) -> list[Prose]:
    return [Prose(line) for text in texts[-1:] for line in _stop_text(text, texts)]


def _stop_text(text: StopTextShown, all_texts: Sequence[StopTextShown]) -> Iterator[str]:
    """The text of the last stop as it is stored, its SHA-256, and the steps that have earlier ones."""
    earlier = ", ".join(str(one.step) for one in all_texts[:-1])
    yield shown(_STOP_TEXT, digest=text.sha256)
    yield text.text.rstrip("\n")
    if earlier:
        yield shown(_EARLIER_TEXTS, steps=earlier, order=text.order_id)


def _asked_for(order: Order) -> list[tuple[BilingualText, str]]:
    """Requested action, tier and rules of an order.

    An objection or a manual stop requests no action and has no hits.
    """
    asked = (
        [shown(_ASKED, asked=term(RequestedAction, order.asked), hits=str(order.hits))] if order.asked else []
    )
    graded = [shown(_OF_TIER, tier=tier(order.tier))] if order.tier else []
    rows = [(_ASKED_FOR, shown(_NEXT_FACT).join([*asked, *graded]))] if asked else []
    rows += [(_TIER, tier(order.tier))] if graded and not asked else []
    rules = "\n".join(rules_seen(order))
    return [*rows, (_RULES, rules)] if rules else rows


def _in_words(told: AuditEntryShown, reason: BilingualText) -> AuditEntryShown:
    """Translate the reason of a decision, which the trail keeps in English."""
    return told.model_copy(update={"why": shown(reason)}) if told.why and told.why == reason.en else told


def rules_seen(order: Order) -> Iterator[str]:
    """Yield what each rule saw and on which days; its id alone if that is unknown."""
    seen = {one.rule: one for one in decoded_summaries(order.hit_summaries)}
    for rule in dict.fromkeys((*order.rules, *seen)):
        if not (one := seen.get(rule)):
            yield rule
            continue
        span = shown(_DAYS, first=one.first_day, last=one.last_day, days=one.days)
        days = f"{one.first_day}" if one.days == 1 else span
        yield shown(_SEEN, rule=rule, days=days, what=shown(one.words))


def _read_out(said: BilingualText) -> RenderableType:
    """Text to read to a caller, in both languages."""
    return Group(Prose(said.zh), Prose(said.en), Prose(""))


def dossier_page(card: Dossier, policy: OrderPolicy, width: int) -> RenderableType:
    """Page of one card; the first lines are the answer to a caller."""
    said = _read_out(answer(card.card, card.orders, card.since, policy, known=card.known))
    if not card.known:
        return said
    page = _facts(
        (_CARD, card.card),
        (_STATE, term(State, card.state)),
        (_SINCE, local(card.since)),
        (_WANTED, term(NetworkState, card.wanted)),
    )
    listed = table_lines(_ORDERS, card.orders, width) if card.orders else ()
    title = [Prose(shown(_ORDERS_TITLE), style="bold")] if card.orders else []
    orders = Group(*title, *listed)
    refused = refused_table(card.refusals)
    network, told = confirmed_table(card.network), notices_table(card.notices)
    return Group(said, page, orders, network, refused, told, *_last_text(card.stop_texts))


def bulk_action_page(act: BulkAction, skipped: Sequence[Skipped] = ()) -> RenderableType:
    """Page of one bulk action with its progress."""
    act = MASKED.seen(act)
    done = shown(_DONE, done=act.done, skipped=act.skipped, left=act.left)
    if act.seconds is not None:
        done += shown(_TOOK, seconds=f"{act.seconds:.1f}")
    page = _facts(
        (_ACT, shown(_ACT_IS, id=act.id, event=shown(act.event.words), cards=act.total)),
        (_STATE, shown(act.state.words)),
        (_PROGRESS, done),
        (_REASON, shown(act.grounds.reason)),
        (_PROPOSED, f"{act.proposed_by}, {local(act.proposed_at)}"),
        (_APPROVED, f"{act.approved_by}, {local(act.approved_at)}" if act.approved_by else "-"),
        (_UNDOES, act.undoes or "-"),
        (_UNDONE_BY, ", ".join(act.undone_by) or "-"),
    )
    if not skipped:
        return page
    rows = ((MASKED.number(one.card), masked_text(one.why or "-")) for one in skipped[:_SKIPPED_SHOWN])
    more = len(skipped) - _SKIPPED_SHOWN
    rest = [Prose(shown(_MORE_SKIPPED, more=more, act=act.id))] if more > 0 else []
    return Group(page, grid(_SKIPPED, rows, title=_SKIPPED_TITLE), *rest)


_ORDERS: Listing[Order] = Listing(
    _ORDER,
    (
        ListColumn("id", _ORDER, lambda one: one.id),
        ListColumn("kind", ("类型", "kind"), lambda one: one.kind.value, word=Kind),
        ListColumn("state", _STATE, lambda one: one.state.value, word=State),
        ListColumn("opened_at", _OPENED, lambda one: one.opened_at),
        ListColumn("closed_at", _CLOSED, lambda one: one.closed_at),
        ListColumn("reason", _REASON, lambda one: one.grounds.reason, below=True),
    ),
)
_ACT_CARDS: Listing[BulkActionCardShown] = Listing(
    _CARD,
    (
        ListColumn("line", ("#", "#"), lambda one: one.line, right=True),
        ListColumn("card", _CARD, lambda one: one.card),
        ListColumn("state", ("现状", "now"), lambda one: one.state, word=State),
        ListColumn("tier", _TIER, lambda one: one.tier, word=tier),
        ListColumn("outcome", ("结果", "outcome"), lambda one: one.outcome, _outcome),
        ListColumn("objection", ("异议", "objection"), lambda one: one.objection, word=State),
        ListColumn("open", ("未结工单", "open"), lambda one: None, _open_orders),
        ListColumn("told", _REASON, lambda one: None, _why_asked, below=True),
    ),
)


def bulk_action_cards_table(act_id: str, page: Page[BulkActionCardShown], width: int) -> RenderableType:
    """Every card of a bulk action, as the second person must see it.

    `page` is already masked.
    """
    following = f"{shown(_NEXT)}duanka orders show {act_id} --after {page.next}"
    more = [Prose(following)] if page.next else []
    return Group(*table_lines(_ACT_CARDS, page.items, width), *more)


def figures_page(figures: FiguresShown) -> RenderableType:
    """Figures of a period."""
    counts = {shown(_HANDLED): figures.handled}
    counts |= {f"  {shown(row_words(what))}": count for what, count in figures.handled_by.items()}
    counts |= {shown(_OPENED_OF, kind=term(Kind, kind)): count for kind, count in figures.opened.items()}
    for state, count in figures.disowned.items():
        counts[shown(_DISOWNED_OF, state=term(State, state))] = count
    for one in figures.refused:
        carried, reason = term(Carried, one.carried), term(RefusalReason, one.reason)
        counts[shown(_REFUSED_OF, carried=carried, reason=reason)] = one.count
    counts[shown(_ALARMS)] = figures.alarms
    rows = [(name, f"{count:,}") for name, count in counts.items()]
    rows.append((shown(_DRIFTS), f"{figures.drifts:,} ({figures.drifts_repaired:,})"))
    period = shown(_PERIOD, since=local(figures.since), until=local(figures.until))
    return Group(Prose(period), facts(rows))


def fault_line(fault: Fault) -> Prose:
    """Where the audit trail is broken."""
    return Prose(shown(_FAULT, row=str(fault.seq), what=fault.what), style="red")


def _facts(*rows: tuple[BilingualText, str]) -> Table:
    return facts((shown(name), value) for name, value in rows if value != "-")


def review_page(file: ReviewFile) -> RenderableType:
    """What a check measured, and what earlier checks said."""
    order = file.order
    lines = [
        shown(
            _REVIEW,
            id=order.id,
            card=order.card,
            state=shown(order.state.words),
            tier=tier(order.tier),
            similarity=share(file.similarity),
            reasons=shown(_AND).join(shown(reason.words) for reason in file.reasons),
            signals=", ".join(f"{name} {value:.2f}" for name, value in sorted(file.signals.items())),
        ),
        *(
            shown(
                _EARLIER,
                at=local(one.at),
                outcome=term(CheckOutcome, one.outcome),
                similarity=share(one.similarity),
                reasons=shown(_AND).join(shown(reason.words) for reason in one.reasons) or shown(_NO_REASON),
            )
            for one in file.earlier
        ),
    ]
    return Prose("\n".join(lines))
