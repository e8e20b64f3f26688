"""Store the texts of stops, in the transaction of the steps that they are about."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from duanka.domain.stop_text import StopText
from duanka.ledger.audit.stop_text_comparison import text_label
from duanka.ledger.db.bulk import put_rows, upsert
from duanka.ledger.db.tables_holders import stop_text_bodies, stop_texts


def write_stop_texts(connection: Connection, texts: Sequence[StopText]) -> dict[str, dict[str, str]]:
    """Write new texts; return what the trail keeps of them: order -> label -> SHA-256."""
    if not texts:
        return {}
    bodies = {one.body.digest: one.body for one in texts}
    put = upsert(connection, stop_text_bodies).on_conflict_do_nothing()
    # in a fixed order, to avoid deadlocks with others who write the same bodies
    rows = [{"sha256": name, "zh": bodies[name].zh, "en": bodies[name].en} for name in sorted(bodies)]
    connection.execute(put, rows)
    told: dict[str, dict[str, str]] = {}
    written = []
    for one in texts:
        digest = one.digest
        written.append(_row(one, digest))
        told.setdefault(one.order_id, {})[text_label(one.order_id, one.step)] = digest
    put_rows(connection, stop_texts, written)
    return told


def _row(text: StopText, digest: str) -> dict[str, object]:
    return {
        "order_id": text.order_id,
        "step": text.step,
        "head_zh": text.head.zh,
        "head_en": text.head.en,
        "body": text.body.digest,
        "sha256": digest,
        "made_at": text.made_at,
        "belated": int(text.belated),
    }
