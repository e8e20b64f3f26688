"""Memory check of a Parquet file from its page headers, before decompression.

Footer and headers are parsed here, because Arrow's metadata API crashes the process on a damaged column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa

from duanka.ingest.files.limits import MB, TEXT_AT_ONCE, unpacks_too_much
from duanka.ingest.formats.thrift_compact import I32, I64, LIST, STRUCT, CompactReader, Fields, Truncated

MOST_FOOTER = 16 * MB
_MAX_PAGES = 20_000  # maximum pages of a column in a row group; a page usually has 1 MB or 20,000 values
_MAX_PAGE_BYTES = 64 * MB
_MAX_PAGE_BYTES_AT_ONCE = 256 * MB  # sum over the largest pages of all columns, held together
_DELTA_VALUES = 10_000_000  # maximum values of a delta-encoded page, whose lengths are decoded together
_FREE_ROWS = 10_000_000  # rows allowed for any file, whatever its size
_ROWS_A_BYTE = 64  # maximum rows per byte beyond _FREE_ROWS: generous, as one bit per row makes only eight
_SHORT_DICTIONARY = 1 << 10  # bytes; a shorter dictionary is not searched for its longest text
_CODECS = {1: "snappy", 2: "gzip", 4: "brotli", 6: "zstd", 7: "lz4_raw"}
_UNPACKED, _KNOWN_CODECS = 0, range(8)
_TEXT = 6  # BYTE_ARRAY
_HEADER_SIZES = (512, 64 << 10, MB)  # bytes read in turn until the page header is complete

_DICTIONARY_PAGE = 2
_HEADERS = {0: 5, _DICTIONARY_PAGE: 7, 3: 8}  # page type -> field id of its specific header
_DELTA_ENCODINGS = (5, 6, 7)  # DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY
_DELTA_BYTE_ARRAY = 7


class TooMuch(Exception):
    """Decompression would exceed the limits; the argument says which."""


class PageHeader(NamedTuple):
    """A page header.

    `at`, `packed`: offset and bytes of its data in the file. `size`: bytes decompressed. `values`: rows, or entries of
    a dictionary.
    """

    at: int
    packed: int
    is_dictionary: bool
    size: int
    values: int
    encoding: int


class Chunk(NamedTuple):
    """A column chunk, as described in the footer."""

    kind: int
    codec: int
    values: int
    packed: int
    data_at: int
    dictionary_at: int  # 0: none


class RowGroups:
    """Row groups of the Parquet file `data` of `size` bytes, `wanted` columns only.

    `metadata`: Arrow's metadata of the file.
    """

    def __init__(self, data: BinaryIO, size: int, metadata: Any, wanted: Sequence[str]) -> None:
        self._data = data
        self._size = size
        self._metadata = metadata
        names = [metadata.schema.column(at).path for at in range(metadata.num_columns)]
        columns = [names.index(name) for name in wanted if name in names]
        length = footer_size(data, size)
        data.seek(max(size - 8 - length, 0))
        self._groups = _groups(data.read(length), frozenset(columns))
        self._unpacked = 0

    def check_rows(self) -> None:
        """Raise TooMuch when the claimed rows are implausible for the file size."""
        rows = sum(self._metadata.row_group(at).num_rows for at in range(self._metadata.num_row_groups))
        if max(rows, self._metadata.num_rows) > max(_FREE_ROWS, _ROWS_A_BYTE * self._size):
            raise TooMuch(f"claims {rows:,} rows in {self._size:,} bytes")

    def batch_rows(self, group: int, most: int) -> int:
        """Number of rows of a group to read at once within the text limit, at most `most`.

        Raises TooMuch, and ValueError on a damaged header.
        """
        rows = most
        together = 0
        for chunk in self._groups[group] if group < len(self._groups) else [None]:
            if chunk is None:
                raise ValueError("its columns are described by nothing sensible")
            largest = dictionary = 0
            for page in self._pages(chunk):
                self._count(page)
                is_text = chunk.kind == _TEXT
                if page.is_dictionary:
                    dictionary = max(dictionary, page.size)
                    if is_text:
                        rows = min(rows, TEXT_AT_ONCE // self._longest(page, chunk.codec))
                    continue
                largest = max(largest, page.size)
                if is_text:
                    # of DELTA_BYTE_ARRAY each value may repeat the whole previous one
                    values = 1 if page.encoding == _DELTA_BYTE_ARRAY else max(page.values, 1)
                    rows = min(rows, TEXT_AT_ONCE * values // max(page.size, 1))
            together += largest + dictionary
            if together > _MAX_PAGE_BYTES_AT_ONCE:
                raise TooMuch(f"row group {group} has pages of {together >> 20} MB together")
        return max(rows, 1)

    def _count(self, page: PageHeader) -> None:
        self._unpacked += page.size
        if page.size > _MAX_PAGE_BYTES:
            raise TooMuch(f"has a page of {page.size >> 20} MB")
        if page.encoding in _DELTA_ENCODINGS and page.values > _DELTA_VALUES:
            raise TooMuch(f"has a page of {page.values:,} values")
        if why := unpacks_too_much(self._size, self._unpacked):
            raise TooMuch(why)

    def _pages(self, chunk: Chunk) -> Iterator[PageHeader]:
        at = chunk.data_at
        if chunk.dictionary_at:
            at = min(at, chunk.dictionary_at)
        end = min(at + chunk.packed, self._size)
        left = chunk.values
        pages = 0
        while left > 0 and at < end:
            fields, header = self._header(at)
            page = _page(fields, at + header)
            yield page
            left -= 0 if page.is_dictionary else page.values
            at = page.at + page.packed
            pages += 1
            if pages > _MAX_PAGES:
                raise TooMuch(f"has more than {_MAX_PAGES:,} pages of a column")

    def _longest(self, page: PageHeader, codec: int) -> int:
        """Bytes of the longest text in a dictionary (every row may repeat it), at least 1."""
        if page.size <= _SHORT_DICTIONARY:
            return max(page.size, 1)
        self._data.seek(page.at)
        octets = self._data.read(page.packed)
        if codec in _CODECS:
            octets = pa.decompress(octets, page.size, _CODECS[codec], asbytes=True)
        elif codec != _UNPACKED:
            return page.size
        return max(min(longest_text(octets), page.size), 1)

    def _header(self, at: int) -> tuple[Fields, int]:
        for size in _HEADER_SIZES:
            self._data.seek(at)
            reader = CompactReader(self._data.read(size))
            try:
                return reader.struct(), reader.at
            except Truncated:
                continue
        raise ValueError("a page header does not end")


def longest_text(octets: bytes) -> int:
    """Largest length in a page of texts, each of which follows its length in four bytes."""
    if (short := _longest_if_short(octets)) is not None:
        return short
    longest = at = 0
    while at + 4 <= len(octets):
        length = int.from_bytes(octets[at : at + 4], "little")
        longest = max(longest, length)
        at += 4 + length
    return longest


def _longest_if_short(octets: bytes) -> int | None:
    """`longest_text` of texts below 256 bytes without a NUL byte, many times as fast; None if they are no such texts.

    Of each length the three upper bytes are 0, and nothing else is: so the zeros tell where the lengths are. One text
    may be empty, as a dictionary has no text twice.
    """
    page = np.frombuffer(octets, np.uint8)
    zeros = np.flatnonzero(page == 0)
    if len(zeros) % 3 == 1:
        zeros = np.delete(zeros, np.flatnonzero(zeros[3:] - zeros[:-3] == 3)[:1])
    if not len(zeros) or len(zeros) % 3:
        return None
    upper = zeros.reshape(-1, 3)
    begins = upper[:, 0] - 1
    if begins[0] != 0 or (upper[:, 2] - upper[:, 0] != 2).any():
        return None
    lengths = page[begins].astype(np.int64)
    ends = begins + 4 + lengths
    whole = ends[-1] == len(page) and np.array_equal(ends[:-1], begins[1:])
    return int(lengths.max()) if whole else None


def footer_size(data: BinaryIO, size: int) -> int:
    """Bytes of the footer, as stated at the end of the file; 0 if the file is too short."""
    if size < 12:
        return 0
    data.seek(size - 8)
    found = int.from_bytes(data.read(4), "little")
    data.seek(0)
    return found


def _groups(footer: bytes, columns: frozenset[int]) -> list[list[Chunk | None]]:
    """The `columns` of each row group in the footer (FileMetaData); None for invalid ones."""
    reader = CompactReader(footer)
    groups: list[list[Chunk | None]] = []
    with suppress(Truncated, ValueError):  # of a truncated footer, keep what was parsed
        for field in reader.fields():
            if field == (4, LIST):
                groups = []
                groups.extend(_group(reader, kind, columns) for kind in reader.elements())
            else:
                reader.value(field[1])
    return groups


def _group(reader: CompactReader, kind: int, columns: frozenset[int]) -> list[Chunk | None]:
    found: list[Chunk | None] = [None]
    _is_struct(kind)
    for field in reader.fields(1):
        if field != (1, LIST):
            reader.value(field[1], 1)
            continue
        found = []
        for at, element in enumerate(reader.elements()):
            _is_struct(element)
            column = reader.struct(2)
            if at in columns:
                found.append(_chunk(column))
    return found if len(found) == len(columns) else [None]


def _is_struct(kind: int) -> None:
    if kind != STRUCT:  # a list of another type would be misread as structs
        raise ValueError("no list of structs")


def _chunk(column: Fields) -> Chunk | None:
    fields: Fields = column.get((3, STRUCT)) or {}
    found = Chunk(
        kind=fields.get((1, I32), -1),
        codec=fields.get((4, I32), -1),
        values=fields.get((5, I64), -1),
        packed=fields.get((7, I64), -1),
        data_at=fields.get((9, I64), -1),
        dictionary_at=fields.get((11, I64), 0),
    )
    return found if min(found) >= 0 and found.codec in _KNOWN_CODECS else None


def _page(fields: Fields, at: int) -> PageHeader:
    """The page described by a header, with its data at offset `at`."""
    kind = fields.get((1, I32))
    of_dictionary = kind == _DICTIONARY_PAGE
    of_its_own = _HEADERS.get(kind)  # type: ignore[arg-type]
    inner: Fields = fields.get((of_its_own, STRUCT)) or {} if of_its_own else {}
    encoding = inner.get((4 if of_its_own == 8 else 2, I32), 0)
    numbers = (fields.get((2, I32)), fields.get((3, I32)), inner.get((1, I32)) if of_its_own else 0, encoding)
    if any(not isinstance(number, int) or number < 0 for number in numbers):
        raise ValueError("a page header says nothing sensible")
    size, packed, values, _ = numbers
    return PageHeader(at, int(packed or 0), of_dictionary, int(size or 0), int(values or 0), int(encoding))
