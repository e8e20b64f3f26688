"""What a submission says: its fields without headers, and which part of a longer text each of them is."""

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
_REFERENCE_8, _REFERENCE_16 = 0x00, 0x08  # information elements of a header
# A header by its looks, where the bit that should announce it is missing.
_LIKE_HEADER = (b"\x05\x00\x03", b"\x06\x08\x04")
_MOST = 4  # of fields, references or parts that one message has more of than any honest one: the first and the last


class MessagePart(NamedTuple):
    """Which part of a longer message this is: `number` of `total`, counted from 1."""

    reference: int
    total: int
    number: int


class Content(NamedTuple):
    """Bytes that a handset may show, and the parts that they may be."""

    data: bytes
    parts: tuple[MessagePart, ...]


def whole_text(submission: Submission) -> bytes | None:
    """The text of nearly all submissions, which can be shown in one way alone; None where `contents_of` must say."""
    if submission.parameters or submission.esm_class & HAS_HEADER or submission.command == REPLACE_SM:
        return None
    message = submission.message
    return None if message.startswith(_LIKE_HEADER) else message


def contents_of(submission: Submission) -> list[Content]:
    """Every way in which the fields of a submission may be shown: with and without header, each alone and joined.

    A header that contradicts itself (it is longer than the text, its elements do not fill it) is taken off as far as it
    can be read; what follows it, the text with it, and the text behind its first byte are all judged.
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
        if announced or field.startswith(_LIKE_HEADER):
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


def part_of(submission: Submission) -> tuple[MessagePart | None, bytes, bytes]:
    """The part that a submission is by its announced header, and its message and payload without that header."""
    message, payload = submission.message, submission.payload
    parts: tuple[MessagePart, ...] = ()
    if submission.esm_class & HAS_HEADER:
        if message:
            parts, message, _ = _without_header(message)
        elif payload:
            parts, payload, _ = _without_header(payload)
    else:
        parts = _sar_parts(submission)
    return (parts[0] if parts else None), message, payload


def _sar_parts(submission: Submission) -> tuple[MessagePart, ...]:
    named: dict[int, list[int]] = {SAR_REFERENCE: [], SAR_TOTAL: [], SAR_NUMBER: []}
    for tag, value in submission.parameters:
        if tag in named:
            named[tag].append(int.from_bytes(value, "big"))
    parts = [MessagePart(*numbers) for numbers in product(*map(_ends, named.values()))]
    return _possible(parts)


def _without_header(field: bytes) -> tuple[tuple[MessagePart, ...], bytes, bool]:
    """The parts that a header names, what stands behind it, and whether the header is whole."""
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
        elif not fits:  # the text begins here, as far as anybody can tell
            break
        at += 2 + length
    return _possible(parts), field[end if fits else at :], fits and at == end


def _possible(parts: list[MessagePart]) -> tuple[MessagePart, ...]:
    return tuple(_ends([one for one in dict.fromkeys(parts) if one.number >= 1]))


def _ends(some: list[T]) -> list[T]:
    """Those that a handset or centre may take where there are too many: the first and the last."""
    return some if len(some) <= _MOST else [*some[: _MOST // 2], *some[-_MOST // 2 :]]
