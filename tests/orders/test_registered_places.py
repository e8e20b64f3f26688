"""Operator and city of an order that no decision opened come from the register, where there is one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from duanka.bootstrap.order_resources import AttachedStore
from duanka.bootstrap.store.register import registered_places
from duanka.domain.card_facts import no_places
from duanka.domain.errors import DuankaError
from duanka.domain.order import Event, PermissionDenied, Person, Role
from duanka.domain.person import Scope
from duanka.domain.record_lookups import NoStore
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.unit_of_work.unit_of_work import Terms
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.queries.service import Filter, OrderQueries, ViewerContext
from duanka.orders.service import OrderService
from support.order_policies import AT_ONCE
from support.orders.books import DESK, ELEMENTS, KEY, NOW, POLICE, SECOND, card, demand, receive, restriction

OURS, THEIRS = ("甲", "130100"), ("乙", "130200")
OF_OURS = Person("chen", Role.DESK, scope=Scope(frozenset({"甲"}), frozenset()))
WHY = BilingualText("举报核实", "checked report")


@dataclass
class _Register:
    """The port `CardPlaces`, which keeps what it was asked."""

    places: Mapping[str, tuple[str, str]]
    asked: list[list[str]] = field(default_factory=list)

    def __call__(self, cards: Collection[str]) -> Mapping[str, tuple[str, str]]:
        self.asked.append(sorted(cards))
        return {one: self.places[one] for one in cards if one in self.places}


@pytest.fixture
def register() -> _Register:
    return _Register({card(0): OURS, card(1): OURS, card(2): THEIRS})


def _book(store: Store, register: _Register) -> OrderService:
    return OrderService(store, Terms(AT_ONCE, Trail(KEY), ELEMENTS, registered=register))


def _placed(book: OrderService, *numbers: int) -> list[tuple[str, str]]:
    found = [restriction(book, number) for number in numbers]
    return [(order.operator, order.city) for order in found if order]


def _seen(store: Store, by: Person) -> set[str]:
    return {
        one.card for one in OrderQueries(store, Trail(KEY)).orders(Filter(), ViewerContext(by), NOW).items
    }


def test_a_police_stop_without_an_earlier_order_is_of_the_registered_operator(
    store: Store, register: _Register
) -> None:
    book = _book(store, register)
    for number in (0, 2, 3):
        book.police_stop(card(number), "A1", POLICE, "notice", NOW)
    assert _placed(book, 0, 2, 3) == [OURS, THEIRS, ("", "")]
    assert len(_seen(store, OF_OURS)) == 1, (
        "the operator's people see theirs, and neither another's nor an unknown one"
    )
    assert len(_seen(store, DESK)) == 3


def test_the_cards_of_a_bulk_action_are_asked_for_together(store: Store, register: _Register) -> None:
    book = _book(store, register)
    acts = BulkActionService(book)
    act = acts.propose(Event.SUSPEND, [card(number) for number in range(4)], WHY, DESK, NOW)
    assert register.asked == [[card(number) for number in range(4)]]
    acts.approve(act.id, SECOND, "fine", NOW)
    register.asked.clear()
    acts.carry_out(NOW)
    assert register.asked == [[card(number) for number in range(4)]]
    assert _placed(book, 0, 1, 2, 3) == [OURS, OURS, THEIRS, ("", "")]


def test_the_scope_of_who_stops_is_that_of_the_register(store: Store, register: _Register) -> None:
    acts = BulkActionService(_book(store, register))
    assert acts.propose(Event.SUSPEND, [card(0), card(1)], WHY, OF_OURS, NOW).total == 2
    for number in (2, 3):
        with pytest.raises(PermissionDenied, match="out of the scope of chen"):
            acts.propose(Event.SUSPEND, [card(number)], WHY, OF_OURS, NOW)
    acts.orders.police_stop(card(2), "A1", POLICE, "notice", NOW)
    with pytest.raises(PermissionDenied, match="out of the scope of chen"):
        acts.propose(Event.SUSPEND, [card(2)], WHY, OF_OURS, NOW)  # and no word of the police's stop


def test_what_an_order_says_goes_before_the_register(store: Store, register: _Register) -> None:
    book = _book(store, register)
    receive(book, [demand(0, operator="丙", city="130300")], NOW)
    book.police_stop(card(0), "A1", POLICE, "notice", NOW)
    assert _placed(book, 0) == [("丙", "130300")]
    assert register.asked == []


def test_a_store_that_is_not_there_or_cannot_be_read_stops_no_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert registered_places(AttachedStore(None, b"")) is no_places
    with pytest.raises(NoStore):
        AttachedStore(tmp_path, b"").lookups()
    assert registered_places(AttachedStore(tmp_path, b""))([card(0)]) == {}
    assert not caplog.records, "nothing is wrong with an installation without a store"

    def damaged(_: AttachedStore) -> None:
        raise DuankaError("cards.parquet is damaged")

    monkeypatch.setattr(AttachedStore, "lookups", damaged)
    assert registered_places(AttachedStore(tmp_path, b""))([card(0)]) == {}
    assert "cards.parquet is damaged" in caplog.text
