"""Display texts in two languages, Chinese and English."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Literal, NamedTuple, Self

Language = Literal["zh", "en"]


class BilingualText(NamedTuple):
    """One text in Chinese and in English."""

    zh: str
    en: str

    def in_(self, language: Language) -> str:
        """Return the text in `language`."""
        return self.zh if language == "zh" else self.en

    def filled(self, **values: object) -> BilingualText:
        """The text with `values` in its fields; a BilingualText among them in the same language."""

        def told(language: Language) -> dict[str, object]:
            return {n: v.in_(language) if isinstance(v, BilingualText) else v for n, v in values.items()}

        return BilingualText(self.zh.format_map(told("zh")), self.en.format_map(told("en")))


class Many(int):
    """A count in a text: `{n}` is its digits, grouped; `{n:card|cards}` has the word for one or several after it."""

    def __format__(self, spec: str) -> str:
        """The digits, and the word that `spec` has for so many."""
        one, parted, several = spec.partition("|")
        if not parted:
            return super().__format__(spec or ",")
        return f"{int(self):,} {one if self == 1 else several}"


class WordedEnum(StrEnum):
    """Enum with display texts: `NAME = "value", "中文", "English"`; English is by default the value."""

    words: BilingualText
    # A member equals its value, so it needs the same hash; Enum would hash the name, more slowly.
    __hash__ = str.__hash__

    def __new__(cls, value: str, zh: str = "", en: str = "") -> Self:
        """Create the member `value`, displayed as `zh` or `en`."""
        if not zh:
            raise TypeError(f"{cls.__name__} {value} has no Chinese word")
        member = str.__new__(cls, value)
        member._value_ = value
        member.words = BilingualText(zh, en or value.replace("_", " "))
        return member


class RankedEnum(IntEnum):
    """An ordered enum with display texts: `NAME = rank, "中文", "English"`; files use `word`."""

    words: BilingualText

    def __new__(cls, rank: int, zh: str = "", en: str = "") -> Self:
        """Create the member, displayed as `zh` or `en`."""
        member = int.__new__(cls, rank)
        member._value_ = rank
        member.words = BilingualText(zh, en)
        return member

    @property
    def word(self) -> str:
        """The member as written in files: `verify_at_counter`."""
        return self.name.lower()
