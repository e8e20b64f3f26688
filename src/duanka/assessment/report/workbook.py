"""The report as a workbook: every figure of every unit, numbers as numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from io import BytesIO
from typing import Any

import xlsxwriter

from duanka.assessment.formulas import FORMULAS, OURS
from duanka.assessment.report import wording as said
from duanka.assessment.report.document import content_of
from duanka.assessment.report.model import ACTED_UPON, ACTING, AssessmentReport, ComparedUnit, UnitComparison
from duanka.domain.assessment import FigureShape, Measure, UnitFigure
from duanka.domain.assessment_policy import AssessmentPolicy
from duanka.domain.text import BilingualText, Language

_CREATED_AT = datetime(1980, 1, 1)  # fixed: equal reports give identical bytes
_NO_CONVERSIONS = {"strings_to_numbers": False, "strings_to_formulas": False, "strings_to_urls": False}
_SHEET = 31  # letters of a sheet's name at most
_WIDE, _NARROW, _WORDS = 22, 12, 90  # characters
_LAST, _LINE = 11, 155  # last column of the first sheet, and letters of a line over all of them
_LINE_HEIGHT = 15  # points
_FORMATS = {FigureShape.RATE: "#,##0.000", FigureShape.SHARE: "0.0%", FigureShape.HOURS: "#,##0.0"}

Value = str | float | int | None
Column = tuple[
    BilingualText, Callable[[ComparedUnit, Language], Value], str
]  # heading, value, "figure", "int", ...
_BY_AGE: Sequence[Column] = (
    (said.BY_NUMBER, lambda one, _: one.expected.by_number if one.expected else None, "events"),
    (said.BY_AGE, lambda one, _: one.expected.by_age if one.expected else None, "events"),
    (said.FIGURE_BY_AGE, lambda one, _: one.compared, "figure"),
)
_COLUMNS: Sequence[Column] = (
    (said.UNIT, lambda one, language: said.unit_text(one.figure.unit, language), "text"),
    (said.COUNT, lambda one, _: one.figure.count, "int"),
    (said.OF, lambda one, _: one.figure.exposure, "int"),
    (said.FIGURE, lambda one, _: one.value, "figure"),
    *_BY_AGE,
    (said.LOWER, lambda one, _: one.lower, "figure"),
    (said.UPPER, lambda one, _: one.upper, "figure"),
    (said.SHRUNK, lambda one, _: one.shrunk, "figure"),
    (said.SHRUNK_LOWER, lambda one, _: one.shrunk_lower, "figure"),
    (said.SHRUNK_UPPER, lambda one, _: one.shrunk_upper, "figure"),
    (said.RANK, lambda one, _: one.rank, "int"),
    (said.RANK_LOW, lambda one, _: one.rank_low, "int"),
    (said.RANK_HIGH, lambda one, _: one.rank_high, "int"),
    (
        said.PLACE,
        lambda one, language: said.PLACES[one.place].in_(language) if one.shrunk is not None else "",
        "text",
    ),
    (
        said.LISTED,
        lambda one, language: said.YES.in_(language) if one.listed else "",
        "text",
    ),
)
_PLAIN = 4  # columns of figures that are not compared


def workbook_of(report: AssessmentReport, policy: AssessmentPolicy, language: Language) -> bytes:
    """A first sheet with what is said of all, a sheet for each comparison, and one with the formulas."""
    made = BytesIO()
    with xlsxwriter.Workbook(made, {"in_memory": True, **_NO_CONVERSIONS}) as book:
        book.set_properties({"created": _CREATED_AT})
        pen = _Pen(book, language)
        pen.overview(report, policy)
        for one in report.comparisons:
            if one.units:
                pen.comparison(one)
        pen.formulas()
    return made.getvalue()


class _Pen:
    """Writes sheets in one language."""

    def __init__(self, book: xlsxwriter.Workbook, language: Language) -> None:
        self._book, self._language = book, language
        self._names = set[str]()
        self._number_head = book.add_format(
            {"bold": True, "bottom": 1, "align": "right", "text_wrap": True, "valign": "top"}
        )
        self._section = book.add_format({"bold": True})  # over the columns beside it, which are empty
        self._head = book.add_format(
            {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top", "indent": 1}
        )
        self._title = book.add_format({"bold": True, "font_size": 14})
        self._words = book.add_format({"text_wrap": True, "valign": "top"})
        self._text = book.add_format({"indent": 1})
        self._quiet = book.add_format({"font_color": "#586472"})
        self._unknown = book.add_format({"font_color": "#8a4b00", "align": "right"})
        self._number_formats = {
            text: book.add_format({"num_format": text})
            for text in ("#,##0", "#,##0.00", "@", *_FORMATS.values())
        }

    def overview(self, report: AssessmentReport, policy: AssessmentPolicy) -> None:
        """The head, both sides, and who meets the criterion."""
        told = content_of(report, policy, self._language)
        sheet = self._sheet(told["sections"]["together"])
        sheet.set_column(0, 0, _WIDE, self._words)
        sheet.set_column(1, _LAST, 16)
        sheet.write_string(0, 0, f"{told['title']} {told['period']}", self._title)
        row = 1
        for name, value in told["head"]:
            sheet.write_string(row, 0, name, self._quiet)
            sheet.write_string(row, 1, value)
            row += 1
        for text in filter(None, (told["ours"], told["gap"])):
            self._paragraph(sheet, row, text)
            row += 1
        heads = [one.in_(self._language) for one in (said.MEASURE, said.FIGURE, said.COUNT, said.OF)]
        for title, measures in ((said.ACTING_SIDE, ACTING), (said.ACTED_SIDE, ACTED_UPON)):
            row += 1
            sheet.write_string(row, 0, title.in_(self._language), self._head)
            sheet.write_row(row, 1, heads[1:], self._number_head)
            for measure in measures:
                row += 1
                figure = report.together.get(measure)
                sheet.write_string(row, 0, measure.words.in_(self._language))
                self._figure(sheet, row, measure, figure)
                self._cell(sheet, (row, 2), figure.count if figure else None, "#,##0")
                if measure.shape in (FigureShape.RATE, FigureShape.SHARE):
                    self._cell(sheet, (row, 3), figure.exposure if figure else None, "#,##0")
            row += 1
        sheet.write_string(row + 1, 0, told["sections"]["listed"], self._section)
        self._paragraph(sheet, row + 2, told["criterion"])
        self._candidates(sheet, row + 3, report, told)

    def _candidates(self, sheet: Any, row: int, report: AssessmentReport, told: dict[str, Any]) -> None:
        if not report.candidates:
            self._paragraph(sheet, row, told["nobody"])
            return
        heads = (
            *(said.UNIT, said.KIND, said.MEASURE, said.COUNT, said.OF),
            *(said.EXPECTED, said.BY_NUMBER, said.BY_AGE),
            *(said.LIMIT, said.RATIO_ALONE, said.LOWER, said.UPPER),
        )
        for column, one in enumerate(heads):
            style = self._head if column < 3 else self._number_head
            sheet.write_string(row, column, one.in_(self._language), style)
        for candidate in report.candidates:
            row += 1
            named = (
                candidate.unit,
                candidate.kind.words.in_(self._language),
                candidate.measure.words.in_(self._language),
            )
            facts = candidate.facts
            for column, text in enumerate(named):
                sheet.write_string(row, column, text)
            for column, count in enumerate((facts.events, facts.exposure), start=3):
                self._cell(sheet, (row, column), count, "#,##0")
            figures = (
                *(facts.expected, facts.by_number, facts.by_age),
                *(facts.beyond, facts.ratio, facts.lower, facts.upper),
            )
            for column, value in enumerate(figures, start=5):
                self._cell(sheet, (row, column), value, "#,##0.00")

    def _figure(self, sheet: Any, row: int, measure: Measure, figure: UnitFigure | None) -> None:
        """A figure of all together, with what it is measured in."""
        value = figure.value(measure) if figure else None
        if figure and value is None and figure.is_of_nothing(measure):
            sheet.write_string(row, 1, "–", self._unknown)
        else:
            self._cell(sheet, (row, 1), value, _FORMATS.get(measure.shape, "#,##0"))
        unit = said.MEASURED_IN.get(measure.shape)
        if unit:
            sheet.write_string(row, 4, unit.in_(self._language), self._quiet)

    def comparison(self, found: UnitComparison) -> None:
        """All units of a comparison; columns of figures that are compared only where they are."""
        measure, kind = (one.words.in_(self._language) for one in (found.measure, found.kind))
        sheet = self._sheet(f"{measure}-{kind}")
        columns = _COLUMNS if found.curve else _COLUMNS[:_PLAIN]
        columns = [one for one in columns if found.by_age or one not in _BY_AGE]
        sheet.freeze_panes(1, 1)
        sheet.repeat_rows(0)
        sheet.set_column(0, 0, _WIDE)
        sheet.set_column(1, len(columns) - 1, _NARROW)
        lines = 1
        for column, (heading, _, kind_of) in enumerate(columns):
            style = self._head if kind_of == "text" else self._number_head
            unit = said.MEASURED_IN.get(found.measure.shape) if kind_of == "figure" else None
            told = heading.in_(self._language) + (unit.in_(self._language) if unit else "")
            sheet.write_string(0, column, told, style)
            lines = max(lines, -(-_letters(told) // (_NARROW - 2)) if column else 1)
        sheet.set_row(0, _LINE_HEIGHT * lines)  # a row does not grow by itself in every program
        figure = _FORMATS.get(found.measure.shape, "#,##0")
        formats = {
            "figure": figure,
            "int": "#,##0",
            "events": "#,##0.00",
            "text": "@",
        }
        for row, one in enumerate(found.units, start=1):
            for column, (heading, value, kind_of) in enumerate(columns):
                got = value(one, self._language)
                if got is None and not (column < _PLAIN and self._is_unknown(one, column, found.measure)):
                    if heading is said.FIGURE:
                        sheet.write_string(row, column, "–", self._unknown)
                    continue
                self._cell(sheet, (row, column), got, formats[kind_of])
        sheet.autofilter(0, 0, max(len(found.units), 1), len(columns) - 1)
        if found.why_not:
            sheet.write_string(len(found.units) + 2, 0, found.why_not.in_(self._language), self._quiet)

    @staticmethod
    def _is_unknown(one: ComparedUnit, column: int, measure: Measure) -> bool:
        """Whether an empty cell means unknown, rather than that the measure has no such figure, or is of nothing."""
        if measure.shape in (FigureShape.HOURS, FigureShape.COUNT):
            return column == 1 or (column == 3 and one.figure.count != 0)
        return column != 3 or one.figure.exposure != 0

    def formulas(self) -> None:
        """How each measure is counted."""
        sheet = self._sheet(said.SECTIONS["formulas"].in_(self._language))
        sheet.set_column(0, 0, _WIDE, self._words)
        sheet.set_column(1, 1, _WORDS, self._words)
        sheet.write_string(0, 0, OURS.in_(self._language), self._head)
        row = 1
        for one in Measure:
            sheet.write_string(row, 0, one.words.in_(self._language), self._words)
            sheet.write_string(row, 1, FORMULAS[one].in_(self._language), self._words)
            row += 1
        for told in (said.COMPARED_BY_AGE, *said.METHOD):
            sheet.write_string(row, 1, told.in_(self._language), self._words)
            row += 1

    def _paragraph(self, sheet: Any, row: int, text: str) -> None:
        """A text over the columns of the first sheet; a merged cell does not grow with its text."""
        sheet.set_row(row, _LINE_HEIGHT * (1 + _letters(text) // _LINE))
        sheet.merge_range(row, 0, row, _LAST, text, self._words)

    def _cell(self, sheet: Any, at: tuple[int, int], value: Value, number_format: str) -> None:
        if value is None:
            sheet.write_string(*at, said.UNKNOWN.in_(self._language), self._unknown)
        elif isinstance(value, str):
            sheet.write_string(*at, value, self._text)
        else:
            sheet.write_number(*at, value, self._number_formats[number_format])

    def _sheet(self, name: str) -> Any:
        plain = "".join("-" if sign in "[]:*?/\\'" else sign for sign in name)[:_SHEET]
        unique, more = plain, 2
        while unique.lower() in self._names:
            unique, more = f"{plain[: _SHEET - 3]} {more}", more + 1
        self._names.add(unique.lower())
        sheet = self._book.add_worksheet(unique)
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)  # as wide as the paper, as many pages as it takes
        return sheet


def _letters(text: str) -> int:
    """Width of a text in Latin letters; a Chinese one counts as two."""
    return sum(1 if sign.isascii() else 2 for sign in text)
