"""Normalises a source column to a canonical one, with a reason for each bad value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from duanka.domain.case_source import CaseSource
from duanka.domain.schema import Column, ColumnKind
from duanka.ingest.model.holders import Holders, lost_digits
from duanka.ingest.model.mapping import ColumnMapping, Mapping, Rows
from duanka.ingest.model.reasons import CODES, QuarantineReason
from duanka.ingest.model.value_text import BIGGEST, as_text, trimmed, undecorated
from duanka.ingest.normalise import durations, written_times
from duanka.ingest.normalise import timestamps as times
from duanka.ingest.normalise.amounts import amounts
from duanka.ingest.normalise.cards_by_imsi import CardsByImsi
from duanka.ingest.normalise.devices import devices
from duanka.ingest.normalise.phone_numbers import SHORT_PREFIX, Numbers

Faults = npt.NDArray[np.uint8]

DTYPES: dict[ColumnKind, pl.DataType] = {
    ColumnKind.TIME: pl.Datetime("us"),
    ColumnKind.DAY: pl.Date(),
    ColumnKind.COUNT: pl.Int64(),
    ColumnKind.FLAG: pl.Boolean(),
}
_ROUNDED = r"^[0-9]+([.][0-9]+)?[eE][+]?[0-9]+$"  # as spreadsheets write long numbers
# Texts by which programs write a missing value.
_NOTHING = ("NULL", "null", "(null)", "\\N", "None", "none", "NaN", "nan", "N/A", "n/a", "-", "--")
# Texts for a withheld number: RFC 3323 and 5379, Asterisk, exchanges in Chinese and English.
_WITHHELD = (
    r"(?i)^(?:-+|-1|[+]?0+|[*?x#]+|[<(\[]?null[>)\]]?|none|nil|nan|n/?a?|[opu]|\\N"
    r"|<?(?:sips?:)?(?:anonym|anonymous|unavailable|unknown|restricted|private|withheld|blocked|hidden)\b.*"
    r"|(?:caller ?)?id (?:withheld|unavailable|blocked)|no ?(?:number|caller ?id)"
    r"|payphone|coin ?line|interaction with other service"
    r"|(?:主叫|来电|号码|对方)?(?:未知|匿名|隐藏|隐匿|保密|无主叫|未显示|不显示|无显|不详|私人).*|无|空)$"
)
# ANONYMOUS, UNAVAILABLE, RESTRICTED, BLOCKED and UNKNOWN on the keys of a telephone, as switches send them.
# Those that could be a real number are accepted only with +, after which no number has this length.
_WITHHELD_KEYS = (
    "266696687",
    "+266696687",
    "86282452253",
    "+86282452253",
    "+7378742833",
    "+2562533",
    "+8656696",
)
# Kinds of columns whose values may be stripped of decoration; phone numbers always are.
_WRITTEN = (ColumnKind.TIME, ColumnKind.DAY, ColumnKind.COUNT, ColumnKind.FLAG, ColumnKind.CHOICE)
_FLAGS = {"true": True, "false": False, "1": True, "0": False}
_REASONS = {
    ColumnKind.NUMBER: QuarantineReason.IMPOSSIBLE_NUMBER,
    ColumnKind.TIME: QuarantineReason.BAD_TIME,
    ColumnKind.DAY: QuarantineReason.BAD_DAY,
    ColumnKind.COUNT: QuarantineReason.NOT_A_NUMBER,
    ColumnKind.FLAG: QuarantineReason.NOT_A_FLAG,
    ColumnKind.IMEI: QuarantineReason.BAD_IMEI,
    ColumnKind.HOLDER: QuarantineReason.NO_HOLDER_KEY,
}


@dataclass(frozen=True)
class Tools:
    """Context for reading values: the operator's zone, numbering plan, holder key.

    `case_sources`: sources whose signature on police cases is accepted. `stands_in`: zone of times without one, if not
    the operator's. `by_imsi`: cards by IMSI; None if no mapping needs it.
    """

    zone: str
    numbers: Numbers
    holders: Holders
    empty: frozenset[str] = frozenset()
    case_sources: tuple[CaseSource, ...] = ()
    stands_in: str = ""
    by_imsi: CardsByImsi | None = None

    @classmethod
    def of(
        cls,
        mapping: Mapping,
        holders: Holders,
        case_sources: tuple[CaseSource, ...] = (),
        imsis: Path | None = None,
    ) -> Tools:
        """Context of `mapping`; `imsis`: file of cards by IMSI; None: in memory."""
        numbers = Numbers(mapping.region or "CN", opaque=mapping.opaque, bare=mapping.bare)
        by_imsi = CardsByImsi(imsis) if mapping.asks_by_imsi else None
        return cls(mapping.zone, numbers, holders, case_sources=case_sources, by_imsi=by_imsi)


class ColumnContext(NamedTuple):
    """Input of the reader of a kind of column; `source`: trimmed values of the file."""

    column: Column
    how: ColumnMapping
    source: pl.Series
    frame: pl.DataFrame
    tools: Tools
    where: str


class Read(NamedTuple):
    """A canonical column. `faults`: a code per row (0: none), None if all are 0.

    `unknown`: number of placeholders for unknown values, such as an IMEI of zeros. `twice`: source text of times in a
    repeated local hour, see timestamps.written_twice.
    """

    values: pl.Series
    faults: Faults | None
    unknown: int = 0
    twice: pl.Series | None = None


def dtype(column: Column) -> pl.DataType:
    """Return the type of `column` on disk."""
    return DTYPES.get(column.kind, pl.String())


def read(column: Column, how: ColumnMapping, frame: pl.DataFrame, tools: Tools, where: str) -> Read:
    """Read `column` of `frame` by `how`; `where`: file and column, for MissingKey."""
    source = _source(how, frame, tools)
    given, unknown = None, 0
    if source is None:
        values = pl.repeat(None, frame.height, dtype=dtype(column), eager=True)
    else:
        source = _known(column, how, source, tools)
        given = source.is_not_null()
        if column.kind is ColumnKind.IMEI and not how.opaque:
            values, placeholders = devices(as_text(source))
            given &= ~placeholders
            unknown = int(placeholders.sum())
        else:
            values = _read(ColumnContext(column, how, source, frame, tools, where))
    faults = _faults(column, how, values, source, given)
    if how.imsi and how.imsi in frame.columns and tools.by_imsi is not None:
        values, faults = _by_imsi(values, faults, source, trimmed(frame[how.imsi]), tools.by_imsi)
    twice = None
    if source is not None and column.kind is ColumnKind.TIME:
        twice = times.written_twice(values, source, tools.zone)
    return Read(values.alias(column.name), faults, unknown, twice)


def _read(given: ColumnContext) -> pl.Series:
    """Read a column; retry unreadable values without their decoration."""
    reader, source = _READERS[given.column.kind], given.source
    values = reader(given)
    if source.dtype != pl.String or values.null_count() == source.null_count():
        return values
    if given.column.kind not in _WRITTEN:
        return values
    plain = undecorated(source.set(values.is_not_null(), None))
    plain = plain.set((plain == source) | (plain == ""), None)
    if plain.null_count() == len(plain):
        return values
    return values.zip_with(values.is_not_null(), reader(given._replace(source=plain)))


def _known(column: Column, how: ColumnMapping, source: pl.Series, tools: Tools) -> pl.Series:
    """Replace texts for missing and withheld values by null, except a mapping's codes."""
    if column.kind is ColumnKind.NUMBER:
        opaque = column.name == "card" or how.opaque or tools.numbers.opaque
        return source if opaque else without_withheld(as_text(source))
    if column.kind is ColumnKind.TIME and not column.required:
        none = written_times.says_none(source, how.epoch)
        source = source.set(none, None) if none.any() else source
    if column.kind is ColumnKind.TEXT or source.dtype != pl.String:
        return source
    nothing = [text for text in _NOTHING if text not in (how.codes or ())]
    return source.set(source.is_in(nothing).fill_null(False), None)


