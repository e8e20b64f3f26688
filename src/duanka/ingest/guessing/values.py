"""Profiles the values of a column with the parsers used for reading."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import polars as pl

from duanka.domain import device_id as device
from duanka.ingest.model.holders import looks_like_document
from duanka.ingest.model.value_text import trimmed, undecorated
from duanka.ingest.normalise import durations
from duanka.ingest.normalise import timestamps as times
from duanka.ingest.normalise.amounts import amounts
from duanka.ingest.normalise.columns import without_withheld
from duanka.ingest.normalise.devices import devices, imei_digits
from duanka.ingest.normalise.phone_numbers import Numbers

_MAX_CODES = 40  # maximum distinct values of a column of codes
_FORMATS = (
    *("%Y%m%d%H%M", "%y%m%d%H%M%S", "%Y-%m-%d-%H.%M.%S", "%d-%b-%Y %H:%M:%S", "%d-%b-%y %H:%M:%S"),
    *("%b %d %Y %H:%M:%S", "%a %b %d %H:%M:%S %Y"),
)
_DAY_FIRST = ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d-%m-%Y %H:%M:%S", "%d/%m/%Y")
_MONTH_FIRST = ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m.%d.%Y %H:%M:%S", "%m-%d-%Y %H:%M:%S", "%m/%d/%Y")
_SHORT_YEAR = r"^[0-9]{1,2}([-/.])[0-9]{1,2}[-/.][0-9]{2}( [0-9]{1,2}:[0-9]{2}(:[0-9]{2})?)?$"
_EPOCHS = (("s", 9, 10), ("ms", 12, 13), ("us", 15, 16), ("ns", 18, 19))
_CITY = r"^(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[12]|99)[0-9]{4}$"
_CLOCK = r"^(?:[01]?[0-9]|2[0-4]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]+)?)?$"
_CLOCK_PACKED = r"^(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]$"
_PSEUDONYM = r"^(?:[0-9a-fA-F]{16,128}|[A-Za-z0-9+/=_-]{20,128})$"
_IMSI = r"^[1-9][0-9]{13,14}$"
_ICCID = r"^89[0-9]{16,17}[0-9A-Fa-f]?$"


@dataclass(frozen=True)
class TimeReading:
    """A column parsed as times; `keys`: mapping keys, `other`: keys that fit as well."""

    share: float = 0.0
    keys: Mapping[str, Any] = field(default_factory=dict)
    day_only: bool = False
    zoned: bool = False
    other: Mapping[str, Any] | None = None
    values: pl.Series | None = None


def _share_of(pattern: str) -> cached_property[float]:
    """Share of the values that match `pattern`."""
    return cached_property(lambda values: values._share(values.filled.str.contains(pattern)))


class Values:
    """One column of a sample; shares count its non-empty values, 0 if there are none."""

    def __init__(self, series: pl.Series, numbers: Numbers, zone: str) -> None:
        self.series = series
        self.name = series.name
        self._numbers = numbers
        self._zone = zone
        text = trimmed(series)
        self.rows = len(series)
        self.filled = text.set(text == "", None).drop_nulls()

    @cached_property
    def _plain(self) -> pl.Series:
        return undecorated(self.filled)

    @cached_property
    def codes(self) -> dict[str, int]:
        """Distinct values and counts, most frequent first; {} if too many for codes."""
        if self.filled.n_unique() > _MAX_CODES:
            return {}
        return dict(Counter(self.filled.to_list()).most_common())

    @cached_property
    def peers(self) -> float:
        """Share of phone numbers, service numbers and withheld numbers."""
        shown = without_withheld(self.filled)
        read = self._numbers.normalise(shown, peer=True)
        return self._share(read.is_not_null() | (shown.is_null()))

    @cached_property
    def cards(self) -> float:
        """Share of full phone numbers, among those not withheld."""
        shown = without_withheld(self.filled).drop_nulls()
        if not len(shown):
            return 0.0
        return float(self._numbers.normalise(shown, peer=False).is_not_null().sum()) / len(shown)

    @cached_property
    def pseudonyms(self) -> float:
        """Share of hash-like values; 0 if of many lengths, or if 5 % are phone numbers."""
        same = self.filled.str.len_chars().n_unique() <= 2
        return self._share(self.filled.str.contains(_PSEUDONYM)) if same and self.cards < 0.05 else 0.0

    @cached_property
    def moments(self) -> TimeReading:
        """The values parsed as times."""
        return _moments(self.series, self._plain, self._zone, self._numbers.region)

    def read_as_moments(self, series: pl.Series, keys: Mapping[str, Any]) -> pl.Series:
        """Parse each row of `series` as a time by mapping `keys`; null if invalid."""
        text = series.str.strip_chars() if series.dtype == pl.String else series
        formats = (keys["formats"],) if "formats" in keys else ()
        return times.moments(text, formats, keys.get("epoch"), self._zone, region=self._numbers.region)

    @cached_property
    def clock(self) -> float:
        """Share of times of day."""
        if self.series.dtype == pl.Time:
            return 1.0
        return max(self._share(self._plain.str.contains(one)) for one in (_CLOCK, _CLOCK_PACKED))

    @cached_property
    def clock_without_zeros(self) -> float:
        """Share of times of day without leading zeros: 93015 is 09:30:15, 5 is 00:00:05."""
        digits = self._plain.set(~self._plain.str.contains("^[0-9]{1,6}$").fill_null(False), None)
        return self._share(digits.str.zfill(6).str.contains(_CLOCK_PACKED))

    @cached_property
    def seconds(self) -> pl.Series:
        """The values as durations in seconds, parsed without a unit."""
        if self.series.dtype == pl.Duration:
            return self.series.drop_nulls().dt.total_microseconds() / 1e6
        return durations.seconds(self._plain, None)

    @cached_property
    def durations(self) -> float:
        """Share of non-negative durations."""
        return self._share((self.seconds >= 0).fill_null(False))

    @cached_property
    def counts(self) -> float:
        """Share of plain numbers."""
        return self._share(amounts(self._plain) >= 0)

    @cached_property
    def packed_clock(self) -> bool:
        """Whether the values look like packed hhmmss: some have a leading 0."""
        six = self._share(self.filled.str.contains("^[0-9]{2,4}[0-5][0-9][0-5][0-9]$"))
        return six >= 0.99 and bool(self.filled.str.contains(durations.ZERO_PADDED).any())

    @cached_property
    def parts_of_a_day(self) -> bool:
        """Whether the values are durations of a spreadsheet: long fractions of a day."""
        counted = self.filled.cast(pl.Float64, strict=False)
        below = self._share(counted.is_between(0, 1, closed="left"))
        return below >= 0.99 and self._share(self.filled.str.contains(r"[.][0-9]{6}|[eE]-")) >= 0.5

    @cached_property
    def imeis(self) -> float:
        """Share of IMEIs and placeholders for unknown ones."""
        found = devices(self.filled)
        return self._share(found.placeholders | found.identities.is_not_null())

    @cached_property
    def checked_imeis(self) -> float:
        """Share of 15-digit IMEIs with a correct check digit; 0 if few values are IMEIs."""
        text = imei_digits(self.filled).filter(~devices(self.filled).placeholders)
        full = text.filter(text.str.contains(device.WRITTEN)).head(500).to_list()
        right = sum(len(one) == 15 and _luhn(one) for one in full)
        return right / len(full) if len(full) * 2 > min(len(text), 500) else 0.0

    imsis, iccids = _share_of(_IMSI), _share_of(_ICCID)
    cities = _share_of(_CITY)  # six-digit administrative codes of China

    @cached_property
    def documents(self) -> float:
        """Share of resident identity numbers."""
        some = self.filled.head(1000).to_list()
        return sum(map(looks_like_document, some)) / len(some) if some else 0.0

    def _share(self, right: pl.Series) -> float:
        return float(right.fill_null(False).sum()) / len(self.filled) if len(self.filled) else 0.0


def _luhn(digits: str) -> bool:
    doubled = (int(d) * 2 if at % 2 else int(d) for at, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _moments(series: pl.Series, filled: pl.Series, zone: str, region: str) -> TimeReading:
    if not len(filled):
        return TimeReading()
    kind = series.dtype
    if kind == pl.Date or isinstance(kind, pl.Datetime):
        zoned = isinstance(kind, pl.Datetime) and kind.time_zone is not None
        return TimeReading(1.0, {}, kind == pl.Date, zoned, values=times.moments(series, (), None, zone))
    best = _since_1970(filled, zone) or _read(filled, {}, zone, region)
    return best if best.share >= 0.9 else _by_form(filled, best, zone, region)


def _by_form(filled: pl.Series, best: TimeReading, zone: str, region: str) -> TimeReading:
    """Try forms that a mapping must name: spreadsheet day numbers, strptime formats."""
    days = filled.cast(pl.Float64, strict=False)
    if bool(filled.str.contains("[.]").any()) and days.is_between(36_526, 60_000).fill_null(False).all():
        return _read(filled, {"epoch": "days"}, zone, region)
    for form in _FORMATS:
        best = max(best, _read(filled, {"formats": form}, zone, region), key=lambda one: one.share)
    return _by_order(filled, best, zone, region)


def _since_1970(filled: pl.Series, zone: str) -> TimeReading | None:
    """Try integers as time since 1970; all must lie in this century."""
    lengths = set(filled.str.len_chars().unique().to_list())
    if len(lengths) == 1 and filled.str.contains("^[0-9]+$").all():
        digits = lengths.pop()
        for unit, least, most in _EPOCHS:
            if least <= digits <= most:
                read = times.moments(filled, (), unit, zone)
                if read.drop_nulls().dt.year().is_between(2000, 2099).sum() == len(filled):
                    return TimeReading(1.0, {"epoch": unit}, zoned=True, values=read)
    return None


def _by_order(filled: pl.Series, best: TimeReading, zone: str, region: str) -> TimeReading:
    """Try dates with the year last; values may decide the order of day and month."""
    for day_first, month_first in zip(_DAY_FIRST, _MONTH_FIRST, strict=True):
        one = _read(filled, {"formats": day_first}, zone, region)
        two = _read(filled, {"formats": month_first}, zone, region)
        better, worse = (one, two) if one.share >= two.share else (two, one)
        if better.share > best.share:
            other = worse.keys if worse.share >= better.share - 0.005 else None
            best = replace(better, other=other)
    if best.share >= 0.9:
        return best
    return max(best, _short_years(filled, zone, region), key=lambda one: one.share)


def _short_years(filled: pl.Series, zone: str, region: str) -> TimeReading:
    """Try two-digit years, first or last; values decide the order, if any do."""
    shape = re.match(_SHORT_YEAR, filled[0])
    if shape is None:
        return TimeReading()
    clock = "" if not shape[2] else " %H:%M:%S" if shape[3] else " %H:%M"
    forms = [
        shape[1].join(order) + clock for order in (("%y", "%m", "%d"), ("%d", "%m", "%y"), ("%m", "%d", "%y"))
    ]
    reads = sorted(
        (_read(filled, {"formats": form}, zone, region) for form in forms), key=lambda one: -one.share
    )
    best, second = reads[:2]
    return replace(best, other=second.keys if second.share >= best.share - 0.005 else None)


def _read(filled: pl.Series, keys: Mapping[str, Any], zone: str, region: str) -> TimeReading:
    formats = (keys["formats"],) if "formats" in keys else ()
    try:
        found = times.moments(filled, formats, keys.get("epoch"), zone, region=region)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return TimeReading()
    known = found.drop_nulls()
    zoned = bool(filled.str.contains(r"[0-9](?:Z|z|[+-][0-9]{2}:?[0-9]{2})$").all()) and bool(
        filled.str.contains(r"[0-9]{2}:?[0-9]{2}.*(?:Z|z|[+-][0-9]{2}:?[0-9]{2})$").all()
    )
    longest = filled.str.len_chars().max()
    short = isinstance(longest, int) and longest <= 11
    day_only = short and len(known) > 0 and bool((known == known.dt.truncate("1d")).all())
    return TimeReading(len(known) / len(filled), keys, day_only, zoned and not day_only, values=found)


def spoken(text: str) -> str:
    """`text` for comparing codes: lower case, without blanks and punctuation."""
    return re.sub(r"[\s_\-/.]", "", text).lower()
