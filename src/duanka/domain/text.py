"""A text that a person reads, in the two languages of the desks that use it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, NamedTuple, Self

Language = Literal["zh", "en"]


class BilingualText(NamedTuple):
    """One text in Chinese and in English."""

    zh: str
    en: str

    def in_(self, language: Language) -> str:
        """Return the text in `language`."""
        return self.zh if language == "zh" else self.en


class WordedEnum(StrEnum):
    """An enum whose members stand in tables: `NAME = "value", "中文", "English"`.

    Programs and files have the value. Without an English word it is the value with spaces for underscores.
    """

    words: BilingualText
    # of the value, to which a member is equal: the hash of an enumeration is of the name, and a call each time
    __hash__ = str.__hash__

    def __new__(cls, value: str, zh: str = "", en: str = "") -> Self:
        """The member `value`, which people read as `zh` or `en`."""
        if not zh:
            raise TypeError(f"{cls.__name__} {value} has no Chinese word")
        member = str.__new__(cls, value)
        member._value_ = value
        member.words = BilingualText(zh, en or value.replace("_", " "))
        return member
