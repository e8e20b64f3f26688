"""What a project lead confirms, and what holds of it when the words change."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

import pytest

from duanka.domain.errors import DuankaError, UnreadableInput
from duanka.specification.confirmations import confirm, read_confirmations, standing_of, unknown_numbers
from duanka.specification.document import Requirement, read
from support import ROOT

DAY = date(2026, 3, 2)
PAGE = """\
## R1 All of it · 全部

- **Source**: the page (S2).
- **Means**: much
  and more
- **含义**: 很多
- **Shown by**: a test
- **Room**: `rules`
- **State**: works

### R1.5 Stopped · 停机

- **Source**: a notice (S1).
- **出处**: 通知（S1）。
- **Means**: stopped
- **含义**: 停机
- **Shown by**: another test
- **验收**: 另一测试
- **Room**: `orders`
- **State**: works

## To be confirmed

### Question R1.5: At once? · 直接？

- **Chosen**: `two-steps`: first one, then the other · 先后
- **Or**:
  `at-once`: both
  at once · 直接
- **Changed by**: `[orders] stages`
- **Would**: stop sooner.
- **后果**: 停得更早。

### Question R1.5: How long? · 多久？

- **Chosen**: `a-day`: a day · 一天
- **Or**:
  `a-week`: seven days · 七天
