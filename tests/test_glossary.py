"""docs/GLOSSARY.md names each term once, with Chinese as the screen has it, and where the code has it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from importlib import import_module
from typing import NamedTuple

import pytest

from duanka.domain.text import WordedEnum
from support import ROOT

SRC = ROOT / "src" / "duanka"


class Row(NamedTuple):
    """A term of the table: `path` below src/duanka; `name`: `Class`, `Class.MEMBER` or empty."""

    terms: tuple[str, ...]
    chinese: tuple[str, ...]
    path: str
    name: str


def _rows() -> list[Row]:
    rows = []
    for line in (ROOT / "docs" / "GLOSSARY.md").read_text(encoding="utf-8").splitlines():
        cells = [one.strip() for one in line.strip("|").split(" | ")]
        if not line.startswith("| ") or cells[0] == "term":
            continue
        term, chinese, _, where = cells
        path, name = [*re.findall(r"`([^`]+)`", where), ""][:2]
        rows.append(Row(tuple(term.split(", ")), tuple(chinese.split("、")), path, name))
    return rows


ROWS = _rows()
by_term = pytest.mark.parametrize("row", ROWS, ids=[row.terms[0] for row in ROWS])


def test_no_term_stands_twice() -> None:
    assert len(ROWS) > 50, "the tables are read at all"
    for words in (
        [term.lower() for row in ROWS for term in row.terms],
        [word for row in ROWS for word in row.chinese],
    ):
        assert not [word for word, times in Counter(words).items() if times > 1]


@by_term
def test_a_term_lives_where_the_glossary_says(row: Row) -> None:
    path = SRC / row.path
    assert path.exists(), f"{row.terms[0]}: no {row.path}; say in docs/GLOSSARY.md where it lives now"
    if row.name:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
        assert row.name.split(".")[0] in classes, f"{row.terms[0]}: {row.path} defines no {row.name}"


@by_term
def test_a_member_that_people_read_has_the_same_chinese_there(row: Row) -> None:
    if "." not in row.name:
        return
    name, member = row.name.split(".")
    module = import_module(f"duanka.{row.path.removesuffix('.py').replace('/', '.')}")
    found = getattr(module, name)[member]
    assert isinstance(found, WordedEnum)
    assert row.chinese == (found.words.zh,)
