"""Plots of the report as inline SVG; text stays text, in the reader's own fonts.

They are written by hand: a plotting library takes longer to be imported than a desk's report takes to be made.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape
from typing import Literal

from duanka.domain.decision import Tier
from duanka.reports.wording import TIERS, number, share

# CSS pixels: narrow, so that text is readable on a phone and in half a printed page.
_WIDTH = 440
_ROW = 31
_TOP, _BOTTOM = 26, 26
_LABEL = 148  # for names of rules, places and shops
_BAR = 0.56  # of a row
_MARGIN = 1.05  # an axis ends so far beyond its longest bar
_CENTRED = 0.38  # of the size of a text: from its middle to its baseline
_STEPS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)  # between the marks of an axis, times a power of ten
_INK, _QUIET, _RULE, _PALE = "#1d2530", "#586472", "#dfe4e9", "#d5dde4"
_ACCENT = TIERS[Tier.HIGH].colour
_MOST_BINS = 120
_LONGEST_LABEL = 11


@dataclass(frozen=True)
class RuleBar:
    """Cards of one rule by tier; `ran` False: the plot says that it did not run."""

    title: str
    id: str
    cards: Mapping[Tier, int]
    ran: bool = True


@dataclass(frozen=True)
class DayRow:
    """Hits of one rule by day."""

    title: str
    hits: Mapping[date, int]
    ran: bool = True


@dataclass(frozen=True)
class ShareBar:
    """A place, shop or device: `at_risk` of `cards`."""

    title: str
    detail: str
    at_risk: int
    cards: int


def cards_per_rule(bars: Sequence[RuleBar]) -> str:
    """Draw a horizontal bar per rule, stacked by tier, the heaviest first."""
    plot = _Plot(len(bars))
    axis = _Axis(_LABEL, _WIDTH - 56, _end(sum(bar.cards.values()) for bar in bars))
    _count_marks(plot, axis)
    for row, bar in enumerate(bars):
        plot.label(row, bar.title, bar.id)
        start = 0
        for tier in sorted(Tier, reverse=True):
            width = bar.cards.get(tier, 0)
            plot.bar(row, axis.at(start), axis.at(start + width), TIERS[tier].colour)
            start += width
        said = number(start) if bar.ran else "未运行 not run"
        plot.write(axis.at(start) + 6, plot.middle(row), said, colour=_INK if bar.ran else _QUIET)
    plot.head(_LABEL, "命中卡数 cards")
    return plot.svg()


def hits_by_day(rows: Sequence[DayRow], first: date, last: date) -> str:
    """Draw a row per rule with its own scale; hits before `first` are a number at the left."""
    last = max([last, *(day for row in rows for day in row.hits)])
    step = -(-((last - first).days + 1) // _MOST_BINS)
    bins = ((last - first).days // step) + 1
    plot, axis = _Plot(len(rows)), _Axis(_LABEL + 42, _WIDTH - 56, bins)
    for mark in sorted({round(i * (bins - 1) / 4) for i in range(5)}):
        plot.mark(axis.at(mark + 0.5), f"{first + timedelta(days=mark * step):%m-%d}")
    for place, row in enumerate(rows):
        plot.label(place, row.title, "")
        _day_row(plot, axis, place, _binned(row.hits, first, step, bins), row.ran)
    plot.head(axis.left - 8, "此前 before", "end")
    plot.head(axis.left, f"{first:%Y-%m-%d} – {last:%Y-%m-%d}")
    plot.head(axis.right + 8, "最高 peak")
    return plot.svg()


def _binned(hits: Mapping[date, int], first: date, step: int, bins: int) -> tuple[int, list[int]]:
    """Return the hits before `first` as one number, the others in bins of `step` days."""
    earlier, heights = 0, [0] * bins
    for day, count in hits.items():
        if day < first:
            earlier += count
        else:
            heights[(day - first).days // step] += count
    return earlier, heights


def _day_row(plot: _Plot, axis: _Axis, place: int, binned: tuple[int, list[int]], ran: bool) -> None:
    earlier, heights = binned
    peak = max(heights)
    base = plot.middle(place) + 0.32 * _ROW
    plot.line(axis.left, axis.right, base, _RULE, 0.8)
    if peak:
        # One outline per rule instead of a bar per day keeps the SVG of a year small.
        outline = "".join(
            f"V{_px(base - 0.64 * _ROW * height / peak)}H{_px(axis.at(end))}"
            for end, height in enumerate(heights, start=1)
        )
        plot.draw(f'<path d="M{_px(axis.left)} {_px(base)}{outline}V{_px(base)}z" fill="#3d5a73"/>')
    said = number(peak) if ran else "未运行"
    plot.write(axis.right + 8, plot.middle(place), said, colour=_INK if peak else _QUIET)
    if earlier:
        plot.write(axis.left - 8, plot.middle(place), number(earlier), anchor="end")


def shares(bars: Sequence[ShareBar]) -> str:
    """Draw cards at risk as bars, and their share of all cards there as dots."""
    middle = 300
    rate_of = [bar.at_risk / bar.cards if bar.cards else 0.0 for bar in bars]
    plot = _Plot(len(bars))
    counts = _Axis(_LABEL, middle - 44, _end(bar.at_risk for bar in bars))
    rates = _Axis(middle, _WIDTH - 50, max(rate_of, default=0.0) * _MARGIN or 1.0)
    _count_marks(plot, counts, 3)
    for mark in _marks(rates.end, 2):
        plot.mark(rates.at(mark), f"{mark:.1%}".replace(".0%", "%"))
    for row, (bar, rate) in enumerate(zip(bars, rate_of, strict=True)):
        at = plot.middle(row)
        plot.label(row, bar.title, bar.detail)
        plot.bar(row, counts.left, counts.at(bar.at_risk), _ACCENT)
        plot.write(counts.at(bar.at_risk) + 6, at, number(bar.at_risk))
        plot.line(rates.left, rates.at(rate), at, _PALE, 1.5)
        plot.draw(f'<circle cx="{_px(rates.at(rate))}" cy="{_px(at)}" r="3.25" fill="{_INK}"/>')
        plot.write(rates.at(rate) + 7, at, share(bar.at_risk, bar.cards))
    plot.head(_LABEL, "风险卡数 at risk")
    plot.head(middle, "占其卡数 share of its cards")
    return plot.svg()


def devices(bars: Sequence[ShareBar]) -> str:
    """Draw the cards seen in each device, and how many of them are at risk."""
    plot = _Plot(len(bars))
    axis = _Axis(_LABEL, _WIDTH - 76, _end(max(bar.cards, bar.at_risk) for bar in bars))
    _count_marks(plot, axis)
    for row, bar in enumerate(bars):
        plot.label(row, bar.title, bar.detail)
        plot.bar(row, axis.left, axis.at(bar.cards), _PALE)
        plot.bar(row, axis.left, axis.at(bar.at_risk), _ACCENT)
        said = f"{number(bar.at_risk)} / {number(bar.cards)}"
        plot.write(axis.at(bar.cards) + 6, plot.middle(row), said)
    plot.head(_LABEL, "风险卡 at risk / 机内卡 cards in the device")
    return plot.svg()


@dataclass(frozen=True)
class _Axis:
    """A scale from 0 at the pixel `left` to `end` at the pixel `right`."""

    left: float
    right: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value."""
        return self.left + (self.right - self.left) * value / self.end


