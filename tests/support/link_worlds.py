"""Small worlds for tests of links, made of facts rather than records: who shares what, who calls whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import polars as pl

from duanka.links.graph.evidence import USE, LinkEvidence

_CARD: dict[str, tuple[object, pl.DataType]] = {
    "holder": (None, pl.String()),
    "organisation": (False, pl.Boolean()),
    "iot": (False, pl.Boolean()),
    "iccid": (None, pl.String()),
    "outlet": (None, pl.String()),
    "outlet_name": (None, pl.String()),
    "outlet_city": ("990101", pl.String()),
    "opened_at": (None, pl.Datetime("us")),
    "home_city": ("990101", pl.String()),
    "city": ("990101", pl.String()),
    "cell": (None, pl.Int64()),
    "places": (1, pl.Int64()),
    "days": (10, pl.Int64()),
    "calls_out": (100, pl.Int64()),
    "calls_in": (0, pl.Int64()),
    "messages_out": (0, pl.Int64()),
    "codes_in": (0, pl.Int64()),
    "callees": (80, pl.Int64()),
    "strangers": (0, pl.Int64()),
    "regular": (0, pl.Int64()),
    "peers": (80, pl.Int64()),
    "first_used": (datetime(2021, 5, 3, 9), pl.Datetime("us")),
    "last_used": (datetime(2021, 5, 12, 9), pl.Datetime("us")),
    "confirmed": (False, pl.Boolean()),
    "at_risk": (False, pl.Boolean()),
    "disowned": (False, pl.Boolean()),
    "upheld": (False, pl.Boolean()),
}
LIVED = {"calls_out": 50, "calls_in": 50, "regular": 12, "peers": 30, "callees": 20}
"""Facts of a card that lives like a person's own."""
UNUSED = {"calls_out": 0, "callees": 0, "peers": 0, "days": 0, "first_used": None, "last_used": None}
"""Facts of a card in the drawer."""


