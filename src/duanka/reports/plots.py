"""Plots of the report as inline SVG; text stays text, in the reader's own fonts."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from duanka.domain.decision import Tier
from duanka.reports.wording import TIERS, number, share

# CSS pixels: narrow, so that text is readable on a phone and in half a printed page.
_WIDTH = 440
_ROW = 31
_TOP, _BOTTOM = 26, 26
_LABEL = 148  # for names of rules, places and shops
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
    with _style():
        figure = _figure(len(bars))
        axes = _axes(figure, len(bars), _LABEL, _WIDTH - 56)
        for row, bar in enumerate(bars):
            _label(axes, row, bar.title, bar.id)
            start = 0
            for tier in sorted(Tier, reverse=True):
                width = bar.cards.get(tier, 0)
                if width:
                    axes.barh(row, width, left=start, height=0.56, color=TIERS[tier].colour)
                    start += width
            said = number(start) if bar.ran else "未运行 not run"
            _write(axes, (start, row), (6, 0), said, colour=_INK if bar.ran else _QUIET)
        _count_axis(axes)
        _head(figure, _LABEL, "命中卡数 cards")
        return _svg(figure, "rules")


def hits_by_day(rows: Sequence[DayRow], first: date, last: date) -> str:
    """Draw a row per rule with its own scale; hits before `first` are a number at the left."""
    last = max([last, *(day for row in rows for day in row.hits)])
    step = -(-((last - first).days + 1) // _MOST_BINS)
    bins = ((last - first).days // step) + 1
    left, right = _LABEL + 42, _WIDTH - 56
    binned = [_binned(row.hits, first, step, bins) for row in rows]
    with _style():
        figure = _figure(len(rows))
        axes = _axes(figure, len(rows), left, right)
        for place, row in enumerate(rows):
            _label(axes, place, row.title, "", room=42)
            _day_row(axes, place, binned[place], row.ran)
        axes.set_xlim(0, bins)
        marks = sorted({round(i * (bins - 1) / 4) for i in range(5)})
        axes.set_xticks([mark + 0.5 for mark in marks])
        axes.set_xticklabels([f"{first + timedelta(days=mark * step):%m-%d}" for mark in marks])
        _head(figure, left - 8, "此前 before", ha="right")
        _head(figure, left, f"{first:%Y-%m-%d} – {last:%Y-%m-%d}")
        _head(figure, right + 8, "最高 peak")
        return _svg(figure, "days")


def _binned(hits: Mapping[date, int], first: date, step: int, bins: int) -> tuple[int, list[int]]:
    """Return the hits before `first` as one number, the others in bins of `step` days."""
    earlier, heights = 0, [0] * bins
    for day, count in hits.items():
        if day < first:
            earlier += count
        else:
            heights[(day - first).days // step] += count
    return earlier, heights


def _day_row(axes: Axes, place: int, binned: tuple[int, list[int]], ran: bool) -> None:
    earlier, heights = binned
    bins = len(heights)
    peak = max(heights)
    base = place + 0.32
    axes.plot([0, bins], [base, base], color=_RULE, linewidth=0.8, zorder=1)
    if peak:
        # One outline per rule instead of a bar per day keeps the SVG of a year small.
        tops = [base - 0.64 * height / peak for height in heights]
        axes.stairs(tops, range(bins + 1), baseline=base, fill=True, color="#3d5a73", zorder=2)
    said = number(peak) if ran else "未运行"
    _write(axes, (bins, place), (8, 0), said, colour=_INK if peak else _QUIET)
    if earlier:
        _write(axes, (0, place), (-8, 0), number(earlier), ha="right")


def shares(bars: Sequence[ShareBar], name: str) -> str:
    """Draw cards at risk as bars, and their share of all cards there as dots."""
    middle = 300
    with _style():
        figure = _figure(len(bars))
        counts = _axes(figure, len(bars), _LABEL, middle - 44)
        rates = _axes(figure, len(bars), middle, _WIDTH - 50)
        for row, bar in enumerate(bars):
            _label(counts, row, bar.title, bar.detail)
            counts.barh(row, bar.at_risk, height=0.56, color=_ACCENT)
            _write(counts, (bar.at_risk, row), (6, 0), number(bar.at_risk))
            rate = bar.at_risk / bar.cards if bar.cards else 0.0
            rates.plot([0, rate], [row, row], color=_PALE, linewidth=1.5, zorder=1)
            rates.plot([rate], [row], marker="o", markersize=5.5, color=_INK, zorder=2, clip_on=False)
            _write(rates, (rate, row), (7, 0), share(bar.at_risk, bar.cards))
        _count_axis(counts, 3)
        rates.set_xlim(left=0)
        rates.xaxis.set_major_locator(MaxNLocator(2))
        rates.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:.1%}".replace(".0%", "%")))
        _head(figure, _LABEL, "风险卡数 at risk")
        _head(figure, middle, "占其卡数 share of its cards")
        return _svg(figure, name)


def devices(bars: Sequence[ShareBar]) -> str:
    """Draw the cards seen in each device, and how many of them are at risk."""
    with _style():
        figure = _figure(len(bars))
        axes = _axes(figure, len(bars), _LABEL, _WIDTH - 76)
        for row, bar in enumerate(bars):
            _label(axes, row, bar.title, bar.detail)
            axes.barh(row, bar.cards, height=0.56, color=_PALE)
            axes.barh(row, bar.at_risk, height=0.56, color=_ACCENT)
            _write(axes, (bar.cards, row), (6, 0), f"{number(bar.at_risk)} / {number(bar.cards)}")
        _count_axis(axes)
        _head(figure, _LABEL, "风险卡 at risk / 机内卡 cards in the device")
        return _svg(figure, "devices")


@contextmanager
def _style() -> Iterator[None]:
    """Fix all settings, so that equal findings give identical bytes on every machine."""
    with mpl.rc_context(), warnings.catch_warnings():
        # The page uses the reader's fonts; matplotlib's font only measures the text, and warns that it lacks Chinese.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        mpl.rcdefaults()
        mpl.rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": "duanka",
                "font.family": ["DejaVu Sans"],
                "font.size": 11.0,
                "text.parse_math": False,  # a shop may be called "$1$"
                "axes.unicode_minus": False,
            }
        )
        yield


def _figure(rows: int) -> Figure:
    return Figure(figsize=(_WIDTH / 72, (_TOP + rows * _ROW + _BOTTOM) / 72), dpi=72)


def _axes(figure: Figure, rows: int, left: float, right: float) -> Axes:
    """Create axes between two pixels, one row per bar from the top."""
    height = _TOP + rows * _ROW + _BOTTOM
    axes = figure.add_axes((left / _WIDTH, _BOTTOM / height, (right - left) / _WIDTH, rows * _ROW / height))
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_yticks([])
    axes.patch.set_visible(False)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(axis="x", length=0, labelsize=10, labelcolor=_QUIET, pad=5)
    axes.grid(axis="x", color=_RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def _count_axis(axes: Axes, ticks: int = 5) -> None:
    axes.set_xlim(0, max(1.0, axes.get_xlim()[1]))
    axes.xaxis.set_major_locator(MaxNLocator(ticks, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))


def _write(
    axes: Axes,
    at: tuple[float, float],
    shift: tuple[float, float],
    said: str,
    *,
    size: float = 10.5,
    colour: str = _INK,
    ha: Literal["left", "right"] = "left",
    edge: bool = False,
) -> None:
    """Write text `shift` pixels off a point; `edge`: x is a share of the axes' width."""
    axes.annotate(
        said,
        at,
        shift,
        xycoords=("axes fraction", "data") if edge else "data",
        textcoords="offset points",
        ha=ha,
        va="center_baseline",
        fontsize=size,
        color=colour,
        annotation_clip=False,
    )


