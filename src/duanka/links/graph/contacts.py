"""Contacts between cards: all of them, or the changes of a night put into those of the night before."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from duanka.links.graph.evidence import LinkEvidence
from duanka.links.graph.neighbours import Neighbours, of_sorted, sorted_neighbours
from duanka.links.graph.strength import Floats, Ints

CALLED = (
    0.5  # strength of a contact that was called once or twice; of a circle it is the number of calls, from 2
)


def all_contacts(evidence: LinkEvidence) -> Neighbours:
    """The contacts of all cards in `evidence`; of strength 0: left out."""
    one, other, tie = _ties(evidence)
    some = tie > 0
    return sorted_neighbours(one[some], other[some], tie[some], evidence.cards.height)


def changed_contacts(before: Neighbours, cards: pl.DataFrame, evidence: LinkEvidence) -> Neighbours:
    """The contacts of the night before, of `cards`, with those in `evidence` in their place; of strength 0: left out.

    Nothing is sorted but the changes: an entry keeps its order when rows of new cards come between.
    """
    row, other, strength = _kept(before, cards, evidence)
    one, peer, tie = _ties(evidence)
    many = evidence.cards.height
    order = np.argsort(one * many + peer)
    changed, tie = (one * many + peer)[order], tie[order].astype(np.float32)
    key = row * many + other
    at = np.searchsorted(key, changed)
    known = at < len(key)
    known[known] = key[at[known]] == changed[known]
    strength[at[known]] = tie[known]
    new = ~known & (tie > 0)
    key = np.insert(key, at[new], changed[new])
    strength = np.insert(strength, at[new], tie[new])
    if np.any(tie == 0):
        key, strength = key[strength > 0], strength[strength > 0]
    row = key // many
    return of_sorted(row, key - row * many, strength, many)


def _kept(
    before: Neighbours, cards: pl.DataFrame, evidence: LinkEvidence
) -> tuple[Ints, Ints, NDArray[np.float32]]:
    """Entries of the night before by the rows of now, without those of cards that are no more."""
    moved, there = _rows(evidence.cards, cards["card"])
    row, other, strength = before.rows(), before.other, np.array(before.strength)
    if there.all() and len(moved) == evidence.cards.height:
        return row, other.astype(np.int64), strength
    keep = there[row] & there[other]
    return moved[row[keep]], moved[other[keep]], strength[keep]


def _ties(evidence: LinkEvidence) -> tuple[Ints, Ints, Floats]:
    """Row of card, row of peer and strength of each contact between cards that are known."""
    frame = evidence.contacts
    (one, is_one), (other, is_other) = (_rows(evidence.cards, frame[name]) for name in ("card", "peer"))
    tie = np.where(frame["regular"].to_numpy(), (frame["out"] + frame["inward"]).to_numpy(), CALLED)
    keep = is_one & is_other
    return one[keep], other[keep], tie[keep]


def _rows(cards: pl.DataFrame, keys: pl.Series) -> tuple[Ints, NDArray[np.bool_]]:
    """The row of each of `keys` in `cards`, and whether it is there at all."""
    known, wanted = cards["card"].to_numpy(), keys.to_numpy()
    if not len(known):
        return np.zeros(len(wanted), dtype=np.int64), np.zeros(len(wanted), dtype=np.bool_)
    at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return at, known[at] == wanted
