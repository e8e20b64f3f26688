"""What the police confirmed is stopped: nobody alone holds it back or chooses round it, and no scope is too narrow."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from duanka.bootstrap import orders as app_orders
from duanka.decision_log.reader import DecisionFile
from duanka.domain.order import Kind, PermissionDenied, Person, Role, State
from duanka.domain.person import Scope
from duanka.domain.take import EVERYTHING, Choice
from duanka.orders.intake.decisions import DecisionIntake
from support.decided import BUREAU, QUARTER, Row, confirmed, decide, high, medium
from support.people import AT, FIRST, SECOND
from support.typed_desk import TypedDesk, card


class Desk(TypedDesk):
    """A typed desk with the list of a scan beside it, where the signature of BUREAU counts."""

    @property
    def out(self) -> Path:
        return self.folder.parent / "out"

    def trust(self) -> None:
        with self.open() as here:
            number = here.case_sources.propose(BUREAU, bytes(range(32)), FIRST, AT)
            here.case_sources.approve(number, SECOND, "called them back", AT)

    def decided(self, rows: list[Row]) -> str:
        with self.open() as here:
            key = here.decision_key
        return str(decide(self.out, key, rows, QUARTER))

    def stopped(self) -> set[int]:
        with self.open() as here:
            found = {number: here.reading.last(card(number), Kind.RESTRICTION) for number in range(40)}
        return {number for number, one in found.items() if one and one.state is State.FORCED_STOP}

    def asked(self) -> set[int]:
        with self.open() as here:
            found = {number: here.reading.last(card(number), Kind.VERIFICATION) for number in range(40)}
        return {number for number, one in found.items() if one and one.closed_at is None}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    found = Desk(tmp_path / "book")
    found.trust()
    return found


def _file(desk: Desk) -> str:
    listed = desk.folder.parent / "hold.txt"
    listed.write_text(f"{card(22)}\n{card(1)}\n")
    return str(listed)


@pytest.mark.parametrize(
    "chosen",
    [
        lambda desk: ("--hold", _file(desk)),
        lambda desk: ("--hold",),
        lambda desk: ("--tier", "medium", "--hold"),
        lambda desk: ("--tier", "medium"),
        lambda desk: ("--rule", "fan_out"),
        lambda desk: ("--limit", "1"),
        lambda desk: ("--card", card(1)),
        lambda desk: ("--city", "320100"),
        lambda desk: ("--operator", "乙"),
    ],
    ids=["hold-file", "hold-all", "hold-rest", "tier", "rule", "limit", "card", "city", "operator"],
)
def test_whatever_a_clerk_chooses_what_the_police_confirmed_is_stopped(
    desk: Desk, chosen: Callable[[Desk], tuple[str, ...]]
) -> None:
    out = desk.decided([*medium(1, 2), *high(11), *confirmed(22, 24)])
    words = ("orders", "take", out, *chosen(desk))
    for run in ("--dry-run", "--yes"):
        said = desk.done("wang", *words, run).text
        assert "2 stopped" in said
        assert "2 card(s) that the police confirmed are stopped whatever was chosen" in said
        assert "have no decision here" not in said, "one that is stopped is not unknown"
    assert desk.stopped() == {22, 24}
    with desk.open() as here:
        assert not [fault for fault in here.trail.verify(here.store) if not isinstance(fault, int)]


@pytest.mark.parametrize("by_worker", [True, False])
def test_who_is_held_is_stopped_as_soon_as_the_police_confirm(desk: Desk, by_worker: bool) -> None:
    desk.done("wang", "orders", "take", desk.decided(medium(1, 2, 3)), "--hold")
    out = desk.decided([*medium(2), *confirmed(1)])
    if by_worker:
        with desk.open() as here:
            DecisionIntake(here.orders, DecisionFile(desk.out, here.decision_key)).take_all(app_orders.now())
    else:
        assert "1 stopped" in desk.done("wang", "orders", "take", out).text
    assert desk.stopped() == {1}
    held = desk.done("li", "orders", "held", "--csv").text.strip().splitlines()
    assert len(held) == 3, "2 and 3 are still held; what was held of 1 is over"


def test_a_narrow_scope_keeps_no_stop_of_the_police_from_being_done(desk: Desk) -> None:
    desk.decided([*medium(1), *confirmed(21)])
    clerk = Person("elsewhere", Role.DESK, scope=Scope(operators=frozenset({"乙"})))
    with desk.open() as here:
        for choice in (Choice(operators=frozenset({"乙"})), EVERYTHING):
            with (
                nullcontext()
                if choice.operators
                else pytest.raises(PermissionDenied, match="out of the scope")
            ):
                app_orders.take(here, desk.out, clerk, choice)
    assert desk.stopped() == {21}
    assert not desk.asked(), "what is not the police's is out of the scope"


def test_an_unsigned_claim_may_be_held(desk: Desk) -> None:
    with desk.open() as here:
        here.case_sources.remove(BUREAU, FIRST, "their key was stolen", AT)
    said = desk.done("wang", "orders", "take", desk.decided(confirmed(21)), "--hold").text
    assert "Held back, whatever comes: 1" in said
    assert not desk.stopped()
    desk.trust()
    assert "1 stopped" in desk.done("wang", "orders", "take", "--held", "--tier", "low").text
    assert desk.stopped() == {21}
