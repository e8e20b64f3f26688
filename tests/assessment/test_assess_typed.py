"""A province with gangs, typed from the first run to the delisting: the stall is listed, the big honest shop is not."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from duanka.domain.assessment import AssessmentPeriod
from duanka.domain.order import Person, Role
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.police_stops import police_stop
from duanka.simulator import simulate
from support.engine.filled_store import fill
from support.typed_desk import Said, TypedDesk

MONTHS = ("2021-04", "2021-05")
MALL = "S-MALL"
POLICE = Person("liaison", Role.POLICE)


@dataclass
class Province:
    """A desk with a store: the register of a simulated province, and what the police confirmed in two months."""

    desk: TypedDesk
    store: Path
    fraud_of: Counter[str]  # outlet -> cards of gangs, by the truth
    confirmed_of: Counter[str]

    def type(self, who: str, *words: str) -> Said:
        return self.desk.type(who, *words, DUANKA_STORE=str(self.store))

    def done(self, who: str, *words: str) -> Said:
        said = self.type(who, *words)
        assert said.code == 0, (words, said.text)
        return said

    def rows(self, who: str, *words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.done(who, *words, "--json").text.splitlines()]


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Province:
    folder, draw = tmp_path_factory.mktemp("assessed"), random.Random(7)
    simulate(folder / "world", cards=20_000, days=1, seed=4)
    truth = pl.read_parquet(folder / "world" / "truth.parquet").select("card", "fraud")
    register = pl.read_parquet(folder / "world" / "cards.parquet").join(truth, on="card")
    rows = register.select(
        "card", "operator", "home_city", "outlet", "opened_at", "last_used_at", "fraud"
    ).to_dicts()
    for row in rows:  # one shop of the province sells to a sixth of the honest people
        if not row["fraud"] and draw.random() < 1 / 6:
            row["outlet"] = MALL
    gangs = [row for row in rows if row["fraud"]]
    # the police confirm some cards of gangs, and some that honest people lost or lent
    known = draw.sample(gangs, 100) + draw.sample([row for row in rows if not row["fraud"]], 200)
    draw.shuffle(known)
    cards = [{name: value for name, value in row.items() if name != "fraud"} for row in rows]
    moments = [AssessmentPeriod.read(month).since.replace(tzinfo=None) for month in MONTHS]
    calls = [
        {"card": cards[0]["card"], "peer": "10086", "started_at": at, "seconds": 9, "direction": "out"}
        for at in moments
    ]
    fill(folder / "store", {"cards": cards, "calls": calls}, datetime(2021, 6, 2))
    desk = TypedDesk(folder / "orders")
    with desk.open() as here:
        for month, some in zip(MONTHS, (known[::2], known[1::2]), strict=True):

            def stop(unit: UnitOfWork, some: list[dict[str, Any]] = some) -> None:
                unit.lock([row["card"] for row in some])
                for row in some:
                    place = {"operator": row["operator"] or "", "city": row["home_city"]}
                    police_stop(unit, row["card"], "A1", POLICE, "notice", **place)

            here.orders.transaction(stop, AssessmentPeriod.read(month).since + timedelta(days=20))
    fraud, confirmed = (Counter(row["outlet"] for row in some) for some in (gangs, known))
    found = Province(desk, folder / "store", fraud, confirmed)
    found.done("li", "store", "attach", "--why", "ours")
    for month in MONTHS:
        found.done("li", "assess", "run", month)
    return found


@pytest.mark.requirement("R5")
def test_the_gangs_stall_is_listed_and_an_honest_big_outlet_is_not(province: Province) -> None:
    found = province.rows("ministry", "assess", "candidates")
    names = {row["unit"] for row in found if row["kind"] == "outlet"}
    stall = province.fraud_of.most_common(1)[0][0]
    assert stall in names
    assert all(province.fraud_of[name] >= 10 for name in names), "nobody else is"
    (listed,) = (row for row in found if row["unit"] == stall)
    assert 0 < listed["expected_by_number"] < listed["expected_by_age"] < listed["count"], "its cards are new"
    figures = province.rows("ministry", "assess", "show", "--by", "outlet", "--measure", "confirmed")
    (shown,) = (row for row in figures if row["unit"] == stall)
    assert 0 < max(shown["expected_by_number"], shown["expected_by_age"]) < shown["count"]
    opened = province.rows(
        "wang", "assess", "rows", "--measure", "confirmed", "--by", "outlet", "--unit", stall
    )
    assert {row["opened"][:4] for row in opened} <= {"2020", "2021"}
    assert figures[0]["unit"] == MALL, "it has the most confirmed cards"
    assert province.confirmed_of[MALL] > province.confirmed_of[stall]
    assert MALL not in names
    said = province.done("ministry", "assess", "candidates").text
    few_operators = re.findall(r"Not judged: .* by operator, (\d+) of \1 units: (\d+) can be compared", said)
    assert few_operators, said
    assert all(int(there) < 5 for _, there in few_operators)
    assert "{" not in said
    few = [
        name for name, count in province.confirmed_of.items() if count == 1 and not province.fraud_of[name]
    ]
    assert few
    assert not names & set(few)
    refused = province.type("li", "assess", "list-unit", MALL, "--why", "the most of all")
    assert (refused.code, "nothing is listed by its rank" in refused.text) == (2, True), refused.text


@pytest.mark.requirement("R5")
def test_from_the_proposal_to_the_delisting_every_step_is_another_persons(province: Province) -> None:
    stall = province.fraud_of.most_common(1)[0][0]
    made = province.done("li", "assess", "list-unit", stall, "--days", "20", "--why", "two months running")
    number = made.id("Z")
    for text in (stall, "These formulas are ours", f"duanka assess approve {number}"):
        assert text in made.text
    alone = province.type("li", "assess", "approve", number, "--why", "quick")
    assert (alone.code, "li had a hand in" in alone.text) == (2, True), alone.text
    approved = province.done("ministry", "assess", "approve", number, "--why", "seen the cards")
    assert "is listed" in approved.text
    assert "Term until" in approved.text
    vague = province.type("ministry", "assess", "check", number, "--why", "visited")
    assert (vague.code, "--mended or --not-mended" in vague.text) == (2, True), vague.text
    filed = province.done("wang", "assess", "evidence", number, "--text", "the stall was closed on 3 June")
    assert f"duanka assess check {number} --mended" in filed.text
    province.done("ministry", "assess", "check", number, "--mended", "--why", "visited")
    assert province.type("ministry", "assess", "delist", number, "--why", "w").code == 2
    assert "is delisted" in province.done("li", "assess", "delist", number, "--why", "closed for good").text
    steps = [row["event"] for row in province.rows("wang", "assess", "notice", number)]
    assert steps == ["propose", "approve", "file_evidence", "find_mended", "delist"]
    assert not province.rows("wang", "assess", "listings")
    assert [row["id"] for row in province.rows("wang", "assess", "listings", "--all")] == [number]


@pytest.mark.requirement("R5")
def test_a_figure_opens_to_its_cards_masked_and_regulators_see_aggregates(province: Province) -> None:
    stall = province.fraud_of.most_common(1)[0][0]
    by_outlet = {
        row["unit"]: row
        for row in province.rows("wang", "assess", "show", "--by", "outlet", "--measure", "confirmed")
    }
    which = ("--measure", "confirmed", "--by", "outlet", "--unit", stall)
    rows = province.rows("wang", "assess", "rows", *which)
    assert len(rows) == by_outlet[stall]["count"] > 3
    assert all("****" in row["about"] and row["outlet"] == stall for row in rows)
    assert province.type("ministry", "assess", "rows", *which).code == 2
    trail = province.done("li", "audit", "verify")
    assert trail.code == 0
    together = province.done("ministry", "assess", "show").text
    assert "per 10,000" in together
    figures = {line.partition(" all ")[0].strip(): line for line in together.splitlines()}
    assert "unknown" not in figures["confirmed cards"]
    assert "unknown" in figures["victims warned"], "nobody looked for any"


def test_what_the_rows_print_as_the_next_page_can_be_typed_and_their_counts_have_rows(
    province: Province,
) -> None:
    which = ("--measure", "confirmed", "--run", MONTHS[-1], "--by", "outlet", "--unit", MALL)
    first = province.done("wang", "assess", "rows", *which, "--limit", "2").text
    following = first.split("More: duanka ")[1].split()
    assert following[-2:] == ["--page", "2"]
    assert "****" in province.done("wang", *following).text
    lines = province.done("wang", "assess", "rows", *which, "--count").text.splitlines()
    assert len(lines) > 2, "a heading alone is no table"
    assert lines[0].endswith(" rows")
    counted = province.rows("wang", "assess", "rows", *which, "--count")[0]
    assert sum(counted["operator"].values()) == counted["total"]


def test_formulas_are_told_and_called_ours(province: Province) -> None:
    said = province.done("ministry", "assess", "show", "--formulas").text
    assert said.startswith("These formulas are ours")
    assert "wrongful  wrongful stops: Of the restrictions that first suspended a card" in said


def test_what_a_newcomer_gets_wrong_is_said(province: Province, tmp_path: Path) -> None:
    for words, part in (
        (("run", "2021-13"), "write a month like 2026-10"),
        (("run", "2099-01"), "is not over"),
        (("show", "--run", "2001-01"), "no run of 2001-01"),
        (("notice", "Z000000000000"), "no listing"),
        (("rows", "--measure", "warned", "--by", "outlet"), "no figure"),
    ):
        said = province.type("li" if words[0] == "run" else "wang", "assess", *words)
        assert said.code == 2, said.text
        assert part in said.text, said.text
    bare = TypedDesk(tmp_path / "orders")
    said = bare.done("li", "assess", "run", "2021-04")
    assert "Active cards are unknown" in said.text
    assert "DUANKA_STORE" in said.text
    assert "duanka assess run 2021-03" in bare.done("li", "assess", "candidates").text


@pytest.mark.requirement("R5")
def test_the_report_is_written_for_who_sees_all(province: Province, tmp_path: Path) -> None:
    for name, begins in (("report.pdf", b"%PDF-"), ("report.xlsx", b"PK")):
        said = province.done("ministry", "report", "assessment", MONTHS[-1], "--out", str(tmp_path / name))
        assert MONTHS[-1] in said.text
        assert (tmp_path / name).read_bytes().startswith(begins)
        assert (tmp_path / name).stat().st_mode & 0o077 == 0, "its owner's alone"
    refused = province.type("ministry", "report", "assessment", MONTHS[-1], "--out", str(tmp_path / "r.doc"))
    assert (refused.code, "FILE.pdf or FILE.xlsx" in refused.text) == (2, True), refused.text
    missing = province.type("ministry", "report", "assessment", "2020-01", "--out", str(tmp_path / "r.pdf"))
    assert (missing.code, "no run of 2020-01" in missing.text) == (2, True), missing.text
    assert sorted(one.name for one in tmp_path.iterdir()) == ["report.pdf", "report.xlsx"]
