"""Masking of numbers for readers who must recognise a card but not call it."""

from __future__ import annotations

import re
import unicodedata

_MASK = "****"
# Country codes of one, two and three digits (ITU-T E.164).
_COUNTRY = re.compile(r"[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[0-9]{3}")
# With 1 first: eleven digits, but not 10… or 11…, which are service numbers of China (1069…, 1008…).
_E164 = re.compile(r"1[2-9][0-9]{9}|[2-9][0-9]{7,14}")
_CHINESE_MOBILE = re.compile(r"861[3-9][0-9]{8,9}")  # as stored in orders; other countries need a plus sign
# Digits in a row that may be a person's number or a device; fewer are counts, short codes or area codes. After a plus
# sign fewer suffice.
_MIN_DIGITS, _MIN_DIGITS_AFTER_PLUS = 11, 7
# Separators between the digits of one number, up to five: anything but letters, earlier masks, and the punctuation
# between items of a list.
_SEPARATORS = r"(?:(?!\*{4})(?:[^\w,;，；、。]|_|,(?=[0-9]))){0,5}"
_DIGITS = re.compile(rf"\+?[0-9](?:{_SEPARATORS}[0-9])*")
# Many digits, but not a person's number: date, time of day, server address, correlation id.
_TIME = r"(?:[01]?[0-9]|2[0-4]):[0-5][0-9](?::[0-6][0-9](?:\.[0-9]+)?)?"
_NOT_A_NUMBER = re.compile(
    r"(?<![0-9])(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    rf"(?:[Tt ]{_TIME}(?:[Zz]|[+-][0-9]{{2}}:?[0-9]{{2}})?)?(?![0-9])"
    rf"|(?<![0-9:]){_TIME}(?![0-9:])"
    r"|(?<![0-9.])(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])[.:]){4}[0-9]{1,5}(?![0-9])"
    r"|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"
)
# Time stamps in file names: 20261128, 20261128-1015, 20261128T101530.
_COMPACT_MOMENT = re.compile(
    r"(?<![0-9])(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
    r"(?:[_T-]?(?:[01][0-9]|2[0-3])[0-5][0-9](?:[0-5][0-9])?)?(?![0-9])"
)
_CHINESE = dict(zip("〇零一二三四五六七八九幺壹贰叁肆伍陆柒捌玖", "001234567891123456789", strict=True))
_CHINESE_RUN = re.compile(
    rf"[{''.join(_CHINESE)}](?:[\W_]{{0,3}}[{''.join(_CHINESE)}]){{6,}}"
)  # at least seven in a row: the 三 in 张三 is part of a name
# Whatever `_plain` may turn into a digit, and some more: a quick look at the many texts that hold no number.
_MAY_BE_DIGITS = re.compile(rf"[\d{''.join(_CHINESE)}]|[^\x00-\x7f\u2010-\u2027\u2e80-\u9fff\uff00-\uffef]")


def spelled_card(card: str) -> str:
    """Format a number for people: `+86 13800000001`; opaque text is unchanged."""
    if not _E164.fullmatch(card):
        return card
    country, national = _parts(card)
    return f"+{country} {national}"


def masked_card(card: str) -> str:
    """`8613800000001` -> `+86 138****0001`; at most half of other numbers is shown."""
    if _E164.fullmatch(card):
        country, national = _parts(card)
        if len(national) >= 9:
            return f"+{country} {national[:3]}{_MASK}{national[-4:]}"
        return f"+{country} {_MASK}{national[-2:]}"
    if len(card) >= 14:
        return f"{card[:3]}{_MASK}{card[-4:]}"
    return f"{_MASK}{card[-2:]}" if len(card) >= 6 else _MASK


def masked_device(imei: str) -> str:
    """Keep the type (first eight digits) and the last three digits of an IMEI."""
    if len(imei) >= 14 and imei.isdigit():
        return f"{imei[:8]}{_MASK}{imei[-3:]}"
    return masked_card(imei) if not imei.isdigit() else f"{_MASK}{imei[-3:]}"


def masked_text(text: str) -> str:
    """Mask telephone and device numbers, in digits of any script; keep times and server addresses."""
    return _masked(text, _NOT_A_NUMBER)


def masked_log_line(text: str) -> str:
    """Like `masked_text`, but time stamps in file names are kept too."""
    return _masked(text, _NOT_A_NUMBER, _COMPACT_MOMENT)


def _masked(text: str, *kept: re.Pattern[str]) -> str:
    if len(_MAY_BE_DIGITS.findall(text)) < _MIN_DIGITS_AFTER_PLUS:
        return text
    plain = text if text.isascii() else _plain(text)
    if sum(map(str.isdigit, plain)) < _MIN_DIGITS_AFTER_PLUS:
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
    """Mask a run of digits like `masked_card`; "" if it is not a person's number."""
    international = digits.removeprefix("00")
    if _CHINESE_MOBILE.fullmatch(international):
        return masked_card(international)
    if after_plus and len(digits) >= _MIN_DIGITS_AFTER_PLUS:
        if _E164.fullmatch(digits):
            return masked_card(digits)
        return (
            f"+{digits[:3]}{_MASK}{digits[-4:]}" if len(digits) >= _MIN_DIGITS else f"+{_MASK}{digits[-2:]}"
        )
    return f"{digits[:3]}{_MASK}{digits[-4:]}" if len(digits) >= _MIN_DIGITS else ""


def _plain(text: str) -> str:
    """Return `text` with ASCII digits, at the same length."""
    text = _CHINESE_RUN.sub(lambda run: "".join(_CHINESE.get(letter, letter) for letter in run[0]), text)
    digits = (unicodedata.digit(letter, None) for letter in text)
    return "".join(
        letter if digit is None else str(digit) for letter, digit in zip(text, digits, strict=True)
    )


def _parts(number: str) -> tuple[str, str]:
    """Split into country code and the rest."""
    found = _COUNTRY.match(number)
    end = found.end() if found else 0
    return number[:end], number[end:]
