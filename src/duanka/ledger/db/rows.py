"""Mapping between database rows and orders, bulk actions and persons."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from duanka.domain.bulk_action import BulkAction, BulkActionState
from duanka.domain.order import Event, Grounds, Kind, Order, State
from duanka.domain.person import Person, Role, Scope
from duanka.domain.text import BilingualText
from duanka.ledger.db.tables import orders

_KINDS = {kind.value: kind for kind in Kind}
_STATES = {state.value: state for state in State}
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: no letters confused when read aloud
_LETTER_OF_BYTE = LETTERS.encode() * 8  # maps each of 256 bytes to a letter by its lowest five bits
_FIRST_LETTER = {Kind.VERIFICATION: "V", Kind.RESTRICTION: "R", Kind.OBJECTION: "O", Kind.DISAVOWAL: "D"}


def new_id(prefix: str) -> str:
    """Create an id to be read aloud: a letter for the kind, then 12 of 32 letters."""
    return prefix + secrets.token_bytes(12).translate(_LETTER_OF_BYTE).decode()


def order_id(kind: Kind) -> str:
    """Create the id of a new order."""
    return new_id(_FIRST_LETTER[kind])


def order_of(row: Mapping[str, Any] | RowMapping) -> Order:
    """Parse an order from a row of `orders`."""
    kind, state = row["kind"], row["state"]
    return Order.of(
        id=row["id"],
        kind=_KINDS.get(kind) or Kind(kind),
        card=row["card"],
        state=_STATES.get(state) or State(state),
        step=row["step"],
        grounds=grounds_of(row),
        opened_at=row["opened_at"],
        updated_at=row["updated_at"],
        tier=row["tier"],
        asked=row["asked"],
        rules=tuple(row["rules"].split()),
        carried_by=row["carried_by"],
        parent=row["parent"],
        delivered_at=row["delivered_at"],
        due_at=row["due_at"],
        until=row["until"],
        closed_at=row["closed_at"],
        hits=row["hits"],
        extended=row["extended"],
        operator=row["operator"],
        city=row["city"],
        opened_by=row["opened_by"],
        helped_by=tuple(row["helped_by"].splitlines()),
        decision=row["decision"],
        receipt_at=row["receipt_at"],
        evidence=row["evidence"],
        hit_summaries=row["hit_summaries"],
        channel=row["channel"],
    )


def find_order(connection: Connection, number: str) -> Order | None:
    """Read an order, without a lock."""
    row = connection.execute(select(orders).where(orders.c.id == number)).mappings().first()
    return order_of(row) if row else None


def row_of(order: Order) -> dict[str, object]:
    """Return the row of an order: texts, numbers, times; other values become texts."""
    row = vars(order) | _remembered_columns(order.grounds)
    del row["grounds"]
    row["kind"], row["state"] = str(order.kind), str(order.state)
    row["rules"], row["helped_by"] = " ".join(order.rules), "\n".join(order.helped_by)
    return row


def grounds_of(row: Mapping[str, Any] | RowMapping) -> Grounds:
    """Parse grounds from a row of `orders` or `acts`; equal rows share one object."""
    return _grounds(
        *(row["reason_zh"], row["reason_en"]),
        *(row["redress_zh"], row["redress_en"]),
        *(row["papers_zh"], row["papers_en"]),
    )


@lru_cache(maxsize=1024)
def _grounds(*texts: str) -> Grounds:
    reason, redress, papers = (BilingualText(*texts[at : at + 2]) for at in (0, 2, 4))
    return Grounds(reason, redress, papers)


def bulk_action_of(row: RowMapping) -> BulkAction:
    """Parse a bulk action from a row of `acts`."""
    names = ("proposed_by", "proposed_at", "approved_by", "approved_at", "finished_at", "until", "undoes")
    facts: dict[str, Any] = {name: row[name] for name in (*names, "verification", "total", "done", "skipped")}
    return BulkAction(row["id"], Event(row["event"]), BulkActionState(row["state"]), grounds_of(row), **facts)


def columns_of(grounds: Grounds) -> dict[str, object]:
    """Return grounds as columns of `orders` or `acts`."""
    return {
        f"{name}_{language}": words.in_(language)
        for name, words in (
            ("reason", grounds.reason),
            ("redress", grounds.redress),
            ("papers", grounds.papers),
        )
        for language in ("zh", "en")
    }


_remembered_columns = lru_cache(maxsize=1024)(columns_of)  # shared: must not be modified

_NOTHING = (None, "", ())
_TOLD = (
    *("card", "state", "step", "tier", "asked", "rules", "due_at", "until", "carried_by", "hits", "extended"),
    *("opened_by", "helped_by", "decision", "receipt_at", "evidence"),
    *("operator", "city", "channel"),  # the places decide who may see the order
)


def audited_fields(order: Order) -> dict[str, object]:
    """Return the audited fields of an order: those that can change, no derived texts."""
    return _plain(order, _TOLD)


def changes(before: Order, after: Order) -> tuple[dict[str, object], dict[str, object]]:
    """Return the differing fields before and after."""
    was, now = vars(before), vars(after)
    differ = [name for name in _TOLD if was[name] is not now[name] and was[name] != now[name]]
    return _plain(before, differ), _plain(after, differ)


def _plain(order: Order, names: Iterable[str]) -> dict[str, object]:
    facts, values = dict[str, object](), vars(order)
    for name in names:
        value = values[name]
        if not value and value in _NOTHING:
            continue
        if type(value) is str or type(value) is int:  # the common case
            pass
        elif isinstance(value, Enum):
            value = value.value
        elif isinstance(value, datetime):
            value = value.isoformat()
        elif isinstance(value, tuple):
            value = ", ".join(value)
        facts[name] = value
    return facts


def person_of(row: Mapping[Any, Any]) -> Person:
    """Parse a row of `persons`."""
    scope = Scope(*(frozenset(filter(None, row[name].split("|"))) for name in ("operators", "cities")))
    return Person(row["id"], Role(row["role"]), row["display_name"], scope)
