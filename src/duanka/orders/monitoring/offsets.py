"""How far a source was read: decisions of a scan or a live run, refusals of an element."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, select

from duanka.ledger.db.bulk import upsert
from duanka.ledger.db.tables import positions

_LONGEST, _BEGIN = 200, 120  # letters of a source, and of the begin of a longer one


def position_of(connection: Connection, source: str) -> tuple[int, str | None]:
    """How far the source is read, and the digest that was kept with it; (0, None) when nothing was read of it."""
    known = select(positions.c.position, positions.c.digest).where(positions.c.source == kept_as(source))
    row = connection.execute(known).first()
    return (row.position, row.digest) if row else (0, None)


def remember(connection: Connection, source: str, position: int, digest: str | None = None) -> None:
    """Keep how far the source is read, in the transaction of what was read."""
    facts = {"position": position, "digest": digest}
    here = upsert(connection, positions).values(source=kept_as(source), **facts)
    connection.execute(here.on_conflict_do_update(index_elements=["source"], set_=facts))


def kept_as(source: str) -> str:
    """The source, or what stands for one whose path is longer than the column."""
    digest = hashlib.sha256(source.encode(errors="surrogatepass")).hexdigest()
    return source if len(source) <= _LONGEST else f"{source[:_BEGIN]}…{digest}"
