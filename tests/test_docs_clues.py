"""docs/CASEWORK.md says what the table of a clue's states says. Run as a program, this writes its generated parts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from duanka.domain.clue import MAY, TRANSITIONS, ClueEvent
from duanka.domain.person import Role
from support import ROOT

PAGES = {"en": ROOT / "docs" / "CASEWORK.md", "zh": ROOT / "docs" / "CASEWORK.zh.md"}
MARK = "<!-- from src/duanka/domain/clue.py; written by tests/test_docs_clues.py -->\n"
END = "\n- **"
HOW_TO_WRITE = "docs/CASEWORK.md lags behind the code; write it anew with: make pages"
_HEADS = {
    "en": "| event | from | to | who |\n|---|---|---|---|",
    "zh": "| 事件 | 之前 | 之后 | 何人 |\n|---|---|---|---|",
}


def generated(language: str) -> str:
    """A row for each event, with all states that it leads out of."""
    return "\n".join((_HEADS[language], *_rows(language)))


def _rows(language: str) -> Iterator[str]:
    for event in ClueEvent:
        rows = [row for row in TRANSITIONS if row.event is event]
        joined = "、" if language == "zh" else ", "
        before = joined.join(_said(row.before, language) for row in rows)
        who = joined.join(_said(role, language) for role in Role if role in MAY[event].roles)
        yield f"| {_said(event, language)} | {before} | {_said(rows[0].after, language)} | {who} |"


def _said(one: object, language: str) -> str:
    words = one.words  # type: ignore[attr-defined]  # of a worded enum
    return str(words.zh if language == "zh" else words.en)


def _parts(language: str) -> tuple[str, str, str]:
    page = PAGES[language].read_text(encoding="utf-8")
    before, mark, after = page.partition(MARK)
    assert mark, f"{PAGES[language].name} has no place for the table"
    written, end, rest = after.partition(END)
    return before + mark, written, end + rest


@pytest.mark.parametrize("language", PAGES)
def test_the_page_has_the_table(language: str) -> None:
    assert _parts(language)[1].strip() == generated(language), HOW_TO_WRITE


if __name__ == "__main__":
    for one, path in PAGES.items():
        head, _, tail = _parts(one)
        path.write_text(f"{head}\n{generated(one)}\n{tail}", encoding="utf-8")
