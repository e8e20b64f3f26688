"""The identity of a device: one telephone, however a switch writes its IMEI.

The first 14 digits say which device it is (3GPP TS 23.003, 6.2). What follows them does not: the check digit is never
sent over the air, so that switches write it, a 0 or nothing in its place, and the two digits of a software version
change with an update.
"""

from __future__ import annotations

from duanka.domain.text import BilingualText

DIGITS = 14
"""Digits that are the identity: eight of the type allocation code, six of the serial number."""

WRITTEN = "^[0-9]{14,16}$"
"""A written IMEI: the identity alone, with a check digit, or with a software version."""

COPIED = (
    "01234567890123",  # counted up, as in examples and on telephones whose memory was written anew
    "12345678901234",
    "12345678912345",
    "98765432109876",
    "13579024681122",  # the number that copied chips were sold with by the hundred thousand
)
"""Identities that many telephones share since somebody wrote them there."""

_ONE_DIGIT = "|".join(f"{digit}+" for digit in range(10))

PLACEHOLDER = f"^(?:{_ONE_DIGIT}|00[0-9]{{12}}|{'|'.join(COPIED)})$"
"""The first 14 digits of what names no device: one digit over and over, of any length, as a switch writes where it
knows none; reporting body 00, whose identities are for tests (GSMA TS.06); and those of COPIED."""

_MANY = 0.01  # of the records


def many_unknown(unknown: int, records: int) -> BilingualText | None:
    """Say that many of `records` name no device, so that rules about devices see less; None where few do."""
    if unknown <= _MANY * records:
        return None
    share = f"{unknown:,} / {records:,} ({unknown / records:.0%})"
    return BilingualText(
        f"{share} 条记录的 IMEI 为占位符（全零、同一数字、测试号），按终端未知处理：涉及终端的规则看不到这些记录",
        f"{share} records have a placeholder for an IMEI (zeros, one digit, test numbers): their device is unknown,"
        " and rules about devices do not see it",
    )
