"""README.zh.md says in Chinese what README.md says: the same commands, figures, links and pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = (
    (ROOT / name).read_text(encoding="utf-8").replace(f"]({other})", "]()")
    for name, other in (("README.md", "README.zh.md"), ("README.zh.md", "README.md"))
)
_LATER = "say it in both README.md and README.zh.md"
_LARGE = {"million": 1_000_000, "M": 1_000_000, "万": 10_000, "亿": 100_000_000}
_NUMBER = re.compile(
    rf"(?<![\w.-])([0-9]+(?:,[0-9]{{3}})*(?:\.[0-9]+)?)(?:\s?({'|'.join(_LARGE)})\b|\s?(万|亿))?"
)
_CODE = re.compile(r"```\n.*?```|`[^`]*`|\]\([^)]*\)", re.DOTALL)


def _commands(page: str) -> list[str]:
    """The lines of code blocks without what is said about them."""
    blocks = re.findall(r"```\n(.*?)```", page, re.DOTALL)
    return [re.split(r"\s+# ", line)[0].rstrip() for block in blocks for line in block.splitlines()]


def _figures(page: str) -> Iterator[float]:
    for number, english, chinese in _NUMBER.findall(_CODE.sub(" ", page)):
        yield round(float(number.replace(",", "")) * _LARGE.get(english or chinese, 1), 6)


def test_both_readmes_name_the_same_commands() -> None:
    assert _commands(ENGLISH) == _commands(CHINESE), _LATER
    quoted = (
        set(re.findall(r"`[^`\n]+`", re.sub(r"```\n.*?```", "", page, flags=re.DOTALL)))
        for page in (ENGLISH, CHINESE)
    )
    english, chinese = ({" ".join(one.split()) for one in found} for found in quoted)
    assert english == chinese, _LATER


def test_both_readmes_have_the_same_figures() -> None:
    english, chinese = sorted(set(_figures(ENGLISH))), sorted(set(_figures(CHINESE)))
    assert len(english) > 300, "they are found at all"
    assert english == chinese, _LATER


def test_both_readmes_have_the_same_links_and_pictures() -> None:
    english, chinese = (set(re.findall(r"\]\(([^)]+)\)", page)) for page in (ENGLISH, CHINESE))
    assert english == chinese, _LATER


@pytest.mark.parametrize(("name", "other"), [("README.md", "README.zh.md"), ("README.zh.md", "README.md")])
def test_each_leads_to_the_other_at_its_head(name: str, other: str) -> None:
    head = (ROOT / name).read_text(encoding="utf-8").splitlines()[:4]
    assert any(f"]({other})" in line for line in head)


@pytest.mark.parametrize(
    ("text", "figure"),
    [
        ("1,970 万条", 19_700_000.0),
        ("19.7 M calls", 19_700_000.0),
        ("30 million", 30_000_000.0),
        ("0.74%", 0.74),
        ("20 万张", 200_000.0),
    ],
)
def test_a_figure_is_the_same_in_the_way_of_either_language(text: str, figure: float) -> None:
    assert list(_figures(text)) == [figure]
