"""The graph of cards and what they share: two-sided lists of memberships, and contacts between cards.

Cards are rows of `cards`, in order of their key; groups are numbered over all kinds. Memberships are kept twice, by
card and by group, as the growth from a seed walks them both ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from duanka.domain.rings import LinkKind
from duanka.links.graph.contacts import all_contacts, changed_contacts
from duanka.links.graph.devices import DEVICES, device_facts
from duanka.links.graph.evidence import LinkEvidence
from duanka.links.graph.groups import Groups, all_groups
from duanka.links.graph.neighbours import Neighbours, sorted_neighbours
from duanka.links.graph.strength import Ints

_Number = TypeVar("_Number", np.int64, np.float64)


@dataclass(frozen=True)
class LinkGraph:
    """`cards`: as in LinkEvidence. `kind`, `label`: of each group. `groups_of`: card -> groups; `cards_of`: reversed.

    `contacts`: card -> cards of its circle, with the number of calls and messages, or that it called, with CALLED.
    `contacted_by`: reversed; to be called by another is no contact. `devices`: as `device_facts` has them.
    """

    cards: pl.DataFrame
    kind: pl.Series
    label: pl.Series
    groups_of: Neighbours
    cards_of: Neighbours
    contacts: Neighbours
    contacted_by: Neighbours
    devices: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=DEVICES))

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

    def many_in_groups(self, cards: Ints) -> Ints:
        """Per group: how many of `cards` are in it."""
        entry, _ = self.groups_of.entries(cards)
        return np.bincount(self.groups_of.other[entry], minlength=len(self.kind)).astype(np.int64)

    def groups_with(self, cards: Ints, kind: LinkKind) -> Ints:
        """The groups of `kind` that any of `cards` is in."""
        entry, _ = self.groups_of.entries(cards)
        found = np.unique(self.groups_of.other[entry]).astype(np.int64)
        return np.asarray(found[(self.kind.gather(found) == kind.value).to_numpy()], dtype=np.int64)

    def groups_labelled(self, kind: LinkKind, label: str) -> Ints:
        """The groups of `kind` with this label."""
        found = (self.kind == kind.value) & (self.label == label)
        return found.arg_true().cast(pl.Int64).to_numpy()


def build_graph(evidence: LinkEvidence, onto: LinkGraph | None = None) -> LinkGraph:
    """Weigh all evidence and put it together; nothing weaker than MIN_STRENGTH is in the graph.

    `onto`: the graph of the night before. The contacts in `evidence` are then the changed ones alone, those that are
    no more with `regular` and no calls; the graph is the same as if all contacts were given.
    """
    contacts = (
        all_contacts(evidence) if onto is None else changed_contacts(onto.contacts, onto.cards, evidence)
    )
    return put_together(evidence, contacts, list(all_groups(evidence, contacts)))


def put_together(evidence: LinkEvidence, contacts: Neighbours, parts: Sequence[Groups]) -> LinkGraph:
    """The graph of these contacts and groups, the cards of both being rows of `evidence.cards`."""
    first = np.cumsum([0, *(len(part.label) for part in parts)])
    group = _joined((part.group + begin for part, begin in zip(parts, first, strict=False)), np.int64)
    card = _joined((part.card for part in parts), np.int64)
    weight = _joined((part.strength for part in parts), np.float64)
    groups_of = sorted_neighbours(card, group, weight, evidence.cards.height)
    return LinkGraph(
        evidence.cards,
        _kinds(parts),
        pl.concat([part.label for part in parts]).alias("label"),
        groups_of,
        groups_of.reversed(int(first[-1])),
        contacts,
        contacts.reversed(evidence.cards.height),
        device_facts(evidence),
    )


def _kinds(parts: Iterable[Groups]) -> pl.Series:
    names = [pl.repeat(part.kind.value, len(part.label), eager=True, dtype=pl.String) for part in parts]
    return pl.concat(names).cast(pl.Categorical).alias("kind")


def _joined(parts: Iterable[NDArray[_Number]], kind: type[_Number]) -> NDArray[_Number]:
    return np.concatenate([np.empty(0, dtype=kind), *parts]).astype(kind)
