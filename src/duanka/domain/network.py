"""Network contract: what elements are told about a card, and what they report.

An element (网元) is one part of the network: home register, call proxy, message proxy. Every request names a target
state and not a step, so requests are idempotent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from duanka.domain.errors import DuankaError
from duanka.domain.takedown import Indicator
from duanka.domain.text import WordedEnum


class NetworkState(WordedEnum):
    """How an element treats a card, the milder state first.

    Emergency numbers can be dialled in every state. `OpenLines` says which lines a card reaches that is barred outgoing
    or in lifeline, and who reaches a card in lifeline.
    """

    ACTIVE = "active", "正常"
    OUTGOING_BARRED = "outgoing_barred", "单停"  # calls and writes to lines only; still receives everything
    LIFELINE = "lifeline", "保底服务"  # the same, without data; lines and listed accounts alone reach it
    SUSPENDED = "suspended", "双停"  # neither outgoing nor incoming

    def is_milder_than(self, other: NetworkState) -> bool:
        """Whether `other` restricts a card more than this."""
        return _SEVERITY[self] < _SEVERITY[other]


_SEVERITY = {state: rank for rank, state in enumerate(NetworkState)}


class NetworkError(DuankaError):
    """An element did not do what was requested."""


class UnknownCard(NetworkError):
    """The element does not know the card; a retry changes nothing."""


class Unreachable(NetworkError):
    """The element did not answer; it may have made the change. Retry: requests are idempotent."""


class ElementRefused(NetworkError):
    """The element answered and refused; a person must look into it."""


class Element(Protocol):
    """One part of the network.

    Every call is idempotent, and returns only when the change is in effect and durable.

    `card`: E.164 without +. Every call may raise UnknownCard, Unreachable (also on a time-out: no call takes longer
    than the seconds the element was created with) and ElementRefused. Not thread-safe.
    """

    name: str

    def bar_outgoing(self, card: str) -> None:
        """Allow everything incoming; outgoing, emergency numbers and the lines of `OpenLines.called` only."""

    def keep_lifeline(self, card: str) -> None:
        """Allow what `bar_outgoing` allows outgoing, and incoming what `OpenLines` lists; no data."""

    def suspend(self, card: str) -> None:
        """Allow nothing but calls to emergency numbers."""

    def restore(self, card: str) -> None:
        """Remove every restriction."""

    def state_of(self, card: str) -> NetworkState:
        """Return the card's present state, read from the element itself."""

    def shows(self, state: NetworkState) -> NetworkState:
        """Return what `state_of` reports for `state`: an element may know fewer states."""

    def restricted(self) -> Iterator[tuple[str, NetworkState]]:
        """Yield every card that the element does not treat as active, in any order."""

    def close(self) -> None:
        """Close connections; idempotent."""


Services = tuple[bool, bool]  # (circuit-switched, packet-switched)


class ServicesBefore(Protocol):
    """What cards could use in the home register before a lifeline or a stop took part of it away; durable."""

    def keep(self, services: Mapping[str, Services]) -> None:
        """Store the services of cards for which none are stored; durable on return."""

    def among(self, cards: Collection[str]) -> dict[str, Services]:
        """Return the stored services of those `cards` that have any."""

    def forget(self, cards: Collection[str]) -> None:
        """Remove the entries of cards whose services were given back."""


class WalledGarden(Element, Protocol):
    """An element that carries data, through which a card in LIFELINE reaches the operator's page and nothing else.

    A port: no part of this project implements it, and data of such a card is off. tests/network/test_walled_garden.py
    is the contract of an implementation.
    """

    def reaches(self, card: str, host: str) -> bool:
        """Whether data of the card reaches `host` now, read from the element itself."""


@runtime_checkable
class ManyAtOnce(Protocol):
    """An element with cheap batch changes."""

    def put(self, cards: Mapping[str, NetworkState]) -> None:
        """Set these states, durably. Raises what Element raises; it is then unknown which were set."""


class WholeList(Protocol):
    """An element that can replace its whole list atomically."""

    def replace_all(self, cards: Mapping[str, NetworkState]) -> None:
        """Restrict exactly `cards`, atomically."""


class ListOrigin(StrEnum):
    """What an element's list was read from; FILE once a reconciliation confirms it."""

    FILE = "file"
    COPY = "copy"  # the file was damaged or gone: changes since the copy are missing
    NOTHING = "nothing"  # the copy was damaged or gone too: the list began empty


@runtime_checkable
class KeptList(Protocol):
    """An element with a list of its own, which falls back to a copy or an empty list."""

    name: str

    def list_origin(self) -> ListOrigin:
        """Return what the list was read from; FILE once confirmed. Survives restarts."""

    def confirm_list(self) -> None:
        """Record that the list agrees with the orders."""

    def close(self) -> None:
        """Close connections; idempotent."""


class Carried(WordedEnum):
    """What kind of traffic was refused."""

    CALL = "call", "呼叫"
    MESSAGE = "message", "短信"


class RefusalReason(WordedEnum):
    """Why the network refused a call or a message."""

    BLOCKED_SENDER = "blocked_sender", "发起方已停机"
    BLOCKED_DESTINATION = "blocked_destination", "接收方已停机"
    RATE = "rate", "发送过快", "too many"  # more than the policy allows one sender
    TEXT = "text", "内容拦截", "content"  # by the text check


