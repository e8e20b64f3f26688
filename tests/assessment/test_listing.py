"""Listing for rectification: only who meets the criterion of stored runs, by two, and off it again by others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from duanka.assessment.listing.notice import digest_of
from duanka.assessment.listing.service import ListedUnit, UnitListings
from duanka.assessment.runs import AssessmentRuns
from duanka.domain.assessment import AssessmentPeriod, Measure, UnitKind
from duanka.domain.listing import (
    LISTING_TRANSITIONS,
    OVER,
    ListingError,
    ListingEvent,
    ListingNeedsAnother,
    ListingState,
    UnknownListing,
)
from duanka.domain.order import PermissionDenied, Person, Role
from duanka.domain.person import Scope
from duanka.ledger.db.assessment.listings import listings
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit
from support.assessment.shops import BIG, CHECK, LATER, LI, MONTHS, SMALL, STALL, both, runs_on
from support.databases import sqlite_order_database
from support.orders.books import card

WANG = Person("wang", Role.DESK)
CHEN, ZHAO = (Person(name, Role.SUPERVISOR) for name in ("chen", "zhao"))
MINISTRY, POLICE = Person("ministry", Role.REGULATOR), Person("liaison", Role.POLICE)
_E, _S = ListingEvent, ListingState


@pytest.fixture
def runs(new_sqlite_order_database: Path, tmp_path: Path) -> Iterator[AssessmentRuns]:
    """On one database: what the other could change, the first test and that of nobody alone try."""
    store = Store(sqlite_order_database(new_sqlite_order_database, tmp_path / "orders.sqlite"))
    yield runs_on(store)
    store.close()


def listed(runs: AssessmentRuns) -> tuple[UnitListings, ListedUnit]:
    service = UnitListings(runs)
    made = service.propose(both(runs), CHECK, LI, "the stall again", LATER)
    return service, service.move(made.id, _E.APPROVE, CHEN, "seen", LATER)


@pytest.mark.requirement("R5")
def test_the_gangs_stall_is_listed_and_an_honest_big_outlet_is_not(store: Store) -> None:
    runs = runs_on(store)
    first = runs.run(AssessmentPeriod.read(MONTHS[0]), LI, LATER - timedelta(days=1))
    service = UnitListings(runs)
    assert not service.candidates(first, LI), "one period is not enough"
    assert [str(one) for one in runs.missing(first, LI)] == ["2025-12"]
    last = both(runs)
    (found,) = service.candidates(last, MINISTRY)
    assert (found.unit, found.kind, found.measure) == (STALL, UnitKind.OUTLET, Measure.CONFIRMED)
    assert (found.facts.events, found.facts.exposure, found.facts.periods) == (18, 1_600, MONTHS)
    assert found.facts.lower > 1, "worse beyond chance"
    assert min(found.facts.worse) >= 0.99
    for unit in (BIG, SMALL, "S00", "nobody"):
        with pytest.raises(ListingError, match="nothing is listed by its rank"):
            service.propose(last, (Measure.CONFIRMED, UnitKind.OUTLET, unit), LI, "w", LATER)


def test_the_notice_says_reason_figures_and_term_and_is_kept_as_approved(runs: AssessmentRuns) -> None:
    service, found = listed(runs)
    assert found.state is _S.LISTED
    assert found.due_at == LATER + timedelta(days=30)
    for text in found.notice:
        for said in (STALL, "18", "1,600", "2026-01", "30", found.run_id, f"{found.facts.ratio:.2f}"):
            assert said in text
    assert found.notice_digest == digest_of(found.notice)
    with runs.store.reading() as connection:
        told = connection.execute(
            select(audit).where(audit.c.subject == found.id).order_by(audit.c.seq)
        ).all()
    assert [row.what for row in told] == ["listing.propose", "listing.approve"]
    assert found.notice_digest in told[0].after
    assert [step.event for step in service.get(found.id, WANG)[1]] == [_E.PROPOSE, _E.APPROVE]


def test_nobody_lists_alone_nor_twice(store: Store) -> None:
    runs = runs_on(store)
    service, last = UnitListings(runs), both(runs)
    made = service.propose(last, CHECK, LI, "w", LATER)
    with pytest.raises(ListingError, match="on its way already"):
        service.propose(last, CHECK, CHEN, "w", LATER)
    with pytest.raises(ListingNeedsAnother, match="li had a hand"):
        service.move(made.id, _E.APPROVE, LI, "w", LATER)
    for person in (WANG, POLICE):
        with pytest.raises(PermissionDenied):
            service.move(made.id, _E.APPROVE, person, "w", LATER)
    own = {"state": "listed", "approved_by": "li", "due_at": LATER}
    alone = listings.update().where(listings.c.id == made.id).values(**own)
    with pytest.raises(IntegrityError), runs.store.writing() as connection:
        connection.execute(alone)
    assert service.move(made.id, _E.REJECT, LI, "an error", LATER).closed_at == LATER
    assert service.propose(last, CHECK, CHEN, "w", LATER).state is _S.PROPOSED


@pytest.mark.parametrize("month", MONTHS)
def test_an_outdated_run_lists_nobody(runs: AssessmentRuns, month: str) -> None:
    service, last = UnitListings(runs), both(runs)
    waits = service.propose(last, CHECK, LI, "w", LATER)
    newer = runs.run(AssessmentPeriod.read(month), LI, LATER)
    step = f"candidates --run {newer.id}" if month == MONTHS[1] else f"assess run {MONTHS[1]}"
    outdated = f"{last.id} is outdated: {month} was counted again in run {newer.id}.*{step}"
    with pytest.raises(ListingError, match=f"{outdated}.*reject {waits.id}"):
        service.move(waits.id, _E.APPROVE, CHEN, "w", LATER)
    service.move(waits.id, _E.REJECT, CHEN, "counted again", LATER)
    with pytest.raises(ListingError, match=outdated):
        service.propose(last, CHECK, LI, "w", LATER)
    again = runs.run(AssessmentPeriod.read(MONTHS[1]), LI, LATER + timedelta(minutes=1))
    assert service.propose(again, CHECK, LI, "w", LATER).run_id == again.id


def test_it_leaves_the_list_by_evidence_a_check_and_another_person(runs: AssessmentRuns) -> None:
    service, found = listed(runs)
    with pytest.raises(ListingError, match="no check: mended from there"):
        service.move(found.id, _E.FIND_MENDED, CHEN, "w", LATER)
    with pytest.raises(PermissionDenied):
        service.move(found.id, _E.FILE_EVIDENCE, MINISTRY, "we closed it", LATER)
    service.move(found.id, _E.FILE_EVIDENCE, ZHAO, "the owner was changed", LATER)
    with pytest.raises(ListingNeedsAnother):
        service.move(found.id, _E.FIND_MENDED, ZHAO, "w", LATER)
    assert (
        service.move(found.id, _E.FIND_NOT_MENDED, LI, "the old owner sits there", LATER).state is _S.LISTED
    )
    service.move(found.id, _E.FILE_EVIDENCE, ZHAO, "he is gone", LATER)
    assert service.move(found.id, _E.FIND_MENDED, LI, "seen", LATER).state is _S.MENDED
    for person in (LI, ZHAO):
        with pytest.raises(ListingNeedsAnother):
            service.move(found.id, _E.DELIST, person, "w", LATER)
    gone = service.move(found.id, _E.DELIST, CHEN, "mended", LATER + timedelta(days=9))
    assert (gone.state, gone.closed_at) == (_S.DELISTED, LATER + timedelta(days=9))
    assert not service.listed(MINISTRY)[0]
    assert [one.id for one in service.listed(MINISTRY, is_open=False)[0]] == [found.id]


def test_an_objection_of_the_unit_is_decided_by_others(runs: AssessmentRuns) -> None:
    service, found = listed(runs)
    assert service.move(found.id, _E.OBJECT, WANG, "these cards were stolen", LATER).state is _S.OBJECTED
    with pytest.raises(ListingNeedsAnother):
        service.move(found.id, _E.UPHOLD, LI, "proposed it", LATER)
    assert service.move(found.id, _E.DISMISS, CHEN, "they were not", LATER).state is _S.LISTED
    service.move(found.id, _E.OBJECT, WANG, "here is the police's letter", LATER)
    assert service.move(found.id, _E.UPHOLD, MINISTRY, "right", LATER).state is _S.DELISTED


@pytest.mark.parametrize("state", ListingState)
@pytest.mark.parametrize("event", [one for one in ListingEvent if one is not _E.PROPOSE])
def test_a_listing_changes_by_the_table_alone(
    asking_store: AssessmentRuns, state: ListingState, event: ListingEvent
) -> None:
    service, made = _at(asking_store, state)
    rows = [row for row in LISTING_TRANSITIONS if (row.before, row.event) == (state, event)]
    assert len(rows) <= 1
    person = WANG if event in (_E.FILE_EVIDENCE, _E.OBJECT) else ZHAO
    if not rows:
        with pytest.raises(ListingError):
            service.move(made, event, person, "w", LATER)
        return
    found = service.move(made, event, person, "w", LATER)
    assert found.state is rows[0].after
    assert (found.closed_at is not None) == (found.state in OVER)


@pytest.fixture(scope="module")
def asking_store(tmp_path_factory: pytest.TempPathFactory) -> AssessmentRuns:
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('listing')}/orders.sqlite")
    runs = runs_on(store)
    both(runs)
    return runs


_WAY = {
    _S.PROPOSED: (),
    _S.REJECTED: ((_E.REJECT, LI),),
    _S.LISTED: ((_E.APPROVE, CHEN),),
    _S.EVIDENCE_FILED: ((_E.APPROVE, CHEN), (_E.FILE_EVIDENCE, WANG)),
    _S.OBJECTED: ((_E.APPROVE, CHEN), (_E.OBJECT, WANG)),
    _S.MENDED: ((_E.APPROVE, CHEN), (_E.FILE_EVIDENCE, WANG), (_E.FIND_MENDED, CHEN)),
    _S.DELISTED: ((_E.APPROVE, CHEN), (_E.OBJECT, WANG), (_E.UPHOLD, CHEN)),
}


def _at(runs: AssessmentRuns, state: ListingState) -> tuple[UnitListings, str]:
    service = UnitListings(runs)
    with runs.store.writing() as connection:
        connection.execute(listings.delete())
    made = service.propose(runs.get("", LI), CHECK, LI, "w", LATER)
    for event, person in _WAY[state]:
        service.move(made.id, event, person, "w", LATER)
    return service, made.id


def test_who_works_elsewhere_sees_none_of_it(runs: AssessmentRuns) -> None:
    service, found = listed(runs)
    near = replace(WANG, scope=Scope(cities=frozenset({"130100"})))
    far = replace(WANG, scope=Scope(cities=frozenset({"110100"})))
    assert service.get(found.id, near)[0].id == found.id
    with pytest.raises(UnknownListing):
        service.get(found.id, far)
    assert not service.listed(far)[0]
    assert not service.candidates(runs.get("", WANG), far)
    assert not runs.figures(runs.get("", WANG), far, UnitKind.OUTLET)
    with pytest.raises(PermissionDenied):
        runs.run(
            AssessmentPeriod.read(MONTHS[0]), replace(LI, scope=Scope(cities=frozenset({"130100"}))), LATER
        )


def test_while_a_unit_is_listed_its_past_teaches_nothing(runs: AssessmentRuns) -> None:
    """It stays a candidate of the next run of the same months, however long it was bad."""
    listed(runs)
    assert [one.unit for one in UnitListings(runs).candidates(both(runs, LATER + timedelta(days=1)), LI)] == [
        STALL
    ]


@pytest.mark.requirement("R5")
def test_a_month_in_which_no_outlet_had_a_card_is_counted_and_says_who_was_not_judged_and_why(
    runs: AssessmentRuns,
) -> None:
    quiet = AssessmentPeriod.read("2026-03")
    number = card(99_000)  # of an outlet that no register names
    with runs.store.writing() as connection:
        row = {"card": number, "case_number": "A1", "source": "police_notice"}
        connection.execute(insert(confirmations).values(**row, confirmed_at=quiet.since + timedelta(days=3)))
    both(runs)
    run = runs.run(quiet, LI, LATER + timedelta(days=30))
    service = UnitListings(runs)
    assert runs.get("2026-03", LI) == run, "it is kept"
    assert not service.candidates(run, LI)
    told = "\n".join(one.words.en for one in service.unjudged(run, LI))
    assert "Not judged: confirmed cards by outlet, 43 of 43 units: " in told, told
    assert "no other unit had an event" in told
    assert "5 are needed at least" in told
    assert "{" not in told + "".join(one.words.zh for one in service.unjudged(run, LI))
    assert "未判定：" in service.unjudged(run, LI)[0].words.zh
