"""Linked internet accounts: what a platform is asked to do about the accounts that hang on a card, and its answers.

Accounts are asked about for two kinds of cards alone: those that the police confirmed (涉案), and those whose
verification failed before the machine and a reviewer or before two of the staff. What a model says (高风险), and a
verification that merely expired, ask for nothing. Times are UTC and aware.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from duanka.domain.errors import DuankaError
from duanka.domain.text import WordedEnum

MOST_ACCOUNTS = 10_000  # of the cards that are looked up at once
MOST_NOTE = 500  # letters of a platform's answer that are kept


class AccountError(DuankaError):
    """What was asked of a linked account cannot be done; the text says what can."""


class UnknownAccountRequest(AccountError):
    """There is no such request, or not for who asks."""


class MalformedAnswer(AccountError):
    """What a platform sent by itself is signed, and no answer."""


class PlatformDown(DuankaError):
    """The platform did not answer, or not as it should: the same is sent again later."""


class PlatformRefuses(DuankaError):
    """The platform takes this request never: it is not sent again, and a person looks."""


class RequestKind(WordedEnum):
    """What a platform is asked to do with an account."""

    RE_VERIFY = "re_verify", "重新核验"
    RESTRICT = "restrict", "限制功能"
    CLOSE = "close", "关停账号"


class AccountGround(WordedEnum):
    """Why a platform is asked; nothing else is a ground."""

    CONFIRMED = "confirmed", "涉案", "confirmed by the police"
    FAILED_CHECK = "failed_check", "核验未通过（机器与审核人）", "failed before machine and reviewer"
    FAILED_TWO = "failed_two", "核验未通过（双人复核）", "failed before two of the staff"


class RequestState(WordedEnum):
    """States of a request; the platform or a person moves it on."""

    PROPOSED = "proposed", "待复核"
    WAITING = "waiting", "待发送"
    SENT = "sent", "已发送"
    HANDLED = "handled", "已处置"
    REFUSED = "refused", "平台不予处置"
    RELEASING = "releasing", "解除中"
    RELEASED = "released", "已解除"
    WITHDRAWN = "withdrawn", "已撤回"  # before it was sent
    REJECTED = "rejected", "复核未通过"


OVER = (RequestState.RELEASED, RequestState.WITHDRAWN, RequestState.REJECTED)


class PlatformState(WordedEnum):
    """What a platform says about a request."""

    RECEIVED = "received", "已收到"
    HANDLED = "handled", "已处置"
    REFUSED = "refused", "不予处置"
    RELEASED = "released", "已解除"


class SentKind(WordedEnum):
    """What is sent to a platform, each once however often it is sent."""

    REQUEST = "request", "处置请求"
    RELEASE = "release", "解除请求"


class TransportKind(WordedEnum):
    """How a platform is reached."""

    HTTP = "http", "接口", "HTTP"
    FILES = "files", "文件"


# How a request moves by what the platform says; anything else is kept as an answer and moves nothing.
_MOVES: Mapping[tuple[RequestState, PlatformState], RequestState] = {
    (RequestState.WAITING, PlatformState.HANDLED): RequestState.HANDLED,
    (RequestState.WAITING, PlatformState.REFUSED): RequestState.REFUSED,
    (RequestState.SENT, PlatformState.HANDLED): RequestState.HANDLED,
    (RequestState.SENT, PlatformState.REFUSED): RequestState.REFUSED,
    (RequestState.SENT, PlatformState.RELEASED): RequestState.RELEASED,
    (RequestState.HANDLED, PlatformState.RELEASED): RequestState.RELEASED,
    (RequestState.REFUSED, PlatformState.HANDLED): RequestState.HANDLED,
    (RequestState.RELEASING, PlatformState.RELEASED): RequestState.RELEASED,
}


def moved_by(state: RequestState, answer: PlatformState) -> RequestState:
    """The state of a request after an answer."""
    return _MOVES.get((state, answer), state)


@dataclass(frozen=True)
class LinkedAccount:
    """An account bound to a card. `bound_at`: local and naive, as in `domain.schema`; None: unknown."""

    card: str
    platform: str
    account: str
    bound_at: datetime | None = None


class AccountLookups(Protocol):
    """Finds linked accounts in a store; `engine.store.reading.lookups` implements it."""

    def accounts_of(self, cards: Collection[str]) -> Sequence[LinkedAccount]:
        """Accounts of `cards`, by card and platform. LookupRefused: more than MOST_ACCOUNTS."""


@dataclass(frozen=True)
class AccountPlatform:
    """A platform that takes requests.

    `name`: as the table `accounts` writes it. `address`: URL, or a folder. `key_file`: our private Ed25519 key for it,
    PEM, outside the database. `public_key`: the platform's, 32 bytes: what it does not sign does not count.
    """

    name: str
    transport: TransportKind
    address: str
    key_file: Path
    public_key: bytes


@dataclass(frozen=True)
class SignedAnswer:
    """What a platform says about one request, with the signature that was checked, base64."""

    request_id: str
    state: PlatformState
    note: str = ""
    signature: str = ""


@dataclass(frozen=True)
class OutgoingMessage:
    """What is sent: `request_id`, the kind, and the body that is signed."""

    request_id: str
    kind: SentKind
    body: bytes


class PlatformLink(Protocol):
    """A connection to one platform; one thread uses it."""

    def send(self, message: OutgoingMessage) -> SignedAnswer | None:
        """Hand a message over; what the platform says at once, None: it received it. PlatformDown, PlatformRefuses."""

    def answers(self, requests: Sequence[str]) -> Iterable[SignedAnswer]:
        """What it says by now about `requests`, those with news alone. PlatformDown."""

    def taken(self, answers: Sequence[SignedAnswer]) -> None:
        """These answers are kept: they need not come again. PlatformDown."""

    def close(self) -> None:
        """Close the connection."""


class Signer(Protocol):
    """Signs what is sent, and checks what is answered; `ledger.people.platform_signatures` implements it."""

    def sign(self, body: bytes) -> str:
        """Return the signature of `body`."""

    def check(self, body: bytes, signature: str) -> None:
        """PlatformDown unless the platform signed `body`."""


def canonical(told: Mapping[str, object]) -> bytes:
    """The JSON that is signed: keys in order, no blanks, UTF-8."""
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def read_answer(body: bytes, signature: str) -> SignedAnswer:
    """Parse a signed answer {id, state, note}. PlatformDown: it is none."""
    try:
        told = json.loads(body)
        request_id, state, note = told["id"], PlatformState(told["state"]), told.get("note") or ""
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise PlatformDown("its answer is no JSON with id and state") from None
    if not isinstance(request_id, str) or not isinstance(note, str):
        raise PlatformDown("its answer is no JSON with id and state")
    return SignedAnswer(request_id[:16], state, plain_note(note), signature)


def plain_note(text: str) -> str:
    """A note as it is kept: short, without control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:MOST_NOTE].strip()
