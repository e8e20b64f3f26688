"""A single file that a person names for an export: what is there already stays, unless it is an earlier export."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from duanka.bootstrap.outputs.files import (
    CASE_SOURCES,
    FIGURES,
    MAPPING,
    PASSES,
    SPECIFICATION,
    TRAIL_END,
    may_export,
)
from duanka.bootstrap.policies import shipped
from duanka.bootstrap.settings import Settings
from duanka.domain import case_source, passed_cards
from duanka.domain.errors import DuankaError
from duanka.domain.person import Role
from duanka.specification.figures import MEASURED, read_figures, write_figures
from support.desk import duanka
from support.people import people_of

KEY = bytes(32)


def test_commands_write_again_what_they_wrote_and_replace_nothing_else(tmp_path: Path) -> None:
    keys = people_of(Settings(orders=tmp_path / "orders"), {"the.boss": Role.SUPERVISOR})
    own: dict[str, Any] = {"DUANKA_ORDERS": str(tmp_path / "orders"), "DUANKA_API_KEY": keys["the.boss"]}
    secret = (tmp_path / "orders" / "secret").read_bytes()
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "store.json").write_text("{}", encoding="utf-8")
    for number, words in enumerate(
        [("orders", "passes", "--export"), ("keys", "sources", "--export"), ("audit", "end", "--out")]
    ):
        out = tmp_path / f"out-{number}"
        for _ in range(2):
            typed = duanka("--language", "en", *words, out, **own)
            assert typed.code == 0, typed.err
        written = out.read_bytes()
        (tmp_path / "mine").write_text("precious", encoding="utf-8")
        for other, said in (
            ("orders/secret", "folder of an order database"),
            ("store/store.json", "inside the store"),
            ("mine", "is there already"),
        ):
            refused = duanka("--language", "en", *words, tmp_path / other, **own)
            assert refused.code == 2, words
            assert said in " ".join(refused.err.split())
        assert out.read_bytes() == written
    assert (tmp_path / "orders" / "secret").read_bytes() == secret
    assert (tmp_path / "store" / "store.json").read_text(encoding="utf-8") == "{}"
    assert (tmp_path / "mine").read_text(encoding="utf-8") == "precious"
    backup = ("orders", "backup", tmp_path / "store" / "backup", "--why", "w")
    assert "inside the store" in " ".join(duanka("--language", "en", *backup, **own).err.split())
    assert not (tmp_path / "store" / "backup").exists()


@pytest.mark.parametrize(
    "words", [("mapping", "guess", "data"), ("spec", "page"), ("spec", "measure", "data")]
)
def test_what_takes_long_is_refused_before_it_begins(tmp_path: Path, words: tuple[str, ...]) -> None:
    mine = tmp_path / "mine.html"
    mine.write_text('{"date": 1, "run": 2}', encoding="utf-8")
    refused = duanka("--language", "en", *words, "--out", mine, cwd=tmp_path)
    assert refused.code == 2
    assert "is there already" in " ".join(refused.err.split())
    assert mine.read_text(encoding="utf-8") == '{"date": 1, "run": 2}'


@pytest.mark.parametrize(
    "kind",
    [PASSES, CASE_SOURCES, TRAIL_END, SPECIFICATION, FIGURES, MAPPING],
    ids=lambda kind: kind.pattern[:20],
)
def test_an_export_of_another_kind_is_foreign(tmp_path: Path, kind: re.Pattern[bytes]) -> None:
    figures = read_figures(MEASURED, named=True)
    assert figures
    write_figures(figures, tmp_path / "figures")
    written = {
        PASSES: passed_cards.listed([], KEY),
        CASE_SOURCES: case_source.listed([], KEY),
        TRAIL_END: b'{"installation": "a", "seq": 1, "hash": "b", "at": "c", "seal": "d"}\n',
        SPECIFICATION: b"<!doctype html>\n<p>duanka spec confirm</p>",
        FIGURES: (tmp_path / "figures").read_bytes(),
        MAPPING: shipped("mappings", "native.toml").read_bytes(),
    }
    path = tmp_path / "out"
    for of, content in written.items():
        path.write_bytes(content)
        if of is kind:
            may_export(path, "--out", Settings(), earlier=kind)
        else:
            with pytest.raises(DuankaError, match="is there already"):
                may_export(path, "--out", Settings(), earlier=kind)
