"""Objections: how one was filed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from duanka.domain.counter_check import MOST_LETTERS, Document, without_document_number
from duanka.domain.order import Kind, OrderError, State
from duanka.domain.text import WordedEnum


class Channel(WordedEnum):
    """How an objection was filed. The first two show that the holder spoke, the last one that somebody called."""

    LINK = "link", "本人链接", "by the holder's link"
    COUNTER = "counter", "营业厅", "at a counter"
    DESK = "desk", "值班代登", "recorded by the desk"


OF_THE_HOLDER = frozenset({Channel.LINK, Channel.COUNTER})
TAKEN_UP = frozenset({State.ACCEPTED, State.SENT_TO_FRAUD_CENTRE})


class WithTerm(Protocol):
    """What an order says of its term, as it is stored or as it is shown."""

    @property
    def kind(self) -> Kind:
        """Its kind."""

    @property
    def state(self) -> State:
        """Its state."""

    @property
    def channel(self) -> str:
        """How an objection was filed."""

    @property
    def due_at(self) -> datetime | None:
        """Its deadline."""

    @property
    def closed_at(self) -> datetime | None:
        """When it was closed."""


def unanswered(order: WithTerm) -> bool:
    """Whether the term of an open objection is over: its deadline has come, and a person owes the answer.

    One that was filed before filing had a term has no channel, and is not overdue for that.
    """
    mine = order.kind is Kind.OBJECTION and order.closed_at is None and order.due_at is None
    return mine and (order.state in TAKEN_UP or (order.state is State.FILED and bool(order.channel)))


@dataclass(frozen=True)
class CounterVisit:
    """A holder who stands at a counter to object: where, and which document was seen; its number is not kept.

    `order_id`: of the verification or the stop, as the notice that they brought has it; "": they brought none.
    """

    counter: str
    document: Document
    order_id: str = ""

    def checked(self) -> CounterVisit:
        """Return self; OrderError: the counter has no name, or its name holds a document number."""
        if not self.counter.strip() or len(self.counter) > MOST_LETTERS:
            raise OrderError(f"say at which counter the holder objects, in 1 to {MOST_LETTERS} letters")
        without_document_number(self.counter)
        return self
