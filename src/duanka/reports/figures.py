"""Figures of the report: a plot, a sentence about it, and its numbers as a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from duanka.domain.decision import Tier
from duanka.domain.findings import Findings, Share
from duanka.domain.phone_masking import masked_device, masked_text
from duanka.domain.text import BilingualText
from duanka.reports import plots
from duanka.reports.wording import TIERS, number, share

_MAX_BARS = 15


@dataclass(frozen=True)
class Figure:
    """One figure. `svg`: "" if there is nothing to draw; `says`: for screen readers."""

    id: str
    title: BilingualText
    note: BilingualText
    says: BilingualText
    svg: str
    columns: tuple[BilingualText, ...]
    rows: tuple[tuple[str, ...], ...]
    tiers: bool = field(default=False)


def figures(findings: Findings, *, masked: bool) -> tuple[Figure, ...]:
    """Return every figure of the page, in order."""
    profile = findings.profile
    text = masked_text if masked else str
    device = masked_device if masked else str
    return (
        _rules(findings),
        _days(findings),
        _places(
            "cities",
            BilingualText("在哪里", "Where"),
            BilingualText("城市", "city"),
            _bars(profile.cities, text),
        ),
        _places(
            "outlets",
            BilingualText("哪些网点", "Which outlets"),
            BilingualText("开卡网点", "outlet that opened the cards"),
            _bars(profile.outlets, text),
        ),
        _devices(_bars(profile.devices, device, device)),
    )


def _rules(findings: Findings) -> Figure:
    runs = {run.rule: run for run in findings.runs if run.ran}
    tiers = sorted(Tier, reverse=True)
    bars, rows, totals = [], [], {}
    for rule in findings.counting:
        cards, run = {tier: findings.counts.get((rule.id, tier), 0) for tier in tiers}, runs.get(rule.id)
        totals[rule.id] = sum(cards.values())
        bars.append(plots.RuleBar(rule.title.zh, rule.id, cards, run is not None))
        cells = [number(cards[tier]) if run else "—" for tier in tiers]
        rows.append((f"{rule.title.zh} {rule.id}", *cells, number(run.hits) if run else "未运行 not run"))
    most = max(findings.counting, key=lambda rule: totals[rule.id], default=None)
    says = BilingualText("没有规则命中。", "No rule was tripped.")
    if most is not None and totals[most.id]:
        total = number(totals[most.id])
        says = BilingualText(
            f"命中最多：{most.title.zh}，{total} 张卡。", f"Most cards: {most.title.en}, {total}."
        )
    return Figure(
        "rules",
        BilingualText("每条规则命中的卡", "Cards per rule and tier"),
        BilingualText(
            "一张卡可命中多条规则，等级是整张卡的等级。",
            "A card can trip several rules; the tier is that of the whole card.",
        ),
        says,
        plots.cards_per_rule(bars) if any(totals.values()) else "",
        (
            BilingualText("规则", "rule"),
            *(TIERS[tier].words for tier in tiers),
            BilingualText("命中次数", "hits"),
        ),
        tuple(rows),
        tiers=True,
    )


def _days(findings: Findings) -> Figure:
    by_rule: defaultdict[str, dict[date, int]] = defaultdict(dict)
    by_day: defaultdict[date, int] = defaultdict(int)
    for entry in findings.profile.days:
        by_rule[entry.rule][entry.day] = by_rule[entry.rule].get(entry.day, 0) + entry.hits
        by_day[entry.day] += entry.hits
    ran = {run.rule for run in findings.runs if run.ran}
    rows = [
        plots.DayRow(rule.title.zh, by_rule.get(rule.id, {}), rule.id in ran) for rule in findings.counting
    ]
    first = findings.span.first.date()
    # `until` at midnight: the last day is the one that has just ended
    last = max(first, (findings.span.until - timedelta(microseconds=1)).date())
    says = BilingualText("没有命中。", "No hits.")
    if by_day:
        day = max(by_day, key=lambda day: (by_day[day], day))
        says = BilingualText(
            f"命中最多的一天：{day}，{number(by_day[day])} 次。",
            f"Most hits on {day}: {number(by_day[day])}.",
        )
    return Figure(
        "days",
        BilingualText("每天的命中次数", "Hits per day and rule"),
        BilingualText(
            "各行自成比例，右侧为最高一天；记录开始之前到期的合为左侧一数。",
            "Each row has its own scale, its highest day at the right; what fell due before the records begin is one"
            " number at the left.",
        ),
        says,
        plots.hits_by_day(rows, first, last) if by_day else "",
        (BilingualText("日期", "day"), BilingualText("命中次数", "hits, all rules")),
        tuple((str(day), number(by_day[day])) for day in sorted(by_day)),
    )


def _places(id_: str, title: BilingualText, what: BilingualText, bars: Sequence[plots.ShareBar]) -> Figure:
    note = BilingualText(
        f"按{what.zh}；风险卡＝处置高于“关注”的卡。占比高而卡数少的，先看卡数再下结论。",
        f"By {what.en}; at risk = an action beyond watch. A high share of few cards proves little.",
    )
    return _shares(id_, title, note, what, bars, plots.shares(bars) if bars else "")


def _devices(bars: Sequence[plots.ShareBar]) -> Figure:
    note = BilingualText(
        "同一 IMEI 里用过的卡，其中深色为风险卡。IMEI 可被改写，一机多卡也可能是维修机。",
        "Cards that sat in one IMEI, the dark part at risk. An IMEI can be rewritten; a workshop's phone sees many"
        " cards too.",
    )
    title, what = BilingualText("哪些终端", "Which devices (IMEI)"), BilingualText("终端", "device")
    return _shares("devices", title, note, what, bars, plots.devices(bars) if bars else "")


def _shares(
    id_: str,
    title: BilingualText,
    note: BilingualText,
    what: BilingualText,
    bars: Sequence[plots.ShareBar],
    svg: str,
) -> Figure:
    columns = (
        BilingualText("风险卡", "at risk"),
        BilingualText("卡数", "cards"),
        BilingualText("占比", "share"),
    )
    rows = (
        (
            f"{bar.title} {bar.detail}".strip(),
            number(bar.at_risk),
            number(bar.cards),
            share(bar.at_risk, bar.cards),
        )
        for bar in bars
    )
    return Figure(id_, title, note, _most(bars), svg, (what, *columns), tuple(rows))


def _bars(
    found: Sequence[Share], shown: Callable[[str], str], code: Callable[[str], str] | None = None
) -> tuple[plots.ShareBar, ...]:
    """Return bars, largest first: name with code beneath, or only the code."""
    return tuple(
        plots.ShareBar(
            shown(one.title) if one.title else (code or shown)(one.name),
            (code or shown)(one.name) if one.title and one.title != one.name else "",
            one.at_risk,
            one.cards,
        )
        for one in found[:_MAX_BARS]
    )


def _most(bars: Sequence[plots.ShareBar]) -> BilingualText:
    if not bars:
        return BilingualText("没有数据。", "Nothing to show.")
    first = bars[0]
    return BilingualText(
        f"最多：{first.title}，{number(first.cards)} 张卡中 {number(first.at_risk)} 张有风险。",
        f"First: {first.title}, {number(first.at_risk)} of {number(first.cards)} cards at risk.",
    )
