"""Record keys of whole columns, and the texts that stand behind hashed ones."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from duanka.domain.record_keys import DEVICE_DIGITS, LONGEST, SHORT_KEYS_BELOW
from duanka.domain.schema import TABLES, Column
from duanka.ingest.normalise.digit_ranges import integers

TEXTS = pa.schema([("key", pa.int64()), ("text", pa.string())])
_LEAST_DEVICE = 10 ** (DEVICE_DIGITS - 1)
_ZEROS_IN_FRONT = f"^0[0-9]{{{DEVICE_DIGITS - 1}}}$"
_FACTOR, _SHIFT = np.uint64(0xC6A4A7935BD1E995), np.uint64(47)
_REMEMBERED = 1_000_000


class Texts(Protocol):
    """Keeps the texts behind hashed keys."""

    def note(self, keys: pl.Series, texts: pl.Series) -> None:
        """Keep these pairs."""


class BatchTexts:
    """The texts of one micro-batch."""

    def __init__(self) -> None:
        self._pairs: list[pl.DataFrame] = []

    def note(self, keys: pl.Series, texts: pl.Series) -> None:
        """Keep these pairs."""
        self._pairs.append(pl.DataFrame({"key": keys, "text": texts}))

    def pairs(self) -> pl.DataFrame | None:
        """Keys and texts, which may repeat; None where no key is hashed."""
        return pl.concat(self._pairs) if self._pairs else None


class KnownTexts:
    """Writes the text of each hashed key to `path`, at least once; no file where there is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: set[int] = set()
        self._writer: Any = None

    def note(self, keys: pl.Series, texts: pl.Series) -> None:
        """Write those of the pairs that were not written lately."""
        fresh = [place for place, key in enumerate(keys) if key not in self._seen]
        if not fresh:
            return
        if len(self._seen) > _REMEMBERED:
            self._seen.clear()  # bounds the memory; a reader drops repeats
        some = pl.DataFrame({"key": keys, "text": texts})[fresh]
        self._seen.update(some["key"])
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, TEXTS, compression="zstd")
        self._writer.write_table(some.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(TEXTS))

    def close(self) -> tuple[Path, ...]:
        """Complete the file; return its path, or nothing where no key is hashed."""
        if self._writer is None:
            return ()
        self._writer.close()
        self._writer = None
        return (self._path,)


def with_keys(table: str, frame: pl.DataFrame, known: Texts | None = None) -> pl.DataFrame:
    """`frame` of canonical texts with record keys in the keyed columns; hashed ones go to `known`."""
    columns = [c for c in TABLES[table].columns if c.keyed and c.name in frame.columns]
    return frame.with_columns(keys(column, frame[column.name], known) for column in columns)


def keys(column: Column, texts: pl.Series, known: Texts | None = None) -> pl.Series:
    """The record keys of `texts`; null where there is none."""
    if texts.dtype != pl.String or texts.null_count() == len(texts):  # all null
        return pl.Series(texts.name, [None], dtype=pl.Int64).new_from_index(0, len(texts))
    numbers = integers(texts)
    # 0: any other text, or null
    digits = (numbers >= _LEAST_DEVICE) & (numbers < 10 * _LEAST_DEVICE) if column.device else numbers > 0
    found = pl.Series(texts.name, numbers)
    if digits.all():
        return found
    found = found.set(pl.Series(~digits), None)
    hashed = texts.is_not_null() & pl.Series(~digits)
    if not hashed.any():
        return found
    if column.device:  # zeros in front are digits of a device too
        zeros = hashed & texts.str.contains(_ZEROS_IN_FRONT).fill_null(False)
        if zeros.any():
            found = texts.set(~zeros, None).cast(pl.Int64).zip_with(zeros, found).alias(texts.name)
            hashed &= ~zeros
            if not hashed.any():
                return found
    each = texts.filter(hashed).unique()
    of_each = pl.Series(opaque_keys(each))
    if known is not None:
        known.note(of_each, each)
    others = texts.filter(hashed).replace_strict(each, of_each, return_dtype=pl.Int64)
    return found.scatter(hashed.arg_true(), others)


def opaque_keys(texts: pl.Series) -> npt.NDArray[np.int64]:
    """`record_keys.opaque_key` of each text; none may be null."""
    mixed = np.zeros(len(texts), np.uint64)
    data = texts.cast(pl.Binary)
    words = ((data.bin.size() + 7) // 8).to_numpy()
    for count in np.unique(words):
        rows = np.flatnonzero(words == count)
        some = data.gather(rows)
        if count * 8 > LONGEST:
            mixed[rows] = _mixed([blake2b(one, digest_size=32).digest() for one in some], 4)
        else:
            mixed[rows] = _mixed(some.to_list(), int(count))
    short = (texts.str.len_chars() <= 6) | texts.str.contains("^(?:106|short:)")
    found: npt.NDArray[np.int64] = -1 - (mixed >> np.uint64(2)).astype(np.int64)
    found[short.to_numpy()] += SHORT_KEYS_BELOW
    return found


def _mixed(data: list[bytes], words: int) -> npt.NDArray[np.uint64]:
    """MurmurHash64A as in `record_keys`, of data with the same number of words."""
    lengths = np.fromiter(map(len, data), np.uint64, len(data))
    blocks = np.frombuffer(b"".join(one.ljust(words * 8, b"\0") for one in data), "<u8").reshape(
        len(data), words
    )
    mixed = lengths * _FACTOR
    for place in range(words):
        word = blocks[:, place] * _FACTOR
        word = (word ^ (word >> _SHIFT)) * _FACTOR
        mixed = (mixed ^ word) * _FACTOR
    mixed = (mixed ^ (mixed >> _SHIFT)) * _FACTOR
    return mixed ^ (mixed >> _SHIFT)


def with_texts(table: str, frame: pl.DataFrame, texts: pl.LazyFrame | None) -> pl.DataFrame:
    """`frame` with texts in place of record keys; `texts`: key and text of hashed ones; None: there are none."""
    for column in TABLES[table].columns:
        if not column.keyed or column.name not in frame.columns:
            continue
        values = frame[column.name]
        told = values.cast(pl.String)
        if column.device:
            told = told.str.zfill(DEVICE_DIGITS)
        if texts is not None and (values < 0).any():
            of_keys = texts.filter(pl.col("key").is_in(values.unique().implode()))
            pairs = of_keys.collect().unique("key")
            hashed = values.replace_strict(pairs["key"], pairs["text"], default=None, return_dtype=pl.String)
            told = told.zip_with((values >= 0).fill_null(True), hashed)
        frame = frame.with_columns(told.alias(column.name))
    return frame
