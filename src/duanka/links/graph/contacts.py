"""Contacts between cards: all of them, or the changes of a night put into those of the night before."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from duanka.links.graph.evidence import LinkEvidence
from duanka.links.graph.neighbours import Neighbours, of_sorted, sorted_neighbours
from duanka.links.graph.strength import Floats, Ints

# Strength of a contact that was called once or twice; of one of a circle it is the number of calls, from 2 on.
CALLED = 0.5
_FEW = 8  # times fewer keys than cards: looked for one by one


def all_contacts(evidence: LinkEvidence) -> Neighbours:
    """The contacts of all cards in `evidence`; of strength 0: left out."""
    one, other, tie = _ties(evidence)
    some = tie > 0
    return sorted_neighbours(one[some], other[some], tie[some], evidence.cards.height)


def changed_contacts(before: Neighbours, cards: pl.DataFrame, evidence: LinkEvidence) -> Neighbours:
    """The contacts of the night before, of `cards`, with those in `evidence` in their place; of strength 0: left out.

    Nothing is sorted but the changes: an entry keeps its order when rows of new cards come between.
    """
    kept = _moved(before, cards, evidence.cards)
    row, to, ties = _ties(evidence)
    order = np.lexsort((to, row))
    row, peer, tie = row[order], to[order].astype(np.int32), ties[order].astype(np.float32)
    at = kept.places(row, peer)
    known = at < kept.start[row + 1]
    known[known] = kept.other[at[known]] == peer[known]
    many, other, strength = np.diff(kept.start), kept.other, np.array(kept.strength)
    strength[at[known]] = tie[known]
    gone, new = known & (tie == 0), ~known & (tie > 0)
    np.subtract.at(many, row[gone], 1)
    np.add.at(many, row[new], 1)
    place = at[new]
    if gone.any():
        place = place - np.searchsorted(at[gone], place)  # where it comes when those that are gone are out
        other, strength = np.delete(other, at[gone]), np.delete(strength, at[gone])
    other, strength = np.insert(other, place, peer[new]), np.insert(strength, place, tie[new])
    return Neighbours(np.concatenate(([0], np.cumsum(many))), other, strength)


def _moved(before: Neighbours, cards: pl.DataFrame, now: pl.DataFrame) -> Neighbours:
    """Entries of the night before by the rows of `now`, without those of cards that are no more."""
    row, there = _rows(now, cards["card"])
    if not there.all():
        rows, other = before.rows(), before.other
        keep = there[rows] & there[other]
        return of_sorted(row[rows[keep]], row[other[keep]], before.strength[keep], now.height)
    if len(row) == now.height:
        return before
    many = np.zeros(now.height, dtype=np.int64)
    many[row] = np.diff(before.start)
    other = row.astype(np.int32)[before.other]
    return Neighbours(np.concatenate(([0], np.cumsum(many))), other, before.strength)


def _ties(evidence: LinkEvidence) -> tuple[Ints, Ints, Floats]:
    """Row of card, row of peer and strength of each contact between cards that are known."""
    frame = evidence.contacts
    (one, is_one), (other, is_other) = (_rows(evidence.cards, frame[name]) for name in ("card", "peer"))
    tie = np.where(frame["regular"].to_numpy(), (frame["out"] + frame["inward"]).to_numpy(), CALLED)
    keep = is_one & is_other
    return one[keep], other[keep], tie[keep]


def _rows(cards: pl.DataFrame, keys: pl.Series) -> tuple[Ints, NDArray[np.bool_]]:
    """The row of each of `keys` in `cards`, and whether it is there at all."""
    known = cards["card"].to_numpy()
    if len(known) and (len(keys) < len(known) // _FEW or keys.is_sorted()):
        at = np.minimum(np.searchsorted(known, keys.to_numpy()), len(known) - 1)
        return at, known[at] == keys.to_numpy()
    # a hash join: a search for each of many keys would miss the cache at each of its steps
    rows = cards.select(key="card").with_row_index("row")
    found = keys.to_frame("key").join(rows, on="key", how="left", maintain_order="left")["row"]
    return found.fill_null(0).cast(pl.Int64).to_numpy(), found.is_not_null().to_numpy()
