"""docs/ASSESSMENT.md has the formulas and the table of listing. Run as a program, this writes its generated parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path

import pytest

from duanka.assessment.criterion_words import criterion_in_words
from duanka.assessment.formulas import FORMULAS, OURS
from duanka.domain.assessment import Measure
from duanka.domain.assessment_policy import AssessmentPolicy
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

_CRITERION_HEADS = BilingualText("| 条件 | 数值 | |\n|---|---|---|", "| what | figure | |\n|---|---|---|")
_CRITERION_ROWS = (
    (
        ("periods", "probability"),
        BilingualText("近期每一期都差于其他单位", "worse than the rest in each of the last periods"),
        BilingualText(
            "P（其率 > 其他单位的率），Jeffreys 先验", "P(its rate > that of the others), Jeffreys priors"
        ),
    ),
    (
        ("each_period",),
        BilingualText("每一期都差于对它的预期", "worse than what is expected of it in each of them"),
        BilingualText("单独一个反常的月份不够", "so that one odd month is not enough"),
    ),
    (
        ("limit",),
        BilingualText("各期合计超出控制限", "outside the limits in them together"),
        BilingualText(
            "由偶然和一切不确定因素得到这么多件的概率不超过（1 - `limit`）/ 2",
            "P(as many events) by chance and by all that is uncertain, at most (1 - `limit`) / 2",
        ),
    ),
    (
        ("excess", "least_events", "least_exposure"),
        BilingualText("差得有实际意义", "worse in a way that matters"),
        BilingualText(
            "其他单位率的倍数；各期合计件数；每期基数",
            "times the rate of the others; events in all; exposure in each period",
        ),
    ),
    (
        ("false_discovery",),
        BilingualText("判定很多单位时误判很少", "few false ones among many judged"),
        BilingualText("Benjamini 和 Hochberg", "Benjamini and Hochberg"),
    ),
    (
        ("least_units",),
        BilingualText("有足够的单位可比", "enough units to compare"),
        BilingualText("不足则不作比较", "fewer are not compared"),
    ),
    (
        ("history", "excused"),
        BilingualText("预期由以往得出", "what is expected is learned from the past"),
        BilingualText(
            "至多看几期；以往最多抵到的分位数", "periods at most; the quantile up to which a past excuses"
        ),
    ),
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


def _criterion(language: int) -> Iterator[str]:
    """The shipped policy in words, and row by row."""
    policy = AssessmentPolicy()
    told = {one.name: getattr(policy, one.name) for one in fields(policy)}
    yield f"{criterion_in_words(policy)[language]}\n"
    yield _CRITERION_HEADS[language]
    for names, what, why in _CRITERION_ROWS:
        figures = ("，", ", ")[language].join(f"`{name}` {told[name]:g}" for name in names)
        yield f"| {what[language]} | {figures} | {why[language]} |"


PARTS: Mapping[str, Callable[[int], Iterator[str]]] = {
    "<!-- from the shipped policy; written by tests/test_docs_assessment.py -->\n": _criterion,
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
