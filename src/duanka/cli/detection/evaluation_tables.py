"""Output of `duanka evaluate`: how many fraudulent and honest cards are reached."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType

from duanka.cli.detection.scan_tables import CARDS, PER_100_000
from duanka.cli.output.grid import Titled, as_markdown, as_table, share
from duanka.cli.shell.language import shown
from duanka.domain.decision import Tier
from duanka.domain.text import BilingualText
from duanka.evaluation.measure import Evaluation, MeasureRow

_BY_ORDER = BilingualText("工单（关注以上的处置）", "Orders (action beyond watch)")
_BY_TIER, _BY_RULE = BilingualText("按风险等级", "By tier"), BilingualText("按规则", "By rule")
_BY_SHADOW = BilingualText("按影子规则（不影响决定）", "By rule in shadow, which decides nothing")
_ORDERS, _TIER, _RULE = (
    BilingualText("工单", "orders"),
    BilingualText("风险等级", "tier"),
    BilingualText("规则", "rule"),
)
_EVALUATED = BilingualText(
    "{cards} 张卡，其中涉诈 {fraud} 张。工单涉及每 10 万张卡中的 {asked} 张，每 10 万张正常卡中的 {honest} 张；"
    "直接停机的正常卡：{stopped} 张。",
    "{cards} cards, {fraud} of them fraud. Orders reach {asked} of 100,000 cards, and {honest} of 100,000 honest ones;"
    " honest cards stopped outright: {stopped}.",
)
_FRAUD, _HONEST = BilingualText("涉诈", "fraud"), BilingualText("正常", "honest")
_PRECISION, _RECALL = BilingualText("精确率", "precision"), BilingualText("召回率", "recall")
_REACHED = BilingualText("工单查到的涉诈卡", "Fraud that an order reaches")
_STRATEGY, _CAUGHT, _OF = (
    BilingualText("团伙类型或角色", "strategy or role"),
    BilingualText("查到", "reached"),
    BilingualText("总数", "of"),
)
_BY_ROLE = BilingualText("每条规则按角色的召回率", "Recall of each rule, role by role")
_ROLES = BilingualText("查出 1% 以上的角色", "roles of which it finds 1% or more")
_TROUBLED = BilingualText("工单打扰到的正常用户", "Honest people whom an order reaches")
_ROLE, _ASKED = BilingualText("用户类型", "role"), BilingualText("核验", "asked")
_ROWS = {
    "asked": BilingualText("全部工单", "all orders"),
    "stop": BilingualText("其中停机", "of them stop"),
    **{tier.word: tier.words for tier in Tier},
}


def evaluation_tables(found: Evaluation, *, markdown: bool) -> RenderableType:
    """The tables of `duanka evaluate`."""
    tables = (
        (_BY_ORDER, _ORDERS, (found.asked, found.stopped)),
        (_BY_TIER, _TIER, found.tiers),
        (_BY_RULE, _RULE, found.rules),
        *(((_BY_SHADOW, _RULE, found.shadows),) if found.shadows else ()),
    )
    head = shown(
        _EVALUATED,
        cards=found.cards,
        fraud=found.fraud,
        asked=f"{found.asked_per_100k:,.0f}",
        honest=f"{found.honest_asked_per_100k:,.0f}",
        stopped=str(found.stopped.honest),
    )
    strategies = [row.name for row in found.strategies]
    roles = [row.name for row in found.roles]
    columns = (*map(shown, (CARDS, PER_100_000, _FRAUD, _HONEST, _PRECISION, _RECALL)), *strategies)
    titled: list[Titled] = [
        (shown(title), (shown(name), *columns), [_cells(row, found.cards, strategies) for row in rows])
        for title, name, rows in tables
    ]
    reached: list[tuple[str, ...]] = [
        (r.name, f"{r.cards:,}", f"{r.of:,}", share(r.recall)) for r in (*found.strategies, *found.roles)
    ]
    titled.append((shown(_REACHED), _headings(_STRATEGY, _CAUGHT, _OF, _RECALL), reached))
    by_role: list[tuple[str, ...]] = [(r.name, _largest(r, roles)) for r in (*found.rules, *found.shadows)]
    titled.append((shown(_BY_ROLE), _headings(_RULE, _ROLES), by_role))
    honest: list[tuple[str, ...]] = [
        (r.name, f"{r.cards:,}", f"{r.of:,}", f"{1e5 * r.cards / r.of:,.0f}") for r in found.honest_roles
    ]
    titled.append((shown(_TROUBLED), _headings(_ROLE, _ASKED, _OF, PER_100_000), list(honest)))
    if markdown:
        return "\n\n".join([head, *(as_markdown(one) for one in titled)])
    return Group(head, *(as_table(one, words=(shown(_ROLES),)) for one in titled))


def _headings(*columns: BilingualText) -> tuple[str, ...]:
    return tuple(map(shown, columns))


def _cells(row: MeasureRow, cards: int, strategies: Sequence[str]) -> tuple[str, ...]:
    named = _ROWS.get(row.name)
    return (
        shown(named) if named else row.name,
        f"{row.cards:,}",
        f"{1e5 * row.cards / cards:,.0f}",
        f"{row.fraud:,}",
        f"{row.honest:,}",
        share(row.precision),
        share(row.recall),
        *(share(row.recalls.get(strategy)) for strategy in strategies),
    )


def _largest(row: MeasureRow, roles: Sequence[str]) -> str:
    found = sorted(((row.recalls.get(role, 0.0), role) for role in roles), reverse=True)
    return ", ".join(f"{role} {recall:.2f}" for recall, role in found if recall >= 0.01)
