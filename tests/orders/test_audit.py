"""The audit trail: who has the database but not the key changes nothing in it without being seen."""

from __future__ import annotations

import subprocess
import sys
from threading import Thread

import pytest
from sqlalchemy import Connection, delete, insert, select, text, update

from duanka.domain.order import SYSTEM, Event
from duanka.ledger.audit.trail import AuditEntry, Fault, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.installation import GENESIS
from duanka.ledger.db.rows import new_id
from duanka.ledger.db.tables import audit, audit_head, orders
from duanka.orders.service import OrderService
from support import ROOT
from support.orders.books import (
    HOUR,
    KEY,
    NOW,
    POLICE,
    SECOND,
    book_on,
    card,
    delivered,
    demand,
    receive,
    told_once,
)
from support.waiting import HANG


def faults(store: Store, kept: tuple[int, str] | None = None, key: bytes = KEY) -> list[Fault]:
    return [found for found in Trail(key).verify(store, [kept] if kept else []) if isinstance(found, Fault)]


def rows_of(store: Store) -> int:
    return Trail(KEY).end(store)[0]


@pytest.fixture
def book(store: Store) -> OrderService:
    """A book with a story: a notice, a stop, a release."""
    told_once(store, _a_story)
    return book_on(store)


def _a_story(store: Store) -> None:
    book = book_on(store)
    order = delivered(book)
    book.sweep(NOW + 24 * HOUR)
    book.apply(order.id, Event.PASS, SECOND, "它是本人, it is them", NOW + 25 * HOUR)
    book.police_stop(card(1), "case 7", POLICE, "confirmed", NOW + 26 * HOUR)
    assert rows_of(store) >= 8
    assert faults(store) == []


def test_a_whole_trail_says_how_many_rows_it_has(book: OrderService) -> None:
    assert list(Trail(KEY).verify(book.store)) == [rows_of(book.store)]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", NOW + 1000 * HOUR),
        ("who", "somebody else"),
        ("role", "regulator"),
        ("what", "restriction.restore"),
        ("subject", "R000000000000"),
        ("why", "another reason"),
        ("before", '{"a":1}'),
        ("after", '{"state":"restored"}'),
        ("hash", "f" * 64),
    ],
)
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_changed_column_is_found_with_its_row(
    book: OrderService, column: str, value: object, place: str
) -> None:
    seq = {"first": 1, "middle": 4, "last": rows_of(book.store)}[place]
    with book.store.writing() as connection:
        was = connection.execute(select(audit.c[column]).where(audit.c.seq == seq)).scalar_one()
        assert value != was
        connection.execute(update(audit).where(audit.c.seq == seq).values({column: value}))
    found = faults(book.store)
    assert found[0].seq == seq
    assert "changed" in found[0].what
    # what is hashed into the next row breaks that one too, and the end; nothing else
    assert len([one for one in found if one.seq]) <= (2 if column == "hash" else 1)


@pytest.mark.parametrize("place", ["first", "middle", "last", "two"])
def test_a_removed_row_is_found(book: OrderService, place: str) -> None:
    end = rows_of(book.store)
    gone = {"first": [1], "middle": [4], "last": [end], "two": [3, 4]}[place]
    with book.store.writing() as connection:
        connection.execute(delete(audit).where(audit.c.seq.in_(gone)))
    found = [one for one in faults(book.store) if one.seq]
    says = {"first": "missing: 1", "middle": "missing: 4", "two": "missing: 3 to 4"}.get(
        place, "end is wrong"
    )
    assert [one.seq for one in found] == [gone[0]]
    assert says in found[0].what


def test_rows_that_changed_places_are_found(book: OrderService) -> None:
    with book.store.writing() as connection:
        for old, new in ((3, -3), (4, 3), (-3, 4)):
            connection.execute(update(audit).where(audit.c.seq == old).values(seq=new))
    assert [one.seq for one in faults(book.store) if one.seq][:2] == [3, 4]


def _copied(connection: Connection, seq: int, place: int) -> None:
    row = dict(connection.execute(select(audit).where(audit.c.seq == seq)).mappings().one())
    connection.execute(insert(audit).values({**row, "seq": place}))


@pytest.mark.parametrize("place", [-7, 0, "after"])
def test_a_row_that_was_put_in_is_found(book: OrderService, place: int | str) -> None:
    at = rows_of(book.store) + 1 if place == "after" else int(place)
    with book.store.writing() as connection:
        _copied(connection, 2, at)
    assert [one.seq for one in faults(book.store)][0] == at  # noqa: RUF015


def test_a_row_between_two_others_is_found(book: OrderService) -> None:
    end = rows_of(book.store)
    with book.store.writing() as connection:
        for seq in range(end, 4, -1):
            connection.execute(update(audit).where(audit.c.seq == seq).values(seq=seq + 1))
        _copied(connection, 4, 5)
        connection.execute(update(audit_head).values(seq=end + 1))
    assert faults(book.store)[0].seq == 5


