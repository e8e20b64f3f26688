"""A guess about a delivery: sources, sureness of each column, open questions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from duanka.domain.schema import TABLES
from duanka.domain.text import BilingualText
from duanka.ingest.guessing.shapes import DeliveredFile, Shape


class Sureness(IntEnum):
    """How sure a column is; a GUESS is left out and becomes a question."""

    GUESS = 1
    LIKELY = 2
    SURE = 3

    @property
    def words(self) -> BilingualText:
        """The sureness in words."""
        return {
            Sureness.GUESS: BilingualText("猜测", "a guess"),
            Sureness.LIKELY: BilingualText("可能", "likely"),
            Sureness.SURE: BilingualText("确定", "sure"),
        }[self]


def sure_if(told: bool) -> Sureness:
    """SURE if `told` (proven by name or values), else LIKELY."""
    return Sureness.SURE if told else Sureness.LIKELY


@dataclass(frozen=True)
class ColumnGuess:
    """Proposed mapping of a canonical column; `keys`: source column or table of keys."""

    keys: str | Mapping[str, Any]
    sure: Sureness
    why: BilingualText

    @property
    def sources(self) -> tuple[str, ...]:
        """The source columns that it reads."""
        if isinstance(self.keys, str):
            return (self.keys,)
        named = self.keys.get("from", ())
        imsi = (self.keys["imsi"],) if "imsi" in self.keys else ()
        return ((named,) if isinstance(named, str) else tuple(named)) + imsi


@dataclass(frozen=True)
class GuessQuestion:
    """A question for a person; `about`: pattern of the files concerned."""

    about: str
    text: BilingualText


@dataclass
class SourceGuess:
    """One `[[source]]`; `raw`: keys of a shipped mapping, in place of `columns`."""

    shape: Shape
    table: str
    columns: dict[str, ColumnGuess]
    why: BilingualText = BilingualText("", "")
    where: Mapping[str, list[str]] = field(default_factory=dict)
    swap_when: Mapping[str, list[str]] = field(default_factory=dict)
    zone: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def missing(self) -> tuple[str, ...]:
        """Required columns that are missing; if any, the source is written as a comment."""
        return () if self.raw else tuple(c for c in TABLES[self.table].required if c not in self.columns)


@dataclass
class Guess:
    """The whole guess; `unread`: unreadable files, `unknown`: shapes without a source."""

    sources: list[SourceGuess] = field(default_factory=list)
    questions: list[GuessQuestion] = field(default_factory=list)
    unread: list[DeliveredFile] = field(default_factory=list)
    unknown: list[Shape] = field(default_factory=list)

    @property
    def ready(self) -> list[SourceGuess]:
        """The complete sources."""
        return [source for source in self.sources if not source.missing]


@dataclass(frozen=True)
class GuessAnswers:
    """Answers of a person: zone of times without one, meaning of direction codes."""

    times_in: str = ""
    directions: Mapping[str, str] = field(default_factory=dict)
