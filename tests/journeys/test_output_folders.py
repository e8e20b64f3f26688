"""A folder of results lies in no store, and a run that fails leaves no empty one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from duanka.simulator import simulate
from support.desk import Typed, duanka


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An invented town, and a store of it."""
    folder = tmp_path_factory.mktemp("place")
    simulate(folder / "town", cards=100, days=1, seed=5)
    typed = duanka("scan", "town", "--store", "store", "--out", "lists", cwd=folder)
    assert typed.code in (0, 3), typed.err
    return folder


def _files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def _refused(place: Path, words: tuple[str, ...]) -> str:
    before = _files(place)
    typed: Typed = duanka("--language", "en", *words, cwd=place)
    assert typed.code == 2, typed.out
    assert _files(place) == before
    assert "Traceback" not in typed.err
    return " ".join(typed.err.split())


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (("scan", "town", "--store", "store"), "store"),
        (("scan", "town"), "store/records"),
        (("scan", "town", "--store", "other"), "link/records"),
        (("morning", "town", "--store", "store"), "store/records"),
        (("morning", "town"), "store/new/deep"),
        (("live", "--inbox", "town", "--once"), "store"),
    ],
)
def test_results_lie_in_no_store(place: Path, words: tuple[str, ...], out: str) -> None:
    if not (place / "link").is_symlink():
        (place / "link").symlink_to("store")
    said = _refused(place, (*words, "--out", out))
    assert f"--out {out} lies inside the store" in said
    assert "choose another folder" in said


@pytest.mark.parametrize(
    ("command", "out"),
    [
        (("scan", "town"), "fresh/out"),
        (("morning", "town"), "fresh"),
        (("live", "--once", "--inbox", "town"), "fresh/out"),
    ],
)
def test_nor_in_one_that_is_yet_to_be_made(place: Path, command: tuple[str, ...], out: str) -> None:
    assert "lies inside the store" in _refused(place, (*command, "--store", "fresh", "--out", out))


def test_a_store_within_the_results_is_fine(place: Path) -> None:
    typed = duanka("scan", "town", "--store", "all/store", "--out", "all", cwd=place)
    assert typed.code in (0, 3), typed.err
    shutil.rmtree(place / "all")


@pytest.mark.parametrize(
    "words",
    [
        ("scan", "town", "--store", "town/world.toml", "--out", "new/out"),
        ("scan", "town", "--store", "store", "--as-of", "2021-05-04 00:00"),
        ("scan", "nowhere", "--store", "store", "--out", "new/out"),
        ("scan", "lists", "--out", "new/out"),
        ("morning", "town", "--store", "lists", "--out", "new/out"),
        ("morning", "nowhere", "--out", "new/out"),
    ],
    ids="-".join,
)
def test_a_run_that_fails_leaves_no_folder(place: Path, words: tuple[str, ...]) -> None:
    _refused(place, words)
