"""Telephone numbers: one grammar for subscriber and emergency numbers.

Every entry point (intake, orders, API, command line, call proxy, message proxy, home register) parses numbers here.
The patterns use only what Python, POSIX and Rust regular expressions have in common, because Kamailio's configuration
and column-wise processing use them too. A number is never corrected into another one: what fits no numbering plan is
None, except numbers with a country code that test systems use (`LAB`, `_may_be`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote_to_bytes

# Numbers that no order may change and every card may call: emergency, hotlines, police. To handsets without a
# card, 000, 08 and 118 are emergency numbers too (3GPP TS 22.101, 10.1.1).
PROTECTED_LINES = (
    *("110", "119", "120", "122", "999", "112", "911", "000", "08", "118"),
    *("12110", "12119", "12395", "96110", "12381", "12321"),
)

# Plan of China (86), without country code: mobile, machine, fixed with area code (10, 20 to 29, three digits).
MOBILE = "1[3-689][0-9]{9}|17[0-8][0-9]{8}"  # 179 begins carrier selection codes
MACHINE = "14[0-9]{11}|1064[6-9][0-9]{8}"
FIXED = "10[0-9]{8}|2[0-9]{9}|[3-9][0-9]{9,10}"
AREA = "10|2[0-9]|[3-9][0-9][0-9]"
# Cards of laboratories and operators' test systems: a mobile with ten digits. Accepted only with the country
# code and no carrier code after it: otherwise the number may be a mobile that lost or gained digits.
LAB = "1[3-9][0-9]{8}"
FREEPHONE = "[48]00[0-9]{7}"  # dialled without a 0
NORTH_AMERICA = "1[2-9][0-9]{2}[2-9][0-9]{6}"

# Before a number: carrier selection (17951, 12593, 11808, 10193, 193 ...), international prefix, country
# code. 125831 to 125833 select a second number of the same card.
CARRIER = "(179[0-9]{2}|12583[1-3]|1[12][0-9]{3}|10193|19[0-7])"
_SIGN = "[+]?(00)?"
_CODE = "(86(00)?)+[+]?0?"
# Before the country code 0, 000 or 00+ is accepted too: no other number has 86 followed by a whole number.
CHINA = f"([0]{{0,3}}[+])?[0]{{0,4}}{_CODE}"
BEFORE = f"{CARRIER}?({CHINA}{CARRIER}?|{_SIGN})?0?"
# Service codes: hide or show the own number, no call waiting; `ANY_CODE` adds call forwarding. The alternatives are
# unambiguous: otherwise a failing match would backtrack exponentially with the number of codes.
CODES = "([*#]+(30|43|76|77)#|[*#]*(#(31|70)#|[*](31|67|70|82)))*[*#]*"
ANY_CODE = "(([*#]+[0-9]{1,4})*([*#]+|[*#]*[*](31|67|70|82)))?"
AFTER = "[*#Ff]*"  # trailing keys, and the filler of a half byte in switch records

MOBILE_FORM = f"^{CODES}{BEFORE}({MOBILE}){AFTER}$"
MACHINE_FORM = f"^{CODES}{BEFORE}({MACHINE}){AFTER}$"
FIXED_FORM = f"^{CODES}{CARRIER}?({CHINA}{CARRIER}?0?|0)({FIXED}){AFTER}$"
FREEPHONE_FORM = f"^{CODES}{BEFORE}({FREEPHONE}){AFTER}$"
LAB_FORM = f"^{CODES}{CARRIER}?([0]{{0,3}}[+])?[0]{{0,4}}860?({LAB}){AFTER}$"
NORTH_AMERICAN_FORM = f"^{CODES}([+]|00|[+]00)({NORTH_AMERICA}){AFTER}$"
# Any case: RFC 5031, NENA i3 and its SIP form; `sip:sos@…` is sent by older telephones.
SENT_SOS = "^((sips?:)?urn:(nena:)?service:sos|sips?:sos([.][a-z-]+)*@)"
# ASCII separators between digits; `_dialled` also drops Unicode dashes, blanks and invisible marks.
SEPARATORS = "-. ()/~_!'\"[]"

_COUNTRY_CODE = re.compile(
    "[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|"
    "2[1-69][0-9]|3[578][0-9]|42[0-9]|5[09][0-9]|6[7-9][0-9]|8[0578][0-9]|9[67][0-9]|99[2-68]"
)
_MAX_CHARS = 256  # characters: anything longer is not a number
_MIN_BARE_DIGITS = 10  # digits of a whole number without `+`: a shorter one may be local to a city
_URI = re.compile(r"[<\s]*(tels?|sips?|im|pres|h323|callto|phone|fax|modem):", re.IGNORECASE)
_SOS = re.compile(SENT_SOS, re.IGNORECASE)
_CELL = re.compile('="([^"]*)"|\'(.+)')  # a spreadsheet's way to keep digits as text
_GROUPED = re.compile("[0-9]{1,3}(?:,[0-9]{3}){3,}")
_FLOAT = re.compile("([1-9][0-9]{4,})[.]([0-9]{1,6})")
_EXPONENT = re.compile("([1-9])[.]([0-9]{10,14})[eE][+]?(1[0-4])")
_CONTEXT = re.compile(r";\s*phone-context\s*=\s*([^;>]*)", re.IGNORECASE)
# A country code, perhaps with part of an area code: with it, only three-digit numbers make sense.
SHORT_CONTEXT = "[+][0-9]{1,4}"
_PLUS = re.compile("%2B", re.IGNORECASE)
_HOST = re.compile("@[^@].*")  # a host that `_user_part` left: after a second @, or an escaped one
_OUTSIDE = re.compile("[09][,pw]+(?=[0-9*#+])", re.IGNORECASE)  # prefix for an outside line, then a pause
_PARAMETERS = re.compile(";\\s*[A-Za-z].*")
_AFTER_DIALLING = re.compile(
    "(?<=[0-9*#])(?:[,;pw][0-9*#,;pw]{0,6}|(?:x|ext|转|分机)[0-9]{1,6})", re.IGNORECASE
)

_NORTH_AMERICAN = re.compile(NORTH_AMERICAN_FORM)
_CHINESE = tuple(
    re.compile(form) for form in (MOBILE_FORM, MACHINE_FORM, FREEPHONE_FORM, FIXED_FORM, LAB_FORM)
)
# `parse` accepts these although no plan has them, so the digits may still be those of a protected line.
_UNPLANNED = re.compile(f"86{LAB}|7[0-9]{{6,9}}|7[0-9]{{11,14}}")
_SAYS_CHINA = re.compile(f"{CODES}{CARRIER}?{_SIGN}{_CODE}[1-9]")  # has China's code, so `country` is ignored
_ABROAD = re.compile(f"{CODES}{CARRIER}?(?:[+]|00|[+]00)([1-9][0-9]{{6,14}}){AFTER}")
_BARE = re.compile(f"{CODES}([1-9][0-9]{{6,14}}){AFTER}")
_DIGITS = re.compile(f"{CODES}[+]?([0-9]{{2,21}}){AFTER}")
_PLAIN = re.compile(f"(?:86)?({MOBILE})")


def parse(text: str, country: str = "86") -> str | None:
    """Return a subscriber number as E.164 without `+`; None if `text` is not one.

    `country`: country code assumed for national numbers. Only the plan of 86 is known: numbers of other countries
    need `+`, `00` or their country code. Service numbers and short codes are not subscribers: None.
    """
    if country == "86" and (plain := _PLAIN.fullmatch(text)):  # fast path of nearly all numbers
        return f"86{plain[1]}"
    return _parse(text, country)


def identity(text: str) -> str:
    """Normalise as `parse` does, else a service number as dialled, else trim `text`.

    For numbers in network messages. The claimed type of number is ignored, as many clients use one type for all
    numbers: an "alphanumeric" sender that consists of a number is that number.
    """
    if plain := _PLAIN.fullmatch(text):
        return f"86{plain[1]}"
    return _identity(text)


@lru_cache(maxsize=65_536)
def _identity(text: str) -> str:
    found = _parse(text, "86")
    if found:
        return found
    digits = _DIGITS.fullmatch(dialled(text))
    return _last(digits) if digits else text.strip()


@lru_cache(maxsize=65_536)
def _parse(text: str, country: str) -> str | None:
    number = dialled(text)
    if found := _NORTH_AMERICAN.fullmatch(number):
        return _last(found)
    if country == "86" or _SAYS_CHINA.match(number):
        for form in _CHINESE:
            if found := form.fullmatch(number):
                return f"86{_last(found)}"
    if found := _ABROAD.fullmatch(number):
        return _last(found) if _may_be(_last(found), explicit=True) else None
    found = _BARE.fullmatch(number)
    if found and len(_last(found)) >= _MIN_BARE_DIGITS and _may_be(_last(found)):
        return _last(found)
    return None


def _last(found: re.Match[str]) -> str:
    """Return the last group: the number after all prefixes."""
    return found[found.re.groups]


def _may_be(number: str, *, explicit: bool = False) -> bool:
    """Whether digits that begin with a country code may be a number in that country.

    `explicit`: written with `+` or `00`; then any length is right. Digits that begin with 1 and are no North
    American number are service numbers or carrier codes of China (10690…, 12530…, 17951…), even after `+`,
    which clients put before everything.
    """
    if number.startswith("86"):  # the plan of China was tried already, without a match
        return False
    if number.startswith("1"):
        return re.fullmatch(NORTH_AMERICA, number) is not None
    if number.startswith("7"):
        return explicit or len(number) == 11
    return _COUNTRY_CODE.match(number) is not None


def dialled(text: str) -> str:
    """Return what `text` dials: digits, `+`, `*`, `#`; no URI, no separators.

    Digits dialled after a pause are removed. Meaningless letters stay, so that no number pattern matches.
    """
    if len(text) > _MAX_CHARS:
        return text
    written = unicodedata.normalize("NFKC", text).strip()
    written, context = _user_part(written)
    if "%" in written:  # after splitting the parts: an escaped mark is not a delimiter
        written = _unescaped(written)
    if "@" in written and _URI.match(text):  # without a scheme, the text may be an IMSI or a mailbox
        written = _HOST.sub("", written)
    if cell := _CELL.fullmatch(written):
        written = cell[1] or cell[2] or ""
    if point := _FLOAT.fullmatch(written.strip()):  # a numeric column that was converted to floats
        if not point[2].strip("0"):
            written = point[1]
        elif len(point[2]) < 3:
            return text  # digits after the point: not a phone number
    if (exponent := _EXPONENT.fullmatch(written)) and len(exponent[2]) == int(exponent[3]):
        written = exponent[1] + exponent[2]  # every digit is there, none was rounded
    if written.lstrip().startswith(("+", "00")):
        written = written.replace("(0)", "")
    number = "".join(map(_dialled, written))
    if _GROUPED.fullmatch(number):
        number = number.replace(",", "")
    number = _without_pauses(number)
    return context + number if context and not number.startswith("+") else number


def _without_pauses(number: str) -> str:
    """Remove a prefix for an outside line with its pause, and the digits after a later pause."""
    if outside := _OUTSIDE.match(number):
        number = number[outside.end() :]
    after = _AFTER_DIALLING.search(number)
    return number[: after.start()] if after and after.end() == len(number) else number


def _local(text: str) -> str:
    """Return what is dialled if the phone-context is ignored; "" unless it is a SHORT_CONTEXT."""
    found = _CONTEXT.search(text)
    if len(text) > _MAX_CHARS or not found or not re.fullmatch(SHORT_CONTEXT, _user_part(text)[1]):
        return ""
    return dialled(text[: found.start()] + text[found.end() :])


def _unescaped(text: str) -> str:
    """Undo percent-encoding, also if applied twice."""
    for _ in range(3):
        octets = unquote_to_bytes(text)
        try:
            plain = octets.decode()
        except UnicodeDecodeError:
            plain = octets.decode("latin-1")
        if plain == text:
            break
        text = plain
    return unicodedata.normalize("NFKC", text).strip()


def _user_part(text: str) -> tuple[str, str]:
    """Split a tel: or SIP URI or user part into the number and its phone-context."""
    uri = _URI.match(text)
    if uri:
        text = text[uri.end() :].rstrip("> ").lstrip("/")
        text = text.rpartition("@")[0] or text
    context = _CONTEXT.search(text)
    cut = text.partition(";")[0] if uri else _PARAMETERS.sub("", text)
    if uri:
        cut = cut.partition(":")[0]  # a password, or a port
    area = "".join(map(_dialled, _PLUS.sub("+", context[1]))) if context else ""
    return cut, area if re.fullmatch("[+][0-9]+", area) else ""


def _dialled(letter: str) -> str:
    """Return the character as an ASCII digit or unchanged; "" for a separator."""
    if letter.isascii():
        return "" if letter in SEPARATORS or letter < " " or letter == "\x7f" else letter
    if unicodedata.category(letter) in ("Cf", "Zs", "Pd", "Cc") or letter == "\u2212":
        return ""
    return str(unicodedata.decimal(letter, letter))  # digits of every alphabet


class ProtectedNumbers:
    """Numbers that everybody may call and nothing may stop; `in` accepts any form.

    `lines`: short numbers (110, 95588) as dialled at home; `subscribers`: whole numbers, E.164 without `+`. Whole
    numbers are compared, never prefixes, so that no person's number is matched by accident.
    """

    def __init__(self, more: Iterable[str] = ()) -> None:
        whole = {one: parse(one) for one in more}
        self.subscribers = frozenset(number for number in whole.values() if number)
        short = {_line(one) for one, number in whole.items() if not number}
        self.lines = tuple(sorted({*PROTECTED_LINES, *short} - {""}))
        self.form = line_form(self.lines)
        self._form = re.compile(self.form)

    def __contains__(self, text: str) -> bool:
        if plain := _PLAIN.fullmatch(text):
            return f"86{plain[1]}" in self.subscribers
        if _SOS.match(text.strip().strip("<")):
            return True
        number = parse(text)
        if number in self.subscribers:
            return True
        if number and not _UNPLANNED.fullmatch(number):
            return False
        # In doubt, protected: 8610 11.0 may be no float, and a handset may ignore the phone-context.
        readings = (dialled(text), dialled(text.replace(".", "")), _local(text))
        return any(map(self._form.fullmatch, readings))


def line_form(lines: Iterable[str]) -> str:
    """Return a pattern of short `lines` with any prefix that may be dialled before."""
    either = "|".join(
        f"{line}[0-9]{{0,4}}" if line == "12110" else line for line in lines
    )  # 12110 may have an area code behind it
    return f"^{ANY_CODE}({BEFORE}|{CARRIER}?(0|{CHINA})({AREA})|9)({either}){AFTER}$"


def _line(text: str) -> str:
    """Return a short line as dialled at home."""
    digits = _DIGITS.fullmatch(dialled(text))
    return re.sub("^(00)?(86)+(?=[0-9]{3})|^0(?=[1-9][0-9]{2})", "", _last(digits)) if digits else ""


_ALWAYS = ProtectedNumbers()


def is_emergency(text: str) -> bool:
    """Whether `text` is an emergency or police number, in any written form."""
    return text in _ALWAYS
