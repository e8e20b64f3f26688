"""Five invented operators' deliveries: a mapping is guessed, and what it reads is what was written."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest

from duanka.ingest import read_mapping, take_in
from duanka.ingest.guessing import Guessed, guess_mapping
from duanka.ingest.guessing.proposal import GuessAnswers
from support import ROOT
from support.ingest import invented
from support.ingest.deliveries import KEY, table
from support.ingest.invented import COLUMNS, Call

SHIPPED = {
    name: tomllib.loads((ROOT / "mappings" / f"{name}.toml").read_text()) for name in ("tap3", "ts32298")
}


def guessed(*paths: Path, times_in: str = "", **directions: str) -> Guessed:
    """Guess the mapping of an operator in China."""
    answers = GuessAnswers(times_in, {code.removeprefix("code"): way for code, way in directions.items()})
    return guess_mapping(
        paths, name="guessed", zone="Asia/Shanghai", region="CN", answers=answers, shipped=SHIPPED, rows=20
    )


def read(folder: Path, data: Path, found: Guessed) -> list[Call]:
    """Take `data` in with the guessed mapping; return the calls of its own cards."""
    (folder / "guessed.toml").write_text(found.text, "utf-8")
    intake = take_in(data, folder / "out", mapping=read_mapping(folder / "guessed.toml"), holder_key=KEY)
    assert intake.quarantined == 0
    calls = table(intake, "calls").select(COLUMNS).filter(pl.col("card").str.starts_with("86138"))
    return sorted(map(Call._make, calls.rows()))


@pytest.mark.parametrize(
    ("deliver", "lacks", "times_in"),
    [
        (invented.chinese, (), ""),
        (invented.asterisk, ("imei", "city"), ""),
        (invented.hive, (), "UTC"),
        (invented.roaming, (), ""),
        (invented.spreadsheet, (), ""),
    ],
)
def test_a_guessed_mapping_reads_what_was_written(
    tmp_path: Path,
    deliver: Callable[[Path, Sequence[Call]], list[Call] | None],
    lacks: tuple[str, ...],
    times_in: str,
) -> None:
    truth = invented.calls()
    data = tmp_path / "data"
    right = deliver(data, truth) or truth
    found = guessed(data, times_in=times_in)
    assert found.whole, found.text
    assert not found.guess.questions
    expected = sorted(
        Call._make(None if name in lacks else value for name, value in call._asdict().items())
        for call in right
    )
    assert read(tmp_path, data, found) == expected


def test_times_of_a_parquet_file_that_look_like_utc_are_asked(tmp_path: Path) -> None:
    invented.hive(tmp_path, invented.calls())
    asked = [question.text.en for question in guessed(tmp_path).guess.questions]
    assert len(asked) == 1
    assert "stand in UTC?" in asked[0]
    assert "--times-in UTC" in asked[0]


def test_document_numbers_are_hashed_and_never_shown(tmp_path: Path) -> None:
    invented.chinese(tmp_path, invented.calls(60))
    found = guessed(tmp_path)
    assert 'holder = { from = "证件号码", hash = true }' in found.text
    assert found.tried is not None
    assert "13010119800101" not in str(found.tried.rows["cards"].rows())
