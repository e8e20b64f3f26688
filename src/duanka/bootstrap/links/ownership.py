"""To whom a graph belongs: it is as personal as the store that it was built of.

The graph of an attached store bears the same seal as the store, so that it answers the people of that order database,
whose trail tells every lookup in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from duanka.bootstrap.order_resources import MARK, AttachedStore
from duanka.domain.record_lookups import AttachedTo, LookupRefused
from duanka.ledger.db.database import NoOrderDatabase


def belongs_to_orders(where: Path) -> bool:
    """Whether `where` is a store that is attached to an order database, or the graph of one."""
    return seal_of(where) is not None


def seal_of(where: Path) -> Path | None:
    """The file with the seal of a store, or of a graph; None: it belongs to no order database."""
    mark = _sealed(where) / MARK
    return mark if mark.is_file() else None


def _sealed(where: Path) -> Path:
    """The folder in which the seal lies: of a graph that which is swapped in whole by a new build."""
    from duanka.links.graph.stored import MANIFEST  # noqa: PLC0415  # polars and scipy take a second

    try:
        return where / str(int(json.loads((where / MANIFEST).read_bytes())["number"]))
    except (OSError, ValueError, KeyError, TypeError):  # a store; or a damaged graph, which loading tells
        return where


@contextmanager
def answering_people(where: Path) -> Iterator[None]:
    """Say of an order database that is not found why `where` needs it. NoOrderDatabase."""
    try:
        yield
    except NoOrderDatabase as error:
        raise NoOrderDatabase(
            f"{where} belongs to an order database, and answers people who have a key there: {error}"
        ) from None


def must_belong_here(graph: Path, here: AttachedStore) -> None:
    """LookupRefused: the graph, or store, in `graph` is not of a store that is attached to this order database.

    `here`: any store of this order database, for its seal.
    """
    match here.at(_sealed(graph)).sealed_for():
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
