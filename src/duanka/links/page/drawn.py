"""The picture of a ring as data: what stands where, what leads where, and every card, for who draws it themselves.

`ring.html` draws the same picture as SVG. Cards come as columns of equal length, so that 13,000 of them are 2 MB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from duanka.links.graph.stored import GraphPeriod
from duanka.links.page.layout import WIDTH, Flow, PictureLayout, Rectangle, Spot, laid_out
from duanka.links.page.opened import CardSpots, OpenedCluster, members, opened
from duanka.links.page.picture import OTHER_TIES, Node, NodeCluster, Picture, Tie, picture_of
from duanka.links.ring.ring import Ring

BY = "{card}"  # stands in a reason for the card that brought this one in


def drawn(ring: Ring, period: GraphPeriod) -> Mapping[str, object]:
    """The picture of `ring`; the same for the same ring. What it shows is what `ring` has."""
    picture = picture_of(ring)
    layout = laid_out(picture)
    supply, supplied = opened(picture.supply, picture.supply_of, ring.ties)
    places, placed = opened(picture.places, picture.place_of, ring.ties)
    rows = members(picture, ring.ties)
    columns = (("supply", picture.supply, supply), ("places", picture.places, places))
    return {
        "width": WIDTH,
        "height": layout.height,
        "upper": layout.upper,
        "marks": picture.size,
        "clusters": [
            _cluster(column, one, layout.frames[one.id], inside[one.id])
            for column, clusters, inside in columns
            for one in clusters
        ],
        "nodes": [
            *(
                _node(node, layout.spots[node.id], cluster.id, rows)
                for cluster in (*picture.supply, *picture.places)
                for node in cluster.nodes
            ),
            *(_node(node, layout.spots[node.id], "", rows) for node in (*picture.people, *picture.others)),
        ],
        "ties": [_ties(kind.value, picture, layout) for kind in OTHER_TIES if kind.value in layout.frames],
        "headings": [{"role": role, "y": y} for role, y in layout.headings.items()],
        "bands": [_band(flow) for flow in layout.flows],
        "minding": [_line(tie) for tie in picture.minding],
        "among_people": [_line(tie) for tie in picture.among_people],
        "cards": _cards(ring, period, picture, supplied, placed),
    }


def _frame(frame: Rectangle) -> dict[str, float]:
    return {"x": frame.x, "y": frame.y, "width": frame.width, "height": frame.height}


def _cluster(column: str, one: NodeCluster, frame: Rectangle, inside: OpenedCluster) -> dict[str, object]:
    return {
        "id": one.id,
        "column": column,
        "kind": one.kind.value,
        "label": one.label,
        "cards": one.cards,
        "many": one.many,
        "city": one.city,
        "lower_bound": one.bound,
        **_frame(frame),
        "open_height": inside.height,
        "blocks": [vars(block) for block in inside.blocks],
    }


def _node(node: Node, spot: Spot, cluster: str, rows: Mapping[str, Sequence[int]]) -> dict[str, object]:
    return {
        "id": node.id,
        "cluster": cluster,
        "kind": node.kind,
        "label": node.label,
        "cards": node.cards,
        "merged": node.merged,
        "certainty": min(max(node.certainty, 0.0), 1.0),
        "seed": node.seed,
        "x": spot.x,
        "y": spot.y,
        "size": spot.size,
        "named": spot.named,
        "members": rows[node.id],
    }


def _ties(kind: str, picture: Picture, layout: PictureLayout) -> dict[str, object]:
    groups = sum(max(node.merged, 1) for node in picture.others if node.kind == kind)
    return {"kind": kind, "groups": groups, "cards": picture.tied[kind], **_frame(layout.frames[kind])}


def _band(flow: Flow) -> dict[str, object]:
    return {
        "one": flow.tie.one,
        "other": flow.tie.other,
        "cards": flow.tie.cards,
        "y": flow.start[1],
        "other_y": flow.end[1],
        "height": flow.height,
    }


def _line(tie: Tie) -> dict[str, object]:
    return {"one": tie.one, "other": tie.other, "cards": tie.cards}


def _cards(
    ring: Ring, period: GraphPeriod, picture: Picture, supplied: CardSpots, placed: CardSpots
) -> dict[str, object]:
    cards, place = ring.cards, dict[tuple[str, str], int]()
    said = [
        tuple(text.replace(by, BY, 1) if by else text for text in (zh, en))
        for zh, en, by in cards.select("reason_zh", "reason_en", "by").iter_rows()
    ]
    reason = [place.setdefault((zh, en), len(place)) for zh, en in said]
    return {
        "phone_numbers": cards["card"].to_list(),
        "roles": cards["role"].to_list(),
        "sites": cards["site"].to_list(),
        "outlets": cards["outlet"].fill_null("").to_list(),
        "certainties": cards["certainty"].to_list(),
        "joined": cards["joined"].to_list(),
        "at_risk": cards["at_risk"].to_list(),
        "confirmed": cards["confirmed"].to_list(),
        "seeds": cards["seed"].to_list(),
        "opened": _days(cards["opened_at"], period.first),
        "first_used": _days(cards["first_used"], period.first),
        "last_used": _days(cards["last_used"], period.first),
        "supply": picture.supply_of.to_list(),
        "supply_x": supplied.x,
        "supply_y": supplied.y,
        "place": picture.place_of.to_list(),
        "place_x": placed.x,
        "place_y": placed.y,
        "reasons": [{"zh": zh, "en": en} for zh, en in place],
        "reason": reason,
        "by": cards["by"].to_list(),
    }


def _days(moments: pl.Series, first: date) -> list[int | None]:
    """Whole days since `first`, None where not known."""
    return (moments.cast(pl.Date) - first).dt.total_days().to_list()
