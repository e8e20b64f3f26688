"""Takes as a desk types them: chosen, held, undone; withdrawals of a scan that covers less wait."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from sqlalchemy import update

from duanka.bootstrap import orders as app_orders
from duanka.cli.shell.process import ExitCode
from duanka.decision_log.reader import DecisionFile, KeptLines
from duanka.domain.order import SYSTEM, Event, Kind, Order, Person, Role, State
from duanka.domain.person import Scope
from duanka.domain.take import Choice, Coverage
from duanka.ledger.db.tables_takes import kept_decisions
from duanka.orders.intake.decisions import NARROWER, DecisionIntake
from duanka.orders.intake.kept_decisions import Why
from duanka.orders.intake.taking import HELD_FOR_TWO, DecisionTaker, TakeResult
from support.decided import ONE_DAY, QUARTER, decide, high, medium, watched
from support.typed_desk import TypedDesk, card

DESK = Person("wang", Role.DESK)
SUPERVISOR = Person("li", Role.SUPERVISOR)
TAKE = re.compile(r"\bT[0-9A-Z]{12}\b")


class Desk(TypedDesk):
    """A typed desk with the list of a scan beside it."""

    @property
    def out(self) -> Path:
        return self.folder.parent / "out"

    def key(self) -> bytes:
        with self.open() as here:
            return here.decision_key

    def asked(self) -> dict[int, State]:
        """The state of the latest verification of each card."""
        with self.open() as here:
            found = {number: here.reading.last(card(number), Kind.VERIFICATION) for number in range(40)}
        return {number: order.state for number, order in found.items() if order}

    def last(self, number: int, kind: Kind = Kind.VERIFICATION) -> Order | None:
        with self.open() as here:
            return here.reading.last(card(number), kind)

    def open_ones(self) -> set[int]:
        return {number for number, state in self.asked().items() if state is not State.WITHDRAWN}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "book")


def test_a_part_is_taken_the_heaviest_first_and_the_rest_is_for_the_next_take(desk: Desk) -> None:
    decide(desk.out, desk.key(), [*medium(1, 2, 3, 4), *high(11, 12, 13)])
    out = str(desk.out)
    tried = desk.done("wang", "orders", "take", out, "--tier", "high", "--limit", "2", "--dry-run")
    assert "2 opened" in tried.text
    assert "nothing is written" in tried.text
    assert not desk.asked()
    first = desk.done("wang", "orders", "take", out, "--tier", "high", "--limit", "2")
    assert "2 opened" in first.text
    assert "Left for the next take: 5" in first.text
    assert desk.open_ones() == {12, 13}
    by_rule = desk.done("wang", "orders", "take", out, "--rule", "fan_out")
    assert "3 opened" in by_rule.text, "1, 3 and 11: of what the first take left"
    assert desk.open_ones() == {1, 3, 11, 12, 13}
    assert "2 opened" in desk.done("wang", "orders", "take", out, "--city", "130100").text
    assert "nothing new" in desk.done("wang", "orders", "take", out).text, "each is taken once"
    assert "did you mean fan_out" in desk.type("wang", "orders", "take", out, "--rule", "fan_oot").text


def test_a_dry_run_says_by_tier_rule_and_city_what_a_take_then_does(desk: Desk) -> None:
    decide(desk.out, desk.key(), [*medium(1, 2), *high(11)])
    desk.done("wang", "orders", "take", str(desk.out))
    decide(desk.out, desk.key(), [*medium(2, 3), *high(12), *watched(1)])
    tried = desk.done("wang", "orders", "take", str(desk.out), "--dry-run", columns=80)
    assert "2 opened, 1 attached, 1 withdrawn" in tried.text
    assert re.search(r"high +1\n", tried.text)
    assert re.search(r"fan_out +1\n", tried.text)
    assert re.search(r"130100 +2\n", tried.text)
    assert "2 opened, 1 attached, 1 withdrawn" in desk.done("wang", "orders", "take", str(desk.out)).text


def test_what_is_held_is_asked_of_nobody_until_somebody_takes_it(desk: Desk) -> None:
    key, cards = desk.key(), desk.folder.parent / "hold.txt"
    decide(desk.out, key, medium(1, 2, 3))
    cards.write_text(f"{card(2)}\n{card(39)}\n")
    said = desk.done("wang", "orders", "take", str(desk.out), "--hold", str(cards), "--why", "is looked at")
    assert "2 opened" in said.text
    assert "1 card(s) of the list to hold have no decision here" in said.text
    decide(desk.out, key, medium(2, 4))
    with desk.open() as here:  # neither by the worker's intake nor by a later scan
        received = DecisionIntake(here.orders, DecisionFile(desk.out, key)).take_all(
            here.takes.list(SUPERVISOR)[0].at
        )
    assert (received.opened, received.kept) == (1, 1)
    assert desk.open_ones() == {1, 3, 4}
    held = desk.done("li", "orders", "held", columns=80).text
    assert "is looked at" in held
    assert "wang" in held
    assert card(2) not in held
    assert "1 opened" in desk.done("wang", "orders", "take", "--held").text
    assert desk.open_ones() == {1, 2, 3, 4}
    assert "No decisions that are held." in desk.done("li", "orders", "held").text


def test_taking_what_is_held_speaks_of_no_folder_and_both_lists_serve_programs_and_chinese(
    desk: Desk,
) -> None:
    key, out, cards = desk.key(), str(desk.out), desk.folder.parent / "hold.txt"
    decide(desk.out, key, [*medium(1, 2), *high(11, 12)])
    cards.write_text(f"{card(11)}\n{card(12)}\n")
    desk.done("wang", "orders", "take", out, "--tier", "high", "--hold", str(cards), "--why", "先查卡 11")
    (one, _) = map(json.loads, desk.done("li", "orders", "held", "--json").text.splitlines())
    assert (one["tier"], one["rules"], one["city"], one["by"]) == ("high", ["fan_out"], "130100", "wang")
    assert len(desk.done("li", "orders", "held", "--csv").text.strip().splitlines()) == 3
    seen = desk.type("li", "orders", "held", columns=80, DUANKA_LANGUAGE="zh").text
    assert max(map(cell_len, seen.splitlines())) <= 80
    assert "先查卡 11" in seen
    asked = desk.done("wang", "cards", "show", card(11)).text
    assert "never heard of this number" in asked, "what a caller is told"
    assert "high, held by wang since" in asked
    assert "先查卡 11; `duanka orders take --held --card" in asked
    assert "left for the next take" in desk.done("wang", "cards", "show", card(1)).text
    case = desk.done("liaison", "cards", "show", card(11), "--case", "2026-1").text
    assert "held by" not in case, "for whoever takes decisions alone"
    taken = desk.done("wang", "orders", "take", "--held", "--limit", "1").text
    assert "Held back, whatever comes: 1" in taken
    assert "None" not in taken
    assert "Left for" not in taken, "what the folder left is for takes of the folder"
    desk.done("wang", "orders", "undo", TAKE.findall(taken)[0], "--why", "wrong")
    last, first = map(json.loads, desk.done("li", "orders", "takes", "--json").text.splitlines())
    assert (last["opened"], last["undone_by"], first["waiting"], first["held"]) == (1, "wang", 2, 1)
    listed = desk.type("li", "orders", "takes", columns=80, DUANKA_LANGUAGE="zh").text
    assert "待第二人复核" in listed
    assert "proposed" not in listed
    shown = desk.type("li", "orders", "show", first["id"], DUANKA_LANGUAGE="zh").text
    assert "选择：等级 高；暂缓号码 2" in shown


def test_a_bare_hold_holds_what_is_not_taken_and_a_withdrawal_ends_it(desk: Desk) -> None:
    key, out = desk.key(), str(desk.out)
    decide(desk.out, key, [*medium(1, 2), *high(11)])
    said = desk.done("wang", "orders", "take", "--tier", "high", "--hold", out)
    assert "Held back, whatever comes: 2" in said.text
    assert "nothing new" in desk.done("wang", "orders", "take", out).text
    decide(desk.out, key, watched(1))
    desk.done("wang", "orders", "take", out)
    assert "1 opened" in desk.done("wang", "orders", "take", "--held").text, (
        "nobody says any more that 1 is at risk"
    )
    assert desk.open_ones() == {2, 11}


def _take(desk: Desk, choice: Choice, by: Person = DESK, why: str = "later") -> TakeResult:
    key = desk.key()
    with desk.open() as here:
        decisions, read = DecisionFile(desk.out, key), KeptLines(key)
        taking = DecisionTaker(here.orders, decisions, read, frozenset, choice, why)
        return taking.take(app_orders.now(), by)


def _alarms(desk: Desk) -> dict[str, str]:
    with desk.open() as here:
        return {one.source: one.detail for one in here.reading.alarms(SUPERVISOR, is_open=True)}


def test_others_see_what_one_person_holds_of_a_tier_that_takes_two(desk: Desk) -> None:
    decide(desk.out, desk.key(), [*medium(1), *high(11)])
    assert _take(desk, Choice(hold_rest=True)).kept == {Why.HELD: 2}
    assert "wang holds back 1 card(s)" in _alarms(desk)[HELD_FOR_TWO]
    desk.done("wang", "orders", "take", "--held", "--tier", "medium")
    assert HELD_FOR_TWO in _alarms(desk)
    desk.done("wang", "orders", "take", "--held")
    assert not _alarms(desk)


def test_a_narrow_scope_holds_nothing_of_others(desk: Desk) -> None:
    decide(desk.out, desk.key(), medium(1, 2), city="130200")
    near = replace(DESK, scope=Scope(cities=frozenset({"130100"})))
    assert _take(desk, Choice(hold_rest=True), near).kept == {Why.LEFT: 2}
    assert _take(desk, Choice(hold_rest=True)).kept == {Why.HELD: 2}
    decide(desk.out, desk.key(), medium(3), city="130100")
    assert _take(desk, Choice(limit=1)).received.opened == 1
    with desk.open() as here:
        assert [dict(take.counts) for take in here.takes.list(near)] == [{"opened": 1}, {}]
        assert [dict(take.kept) for take in here.takes.list(near)] == [{}, {}]
        assert here.takes.list(DESK)[1].kept == {"held": 2}


def test_a_list_without_our_seal_takes_the_place_of_none_that_bears_it(desk: Desk) -> None:
    key = desk.key()
    decide(desk.out, key, [*medium(1, 2), *high(11)])
    desk.done("wang", "orders", "take", str(desk.out), "--limit", "1")
    hold = desk.folder.parent / "hold.txt"
    hold.write_text(f"{card(2)}\n")
    desk.done("wang", "orders", "take", str(desk.out), "--limit", "1", "--tier", "high", "--hold", str(hold))
    decide(desk.out, None, [*watched(1, 2), *medium(2)])  # in the same place, made by somebody
    desk.done("wang", "orders", "take", str(desk.out), "--tier", "high")
    decide(desk.folder.parent / "other", None, [*watched(1, 2), *medium(1)])
    desk.done("wang", "orders", "take", str(desk.folder.parent / "other"))
    (held,) = map(json.loads, desk.done("li", "orders", "held", "--json").text.splitlines())
    assert held["rules"] == ["night_calls"]
    with desk.open() as here:
        kept = [one for number in (1, 2) for one in here.takes.kept_about(card(number), SUPERVISOR)]
        assert {one.why for one in kept} == {Why.LEFT, Why.HELD}
        wrong = update(kept_decisions).where(kept_decisions.c.card == card(2)).values(line="{}")
        here.store.transact(lambda connection: connection.execute(wrong))
    assert "No decisions that are held." in desk.done("li", "orders", "held").text, (
        "a spoilt row harms no list"
    )


def test_a_wrong_take_is_undone_in_one_command(desk: Desk) -> None:
    decide(desk.out, desk.key(), [*medium(1, 2, 3, 4), *high(11, 12)])
    take = TAKE.findall(desk.done("wang", "orders", "take", str(desk.out)).text)[0]
    begun, expired = desk.last(1), desk.last(2)
    assert begun
    assert expired
    desk.done("wang", "orders", "begin", begun.id, "--why", "the holder called")
    with desk.open() as here:
        at = here.takes.list(SUPERVISOR)[0].at
        here.orders.apply(expired.id, Event.DELIVERED, SYSTEM, "receipt", at, delivered_at=at)
        here.orders.apply(expired.id, Event.EXPIRE, SYSTEM, "no answer", at)
    stopped = desk.last(2, Kind.RESTRICTION)
    assert stopped
    assert stopped.closed_at is None
    said = desk.done("wang", "orders", "undo", take, "--why", "the wrong day", columns=80)
    assert "3 withdrawn, 2 proposed to a second person, 1 left alone" in said.text
    assert begun.id in said.text
    assert desk.asked() == {
        1: State.IN_PROGRESS,
        **dict.fromkeys((2, 3, 4), State.WITHDRAWN),
        **dict.fromkeys((11, 12), State.OPENED),
    }
    lifted = desk.last(2, Kind.RESTRICTION)
    assert lifted
    assert lifted.state is State.RESTORED, "what the clock stopped for it is given back"
    again = desk.done("li", "orders", "undo", take, "--why", "again").text
    assert f"{take} was undone before, by wang at " in again
    assert "3 withdrawn, 2 proposed to a second person, 1 left alone" in again
    proposed = re.findall(r"orders approve (A\w+)", said.text)[0]
    assert desk.type("wang", "orders", "approve", proposed, "--why", "mine").code
    desk.done("li", "orders", "approve", proposed, "--why", "right")
    desk.work()
    assert desk.open_ones() == {1}
    assert (
        "was undone before, by wang at " in desk.done("wang", "orders", "undo", take, "--why", "again").text
    )
    shown = desk.done("li", "orders", "takes").text
    assert "undone" in shown
    with desk.open() as here:
        trail = [fault for fault in here.trail.verify(here.store) if not isinstance(fault, int)]
    assert not trail


def test_what_another_take_asks_as_well_is_left_alone(desk: Desk) -> None:
    key, out = desk.key(), str(desk.out)
    decide(desk.out, key, medium(1, 2))
    first = TAKE.findall(desk.done("wang", "orders", "take", out).text)[0]
    decide(desk.out, key, medium(2))
    second = TAKE.findall(desk.done("wang", "orders", "take", out).text)[0]
    said = desk.done("wang", "orders", "undo", first, "--why", "wrong")
    assert "1 withdrawn" in said.text
    assert f"asked by take {second} as well" in said.text
    desk.done("wang", "orders", "withdraw", "--take", first, "--why", "all the same")
    assert not desk.open_ones()


def test_a_decision_that_was_set_aside_is_not_all_done(desk: Desk) -> None:
    decide(desk.out, desk.key(), medium(1, 2))
    file = desk.out / "decisions.jsonl"
    with file.open("a") as more:
        more.write("no decision\n")
    taken = desk.type("wang", "orders", "take", str(desk.out))
    assert (taken.code, desk.open_ones()) == (ExitCode.LOOK, {1, 2})
    assert "Not all is done: 1 decision(s) could not be processed" in taken.text


def test_many_are_withdrawn_as_one_act(desk: Desk) -> None:
    decide(desk.out, desk.key(), [*medium(1, 2, 3, 4, 5), *high(11)])
    desk.done("wang", "orders", "take", str(desk.out))
    ids = [order.id for number in (1, 2) if (order := desk.last(number))]
    said = desk.done("wang", "orders", "withdraw", *ids, "--why", "two of them")
    assert "2 done, 0 skipped" in said.text
    assert desk.open_ones() == {3, 4, 5, 11}
    (desk.folder.parent / "list.txt").write_text(f"{card(3)}\n{card(1)}\n")
    named = desk.done(
        "wang", "orders", "withdraw", "--file", str(desk.folder.parent / "list.txt"), "--why", "w"
    )
    assert "1 done, 1 skipped" in named.text
    tried = desk.done("wang", "orders", "withdraw", "--rule", "fan_out", "--dry-run")
    assert "2 verification(s) would be withdrawn: 1 medium, 1 high" in tried.text
    proposed = desk.done("wang", "orders", "withdraw", "--rule", "fan_out", "--why", "the rule was wrong")
    assert "It takes two people" in proposed.text
    desk.done("wang", "orders", "withdraw", "--tier", "medium", "--why", "w")
    assert desk.open_ones() == {11}
    assert (
        "nothing is left to withdraw"
        in desk.type("wang", "orders", "withdraw", "--tier", "medium", "--why", "w").text
    )
    assert "say which" in desk.type("wang", "orders", "withdraw", "--why", "w").text


@pytest.mark.parametrize("later", [ONE_DAY, Coverage(QUARTER.since, QUARTER.until, {"calls": 90}, 89), None])
def test_a_scan_of_less_withdraws_nothing_unless_that_is_meant(desk: Desk, later: Coverage | None) -> None:
    key, out = desk.key(), str(desk.out)
    decide(desk.out, key, medium(1, 2))
    desk.done("wang", "orders", "take", out)
    for _ in range(2):  # what was taken of less is no measure for the next one
        decide(desk.out, key, [*watched(1), *medium(3)], later)
        taken = desk.type("wang", "orders", "take", out, columns=80)
        said = taken.text
        assert taken.code == ExitCode.WAITS, "a script reads that not all is done"
        assert "Not all is done: 1 withdrawal(s) wait" in said
        assert "Next: duanka orders list" not in said
        assert str(QUARTER) in said
        assert desk.open_ones() == {1, 2, 3}
    assert "1 withdrawn" in desk.done("wang", "orders", "take", out, "--dry-run", "--yes").text
    assert "1 withdrawn" in desk.done("wang", "orders", "take", out, "--yes").text
    assert desk.open_ones() == {2, 3}


def test_the_worker_says_that_withdrawals_wait_and_a_run_that_goes_on_is_wide_enough(desk: Desk) -> None:
    key = desk.key()
    decide(desk.out, key, medium(1))
    desk.done("wang", "orders", "take", str(desk.out))
    live = decide(desk.folder.parent / "live", key, watched(1), ONE_DAY)
    with desk.open() as here:
        at = here.takes.list(SUPERVISOR)[0].at
        received = DecisionIntake(here.orders, DecisionFile(live, key)).take_all(at)
        assert (received.withdrawn, received.kept) == (0, 1)
        (alarm,) = [one for one in here.reading.alarms(SUPERVISOR) if one.source == NARROWER]
        assert f"orders take {live} --yes" in alarm.detail
    assert "1 withdrawn" in desk.done("wang", "orders", "take", str(live), "--yes").text
    with desk.open() as here:
        assert not [one for one in here.reading.alarms(SUPERVISOR, is_open=True) if one.source == NARROWER]
        decide(live, key, watched(1), QUARTER)
        assert DecisionIntake(here.orders, DecisionFile(live, key)).take_all(at).kept == 0
