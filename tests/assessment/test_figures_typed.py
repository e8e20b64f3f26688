"""`duanka figures`, typed: what a person reads, in both languages, and what they do next."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from support.typed_desk import TypedDesk, card, demand

pytestmark = pytest.mark.requirement("R12")


@pytest.fixture
def desk(tmp_path: Path) -> TypedDesk:
    """A desk where one card was suspended by two people, and no proxy was ever read."""
    desk = TypedDesk(tmp_path / "orders")
    desk.demand(demand(0))
    proposed = desk.done("wang", "orders", "stop", card(0), "--reason", "举报", "--reason-en", "reported")
    act = proposed.id("A")
    desk.done("li", "orders", "approve", act, "--why", "checked")
    desk.work()
    return desk


def test_unknown_is_no_zero_and_the_next_step_is_named(desk: TypedDesk) -> None:
    said = desk.done("wang", "figures").text
    rows = {line.split("  ")[0]: line for line in said.splitlines()}
    assert "unknown" in rows["calls intercepted"]
    assert "unknown" in rows["victims dissuaded"]
    assert " 1 " in rows["numbers handled"]
    assert "Unknown: nothing was measured in the period, which is not zero" in said
    assert "duanka figures --rows numbers_handled --since " in said
    chinese = desk.type("wang", "figures", LC_ALL="zh_CN.UTF-8", LC_MESSAGES="", DUANKA_LANGUAGE="zh").text
    assert "未知：这一时段没有测量，不是零" in chinese
    assert "处置号码" in chinese


def test_a_figure_opens_to_its_rows_and_programs_read_both(desk: TypedDesk) -> None:
    rows = [json.loads(line) for line in desk.done("wang", "figures", "--json").text.splitlines()]
    found = {row["figure"]: (row["count"], row["certainty"]) for row in rows}
    assert found["calls_intercepted"] == (None, "unknown")
    assert found["numbers_handled"][0] == 1
    listed = desk.done("wang", "figures", "--rows", "numbers_handled").text
    assert "130****" in listed
    assert card(0) not in listed
    assert "suspend" in listed
    assert "restriction.suspend" not in listed, "in words"
    of_unknown = desk.done("wang", "figures", "--operator", "-").text
    assert re.search(r"numbers handled +unknown +1 ", of_unknown), "the row names what was asked for"
    assert " all " not in of_unknown
    for of in (("--operator", "甲"), ("--city", "130199"), ("--rows", "numbers_handled", "--operator", "甲")):
        refused = desk.type("wang", "figures", *of)
        assert (refused.code, f"no such {of[-2].strip('-')}: {of[-1]}" in refused.text) == (2, True)
    by_outlet = desk.done("wang", "figures", "--by", "outlet").text
    assert "Outlet: of numbers handled alone" in by_outlet
    wrong = desk.type("wang", "figures", "--since", "2026-02-02", "--until", "2026-02-01")
    assert wrong.code == 2
    assert "end after it begins" in wrong.text
