"""docs/ASSESSMENT.md has the formulas and the table of listing. Run as a program, this writes its generated parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from duanka.assessment.formulas import FORMULAS, OURS
from duanka.domain.assessment import Measure
from duanka.domain.listing import LISTING_TRANSITIONS, ListingEvent
from duanka.domain.person import Role
from duanka.domain.text import BilingualText
from support import ROOT

PAGES = {"en": ROOT / "docs" / "ASSESSMENT.md", "zh": ROOT / "docs" / "ASSESSMENT.zh.md"}
END = "<!-- end -->\n"
HOW_TO_WRITE = "docs/ASSESSMENT.md lags behind the code; write it anew with: make pages"
_FORMULA_HEADS = BilingualText(
    "| 指标 | 名称 | 公式 |\n|---|---|---|", "| measure | name | formula |\n|---|---|---|"
)
_LISTING_HEADS = BilingualText(
    "| 之前 | 事件 | 之后 | 何人 | 不得为做过下列事项的人 |\n|---|---|---|---|---|",
    "| from | event | to | who | but not who did |\n|---|---|---|---|---|",
)


def _formulas(language: int) -> Iterator[str]:
    yield f"{OURS[language]}\n"
    yield _FORMULA_HEADS[language]
    for one in Measure:
        yield f"| `{one.value}` | {one.words[language]} | {FORMULAS[one][language]} |"


def _transitions(language: int) -> Iterator[str]:
    joined = ("、", ", ")[language]
    yield _LISTING_HEADS[language]
    for row in LISTING_TRANSITIONS:
        who = joined.join(role.words[language] for role in Role if role in row.permission.roles)
        apart = joined.join(one.words[language] for one in ListingEvent if one in row.apart_from) or "-"
        said = (row.before.words, row.event.words, row.after.words)
        yield f"| {' | '.join(words[language] for words in said)} | {who} | {apart} |"


PARTS: Mapping[str, Callable[[int], Iterator[str]]] = {
    "<!-- from src/duanka/assessment/formulas.py; written by tests/test_docs_assessment.py -->\n": _formulas,
    "<!-- from src/duanka/domain/listing.py; written by tests/test_docs_assessment.py -->\n": _transitions,
}


def generated(page: str, language: str) -> str:
    """The page with its generated parts as the code has them now."""
    for mark, rows in PARTS.items():
        before, found, after = page.partition(mark)
        assert found, f"the page has no place for {mark}"
        _, end, rest = after.partition(END)
        assert end, f"nothing ends what follows {mark}"
        text = "\n".join(rows(("zh", "en").index(language)))
        page = f"{before}{mark}\n{text}\n\n{END}{rest}"
    return page


@pytest.mark.parametrize("language", PAGES)
def test_the_page_has_formulas_and_the_table_of_listing(language: str) -> None:
    page = PAGES[language].read_text(encoding="utf-8")
    assert page == generated(page, language), HOW_TO_WRITE


def _write(path: Path, language: str) -> None:
    path.write_text(generated(path.read_text(encoding="utf-8"), language), encoding="utf-8")


if __name__ == "__main__":
    for one, file in PAGES.items():
        _write(file, one)
