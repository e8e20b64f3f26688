"""Help and errors in Chinese: every text of the code has one, and none of it is English on the terminal."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.cells import cell_len
from typer.main import get_command

from duanka.cli import main as cli
from duanka.cli.shell import chinese
from duanka.cli.shell.process import ERR
from duanka.domain.errors import DuankaError
from duanka.domain.order import Event, Kind, State, next_state
from duanka.domain.person import Role
from support import ROOT
from support.desk import duanka

# What stays as it is typed: code, options, paths and addresses, names in capitals, values and their examples.
_AS_TYPED = re.compile(
    r"(?:duanka|make)(?: [a-z-]+)*|"
    r"`[^`]*`|'[^']*'|\[[^\]]*\]|<[^>]*>|--?[\w-]+|\S*[\w*]+[./:=_@-]\S*|\b[A-Z][\w-]*\b|\{[^}]*\}|\([^()]*\)"
)
_ENGLISH = re.compile(r"[a-z]{2,}(?:[ ,]+[a-z]{2,})+")


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("chinese_texts", ROOT / "scripts" / "chinese_texts.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _in_chinese(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DUANKA_LANGUAGE", "zh")
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("DUANKA_API_KEY", "DUANKA_ORDERS", "DUANKA_HOME", "DUANKA_POLICY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ERR, "width", 200)


def english(text: str) -> list[str]:
    """The words of English sentences in a text."""
    return _ENGLISH.findall(_AS_TYPED.sub("", text))


def test_the_code_says_what_the_catalogue_translates(script: ModuleType) -> None:
    assert not list(script.faults())


def test_a_new_error_and_a_changed_one_are_found(script: ModuleType, tmp_path: Path) -> None:
    code = """
class NoTray(DuankaError): ...
TRAY = "the tray"
def check(name: str, full: bool) -> None:
    hint = "empty it" if full else "fill it"
    raise NoTray(f"{TRAY} {name!r} is in the way" + f"; {hint} ({where(name)})")
def where(name: str) -> str:
    return f"it stands beside {name}"
