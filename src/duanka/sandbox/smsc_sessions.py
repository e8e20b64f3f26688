"""SMPP 3.4 server sessions of the sandbox message centre; see smsc.py."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from duanka.network.smpp import codec as smpp
from duanka.network.smpp.codec import SmppAddress, Submission
from duanka.network.smpp.message_text import contents_of
from duanka.network.smpp.text_encodings import claimed

_SYSTEM_ID = "duanka-smsc"


@dataclass(frozen=True)
class AcceptedMessage:
    """An accepted message. `unit`: the PDU as received."""

    message_id: str
    system_id: str
    submission: Submission
    unit: bytes

    @property
    def source(self) -> str:
        """Source address as written."""
        return self.submission.source.number

    @property
    def destination(self) -> str:
        """First destination address as written."""
        return self.submission.destinations[0].number

    @property
    def text(self) -> str:
        """The text as a handset would show it."""
        contents = contents_of(self.submission)
        return claimed(self.submission.data_coding, contents[0].data) if contents else ""


@dataclass
class Behaviour:
    """Behaviour of the message centre; may be changed while it runs.

    `off`: destinations whose messages fail. `status`: unless 0, every submission is refused with it. `slow`:
    seconds before each answer. `most`: answers per second, as limited by a licence; 0: no limit. `silent`:
    reads but never answers. `deaf`: does not read. `receipts`: deliver receipts when requested; otherwise
    they wait for `deliver_held`. `tags`: receipts also have their id in a TLV. `hexadecimal`: message ids are
    hexadecimal in answers and decimal in the text of receipts, as with some centres in the field. `remember`:
    number of messages kept in `accepted`.
    """

    password: str = "secret"  # noqa: S105  # loopback only
    off: set[str] = field(default_factory=set)
    status: int = smpp.OK
    slow: float = 0.0
    most: int = 0
    silent: bool = False
    deaf: bool = False
    receipts: bool = True
    tags: bool = True
    hexadecimal: bool = False
    remember: int = 1_000_000


class MessageCentre:
    """The centre, in one event loop. `journal`: gets each message, synced, before the answer."""

    def __init__(self, behaviour: Behaviour | None = None, journal: Path | None = None) -> None:
        self.behaviour = behaviour or Behaviour()
        self._journal = journal.open("ab", buffering=0) if journal else None
        self._unsafe = False
        self._free_at = 0.0
        self._accepted: deque[AcceptedMessage] = deque(maxlen=self.behaviour.remember)
        self.taken = 0
        self.acknowledged = 0  # receipts
        self.sessions: set[SmscSession] = set()
        self._ids = itertools.count(1)
        self._begun = int(datetime.now(UTC).timestamp()) % 10_000_000
        self._held: list[tuple[SmscSession, bytes]] = []
        self._waiting: dict[str, deque[bytes]] = {}  # system_id -> receipts of clients that are not bound

    @property
    def accepted(self) -> list[AcceptedMessage]:
        """Accepted messages, oldest first."""
        return list(self._accepted)

    def session(self) -> asyncio.Protocol:
        """Protocol of a new connection."""
        return SmscSession(self)

    def take(self, session: SmscSession, submission: Submission, unit: bytes) -> str:
        """Accept a message; returns its id as written in the answer."""
        number = self._begun * 1_000_000 + next(self._ids)
        named = f"{number:X}" if self.behaviour.hexadecimal else str(number)
        self.taken += 1
        if self._journal:
            self._unsafe = True
            self._journal.write(unit)
        if self.behaviour.remember:
            self._accepted.append(AcceptedMessage(named, session.system_id, submission, unit))
        if submission.registered_delivery & 0x01:
            for destination in submission.destinations:
                receipt = _receipt(number, named, submission.source, destination, self.behaviour)
                if self.behaviour.receipts:
                    asyncio.get_running_loop().call_soon(self.deliver, session, receipt)
                else:
                    self._held.append((session, receipt))
        return named

    def deliver_held(self) -> None:
        """Deliver the receipts held back while `receipts` was off."""
        held, self._held = self._held, []
        for session, receipt in held:
            self.deliver(session, receipt)

    def make_safe(self) -> None:
        """Sync accepted messages to disk, so that they may be answered."""
        if self._unsafe and self._journal:
            os.fdatasync(self._journal.fileno())
            self._unsafe = False

    def reserve_answer(self) -> float:
        """Reserve the next answer that `most` permits; returns its time in the event loop."""
        now = asyncio.get_running_loop().time()
        if self.behaviour.most:
            now = self._free_at = max(now, self._free_at) + 1 / self.behaviour.most
        return now

    def deliver(self, session: SmscSession, receipt: bytes) -> None:
        """Deliver a receipt to the session of the message, or another of the same client.

        Without such a session, it waits for the next bind of the client.
        """
        fellows = [session, *(one for one in self.sessions if one.system_id == session.system_id)]
        for one in fellows:
            if one.receives:
                one.deliver(receipt)
                return
        self.keep(session.system_id, [receipt])

    def keep(self, system_id: str, receipts: Iterable[bytes]) -> None:
        """Keep receipts until the client binds again."""
        self._waiting.setdefault(system_id, deque()).extend(receipts)

    def kept(self, system_id: str) -> deque[bytes]:
        """Remove and return the receipts waiting for this client."""
        return self._waiting.pop(system_id, deque())


class SmscSession(asyncio.Protocol):
    """One client connection."""

    def __init__(self, centre: MessageCentre) -> None:
        self._centre = centre
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self.system_id = ""
        self._bound = 0
        self._numbers = itertools.count(1)
        self._unacknowledged: dict[int, bytes] = {}

    @property
    def receives(self) -> bool:
        """Whether the session may receive receipts."""
        return self._bound in (smpp.BIND_RECEIVER, smpp.BIND_TRANSCEIVER) and self._transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin a session; the client must bind next."""
        self._transport = cast(asyncio.Transport, transport)
        self._centre.sessions.add(self)
        if self._centre.behaviour.deaf:
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Keep unacknowledged receipts for the next bind."""
        self._centre.sessions.discard(self)
        self._transport = None
        if self._unacknowledged:
            self._centre.keep(self.system_id, self._unacknowledged.values())
            self._unacknowledged = {}

    def hear(self, *, deaf: bool) -> None:
        """Pause or resume reading."""
        if self._transport and not self._transport.is_closing():
            if deaf:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def close(self) -> None:
        """Close the connection, as a centre does when it shuts down."""
        if self._transport:
            self._transport.abort()

    def deliver(self, receipt: bytes) -> None:
        """Send a receipt and keep it until acknowledged."""
        number = next(self._numbers)
        self._unacknowledged[number] = receipt
        if self._transport:
            self._transport.write(smpp.unit(smpp.DELIVER_SM, number, receipt))

    def data_received(self, data: bytes) -> None:
        """Answer all complete PDUs."""
        data = self._rest + data
        at = 0
        answers = []
        try:
            for unit in smpp.units(data):
                at += len(unit)
                if answer := self._answer(unit):
                    answers.append(answer)
        except smpp.Malformed:
            answers.append(smpp.unit(smpp.GENERIC_NACK, 0, status=smpp.BAD_LENGTH))
            self._say(answers)
            if self._transport:
                self._transport.close()
            return
        self._rest = data[at:]
        self._centre.make_safe()
        self._say(answers)

    def _say(self, answers: list[bytes]) -> None:
        behaviour = self._centre.behaviour
        if behaviour.silent or not answers or self._transport is None:
            return
        if behaviour.slow or behaviour.most:
            for answer in answers:  # separately, as `most` limits them
                asyncio.get_running_loop().call_at(
                    self._centre.reserve_answer() + behaviour.slow, self._write, answer
                )
        else:
            self._transport.write(b"".join(answers))

    def _write(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)

    def _answer(self, unit: bytes) -> bytes | None:
        _, command, _, number = smpp.HEAD.unpack_from(unit)
        if command in smpp.SUBMISSIONS:
            return self._submitted(unit)
        if command & smpp.RESPONSE:
            if self._unacknowledged.pop(number, None) is not None:
                self._centre.acknowledged += 1
            return None
        if command in smpp.BINDS:
            return self._bind(unit, command)
        if command == smpp.ENQUIRE_LINK:
            return smpp.answer(unit, smpp.OK)
        if command == smpp.UNBIND:
            self._bound = 0
            return smpp.answer(unit, smpp.OK)
        return smpp.unit(smpp.GENERIC_NACK, number, status=smpp.UNKNOWN_COMMAND)

    def _submitted(self, unit: bytes) -> bytes:
        if self._bound not in (smpp.BIND_TRANSMITTER, smpp.BIND_TRANSCEIVER):
            return smpp.answer(unit, smpp.NOT_BOUND)
        if self._centre.behaviour.status:
            return smpp.answer(unit, self._centre.behaviour.status)
        try:
            submission = smpp.submission(unit)
        except smpp.Malformed:
            return smpp.answer(unit, smpp.BAD_LENGTH)
        if not submission.destinations or not submission.destinations[0].number:
            return smpp.answer(unit, smpp.BAD_DESTINATION)
        named = self._centre.take(self, submission, unit)
        none_failed = b"\0" if submission.command == smpp.SUBMIT_MULTI else b""
        return smpp.answer(unit, smpp.OK, smpp.text(named) + none_failed)

    def _bind(self, unit: bytes, command: int) -> bytes:
        if self._bound:
            return smpp.answer(unit, smpp.ALREADY_BOUND)
        try:
            (system_id, password), _ = smpp.texts(unit, smpp.HEAD.size, 2)
        except ValueError:
            return smpp.answer(unit, smpp.BAD_LENGTH)
        if password != self._centre.behaviour.password:
            return smpp.answer(unit, smpp.BAD_PASSWORD)
        self.system_id, self._bound = system_id, command
        if self.receives:
            asyncio.get_running_loop().call_soon(self._deliver_kept)
        return smpp.answer(unit, smpp.OK, smpp.text(_SYSTEM_ID))

    def _deliver_kept(self) -> None:
        for receipt in self._centre.kept(self.system_id):
            self.deliver(receipt)


def _receipt(
    number: int, named: str, source: SmppAddress, destination: SmppAddress, behaviour: Behaviour
) -> bytes:
    """Body of a deliver_sm receipt (SMPP 3.4, appendix B)."""
    delivered = destination.number not in behaviour.off
    now = datetime.now(UTC).strftime("%y%m%d%H%M")
    text = (
        f"id:{number} sub:001 dlvrd:{delivered:03d} submit date:{now} done date:{now} "
        f"stat:{'DELIVRD' if delivered else 'UNDELIV'} err:{0 if delivered else 27:03d} text:"
    )
    # the TLV has the message id as written in the answer
    state = bytes((2 if delivered else 5,))
    optional = [(smpp.RECEIPTED_ID, smpp.text(named)), (smpp.MESSAGE_STATE, state)] if behaviour.tags else []
    whole = smpp.submit_sm(
        0, destination, source, text.encode("ascii"), esm_class=smpp.IS_RECEIPT, optional=optional
    )
    return whole[smpp.HEAD.size :]
