"""A registrant says that a number is not theirs: what a counter sees, and the cards as evidence about outlets.

The registrant is the person on whose document the card was opened. Who has the card in the phone may be somebody else,
so only an identity check establishes that the registrant speaks. It is no penalty, and says nothing of what the card
was used for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from duanka.domain.counter_check import MOST_LETTERS, Document, without_document_number
from duanka.domain.order import OrderError, State


@dataclass(frozen=True)
class DisavowalSeen:
    """What the staff saw of a person who disowns a number; the card need not be there.

    `in_register`: the register of holders has the number under the document seen. `statement_signed`: the policy's
    `disowned_statement`. `outlet`: where the register says that the card was opened; empty: it does not say.
    """

    document: Document
    counter: str
    person_present: bool
    in_register: bool
    statement_signed: bool
    outlet: str = ""

    def complete(self) -> DisavowalSeen:
        """Return self; OrderError: something is missing, or a name is invalid."""
        if not self.counter.strip() or len(self.counter) > MOST_LETTERS:
            raise OrderError(f"say at which counter, in 1 to {MOST_LETTERS} letters")
        if len(self.outlet) > MOST_LETTERS:
            raise OrderError(f"the outlet is named in at most {MOST_LETTERS} letters")
        without_document_number(self.counter)
        without_document_number(self.outlet)
        if lacking := self.missing:
            raise OrderError(f"nobody disowned the number yet: {'; '.join(lacking)}. Nothing is stored")
        return self

    @property
    def missing(self) -> tuple[str, ...]:
        """What is still missing, in words."""
        asked = (
            (self.person_present, "the person on the document must be here (person_present)"),
            (self.in_register, "the register must have the number under their document (in_register)"),
            (self.statement_signed, "they must sign the statement (statement_signed)"),
        )
        return tuple(what for seen, what in asked if not seen)


@dataclass(frozen=True)
class DisownedCard:
    """A card whose registrant said, and proved to be the registrant, that it is not theirs.

    `card`: as in records, E.164 without +. `outlet`: as recorded at the counter; empty: the register of cards knows it,
    or nobody. `state`: of the disavowal now: CONFIRMED, CANCELLED, or WITHDRAWN, which is no evidence any more.
    """

    card: str
    order_id: str
    said_at: datetime
    confirmed_at: datetime
    outlet: str
    operator: str
    city: str
    state: State

    @property
    def stands(self) -> bool:
        """Whether it was not taken back."""
        return self.state is not State.WITHDRAWN


class DisownedCards(Protocol):
    """Port of the cards that were disowned, for statistics of outlets."""

    def disowned(self, since: datetime, until: datetime) -> Iterable[DisownedCard]:
        """Yield cards whose disavowal was confirmed in the period, `until` exclusive, the earliest first."""


@dataclass(frozen=True)
class DisownedAtOutlet:
    """Disowned cards of one outlet. `outlet`: empty if unknown; `first`, `last`: when they were confirmed."""

    outlet: str
    cards: int
    taken_back: int
    first: datetime
    last: datetime


def by_outlet(found: Iterable[DisownedCard]) -> tuple[DisownedAtOutlet, ...]:
    """Count by outlet, most cards first; what was taken back counts apart, and is no evidence."""
    of: dict[str, list[DisownedCard]] = {}
    for one in found:
        of.setdefault(one.outlet, []).append(one)
    counted = [
        DisownedAtOutlet(
            outlet,
            cards=len({one.card for one in some if one.stands}),
            taken_back=sum(not one.stands for one in some),
            first=min(one.confirmed_at for one in some),
            last=max(one.confirmed_at for one in some),
        )
        for outlet, some in of.items()
    ]
    return tuple(sorted(counted, key=lambda one: (-one.cards, one.outlet)))
