"""Guesses the columns of time, duration and answered state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from duanka.domain.text import BilingualText
from duanka.ingest.guessing import codes
from duanka.ingest.guessing.picking import (
    FITS,
    FITS_WELL,
    FLAG,
    KNOWN_VALUES,
    TIMES,
    Columns,
    Pick,
    by_its_values,
)
from duanka.ingest.guessing.proposal import ColumnGuess, Sureness, sure_if
from duanka.ingest.guessing.values import TimeReading, Values
from duanka.ingest.model.header_names import Meaning, brackets, plain
from duanka.ingest.model.value_text import as_text, trimmed
from duanka.ingest.normalise import durations
from duanka.ingest.normalise import timestamps as times

_JOINED = (
    *("", "%Y-%m-%d %H%M%S", "%Y%m%d %H%M%S", "%Y/%m/%d %H%M%S"),
    *("%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S"),
)
_UNITS = {
    "ms": ("ms", "毫秒", "millisecond", "milliseconds", "msec"),
    "min": ("min", "分钟", "minute", "minutes"),
}
_SECONDS = ("s", "秒", "sec", "second", "seconds")
_ASTERISK = {"ANSWERED": "true", **dict.fromkeys(("NO ANSWER", "BUSY", "FAILED", "CONGESTION"), "false")}
_MAX_MEDIAN_SECONDS = 5_000  # median above which values are hardly seconds
_MIN_DISTINCT_LENGTHS = 5  # minimum distinct durations; fewer may be codes
_MIN_TIMES = 200  # minimum number of timestamps to infer their zone from the hours of the day


def moment(columns: Columns, meaning: Meaning, *, day: bool = False) -> ColumnGuess | None:
    """The column of the time, or two: day and time of day. `day`: a day is enough."""
    picks: list[tuple[Pick, TimeReading]] = []
    for name, exact in columns.called(meaning):
        read = columns.values[name].moments
        if read.share >= FITS:
            why = BilingualText(f"{read.share:.1%} 是时间", f"{read.share:.1%} read as times")
            picks.append((Pick(name, read.share, sure_if(exact and read.share >= FITS_WELL), why), read))
    whole = [one for one in picks if one[1].day_only == day] or (picks if day else [])
    if whole:
        return _settled(columns, *whole[0])
    if not day and (joined := _joined(columns, [pick for pick, read in picks if read.day_only])):
        return joined
    if meaning is not Meaning.WHEN:
        return _settled(columns, *picks[0]) if picks else None  # for a register a day is enough
    found = _by_values(columns, day=day)
    if found is None:
        _ask_form(columns)
    return found


def _ask_form(columns: Columns) -> None:
    """Ask for the format of a column named like a time that does not parse as one."""
    for name, exact in columns.called(Meaning.WHEN):
        values = columns.values[name]
        if exact and len(values.filled) and values.moments.share < FITS and values.clock < FITS:
            columns.ask(
                f"列 {name!r} 应为时间，但 {values.filled[0]!r} 读不通：请用 formats 写明（docs/MAPPING.md）；未采用",
                f"column {name!r} is called like a time, but {values.filled[0][:40]!r} reads as none: say its"
                " `formats` (docs/MAPPING.md); it is left out",
            )
            return


def _settled(columns: Columns, pick: Pick, read: TimeReading) -> ColumnGuess | None:
    if read.other is not None:
        one, other = read.keys["formats"], read.other["formats"]
        columns.ask(
            f"列 {pick.name!r} 的日期可读作 {one} 也可读作 {other}；请在映射中用 formats 写明",
            f"column {pick.name!r}: its days read as {one} and as {other}; say which with `formats`, it is left out",
        )
        return None
    return pick.guess(read.keys)


def _joined(columns: Columns, days: Sequence[Pick]) -> ColumnGuess | None:
    """A time from a column of days and one of times of day."""
    called = [name for name, _ in columns.called(Meaning.WHEN)]
    clocks = [name for name in called if columns.values[name].clock >= FITS]
    clocks = clocks or [name for name in called if columns.values[name].clock_without_zeros >= FITS]
    clocks = clocks or [
        name for name, values in columns.values.items() if values.clock >= 0.98 and not columns.named[name]
    ]
    if not days or not clocks:
        return None
    day, clock = days[0].name, clocks[0]
    best: tuple[float, dict[str, Any]] = (0.0, {})
    text = as_text(columns.values[day].series) + " " + as_text(columns.values[clock].series)
    text = text.drop_nulls()
    zone, region = columns.knowledge.zone, columns.knowledge.numbers.region
    for form in _JOINED:
        read = times.moments(text, (form,) if form else (), None, zone, region=region)
        share = (len(read) - read.null_count()) / max(len(read), 1)
        if share > best[0]:
            best = (share, {"formats": form} if form else {})
    if best[0] < FITS:
        return None
    keys = {"from": [day, clock], "join": " ", **best[1]}
    why = BilingualText(
        f"日期加时刻；合起来 {best[0]:.1%} 是时间",
        f"a day and a time of day; {best[0]:.1%} read together as times",
    )
    return ColumnGuess(keys, sure_if(best[0] >= FITS_WELL and bool(columns.named[clock])), why)


def _by_values(columns: Columns, *, day: bool) -> ColumnGuess | None:
    found = {
        name: values.moments
        for name, values in columns.values.items()
        if not columns.named[name] and values.moments.share >= 0.98 and values.moments.day_only == day
    }
    if not found:
        return None
    first = next(iter(found))
    if len(found) > 1:
        firsts = [name for name in found if all(_is_before(columns, name, other) for other in found)]
        if len(firsts) != 1:
            names = ", ".join(map(repr, found))
            columns.ask(
                f"哪一列是起始时间：{names}？",
                f"which of {names} is the time at which the call or event began?",
            )
            return None
        first = firsts[0]
    read = found[first]
    why = by_its_values(read.share, TIMES)
    if len(found) > 1:
        why = BilingualText(f"{why.zh}；几列中最早的", f"{why.en}; the earliest of several")
    return _settled(columns, Pick(first, read.share, Sureness.LIKELY, why), read)


def _is_before(columns: Columns, name: str, other: str) -> bool:
    one, two = (_whole(columns.values[column]) for column in (name, other))
    if one is None or two is None:
        return False
    both = one.is_not_null() & two.is_not_null()
    return bool(both.any()) and int(((one <= two) & both).sum()) >= 0.99 * int(both.sum())


def length(columns: Columns) -> ColumnGuess | None:
    """The column of call durations, with its unit."""
    best: tuple[Pick, dict[str, Any]] | None = None
    for name, exact in columns.called(Meaning.DURATION):
        values = columns.values[name]
        if not len(values.filled) or values.moments.share >= FITS:
            continue
        share, keys = _unit(columns, values)
        if share < FITS:
            continue
        well = share >= FITS_WELL
        if best is None or (well and best[0].share < FITS_WELL):
            why = BilingualText(f"{share:.1%} 是时长", f"{share:.1%} read as durations")
            best = Pick(name, share, sure_if(exact and well), why), keys
    return best[0].guess(best[1]) if best else _length_by_values(columns)


def _length_by_values(columns: Columns) -> ColumnGuess | None:
    """Without a header: the only column of counts with some zeros (unanswered calls)."""
    if columns.header:
        return None
    found = [
        name
        for name, values in columns.values.items()
        if values.durations >= FITS_WELL and values.counts >= FITS_WELL and values.moments.share < FITS
        and values.filled.n_unique() >= _MIN_DISTINCT_LENGTHS and bool((values.seconds == 0).any())
        and _median(values.seconds) <= _MAX_MEDIAN_SECONDS
    ]  # fmt: skip
    if len(found) != 1:
        return None
    why = by_its_values(columns.values[found[0]].durations, BilingualText("时长", "durations"))
    return ColumnGuess(found[0], Sureness.LIKELY, why)


def _unit(columns: Columns, values: Values) -> tuple[float, dict[str, Any]]:
    """Share of values that parse as durations, and mapping keys for their unit."""
    said = plain(brackets(values.name))
    ending = plain(values.name)
    for unit, words in _UNITS.items():
        if said in words or ending.endswith(words if unit == "ms" else ("分钟", "minutes")):
            return values.counts, {"unit": unit}
    if values.packed_clock or values.parts_of_a_day:
        return values.counts, {"unit": "hhmmss" if values.packed_clock else "days"}
    if values.durations < FITS:
        return _pairs(columns, values)
    plain_seconds = said in _SECONDS or values.counts < FITS
    if not plain_seconds and (unit := _by_the_end(columns, values)):
        return values.counts, {"unit": unit}
    half = _median(values.seconds)
    if plain_seconds or half <= _MAX_MEDIAN_SECONDS:
        return values.durations, {}
    columns.ask(
        f"列 {values.name!r} 的时长中位数为 {half:,.0f}：单位是什么？请用 unit 写明；未采用",
        f"column {values.name!r}: half of its durations are above {half:,.0f}: of which unit? Say it with `unit`;"
        " it is left out",
    )
    return 0.0, {}


def _pairs(columns: Columns, values: Values) -> tuple[float, dict[str, Any]]:
    """Durations of two numbers: minutes and seconds, or hours and minutes."""
    pairs = durations.seconds(values.filled, "mm:ss")
    share = (len(pairs) - pairs.null_count()) / len(pairs)
    if share < FITS or bool((pairs >= 24 * 60).any()):
        return (share, {"unit": "mm:ss"}) if share >= FITS else (0.0, {})
    columns.ask(
        f'列 {values.name!r} 的时长如 {values.filled[0]!r}：是分:秒（unit = "mm:ss"）还是时:分（"hh:mm"）？未采用',
        f"column {values.name!r} has durations such as {values.filled[0]!r}: `mm:ss` or `hh:mm`? Say it with"
        " `unit`; it is left out",
    )
    return 0.0, {}


def _by_the_end(columns: Columns, values: Values) -> str:
    """Unit inferred from begin and end of the calls; "" for seconds or unknown."""
    begins = [name for one in (Meaning.ANSWERED_AT, Meaning.WHEN) for name, _ in columns.called(one)]
    ends = [name for name, _ in columns.called(Meaning.ENDED_AT)]
    if not begins or not ends:
        return ""
    begin, end = (_whole(columns.values[name]) for name in (begins[0], ends[0]))
    if begin is None or end is None:
        return ""
    span = (end - begin).dt.total_seconds()
    counted = trimmed(values.series).cast(pl.Float64, strict=False)
    known = (span > 0) & (counted > 0)
    ratio = _median((counted / span).filter(known.fill_null(False)))
    if 500 <= ratio <= 1100:
        return "ms"
    return "min" if 1 / 70 <= ratio <= 1 / 20 else ""


def _whole(values: Values) -> pl.Series | None:
    """Times of a column, row by row; None unless it holds times."""
    read = values.moments
    if read.share < FITS or read.day_only:
        return None
    return values.read_as_moments(values.series, read.keys)


def _median(numbers: pl.Series) -> float:
    middle = numbers.median()
    return float(middle) if isinstance(middle, int | float) else 0.0


def answered(columns: Columns, seconds: ColumnGuess | None) -> ColumnGuess | None:
    """The answered state: a column of its own, else calls longer than zero."""
    if told := flag(columns, Meaning.ANSWERED):
        return told
    if seconds is None:
        return None
    keys = seconds.keys if isinstance(seconds.keys, dict) else {}
    values = columns.values[seconds.sources[0]]
    # In pairs of numbers (mm:ss, hh:mm) zeros are not recognised. And if no call has 0 seconds, only answered
    # calls were delivered: an inferred answer rate of 100% would be wrong.
    if keys.get("unit") in ("mm:ss", "hh:mm") or values.durations < FITS or not (values.seconds == 0).any():
        return None
    why = BilingualText("有 0 秒的通话：无人接听", "some calls have 0 seconds: nobody answered")
    return ColumnGuess({"from": seconds.sources[0], "over": 0}, Sureness.LIKELY, why)


def flag(columns: Columns, meaning: Meaning) -> ColumnGuess | None:
    """The column called `meaning` that says yes or no."""
    for name, exact in columns.called(meaning):
        values = columns.values[name]
        if values.series.dtype == pl.Boolean:
            return ColumnGuess(name, sure_if(exact), FLAG)
        if found := codes.answers(values.codes):
            found = _ASTERISK if set(found) <= set(_ASTERISK) else found
            return ColumnGuess({"from": name, "codes": found}, sure_if(exact), KNOWN_VALUES)
    return None


def ask_zone(columns: Columns, guess: ColumnGuess, *, typed: bool) -> None:
    """Ask for the zone of times without one, if the hours of the day suggest UTC.

    `typed` (Parquet): ask also if the hours are inconclusive.
    """
    values = columns.values[guess.sources[0]].moments
    if columns.knowledge.answers.times_in or values.zoned or values.values is None or values.day_only:
        return
    known = values.values.drop_nulls()
    name, zone, quiet = guess.sources[0], columns.knowledge.zone, _quiet(known)
    first = known.min()
    offset = ZoneInfo(zone).utcoffset(first) if first is not None else None  # type: ignore[arg-type]
    ahead = offset.total_seconds() / 3600 if offset else 0.0
    if quiet is not None and _is_night(quiet):
        return
    if quiet is not None and ahead and _is_night((quiet + ahead) % 24):
        columns.ask(
            f"列 {name!r} 的时间是否为 UTC？照原样读，最少的时段以 {quiet} 时为中心；"
            f"按 UTC 换算则在 {(quiet + ahead) % 24:.0f} 时，像夜间。"
            f" 若是：--times-in UTC；若是当地时间：--times-in {zone}",
            f"do the times of {name!r} stand in UTC? As they stand, "
            f"the fewest records are around {quiet}:00; carried over"
            f" from UTC, around {(quiet + ahead) % 24:.0f}:00, which "
            "is a night. If so: --times-in UTC; if they are local:"
            f" --times-in {zone}",
        )
    elif typed:
        columns.ask(
            f"列 {name!r} 的时间不带时区：是 UTC（--times-in UTC）还是当地时间（--times-in {zone}）？现按当地时间读",
            f"the times of {name!r} carry no zone: UTC (--times-in UTC) "
            f"or local (--times-in {zone})? They are read as local",
        )


def _quiet(known: pl.Series) -> int | None:
    """Middle of the six hours with the fewest records; None if inconclusive."""
    if len(known) < _MIN_TIMES:
        return None
    hours = [0] * 24
    for hour, count in known.dt.hour().value_counts().iter_rows():
        hours[hour] = count
    fewest, begin = min((sum(hours[(at + k) % 24] for k in range(6)), at) for at in range(24))
    return (begin + 3) % 24 if fewest < 0.1 * len(known) else None


def _is_night(hour: float) -> bool:
    return 0 <= hour <= 7
