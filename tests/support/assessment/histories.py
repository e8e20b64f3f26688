"""Events that figures count, written past the services, and an independent count of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert

from duanka.domain.order import SYSTEM
from duanka.domain.person import EVERYWHERE, Scope
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.casework.clues import clue_cards, clues
from duanka.ledger.db.casework.victims import victim_outcomes
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import orders
from support.orders.books import KEY, card

PASSED, SUSPENDED, RESTORED = "verification.pass", "restriction.suspend", "restriction.restore"
_TRAIL = Trail(KEY)
_GROUNDS = [f"{what}_{language}" for what in ("reason", "redress", "papers") for language in ("zh", "en")]


@dataclass(frozen=True)
class Ended:
    """A card whose order ended; `place`: operator, city."""

    number: int
    at: datetime
    place: tuple[str, str]
    what: str = PASSED


def ended(store: Store, events: Sequence[Ended], first: int = 0) -> None:
    """Write orders that ended, each with its entry in the trail; `first`: number of the first order."""
    rows, entries = [], []
    for number, one in enumerate(events, first):
        kind = one.what.partition(".")[0]
        row = dict.fromkeys(_GROUNDS, "x") | {
            "id": f"{kind[0].upper()}{number:012d}",
            "kind": kind,
            "step": 1,
        }
        row |= {"card": card(one.number), "state": "x", "tier": "low", "asked": "verify", "rules": ""}
        row |= {"opened_at": one.at, "updated_at": one.at, "closed_at": one.at, "carried_by": "", "hits": 0}
        row |= {"extended": "", "operator": one.place[0], "city": one.place[1]}
        rows.append(row)
        entries.append(AuditEntry(one.at, SYSTEM, one.what, str(row["id"]), "test", digests={"x": "y"}))
    with store.writing() as connection:
        connection.execute(insert(orders), rows)
        Trail(KEY).append(connection, entries)


def dissuaded(
    store: Store,
    victim: str,
    at: datetime,
    place: tuple[str, str],
    what: str = "dissuaded",
    key: Trail = _TRAIL,
) -> None:
    """A call to a victim with its outcome; `key`: the trail that has it."""
    with store.writing() as connection:
        row = {"victim_id": victim, "at": at, "who": "wang", "outcome": what}
        connection.execute(insert(victim_outcomes).values(**row, operator=place[0], city=place[1]))
        key.append(connection, [AuditEntry(at, SYSTEM, "victims.outcome", victim)])


def sent(
    store: Store, clue: str, at: datetime, places: Iterable[tuple[str, str]], key: Trail = _TRAIL
) -> None:
    """A clue that was sent, with a card in each place."""
    with store.writing() as connection:
        facts: dict[str, object] = dict.fromkeys(
            ("title", "recipient", "digest", "built_by", "seal", "case_id"), "x"
        )
        facts |= {"id": clue, "built_at": at, "updated_at": at, "sent_at": at, "cards": 1, "confirmed": 0}
        connection.execute(insert(clues).values(**facts, state="draft"))
        for number, (operator, city) in enumerate(places):
            row = {"clue_id": clue, "card": card(number), "standing": "x", "operator": operator, "city": city}
            connection.execute(insert(clue_cards).values(**row))
        for what in ("clue.build", "clue.send"):
            key.append(connection, [AuditEntry(at, SYSTEM, what, clue)])


def count(
    events: Iterable[tuple[str, datetime, tuple[str, str]]],
    since: datetime,
    until: datetime,
    scope: Scope = EVERYWHERE,
    group: int | None = None,
) -> dict[str, int]:
    """Count distinct keys one by one. `group`: 0: operator, 1: city."""
    found: dict[str, set[str]] = {} if group is not None else {"": set()}
    for key, at, place in events:
        if since <= at < until and scope.covers(*place):
            found.setdefault(place[group] if group is not None else "", set()).add(key)
    return {name: len(keys) for name, keys in found.items()}
