"""Every table at 80 and at 120 columns, on a terminal and in a file: it fits, and what is long wraps under itself."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from duanka.cli.shell.process import Indented, Prose, SafeConsole
from support.decided import decide, high, medium
from support.typed_desk import TypedDesk, card, demand

LONG = (
    "the desk is full today and nobody can call, and whoever reads this on a narrow terminal must not have to guess"
    " how it ends, since that is what the decision rests on"
)
LONG_ZH = "本人一直使用这张卡，从来没有借给别人，也没有打过诈骗电话，请尽快核实并恢复通话功能，谢谢"
_TABLES = (
    "orders list --closed",
    "orders list --count",
    "orders acts",
    "orders takes",
    "orders held",
    "orders alarms",
    "orders handled",
    "orders show {order}",
    "orders show {act}",
    "orders show {take}",
    "objections list",
    "objections list --count",
    "cards show {card}",
    "cards show {held}",
    "counter list",
    "reviews list",
    "persons list",
    "persons list --waiting",
    "keys list",
    "keys sources",
    "network list",
    "network differences",
    "rules list",
    "rules list --count",
    "rules test fan_out",
    "spec",
    "spec show R1.1",
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> TypedDesk:
    folder = tmp_path_factory.mktemp("tables")
    desk = TypedDesk(folder / "book")
    desk.demand(*(demand(number, tier) for number, tier in enumerate(("low", "medium", "high", "medium"))))
    desk.done("wang", "orders", "begin", card(1), "--why", LONG)
    desk.done("wang", "objections", "file", card(3), "--text", LONG_ZH)
    desk.done("wang", "orders", "stop", card(1), card(2), "--reason", LONG_ZH, "--reason-en", LONG)
    desk.done("li", "persons", "add", "qian.of.the.second.shift", "--role", "desk", "--name", "钱多多")
    with desk.open() as here:
        key = here.decision_key
    decide(folder / "out", key, [*medium(5, 6, 7), *high(12, 13)])
    desk.done("li", "orders", "take", str(folder / "out"), "--limit", "2", "--hold", "--why", LONG)
    return desk


@pytest.fixture(scope="module")
def ids(desk: TypedDesk) -> dict[str, str]:
    lists = {"order": ("list", "V"), "act": ("acts", "A"), "take": ("takes", "T")}
    found = {name: desk.done("li", "orders", words).id(letter) for name, (words, letter) in lists.items()}
    begun = desk.done("li", "orders", "list", "--state", "in_progress").id("V")
    return found | {"begun": begun, "card": card(3), "held": card(5)}


@pytest.mark.parametrize(("language", "columns"), [("en", 80), ("en", 120), ("zh", 80)])
@pytest.mark.parametrize("words", _TABLES)
def test_a_table_fits_and_has_no_colour_in_a_file(
    desk: TypedDesk, ids: dict[str, str], words: str, language: str, columns: int
) -> None:
    said = desk.type("li", "--language", language, *words.format(**ids).split(), columns=columns)
    assert said.code == 0, said.text
    lines = said.text.splitlines()
    assert lines
    assert not [line for line in lines if cell_len(line.rstrip()) > columns]
    assert "\x1b" not in said.text


@pytest.mark.parametrize("columns", [80, 120])
def test_a_long_reason_wraps_under_itself(desk: TypedDesk, ids: dict[str, str], columns: int) -> None:
    for words in ("orders show {begun}", "cards show {held}", "orders show {act}"):
        lines = desk.done("li", *words.format(**ids).split(), columns=columns).text.splitlines()
        first = next(at for at, line in enumerate(lines) if LONG[:20] in line)
        assert LONG[-10:] not in lines[first], "it is longer than a line"
        assert re.match(r" {2,}\S", lines[first + 1]), lines[first : first + 2]


def test_a_command_stays_on_one_line() -> None:
    told = Indented(
        "  when this is meant, somebody types `duanka orders take --held --card …` and it is taken"
    )
    for text in (told, Prose("下一步由 wang 以外的主管：`duanka orders approve A1 --why …`，然后即可执行")):
        out = io.StringIO()
        SafeConsole(file=out, width=48).print(text)
        assert re.search("`[^`\n]+`", out.getvalue())
        assert max(map(cell_len, out.getvalue().splitlines())) <= 48


def test_no_colour_is_lost_on_a_light_or_on_a_dark_terminal() -> None:
    """Yellow on white and dark blue on black cannot be read."""
    sources = (Path(__file__).parents[1] / "src" / "duanka" / "cli").rglob("*.py")
    unreadable = re.compile(r'"(?:bold |dim )*(?:yellow|blue|white|black|cyan)"')
    assert not [file for file in sources if unreadable.search(file.read_text(encoding="utf-8"))]
