"""What the page's script needs, as compact JSON: the cards of each node, and why each card is in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl

from duanka.domain.rings import LinkKind
from duanka.domain.text import BilingualText
from duanka.links.graph.stored import GraphPeriod
from duanka.links.page.drawing import Drawing
from duanka.links.page.picture import Picture
from duanka.links.page.words import COLOURS, ONE_OF, Wording
from duanka.links.ring.ring import Ring

BY = "\u0001"  # stands in a reason for the card that brought this one in

SCRIPT_WORDS: dict[str, BilingualText] = {
    "cards": BilingualText("卡数：{n}", "cards: {n}"),
    "certainty": BilingualText("确定度", "certainty"),
    "look": BilingualText("待核实", "to look at"),
    "seed": BilingualText("起点", "seed"),
    "opened": BilingualText("开户", "opened"),
    "used": BilingualText("使用", "used"),
    "unused": BilingualText("从未使用", "never used"),
    "more": BilingualText("再显示 {n} 张", "show {n} more"),
    "linked": BilingualText("与其相连", "Linked with"),
    "shared": BilingualText("· 共有 {n}", "· {n} in common"),
    "calls": BilingualText("往来 {n} 次", "{n} calls and messages"),
    "contacts": BilingualText("往来号码", "In contact with"),
    "members": BilingualText("号码及理由", "Cards, and why each is in"),
    "groups": BilingualText("所在的组", "Groups it is in"),
    "found": BilingualText("找到 {n} 项", "{n} found"),
    "nothing": BilingualText("没有找到", "Nothing found"),
}


def card_data(ring: Ring, picture: Picture, drawing: Drawing, period: GraphPeriod, words: Wording) -> str:
    """JSON that may stand in a script element: nothing in it can end the element."""
    cards = ring.cards
    begins = datetime(period.first.year, period.first.month, period.first.day)
    reasons, reason_of = _numbered(_reasons(cards, words))
    sites, site_of = _numbered(cards["site"].to_list())
    outlets, outlet_of = _numbered(cards["outlet"].fill_null("").to_list())
    by, by_of = _numbered(cards["by"].to_list())
    roles, role_of = _numbered(cards["role"].to_list())
    clusters = (*picture.supply, *picture.places)
    told = {
        "begins": _minutes(begins),
        "names": cards["card"].to_list(),
        "roles": [words.role(role) for role in roles],
        "role": role_of,
        "sites": sites,
        "site": site_of,
        "outlets": outlets,
        "outlet": outlet_of,
        "reasons": reasons,
        "reason": reason_of,
        "bys": by,
        "by": by_of,
        "certainty": (cards["certainty"] * 1000).round().cast(pl.Int64).to_list(),
        "looked": (~cards["joined"]).arg_true().to_list(),
        "seeds": cards["seed"].arg_true().to_list(),
        "opened": _since(cards["opened_at"], begins),
        "first": _since(cards["first_used"], begins),
        "last": _since(cards["last_used"], begins),
        "supply": _places(picture.supply_of, [cluster.id for cluster in clusters]),
        "place": _places(picture.place_of, [cluster.id for cluster in clusters]),
        "clusters": [[cluster.id, drawing.cluster_name(cluster)] for cluster in clusters],
        "groups": _groups(ring, words),
        "member": ring.ties.links["card"].to_list(),
        "of": ring.ties.links["group"].to_list(),
        "contacts": [value for row in ring.ties.contacts.iter_rows() for value in row],
        "nodes": {
            node.id: [drawing.node_name(node), node.kind, list(node.groups), list(node.people)]
            for node in picture.nodes
        },
        "colours": COLOURS,
        "words": {name: words.say(text, n="{n}") for name, text in SCRIPT_WORDS.items()},
    }
    return in_script(told)


def in_script(value: object) -> str:
    """JSON without signs that HTML reads, so that no name in it ends the script or begins another."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _reasons(cards: pl.DataFrame, words: Wording) -> Sequence[str]:
    """Reasons with BY in place of a card, so that those of one group are mostly one text."""
    said = cards.select(f"reason_{words.language}", "by").iter_rows()
    return [reason.replace(by, BY, 1) if by else reason for reason, by in said]


def _numbered(values: Sequence[str]) -> tuple[list[str], list[int]]:
    """The different values in order of appearance, and for each value its place among them."""
    place = dict[str, int]()
    places = [place.setdefault(value, len(place)) for value in values]
    return list(place), places


def _minutes(moment: datetime) -> int:
    return int((moment - datetime(1970, 1, 1)).total_seconds() // 60)


def _since(moments: pl.Series, begins: datetime) -> list[int | None]:
    """Minutes from `begins`, None where not known."""
    return ((moments - begins).dt.total_minutes()).to_list()


def _places(of_card: pl.Series, ids: Sequence[str]) -> list[int]:
    place: Mapping[str, int] = {name: number for number, name in enumerate(ids)}
    return [place.get(name, -1) for name in of_card]


def _groups(ring: Ring, words: Wording) -> list[list[object]]:
    """Name, kind and certainty (thousandths) of each group."""
    found = list[list[object]]()
    for kind, label, certainty in ring.ties.groups.select("kind", "label", "certainty").iter_rows():
        short = label[:8] if kind == LinkKind.HOLDER.value and len(label) > 20 else label
        found.append([words.say(ONE_OF[kind], label=short), kind, round(1000 * certainty)])
    return found
