"""Whether a message may pass: blocked numbers, rate, text. No network here, and no clock but the one it is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from duanka.domain.network import NetworkState, RefusalReason, TextVerdict
from duanka.domain.order_policy import MessagePolicy
from duanka.network.smpp.card_numbers import EmergencyNumbers, e164, is_service
from duanka.network.smpp.codec import REPLACE_SM, SmppAddress, Submission
from duanka.network.smpp.joined_parts import JoinedParts
from duanka.network.smpp.message_text import Content, contents_of, whole_text
from duanka.network.smpp.text_encodings import readings, readings_again
from duanka.network.sms.proxy.sender_rate import SenderRate
from duanka.network.sms.proxy.text_rules import TextLists

NOT_COUNTED = -1
# Letters in which a replacement is looked for, in every reading of all that it may replace: at most 0.3 s, in which no
# message of anybody passes.
_REPLACED_LETTERS = 1_000_000


class MessageRefused(NamedTuple):
    """Why a message does not pass. `card`: its sender, `peer`: whom it was for."""

    reason: RefusalReason
    card: str
    peer: str
    detail: str


class MessageJudge:
    """Judges submissions one after another.

    `cards`: looked up at each message, E.164 without + -> state. `text`: None for the lists of the policy.
    `clock`: seconds that only grow. `emergency`: numbers beside those that always pass.
    """

    def __init__(
        self,
        cards: Callable[[], Mapping[str, NetworkState]],
        policy: MessagePolicy,
        *,
        text: TextVerdict | None = None,
        clock: Callable[[], float] = time.monotonic,
        emergency: tuple[str, ...] = (),
    ) -> None:
        self._cards, self._clock = cards, clock
        self._first_hit = _first_hit_of(text) if text else TextLists(policy).first_hit
        self._reads = text is not None or bool(policy.keywords or policy.links)
        self._trusted = frozenset(e164(SmppAddress(0, 0, one)) for one in policy.trusted)
        self._trusted_accounts = frozenset(one.lower() for one in policy.trusted_accounts)
        self._emergency = EmergencyNumbers(emergency)
        self._rate = SenderRate(policy.per_minute) if policy.per_minute else None
        self._parts = JoinedParts()

    def of(self, submission: Submission, account: str = "") -> MessageRefused | None:
        """None: it may pass."""
        return self.check(submission, account)[0]

    def check(self, submission: Submission, account: str) -> tuple[MessageRefused | None, int]:
        """Why it does not pass, or None and the position by which `not_taken` gives its count back.

        `account`: the client, as the centre let it in. Each account has its own minute of a sender: a client that
        uses another's number uses up nothing of it.
        """
        sender = e164(submission.source)
        replaces = submission.command == REPLACE_SM  # whom it goes to the message that it replaces said
        to = submission.destinations or (SmppAddress(0, 0, ""),)  # to nobody is not to an emergency number
        judged = [""] if replaces else self._emergency.others(to)
        if not judged:
            return None, NOT_COUNTED
        blocked = self._blocked(sender, submission.source.number, judged)
        if blocked or (sender in self._trusted and account in self._trusted_accounts):
            return blocked, NOT_COUNTED
        peer = judged[0]
        now = self._clock()
        position = NOT_COUNTED
        if self._rate and not replaces and not is_service(sender):
            taken = self._rate.take(account, sender, len(judged), now)
            if taken is None:
                detail = f"more than {self._rate.per_minute} a minute"
                return MessageRefused(RefusalReason.RATE, sender, peer, detail), NOT_COUNTED
            position = taken
        if self._reads and (why := self._why_text(submission, account, sender, judged, now)):
            self.not_taken(position)
            return MessageRefused(RefusalReason.TEXT, sender, peer, why), NOT_COUNTED
        return None, position

    def is_emergency(self, number: str) -> bool:
        """Whether a destination is reached by whoever sends, whatever is sent."""
        return number in self._emergency

    def not_taken(self, position: int, messages: int | None = None) -> None:
        """The centre refused what was counted at this position, or so many of its destinations."""
        if self._rate and position != NOT_COUNTED:
            self._rate.refund(position, messages)

    def expire(self, most: int) -> bool:
        """Forget up to `most` counts that are a minute old; whether there are more of them."""
        return self._rate is not None and self._rate.expire(self._clock(), most)

    def _blocked(self, sender: str, written: str, peers: list[str]) -> MessageRefused | None:
        cards = self._cards()
        if state := cards.get(sender):
            return MessageRefused(RefusalReason.BLOCKED_SENDER, sender, peers[0], state.value)
        for peer in peers:
            if (state := cards.get(peer)) is NetworkState.SUSPENDED and written not in self._emergency:
                return MessageRefused(RefusalReason.BLOCKED_DESTINATION, sender, peer, state.value)
        return None

    def _why_text(
        self, submission: Submission, account: str, sender: str, peers: list[str], now: float
    ) -> str | None:
        coding, whole = submission.data_coding, whole_text(submission)
        if whole is not None:
            return self._first_hit(readings(coding, whole))
        contents = contents_of(submission)
        why = None
        for content in contents:
            why = why or self._first_hit(readings_again(coding, content.data))
        if submission.command == REPLACE_SM:
            return why or self._why_replacement(contents, coding, account, sender)
        for content in contents:
            if content.parts:  # kept also when it was refused: its fellows must not pass either
                why = self._why_joined(content, coding, account, sender, peers, now) or why
        return why

    def _why_replacement(
        self, contents: Iterable[Content], coding: int, account: str, sender: str
    ) -> str | None:
        left = _REPLACED_LETTERS
        for content in contents:
            for text in self._parts.replaced(account, sender, content.data, coding):
                left -= len(text)
                if left < 0:
                    return "replaces in more than can be read"
                if why := self._first_hit((text,)):
                    return why
        return None

    def _why_joined(
        self, content: Content, coding: int, account: str, sender: str, peers: list[str], now: float
    ) -> str | None:
        why = None
        for part in content.parts:
            texts = self._parts.add(
                account, sender, peers, part.reference, part.number, content.data, coding, now
            )
            why = why or self._first_hit(texts)
        return why


def _first_hit_of(verdict: TextVerdict) -> Callable[[Iterable[str]], str | None]:
    """What a verdict that is not of our lists says of the first text that it refuses."""
    return lambda texts: next((why for text in texts if (why := verdict.of(text))), None)
