"""People who act: id, role, and the operators and cities they work for."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from duanka.domain.errors import DuankaError
from duanka.domain.text import BilingualText, WordedEnum


class Role(WordedEnum):
    """Roles of people and of the system."""

    SYSTEM = "system", "系统"  # Duanka itself: deadlines, receipts, results of a check
    DESK = "desk", "值班员"
    SUPERVISOR = "supervisor", "主管"
    REGULATOR = "regulator", "监管"
    POLICE = "police", "公安"
    HOLDER = "holder", "用户"


STAFF = frozenset({Role.DESK, Role.SUPERVISOR})  # of the operator: they handle orders
WITH_KEYS = (Role.DESK, Role.SUPERVISOR, Role.REGULATOR, Role.POLICE)

ID_PATTERN = r"[a-z0-9._-]{2,32}"
MOST_LETTERS = 64  # characters of a display name
MOST_PLACES = 64  # operators or cities per person
# Ids that the audit trail uses for automatic actions, and names of roles: no person may have them.
RESERVED_IDS = frozenset(
    {"duanka", "system", "holder", "police", "regulator", "supervisor", "desk"}
    | {"worker", "operator", "nobody", "anonymous", "unknown", "none", "null"}
)
_PLACE = re.compile(r"[^\x00-\x1f\x7f|]{1,40}")


_CITY = re.compile(r"[1-9][0-9]{5}")


class BadPerson(DuankaError):
    """The data of a person is invalid."""


@dataclass(frozen=True)
class Scope:
    """Operators and cities a person works for; an empty set means all."""

    operators: frozenset[str] = frozenset()
    cities: frozenset[str] = frozenset()

    @property
    def everywhere(self) -> bool:
        """Whether it covers everything."""
        return not (self.operators or self.cities)

    def covers(self, operator: str, city: str) -> bool:
        """Whether it covers this operator and city; an unknown one only if it covers all."""
        return (not self.operators or operator in self.operators) and (not self.cities or city in self.cities)

    def contains(self, other: Scope) -> bool:
        """Whether `other` is not wider."""
        both = ((self.operators, other.operators), (self.cities, other.cities))
        return all(not mine or (theirs and theirs <= mine) for mine, theirs in both)

    def __str__(self) -> str:
        return self.words.en

    @property
    def words(self) -> BilingualText:
        """The operators and cities, in words."""
        operators, cities = sorted(self.operators), sorted(self.cities)
        return BilingualText(
            f"{'、'.join(operators) or '全部运营商'}；{'、'.join(cities) or '全部城市'}",
            f"{', '.join(operators) or 'all operators'}; {', '.join(cities) or 'all cities'}",
        )


EVERYWHERE = Scope()


@dataclass(frozen=True)
class Person:
    """A person. `id`: identifies them, also in the audit trail; `display_name`: only shown."""

    id: str
    role: Role
    display_name: str = field(default="", compare=False)
    scope: Scope = EVERYWHERE


SYSTEM = Person("duanka", Role.SYSTEM)
HOLDER = Person("holder", Role.HOLDER)


def same_person(one: str, other: str) -> bool:
    """Whether two ids are of the same person."""
    return one == other


def person_id(text: str) -> str:
    """Return `text` if it is a valid id of a person; BadPerson otherwise."""
    if not re.fullmatch(ID_PATTERN, text):
        raise BadPerson(
            f"{text[:40]!r} cannot be an id: write 2 to 32 of a-z, 0-9, '.', '_' and '-', like wang.wei"
        )
    if text in RESERVED_IDS or not re.search(r"[a-z0-9]", text):
        raise BadPerson(f"{text!r} is kept for ourselves: choose the id of a person, like wang.wei")
    return text


def place_name(text: str) -> str:
    """Return `text` if a scope can name it, else "": no scope could ever cover it."""
    name = text.strip()
    return name if _is_place(name) else ""


def _is_place(name: str) -> bool:
    """Whether a scope can name it: without invisible characters."""
    return bool(_PLACE.fullmatch(name)) and all(map(_visible, name))


def display_name(text: str) -> str:
    """Normalise (NFKC, single blanks). BadPerson: bad length, invisible letters, or mixed scripts."""
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
    """Parse a scope; BadPerson: too many or invalid names."""
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


# Scripts that one name may mix, because their letters do not look alike.
_TOGETHER = (frozenset({"CJK", "LATIN"}), frozenset({"CJK", "HIRAGANA", "KATAKANA"}))


def _visible(letter: str) -> bool:
    """Whether a character is visible or a blank: no control, format, private, unassigned, filler."""
    if letter == " ":
        return True
    if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"):
        return letter == "\u3000"  # ideographic space, which NFKC turns into a blank
    return not (
        "FILLER" in unicodedata.name(letter, "")
        or "VARIATION SELECTOR" in unicodedata.name(letter, "")
        or letter in "\u2800\u034f\u17b4\u17b5"
    )


def _script(letter: str) -> str:
    """Return a character's script by its Unicode name; "" if all scripts share it."""
    if not unicodedata.category(letter).startswith("L"):
        return ""
    first = unicodedata.name(letter, "").split(" ")[0]
    return "" if first in ("MODIFIER", "IDEOGRAPHIC", "FEMININE", "MASCULINE") else first