- **Changed by**: `[orders] stages`
- **Would**: take longer.
- **Measured by**: `duanka scan DATA --policy hebei`
"""


def page(folder: Path, text: str = PAGE) -> tuple[Requirement, ...]:
    path = folder / "page.md"
    path.write_text(text, encoding="utf-8")
    return read(path)


def test_questions_stand_with_their_requirement(tmp_path: Path) -> None:
    whole, stopped = page(tmp_path)
    assert whole.questions == ()
    at_once, how_long = stopped.questions
    assert [answer.code for answer in at_once.answers] == ["two-steps", "at-once"]
    assert at_once.others[0].text == "both at once · 直接"
    assert (at_once.measured_by, how_long.measured_by) == ("", "duanka scan DATA --policy hebei")


def test_what_is_confirmed_is_read_again_as_it_was_said(tmp_path: Path) -> None:
    stated, path = page(tmp_path), tmp_path / "CONFIRMED.toml"
    said = 'all "of" it \\ 好\n\x7f and so on'
    confirm(path, stated, "r1.5", " 王 主任 ", DAY, ["a-week", "at-once"], said)
    made = confirm(path, stated, "R1", "li", DAY)
    found = read_confirmations(path)
    assert found["R1"] == made
    assert (found["R1.5"].by, found["R1.5"].on) == ("王 主任", DAY)
    assert found["R1.5"].note == 'all "of" it \\ 好 \x7f and so on'
    assert [found["R1.5"].chose(one) for one in stated[1].questions] == ["at-once", "a-week"]
    assert list(tomllib.loads(path.read_text(encoding="utf-8"))) == ["R1", "R1.5"], (
        "in the order of the document"
    )
    confirm(path, stated, "R1.5", "zhao", DAY, ["two-steps"])
    last = read_confirmations(path)["R1.5"]
    assert (last.by, last.note) == ("zhao", ""), "who confirms last is who confirmed"
    assert last.choose == ("two-steps", "a-week"), "an answer to one question leaves the other's as it was"
    other = page(tmp_path, PAGE.replace("`a-week`", "`8-days`"))
    confirm(path, other, "R1.5", "zhao", DAY)
    assert read_confirmations(path)["R1.5"].choose == ("two-steps",), "an answer that is no more is none"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("**Means**: stopped", "**Means**: stopped at once"),
        ("**含义**: 停机", "**含义**: 立即停机"),
        ("another test", "one more test"),
        ("a notice (S1)", "a notice (S3)"),
        ("### R1.5 Stopped", "### R1.5 Ended"),
        ("`a-week`: seven days", "`a-week`: eight days"),
        ("stop sooner", "stop later"),
        ("停得更早", "停得更晚"),
        ("通知（S1）", "通知（S3）"),
        ("另一测试", "再一测试"),
    ],
)
def test_what_changed_after_it_was_confirmed_is_to_be_confirmed_again(
    tmp_path: Path, before: str, after: str
) -> None:
    stated, path = page(tmp_path), tmp_path / "CONFIRMED.toml"
    for number in ("R1", "R1.5"):
        confirm(path, stated, number, "li", DAY)
    changed = page(tmp_path, PAGE.replace(before, after))
    assert [standing_of(one, read_confirmations(path)) for one in changed] == ["confirmed", "confirm again"]
    confirm(path, changed, "R1.5", "li", DAY)
    assert standing_of(changed[1], read_confirmations(path)) == "confirmed"


def test_wrapping_state_and_room_are_not_what_is_confirmed(tmp_path: Path) -> None:
    stated, path = page(tmp_path), tmp_path / "CONFIRMED.toml"
    confirm(path, stated, "R1", "li", DAY)
    other = PAGE.replace("much\n  and more", "much and\n  more").replace("`rules`", "`engine`")
    changed = page(tmp_path, other.replace("- **State**: works", "- **State**: partly: nearly", 1))
    assert standing_of(changed[0], read_confirmations(path)) == "confirmed"


@pytest.mark.parametrize(
    ("number", "choose", "why"),
    [
        ("R9", [], "there is no requirement 'R9'; "),
        ("R1.6", [], "did you mean R1.5"),
        ("R1", ["at-once"], "R1 has no answer 'at-once'. Answers: none: it leaves no question open"),
        ("R1.5", ["at-onze"], "did you mean at-once. Answers: two-steps, at-once, a-day, a-week"),
        ("R1.5", ["two-steps", "at-once"], "answer the same question"),
    ],
)
def test_what_is_not_there_is_neither_confirmed_nor_chosen(
    tmp_path: Path, number: str, choose: list[str], why: str
) -> None:
    path = tmp_path / "CONFIRMED.toml"
    with pytest.raises(DuankaError, match=why):
        confirm(path, page(tmp_path), number, "li", DAY, choose)
    with pytest.raises(DuankaError, match="who confirms"):
        confirm(path, page(tmp_path), "R1", "  ", DAY)
    assert not path.exists()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("[R1\n", r"is not TOML .*line 1.*--file"),
        ("R1 = true\n", "R1 must be a section like"),
        ('["R1"]\ntext = "a"\nby = "li"\n', "R1 must be a section"),
        ('["R1"]\ntext = "a"\nby = "li"\non = "2026-03-02"\n', "on a day"),
        ('["R1"]\ntext = "a"\nby = "li"\non = 2026-03-02T10:00:00\n', "on a day"),
        ('["R1"]\ntext = "a"\nby = "li"\non = 2026-03-02\nchoose = "a"\n', "choose a list"),
        (
            '["R1"]\ntext = "a"\nby = "li"\non = 2026-03-02\nchose = ["a"]\n',
            "unknown key chose; did you mean choose",
        ),
    ],
)
def test_a_file_that_is_not_right_is_named_and_left_as_it_is(tmp_path: Path, content: str, why: str) -> None:
    path = tmp_path / "CONFIRMED.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UnreadableInput, match=why):
        read_confirmations(path)
    with pytest.raises(UnreadableInput, match=why):
        confirm(path, page(tmp_path), "R1", "li", DAY)
    assert path.read_text(encoding="utf-8") == content


def test_a_folder_and_what_is_no_text_are_named_too(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="cannot be read"):
        read_confirmations(tmp_path)
    (tmp_path / "CONFIRMED.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UnreadableInput, match="not UTF-8"):
        read_confirmations(tmp_path / "CONFIRMED.toml")


def test_a_requirement_that_is_gone_is_named(tmp_path: Path) -> None:
    path = tmp_path / "CONFIRMED.toml"
    confirm(path, page(tmp_path), "R1.5", "li", DAY)
    rest = page(tmp_path, PAGE[: PAGE.index("### R1.5")])
    assert unknown_numbers(rest, read_confirmations(path)) == ["R1.5"]


@pytest.mark.parametrize(
    ("without", "why"),
    [
        ("- **Changed by**: `[orders] stages`\n- **Would**: stop", "no line `- \\*\\*Changed by"),
        ("`two-steps`: ", "must be a code"),
    ],
)
def test_a_question_that_says_too_little_is_refused(tmp_path: Path, without: str, why: str) -> None:
    with pytest.raises(UnreadableInput, match=why):
        page(tmp_path, PAGE.replace(without, "- **Would**: stop" if "Changed" in without else ""))
    with pytest.raises(UnreadableInput, match="R7, which is no requirement"):
        page(tmp_path, PAGE.replace("Question R1.5: How", "Question R7: How"))


def test_nothing_of_the_shipped_specification_is_confirmed_yet() -> None:
    confirmed = read_confirmations(ROOT / "CONFIRMED.toml")
    assert {standing_of(one, confirmed) for one in read(ROOT / "SPECIFICATION.md")} == {"not confirmed"}


def test_answers_of_one_requirement_have_codes_of_their_own() -> None:
    for one in read(ROOT / "SPECIFICATION.md"):
        codes = [answer.code for question in one.questions for answer in question.answers]
        assert len(set(codes)) == len(codes), one.number
        assert all(" · " in answer.text for question in one.questions for answer in question.answers), (
            one.number
        )
        assert all(" · " in question.title for question in one.questions), one.number
