"""Each figure equals a count made another way, on both databases, and unknown is never 0."""

from __future__ import annotations

import pytest

from duanka.assessment.facts.counting import measures_of
from duanka.assessment.runs import AssessmentRun, AssessmentRuns
from duanka.domain.assessment import AssessmentPeriod, FigureShape, Measure, UnitFigure, UnitKind
from duanka.domain.assessment_policy import AssessmentPolicy
from duanka.domain.record_lookups import NoStore
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from support.assessment.by_hand import ByHand
from support.assessment.province import END, Quarter, Register
from support.orders.books import KEY, SECOND, told_once

KINDS = (None, *UnitKind)
_registers = dict[bool, Register]()


def _live(store: Store) -> None:
    _registers[store.embedded] = Quarter(store).register


def lived(store: Store) -> Register:
    """The quarter in `store`; its register."""
    told_once(store, _live)
    return Register(dict(_registers[store.embedded].cards))


def runs_on(store: Store, register: Register | None) -> AssessmentRuns:
    def records() -> Register:
        if register is None:
            raise NoStore("no store is named: set DUANKA_STORE")
        return register

    return AssessmentRuns(store, Trail(KEY), records, "national", AssessmentPolicy())


def said(
    runs: AssessmentRuns, run: AssessmentRun
) -> dict[tuple[Measure, UnitKind | None], dict[str, UnitFigure]]:
    found = dict[tuple[Measure, UnitKind | None], dict[str, UnitFigure]]()
    for kind in KINDS:
        for one in runs.figures(run, SECOND, kind):
            found.setdefault((one.measure, kind), {})[one.figure.unit] = one.figure
    return found


@pytest.mark.requirement("R5")
@pytest.mark.parametrize("period", ["2026-02", "2026Q1"])
def test_each_figure_equals_an_independent_count(store: Store, period: str) -> None:
    register = lived(store)
    runs = runs_on(store, register)
    run = runs.run(AssessmentPeriod.read(period), SECOND, END)
    by_hand = ByHand(store, register, period)
    checked = 0
    for kind in KINDS:
        for measure in measures_of(kind):
            expected = by_hand.expected(measure, kind)
            figures = {one.figure.unit: one.figure for one in runs.figures(run, SECOND, kind, measure)}
            for unit, (count, of, hours) in expected.items():
                figure = figures[unit]
                assert figure.count == count, (measure, kind, unit)
                if measure.shape is FigureShape.SHARE:
                    assert figure.exposure == of, (measure, kind, unit)
                if hours is not None:
                    assert figure.hours == pytest.approx(hours, abs=1e-9), (measure, kind, unit)
                checked += 1
            rest = [one for unit, one in figures.items() if unit not in expected]
            assert not any(one.count for one in rest), (measure, kind, rest)
    assert checked > 100, "the quarter has something to count"
