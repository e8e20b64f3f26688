"""Keyset pagination with an opaque cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Select, and_, or_

from duanka.domain.order import UnknownOrder
from duanka.ledger.cursors import NO_PAGE, cursor_of, read_cursor
from duanka.orders.views import Page

MOST = 200  # rows of a page

Found = TypeVar("Found")
Shown = TypeVar("Shown")


def within(limit: int) -> int:
    """Limit the rows of a page: between 1 and MOST."""
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
    """Query for one page sorted by `moment`, then `number`, plus one row.

    `after`: cursor of the previous page, "" for the first. UnknownOrder: invalid cursor.
    """
    if after:
        at, last = decode_cursor(after)
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
    """Build a page of shown rows; the extra row tells that another page follows."""
    found = tuple(shown(row) for row in rows[: within(limit)])
    return Page(found, cursor_of(*place(found[-1])) if len(rows) > within(limit) else None)


def decode_cursor(cursor: str) -> tuple[datetime, str]:
    """Decode a cursor into time and id. UnknownOrder: invalid cursor."""
    found = read_cursor(cursor)
    if found is None or not found[1].isalnum():
        raise UnknownOrder(NO_PAGE)
    return found
