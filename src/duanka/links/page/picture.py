"""What the picture of a ring shows: where its cards come from and are used, who runs it, and what else ties them.

A node is a group of cards (a batch, a device, a document, ...) or a person; a cluster is an outlet, a site, the drawer
or all other places. There are MOST_NODES of both together at most, whatever the size of the ring: the smallest groups
are merged into one node, "n more".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import polars as pl

from duanka.domain.rings import PEOPLE, LinkKind, RingRole
from duanka.links.outlet_names import spelled_outlet
from duanka.links.ring.ring import Ring
from duanka.links.ring.ties import Ties

MOST_NODES = 300  # nodes and clusters
MOST_OF_KIND = {
    LinkKind.BATCH: 200,  # fewer, where there is much else
    LinkKind.DEVICE: 80,
    LinkKind.DEVICE_RUN: 8,
    LinkKind.SERIALS: 8,
    LinkKind.HOLDER: 30,
    LinkKind.SWITCHED: 20,
    LinkKind.CALLEES: 8,
    LinkKind.CLIQUE: 4,
    LinkKind.ACCOUNT: 8,
}
OTHER_TIES = (
    LinkKind.DEVICE_RUN,
    LinkKind.SERIALS,
    LinkKind.HOLDER,
    LinkKind.CALLEES,
    LinkKind.SWITCHED,
    LinkKind.CLIQUE,
    LinkKind.ACCOUNT,
)
ROLES_OF_PEOPLE = (RingRole.OPERATOR, RingRole.MINDER, RingRole.SUPPLIER)
_MOST_OF_ROLE = 11  # people of one role, beside those merged
_MOST_OUTLETS, _MOST_SITES = 8, 6
_MOST_SEEDS = 3  # cards; a search that began at more shows its groups
_WORTH_A_PLACE = 0.03  # of the ring's cards, from which on an outlet is shown by itself
_MIN_OUTLET_CARDS = 4
_TIME = len("2021-05-03 09:00")  # the end of a batch's label


class ClusterKind(StrEnum):
    """What a cluster stands for."""

    OUTLET = "outlet"
    OTHER_OUTLETS = "other_outlets"
    SITE = "site"
    OTHER_SITES = "other_sites"
    DRAWER = "drawer"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True)
class Node:
    """A mark of the picture. `groups`: rows of `Ties.groups`, several if merged; `people`: rows of `Ring.cards`."""

    id: str
    kind: str  # a LinkKind, or a RingRole of PEOPLE
    label: str
    cards: int
    groups: tuple[int, ...] = ()
    people: tuple[int, ...] = ()
    certainty: float = 1.0
    seed: bool = False

    @property
    def merged(self) -> int:
        """How many groups or people it stands for; 0 if it is one."""
        many = len(self.groups) + len(self.people)
        return many if many > 1 else 0


@dataclass(frozen=True)
class NodeCluster:
    """A frame. `many`: outlets, sites or cities it stands for; `bound`: at least so many times its peers."""

    id: str
    kind: ClusterKind
    label: str
    cards: int
    nodes: tuple[Node, ...]
    many: int = 1
    city: str = ""
    bound: float | None = None


@dataclass(frozen=True)
class Tie:
    """A line between two things of the picture, by their ids; `cards`: how many it stands for."""

    one: str
    other: str
    cards: int


@dataclass(frozen=True)
class Picture:
    """The picture. `supply_of`, `place_of`: per card of the ring its cluster, "" of people.

    `tied`: by kind of `others` the cards that it ties, each once.
    """

    supply: tuple[NodeCluster, ...]
    places: tuple[NodeCluster, ...]
    people: tuple[Node, ...]
    others: tuple[Node, ...]
    flows: tuple[Tie, ...]
    minding: tuple[Tie, ...]
    among_people: tuple[Tie, ...]
    supply_of: pl.Series
    place_of: pl.Series
    tied: Mapping[str, int]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes."""
        inside = (node for cluster in (*self.supply, *self.places) for node in cluster.nodes)
        return (*inside, *self.people, *self.others)

    @property
    def size(self) -> int:
        """Nodes and clusters."""
        return len(self.nodes) + len(self.supply) + len(self.places)


