"""Tables of the desk in Chinese and in English at 80 columns: one language a column, ids and numbers whole."""

from __future__ import annotations

import re
from contextvars import ContextVar
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len

from duanka.cli.detection.live import source_line
from duanka.cli.shell import language as cli_language
from duanka.domain.local_time import DEFAULT_ZONE, use_zone
from duanka.domain.streaming import SourceReach
from duanka.domain.text import Language
from support.typed_desk import TypedDesk, card, demand

# What may stand in a Chinese table in Latin letters: ids, names, numbers, elements and rules.
_LATIN = re.compile(r"[A-Za-z]{4,}")
_ID = re.compile(r"\b[A-Z][0-9A-Z]{12}\b")
_MASKED = re.compile(r"\+86 \d{3}\*{4}\d{4}\b")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> TypedDesk:
    desk = TypedDesk(tmp_path_factory.mktemp("desk") / "book")
    desk.demand(*(demand(number) for number in range(3)))
    desk.done("wang", "orders", "begin", card(0), "--why", "on the line")
    desk.done("wang", "objections", "file", card(1), "--text", "是我本人")
    desk.done("wang", "orders", "stop", card(2), "--reason", "群众举报", "--reason-en", "reported")
    return desk


def _listed(desk: TypedDesk, *words: str, language: str, who: str = "wang", columns: int = 80) -> list[str]:
    said = desk.type(who, "--language", language, *words, columns=columns)
    assert said.code == 0, said.text
    return said.text.splitlines()


_LISTS = (
    (("orders", "list"), "工单 号码 等级 状态", "order card tier state"),
    (("orders", "acts"), "编号 动作 状态 提出人 复核人", "id event state by approved"),
    (("persons", "list"), "人员 角色 范围", "person role scope"),
    (("keys", "list"), "密钥 人员 角色", "key person role"),
)


@pytest.mark.parametrize(("words", "chinese", "english"), _LISTS, ids=lambda one: one[0] if one else "")
def test_a_list_has_one_language_and_fits(
    desk: TypedDesk, words: tuple[str, ...], chinese: str, english: str
) -> None:
    for language, headings in (("zh", chinese), ("en", english)):
        lines = _listed(desk, *words, language=language, who="li")
        assert set(headings.split()) <= set(lines[0].split()), lines[0]
        assert max(map(cell_len, lines)) <= 80
        numbers = len(_MASKED.findall("\n".join(lines)))
        assert numbers == (3 if words == ("orders", "list") else 0) or numbers >= 3


def test_an_order_is_told_in_the_language_of_the_desk(desk: TypedDesk) -> None:
    order = desk.done("wang", "orders", "list").id("V")
    chinese = "\n".join(_listed(desk, "orders", "show", order, language="zh", columns=300))
    assert all(
        word in chinese for word in ("实人核验", "等级 中", "命中 1 次", "审计记录", "实人核验：建单", "系统")
    )
    story = chinese[chinese.index("审计记录") :]
    assert not {"opened", "verification", "system", "state", "strangers", "called"} & set(
        _LATIN.findall(story)
    ), story
    english = "\n".join(_listed(desk, "orders", "show", order, language="en", columns=300))
    assert all(word in english for word in ("tier medium", "Audit trail", "verification: open", "system"))


def test_no_heading_stands_over_nothing_and_an_objection_asks_nothing(desk: TypedDesk) -> None:
    objection = desk.done("wang", "objections", "list").id("O")
    for language, never, told in (
        ("zh", ("要求", "命中 ", "网络执行", "已拦截", "通知短信", "办结"), ("异议", "是我本人", "审计记录")),
        (
            "en",
            ("asked for", "hit(s)", "Network", "Refused", "Notices", "closed"),
            ("objection", "Audit trail"),
        ),
    ):
        shown = "\n".join(_listed(desk, "orders", "show", objection, language=language))
        assert not [word for word in never if word in shown], shown
        assert all(word in shown for word in told)
        dossier = "\n".join(_listed(desk, "cards", "show", card(1), language=language))
        assert not [word for word in never[3:4] if word in dossier], "nothing was refused"
    kept = desk.done("wang", "orders", "show", objection, "--full", "--why", "they call").text
    assert re.search(r"\n *\d+  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  wang \(desk\)  objection: open\n", kept)


