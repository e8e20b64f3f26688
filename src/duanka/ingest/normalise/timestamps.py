"""Parses times of any usual form to naive local times of the operator, in µs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from duanka.ingest.model.value_text import as_text
from duanka.ingest.normalise import written_times

_MOMENT = pl.Datetime("us")
_EARLIEST = datetime(1970, 1, 1)
_LATEST = datetime(2200, 1, 1)
_ISO = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[ T]([0-9]{2}:[0-9]{2})(?::([0-5][0-9])(?:[.,]([0-9]{1,9}))?)?[ ]?(Z|z|[+-][0-9]{2}:?[0-9]{2})?)?$"
)
_PACKED_CLOCK = " %H%M%S"
_PACKED_DIGITS = "^(?:[0-9]{8}|[0-9]{12}|[0-9]{14})$"
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_DAYS = "days"
_DAY_ZERO = datetime(1899, 12, 30)  # day 0 of spreadsheets; exact for days from March 1900 on
EPOCHS = (*_PER_SECOND, _DAYS)


class Zones(NamedTuple):
    """`local`: the operator's zone; `stands_in`: that of times without one, "": local."""

    local: str
    stands_in: str = ""

    def carried(self, utc: pl.Series) -> pl.Series:
        """Convert naive UTC times to local ones."""
        return utc.dt.replace_time_zone("UTC").dt.convert_time_zone(self.local).dt.replace_time_zone(None)

    def standing(self, naive: pl.Series) -> pl.Series:
        """Convert times without a zone to local ones; in a repeated hour, the earlier one."""
        if self.stands_in in ("", self.local):
            return naive
        aware = naive.dt.replace_time_zone(self.stands_in, ambiguous="earliest", non_existent="null")
        return aware.dt.convert_time_zone(self.local).dt.replace_time_zone(None)


def moments(
    source: pl.Series,
    formats: tuple[str, ...],
    epoch: str | None,
    zone: str,
    *,
    stands_in: str = "",
    region: str = "CN",
) -> pl.Series:
    """Parse `source` to local times of `zone`; null if invalid or not in 1970 to 2199.

    `formats`: strptime formats, tried in turn; without any, ISO 8601 and the forms of `written_times` in the two-letter
    `region`. `epoch`: unit of numbers since 1970 in UTC, or spreadsheet days. Times with an offset or zone are
    converted to `zone`; others are converted from `stands_in`, if given.
    """
    zones = Zones(zone, stands_in)
    if epoch is not None and (source.dtype.is_temporal() or source.dtype == pl.Boolean):
        found = pl.repeat(None, len(source), dtype=_MOMENT, eager=True)
    elif epoch == _DAYS:
        found = _spreadsheet_days(source, zones)
    elif epoch is not None:
        found = _since_1970(source, epoch, zones)
    elif source.dtype == pl.Date:
        found = zones.standing(source.cast(_MOMENT))
    elif isinstance(source.dtype, pl.Datetime):
        found = _local(source, zones)
    elif source.dtype.is_numeric() and not formats:
        text = as_text(source)  # packed digits: days, or times to the minute or second
        packed = text.set(~text.str.contains(_PACKED_DIGITS).fill_null(False), None)
        found = _written(packed, zones, region)
    elif source.dtype != pl.String:
        found = pl.repeat(None, len(source), dtype=_MOMENT, eager=True)
    elif formats:
        found = _formatted(source, formats, zones)
    else:
        found = _written(source, zones, region)
    outside = ((found < _EARLIEST) | (found >= _LATEST)).fill_null(False)
    return found.set(outside, None) if outside.any() else found


def written_twice(found: pl.Series, source: pl.Series, zone: str) -> pl.Series | None:
    """Source text of times in a repeated local hour of `zone`, else null.

    None if no time is in such an hour. In it, equal times may be an hour apart; the texts tell them apart.
    """
    first, last = found.min(), found.max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        return None
    twice = pl.repeat(False, len(found), dtype=pl.Boolean, eager=True)
    for year in range(first.year, last.year + 1):
        for start, end in _hours_twice(zone, year):
            if first < end and last >= start:
                twice |= ((found >= start) & (found < end)).fill_null(False)
    return source.cast(pl.String).set(~twice, None) if twice.any() else None


