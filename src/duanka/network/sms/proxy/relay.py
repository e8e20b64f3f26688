"""SMPP relay: forwards PDUs unchanged, answers the refused ones."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from duanka.network.smpp import codec as smpp
from duanka.network.sms.proxy.refusal_log import RefusalRecord
from duanka.network.sms.proxy.unbound_links import UnboundLinks
from duanka.network.sms.proxy.verdict import NOT_COUNTED, MessageJudge

_EXPIRY_SECONDS, _EXPIRED_PER_RUN = 0.05, 4_000  # expiry runs: a few ms each at most


class RelayedLink(Protocol):
    """One client and its connection to the SMSC, see link.py."""

    def abort(self) -> None:
        """Close both connections at once."""

    def close(self) -> None:
        """Close both connections after flushing what is written."""

    def look(self) -> None:
        """Close the link on a time-out."""


@dataclass(frozen=True)
class LinkLimits:
    """Resource limits of links: times in seconds, sizes in bytes of one PDU.

    `links`: bound clients. `unbound`, `unbound_of_address`: connections without a bind, in all and per address.
    """

    links: int = 500
    unbound: int = 200
    unbound_of_address: int = 50
    longest: int = smpp.LONGEST
    connect: float = 5.0
    begin: float = 10.0  # from connecting, or from an unbind, until the SMSC accepts the bind
    rest: float = 30.0  # from the first byte of a PDU to its last
    idle: float = 900.0  # without a byte in either direction


class Relay:
    """All links between clients and the SMSC at `centre`."""

    def __init__(
        self,
        centre: tuple[str, int],
        judge: MessageJudge,
        kept: RefusalRecord,
        limits: LinkLimits,
    ) -> None:
        self.centre, self.judge, self.kept, self.limits = centre, judge, kept, limits
        self.passed = 0
        self.malformed = 0
        self.not_bound = 0
        self.displaced = 0
        self.refused: Counter[str] = Counter()
        self.links: set[RelayedLink] = set()
        self.unbound = UnboundLinks[RelayedLink](self.limits.unbound, self.limits.unbound_of_address)

    def admit(self, link: RelayedLink, host: str) -> bool:
        """Return whether one more client fits; may displace one that has not bound."""
        if len(self.links) - len(self.unbound) >= self.limits.links:
            return False
        self.links.add(link)
        self.watch_unbound(link, host)
        return True

    def watch_unbound(self, link: RelayedLink, host: str) -> None:
        """Register a link that is not bound, or no longer."""
        displaced = self.unbound.add(link, host)
        if displaced is not None:
            self.displaced += 1
            displaced.abort()

    def discard(self, link: RelayedLink) -> None:
        """Remove a closed link."""
        self.links.discard(link)
        self.unbound.discard(link)

    def refuse(self, unit: bytes, account: str) -> tuple[bytes | None, int]:
        """Judge a submission: return its refusal, or None and its rate-counter position."""
        try:
            submission = smpp.submission(unit)
        except smpp.Malformed:
            self.malformed += 1
            return smpp.answer(unit, smpp.BAD_LENGTH), NOT_COUNTED
        refused, position = self.judge.check(submission, account)
        if refused is None:
            self.passed += 1
            return None, position
        self.refused[refused.reason.value] += 1
        self.kept.add(
            datetime.now(UTC), refused.card, refused.peer, refused.reason, refused.detail, submission
        )
        return smpp.answer(unit, smpp.REFUSED_BY_APPLICATION), NOT_COUNTED

    def for_emergency(self, unit: bytes) -> tuple[bytes, list[bytes]] | None:
        """Reduce a refused submit_multi to its emergency numbers.

        Returns the PDU and the destinations it leaves out; None if it has no emergency number. A refusal must not
        hold back a call for help among many destinations.
        """
        try:
            helping, left_out = smpp.only_to(unit, self.judge.is_emergency)
            if not smpp.submission(helping).destinations:
                return None
        except (smpp.Malformed, IndexError, ValueError):
            return None
        self.passed += 1
        return helping, left_out

    def refuse_unbound(self, unit: bytes) -> bytes:
        """Answer a submission of an unbound client; nothing is judged or recorded."""
        self.not_bound += 1
        return smpp.answer(unit, smpp.NOT_BOUND)

    async def watch(self) -> None:
        """Close links that are half open or stuck, forever."""
        while True:
            await asyncio.sleep(min(1.0, self.limits.begin / 4, self.limits.rest / 4))
            for link in list(self.links):
                link.look()

    async def expire_counts(self) -> None:
        """Expire rate counts in small batches, also without traffic, forever."""
        while True:
            await asyncio.sleep(_EXPIRY_SECONDS)
            self.judge.expire(_EXPIRED_PER_RUN)

    def close(self) -> None:
        """Close all links."""
        for link in list(self.links):
            link.close()
