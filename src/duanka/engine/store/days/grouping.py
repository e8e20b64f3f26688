"""Grouping of rows that are sorted by card: sums, minima and maxima by key, in numpy.

A hash aggregation spends most of its time on finding the group of a row. Here rows of a group become neighbours: they
are sorted by the rank of their card and a hash of the other keys. Neighbours are one group only if all keys are equal;
where two keys share a hash, the keys themselves give the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from duanka.domain.rollups import MergeOperation

Ints = npt.NDArray[np.int64]
NO_KEY = np.iinfo(np.int64).min  # stands for NULL in a key
NOTHING = {
    MergeOperation.SUM: 0,
    MergeOperation.MIN: np.iinfo(np.int64).max,  # of no value at all: NULL
    MergeOperation.MAX: np.iinfo(np.int64).min,
}
_RANK_BITS = 31
_HASH_BITS = 63 - _RANK_BITS
_ODD = np.uint64(0x9E3779B97F4A7C15)


class Grouped(NamedTuple):
    """Groups in order of `place`: rank of the card, then a hash of the other keys.

    `values`: without those that no group has.
    """

    place: Ints
    keys: Mapping[str, Ints]
    values: Mapping[str, Ints]


def union(columns: Sequence[Ints]) -> Ints:
    """The distinct values of sorted columns, sorted."""
    found = np.sort(np.concatenate([one[differs(one)] for one in columns]))
    return found[differs(found)]


def ranks(columns: Sequence[Ints]) -> list[Ints]:
    """By column, a small number of each card: equal cards have equal numbers, in the order of the cards."""
    low = min(int(column.min()) for column in columns)
    if max(int(column.max()) for column in columns) - low < 1 << _RANK_BITS:
        return [column - low for column in columns]
    distinct = union(columns)  # pseudonyms, which are far apart
    return [_ranked(distinct, column) for column in columns]


def _ranked(cards: Ints, column: Ints) -> Ints:
    """Rank of each value of `column` among the sorted, distinct `cards`, which hold all of them."""
    changes = np.flatnonzero(differs(column))
    counts = np.diff(np.append(changes, len(column)))
    found: Ints = np.repeat(np.searchsorted(cards, column[changes]), counts)
    return found


def places(rank: Ints, others: Sequence[Ints]) -> Ints:
    """Where rows belong: equal keys have equal places. `others`: the keys beside the card."""
    place: Ints = rank << _HASH_BITS
    if others:
        mixed = np.zeros(len(rank), np.uint64)
        for key in others:
            mixed = (mixed ^ key.view(np.uint64)) * _ODD
            mixed ^= mixed >> np.uint64(32)
        place |= (mixed * _ODD >> np.uint64(64 - _HASH_BITS)).view(np.int64)
    return place


def grouped(
    place: Ints,
    keys: Mapping[str, Ints],
    values: Mapping[str, npt.NDArray[np.signedinteger]],
    how: Mapping[str, MergeOperation],
) -> Grouped:
    """Merge rows with equal `keys`; `how`: of each value."""
    order, place, starts = _sorted(place, keys)
    if order is not None:
        keys = {name: column[order] for name, column in keys.items()}
    first = np.flatnonzero(starts)
    return Grouped(
        place[first],
        {name: column[first] for name, column in keys.items()},
        {
            name: _reduced(column if order is None else column[order], first, how[name])
            for name, column in values.items()
            if not _without_value(column, NOTHING[how[name]])
        },
    )


def merged(groups: Sequence[Grouped], how: Mapping[str, MergeOperation]) -> Grouped:
    """Merge groups of several sources; a source without a value adds nothing to it."""
    if len(groups) == 1:
        return groups[0]
    keys = {name: np.concatenate([one.keys[name] for one in groups]) for name in groups[0].keys}
    order, place, starts = _sorted(np.concatenate([one.place for one in groups]), keys)
    first = np.flatnonzero(starts)
    group = np.cumsum(starts) - 1  # that each row belongs to
    begins = first
    if order is not None:
        in_order, group = group, np.empty_like(group)
        group[order] = in_order
        begins = order[first]
    parts = np.split(group, np.cumsum([len(one.place) for one in groups])[:-1])
    return Grouped(
        place[first],
        {name: column[begins] for name, column in keys.items()},
        {
            name: _put_together(name, groups, parts, len(first), operation)
            for name, operation in how.items()
            if any(name in one.values for one in groups)
        },
    )


def _put_together(
    name: str, groups: Sequence[Grouped], parts: Sequence[Ints], most: int, how: MergeOperation
) -> Ints:
    """The value `name` of `most` groups; `parts`: by source, into which group each of its rows goes."""
    found = np.full(most, NOTHING[how], np.int64)
    merge = {MergeOperation.SUM: np.add, MergeOperation.MIN: np.minimum, MergeOperation.MAX: np.maximum}[how]
    for one, into in zip(groups, parts, strict=True):
        if name not in one.values:
            continue
        found[into] = merge(found[into], one.values[name])  # a source has each group once
    return found


def _sorted(place: Ints, keys: Mapping[str, Ints]) -> tuple[Ints | None, Ints, npt.NDArray[np.bool_]]:
    """The order of the rows (None: as they are), their places in that order, and whether each begins a group."""
    order = None if _ascending(place) else np.argsort(place)
    starts = _begins(order, place)
    different = np.count_nonzero(starts)
    for column in keys.values():
        starts |= _begins(order, column)
    if np.count_nonzero(starts) > different:  # two keys share a hash, and their rows may be mixed
        order = np.lexsort((*keys.values(), place))
        starts = np.logical_or.reduce([_begins(order, column) for column in (place, *keys.values())])
    return order, place if order is None else place[order], starts


def _begins(order: Ints | None, column: Ints) -> npt.NDArray[np.bool_]:
    """Whether each row, in order, has another value than the one before."""
    return differs(column if order is None else column[order])


def _ascending(column: Ints) -> bool:
    return bool(np.all(column[1:] >= column[:-1]))


def differs(column: Ints) -> npt.NDArray[np.bool_]:
    """Whether a value differs from the one before it."""
    found = np.ones(len(column), np.bool_)
    np.not_equal(column[1:], column[:-1], out=found[1:])
    return found


def _without_value(column: npt.NDArray[np.signedinteger], nothing: int) -> bool:
    return bool(column[0] == nothing and np.all(column == nothing))


def _reduced(column: npt.NDArray[np.signedinteger], first: Ints, how: MergeOperation) -> Ints:
    if len(first) == len(column):
        return column.astype(np.int64)
    if how is MergeOperation.MIN:
        return np.minimum.reduceat(column, first)
    if how is MergeOperation.MAX:
        return np.maximum.reduceat(column, first)
    reached = np.cumsum(column, dtype=np.int64)
    total: Ints = reached[np.append(first[1:], len(column)) - 1]
    total[1:] -= total[:-1].copy()
    return total
