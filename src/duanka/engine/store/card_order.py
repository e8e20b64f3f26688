"""Sorting of records by card and time in memory, which takes half of what the database takes for it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from duanka.engine.store.grouping import Ints

MOST_ROWS = 2_000_000  # sorted in memory, some 300 MB; the database sorts more, and spills
_SECOND = 1_000_000  # microseconds
_DAY_BITS = 17  # of a second of a day


def sorted_by_card(rows: pa.Table, moment: str) -> pa.Table:
    """`rows` of one day by card, then by the second of `moment`; texts become dictionaries."""
    columns = {name: _whole(rows[name]) for name in rows.column_names}
    order = pa.array(_order(columns["card"], columns[moment]))
    return pa.table({name: column.take(order) for name, column in columns.items()})


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array; texts by their place among the distinct ones."""
    array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return pc.dictionary_encode(array) if pa.types.is_string(array.type) else array


def _order(card: pa.Array, moment: pa.Array) -> Ints:
    cards: Ints = card.to_numpy()
    if pa.types.is_date(moment.type):  # all of one day
        return np.argsort(cards)
    seconds: Ints = moment.cast(pa.int64()).to_numpy() // _SECOND
    low, high = int(cards.min()), int(cards.max())
    if high - low >= 1 << (63 - _DAY_BITS):  # hashes of pseudonyms
        return np.lexsort((seconds, cards))
    return np.argsort(((cards - low) << _DAY_BITS) | (seconds - seconds.min()))
