"""Record keys: 64-bit integers that stand for numbers, devices and cells in records.

Engines compare, group and sort integers several times faster than texts, and they take half the space. Digits stand
for themselves; any other text becomes a negative hash, and its text is kept beside the records. docs/STORE.md.
"""

from __future__ import annotations

from hashlib import blake2b

MOST_DIGITS = 18  # of an integer with 64 bits and a sign
DEVICE_DIGITS = 14
LONGEST = 64  # bytes hashed as they are; longer texts are replaced by a digest first
SHORT_KEYS_BELOW = -(1 << 62)
_WORD = (1 << 64) - 1
_FACTOR, _SHIFT = 0xC6A4A7935BD1E995, 47  # of MurmurHash64A


def key_of(text: str, *, device: bool = False) -> int:
    """The record key of `text`. `device`: it is an IMEI, whose zeros in front count.

    A text that is not just digits has the same key in every store and release.
    """
    digits = text.isascii() and text.isdigit()
    if device:
        return int(text) if digits and len(text) == DEVICE_DIGITS else opaque_key(text)
    return int(text) if digits and len(text) <= MOST_DIGITS and text[0] != "0" else opaque_key(text)


def opaque_key(text: str) -> int:
    """The negative key of any text; below SHORT_KEYS_BELOW if it is a short code."""
    data = text.encode("utf-8", "surrogatepass")
    hashed = _mixed(blake2b(data, digest_size=32).digest() if len(data) > LONGEST else data)
    return -1 - (hashed >> 2) + (SHORT_KEYS_BELOW if is_short_code(text) else 0)


def is_short_code(text: str) -> bool:
    """Whether a verification code may come from this number.

    It comes from three to six digits, or a service number under 106. Pseudonymised deliveries mark these with the
    prefix "short:" (see docs/MAPPING.md).
    """
    return len(text) <= 6 or text.startswith(("106", "short:"))


def _mixed(data: bytes) -> int:
    """MurmurHash64A of `data`, padded with zeros to whole words; `ingest.storage.key_columns` does it by column."""
    mixed = (len(data) * _FACTOR) & _WORD
    for first in range(0, len(data), 8):
        word = (int.from_bytes(data[first : first + 8], "little") * _FACTOR) & _WORD
        word = ((word ^ (word >> _SHIFT)) * _FACTOR) & _WORD
        mixed = ((mixed ^ word) * _FACTOR) & _WORD
    mixed = ((mixed ^ (mixed >> _SHIFT)) * _FACTOR) & _WORD
    return mixed ^ (mixed >> _SHIFT)


def text_of(key: int, *, device: bool = False) -> str:
    """The digits of a key that is not negative."""
    return f"{key:0{DEVICE_DIGITS}}" if device else str(key)


def short_code_sql(column: str) -> str:
    """SQL condition: the record key `column` is a short code, as `is_short_code` says of its text."""
    under_106 = (
        f"{column} BETWEEN 106{'0' * more} AND 106{'9' * more}" for more in range(4, MOST_DIGITS - 3 + 1)
    )
    return (
        f"({' OR '.join([f'{column} BETWEEN 0 AND 999999', f'{column} < {SHORT_KEYS_BELOW}', *under_106])})"
    )
