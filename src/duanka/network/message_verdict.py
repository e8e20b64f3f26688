"""Whether a message may pass: blocked numbers, rate, text. No network here, and no clock but the one it is given."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from duanka.domain.network import NetworkState, RefusalReason, TextVerdict
from duanka.domain.order_policy import MessagePolicy
from duanka.network.card_numbers import EmergencyNumbers, e164, is_service
from duanka.network.message_text import JoinedParts, part_of, readings
from duanka.network.smpp import Address, Submission
from duanka.network.text_lists import TextLists

_MINUTE = 60.0


class Refused(NamedTuple):
    """Why a message does not pass. `card`: its sender, `peer`: whom it was for."""

    reason: RefusalReason
    card: str
    peer: str
    detail: str


class Judge:
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
        self._text = text or TextLists(policy)
        self._reads = text is not None or bool(policy.keywords or policy.links)
        self._trusted = frozenset(e164(Address(0, 0, one)) for one in policy.trusted)
        self._emergency = EmergencyNumbers(emergency)
        self._rate = _Rate(policy.per_minute)
        self._parts = JoinedParts()

    def of(self, submission: Submission) -> Refused | None:
        """None: it may pass."""
        sender = e164(submission.source)
        peers = [e164(one) for one in submission.destinations]
        judged = [one for one in peers if one not in self._emergency]
        if not judged:
            return None
        blocked = self._blocked(sender, judged)
        if blocked or sender in self._trusted:
            return blocked
        peer = judged[0]
        now = self._clock()
        limited = not is_service(sender)
        if limited and not self._rate.allows(sender, len(judged), now):
            return Refused(RefusalReason.RATE, sender, peer, f"more than {self._rate.per_minute} a minute")
        if self._reads and (why := self._why_text(submission, sender, peer, now)):
            return Refused(RefusalReason.TEXT, sender, peer, why)
        if limited:
            self._rate.count(sender, len(judged), now)
        return None

    def _blocked(self, sender: str, peers: list[str]) -> Refused | None:
        cards = self._cards()
        if state := cards.get(sender):
            return Refused(RefusalReason.BLOCKED_SENDER, sender, peers[0], state.value)
        if sender in self._emergency:
            return None
        for peer in peers:
            if (state := cards.get(peer)) is NetworkState.SUSPENDED:
                return Refused(RefusalReason.BLOCKED_DESTINATION, sender, peer, state.value)
        return None

    def _why_text(self, submission: Submission, sender: str, peer: str, now: float) -> str | None:
        part, message, payload = part_of(submission)
        coding = submission.data_coding
        texts = (*readings(coding, message), *readings(coding, payload))
        for text in texts:
            if why := self._text.of(text):
                break
        else:
            why = None
        if part and texts:  # kept also when it was refused: its fellows must not pass either
            joined = self._parts.add((sender, peer), part, texts[0], now)
            why = why or self._text.of(joined)
        return why


class _Rate:
    """How many messages each sender sent in the last sixty seconds. 0: any number may pass."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._sent: dict[str, deque[float]] = {}
        self._swept_at = 0.0

    def allows(self, sender: str, messages: int, now: float) -> bool:
        """Whether that many more stay within the limit."""
        sent = self._sent.get(sender)
        if not self.per_minute:
            return True
        while sent and sent[0] <= now - _MINUTE:
            sent.popleft()
        return len(sent or ()) + messages <= self.per_minute

    def count(self, sender: str, messages: int, now: float) -> None:
        """They passed."""
        if not self.per_minute:
            return
        self._sent.setdefault(sender, deque()).extend([now] * messages)
        if now - self._swept_at > _MINUTE:
            self._swept_at = now
            self._sent = {one: sent for one, sent in self._sent.items() if sent and sent[-1] > now - _MINUTE}