def test_an_act_and_a_card_are_told_in_the_language_of_the_desk(desk: TypedDesk) -> None:
    act = desk.done("wang", "orders", "acts").id("A")
    chinese = "\n".join(_listed(desk, "orders", "show", act, language="zh", who="li"))
    assert "双停，1 张卡" in chinese
    assert "待第二人复核" in chinese
    assert "suspend" not in chinese
    assert "proposed" in "\n".join(_listed(desk, "orders", "show", act, language="en", who="li"))
    shown = "\n".join(_listed(desk, "cards", "show", card(1), language="zh"))
    assert all(word in shown for word in ("异议", "已提出", "已建单", "正常"))


def test_what_a_command_says_is_in_the_language_of_the_desk(desk: TypedDesk) -> None:
    """Moves, objections, people, acts: what is no command, id or name has no English word in it."""

    def typed(who: str, *words: str) -> str:
        return "\n".join(_listed(desk, *words, language="zh", who=who, columns=300))

    desk.demand(demand(7, "high"), demand(8))
    told = [typed("wang", "objections", "file", card(7), "--text", "不是我")]
    filed = _ID.findall(told[0])[0]
    told.append(typed("wang", "objections", "accept", filed, "--why", "已看"))
    alone = desk.type("wang", "objections", "uphold", filed, "--why", "属实").text
    assert "let somebody else uphold it" in alone
    assert "accept it" not in alone, "it is accepted"
    told.append(typed("wang", "orders", "withdraw", card(7), "--why", "误报"))
    told.append(typed("wang", "orders", "withdraw", card(8), "--why", "误报"))
    told.append(typed("li", "persons", "add", "zhao", "--role", "desk", "--name", "赵敏"))
    told.append(typed("liaison", "orders", "police-stop", card(8), "--case", "2026-1", "--why", "涉案"))
    told.append(typed("liaison", "orders", "police-release", card(8), "--case", "2026-1", "--why", "查清"))
    for text in told:
        plain = re.sub(r"`[^`]*`|duanka [a-z -]+|dk_\S+|https?://\S+", "", _ID.sub("", text))
        english = set(_LATIN.findall(plain)) - {"wang", "zhao", "liaison"}
        assert not english, text


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("zh", "来源 calls：27,988 条记录，最后一条 2021-05-06 23:57；2021-05-02 23:57 以前的不再等待"),
        (
            "en",
            "Source calls: 27,988 records, the last of 2021-05-06 23:57; nothing before 2021-05-02 23:57 is waited for",
        ),
    ],
)
def test_a_source_that_waits_for_late_records_does_not_look_days_behind(
    language: Language, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_language, "_found", ContextVar("found", default=language))
    last = datetime(2021, 5, 6, 23, 57)
    assert source_line(SourceReach("calls", "calls", 27988, 0, last, last - timedelta(days=4))) == told


def test_programs_get_the_same_in_every_language(desk: TypedDesk) -> None:
    for form in ("--json", "--csv"):
        chinese, english = (
            desk.type("wang", "--language", language, "orders", "list", form).text
            for language in ("zh", "en")
        )
        assert chinese == english
        assert "in_progress" in chinese


def test_where_nobody_says_otherwise_a_desk_in_china_reads_chinese(desk: TypedDesk, tmp_path: Path) -> None:
    def typed(policy: str) -> str:
        nothing = {"LC_ALL": "", "LC_MESSAGES": "", "LANG": "C.UTF-8"}
        return desk.type("wang", "orders", "list", columns=80, DUANKA_POLICY=policy, **nothing).text

    assert "状态" in typed("national")
    policy = Path(__file__).parents[1] / "policies" / "national.toml"
    text = policy.read_text(encoding="utf-8").replace("[orders]\n", '[orders]\nzone = "America/Lima"\n', 1)
    assert "Lima" in text
    (tmp_path / "lima.toml").write_text(text, encoding="utf-8")
    try:
        assert "state" in typed(str(tmp_path / "lima.toml"))
    finally:
        use_zone(DEFAULT_ZONE)
