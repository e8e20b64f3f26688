"""Splitting a notice into short messages, and parsing its delivery receipts.

Sources: SMPP 3.4, 3GPP TS 23.040.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from duanka.domain.network import ElementRefused
from duanka.network.smpp.text_encodings import GSM, GSM_EXTENSION

_GSM_CODES = {letter: bytes((code,)) for code, letter in enumerate(GSM) if letter != "\x1b"} | {
    letter: bytes((0x1B, code)) for code, letter in GSM_EXTENSION.items()
}
# Capacity of a single message, and of each part of several: septets, and 16-bit units.
_SEPTETS, _SEPTETS_OF_PART = 160, 153
_UNITS, _UNITS_OF_PART = 70, 67
_MAX_PARTS = 255
_FIELD = re.compile(r"\b(id|stat|err):(\S*)", re.IGNORECASE)

_DELIVERED = "DELIVRD"
_FAILED = ("EXPIRED", "DELETED", "UNDELIV", "UNKNOWN", "REJECTD")
_STATES = {2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV", 7: "UNKNOWN", 8: "REJECTD"}


class MessageIds(StrEnum):
    """How an SMSC writes a message id in its response and in a receipt's text."""

    SAME = "same"
    HEXADECIMAL_ANSWERS = "hexadecimal_answers"  # decimal in the receipt's text
    HEXADECIMAL_RECEIPTS = "hexadecimal_receipts"  # decimal in the response

    def of_answer(self, said: str) -> str:
        """Normalise an id from a response: decimal where response and receipt use different forms."""
        return self._plain(said, self.HEXADECIMAL_ANSWERS)

    def of_receipt(self, said: str) -> str:
        """Normalise an id from a receipt's text; the tag receipted_message_id has the response's form."""
        return self._plain(said, self.HEXADECIMAL_RECEIPTS)

    def _plain(self, said: str, hexadecimal: MessageIds) -> str:
        if self is self.SAME:
            return said
        try:
            return str(int(said, 16 if self is hexadecimal else 10))
        except ValueError:
            return said


class Cut(NamedTuple):
    """A split text. `parts`: bytes of each message; each has a header if several."""

    data_coding: int
    parts: Sequence[bytes]


class Said(NamedTuple):
    """Content of a receipt. `state`: as in SMPP 3.4, appendix B; empty if not final."""

    message_id: str
    delivered: bool
    state: str


def cut(text: str, whose: str) -> Cut:
    """Split `text`: GSM 7-bit if possible, UCS-2 otherwise.

    ElementRefused beyond 255 parts. The same text to the card `whose` always gets the same reference, so that
    a part that is sent again completes the message.
    """
    if all(letter in _GSM_CODES for letter in text):
        coding, most, most_of_part = 0, _SEPTETS, _SEPTETS_OF_PART
        letters = [_GSM_CODES[letter] for letter in text]
    else:
        coding, most, most_of_part = 8, 2 * _UNITS, 2 * _UNITS_OF_PART  # UCS-2: two bytes a unit
        letters = [letter.encode("utf-16-be", "replace") for letter in text]  # a surrogate pair is not split
    whole = b"".join(letters)
    if len(whole) <= most:
        return Cut(coding, [whole])
    parts = list(_filled(letters, most_of_part))
    if len(parts) > _MAX_PARTS:
        raise ElementRefused(f"a notice of {len(text)} letters does not fit into {_MAX_PARTS} messages")
    reference = zlib.crc32(f"{whose} {text}".encode()) & 0xFF
    head = bytes((5, 0, 3, reference, len(parts)))
    return Cut(coding, [head + bytes((number,)) + part for number, part in enumerate(parts, 1)])


def said(text: bytes, receipted_id: str, state: int | None, ids: MessageIds) -> Said | None:
    """Parse a receipt from its text and its tags; None if it names no message."""
    fields = {key.lower(): value for key, value in _FIELD.findall(text.decode("latin-1"))}
    if receipted_id:
        message_id = ids.of_answer(receipted_id)
    elif fields.get("id"):
        message_id = ids.of_receipt(fields["id"])
    else:
        return None
    named = fields.get("stat", "").upper()[:7]
    if state is not None and not named:
        named = _STATES.get(state, "")
    final = named if named == _DELIVERED or named in _FAILED else ""
    error = fields.get("err", "").strip("0")
    detail = f"{final} {fields['err']}" if final and final != _DELIVERED and error else final
    return Said(message_id, final == _DELIVERED, detail)


def _filled(letters: Sequence[bytes], most: int) -> Iterator[bytes]:
    part = b""
    for letter in letters:
        if len(part) + len(letter) > most:
            yield part
            part = b""
        part += letter
    yield part