class _Plot:
    """SVG elements over `rows` rows, first drawn, first covered."""

    def __init__(self, rows: int) -> None:
        self._bottom = _TOP + rows * _ROW
        self._drawn: list[str] = []

    def middle(self, row: int) -> float:
        """The pixel of the middle of a row."""
        return _TOP + (row + 0.5) * _ROW

    def draw(self, element: str) -> None:
        """Add an element."""
        self._drawn.append(element)

    def bar(self, row: int, left: float, right: float, colour: str) -> None:
        """Draw a bar; nothing where it has no width."""
        if right > left:
            top, height = self.middle(row) - _ROW * _BAR / 2, _ROW * _BAR
            size = f'width="{_px(right - left)}" height="{_px(height)}"'
            self.draw(f'<rect x="{_px(left)}" y="{_px(top)}" {size} fill="{colour}"/>')

    def line(self, left: float, right: float, at: float, colour: str, width: float) -> None:
        """Draw a horizontal line."""
        path = f"M{_px(left)} {_px(at)}H{_px(right)}"
        self.draw(f'<path d="{path}" stroke="{colour}" stroke-width="{width}" stroke-linecap="square"/>')

    def mark(self, x: float, said: str) -> None:
        """Draw a line down all rows, and write what it stands for below."""
        path = f"M{_px(x)} {self._bottom}V{_TOP}"
        self.draw(f'<path d="{path}" stroke="{_RULE}" stroke-width="0.8" stroke-linecap="square"/>')
        self._text(x, self._bottom + 12.6, said, 10, _QUIET, "middle")

    def write(
        self,
        x: float,
        middle: float,
        said: str,
        *,
        size: float = 10.5,
        colour: str = _INK,
        anchor: Literal["start", "end"] = "start",
    ) -> None:
        """Write text around the height `middle`."""
        self._text(x, middle + _CENTRED * size, said, size, colour, anchor)

    def label(self, row: int, title: str, detail: str) -> None:
        """Write name and code left of a row."""
        middle = self.middle(row)
        self.write(_LABEL - 8, middle - (5.5 if detail else 0), _short(title), size=11.5, anchor="end")
        if detail:
            self.write(_LABEL - 8, middle + 6.5, _short(detail, 12), size=9, colour=_QUIET, anchor="end")

    def head(self, x: float, said: str, anchor: str = "start") -> None:
        """Write a heading above the rows."""
        self._text(x, 14, said, 10, _QUIET, anchor)

    def _text(self, x: float, y: float, said: str, size: float, colour: str, anchor: str) -> None:
        style = f"font-size: {size:g}px; text-anchor: {anchor}; fill: {colour}"
        self.draw(f'<text x="{_px(x)}" y="{_px(y)}" style="{style}">{escape(said, quote=False)}</text>')

    def svg(self) -> str:
        """All elements as inline SVG, without ids: several plots are on one page."""
        box = f'viewBox="0 0 {_WIDTH} {self._bottom + _BOTTOM}"'
        drawn = "\n".join(self._drawn)
        return f'<svg {box} aria-hidden="true" focusable="false">\n{drawn}\n</svg>\n'


