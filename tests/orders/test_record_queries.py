"""Lookups for people: who may, on what basis, in the trail before the first row, and masked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from duanka.domain.authority import Permission
from duanka.domain.errors import DuankaError
from duanka.domain.order import OrderError, PermissionDenied, Person, Role, UnknownOrder
from duanka.domain.person import Scope
from duanka.domain.record_lookups import Basis, BasisKind, LookupRefused, basis_of
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit
from duanka.ledger.lookups import LookupContext
from duanka.orders.queries.record_queries import RecordQueries
from support.invented_lookups import AT, DAY, DEVICE, FORWARDER, PEER, InventedLookups
from support.orders.books import DESK, KEY, NOW, book_on, card, demand, receive, verification

CARD = card(0)
CASE = Basis(BasisKind.CASE, "京公2026-1")
READER = LookupContext(DESK, "the bank asked", CASE)
NEAR = replace(DESK, scope=Scope(operators=frozenset({"甲"})))


def _queries(store: Store, lookups: InventedLookups | None = None) -> tuple[RecordQueries, InventedLookups]:
    found = lookups or InventedLookups()
    return RecordQueries(store, Trail(KEY), lambda: found), found


def _trail(store: Store) -> Sequence[tuple[str, str, str, dict[str, Any]]]:
    columns = (audit.c.what, audit.c.subject, audit.c.why, audit.c.after)
    with store.reading() as connection:
        rows = connection.execute(select(*columns).order_by(audit.c.seq)).all()
    return [(*row[:3], json.loads(row[3])) for row in rows if row.what.startswith("lookup.")]


def test_a_lookup_is_in_the_trail_with_reason_basis_card_and_rows(store: Store) -> None:
    found = _queries(store)[0].card(CARD, READER, NOW)
    first, second = _trail(store)
    assert first[:3] == ("lookup.card", CARD, "京公2026-1 · the bank asked")
    assert first[3] == {
        "basis": "case",
        "card": CARD,
        "since": "2026-01-31T00:00:00",
        "until": "2026-03-02T00:00:00",
        "unmasked": False,
    }
    assert second == ("lookup.rows", CARD, "京公2026-1", {"rows": len(found.records)})


class Told(InventedLookups):
    """Fails at the first row, after it has seen what the trail has by then."""

    store: Store
    seen: Sequence[object] = ()

    def records_of(self, card: str, since: datetime, until: datetime) -> Any:
        self.seen = _trail(self.store)
        raise DuankaError("the disk is gone")

    def contacts_of(self, numbers: Any, since: datetime, until: datetime) -> Any:
        return self.records_of("", since, until)


def test_the_entry_is_there_before_the_first_row_and_stays_when_the_lookup_fails(store: Store) -> None:
    lookups = Told()
    lookups.store = store
    queries, _ = _queries(store, lookups)
    for look, count in (
        (lambda: queries.card(CARD, READER, NOW), 1),
        (lambda: queries.contacts([CARD], READER, NOW), 2),
    ):
        with pytest.raises(DuankaError, match="disk"):
            look()
        assert len(lookups.seen) == count == len(_trail(store))
    assert [row[0] for row in _trail(store)] == ["lookup.card", "lookup.contacts"]
    assert _trail(store)[1][3]["numbers"] == [CARD]


def test_numbers_and_devices_are_masked_unless_somebody_asks_for_them_in_full(store: Store) -> None:
    queries, _ = _queries(store)
    masked = queries.card(CARD, READER, NOW)
    call, message, data = masked.records
    assert (call.peer, call.forwarded_from, call.imei) == (
        "+86 139****9000",
        "+86 137****7000",
        "86012304****001",
    )
    assert message.peer == "95588", "a service is nobody's number"
    assert (data.bytes, data.peer) == (1_500_000, None)
    for secret in (PEER, FORWARDER, DEVICE, CARD):
        assert secret not in str([masked.card, *map(astuple, masked.records)])
    full = queries.card(CARD, replace(READER, unmasked=True), NOW)
    assert (full.card, full.records[0].peer, full.records[0].imei) == (f"+{CARD}", f"+{PEER}", DEVICE)
    assert _trail(store)[-2][3]["unmasked"] is True
    contacts = queries.contacts([CARD, "95588"], READER, NOW)
    assert [one.other for one in contacts.contacts] == ["+86 139****9000", None] * 2
    assert contacts.contacts[2].number == "95588"


def test_numbers_in_full_take_a_permission_of_their_own(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Today all who look up may; the day one may not, only the masked lookup is left."""
    monkeypatch.setattr(Permission.UNMASK, "roles", frozenset())
    queries, lookups = _queries(store)
    assert queries.card(CARD, READER, NOW).records
    asked = len(lookups.asked)
    full = replace(READER, unmasked=True)
    with pytest.raises(PermissionDenied):
        queries.card(CARD, full, NOW)
    with pytest.raises(PermissionDenied):
        queries.contacts([CARD], full, NOW)
    assert len(lookups.asked) == asked


@pytest.mark.parametrize(("peer", "shown"), [("opaque-peer-1", "****-1"), ("short:7", "short:7")])
def test_pseudonyms_are_masked_and_short_codes_are_not(store: Store, peer: str, shown: str) -> None:
    queries, _ = _queries(store, InventedLookups(peer=peer))
    assert queries.card("opaque-card", READER, NOW).records[0].peer == shown
    assert queries.card("opaque-card", replace(READER, unmasked=True), NOW).records[0].peer == peer


