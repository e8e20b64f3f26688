"""Keyword sets and denied links of a policy, found also where a text tries to hide them."""

from __future__ import annotations

import re
import unicodedata

from duanka.domain.order_policy import MessagePolicy

_NOT_LETTERS = re.compile(r"[\W_\u115f\u1160\u3164\uffa0]+")  # fillers count as letters, and show nothing
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff]"
)
_DOTS = str.maketrans(dict.fromkeys("。｡·•∙‧・⋅․．", "."))
# Where a link may be at all: most texts have none, and need no more than this.
_MAY_BE_LINK = re.compile(r"[0-9a-z\u0370-\u04ff\u0500-\u052f]\W*(?:[.。｡·•∙‧・⋅․．点]|dot)")
_SPELT_DOT = re.compile(
    r"[\[({<【]\s*(?:\.|dot|点)\s*[\])}>】]|(?<=[a-z0-9])\s*点\s*(?=[a-z0-9])|(?<=[a-z0-9])\s+dot\s+(?=[a-z0-9])"
)
_AROUND_DOT = re.compile(r"(?<=[a-z0-9-])\s*\.\s*(?=[a-z0-9])")
_SPREAD = re.compile(r"(?<![a-z0-9])[a-z0-9](?: +[a-z0-9](?![a-z0-9]))+")
_HOST = re.compile(r"[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)+")
# Letters of other scripts that look like Latin ones.
_LOOK_ALIKES = str.maketrans("авеіјкмнорсԁтухԛѕԝαβεικνορτυχ", "abeijkmhopcdtyxqswabeiknoptux")


class TextLists:
    """A TextVerdict: refuses a text that has all words of a keyword set, or a link on the list.

    Words are compared without spaces, punctuation, invisible characters, width and case. A link is a host, which
    stands for all hosts under it, or a host with a path. What it does not see: words in other characters of the same
    sound, traditional for simplified characters, text in pictures.
    """

    def __init__(self, policy: MessagePolicy) -> None:
        sets = [tuple(letters(word) for word in words) for words in policy.keywords]
        # by one letter of the longest word: a text is asked only for the sets whose letter it has
        self._sets: dict[str, list[tuple[str, tuple[str, ...], str]]] = {}
        for one, words in zip(sets, policy.keywords, strict=True):
            if one and all(one):
                longest = max(one, key=len)
                self._sets.setdefault(longest[-1], []).append((longest, one, "+".join(words)))
        self._hosts: dict[str, list[str]] = {}
        for link in policy.links:
            host, _, path = (
                _as_link(_of_one_width(link)).removeprefix("https://").removeprefix("http://").partition("/")
            )
            if host.strip("."):
                self._hosts.setdefault(host.strip("."), []).append(path)

    def of(self, text: str) -> str | None:
        """Which keyword set or link it has; None: neither."""
        plain = _of_one_width(text)
        found = _NOT_LETTERS.sub("", plain)
        for letter in self._sets.keys() & set(found):
            for longest, words, named in self._sets[letter]:
                if longest in found and all(word in found for word in words):
                    return f"keywords {named}"
        if self._hosts and _MAY_BE_LINK.search(plain) and (host := self._denied(_as_link(plain))):
            return f"link {host}"
        return None

    def _denied(self, plain: str) -> str | None:
        for form in {plain, plain.translate(_LOOK_ALIKES)}:
            for found in _HOST.finditer(form):
                labels = found[0].split(".")
                for first in range(len(labels)):
                    host = ".".join(labels[first:])
                    if host in self._hosts and self._path_denied(host, form[found.end() :]):
                        return host
        return None

    def _path_denied(self, host: str, rest: str) -> bool:
        return any(not path or rest.startswith("/" + path) for path in self._hosts[host])


def letters(text: str) -> str:
    """Letters and digits alone, of one width and case."""
    return _NOT_LETTERS.sub("", _of_one_width(text))


def _of_one_width(text: str) -> str:
    return (text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold()


def _as_link(plain: str) -> str:
    """As a browser would be given it: dots are dots, nothing is spread out or invisible."""
    plain = _INVISIBLE.sub("", plain.translate(_DOTS))
    if "点" in plain or "dot" in plain or "[" in plain or "(" in plain:
        plain = _SPELT_DOT.sub(".", plain)
    plain = _AROUND_DOT.sub(".", plain)
    return _SPREAD.sub(lambda found: found[0].replace(" ", ""), plain)
