"""A card's life as rows of Duanka's own tables: what a story adds to, and the CSV files that intake reads."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path

FIRST, LAST = date(2021, 5, 3), date(2021, 6, 13)  # the days of the records: a Monday to a Sunday, six weeks
DAYS = (LAST - FIRST).days + 1
MEGABYTE = 1_000_000
RECORDS = Path(__file__).parent / "records"  # a folder for each case, as intake reads it
COLUMNS: Mapping[str, Sequence[str]] = {
    "cards": (
        *("card", "holder", "holder_kind", "operator", "kind", "opened_at"),
        *("outlet", "home_city", "last_used_at", "verified_at"),
    ),
    "calls": ("card", "peer", "direction", "started_at", "seconds", "answered", "imei", "cell", "city"),
    "messages": ("card", "peer", "direction", "sent_at", "imei", "cell", "city"),
    "sightings": ("card", "seen_at", "imei", "cell", "city"),
    "data_days": ("card", "day", "bytes"),
}
_HOURS = (8, 10, 12, 15, 18, 20)  # when ordinary calls begin, in turn


def on(month: int, day: int, clock: str = "00:00") -> datetime:
    """A moment of 2021, local to the operator."""
    hour, minute = map(int, clock.split(":"))
    return datetime(2021, month, day, hour, minute)  # records are local to the operator


def days(first: date | datetime, last: date | datetime) -> list[date]:
    """Every day from `first` to `last`."""
    begin, end = (one.date() if isinstance(one, datetime) else one for one in (first, last))
    return [begin + timedelta(days=n) for n in range((end - begin).days + 1)]


@dataclass
class Diary:
    """The records of one card. `where`: city; `phone`: IMEI; both as they are from now on."""

    card: str
    where: str
    phone: str
    cell: str = ""
    rows: dict[str, list[dict[str, object]]] = field(default_factory=lambda: {name: [] for name in COLUMNS})

    def __post_init__(self) -> None:
        self.chance = random.Random(self.card)
        self.cell = self.cell or f"{self.where}00001"

    def registered(self, opened: datetime, **columns: object) -> Diary:
        """The row of the register."""
        fixed = {"holder_kind": "person", "operator": "A", "kind": "voice", "home_city": self.where}
        document = f"invented-{self.card[-4:]}"
        facts = {"card": self.card, "holder": document, "opened_at": opened, "verified_at": opened}
        self.rows["cards"].append({**fixed, **facts, **columns})
        return self

    def call(
        self, at: datetime, peer: str, seconds: int = 60, direction: str = "out", *, answered: bool = True
    ) -> None:
        """One call of this card; without an answer it has no talking time."""
        row = {"peer": peer, "direction": direction, "started_at": at, "seconds": seconds if answered else 0}
        self._add("calls", {**row, "answered": answered}, place=True)

    def message(self, at: datetime, peer: str, direction: str = "in") -> None:
        """One short message of this card."""
        self._add("messages", {"peer": peer, "direction": direction, "sent_at": at}, place=True)

    def data(self, day: date, megabytes: int) -> None:
        """Mobile data of one day."""
        self._add("data_days", {"day": day, "bytes": megabytes * MEGABYTE})

    def seen(self, at: datetime) -> None:
        """The card shows itself to the network."""
        self._add("sightings", {"seen_at": at}, place=True)

    def lives(
        self, first: date, last: date, people: Sequence[str], *, calls: int = 2, data: int = 300
    ) -> None:
        """Ordinary days: `calls` a day with `people`, in turn out and in, most answered; `data` MB a day."""
        for n, day in enumerate(days(first, last)):
            for k in range(calls):
                hour = _HOURS[(n + 2 * k) % len(_HOURS)]
                at = datetime.combine(day, time(hour, self.chance.randrange(60)))
                peer = people[(n + k) % len(people)]
                direction = "in" if (n + k) % 2 else "out"
                self.call(at, peer, self.chance.randint(20, 300), direction, answered=(n + 2 * k) % 5 != 4)
            if data:
                self.data(day, data + self.chance.randrange(60))
            self.seen(datetime.combine(day, time(7, self.chance.randrange(60))))

    def _add(self, table: str, row: dict[str, object], *, place: bool = False) -> None:
        here = {"imei": self.phone, "cell": self.cell, "city": self.where} if place else {}
        self.rows[table].append({"card": self.card, **row, **here})


def numbers(prefix: str, count: int) -> list[str]:
    """Invented numbers that begin with `prefix`."""
    return [f"86{prefix}{n:0{11 - len(prefix)}}" for n in range(count)]


def written(diaries: Iterable[Diary]) -> Mapping[str, str]:
    """File name -> its text, one file for each table that has rows; in the order of time."""
    tables: dict[str, list[dict[str, object]]] = {name: [] for name in COLUMNS}
    for diary in diaries:
        for name, rows in diary.rows.items():
            tables[name] += rows
    return {f"{name}.csv": _csv(COLUMNS[name], rows) for name, rows in tables.items() if rows}


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    moments = [name for name in ("started_at", "sent_at", "seen_at", "day") if name in columns]
    ordered = sorted(rows, key=lambda row: [str(row[name]) for name in moments])
    lines = [columns, *([_text(row.get(name)) for name in columns] for row in ordered)]
    return "".join(",".join(line) + "\n" for line in lines)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def put(files: Mapping[str, str], folder: Path) -> None:
    """Write these files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
