"""What a short message says: alphabets, headers of parts, and parts put together again."""

from __future__ import annotations

import codecs
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

from duanka.network.smpp import HAS_HEADER, SAR_NUMBER, SAR_REFERENCE, SAR_TOTAL, Submission

# 3GPP TS 23.038: the default alphabet, one character a septet; 0x1B opens the extension.
GSM = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}  # fmt: skip
_EXTENDED = {"\x1b" + GSM[code]: letter for code, letter in GSM_EXTENSION.items()}
_GAP = "〇"  # where a part is missing: a letter, so that no word reaches over it
_REFERENCE_8, _REFERENCE_16 = 0x00, 0x08  # information elements of a header
_ASCII, _LATIN, _BINARY, _UCS2, _GBK = 1, 3, 4, 8, 15


class Part(NamedTuple):
    """Which part of a longer message this is: `number` of `total`, counted from 1."""

    reference: int
    total: int
    number: int


def part_of(submission: Submission) -> tuple[Part | None, bytes, bytes]:
    """The part that a submission is, and its message and payload without the header of parts."""
    message, payload = submission.message, submission.payload
    if submission.esm_class & HAS_HEADER:
        if message:
            part, message = _without_header(message)
        else:
            part, payload = _without_header(payload)
        return part, message, payload
    tlvs = submission.tlvs
    if SAR_REFERENCE in tlvs and SAR_TOTAL in tlvs and SAR_NUMBER in tlvs:
        numbers = [int.from_bytes(tlvs[tag], "big") for tag in (SAR_REFERENCE, SAR_TOTAL, SAR_NUMBER)]
        return _whole(Part(*numbers)), message, payload
    return None, message, payload


def readings(data_coding: int, message: bytes) -> tuple[str, ...]:
    """What a handset may show: one text, or two where the field does not settle which alphabet it is."""
    if not message:
        return ()
    alphabet = _alphabet(data_coding)
    if alphabet == _UCS2:
        return (message.decode("utf-16-be", "ignore"),)
    if alphabet == _GBK:
        return (message.decode("gb18030", "ignore"),)
    if alphabet == 0 and message.isascii():
        return (gsm_text(message),)
    if alphabet == _ASCII and message.isascii():
        return (message.decode("ascii"),)
    return message.decode("latin-1"), message.decode("gb18030" if alphabet < _LATIN else "utf-8", "ignore")


def gsm_text(message: bytes) -> str:
    """Septets in bytes -> text."""
    found, _ = codecs.charmap_decode(message, "ignore", GSM)
    if "\x1b" in found:
        for pair, letter in _EXTENDED.items():
            found = found.replace(pair, letter)
    return found


class JoinedParts:
    """The latest parts of long messages, for as long as `seconds` and at most `most` characters in all."""

    def __init__(self, *, most: int = 2_000_000, seconds: float = 600.0) -> None:
        self._most, self._seconds = most, seconds
        self._held: OrderedDict[Hashable, tuple[float, dict[int, str]]] = OrderedDict()
        self._characters = 0

    def add(self, whose: Hashable, part: Part, text: str, now: float) -> str:
        """What is known of the whole message with this part; a gap where a part is missing."""
        self._make_room(now)
        key = (whose, part.reference, part.total)
        begun, parts = self._held.get(key) or (now, {})
        self._held[key] = (begun, parts)
        self._characters += len(text) - len(parts.get(part.number, ""))
        parts[part.number] = text
        joined, last = "", 0
        for number in sorted(parts):
            joined += (_GAP if last and number > last + 1 else "") + parts[number]
            last = number
        return joined

    def _make_room(self, now: float) -> None:
        while self._held:
            key, (begun, parts) = next(iter(self._held.items()))
            if self._characters <= self._most and now - begun <= self._seconds:
                return
            self._characters -= sum(map(len, parts.values()))
            del self._held[key]


def _alphabet(data_coding: int) -> int:
    """SMPP's own values up to 15; above them the data coding scheme of 3GPP TS 23.038."""
    if data_coding <= _GBK:
        return data_coding
    group = data_coding >> 4
    if group == 0xF:
        return _BINARY if data_coding & 0x04 else 0
    if group >= 0xC:  # message waiting
        return _UCS2 if group == 0xE else 0
    return (0, _BINARY, _UCS2, _BINARY)[(data_coding >> 2) & 0x03]


def _without_header(message: bytes) -> tuple[Part | None, bytes]:
    if not message or 1 + message[0] > len(message):
        return None, message
    at, end, part = 1, 1 + message[0], None
    while at + 2 <= end:
        kind, length = message[at], message[at + 1]
        value = message[at + 2 : min(at + 2 + length, end)]
        if kind == _REFERENCE_8 and len(value) == 3:
            part = _whole(Part(value[0], value[1], value[2]))
        elif kind == _REFERENCE_16 and len(value) == 4:
            part = _whole(Part(value[0] << 8 | value[1], value[2], value[3]))
        at += 2 + length
    return part, message[end:]


def _whole(part: Part) -> Part | None:
    return part if 1 <= part.number <= part.total and part.total > 1 else None
