"""Plots of the report as SVG, drawn by hand: funnel, caterpillar, CUSUM. Text stays text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from duanka.assessment.report.model import ComparedUnit, UnitComparison
from duanka.domain.assessment import FigureShape, Measure
from duanka.domain.text import BilingualText, Language

WIDTH = 720
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 20, 26, 44
_FUNNEL_HEIGHT, _CUSUM_HEIGHT = 265, 215
# up to so many units: height of a row, so that a funnel and the rows share a page
_ROWS = ((16, 20), (30, 16), (400, 13.5))
_LABEL = 150  # names of units
_RANK_HEAD = 210  # from the right, where the heading of ranks might touch another one
_FONT = 'font-family="Noto Sans SC, Noto Sans CJK SC"'
INK, QUIET, RULE, PALE, RED, AMBER, BLUE = (
    *("#1d2530", "#586472", "#dfe4e9", "#c9d2da"),
    *("#b3261e", "#b06a00", "#2b5c9e"),
)
_MOST_ALARMS = 8.0  # of the axis of a CUSUM
_NAMED = 8  # units outside the limits that the funnel names
MOST_ROWS = 40  # of a caterpillar
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STEPS = (1, 2, 2.5, 5, 10)
_LINES = (RED, BLUE, AMBER, "#2e7d32", "#6a3d9a", "#00838f", "#8d6e63", "#ad1457")

LIMITS = {0.95: "#7d8b99", 0.998: "#3d5a73"}
_SIZE = {
    FigureShape.RATE: BilingualText("活跃号码数（对数刻度）", "active cards (log scale)"),
    FigureShape.SHARE: BilingualText("基数（对数刻度）", "cases that it is of (log scale)"),
}
_SIZE_BY_AGE = BilingualText(
    "按卡龄标准化的活跃号码数（对数刻度）", "active cards, counted by age (log scale)"
)
_TARGET = BilingualText("全部合计", "all together")
_LISTED = BilingualText("达到挂牌标准", "meets the criterion")
_OUTSIDE = BilingualText("超出99.8%控制限", "outside the 99.8% limits")
_ALARM = BilingualText("警戒线", "alarm")
_BEST = BilingualText("名次（95%区间，1为最好）", "rank (95% interval, 1 is the best)")


@dataclass(frozen=True)
class _Scale:
    """Values from `low` to `high` at the pixels `first` to `last`."""

    low: float
    high: float
    first: float
    last: float
    log: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value; values beyond the ends are at the ends."""
        inside = min(max(value, self.low), self.high)
        share = (
            math.log(inside / self.low) / math.log(self.high / self.low)
            if self.log
            else (inside - self.low) / (self.high - self.low)
        )
        return self.first + (self.last - self.first) * share


