"""An invented ring of any size: boxes at two sites, three outlets that supply them, people who mind them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from duanka.domain.rings import LinkKind, RingRole
from duanka.links.graph.stored import GraphPeriod
from duanka.links.ring.ring import BOX, Ring, Seed
from duanka.links.ring.ties import Ties

PERIOD = GraphPeriod(date(2021, 5, 3), date(2021, 6, 1), 1, "Asia/Shanghai")
SITES = ("990104/99010400007", "990202/99020200005")
OUTLETS = ("S000176", "S000172", "S000168")
NAMES = {"S000176": "解放路手机店"}
_SHOP_CITY = "990203"
_BATCH = 40  # cards opened one after another
_DOCUMENT = 9
_OPENED = datetime(2021, 4, 1, 9)
_FIRST = datetime(2021, 5, 3)


@dataclass(frozen=True)
class Size:
    """How large a ring is: box cards, cards in the drawer, boxes, people of each role."""

    used: int = 100
    stock: int = 40
    boxes: int = 3
    people: int = 2

    @property
    def things(self) -> int:
        """Cards without those of people."""
        return self.used + self.stock


R11 = Size(used=9_500, stock=3_480, boxes=15, people=6)  # 13,000 cards with those of its people


def invented(size: Size = Size()) -> Ring:
    """A ring of `size`; the same for the same size. Its last card is one to look at."""
    cards = _cards(size)
    links = _links(cards, size)
    seed = Seed(_imei(0), np.empty(0, dtype=np.int64), np.zeros(1, dtype=np.int64))
    ties = Ties(_groups(size, links), links, _contacts(size))
    return Ring(seed, cards, _devices(size, links), _outlets(cards), ties)


def with_outlet_named(ring: Ring, name: str) -> Ring:
    """The ring with `name` in place of its first outlet, wherever an outlet is named."""
    old = OUTLETS[0]
    named = pl.col("outlet").replace(old, name)
    label = pl.col("label").str.replace(old, name, literal=True)
    said = [pl.col(f"reason_{language}").str.replace(old, name, literal=True) for language in ("zh", "en")]
    groups = ring.ties.groups.with_columns(named, label)
    return replace(
        ring,
        cards=ring.cards.with_columns(named, *said),
        outlets=ring.outlets.with_columns(named, *said),
        ties=replace(ring.ties, groups=groups),
    )


def _imei(box: int) -> str:
    return f"{86_900_609_553_922 + box}"


def _cards(size: Size) -> pl.DataFrame:
    n = size.things
    row = np.arange(n)
    stock = row >= size.used
    batch = _batch_of(n)
    site = np.where(stock, "", np.array(SITES)[_box_of(size, row) % 2])
    opened = [_OPENED + timedelta(days=int(day % 50), minutes=int(i % _BATCH)) for i, day in enumerate(batch)]
    first = [None if idle else _FIRST + timedelta(hours=int(7 * i % 690)) for i, idle in enumerate(stock)]
    last = [at and min(at + timedelta(days=3), datetime(2021, 6, 1, 23)) for at in first]
    outlet = np.array(OUTLETS)[batch % 3]
    box = [_imei(int(i)) for i in _box_of(size, row)]
    by = [f"86150{(i * 7919) % n:08}" for i in range(n)]
    used = [
        (
            f"与团伙的 {i % 90} 张卡轮流使用终端 {box[i]}（经由 {by[i]}）；另有 {i % 30} 条关联",
            f"took turns in device {box[i]} with {i % 90} cards of the ring (by way of {by[i]});"
            f" and {i % 30} more links",
        )
        for i in range(n)
    ]
    idle = [
        (
            f"从未使用，与其他未用卡在团伙的供卡网点成批开户（{outlet[i]} {opened[i]:%Y-%m-%d %H:%M}）",
            f"never used, and opened in bulk with other unused cards at the ring's outlet"
            f" ({outlet[i]} {opened[i]:%Y-%m-%d %H:%M})",
        )
        for i in range(n)
    ]
    words = [idle[i] if stock[i] else used[i] for i in range(n)]
    things = pl.DataFrame(
        {
            "card": [f"86150{i:08}" for i in range(n)],
            "role": np.where(stock, RingRole.STOCK.value, RingRole.BOX_CARD.value).tolist(),
            "site": site.tolist(),
            "certainty": np.round(np.where(stock, 0.48, 0.99 - 0.4 * (row / n)), 3),
            "joined": row < n - 1,
            "reason_zh": [zh for zh, _ in words],
            "reason_en": [en for _, en in words],
            "seed": np.zeros(n, dtype=np.bool_),
            "by": ["" if idle else card for idle, card in zip(stock, by, strict=True)],
            "city": [
                None if idle else name.split("/")[0] for idle, name in zip(stock, site.tolist(), strict=True)
            ],
            "outlet": outlet.tolist(),
            "outlet_city": [_SHOP_CITY] * n,
            "opened_at": opened,
            "first_used": first,
            "last_used": last,
            "at_risk": (~stock).tolist(),
            "confirmed": (row == 0).tolist(),
        }
    )
    return pl.concat([things, _people(size, things.schema)])


def _people(size: Size, schema: pl.Schema) -> pl.DataFrame:
    rows = [
        {
            "card": f"86139{number:08}",
            "role": role.value,
            "site": "",
            "certainty": 0.9,
            "joined": True,
            "reason_zh": "其往来的 201 个号码中有 153 个在团伙内（经由 8615000000001）",
            "reason_en": "153 of the 201 numbers it talks to are in the ring (by way of 8615000000001)",
            "seed": False,
            "by": "8615000000001",
            "city": "990203",
            "outlet": "S009999",
            "outlet_city": "990203",
            "opened_at": datetime(2016, 3, 1, 10),
            "first_used": _FIRST,
            "last_used": datetime(2021, 6, 1, 20),
            "at_risk": False,
            "confirmed": False,
        }
        for number, role in enumerate(
            role
            for role in (RingRole.OPERATOR, RingRole.MINDER, RingRole.SUPPLIER)
            for _ in range(size.people)
        )
    ]
    return pl.DataFrame(rows, schema=schema)


def _batch_of(n: int) -> np.ndarray:
    return np.random.default_rng(11).permutation(n) // _BATCH


def _box_of(size: Size, row: np.ndarray) -> np.ndarray:
    return row % size.boxes


def _links(cards: pl.DataFrame, size: Size) -> pl.DataFrame:
    """Devices from group 0 on, then batches, then documents, and one list of all used cards."""
    row = np.arange(size.things)
    used = row[: size.used]
    batch = _batch_of(size.things)
    first_batch = size.boxes
    first_document = first_batch + int(batch.max()) + 1
    document = first_document + row // _DOCUMENT
    the_list = int(document.max()) + 1
    parts = [
        (used, _box_of(size, used), 0.9),
        (row, first_batch + batch, 0.8),
        (row, document, 0.2),
        (used, np.full(len(used), the_list), 0.7),
    ]
    return pl.concat(
        pl.DataFrame(
            {
                "card": card.astype(np.int64),
                "group": group.astype(np.int64),
                "strength": np.full(len(card), tells),
            }
        )
        for card, group, tells in parts
    ).sort("card", "group")


def _groups(size: Size, links: pl.DataFrame) -> pl.DataFrame:
    many = links.group_by("group").len("cards").sort("group")
    batches = int(_batch_of(size.things).max()) + 1
    rows = list[dict[str, object]]()
    for group, cards in many.iter_rows():
        kind, label, outlet = LinkKind.CALLEES, "", ""
        if group < size.boxes:
            kind, label = LinkKind.DEVICE, _imei(group)
        elif group < size.boxes + batches:
            kind, outlet = LinkKind.BATCH, OUTLETS[(group - size.boxes) % 3]
            label = f"{outlet} {_OPENED + timedelta(days=(group - size.boxes) % 50):%Y-%m-%d %H:%M}"
        elif group < many.height - 1:
            kind, label = LinkKind.HOLDER, f"{group:032x}"
        rows.append(
            {
                "kind": kind.value,
                "label": label,
                "outlet": outlet,
                "certainty": 1.0,
                "cards": int(cards),
                "seed": group == 0,
            }
        )
    return pl.DataFrame(rows)


def _contacts(size: Size) -> pl.DataFrame:
    """Minders call box cards of their site, operators minders, and suppliers operators."""
    first = size.things
    rows = list[tuple[int, int, int]]()
    for number in range(size.people):
        operator, minder, supplier = (first + number + at * size.people for at in range(3))
        rows += [(minder, card, 2) for card in range(number % 2, size.used, 2 * size.boxes)]
        rows += [(operator, minder, 30), (supplier, operator, 5)]
    return pl.DataFrame(
        rows, schema={"card": pl.Int64, "other": pl.Int64, "calls": pl.Int64}, orient="row"
    ).sort("card", "other")


def _devices(size: Size, links: pl.DataFrame) -> pl.DataFrame:
    many = dict(links.group_by("group").len().iter_rows())
    why = ("先后或同时使用许多张卡", "many cards sat in it")
    rows = [(_imei(box), many[box], SITES[box % 2], BOX, *why) for box in range(size.boxes)]
    return pl.DataFrame(
        rows, schema=["imei", "cards", "site", "role", "reason_zh", "reason_en"], orient="row"
    )


def _outlets(cards: pl.DataFrame) -> pl.DataFrame:
    rows = [
        (
            outlet,
            NAMES.get(outlet, ""),
            n,
            0.11,
            3071.2,
            819.0,
            f"同期开户的卡中 {n} 张属于团伙（{outlet}）",
            f"{n} of the cards that {outlet} opened in those weeks are the ring's",
            n + 3,
            "",
            "",
        )
        for outlet, n in cards.filter(pl.col("outlet").is_in(OUTLETS))
        .group_by("outlet")
        .len()
        .sort("len", "outlet", descending=[True, False])
        .iter_rows()
    ]
    columns = ["outlet", "name", "cards", "expected", "lift", "lower_bound", "reason_zh", "reason_en"]
    columns += ["new", "beside_zh", "beside_en"]
    return pl.DataFrame(rows, schema=columns, orient="row")
