"""What the cards of a ring share, and who is in contact: the links of the ring, for a picture of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from duanka.domain.rings import PEOPLE, LinkKind
from duanka.links.graph.graph import LinkGraph
from duanka.links.graph.strength import Floats, Ints

BATCH_TIME = len(" 2021-05-03 09:00")  # the end of a batch's label, after its outlet


@dataclass(frozen=True)
class Ties:
    """Groups of two cards of the ring or more, numbered by their row; cards are numbers of rows of `Ring.cards`.

    groups    kind, label, outlet (of a batch, else ""), certainty (0..1), cards (of the ring), seed
    links     card, group, strength (0..1)
    contacts  card (of a person of the ring), other, calls (and messages, both ways)

    Cards that dial the same strangers, pair by pair, are one group.
    """

    groups: pl.DataFrame
    links: pl.DataFrame
    contacts: pl.DataFrame

    def cards_in(self, groups: Sequence[int]) -> int:
        """How many cards are in one of these groups or in several, each counted once."""
        return self.links.filter(pl.col("group").is_in(groups))["card"].n_unique()


def ties_of(graph: LinkGraph, certainty: Floats, seeds: Ints, cards: Ints, role: pl.Series) -> Ties:
    """The ties between `cards`, rows of the graph. `certainty`: of each group; `seeds`: where a search began."""
    entry, owner = graph.groups_of.entries(cards)
    links = pl.DataFrame(
        {
            "card": owner,
            "group": graph.groups_of.other[entry].astype(np.int64),
            "strength": graph.groups_of.strength[entry],
        }
    )
    lists = (graph.kind == LinkKind.CALLEES.value).to_numpy()[links["group"].to_numpy()]
    links = pl.concat([links.filter(~lists), _lists(links.filter(lists), len(cards), len(graph.kind))])
    shared = links.group_by("group").len("cards").filter(pl.col("cards") >= 2).sort("group")
    groups = _named(graph, certainty, seeds, shared)
    numbered = shared.select("group").with_row_index("number")
    links = links.join(numbered, on="group").select("card", pl.col("number").alias("group"), "strength")
    return Ties(groups, links.cast({"group": pl.Int64}).sort("card", "group"), _contacts(graph, cards, role))


def _lists(pairs: pl.DataFrame, cards: int, first: int) -> pl.DataFrame:
    """Memberships of the lists that `pairs` add up to; lists are numbered from `first` on."""
    both = pairs.group_by("group").agg(
        pl.col("card").min().alias("one"), pl.col("card").max().alias("other"), pl.len()
    )
    both = both.filter(pl.col("len") == 2)
    one, other = both["one"].to_numpy(), both["other"].to_numpy()
    part = connected_components(coo_array((np.ones(len(one)), (one, other)), shape=(cards, cards)))[1]
    strongest = pairs.join(both.select("group"), on="group").group_by("card").agg(pl.col("strength").max())
    group = pl.Series(part).cast(pl.Int64).gather(strongest["card"]) + first
    return strongest.select("card", group.alias("group"), "strength")


def _named(graph: LinkGraph, certainty: Floats, seeds: Ints, shared: pl.DataFrame) -> pl.DataFrame:
    """Groups by their numbers in the graph; those from its end on are lists."""
    number = shared["group"].to_numpy()
    known = np.minimum(number, max(len(graph.kind) - 1, 0))
    listed = number >= len(graph.kind)
    told = np.where(listed, 1.0, certainty[known])
    found = pl.DataFrame(
        {
            "kind": graph.kind.gather(known).cast(pl.String),
            "label": graph.label.gather(known),
            "certainty": pl.Series(told).clip(0.0, 1.0).round(3).abs(),
            "cards": shared["cards"].cast(pl.Int64),
            "seed": np.isin(number, seeds),
            "list": listed,
        }
    )
    batch = pl.col("kind") == LinkKind.BATCH.value
    outlet = pl.col("label").str.head(-BATCH_TIME)
    return found.select(
        pl.when("list").then(pl.lit(LinkKind.CALLEES.value)).otherwise("kind").alias("kind"),
        pl.when("list").then(pl.lit("")).otherwise("label").alias("label"),
        pl.when(batch).then(outlet).otherwise(pl.lit("")).alias("outlet"),
        "certainty",
        "cards",
        "seed",
    )


def _contacts(graph: LinkGraph, cards: Ints, role: pl.Series) -> pl.DataFrame:
    """Whom the people of the ring are in contact with, among `cards`."""
    people = np.flatnonzero(role.is_in([who.value for who in PEOPLE]).to_numpy())
    entry, owner = graph.contacts.entries(cards[people])
    number = np.full(graph.cards.height, -1, dtype=np.int64)
    number[cards] = np.arange(len(cards))
    found = pl.DataFrame(
        {
            "card": people[owner],
            "other": number[graph.contacts.other[entry]],
            "calls": np.maximum(np.rint(graph.contacts.strength[entry]), 1.0).astype(np.int64),
        }
    )
    return found.filter(pl.col("other") >= 0).sort("card", "other")