def _label(axes: Axes, row: int, title: str, detail: str, room: float = 0) -> None:
    """Write name and code left of a row; `room`: pixels between label and axes."""
    _write(axes, (0, row), (-8 - room, 5.5 if detail else 0), _short(title), size=11.5, ha="right", edge=True)
    if detail:
        _write(axes, (0, row), (-8, -6.5), _short(detail, 12), size=9, colour=_QUIET, ha="right", edge=True)


def _head(figure: Figure, x: float, said: str, ha: str = "left") -> None:
    height = figure.get_figheight() * 72
    figure.text(x / _WIDTH, 1 - 14 / height, said, ha=ha, va="baseline", fontsize=10, color=_QUIET)


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


def _svg(figure: Figure, name: str) -> str:
    """Return inline SVG without metadata, and with ids unique on the page."""
    whole = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(whole, format="svg", facecolor="none", metadata=nothing)
    drawn = whole.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", drawn, flags=re.DOTALL)
    drawn = re.sub(
        r"<svg [^>]*?viewBox=\"([^\"]*)\"[^>]*>",
        r'<svg viewBox="\1" aria-hidden="true" focusable="false">',
        drawn,
        count=1,
    )
    drawn = drawn.replace(" xlink:href=", " href=")
    used = set(re.findall(r"(?:href=\"|url\()#([\w-]+)", drawn))
    drawn = re.sub(
        r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", drawn
    )
    drawn = re.sub(r"(href=\"|url\()#", rf"\1#{name}-", drawn)
    return re.sub(r"\n\s*", "\n", drawn)