class FactWorld:
    """Facts, added one by one; `evidence` is what the engine would have read of them."""

    def __init__(self) -> None:
        self._cards: dict[int, dict[str, object]] = {}
        self._devices: list[tuple[int, int, int]] = []
        self._apart: set[int] = set()
        self._used: dict[int, dict[str, object]] = {}
        self._sat: list[tuple[int, int]] = []
        self._runs: list[dict[str, object]] = []
        self._contacts: list[tuple[int, int, int]] = []
        self._called: list[tuple[int, int]] = []
        self._lists: list[tuple[int, int]] = []
        self._switched: list[tuple[int, bool, int, int, int, float, int]] = []

    def cards(self, first: int, many: int, **facts: object) -> list[int]:
        """Add `many` cards with these facts; returns their keys."""
        keys = list(range(first, first + many))
        for key in keys:
            self._cards[key] = facts.copy()
        return keys

    def device(self, imei: int, cards: Iterable[int], events: int = 50, *, apart: bool = False) -> None:
        """Let `cards` sit in a device. `apart`: they are seen at different places on the same days."""
        self._devices += [(card, imei, events) for card in cards]
        if apart:
            self._apart.add(imei)

    def uses(self, imei: int, cards: Iterable[int], **use: object) -> None:
        """Say what `cards` did in a device."""
        group = list(cards)
        self._used[imei] = {"imei": imei, "device": f"{imei:014}", "cards": len(group), **use}
        self._sat += [(imei, card) for card in group]

    def run(
        self, first: int, cards: Iterable[int], *, of_type: int, around: int = 0, apart: bool = False
    ) -> None:
        """Let each of `cards` sit in a device of its own, with numbers from `first` on; as `device`."""
        group = list(cards)
        facts = {
            "run": first,
            "last": first + len(group) - 1,
            "type": f"{first:014}"[:8],
            "devices": len(group),
        }
        seen = {"of_type": of_type, "around": around, "pairs": 200, "together": 2 if apart else 200}
        self._runs += [{"card": card, "events": 50, **facts, **seen} for card in group]

    def phones(self, pairs: int) -> None:
        """Add ordinary phones, each handed on once: what makes a box stand out."""
        first = 10**9
        for pair in range(pairs):
            self.device(500_000 + pair, self.cards(first + 2 * pair, 2, **LIVED))

    def opened(self, cards: Iterable[int], outlet: str, at: datetime, minutes: float) -> None:
        """Open `cards` one after another, `minutes` apart."""
        for place, card in enumerate(cards):
            self._cards[card] |= {"outlet": outlet, "opened_at": at + timedelta(minutes=minutes * place)}

    def shop(self, outlet: str, first: int, days: int, a_day: int = 1) -> list[int]:
        """A shop with `a_day` ordinary customers on each of `days` days before 2021-05-03."""
        customers = self.cards(first, days * a_day, **LIVED)
        for place, card in enumerate(customers):
            day = datetime(2021, 5, 3, 10) - timedelta(days=1 + place // a_day)
            self.opened([card], outlet, day + timedelta(hours=place % a_day), 0)
        return customers

    def talks(self, card: int, others: Iterable[int], calls: int = 10) -> None:
        """Let `card` and each of `others` belong to each other's circle."""
        for other in others:
            self._contacts += [(card, other, calls), (other, card, calls)]

    def calls(self, card: int, others: Iterable[int]) -> None:
        """Let `card` have called each of `others`."""
        self._called += [(card, other) for other in others]

    def dials(self, card: int, callees: Iterable[int]) -> None:
        """Let `card` have these strangers on its list."""
        self._lists += [(card, callee) for callee in callees]

    def switched_on(
        self, cards: Iterable[int], minute: int, place: int = 7, usual: float = 0.01, present: int = 1_000
    ) -> None:
        """Let `cards` be switched on in one minute at a place where `present` cards were seen that day."""
        group = list(cards)
        self._switched += [(card, True, place, minute, len(group), usual, present) for card in group]

    def evidence(self) -> LinkEvidence:
        """Return the frames."""
        return LinkEvidence(
            cards=_cards(self._cards),
            devices=_frame(
                {
                    "card": [c for c, _, _ in self._devices],
                    "imei": [i for _, i, _ in self._devices],
                    "device": [f"{i:014}" for _, i, _ in self._devices],
                    "events": [e for _, _, e in self._devices],
                },
                {"card": pl.Int64(), "imei": pl.Int64(), "device": pl.String(), "events": pl.Int64()},
            ),
            runs=_runs(self._runs),
            agreement=_agreement({i for _, i, _ in self._devices}, self._apart),
            switched=_switched(self._switched),
            contacts=self._contact_frame(),
            lists=_frame(
                {"card": [c for c, _ in self._lists], "callee": [p for _, p in self._lists]},
                {"card": pl.Int64(), "callee": pl.Int64()},
            ),
            accounts=_frame({"card": [], "account": []}, {"card": pl.Int64(), "account": pl.String()}),
            use=_use(self._used),
            sat=pl.DataFrame(self._sat, schema={"imei": pl.Int64, "card": pl.Int64}, orient="row"),
        )

    def _contact_frame(self) -> pl.DataFrame:
        rows = [(c, o, 5, n, n, True) for c, o, n in self._contacts]
        rows += [(c, o, 1, 1, 0, False) for c, o in self._called]
        kinds = {"card": pl.Int64(), "peer": pl.Int64(), "days": pl.Int64(), "out": pl.Int64()}
        return pl.DataFrame(
            rows, schema={**kinds, "inward": pl.Int64(), "regular": pl.Boolean()}, orient="row"
        )


def _cards(facts: Mapping[int, Mapping[str, object]]) -> pl.DataFrame:
    keys = sorted(facts)
    columns: dict[str, pl.Series] = {
        name: pl.Series(name, [facts[key].get(name, usual) for key in keys], dtype=kind)
        for name, (usual, kind) in _CARD.items()
    }
    return pl.DataFrame({"card": pl.Series(keys, dtype=pl.Int64), "name": list(map(str, keys)), **columns})


def _runs(rows: list[dict[str, object]]) -> pl.DataFrame:
    names = ("card", "run", "last", "devices", "of_type", "around", "events", "pairs", "together")
    return pl.DataFrame(rows, schema={**dict.fromkeys(names, pl.Int64()), "type": pl.String()})


def _use(rows: Mapping[int, Mapping[str, object]]) -> pl.DataFrame:
    unused = {name: 0 for name in USE if name not in ("device", "weekend")}
    return pl.DataFrame([{**unused, **rows[imei]} for imei in sorted(rows)], schema=USE)


def _agreement(imeis: set[int], apart: set[int]) -> pl.DataFrame:
    kinds = {"imei": pl.Int64(), "pairs": pl.Int64(), "together": pl.Int64()}
    rows = [(imei, 200, 2 if imei in apart else 200) for imei in sorted(imeis)]
    return pl.DataFrame(rows, schema=kinds, orient="row")


def _switched(rows: list[tuple[int, bool, int, int, int, float, int]]) -> pl.DataFrame:
    kinds = {"card": pl.Int64(), "switched_on": pl.Boolean(), "place": pl.Int64(), "minute": pl.Int64()}
    counts = {"cards": pl.Int64(), "usual": pl.Float64(), "present": pl.Int64()}
    found = pl.DataFrame(rows, schema={**kinds, **counts}, orient="row")
    return found.with_columns(cell=pl.col("place").cast(pl.String), moments=pl.lit(2, pl.Int64))


def _frame(columns: Mapping[str, list[object]], kinds: Mapping[str, pl.DataType]) -> pl.DataFrame:
    return pl.DataFrame(
        {name: pl.Series(name, values, dtype=kinds[name]) for name, values in columns.items()}
    )
