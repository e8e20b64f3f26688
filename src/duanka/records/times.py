"""Times of any usual form -> local to the operator, naive, microseconds."""

from __future__ import annotations

from datetime import datetime

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

_MOMENT = pl.Datetime("us")
_EARLIEST = datetime(1970, 1, 1)
_LATEST = datetime(2200, 1, 1)
_ISO = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[ T]([0-9]{2}:[0-9]{2})(?::([0-5][0-9])(?:[.,]([0-9]{1,9}))?)?[ ]?(Z|z|[+-][0-9]{2}:?[0-9]{2})?)?$"
)
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
EPOCHS = tuple(_PER_SECOND)


def moments(source: pl.Series, formats: tuple[str, ...], epoch: str | None, zone: str) -> pl.Series:
    """Return `source` as local times of `zone`; null where it is none or lies outside 1970 to 2199.

    `formats`: strptime formats, tried in turn; without any, ISO 8601. `epoch`: numbers count this unit since
    1970 in UTC. Times with an offset or zone of their own are carried over to `zone`.
    """
    if epoch is not None:
        found = _since_1970(source, epoch, zone)
    elif source.dtype == pl.Date:
        found = source.cast(_MOMENT)
    elif isinstance(source.dtype, pl.Datetime):
        found = _local(source, zone)
    elif source.dtype != pl.String:
        found = pl.repeat(None, len(source), dtype=_MOMENT, eager=True)
    elif formats:
        found = _formatted(source, formats, zone)
    else:
        found = _iso(source, zone)
    outside = ((found < _EARLIEST) | (found >= _LATEST)).fill_null(False)
    return found.set(outside, None) if outside.any() else found


def _local(series: pl.Series, zone: str) -> pl.Series:
    """Return timestamps, with or without a zone, as naive local ones in microseconds."""
    if isinstance(series.dtype, pl.Datetime) and series.dtype.time_zone is not None:
        series = _to_zone(series.dt.convert_time_zone("UTC").dt.replace_time_zone(None), zone)
    return series.cast(_MOMENT)


def _to_zone(utc: pl.Series, zone: str) -> pl.Series:
    return utc.dt.replace_time_zone("UTC").dt.convert_time_zone(zone).dt.replace_time_zone(None)


def _since_1970(source: pl.Series, epoch: str, zone: str) -> pl.Series:
    if source.dtype.is_temporal() or source.dtype == pl.Boolean:
        return pl.repeat(None, len(source), dtype=_MOMENT, eager=True)
    whole = source.cast(pl.Int64, strict=False)
    per_second = _PER_SECOND[epoch]
    if source.dtype.is_integer() or whole.null_count() == source.null_count():
        # Whole numbers stay whole: a float would lose microseconds.
        seconds = whole // per_second
        micros = (whole - seconds * per_second) * 1_000_000 // per_second
    else:
        exact = source.cast(pl.Float64, strict=False) / per_second
        exact = exact.set(~exact.is_finite().fill_null(True), None)
        seconds = exact.floor()
        micros = ((exact - seconds) * 1_000_000).round()
    # Seconds that no calendar holds would overflow below.
    fits = seconds.is_between(0, 7_258_118_400).fill_null(False)
    since = seconds.set(~fits, None).cast(pl.Int64) * 1_000_000 + micros.set(~fits, None).cast(pl.Int64)
    return _to_zone(since.cast(_MOMENT), zone)


def _formatted(text: pl.Series, formats: tuple[str, ...], zone: str) -> pl.Series:
    found = pl.repeat(None, len(text), dtype=_MOMENT, eager=True)
    for form in formats:
        found = found.zip_with(found.is_not_null(), strptime(text, form, zone))
        if found.null_count() == text.null_count():
            break
    return found


def strptime(text: pl.Series, form: str, zone: str) -> pl.Series:
    """Return the local times that `text` says in the format `form`, null where it does not.

    Raises polars' ComputeError or InvalidOperationError when the format says no time.
    """
    offset = "%z" in form or "%:z" in form or "%#z" in form
    kind = pl.Datetime("us", "UTC") if offset else _MOMENT
    return _local(text.str.strptime(kind, form, strict=False, exact=True, cache=False), zone)


def _iso(text: pl.Series, zone: str) -> pl.Series:
    """Read ISO 8601: a day, or a day and a time to the minute or finer, perhaps with an offset."""
    lengths = text.str.len_bytes()
    if (((lengths == 19) | (lengths == 10) | lengths.is_between(21, 26)).fill_null(True)).all():
        # Arrow reads these forms, and only these of such lengths, five times as fast; but it refuses the whole
        # column for one value that is none.
        try:
            arrow = text.to_arrow(compat_level=pl.CompatLevel.oldest())
            quick = pl.from_arrow(pc.cast(arrow, pa.timestamp("us")))
        except pa.ArrowInvalid:
            pass
        else:
            assert isinstance(quick, pl.Series)  # noqa: S101  # an array becomes a series
            return quick
    parts = text.str.extract_groups(_ISO).struct.unnest()
    day, clock, second, fraction, offset = (parts[name] for name in parts.columns)
    stamp = day + " " + clock.fill_null("00:00") + ":" + second.fill_null("00")
    moment = stamp.str.strptime(_MOMENT, "%Y-%m-%d %H:%M:%S", strict=False)
    micros = fraction.fill_null("0").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64)
    moment = (moment.cast(pl.Int64) + micros).cast(_MOMENT)
    if offset.null_count() == len(offset):
        return moment
    return _without_offset(moment, offset, zone)


def _without_offset(moment: pl.Series, offset: pl.Series, zone: str) -> pl.Series:
    """Carry the times that have an offset over to `zone`."""
    sign = offset.str.starts_with("-").cast(pl.Int64) * -2 + 1
    digits = offset.str.replace_all(r"[^0-9]", "").str.pad_end(4, "0")
    hours = digits.str.slice(0, 2).cast(pl.Int64, strict=False)
    minutes = digits.str.slice(2, 2).cast(pl.Int64, strict=False)
    ahead = sign * (hours * 60 + minutes) * 60_000_000
    ahead = ahead.set((hours > 15) | (minutes > 59), None)
    utc = (moment.cast(pl.Int64) - ahead).cast(_MOMENT)
    return _to_zone(utc, zone).zip_with(offset.is_not_null(), moment)