def meets(rows: Rows, frame: pl.DataFrame) -> pl.Series:
    """Mask of the rows of `frame` that meet the condition `rows`."""
    taken = pl.repeat(True, frame.height, dtype=pl.Boolean, eager=True)
    for name, values in rows.items():
        text = trimmed(frame[name]).fill_null("")
        taken &= text.is_in(sorted(values))
    return taken


def _source(how: ColumnMapping, frame: pl.DataFrame, tools: Tools) -> pl.Series | None:
    """Return the source values, text trimmed, "" as null; None without the column."""
    if how.value is not None:
        return pl.repeat(how.value, frame.height, dtype=pl.String, eager=True)
    present = [frame[name] for name in how.sources if name in frame.columns]
    if not present:
        return None
    by_text = how.codes or how.strip or how.formats  # these work on the text of values of any type
    if len(present) == 1 and present[0].dtype != pl.String and not by_text:
        return present[0]
    texts = [_clean(trimmed(series), how, tools) for series in present]
    found = texts[0]
    for other in texts[1:]:
        found = found.zip_with(found.is_not_null(), other) if how.join is None else found + how.join + other
    return found


def _clean(text: pl.Series, how: ColumnMapping, tools: Tools) -> pl.Series:
    if how.strip:
        text = text.str.strip_suffix(how.strip)
    unknown = text == ""
    if tools.empty:
        unknown |= text.is_in(sorted(tools.empty))
    return text.set(unknown, None) if unknown.any() else text


