"""Picks the columns of a sample by header and by values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import polars as pl

from duanka.domain.text import BilingualText
from duanka.ingest.guessing.proposal import ColumnGuess, GuessAnswers, GuessQuestion, Sureness, sure_if
from duanka.ingest.guessing.values import Values
from duanka.ingest.model.header_names import Meaning, meanings
from duanka.ingest.normalise.phone_numbers import Numbers

FITS, FITS_WELL = 0.9, 0.99
_MAX_PROFILED_ROWS = 6000  # maximum rows sampled for a column's profile


@dataclass(frozen=True)
class Knowledge:
    """Prior knowledge; `register`: cards of the register delivered with the files."""

    numbers: Numbers
    zone: str
    answers: GuessAnswers = field(default_factory=GuessAnswers)
    register: frozenset[str] = frozenset()


TEXT = BilingualText("文本", "text")  # any text
NUMBERS, AMOUNTS = BilingualText("号码", "numbers"), BilingualText("数字", "numbers")
DEVICES, TIMES = BilingualText("终端标识", "device identities"), BilingualText("时间", "times")
CHECKED_DEVICES = BilingualText("校验位正确的终端标识", "device identities with their check digit")
KNOWN_VALUES = BilingualText("取值全部认识", "every value of it is known")
FLAG = BilingualText("是或否", "true or false")


class Pick(NamedTuple):
    """A picked column; `share`: of its values that parse as the expected kind."""

    name: str
    share: float
    sure: Sureness
    why: BilingualText

    def guess(self, keys: Mapping[str, Any] | None = None) -> ColumnGuess:
        """The pick as a mapped column, with `keys` besides `from`."""
        return ColumnGuess({"from": self.name, **keys} if keys else self.name, self.sure, self.why)


class Columns:
    """Columns of one shape; `frame`: sampled rows, with columns from folder names."""

    def __init__(self, about: str, frame: pl.DataFrame, knowledge: Knowledge, *, header: bool) -> None:
        self.about = about
        self.frame = frame
        self.header = header
        self.knowledge = knowledge
        step = max(frame.height // _MAX_PROFILED_ROWS, 1)
        some = frame.gather_every(step)
        self.values = {name: Values(some[name], knowledge.numbers, knowledge.zone) for name in frame.columns}
        self.named = {name: meanings(name) for name in frame.columns}
        self.questions: list[GuessQuestion] = []

    def has(self, *wanted: Meaning) -> bool:
        """Whether a column is named by one of these meanings."""
        return any(one.meaning in wanted for named in self.named.values() for one in named)

    def called(self, meaning: Meaning) -> list[tuple[str, bool]]:
        """Columns named `meaning`, best first, and whether the name matches exactly."""
        found = [
            (not one.exact, one.rank, at, name, one.exact)
            for at, (name, named) in enumerate(self.named.items())
            for one in named
            if one.meaning is meaning
        ]
        return [(name, exact) for _, _, _, name, exact in sorted(found)]

    def pick(
        self, meaning: Meaning, fits: Callable[[Values], float], what: BilingualText, least: float = FITS
    ) -> Pick | None:
        """First column named `meaning` whose values fit well, else the first that fits.

        None: none fits. `fits`: share of fitting values; `what`: their kind, in words; `least`: minimum
        share.
        """
        best: Pick | None = None
        refused: list[tuple[str, float]] = []
        for name, exact in self.called(meaning):
            values = self.values[name]
            if not len(values.filled):
                continue
            share = fits(values)
            if share < least:
                if exact and len(self.named[name]) == 1:
                    refused.append((name, share))
                continue
            well = share >= FITS_WELL
            if best is None or (well and best.share < FITS_WELL):
                best = Pick(name, share, sure_if(exact and well), _reason_words(exact, share, what))
        if best is None:
            for name, share in refused:
                self.ask(
                    f"列 {name!r} 按名称应为{what.zh}，但只有 {share:.0%} 的值读得通；未采用",
                    f"column {name!r} is called like {what.en}, but only {share:.0%} of its values read as that;"
                    " left out",
                )
        return best

    def guess(
        self, meaning: Meaning, fits: Callable[[Values], float], what: BilingualText, least: float = FITS
    ) -> ColumnGuess | None:
        """`pick` as a mapped column."""
        pick = self.pick(meaning, fits, what, least)
        return pick.guess() if pick else None

    def guess_by_values(
        self, fits: Callable[[Values], float], what: BilingualText, taken: set[str], least: float = 0.98
    ) -> ColumnGuess | None:
        """The only column without a known name whose values fit; None if not unique."""
        found = [
            (name, share)
            for name, values in self.values.items()
            if name not in taken and not self.named[name] and len(values.filled) >= 3
            and (share := fits(values)) >= least
        ]  # fmt: skip
        if len(found) != 1:
            return None
        name, share = found[0]
        return ColumnGuess(name, Sureness.LIKELY, by_its_values(share, what))

    def ask(self, zh: str, en: str) -> None:
        """Add a question for a person."""
        self.questions.append(GuessQuestion(self.about, BilingualText(zh, en)))


def by_its_values(share: float, what: BilingualText) -> BilingualText:
    """Reason for picking a column without a known name."""
    return BilingualText(
        f"按取值推断：{share:.1%} 是{what.zh}", f"by its values: {share:.1%} read as {what.en}"
    )


def _reason_words(exact: bool, share: float, what: BilingualText) -> BilingualText:
    named = BilingualText("常用列名", "usual name")
    if not exact:
        named = BilingualText("列名含常用词", "its name contains a usual one")
    if what is TEXT:
        return named
    return BilingualText(f"{named.zh}；{share:.1%} 是{what.zh}", f"{named.en}; {share:.1%} read as {what.en}")