@cache
def _hours_twice(zone: str, year: int) -> tuple[tuple[datetime, datetime], ...]:
    """Spans of local time that occur twice in a year of a zone."""
    found: list[tuple[datetime, datetime]] = []
    start = None
    for moment in _half_hours_of_changes(ZoneInfo(zone), year):
        first, second = (moment.replace(fold=fold).utcoffset() for fold in (0, 1))
        twice = first is not None and second is not None and first > second
        naive = moment.replace(tzinfo=None)
        if twice and start is None:
            start = naive
        elif not twice and start is not None:
            found.append((start, naive))
            start = None
    return tuple(found)


def _half_hours_of_changes(rules: ZoneInfo, year: int) -> Iterator[datetime]:
    """Half hours of the days on which the offset changes, and of their neighbours: few, as a year has 17,520."""
    day, new_year = timedelta(days=1), datetime(year, 1, 1, tzinfo=rules)
    days = [new_year + number * day for number in range(-1, 368)]  # by the calendar, whatever the offset
    changes = {one for one, following in pairwise(days) if one.utcoffset() != following.utcoffset()}
    for one in sorted({change + near * day for change in changes for near in (-1, 0, 1)}):
        halves = (one + half * timedelta(minutes=30) for half in range(48))
        yield from (moment for moment in halves if moment.year == year)


def _spreadsheet_days(source: pl.Series, zones: Zones) -> pl.Series:
    """Parse spreadsheet day numbers; their fraction is exact to about a millisecond."""
    days = source.cast(pl.Float64, strict=False)
    days = days.set(~days.is_between(1, 200_000).fill_null(True), None)
    millis = (days * 86_400_000).round().cast(pl.Int64)
    return zones.standing((millis * 1_000).cast(_MOMENT) + (_DAY_ZERO - datetime(1970, 1, 1)))


def _local(series: pl.Series, zones: Zones) -> pl.Series:
    """Convert timestamps, with or without a zone, to naive local ones in µs."""
    if isinstance(series.dtype, pl.Datetime) and series.dtype.time_zone is not None:
        return zones.carried(series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)).cast(_MOMENT)
    return zones.standing(series.cast(_MOMENT))


def _since_1970(source: pl.Series, epoch: str, zones: Zones) -> pl.Series:
    whole = source.cast(pl.Int64, strict=False)
    per_second = _PER_SECOND[epoch]
    if source.dtype.is_integer() or whole.null_count() == source.null_count():
        # integer arithmetic: a float would lose microseconds
        seconds = whole // per_second
        micros = (whole - seconds * per_second) * 1_000_000 // per_second
    else:
        exact = source.cast(pl.Float64, strict=False) / per_second
        exact = exact.set(~exact.is_finite().fill_null(True), None)
        seconds = exact.floor()
        micros = ((exact - seconds) * 1_000_000).round()
    # exclude out-of-range seconds, which would overflow below
    fits = seconds.is_between(0, 7_258_118_400).fill_null(False)
    since = seconds.set(~fits, None).cast(pl.Int64) * 1_000_000 + micros.set(~fits, None).cast(pl.Int64)
    return zones.carried(since.cast(_MOMENT))


def _formatted(text: pl.Series, formats: tuple[str, ...], zones: Zones) -> pl.Series:
    found = pl.repeat(None, len(text), dtype=_MOMENT, eager=True)
    for form in formats:
        written = written_times.with_lost_zeros(text) if form.endswith(_PACKED_CLOCK) else text
        if shape := written_times.packed_shape(form):
            written = written.set(~written.str.contains(shape).fill_null(False), None)
        found = found.zip_with(found.is_not_null(), strptime(written, form, zones))
        if found.null_count() > text.null_count():
            early, ends = written_times.midnight_as_zero(written.set(found.is_not_null(), None))
            if ends.any():
                later = strptime(early.set(~ends, None), form, zones) + timedelta(days=1)
                found = found.zip_with(found.is_not_null(), later)
        if found.null_count() == text.null_count():
            break
    return found