def _coded(how: ColumnMapping, text: pl.Series) -> pl.Series:
    """Translate `text` by the mapping's codes; other text becomes null."""
    if not how.codes:
        return text
    return text.replace_strict(
        list(how.codes), list(how.codes.values()), default=None, return_dtype=pl.String
    )


def _text(given: ColumnContext) -> pl.Series:
    text = as_text(given.source)
    return text.replace(list(given.how.codes), list(given.how.codes.values())) if given.how.codes else text


def _number(given: ColumnContext) -> pl.Series:
    # a card has a full phone number; its peer may be a service number
    values = given.tools.numbers.normalise(
        as_text(given.source), peer=given.column.name != "card", opaque=given.how.opaque
    )
    if given.how.short_when:
        short = meets(given.how.short_when, given.frame)
        # only opaque numbers need a mark to tell short codes from them
        mark = SHORT_PREFIX if given.how.opaque or given.tools.numbers.opaque else ""
        values = (mark + as_text(given.source)).zip_with(short, values)
    return values


def _day(given: ColumnContext) -> pl.Series:
    # a day without a time of day is a day in the operator's zone, whatever the zone of the source's times
    timed = isinstance(given.source.dtype, pl.Datetime)
    return _moments(given, given.tools.stands_in if timed else "").dt.date()


def _moments(given: ColumnContext, stands_in: str) -> pl.Series:
    how, tools = given.how, given.tools
    region = tools.numbers.region
    return times.moments(given.source, how.formats, how.epoch, tools.zone, stands_in=stands_in, region=region)


def _count(given: ColumnContext) -> pl.Series:
    plain = given.how.factor in (None, 1.0) and given.how.clock is None
    if plain and given.source.dtype.is_integer():
        return given.source.cast(pl.Int64, strict=False)
    if plain and given.source.dtype == pl.String and not _may_be_packed(given):
        whole = given.source.cast(pl.Int64, strict=False)
        if whole.null_count() == given.source.null_count():
            return whole
    amount = (
        _seconds(given) if given.column.unit == "s" else _amount(given.source) * (given.how.factor or 1.0)
    )
    fits = (amount.abs() <= BIGGEST).fill_null(False)
    return (amount.set(~fits, None) + 0.5).floor().cast(pl.Int64)  # round half up


def _may_be_packed(given: ColumnContext) -> bool:
    """Tell whether some texts are hhmmss in six digits and the mapping allows this."""
    if given.column.unit != "s" or given.how.factor is not None:
        return False
    return bool(given.source.str.contains(durations.ZERO_PADDED).any())


def _seconds(given: ColumnContext) -> pl.Series:
    """Return durations in seconds; if the mapping names a unit, from plain numbers."""
    if given.source.dtype == pl.Duration:
        return given.source.dt.total_microseconds() / 1e6
    if given.source.dtype == pl.Time:
        return given.source.cast(pl.Int64) / 1e9
    if isinstance(given.source.dtype, pl.Datetime):  # a duration that another program stored as a time
        zero = given.source.dt.date().is_in(durations.DAYS_ZERO).fill_null(False)
        return given.source.set(~zero, None).dt.time().cast(pl.Int64) / 1e9
    if given.how.factor is not None:
        return _amount(given.source) * given.how.factor
    if given.source.dtype == pl.String or given.how.clock is not None:
        return durations.seconds(as_text(given.source), given.how.clock)
    return _amount(given.source)


def _amount(source: pl.Series) -> pl.Series:
    """Return a column as floats; null unless finite."""
    if source.dtype == pl.Boolean or source.dtype.is_temporal():
        return pl.repeat(None, len(source), dtype=pl.Float64, eager=True)
    if source.dtype == pl.String:
        return amounts(source)
    amount = source.cast(pl.Float64, strict=False)
    return amount.set(~amount.is_finite().fill_null(True), None)


