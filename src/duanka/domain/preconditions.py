"""What must be in a rollup before a card can have a hit: found for all cards at once, where judging them costs more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Exceeds:
    """The rows of a card in `rollup` have a total of `column` above the limit named `limit`."""

    rollup: str
    column: str
    limit: str


@dataclass(frozen=True)
class Linked:
    """In `rollup` the card has several values of `key`, or one that another card has too.

    It holds for nobody's hit where the limit named `limit`, of values or cards, is less than two.
    """

    rollup: str
    key: str
    limit: str


Precondition = Exceeds | Linked
