"""Keyword sets and denied links of a policy, matched also in obfuscated texts."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Protocol
from urllib.parse import unquote

from duanka.domain.order_policy import MessagePolicy

_NOT_LETTERS = re.compile(r"[\W_\u115f\u1160\u3164\uffa0]+")  # fillers are letters by category, but invisible
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff]"
)
_DOTS = str.maketrans(dict.fromkeys("。｡·•∙‧・⋅․．", "."))
# Quick test for texts that can contain a link at all; most texts fail it.
_MAY_BE_LINK = re.compile(r"[0-9a-z\u0370-\u04ff\u0500-\u052f]\W*(?:[.。｡·•∙‧・⋅․．点]|dot)")
_SPELT_DOT = re.compile(
    r"[\[({<【]\s*(?:\.|dot|点)\s*[\])}>】]|(?<=[a-z0-9])\s*点\s*(?=[a-z0-9])|(?<=[a-z0-9])\s+dot\s+(?=[a-z0-9])"
)
_AROUND_DOT = re.compile(r"(?<=[a-z0-9-])\s*\.\s*(?=[a-z0-9])")
_ESCAPED = re.compile("%[0-9A-Fa-f]{2}")
_SPREAD = re.compile(r"(?<![a-z0-9])[a-z0-9](?: +[a-z0-9](?![a-z0-9]))+")
# Matches from the start of a run of letters, with possessive quantifiers: a run of 60,000 is scanned only once.
_HOST = re.compile(r"(?<![a-z0-9-])-*+[a-z0-9][a-z0-9-]*+(?:\.[a-z0-9-]++)+")
# Letters of other scripts that look like Latin ones.
_LOOK_ALIKE_PAIRS = tuple(zip("авеіјкмнорсԁтухԛѕԝαβεικνορτυχ", "abeijkmhopcdtyxqswabeiknoptux", strict=True))
LOOK_ALIKES = str.maketrans(dict(_LOOK_ALIKE_PAIRS))
# Blocks with characters that normalisation changes: the ideographs and syllables left out stay the same.
_WITH_FORMS = (
    *(range(0x3400), range(0x4DC0, 0x4E00), range(0xA000, 0xAC00), range(0xD7A4, 0xD800)),
    *(range(0xE000, 0x20000), range(0x2F800, 0x2FA20)),
)
# Common characters, most frequent first: a keyword set is indexed by one of these only if it has no rarer one.
_COMMON = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"
    "用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日"
    "请您好快已取件码到了明号今晚吃回电话打给吧啊呢吗嗯哦哈月点分钱元加送手机关注办收服务客户号码银行卡递驿站领门口区凭验勿效"
)


class _Search(Protocol):
    def __call__(self, text: str, start: int = 0, /) -> re.Match[str] | None:
        """Return the first match at or after `start`."""


class TextLists:
    """Refuses a text that has all words of a keyword set, or a denied link.

    Words are compared ignoring spaces, punctuation, invisible characters, width and case. A link is a host, which
    includes all its subdomains, or a host with a path. Not detected: words in other characters of the same sound,
    traditional instead of simplified characters, text in pictures.
    """

    def __init__(self, policy: MessagePolicy) -> None:
        sets = [(tuple(letters(word) for word in words), "+".join(words)) for words in policy.keywords]
        sets = [(words, named) for words, named in sets if words and all(words)]
        # indexed by one letter that a text must contain for the set to match; other sets are not searched
        self._sets: dict[str, list[tuple[str, tuple[str, ...], str]]] = {}
        for (words, named), letter in zip(
            sets, _distinguishing(["".join(one) for one, _ in sets]), strict=True
        ):
            self._sets.setdefault(letter, []).append((max(words, key=len), words, named))
        self._hosts: dict[str, list[str]] = {}
        for link in policy.links:
            host, _, path = (
                as_link(of_one_width(link)).removeprefix("https://").removeprefix("http://").partition("/")
            )
            if host.strip("."):
                self._hosts.setdefault(host.strip("."), []).append(path)
        self._most_labels = max((host.count(".") + 1 for host in self._hosts), default=1)
        # raw character -> index letters it may stand for; index letter -> search for a second letter of its sets
        self._set_letters_of: dict[str, list[str]] = {}
        self._second_letter: dict[str, _Search] = {}
        for letter, of_letter in self._sets.items():
            for form in written_forms(frozenset(letter)):
                self._set_letters_of.setdefault(form, []).append(letter)
            others = ["".join(words).replace(letter, "") or letter for _, words, _ in of_letter]
            self._second_letter[letter] = _any_of(written_forms(frozenset(_distinguishing(others))))
        set_letters = frozenset(self._set_letters_of)
        hosts = [letters(host) for host in self._hosts if letters(host)]
        # every written form of a dot
        dots = written_forms(frozenset("." + "".join(map(chr, _DOTS)) + "点")) if hosts else frozenset[str]()
        spelt = [written_forms(frozenset(letter)) for letter in "dot"]
        self._set_letter, self._dot = _any_of(set_letters), _any_of(dots)
        self._all_set_letters = _either(set_letters).findall
        host_letters = written_forms(frozenset(_distinguishing(hosts)))
        self._host_letter = _any_of(host_letters)
        self._spelt_dot = [_any_of(letter) for letter in spelt]
        self._any_letter = _any_of(set_letters | host_letters)

    def first_hit(self, texts: Iterable[str]) -> str | None:
        """Return the reason for the first text that is refused; None if none is.

        One search through all texts clears nearly all of them: each keyword set and link is indexed by one of its
        letters, and most texts contain none of these letters. Only those that do are examined one by one.
        """
        texts = tuple(texts)
        joined = "".join(texts)
        if "%" in joined and self._hosts:  # a browser decodes %2e in a host
            texts = (*texts, *(unquote(one) for one in texts if _ESCAPED.search(one)))
            joined = "".join(texts)
        found = self._any_letter(joined)
        end = 0
        for text in texts:
            if found is None:
                return None
            end += len(text)
            if found.start() < end:
                if why := self._hit(text):
                    return why
                found = self._any_letter(joined, end)
        return None

    def of(self, text: str) -> str | None:
        """Return the keyword set or link found in `text`; None if neither."""
        return self.first_hit((text,))

    def _hit(self, text: str) -> str | None:
        """Examine a text that contains an index letter of a set or of a host."""
        sets = self._set_letter(text)
        links = (self._host_letter(text) if sets else True) and (self._dot(text) or self._has_spelt_dot(text))
        if sets and not self._may_have_set(text):
            sets = None
        if not sets and not links:
            return None
        plain = of_one_width(text)
        if sets:
            found = _NOT_LETTERS.sub("", plain)
            for letter, of_letter in self._sets.items():
                if letter in found:
                    for longest, words, named in of_letter:
                        if longest in found and all(word in found for word in words):
                            return f"keywords {named}"
        if links and _MAY_BE_LINK.search(plain) and (host := self._denied(as_link(plain))):
            return f"link {host}"
        return None

    def _may_have_set(self, text: str) -> bool:
        """Quick test: return whether two letters of one set occur, or its only letter."""
        for form in set(self._all_set_letters(text)):
            for letter in self._set_letters_of.get(form, ()):
                if self._second_letter[letter](text):
                    return True
        return False

    def _has_spelt_dot(self, text: str) -> bool:
        d, o, t = self._spelt_dot
        return bool(d(text) and o(text) and t(text))

    def _denied(self, plain: str) -> str | None:
        for form in {plain, plain.translate(LOOK_ALIKES)}:
            for found in _HOST.finditer(form):
                labels = found[0].lstrip("-").rsplit(".", self._most_labels)[-self._most_labels :]
                for first in range(len(labels)):
                    host = ".".join(labels[first:])
                    if host in self._hosts and self._path_denied(host, form, found.end()):
                        return host
        return None

    def _path_denied(self, host: str, text: str, at: int) -> bool:
        return any(not path or text.startswith("/" + path, at) for path in self._hosts[host])


def letters(text: str) -> str:
    """Return letters and digits only, with width and case normalised."""
    return _NOT_LETTERS.sub("", of_one_width(text))


def of_one_width(text: str) -> str:
    """The text with width and case normalised."""
    return (text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold()


def as_link(plain: str) -> str:
    """Normalise dot forms; remove invisible characters and spaces inside a word."""
    plain = _INVISIBLE.sub("", plain.translate(_DOTS))
    if "点" in plain or "dot" in plain or "[" in plain or "(" in plain:
        plain = _SPELT_DOT.sub(".", plain)
    plain = _AROUND_DOT.sub(".", plain)
    return _SPREAD.sub(lambda found: found[0].replace(" ", ""), plain)


def written_forms(wanted: frozenset[str]) -> frozenset[str]:
    """Return `wanted`, their look-alikes, and all characters that normalise to these."""
    alike = {letter for letter, latin in _LOOK_ALIKE_PAIRS if latin in wanted}
    plain = wanted | alike
    parts = {part for letter in plain for part in unicodedata.normalize("NFD", letter)[:1]}
    forms = _forms()
    return frozenset(plain | parts).union(*(forms.get(letter, ()) for letter in plain | parts))


def _any_of(characters: frozenset[str]) -> _Search:
    """Return a search for the first of these characters.

    If any of them is beyond U+FFFF, the search matches every character beyond it: `re` looks characters up in a table
    only to U+FFFF, and compares later ones one by one.
    """
    return _either(characters).search


def _either(characters: frozenset[str]) -> re.Pattern[str]:
    either = "".join(re.escape(one) for one in sorted(characters) if one <= "\uffff")
    either += "\U00010000-\U0010ffff" if any(one > "\uffff" for one in characters) else ""
    return re.compile(f"[{either}]" if either else "(?!)")


@lru_cache(maxsize=1)
def _forms() -> dict[str, set[str]]:
    """Return letter -> characters that width or case normalisation turns into it."""
    found: dict[str, set[str]] = {}
    for block in _WITH_FORMS:
        for character in map(chr, block):
            form = of_one_width(character)
            if form != character:
                for letter in form:
                    found.setdefault(letter, set()).add(character)
    return found


def _distinguishing(texts: list[str]) -> list[str]:
    """Choose a letter per text: few different ones, common ones only if needed."""
    left = {number: set(text) - set(_COMMON) or {_rarest(text)} for number, text in enumerate(texts)}
    chosen: dict[int, str] = {}
    while left:
        counts = Counter(letter for some in left.values() for letter in some)
        best = max(counts, key=lambda letter: (not letter.isascii(), counts[letter], letter))
        for number in [number for number, some in left.items() if best in some]:
            chosen[number] = best
            del left[number]
    return [chosen[number] for number in range(len(texts))]


def _rarest(text: str) -> str:
    return max(text, key=_COMMON.find)  # _COMMON lists the most frequent first
