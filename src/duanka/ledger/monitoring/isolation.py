"""Isolation of rows, lines or receipts that cannot be processed: others continue.

A faulty item is set aside, and an alarm names it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnection

from duanka.domain.network import Unreachable
from duanka.domain.phone_masking import masked_text

Item = TypeVar("Item")
_MAX_LETTERS = 300  # of a reason in an alarm


def is_outage(error: BaseException) -> bool:
    """Whether the database, network or disk failed, not the row: retry all later."""
    if isinstance(error, DBAPIError):
        return not isinstance(error, DataError | IntegrityError)
    return isinstance(error, NoConnection | Unreachable | OSError)


def each_alone(
    items: Sequence[Item],
    work: Callable[[Sequence[Item]], object],
    set_aside: Callable[[Item, Exception], object],
) -> None:
    """Run `work` on all `items`; on failure bisect, and set aside single faulty items.

    `work` must be atomic, that is, a transaction. An outage is raised.
    """
    if not items:
        return
    try:
        work(items)
    except Exception as error:
        if is_outage(error):
            raise
        if len(items) == 1:
            set_aside(items[0], error)
            return
        half = len(items) // 2
        each_alone(items[:half], work, set_aside)
        each_alone(items[half:], work, set_aside)


def in_one_line(error: BaseException) -> str:
    """Return an error as one line without card numbers."""
    said = str(error).strip().splitlines()
    return masked_text(f"{type(error).__name__}: {said[0]}" if said else type(error).__name__)[:_MAX_LETTERS]
