"""The pages that are in both languages say the same: commands, figures, links and pictures.

README.md with README.zh.md, the two pages with the figures, and those of rings and of invented worlds. The front page
stays short.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from support import ROOT

PAGES = {
    "README.md": 15,
    "docs/ASSESSMENT.md": 0,
    "docs/BENCHMARKS.md": 120,
    "docs/CASEWORK.md": 0,
    "docs/DETECTION.md": 200,
    "docs/LINKS.md": 35,
    "docs/WORLDS.md": 50,
}  # page -> figures it has at least
FRONT_PAGE_LINES = 125
_LARGE = {"million": 1_000_000, "M": 1_000_000, "万": 10_000, "亿": 100_000_000}
_NUMBER = re.compile(
    rf"(?<![\w.-])([0-9]+(?:,[0-9]{{3}})*(?:\.[0-9]+)?)(?:\s?({'|'.join(_LARGE)})\b|\s?(万|亿))?"
)
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`[^`\n]+`|\]\([^)]*\)")


class Pair(NamedTuple):
    """One page in both languages, without the marks that differ by their nature."""

    english: str
    chinese: str
    later: str
    figures: int


@pytest.fixture(params=PAGES)
def pair(request: pytest.FixtureRequest) -> Pair:
    name: str = request.param
    english, chinese = (
        (ROOT / one).read_text(encoding="utf-8").replace(".zh.md", ".md") for one in (name, _chinese(name))
    )
    return Pair(english, chinese, f"say it in both {name} and {_chinese(name)}", PAGES[name])


def _chinese(name: str) -> str:
    return name.removesuffix(".md") + ".zh.md"


def _commands(page: str) -> list[str]:
    """The lines of code blocks without what is said about them; a block with a language is a drawing."""
    blocks = [block for language, block in _BLOCK.findall(page) if not language]
    return [re.split(r"\s+# ", line)[0].rstrip() for block in blocks for line in block.splitlines()]


def _drawn(page: str) -> list[str]:
    """The lines of the drawings without the words in them."""
    drawings = [block for language, block in _BLOCK.findall(page) if language]
    return [re.sub(r'"[^"]*"', '""', line) for block in drawings for line in block.splitlines()]


def _quoted(page: str) -> set[str]:
    return {" ".join(one.split()) for one in re.findall(r"`[^`]+`", _BLOCK.sub("", page))}


def _figures(page: str) -> Iterator[float]:
    for number, english, chinese in _NUMBER.findall(_CODE.sub(" ", _BLOCK.sub(" ", page))):
        yield round(float(number.replace(",", "")) * _LARGE.get(english or chinese, 1), 6)


def test_both_name_the_same_commands(pair: Pair) -> None:
    assert _quoted(pair.english), "they are found at all"
    assert _commands(pair.english) == _commands(pair.chinese), pair.later
    assert _quoted(pair.english) == _quoted(pair.chinese), pair.later


def test_both_draw_the_same(pair: Pair) -> None:
    assert _drawn(pair.english) == _drawn(pair.chinese), pair.later


def test_both_have_the_same_figures(pair: Pair) -> None:
    english, chinese = sorted(set(_figures(pair.english))), sorted(set(_figures(pair.chinese)))
    assert len(english) >= pair.figures, "they are found at all"
    assert english == chinese, pair.later


def test_both_have_the_same_links_and_pictures(pair: Pair) -> None:
    english, chinese = (re.findall(r"\]\(([^)]+)\)", page) for page in (pair.english, pair.chinese))
    assert set(english) == set(chinese), pair.later


@pytest.mark.parametrize("name", [one for page in PAGES for one in (page, _chinese(page))])
def test_each_leads_to_the_other_at_its_head(name: str) -> None:
    other = name.replace(".zh.md", ".md") if name.endswith(".zh.md") else _chinese(name)
    head = (ROOT / name).read_text(encoding="utf-8").splitlines()[:4]
    assert any(f"]({Path(other).name})" in line for line in head)


@pytest.mark.parametrize("name", [one for page in PAGES for one in (page, _chinese(page))])
def test_every_link_leads_to_a_file(name: str) -> None:
    page = ROOT / name
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if not link.startswith("https://"):
            assert (page.parent / link.partition("#")[0]).exists(), link


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_front_page_is_short(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= FRONT_PAGE_LINES, "figures stand in docs/BENCHMARKS.md and docs/DETECTION.md"


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
