"""docs/CASEBOOK.md shows what each case trips and the very texts of its holder. Run as a program, this writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from duanka.domain.text import BilingualText
from support.casebook.office import opened_office
from support.casebook.page import HOW_TO_WRITE, PAGES, blocks, filled
from support.casebook.world import made, stricter
from support.databases import sqlite_order_database


@pytest.fixture(scope="module")
def parts(
    casebook: Path, new_sqlite_order_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, BilingualText]:
    file = tmp_path_factory.mktemp("page") / "orders.sqlite"
    with opened_office(sqlite_order_database(new_sqlite_order_database, file), stricter()) as office:
        return blocks(casebook, office)


@pytest.mark.parametrize("language", PAGES)
def test_the_casebook_shows_what_holders_are_told(parts: Mapping[str, BilingualText], language: str) -> None:
    page = PAGES[language].read_text(encoding="utf-8")
    assert filled(page, language, parts) == page, HOW_TO_WRITE


def _write() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        made(folder)
        with opened_office(f"sqlite:///{folder}/orders.sqlite", stricter()) as office:
            found = blocks(folder, office)
    for language, path in PAGES.items():
        path.write_text(filled(path.read_text(encoding="utf-8"), language, found), encoding="utf-8")


if __name__ == "__main__":
    _write()
