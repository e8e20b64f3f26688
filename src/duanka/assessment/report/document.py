"""The report as PDF: words and plots of every section here, layout in `report.typ`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any

from duanka.assessment.criterion_words import criterion_in_words, expected_text
from duanka.assessment.formulas import FORMULAS, OURS
from duanka.assessment.report import charts
from duanka.assessment.report import wording as said
from duanka.assessment.report.model import ACTED_UPON, ACTING, AssessmentReport, ComparedUnit, UnitComparison
from duanka.domain.assessment import FigureShape, Measure
from duanka.domain.assessment_policy import AssessmentPolicy
from duanka.domain.local_time import operator_zone
from duanka.domain.text import Language
from duanka.ledger.pdf import set_pdf

_HEADS_BY_AGE = (said.RATE, said.FIGURE_BY_AGE, said.BY_NUMBER, said.BY_AGE)
MOST_ROWS = 40  # of a table; the workbook has all


def pdf_of(report: AssessmentReport, policy: AssessmentPolicy, language: Language) -> bytes:
    """Set the report as PDF; the same report gives the same bytes. DuankaError: typst or the fonts are missing."""
    template = files("duanka.assessment.report").joinpath("report.typ").read_bytes()
    return set_pdf(template, content_of(report, policy, language))


def content_of(report: AssessmentReport, policy: AssessmentPolicy, language: Language) -> dict[str, Any]:
    """All words of the document, in one language, by section."""
    local = operator_zone().local(report.as_of)
    words = {name: words.in_(language) for name, words in said.SECTIONS.items()}
    return {
        "lang": language,
        "title": said.TITLE.in_(language),
        "subtitle": said.SUBTITLE.in_(language),
        "date": [local.year, local.month, local.day],
        "period": str(report.period),
        "ours": OURS.in_(language),
        "sections": words,
        "head": [
            [said.PERIOD.in_(language), str(report.period)],
            [said.AS_OF.in_(language), f"{local:%Y-%m-%d %H:%M}"],
            [said.RUN.in_(language), report.run],
            [said.POLICY.in_(language), report.policy],
            [said.SOURCES.in_(language), said.SOURCES_TOLD.in_(language)],
            [said.DIGEST.in_(language), report.digest],
        ],
        "gap": said.EXPOSURE_UNKNOWN.filled(why=report.exposure).in_(language) if report.exposure else "",
        "sides": [
            {"title": title.in_(language), "rows": [_together(report, one, language) for one in measures]}
            for title, measures in ((said.ACTING_SIDE, ACTING), (said.ACTED_SIDE, ACTED_UPON))
        ],
        "criterion": " ".join(one.in_(language) for one in (criterion_in_words(policy), *report.unjudged)),
        "listed": list(_listed(report, language)),
        "listed_heads": [
            one.in_(language)
            for one in (
                *(said.UNIT, said.MEASURE, said.COUNT, said.EXPECTED),
                *(said.OF_OTHERS, said.LIMIT, said.RATIO),
            )
        ],
        "nobody": (said.TOO_FEW_PERIODS if report.candidates is None else said.NOBODY).in_(language),
        "compared": [_comparison(one, language) for one in report.comparisons if one.curve],
        "tables": [_plain(one, language) for one in report.comparisons if _is_plain(one)],
        "formulas": [[one.words.in_(language), FORMULAS[one].in_(language)] for one in Measure],
        "method": [one.in_(language) for one in said.METHOD],
    }


def _together(report: AssessmentReport, measure: Measure, language: Language) -> list[str]:
    figure = report.together.get(measure)
    if figure is None:
        return [measure.words.in_(language), said.UNKNOWN.in_(language), ""]
    of = ""
    if measure.shape in (FigureShape.RATE, FigureShape.SHARE):
        of = f"{said.number_text(figure.count, language)} / {said.number_text(figure.exposure, language)}"
    return [measure.words.in_(language), said.figure_text(figure, measure, language), of]


def _listed(report: AssessmentReport, language: Language) -> Iterator[list[str]]:
    for one in report.candidates or ():
        kind, facts = one.kind.words.in_(language), one.facts
        yield [
            f"{one.unit}（{kind}）" if language == "zh" else f"{one.unit} ({kind})",
            one.measure.words.in_(language),
            f"{facts.events:,}",
            expected_text(facts.expected),
            " / ".join(
                expected_text(one) if one is not None else "–" for one in (facts.by_number, facts.by_age)
            ),
            f"{facts.beyond:,.0f}",
            f"{facts.ratio:.2f} ({facts.lower:.2f}–{facts.upper:.2f})",
        ]


def _comparison(found: UnitComparison, language: Language) -> dict[str, Any]:
    assert found.curve  # noqa: S101  # chosen above
    told = [one for one in found.units if one.shrunk is not None]
    cusum = charts.cusum_plot(found, language)
    return {
        "title": _title(found, language),
        "formula": FORMULAS[found.measure].in_(language),
        "funnel": charts.funnel_plot(found, language),
        "funnel_said": said.FUNNEL_SAID.filled(spread=found.curve.spread).in_(language),
        "by_age": said.COMPARED_BY_AGE.in_(language) if found.by_age else "",
        "caterpillar": charts.caterpillar_plot(found, language),
        "caterpillar_said": said.CATERPILLAR_SAID.in_(language),
        "cusum": cusum,
        "cusum_said": said.CUSUM_SAID.in_(language) if cusum else "",
        "heads": [
            one.in_(language)
            for one in (
                *(said.UNIT, said.COUNT, said.OF),
                *(_HEADS_BY_AGE if found.by_age else (said.FIGURE,)),
                *(said.INTERVAL, said.SHRUNK, said.PLACE),
            )
        ],
        "rows": [_row(one, found, language) for one in told[:MOST_ROWS]],
        "more": _more(found, told, language),
        "names": [said.FUNNEL.in_(language), said.CATERPILLAR.in_(language), said.CUSUM.in_(language)],
    }


def _title(found: UnitComparison, language: Language) -> str:
    kind, measure = found.kind.words.in_(language), found.measure.words.in_(language)
    return f"{measure}，按{kind}" if language == "zh" else f"{measure.capitalize()}, by {kind}"


def _more(found: UnitComparison, told: Sequence[ComparedUnit], language: Language) -> str:
    """How many units have no row: beyond the most, and those of which there is nothing to show."""
    beyond, nothing = len(told) - MOST_ROWS, len(found.units) - len(told)
    sentences = [
        words.filled(n=count).in_(language)
        for words, count in ((said.MORE, beyond), (said.NOTHING_SHOWN, nothing))
        if count > 0
    ]
    return " ".join(sentences)


def _row(one: ComparedUnit, found: UnitComparison, language: Language) -> list[str]:
    compared, measure = one.shrunk is not None, found.measure
    figures: tuple[str, ...] = (said.figure_text(one.figure, measure, language),)
    if found.by_age and compared and one.expected:
        rates = (charts.shown_figure(rate, measure) for rate in (one.value, one.compared))
        figures = (*rates, *map(said.expected_shown, (one.expected.by_number, one.expected.by_age)))
    elif found.by_age:
        figures = (*figures, "", "", "")
    return [
        said.unit_text(one.figure.unit, language),
        said.number_text(one.figure.count, language),
        said.number_text(one.figure.exposure, language),
        *figures,
        said.interval_text(one.lower, one.upper, measure),
        charts.shown_figure(one.shrunk, measure),
        said.PLACES[one.place].in_(language) if compared else "",
    ]


def _is_plain(found: UnitComparison) -> bool:
    return not found.curve and bool(found.units) and found.measure.shape is not FigureShape.COUNT


def _plain(found: UnitComparison, language: Language) -> dict[str, Any]:
    """A table of figures that are not compared, and why not."""
    heads = [said.UNIT, said.COUNT, said.OF, said.FIGURE]
    if found.measure.shape is FigureShape.HOURS:
        heads.remove(said.OF)
    told = [one for one in found.units if one.value is not None]
    if len(told) > MOST_ROWS:
        told.sort(key=lambda one: -(one.figure.count or 0))  # those of which there is something to read
    rows = [_row(one, found, language) for one in told[:MOST_ROWS]]
    keep = (0, 1, 3) if found.measure.shape is FigureShape.HOURS else (0, 1, 2, 3)
    return {
        "title": _title(found, language),
        "why": found.why_not.in_(language) if found.why_not and told else "",
        "heads": [one.in_(language) for one in heads],
        "rows": [[row[at] for at in keep] for row in rows],
        "more": _more(found, told, language),
    }
