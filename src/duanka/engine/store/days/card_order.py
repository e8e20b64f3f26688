"""Sorting of records by card and time in memory, which takes half of what the database takes for it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from duanka.engine.store.days.grouping import Ints

SLICE_ROWS = 2_500_000  # sorted in memory at once, some 400 MB
MOST_SLICES = 4  # each reads the delivered parts once more; beyond, the database sorts, and spills
_SECOND = 1_000_000  # microseconds
_DAY_BITS = 17  # of a second of a day


def sorted_by_card(columns: dict[str, pa.ChunkedArray], moment: str) -> pa.Table:
    """Rows of one day by card, then by the second of `moment`; texts become dictionaries.

    `columns` is emptied, so that memory holds each column once.
    """
    order = pa.array(_order(columns["card"], columns[moment]))
    found = {}
    for name in list(columns):
        found[name] = _whole(columns.pop(name)).take(order)
    return pa.table(found)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array; texts by their place among the distinct ones."""
    array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return pc.dictionary_encode(array) if pa.types.is_string(array.type) else array


def _order(card: pa.ChunkedArray, moment: pa.ChunkedArray) -> Ints:
    cards: Ints = card.to_numpy()
    if pa.types.is_date(moment.type):  # all of one day
        return np.argsort(cards)
    seconds: Ints = moment.cast(pa.int64()).to_numpy() // _SECOND
    low, high = int(cards.min()), int(cards.max())
    if high - low >= 1 << (63 - _DAY_BITS):  # hashes of pseudonyms
        return np.lexsort((seconds, cards))
    key = cards - low
    key <<= _DAY_BITS
    key |= seconds - seconds.min()
    return np.argsort(key)
