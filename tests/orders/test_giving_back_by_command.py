"""A card that was wrongly stopped is given back from the command line, whoever stopped it and whatever its tier."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from duanka.domain.bulk_action import BulkActionState
from duanka.domain.order import Kind, State
from support.typed_desk import TypedDesk, card, demand

WHY = ("--why", "an error of ours")
REASON = ("--reason", "窝点", "--reason-en", "a farm")


@pytest.fixture
def desk(tmp_path: Path) -> TypedDesk:
    return TypedDesk(tmp_path / "book")


def state(desk: TypedDesk, number: int, kind: Kind = Kind.RESTRICTION) -> tuple[str, State]:
    with desk.open() as here:
        order = here.reading.last(card(number), kind)
    assert order is not None
    return order.id, order.state


def stopped(desk: TypedDesk, *numbers: int) -> str:
    act = desk.done("wang", "orders", "stop", *map(card, numbers), *REASON).id("A")
    desk.done("li", "orders", "approve", act, *WHY)
    desk.work()
    return act


def test_undoing_names_what_it_leaves_and_proposes_it(desk: TypedDesk) -> None:
    desk.demand(demand(0, "extreme"), demand(1))
    act = stopped(desk, 0, 1)
    said = desk.done("wang", "orders", "undo", act, *WHY).text
    assert "1 done, 1 skipped" in said
    assert "+86 130****0000" in said
    assert f"{act} is partly_undone" in said
    with desk.open() as here:
        undone = here.bulk_actions.get(act)
        (proposal,) = (
            one for one in undone.undone_by if here.bulk_actions.get(one).state is BulkActionState.PROPOSED
        )
    assert f"its tier takes two people: {proposal} proposes to put it back" in said
    assert f"by a supervisor who is not wang: `duanka orders approve {proposal} --why …`" in said
    assert "partly undone" in desk.done("wang", "orders", "show", act).text
    desk.done("li", "orders", "approve", proposal, *WHY)
    desk.work()
    assert state(desk, 0)[1] is state(desk, 1)[1] is State.RESTORED
    shown = desk.done("wang", "orders", "show", act).text
    assert "partly undone" not in shown
    assert proposal in shown


@pytest.mark.parametrize(
    ("command", "kind", "after"),
    [
        ("restore", Kind.RESTRICTION, State.RESTORED),
        ("ease", Kind.RESTRICTION, State.OUTGOING_BARRED),
        ("withdraw", Kind.VERIFICATION, State.WITHDRAWN),
    ],
)
def test_one_command_gives_back_or_proposes_it(
    desk: TypedDesk, command: str, kind: Kind, after: State
) -> None:
    desk.demand(demand(0, "extreme"), demand(1))
    stopped(desk, 0, 1)
    number, before = state(desk, 0, kind)
    said = desk.done("wang", "orders", command, number, *WHY)
    act = said.id("A")
    assert state(desk, 0, kind)[1] is before
    assert f"a supervisor who is not wang: `duanka orders approve {act}" in said.text
    assert desk.done("li", "orders", command, number, *WHY).id("A") == act, "asked again, it is the same"
    alone = desk.type("wang", "orders", "approve", act, *WHY)
    assert alone.code == 2
    desk.done("li", "orders", "approve", act, *WHY)
    desk.work()
    assert state(desk, 0, kind)[1] is after
    desk.done("wang", "orders", command, card(1), *WHY)
    assert state(desk, 1, kind)[1] is after, "a tier that one may let go is let go at once"


def test_the_police_stop_and_release_by_command(desk: TypedDesk) -> None:
    desk.demand(demand(0))
    case = ("--case", "冀公2026-17")
    assert "stopped by police" in desk.done("liaison", "orders", "police-stop", card(0), *case, *WHY).text
    number, _ = state(desk, 0)
    asked, _ = state(desk, 0, Kind.VERIFICATION)
    way = f"only the police lift it: `duanka orders police-release {number} --case … --why …`"
    for command in ("restore", "ease"):
        said = desk.type("wang", "orders", command, number, *WHY)
        assert said.code == 2
        assert way in said.text
        assert "cancel" not in said.text
    said = desk.type("liaison", "orders", "restore", number, *WHY)
    assert (said.code, "police-release" in said.text) == (2, True)
    assert desk.type("wang", "orders", "police-release", number, *case, *WHY).code == 2
    passed = desk.done("liaison", "orders", "pass", asked, *WHY).text
    assert f"The card stays stopped by police notice ({number}); {way}" in passed
    assert "of the network" not in passed, "passing changes nothing there"
    assert "restored" in desk.done("liaison", "orders", "police-release", number, *case, *WHY).text
    assert state(desk, 0)[1] is State.RESTORED
    with desk.open() as here:
        trail = here.trail.verify(here.store)
        assert all(isinstance(one, int) for one in trail)


def test_nothing_is_said_to_come_where_nothing_is(desk: TypedDesk) -> None:
    desk.demand(demand(0))
    act = stopped(desk, 0)
    said = desk.done("wang", "orders", "undo", act, *WHY).text
    assert "change(s) of the network" not in said, "no element is configured"
    assert "notice(s), by the worker" in said
    assert "card(s) still to come" not in said


def test_objections_are_filed_and_decided_by_command(desk: TypedDesk) -> None:
    desk.demand(demand(0), demand(1))
    stopped(desk, 0, 1)
    filed = desk.done("wang", "objections", "file", card(0), "--text", "是我本人").id("O")
    assert (
        "possible: `duanka objections accept" in desk.type("wang", "objections", "reject", filed, *WHY).text
    )
    refused = desk.type("wang", "objections", "accept", filed, *WHY)
    assert (refused.code, "wang had a part in the stop of R" in refused.text) == (2, True)
    assert f"let somebody else do it: `duanka objections accept {filed} --why" in refused.text
    assert "accepted" in desk.done("qian", "objections", "accept", filed, *WHY).text
    said = desk.type("qian", "objections", "pass-on", filed, *WHY)
    assert (said.code, f"`duanka objections uphold {filed}" in said.text) == (2, True)
    assert "upheld" in desk.done("li", "objections", "uphold", filed, *WHY).text
    assert state(desk, 0)[1] is State.RESTORED
    filed = desk.done("wang", "objections", "file", state(desk, 1)[0], "--text", "是我本人").id("O")
    desk.done("qian", "objections", "accept", filed, *WHY)
    desk.done("qian", "objections", "reject", card(1), *WHY)
    assert state(desk, 1)[1] is State.SUSPENDED
    filed = desk.done("wang", "objections", "file", card(1), "--text", "再次").id("O")
    assert "withdrawn" in desk.done("qian", "objections", "withdraw", filed, *WHY).text


def test_an_objection_at_a_counter_names_counter_and_document(desk: TypedDesk) -> None:
    desk.demand(demand(0))
    stopped(desk, 0)
    file = ("objections", "file", card(0), "--text", "是我本人")
    said = desk.type("wang", *file, "--counter", "长安路营业厅")
    assert (said.code, "takes both: --counter and --document" in said.text) == (2, True)
    called = desk.done("wang", *file).text
    assert "joined" not in called
    came = desk.done("wang", *file, "--counter", "长安路营业厅", "--document", "居民身份证")
    filed = came.id("O")
    assert f"{filed}: filed, joined the open one (2 times now); it counts as filed at a counter" in came.text
    assert "at a counter" in desk.done("wang", "orders", "show", filed).text


@pytest.mark.parametrize("released", [True, False])
def test_an_objection_to_a_police_stop_is_passed_on(desk: TypedDesk, released: bool) -> None:
    desk.done("liaison", "orders", "police-stop", card(0), "--case", "17", *WHY)
    number, _ = state(desk, 0)
    filed = desk.done("wang", "objections", "file", card(0), "--text", "不是我").id("O")
    refused = desk.type("li", "objections", "uphold", filed, *WHY).text
    assert f"duanka orders police-release {number}" in refused
    assert f"`duanka objections pass-on {filed} --why …`" in refused
    desk.done("wang", "objections", "pass-on", filed, *WHY)
    with desk.open() as here:
        passed_on = here.reading.state(filed)
    assert (passed_on.state, passed_on.due_at is not None) == (State.SENT_TO_FRAUD_CENTRE, True)
    if released:
        desk.done("liaison", "orders", "police-release", number, "--case", "17", *WHY)
        assert state(desk, 0, Kind.OBJECTION)[1] is State.UPHELD
    else:
        desk.done("wang", "objections", "reject", filed, *WHY)
        assert state(desk, 0)[1] is State.FORCED_STOP


def test_the_steps_of_a_verification_by_command(desk: TypedDesk) -> None:
    desk.demand(demand(0), demand(1), demand(2))
    for command, after in (("begin", "in progress"), ("submit", "under review"), ("to-counter", "counter")):
        assert after in desk.done("wang", "orders", command, card(0), *WHY).text
    asked, _ = state(desk, 1, Kind.VERIFICATION)
    assert desk.type("wang", "orders", "to-fraud-centre", asked, *WHY).code == 2
    desk.done("li", "orders", "to-fraud-centre", asked, *WHY)
    assert state(desk, 1, Kind.VERIFICATION)[1] is State.SENT_TO_FRAUD_CENTRE
    said = desk.type("wang", "orders", "pass", card(2), *WHY).text
    asked, _ = state(desk, 2, Kind.VERIFICATION)
    assert f"`duanka orders begin {asked} --why …`" in said
    assert "restore" not in said


def test_a_reason_is_asked_for_after_it_is_known_who_may(desk: TypedDesk) -> None:
    desk.demand(demand(0))
    asked, _ = state(desk, 0, Kind.VERIFICATION)
    said = desk.type("ministry", "orders", "withdraw", asked)
    assert (said.code, "may not withdraw" in said.text) == (2, True)
    said = desk.type("wang", "orders", "withdraw", asked)
    assert (said.code, "give --why" in said.text) == (2, True)
    said = desk.type("wang", "orders", "stop", card(0))
    assert (said.code, "give --reason and --reason-en" in said.text) == (2, True)
    assert state(desk, 0, Kind.VERIFICATION)[1] is State.OPENED


def test_the_next_page_keeps_what_the_list_was_asked_for(desk: TypedDesk) -> None:
    desk.demand(*(demand(number) for number in range(3)))
    asked = ("--kind", "verification", "--state", "opened", "--limit", "1")
    said = desk.done("wang", "orders", "list", *asked).text
    more = said.split("More: duanka ")[1].split()
    assert more[:8] == ["orders", "list", *asked]
    first = desk.done("wang", *more).id("V")
    assert first not in said
    said = desk.done("wang", "orders", "list", "--card", card(0), "--closed").text
    assert "More" not in said
    assert "No open orders with --waiting" in desk.done("wang", "orders", "list", "--waiting").text, (
        "notices are on their way"
    )


def test_a_scope_names_cities_by_their_codes_and_an_empty_list_names_the_scope(desk: TypedDesk) -> None:
    desk.demand(demand(0))
    said = desk.type("wang", "persons", "add", "zhao", "--role", "desk", "--city", "石家庄")
    assert (said.code, "six-digit code" in said.text) == (2, True)
    added = desk.done("wang", "persons", "add", "zhao", "--role", "desk", "--city", "130100")
    approved = desk.done("li", "persons", "approve", added.id("P"), *WHY)
    halves = re.search(r"dk_\S+", added.text), re.search(r"^[\w-]{22}$", approved.text, re.MULTILINE)
    assert all(halves)
    desk.keys = {**desk.keys, "zhao": "".join(half[0] for half in halves if half)}
    assert "No open orders in your scope: all operators; 130100." in desk.done("zhao", "orders", "list").text


def test_what_the_trail_tells_is_in_the_operators_time(desk: TypedDesk) -> None:
    desk.demand(demand(0))
    desk.done("wang", "objections", "file", card(0), "--text", "是我本人")
    filed, _ = state(desk, 0, Kind.OBJECTION)
    desk.done("wang", "objections", "accept", filed, *WHY)
    shown = desk.type("wang", "orders", "show", filed, columns=400).text
    assert re.search(r"due \d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\+08:00", shown), shown
    assert "+00:00" not in shown


def test_no_id_is_broken_at_eighty_columns(desk: TypedDesk) -> None:
    desk.demand(demand(0))
    asked, _ = state(desk, 0, Kind.VERIFICATION)
    listed = desk.done("wang", "orders", "list", columns=80).text
    assert asked in listed
    assert "+86 130****0000" in listed
    act = desk.done("wang", "orders", "stop", card(0), *REASON, columns=80).id("A")
    assert act in desk.done("wang", "orders", "acts", columns=80).text
