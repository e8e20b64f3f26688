"""Thrift compact protocol, the subset used by Parquet footers and page headers.

Sizes in the data are not trusted: none determines an allocation. Fields are identified by id and type, as in Arrow: a
known id with another type is skipped as an unknown field.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_MAX_DEPTH = 8
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_INTEGERS = (4, 5, 6)
I32, I64, LIST, STRUCT = 5, 6, _LIST, _STRUCT
Fields = dict[tuple[int, int], Any]  # (id, type) -> value
_MAX_ELEMENTS = 10_000  # maximum elements of a list; page headers have no lists


class Truncated(Exception):
    """The bytes end before the value does."""


class CompactReader:
    """Reads values from `data`; `at`: current offset.

    Raises ValueError on invalid data, Truncated at the end.
    """

    def __init__(self, data: bytes) -> None:
        self.at = 0
        self._data = data

    def struct(self, depth: int = 0) -> Fields:
        """Return the fields of a struct; text and lists are skipped and become None."""
        return {field: self.value(field[1], depth) for field in self.fields(depth)}

    def fields(self, depth: int = 0) -> Iterator[tuple[int, int]]:
        """Yield id and type of each field; the caller reads its value before the next field."""
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deep")
        field = 0
        while head := self._byte():
            kind, step = head & 0x0F, head >> 4
            field = field + step if step else self._zigzag()
            yield field, kind

    def elements(self) -> Iterator[int]:
        """Yield the type of each list element; the caller reads the element before the next."""
        kind, size = self._list()
        for _ in range(size):
            yield kind

    def value(self, kind: int, depth: int = 0) -> Any:
        """Read a value of type `kind`; None for skipped types."""
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind in _INTEGERS:
            return self._zigzag()
        if kind == _STRUCT:
            return self.struct(depth + 1)
        self._pass_over(kind, depth)
        return None

    def _pass_over(self, kind: int, depth: int) -> None:
        if kind == _BYTE:
            self._skip(1)
        elif kind == _DOUBLE:
            self._skip(8)
        elif kind == _BINARY:
            self._skip(self._varint())
        elif kind in (_LIST, _SET):
            element, size = self._list()
            if size > _MAX_ELEMENTS:
                raise ValueError("a list too long")
            for _ in range(size):
                if element in (_TRUE, _FALSE):
                    self._skip(1)
                else:
                    self.value(element, depth + 1)
        else:
            raise ValueError("no type of a field")

    def _list(self) -> tuple[int, int]:
        head = self._byte()
        return head & 0x0F, head >> 4 if head >> 4 < 15 else self._varint()

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise Truncated
        self.at += 1
        return self._data[self.at - 1]

    def _skip(self, size: int) -> None:
        if self.at + size > len(self._data):
            raise Truncated
        self.at += size

    def _varint(self) -> int:
        value = shift = 0
        while True:
            octet = self._byte()
            value |= (octet & 0x7F) << shift
            if octet < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number too long")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