def picture_of(ring: Ring) -> Picture:
    """The picture of `ring`; the same for the same ring."""
    cards = ring.cards.with_row_index("row").with_columns(
        person=pl.col("role").is_in([role.value for role in PEOPLE])
    )
    supply_of, outlets = _supply(ring, cards)
    place_of, sites = _places(cards)
    cards = cards.with_columns(supply_of, place_of)
    people = _sorted_minders(ring, cards, _people(cards))
    others = _other_ties(ring.ties)
    inside = _seeds(cards)
    inside |= _merge(inside, _devices(ring, cards))
    room = MOST_NODES - len(outlets) - len(sites) - len(people) - len(others) - sum(map(len, inside.values()))
    inside |= _merge(inside, _batches(ring, cards, room))
    flows = cards.filter(~pl.col("person")).group_by("supply", "place").len().sort("supply", "place")
    return Picture(
        tuple(replace(cluster, nodes=tuple(inside.get(cluster.id, ()))) for cluster in outlets),
        tuple(replace(cluster, nodes=tuple(inside.get(cluster.id, ()))) for cluster in sites),
        people,
        others,
        tuple(Tie(*flow) for flow in flows.iter_rows()),
        *_calls(ring, cards, people),
        supply_of,
        place_of,
        {kind: ring.ties.cards_in(_groups_of(others, kind)) for kind in {node.kind for node in others}},
    )


def _groups_of(nodes: Sequence[Node], kind: str) -> Sequence[int]:
    return [group for node in nodes if node.kind == kind for group in node.groups]


def _merge(one: Mapping[str, list[Node]], other: Mapping[str, list[Node]]) -> dict[str, list[Node]]:
    return {cluster: [*one.get(cluster, ()), *nodes] for cluster, nodes in other.items()}


def _seeds(cards: pl.DataFrame) -> dict[str, list[Node]]:
    """By cluster: the cards at which the search began, where they are few, and nobody's of the people."""
    found = dict[str, list[Node]]()
    seeds = cards.filter("seed", ~pl.col("person"))
    if seeds.height <= _MOST_SEEDS:
        for row, label, place in seeds.select("row", "card", "place").iter_rows():
            node = Node(f"c{row}", LinkKind.SEED.value, label, 1, people=(row,), seed=True)
            found.setdefault(place, []).append(node)
    return found


def _supply(ring: Ring, cards: pl.DataFrame) -> tuple[pl.Series, list[NodeCluster]]:
    """Per card the cluster that it comes from, and those clusters: large outlets, and all others."""
    bought = cards.filter(~pl.col("person"))
    found = (
        bought.filter(pl.col("outlet").is_not_null())
        .group_by("outlet")
        .agg(pl.len().alias("n"), pl.col("outlet_city").drop_nulls().mode().sort().first().fill_null(""))
        .join(ring.outlets.select("outlet", "lower_bound", "name"), on="outlet", how="left")
    )
    enough = max(_MIN_OUTLET_CARDS, _WORTH_A_PLACE * bought.height)
    shown = (
        found.filter(pl.col("lower_bound").is_not_null() | (pl.col("n") >= enough))
        .sort("n", "outlet", descending=[True, False])
        .head(_MOST_OUTLETS)
    )
    clusters = [
        NodeCluster(
            f"o{number}",
            ClusterKind.OUTLET,
            spelled_outlet(outlet, name or ""),
            n,
            (),
            city=city,
            bound=bound,
        )
        for number, (outlet, n, city, bound, name) in enumerate(shown.iter_rows())
    ]
    rest = bought.height - sum(cluster.cards for cluster in clusters)
    if rest:
        many = found.height - shown.height
        clusters.append(NodeCluster("o-", ClusterKind.OTHER_OUTLETS, "", rest, (), many))
    ids = {outlet: f"o{number}" for number, outlet in enumerate(shown["outlet"])}
    of_card = pl.col("outlet").replace_strict(ids, default="o-", return_dtype=pl.String).fill_null("o-")
    return cards.select(pl.when("person").then(pl.lit("")).otherwise(of_card).alias("supply"))[
        "supply"
    ], clusters


