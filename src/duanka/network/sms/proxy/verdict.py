"""Message verdict: blocked numbers, rate, text; without I/O."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from duanka.domain.lifeline import GOVERNMENT_ALONE, OpenLines, line_pattern
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
_WRITES_TO_LINES = (NetworkState.OUTGOING_BARRED, NetworkState.LIFELINE)
# Characters read to judge a replacement against all messages it may change: at most 0.3 s, in which no other message
# passes.
_MAX_REPLACED_CHARS = 1_000_000


class MessageRefused(NamedTuple):
    """Why a message is refused. `card`: its sender, `peer`: its recipient."""

    reason: RefusalReason
    card: str
    peer: str
    detail: str


class MessageJudge:
    """Judges submissions one by one.

    `cards`: read for each message, E.164 without + -> state. `text`: None for the lists of the policy. `clock`:
    monotonic seconds. `emergency`: numbers that always pass, beside the built-in ones. `lines`: what is open to cards
    in lifeline.
    """

    def __init__(
        self,
        cards: Callable[[], Mapping[str, NetworkState]],
        policy: MessagePolicy,
        *,
        text: TextVerdict | None = None,
        clock: Callable[[], float] = time.monotonic,
        emergency: tuple[str, ...] = (),
        lines: OpenLines = GOVERNMENT_ALONE,
    ) -> None:
        self._cards, self._clock = cards, clock
        self._first_hit = _first_hit_of(text) if text else TextLists(policy).first_hit
        self._reads = text is not None or bool(policy.keywords or policy.links)
        self._trusted = frozenset(e164(SmppAddress(0, 0, one)) for one in policy.trusted)
        self._trusted_accounts = frozenset(one.lower() for one in policy.trusted_accounts)
        self._emergency = EmergencyNumbers(emergency)
        self._is_line = re.compile(line_pattern(lines.called)).fullmatch
        self._accounts = frozenset(lines.accounts)
        self._rate = SenderRate(policy.per_minute) if policy.per_minute else None
        self._parts = JoinedParts()

    def use(self, lists: TextLists) -> None:
        """Judge texts by these lists from now on."""
        self._first_hit, self._reads = lists.first_hit, True

    def of(self, submission: Submission, account: str = "") -> MessageRefused | None:
        """Return why the submission is refused; None if it may pass."""
        return self.check(submission, account)[0]

    def check(self, submission: Submission, account: str) -> tuple[MessageRefused | None, int]:
        """Return why it is refused, or None and the position to refund with `not_taken`.

        `account`: the client as the SMSC accepted it. The rate is counted per account and sender, so that a client
        that sends under another's number does not use up the other's rate.
        """
        sender = e164(submission.source)
        replaces = submission.command == REPLACE_SM  # a replace_sm names no destination
        to = submission.destinations or (SmppAddress(0, 0, ""),)  # no destination: no emergency
        judged = [""] if replaces else self._emergency.others(to)
        if not judged:
            return None, NOT_COUNTED
        blocked = self._blocked(sender, submission.source.number, judged, account)
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
        """Return whether messages to this number always pass."""
        return number in self._emergency

    def not_taken(self, position: int, messages: int | None = None) -> None:
        """Refund what was counted at `position`, or `messages` of it: the SMSC refused it."""
        if self._rate and position != NOT_COUNTED:
            self._rate.refund(position, messages)

    def expire(self, most: int) -> bool:
        """Expire up to `most` counts older than a minute; return whether more are left."""
        return self._rate is not None and self._rate.expire(self._clock(), most)

    def _blocked(self, sender: str, written: str, peers: list[str], account: str) -> MessageRefused | None:
        cards = self._cards()
        if (state := cards.get(sender)) and not (
            state in _WRITES_TO_LINES and all(map(self._is_line, peers))
        ):
            return MessageRefused(RefusalReason.BLOCKED_SENDER, sender, peers[0], state.value)
        for peer in peers:
            state = cards.get(peer)
            shut = state is NetworkState.SUSPENDED or (
                state is NetworkState.LIFELINE and account not in self._accounts
            )
            if state and shut and written not in self._emergency:
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
            if content.parts:  # stored even if refused: the other parts must not pass either
                why = self._why_joined(content, coding, account, sender, peers, now) or why
        return why

    def _why_replacement(
        self, contents: Iterable[Content], coding: int, account: str, sender: str
    ) -> str | None:
        left = _MAX_REPLACED_CHARS
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
    """Return `first_hit` for a verdict that only judges single texts."""
    return lambda texts: next((why for text in texts if (why := verdict.of(text))), None)
