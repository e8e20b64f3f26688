"""A store that grows night by night: cards that dial lists, and cards that talk among themselves."""

from __future__ import annotations

import random
from datetime import date, datetime, time
from pathlib import Path

from duanka.engine.store.record_store import RecordStore
from support.engine.filled_store import fill
from support.engine.store_deliveries import NOW, Row

BEGIN = date(2026, 1, 1)
CARDS = [str(8613800000001 + number) for number in range(14)]
STRANGERS = 8615000000001


def records(chance: random.Random, day: date, many: int = 80) -> dict[str, list[Row]]:
    """Calls and sightings of one day: half of the cards dial a list of two days, the others talk among themselves."""
    strangers = [str(STRANGERS + 20 * (day.toordinal() // 2) + number) for number in range(20)]

    def at() -> datetime:
        return datetime.combine(day, time(chance.choice([8, 20]), chance.randrange(3), chance.randrange(60)))

    calls, sightings = list[Row](), list[Row]()
    for _ in range(many):
        number = chance.randrange(len(CARDS))
        peers = strangers if number % 2 else [*CARDS, "10086", "short:a"]
        place = {"cell": chance.choice(["4601", "4602", None]), "city": chance.choice(["990101", None])}
        imei = chance.choice([None, f"{86_012_304_000_000 + number // 4}"])
        call = {
            "card": CARDS[number],
            "peer": chance.choice(peers),
            "started_at": at(),
            "imei": imei,
            **place,
        }
        calls.append({**call, "direction": "out" if number % 2 else chance.choice(["in", "out"])})
        sightings.append({"card": CARDS[number], "seen_at": at(), **place})
    return {"calls": calls, "sightings": sightings}


def deliver(folder: Path, tables: dict[str, list[Row]]) -> None:
    """Add records and registers to the store in `folder`."""
    fill(folder, tables)
    with RecordStore(folder).writing(NOW) as writer:
        writer.merge_life()
        writer.commit()
