"""To whom a graph belongs: it is as personal as the store that it was built of.

The graph of an attached store bears the same seal as the store, so that it answers the people of that order database,
whose trail tells every lookup in it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from duanka.bootstrap.order_resources import MARK, AttachedStore
from duanka.domain.record_lookups import AttachedTo, LookupRefused


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


def must_belong_here(graph: Path, here: AttachedStore) -> None:
    """LookupRefused: the graph, or store, in `graph` is not of a store that is attached to this order database.

    `here`: any store of this order database, for its seal.
    """
    match here.at(graph).sealed_for():
        case AttachedTo.NONE:
            raise LookupRefused(
                f"the graph {graph} is of a store that is attached to no order database, so it answers no lookups:"
                f" `duanka store attach STORE --why ...` by a supervisor, then `duanka links build STORE --out {graph}`"
            )
        case AttachedTo.ANOTHER:
            raise LookupRefused(
                f"{graph} belongs to another order database, whose trail tells its lookups: ask there, or attach the"
                f" store here (`duanka store attach STORE --why ...` by a supervisor) and build the graph anew"
                f" (`duanka links build STORE --out {graph}`)"
            )
        case AttachedTo.THIS:
            return
