"""What the order database says of cards for links: disowned and not taken back, and objections upheld."""

from __future__ import annotations

from dataclasses import replace

from duanka.domain.counter_check import CounterCheck, Document
from duanka.domain.disavowal import DisavowalSeen
from duanka.domain.order import SYSTEM, Event, Person, Role
from duanka.domain.person import HOLDER
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.database import Store
from duanka.orders.queries.stated_cards import StatedByPeople, stated_cards
from support.orders.books import DESK, HOUR, KEY, NOW, SECOND, card, delivered
from support.orders.online import Online, trail

SEEN = DisavowalSeen(
    Document.ID_CARD, "长安街营业厅", person_present=True, in_register=True, statement_signed=True
)
MINE = CounterCheck(
    Document.ID_CARD, "长安街营业厅", person_present=True, card_in_hand=True, notice_signed=True
)
OTHER = Person("zhao", Role.DESK)
WHY = "the document is theirs, the number is not"


def told(store: Store) -> StatedByPeople:
    return stated_cards(store, Trail(KEY), "links build S", NOW + 30 * HOUR)


def test_disowned_cards_count_once_confirmed_and_until_taken_back(store: Store) -> None:
    way = Online(store)
    claimed = [way.disavowals.record(card(n), replace(SEEN, outlet="W-1"), DESK, WHY, NOW) for n in (1, 2, 3)]
    assert told(store) == StatedByPeople((), (), ())
    for order in claimed[:2]:
        way.counter.confirm(order.id, OTHER, "seen too", NOW)
    assert told(store).disowned == (card(1), card(2))
    way.disavowals.take_back(claimed[0].id, MINE, DESK, "theirs after all", NOW)
    assert told(store).disowned == (card(2),)


def test_objections_count_once_they_are_upheld(store: Store) -> None:
    way = Online(store)
    delivered(way.orders)
    way.orders.sweep(NOW + 24 * HOUR)
    objection = way.orders.object(card(0), "这是我本人", HOLDER, NOW + 25 * HOUR)
    way.orders.apply(objection.id, Event.ACCEPT, DESK, "looked at", NOW + 25 * HOUR)
    assert told(store).upheld == ()
    way.orders.apply(objection.id, Event.UPHOLD, SECOND, "they are right", NOW + 26 * HOUR)
    assert told(store) == StatedByPeople((), (card(0),), ())


def test_the_trail_has_each_read_as_the_systems(store: Store) -> None:
    told(store)
    (read,) = trail(store, "read.stated")
    assert (read.who, read.why, read.after) == (
        SYSTEM.id,
        "links build S",
        '{"confirmed":0,"disowned":0,"upheld":0}',
    )
    assert not [found for found in Trail(KEY).verify(store) if isinstance(found, Fault)]
