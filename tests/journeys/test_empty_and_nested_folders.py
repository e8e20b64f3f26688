"""Folders as people have them: nothing in them yet, records some folders down, and a place whose inbox is meant."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from duanka.cli import main as cli
from duanka.cli.detection import record_options as cli_records
from duanka.cli.shell.language import begin
from duanka.cli.shell.process import OUT
from support.desk import ENGLISH
from support.waiting import until

_CALLS = (
    "card,peer,direction,started_at,seconds\n8613800138{0:03d},8613900139000,out,2021-05-17 09:30:00,61\n"
)


def _typed(*words: str | Path) -> tuple[int, str]:
    """Type a command in this process: its exit code, and what it printed or the line of its error."""
    OUT.width = 200
    done = CliRunner().invoke(cli.cli, [str(word) for word in words], env=ENGLISH)
    if done.exception and not isinstance(done.exception, SystemExit):
        return 2, str(done.exception)
    return done.exit_code, done.output


def _records(folder: Path) -> Path:
    """Calls at the top, some folders down, and in a folder that is called like their table."""
    for number, name in enumerate(
        ("calls.csv", "jiangsu/2021-05-17/calls.csv", "jiangsu/calls/0930.csv", "x/~$calls.csv")
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_CALLS.format(number))
    return folder


def test_scan_and_live_read_the_same_files_of_sub_folders(tmp_path: Path) -> None:
    data = _records(tmp_path / "in")
    code, said = _typed("scan", data, "--out", tmp_path / "out")
    assert code == 0, said
    assert "Scanned 3 records of 3 cards" in said
    code, said = _typed("live", "--inbox", data, "--once", "--out", tmp_path / "live")
    assert code == 0, said
    assert "used                  3" in said


@pytest.mark.parametrize("command", [("live", "--once", "--inbox"), ("morning",)])
def test_a_first_run_that_would_read_nothing_says_what_to_do(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    inbox, out = tmp_path / "in", tmp_path / "out"
    code, said = _typed(*command, inbox, "--out", out)
    assert (code, "no such directory; make it, or check the path" in said) == (2, True)
    inbox.mkdir()
    (inbox / "taken").mkdir()
    (inbox / "taken/calls.csv").write_text(_CALLS.format(1))
    (inbox / "calls.xls").write_bytes(b"x")
    code, said = _typed(*command, inbox, "--out", out)
    assert code == 2
    assert "no records here yet; found calls.xls (save it as .xlsx or CSV); put them there (calls.csv" in said
    assert not (out / "state").exists(), "the next run is the first one again"
    (inbox / "calls.csv").write_text(_CALLS.format(1))
    assert _typed(*command, inbox, "--out", out)[0] in (0, 4)
    (inbox / "calls.csv").unlink()
    assert _typed(*command, inbox, "--out", out)[0] in (0, 4), "nothing new came, which is no error"


def test_in_a_place_a_scan_reads_its_inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, said = _typed("scan")
    assert (code, "which records? Name their folder, DATA, or set `inbox` in duanka.toml" in said) == (
        2,
        True,
    )
    (tmp_path / "duanka.toml").write_text('inbox = "inbox"\nout = "out"\n')
    _records(tmp_path / "inbox")
    code, said = _typed("scan")
    assert code == 0, said
    assert "Scanned 3 records" in said
    assert (tmp_path / "out/cards_at_risk.csv").exists()


def test_what_follows_the_rules_has_a_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Recorder:
        def step(self, what: str, done: float, total: float | None = None) -> None:
            told.append(what)

    @contextmanager
    def recorded() -> Iterator[Recorder]:
        yield Recorder()

    monkeypatch.setattr("duanka.cli.detection.scan.steps", recorded)
    assert _typed("scan", _records(tmp_path / "in"), "--out", tmp_path / "out")[0] == 0
    behind = list(dict.fromkeys(told[told.index("rules") :]))
    assert behind == ["rules", "writing hits", "judging cards", "writing lists", "writing the report"]


def test_where_nobody_looks_on_a_line_says_how_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(cli_records, "ERR", Console(file=said))
    begin("en")
    with cli_records.Lines(every=0.01) as lines:
        lines.step("reading records", 1, 4)
        until(lambda: "reading records, 25% (" in said.getvalue())
        lines.step("judging cards", 7)
        until(lambda: "judging cards (" in said.getvalue())
    assert cli_records.LINE_EVERY <= 10
