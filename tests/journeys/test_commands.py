"""The commands beside scan: evaluate, rules, spec, simulate."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
from inspect import signature
from pathlib import Path

import polars as pl
import pytest
import typer

from duanka.cli import main as cli
from duanka.cli.detection.scan import simulate
from duanka.cli.shell.lazy import DeferredGroup, lazily
from duanka.evaluation.measure import evaluate
from duanka.rules import RULES
from duanka.simulator import FRAUD_SHARE
from support.desk import cards_at_risk, duanka, flagged, new_duanka


def test_evaluate_counts_what_the_files_say(national: Path, province: Path) -> None:
    truth = pl.read_parquet(province / "truth.parquet")
    fraud = set(truth.filter("fraud")["card"])
    asked = {row["card"] for row in cards_at_risk(national) if row["action"] != "watch"}
    found = evaluate(national, province / "truth.parquet")
    assert (found.cards, found.fraud) == (truth.height, len(fraud))
    assert (found.asked.cards, found.asked.fraud) == (len(asked), len(asked & fraud))
    assert found.asked.precision == len(asked & fraud) / len(asked)
    assert found.stopped.honest == 0
    by_rule = {row.name: row for row in found.rules}
    tripped = flagged(national, "fan_out")
    assert (by_rule["fan_out"].cards, by_rule["fan_out"].fraud) == (len(tripped), len(tripped & fraud))
    assert sum(row.of for row in found.roles) == len(fraud)
    assert sum(row.cards for row in found.honest_roles) == found.asked.honest


def test_evaluate_prints_tables_for_people_and_for_pages(national: Path, province: Path) -> None:
    plain = new_duanka("evaluate", national, "--truth", province / "truth.parquet")
    pages = duanka("evaluate", national, "--truth", province / "truth.parquet", "--markdown")
    assert plain.code == pages.code == 0
    assert "honest cards stopped outright: 0" in plain.out
    assert re.search(r"^\| fan_out \| [\d,]+ \|", pages.out, re.MULTILINE)


def test_rules_are_listed_and_shown() -> None:
    listed = duanka("rules", "list", "--policy", "hebei")
    assert all(rule.id in listed.out for rule in RULES)
    shown = new_duanka("rules", "show", "fan_out")
    assert "min_peers" in shown.out
    assert "ours" in shown.out
    assert "SELECT" in shown.out


def test_rules_test_runs_the_examples() -> None:
    typed = duanka("rules", "test", "over_frequency")
    assert typed.code == 0, typed.err
    assert "61 calls in one hour" in typed.out
    assert "0 wrong" in typed.out


def test_spec_prints_every_requirement() -> None:
    typed = new_duanka("spec")
    assert typed.code == 0, typed.err
    for number in ("R1.1", "R3.5", "R7.3", "R13"):
        assert re.search(rf"^{re.escape(number)}\s", typed.out, re.MULTILINE)


def test_simulate_says_what_it_made_and_what_comes_next(tmp_path: Path) -> None:
    typed = new_duanka("simulate", "world", "--cards", "300", "--days", "2", cwd=tmp_path)
    assert typed.code == 0, typed.err
    assert "Next: duanka scan world" in typed.out
    assert duanka("scan", "world", cwd=tmp_path).code == 0


def test_help_and_version() -> None:
    assert "Exit" in duanka("scan", "--help").out or "exit code 3" in duanka("scan", "--help").out
    assert new_duanka("--version").out.startswith("duanka ")


_ENGINES = {"duckdb", "polars", "pyarrow", "numpy", "sqlglot", "fastapi", "nats", "xlsxwriter"}
_DATABASES = {"sqlalchemy", "psycopg", "sqlite3"}
_OTHER_SERVERS = {"psycopg", "sqlalchemy.dialects.postgresql"}
# what only some commands of the order database need: other rooms, and certificates, HTTP, PDF and statistics
_FEW = {"duanka.casework", "duanka.network", "duanka.reports", "cryptography.x509", "httpx", "typst", "scipy"}


@pytest.mark.parametrize(
    ("words", "unused"),
    [
        ("--help", {*_ENGINES, *_DATABASES, "pydantic", "cryptography", "duanka.rules"}),
        ("scan --help", {*_ENGINES, *_DATABASES, "duanka.simulator"}),
        ("orders --help", {*_ENGINES, *_DATABASES}),
        ("orders list", {*_ENGINES, *_OTHER_SERVERS, *_FEW, "duanka.assessment"}),
        ("whoami", {*_ENGINES, *_OTHER_SERVERS, *_FEW, "duanka.assessment"}),
        ("figures", {*_ENGINES, *_OTHER_SERVERS, *_FEW, "duanka.orders", "cryptography"}),
    ],
)
def test_a_command_imports_no_library_that_it_does_not_use(
    words: str, unused: set[str], tmp_path: Path
) -> None:
    begun = duanka("persons", "init", "wang", cwd=tmp_path).out.splitlines()
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.argv[1:] = {words.split()}; from duanka.cli import main as cli\n"
            "try: cli.main()\nfinally: print(*sys.modules)",
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"DUANKA_API_KEY": begun[1]},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    loaded = set(run.stdout.splitlines()[-1].split())
    assert "duanka.cli.main" in loaded
    assert not loaded & unused


def test_the_share_of_fraud_that_is_written_in_a_command_is_the_simulators() -> None:
    assert signature(simulate).parameters["fraud_share"].default == FRAUD_SHARE


def test_the_list_of_commands_says_what_their_own_help_says() -> None:
    group = typer.main.get_command(cli.cli)
    assert isinstance(group, DeferredGroup)
    told = {name: command.help for name, command in group.commands.items()}
    group.load_all()
    own = {name: (command.help or "").split("\n\n")[0] for name, command in group.commands.items()}
    assert told == own
    assert list(told) == list(cli.COMMANDS)


def test_a_command_with_a_slip_of_the_pen_is_told_the_nearest(tmp_path: Path) -> None:
    typed = duanka("ordres", "list", cwd=tmp_path)
    assert typed.code == 2
    assert "Did you mean 'orders'?" in typed.err


def test_no_garbage_is_collected_while_the_modules_of_a_command_are_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "imported_later.py").write_text("import gc\ncollected = gc.isenabled()\n")
    (tmp_path / "imported_badly.py").write_text("raise LookupError\n")
    later = lazily("imported_later")
    frozen = gc.get_freeze_count()
    try:
        assert later.collected is False
        assert gc.isenabled()
        assert gc.get_freeze_count() > frozen, "what was imported is looked through again and again"
        with pytest.raises(LookupError):
            _ = lazily("imported_badly").anything
        assert gc.isenabled()
    finally:
        gc.unfreeze()
        sys.modules.pop("imported_later")
