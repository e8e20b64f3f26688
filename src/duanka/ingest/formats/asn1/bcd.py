"""Decodes digits in half octets (BCD) of charging records."""

from __future__ import annotations

_TBCD = "0123456789*#abc"
_INTERNATIONAL = 1  # type of number, 3GPP TS 24.008 10.5.4.7


def tbcd(octets: bytes) -> str:
    """Digits of a TBCD-STRING (3GPP TS 29.002), low half first, up to the filler."""
    digits: list[str] = []
    for octet in octets:
        for half in (octet & 0x0F, octet >> 4):
            if half == 0x0F:
                return "".join(digits)
            digits.append(_TBCD[half])
    return "".join(digits)


def bcd(octets: bytes) -> str:
    """Digits of a BCDString (GSMA TD.57), high half first, without the filler."""
    return octets.hex().rstrip("f")


def address(octets: bytes) -> str:
    """Decode a number after an octet with its type and plan; `+` if international."""
    if not octets:
        return ""
    sign = "+" if octets[0] >> 4 & 7 == _INTERNATIONAL else ""
    digits = tbcd(octets[1:])
    return sign + digits if digits else ""