def _px(pixels: float) -> str:
    """Pixels with two decimals at most."""
    return f"{pixels:.2f}".rstrip("0").rstrip(".")


def _end(counts: Iterable[int]) -> float:
    """Where an axis of counts ends."""
    return max(1.0, _MARGIN * max(counts, default=0))


def _count_marks(plot: _Plot, axis: _Axis, most: int = 5) -> None:
    for mark in _marks(axis.end, most, whole=True):
        plot.mark(axis.at(mark), f"{mark:,.0f}")


def _marks(end: float, most: int, *, whole: bool = False) -> list[float]:
    """Round values from 0 to `end`, in about `most` equal steps; `whole`: whole numbers."""
    scale = 10.0 ** math.floor(math.log10(end / most))
    steps = [step * scale * power for power in (0.1, 1, 10) for step in _STEPS]
    if whole:
        steps = [step for step in steps if step >= 1 and math.isclose(step, round(step))] or [1]
    wide = next(place for place, step in enumerate(steps) if step >= end / most * (1 - 1e-9))
    # at least two marks, so that a length can be read
    step = next((step for step in reversed(steps[: wide + 1]) if step <= end), steps[0])
    return [count * step for count in range(math.floor(end / step * (1 + 1e-9)) + 1)]


def _short(name: str, longest: int = _LONGEST_LABEL) -> str:
    """Shorten a name to `longest` Chinese characters; a letter counts as half of one."""
    name = " ".join(name.split())
    widths = [1 if sign.isascii() else 2 for sign in name]
    if sum(widths) <= 2 * longest:
        return name
    room = 2 * longest - 2
    for place, width in enumerate(widths):
        room -= width
        if room < 0:
            return name[:place] + "…"
    return name
