"""Read the stored texts of stops; an order of an earlier version gets one when it is first asked for."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import Connection, RowMapping, Select, select

from duanka.domain.order import SYSTEM, Kind, Order
from duanka.domain.stop_text import StopTextWriter, joined_text
from duanka.domain.text import BilingualText
from duanka.ledger.audit.stop_text_comparison import TOLD, texts_told
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.bulk import among
from duanka.ledger.db.rows import find_order
from duanka.ledger.db.tables_holders import stop_text_bodies, stop_texts
from duanka.ledger.unit_of_work.locks import lock_cards
from duanka.ledger.unit_of_work.stop_texts import write_stop_texts
from duanka.orders.masking import View

_WHY = "an order of an earlier version: its text is made from what was stored"


class StopTextShown(View):
    """What the holder is told of a stop (停机告知书), the same everywhere."""

    OURS: ClassVar[frozenset[str]] = View.OURS | {"text", "sha256"}

    order_id: str = Field(examples=["R0123456789AB"])
    step: int = Field(description="Of the order: each step that restricts has its text.", examples=[1])
    made_at: datetime
    belated: bool = Field(description="Made after the stop, for an order of an earlier version; it says so.")
    sha256: str = Field(
        description="Of the UTF-8 bytes of `text`, which nobody words anew.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )
    text: str = Field(
        description="Chinese, then English: rule, figures, limits, days, who decided, how to rebut it, redress, papers."
    )


def texts_of(connection: Connection, numbers: Collection[str]) -> list[StopTextShown]:
    """Return the stored texts of these orders, the earliest step first."""
    return [_shown(row) for row in connection.execute(_query(connection, numbers)).mappings()]


def texts_made(
    connection: Connection, trail: Trail, writer: StopTextWriter, order: Order, now: datetime
) -> list[StopTextShown]:
    """As `texts_of`; a restriction of an earlier version that has none gets one, which says that it is belated.

    `order`: as it is stored, numbers in full. A text that the trail tells of and that is gone was removed past it: it
    stays missing, so that `duanka audit verify` goes on to name it.
    """
    found = texts_of(connection, [order.id])
    if found or order.kind is not Kind.RESTRICTION or order.step == 0:
        return found
    lock_cards(connection, [order.card])
    if found := texts_of(connection, [order.id]):  # somebody else was faster
        return found
    if texts_told(connection, [order.id]):
        return []
    made = writer.text(order, find_order(connection, order.parent or ""), now, belated=True)
    told = write_stop_texts(connection, [made])
    after = {"step": order.step, "sha256": made.digest}
    trail.append(
        connection, [AuditEntry(now, SYSTEM, TOLD, order.id, _WHY, after=after, digests=told[order.id])]
    )
    return texts_of(connection, [order.id])


def _query(connection: Connection, numbers: Collection[str]) -> Select[Any]:
    body = stop_text_bodies.c
    return (
        select(stop_texts, body.zh, body.en)
        .join(stop_text_bodies, body.sha256 == stop_texts.c.body)
        .where(among(connection, stop_texts.c.order_id, numbers))
        .order_by(stop_texts.c.order_id, stop_texts.c.step)
    )


def _shown(row: RowMapping) -> StopTextShown:
    head, body = BilingualText(row["head_zh"], row["head_en"]), BilingualText(row["zh"], row["en"])
    return StopTextShown.of({**row, "belated": bool(row["belated"]), "text": joined_text(head, body)})
