"""What people said of cards, for `duanka links build`, and who told it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class StatedCards:
    """Cards of which people said something: their registrants disowned them; an objection was upheld; the police
    confirmed them (涉案).
    """

    disowned: Sequence[str] = ()
    upheld: Sequence[str] = ()
    confirmed: Sequence[str] = ()


NO_CARDS = StatedCards()


@dataclass(frozen=True)
class Statements:
    """`from_files`, `from_orders`: cards by where they were told. `unread`: why the order database tells nothing, of a
    store that is attached to one; "": it was read, or there is none.
    """

    from_files: StatedCards = NO_CARDS
    from_orders: StatedCards = NO_CARDS
    unread: str = ""

    @property
    def all(self) -> StatedCards:
        """Both together, each card once."""
        return StatedCards(
            tuple(dict.fromkeys((*self.from_files.disowned, *self.from_orders.disowned))),
            tuple(dict.fromkeys((*self.from_files.upheld, *self.from_orders.upheld))),
            tuple(self.from_orders.confirmed),
        )


NOBODY = Statements()
