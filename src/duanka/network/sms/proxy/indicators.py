"""Indicators of fraud in a text: hosts, numbers and accounts, normalised. The text itself is never kept.

Found also when it is obfuscated: full width, look-alike letters, dots that are spelt or spread, escapes. Numbers are
parsed by `phonenumbers`, internationalised hosts by Python's IDNA codec.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from ipaddress import AddressValueError, IPv4Address
from urllib.parse import unquote

from duanka.domain.takedown import MOST_VALUE, Indicator, IndicatorKind
from duanka.network.smpp.codec import Submission
from duanka.network.smpp.message_text import contents_of, whole_text
from duanka.network.smpp.text_encodings import readings, readings_again
from duanka.network.sms.proxy.text_rules import LOOK_ALIKES, as_link, of_one_width

_MOST = 8  # indicators of a message
_MOST_LETTERS = 4_000  # of a text that is read
_KNOWN_TEXTS = 4_096  # whose indicators are remembered by a digest, as floods repeat their texts
_LINK = re.compile(r"https?://([^\s/?#@]+@)?([^\s/?#:，。；、！？“”（）【】<>\"']+)")
_HOST = re.compile(
    r"(?<![a-z0-9@_.-])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:[a-z]{2,24}|xn--[a-z0-9-]{2,59})(?![a-z0-9_@-])"
)
_NUMBER = re.compile(r"(?<![0-9a-z])(?:\+|00)?[0-9](?:[ \-()·.]{0,2}[0-9]){6,16}(?![0-9a-z])")
_MOBILE = re.compile(r"(?:(?:00)?86)?(1[3-9][0-9]{9})")
_CALLED = "qq|扣扣|微信|薇信|威信|vx|wx|weixin|wechat|加v|加微|telegram|电报|支付宝|alipay|[账帐][号户]|卡号|抖音号?"
_ACCOUNT = re.compile(rf"(?:{_CALLED})(?:号码?|id|群)?[\s:：=是为\-]{{0,4}}([a-z0-9][a-z0-9_.@-]{{4,39}})")
_BANK_CARD = re.compile(r"(?<![0-9a-z])[3-6][0-9](?:[ -]?[0-9]){13,17}(?![0-9a-z])")
_FILE_ENDINGS = frozenset(
    {"html", "htm", "jpg", "png", "pdf", "doc", "docx", "xls", "xlsx", "txt", "zip", "apk", "exe"}
)
_REGION = "CN"


def indicators_in(text: str) -> tuple[Indicator, ...]:
    """Indicators of a text, each once, in order: hosts, accounts, numbers."""
    plain = of_one_width(text[:_MOST_LETTERS])
    plain = as_link(unquote(plain) if "%" in plain else plain)
    found: dict[Indicator, None] = {}
    rest = plain
    for host, written in _hosts(plain):
        found[Indicator(IndicatorKind.HOST, host)] = None
        rest = rest.replace(written, " ")
    latin = rest.translate(LOOK_ALIKES)
    for match in _BANK_CARD.finditer(latin):
        digits = "".join(filter(str.isdigit, match[0]))
        if _luhn(digits):
            found[Indicator(IndicatorKind.ACCOUNT, digits)] = None
            latin = latin.replace(match[0], " ")
    for match in _ACCOUNT.finditer(latin):
        found[Indicator(IndicatorKind.ACCOUNT, match[1].rstrip(".-@"))] = None
        latin = latin.replace(match[1], " ")
    for match in _NUMBER.finditer(latin):
        if number := _number(match[0]):
            found[Indicator(IndicatorKind.NUMBER, number)] = None
    return tuple(found)[:_MOST]


def normalised(kind: str | None, text: str) -> Indicator | None:
    """What somebody reports as an indicator; None: it is none of this kind. `kind` None: as it looks."""
    if kind in (None, IndicatorKind.HOST, IndicatorKind.NUMBER):
        for one in indicators_in(text):
            if kind is None or one.kind == kind:
                return one
    if kind == IndicatorKind.ACCOUNT and (named := _as_something_else(text)):
        return named  # a host or a number that was reported as an account
    if kind == IndicatorKind.ACCOUNT or kind is None:
        plain = "".join(of_one_width(text).split())
        if 3 <= len(plain) <= MOST_VALUE and plain.isprintable():
            return Indicator(IndicatorKind.ACCOUNT, plain)
    return None


def _as_something_else(text: str) -> Indicator | None:
    """The host or telephone number that is all of `text`; None: it is neither."""
    plain = "".join(as_link(of_one_width(text)).split()).translate(LOOK_ALIKES)
    if _HOST.fullmatch(plain) and len(plain) <= MOST_VALUE:
        return Indicator(IndicatorKind.HOST, plain)
    if _MOBILE.fullmatch(plain.removeprefix("+")):
        return Indicator(IndicatorKind.NUMBER, _number(plain))
    return None


class SubmissionIndicators:
    """Indicators of refused messages; single-threaded. Remembers digests of texts, not the texts."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, tuple[Indicator, ...]] = OrderedDict()

    def of(self, submission: Submission) -> tuple[Indicator, ...]:
        """Indicators of a message in any of the ways in which it may be read."""
        found: dict[Indicator, None] = {}
        for text in _texts(submission):
            found |= dict.fromkeys(self._of_text(text))
        return tuple(found)[:_MOST]

    def _of_text(self, text: str) -> tuple[Indicator, ...]:
        digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
        if (found := self._known.get(digest)) is None:
            found = self._known[digest] = indicators_in(text)
            if len(self._known) > _KNOWN_TEXTS:
                self._known.popitem(last=False)
        return found


def _texts(submission: Submission) -> Iterable[str]:
    coding, whole = submission.data_coding, whole_text(submission)
    if whole is not None:
        return dict.fromkeys(readings(coding, whole))
    return dict.fromkeys(
        text for content in contents_of(submission) for text in readings_again(coding, content.data)
    )


def _hosts(plain: str) -> Iterator[tuple[str, str]]:
    """Hosts in punycode, and how each is written. After a scheme a host may be an address or in other letters."""
    for match in _LINK.finditer(plain):
        if host := _host_of_link(match[2]):
            yield host, match[0]
    latin = plain.translate(LOOK_ALIKES)
    for match in _HOST.finditer(latin):
        host = match[0]
        if len(host) <= MOST_VALUE and host.rpartition(".")[2] not in _FILE_ENDINGS:
            yield host, plain[match.start() : match.end()]


def _host_of_link(written: str) -> str:
    """A host behind https://, in punycode; "" if it is none."""
    written = written.strip(".")
    host = written.translate(LOOK_ALIKES)
    if not host.isascii():
        try:
            host = written.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    if _HOST.fullmatch(host) and len(host) <= MOST_VALUE:
        return host
    try:
        return str(IPv4Address(host))
    except AddressValueError:
        return ""


def _number(written: str) -> str:
    """A telephone number in E.164 without +; "" if it is none."""
    if mobile := _MOBILE.fullmatch("".join(filter(str.isdigit, written))):  # nearly all: a sixth of the time
        return f"86{mobile[1]}"
    import phonenumbers  # noqa: PLC0415  # takes 0.2 s, and most messages pass

    digits = "".join(letter for letter in written if letter.isdigit() or letter == "+")
    digits = f"+{digits[2:]}" if digits.startswith("00") else digits
    try:
        found = phonenumbers.parse(digits, _REGION)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(found):
        return ""
    return phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164).lstrip("+")


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
