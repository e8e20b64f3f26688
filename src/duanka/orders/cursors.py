"""Where a page of a list ends, as text that the next question brings back."""

from __future__ import annotations

import base64
from datetime import datetime

from duanka.domain.order import UnknownOrder


def cursor_of(moment: datetime, number: str) -> str:
    """The place of a row by its moment and, among those of one moment, its id."""
    return base64.urlsafe_b64encode(f"{moment.isoformat()} {number}".encode()).decode().rstrip("=")


def place_of(cursor: str) -> tuple[datetime, str]:
    """The moment and the id in a cursor; UnknownOrder: it is none of ours."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        moment, _, number = text.partition(" ")
        at = datetime.fromisoformat(moment)
    except ValueError:
        at, number = datetime.min, ""
    if at.tzinfo is None or not number.isalnum():
        raise UnknownOrder("no page begins there: give back `next` of the page before as it came, or none")
    return at, number
