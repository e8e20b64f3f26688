"""The layout of src holds by scripts that `make lint` runs: each of them finds what breaks it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import ROOT, long_first

CHECK = ROOT / "scripts" / "check_layout.py"
PAIR = "class Handler: ...\n"  # the one deliberate pair


def package(src: Path, name: str, modules: int = 0) -> Path:
    folder = src / name
    folder.mkdir(parents=True)
    for module in ("__init__", *(f"m{n}" for n in range(modules))):
        (folder / f"{module}.py").write_text("", encoding="utf-8")
    return folder


@pytest.fixture
def src(tmp_path: Path) -> Path:
    """A small tree in which everything holds."""
    package(tmp_path, "rules", 20)
    package(tmp_path, "domain", 20)
    for name in ("orders", "network"):
        (package(tmp_path, name, 13) / "pages.py").write_text(PAIR, encoding="utf-8")
    (tmp_path / "__main__.py").write_text("", encoding="utf-8")
    return tmp_path


def checked(src: Path) -> tuple[int, str]:
    done = subprocess.run([sys.executable, CHECK, src], capture_output=True, text=True, check=False)
    assert not done.stderr
    return done.returncode, done.stdout.replace(f"{src}/", "")


def test_what_holds_says_nothing(src: Path) -> None:
    assert checked(src) == (0, "")


def test_a_class_name_that_is_defined_twice_fails_and_so_does_a_pair_that_is_none_any_more(src: Path) -> None:
    (src / "orders" / "m1.py").write_text("class Refused: ...\n", encoding="utf-8")
    (src / "network" / "m1.py").write_text("\n\nclass Refused: ...\n", encoding="utf-8")
    (src / "network" / "pages.py").write_text("", encoding="utf-8")

    code, said = checked(src)

    assert code == 1
    assert said.splitlines() == [
        "class Refused is defined 2 times, rename all but one: network/m1.py:3, orders/m1.py:1",
        "class Handler is no longer defined twice: remove it from DELIBERATE_PAIRS",
    ]


def test_a_long_file_and_a_long_function_fail(src: Path) -> None:
    (src / "orders" / "m1.py").write_text("a = 1\n" * 401, encoding="utf-8")
    (src / "orders" / "m2.py").write_text("a = 1\n" * 400, encoding="utf-8")
    (src / "orders" / "m3.py").write_text("def one():\n" + "    a = 1\n" * 80, encoding="utf-8")
    (src / "orders" / "m4.py").write_text("def two():\n" + "    a = 1\n" * 79, encoding="utf-8")

    code, said = checked(src)

    assert code == 1
    assert said.splitlines() == [
        "orders/m1.py has 401 lines, at most 400: split it along a responsibility",
        "orders/m3.py:1: one has 81 lines, at most 80: split it",
    ]


def test_a_large_package_and_a_module_outside_of_packages_fail(src: Path) -> None:
    (src / "orders" / "m14.py").write_text("", encoding="utf-8")
    (src / "helpers.py").write_text("", encoding="utf-8")

    code, said = checked(src)

    assert code == 1
    assert said.splitlines() == [
        "helpers.py is in no package: move it into one",
        f"{src}/orders has 15 modules, at most 14: make sub-packages".replace(f"{src}/", ""),
    ]


def test_a_new_file_with_a_forbidden_import_breaks_the_contracts_whatever_package_it_is_in(
    tmp_path: Path,
) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for where, line in (
        ("orders/dispatch/new.py", "import duckdb"),  # an engine outside of engine
        ("simulator/new.py", "from duanka.orders import service"),  # one room imports another
        ("domain/new.py", "from duanka.ledger.db import database"),  # a lower layer imports a higher one
    ):
        (tmp_path / "src" / "duanka" / where).write_text(f"{line}\n", encoding="utf-8")

    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-cache"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "src"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1, done.stdout + done.stderr
    for broken in (
        "duanka.orders.dispatch.new -> duckdb",
        "duanka.simulator.new -> duanka.orders.service",
        "duanka.domain.new -> duanka.ledger.db.database",
    ):
        assert broken in done.stdout, done.stdout


def test_the_files_that_begin_first_are_files_of_today() -> None:
    assert [place for place in long_first.LONG if not (ROOT / "tests" / f"{place}.py").is_file()] == []
