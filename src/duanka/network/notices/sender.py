"""Notice sender: submits to the operator's SMSC over SMPP 3.4 and reads receipts.

See docs/NETWORK.md.
"""

from __future__ import annotations

import contextlib
import select
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import smpplib.client
import smpplib.exceptions
import smpplib.smpp

from duanka.domain.network import ElementRefused, NetworkError, Receipt, UnknownCard, Unreachable
from duanka.network.deadline_socket import Address, seconds_left
from duanka.network.notices.parts import Cut, MessageIds, cut, said
from duanka.network.notices.window import WindowedBatch
from duanka.network.smpp import codec as smpp

_BUSY = (smpp.ALREADY_BOUND, smpp.SYSTEM_ERROR, smpp.QUEUE_FULL, smpp.THROTTLED, smpp.TRY_LATER)
_NUMBER, _SHORT_CODE, _ISDN = 1, 3, 1  # TON international, network specific; NPI ISDN
_ASK_FOR_RECEIPT = 1
_RECEIPTS_PER_CALL = 1000
_Client = smpplib.client.Client
_BROKEN = (
    OSError,
    ValueError,
    struct.error,
    smpplib.exceptions.ConnectionError,
    smpplib.exceptions.PDUError,
    smpplib.exceptions.UnknownCommandError,
)


