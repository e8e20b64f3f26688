"""Parses times as people and spreadsheets write them: `2021/5/17 下午3:05`, `20210517 093015`.

Also `2021年5月17日 9时30分` and 24:00. Only unambiguous forms: the year comes first, or the country has one order of
day and month.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from zoneinfo import ZoneInfo

import polars as pl

_MOMENT = pl.Datetime("us")
_HALVES = "上午|下午|凌晨|清晨|早上|早晨|中午|傍晚|晚上|[AaPp][.]?[ ]?[Mm][.]?"
# After a time: PostgreSQL writes `+08`, BigQuery `UTC`, Java `+08:00[Asia/Shanghai]`.
_OFFSET = r"(?:Z|z|UTC|GMT|(?:UTC|GMT)[+-][0-9]{1,2}(?::?[0-9]{2})?|[+-][0-9]{2}(?::?[0-9]{2})?)"
_CLOCK = (
    rf"(?:[ T,]*(?:星期.|周.|礼拜.)?[ ]*(?<half>{_HALVES})?[ ]*(?<h>[0-9]{{1,2}})"
    r"(?:[:：时時点點](?<mi>[0-9]{1,2})(?:[:：分](?<s>[0-9]{1,2})(?:[.,](?<f>[0-9]{1,9}))?)?[分秒]?|[时時点點]整?)"
    rf"[ ]*(?<tail>{_HALVES})?[ ]*(?<offset>{_OFFSET})?)?$"
)
_YEAR = "(?:19|20|21)[0-9]{2}"
_YEAR_FIRST = rf"^(?<y>{_YEAR})[-/.年](?<mo>[0-9]{{1,2}})[-/.月](?<d>[0-9]{{1,2}})日?" + _CLOCK
_COMPACT = (
    rf"^(?<y>{_YEAR})(?<mo>[0-9]{{2}})(?<d>[0-9]{{2}})"
    r"(?:[ T]?(?<h>[0-9]{2}):?(?<mi>[0-9]{2})(?::?(?<s>[0-9]{2})(?:[.](?<f>[0-9]{1,9}))?)?"
    rf"(?<offset>{_OFFSET})?)?$"
)
_DAY_FIRST = rf"^(?<d>[0-9]{{1,2}})[-/.](?<mo>[0-9]{{1,2}})[-/.](?<y>{_YEAR})" + _CLOCK
_MONTH_FIRST = rf"^(?<mo>[0-9]{{1,2}})[-/.](?<d>[0-9]{{1,2}})[-/.](?<y>{_YEAR})" + _CLOCK

# Dates that do not begin with the year: month first, rejected (several orders in use), or else day first.
_MONTH_FIRST_IN = frozenset({"US", "FM", "MH", "PW"})
_YEAR_FIRST_IN = frozenset(
    {"CN", "TW", "HK", "MO", "JP", "KR", "KP", "MN", "HU", "LT", "CA", "PH", "ZA", "SE"}
)

_NAMED_ZONE = r"^(?<text>.*[0-9Zz])[ ]?\[?(?<zone>[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z_]+)?)\]?$"
_MOST_ZONES = 50
# Placeholders for a missing time in columns that must not be empty: MySQL, .NET, SQL Server.
_NO_TIME = (
    r"^(?:0000-00-00|0001-01-01|1899-12-3[01]|1900-0?1-0?1|9999-12-31|00000000|00010101|19000101|99991231)"
)
_NO_DAYS = (date(1, 1, 1), date(1899, 12, 30), date(1899, 12, 31), date(1900, 1, 1), date(9999, 12, 31))

_BEFORE_NOON = ("上午", "凌晨", "清晨", "早上", "早晨", "am")
_AFTER_NOON = ("下午", "傍晚", "晚上", "pm")
_HOUR_24 = r"24([:：时]?00(?:[:：分]?00(?:[.]0+)?)?秒?)$"


def patterns(region: str) -> tuple[str, ...]:
    """Unambiguous forms in a country (two letters), as regexes with named groups."""
    if region in _MONTH_FIRST_IN:
        return _YEAR_FIRST, _COMPACT, _MONTH_FIRST
    return (_YEAR_FIRST, _COMPACT) if region in _YEAR_FIRST_IN else (_YEAR_FIRST, _COMPACT, _DAY_FIRST)


def read(text: pl.Series, region: str) -> tuple[pl.Series, pl.Series]:
    """Parse `text` to times (null where invalid) and the offsets written after them."""
    found = pl.repeat(None, len(text), dtype=_MOMENT, eager=True)
    offsets = pl.repeat(None, len(text), dtype=pl.String, eager=True)
    for pattern in patterns(region):
        parts = text.str.extract_groups(pattern).struct.unnest()
        moment = _moment({name: parts[name] for name in parts.columns})
        fresh = found.is_null() & moment.is_not_null()
        offsets = parts["offset"].zip_with(fresh, offsets)
        found = moment.zip_with(fresh, found)
        if found.null_count() == text.null_count():
            break
    return found, offsets


def _moment(parts: dict[str, pl.Series]) -> pl.Series:
    hour = _number(parts["h"]).fill_null(0)
    if "half" in parts:
        hour = _of_the_day(hour, parts["half"].fill_null(parts["tail"]))
    minute, second = (_number(parts[name]).fill_null(0) for name in ("mi", "s"))
    micros = parts["f"].fill_null("0").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64)
    # the end of a day may be written as 24:00
    ends = (hour == 24) & (minute == 0) & (second == 0) & (micros == 0)
    fits = (hour.is_between(0, 23) | ends) & (minute < 60) & (second < 60)
    day = parts["y"] + "-" + parts["mo"].str.zfill(2) + "-" + parts["d"].str.zfill(2)
    moment = day.str.strptime(pl.Date, "%Y-%m-%d", strict=False).cast(_MOMENT)
    ahead = (hour * 3600 + minute * 60 + second) * 1_000_000 + micros
    return (moment.cast(pl.Int64) + ahead).set(~fits.fill_null(False), None).cast(_MOMENT)


def _of_the_day(hour: pl.Series, half: pl.Series) -> pl.Series:
    """Convert to 24-hour clock; null where hour and half of the day contradict."""
    half = half.str.to_lowercase().str.replace_all("[. ]", "")
    before = half.is_in(list(_BEFORE_NOON)).fill_null(False)
    after = half.is_in(list(_AFTER_NOON)).fill_null(False)
    noon = (half == "中午").fill_null(False)
    twelve = hour == 12
    found = hour.set(before & twelve, 0)
    found = (hour + 12).zip_with((after & (hour < 12)) | (noon & (hour < 3)), found)
    # 12 in the evening may be the midnight before or after; 0 in the afternoon is invalid
    wrong = (
        (before & (hour > 12))
        | (half.is_in(["傍晚", "晚上"]).fill_null(False) & twelve)
        | (after & (hour == 0))
    )
    return found.set(wrong | (noon & hour.is_between(3, 10)), None)


def _number(text: pl.Series) -> pl.Series:
    return text.cast(pl.Int64, strict=False)


def in_named_zones(text: pl.Series) -> Iterator[tuple[str, pl.Series]]:
    """Yield each zone named after times, and those times without the name.

    Example: `2021-05-17 09:30:00 Asia/Shanghai`.
    """
    parts = text.str.extract_groups(_NAMED_ZONE).struct.unnest()
    zones = parts["zone"].unique().drop_nulls().sort().to_list()
    for zone in zones[:_MOST_ZONES]:
        try:
            ZoneInfo(zone)
        except (ValueError, OSError, KeyError):  # no such zone
            continue
        yield zone, parts["text"].set(~(parts["zone"] == zone).fill_null(False), None)


def says_none(source: pl.Series, epoch: str | None) -> pl.Series:
    """Mask of placeholders for a missing time.

    These are MySQL's day of zeros, the first or last day of a program's calendar, and 0 for numbers (`epoch`).
    """
    if source.dtype == pl.Date or isinstance(source.dtype, pl.Datetime):
        return source.dt.date().is_in(_NO_DAYS).fill_null(False)
    if source.dtype == pl.String:
        none = source.str.replace_all("[/.]", "-").str.contains(_NO_TIME)
        return (none | (source.str.contains("^0+$") if epoch else none)).fill_null(False)
    if source.dtype.is_numeric() and epoch:
        return (source == 0).fill_null(False)
    return pl.repeat(False, len(source), dtype=pl.Boolean, eager=True)


def with_lost_zeros(text: pl.Series) -> pl.Series:
    """Restore leading zeros of a time hhmmss after a blank, lost where it was a number."""
    parts = text.str.extract_groups(r"^(?<day>.* )(?<clock>[0-9]{1,5})$").struct.unnest()
    padded = parts["day"] + parts["clock"].str.zfill(6)
    return padded.zip_with(padded.is_not_null(), text)


@cache
def packed_shape(form: str) -> str:
    """Regex for the strptime format `form` if it has adjacent numbers; else "".

    strptime accepts one digit instead of two: it would read `13529` as 13:52:09, but it may mean 01:35:29.
    """
    parts = re.findall("%.|[^%]", form)
    packed = [_is_number(one) and any(map(_is_number, parts[max(at - 1, 0) : at] + parts[at + 1 : at + 2]))
              for at, one in enumerate(parts)]  # fmt: skip
    if not any(packed):
        return ""
    shapes = {"%Y": "[0-9]{4}"}
    return "^{}$".format(
        "".join(
            shapes.get(one, "[0-9]{2}") if alone else (re.escape(one) if len(one) == 1 else ".+?")
            for one, alone in zip(parts, packed, strict=True)
        )
    )


def _is_number(part: str) -> bool:
    return part in ("%Y", "%y", "%m", "%d", "%H", "%I", "%M", "%S")


def midnight_as_zero(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Replace hour 24 by 0; the returned mask marks the values of the next day."""
    ends = text.str.contains(_HOUR_24).fill_null(False)
    return text.str.replace(_HOUR_24, "00${1}"), ends
