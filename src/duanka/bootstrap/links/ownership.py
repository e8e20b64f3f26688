"""To whom a graph belongs: it is as personal as the store that it was built of."""

from __future__ import annotations

import shutil
from pathlib import Path

from duanka.bootstrap.order_resources import MARK


def belongs_to_orders(where: Path) -> bool:
    """Whether `where` is a store that is attached to an order database, or the graph of one."""
    return (where / MARK).is_file()


def keep_owner(store: Path, graph: Path) -> None:
    """Let the graph of an attached store belong to the same order database. OSError."""
    mark = graph / MARK
    if belongs_to_orders(store):
        shutil.copy2(store / MARK, mark)
    else:
        mark.unlink(missing_ok=True)
