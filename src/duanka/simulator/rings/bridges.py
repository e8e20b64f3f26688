"""Links between cards of gangs and honest cards that mean nothing: a document, a friend, a phone once lent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duanka.simulator.chance import Ints, Rng
from duanka.simulator.traits import Traits

KINDS = ("document", "friend", "device")


@dataclass(frozen=True)
class Bridges:
    """Cards of a gang and the honest card that each is bridged to; `kind`: index into KINDS; `day`: of a lent phone."""

    card: Ints
    honest: Ints
    kind: Ints
    day: Ints

    @property
    def friends(self) -> tuple[Ints, Ints]:
        """Cards that talk with each other."""
        return self._of("friend")

    def lent_on(self, day: int) -> tuple[Ints, Ints]:
        """Cards whose phone an honest card is put into on `day`, and that card."""
        card, honest = self._of("device", self.day == day)
        return card, honest

    def _of(self, kind: str, also: Ints | None = None) -> tuple[Ints, Ints]:
        here = self.kind == KINDS.index(kind)
        here = here if also is None else here & also.astype(np.bool_)
        return self.card[here], self.honest[here]


def build_bridges(
    t: Traits, at: Ints, boxed: Ints, persons: Ints, share: float, days: int, rng: Rng
) -> Bridges:
    """Bridge a share of the cards `at` to one person each; `boxed`: those that can be called or share a phone."""
    chosen = at[rng.random(len(at)) < share]
    chosen = chosen[: len(persons)]
    honest = rng.choice(persons, len(chosen), replace=False)
    kind = rng.integers(0, len(KINDS), len(chosen))
    kind = np.where(
        np.isin(chosen, boxed), kind, KINDS.index("document")
    )  # a card never used has a document only
    same = kind == KINDS.index("document")
    t.holder[chosen[same]] = t.holder[honest[same]]
    # On one of the days on which the card of the gang is in use.
    first = np.clip(t.alive_from[chosen] // 86_400, 0, days - 1)
    last = np.clip(t.alive_until[chosen] // 86_400, first, days - 1)
    day = first + (rng.random(len(chosen)) * (last - first + 1)).astype(np.int64)
    return Bridges(chosen, honest, kind, day)
