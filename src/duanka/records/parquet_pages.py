"""What the pages of a Parquet file would unpack to, told from their headers before anything is unpacked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa

from duanka.records.limits import MB, TEXT_AT_ONCE, unpacks_too_much
from duanka.records.thrift_compact import CompactReader, Truncated

MOST_FOOTER = 16 * MB
_MOST_PAGES = 20_000  # of a column in a row group; pages hold a megabyte or 20,000 values
_LARGEST_PAGE = 64 * MB
_MOST_PAGES_AT_ONCE = 256 * MB  # the largest pages of all columns that are read, which are held together
_DELTA_VALUES = 10_000_000  # values of a page whose lengths are unpacked together
_FREE_ROWS = 10_000_000  # so many rows may be in any file
_ROWS_A_BYTE = 64  # rows for each byte of a file with more: even one bit a row is eight
_SHORT_DICTIONARY = 1 << 10  # bytes; of one so short nobody asks which text in it is the longest
_CODECS = {"SNAPPY": "snappy", "GZIP": "gzip", "BROTLI": "brotli", "ZSTD": "zstd", "LZ4_RAW": "lz4_raw"}
_HEADER_SIZES = (512, 64 << 10, MB)  # bytes that are read to find a page header whole

_DICTIONARY_PAGE = 2
_DELTA_ENCODINGS = (5, 6, 7)  # of numbers, of lengths, of text by what it shares with the value before
_DELTA_BYTE_ARRAY = 7


class TooMuch(Exception):
    """Unpacking it would take more than any delivery does; the argument says what."""


class Page(NamedTuple):
    """A page header. `at`, `packed`: where its data lie in the file, and their bytes; `size`: bytes unpacked;
    `values`: rows, or entries of a dictionary."""

    at: int
    packed: int
    is_dictionary: bool
    size: int
    values: int
    encoding: int


class RowGroups:
    """The row groups of the Parquet file `data` of `size` bytes, which `metadata` (Arrow's) describes.

    Only the columns in `wanted` count.
    """

    def __init__(self, data: BinaryIO, size: int, metadata: Any, wanted: Sequence[str]) -> None:
        self._data = data
        self._size = size
        self._metadata = metadata
        names = [metadata.schema.column(at).path for at in range(metadata.num_columns)]
        self._columns = [names.index(name) for name in wanted if name in names]
        self._unpacked = 0

    def check_rows(self) -> None:
        """Raise TooMuch when the file claims rows out of all proportion to its size."""
        rows = sum(self._metadata.row_group(at).num_rows for at in range(self._metadata.num_row_groups))
        if max(rows, self._metadata.num_rows) > max(_FREE_ROWS, _ROWS_A_BYTE * self._size):
            raise TooMuch(f"claims {rows:,} rows in {self._size:,} bytes")

    def batch_rows(self, group: int, most: int) -> int:
        """How many rows of a group, at most `most`, can be read at once within the memory for text.

        Raises TooMuch, and ValueError on a damaged header.
        """
        rows = most
        together = 0
        for column in self._columns:
            chunk = self._metadata.row_group(group).column(column)
            largest = dictionary = 0
            for page in self._pages(chunk):
                self._count(page)
                is_text = chunk.physical_type == "BYTE_ARRAY"
                if page.is_dictionary:
                    dictionary = max(dictionary, page.size)
                    if is_text:
                        rows = min(rows, TEXT_AT_ONCE // self._longest(page, chunk.compression))
                    continue
                largest = max(largest, page.size)
                if is_text:
                    rows = min(rows, _rows_within(page))
            together += largest + dictionary
            if together > _MOST_PAGES_AT_ONCE:
                raise TooMuch(f"row group {group} has pages of {together >> 20} MB together")
        return max(rows, 1)

    def _count(self, page: Page) -> None:
        self._unpacked += page.size
        if page.size > _LARGEST_PAGE:
            raise TooMuch(f"has a page of {page.size >> 20} MB")
        if page.encoding in _DELTA_ENCODINGS and page.values > _DELTA_VALUES:
            raise TooMuch(f"has a page of {page.values:,} values")
        if why := unpacks_too_much(self._size, self._unpacked):
            raise TooMuch(why)

    def _pages(self, chunk: Any) -> Iterator[Page]:
        at = chunk.data_page_offset
        if chunk.has_dictionary_page and chunk.dictionary_page_offset:
            at = min(at, chunk.dictionary_page_offset)
        end = min(at + chunk.total_compressed_size, self._size)
        left = chunk.num_values
        pages = 0
        while left > 0 and at < end:
            fields, header = self._header(at)
            page = _page(fields, at + header)
            yield page
            left -= 0 if page.is_dictionary else page.values
            at = page.at + page.packed
            pages += 1
            if pages > _MOST_PAGES:
                raise TooMuch(f"has more than {_MOST_PAGES:,} pages of a column")

    def _longest(self, page: Page, codec: str) -> int:
        """Bytes of the longest text in a dictionary, which every row may repeat; at least 1."""
        if page.size <= _SHORT_DICTIONARY:
            return max(page.size, 1)
        self._data.seek(page.at)
        octets = self._data.read(page.packed)
        if codec in _CODECS:
            octets = pa.decompress(octets, page.size, _CODECS[codec], asbytes=True)
        elif codec != "UNCOMPRESSED":
            return page.size
        longest = at = 0
        while at + 4 <= len(octets):
            length = int.from_bytes(octets[at : at + 4], "little")
            longest = max(longest, length)
            at += 4 + length
        return max(min(longest, page.size), 1)

    def _header(self, at: int) -> tuple[dict[int, Any], int]:
        for size in _HEADER_SIZES:
            self._data.seek(at)
            reader = CompactReader(self._data.read(size))
            try:
                return reader.struct(), reader.at
            except Truncated:
                continue
        raise ValueError("a page header does not end")


def footer_size(data: BinaryIO, size: int) -> int:
    """Bytes of the footer, as the end of the file says; 0 where the file is too short to have one."""
    if size < 12:
        return 0
    data.seek(size - 8)
    found = int.from_bytes(data.read(4), "little")
    data.seek(0)
    return found


def _page(fields: dict[int, Any], at: int) -> Page:
    """The page that a header describes whose data begin at `at`."""
    of_dictionary = fields.get(1) == _DICTIONARY_PAGE
    found = fields.get(7 if of_dictionary else 8 if 8 in fields else 5)
    inner: dict[int, Any] = found if isinstance(found, dict) else {}
    encoding = inner.get(4 if 8 in fields else 2, 0)
    numbers = (fields.get(2), fields.get(3), inner.get(1), encoding)
    if any(not isinstance(number, int) or number < 0 for number in numbers):
        raise ValueError("a page header says nothing sensible")
    size, packed, values, _ = numbers
    return Page(at, int(packed or 0), of_dictionary, int(size or 0), int(values or 0), int(encoding))


def _rows_within(page: Page) -> int:
    """How many rows of such pages hold no more text than may be in memory at once."""
    if page.encoding == _DELTA_BYTE_ARRAY:  # each value may repeat all of the one before
        return TEXT_AT_ONCE // max(page.size, 1)
    return TEXT_AT_ONCE * max(page.values, 1) // max(page.size, 1)
