"""The days of a ring as inline SVG: when its cards were opened, first used and last used, by role."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from html import escape

import polars as pl

from duanka.domain.text import BilingualText
from duanka.links.graph.stored import GraphPeriod
from duanka.links.page.words import ROLE_COLOURS, Wording

WIDTH = 1040
_LEFT, _RIGHT = 150, 976
_STRIP, _BAR, _TOP = 84, 62, 18
_MOST_BINS = 130
_LONGEST = 120  # days before the records, from which on openings are "before"
_OLD = 0.05  # share of the cards whose opening may be told in a number before the first day
_MARKS = 6
_BEFORE = BilingualText("此前 {n}", "before: {n}")
_PEAK = BilingualText("最高 {n}", "peak {n}")
_RECORDS = BilingualText("记录自此起", "records begin")
_NONE = BilingualText("无", "none")
STRIPS: tuple[tuple[str, BilingualText], ...] = (
    ("opened_at", BilingualText("开户", "Opened")),
    ("first_used", BilingualText("首次使用", "First used")),
    ("last_used", BilingualText("最后使用", "Last used")),
)


@dataclass(frozen=True)
class _Days:
    """The days from `first` on, `step` in a bin."""

    first: date
    step: int
    bins: int

    def at(self, place: float) -> float:
        """Where a bin begins."""
        return _LEFT + (_RIGHT - _LEFT) * place / self.bins


def days_of(cards: pl.DataFrame, period: GraphPeriod, words: Wording) -> str:
    """Three strips of stacked bars over the same days; each with its own scale."""
    days = _range(cards, period)
    height = _TOP + len(STRIPS) * _STRIP + 22
    parts = [_marks(days, period, words, height)]
    for place, (column, name) in enumerate(STRIPS):
        parts += _strip(cards, column, words.say(name), days, _TOP + place * _STRIP, words)
    drawn = "\n".join(parts)
    return f'<svg viewBox="0 0 {WIDTH} {height}" aria-hidden="true" focusable="false">\n{drawn}\n</svg>'


def _range(cards: pl.DataFrame, period: GraphPeriod) -> _Days:
    """From the first day on which the ring's cards were opened, but for a few old ones, to the last of the records."""
    opened: pl.Series = cards["opened_at"].drop_nulls().dt.date().sort()
    opened = opened.filter(opened >= period.first - timedelta(days=_LONGEST))
    oldest: date = opened[int(opened.len() * _OLD)] if opened.len() else period.first
    first = min(oldest, period.first)
    many = (period.last - first).days + 1
    step = -(-many // _MOST_BINS)
    return _Days(first, step, -(-many // step))


def _strip(cards: pl.DataFrame, column: str, name: str, days: _Days, top: float, words: Wording) -> list[str]:
    day = pl.col(column).dt.date()
    known = cards.filter(pl.col(column).is_not_null())
    before = known.filter(day < days.first).height
    place = ((day - pl.lit(days.first)).dt.total_days() // days.step).alias("bin")
    counts = (
        known.filter(day >= days.first)
        .with_columns(place)
        .filter(pl.col("bin") < days.bins)
        .group_by("bin", "role")
        .len()
    )
    peak = int(counts.group_by("bin").agg(pl.col("len").sum())["len"].max() or 0)  # type: ignore[arg-type]
    base = top + _STRIP - 12
    parts = [
        _text(0, base - _BAR / 2, name, "name"),
        f'<path class="axis" d="M{_LEFT} {base}H{_RIGHT}"/>',
        _text(_RIGHT + 8, base - _BAR + 10, words.say(_PEAK if peak else _NONE, n=peak), "quiet"),
    ]
    if before:
        parts.append(_text(_LEFT - 10, base - 4, words.say(_BEFORE, n=before), "quiet", "end"))
    return parts + _bars(counts, days, peak, base, words)


def _bars(counts: pl.DataFrame, days: _Days, peak: int, base: float, words: Wording) -> list[str]:
    """One path for each role, so that the drawing of a year stays small."""
    of_role = {
        str(role): dict(part.select("bin", "len").iter_rows()) for (role,), part in counts.group_by("role")
    }
    filled, paths = [0] * days.bins, list[str]()
    width = (_RIGHT - _LEFT) / days.bins
    gap = min(1.0, width / 5)
    for role, colour in ROLE_COLOURS.items():
        steps = list[str]()
        for place, n in sorted(of_role.get(role, {}).items()):
            y, tall = base - _BAR * filled[place] / peak, _BAR * n / peak
            steps.append(f"M{days.at(place):.1f} {y:.1f}h{width - gap:.1f}v-{tall:.1f}h-{width - gap:.1f}z")
            filled[place] += n
        if steps:
            paths.append(
                f'<path d="{"".join(steps)}" fill="{colour}"><title>{escape(words.role(role))}</title></path>'
            )
    return paths


def _marks(days: _Days, period: GraphPeriod, words: Wording, height: float) -> str:
    """Dates below, lines up through the strips, and the day on which the records begin."""
    parts = list[str]()
    for place in sorted({round(i * (days.bins - 1) / (_MARKS - 1)) for i in range(_MARKS)}):
        day = days.first + timedelta(days=place * days.step)
        x = (days.at(place) + days.at(place + 1)) / 2
        parts.append(f'<path class="axis" d="M{x:.1f} {_TOP + 6}V{height - 22}"/>')
        parts.append(_text(x, height - 6, f"{day:%Y-%m-%d}", "quiet", "middle"))
    begins = days.at((period.first - days.first).days / days.step)
    if begins > _LEFT:
        parts.append(f'<path class="records" d="M{begins:.1f} {_TOP - 4}V{height - 22}"/>')
        parts.append(_text(begins + 4, _TOP + 1, words.say(_RECORDS), "quiet"))
    return "\n".join(parts)


def _text(x: float, y: float, said: str, kind: str, anchor: str = "start") -> str:
    placed = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}"{placed}>{escape(said, quote=False)}</text>'