"""
    (tmp_path / "duanka").mkdir()
    (tmp_path / "duanka" / "trays.py").write_text(
        "class DuankaError(Exception): ...\n" + code, encoding="utf-8"
    )
    assert set(script.errors(tmp_path / "duanka")) == {
        "the tray {0} is in the way; empty it ({1})",
        "the tray {0} is in the way; fill it ({1})",
        "it stands beside {0}",
    }


def commands() -> Iterator[tuple[str, Any]]:
    def walk(path: str, command: Any) -> Iterator[tuple[str, Any]]:
        yield path, command
        if hasattr(command, "load_all"):
            command.load_all()
        for name, one in getattr(command, "commands", {}).items():
            yield from walk(f"{path} {name}", one)

    yield from walk("duanka", get_command(cli.cli))


def test_the_help_of_every_command_is_chinese_and_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    shown = 0
    for path, command in commands():
        words = path.split()
        with command.make_context(path, ["--nothing"], resilient_parsing=True) as context:
            command.get_help(context)
        text = capsys.readouterr().out
        assert max(map(cell_len, text.splitlines())) <= 80, text
        assert text.split()[0].startswith(f"用法：{words[0]}"), text
        assert "─ 选项 ─" in text, text
        for paragraph in chinese.paragraphs(command.help or ""):
            assert not english(chinese.in_chinese(paragraph)), paragraph
        for parameter in command.params:
            for paragraph in chinese.paragraphs(getattr(parameter, "help", None) or ""):
                assert not english(chinese.in_chinese(paragraph)), paragraph
        shown += 1
    assert shown > 100


def test_what_a_command_asks_for_is_marked_as_required_and_asked_for_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    marked = dict[str, set[str]]()
    for path, command in commands():
        with command.make_context(path, ["--nothing"], resilient_parsing=True) as context:
            command.get_help(context)
        assert not any(one.required for one in command.params if one.name == "why"), "the command itself asks"
        rows = [line.split()[2] for line in capsys.readouterr().out.splitlines() if line.startswith("│ *")]
        marked[path] = {one for one in rows if one.startswith("--")}
    assert marked["duanka assess list-unit"] == {"--why"}
    assert marked["duanka orders lift"] == {"--reason", "--reason-en"}
    assert marked["duanka orders police-stop"] == {"--case", "--why"}
    assert marked["duanka orders list"] == set(), "of --full alone"


TYPED = {
    "scan nowhere": "nowhere：文件或目录不存在；请检查路径",
    "scan --max-bad x": "--max-bad 'x' 不是比例；请写成 1% 或 0.01",
    "scan": "读哪些记录？请给出其文件夹 DATA，或在 duanka.toml 中设置 `inbox`（`duanka config`）",
    "scan . --engine spark": "--engine spark 需要 Spark Connect 服务器：--remote sc://host:15002，或 DUANKA_REMOTE",
    "scan . --as-of yesterday": "--as-of 'yesterday' 不是时间；请写成 2026-12-31",
    "scan . --memory much": "不是大小；请写成 1GB 或 700MB",
    "rules show nothing": "没有规则 'nothing'；`duanka rules list` 列出全部规则",
    "orders list": "处没有工单库；请把 DUANKA_ORDERS 设为其文件夹",
    "persons init Wang": "'Wang' 不能用作编号：请写 2 到 32 个字符",
    "live": "实时研判只跟随一个来源：请给出 --inbox DIR 或 --nats URL",
    "spec show R9.9": "没有需求 'R9.9'；是不是 R9？",
    "demo": "请说明演示什么：duanka demo --network（只演示记录：make demo）",
    "--home nowhere config": "--home nowhere：其中没有 duanka.toml；可用 `duanka init nowhere` 创建安装目录",
    "cases sign a.csv --key b.pem": "a.csv：无法读取（文件或目录不存在）",
    "evaluate . --truth nothing.parquet": "没有此文件",
    "ordres list": "没有 'ordres' 这个命令。是不是想用 'orders'？",
    "orders": "用法：duanka orders [选项] 命令 [参数]...",
    "orders lits": "没有 'lits' 这个命令。是不是想用",
    "orders list --nothing": "没有这个选项：--nothing",
    "orders list --limit x": "'--limit' 的值无效：应为整数",
    "orders take --limit 0": "'--limit' 的值无效：应大于或等于 1",
    "orders show": "缺少参数 'order'。",
    "evaluate .": "缺少选项 '--truth'。",
}


@pytest.mark.parametrize("typed", TYPED)
def test_errors_that_a_clerk_meets_are_chinese(
    typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["duanka", *typed.split()])
    monkeypatch.setattr(cli, "prepare_process", lambda: None)  # it is for a process of its own
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    text = re.sub(r"\s*│\n│\s*", "", said.out + said.err)
    assert ended.value.code == 2
    assert TYPED[typed] in text
    assert typed == "orders" or not english(text), text  # the tests of help look at it


def test_a_process_of_its_own_says_the_same_and_the_option_goes_before_the_setting(tmp_path: Path) -> None:
    asked = duanka("--language", "zh", "scan", "nowhere", cwd=tmp_path)
    assert (asked.code, asked.err) == (2, "duanka: nowhere：文件或目录不存在；请检查路径\n")
    english_one = duanka("--language", "en", "orders", "--help", cwd=tmp_path, DUANKA_LANGUAGE="zh")
    assert english_one.out.lstrip().startswith("Usage: ")
    (tmp_path / "duanka.toml").write_text('language = "zh"\n', encoding="utf-8")
    assert duanka("--help", cwd=tmp_path).out.lstrip().startswith("用法：")


def test_words_and_texts_within_an_error_are_translated_and_values_stay() -> None:
    with pytest.raises(DuankaError) as found:
        next_state(Kind.VERIFICATION, State.PASSED, Event.WITHDRAW, Role.DESK, "V1")
    assert chinese.in_chinese(str(found.value)) == "实人核验处于“核验通过”时不可“撤回”；该工单已结束"

    assert chinese.in_chinese("desk may not list people; it takes supervisor, regulator").endswith(
        "须由主管、监管办理"
    )
    assert (
        chinese.in_chinese("a b/c.toml: is not TOML: no such thing") == "a b/c.toml：不是 TOML：no such thing"
    )
    assert chinese.in_chinese("cook may not list people; ask") == "cook may not list people; ask"


def test_what_is_not_known_stays_whole() -> None:
    for text in ("", "a text that nobody knows: of two parts; and three (or more)", "plain"):
        assert chinese.in_chinese(text) == text
