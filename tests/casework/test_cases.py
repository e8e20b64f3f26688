"""Case files: a ground that exists, one timeline, merging and splitting, a reader of changes that misses nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from duanka.casework.cases.queries import CaseFilter, CaseQueries
from duanka.casework.cases.seeds import CasePorts, added_items
from duanka.casework.cases.service import CaseFiles
from duanka.domain.case_file import (
    NO_GROUND,
    CaseError,
    CaseFile,
    CaseGround,
    CaseOutcome,
    CaseState,
    GroundKind,
    ItemKind,
    UnknownCase,
    ground_of,
)
from duanka.domain.order import NeedsSecondPerson, OrderError, PermissionDenied, Person, Role
from duanka.domain.person import Scope
from duanka.domain.record_lookups import Basis, BasisKind, LookupRefused
from duanka.domain.ring_lookups import SeedName
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit
from duanka.ledger.lookups import LookupContext, Reader
from duanka.orders.queries.record_queries import RecordQueries
from duanka.orders.queries.ring_queries import RingQueries
from support.invented_lookups import InventedLookups
from support.invented_rings import BOX, InventedRings, ring_card
from support.orders.books import DESK, KEY, NOW, SECOND, book_on, card, demand, receive, verification

LETTER = CaseGround(GroundKind.POLICE_LETTER, "公（2026）12号")
CARD = SeedName("card", card(0))
RING = SeedName("ring", "R00001")
POLICE, REGULATOR = Person("officer", Role.POLICE), Person("province", Role.REGULATOR)


@dataclass(frozen=True)
class Here:
    files: CaseFiles
    cases: CaseQueries


def services(store: Store, lookups: InventedLookups | None = None) -> Here:
    trail = Trail(KEY)
    rings = RingQueries(store, trail, InventedRings)
    ports = CasePorts(rings.in_full, lambda: lookups or InventedLookups())
    return Here(CaseFiles(store, trail, ports), CaseQueries(store, trail))


def opened(store: Store, named: SeedName = CARD, ground: CaseGround = LETTER, by: Person = DESK) -> CaseFile:
    return services(store).files.open(named, ground, "", by, "a gang", NOW)


def cards_of(file: CaseFile) -> list[str]:
    return [item.value for item in file.of_kind(ItemKind.CARD)]


def trail_of(store: Store, subject: str) -> Sequence[tuple[str, str]]:
    query = select(audit.c.what, audit.c.why).where(audit.c.subject == subject).order_by(audit.c.seq)
    with store.reading() as connection:
        return [(row.what, row.why) for row in connection.execute(query)]


def test_a_ring_brings_the_cards_that_its_evidence_carries_its_devices_and_outlets(store: Store) -> None:
    file = opened(store, RING)
    assert file.case.state is CaseState.OPEN
    assert cards_of(file) == [ring_card(0), ring_card(1), ring_card(2)]  # the fourth is to look at
    assert [item.value for item in file.of_kind(ItemKind.DEVICE)] == [BOX]
    assert [item.value for item in file.of_kind(ItemKind.OUTLET)] == ["S-1"]
    assert file.items[0].certainty == 96
    looked = trail_of(store, "R00001")
    assert [what for what, _ in looked] == ["lookup.ring", "lookup.rows"]
    assert looked[0][1].startswith("公（2026）12号")


@pytest.mark.parametrize(
    "text", ["order", "order:", "letter:1", "none:1", "complaint", "", "hit:" + "1" * 81, "order:\x00"]
)
def test_what_is_no_ground_is_refused(text: str) -> None:
    with pytest.raises(CaseError):
        ground_of(text)


def test_an_order_is_a_ground_only_for_its_own_card(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand(0), demand(1)], NOW)
    ground = CaseGround(GroundKind.ORDER, verification(book, 0).id)
    assert opened(store, CARD, ground).case.ground == ground
    with pytest.raises(CaseError, match="about a card that is not of this case"):
        opened(store, SeedName("card", card(1)), ground)
    with pytest.raises(CaseError, match="about a card that is not of this case"):
        opened(store, RING, ground)
    with pytest.raises(CaseError, match="no order V0000"):
        opened(store, CARD, CaseGround(GroundKind.ORDER, "V000000000000"))


def test_a_hit_counts_only_if_its_decision_is_sealed(store: Store) -> None:
    book = book_on(store)
    receive(book, [replace(demand(0), id=""), replace(demand(1), id="run1/7")], NOW)
    with pytest.raises(CaseError, match="no sealed hit on this card"):
        opened(store, CARD, CaseGround(GroundKind.HIT))
    file = opened(store, SeedName("card", card(1)), CaseGround(GroundKind.HIT))
    assert file.case.ground == CaseGround(GroundKind.HIT, "run1/7")
    with pytest.raises(CaseError, match="unless the case begins at a card"):
        opened(store, RING, CaseGround(GroundKind.HIT))


def test_a_complaint_counts_only_if_the_records_have_one_about_the_card(store: Store) -> None:
    ground = CaseGround(GroundKind.COMPLAINT, "12321-7")
    with pytest.raises(CaseError, match="no complaint about a card of this case"):
        opened(store, CARD, ground)
    lookups = InventedLookups(complained=frozenset({card(0)}))
    file = services(store, lookups).files.open(CARD, ground, "", DESK, "why", NOW)
    assert file.case.state is CaseState.OPEN


def test_without_a_ground_nothing_is_looked_up_before_another_supervisor_approves(store: Store) -> None:
    here = services(store)
    file = here.files.open(RING, NO_GROUND, "", SECOND, "a tip", NOW)
    number = file.case.id
    assert (file.case.state, cards_of(file)) == (CaseState.PROPOSED, [])
    assert trail_of(store, "R00001") == []
    with pytest.raises(CaseError, match="a supervisor approves it first"):
        here.files.note(number, "more", DESK, NOW)
    with pytest.raises(LookupRefused, match="nothing is looked up on its basis"):
        here.files.grow(number, RING, DESK, "more", NOW)
    with pytest.raises(NeedsSecondPerson):
        here.files.approve(number, SECOND, "mine", NOW)
    with pytest.raises(PermissionDenied):
        here.files.approve(number, DESK, "yes", NOW)
    other = replace(SECOND, id="another.chief")
    assert here.files.approve(number, other, "yes", NOW).case.state is CaseState.OPEN
    _, new = here.files.grow(number, RING, DESK, "more", NOW)
    assert new == 5
    with pytest.raises(CaseError, match="waits for nobody"):
        here.files.approve(number, other, "again", NOW)


def test_looking_into_a_case_is_told_first_and_masked(store: Store) -> None:
    here = services(store)
    number = opened(store, RING).case.id
    here.files.note(number, f"the holder of {card(7)} called", DESK, NOW)
    view = here.cases.case(number, Reader(POLICE, "our case 9"), NOW)
    shown = json.dumps([str(view.file), str(view.entries)])
    assert ring_card(0) not in shown
    assert BOX not in shown
    assert card(7) not in shown
    assert ("read.case", "our case 9") in trail_of(store, number)
    full = here.cases.case(number, Reader(DESK, "to call them", unmasked=True), NOW)
    assert full.file.of_kind(ItemKind.CARD)[0].value == f"+{ring_card(0)}"
    with pytest.raises(PermissionDenied):
        here.cases.case(number, Reader(REGULATOR, "curious"), NOW)
    assert here.cases.page(CaseFilter(), REGULATOR).cases[0].items[ItemKind.CARD] == 3


def test_the_timeline_has_orders_and_the_networks_acknowledgement(store: Store) -> None:
    book = book_on(store)
    book.police_stop(card(0), "京公2026-9", replace(DESK, role=Role.POLICE), "their letter", NOW)
    here = services(store)
    file = opened(store)
    assert file.case.confirmed == 1
    assert file.items[0].confirmed == ("京公2026-9",)
    told = [entry.what.en for entry in here.cases.case(file.case.id, Reader(DESK, "why"), NOW).entries]
    assert "confirmed by the police" in told
    assert any("restriction" in what for what in told)
    book.police_release(card(0), replace(DESK, role=Role.POLICE, id="other"), "a mistake", NOW)
    view = here.cases.case(file.case.id, Reader(DESK, "why"), NOW)
    assert "confirmation withdrawn" in [entry.what.en for entry in view.entries]
    assert view.file.items[0].confirmed == ()
    assert here.cases.case(file.case.id, Reader(DESK, "why"), NOW, entries=2).in_all == view.in_all


def test_merging_moves_everything_and_the_old_number_leads_on(store: Store) -> None:
    here = services(store)
    first, second = opened(store, RING).case.id, opened(store).case.id
    here.files.note(second, "about the shop", DESK, NOW)
    merged = here.files.merge(second, first, DESK, "one gang", NOW)
    assert cards_of(merged) == [ring_card(0), ring_card(1), ring_card(2), card(0)]
    assert [note.text for note in merged.notes] == ["about the shop"]
    with pytest.raises(CaseError, match=f"go on in {first}"):
        here.files.note(second, "more", DESK, NOW)
    with pytest.raises(CaseError):
        here.files.merge(first, first, DESK, "why", NOW)
    told = [entry.detail for entry in here.cases.case(first, Reader(DESK, "why"), NOW).entries]
    assert told.count("a gang") == 2  # of both openings: one timeline


def test_a_split_takes_something_and_leaves_something(store: Store) -> None:
    here = services(store)
    number = opened(store, RING).case.id
    with pytest.raises(CaseError, match="is not of case"):
        here.files.split(number, [card(9)], "", DESK, "why", NOW)
    everything = [item.value for item in here.cases.in_full(number, DESK).items]
    with pytest.raises(CaseError, match="leaves something"):
        here.files.split(number, everything, "", DESK, "why", NOW)
    new = here.files.split(number, [ring_card(2)], "the minder", DESK, "another gang", NOW)
    assert (cards_of(new), new.case.split_from, new.case.ground) == ([ring_card(2)], number, LETTER)
    assert ring_card(2) not in cards_of(here.cases.in_full(number, DESK))


def test_a_closed_case_is_no_basis_of_a_lookup(store: Store) -> None:
    here = services(store)
    number = opened(store).case.id
    records = RecordQueries(store, Trail(KEY), InventedLookups)
    reader = LookupContext(DESK, "why", Basis(BasisKind.CASE, number))
    assert records.card(card(0), reader, NOW).records
    with pytest.raises(LookupRefused, match="is not of case"):
        records.card(card(1), reader, NOW)
    here.files.add(number, added_items([card(1)], (), (), ()), DESK, "she called him", NOW)
    assert records.card(card(1), reader, NOW).records
    here.files.close(number, CaseOutcome.UNFOUNDED, DESK, "nothing in it", NOW)
    with pytest.raises(LookupRefused, match="nothing is looked up on its basis"):
        records.card(card(0), reader, NOW)
    with pytest.raises(UnknownCase):
        records.card(card(0), replace(reader, basis=Basis(BasisKind.CASE, "C000000000000")), NOW)
    assert here.files.reopen(number, SECOND, "more came", NOW).case.outcome is None
    assert records.card(card(0), reader, NOW).records


def test_who_works_for_one_operator_sees_only_its_cases(store: Store) -> None:
    book = book_on(store)
    receive(book, [replace(demand(0), operator="甲", city="石家庄"), replace(demand(1), operator="乙")], NOW)
    ours, theirs = (opened(store, SeedName("card", card(number))).case.id for number in range(2))
    near = replace(DESK, scope=Scope(operators=frozenset({"甲"})))
    here = services(store)
    assert [case.id for case in here.cases.page(CaseFilter(), near).cases] == [ours]
    with pytest.raises(UnknownCase):
        here.cases.case(theirs, Reader(near, "why"), NOW)
    with pytest.raises(PermissionDenied):
        opened(store, SeedName("card", card(1)), by=near)
    with pytest.raises(PermissionDenied):
        here.files.add(ours, added_items([card(1)], (), (), ()), near, "why", NOW)
    with pytest.raises(PermissionDenied):
        here.cases.changes(near)
    here.files.add(ours, added_items((), (), ["S-1"], ["130100"]), near, "the shop", NOW)
    view = here.cases.case(ours, Reader(near, "why"), NOW)
    assert len(view.file.items) == 3  # an outlet has no operator
    here.files.merge(theirs, ours, DESK, "one gang", NOW)
    assert (
        here.cases.page(CaseFilter(), near).cases == []
    )  # the merged one is empty now, and of another operator


def test_a_reader_of_changes_misses_nothing_whoever_commits_last(store: Store) -> None:
    """Two writers at once: a case that is committed later never has the smaller number."""
    here = services(store)
    seen: list[int] = []
    stop = threading.Event()

    def follow() -> None:
        after = 0
        while True:
            ended = stop.is_set()
            page = here.cases.changes(SECOND, after)
            seen.extend(case.change for case in page.cases)
            after = page.following or after
            if ended and not page.cases:
                return

    def write(first: int) -> None:
        for number in range(first, first + 8):
            file = services(store).files.open(SeedName("card", card(number)), LETTER, "", DESK, "w", NOW)
            services(store).files.note(file.case.id, "n", DESK, NOW + timedelta(seconds=number))

    jobs: list[Callable[[], None]] = [lambda: write(0), lambda: write(100)]
    reader, writers = threading.Thread(target=follow), [threading.Thread(target=job) for job in jobs]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    assert seen == sorted(set(seen))
    latest = {case.change for case in here.cases.changes(SECOND, 0).cases}
    assert latest <= set(seen)
    assert len(latest) == 16


def test_what_a_person_writes_is_plain_and_names_of_outlets_show_no_number(store: Store) -> None:
    here = services(store)
    number = opened(store).case.id
    for text in ("a\x1b[2Jb", "a\u202eb", "a\u2066b", "a\u2028b"):
        with pytest.raises(OrderError):
            here.files.note(number, text, DESK, NOW)
        with pytest.raises(OrderError):
            here.files.close(number, CaseOutcome.ELSEWHERE, DESK, text, NOW)
    here.files.note(number, "two\nlines", DESK, NOW)
    for place in ("13800000000", "1301001", "130100/a b", ""):
        with pytest.raises(CaseError):
            added_items((), (), (), [place])
    here.files.add(number, added_items((), (), ["shop of 13800000000"], ["130100/46000123"]), DESK, "w", NOW)
    view = here.cases.case(number, Reader(DESK, "why"), NOW)
    shown = {item.value for item in view.file.items}
    assert "130100/46000123" in shown
    assert not any("13800000000" in value for value in shown)


def test_assigning_takes_somebody_who_works_on_cases(store: Store) -> None:
    here = services(store)
    number = opened(store).case.id
    with pytest.raises(CaseError, match="nobody who works on cases"):
        here.files.assign(number, "nobody", DESK, "why", NOW)
