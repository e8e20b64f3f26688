"""Sparse matrices by rows: who is next to whom, and how closely."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from duanka.links.graph.strength import Floats, Ints

Places = NDArray[np.int32]
Weights = NDArray[np.float32]


@dataclass(frozen=True)
class Neighbours:
    """A sparse matrix by rows: of row r, `other[start[r]:start[r + 1]]`, each with its `strength`."""

    start: Ints
    other: Places
    strength: Weights

    def rows(self) -> Ints:
        """The row of each entry of `other`."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))

    def entries(self, rows: Ints) -> tuple[Ints, Ints]:
        """Indices into `other` of all entries of `rows`, and for each the place in `rows` that it belongs to."""
        begin, many = self.start[rows], self.start[rows + 1] - self.start[rows]
        owner = np.repeat(np.arange(len(rows)), many)
        skipped = np.cumsum(many) - many
        return np.arange(int(many.sum())) - skipped[owner] + begin[owner], owner

    def places(self, rows: Ints, others: Places) -> Ints:
        """For each pair of a row and another: where in `other` it is, or would come; `rows` and `others` as long."""
        low, high = self.start[rows], self.start[rows + 1]
        while np.any(open_still := low < high):
            middle = np.where(open_still, (low + high) // 2, 0)
            after = open_still & (self.other[middle] < others)
            low, high = np.where(after, middle + 1, low), np.where(open_still & ~after, middle, high)
        return low

    def reversed(self, rows: int) -> Neighbours:
        """The matrix with rows and columns exchanged; `rows`: of the new one."""
        shape = len(self.start) - 1, rows
        turned = csr_array((self.strength, self.other, self.start), shape=shape).tocsc()
        return Neighbours(turned.indptr.astype(np.int64), turned.indices.astype(np.int32), turned.data)


def sorted_neighbours(row: Ints, other: Ints, strength: Floats, rows: int) -> Neighbours:
    """The matrix of `rows` rows with these entries, those of a row in order of `other`."""
    wide = int(other.max(initial=0)) + 1
    order = np.argsort(row * wide + other, kind="stable")  # what is sorted already costs next to nothing
    return of_sorted(row[order], other[order], strength[order], rows)


def of_sorted(row: Ints, other: Ints | Places, strength: Floats | Weights, rows: int) -> Neighbours:
    """The matrix of `rows` rows with these entries, which are in order of row and `other`."""
    start = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=rows)))).astype(np.int64)
    return Neighbours(start, other.astype(np.int32), strength.astype(np.float32))


def components(row: Ints, other: Ints) -> Ints:
    """For each pair of a row and another, such as a card and its group: the number of the connected part of both."""
    first = int(row.max(initial=-1)) + 1
    size = first + int(other.max(initial=-1)) + 1
    ties = coo_array((np.ones(len(row), dtype=np.int8), (row, first + other)), shape=(size, size))
    _, part = connected_components(ties, directed=False)
    return np.asarray(part[row], dtype=np.int64)
