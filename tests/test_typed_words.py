"""Words that a desk types: of either language, for every option that takes one of a few; and what a shell completes."""

from __future__ import annotations

import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from typer import Context

from duanka.bootstrap import home_folder as home
from duanka.cli.shell import completion as cli_completion
from duanka.cli.shell.completion import TIERS, Choices, choices
from duanka.domain.bulk_action import BulkActionState
from duanka.domain.counter_check import Document
from duanka.domain.errors import DuankaError
from duanka.domain.order import Event, Kind, State
from duanka.domain.person import Role
from duanka.domain.text import BilingualText, WordedEnum
from support.typed_desk import Said, TypedDesk, demand


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> TypedDesk:
    found = TypedDesk(tmp_path_factory.mktemp("desk") / "book")
    found.demand(demand(1), demand(2, "high"), demand(3, "high"))
    return found


@pytest.mark.parametrize("enum", [State, Kind, BulkActionState, Document, Event, Role])
def test_no_word_is_of_two_values(enum: type[WordedEnum]) -> None:
    offered = choices(BilingualText("状态", "state"), enum)
    for member in enum:
        typed = (member.value, *member.words, member.words.en.upper(), member.value.replace("_", "-"))
        assert {offered.read(f" {one} ") for one in typed} == {member}


@pytest.mark.parametrize(
    ("typed", "value"), [("高", "high"), ("极高", "extreme"), ("LOW", "low"), ("中", "medium")]
)
def test_a_tier_is_typed_in_either_language(typed: str, value: str) -> None:
    assert TIERS.read(typed) == value


def test_lists_take_words_and_the_next_page_repeats_what_they_mean(desk: TypedDesk) -> None:
    def in_chinese(who: str, *words: str) -> Said:
        return desk.type(who, *words, DUANKA_LANGUAGE="zh")

    said = in_chinese(
        "wang", "orders", "list", "--tier", "高", "--state", "已建单", "--sort", "轻重", "--limit", "1"
    )
    assert (said.code, said.text.count("\nV")) == (0, 1)
    assert (
        "下一页：duanka orders list --state opened --tier high --sort weight --limit 1 --page 2" in said.text
    )
    assert "没有未结工单" in in_chinese("wang", "orders", "list", "--kind", "停机").text
    assert in_chinese("wang", "orders", "acts", "--state", "待第二人复核").code == 0
    assert in_chinese("wang", "reviews", "list", "--tier", "高").code == 0
    assert in_chinese("li", "persons", "list", "--role", "主管").code == 0


@pytest.mark.parametrize(
    ("words", "zh", "en"),
    [
        (
            ("orders", "list", "--tier", "高高"),
            "等级没有“高高”：可写 低、中、高、极高",
            "low, medium, high, extreme",
        ),
        (
            ("orders", "list", "--kind", "x"),
            "工单类型没有“x”：可写 实人核验、停机、异议",
            "verification, restriction",
        ),
        (("orders", "acts", "--state", "x"), "可写 待第二人复核、", "proposed, running"),
        (("orders", "take", "--tier", "x"), "可写 低、中", "no tier 'x'; write low, medium"),
        (("reviews", "decide", "V1", "x"), "可写 通过、不通过、转营业厅", "pass, fail, to_counter"),
        (("counter", "verify", "V1", "--document", "x"), "可写 居民身份证、", "id_card, residence_permit"),
        (("persons", "add", "a.b", "--role", "x"), "可写 值班员、主管、监管、公安", "desk, supervisor"),
        (
            ("orders", "stop", "--how", "x"),
            "可写 单停、转保底服务、双停、",
            "bar_outgoing, lifeline, suspend",
        ),
    ],
)
def test_an_error_names_what_can_be_written_in_the_language_of_the_desk(
    desk: TypedDesk, words: tuple[str, ...], zh: str, en: str
) -> None:
    for language, told, other in (("zh", zh, en), ("en", en, zh)):
        said = desk.type("wang", *words, DUANKA_LANGUAGE=language)
        assert said.code == 2
        assert told in said.text
        assert other not in said.text


def _typing(**root: Any) -> Context:
    """What a shell's TAB gives: the options before the command."""
    return cast(Context, SimpleNamespace(find_root=lambda: SimpleNamespace(params=root)))


def _offered(offered: Choices, incomplete: str, **root: Any) -> list[str]:
    return [word for word, _ in offered.like(_typing(**root), incomplete)]


def test_a_place_says_in_which_language_words_are_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DUANKA_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG", "DUANKA_ORDERS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / home.FILE).write_text('language = "en"\norders = "book"\n')
    try:
        assert _offered(TIERS, "", home=tmp_path) == ["low", "medium", "high", "extreme"]
        assert _offered(TIERS, "极", home=tmp_path) == []
        assert _offered(TIERS, "极", home=tmp_path, language="zh") == ["极高"]
        (tmp_path / home.FILE).write_text("not toml")
        assert _offered(TIERS, "", home=tmp_path) == ["低", "中", "高", "极高"], (
            "what is wrong is for commands to say"
        )
    finally:
        home.choose(None)


def test_what_a_list_showed_is_completed(desk: TypedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUANKA_ORDERS", str(desk.folder))
    listed = desk.done("wang", "orders", "list").text
    offered = cli_completion.orders_like(_typing(), "V")
    assert sorted(offered) == sorted(line.split()[0] for line in listed.splitlines() if line.startswith("V"))
    assert cli_completion.orders_like(_typing(), offered[0][:6]) == [offered[0]]
    assert cli_completion.bulk_actions_like(_typing(), "") == []
    kept = desk.folder / "completion.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "861300" not in kept.read_text(), "no number of a card"
    kept.write_text("[1]")
    assert cli_completion.orders_like(_typing(), "") == [], "a file that is broken offers nothing"
    assert desk.done("wang", "orders", "list").text == listed
    with pytest.raises(DuankaError):
        TIERS.read("")
