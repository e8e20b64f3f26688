"""What a network can be told about a card, and what it says back: the contract of every supplier.

An element (网元) is one part that carries cards: the home register, the call proxy, the message proxy. Everything asked
of it is a state to be in, never a step, so that asking twice is asking once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from duanka.domain.errors import DuankaError
from duanka.domain.text import WordedEnum


class NetworkState(WordedEnum):
    """How an element treats a card. Emergency numbers stay dialable in every state."""

    ACTIVE = "active", "正常"
    OUTGOING_BARRED = "outgoing_barred", "单停"  # can still be called
    SUSPENDED = "suspended", "双停"  # neither out nor in


class NetworkError(DuankaError):
    """An element did not do as it was asked."""


class UnknownCard(NetworkError):
    """The element has no such card: asking again changes nothing."""


class Unreachable(NetworkError):
    """The element cannot be reached, or fell silent: whether it acted is unknown. Asking again is right."""


class ElementRefused(NetworkError):
    """The element answered and would not: a person must look."""


class Element(Protocol):
    """One part of the network. Every call is idempotent and answers only when the change is in effect and durable.

    `card`: E.164 without +. Every call may raise UnknownCard, Unreachable (also for silence: no call takes longer
    than the seconds it was made with) and Refused. One value is used by one thread at a time.
    """

    name: str

    def bar_outgoing(self, card: str) -> None:
        """Let the card be reached, and reach nobody but emergency numbers."""

    def suspend(self, card: str) -> None:
        """Neither out nor in, but for emergency numbers."""

    def restore(self, card: str) -> None:
        """As if nothing had been."""

    def state_of(self, card: str) -> NetworkState:
        """What the element does with the card now, asked of the element itself."""

    def shows(self, state: NetworkState) -> NetworkState:
        """What `state_of` says once `state` is in place: a home register cannot bar one direction alone."""

    def restricted(self) -> Iterator[tuple[str, NetworkState]]:
        """Every card that the element does not treat as active, in any order."""

    def close(self) -> None:
        """Give connections back; calling again is harmless."""


@runtime_checkable
class ManyAtOnce(Protocol):
    """An element that takes many changes for little more than the price of one."""

    def put(self, cards: Mapping[str, NetworkState]) -> None:
        """Put these cards into these states: all are in effect and durable when it answers.

        Raises as an Element does, and within its seconds; which of the cards are in their state is unknown then.
        """


class WholeList(Protocol):
    """An element that can take a whole list at once, so that no call ever meets half of it."""

    def replace_all(self, cards: Mapping[str, NetworkState]) -> None:
        """From one moment to the next, restrict `cards` and no other."""


class ListOrigin(StrEnum):
    """What the list that an element judges by was last read from, until a comparison found it right."""

    FILE = "file"
    COPY = "copy"  # the file was spoilt or gone: changes since the copy are missing
    NOTHING = "nothing"  # so was the copy: the list began empty


@runtime_checkable
class KeptList(Protocol):
    """An element that keeps its list itself, and goes on with a copy or with nothing where its file is lost."""

    name: str

    def list_origin(self) -> ListOrigin:
        """What its list was read from; FILE again once the list was confirmed. Outlasts restarts."""

    def confirm_list(self) -> None:
        """Its list agrees with the order book."""

    def close(self) -> None:
        """Give connections back; calling again is harmless."""


class Carried(WordedEnum):
    """What was refused."""

    CALL = "call", "呼叫"
    MESSAGE = "message", "短信"


class RefusalReason(WordedEnum):
    """Why the network refused a call or a message."""

    BLOCKED_SENDER = "blocked_sender", "发起方已停机"
    BLOCKED_DESTINATION = "blocked_destination", "接收方已停机"
    RATE = "rate", "发送过快", "too many"  # more than the policy allows a sender
    TEXT = "text", "内容拦截", "content"  # what the text check says


@dataclass(frozen=True)
class Refusal:
    """One refused call or message. `key` is unique within `element`: the same key is the same refusal.

    `card` is who called or sent, `peer` whom; both as the network wrote them, E.164 without + where possible.
    `detail` says more about the reason, never what the message said. `at`: UTC, aware.
    """

    element: str
    key: str
    at: datetime
    carried: Carried
    card: str
    peer: str
    reason: RefusalReason
    detail: str = ""


class RefusalSource(Protocol):
    """Where an element keeps what it refused; it goes on keeping while nobody reads."""

    name: str

    def refusals(self, after: int, limit: int) -> tuple[Sequence[Refusal], int]:
        """What was refused after position `after` (0: from the beginning), and the position to go on from."""

    def forget(self, before: int) -> None:
        """Positions up to `before` are recorded elsewhere: they need not be kept."""


class TextVerdict(Protocol):
    """What a text check says about a message; a learned one may stand in for the lists."""

    def of(self, text: str) -> str | None:
        """Why the text is refused, in a word or two (never the text itself); None: it may pass."""


@dataclass(frozen=True)
class Receipt:
    """What became of a notice that was handed in. `at`: UTC, aware."""

    message_id: str
    delivered: bool
    at: datetime
    detail: str = ""


class NoticeSender(Protocol):
    """Hands notices to the message centre."""

    name: str

    def send(self, card: str, text: str) -> str:
        """Hand in `text` (all its parts) for `card`, asking for a receipt; the message id. Raises NetworkError."""

    def receipts(self) -> Iterable[Receipt]:
        """The receipts that came since the last call; empty when none did."""

    def close(self) -> None:
        """Give the connection back."""