class ShortMessageCentre:
    """NoticeSender and BulkNoticeSender on the SMSC at `address`, bound as transceiver.

    `short_code`: source address of notices. `seconds`: time limit of a call. `keep`: seconds of silence after which
    an enquire_link is sent. `ids`: how the SMSC writes message ids. `receives`: False binds as transmitter; the SMSC
    delivers its receipts to another link of the account. There is no background thread: call `receipts` every few
    seconds, or the SMSC may close the link as idle.
    """

    def __init__(
        self,
        address: Address,
        *,
        system_id: str,
        password: str,
        short_code: str = "10086",
        name: str = "message_centre",
        seconds: float = 5.0,
        keep: float = 15.0,
        ids: MessageIds = MessageIds.SAME,
        receives: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = name
        self._address, self._system_id, self._password = address, system_id, password
        self._short_code, self._seconds, self._keep = short_code, seconds, keep
        self._ids, self._now = ids, now
        self._bind = "bind_transceiver" if receives else "bind_transmitter"
        self._client: Any = None
        self._heard_at = 0.0
        self._answers: dict[int, tuple[int, str]] = {}
        self._new: list[Receipt] = []
        self._given: list[int] = []  # sequence numbers of deliver_sm to acknowledge at the next call
        self._unacknowledged: list[int] = []

    def send(self, card: str, text: str) -> str:
        """Submit all parts of `text`; return their message ids, comma-separated, in order.

        Unreachable: some parts may have been accepted; send the whole text again. UnknownCard: the SMSC knows no
        such number.
        """
        until = time.monotonic() + self._seconds
        try:
            client = self._bound(until)
            pieces = cut(text, card)
            numbers = [self._submit(client, card, part, pieces) for part in pieces.parts]
            while any(number not in self._answers for number in numbers):
                self._read(client, until)
            answers = [self._answers[number] for number in numbers]
        except _BROKEN as error:
            raise self._lost(error) from error
        finally:
            self._answers.clear()
        for status, _ in answers:
            if status:
                raise _refused(self.name, status)
        return ",".join(self._ids.of_answer(message_id) for _, message_id in answers)

    def send_many(
        self, notices: Sequence[tuple[str, str]], window: int, seconds: float
    ) -> Sequence[str | NetworkError]:
        """Submit (card, text) pairs with up to `window` unanswered parts; raises nothing of the network.

        Return for each its message ids, or why it was not accepted. A centre that takes too many at a time gets fewer,
        after a pause. What is not answered within `seconds`, or when the link breaks, is Unreachable: it may have been
        accepted; send it again.
        """
        until = time.monotonic() + seconds
        batch = WindowedBatch([cut(text, card) for card, text in notices], window, time.monotonic)
        try:
            client = self._bound(min(until, time.monotonic() + self._seconds))
            while batch.is_open and time.monotonic() < until:
                for place in batch.to_submit():
                    pieces = batch.pieces[place.notice]
                    number = self._submit(client, notices[place.notice][0], pieces.parts[place.part], pieces)
                    batch.submitted(number, place)
                if batch.waits_for_answers:
                    self._read(client, min(until, time.monotonic() + self._seconds))
                else:
                    time.sleep(batch.pause)
                for number, (status, message_id) in self._answers.items():
                    batch.answered(number, status, message_id)
                self._answers.clear()
        except _BROKEN as error:
            return batch.results(self._ids.of_answer, self._said_by, self._lost(error))
        finally:
            self._answers.clear()
        silent = Unreachable(f"{self.name} answered too little in {seconds:g} s")
        if batch.is_open:  # late answers would be taken for those of the next batch
            self.close()
        return batch.results(self._ids.of_answer, self._said_by, silent)

    def _said_by(self, status: int) -> NetworkError:
        return _refused(self.name, status)

    def receipts(self) -> Iterable[Receipt]:
        """Yield one receipt, with one message id, per part whose outcome is final.

        Receipts are acknowledged to the SMSC only by the next call, so that they come again after a crash in between:
        the same receipt may be yielded twice. Raises NetworkError if the link is down.
        """
        until = time.monotonic() + self._seconds
        try:
            client = self._bound(until)
            for number in self._given:
                self._acknowledge(client, number)
            self._given = []
            while len(self._new) < _RECEIPTS_PER_CALL and self._readable(client, 0.0):
                self._read(client, until)
            if time.monotonic() - self._heard_at > self._keep:
                self._try_link(client, until)
        except _BROKEN as error:
            raise self._lost(error) from error
        new, self._new = self._new, []
        self._given, self._unacknowledged = self._unacknowledged, []
        return new

    def close(self) -> None:
        """Close the connection; receipts that were not acknowledged will come again."""
        client, self._client = self._client, None
        self._new, self._given, self._unacknowledged = [], [], []
        if client is not None:
            client.disconnect()

    @property
    def where(self) -> str:
        """Return the SMSC's host and port."""
        return "{}:{}".format(*self._address)

    def try_bind(self, seconds: float) -> None:
        """Bind and unbind on a separate link, as transmitter: it gets no receipts.

        Unreachable: no answer, or temporarily unavailable. ElementRefused: account or password is wrong.
        """
        try:
            client = self._linked(time.monotonic() + seconds, "bind_transmitter")
        except _BROKEN as error:
            raise self._lost(error) from error
        with contextlib.suppress(*_BROKEN):
            client.unbind()
        client.disconnect()

    def _bound(self, until: float) -> Any:
        if self._client is None:
            self._client, self._heard_at = self._linked(until, self._bind), time.monotonic()
        return self._client

    def _linked(self, until: float, bind: str) -> Any:
        client = _Client(*self._address, timeout=seconds_left(until), allow_unknown_opt_params=True)
        client.logger.disabled = True
        try:
            client.connect()
            answer = getattr(client, bind)(system_id=self._system_id, password=self._password)
        except smpplib.exceptions.PDUError as error:
            client.disconnect()
            status = error.args[1] if len(error.args) > 1 else 0
            if status in _BUSY:
                raise Unreachable(f"{self.name} takes no bind now: {error.args[0]}") from error
            raise ElementRefused(f"{self.name} does not let {self._system_id} in: {error.args[0]}") from error
        except BaseException:
            client.disconnect()
            raise
        if answer.command != f"{bind}_resp":
            client.disconnect()
            raise smpplib.exceptions.ConnectionError(f"answered a bind with {answer.command}")
        return client

    def _submit(self, client: Any, card: str, part: bytes, pieces: Cut) -> int:
        unit = client.send_message(
            source_addr_ton=_SHORT_CODE,
            source_addr_npi=0,
            source_addr=self._short_code,
            dest_addr_ton=_NUMBER,
            dest_addr_npi=_ISDN,
            destination_addr=card,
            short_message=part,
            data_coding=pieces.data_coding,
            esm_class=smpp.HAS_HEADER if len(pieces.parts) > 1 else 0,
            registered_delivery=_ASK_FOR_RECEIPT,
        )
        return int(unit.sequence)

    def _readable(self, client: Any, within: float) -> bool:
        return bool(select.select([client._socket], [], [], within)[0])

    def _read(self, client: Any, until: float) -> None:
        """Read and handle one PDU; TimeoutError after `until`."""
        if not self._readable(client, seconds_left(until)):
            raise TimeoutError("silent")
        client._socket.settimeout(seconds_left(until))
        unit = client.read_pdu()
        self._heard_at = time.monotonic()
        match unit.command:
            case "submit_sm_resp":
                self._answers[unit.sequence] = (unit.status, _letters(unit.message_id))
            case "generic_nack":
                self._answers[unit.sequence] = (unit.status or smpp.SYSTEM_ERROR, "")
            case "deliver_sm":
                self._delivered(client, unit)
            case "enquire_link":
                client._enquire_link_received(unit)
            case "unbind":
                raise smpplib.exceptions.ConnectionError("the centre ends the link")
            case _:
                pass

    def _delivered(self, client: Any, unit: Any) -> None:
        receipt = None
        if unit.esm_class & 0x3C == smpp.IS_RECEIPT:
            text = unit.short_message or getattr(unit, "message_payload", None) or b""
            receipt = said(text, _letters(unit.receipted_message_id), unit.message_state, self._ids)
        if receipt is None or not receipt.state:  # a message from a person, or an intermediate state
            self._acknowledge(client, unit.sequence)
            return
        detail = "" if receipt.delivered else receipt.state
        self._new.append(Receipt(receipt.message_id, receipt.delivered, self._now(), detail))
        self._unacknowledged.append(unit.sequence)

    def _acknowledge(self, client: Any, number: int) -> None:
        answer = smpplib.smpp.make_pdu("deliver_sm_resp", client=client)
        answer.sequence = number
        client.send_pdu(answer)

    def _try_link(self, client: Any, until: float) -> None:
        asked_at = time.monotonic()
        client.send_pdu(smpplib.smpp.make_pdu("enquire_link", client=client))
        while self._heard_at < asked_at:
            self._read(client, until)

    def _lost(self, error: Exception) -> NetworkError:
        """Close the link; unacknowledged receipts come again after the next bind."""
        self.close()
        return Unreachable(f"{self.name} at {self.where} does not answer: {str(error) or 'silent'}")


def _refused(name: str, status: int) -> NetworkError:
    if status == smpp.BAD_DESTINATION:
        return UnknownCard(f"{name} knows no such number")
    if status in _BUSY:
        return Unreachable(f"{name} takes nothing now: status 0x{status:02X}")
    return ElementRefused(f"{name} refused the notice: status 0x{status:02X}")


def _letters(value: bytes | None) -> str:
    return (value or b"").rstrip(b"\0").decode("latin-1")
