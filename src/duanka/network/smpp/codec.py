"""SMPP 3.4 codec: splits bytes into PDUs, parses submissions, writes answers.

PDUs are never modified in place: the message proxy forwards the bytes that it received.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

HEAD = struct.Struct(">IIII")  # total length, command, status, sequence number
_TLV = struct.Struct(">HH")

BIND_RECEIVER, BIND_TRANSMITTER, SUBMIT_SM, DELIVER_SM = 0x01, 0x02, 0x04, 0x05
UNBIND, REPLACE_SM, BIND_TRANSCEIVER, ENQUIRE_LINK = 0x06, 0x07, 0x09, 0x15
SUBMIT_MULTI, DATA_SM = 0x21, 0x103
BINDS = frozenset((BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER))
SUBMISSIONS = frozenset((SUBMIT_SM, SUBMIT_MULTI, DATA_SM))
RESPONSE, GENERIC_NACK = 0x80000000, 0x80000000

OK, BAD_LENGTH, UNKNOWN_COMMAND, NOT_BOUND, ALREADY_BOUND = 0x00, 0x02, 0x03, 0x04, 0x05
SYSTEM_ERROR, BAD_DESTINATION, BAD_PASSWORD = 0x08, 0x0B, 0x0E
QUEUE_FULL, THROTTLED, TRY_LATER, REFUSED_BY_APPLICATION = 0x14, 0x58, 0x64, 0x66

MESSAGE_STATE, PAYLOAD, RECEIPTED_ID = 0x0427, 0x0424, 0x001E
SAR_REFERENCE, SAR_TOTAL, SAR_NUMBER = 0x020C, 0x020E, 0x020F

HAS_HEADER, IS_RECEIPT = 0x40, 0x04  # in esm_class: has a user data header; is a delivery receipt
# Fields before the text of a submit_sm: service type, source, destination, esm_class to validity, length.
_TO_ONE = re.compile(rb"[^\0]*+\0(..[^\0]*+)\0(..[^\0]*+)\0(.)..[^\0]*+\0[^\0]*+\0(.....)", re.DOTALL)
_TO_NUMBER, _TO_LIST = 1, 2  # destination kinds in a submit_multi: number, distribution list
_MAX_PADDING_BYTES = 4  # zero bytes after a text that its length may not count
LONGEST = 70_000  # bytes of one PDU: a payload of 65,535 and all other fields


class Malformed(ValueError):
    """The bytes are not an SMPP 3.4 PDU."""


class SmppAddress(NamedTuple):
    """An address: type of number, numbering plan, and the digits or letters."""

    ton: int
    npi: int
    number: str


class Submission(NamedTuple):
    """Fields of a submit_sm, data_sm, submit_multi, replace_sm or deliver_sm.

    `parameters`: optional parameters in order; a tag may occur more than once.
    """

    command: int
    sequence: int
    source: SmppAddress
    destinations: tuple[SmppAddress, ...]
    esm_class: int
    registered_delivery: int
    data_coding: int
    message: bytes
    parameters: tuple[tuple[int, bytes], ...] = ()

    @property
    def payloads(self) -> tuple[bytes, ...]:
        """All message_payload values: texts too long for `message`."""
        return tuple(value for tag, value in self.parameters if tag == PAYLOAD)


def submission(unit: bytes) -> Submission:
    """Parse a submission PDU or deliver_sm; Malformed if it ends before its fields do.

    Bytes after the fields need not be optional parameters: some peers end a text with a zero byte that its length
    does not count, or with other bytes. They are parsed as far as possible.
    """
    _, command, _, sequence = HEAD.unpack_from(unit)
    if command not in (SUBMIT_MULTI, DATA_SM, REPLACE_SM):
        return _to_one(unit, command, sequence)
    destinations: tuple[SmppAddress, ...] = ()
    esm_class = coding = 0
    try:
        _, at = _text(unit, HEAD.size)  # service type, or the id of the message that is replaced
        source, at = _address(unit, at)
        if command == DATA_SM:
            destination, at = _address(unit, at)
            destinations = (destination,)
            esm_class, registered, coding = unit[at : at + 3]
            begin = end = at + 3
        else:
            if command == SUBMIT_MULTI:
                destinations, at = _destinations(unit, at)
                esm_class, at = unit[at], at + 3
            _, at = texts(unit, at, 2)  # schedule and validity
            registered = unit[at]
            if command == SUBMIT_MULTI:  # a replace_sm has neither destinations nor a data_coding
                coding, at = unit[at + 2], at + 2
            begin = at + 3
            end = begin + unit[at + 2]
    except (IndexError, ValueError) as error:
        raise Malformed("a submission ends before its fields do") from error
    if end > len(unit):
        raise Malformed("a short message ends before its length")
    return Submission(
        *(command, sequence, source, destinations, esm_class, registered, coding),
        *(unit[begin:end], parameters(unit, end)),
    )


def _to_one(unit: bytes, command: int, sequence: int) -> Submission:
    """Parse a submit_sm or deliver_sm with one regular expression.

    Nearly all PDUs are of these kinds; it takes a third of the time of parsing field by field.
    """
    fields = _TO_ONE.match(unit, HEAD.size)
    if fields is None:
        raise Malformed("a submission ends before its fields do")
    source, destination, esm_class, numbers = fields.groups()
    at = fields.end()
    end = at + numbers[4]
    if end > len(unit):
        raise Malformed("a short message ends before its length")
    return Submission(
        command,
        sequence,
        SmppAddress(source[0], source[1], source[2:].decode("latin-1")),
        (SmppAddress(destination[0], destination[1], destination[2:].decode("latin-1")),),
        esm_class[0],
        numbers[0],
        numbers[2],
        unit[at:end],
        parameters(unit, end) if end < len(unit) else (),
    )


def parameters(unit: bytes, at: int) -> tuple[tuple[int, bytes], ...]:
    """Parse optional parameters from `at` on, as far as possible: (tag, value).

    If they do not fill the PDU, parsing is tried again after zero bytes that a length did not count.
    """
    found, whole = _parameters(unit, at)
    skipped = 0
    while not whole and skipped < _MAX_PADDING_BYTES and at < len(unit) and unit[at] == 0:
        at, skipped = at + 1, skipped + 1
        more, whole = _parameters(unit, at)
        found += more
    return tuple(found)


def _parameters(unit: bytes, at: int) -> tuple[list[tuple[int, bytes]], bool]:
    found = []
    size = len(unit)
    while at + _TLV.size <= size:
        tag, length = _TLV.unpack_from(unit, at)
        at += _TLV.size
        found.append((tag, unit[at : at + length]))  # the last one may be truncated
        at += length
    return found, at == size


def units(received: bytes, longest: int = LONGEST) -> Iterator[bytes]:
    """Yield the complete PDUs at the beginning of `received`; Malformed for an impossible length."""
    at = 0
    while at + 4 <= len(received):
        length = int.from_bytes(received[at : at + 4], "big")
        if not HEAD.size <= length <= longest:
            raise Malformed(f"a unit of {length} bytes")
        end = at + length
        if end > len(received):
            return
        yield received[at:end]
        at = end


def unit(command: int, sequence: int, body: bytes = b"", status: int = OK) -> bytes:
    """Encode a whole PDU."""
    return HEAD.pack(HEAD.size + len(body), command, status, sequence) + body


def answer(to: bytes, status: int, body: bytes = b"") -> bytes:
    """Encode the response, with `status`, to the PDU `to`."""
    _, command, _, sequence = HEAD.unpack_from(to)
    return unit(command | RESPONSE, sequence, body, status)


def text(value: str) -> bytes:
    """Encode a zero-terminated field."""
    return value.encode("latin-1") + b"\0"


def texts(body: bytes, at: int, count: int) -> tuple[list[str], int]:
    """Parse `count` zero-terminated fields at `at`; return them and the next offset."""
    found = []
    for _ in range(count):
        one, at = _text(body, at)
        found.append(one)
    return found, at


def tlv(tag: int, value: bytes) -> bytes:
    """Encode one optional parameter."""
    return _TLV.pack(tag, len(value)) + value


def submit_sm(
    sequence: int,
    source: SmppAddress,
    destination: SmppAddress,
    message: bytes,
    *,
    esm_class: int = 0,
    registered_delivery: int = 0,
    data_coding: int = 0,
    optional: Iterable[tuple[int, bytes]] = (),
    command: int = SUBMIT_SM,
) -> bytes:
    """Encode a submit_sm, or a deliver_sm, which has the same fields."""
    body = b"".join(
        (
            b"\0",
            bytes((source.ton, source.npi)),
            text(source.number),
            bytes((destination.ton, destination.npi)),
            text(destination.number),
            bytes((esm_class, 0, 0)),
            b"\0\0",
            bytes((registered_delivery, 0, data_coding, 0, len(message))),
            message,
            *(tlv(tag, value) for tag, value in optional),
        )
    )
    return unit(command, sequence, body)


def _text(body: bytes, at: int) -> tuple[str, int]:
    end = body.index(0, at)
    return body[at:end].decode("latin-1"), end + 1


def _address(body: bytes, at: int) -> tuple[SmppAddress, int]:
    end = body.index(0, at + 2)
    return SmppAddress(body[at], body[at + 1], body[at + 2 : end].decode("latin-1")), end + 1


def only_to(whole: bytes, keep: Callable[[str], bool]) -> tuple[bytes, list[bytes]]:
    """Reduce a submit_multi to the destinations whose number `keep` accepts.

    Returns the PDU and the removed destinations as a response names them (type, plan, zero-terminated number). All
    other bytes stay the same.
    """
    _, at = _text(whole, HEAD.size)
    _, at = _address(whole, at)
    kept, left_out, begin = [], [], at + 1
    for one in _destinations(whole, at)[0]:
        end = whole.index(0, begin + (3 if whole[begin] == _TO_NUMBER else 1)) + 1
        if whole[begin] == _TO_NUMBER and keep(one.number):
            kept.append(whole[begin:end])
        else:
            left_out.append(bytes((one.ton, one.npi)) + text(one.number))
        begin = end
    _, command, status, sequence = HEAD.unpack_from(whole)
    body = b"".join((whole[HEAD.size : at], bytes((len(kept),)), *kept, whole[begin:]))
    return unit(command, sequence, body, status), left_out


def partly(answer: bytes, left_out: Sequence[bytes], status: int) -> bytes:
    """Add `left_out` destinations, with `status`, to an OK submit_multi_resp."""
    message_id, _, rest = answer[HEAD.size :].partition(b"\0")
    more = b"".join(one + status.to_bytes(4, "big") for one in left_out)
    count = bytes((min((rest[0] if rest else 0) + len(left_out), 255),))
    body = message_id + b"\0" + count + more + rest[1:]
    return HEAD.pack(HEAD.size + len(body), *HEAD.unpack_from(answer)[1:]) + body


def _destinations(body: bytes, at: int) -> tuple[tuple[SmppAddress, ...], int]:
    """Parse submit_multi destinations; a distribution list becomes a name, no number."""
    found = []
    count, at = body[at], at + 1
    for _ in range(count):
        kind = body[at]
        if kind == _TO_NUMBER:
            one, at = _address(body, at + 1)
        elif kind == _TO_LIST:
            name, at = _text(body, at + 1)
            one = SmppAddress(5, 0, f"list {name}")
        else:
            raise Malformed(f"a destination of kind {kind}")
        found.append(one)
    return tuple(found), at
