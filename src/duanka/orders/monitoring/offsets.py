"""Offsets of sources: decision files of scans and live runs, refusals of elements."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, select

from duanka.ledger.db.bulk import upsert
from duanka.ledger.db.tables import positions

_MAX_LETTERS, _KEPT_LETTERS = 200, 120  # most characters of a source, and those kept of a longer one


def position_of(connection: Connection, source: str) -> tuple[int, str | None]:
    """Return the offset of a source and the digest stored with it; (0, None): unread."""
    known = select(positions.c.position, positions.c.digest).where(
        positions.c.source == stored_source(source)
    )
    row = connection.execute(known).first()
    return (row.position, row.digest) if row else (0, None)


def store_offset(connection: Connection, source: str, position: int, digest: str | None = None) -> None:
    """Store the offset of a source, in the transaction that stores what was read."""
    facts = {"position": position, "digest": digest}
    here = upsert(connection, positions).values(source=stored_source(source), **facts)
    connection.execute(here.on_conflict_do_update(index_elements=["source"], set_=facts))


def stored_source(source: str) -> str:
    """Return the source, or a key for it if its path is longer than the column."""
    digest = hashlib.sha256(source.encode(errors="surrogatepass")).hexdigest()
    return source if len(source) <= _MAX_LETTERS else f"{source[:_KEPT_LETTERS]}…{digest}"
