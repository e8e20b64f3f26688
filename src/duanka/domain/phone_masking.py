"""Masks numbers for readers who need to recognise a card, not to call it."""

from __future__ import annotations

import re
import unicodedata

_MASK = "****"
# Country codes of one, two and three digits (ITU-T E.164).
_COUNTRY = re.compile(r"[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[0-9]{3}")
# Behind 1 a number has eleven digits, and none that begin with 10 to 11: 1069…, 1008… are service numbers of China.
_E164 = re.compile(r"1[2-9][0-9]{9}|[2-9][0-9]{7,14}")
_CHINESE_MOBILE = re.compile(r"861[3-9][0-9]{9}")  # as orders keep it; other countries' need their plus
# From here on digits inside a text can be a person's number or a device; fewer are counts, short codes and city
# codes. After a plus it is a number of a telephone earlier.
_LONG, _LONG_AFTER_PLUS = 11, 7
# What people and switches write between the digits of one number, at most: anything but letters, what was masked
# before, and the punctuation that separates the items of a list.
_BETWEEN = r"(?:(?!\*{4})(?:[^\w,;，；、。]|_|,(?=[0-9]))){0,5}"
_DIGITS = re.compile(rf"\+?[0-9](?:{_BETWEEN}[0-9])*")
# What has many digits and is nobody's number: a moment, a time of day, an address of a server, a correlator.
_TIME = r"(?:[01]?[0-9]|2[0-4]):[0-5][0-9](?::[0-6][0-9](?:\.[0-9]+)?)?"
_NO_NUMBER = re.compile(
    r"(?<![0-9])(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    rf"(?:[Tt ]{_TIME}(?:[Zz]|[+-][0-9]{{2}}:?[0-9]{{2}})?)?(?![0-9])"
    rf"|(?<![0-9:]){_TIME}(?![0-9:])"
    r"|(?<![0-9.])(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])[.:]){4}[0-9]{1,5}(?![0-9])"
    r"|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"
)
# The moment in the name of a file: 20261128, 20261128-1015, 20261128T101530.
_COMPACT_MOMENT = re.compile(
    r"(?<![0-9])(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
    r"(?:[_T-]?(?:[01][0-9]|2[0-3])[0-5][0-9](?:[0-5][0-9])?)?(?![0-9])"
)
_CHINESE = dict(zip("〇零一二三四五六七八九幺壹贰叁肆伍陆柒捌玖", "001234567891123456789", strict=True))
_CHINESE_RUN = re.compile(
    rf"[{''.join(_CHINESE)}](?:[\W_]{{0,3}}[{''.join(_CHINESE)}]){{6,}}"
)  # 张三 is a name


def spelled_card(card: str) -> str:
    """The number as people read it: `+86 13800000001`; opaque text as it stands."""
    if not _E164.fullmatch(card):
        return card
    country, national = _parts(card)
    return f"+{country} {national}"


def masked_card(card: str) -> str:
    """`8613800000001` -> `+86 138****0001`; of a short or opaque one less is shown, never more than half."""
    if _E164.fullmatch(card):
        country, national = _parts(card)
        if len(national) >= 9:
            return f"+{country} {national[:3]}{_MASK}{national[-4:]}"
        return f"+{country} {_MASK}{national[-2:]}"
    if len(card) >= 14:
        return f"{card[:3]}{_MASK}{card[-4:]}"
    return f"{_MASK}{card[-2:]}" if len(card) >= 6 else _MASK


def masked_device(imei: str) -> str:
    """The type (first eight digits) and the last three: the maker stays readable, the one device does not."""
    if len(imei) >= 14 and imei.isdigit():
        return f"{imei[:8]}{_MASK}{imei[-3:]}"
    return masked_card(imei) if not imei.isdigit() else f"{_MASK}{imei[-3:]}"


def masked_text(text: str) -> str:
    """`text` with every number in it masked, also one whose digits are full-width, Chinese, or set apart.

    Moments as ISO 8601 writes them, times of day, and addresses of servers stay.
    """
    return _masked(text, _NO_NUMBER)


def masked_log_line(text: str) -> str:
    """As `masked_text`; the moments in names of files stay, too."""
    return _masked(text, _NO_NUMBER, _COMPACT_MOMENT)


def _masked(text: str, *kept: re.Pattern[str]) -> str:
    plain = text if text.isascii() else _plain(text)
    if sum(map(str.isdigit, plain)) < _LONG_AFTER_PLUS:
        return text
    for one in kept:
        plain = one.sub(lambda found: "x" * len(found[0]), plain)
    parts, done = [], 0
    for found in _DIGITS.finditer(plain):
        shown = _masked_run("".join(filter(str.isdigit, found[0])), after_plus=found[0][0] == "+")
        if not shown:
            continue
        parts += [text[done : found.start()], shown]
        done = found.end()
    return "".join([*parts, text[done:]])


def _masked_run(digits: str, *, after_plus: bool) -> str:
    """What is shown of a run of digits, a card as `masked_card` shows it; "" where it is nobody's number."""
    international = digits.removeprefix("00")
    if _CHINESE_MOBILE.fullmatch(international):
        return masked_card(international)
    if after_plus and len(digits) >= _LONG_AFTER_PLUS:
        if _E164.fullmatch(digits):
            return masked_card(digits)
        return f"+{digits[:3]}{_MASK}{digits[-4:]}" if len(digits) >= _LONG else f"+{_MASK}{digits[-2:]}"
    return f"{digits[:3]}{_MASK}{digits[-4:]}" if len(digits) >= _LONG else ""


def _plain(text: str) -> str:
    """`text`, as long as it was, with every digit as ASCII has it."""
    text = _CHINESE_RUN.sub(lambda run: "".join(_CHINESE.get(letter, letter) for letter in run[0]), text)
    digits = (unicodedata.digit(letter, None) for letter in text)
    return "".join(
        letter if digit is None else str(digit) for letter, digit in zip(text, digits, strict=True)
    )


def _parts(number: str) -> tuple[str, str]:
    """Country code and the rest."""
    found = _COUNTRY.match(number)
    end = found.end() if found else 0
    return number[:end], number[end:]
