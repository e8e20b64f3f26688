"""A graph without records: behind everything lies the same small ring, to try who may see it and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Self

from duanka.domain.phone_masking import masked_card, masked_device, masked_text
from duanka.domain.ring_lookups import NotLinked, RingFile, SeedName
from duanka.domain.text import Language

BOX = "86012304000001"
EDITION = "0123456789ab"
NOWHERE = "8613000009999"  # a card that is in no graph
Rows = Sequence[Mapping[str, object]]


def ring_card(number: int) -> str:
    return str(8613700000000 + number)


@dataclass(frozen=True)
class InventedTable:
    """Rows of the test's own."""

    all_rows: Rows
    edition: str = EDITION
    first: date = date(2026, 3, 1)
    last: date = date(2026, 3, 5)
    zone: str = "Asia/Shanghai"

    @property
    def rows(self) -> int:
        return len(self.all_rows)

    def page(self, begin: int, limit: int) -> Rows:
        return self.all_rows[begin : begin + limit]

    def masked(self) -> Self:
        return self.with_each(imei=masked_device)

    def with_each(self, **shown: Callable[[str], str]) -> Self:
        rows = [
            {**row, **{name: mask(str(row[name])) for name, mask in shown.items()}} for row in self.all_rows
        ]
        return replace(self, all_rows=rows)


def invented_picture(numbers: Sequence[str]) -> Mapping[str, object]:
    """A picture of one site with one device, in which all cards are."""
    n, nothing = len(numbers), [None] * len(numbers)
    frame = {"x": 440.0, "y": 30.0, "width": 262.0, "height": 110.0}
    block = {"node": "g0", "y": 52.0, "cards": n}
    place: dict[str, object] = {
        "id": "p0",
        "column": "places",
        "kind": "site",
        "label": "130100/46000123",
        "city": "130100",
    }
    site = {
        **place,
        "many": 1,
        "cards": n,
        "lower_bound": None,
        "open_height": 95.0,
        "blocks": [block],
        **frame,
    }
    where = {"x": 477.0, "y": 109.0, "size": 15.0, "named": True}
    box: dict[str, object] = {
        "id": "g0",
        "cluster": "p0",
        "kind": "device",
        "label": masked_device(BOX),
        "cards": n,
        "seed": True,
    }
    device = {**box, "merged": 0, "certainty": 0.95, "members": list(range(n)), **where}
    cards = {
        "phone_numbers": numbers,
        "roles": ["box_card"] * n,
        "sites": ["130100/46000123"] * n,
        "outlets": ["S-1"] * n,
        "certainties": [0.9] * n,
        **{name: [True] * n for name in ("joined", "at_risk", "confirmed", "seeds")},
        **{name: [0] * n for name in ("opened", "first_used", "last_used", "reason")},
        "supply": [""] * n,
        "supply_x": nothing,
        "supply_y": nothing,
        "place": ["p0"] * n,
        "place_x": [13.5] * n,
        "place_y": [73.5] * n,
        "reasons": [{"zh": "经由 {card}", "en": "by way of {card}"}],
        "by": numbers,
    }
    return {
        "width": 1040.0,
        "height": 160.0,
        "upper": 140.0,
        "marks": 2,
        "clusters": [site],
        "nodes": [device],
        **{name: [] for name in ("ties", "headings", "bands", "minding", "among_people")},
        "cards": cards,
    }


@dataclass(frozen=True)
class InventedRing:
    """Three cards in a device, and one to look at."""

    seed: str
    cards: InventedTable
    devices: InventedTable
    outlets: InventedTable
    joined: int = 3
    at_risk: int = 2
    confirmed: int = 1
    firm: bool = False

    def masked(self) -> Self:
        return replace(
            self,
            seed=masked_text(self.seed),
            cards=self.cards.with_each(card=masked_card, reason_zh=masked_text, reason_en=masked_text),
            devices=self.devices.with_each(imei=masked_device),
        )

    def file(self, which: RingFile, language: Language) -> str:
        first = self.cards.all_rows[0]
        return f"{which} {first['card']} {first[f'reason_{language}']} of \ud800"

    def drawn(self) -> Mapping[str, object]:
        numbers = [str(row["card"]) for row in self.cards.all_rows]
        return invented_picture(numbers)

    def seed_at(self, mark: str) -> SeedName:
        if mark == "g0":
            return SeedName("device", BOX)
        if mark[0] == "c" and int(mark[1:]) < self.cards.rows:
            return SeedName("card", ring_card(int(mark[1:])))
        raise NotLinked(f"mark {mark} leads nowhere")

    def picture(self, language: Language) -> str:
        del language
        text = f'<text x="10" y="30">{self.cards.all_rows[0]["card"]}</text>'
        return f'<svg xmlns="http://www.w3.org/2000/svg" width="300" height="60">{text}</svg>'


@dataclass
class InventedRings:
    """Answers with a ring of its own; `asked`: what it was asked; `edition`: of the graph at present.

    `of_ring`: what is different of it.
    """

    asked: list[SeedName] = field(default_factory=list)
    edition: str = EDITION
    of_ring: Mapping[str, int] = field(default_factory=dict)

    def around(self, named: SeedName) -> InventedRing:
        self.asked.append(named)
        if named.text == NOWHERE:
            raise NotLinked(f"card {named.text} is in none of these records; check the number")
        cards = [
            {
                "card": ring_card(number),
                "role": "box_card",
                "site": "130100/46000123",
                "certainty": 0.96 if number < 3 else 0.42,
                "joined": number < 3,
                "reason_zh": f"与团伙的 3 张卡轮流使用终端 {BOX}（经由 {ring_card(0)}）",
                "reason_en": f"took turns in device {BOX} with 3 cards of the ring (by way of {ring_card(0)})",
            }
            for number in range(4)
        ]
        device = {"imei": BOX, "cards": 3, "site": "130100/46000123", "role": "box", **_BOX_REASONS}
        ring = InventedRing(named.text, self._table(cards), self._table([device]), self._table([_OUTLET]))
        return replace(ring, **self.of_ring)  # type: ignore[arg-type]  # fields of a number each

    def rings(self) -> InventedTable:
        return self._table([{**_RING, "ring": f"R0000{number}"} for number in range(1, 4)])

    def outlets(self) -> InventedTable:
        return self._table([{**_OUTLET, "named": True}])

    def devices(self) -> InventedTable:
        return self._table([_DEVICE])

    def _table(self, rows: Rows) -> InventedTable:
        return InventedTable(rows, self.edition)


_OUTLET: Mapping[str, object] = {
    "outlet": "S-1",
    "cards": 12,
    "expected": 0.4,
    "lift": 30.0,
    "name": "",
    "lower_bound": 14.1,
    "reason_zh": "同期开户的 12 张卡中 12 张有风险",
    "reason_en": "12 of the 12 cards that it opened are at risk",
}
_BOX_REASONS = {"reason_zh": "先后或同时使用 35 张卡", "reason_en": "35 cards sat in it"}
_DEVICE: Mapping[str, object] = {
    "imei": BOX,
    "role": "box",
    "cards": 35,
    "site": "130100/46000123",
    "at_risk": 30,
    "confirmed": 1,
    "ring": "R00001",
    **_BOX_REASONS,
}
_RING: Mapping[str, object] = {
    "ring": "R00001",
    "cards": 24,
    "confirmed": 1,
    "at_risk": 12,
    "expected": 0.3,
    "surprise": 60.0,
    "city": "130100",
    "since": date(2026, 3, 5),
    "firm": False,
}
