"""Device identity: the same for one telephone, however a switch writes its IMEI.

The first 14 digits identify the device (3GPP TS 23.003, 6.2). The digits after them do not: the check digit is never
sent over the air, so switches write it, a 0, or nothing; and the two digits of the software version change with an
update.
"""

from __future__ import annotations

from duanka.domain.text import BilingualText

DIGITS = 14
"""Digits of the identity: 8 of the type allocation code, 6 of the serial number."""

WRITTEN = "^[0-9]{14,16}$"
"""A written IMEI: the identity, alone or with a check digit or software version."""

COPIED = (
    "01234567890123",  # counting up: in examples, and in phones whose memory was rewritten
    "12345678901234",
    "12345678912345",
    "98765432109876",
    "13579024681122",  # in copied chips, sold by the hundred thousand
)
"""Identities that many telephones share because they were written into them."""

_ONE_DIGIT = "|".join(f"{digit}+" for digit in range(10))

PLACEHOLDER = f"^(?:{_ONE_DIGIT}|00[0-9]{{12}}|{'|'.join(COPIED)})$"
"""Pattern of the first 14 digits of an IMEI that identifies no device.

It matches one digit repeated, at any length, which switches write for an unknown device; reporting body 00,
which is for tests (GSMA TS.06); and COPIED.
"""

_MANY_SHARE = 0.01  # fraction of the records


def many_unknown(unknown: int, records: int) -> BilingualText | None:
    """Warn if many of `records` have no device, which weakens device rules; else None."""
    if unknown <= _MANY_SHARE * records:
        return None
    share = f"{unknown:,} / {records:,} ({unknown / records:.0%})"
    return BilingualText(
        f"{share} 条记录的 IMEI 为占位符（全零、同一数字、测试号），按终端未知处理：涉及终端的规则看不到这些记录",
        f"{share} records have a placeholder for an IMEI (zeros, one digit, test numbers): their device is unknown,"
        " and rules about devices do not see it",
    )