@pytest.mark.parametrize("written", ["13800138000", "+86 138 0013 8000", "008613800138000", "8613800138000"])
def test_a_number_is_found_however_it_is_written(store: Store, written: str) -> None:
    queries, lookups = _queries(store)
    queries.card(written, READER, NOW)
    queries.contacts([written, "8613800138000"], READER, NOW)
    assert [asked for asked, *_ in lookups.asked] == ["8613800138000", ("8613800138000",)]


def test_an_order_must_exist_and_be_of_the_card(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand(0), demand(1)], NOW)
    queries, lookups = _queries(store)
    mine, other = (replace(READER, basis=Basis(BasisKind.ORDER, verification(book, n).id)) for n in (0, 1))
    assert queries.card(card(0), mine, NOW).records
    with pytest.raises(LookupRefused, match="another card"):
        queries.card(card(0), other, NOW)
    with pytest.raises(UnknownOrder, match="no order 'V000000000000'"):
        queries.card(card(0), replace(READER, basis=Basis(BasisKind.ORDER, "V000000000000")), NOW)
    assert len(lookups.asked) == 1
    assert queries.contacts([card(5)], other, NOW).contacts, "contacts may be of others than the order's card"
    assert [row[0] for row in _trail(store)] == [
        "lookup.card",
        "lookup.rows",
        "lookup.contacts",
        "lookup.rows",
    ]


def test_who_works_for_some_places_looks_up_cards_of_these_alone(store: Store) -> None:
    receive(book_on(store), [demand(0, operator="甲", city="130100"), demand(1, operator="乙")], NOW)
    places = {card(1): ("甲", ""), card(2): ("甲", ""), card(3): ("乙", "")}
    queries, lookups = _queries(store, InventedLookups(places))
    near = replace(READER, person=NEAR)
    assert queries.card(card(0), near, NOW).records
    assert queries.card(card(2), near, NOW).records, "without an order the register says where a card belongs"
    for outside in (card(1), card(3), card(4), "95588"):
        with pytest.raises(PermissionDenied, match="out of the scope"):
            queries.card(outside, near, NOW)
        with pytest.raises(PermissionDenied, match="out of the scope"):
            queries.contacts([card(0), outside], near, NOW)
    assert len(lookups.asked) == 2
    assert len(_trail(store)) == 4


@pytest.mark.parametrize("role", Role)
def test_nobody_but_desk_supervisor_and_police_sees_a_row_or_leaves_an_entry(
    store: Store, role: Role
) -> None:
    queries, lookups = _queries(store)
    reader = replace(READER, person=Person("somebody", role))
    looks = (
        lambda: queries.card(CARD, reader, NOW),
        lambda: queries.card(CARD, replace(reader, unmasked=True), NOW),
        lambda: queries.contacts([CARD], reader, NOW),
    )
    for look in looks:
        if role in (Role.DESK, Role.SUPERVISOR, Role.POLICE):
            assert look().period.last == DAY
        else:
            with pytest.raises(PermissionDenied):
                look()
    assert bool(lookups.asked) is bool(_trail(store)) is (role in (Role.DESK, Role.SUPERVISOR, Role.POLICE))
    if role in (Role.SYSTEM, Role.HOLDER):
        with pytest.raises(PermissionDenied):
            queries.status(reader.person)
    else:
        assert queries.status(reader.person).delivered == 2


@pytest.mark.parametrize(
    "given",
    [
        (None, None, None),
        ("", " ", None),
        ("1", "V1", None),
        ("1", None, "2"),
        ("x" * 65, None, None),
        ("a\nb", None, None),
    ],
)
def test_a_lookup_is_about_one_case_order_or_notice(given: tuple[str | None, ...]) -> None:
    with pytest.raises(LookupRefused):
        basis_of(*given)
    assert basis_of(None, None, " 7 ") == Basis(BasisKind.POLICE_NOTICE, "7")


def test_bounds_reasons_and_numbers_are_checked_before_anything_is_told(store: Store) -> None:
    queries, lookups = _queries(store)
    wrong = (
        lambda: queries.card(CARD, READER, NOW, 0),
        lambda: queries.card(CARD, READER, NOW, 181),
        lambda: queries.card(CARD, replace(READER, why=" "), NOW),
        lambda: queries.card(" ", READER, NOW),
        lambda: queries.card("x" * 65, READER, NOW),
        lambda: queries.contacts([CARD], READER, NOW, 721),
        lambda: queries.contacts([], READER, NOW),
        lambda: queries.contacts([card(n) for n in range(1_001)], READER, NOW),
    )
    for look in wrong:
        with pytest.raises(OrderError if look is wrong[2] else LookupRefused):
            look()
    assert not lookups.asked
    assert not _trail(store)
    queries.card(CARD, READER, NOW, 180)
    queries.contacts([card(n) for n in range(1_000)], READER, NOW, 720)


def test_a_period_ends_with_the_last_day_there_is_or_where_somebody_says(store: Store) -> None:
    stray = DAY + timedelta(days=27_000)
    queries, _ = _queries(store, InventedLookups(days=(DAY, stray)))
    period = queries.card(CARD, READER, NOW, 1).period
    assert (period.since, period.until) == (datetime(2026, 3, 1), datetime(2026, 3, 2))
    assert (period.first, period.last) == (DAY, DAY), "a day of a wrong clock is not the last one"
    until = NOW.replace(year=2026, month=3, day=1, hour=2)
    period = queries.contacts([CARD], READER, NOW, 1, until).period
    assert (period.since, period.until) == (AT.replace(hour=9, minute=0), AT.replace(hour=10, minute=0))
    nothing = _queries(store, InventedLookups(days=()))[0].card(CARD, READER, NOW, 1)
    assert (nothing.period.last, nothing.records) == (None, [])
