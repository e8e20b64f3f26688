"""Decoding of a message in every alphabet that a handset may show it in."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from functools import lru_cache

# 3GPP TS 23.038: the default alphabet, one character per septet; 0x1B opens the extension table.
GSM = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}  # fmt: skip
_EXTENDED = {"\x1b" + GSM[code]: letter for code, letter in GSM_EXTENSION.items()}
_ESCAPE = "\x1b"
_OF_ALL_BYTES = GSM + GSM  # SMSCs that pack bytes into septets drop the eighth bit
_ASCII, _LATIN, _BINARY, _UCS2, _GBK = 1, 3, 4, 8, 15
_BY_CODING = {5: "shift_jis", 6: "iso8859_5", 7: "iso8859_8", 10: "iso2022_jp", 13: "euc_jp", 14: "euc_kr"}
_CONTROLS = bytes([*range(0x20), 0x7F, *range(0x80, 0xA0), 0xFF])
_NO_ASCII = bytes([*range(0x20), *range(0x7F, 0x100)])
_WITHOUT_EIGHTH = bytes(code & 0x7F for code in range(256))
_OF_SEVERAL_BYTES = re.compile(rb"[\xc2-\xf4][\x80-\xbf]")
_NOT_PLAIN = re.compile(rb"[^\n\r -~]")
_BLANKS = bytes(code if 0x20 <= code < 0x7F else 0x20 for code in range(256))
_WAP_ENDINGS = {b"\x85": b".com/", b"\x86": b".edu/", b"\x87": b".net/", b"\x88": b".org/"}
_WAP_ENDING = re.compile(rb"\x00([\x85-\x88])\x03?")
_GB18030 = codecs.getdecoder("gb18030")
_LITTLE_ENDIAN = b"\xff\xfe"
_LONGEST_PACKED = 255  # bytes of a short message; a payload is never packed

Reader = Callable[[bytes], str]


def readings(data_coding: int, message: bytes) -> tuple[str, ...]:
    """Return the texts that a handset may show; the claimed one comes first.

    Gateways and SMSCs use an alphabet per account for `data_coding` 0, swap bytes, or pass on what handsets guess: so
    every alphabet is tried under every value.
    """
    if not message:
        return ()
    alphabet = alphabet_of(data_coding)
    # a message that claims two bytes per character is not also read as one byte per character, unless it is pure ASCII
    if alphabet in (_UCS2, _GBK) and not message.isascii():
        utf16_be, gbk = _utf16_be(message), _gbk(message)
        first = gbk if alphabet == _GBK else utf16_be
        if alphabet == _UCS2 and message.startswith(_LITTLE_ENDIAN):
            first = _utf16_le(message[2:])
        found = {first: None, utf16_be: None, _utf16_le(message): None, _utf8(message): None, gbk: None}
    else:
        first = claimed(data_coding, message)
        found = {first: None}
        for reader in (*READERS, *_more_readers(data_coding, message)):
            found[reader(message)] = None
    if first and "" in found:
        del found[""]
    return tuple(found)


# The same part is decoded alone, and again for each longer text that it may belong to.
readings_again = lru_cache(maxsize=4)(readings)


def claimed(data_coding: int, message: bytes) -> str:
    """Decode as `data_coding` claims; Latin-1 where that is not possible."""
    alphabet = alphabet_of(data_coding)
    if alphabet == _UCS2:
        return _utf16_le(message[2:]) if message.startswith(_LITTLE_ENDIAN) else _utf16_be(message)
    if alphabet == _GBK:
        return message.decode("gb18030", "ignore")
    if alphabet == 0 and message.isascii():
        return gsm_text(message)
    return message.decode("latin-1")


def alphabet_of(data_coding: int) -> int:
    """Return the alphabet as an SMPP value; codings above 15 follow 3GPP TS 23.038."""
    if data_coding <= _GBK:
        return data_coding
    group = data_coding >> 4
    if group == 0xF:
        return _BINARY if data_coding & 0x04 else 0
    if group >= 0xC:  # message waiting indication
        return _UCS2 if group == 0xE else 0
    return (0, _BINARY, _UCS2, _BINARY)[(data_coding >> 2) & 0x03]


def gsm_text(message: bytes) -> str:
    """Decode unpacked GSM 7-bit text (one septet per byte).

    An escape that opens nothing shows the character behind it. National tables are read as the default table; a to z,
    digits and the dot have the same codes in all of them.
    """
    found, _ = codecs.charmap_decode(message, "ignore", _OF_ALL_BYTES)
    if _ESCAPE in found:
        for pair, letter in _EXTENDED.items():
            found = found.replace(pair, letter)
        found = found.replace(_ESCAPE, "")
    return found


def _utf16_be(message: bytes) -> str:
    return codecs.utf_16_be_decode(message, "ignore", True)[0]  # bytes.decode is slower


def _utf16_le(message: bytes) -> str:
    return codecs.utf_16_le_decode(message, "ignore", True)[0]


def _utf8(message: bytes) -> str:
    return message.decode("utf-8", "ignore") if _OF_SEVERAL_BYTES.search(message) else ""


def _gbk(message: bytes) -> str:
    return "" if message.isascii() else _GB18030(message, "ignore")[0]


def _ascii(message: bytes) -> str:
    return message.translate(None, _NO_ASCII).decode("ascii")


def _seven_bits(message: bytes) -> str:
    """Decode like an SMSC that drops the eighth bit."""
    return "" if message.isascii() else message.translate(_WITHOUT_EIGHTH, _CONTROLS).decode("ascii")


_OF_SEVERAL: tuple[Reader, ...] = (_utf16_be, _utf16_le, _utf8, _gbk)
READERS: tuple[Reader, ...] = (*_OF_SEVERAL, _ascii, _seven_bits)
"""Each returns the text, or an empty one where another reader gives the same."""


def _more_readers(data_coding: int, message: bytes) -> Iterator[Reader]:
    """Yield readers for codings of one byte or one septet per character."""
    if data_coding in _BY_CODING:
        yield lambda one: one.decode(_BY_CODING[data_coding], "ignore")
    yield gsm_text
    if _WAP_ENDING.search(message):
        yield _wap_link
    if (
        alphabet_of(data_coding) in (0, 2, _BINARY)
        and len(message) <= _LONGEST_PACKED
        and _NOT_PLAIN.search(message)
    ):
        yield lambda one: gsm_text(_unpacked(one, 0))
        yield lambda one: gsm_text(_unpacked(one, 1))  # after a header of six bytes


def _wap_link(message: bytes) -> str:
    """Decode a link of a service indication (WAP-167): one byte may stand for .com/."""
    whole = _WAP_ENDING.sub(lambda found: _WAP_ENDINGS[found[1]], message)
    return whole.translate(_BLANKS).decode("ascii")


def _unpacked(message: bytes, fill: int) -> bytes:
    """Unpack septets (3GPP TS 23.038, 6.1.2); `fill`: bits before the first.

    Works on the whole message as one integer: the upper half of the septets is shifted away from the lower by one bit
    per septet of a half, then the same within each half, down to single septets.
    """
    count = (8 * len(message) - fill) // 7
    bits = int.from_bytes(message, "little") >> fill & (1 << 7 * count) - 1
    for half, lower, upper in _HALVES:
        if half < count:
            bits = bits & lower | (bits & upper) << half
    return bits.to_bytes(count, "little")


def _halves(most: int) -> Iterator[tuple[int, int, int]]:
    """Yield the steps for at least `most` septets: half size, lower mask, upper mask."""
    half = 1 << (most - 1).bit_length() - 1
    whole = 2 * half
    while half:
        lower = sum(((1 << 7 * half) - 1) << at * 16 * half for at in range(whole // (2 * half)))
        yield half, lower, lower << 7 * half
        half //= 2


_HALVES = tuple(_halves(8 * _LONGEST_PACKED // 7 + 1))
