"""People who act: their id, their role, and the operators and cities that they work for."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from duanka.domain.errors import DuankaError
from duanka.domain.text import BilingualText, WordedEnum


class Role(WordedEnum):
    """Who acts."""

    SYSTEM = "system", "系统"  # ourselves: deadlines, receipts, verdicts of a check
    DESK = "desk", "值班员"
    SUPERVISOR = "supervisor", "主管"
    REGULATOR = "regulator", "监管"
    POLICE = "police", "公安"
    HOLDER = "holder", "用户"


STAFF = frozenset({Role.DESK, Role.SUPERVISOR})  # of the operator: who works on orders
WITH_KEYS = (Role.DESK, Role.SUPERVISOR, Role.REGULATOR, Role.POLICE)

ID_PATTERN = r"[a-z0-9._-]{2,32}"
MOST_LETTERS = 64  # of a display name
MOST_PLACES = 64  # operators or cities of one person
# Ids that the audit trail uses for what no person did, and names of roles: nobody may be taken for one.
RESERVED_IDS = frozenset(
    {"duanka", "system", "holder", "police", "regulator", "supervisor", "desk"}
    | {"worker", "operator", "nobody", "anonymous", "unknown", "none", "null"}
)
_PLACE = re.compile(r"[^\x00-\x1f\x7f|]{1,40}")


_CITY = re.compile(r"[1-9][0-9]{5}")


class BadPerson(DuankaError):
    """A person cannot be written down like this."""


@dataclass(frozen=True)
class Scope:
    """The operators and cities that a person works for; an empty set is all of them."""

    operators: frozenset[str] = frozenset()
    cities: frozenset[str] = frozenset()

    @property
    def everywhere(self) -> bool:
        """Whether nothing is out of it."""
        return not (self.operators or self.cities)

    def covers(self, operator: str, city: str) -> bool:
        """Whether an order of this operator and city is within it; one whose place is unknown is in no narrow one."""
        return (not self.operators or operator in self.operators) and (not self.cities or city in self.cities)

    def contains(self, other: Scope) -> bool:
        """Whether nothing of `other` is out of it."""
        both = ((self.operators, other.operators), (self.cities, other.cities))
        return all(not mine or (theirs and theirs <= mine) for mine, theirs in both)

    def __str__(self) -> str:
        return self.words.en

    @property
    def words(self) -> BilingualText:
        """Which operators and cities."""
        operators, cities = sorted(self.operators), sorted(self.cities)
        return BilingualText(
            f"{'、'.join(operators) or '全部运营商'}；{'、'.join(cities) or '全部城市'}",
            f"{', '.join(operators) or 'all operators'}; {', '.join(cities) or 'all cities'}",
        )


EVERYWHERE = Scope()


@dataclass(frozen=True)
class Person:
    """Somebody who acts. `id` stands in the audit trail and is compared; `display_name` is only shown."""

    id: str
    role: Role
    display_name: str = field(default="", compare=False)
    scope: Scope = EVERYWHERE


SYSTEM = Person("duanka", Role.SYSTEM)
HOLDER = Person("holder", Role.HOLDER)


def same_person(one: str, other: str) -> bool:
    """Whether two ids are one person's."""
    return one == other


def person_id(text: str) -> str:
    """Return `text` where it can be the id of a person; BadPerson says what is wrong."""
    if not re.fullmatch(ID_PATTERN, text):
        raise BadPerson(
            f"{text[:40]!r} cannot be an id: write 2 to 32 of a-z, 0-9, '.', '_' and '-', like wang.wei"
        )
    if text in RESERVED_IDS or not re.search(r"[a-z0-9]", text):
        raise BadPerson(f"{text!r} is kept for ourselves: choose the id of a person, like wang.wei")
    return text


def place_name(text: str) -> str:
    """`text` where a scope can name it as operator or city; "" where not: nobody could be given what lies there."""
    name = text.strip()
    return name if _is_place(name) else ""


def _is_place(name: str) -> bool:
    """Whether a scope can name it: what reads alike must be alike, so nothing invisible stands in it."""
    return bool(_PLACE.fullmatch(name)) and all(map(_visible, name))


def display_name(text: str) -> str:
    """A name as it is shown: NFKC, single blanks.

    BadPerson: empty, too long, with control or invisible letters, or with letters of several scripts that look alike.
    """
    name = " ".join(unicodedata.normalize("NFKC", text).split())
    if not 1 <= len(name) <= MOST_LETTERS:
        raise BadPerson(f"a display name has 1 to {MOST_LETTERS} letters")
    if any(not _visible(letter) for letter in text + name):
        raise BadPerson("a display name has no control, formatting or otherwise invisible letters")
    scripts = {script for letter in name if (script := _script(letter))}
    if len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER):
        raise BadPerson(f"a display name mixes no scripts; this one has {', '.join(sorted(scripts)).lower()}")
    return name


def scope_of(operators: list[str], cities: list[str]) -> Scope:
    """A scope as it is written; BadPerson: too many or unreadable names."""
    for what, named in (("operators", operators), ("cities", cities)):
        if len(named) > MOST_PLACES:
            raise BadPerson(f"a scope names at most {MOST_PLACES} {what}; leave it empty for all")
        if bad := [name for name in named if not _is_place(name.strip())]:
            raise BadPerson(f"{bad[0][:40]!r} is no name of {what}: 1 to 40 letters that are seen, without |")
    if bad := [city for city in cities if not _CITY.fullmatch(city.strip())]:
        raise BadPerson(
            f"{bad[0][:40]!r} is no city: write its six-digit code, as the register of cards has it, like 130100;"
            " with a name nothing would ever be in the scope"
        )
    return Scope(frozenset(name.strip() for name in operators), frozenset(name.strip() for name in cities))


# Scripts that one name may use together, because no letter of one looks like a letter of the other.
_TOGETHER = (frozenset({"CJK", "LATIN"}), frozenset({"CJK", "HIRAGANA", "KATAKANA"}))


def _visible(letter: str) -> bool:
    """Whether a letter is seen: no control, format, private, unassigned letter, no filler, no separator but a blank."""
    if letter == " ":
        return True
    if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"):
        return letter == "\u3000"  # the wide blank of Chinese input, which NFKC makes a blank
    return not (
        "FILLER" in unicodedata.name(letter, "")
        or "VARIATION SELECTOR" in unicodedata.name(letter, "")
        or letter in "\u2800\u034f\u17b4\u17b5"
    )


def _script(letter: str) -> str:
    """The script of a letter by its Unicode name; empty for what all scripts share."""
    if not unicodedata.category(letter).startswith("L"):
        return ""
    first = unicodedata.name(letter, "").split(" ")[0]
    return "" if first in ("MODIFIER", "IDEOGRAPHIC", "FEMININE", "MASCULINE") else first
