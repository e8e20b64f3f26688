"""Reads a column at once where its values stand as usual, and the others the careful way.

In a usual delivery nearly all values are canonical: digits of a number, `in`, `true`, `2021-05-17 09:30:00`. A few
vectorised checks tell which are. They never decide what a value means: a value that is not certainly read the same
by `columns.read` is read by it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import polars as pl

from duanka.domain import device_id as device
from duanka.domain.schema import Column, ColumnKind
from duanka.ingest.model.mapping import ColumnMapping
from duanka.ingest.model.value_text import BIGGEST
from duanka.ingest.normalise import columns
from duanka.ingest.normalise import timestamps as times
from duanka.ingest.normalise.columns import Read, Tools
from duanka.ingest.normalise.digit_ranges import Mask, integers

_CAREFUL_FROM = 0.5  # fraction of values that are not plain, from which on all are read the careful way
_BLANK, _EQUALS, _DELETE = 0x20, 0x3D, 0x7F
_NO_DEVICES = np.array(
    sorted({int(str(digit) * device.DIGITS) for digit in range(1, 10)} | {int(one) for one in device.COPIED})
)


class Plain(NamedTuple):
    """Values of a column; `known`: mask of those that are certain. Null is not."""

    values: pl.Series
    known: Mask


def read(column: Column, how: ColumnMapping, frame: pl.DataFrame, tools: Tools, where: str) -> Read:
    """`columns.read`, much faster for usual values."""
    source = _source(how, frame)
    plain = None if source is None else _plain(column, how, source, tools)
    if source is None or plain is None:
        return columns.read(column, how, frame, tools, where)
    known = plain.known
    if tools.empty:
        known &= ~source.is_in(sorted(tools.empty)).fill_null(False).to_numpy()
    if source.null_count() and (not column.required or column.may_be_unknown):
        known |= source.is_null().to_numpy()  # null stays null, without a fault
    left = len(known) - int(np.count_nonzero(known))
    if not left:
        return _finished(column, plain.values, source, tools)
    if column.kind in _WHOLE or left > _CAREFUL_FROM * len(known):
        return columns.read(column, how, frame, tools, where)
    rest = np.flatnonzero(~known)
    odd = columns.read(column, how, frame.select(how.reads & {*frame.columns})[rest], tools, where)
    faults = None
    if odd.faults is not None:
        faults = np.zeros(len(known), np.uint8)
        faults[rest] = odd.faults
    return Read(plain.values.clone().scatter(rest, odd.values).alias(column.name), faults, odd.unknown)


def _finished(column: Column, values: pl.Series, source: pl.Series, tools: Tools) -> Read:
    twice = times.written_twice(values, source, tools.zone) if column.kind is ColumnKind.TIME else None
    return Read(values.alias(column.name), None, twice=twice)


def _source(how: ColumnMapping, frame: pl.DataFrame) -> pl.Series | None:
    """The source column, if its text can be read as it is; None if the mapping changes it, or it is no text."""
    if how.value is not None or how.codes or how.strip or how.short_when or how.imsi:
        return None
    present = [name for name in how.sources if name in frame.columns]
    if len(present) != 1 or frame.schema[present[0]] != pl.String:
        return None
    return frame[present[0]]


def _plain(column: Column, how: ColumnMapping, text: pl.Series, tools: Tools) -> Plain | None:
    if how.formats or how.epoch or how.clock or how.over is not None or how.factor not in (None, 1.0):
        return None
    reader = _READERS.get(column.kind)
    return None if reader is None else reader(column, how, text, tools)


def _number(column: Column, how: ColumnMapping, text: pl.Series, tools: Tools) -> Plain:
    if how.opaque or tools.numbers.opaque:
        return Plain(text, _bare(text))
    same, home = tools.numbers.plain(integers(text), peer=column.name != "card")
    if not home.any():
        return Plain(text, same)
    return Plain(("86" + text).zip_with(pl.Series(home), text), same | home)


def _device(_: Column, how: ColumnMapping, text: pl.Series, __: Tools) -> Plain | None:
    if how.opaque:
        return None
    numbers = integers(text)
    known = np.zeros(len(numbers), bool)
    for more in range(3):  # digits behind those of the identity
        these = (numbers >= 10 ** (device.DIGITS - 1 + more)) & (numbers < 10 ** (device.DIGITS + more))
        if these.any():
            known |= these & ~np.isin(numbers // 10**more, _NO_DEVICES)
    return Plain(text.str.slice(0, device.DIGITS), known)


def _count(_: Column, __: ColumnMapping, text: pl.Series, ___: Tools) -> Plain:
    numbers = integers(text)
    known = ((numbers > 0) & (numbers <= BIGGEST // 2)) | (text == "0").fill_null(False).to_numpy()
    values = pl.Series(numbers)
    return Plain(values.set(text.is_null(), None) if text.null_count() else values, known)


def _text(_: Column, __: ColumnMapping, text: pl.Series, ___: Tools) -> Plain:
    return Plain(text, _bare(text))


def _choice(column: Column, _: ColumnMapping, text: pl.Series, __: Tools) -> Plain:
    known = np.zeros(len(text), bool)
    for choice in column.choices:
        known |= (text == choice).fill_null(False).to_numpy()
    return Plain(text, known)


def _flag(_: Column, __: ColumnMapping, text: pl.Series, ___: Tools) -> Plain:
    yes = (text == "true") | (text == "1")
    return Plain(yes, (yes | (text == "false") | (text == "0")).fill_null(False).to_numpy())


def _time(_: Column, __: ColumnMapping, text: pl.Series, tools: Tools) -> Plain | None:
    found = times.of_usual_form(text, tools.zone, tools.stands_in)
    return None if found is None else Plain(found, found.is_not_null().to_numpy())


def _day(_: Column, __: ColumnMapping, text: pl.Series, tools: Tools) -> Plain | None:
    found = times.of_usual_form(text, tools.zone)
    return None if found is None else Plain(found.dt.date(), found.is_not_null().to_numpy())


def _bare(text: pl.Series) -> Mask:
    """Mask of the texts that neither begin nor end with a blank, and are no formula."""
    arrow = text.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, octets = arrow.buffers()
    ends = np.frombuffer(offsets, np.int64)[arrow.offset : arrow.offset + len(arrow) + 1]
    if ends[0] == ends[-1]:
        return np.zeros(len(text), bool)
    data = np.frombuffer(octets, np.uint8)
    first, last = data[np.minimum(ends[:-1], ends[-1] - 1)], data[ends[1:] - 1]
    # above ASCII there are more blanks
    visible = (first > _BLANK) & (first < _DELETE) & (last > _BLANK) & (last < _DELETE)
    bare: Mask = visible & (first != _EQUALS) & (ends[1:] > ends[:-1])
    return bare


_READERS: dict[ColumnKind, Callable[[Column, ColumnMapping, pl.Series, Tools], Plain | None]] = {
    ColumnKind.NUMBER: _number,
    ColumnKind.TEXT: _text,
    ColumnKind.TIME: _time,
    ColumnKind.DAY: _day,
    ColumnKind.COUNT: _count,
    ColumnKind.FLAG: _flag,
    ColumnKind.CHOICE: _choice,
    ColumnKind.IMEI: _device,
}
_WHOLE = (ColumnKind.TIME,)  # repeated hours are found by looking at the whole column
