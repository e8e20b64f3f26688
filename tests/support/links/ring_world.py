"""A store with a ring in it: a box in which twelve cards take turns, amid people with telephones of their own."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

from support.engine.filled_store import Tables, fill
from support.engine.store_deliveries import NOW, Row

FIRST = date(2026, 3, 1)
DAYS = 5
BOX = "86012304000001"
RING = tuple(str(8613700000001 + number) for number in range(12))
STOCK = tuple(str(8613700000051 + number) for number in range(12))
CONFIRMED = RING[0]
OUTLET, SITE = "S-RING", "46000123"
_CITY = "130100"
_PEOPLE = 240
_SECOND_HAND = 60  # of them have a phone that another card sat in before


def ring_store(folder: Path) -> Path:
    """A store of five days with the ring, its stock in the drawer, and 240 people."""
    with fill(folder, _tables()).writing(NOW) as writer:
        writer.merge_life()
        writer.commit()
    return folder


def _tables() -> Tables:
    people = [str(8613900000001 + number) for number in range(_PEOPLE)]
    calls = [
        *_box_calls(),
        *(call for number, card in enumerate(people) for call in _own_calls(number, people)),
    ]
    register = [
        *(_opened(card, OUTLET, minutes) for minutes, card in enumerate((*RING, *STOCK))),
        *(_opened(card, f"S-{number % 40}", number * 601) for number, card in enumerate(people)),
    ]
    case = {
        "card": CONFIRMED,
        "case_id": "C-1",
        "confirmed_at": datetime(2026, 3, 5, 9),
        "signed_by": "police",
    }
    return {"calls": calls, "cards": register, "cases": [case]}


def _opened(card: str, outlet: str, minutes: int) -> Row:
    at = datetime(2026, 2, 20, 9) + timedelta(minutes=minutes)
    return {"card": card, "holder_kind": "person", "opened_at": at, "outlet": outlet, "home_city": _CITY}


def _box_calls() -> list[Row]:
    """Each card for an hour and a half a day, one after another, each call to another stranger."""
    calls = list[Row]()
    for day in range(DAYS):
        for turn, card in enumerate(RING):
            begin = datetime.combine(FIRST, datetime.min.time()) + timedelta(days=day, hours=8 + turn)
            calls += [
                _call(
                    card,
                    str(8615000000000 + len(calls) + many),
                    begin + timedelta(minutes=5 * many),
                    BOX,
                    SITE,
                )
                for many in range(8)
            ]
    return calls


def _own_calls(number: int, people: list[str]) -> list[Row]:
    """A person who calls, and is called by, the same six on every day."""
    phone = f"{35200000000000 + number}"
    card = people[number]
    calls = list[Row]()
    for day in range(DAYS):
        begin = datetime.combine(FIRST, datetime.min.time()) + timedelta(
            days=day, hours=9, minutes=number % 50
        )
        before = number < _SECOND_HAND and day == 0  # in another phone, which somebody else has from then on
        device = f"{35200000000000 + (number + 1) % _SECOND_HAND}" if before else phone
        for step in range(1, 4):
            peer = people[(number + step * 7) % len(people)]
            at = begin + timedelta(hours=step)
            cell = f"4600{1000 + number}"
            calls.append(_call(card, peer, at, device, cell))
            calls.append({**_call(peer, card, at, None, None), "direction": "in"})
    return calls


def _call(card: str, peer: str, at: datetime, imei: str | None, cell: str | None) -> Row:
    return {
        "card": card,
        "peer": peer,
        "direction": "out",
        "started_at": at,
        "seconds": 40,
        "answered": True,
        "imei": imei,
        "cell": cell,
        "city": cell and _CITY,
    }
