"""Device identity: the same for one telephone, however a switch writes its IMEI.

The first 14 digits identify the device (3GPP TS 23.003, 6.2). The digits after them do not: the check digit is never
sent over the air, so switches write it, a 0, or nothing; and the two digits of the software version change with an
update.
"""

from __future__ import annotations

import re
import unicodedata

from duanka.domain.errors import DuankaError
from duanka.domain.text import BilingualText


class MalformedDevice(DuankaError):
    """The text is no IMEI."""


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

_BETWEEN = re.compile(r"[\s/.,-]|^imei(?:sv)?[ :=]*", re.IGNORECASE)
_DIGITS = re.compile("[0-9]+")


def identity_of(text: str) -> str:
    """The identity that a person names by an IMEI in any form in which it is written; else `text` without its ends.

    MalformedDevice: the check digit is wrong, so that another digit may be too. A switch writes 0 in its place.
    """
    plain = _BETWEEN.sub("", unicodedata.normalize("NFKC", text).strip())
    if not re.fullmatch(WRITTEN, plain):
        return plain if _DIGITS.fullmatch(plain) else text.strip()
    identity, check = plain[:DIGITS], plain[DIGITS:]
    wrong = len(check) == 1 and check not in ("0", right := check_digit(identity))
    if wrong and not re.search(PLACEHOLDER, identity):
        raise MalformedDevice(
            f"the last digit of IMEI {plain} would be {right}: it is a check digit, so that a digit is wrong; if the"
            f" device bears it so, give its first {DIGITS} digits alone"
        )
    return identity


def check_digit(identity: str) -> str:
    """The digit that is printed after the 14 of the identity (Luhn; 3GPP TS 23.003, B), and not sent."""
    total = 0
    for place, digit in enumerate(map(int, identity)):
        total += sum(divmod(2 * digit, 10)) if place % 2 else digit
    return str(-total % 10)


def why_no_device(text: str) -> str:
    """Why digits that records have not are no number of one device; empty: they may be one, or no digits."""
    if not _DIGITS.fullmatch(text):
        return ""
    if re.search(PLACEHOLDER, text[:DIGITS]):
        return "switches write it for a device that they do not know, or many telephones bear it"
    if len(text) != DIGITS:
        return f"an IMEI has {DIGITS} digits, with check digit 15 or with software version 16, and this has {len(text)}"
    return ""


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
