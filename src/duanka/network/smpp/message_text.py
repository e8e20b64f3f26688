"""Text fields of a submission, and which parts of a longer text they may be."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple, TypeVar

from duanka.network.smpp.codec import (
    HAS_HEADER,
    REPLACE_SM,
    SAR_NUMBER,
    SAR_REFERENCE,
    SAR_TOTAL,
    Submission,
)

T = TypeVar("T")
_REFERENCE_8, _REFERENCE_16 = 0x00, 0x08  # information elements: 8-bit and 16-bit concatenation
# First bytes of a concatenation header, in case the bit that announces it is missing.
_HEADER_PREFIXES = (b"\x05\x00\x03", b"\x06\x08\x04")
_MAX_REPEATS = 4  # fields, references or parts used of one message: the first and last ones


class MessagePart(NamedTuple):
    """Position in a longer message: `number` of `total`, counted from 1."""

    reference: int
    total: int
    number: int


class Content(NamedTuple):
    """Bytes that a handset may show, and the message parts that they may be."""

    data: bytes
    parts: tuple[MessagePart, ...]


def whole_text(submission: Submission) -> bytes | None:
    """Return the text if it can be shown in one way only, as nearly all can; None: use `contents_of`."""
    if submission.parameters or submission.esm_class & HAS_HEADER or submission.command == REPLACE_SM:
        return None
    message = submission.message
    return None if message.startswith(_HEADER_PREFIXES) else message


def contents_of(submission: Submission) -> list[Content]:
    """Return every way in which a handset may show the fields of a submission.

    With and without header, each field alone and all joined. An inconsistent header (longer than the text, or not
    filled by its elements) is removed as far as it can be parsed; then the rest, the text with the header, and the
    text from its second byte are all returned.
    """
    only = whole_text(submission)
    if only is not None:
        return [Content(only, ())]
    announced = submission.esm_class & HAS_HEADER or submission.command == REPLACE_SM
    message = submission.message
    every = [one for one in (message, *submission.payloads) if one]
    fields = _ends(every)
    sar = _sar_parts(submission)
    found: list[Content] = []
    bodies = every if len(every) > len(fields) else []
    for field in fields:
        if announced or field.startswith(_HEADER_PREFIXES):
            parts, body, whole = _without_header(field)
            found += [Content(body, parts + sar), Content(field, ())]
            if not whole:
                found.append(Content(field[1:], ()))
        else:
            body = field
            found.append(Content(field, sar))
        if bodies is not every:
            bodies.append(body)
    if len(bodies) > 1:
        found.append(Content(b"".join(bodies), ()))
    return found


def _sar_parts(submission: Submission) -> tuple[MessagePart, ...]:
    named: dict[int, list[int]] = {SAR_REFERENCE: [], SAR_TOTAL: [], SAR_NUMBER: []}
    for tag, value in submission.parameters:
        if tag in named:
            named[tag].append(int.from_bytes(value, "big"))
    parts = [MessagePart(*numbers) for numbers in product(*map(_ends, named.values()))]
    return _possible(parts)


def _without_header(field: bytes) -> tuple[tuple[MessagePart, ...], bytes, bool]:
    """Return the parts named by a header, the bytes after it, and whether it is valid."""
    if not field:
        return (), b"", True
    at, end = 1, 1 + field[0]
    fits = end <= len(field)
    end = end if fits else len(field)
    parts = []
    while at + 2 <= end:
        kind, length = field[at], field[at + 1]
        if at + 2 + length > end:
            break
        value = field[at + 2 : at + 2 + length]
        if kind == _REFERENCE_8 and length == 3:
            parts.append(MessagePart(value[0], value[1], value[2]))
        elif kind == _REFERENCE_16 and length == 4:
            parts.append(MessagePart(value[0] << 8 | value[1], value[2], value[3]))
        elif not fits:  # best guess: the text begins here
            break
        at += 2 + length
    return _possible(parts), field[end if fits else at :], fits and at == end


def _possible(parts: list[MessagePart]) -> tuple[MessagePart, ...]:
    return tuple(_ends([one for one in dict.fromkeys(parts) if one.number >= 1]))


def _ends(some: list[T]) -> list[T]:
    """Return the first and last few of too many: handsets and SMSCs differ in which they take."""
    return some if len(some) <= _MAX_REPEATS else [*some[: _MAX_REPEATS // 2], *some[-_MAX_REPEATS // 2 :]]
