"""Comparison of the stored texts of stops with the audit trail, which keeps the SHA-256 of each.

A text is made in the transaction of its entry: when it was made, and whether belatedly, are those of the entry.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, literal, select

from duanka.domain.order import Kind
from duanka.domain.stop_text import digest_of, joined_text
from duanka.domain.text import BilingualText
from duanka.ledger.audit.row_digests import AT_ONCE
from duanka.ledger.db.bulk import among
from duanka.ledger.db.tables import audit, orders
from duanka.ledger.db.tables_holders import stop_text_bodies, stop_texts

TOLD = "restriction.told"  # entry of the trail: a text was made belatedly
_LABEL = f"{stop_texts.name}/"  # first part of a text's name in entries
_MOST_NAMED = 100  # texts without an order that are named; more would add no information


@dataclass(frozen=True)
class _TextTold:
    """What the trail says of a text."""

    sha256: str
    made_at: datetime
    belated: bool


def text_label(order_id: str, step: int) -> str:
    """Return the name of a text in entries."""
    return f"{_LABEL}{text_id(order_id, step)}"


def text_id(order_id: str, step: int) -> str:
    """Return the id of the text of this step."""
    return f"{order_id}:{step}"


def stop_text_faults(connection: Connection) -> Iterator[str]:
    """Yield a description of every text that differs from the trail, or is missing, or was put in."""
    after = ""
    query = select(orders.c.id).where(orders.c.kind == Kind.RESTRICTION.value).order_by(orders.c.id)
    while some := connection.execute(query.where(orders.c.id > after).limit(AT_ONCE)).scalars().all():
        yield from _faults(connection, some)
        after = some[-1]
    theirs = select(orders.c.id).where(orders.c.id == stop_texts.c.order_id).exists()
    orphans = select(stop_texts.c.order_id, stop_texts.c.step).where(~theirs).limit(_MOST_NAMED)
    for row in connection.execute(orphans):
        yield f"stop text {text_id(row.order_id, row.step)} is of no order: it was put in past the trail"


def _faults(connection: Connection, of: Sequence[str]) -> Iterator[str]:
    told = texts_told(connection, of)
    body = stop_text_bodies.c
    query = (
        select(stop_texts, body.zh, body.en)
        .outerjoin(stop_text_bodies, body.sha256 == stop_texts.c.body)
        .where(among(connection, stop_texts.c.order_id, of))
    )
    for row in connection.execute(query.order_by(stop_texts.c.order_id, stop_texts.c.step)):
        name = text_id(row.order_id, row.step)
        kept = told.pop(name, None)
        text = joined_text(BilingualText(row.head_zh, row.head_en), BilingualText(row.zh or "", row.en or ""))
        digest = digest_of(text)
        if kept is None:
            yield f"stop text {name} is not in the trail: it was put in past it"
        elif digest != kept.sha256:
            yield f"stop text {name} was changed past the trail: its SHA-256 was {kept.sha256}, and is {digest}"
        elif changed := [
            column
            for column, is_now, was in (
                ("sha256", row.sha256, kept.sha256),
                ("made_at", row.made_at, kept.made_at),
                ("belated", row.belated, int(kept.belated)),
            )
            if is_now != was
        ]:
            yield f"stop text {name} was changed past the trail: {', '.join(changed)}"
    yield from (f"stop text {name} was removed past the trail" for name in sorted(told))


def texts_told(connection: Connection, of: Sequence[str]) -> dict[str, _TextTold]:
    """Id of each text of these orders that was ever made -> what the trail says of it."""
    has = func.strpos if connection.dialect.name == "postgresql" else func.instr
    query = select(audit.c.at, audit.c.what, audit.c.digests).where(
        among(connection, audit.c.subject, of), has(audit.c.digests, literal(f'"{_LABEL}')) > 0
    )
    found: dict[str, _TextTold] = {}
    for row in connection.execute(query):
        facts: dict[str, str] = json.loads(row.digests)
        found |= {
            name.removeprefix(_LABEL): _TextTold(kept, row.at, row.what == TOLD)
            for name, kept in facts.items()
            if name.startswith(_LABEL)
        }
    return found
