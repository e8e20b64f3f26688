"""Copies of texts, events for billing and statements by command, as a clerk and an integrator type them."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from duanka.cli import main as cli
from support.desk import ENGLISH
from support.typed_desk import TypedDesk, card, demand

REASON = ("--reason", "窝点", "--reason-en", "a farm")
WHY = ("--why", "the holder asks")


@pytest.fixture
def desk(tmp_path: Path) -> TypedDesk:
    """Two cards that two people stopped."""
    desk = TypedDesk(tmp_path / "book")
    desk.demand(demand(0), demand(1))
    act = desk.done("wang", "orders", "stop", card(0), card(1), *REASON).id("A")
    desk.done("li", "orders", "approve", act, "--why", "seen")
    desk.work()
    return desk


def test_one_text_at_the_desk_in_a_copy_and_in_the_statement(desk: TypedDesk, tmp_path: Path) -> None:
    plain, copy, paper = (tmp_path / name for name in ("copy.txt", "copy.pdf", "statement.pdf"))
    said = desk.done("wang", "orders", "copy", card(0), *WHY, "--out", str(plain)).text
    digest = hashlib.sha256(plain.read_bytes()).hexdigest()
    assert digest in said
    order = plain.read_text(encoding="utf-8").partition("工单：")[2].partition("，")[0]
    shown = desk.done("wang", "orders", "show", order).text
    assert digest in shown
    assert "如何反驳停机" in shown
    at_counter = desk.done("wang", "cards", "show", card(0)).text
    assert digest in at_counter
    assert "如何反驳停机" in at_counter
    desk.done("wang", "orders", "copy", order, *WHY, "--out", str(copy))
    seen = ("--document", "id_card", "--counter", "长安街营业厅")
    made = desk.done("wang", "cards", "statement", card(0), *seen, *WHY, "--out", str(paper))
    missing = "The statement will not say of which days records are held"
    assert made.text.count(missing) == 1, "there is no store"
    words = ["cards", "statement", card(0), *seen, "--out", str(tmp_path / "none.pdf")]
    who = {"DUANKA_ORDERS": str(desk.folder), "DUANKA_API_KEY": desk.keys["wang"], **ENGLISH}
    unasked = CliRunner().invoke(cli.cli, words, env=who)
    assert "give --why" in str(unasked.exception)
    assert missing in unasked.output, "before anything is asked"
    for file in (copy, paper):
        assert file.read_bytes().startswith(b"%PDF-")
        assert file.stat().st_mode & 0o077 == 0, "its owner's alone"


def test_billing_goes_on_behind_the_last_event(desk: TypedDesk, tmp_path: Path) -> None:
    first, rest = tmp_path / "first.csv", tmp_path / "rest.jsonl"
    desk.done("wang", "orders", "billing", "--out", str(first))
    with first.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["event"], row["card"]) for row in rows] == [
        ("1", "paused", card(0)),
        ("2", "paused", card(1)),
    ]
    desk.done("wang", "orders", "restore", card(1), "--why", "an error")
    last = rows[-1]["cursor"]
    said = desk.done("wang", "orders", "billing", "--after", last, "--out", str(rest))
    (row,) = map(json.loads, rest.read_text(encoding="utf-8").splitlines())
    assert (row["id"], row["event"], row["card"]) == (3, "resumed", card(1))
    assert f"next time: --after {row['cursor']}" in said.text
    assert desk.done("wang", "orders", "billing", "--after", row["cursor"]).text == ""
    every = desk.done("wang", "orders", "billing", "--since", "2026-01-01").text.splitlines()
    assert [json.loads(one)["id"] for one in every] == [1, 2, 3]
    for beyond in ("17", "17-0123456789abcdef", "3-0123456789abcdef"):
        refused = desk.type("wang", "orders", "billing", "--after", beyond)
        said_so = " ".join(refused.text.split())
        assert (refused.code, "a backup of the order database was restored" in said_so) == (2, True), said_so
        assert "Read again from the time of that backup (--since" in said_so
