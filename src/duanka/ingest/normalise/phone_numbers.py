"""Telephone numbers: any usual way to write one -> E.164 without `+`.

Chinese mobile numbers and numbers that are E.164 already are recognised a whole column at a time; what is left
goes through `phonenumbers`, once for each distinct value.
"""

from __future__ import annotations

import re

import polars as pl

from duanka.domain.phone_number import FIXED, MACHINE, MOBILE, dialled, parse

# Mobile (86 1xx, 13 digits), machine cards (86 + 13 digits) and landlines, as they are to be.
_CHINESE = f"86(?:{MOBILE}|{MACHINE}|{FIXED})"
_SERVICE_CN = r"[1-9][0-9]{2,7}|106[0-9]{2,18}"
_SERVICE = r"[1-9][0-9]{2,5}"  # elsewhere seven digits may be a whole number
_CARD = f"^(?:{_CHINESE})$"
_PEER_CN = f"^(?:{_CHINESE}|{_SERVICE_CN})$"
_PEER = f"^(?:{_CHINESE}|{_SERVICE})$"
_MACHINE = r"^1064[6-9][0-9]{8}$"  # a machine card without 86 looks like a service number
_SEPARATORS = r"[\s\-()]"  # not the point: 1380013800.0 is a number that became a float
# Written for home or abroad; outside China only the latter is surely Chinese.
_HOME = f"^(?:(?:[+]|00)?86)?({MOBILE}|{MACHINE})$"
_ABROAD = f"^(?:[+]|00)86({MOBILE}|{MACHINE})$"

_LONG_SERVICE = re.compile(r"(?:10|12|95|96)[0-9]{3,19}")
_SHORT_CN = re.compile(_SERVICE_CN)
_SHORT = re.compile(r"[1-9][0-9]{2,7}")
_LONGEST_SERVICE = 8  # digits of one that begins with 86
_DIGITS = re.compile(r"[0-9]{1,40}")
_CACHE_LIMIT = 500_000  # distinct numbers remembered between blocks, about 100 MB

SHORT_PREFIX = "short:"  # marks a short code among opaque numbers, whose length says nothing


class Numbers:
    """Normalises columns of numbers.

    `region`: two letters, the country whose numbers come without a country code. `opaque`: numbers are
    pseudonyms and stay as they are. `bare`: what digits without `+` or `00` mean first, "e164" or "national".
    """

    def __init__(self, region: str = "CN", *, opaque: bool = False, bare: str = "e164") -> None:
        self.opaque = opaque
        self.region = region
        self._bare = bare
        self._known: dict[tuple[str, bool], str | None] = {}

    def normalise(self, text: pl.Series, *, peer: bool, opaque: bool = False) -> pl.Series:
        """Return the canonical numbers of trimmed `text`; null where a number is impossible.

        `peer`: short codes and service numbers may stand too. A number that is null stays null.
        """
        if opaque or self.opaque:
            return text
        if self._bare == "e164":
            # What is E.164 or a service number already stays; a block of such numbers ends here.
            peers = _PEER_CN if self.region == "CN" else _PEER
            plain = text.str.contains(peers if peer else _CARD).fill_null(True)
            if peer and self.region == "CN":
                plain &= ~text.str.contains(_MACHINE).fill_null(False)
            if plain.all():
                return text
            return text.zip_with(plain, self._odd(text.filter(~plain), plain, peer=peer))
        everything = pl.repeat(False, len(text), eager=True)
        return self._odd(text, everything, peer=peer)

    def _odd(self, odd: pl.Series, plain: pl.Series, *, peer: bool) -> pl.Series:
        """Return a column as long as `plain` that holds, where that is false, what `odd` is in E.164."""
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
        # Two columns are read at a time: the other one may empty the cache at any moment.
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
    """Return one number as E.164 without `+` (a service number as it stands), or None when there is no such."""
    number = dialled(text)
    china = parse(text) if region == "CN" else parse(text, "")
    if china and china.startswith("86"):
        return china
    found = _by_plan(number, region, peer=peer, bare=bare)
    # What the plan of China does not know is nobody's there: a digit too few or too many makes no other number.
    unknown = found and found.startswith("86") and not (peer and len(found) <= _LONGEST_SERVICE)
    return None if unknown else found


def _by_plan(number: str, region: str, *, peer: bool, bare: str) -> str | None:
    """Read what is no number of China's plan; service numbers as they stand."""
    abroad = number.startswith(("+", "00"))
    digits = number.removeprefix("+") if number.startswith("+") else number.removeprefix("00")
    if not _DIGITS.fullmatch(digits):
        return None
    if abroad:
        return _read("+" + digits, None)
    if _SHORT.fullmatch(digits):
        return _few_digits(digits, region, peer=peer)
    if peer and region == "CN" and _SHORT_CN.fullmatch(digits):
        return digits
    return _at_home(digits, region, peer=peer, bare=bare)


def _few_digits(digits: str, region: str, *, peer: bool) -> str | None:
    """Read three to eight digits: elsewhere they may be a whole number, else they are a short code as it stands."""
    whole = None if region == "CN" or len(digits) < 7 else _read(digits, region, sure=True)
    return whole or (digits if peer else None)


def _at_home(digits: str, region: str, *, peer: bool, bare: str) -> str | None:
    """Read digits without `+` or `00`."""
    if len(digits) < 5:
        return None
    if digits.startswith("0") or bare == "national":
        found = _read(digits, region)
    else:
        # A plan that knows the number decides; failing that, the contract says E.164.
        found = _read("+" + digits, None, sure=True) or _read(digits, region, sure=True)
        found = found or _read("+" + digits, None) or _read(digits, region)
    if found is None and peer and region == "CN" and _LONG_SERVICE.fullmatch(digits):
        return digits
    return found


def _read(text: str, region: str | None, *, sure: bool = False) -> str | None:
    """Read `text` with `phonenumbers`; `sure`: in use by its plan, not only of a possible length."""
    import phonenumbers  # noqa: PLC0415  # 0.2 s, and most deliveries need none of it

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    fits = phonenumbers.is_valid_number(number) if sure else phonenumbers.is_possible_number(number)
    if not fits:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")
