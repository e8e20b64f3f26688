"""Declaration of lists, and rendering of their values in a terminal, JSON and CSV."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic, TypeVar

from duanka.cli.shell.language import shown, term
from duanka.cli.shell.process import UNSAFE, with_home
from duanka.domain.display import spreadsheet_cell
from duanka.domain.local_time import operator_zone
from duanka.domain.text import BilingualText, WordedEnum

Item = TypeVar("Item")
Cell = (
    str | int | float | datetime | date | BilingualText | Sequence[str] | Sequence[Mapping[str, Any]] | None
)

_OTHERS = re.compile(r"[\s\x00-\x1f]+")
_YES, _NO = BilingualText("是", "yes"), BilingualText("否", "no")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})")


@dataclass(frozen=True)
class ListColumn(Generic[Item]):
    """One column of a list.

    `name`: field name in JSON and CSV; "": for people only. `heading`: Chinese and English; None: for
    programs only. `of`: value for programs; `cell`: text for people where it differs. On a narrow terminal:
    `least`: width in cells to which the text may be cut; 0: never, for ids and numbers; `spare`: columns are
    omitted, the highest first; 0: never. `both`: value in both languages, two columns in CSV. `below`:
    printed in full under its row. `word`: enum or function giving the text of a value, in cells and counts.
    """

    name: str
    heading: tuple[str, str] | None
    of: Callable[[Item], Cell]
    cell: Callable[[Item], str] | None = None
    least: int = 0
    spare: int = 0
    right: bool = False
    both: bool = False
    below: bool = False
    word: type[WordedEnum] | Callable[[str], str] | None = None

    def shown(self, item: Item) -> str:
        """Text of the cell on a terminal: one line, safe to print."""
        if self.cell:
            text = self.cell(item)
        else:
            text = self.text_of(as_text(self.of(item))) if self.word else in_cell(self.of(item))
        text = UNSAFE.sub("\ufffd", _OTHERS.sub(" ", with_home(text))).strip()
        return text or ("-" if self.name else "")

    def text_of(self, value: str) -> str:
        """Display text of a value."""
        if isinstance(self.word, type):
            return term(self.word, value)
        return self.word(value) if self.word else value

    @property
    def title(self) -> str:
        """The heading in the display language; "" for programs only."""
        return shown(BilingualText(*self.heading)) if self.heading else ""


@dataclass(frozen=True)
class Listing(Generic[Item]):
    """A list.

    `what`: plural noun for its rows in sentences; `counted`: names of the columns to count by.
    """

    what: BilingualText
    columns: tuple[ListColumn[Item], ...]
    counted: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[ListColumn[Item], ...]:
        """The columns for programs."""
        return tuple(one for one in self.columns if one.name)


def in_cell(value: Cell) -> str:
    """Text of a value for people; times in the operator's zone, to the minute."""
    if isinstance(value, BilingualText):
        return shown(value)
    if isinstance(value, datetime):
        return f"{operator_zone().local(value) if value.tzinfo else value:%Y-%m-%d %H:%M}"
    if isinstance(value, bool):
        return shown(_YES if value else _NO)
    if isinstance(value, str):
        return moments_in(value)
    if isinstance(value, Sequence):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def moments_in(text: str) -> str:
    """Convert the ISO 8601 times in `text` to the operator's zone, to the second."""
    return _MOMENT.sub(lambda found: operator_zone().written(datetime.fromisoformat(found[0])), text)


def _plain(value: Cell) -> object:
    """The value in JSON.

    Times are ISO 8601 with the operator's offset; a bilingual text has both languages.
    """
    if isinstance(value, BilingualText):
        return {"zh": value.zh, "en": value.en}
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return _MOMENT.sub(lambda found: _iso(datetime.fromisoformat(found[0])), value)
    return value if value is None or isinstance(value, int | float) else list(value)


def _iso(at: datetime) -> str:
    return (operator_zone().local(at) if at.tzinfo else at).isoformat(timespec="seconds")


def as_text(value: Cell) -> str:
    """Text of a value in CSV and in counts."""
    found = _plain(value)
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, list):
        return ";".join(
            " ".join(map(str, one.values())) if isinstance(one, Mapping) else str(one) for one in found
        )
    return "" if found is None else str(found)


def json_line(facts: Mapping[str, object]) -> str:
    """A JSON object on one line; terminal control characters are escaped."""
    text = json.dumps(facts, ensure_ascii=False)
    return UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def json_rows(listing: Listing[Item], items: Sequence[Item]) -> Iterator[str]:
    """Each row as a JSON object on one line."""
    return (json_line({one.name: _plain(one.of(item)) for one in listing.fields}) for item in items)


def csv_rows(listing: Listing[Item], items: Sequence[Item]) -> Iterator[str]:
    """Header and rows in CSV."""
    head: list[str] = []
    for one in listing.fields:
        head += [f"{one.name}_zh", f"{one.name}_en"] if one.both else [one.name]
    return csv_lines(itertools.chain([head], (_flat(listing, item) for item in items)))


def _flat(listing: Listing[Item], item: Item) -> list[str]:
    flat: list[str] = []
    for one in listing.fields:
        value = one.of(item)
        both = value if isinstance(value, BilingualText) else ("", "")
        flat += both if one.both else [as_text(value)]
    return flat


def csv_lines(rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """CSV lines with quoted cells that no spreadsheet executes or rounds."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    for row in rows:
        writer.writerow([UNSAFE.sub("\ufffd", spreadsheet_cell(str(cell))) for cell in row])
        yield text.getvalue()
        text.seek(0)
        text.truncate()