def _places(cards: pl.DataFrame) -> tuple[pl.Series, list[NodeCluster]]:
    """Per card the cluster where it is, and those clusters: sites, the drawer, and elsewhere."""
    drawer = pl.col("role") == RingRole.STOCK.value
    sited = cards.filter(~pl.col("person"), ~drawer, pl.col("site") != "")
    found = sited.group_by("site").len().sort("len", "site", descending=[True, False])
    shown = found.head(_MOST_SITES)
    ids = {site: f"p{number}" for number, site in enumerate(shown["site"])}
    of_site = pl.col("site").replace_strict(ids, default="p+", return_dtype=pl.String)
    place = (
        pl.when("person")
        .then(pl.lit(""))
        .when(drawer)
        .then(pl.lit("pd"))
        .when(pl.col("site") == "")
        .then(pl.lit("pe"))
        .otherwise(of_site)
    )
    of_card = cards.select(place.alias("place"))["place"]
    many = dict(of_card.value_counts().iter_rows())
    cities = cards.filter(of_card == "pe")["city"].drop_nulls().n_unique()
    clusters = [
        NodeCluster(ids[site], ClusterKind.SITE, site, n, (), city=site.partition("/")[0])
        for site, n in shown.iter_rows()
    ]
    for name, kind in (
        ("p+", ClusterKind.OTHER_SITES),
        ("pd", ClusterKind.DRAWER),
        ("pe", ClusterKind.ELSEWHERE),
    ):
        if name in many:
            others = cities if kind is ClusterKind.ELSEWHERE else found.height - shown.height
            clusters.append(NodeCluster(name, kind, "", many[name], (), others))
    return of_card, clusters


def _of_kind(groups: pl.DataFrame, kind: LinkKind) -> pl.DataFrame:
    return groups.filter(pl.col("kind") == kind.value)


def _batches(ring: Ring, cards: pl.DataFrame, room: int) -> dict[str, list[Node]]:
    """By cluster of supply: at most `room` nodes of opening batches, in order of time."""
    supply = (
        cards.filter(pl.col("supply") != "").select("outlet", "supply").unique("outlet", maintain_order=True)
    )
    groups = _of_kind(ring.ties.groups.with_row_index("group"), LinkKind.BATCH)
    placed = groups.join(supply, on="outlet", how="left").with_columns(
        cluster=pl.col("supply").fill_null("o-"), order=pl.col("label").str.tail(_TIME)
    )
    return _nodes(placed, min(MOST_OF_KIND[LinkKind.BATCH], room), ring.ties)


def _devices(ring: Ring, cards: pl.DataFrame) -> dict[str, list[Node]]:
    """By place: devices, each where most of its cards are, in order of their numbers."""
    at = cards.filter(pl.col("place") != "").select(pl.col("row").cast(pl.Int64).alias("card"), "place")
    by_group = (
        ring.ties.links.join(at, on="card")
        .group_by("group", "place")
        .len()
        .sort("group", "len", "place", descending=[False, True, False])
        .unique("group", keep="first", maintain_order=True)
    )
    groups = _of_kind(ring.ties.groups.with_row_index("group"), LinkKind.DEVICE)
    placed = (
        groups.with_columns(pl.col("group").cast(pl.Int64))
        .join(by_group.select("group", "place"), on="group", how="left")
        .with_columns(cluster=pl.col("place").fill_null("pe"), order=pl.col("label"))
    )
    return _nodes(placed, MOST_OF_KIND[LinkKind.DEVICE], ring.ties)


def _nodes(groups: pl.DataFrame, most: int, ties: Ties) -> dict[str, list[Node]]:
    """By cluster: the nodes of `groups` in their order, `most` in all; the smallest of a cluster are merged."""
    found = dict[str, list[Node]]()
    if groups.height > most:
        most = max(most - groups["cluster"].n_unique(), 0)
    ranked = groups.sort("seed", "cards", "group", descending=[True, True, False])
    for row in ranked.head(most).sort("order", "group").iter_rows(named=True):
        found.setdefault(row["cluster"], []).append(_node(row))
    rest = ranked.tail(max(ranked.height - most, 0))
    for (cluster,), part in rest.group_by("cluster", maintain_order=True):
        found.setdefault(str(cluster), []).append(_merged(part, str(cluster), ties))
    return found


