"""Active cards by unit, counted by the store, equal a count over the very records and registers in plain Python."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from duanka.domain.assessment import UnitKind, month_of
from duanka.domain.card_age import CardAge
from duanka.engine.store.reading.active_cards import AssessedStore
from support.engine.filled_store import Tables, fill
from support.engine.store_deliveries import Row

SINCE, UNTIL = datetime(2026, 2, 1), datetime(2026, 3, 1)
LATER = datetime(2026, 3, 10, 12)


def province(seed: int = 3) -> Tables:
    """Cards with and without use, before, in and after the month; some with a text for a number, some half known."""
    draw = random.Random(seed)
    cards, calls, messages, data = list[Row](), list[Row](), list[Row](), list[Row]()
    for number in range(300):
        card = f"86138{number:08}" if number % 9 else f"p-{number}"
        opened = datetime(2025, 10, 1) + timedelta(days=draw.randrange(170)) if number % 10 else None
        if number % 7 == 3 and opened:
            opened -= timedelta(days=draw.choice((200, 270, 400, 4_000)))  # around 12 months, and long before
        row: dict[str, Any] = {"card": card, "operator": draw.choice(("甲", "乙", None)), "opened_at": opened}
        row |= {
            "home_city": draw.choice(("130100", "130200")),
            "outlet": draw.choice(("S1", "S2", "S3", None)),
        }
        if number % 5 == 0:
            row["last_used_at"] = opened  # never used
        elif number % 5 == 1:
            row["last_used_at"] = datetime(2026, 2, 20) if number % 2 else datetime(2025, 12, 1)
        cards.append(row)
        for day in draw.sample(range(90), draw.choice((0, 0, 1, 3))):
            at = datetime(2026, 1, 1) + timedelta(days=day, hours=9)
            what = draw.randrange(4)
            call: Row = {"card": card, "peer": "8613900000000", "started_at": at, "direction": "out"}
            if what == 0:
                calls.append({**call, "seconds": 0, "answered": False})
            elif what == 1:
                calls.append({**call, "direction": "in", "seconds": 0, "answered": False})
            elif what == 2:
                direction = draw.choice(("in", "out"))
                messages.append({"card": card, "peer": "10086", "sent_at": at, "direction": direction})
            else:
                data.append({"card": card, "day": at.date(), "bytes": draw.choice((0, 10))})
    return {"cards": cards, "calls": calls, "messages": messages, "data_days": data}


def uses(tables: Tables) -> dict[object, list[datetime]]:
    """Card -> moments of use: a call made or taken, a message sent, data; no call that rang in vain."""
    found = dict[object, list[datetime]]()
    for row in tables["calls"]:
        if row["direction"] == "out" or row["seconds"]:
            found.setdefault(row["card"], []).append(row["started_at"])
    for row in tables["messages"]:
        if row["direction"] == "out":
            found.setdefault(row["card"], []).append(row["sent_at"])
    for row in tables["data_days"]:
        if row["bytes"]:
            found.setdefault(row["card"], []).append(datetime.combine(row["day"], datetime.min.time()))
    return found


def age(opened: datetime | None) -> CardAge:
    """By the calendar, for a period of one month."""
    if opened is None or opened >= UNTIL:
        return CardAge.UNKNOWN
    months = 12 * (SINCE.year - opened.year) + SINCE.month - opened.month
    if months == 0:
        return CardAge.IN_PERIOD
    return CardAge.RECENT if months < 3 else CardAge.SETTLED if months < 12 else CardAge.OLD


def by_hand(tables: Tables, also: set[str]) -> dict[UnitKind, Counter[tuple[str, CardAge]]]:
    found: dict[UnitKind, Counter[tuple[str, CardAge]]] = {
        kind: Counter() for kind in UnitKind if kind is not UnitKind.PLATFORM
    }
    used = uses(tables)
    for row in tables["cards"]:
        opened, last = row["opened_at"], row.get("last_used_at")
        moments = list(used.get(row["card"], ()))
        if last and (opened is None or last > opened):
            moments.append(last)
        there = (opened is None or opened < UNTIL) and any(at >= SINCE for at in moments)
        if there or row["card"] in also:
            units = {UnitKind.OPERATOR: row["operator"], UnitKind.CITY: row["home_city"]}
            units |= {
                UnitKind.OUTLET: row["outlet"],
                UnitKind.OPENING_MONTH: opened and month_of(opened),
            }
            for kind, unit in units.items():
                found[kind][unit or "", age(opened)] += 1
    return found


def test_each_unit_has_as_many_active_cards_as_a_count_of_the_records(tmp_path: Path) -> None:
    tables = province()
    fill(tmp_path / "store", tables, LATER)
    also = {"8613800000005", "p-0", "8613900000009"}  # the last is in no register
    store = AssessedStore(tmp_path / "store")
    try:
        found = store.active_cards(SINCE, UNTIL, also)
        assert found is not None
        counted = by_hand(tables, also)
        assert {kind: sum(units.values()) for kind, units in counted.items()}[UnitKind.CITY] > 50
        assert sum(len({unit for unit, _ in units}) for units in counted.values()) == len(found)
        for one in found:
            assert {of: counted[one.kind][one.unit, of] for of in CardAge} == one.by_age, one
        assert all(sum(one.by_age[of] for one in found) for of in CardAge), "cards of each age are tried"
        outlets = [one for one in found if one.kind is UnitKind.OUTLET]
        assert {one.operator for one in outlets} == {""}, "each sells for several"
        assert store.active_cards(datetime(2026, 5, 1), datetime(2026, 6, 1), ()) is None
    finally:
        store.close()


def test_days_that_are_not_merged_yet_count_too(tmp_path: Path) -> None:
    tables = province()
    store = fill(tmp_path / "store", tables, LATER)
    more = {"card": "8613800000999", "peer": "10086", "sent_at": datetime(2026, 2, 9), "direction": "out"}
    register = {"card": "8613800000999", "operator": "丙", "home_city": "130300", "outlet": "S9"}
    fill(store.folder, {"messages": [more], "cards": [register]}, LATER + timedelta(hours=1))
    reading = AssessedStore(tmp_path / "store")
    try:
        found = reading.active_cards(SINCE, UNTIL, ())
        assert found is not None
        units = {(one.kind, one.unit): one for one in found}
        assert units[UnitKind.OUTLET, "S9"].cards == 1
        assert units[UnitKind.OUTLET, "S9"].operator == "丙"
        assert units[UnitKind.CITY, "130300"].city == "130300"
        assert date(2026, 2, 9) in reading.status().days
    finally:
        reading.close()
