"""Items for take-down: hosts, numbers and accounts that fraud uses, where they were seen, and what became of them.

They come from refused messages, of which nothing else is kept, and from complaints. A machine reports; a person agrees
that the item is fraud's; a second one lets the message filter refuse it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from duanka.domain.errors import DuankaError
from duanka.domain.text import WordedEnum

MOST_VALUE = 253  # letters of a host; longer values are no indicator


class TakedownError(DuankaError):
    """What was asked of an item cannot be done; the text says what can."""


class IndicatorKind(WordedEnum):
    """What a victim was asked to use."""

    HOST = "host", "网址"
    NUMBER = "number", "号码"
    ACCOUNT = "account", "账号"


class ItemState(WordedEnum):
    """States of an item for take-down."""

    REPORTED = "reported", "待研判"
    AGREED = "agreed", "已认定"
    PASSED_ON = "passed_on", "已移交"
    TAKEN_DOWN = "taken_down", "已清理"
    REJECTED = "rejected", "不予认定"


# The event that a person chooses -> the states in which it may be chosen.
ITEM_MOVES = {
    ItemState.AGREED: (ItemState.REPORTED, ItemState.REJECTED),
    ItemState.PASSED_ON: (ItemState.AGREED,),
    ItemState.TAKEN_DOWN: (ItemState.AGREED, ItemState.PASSED_ON),
    ItemState.REJECTED: (ItemState.REPORTED, ItemState.AGREED, ItemState.PASSED_ON),
}


@dataclass(frozen=True)
class Indicator:
    """A host in lower case, a number in E.164 without + (or a short code), or an account; normalised."""

    kind: IndicatorKind
    value: str


@dataclass(frozen=True)
class ComplaintIndicator:
    """What complaints name, as reported: `kind` None: not said. `first`, `last`: local and naive."""

    kind: str | None
    value: str
    count: int
    first: datetime
    last: datetime


class ComplaintLookups(Protocol):
    """Finds what complaints name; `engine.store.reading.lookups` implements it."""

    def named_in_complaints(self) -> Sequence[ComplaintIndicator]:
        """What complaints name, each with its count."""


class MessageFilter(Protocol):
    """The filter of messages; `network.sms.element.MessageProxy` implements it. `name`: of the element."""

    name: str

    def denies(self, hosts: Sequence[str], words: Sequence[str]) -> bool:
        """Whether exactly these hosts and words are refused. NetworkError."""

    def deny(self, hosts: Sequence[str], words: Sequence[str]) -> None:
        """Refuse messages with these hosts or words from now on, and no others. NetworkError."""

    def close(self) -> None:
        """Close the connection."""


def under(host: str, hosts: Collection[str]) -> bool:
    """Whether `host` is one of `hosts` or a subdomain of one."""
    labels = host.split(".")
    return any(".".join(labels[first:]) in hosts for first in range(len(labels)))
