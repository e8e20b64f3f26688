"""The graph of cards and what they share: two-sided lists of memberships, and contacts between cards.

Cards are rows of `cards`, in order of their key; groups are numbered over all kinds. Memberships are kept twice, by
card and by group, as the growth from a seed walks them both ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from duanka.domain.rings import LinkKind
from duanka.links.graph.evidence import LinkEvidence
from duanka.links.graph.groups import Groups, all_groups
from duanka.links.graph.strength import Floats, Ints

Places = NDArray[np.int32]
CALLED = (
    0.5  # strength of a contact that was called once or twice; of a circle it is the number of calls, from 2
)
Weights = NDArray[np.float32]
_Number = TypeVar("_Number", np.int64, np.float64)


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


@dataclass(frozen=True)
class LinkGraph:
    """`cards`: as in LinkEvidence. `kind`, `label`: of each group. `groups_of`: card -> groups; `cards_of`: reversed.

    `contacts`: card -> cards of its circle, with the number of calls and messages, or that it called, with CALLED.
    `contacted_by`: reversed; to be called by another is no contact.
    """

    cards: pl.DataFrame
    kind: pl.Series
    label: pl.Series
    groups_of: Neighbours
    cards_of: Neighbours
    contacts: Neighbours
    contacted_by: Neighbours

    @property
    def edges(self) -> int:
        """Memberships and contacts."""
        return len(self.cards_of.other) + len(self.contacts.other)

    def rows_of(self, keys: Sequence[int]) -> Ints:
        """Rows of cards by their record keys; those that are unknown are left out."""
        known = self.cards["card"].to_numpy()
        wanted = np.asarray(keys, dtype=np.int64)
        at = np.minimum(np.searchsorted(known, wanted), max(len(known) - 1, 0))
        return at[known[at] == wanted] if len(known) else np.empty(0, dtype=np.int64)

    def groups_with(self, cards: Ints, kind: LinkKind) -> Ints:
        """The groups of `kind` that any of `cards` is in."""
        entry, _ = self.groups_of.entries(cards)
        found = np.unique(self.groups_of.other[entry]).astype(np.int64)
        return np.asarray(found[(self.kind.gather(found) == kind.value).to_numpy()], dtype=np.int64)

    def groups_labelled(self, kind: LinkKind, label: str) -> Ints:
        """The groups of `kind` with this label."""
        found = (self.kind == kind.value) & (self.label == label)
        return found.arg_true().cast(pl.Int64).to_numpy()


def build_graph(evidence: LinkEvidence) -> LinkGraph:
    """Weigh all evidence and put it together; nothing weaker than MIN_STRENGTH is in the graph."""
    parts = list(all_groups(evidence))
    first = np.cumsum([0, *(len(part.label) for part in parts)])
    group = _joined((part.group + begin for part, begin in zip(parts, first, strict=False)), np.int64)
    card = _joined((part.card for part in parts), np.int64)
    weight = _joined((part.strength for part in parts), np.float64)
    return LinkGraph(
        evidence.cards,
        _kinds(parts),
        pl.concat([part.label for part in parts]).alias("label"),
        _neighbours(card, group, weight, evidence.cards.height),
        _neighbours(group, card, weight, int(first[-1])),
        *_contacts(evidence),
    )


def _kinds(parts: Iterable[Groups]) -> pl.Series:
    names = [pl.repeat(part.kind.value, len(part.label), eager=True, dtype=pl.String) for part in parts]
    return pl.concat(names).cast(pl.Categorical).alias("kind")


def _contacts(evidence: LinkEvidence) -> tuple[Neighbours, Neighbours]:
    rows = evidence.cards.select("card").with_row_index("row")
    frame = evidence.contacts.join(rows, on="card").join(
        rows.rename({"card": "peer", "row": "row_peer"}), on="peer"
    )
    one, other = (frame[name].cast(pl.Int64).to_numpy() for name in ("row", "row_peer"))
    tie = np.where(frame["regular"].to_numpy(), (frame["out"] + frame["inward"]).to_numpy(), CALLED)
    return _neighbours(one, other, tie, evidence.cards.height), _neighbours(
        other, one, tie, evidence.cards.height
    )


def _neighbours(row: Ints, other: Ints, strength: Floats, rows: int) -> Neighbours:
    order = np.lexsort((other, row))
    start = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=rows)))).astype(np.int64)
    return Neighbours(start, other[order].astype(np.int32), strength[order].astype(np.float32))


def _joined(parts: Iterable[NDArray[_Number]], kind: type[_Number]) -> NDArray[_Number]:
    return np.concatenate([np.empty(0, dtype=kind), *parts]).astype(kind)
