"""Which language tables are in: what was asked, else the setting, the locale, the operator's zone."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from duanka.cli import main as cli
from duanka.cli.detection import record_options
from duanka.cli.shell import language as cli_language
from duanka.domain.local_time import use_zone
from duanka.domain.order import Kind, State
from duanka.simulator import simulate
from support.desk import duanka
from support.waiting import until

NOTHING = {"LC_ALL": "", "LC_MESSAGES": "", "LANG": "", "DUANKA_LANGUAGE": ""}
SHANGHAI, LIMA = "Asia/Shanghai", "America/Lima"


@pytest.fixture(autouse=True)
def _shanghai() -> None:
    """The zone of a process is that of the order database that it opened last, perhaps in another test."""
    use_zone(SHANGHAI)


@pytest.mark.parametrize(
    ("environment", "zone", "wanted"),
    [
        ({}, SHANGHAI, "zh"),
        ({}, "Asia/Urumqi", "zh"),
        ({}, "PRC", "zh"),
        ({}, "Asia/Hong_Kong", "en"),
        ({}, "Asia/Taipei", "en"),
        ({}, LIMA, "en"),
        ({"LANG": "C"}, SHANGHAI, "zh"),
        ({"LANG": "C.UTF-8"}, SHANGHAI, "zh"),
        ({"LC_ALL": "POSIX"}, LIMA, "en"),
        ({"LANG": "zh_CN.UTF-8"}, LIMA, "zh"),
        ({"LANG": "zh_HK.UTF-8"}, "Asia/Hong_Kong", "zh"),
        ({"LANG": "zh"}, LIMA, "zh"),
        ({"LANG": "zh-Hans"}, LIMA, "zh"),
        ({"LANG": "de_DE@euro"}, SHANGHAI, "en"),
        ({"LANG": "en_GB.UTF-8"}, SHANGHAI, "en"),
        ({"LC_MESSAGES": "en_US.UTF-8", "LANG": "zh_CN.UTF-8"}, SHANGHAI, "en"),
        ({"LC_ALL": "zh_CN.GB18030", "LC_MESSAGES": "en_US.UTF-8"}, LIMA, "zh"),
        ({"LC_ALL": "", "LANG": "zh_CN.UTF-8"}, LIMA, "zh"),
        # the first that is set counts, even where it says nothing
        ({"LC_ALL": "C", "LANG": "en_US.UTF-8"}, SHANGHAI, "zh"),
    ],
)
def test_without_a_setting_the_locale_counts_and_then_the_zone(
    environment: dict[str, str], zone: str, wanted: str
) -> None:
    assert cli_language.unset_language(environment, zone)[0] == wanted


def _in_force(folder: Path, *options: str, **environment: str) -> str:
    typed = CliRunner().invoke(cli.cli, [*options, "config"], env={**NOTHING, **environment})
    assert typed.exit_code == 0, typed.output
    (line,) = (one for one in typed.output.splitlines() if one.startswith("DUANKA_LANGUAGE"))
    return " ".join(line.split()[1:])


def test_what_was_asked_goes_before_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _in_force(tmp_path) == "zh [zone Asia/Shanghai]"
    assert _in_force(tmp_path, LANG="en_US.UTF-8") == "en [LANG=en_US.UTF-8]"
    (tmp_path / "duanka.toml").write_text('language = "zh"\n', encoding="utf-8")
    assert _in_force(tmp_path, LANG="en_US.UTF-8") == f"zh [{tmp_path / 'duanka.toml'}]"
    assert _in_force(tmp_path, DUANKA_LANGUAGE="en") == "en [environment]"
    assert _in_force(tmp_path, "--language", "zh", DUANKA_LANGUAGE="en") == "zh [--language]"
    # a command leaves nothing to the next one of the process
    assert _in_force(tmp_path, DUANKA_LANGUAGE="en") == "en [environment]"


def test_the_zone_is_that_of_the_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.toml").write_text('[orders]\nzone = "America/Lima"\n', encoding="utf-8")
    assert _in_force(tmp_path, DUANKA_POLICY="own.toml") == "en [zone America/Lima]"
    assert _in_force(tmp_path, DUANKA_POLICY="none.toml") == "zh [zone Asia/Shanghai]"
    (tmp_path / "own.toml").write_text("[orders\n", encoding="utf-8")
    assert _in_force(tmp_path, DUANKA_POLICY="own.toml") == "zh [zone Asia/Shanghai]"


def test_an_open_order_database_has_said_its_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in NOTHING.items():
        monkeypatch.setenv(name, value)
    cli_language.begin(None)
    try:
        use_zone("America/Lima")
        assert cli_language.language() == "en"
    finally:
        use_zone(SHANGHAI)
    assert cli_language.language() == "en", "a command has one language"
    cli_language.begin(None)
    assert cli_language.language() == "zh"


def test_words_of_values_follow_the_language() -> None:
    cli_language.begin("zh")
    assert cli_language.term(State, "opened") == "已建单"
    assert cli_language.term(Kind, None) == "-"
    assert cli_language.term(State, "of a later version") == "of a later version"
    cli_language.begin("en")
    assert cli_language.term(State, "sent_to_counter") == "sent to counter"


_ENGLISH = re.compile(r"[A-Za-z]+(?:[ ,;:]+[A-Za-z]+){3}")  # four words in a row


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("town") / "town"
    simulate(folder, cards=200, days=2, seed=5)
    return folder


@pytest.mark.parametrize(
    ("command", "ending"),
    [
        (("scan", "TOWN", "--store", "store", "--out", "out"), "附理由的报告"),
        (("morning", "TOWN", "--store", "store", "--out", "morning"), "变化："),
        (("live", "--inbox", "TOWN", "--once", "--out", "live"), "清单和 report.html"),
    ],
)
def test_what_an_intake_says_has_no_english_sentence(
    command: tuple[str, ...], ending: str, town: Path, tmp_path: Path
) -> None:
    """Lines of the log (WARNING and the module) aside."""
    words = [str(town) if word == "TOWN" else word for word in command]
    typed = duanka("--language", "zh", *words, cwd=tmp_path)
    assert ending in typed.out
    told = [line for line in (typed.out + typed.err).splitlines() if " WARNING duanka." not in line]
    assert not [line for line in told if _ENGLISH.search(line)]
    assert "研判结果没有密封" in "".join(told)


def test_steps_of_progress_are_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(record_options, "ERR", Console(file=said))
    cli_language.begin("zh")
    with record_options.Lines(every=0.01) as lines:
        until(lambda: "开始（" in said.getvalue() or "开始 (" in said.getvalue())
        lines.step("rule over_frequency", 1, 4)
        until(lambda: "规则 over_frequency, 25% (0 秒)" in said.getvalue())