def strptime(text: pl.Series, form: str, zones: Zones) -> pl.Series:
    """Parse `text` in the format `form` to local times; null where it does not match.

    Raises polars' ComputeError or InvalidOperationError when the format specifies no time.
    """
    offset = "%z" in form or "%:z" in form or "%#z" in form
    kind = pl.Datetime("us", "UTC") if offset else _MOMENT
    return _local(text.str.strptime(kind, form, strict=False, exact=True, cache=False), zones)


def _written(text: pl.Series, zones: Zones, region: str) -> pl.Series:
    """Parse ISO 8601 and, failing that, the forms of people and spreadsheets."""
    found = _iso(text, zones)
    if found.null_count() == text.null_count():
        return found
    written, offsets = written_times.read(text.set(found.is_not_null(), None), region)
    found = found.zip_with(found.is_not_null(), _without_offset(written, offsets, zones))
    if found.null_count() > text.null_count():
        for zone, part in written_times.in_named_zones(text.set(found.is_not_null(), None)):
            found = found.zip_with(found.is_not_null(), _written(part, Zones(zones.local, zone), region))
    return found


def of_usual_form(text: pl.Series, zone: str, stands_in: str = "") -> pl.Series | None:
    """`moments` of text that need not be trimmed, if all are ISO 8601 without an offset; else None.

    Null where `moments` would be null, and perhaps elsewhere.
    """
    quick = _quick(text)
    if quick is None:
        return None
    found = Zones(zone, stands_in).standing(quick)
    outside = ((found < _EARLIEST) | (found >= _LATEST)).fill_null(False)
    return found.set(outside, None) if outside.any() else found


def _quick(text: pl.Series) -> pl.Series | None:
    """Parse ISO 8601 by Arrow, five times as fast; None if one of the texts has another form."""
    lengths = text.str.len_bytes()
    if not ((lengths == 19) | (lengths == 10) | lengths.is_between(21, 26)).fill_null(True).all():
        return None
    try:
        found = pl.from_arrow(
            pc.cast(text.to_arrow(compat_level=pl.CompatLevel.oldest()), pa.timestamp("us"))
        )
    except pa.ArrowInvalid:  # at one bad value
        return None
    assert isinstance(found, pl.Series)  # noqa: S101  # an array becomes a series
    return found


def _iso(text: pl.Series, zones: Zones) -> pl.Series:
    """Parse ISO 8601: a day, or day and time (minutes or finer), maybe with an offset."""
    if (quick := _quick(text)) is not None:
        return zones.standing(quick)
    parts = text.str.extract_groups(_ISO).struct.unnest()
    day, clock, second, fraction, offset = (parts[name] for name in parts.columns)
    stamp = day + " " + clock.fill_null("00:00") + ":" + second.fill_null("00")
    moment = stamp.str.strptime(_MOMENT, "%Y-%m-%d %H:%M:%S", strict=False)
    micros = fraction.fill_null("0").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64)
    moment = (moment.cast(pl.Int64) + micros).cast(_MOMENT)
    return _without_offset(moment, offset, zones)


def _without_offset(moment: pl.Series, offset: pl.Series, zones: Zones) -> pl.Series:
    """Convert times to local ones by their offset or, without one, the default zone."""
    standing = zones.standing(moment)
    if offset.null_count() == len(offset):
        return standing
    sign = offset.str.contains("-", literal=True).cast(pl.Int64) * -2 + 1
    parts = offset.str.extract_groups("([0-9]{1,2})?:?([0-9]{2})?$").struct.unnest()
    hours, minutes = (parts[name].cast(pl.Int64, strict=False).fill_null(0) for name in parts.columns)
    ahead = sign * (hours * 60 + minutes) * 60_000_000
    ahead = ahead.set((hours > 15) | (minutes > 59), None)
    utc = (moment.cast(pl.Int64) - ahead).cast(_MOMENT)
    return zones.carried(utc).zip_with(offset.is_not_null(), standing)
