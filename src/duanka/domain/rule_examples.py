"""Examples inside a rule: small record sets to flag, and look-alikes to spare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import cycle
from typing import Any

Row = dict[str, Any]
CARD = "8613800000001"
AS_OF = datetime(2021, 5, 18)


@dataclass(frozen=True)
class Case:
    """One example. `tables`: table -> rows with the columns that matter; rest unknown.

    `cards`: those to be flagged (in `flags`) or spared (in `spares`). `lists`: rows of the policy's lists. `limits`:
    overrides, where the defaults would make the example needlessly large.
    """

    title: str
    tables: Mapping[str, tuple[Row, ...]]
    cards: tuple[str, ...] = (CARD,)
    as_of: datetime = AS_OF
    lists: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    hits: tuple[Row, ...] = ()


def case(
    title: str,
    *rows: Row | Iterable[Row],
    cards: tuple[str, ...] = (CARD,),
    as_of: datetime = AS_OF,
    lists: Mapping[str, tuple[Row, ...]] | None = None,
) -> Case:
    """Build a Case from `rows`, each of which names its `table`."""
    tables: dict[str, list[Row]] = {}
    hits: list[Row] = []
    for item in rows:
        for row in [item] if isinstance(item, dict) else item:
            content = {k: v for k, v in row.items() if k != "table"}
            (hits if row["table"] == "hits" else tables.setdefault(str(row["table"]), [])).append(content)
    return Case(title, {k: tuple(v) for k, v in tables.items()}, cards, as_of, lists or {}, tuple(hits))


def at(text: str) -> datetime:
    """Parse `2021-05-17 09:00`."""
    return datetime.fromisoformat(text)


def opened(text: str, card: str = CARD, **columns: Any) -> Row:
    """Return a register row opened at `text`; by default a personal voice card."""
    kinds: Row = {"kind": "voice", "holder_kind": "person"}
    return {"table": "cards", "card": card, "opened_at": at(text), **kinds, **columns}


def calls(
    n: int,
    start: str,
    *,
    every: float = 30,
    card: str = CARD,
    peers: Iterable[str] | int = 1,
    direction: str = "out",
    answered: int | None = None,
    seconds: int = 20,
    **columns: Any,
) -> list[Row]:
    """Return `n` calls, `every` seconds apart, with each peer in turn; the first `answered` are answered."""
    numbers = [f"86139{i:08d}" for i in range(peers)] if isinstance(peers, int) else list(peers)
    taken = n if answered is None else answered
    return [
        {
            "table": "calls",
            "card": card,
            "peer": peer,
            "direction": direction,
            "started_at": at(start) + timedelta(seconds=every * i),
            "seconds": seconds if i < taken else 0,
            "answered": i < taken,
            **columns,
        }
        for i, peer in zip(range(n), cycle(numbers), strict=False)
    ]


def messages(
    n: int,
    start: str,
    *,
    every: float = 60,
    card: str = CARD,
    peers: Iterable[str] = ("10690000",),
    direction: str = "in",
    **columns: Any,
) -> list[Row]:
    """Return `n` messages, `every` seconds apart, with each peer in turn."""
    return [
        {
            "table": "messages",
            "card": card,
            "peer": peer,
            "direction": direction,
            "sent_at": at(start) + timedelta(seconds=every * i),
            **columns,
        }
        for i, peer in zip(range(n), cycle(peers), strict=False)
    ]


def sighting(when: str, card: str = CARD, **columns: Any) -> Row:
    """Return a row of `sightings`: the network saw the card."""
    return {"table": "sightings", "card": card, "seen_at": at(when), **columns}


def data(day: str, megabytes: float, card: str = CARD) -> Row:
    """Return a day of mobile data; a megabyte is a million bytes."""
    return {
        "table": "data_days",
        "card": card,
        "day": date.fromisoformat(day),
        "bytes": round(megabytes * 1_000_000),
    }


def alert(rule: str, when: str, card: str = CARD) -> Row:
    """Return a hit of another rule."""
    return {"table": "hits", "card": card, "rule": rule, "seen_at": at(when), "evidence": "{}"}
