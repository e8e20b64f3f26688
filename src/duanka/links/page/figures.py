"""The numbers of the page: its first sentence, cities, certainties, and what links the cards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from duanka.domain.rings import PEOPLE, LinkKind, RingRole
from duanka.links.page.picture import OTHER_TIES, ROLES_OF_PEOPLE
from duanka.links.page.words import (
    BOXES_MANY,
    OUTLETS_MANY,
    PEOPLE_MANY,
    ROLE_MANY,
    SITES_MANY,
    USED_MANY,
    Wording,
)
from duanka.links.ring.ring import BOX, Ring

_MOST_CITIES = 10
_CERTAINTIES = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.0)
_SHADES = 6
IN_DRAWER, OTHERS, UNKNOWN = "*drawer", "*others", ""  # in place of a city


@dataclass(frozen=True)
class CityCell:
    """Cards of one row and column; `shade`: 0 (none) to 6."""

    cards: int
    shade: int


@dataclass(frozen=True)
class CityRow:
    """A city where cards were opened: its outlets that stand out, and the cards by where they are used."""

    city: str
    outlets: int
    cells: tuple[CityCell, ...]
    cards: int


@dataclass(frozen=True)
class Cities:
    """Where cards were opened (rows) and are used (columns); OTHERS stands for so many more."""

    columns: tuple[str, ...]
    rows: tuple[CityRow, ...]
    boxes: tuple[int, ...]  # per column
    more_rows: int
    more_columns: int


@dataclass(frozen=True)
class CertaintyRow:
    """Cards from `least` on: those in the ring, and those to look at; `share`: of the longest row, 0..100."""

    least: float
    most: float
    joined: int
    looked_at: int
    share: float


@dataclass(frozen=True)
class KindRow:
    """What one kind of link ties: groups, cards with at least one, cards in the largest group."""

    name: str
    groups: int
    cards: int
    largest: int


def numbers(ring: Ring, words: Wording) -> Sequence[str]:
    """The ring in a few numbers: cards by role, where they are, who supplies and who runs it."""
    joined = ring.joined
    many = dict(joined.group_by("role").len().iter_rows())
    boxes = ring.devices.filter(pl.col("role") == BOX).height
    sites = joined.filter(pl.col("site") != "")["site"].n_unique()
    cards = [words.say(text, n=many[role]) for role, text in ROLE_MANY.items() if many.get(role)]
    people = [
        words.counted(PEOPLE_MANY[role.value], many[role.value])
        for role in ROLES_OF_PEOPLE
        if many.get(role.value)
    ]
    parts = [cards, [], [], people]
    if boxes or sites:
        at = words.counted(SITES_MANY, sites) if sites else ""
        parts[1] = [f"{words.counted(BOXES_MANY, boxes)}{at}" if boxes else words.counted(USED_MANY, sites)]
    if ring.outlets.height:
        parts[2] = [words.counted(OUTLETS_MANY, ring.outlets.height)]
    return [words.listed(part) for part in parts if part]


def cities_of(ring: Ring) -> Cities:
    """Where the ring's cards were opened and where they are used; its people left out."""
    cards = ring.joined.filter(~pl.col("role").is_in([role.value for role in PEOPLE])).select(
        pl.col("outlet_city").fill_null(UNKNOWN).alias("opened"),
        pl.when(pl.col("role") == RingRole.STOCK.value)
        .then(pl.lit(IN_DRAWER))
        .otherwise(pl.col("city").fill_null(UNKNOWN))
        .alias("used"),
    )
    down, more_rows = _largest(cards["opened"])
    across, more_columns = _largest(cards.filter(pl.col("used") != IN_DRAWER)["used"])
    if IN_DRAWER in cards["used"]:
        across.append(IN_DRAWER)
    counts = dict[tuple[str, str], int]()
    for opened, used, n in cards.group_by("opened", "used").len().iter_rows():
        key = (opened if opened in down else OTHERS, used if used in across else OTHERS)
        counts[key] = counts.get(key, 0) + n
    shops = _city_of_outlets(ring)
    box_city = ring.devices.filter(pl.col("role") == BOX)["site"].str.split("/").list.first().to_list()
    peak = max(counts.values(), default=1)
    return Cities(
        tuple(across),
        tuple(
            CityRow(
                opened,
                shops.count(opened),
                tuple(_cell(counts.get((opened, used), 0), peak) for used in across),
                sum(counts.get((opened, used), 0) for used in across),
            )
            for opened in down
        ),
        tuple(box_city.count(used) for used in across),
        more_rows,
        more_columns,
    )


def _city_of_outlets(ring: Ring) -> list[str]:
    """The city of each outlet that stands out."""
    city = ring.cards.select("outlet", "outlet_city").drop_nulls().unique("outlet", maintain_order=True)
    return ring.outlets.join(city, on="outlet", how="left")["outlet_city"].fill_null(UNKNOWN).to_list()


def _largest(cities: pl.Series) -> tuple[list[str], int]:
    """The cities with most cards, with OTHERS for the rest, and how many those are."""
    ranked = cities.value_counts().sort("count", cities.name, descending=[True, False])[cities.name].to_list()
    if len(ranked) <= _MOST_CITIES + 1:
        return ranked, 0
    return [*ranked[:_MOST_CITIES], OTHERS], len(ranked) - _MOST_CITIES


def _cell(cards: int, peak: int) -> CityCell:
    return CityCell(cards, min(1 + int((_SHADES - 1) * (cards / peak) ** 0.5), _SHADES) if cards else 0)


def certainties(ring: Ring) -> Sequence[CertaintyRow]:
    """How many cards are how certain."""
    rows, most = list[CertaintyRow](), 1.0
    counted = list[tuple[float, float, int, int]]()
    for least in _CERTAINTIES:
        upper = pl.col("certainty") <= most if most == 1.0 else pl.col("certainty") < most
        found = ring.cards.filter(upper & (pl.col("certainty") >= least))
        joined = int(found["joined"].sum())
        counted.append((least, most, joined, found.height - joined))
        most = least
    longest = max((joined + looked for *_, joined, looked in counted), default=0) or 1
    for least, upper_end, joined, looked in counted:
        rows.append(CertaintyRow(least, upper_end, joined, looked, 100 * (joined + looked) / longest))
    return rows


def kinds_of(ring: Ring, words: Wording) -> Sequence[KindRow]:
    """What links the cards, kind by kind."""
    rows = list[KindRow]()
    groups = ring.ties.groups.with_row_index("group").with_columns(pl.col("group").cast(pl.Int64))
    linked = ring.ties.links.join(groups.select("group", "kind"), on="group")
    for kind in (LinkKind.DEVICE, LinkKind.BATCH, *OTHER_TIES):
        found = groups.filter(pl.col("kind") == kind.value)
        if found.height:
            cards = linked.filter(pl.col("kind") == kind.value)["card"].n_unique()
            rows.append(KindRow(words.kind(kind.value), found.height, cards, int(found["cards"].max() or 0)))  # type: ignore[arg-type]
    return rows
