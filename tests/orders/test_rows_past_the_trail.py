"""Rows that were changed, put in or removed by SQL show: the trail says of each how its transaction left it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Column, delete, func, insert, select, update
from sqlalchemy.sql.sqltypes import Integer
from sqlalchemy.types import TypeEngine

from duanka.domain.counter_check import CounterCheck, Document
from duanka.domain.order import Event, OrderError
from duanka.domain.person import Person, Role
from duanka.domain.text import BilingualText
from duanka.ledger.audit.row_digests import AT_ONCE, CARDS, NAMED, ORDERS, AuditedTable
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.columns import UtcMicroseconds
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import act_cards, act_places, acts, audit, cards, orders
from duanka.ledger.db.tables_identity import checks, counter_checks
from duanka.ledger.db.tables_installation import elements
from duanka.ledger.db.tables_people import keys, person_requests, persons
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.people.persons import Persons
from duanka.ledger.people.requests import PersonProposal
from duanka.ledger.people.sign_in import sign_in_services
from duanka.ledger.unit_of_work.network_elements import NetworkElements
from duanka.orders.bulk_actions.service import BulkActionService
from support.orders.books import (
    DESK,
    HOUR,
    KEY,
    NOW,
    POLICE,
    SECOND,
    all_stopped,
    book_on,
    card,
    delivered,
    demand,
    receive,
    restriction,
    told_once,
    verification,
)
from support.orders.online import UNSURE, Online
from support.people import CHEAP, PASSWORD

EVERY = (ORDERS, CARDS, *NAMED)


def faults(store: Store) -> list[str]:
    return [found.what for found in Trail(KEY).verify(store) if isinstance(found, Fault)]


@pytest.fixture
def told(store: Store) -> Store:
    """A book with rows in every table that the trail tells; all changes are of its own."""
    told_once(store, _everything_happens)
    return store


def _everything_happens(store: Store) -> None:
    book, people = book_on(store), Persons(store, Trail(KEY))
    order = delivered(book)
    book.sweep(NOW + 24 * HOUR)
    book.apply(order.id, Event.PASS, SECOND, "it is them", NOW + 25 * HOUR)
    book.police_stop(card(1), "case", POLICE, "notice", NOW + 25 * HOUR)
    book.police_stop(card(1), "case 2", POLICE, "notice", NOW + 26 * HOUR)
    proposing = BulkActionService(book)
    act = proposing.propose(Event.SUSPEND, [card(2), card(3)], BilingualText("一", "one"), DESK, NOW)
    proposing.approve(act.id, SECOND, "seen", NOW)
    proposing.carry_out(NOW)
    proposing.propose(Event.SUSPEND, [card(4)], BilingualText("二", "two"), DESK, NOW)
    _, invitation = people.begin("li", "Li", "root", NOW)
    people.join(invitation, "zhao", "Zhao", NOW)
    li, zhao = Person("li", Role.SUPERVISOR), Person("zhao", Role.SUPERVISOR)
    request, _ = people.propose(PersonProposal.PERSON, Person("wang", Role.DESK, "Wang"), li, NOW)
    people.approve(request.id, zhao, "seen", NOW)
    request, _ = people.propose(PersonProposal.CHANGE, Person("wang", Role.POLICE, "Wang"), zhao, NOW)
    people.approve(request.id, li, "seen", NOW)
    people.propose(PersonProposal.KEY, Person("wang", Role.POLICE, "Wang"), zhao, NOW)
    sign_in = sign_in_services(store, Trail(KEY), b"login names", hashing=CHEAP)
    sign_in.credentials.set_password(li.id, PASSWORD, "", li, NOW)
    sign_in.passwords.begin(li.id, PASSWORD, "203.0.113.7", NOW)
    NetworkElements(store, Trail(KEY)).set("call_proxy", "/calls", SECOND, "new", NOW)
    assert faults(store) == []


def _other(column: Column[object], value: object) -> object:
    kind: TypeEngine[object] = column.type
    if isinstance(kind, UtcMicroseconds):
        return value + timedelta(microseconds=1) if value else NOW  # type: ignore[operator]
    if isinstance(kind, Integer):
        return (value or 0) + 1  # type: ignore[operator]
    return f"{value or ''}x"[-(getattr(kind, "length", None) or 99) :] if value != "x" else "y"


@pytest.mark.parametrize("table", EVERY, ids=lambda table: table.table.name)
def test_every_column_that_was_changed_is_named_with_its_row(told: Store, table: AuditedTable) -> None:
    key = table.table.c[table.key]
    with told.reading() as connection:
        row = dict(connection.execute(select(table.table).order_by(key).limit(1)).mappings().one())
    mine = update(table.table).where(key == row[table.key])
    for column in [name for name in table.covered if name != table.key]:
        other = _other(table.table.c[column], row[column])
        assert other != row[column]
        with told.writing() as connection:
            connection.execute(mine.values({column: other}))
        found = faults(told)
        (changed,) = [what for what in found if what.endswith(f"was changed past the trail: {column}")]
        assert table is CARDS or str(row[table.key]) in changed
        assert not any(str(row.get("card", "no card")) in what for what in found), "no number in full"
        with told.writing() as connection:
            connection.execute(mine.values({column: row[column]}))
    assert faults(told) == []


def test_a_row_that_the_trail_does_not_know_is_found(told: Store) -> None:
    with told.writing() as connection:
        row = dict(connection.execute(select(keys).limit(1)).mappings().one())
        connection.execute(insert(keys).values({**row, "id": "KAAAAAAAAAAAA", "hash": "f" * 64}))
        row = dict(connection.execute(select(persons).limit(1)).mappings().one())
        connection.execute(insert(persons).values({**row, "id": "mallory"}))
        row = dict(connection.execute(select(cards).limit(1)).mappings().one())
        connection.execute(insert(cards).values({**row, "card": card(77)}))
    found = faults(told)
    assert [what for what in found if "put in" in what] == found
    assert {"keys KAAAAAAAAAAAA", "persons mallory"} == {
        what.partition(" is not")[0] for what in found if "card" not in what
    }
    assert len(found) == 3


@pytest.mark.parametrize("table", EVERY, ids=lambda table: table.table.name)
def test_a_row_that_was_removed_is_found(told: Store, table: AuditedTable) -> None:
    with told.writing() as connection:
        connection.execute(delete(table.table))
    assert any("was removed past the trail" in what for what in faults(told))


def test_a_card_added_to_what_two_people_agreed_on_is_found(told: Store) -> None:
    with told.writing() as connection:
        proposed = connection.execute(select(acts.c.id).where(acts.c.state == "proposed")).scalar_one()
        connection.execute(insert(act_cards).values(act_id=proposed, card=card(99)))
    assert faults(told) == [f"acts {proposed} was changed past the trail: list of cards"]


def test_an_older_row_put_back_is_found(store: Store) -> None:
    """What was true once is not what the trail said last."""
    book = book_on(store)
    order = book.police_stop(card(0), "case", POLICE, "notice", NOW)
    with store.reading() as connection:
        before = [
            (table, dict(connection.execute(select(table)).mappings().one())) for table in (orders, cards)
        ]
    book.police_release(card(0), POLICE, "consent", NOW + HOUR)
    assert faults(store) == []
    with store.writing() as connection:
        for table, row in before:
            connection.execute(update(table).values(row))
    found = faults(store)
    assert len(found) == 2
    assert f"order {order.id} was changed past the trail: closed_at, " in found[0]
    assert "state" in found[1]


def test_a_card_that_points_to_an_earlier_order_is_found(store: Store) -> None:
    book = book_on(store)
    first = book.police_stop(card(0), "case", POLICE, "notice", NOW)
    book.police_release(card(0), POLICE, "consent", NOW + HOUR)
    with store.reading() as connection:
        free = dict(connection.execute(select(cards)).mappings().one())
    book.police_stop(card(0), "case 2", POLICE, "notice", NOW + 2 * HOUR)
    assert faults(store) == []
    with store.writing() as connection:
        connection.execute(update(cards).values(free))
    (found,) = faults(store)
    assert found.startswith(f"the card of order {first.id} was changed past the trail: order_id")


def test_a_column_that_an_order_does_not_write_would_show() -> None:
    """The digest of a transaction is over what it writes; that of the comparison over all columns."""
    assert set(ORDERS.covered) == {column.name for column in orders.columns}
    told = dict.fromkeys(ORDERS.covered)
    assert ORDERS.digest(told) != ORDERS.digest({n: v for n, v in told.items() if n != "tier"})


def test_what_follows_from_a_change_past_the_trail_does_not_hide_it(told: Store) -> None:
    """A row is told again by the next change; how it was found then stays in the trail."""
    with told.writing() as connection:
        connection.execute(update(elements).values(address="/theirs"))
    assert faults(told) == ["elements call_proxy was changed past the trail: address"]
    NetworkElements(told, Trail(KEY)).set("call_proxy", "/ours", SECOND, "put right", NOW + HOUR)
    assert faults(told) == ["before this row elements call_proxy was changed past the trail: address"]
    with told.reading() as connection:
        last = connection.execute(select(audit.c.before).order_by(audit.c.seq.desc()).limit(1)).scalar_one()
    assert "/theirs" in last


def test_a_tier_that_was_lowered_past_the_trail_shows_after_one_person_passed_the_card(store: Store) -> None:
    book = book_on(store)
    order = delivered(book)
    with store.writing() as connection:
        connection.execute(update(orders).values(tier="low"))
    book.apply(order.id, Event.BEGIN, DESK, "came", NOW)
    book.apply(order.id, Event.PASS, DESK, "it is them", NOW)
    (found,) = faults(store)
    assert found.startswith("before row ")
    assert found.endswith(f" order {order.id} was changed past the trail: tier")


def test_a_card_that_was_freed_past_the_trail_shows_after_its_next_change(store: Store) -> None:
    book = book_on(store)
    order = book.police_stop(card(0), "case", POLICE, "notice", NOW)
    with store.writing() as connection:
        connection.execute(update(cards).values(wanted="active"))
    book.police_release(card(0), POLICE, "consent", NOW + HOUR)
    (found,) = faults(store)
    assert found.endswith(f"the card of order {order.id} was changed past the trail: wanted")
    assert card(0) not in found


@pytest.mark.parametrize("changed", ["proposed_by", "list of cards"])
def test_what_was_put_under_a_proposal_is_not_approved_and_shows(store: Store, changed: str) -> None:
    acting = BulkActionService(book_on(store))
    act = acting.propose(Event.SUSPEND, [card(1)], BilingualText("一", "one"), SECOND, NOW)
    with store.writing() as connection:
        if changed == "proposed_by":
            connection.execute(update(acts).values(proposed_by="zhao"))
        else:
            connection.execute(insert(act_cards).values(act_id=act.id, card=card(9)))
    by = SECOND if changed == "proposed_by" else Person("zhao", Role.SUPERVISOR)
    with pytest.raises(OrderError, match="changed past the audit trail"):
        acting.approve(act.id, by, "seen", NOW)
    assert faults(store) == [f"acts {act.id} was changed past the trail: {changed}"]
    acting.reject(act.id, SECOND, "changed by somebody", NOW)
    assert faults(store) == [f"before this row acts {act.id} was changed past the trail: {changed}"]


def test_an_act_put_into_somebodys_scope_shows(store: Store) -> None:
    acting = BulkActionService(book_on(store))
    act = acting.propose(Event.SUSPEND, [card(1)], BilingualText("一", "one"), DESK, NOW)
    with store.writing() as connection:
        connection.execute(delete(act_places))
    assert faults(store) == [f"act_places {act.id} was removed past the trail"]
    with store.writing() as connection:
        connection.execute(insert(act_places).values(act_id=act.id, operator="", city="石家庄"))
    assert faults(store) == [f"act_places {act.id} was changed past the trail: city"]


@pytest.mark.parametrize("changed", ["list of cards", "put in"])
def test_an_act_that_runs_otherwise_than_two_agreed_stops_nobody(store: Store, changed: str) -> None:
    said, book = list[str](), book_on(store)
    book.set_aside = AlarmService(store, said.append, timedelta(minutes=5)).set_aside
    acting = BulkActionService(book)
    other = acting.propose(Event.SUSPEND, [card(2)], BilingualText("二", "two"), DESK, NOW)
    act = acting.propose(Event.SUSPEND, [card(1)], BilingualText("一", "one"), DESK, NOW)
    acting.approve(other.id, SECOND, "seen", NOW)
    with store.writing() as connection:
        if changed == "put in":
            row = connection.execute(select(acts).where(acts.c.id == act.id)).mappings().one()
            forged = {**row, "id": "AFORGED", "state": "running", "approved_by": "li", "approved_at": NOW}
            connection.execute(insert(acts).values(forged))
            connection.execute(insert(act_cards).values(act_id="AFORGED", card=card(9)))
    if changed == "list of cards":
        acting.approve(act.id, SECOND, "seen", NOW)
        with store.writing() as connection:
            connection.execute(insert(act_cards).values(act_id=act.id, card=card(9)))
            connection.execute(update(acts).where(acts.c.id == act.id).values(total=2))
    while acting.carry_out(NOW):
        pass
    with store.reading() as connection:
        stopped = set(connection.execute(select(cards.c.card)).scalars())
    assert stopped == {card(2)}
    (told,) = said
    assert (act.id if changed == "list of cards" else "AFORGED") in told
    assert any("past" in found for found in faults(store))


@pytest.mark.parametrize(
    "changed", [{"due_at": NOW - HOUR}, {"receipt_at": NOW}, {"decision": "forged:1"}, {"state": "notified"}]
)
def test_a_deadline_that_somebody_wrote_into_the_database_stops_nobody(
    store: Store, changed: dict[str, object]
) -> None:
    said, book = list[str](), book_on(store)
    book.set_aside = AlarmService(store, said.append, timedelta(minutes=5)).set_aside
    for number in range(3):
        delivered(book, number)
    receive(book, [demand(3, id="")], NOW, DESK)
    forged = verification(book, 3).id
    with store.writing() as connection:
        facts = {
            "due_at": NOW,
            "delivered_at": NOW,
            "decision": "x:1",
            "receipt_at": NOW,
            "state": "notified",
        }
        connection.execute(update(orders).where(orders.c.id == forged).values({**facts, **changed}))
    while book.sweep(NOW + 30 * HOUR):
        pass
    assert [restriction(book, number) is not None for number in range(4)] == [True] * 3 + [False]
    (told,) = said
    assert forged in told
    assert any(forged in found for found in faults(store))


def test_a_person_whose_proposer_was_exchanged_is_not_approved(told: Store) -> None:
    people = Persons(told, Trail(KEY))
    li = Person("li", Role.SUPERVISOR)
    request, _ = people.propose(PersonProposal.PERSON, Person("sun", Role.SUPERVISOR, "Sun"), li, NOW)
    with told.writing() as connection:
        mine = update(person_requests).where(person_requests.c.id == request.id)
        connection.execute(mine.values(proposed_by="zhao"))
    with pytest.raises(OrderError, match="changed past the audit trail"):
        people.approve(request.id, li, "seen", NOW)
    assert faults(told) == [f"person_requests {request.id} was changed past the trail: proposed_by"]


def test_a_person_who_was_put_in_shows_after_their_change_was_approved(told: Store) -> None:
    with told.writing() as connection:
        row = dict(connection.execute(select(persons).where(persons.c.id == "wang")).mappings().one())
        connection.execute(insert(persons).values({**row, "id": "mallory"}))
    people = Persons(told, Trail(KEY))
    li, zhao = Person("li", Role.SUPERVISOR), Person("zhao", Role.SUPERVISOR)
    request, _ = people.propose(PersonProposal.CHANGE, Person("mallory", Role.SUPERVISOR, "M"), li, NOW)
    people.approve(request.id, zhao, "seen", NOW)
    first, *_ = faults(told)
    assert first == "before this row persons mallory is not in the trail: it was put in past it"


def test_a_counter_check_that_nobody_recorded_shows(store: Store) -> None:
    """By it one of the staff alone would pass a card that takes two."""
    way = Online(store)
    order = way.asked(tier="high")
    seen = CounterCheck(Document.ID_CARD, "hall", person_present=True, card_in_hand=True, notice_signed=True)
    way.counter.verify(order.id, seen, DESK, "seen", NOW)
    assert faults(store) == []
    with store.writing() as connection:
        connection.execute(update(counter_checks).values(outcome="passed", second_by="li", second_at=NOW))
    way.orders.apply(order.id, Event.PASS, DESK, "it is them", NOW)
    assert faults(store) == [
        f"counter checks of order {order.id} was changed past the trail: outcome, second_at, second_by"
    ]
    with store.writing() as connection:
        connection.execute(delete(counter_checks))
    assert faults(store) == [f"counter checks of order {order.id} was removed past the trail"]


def test_a_check_that_no_machine_made_shows(store: Store) -> None:
    """By it one of the staff alone would stop a card."""
    way = Online(store)
    order, other = way.asked(0), way.asked(1)
    way.settled(way.agreed(order.id), UNSURE, NOW)
    assert faults(store) == []
    with store.writing() as connection:
        row = dict(connection.execute(select(checks)).mappings().one())
        forged = {name: row[name] for name in row if name != "seq"} | {"id": "x", "order_id": other.id}
        connection.execute(insert(checks).values(forged))
        connection.execute(update(checks).where(checks.c.id != "x").values(reasons="other_person"))
    assert sorted(faults(store)) == sorted(
        [
            f"checks of order {other.id} is not in the trail: it was put in past it",
            f"checks of order {order.id} was changed past the trail: reasons",
        ]
    )


def test_many_orders_are_compared_some_at_a_time(store: Store) -> None:
    book = book_on(store)
    all_stopped(book, range(AT_ONCE + 100))
    assert faults(store) == []
    with store.writing() as connection:
        last = select(func.max(orders.c.id)).scalar_subquery()  # compared in the second part
        connection.execute(update(orders).where(orders.c.id == last).values(state="restored"))
    (found,) = faults(store)
    assert "state" in found
