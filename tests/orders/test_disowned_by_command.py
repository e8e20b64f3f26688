"""A number disowned at a counter from the command line: by two, taken back, and listed by outlet."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from duanka.bootstrap import orders as app_orders
from duanka.domain.disavowal import DisownedCard, by_outlet
from duanka.domain.order import Kind, OrderError, PermissionDenied, Person, Role, State
from support.orders.online import trail
from support.typed_desk import TypedDesk, card, demand

SEEN = ("--document", "id_card", "--counter", "长安路营业厅", "--why", "the document is theirs")
NOT_MINE = (*SEEN, "--person", "--register", "--statement")
MINE = (*SEEN, "--person", "--card", "--notice")
WHY = ("--why", "seen too")
BEGINNING, END = datetime(2000, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)


@pytest.fixture
def desk(tmp_path: Path) -> TypedDesk:
    made = TypedDesk(tmp_path / "book")
    made.demand(demand(9))
    return made


def state(desk: TypedDesk, number: int, kind: Kind = Kind.RESTRICTION) -> State | None:
    with desk.open() as here:
        order = here.reading.last(card(number), kind)
    return order.state if order else None


def disowned(desk: TypedDesk, number: int, outlet: str) -> str:
    recorded = desk.done("wang", "counter", "not-mine", card(number), *NOT_MINE, "--outlet", outlet)
    order = recorded.id("D")
    assert f"duanka counter confirm {order}" in recorded.text
    desk.done("li", "counter", "confirm", order, *WHY)
    return order


def test_two_stop_it_and_one_gives_it_back(desk: TypedDesk) -> None:
    assert "--register" in desk.done("wang", "counter", "not-mine", "--help").text
    order = disowned(desk, 0, "W-1")
    assert state(desk, 0) is State.STOPPED_AT_REQUEST
    again = desk.done("wang", "counter", "not-mine", card(0), *NOT_MINE).text
    assert order in again
    assert "they can take it back" in again
    assert "registrant" in desk.done("wang", "cards", "show", card(0)).text
    said = desk.done("wang", "orders", "show", order).text
    assert "disowned at a counter" in said
    desk.done("wang", "counter", "mine", card(0), *MINE)
    assert state(desk, 0) is State.RESTORED


def test_outlets_are_listed_by_what_was_disowned_there(desk: TypedDesk) -> None:
    for number, outlet in ((0, "W-1"), (1, "W-2"), (2, "W-2"), (3, "")):
        disowned(desk, number, outlet)
    desk.done("wang", "counter", "mine", card(1), *MINE)
    rows = list(
        csv.DictReader(io.StringIO(desk.done("wang", "orders", "disowned", "--csv").text.lstrip("\ufeff")))
    )
    assert {row["outlet"]: (row["cards"], row["taken_back"]) for row in rows} == {
        "W-1": ("1", "0"), "W-2": ("1", "1"), "": ("1", "0"),
    }  # fmt: skip
    each = desk.done("wang", "orders", "disowned", "--each").text
    assert "+86 130****0002" in each
    assert card(2) not in each.replace("+", "")
    full = desk.done("wang", "orders", "disowned", "--each", "--full", *WHY).text
    assert card(2)[2:] in full.replace(" ", "")
    assert "disowned by their registrants: " in desk.done("wang", "orders", "handled").text


def test_the_port_for_statistics_of_outlets_reads_in_full_and_tells_the_trail(desk: TypedDesk) -> None:
    disowned(desk, 0, "W-1")
    with desk.open() as here:
        cards = app_orders.disowned_cards(here, Person("wang", Role.DESK), "links outlets")
        (one,) = cards.disowned(BEGINNING, END)
        assert (one.card, one.outlet, one.state, one.stands) == (card(0), "W-1", State.CONFIRMED, True)
        assert one.said_at <= one.confirmed_at
        (told,) = trail(here.store, "read.disowned")
        assert (told.who, told.why, told.after) == ("wang", "links outlets", '{"unmasked":true}')
        assert list(cards.disowned(END - timedelta(days=1), END)) == []
        with pytest.raises(OrderError, match="say why"):
            app_orders.disowned_cards(here, Person("wang", Role.DESK), " ").disowned(BEGINNING, END)
        with pytest.raises(PermissionDenied):
            app_orders.disowned_cards(here, Person("x", Role.POLICE), "why").disowned(BEGINNING, END)


def test_what_was_taken_back_is_no_evidence_and_a_card_counts_once() -> None:
    def found(number: int, outlet: str, state: State, day: int) -> DisownedCard:
        at = datetime(2026, 3, day, tzinfo=UTC)
        return DisownedCard(card(number), "D1", at, at, outlet, "", "", state)

    few, many = by_outlet(
        [
            found(0, "many", State.CONFIRMED, 3),
            found(1, "many", State.CANCELLED, 1),
            found(1, "many", State.WITHDRAWN, 2),
            found(1, "many", State.CONFIRMED, 4),
            found(2, "few", State.WITHDRAWN, 5),
        ]
    )[::-1]
    assert (many.outlet, many.cards, many.taken_back) == ("many", 2, 1)
    assert (many.first.day, many.last.day) == (1, 4)
    assert (few.outlet, few.cards, few.taken_back) == ("few", 0, 1)
