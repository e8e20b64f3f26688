"""Small invented worlds in which every rule has something to find, and limits small enough for it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from duanka.domain.ports import Silent
from duanka.domain.rule import Literal
from duanka.domain.schema import TABLES, ColumnKind
from duanka.engine import DuckDBEngine
from duanka.ingest.storage.key_columns import KnownTexts, with_keys
from duanka.rules import RULES

Row = dict[str, Any]
Limits = Mapping[str, Mapping[str, Literal]]
Lists = Mapping[str, Sequence[Mapping[str, object]]]
Hits = list[tuple[str, str, datetime, str]]
KINDS = {
    ColumnKind.TIME: pl.Datetime("us"),
    ColumnKind.DAY: pl.Date(),
    ColumnKind.COUNT: pl.Int64(),
    ColumnKind.FLAG: pl.Boolean(),
}
START = datetime(2021, 5, 10)
_SMALL: dict[str, dict[str, Literal]] = {
    "over_frequency": {"max_calls": 4},
    "sleeping_card": {"days": 2},
    "silent_card": {"days": 2},
    "cards_per_holder": {"min_cards": 2, "min_all": 3},
    "virtual_operator_stock": {"opened_before": date(2021, 5, 13)},
    "iot_misuse": {"max_voice": 1, "max_mb": 50, "max_other_device": 1},
    "fan_out": {"min_peers": 4},
    "one_way_calls": {"min_calls": 5, "min_peers": 3},
    "outgoing_only": {"min_calls": 3},
    "sim_box": {"min_calls": 3, "min_cards": 2, "min_per_hour": 3, "min_signs": 3},
    "bridged_calls": {"min_calls": 2, "min_share": 0.4},
    "shared_device": {"min_cards": 2, "min_events": 2},
    "device_hopping": {"min_devices": 3, "days": 2},
    "code_receiver": {"min_platforms": 3},
    "bank_line_stranger": {"min_days": 2},
    "complained": {"min_complaints": 2, "days": 2},
    "outlet_ring": {"days": 2},
    "repeat_alerts": {"min_alerts": 2, "days": 5},
}
LIMITS: Limits = {
    rule.id: {**{n: limit.value for n, limit in rule.limits.items()}, **_SMALL.get(rule.id, {})}
    for rule in RULES
}
_LISTED = {"authority": "nobody", "since": date(2021, 5, 1), "until": date(2021, 6, 1)}
LISTS: Lists = {
    "high_risk_areas": ({"city": "4690", "title": "an area", **_LISTED},),
    "fraud_prone_places": ({"city": "53", "title": "a place", **_LISTED},),
    "resale_prefixes": ({"prefix": "86170"},),
    "bank_hotlines": ({"number": "95588", "title": "a bank"},),
}
_CITIES = ("130100", "130200", "469007", "533100", None)
_NEED = ("calls", "cards")  # without them little runs


@dataclass(frozen=True)
class World:
    """Canonical frames by table; `before`: what registers said of a card before they said what they say now."""

    frames: Mapping[str, pl.DataFrame]
    before: Mapping[str, pl.DataFrame]
    lists: Lists

    @property
    def records(self) -> int:
        """How many there are, of registers too."""
        return sum(frame.height for frame in self.frames.values())

    def only(self, table: str, rows: Sequence[int]) -> World:
        """The same world with no more than these rows of one table."""
        return World({**self.frames, table: self.frames[table][list(rows)]}, self.before, self.lists)


def canonical(table: str, rows: Sequence[Row]) -> pl.DataFrame:
    """Exactly the canonical columns, typed, each record once."""
    schema = {c.name: KINDS.get(c.kind, pl.String()) for c in TABLES[table].columns}
    signed = (
        {"signed_by": "bureau"} if table == "cases" else {}
    )  # as intake writes it of a file that is signed
    full = [{name: {**signed, **row}.get(name) for name in schema} for row in rows]
    return pl.DataFrame(full, schema=schema).unique(maintain_order=True)


class _Inventor:
    """Draws one world."""

    def __init__(self, seed: int, cards: int, days: int) -> None:
        self.chance = random.Random(seed)
        self.days = days
        pseudonym = "h-" if seed % 5 == 4 else ""
        self.numbers = [
            (pseudonym or ("86170" if self.chance.random() < 0.15 else "86138")) + f"{i:08}"
            for i in range(cards)
        ]
        self.rows: dict[str, list[Row]] = {name: [] for name in TABLES}
        self.before: list[Row] = []
        self.linked_before: list[Row] = []
        self.opened_before: list[Row] = []

    def moment(self, first: float = 0.0, last: float | None = None) -> datetime:
        """A moment between two days of the world; often a full hour, or midnight, where limits lie."""
        end = self.days if last is None else last
        at = START + timedelta(days=self.chance.uniform(first, end))
        shape = self.chance.random()
        if shape < 0.1:
            return at.replace(hour=0, minute=0, second=0, microsecond=0)
        return at.replace(minute=0, second=0, microsecond=0) if shape < 0.3 else at.replace(microsecond=0)

    def some(self, *values: Any) -> Any:
        """One of them."""
        return self.chance.choice(values)

    def register(self, card: str) -> Row:
        """What the register says of a card, now; some are opened later than the records begin, or end."""
        opened = self.some(self.moment(-4, 0), self.moment(), self.moment(0, self.days + 2), None)
        iot = self.chance.random() < 0.15
        return {
            "card": card,
            "holder": self.some("h1", "h2", "h3", f"h-{card}", None),
            "holder_kind": self.some("person", "person", "person", None, "organisation"),
            "operator": self.some("A", "A", "B", None),
            "virtual_operator": self.some(True, None, None, False),
            "kind": "iot" if iot else self.some("voice", "voice", None),
            "opened_at": opened,
            "outlet": self.some("o1", "o2", None),
            "home_city": self.some("130100", "469007", None),
            "last_used_at": self.some(None, opened, self.moment(-5, 0), self.moment(0, self.days + 1)),
            "verified_at": self.some(None, None, self.moment(-3, self.days + 1)),
            "bound_imei": self.some(None, "86000000000001") if iot else None,
        }

    def describe(self) -> None:
        """Fill the registers; some cards are in none, some are described otherwise before."""
        for card in self.numbers:
            if self.chance.random() < 0.85:
                row = self.register(card)
                self.rows["cards"].append(row)
                if self.chance.random() < 0.25:
                    other = self.register(card)
                    changed = self.chance.sample(sorted(other), self.chance.randint(1, 5))
                    self.before.append({**row, **{name: other[name] for name in changed}, "card": card})
        pair, day = self.some("h4", "h5"), self.chance.randrange(self.days)
        for card in self.chance.sample(self.numbers, 3):  # a holder who opens several on a day
            for row in self.rows["cards"]:
                if row["card"] == card:
                    row |= {"holder": pair, "opened_at": self.moment(day, day + 0.9), "kind": "voice"}
        for _ in range(len(self.numbers) // 2):
            card = self.some(*self.numbers)
            for _ in range(self.chance.randint(1, 3)):
                self.rows["complaints"].append({"card": card, "reported_at": self.moment(-1, self.days + 1)})
        self.rows["cases"].append(
            {"card": self.numbers[0], "case_id": "c", "confirmed_at": self.moment(0, self.days)}
        )
        self.rows["outlets"] += [{"outlet": "o1", "name": "Shop"}, {"outlet": "o2"}]
        self.rows["accounts"].append({"card": self.numbers[1], "platform": "p", "account": "a"})

    def link(self, seed: int) -> None:
        """Fill the rings; some cards were linked otherwise before, or were not, and some are no more."""
        chance = random.Random(f"rings {seed}")  # its own: what else is drawn does not hang on it

        def linked(card: str) -> Row:
            since = START + timedelta(days=chance.uniform(-3, self.days + 1))
            ring, certainty = chance.choice(("R1", "R2")), chance.choice((0, 50, 51, 90))
            return {"card": card, "ring": ring, "certainty": certainty, "since": since.replace(microsecond=0)}

        for card in chance.sample([*self.numbers, "8613899999999"], len(self.numbers) // 2):
            self.rows["rings"].append(linked(card))
            if chance.random() < 0.4:
                self.linked_before.append(linked(card))

    def open_in_batches(self, seed: int) -> None:
        """Fill the outlet batches likewise; some cards were used for a day or two, and some since."""
        chance = random.Random(f"outlet batches {seed}")

        def opened(card: str) -> Row:
            since = START + timedelta(days=chance.uniform(-3, self.days + 1))
            told = {"outlet": chance.choice(("o1", "o2")), "lift": chance.choice((0, 1, 2, 9)), "together": 7}
            return {"card": card, **told, "since": since.replace(microsecond=0)}

        for card in chance.sample([*self.numbers, "8613899999998"], len(self.numbers) // 2):
            self.rows["outlet_batches"].append(opened(card))
            if chance.random() < 0.4:
                self.opened_before.append(opened(card))

    def use(self) -> None:
        """Fill the records."""
        for card in self.numbers:
            devices = [f"8600000000000{self.chance.randrange(9)}" for _ in range(self.some(1, 1, 2, 4))]
            cities = self.chance.sample(_CITIES, self.some(1, 1, 2))
            for _ in range(self.some(0, 1, 3, 5)):
                where: Row = {"imei": self.some(*devices, None), "city": self.some(*cities), "cell": "1"}
                getattr(self, self.some("burst", "chat", "codes", "data", "show", "bank"))(card, where)

    def _calls(self, card: str, where: Row, peers: Sequence[str], every: float, **more: Any) -> None:
        start = self.moment()
        for i, peer in enumerate(peers):
            at = start + timedelta(minutes=every * i)
            answered = self.some(*more.get("answered", (True, False, None)))
            call = {"card": card, "peer": peer, "started_at": at, "answered": answered, **where}
            call["direction"] = self.some(*more.get("direction", ("out", "in")))
            call["seconds"] = self.some(0, 61, None) if answered is not False else 0
            self.rows["calls"].append(call)

    def burst(self, card: str, where: Row) -> None:
        """Many strangers in an hour, few of whom answer."""
        peers = [f"86139{self.chance.randrange(40):08}" for _ in range(self.some(4, 6, 9))]
        self._calls(
            card, where, peers, self.some(3, 11, 50), direction=("out",), answered=(False, False, True)
        )

    def chat(self, card: str, where: Row) -> None:
        """A few calls and messages with friends."""
        self._calls(card, where, [f"86137{self.chance.randrange(3):08}"] * self.some(1, 2), 30)
        message = {"card": card, "peer": "8613700000001", "direction": self.some("in", "out"), **where}
        self.rows["messages"].append({**message, "sent_at": self.moment()})

    def codes(self, card: str, where: Row) -> None:
        """Codes of several platforms on one day."""
        day = self.chance.randrange(self.days)
        for i in range(self.some(2, 3, 5)):
            at = self.moment(day, day + 1)
            self.rows["messages"].append(
                {"card": card, "peer": f"1069{i:04}", "direction": "in", "sent_at": at, **where}
            )

    def data(self, card: str, where: Row) -> None:
        """Days of mobile data."""
        del where
        for day in self.chance.sample(range(self.days), self.some(1, 2)):
            amount = self.some(0, 1, 30_000_000, 200_000_000)
            self.rows["data_days"].append(
                {"card": card, "day": (START + timedelta(days=day)).date(), "bytes": amount}
            )

    def show(self, card: str, where: Row) -> None:
        """Shows itself to the network."""
        for _ in range(self.some(1, 3)):
            self.rows["sightings"].append({"card": card, "seen_at": self.moment(), **where})

    def bank(self, card: str, where: Row) -> None:
        """Calls its bank."""
        self._calls(card, where, ["95588"], 1, direction=("out",))

    def bridges(self, chance: random.Random) -> None:
        """Pairs of cards in one cell, of which one passes on what the other hears; its own draws change no other."""
        for _ in range(len(self.numbers)):
            hears, says = chance.sample(self.numbers, 2)
            start = START + timedelta(days=chance.uniform(0, self.days - 0.1))
            for i in range(chance.choice((2, 3, 4))):
                begin, talk = start + timedelta(minutes=9 * i), chance.choice((0, 61))
                heard = {"card": hears, "peer": None, "direction": "in", "cell": "1", "started_at": begin}
                said = {
                    "card": says,
                    "peer": f"86139{chance.randrange(40):08}",
                    "direction": "out",
                    "cell": "1",
                }
                passed = begin + timedelta(seconds=chance.uniform(0, 35))
                self.rows["calls"].append({**heard, "seconds": talk + 45, "answered": True})
                self.rows["calls"].append(
                    {**said, "started_at": passed, "seconds": talk, "answered": talk > 0}
                )


def invented(seed: int, cards: int = 20, days: int = 6) -> World:
    """A world; of some tables there is nothing at all."""
    drawn = _Inventor(seed, cards, days)
    drawn.describe()
    drawn.link(seed)
    drawn.open_in_batches(seed)
    drawn.use()
    drawn.burst(drawn.numbers[0], {"imei": "86000000000001"})
    drawn.bridges(random.Random(seed))
    missing = set(drawn.chance.sample(sorted(set(TABLES) - set(_NEED)), drawn.some(0, 0, 0, 1, 2)))
    lists = dict(LISTS)
    if drawn.chance.random() < 0.2:
        lists[drawn.some(*LISTS)] = ()
    frames = {t: canonical(t, rows) for t, rows in drawn.rows.items() if rows and t not in missing}
    earlier = {"cards": drawn.before, "rings": drawn.linked_before, "outlet_batches": drawn.opened_before}
    before = {table: canonical(table, rows) for table, rows in earlier.items()}
    return World(frames, before, lists)


def scanned(world: World, work: Path, limits: Limits = LIMITS) -> Hits:
    """The hits of a scan over the whole world."""
    work.mkdir(parents=True, exist_ok=True)
    paths, known = {}, KnownTexts(work / "texts.parquet")
    for table, frame in world.frames.items():
        paths[table] = [work / f"{table}.parquet"]
        with_keys(table, frame, known).write_parquet(paths[table][0])
    columns = {t: frozenset(s.name for s in f if s.null_count() < len(s)) for t, f in world.frames.items()}
    with DuckDBEngine(work / "engine", threads=1) as engine:
        engine.load(paths, columns, world.lists, None, known.close())
        chosen = [(rule, limits[rule.id]) for rule in RULES if rule.id in limits]
        engine.build(chosen, Silent())
        for rule, its in chosen:
            engine.run(rule, its)
        engine.write_hits(work / "hits.parquet")
    return pl.read_parquet(work / "hits.parquet").rows()