def funnel_plot(found: UnitComparison, language: Language) -> str:
    """Figures over exposure with both limits; who is outside is named. "": not compared."""
    curve, units = (
        found.curve,
        [one for one in found.units if one.compared is not None and one.lower is not None],
    )
    if curve is None or not units:
        return ""
    top = 1.1 * max(one.compared or 0 for one in units)
    high_curve = sorted(curve.limits[0.998][1])[len(curve.at) // 3]
    highest = max(top, min(1.1 * high_curve, 3 * top), curve.target * 1.3)
    if found.measure.shape is FigureShape.SHARE:
        highest = min(highest, 1.0)
    x = _Scale(curve.at[0], curve.at[-1], _LEFT, WIDTH - _RIGHT, log=True)
    y = _Scale(0, highest, _FUNNEL_HEIGHT - _BOTTOM, _TOP)
    parts = _grid(y, found.measure, _LEFT, WIDTH - _RIGHT)
    for mark in _log_marks(x):
        parts.append(_vertical(x.at(mark), _TOP, _FUNNEL_HEIGHT - _BOTTOM))
        parts.append(
            _text(x.at(mark), _FUNNEL_HEIGHT - _BOTTOM + 14, _short_count(mark, language), "middle", QUIET)
        )
    parts.append(
        _text(
            *((_LEFT + WIDTH) / 2, _FUNNEL_HEIGHT - 8),
            (_SIZE_BY_AGE if found.by_age else _SIZE[found.measure.shape]).in_(language),
            *("middle", QUIET),
        )
    )
    for coverage, sides in curve.limits.items():
        for side in sides:
            points = [
                (x.at(at), y.at(value)) for at, value in zip(curve.at, side, strict=True) if value <= highest
            ]
            dash = "" if coverage == 0.998 else "5 3"
            parts.append(_path(points, LIMITS[coverage], 1.3, dash))
    parts.append(_line(_LEFT, WIDTH - _RIGHT, y.at(curve.target), INK, 1))
    parts += _dots(units, x, y, found.measure)
    parts += _legend(language)
    return _svg(_FUNNEL_HEIGHT, parts)


def _dots(units: Sequence[ComparedUnit], x: _Scale, y: _Scale, measure: Measure) -> list[str]:
    parts, taken = list[str](), list[tuple[float, float]]()
    radius = 4.2 if len(units) <= 60 else 2.6
    far = sorted(units, key=lambda one: (not one.listed, -abs(one.place)))
    for one in reversed(far):
        at = x.at(one.size or 1), y.at(one.compared or 0)
        colour = RED if one.listed else AMBER if abs(one.place) == 2 else BLUE
        parts.append(
            f'<circle cx="{_px(at[0])}" cy="{_px(at[1])}" r="{radius}" fill="{colour}" fill-opacity="0.85"/>'
        )
    for one in [one for one in far if one.listed or abs(one.place) == 2][:_NAMED]:
        at = x.at(one.size or 1), y.at(one.compared or 0)
        left = at[0] > WIDTH - 150
        side = (at[0] - 8 if left else at[0] + 8), at[1] + 3.5
        if any(abs(side[0] - used[0]) < 110 and abs(side[1] - used[1]) < 11 for used in taken):
            continue  # names over one another cannot be read; the table has them
        taken.append(side)
        parts.append(_text(*side, _short(one.figure.unit, 10), "end" if left else "start", INK, 9.5))
    return parts


def _legend(language: Language) -> list[str]:
    parts, at = [_line(_LEFT, _LEFT + 22, 12, INK, 1)], _LEFT + 100.0
    parts.append(_text(_LEFT + 27, 15.5, _TARGET.in_(language), "start", QUIET, 9.5))
    for coverage, colour in LIMITS.items():
        parts.append(_path([(at, 12), (at + 22, 12)], colour, 1.3, "" if coverage == 0.998 else "5 3"))
        said = f"{coverage:.1%}".replace(".0%", "%") + BilingualText("控制限", " limits").in_(language)
        parts.append(_text(at + 27, 15.5, said, "start", QUIET, 9.5))
        at += 100
    for colour, words in ((AMBER, _OUTSIDE), (RED, _LISTED)):
        parts.append(f'<circle cx="{_px(at + 6)}" cy="12" r="4" fill="{colour}"/>')
        parts.append(_text(at + 14, 15.5, words.in_(language), "start", QUIET, 9.5))
        at += 140
    return parts


def caterpillar_plot(found: UnitComparison, language: Language) -> str:
    """A row for each unit, the worst first: its figure, the shrunk one and the rank, each with its interval."""
    units = [one for one in found.units if one.shrunk is not None][:MOST_ROWS]
    if not units:
        return ""
    high = next(pixels for most, pixels in _ROWS if len(units) <= most)
    height = _TOP + len(units) * high + 30
    highest = max(
        max(one.shrunk_upper or 0, one.compared or 0, min(one.upper or 0, 3 * (one.shrunk_upper or 0)))
        for one in units
    )
    if found.measure.shape is FigureShape.SHARE:
        highest = min(1.05 * highest, 1.0)
    x = _Scale(0, highest or 1.0, _LABEL, WIDTH - 118)
    parts = list[str]()
    for mark in _marks(x.high):
        parts.append(_vertical(x.at(mark), _TOP, height - 30))
        parts.append(_text(x.at(mark), height - 14, _mark_text(mark, found.measure), "middle", QUIET, 9.5))
    if found.curve:
        at = x.at(found.curve.target)
        side = "end" if at > WIDTH - _RANK_HEAD else "middle"
        parts.append(_vertical(at, _TOP, height - 30, INK, "4 3"))
        parts.append(_text(at, _TOP - 6, _TARGET.in_(language), side, INK, 9.5))
    if units[0].rank is not None:
        parts.append(_text(WIDTH - 2, _TOP - 6, _BEST.in_(language), "end", QUIET, 9.5))
    for row, one in enumerate(units):
        parts += _caterpillar_row(one, _TOP + (row + 0.5) * high, x)
    return _svg(height, parts)


def _caterpillar_row(one: ComparedUnit, y: float, x: _Scale) -> list[str]:
    colour = RED if one.listed else AMBER if abs(one.place) == 2 else BLUE
    parts = [_text(_LABEL - 8, y + 3.5, _short(one.figure.unit, 12), "end", INK, 10)]
    parts.append(_line(x.at(one.lower or 0), x.at(one.upper or 0), y, PALE, 5))
    parts.append(_line(x.at(one.shrunk_lower or 0), x.at(one.shrunk_upper or 0), y, colour, 1.6))
    parts.append(f'<circle cx="{_px(x.at(one.shrunk or 0))}" cy="{_px(y)}" r="3.4" fill="{colour}"/>')
    own = x.at(one.compared or 0)
    parts.append(f'<path d="M{_px(own)} {_px(y - 5)}V{_px(y + 5)}" stroke="{INK}" stroke-width="1.2"/>')
    if one.rank is not None:
        parts.append(
            _text(WIDTH - 2, y + 3.5, f"{one.rank} ({one.rank_low}–{one.rank_high})", "end", INK, 10)
        )
    return parts


def cusum_plot(found: UnitComparison, language: Language) -> str:
    """Sums of the units over their alarm limits; above 1 is a lasting change for the worse. "": too few periods."""
    if not found.cusum:
        return ""
    right = WIDTH - 130
    highest = max(1.25, 1.1 * max(max(line.sums) for line in found.cusum))
    x = _Scale(0, max(len(found.periods) - 1, 1), _LEFT, right)
    y = _Scale(0, min(highest, _MOST_ALARMS), _CUSUM_HEIGHT - _BOTTOM, _TOP)
    parts = _grid(y, None, _LEFT, right)
    each = max(1, math.ceil(len(found.periods) / 10))
    for at, period in enumerate(found.periods):
        if (len(found.periods) - 1 - at) % each == 0:
            parts.append(_text(x.at(at), _CUSUM_HEIGHT - _BOTTOM + 14, str(period), "middle", QUIET, 9.5))
    parts.append(_line(_LEFT, right, y.at(1), RED, 1.2))
    parts.append(_text(_LEFT + 4, y.at(1) - 4, _ALARM.in_(language), "start", RED, 9.5))
    loud = [line for line in found.cusum if max(line.sums) > 1]
    for line in found.cusum:
        colour = _LINES[loud.index(line) % len(_LINES)] if line in loud else PALE
        parts.append(_path([(x.at(at), y.at(value)) for at, value in enumerate(line.sums)], colour, 1.6))
    ends = [y.at(line.sums[-1]) for line in loud]
    for line, end in zip(loud, _spread(ends, 11.5), strict=True):
        colour = _LINES[loud.index(line) % len(_LINES)]
        parts.append(_text(right + 6, end + 3.5, _short(line.unit, 10), "start", colour, 9.5))
    return _svg(_CUSUM_HEIGHT, parts)


def _spread(wanted: Sequence[float], apart: float) -> list[float]:
    """Heights as wanted, but `apart` from one another."""
    order = sorted(range(len(wanted)), key=lambda at: wanted[at])
    found, last = [0.0] * len(wanted), -math.inf
    for at in order:
        last = max(wanted[at], last + apart)
        found[at] = last
    over = max(0.0, last - (_CUSUM_HEIGHT - _BOTTOM))
    return [one - over for one in found]


def shown_figure(value: float | None, measure: Measure | None) -> str:
    """A figure as people read it: a share in percent, a rate per 10,000 or hours with decimals; "" without one."""
    if value is None:
        return ""
    if measure is not None and measure.shape is FigureShape.SHARE:
        return f"{value:.1%}"
    if measure is not None and measure.shape is FigureShape.COUNT:
        return f"{value:,.0f}"
    return (
        f"{value:,.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 or value == 0 else f"{value:.3g}"
    )


def _grid(y: _Scale, measure: Measure | None, left: float, right: float) -> list[str]:
    parts = list[str]()
    for mark in _marks(y.high):
        parts.append(_line(left, right, y.at(mark), RULE, 0.8))
        parts.append(_text(left - 7, y.at(mark) + 3.5, _mark_text(mark, measure), "end", QUIET))
    return parts


def _mark_text(mark: float, measure: Measure | None) -> str:
    """A round value on an axis, with no more decimals than it needs."""
    if measure is not None and measure.shape is FigureShape.SHARE:
        return f"{100 * mark:.6g}%"
    return f"{mark:,.6g}"


def _marks(end: float) -> list[float]:
    """Round values from 0 to `end`, about five."""
    scale = 10.0 ** math.floor(math.log10(end / 5))
    step = next(one * scale for one in (*_STEPS, 20) if one * scale >= end / 5 * (1 - 1e-9))
    return [at * step for at in range(math.floor(end / step * (1 + 1e-9)) + 1)]


def _log_marks(x: _Scale) -> list[float]:
    powers = range(math.floor(math.log10(x.low)), math.ceil(math.log10(x.high)) + 1)
    wide = [ten for power in powers if x.low <= (ten := 10.0**power) <= x.high]
    if len(wide) >= 3:
        return wide
    return [at for power in powers for one in (1, 2, 5) if x.low <= (at := one * 10.0**power) <= x.high]


def _short_count(count: float, language: Language) -> str:
    if language == "zh":
        return (
            f"{count / 1e8:g}亿" if count >= 1e8 else f"{count / 1e4:g}万" if count >= 1e4 else f"{count:g}"
        )
    return f"{count / 1e6:g} M" if count >= 1e6 else f"{count:,.0f}"


def _short(name: str, longest: int) -> str:
    """A name of at most `longest` Chinese letters; a Latin one counts as half."""
    plain, room = " ".join(_NO_XML.sub("?", name).split()), 2.0 * longest
    for at, sign in enumerate(plain):
        room -= 1 if sign.isascii() else 2
        if room < 0:
            return plain[: max(at - 1, 1)] + "…"
    return plain


def _px(pixels: float) -> str:
    return f"{pixels:.1f}"


def _line(left: float, right: float, y: float, colour: str, width: float) -> str:
    return (
        f'<path d="M{_px(left)} {_px(y)}H{_px(right)}" stroke="{colour}" stroke-width="{width}" fill="none"/>'
    )


def _vertical(x: float, top: float, bottom: float, colour: str = RULE, dash: str = "") -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="M{_px(x)} {_px(bottom)}V{_px(top)}" stroke="{colour}" stroke-width="0.8"{dashes} fill="none"/>'


def _path(points: Iterable[tuple[float, float]], colour: str, width: float, dash: str = "") -> str:
    line = "L".join(f"{_px(x)} {_px(y)}" for x, y in points)
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="M{line}" stroke="{colour}" stroke-width="{width}"{dashes} fill="none"/>' if line else ""


def _text(x: float, y: float, said: str, anchor: str, colour: str, size: float = 10.5) -> str:
    where = f'x="{_px(x)}" y="{_px(y)}" font-size="{size:g}" fill="{colour}" text-anchor="{anchor}"'
    return f"<text {where} {_FONT}>{escape(said)}</text>"


def _svg(height: float, parts: Iterable[str]) -> str:
    size = f'width="{WIDTH}" height="{height:.0f}" viewBox="0 0 {WIDTH} {height:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'
