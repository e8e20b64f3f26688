"""A run is durable: the same data give the same digest, its rows stay those it counted, unknown stays unknown."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import select

from duanka.assessment.comparison.standardisation import of_the_others, standardised
from duanka.assessment.facts.counting import measures_of, placed
from duanka.assessment.facts.events import CountedTime
from duanka.assessment.listing.service import UnitListings
from duanka.assessment.rows import AssessedRow, AssessedRows, AssessedUnit
from duanka.assessment.runs import AssessmentRun, AssessmentRuns
from duanka.domain.assessment import AssessmentError, AssessmentPeriod, FigureShape, Measure, UnitKind
from duanka.domain.assessment_lookups import ActiveCards
from duanka.domain.card_age import WITH_A_MIX, CardAge, age_of
from duanka.domain.listing import UnknownRun
from duanka.domain.order import Event, Kind, PermissionDenied, Person, Role
from duanka.domain.person import Scope
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit, orders
from support.api.asking import on_sqlite_alone
from support.assessment.province import END, opened_in, unit_of
from support.orders.books import DESK, POLICE, SECOND, backup_of, book_on, card
from test_facts import KINDS, lived, runs_on, said

QUARTER = AssessmentPeriod.read("2026Q1")
REGULATOR = Person("ministry", Role.REGULATOR)
FORGOTTEN = 5  # warnings whose persons are not known any more


def opened(runs: AssessmentRuns, run: AssessmentRun, of: AssessedUnit, limit: int = 50) -> list[AssessedRow]:
    """All rows behind a figure, page by page."""
    service, after, found = AssessedRows(runs), "", list[AssessedRow]()
    while True:
        page, following = service.page(run, of, DESK, END, after, limit)
        found += page
        if following is None:
            return found
        assert len(page) == limit
        after = following


@on_sqlite_alone
def test_the_same_data_give_the_same_digest_and_another_fact_another(store: Store) -> None:
    register = lived(store)
    runs = runs_on(store, register)
    first, again = (runs.run(QUARTER, SECOND, END + timedelta(hours=hour)) for hour in (0, 1))
    assert first.digest == again.digest
    assert first.id != again.id
    assert said(runs, first) == said(runs, again)
    book_on(store).police_stop(card(7_000), "Z1", POLICE, "notice", AssessmentPeriod.read("2026-03").since)
    assert runs.run(QUARTER, SECOND, END + timedelta(hours=2)).digest != first.digest
    assert runs.get("2026Q1", SECOND).id != first.id, "the latest of the period"
    assert runs.get(first.id, SECOND) == first


def test_each_figure_opens_to_as_many_rows_also_when_more_was_known_later(store: Store) -> None:
    register = lived(store)
    runs = runs_on(store, register)
    run = runs.run(QUARTER, SECOND, END)
    later = END + timedelta(days=9)
    book = book_on(store)
    late = _failed(store)
    assert len(late) > 3
    for number in late[:3]:  # a pass that is known only later changes no figure of the run
        book.apply(number, Event.PASS, DESK, "at the counter", later)
    for one in list(register.cards)[:20]:
        register.cards.pop(one)
    runs.run(QUARTER, SECOND, later + timedelta(days=1))
    for kind in KINDS:
        for measure in measures_of(kind):
            for figure in runs.figures(run, SECOND, kind, measure):
                unit = AssessedUnit(measure, kind, figure.figure.unit)
                expected = figure.figure.count or 0
                rows = opened(runs, run, unit, 20)
                if measure is Measure.WARNED:
                    expected = max(len(rows), expected - FORGOTTEN)
                if measure is Measure.OUTLETS:
                    expected = figure.figure.exposure or 0  # of those whose outlet is known
                assert len(rows) == expected, unit
                assert len({(row.at, row.source, row.about) for row in rows}) == len(rows)


def _failed(store: Store) -> list[str]:
    """Verifications that a late pass still lifts."""
    open_ones = (orders.c.state.in_(("failed", "expired")), orders.c.closed_at.is_(None))
    query = select(orders.c.id).where(orders.c.kind == Kind.VERIFICATION.value, *open_ones)
    with store.reading() as connection:
        return list(connection.execute(query.order_by(orders.c.id)).scalars())


@on_sqlite_alone
def test_rows_are_masked_and_every_look_stands_in_the_trail(store: Store) -> None:
    runs = runs_on(store, lived(store))
    run = runs.run(QUARTER, SECOND, END)
    rows = opened(runs, run, AssessedUnit(Measure.WRONGFUL, UnitKind.OPERATOR, "甲", every=True), 5)
    assert any(not row.counted for row in rows)
    assert any(row.counted for row in rows)
    assert not any("8613000" in str(vars(row)) for row in rows)
    with store.reading() as connection:
        looks = connection.execute(select(audit).where(audit.c.what == "read.assessed")).all()
    assert len(looks) == -(-len(rows) // 5)
    assert {(look.who, look.subject) for look in looks} == {("wang", run.id)}
    for person in (REGULATOR, POLICE):
        with pytest.raises(PermissionDenied):
            AssessedRows(runs).page(run, AssessedUnit(Measure.WRONGFUL, None, ""), person, END)
    assert runs.figures(run, REGULATOR, UnitKind.OUTLET), "regulators see aggregates"
    with pytest.raises(AssessmentError, match="no figure"):
        AssessedRows(runs).page(run, AssessedUnit(Measure.WARNED, UnitKind.OUTLET, "S1"), DESK, END)
    with pytest.raises(AssessmentError, match="no page begins there"):
        AssessedRows(runs).page(run, AssessedUnit(Measure.WRONGFUL, None, ""), DESK, END, "x")


@on_sqlite_alone
def test_each_rate_and_share_has_its_interval_and_the_smaller_unit_the_wider(store: Store) -> None:
    runs = runs_on(store, lived(store))
    run = runs.run(QUARTER, SECOND, END)
    for kind in KINDS:
        for one in runs.figures(run, SECOND, kind):
            compared = one.measure.shape in (FigureShape.RATE, FigureShape.SHARE)
            assert (one.bounds is not None) == (compared and one.value is not None), one
            if one.bounds and one.value is not None:
                assert one.bounds[0] <= one.value <= one.bounds[1]
    (together,) = runs.figures(run, SECOND, None, Measure.CONFIRMED)
    for one in runs.figures(run, SECOND, UnitKind.CITY, Measure.CONFIRMED):
        assert one.bounds
        assert together.bounds
        assert one.bounds[1] - one.bounds[0] > together.bounds[1] - together.bounds[0]


@pytest.mark.requirement("R5")
def test_a_run_keeps_what_units_would_have_to_count_of_with_the_ages_of_all(store: Store) -> None:
    register, chosen = lived(store), AssessmentPeriod.read("2026Q1")
    runs = runs_on(store, register)
    run = runs.run(chosen, SECOND, END)
    for kind in WITH_A_MIX:
        cards, events = Counter[tuple[str, CardAge]](), Counter[tuple[str, CardAge]]()
        for one in register.cards.values():
            cards[unit_of(one, kind), age_of(opened_in(one), chosen)] += 100
        with store.reading() as connection:
            source = placed(Measure.CONFIRMED, kind, CountedTime.of(chosen, END))
            for row in connection.execute(source.select()):
                if known := register.cards.get(row.card):
                    events[row.unit, age_of(opened_in(known), chosen)] += 1
        figures = {one.figure.unit: one for one in runs.figures(run, SECOND, kind, Measure.CONFIRMED)}
        units = sorted({unit for unit, _ in cards if unit})
        x, n = ([[of[unit, age] for age in CardAge] for unit in units] for of in (events, cards))
        assert len({one.count(0) for one in n}) > 1 or np.ptp(np.array(n) / np.sum(n, axis=1)[:, None]) > 0
        found = standardised(np.minimum(x, n), n)
        counts = np.array([float(figures[unit].figure.count or 0) for unit in units])  # also of no register
        by_size, by_mix = (of_the_others(counts, of) for of in (np.sum(n, axis=1), found.exposure))
        assert sum(events.values()) > 5
        for at, unit in enumerate(units):
            standard, expected = figures[unit].figure.standard, figures[unit].expected
            assert standard
            assert expected
            assert standard.cards == pytest.approx(found.exposure[at], rel=1e-8)
            assert standard.basis == pytest.approx(found.basis[at], rel=1e-8)
            assert expected.by_number == pytest.approx(by_size[at])
            assert expected.by_age == pytest.approx(by_mix[at])
    for other in (None, UnitKind.OPENING_MONTH):
        assert not any(one.figure.standard or one.expected for one in runs.figures(run, SECOND, other))


@on_sqlite_alone
def test_without_a_store_active_cards_are_unknown_and_nothing_else(store: Store) -> None:
    lived(store)
    runs = runs_on(store, None)
    run = runs.run(QUARTER, SECOND, END)
    assert "DUANKA_STORE" in run.exposure
    figures = said(runs, run)
    for kind in (None, UnitKind.OPERATOR):
        for figure in figures[Measure.CONFIRMED, kind].values():
            assert figure.count is not None
            assert figure.exposure is None
            assert figure.value(Measure.CONFIRMED) is None
    together = figures[Measure.WRONGFUL, None][""]
    assert together.value(Measure.WRONGFUL)
    assert set(figures[Measure.WRONGFUL, UnitKind.OUTLET]) == {""}, "nobody knows whose outlet"


@on_sqlite_alone
def test_where_the_police_never_confirmed_a_card_their_number_is_unknown(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = lived(store)
    there = [ActiveCards(UnitKind.OPERATOR, "甲", {CardAge.OLD: 100}, "甲", "")]
    monkeypatch.setattr(register, "active_cards", lambda *_: there)
    runs = runs_on(store, register)
    for period, known in (("2025Q4", False), ("2026Q1", True)):
        run = runs.run(AssessmentPeriod.read(period), SECOND, END)
        for kind in (None, UnitKind.OPERATOR):
            found = runs.figures(run, SECOND, kind, Measure.CONFIRMED)
            assert found
            assert all((one.figure.count is not None) == known for one in found), (period, kind)
            assert any(one.figure.exposure == 100 for one in found)


@on_sqlite_alone
def test_a_store_without_records_of_the_period_makes_no_zero(store: Store) -> None:
    runs = runs_on(store, lived(store))
    run = runs.run(AssessmentPeriod.read("2025Q4"), SECOND, END)
    assert "no records of this period" in run.exposure
    assert [one.value for one in runs.figures(run, SECOND, None, Measure.CONFIRMED)] == [None]


@pytest.mark.parametrize("period", ["2026-5", "2026-13", "2026Q5", "202602", "", "2026-02-01", "今年"])
def test_what_is_no_period_is_refused(period: str) -> None:
    with pytest.raises(AssessmentError, match="write a month like"):
        AssessmentPeriod.read(period)


@on_sqlite_alone
def test_a_period_that_is_not_over_is_not_counted(store: Store) -> None:
    runs = runs_on(store, None)
    with pytest.raises(AssessmentError, match="is not over"):
        runs.run(AssessmentPeriod.read("2026-05"), SECOND, END)
    with pytest.raises(UnknownRun, match="duanka assess run"):
        runs.get("", SECOND)
    with pytest.raises(PermissionDenied):
        runs.run(QUARTER, DESK, END)


@pytest.mark.requirement("R5")
@on_sqlite_alone
def test_reading_figures_changes_nothing(store: Store) -> None:
    runs = runs_on(store, lived(store))
    run = runs.run(QUARTER, SECOND, END)
    before = backup_of(store)
    listings = UnitListings(runs)
    for kind in KINDS:
        assert runs.figures(run, REGULATOR, kind) is not None
    assert (runs.get("", REGULATOR), runs.listed(REGULATOR)) == (run, [run])
    assert not runs.figures(run, replace(DESK, scope=Scope(frozenset({"丙"}))), UnitKind.OPERATOR)
    listings.candidates(run, REGULATOR)
    listings.listed(REGULATOR)
    runs.missing(run, REGULATOR)
    assert backup_of(store) == before
