"""Lists page by page: where one ends is text that the next question brings back."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Select, and_, or_

from duanka.domain.order import UnknownOrder
from duanka.orders.views import Page

MOST = 200  # rows of a page

Found = TypeVar("Found")
Shown = TypeVar("Shown")


def within(limit: int) -> int:
    """How many rows a page has: at least one."""
    return max(1, min(limit, MOST))


def page_of(
    query: Select[Any],
    moment: ColumnElement[Any],
    number: Column[Any],
    after: str,
    limit: int,
    *,
    oldest_first: bool = False,
) -> Select[Any]:
    """The query for one page in the order of `moment` and, of one moment, `number`, and for one row more.

    `after`: where the page before ended, empty for the first one; UnknownOrder: it is none of ours.
    """
    if after:
        at, last = place_of(after)
        further, same = (moment > at, number > last) if oldest_first else (moment < at, number < last)
        query = query.where(or_(further, and_(moment == at, same)))
    order = (moment, number) if oldest_first else (moment.desc(), number.desc())
    return query.order_by(*order).limit(within(limit) + 1)


def page(
    rows: Sequence[Found],
    limit: int,
    shown: Callable[[Found], Shown],
    place: Callable[[Shown], tuple[datetime, str]],
) -> Page[Shown]:
    """The rows of one page as they are shown; the row more says that there is a next one."""
    found = tuple(shown(row) for row in rows[: within(limit)])
    return Page(found, cursor_of(*place(found[-1])) if len(rows) > within(limit) else None)


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