@pytest.mark.parametrize(
    "values", [{"seq": 3}, {"seq": 999}, {"hash": "f" * 64}, {"seal": "f" * 64}, {"seal": ""}]
)
def test_a_changed_end_is_found(book: OrderService, values: dict[str, object]) -> None:
    with book.store.writing() as connection:
        connection.execute(update(audit_head).values(values))
    assert faults(book.store)


def test_an_end_cut_off_with_the_head_moved_back_is_found(book: OrderService) -> None:
    end = rows_of(book.store)
    with book.store.writing() as connection:
        last = connection.execute(select(audit.c.hash).where(audit.c.seq == end - 1)).scalar_one()
        connection.execute(delete(audit).where(audit.c.seq == end))
        connection.execute(update(audit_head).values(seq=end - 1, hash=last))
    assert "seal" in faults(book.store)[0].what
    receive(book, [demand(9)], NOW + 30 * HOUR)  # the book goes on, and does not seal over what was done
    found = faults(book.store)
    assert [one.seq for one in found if one.seq] == [end], "beside the rows that the cut entry told of"
    assert "the end of the trail was changed" in found[0].what


def test_a_trail_that_was_emptied_is_found(book: OrderService) -> None:
    with book.store.writing() as connection:
        connection.execute(delete(audit))
        connection.execute(update(audit_head).values(seq=0, hash=GENESIS, seal=""))
    assert {one.seq for one in faults(book.store)} == {0}
    receive(book, [demand(9)], NOW + 30 * HOUR)
    assert sum("has no beginning" in one.what for one in faults(book.store)) == 3


def test_an_order_that_came_past_the_book_is_found(book: OrderService) -> None:
    with book.store.writing() as connection:
        row = dict(
            connection.execute(select(orders).where(orders.c.closed_at.is_not(None))).mappings().first() or {}
        )
        connection.execute(insert(orders).values({**row, "id": new_id("V")}))
    found = [one.what for one in faults(book.store)]
    assert sum("has no beginning here" in one for one in found) == 1


def test_an_older_copy_shows_against_the_end_that_was_kept(book: OrderService) -> None:
    early = Trail(KEY).end(book.store)
    receive(book, [demand(9)], NOW + 30 * HOUR)
    late = Trail(KEY).end(book.store)
    assert faults(book.store, early) == faults(book.store, late) == []
    (found,) = faults(book.store, (late[0] + 1, "f" * 64))
    assert "the end is missing" in found.what
    (found,) = faults(book.store, (early[0], "f" * 64))
    assert found == Fault(early[0], "not the row that was kept")


def test_another_key_verifies_nothing(book: OrderService) -> None:
    assert len(faults(book.store, key=b"another")) > rows_of(book.store) - 1


def test_raw_text_in_the_database_is_what_is_verified(book: OrderService) -> None:
    """By plain SQL, as an intruder would."""
    with book.store.writing() as connection:
        connection.execute(text("UPDATE audit SET who = 'nobody' WHERE seq = 2"))
    assert [one.seq for one in faults(book.store)] == [2]


_APPENDS = """
import sys
from datetime import UTC, datetime
from duanka.domain.order import SYSTEM
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
store = Store(sys.argv[1])
for number in range(60):
    with store.writing() as connection:
        at = datetime(2026, 3, 2, tzinfo=UTC)
        told = [AuditEntry(at, SYSTEM, "test", f"{sys.argv[2]}-{number}-{n}") for n in range(3)]
        Trail(bytes.fromhex(sys.argv[3])).append(connection, told)
store.close()
"""


def test_processes_that_append_at_once_keep_one_chain(store: Store, order_database_url: str) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _APPENDS, order_database_url, name, KEY.hex()],
            env={"PYTHONPATH": str(ROOT / "src")},
        )
        for name in ("a", "b", "c")
    ]
    try:
        assert [one.wait(timeout=HANG) for one in started] == [0, 0, 0]
    finally:
        for one in started:
            one.kill()
            one.wait()
    assert rows_of(store) == 540
    assert faults(store) == []


def test_a_trail_that_grows_while_it_is_verified_is_whole(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand(n) for n in range(200)], NOW)
    stop: list[bool] = []

    def grow() -> None:
        while not stop:
            with store.writing() as connection:
                Trail(KEY).append(connection, [AuditEntry(NOW, SYSTEM, "test", "x")])

    writer = Thread(target=grow)
    writer.start()
    try:
        assert [one for _ in range(30) for one in faults(store)] == []
    finally:
        stop.append(True)
        writer.join()
    assert rows_of(store) > 200
