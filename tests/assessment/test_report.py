"""The report: both sides, units with bounds, as PDF and as a workbook with numbers as numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.dom import minidom

import fastexcel
import pytest

from duanka.assessment.formulas import FORMULAS, OURS
from duanka.assessment.listing.service import UnitListings
from duanka.assessment.report.compare import FEW_EVENTS, NO_EVENT, compared
from duanka.assessment.report.document import content_of, pdf_of
from duanka.assessment.report.model import ACTED_UPON, ACTING, AssessmentReport, UnitComparison
from duanka.assessment.report.service import AssessmentReports
from duanka.assessment.report.wording import MORE, NOTHING_SHOWN
from duanka.assessment.runs import AssessmentRuns
from duanka.domain.assessment import AssessmentError, AssessmentPeriod, Measure, UnitFigure, UnitKind
from duanka.domain.assessment_policy import AssessmentPolicy
from duanka.domain.order import PermissionDenied, Person, Role
from duanka.domain.person import Scope
from duanka.domain.text import Language
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from support.api.desks import callers, desk_on
from support.assessment.cities import AS_OF, BAD, CITIES, MONTHS, YOUNG, Cities
from support.orders.books import KEY, told_once

LI = Person("li", Role.SUPERVISOR)
MINISTRY = Person("ministry", Role.REGULATOR)
POLICY = AssessmentPolicy(kinds=(UnitKind.CITY,), measures=(Measure.CONFIRMED,))
_cities = dict[bool, Cities]()


def _service(store: Store) -> AssessmentRuns:
    return AssessmentRuns(store, Trail(KEY), lambda: _cities[store.embedded], "national", POLICY)


def _six_months(store: Store) -> None:
    _cities[store.embedded] = Cities(store)
    for month in MONTHS:
        _service(store).run(AssessmentPeriod.read(month), LI, AS_OF)


@pytest.fixture
def runs(store: Store) -> AssessmentRuns:
    told_once(store, _six_months)
    return _service(store)


def reports(runs: AssessmentRuns) -> AssessmentReports:
    return AssessmentReports(runs, UnitListings(runs))


def report(runs: AssessmentRuns) -> AssessmentReport:
    return reports(runs).of(MONTHS[-1], MINISTRY)


@pytest.mark.requirement("R5")
def test_units_are_compared_with_bounds_and_the_bad_city_meets_the_criterion(runs: AssessmentRuns) -> None:
    found = report(runs)
    assert [(one.unit, one.measure) for one in found.candidates or ()] == [(BAD, Measure.CONFIRMED)]
    (cities,) = (
        one for one in found.comparisons if (one.measure, one.kind) == (Measure.CONFIRMED, UnitKind.CITY)
    )
    counts = _cities[runs.store.embedded].counts[:, -1]
    assert {one.figure.unit: one.figure.count for one in cities.units} == dict(
        zip(CITIES, counts, strict=True)
    )
    first, *rest = cities.units
    assert (first.figure.unit, first.listed, first.rank) == (BAD, True, len(CITIES))
    assert not any(one.listed for one in rest)
    for one in cities.units:
        assert one.lower is not None
        assert one.upper is not None
        assert one.value is not None
        assert one.shrunk is not None
        assert one.rank_low is not None
        assert one.rank is not None
        assert one.rank_high is not None
        assert one.compared is not None
        assert one.lower <= one.compared <= one.upper
        assert one.rank_low <= one.rank <= one.rank_high
        assert min(one.compared, 20) <= max(one.shrunk, 20)
    assert cities.curve
    assert [str(one) for one in cities.periods] == list(MONTHS[3:])
    assert max(cities.cusum[0].sums) > 1
    assert cities.cusum[0].unit == BAD


def test_a_city_with_more_new_cards_is_compared_by_their_age_and_the_table_says_what_that_changes(
    runs: AssessmentRuns, tmp_path: Path
) -> None:
    found = report(runs)
    (cities,) = (
        one for one in found.comparisons if (one.measure, one.kind) == (Measure.CONFIRMED, UnitKind.CITY)
    )
    assert cities.by_age
    for one in cities.units:
        assert one.value is not None
        assert one.compared is not None
        assert one.expected is not None
        assert one.expected.by_age is not None
        assert (one.compared < one.value) == (one.figure.unit == YOUNG)
        assert (one.expected.by_age > one.expected.by_number) == (one.figure.unit == YOUNG)
    languages: tuple[Language, ...] = ("zh", "en")
    for language, heads in zip(
        languages, (["每万", "按卡龄标准化"], ["per 10,000", "figure by age"]), strict=True
    ):
        told = content_of(found, POLICY, language)["compared"]
        (shown,) = (one for one in told if len(one["rows"]) == len(CITIES) and one["by_age"])
        assert shown["heads"][3:5] == heads
        assert {len(row) for row in shown["rows"]} == {len(shown["heads"])} == {10}
    reports(runs).write(found, tmp_path / "r.xlsx", "zh")
    rows = fastexcel.read_excel(tmp_path / "r.xlsx").load_sheet("涉案率-城市").to_polars()
    assert rows["按卡龄预期"].to_list() == pytest.approx(
        [one.expected.by_age for one in cities.units if one.expected]
    )


def test_both_sides_stand_side_by_side_and_unknown_is_unknown(runs: AssessmentRuns) -> None:
    assert {*ACTING, *ACTED_UPON} == set(Measure)
    told = content_of(report(runs), POLICY, "zh")
    assert [side["title"] for side in told["sides"]] == ["对涉诈的处置", "对用户的影响"]
    rows = {row[0]: row for side in told["sides"] for row in side["rows"]}
    assert rows["误停率"][1:] == ["–", "0 / 0"]
    assert rows["涉案率"][1].endswith("/万")
    assert told["ours"] == OURS.zh
    assert len(told["formulas"]) == len(FORMULAS)
    no_store = report(runs)
    unknown = {**no_store.together}
    del unknown[Measure.CONFIRMED]
    again = content_of(
        AssessmentReport(*("A1", no_store.period, AS_OF, "n", "d", "no store"), unknown), POLICY, "en"
    )
    assert ["confirmed cards", "unknown", ""] in again["sides"][0]["rows"]
    assert "no store" in again["gap"]
    assert again["nobody"].startswith("Too few earlier periods")


def test_plots_are_well_formed_and_say_who_is_who(runs: AssessmentRuns) -> None:
    told = content_of(report(runs), POLICY, "zh")
    (city,) = (one for one in told["compared"] if one["title"] == "涉案率，按城市")
    for plot in ("funnel", "caterpillar", "cusum"):
        drawn = minidom.parseString(city[plot])  # noqa: S318  # our own text
        texts = {one.firstChild.nodeValue for one in drawn.getElementsByTagName("text") if one.firstChild}
        assert BAD in texts, plot
    assert len(city["rows"]) == len(CITIES)


def _few(*counts: int) -> UnitComparison:
    units = [UnitFigure(f"S{at}", count, 4 if count >= 0 else 0) for at, count in enumerate(counts)]
    return compared(Measure.WRONGFUL, UnitKind.OUTLET, units, {}, POLICY)


def test_nothing_is_drawn_of_units_too_few_events_of_which_were_counted() -> None:
    enough = POLICY.least_events
    drawn, few, none = _few(enough, 0, 0, 0, 1), _few(enough - 1, 2, 0, 0, 1), _few(*[0] * 5)
    assert drawn.curve
    assert (few.curve, none.curve) == (None, None)
    assert few.why_not == FEW_EVENTS.filled(n=enough)
    assert none.why_not == NO_EVENT
    in_time = [UnitFigure(f"S{at}", 20, 20) for at in range(5)]
    all_well = compared(Measure.IN_TIME, UnitKind.OUTLET, in_time, {}, POLICY)
    assert all_well.why_not == FEW_EVENTS.filled(n=enough), "events are those that count against a unit"


def test_a_table_has_no_rows_of_nothing_and_says_how_many_there_are(runs: AssessmentRuns) -> None:
    nothing = [UnitFigure(f"N{at}", 0, 0) for at in range(7)]
    counted = [UnitFigure(f"S{at}", at, 9) for at in range(60)]
    plain = compared(Measure.PASSED, UnitKind.OUTLET, [*nothing, *counted], {}, POLICY)
    drawn = compared(
        Measure.WRONGFUL, UnitKind.OUTLET, [*nothing, *counted[: POLICY.least_events + 5]], {}, POLICY
    )
    unknown = compared(Measure.RESTORE_P50, UnitKind.OUTLET, nothing, {}, POLICY)
    whole = replace(report(runs), comparisons=[plain, drawn, unknown])
    told = content_of(whole, POLICY, "en")
    first, last = told["tables"]
    assert [row[0] for row in first["rows"]][:2] == ["S59", "S58"], "those of which there is most"
    assert first["more"] == f"{MORE.filled(n=20).en} {NOTHING_SHOWN.filled(n=7).en}"
    assert (last["rows"], last["why"], last["more"]) == ([], "", NOTHING_SHOWN.filled(n=7).en)
    (compared_table,) = told["compared"]
    assert len(compared_table["rows"]) == POLICY.least_events + 5
    assert compared_table["more"] == NOTHING_SHOWN.filled(n=7).en
    assert pdf_of(whole, POLICY, "en").startswith(b"%PDF")


def test_the_same_report_gives_the_same_pdf_in_either_language(runs: AssessmentRuns) -> None:
    found = report(runs)
    chinese = pdf_of(found, POLICY, "zh")
    assert chinese.startswith(b"%PDF")
    assert pdf_of(found, POLICY, "zh") == chinese
    assert pdf_of(found, POLICY, "en") != chinese


def test_the_workbook_has_every_figure_as_a_number(runs: AssessmentRuns, tmp_path: Path) -> None:
    found, path = report(runs), tmp_path / "r.xlsx"
    reports(runs).write(found, path, "zh")
    book = fastexcel.read_excel(path)
    assert book.sheet_names[0] == "全部合计"
    rows = book.load_sheet("涉案率-城市").to_polars().rows(named=True)
    (cities,) = (
        one for one in found.comparisons if (one.measure, one.kind) == (Measure.CONFIRMED, UnitKind.CITY)
    )
    assert len(rows) == len(CITIES)
    for row, one in zip(rows, cities.units, strict=True):
        assert row["单位"] == one.figure.unit, "also where it looks like a formula"
        assert (row["计数"], row["基数"]) == (one.figure.count, one.figure.exposure)
        assert row["结果（每万活跃号码）"] == pytest.approx(one.value)
        assert (row["名次"], row["名次下限"], row["名次上限"]) == (one.rank, one.rank_low, one.rank_high)
    assert rows[0]["挂牌标准"] == "达到"
    first = book.load_sheet(0, header_row=None).to_polars().rows()
    assert any(row[0] == "异议成立率" for row in first)
    again = tmp_path / "again.xlsx"
    reports(runs).write(found, again, "zh")
    assert again.read_bytes() == path.read_bytes()


def test_a_report_is_for_those_who_see_all_and_has_a_name_that_says_its_kind(
    runs: AssessmentRuns, tmp_path: Path
) -> None:
    service = reports(runs)
    with pytest.raises(AssessmentError, match="sees all"):
        service.of("", Person("zhao", Role.SUPERVISOR, scope=Scope(frozenset({"甲"}))))
    with pytest.raises(PermissionDenied):
        service.of("", Person("holder", Role.HOLDER))
    with pytest.raises(AssessmentError, match=r"FILE\.pdf or FILE\.xlsx"):
        service.write(report(runs), tmp_path / "report.docx", "zh")
    assert not list(tmp_path.glob("report*"))
    with pytest.raises(AssessmentError, match="no run of 2025-01"):
        service.of("2025-01", MINISTRY)


def test_the_report_comes_over_http_too(store: Store) -> None:
    desk = desk_on(store)
    _cities[store.embedded] = Cities(store)
    run = _service(store).run(AssessmentPeriod.read(MONTHS[-1]), LI, AS_OF).id
    with callers(desk.api()) as calling:
        ministry, clerk = calling(desk.given[Role.REGULATOR]), calling(desk.given[Role.DESK])
        for file, begins in (("pdf", b"%PDF-"), ("xlsx", b"PK")):
            path = f"/assessment-runs/{run}/report"
            for caller in (ministry, clerk):
                assert caller.get(path, file=file, language="en").content.startswith(begins)
        assert ministry.get("/assessment-runs/Y000000000000/report").status_code == 404
