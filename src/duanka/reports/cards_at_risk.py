"""cards_at_risk.csv and .xlsx, the desk's work list; see docs/OUTPUT.md.

The format is public and stable.
"""

from __future__ import annotations

import csv
import shutil
from contextlib import ExitStack
from pathlib import Path

from duanka.domain.decision import Tier
from duanka.domain.display import SPREADSHEET_MARK, spreadsheet_cell
from duanka.domain.findings import CardAtRisk
from duanka.domain.private_files import private_file, put_in_place
from duanka.domain.text import Language
from duanka.reports.spreadsheet import write_spreadsheet

COLUMNS = ("card", "tier", "rules", "reasons", "action")


class CardsAtRisk:
    """Writes the list, heaviest tier first; a file per tier bounds the memory."""

    def __init__(self, path: Path, language: Language | None) -> None:
        """`language`: of reasons and workbook.

        None: reasons in zh, workbook in the CSV's words.
        """
        self._path, self._asked = path, language
        self._language = language or "zh"
        self._parts = {tier: path.with_suffix(f".{tier.word}") for tier in sorted(Tier, reverse=True)}
        self._files = ExitStack()

    def __enter__(self) -> CardsAtRisk:
        self._writers = {
            tier: csv.writer(
                self._files.enter_context(private_file(part).open("w", encoding="utf-8", newline=""))
            )
            for tier, part in self._parts.items()
        }
        return self

    def add(self, card: CardAtRisk) -> None:
        """Write one card."""
        reasons = "；" if self._language == "zh" else "; "
        self._writers[card.tier].writerow(
            (
                spreadsheet_cell(card.card),
                card.tier.word,
                ";".join(card.reasons),
                spreadsheet_cell(reasons.join(words.in_(self._language) for words in card.reasons.values())),
                card.action.word,
            )
        )

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._files.close()
        if kind is None:
            with (
                put_in_place(self._path) as aside,
                aside.open("w", encoding="utf-8", newline="") as whole,
            ):
                whole.write(SPREADSHEET_MARK)
                csv.writer(whole).writerow(COLUMNS)
                for part in self._parts.values():
                    with part.open(encoding="utf-8", newline="") as rows:
                        shutil.copyfileobj(rows, whole)
            write_spreadsheet(self._path, self._path.with_suffix(".xlsx"), self._asked)
        for part in self._parts.values():
            part.unlink(missing_ok=True)
