"""Lists of the headline figures, for people and programs."""

from __future__ import annotations

from duanka.cli.output.list_columns import ListColumn, Listing
from duanka.cli.shell.language import shown
from duanka.domain.headline import (
    Certainty,
    FigurePlace,
    FigureSplit,
    HeadlineCount,
    HeadlineFigure,
    HeadlineFigures,
    HeadlineRow,
)
from duanka.domain.local_time import operator_zone
from duanka.domain.network import RefusalReason
from duanka.domain.text import BilingualText
from duanka.domain.victims import CallOutcome
from duanka.ledger.audit.trail_texts import row_words

_FIGURES = BilingualText("总体数据", "headline figures")
_ALL, _UNKNOWN = BilingualText("合计", "all"), BilingualText("未知", "unknown")
_AT_LEAST = BilingualText("至少 {count}", "at least {count}")
_UNSPLIT = {
    FigureSplit.OUTLET: BilingualText(
        "网点：只有处置号码能按开卡网点统计（按记录库的号码登记）；其余数据的网点未知。",
        "Outlet: of numbers handled alone, by the register of cards in the store; of the others it is unknown.",
    ),
    FigureSplit.PLATFORM: BilingualText(
        "平台：五项数据都不分互联网平台；关联账号按平台统计见 `duanka accounts figures`。",
        "Platform: none of the five has one; linked accounts by platform: `duanka accounts figures`.",
    ),
}


def _count(one: HeadlineCount) -> str:
    if one.count is None:
        return shown(_UNKNOWN)
    text = f"{one.count:,}"
    return text if one.certainty is Certainty.EXACT else shown(_AT_LEAST.filled(count=text))


def _covered(one: HeadlineCount) -> str:
    """Percent that was measured, rounded down: 100% is all of it."""
    return f"{int(one.covered * 1000) / 10:g}%"


def _what(what: str) -> str:
    """Why it was refused, the outcome of a call, or the event."""
    for words in (RefusalReason, CallOutcome):
        if what in set(words):
            return shown(words(what).words)
    return shown(row_words(what))


def figures_listing(place: FigurePlace) -> Listing[HeadlineCount]:
    """The list of figures; the place that they were asked for is named, where all of it is counted."""
    return Listing(_FIGURES, _figures_columns(place))


def _figures_columns(place: FigurePlace) -> tuple[ListColumn[HeadlineCount], ...]:
    named = [
        shown(_UNKNOWN) if name == "" else name for name in (place.operator, place.city) if name is not None
    ]
    whole = " ".join(named) or shown(_ALL)
    return (
        ListColumn("figure", ("项目", "figure"), lambda one: one.figure.value, word=HeadlineFigure),
        ListColumn(
            "group",
            ("范围", "of"),
            lambda one: one.group,
            lambda one: whole if one.group is None else one.group or shown(_UNKNOWN),
        ),
        ListColumn("count", ("数量", "count"), lambda one: one.count, _count, right=True),
        ListColumn(
            "covered", ("已测量", "measured"), lambda one: round(one.covered, 6), _covered, right=True
        ),
        ListColumn("certainty", None, lambda one: one.certainty.value, word=Certainty),
        ListColumn("losses", None, lambda one: one.losses),
        ListColumn("lost", None, lambda one: one.lost),
    )


ROWS: Listing[HeadlineRow] = Listing(
    BilingualText("明细", "rows"),
    (
        ListColumn("at", ("时间", "time"), lambda one: one.at),
        ListColumn("about", ("对象", "about"), lambda one: one.about),
        ListColumn("what", ("事由", "what"), lambda one: one.what, lambda one: _what(one.what), spare=1),
        ListColumn("source", ("出处", "of"), lambda one: one.source),
        ListColumn("operator", ("运营商", "operator"), lambda one: one.operator, spare=3),
        ListColumn("city", ("城市", "city"), lambda one: one.city, spare=2),
    ),
)


def period(found: HeadlineFigures) -> BilingualText:
    """The period that was counted."""
    since, until = (f"{operator_zone().local(at):%Y-%m-%d %H:%M}" for at in (found.since, found.until))
    return BilingualText(f"{since} 至 {until}", f"{since} to {until}")


def unsplit(by: FigureSplit) -> BilingualText:
    """Which figures have no such place."""
    return _UNSPLIT[by]