@dataclass(frozen=True)
class Refusal:
    """A refused call or message. `key` identifies it within `element`.

    `card`: caller or sender, `peer`: the other side; as the network wrote them, E.164 without + where possible.
    `operator`, `city`: under which it was counted; an element does not know them. `detail`: more about the reason,
    never the message text. `indicators`: hosts, numbers and accounts that a refused message named; nothing else of it
    is kept. `at`: UTC, aware.
    """

    element: str
    key: str
    at: datetime
    carried: Carried
    card: str
    peer: str
    reason: RefusalReason
    detail: str = ""
    indicators: tuple[Indicator, ...] = ()
    operator: str = ""
    city: str = ""


RefusalKey = tuple[str, str]  # element, key


class LossCause(WordedEnum):
    """Why refusals of an element are known to be lost."""

    NO_ROOM = "no_room", "无法写入", "could not be written"
    KILLED = "killed", "进程被终止", "the element was killed"
    DAMAGED = "damaged", "文件损坏", "its file was damaged"
    UNREADABLE = "unreadable", "无法读取", "cannot be read"
    FILE_REPLACED = "file_replaced", "文件被替换", "its file was replaced"
    LATE = "late", "迟到无法核对", "came too late to be told from repeats"


@dataclass(frozen=True)
class Loss:
    """Refusals of an element from `since` to `until` that are lost, or may be.

    `key` identifies the loss within the element, so that it counts once. `since` None: since the element was last
    read; `until` None: until this loss is read. `count`: how many at most; None: nobody knows. Times: UTC, aware.
    """

    element: str
    key: str
    carried: Carried
    since: datetime | None
    until: datetime | None
    count: int | None
    why: LossCause


class RefusalSource(Protocol):
    """An element's store of refusals; it is filled also while nobody reads."""

    name: str

    @property
    def carried(self) -> Carried:
        """What it refuses."""

    def losses(self) -> Sequence[Loss]:
        """Return the losses that the element knows of and that nobody has forgotten."""

    def forget_losses(self, keys: Sequence[str]) -> None:
        """Allow deletion of these losses: they are recorded elsewhere."""

    def refusals(self, after: int, limit: int) -> tuple[Sequence[Refusal], int]:
        """Return refusals after `after` (0: all), and the position to continue from."""

    def forget(self, before: int) -> None:
        """Allow deletion up to position `before`: those are recorded elsewhere."""


@dataclass(frozen=True)
class KnownRefusals:
    """Of some refusals: those that are kept, and those of which that cannot be said, as their day was purged."""

    kept: frozenset[RefusalKey] = frozenset()
    unknowable: frozenset[RefusalKey] = frozenset()

    @property
    def all(self) -> frozenset[RefusalKey]:
        """Both."""
        return self.kept | self.unknowable


@dataclass(frozen=True)
class RefusalQuestion:
    """Which refusals are asked for: `since` <= time < `until`, aware; `operators`, `cities` empty: all."""

    carried: Carried
    since: datetime
    until: datetime
    operators: frozenset[str] = frozenset()
    cities: frozenset[str] = frozenset()
    limit: int = 50


class RefusalArchive(Protocol):
    """A store of records that keeps refusals for long."""

    def known(self, rows: Sequence[tuple[str, str, datetime]]) -> KnownRefusals:
        """Which of these (element, key, time) it has. DuankaError: damaged."""

    def page(self, asked: RefusalQuestion) -> Sequence[Refusal]:
        """Return refusals of a period, the earliest first; of one moment by element and key. DuankaError: damaged."""

    def keep(self, rows: Sequence[Refusal], now: datetime) -> Sequence[Refusal]:
        """Put `rows` into the store, once each; return those that are there now, none while others write to it."""

    def of_card(self, card: str, limit: int) -> Sequence[Refusal]:
        """Return the latest refusals of a card, the latest first."""


class TextVerdict(Protocol):
    """A text check of messages; a learned model may replace the lists."""

    def of(self, text: str) -> str | None:
        """Return the reason of a refusal in a word or two, never the text; None: pass."""


@dataclass(frozen=True)
class Receipt:
    """The outcome of a submitted notice. `at`: UTC, aware."""

    message_id: str
    delivered: bool
    at: datetime
    detail: str = ""


class BulkNoticeSender(Protocol):
    """Submits many notices to the SMSC without waiting for each answer."""

    name: str

    def send_many(
        self, notices: Sequence[tuple[str, str]], window: int, seconds: float
    ) -> Sequence[str | NetworkError]:
        """Submit (card, text) pairs, at most `window` unanswered ones at a time, within `seconds`.

        Return for each its message ids, or why it was not accepted; after Unreachable it may have been.
        """

    def close(self) -> None:
        """Close the connection."""


class NoticeSender(Protocol):
    """Submits notices to the SMSC."""

    name: str

    def send(self, card: str, text: str) -> str:
        """Submit all parts of `text` with a receipt request; return the message id. Raises NetworkError."""

    def receipts(self) -> Iterable[Receipt]:
        """Return the receipts that arrived since the last call."""

    def close(self) -> None:
        """Close the connection."""