def _node(row: dict[str, object]) -> Node:
    group, cards = int(str(row["group"])), int(str(row["cards"]))
    return Node(
        f"g{group}",
        str(row["kind"]),
        str(row["label"]),
        cards,
        (group,),
        certainty=float(str(row["certainty"])),
        seed=bool(row["seed"]),
    )


def _merged(part: pl.DataFrame, where: str, ties: Ties) -> Node:
    if part.height == 1:
        return _node(part.row(0, named=True))
    kind, groups = part["kind"][0], tuple(part["group"].sort().to_list())
    return Node(f"m{kind}{where}", kind, "", ties.cards_in(groups), groups)


def _other_ties(ties: Ties) -> tuple[Node, ...]:
    """Documents, lists, switchings and accounts, the largest first."""
    found, groups = list[Node](), ties.groups.with_row_index("group")
    for kind in OTHER_TIES:
        ranked = _of_kind(groups, kind).sort("cards", "group", descending=[True, False])
        most = MOST_OF_KIND[kind] - (ranked.height > MOST_OF_KIND[kind])
        found += [_node(row) for row in ranked.head(most).iter_rows(named=True)]
        if ranked.height > most:
            found.append(_merged(ranked.tail(ranked.height - most), "", ties))
    return tuple(found)


def _people(cards: pl.DataFrame) -> tuple[Node, ...]:
    """People one by one, role by role; the least certain of a role are merged."""
    found = list[Node]()
    for role in ROLES_OF_PEOPLE:
        rows = cards.filter(pl.col("role") == role.value).select("row", "card", "certainty", "seed").rows()
        most = _MOST_OF_ROLE if len(rows) > _MOST_OF_ROLE + 1 else len(rows)
        found += [
            Node(f"c{row}", role.value, card, 1, people=(row,), certainty=certainty, seed=seed)
            for row, card, certainty, seed in rows[:most]
        ]
        if rest := rows[most:]:
            people = tuple(row for row, *_ in rest)
            found.append(Node(f"m{role}", role.value, "", len(rest), people=people))
    return tuple(found)


def _sorted_minders(ring: Ring, cards: pl.DataFrame, people: Sequence[Node]) -> tuple[Node, ...]:
    """People in their order, but minders by the place that they mind most."""
    place = cards.select(pl.col("row").cast(pl.Int64).alias("other"), "place")
    told = ring.ties.contacts.join(place, on="other").filter(pl.col("place") != "")
    most = told.group_by("card", "place").len().sort("len", "place").unique("card", keep="last")
    minds = dict(most.select("card", "place").iter_rows())

    def place_of(node: Node) -> tuple[int, str]:
        minder = node.kind == RingRole.MINDER.value and not node.merged
        role = [role.value for role in ROLES_OF_PEOPLE].index(node.kind)
        return role, minds.get(node.people[0], "") if minder else "~"

    return tuple(sorted(people, key=place_of))


def _calls(
    ring: Ring, cards: pl.DataFrame, people: Sequence[Node]
) -> tuple[tuple[Tie, ...], tuple[Tie, ...]]:
    """How many cards of each place a person is in contact with; and who of the people is with whom."""
    node_of = pl.DataFrame(
        [(row, node.id) for node in people for row in node.people],
        schema={"row": pl.Int64, "node": pl.String},
        orient="row",
    )
    place = cards.select(pl.col("row").cast(pl.Int64).alias("other"), "place")
    told = ring.ties.contacts.join(node_of.rename({"row": "card"}), on="card")
    minding = (
        told.join(place, on="other")
        .filter(pl.col("place") != "")
        .group_by("node", "place")
        .agg(pl.col("other").n_unique().alias("n"))
        .sort("node", "place")
    )
    known = told.join(node_of.rename({"row": "other", "node": "with"}), on="other").filter(
        pl.col("node") != pl.col("with")
    )
    pair = known.select(
        pl.min_horizontal("node", "with").alias("one"),
        pl.max_horizontal("node", "with").alias("two"),
        "calls",
    )
    among = pair.group_by("one", "two").agg(pl.col("calls").max()).sort("one", "two")
    return tuple(Tie(*row) for row in minding.iter_rows()), tuple(Tie(*row) for row in among.iter_rows())
