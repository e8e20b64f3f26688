"""Opaque cursors of lists that are read page by page: time and id of the last row of a page."""

from __future__ import annotations

import base64
from datetime import datetime

NO_PAGE = "no page begins there: give back `next` of the page before as it came, or none"


def cursor_of(moment: datetime, number: str) -> str:
    """Encode a cursor from a row's time and id."""
    return base64.urlsafe_b64encode(f"{moment.isoformat()} {number}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[datetime, str] | None:
    """Decode a cursor into an aware time and an id. None: it is no cursor."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        moment, _, number = text.partition(" ")
        at = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return (at, number) if at.tzinfo is not None and number else None