def _flag(given: ColumnContext) -> pl.Series:
    if given.source.dtype == pl.Boolean and not given.how.codes:
        return given.source
    if given.how.over is not None:
        amount = _amount(given.source)
        if given.source.dtype == pl.String and amount.null_count() > given.source.null_count():
            amount = amount.zip_with(amount.is_not_null(), durations.seconds(given.source, None))
        return amount > given.how.over
    text = _coded(given.how, as_text(given.source)).str.to_lowercase()
    return text.replace_strict(list(_FLAGS), list(_FLAGS.values()), default=None, return_dtype=pl.Boolean)


def _choice(given: ColumnContext) -> pl.Series:
    text = _coded(given.how, as_text(given.source))
    known = text.is_in(list(given.column.choices)).fill_null(True)
    if not known.all():
        text = text.str.to_lowercase()
        text = text.set(~text.is_in(list(given.column.choices)).fill_null(True), None)
    return text


def _holder(given: ColumnContext) -> pl.Series:
    return given.tools.holders.hashed(as_text(given.source), everything=given.how.hashed, where=given.where)


def without_withheld(text: pl.Series) -> pl.Series:
    """Return peers of calls and messages, null for withheld or unknown ones."""
    keys = text.is_in(_WITHHELD_KEYS).fill_null(False)
    odd = ~text.str.contains("^[+]?[1-9]").fill_null(True) | keys
    if not odd.any():
        return text
    withheld = keys | (odd & text.str.contains(_WITHHELD).fill_null(False))
    return text.set(withheld, None)


_READERS: dict[ColumnKind, Callable[[ColumnContext], pl.Series]] = {
    ColumnKind.NUMBER: _number,
    ColumnKind.TEXT: _text,
    ColumnKind.TIME: lambda given: _moments(given, given.tools.stands_in),
    ColumnKind.DAY: _day,
    ColumnKind.COUNT: _count,
    ColumnKind.FLAG: _flag,
    ColumnKind.CHOICE: _choice,
    ColumnKind.HOLDER: _holder,
    ColumnKind.IMEI: lambda given: as_text(given.source),  # only opaque ones; others are handled in `read`
}


def _by_imsi(
    cards: pl.Series, faults: Faults | None, source: pl.Series | None, imsis: pl.Series, known: CardsByImsi
) -> tuple[pl.Series, Faults | None]:
    """Fill in missing cards by IMSI; mark the IMSIs that the register does not know."""
    unnamed = pl.repeat(True, len(cards), eager=True) if source is None else source.is_null()
    asked = unnamed & imsis.str.contains("[0-9]").fill_null(False)
    if not asked.any():
        return cards, faults
    found = known.cards(imsis.set(~asked, None))
    codes = np.zeros(len(cards), np.uint8) if faults is None else faults
    codes[asked.to_numpy()] = 0
    codes[(asked & found.is_null()).to_numpy()] = CODES[QuarantineReason.UNKNOWN_IMSI]
    return found.zip_with(asked, cards).alias(cards.name), codes if codes.any() else None


def _faults(
    column: Column, how: ColumnMapping, values: pl.Series, source: pl.Series | None, given: pl.Series | None
) -> Faults | None:
    """Fault code of each value: not understood, required but missing, or negative."""
    faults = np.zeros(len(values), np.uint8)
    if given is not None and values.null_count() != len(given) - int(given.sum() or 0):
        wrong = given & values.is_null()
        reason = _REASONS.get(column.kind, QuarantineReason.UNKNOWN_CHOICE)
        if column.name == "direction":
            reason = QuarantineReason.UNKNOWN_DIRECTION
        faults[wrong.to_numpy()] = CODES[reason]
        if column.kind in (ColumnKind.NUMBER, ColumnKind.IMEI, ColumnKind.HOLDER) and source is not None:
            rounded = as_text(source).str.contains(_ROUNDED)
            if column.kind is ColumnKind.HOLDER:
                rounded = lost_digits(source)
            faults[(wrong & rounded.fill_null(False)).to_numpy()] = CODES[QuarantineReason.ROUNDED_NUMBER]
    if column.required and not column.may_be_unknown and values.null_count():
        missing = values.is_null() if given is None else ~given
        faults[missing.to_numpy()] = CODES[QuarantineReason.MISSING]
    if column.kind is ColumnKind.COUNT:
        below = QuarantineReason.NEGATIVE_DURATION if column.unit == "s" else QuarantineReason.NEGATIVE_COUNT
        faults[(values < 0).fill_null(False).to_numpy()] = CODES[below]
    return faults if faults.any() else None
