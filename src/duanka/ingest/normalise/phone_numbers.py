"""Normalises phone numbers of any usual form to E.164 without `+`.

Chinese mobile numbers and numbers already in E.164 are recognised for whole columns; the rest is parsed by
`phonenumbers`, once for each distinct value.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from duanka.domain.phone_number import FIXED, LAB, MACHINE, MOBILE, dialled, parse
from duanka.ingest.normalise.digit_ranges import DigitRanges, Integers, Mask

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

# Canonical Chinese numbers: mobile (86 1xx, 13 digits), IoT cards (86 + 13 digits), landlines, cards of test systems.
_CHINESE = f"86(?:{MOBILE}|{MACHINE}|{FIXED}|{LAB})"
_SERVICE_CN = r"[1-9][0-9]{2,7}|106[0-9]{2,18}"
_SERVICE = r"[1-9][0-9]{2,5}"  # outside China seven digits may be a full number
_CARD = f"^(?:{_CHINESE})$"
_PEER_CN = f"^(?:{_CHINESE}|{_SERVICE_CN})$"
_PEER = f"^(?:{_CHINESE}|{_SERVICE})$"
_MACHINE = r"^1064[6-9][0-9]{8}$"  # an IoT card without 86 looks like a service number
_SEPARATORS = r"[\s\-()]"  # without the point: 1380013800.0 is a number stored as float
# In China, the national or the international form; abroad, only the latter is certainly Chinese.
_HOME = f"^(?:(?:[+]|00)?86)?({MOBILE}|{MACHINE})$"
_ABROAD = f"^(?:[+]|00)86({MOBILE}|{MACHINE})$"
# The same for digits alone, as integers. First class: to be preceded by 86; second: canonical.
_NATIONAL = (*MOBILE.split("|"), *MACHINE.split("|"))
_CANONICAL = tuple(f"86{one}" for one in (*_NATIONAL, *FIXED.split("|"), LAB))
_RANGES = {  # by: in China, `bare` is E.164, peers
    (True, True, True): DigitRanges(_NATIONAL, (*_CANONICAL, *_SERVICE_CN.split("|"))),
    (True, True, False): DigitRanges(_NATIONAL, _CANONICAL),
    (False, True, True): DigitRanges((), (*_CANONICAL, _SERVICE)),
    (False, True, False): DigitRanges((), _CANONICAL),
    (True, False, True): DigitRanges(_NATIONAL, [f"86{one}" for one in _NATIONAL]),
    (True, False, False): DigitRanges(_NATIONAL, [f"86{one}" for one in _NATIONAL]),
}
_WITHOUT_86, _SAME = 1, 2  # numbers of these classes

_LONG_SERVICE = re.compile(r"(?:10|12|95|96)[0-9]{3,19}")
_SHORT_CN = re.compile(_SERVICE_CN)
_SHORT = re.compile(r"[1-9][0-9]{2,7}")
_LONGEST_SERVICE = 8  # maximum digits of a service number that begins with 86
_DIGITS = re.compile(r"[0-9]{1,40}")
_CACHE_LIMIT = 500_000  # distinct numbers cached between blocks, about 100 MB

SHORT_PREFIX = "short:"  # marks a short code among opaque numbers, which have any length


class Numbers:
    """Normalises columns of phone numbers.

    `region`: two-letter country of numbers without a country code. `opaque`: numbers are pseudonyms and stay
    unchanged. `bare`: preferred meaning of digits without `+` or `00`, "e164" or "national".
    """

    def __init__(self, region: str = "CN", *, opaque: bool = False, bare: str = "e164") -> None:
        self.opaque = opaque
        self.region = region
        self._bare = bare
        self._known: dict[tuple[str, bool], str | None] = {}

    def normalise(self, text: pl.Series, *, peer: bool, opaque: bool = False) -> pl.Series:
        """Return the canonical numbers of trimmed `text`; null for impossible ones.

        `peer`: also accept short codes and service numbers.
        """
        if opaque or self.opaque:
            return text
        if self._bare == "e164":
            # E.164 and service numbers stay unchanged; a block of only these is done here
            peers = _PEER_CN if self.region == "CN" else _PEER
            plain = text.str.contains(peers if peer else _CARD).fill_null(True)
            if peer and self.region == "CN":
                plain &= ~text.str.contains(_MACHINE).fill_null(False)
            if plain.all():
                return text
            return text.zip_with(plain, self._odd(text.filter(~plain), plain, peer=peer))
        everything = pl.repeat(False, len(text), eager=True)
        return self._odd(text, everything, peer=peer)

    def plain(self, digits: Integers, *, peer: bool) -> tuple[Mask, Mask]:
        """Masks of the texts that `normalise` leaves as they are, and of those before which it only puts 86.

        `digits`: see digit_ranges.integers; those in neither mask are for `normalise`.
        """
        ranges = _RANGES.get((self.region == "CN", self._bare == "e164", peer))
        kinds = np.zeros(len(digits), np.uint8) if ranges is None else ranges.of(digits)
        return kinds == _SAME, kinds == _WITHOUT_86

    def _odd(self, odd: pl.Series, plain: pl.Series, *, peer: bool) -> pl.Series:
        """Normalise `odd`, the values where `plain` is False; nulls for the others."""
        clean = odd.str.replace_all(_SEPARATORS, "")
        mobile = "86" + clean.str.extract(_HOME if self.region == "CN" else _ABROAD, 1)
        rest = odd.filter(mobile.is_null() & odd.is_not_null()).unique()
        if len(rest):
            found = {text: self._one(text, peer) for text in rest.to_list()}
            slow = odd.replace_strict(
                pl.Series(list(found), dtype=pl.String),
                pl.Series(list(found.values()), dtype=pl.String),
                default=None,
                return_dtype=pl.String,
            )
            mobile = mobile.zip_with(mobile.is_not_null(), slow)
        positions = (~plain).arg_true()
        return pl.repeat(None, len(plain), dtype=pl.String, eager=True).scatter(positions, mobile)

    def _one(self, text: str, peer: bool) -> str | None:
        # keep a reference: another thread, reading another column, may replace the cache
        known = self._known
        key = (text, peer)
        try:
            return known[key]
        except KeyError:
            found = e164(text, self.region, peer=peer, bare=self._bare)
        if len(known) >= _CACHE_LIMIT:
            known.clear()
        known[key] = found
        return found


def e164(text: str, region: str, *, peer: bool, bare: str = "e164") -> str | None:
    """One number in E.164 without `+`, a service number unchanged; None if invalid."""
    number = dialled(text)
    china = parse(text) if region == "CN" else parse(text, "")
    if china and china.startswith("86"):
        return china
    found = _by_plan(number, region, peer=peer, bare=bare)
    # a number with 86 that is not in China's numbering plan is invalid: a digit too few, for example
    unknown = found and found.startswith("86") and not (peer and len(found) <= _LONGEST_SERVICE)
    return None if unknown else found


def _by_plan(number: str, region: str, *, peer: bool, bare: str) -> str | None:
    """Parse a number outside China's plan; service numbers stay unchanged."""
    abroad = number.startswith(("+", "00"))
    digits = number.removeprefix("+") if number.startswith("+") else number.removeprefix("00")
    if not _DIGITS.fullmatch(digits):
        return None
    if abroad:
        return _read("+" + digits, None) or parse(number, "")
    if _SHORT.fullmatch(digits):
        # a short code or, outside China, a full number
        whole = None if region == "CN" or len(digits) < 7 else _read(digits, region, sure=True)
        return whole or (digits if peer else None)
    if peer and region == "CN" and _SHORT_CN.fullmatch(digits):
        return digits
    return _at_home(digits, region, peer=peer, bare=bare)


def _at_home(digits: str, region: str, *, peer: bool, bare: str) -> str | None:
    """Parse digits without `+` or `00`."""
    if len(digits) < 5:
        return None
    if digits.startswith("0") or bare == "national":
        found = _read(digits, region)
    else:
        # prefer the reading in which the number is assigned; else E.164, as docs define it
        found = _read("+" + digits, None, sure=True) or _read(digits, region, sure=True)
        found = found or _read("+" + digits, None) or _read(digits, region)
    if found is None and peer and region == "CN" and _LONG_SERVICE.fullmatch(digits):
        return digits
    return found


def _read(text: str, region: str | None, *, sure: bool = False) -> str | None:
    """Parse by `phonenumbers`; `sure`: valid in its plan, not only of possible length."""
    import phonenumbers  # noqa: PLC0415  # takes 0.2 s, and most deliveries do not need it

    number = _parsed(text, region)
    if number is None:
        return None
    fits = phonenumbers.is_valid_number(number) if sure else phonenumbers.is_possible_number(number)
    if not fits:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")


@lru_cache(maxsize=16)  # a number is asked for twice in each of its readings, first surely
def _parsed(text: str, region: str | None) -> PhoneNumber | None:
    import phonenumbers  # noqa: PLC0415

    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
