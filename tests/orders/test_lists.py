"""Lists of the order database as they are typed: a line a row, filters, counts, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Annotated, Any

import pytest
import typer
from rich.cells import cell_len
from sqlalchemy import update
from typer.testing import CliRunner

from duanka.bootstrap import orders as app_orders
from duanka.cli.orders.listings import due
from duanka.cli.orders.orders_list import due_by
from duanka.cli.output.list_columns import ListColumn, Listing
from duanka.cli.output.list_options import ListOptions, lists
from duanka.cli.output.lists import table_lines
from duanka.domain.errors import DuankaError
from duanka.domain.hit_summary import HitSummary
from duanka.domain.order import State
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.text import BilingualText
from duanka.ledger.db.tables import orders
from duanka.ledger.monitoring.alarms import AlarmService
from support.typed_desk import TypedDesk, card, demand

LONGEST = "virtual_operator_stock"
CARDS = 25
ID, MASKED = re.compile(r"\bV[0-9A-Z]{12}\b"), re.compile(r"\+86 130\*{4}\d{4}")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> TypedDesk:
    """25 verifications: card 0 is due in an hour at the fraud centre, 1 was due an hour ago, 2 to 4 are high."""
    desk = TypedDesk(tmp_path_factory.mktemp("desk"))
    made = []
    for number in range(CARDS):
        rules = (LONGEST, "fan_out") if number in (0, 3) else ("fan_out",)
        one = demand(number, "high" if number in (2, 3, 4) else "medium")
        operator, city = ("unicom", "130100") if number % 2 else ("", "")
        seen = HitSummary(
            "fan_out",
            date(2026, 3, 1),
            date(2026, 3, 4),
            3,
            BilingualText("拨打13800138000", "called 13800138000"),
        )
        made.append(
            replace(
                one,
                rules=rules,
                id=f"0123456789abcdef:{number + 1}",
                hit_summaries=(seen,),
                operator=operator,
                city=city,
            )
        )
    desk.demand(*made)
    with desk.open() as here, here.store.writing() as connection:
        now = app_orders.now()
        for number, hours, state in ((0, 1, State.SENT_TO_FRAUD_CENTRE), (1, -1, State.NOTIFIED)):
            this = update(orders).where(orders.c.card == card(number))
            connection.execute(this.values(due_at=now + timedelta(hours=hours), state=state.value))
    return desk


def rows(desk: TypedDesk, *asked: str, who: str = "wang") -> list[dict[str, Any]]:
    return [json.loads(line) for line in desk.done(who, "orders", "list", *asked, "--json").text.splitlines()]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_order_is_one_line_and_nothing_one_types_is_cut(desk: TypedDesk, language: str) -> None:
    said = desk.done("wang", "--language", language, "orders", "list", columns=80).text.splitlines()
    body = said[1:21]
    assert len(said) <= 24, "a page fits a screen"
    for line in body:
        assert cell_len(line) <= 80
        assert ID.search(line)
        assert MASKED.search(line)
        assert re.search(rf"\b({LONGEST}|fan_out)\b", line)
    assert re.search(r"-1:0\d ", body[0]), "what is overdue comes first"
    assert re.search(r" 0:5\d ", body[1])
    assert "strangers" not in said[1]
    assert "80 strangers called in a day" in desk.done("wang", "orders", "list", columns=130).text


def test_filters_are_named_as_they_are_typed_and_arguments_without_a_name() -> None:
    app, asked_for = typer.Typer(), list[ListOptions]()

    @app.command()
    @lists()
    def show(
        which: Annotated[str, typer.Argument(help="Which.")],
        everything: Annotated[bool, typer.Option("--all", help="All.")] = False,
        shut: Annotated[bool, typer.Option("-s", "--closed/--open", help="Closed.")] = False,
        at_least: Annotated[int, typer.Option(help="How many.")] = 0,
        *,
        asked: ListOptions,
    ) -> None:
        asked_for.append(asked)

    typed = ["a shop", "--all", "--closed", "--at-least", "3"]
    assert CliRunner().invoke(app, typed).exit_code == 0
    assert asked_for[0].filters == "'a shop' --all --closed --at-least 3"
    assert CliRunner().invoke(app, shlex.split(asked_for[0].filters)).exit_code == 0
    assert asked_for[1].filters == asked_for[0].filters


def test_pages_go_on_without_a_token_and_keep_the_filters(desk: TypedDesk) -> None:
    said = desk.done("wang", "orders", "list", "--tier", "medium", "--tier", "high", "--limit", "20").text
    more = said.split("More: duanka ")[1].strip()
    assert more == "orders list --tier medium --tier high --limit 20 --page 2"
    second = desk.done("wang", *more.split()).text
    assert len({*ID.findall(said), *ID.findall(second)}) == CARDS
    assert "More" not in second
    assert desk.done("wang", "orders", "list", "--page", "9").text.strip() == "No open orders on page 9."


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (("--tier", "high"), {2, 3, 4}),
        (("--rule", LONGEST), [0, 3]),
        (("--rule", "fan_out", "--tier", "high", "--city", "130100"), [3]),
        (("--operator", "-", "--tier", "high"), {2, 4}),
        (("--state", "notified", "--state", "sent_to_fraud_centre"), [1, 0]),
        (("--due", "4h"), [1, 0]),
        (("--overdue",), [1]),
        (("--due", "30m"), [1]),
        (("--sort", "weight", "--rule", LONGEST), [3, 0]),
        (("--sort", "weight", "--tier", "medium", "--due", "9d"), [0, 1]),
    ],
)
def test_orders_are_filtered_and_sorted(
    desk: TypedDesk, asked: tuple[str, ...], found: list[int] | set[int]
) -> None:
    cards = [int(row["card"][-4:]) for row in rows(desk, *asked)]
    assert (cards if isinstance(found, list) else set(cards)) == found


def test_a_mistyped_rule_is_not_an_empty_list(desk: TypedDesk) -> None:
    for mistyped, meant in (("fan_uot", "fan_out"), ("virtual", LONGEST)):
        said = desk.type("wang", "orders", "list", "--rule", mistyped)
        assert f"no rule '{mistyped}'; did you mean {meant}?" in said.text
    assert desk.done("wang", "orders", "list", "--rule", "police_confirmed").text.startswith("No open orders")


def test_counts_stand_instead_of_rows(desk: TypedDesk) -> None:
    said = desk.done("wang", "orders", "list", "--count").text
    assert said.splitlines()[0] == "25 open orders"
    for name, value, count in (
        ("tier", "high", 3), ("rule", "fan_out", 25), ("rule", LONGEST, 2), ("city", "130100", 12),
        ("operator", "-", 13), ("state", "notified", 1),
    ):  # fmt: skip
        assert re.search(rf"^{name} +{value} +{count}$", said, re.MULTILINE), (name, said)
    counted = json.loads(desk.done("wang", "orders", "list", "--count", "--tier", "high", "--json").text)
    assert (counted["total"], counted["rule"]) == (3, {"fan_out": 3, LONGEST: 1})


def test_an_alarm_is_told_whole_in_the_operators_time(desk: TypedDesk) -> None:
    detail = (
        "时钟跳变 / the clock says 2026-11-28T02:14:18.229140+00:00 of +8613800138000, once in a while " * 3
    )
    with desk.open() as here:
        AlarmService(here.store, lambda _: None, timedelta()).raise_now("clock", app_orders.now(), detail)
    said = desk.done("li", "orders", "alarms", columns=80).text
    assert all(cell_len(line) <= 80 for line in said.splitlines())
    assert said.count("+86 138****8000") == 3, "no number is broken"
    assert said.count("2026-11-28 10:14:18+08:00") == 3
    assert "2026-11-28T10:14:18+08:00" in desk.done("li", "orders", "alarms", "--open", "--json").text
    desk.done("li", "orders", "clear-alarm", "clock", "--why", "looked at")
    assert desk.done("li", "orders", "alarms", "--open").text == "No alarms with --open.\n"


def test_counts_are_in_the_language_of_tables(desk: TypedDesk) -> None:
    said = desk.done("wang", "--language", "zh", "orders", "list", "--count").text
    for line in (r"等级 +高 +3", r"状态 +转反诈中心 +1", r"城市 +130100 +12"):
        assert re.search(rf"^{line}$", said, re.MULTILINE), said


def test_an_empty_list_names_what_was_asked_for(desk: TypedDesk) -> None:
    said = desk.done("wang", "orders", "list", "--tier", "low", "--city", "999999", "--due", "4h").text
    assert said == "No open orders with --tier low --city 999999 --due 4h.\n"
    assert desk.done("wang", "orders", "list", "--tier", "low", "--json").text == ""
    assert desk.done("wang", "orders", "list", "--tier", "low", "--csv").text.count("\n") == 1
    assert (
        desk.done("wang", "--language", "zh", "orders", "list", "--tier", "low").text
        == "没有未结工单（--tier low）。\n"
    )


def test_json_is_an_object_a_line_masked_as_the_table_is(desk: TypedDesk) -> None:
    (one,) = rows(desk, "--state", "notified")
    assert one["card"] == "+86 130****0001"
    assert datetime.fromisoformat(one["opened_at"]).utcoffset() == timedelta(hours=8)
    assert "." not in one["opened_at"]
    (seen,) = one["hit_summaries"]
    assert (seen["first_day"], seen["last_day"], seen["days"]) == ("2026-03-01", "2026-03-04", 3)
    assert seen["en"] == "called 138****8000"
    (full,) = rows(desk, "--state", "notified", "--full", "--why", "a test")
    assert (full["card"], full["hit_summaries"][0]["en"]) == ("+8613000000001", "called 13800138000")
    assert len(rows(desk)) == CARDS, "all of them, where nobody says how many"


def test_csv_is_for_spreadsheets(desk: TypedDesk) -> None:
    said = desk.done("wang", "orders", "list", "--csv", "--full", "--why", "a test").text
    assert said.startswith("\ufeff")
    found = list(csv.DictReader(io.StringIO(said.removeprefix("\ufeff"))))
    assert len(found) == CARDS
    assert {row["card"][:5] for row in found} == {"'+861"}, "no number is an amount, and none a formula"
    assert {row["reason_zh"] for row in found} == {"一天外呼80个陌生号码"}
    assert {line.count('"') % 2 for line in said.splitlines()} == {0}


def test_who_may_not_unmask_does_not_search_by_number(desk: TypedDesk) -> None:
    for more in ((), ("--count",), ("--json",)):
        said = desk.type("ministry", "orders", "list", "--card", card(0), *more)
        assert (said.code, "may not search orders by number" in said.text) == (2, True)
    assert "give --json or --csv" in desk.type("wang", "orders", "list", "--json", "--csv").text
    assert "needs --limit" in desk.type("wang", "orders", "list", "--json", "--page", "2").text


def test_an_order_shows_what_its_rules_saw_and_when(desk: TypedDesk) -> None:
    (one,) = rows(desk, "--state", "notified")
    said = desk.done("wang", "orders", "show", one["id"]).text
    assert "fan_out (2026-03-01 – 2026-03-04, 3 d): called 138****8000" in said
    assert re.search(r"operator +unicom *\ncity +130100", said)


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ("wang", ("orders", "acts")),
        ("li", ("orders", "alarms")),
        ("wang", ("objections", "list")),
        ("wang", ("reviews", "list")),
        ("wang", ("counter", "list")),
        ("li", ("persons", "list")),
        ("li", ("persons", "list", "--waiting")),
        ("li", ("keys", "list")),
        ("wang", ("network", "list")),
        ("li", ("network", "differences")),
        ("wang", ("rules", "list")),
    ],
)
def test_every_list_has_json_csv_and_counts(desk: TypedDesk, who: str, words: tuple[str, ...]) -> None:
    found = [json.loads(line) for line in desk.done(who, *words, "--json").text.splitlines()]
    table = list(csv.DictReader(io.StringIO(desk.done(who, *words, "--csv").text.removeprefix("\ufeff"))))
    assert len(table) == len(found)
    said = desk.done(who, *words, "--count", columns=80).text
    assert said.startswith(f"{len(found)} " if found else "No "), said
    assert json.loads(desk.done(who, *words, "--count", "--json").text)["total"] == len(found)
    assert all(cell_len(line) <= 80 for line in said.splitlines())


def test_a_mistyped_date_of_a_deadline_says_what_to_write() -> None:
    now = datetime.fromisoformat("2026-11-28T10:00:00+08:00")  # a Saturday
    policy = OrderPolicy(holidays=(date(2026, 11, 30),))
    assert due_by("2wd", now, policy) == datetime.fromisoformat("2026-12-02T10:00:00+08:00")
    assert due_by("90m", now, policy) == due_by("90 m", now, policy) == now + timedelta(minutes=90)
    assert due_by("2026-11-29", now, policy) == datetime.fromisoformat("2026-11-29T00:00:00+08:00")
    for wrong in ("soon", "4", "h", "99999h", "-4h", ""):
        with pytest.raises(DuankaError, match=r"--due.*4h"):
            due_by(wrong, now, policy)


@pytest.mark.parametrize(
    ("hours", "shown"),
    [(0.99, "0:59"), (47.5, "47:30"), (-0.25, "-0:15"), (-50, "-2d"), (72, "12-01"), (24 * 60, "2027-01-27")],
)
def test_a_deadline_is_hours_and_minutes_or_a_day(hours: float, shown: str) -> None:
    now = datetime.fromisoformat("2026-11-28T10:00:00+08:00")
    assert due(now + timedelta(hours=hours), now) == shown


def test_a_line_gives_up_what_is_spare_before_it_cuts_and_never_cuts_an_id() -> None:
    columns = (
        ListColumn[str]("id", BilingualText("号", "id"), lambda one: one),
        ListColumn[str]("word", BilingualText("词", "word"), lambda one: "通知未送达" * 3, least=8),
        ListColumn[str]("more", BilingualText("更多", "more"), lambda one: "spare\nand wide \u202e", spare=1),
    )
    one = Listing(BilingualText("行", "rows"), columns)
    assert [line.plain for line in table_lines(one, ["V123"], 80)][
        1
    ] == "V123 " + "通知未送达" * 3 + " spare and wide \ufffd"
    assert [line.plain for line in table_lines(one, ["V123"], 40)][1] == "V123 " + "通知未送达" * 3
    assert [line.plain for line in table_lines(one, ["V123"], 15)][1] == "V123 通知未送…"
    assert [line.plain for line in table_lines(one, ["V" * 30], 15)][1].startswith("V" * 30)
