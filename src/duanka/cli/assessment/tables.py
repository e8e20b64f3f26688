"""Lists of the assessment, for people and programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from duanka.assessment.candidates import Candidate
from duanka.assessment.criterion_words import expected_text
from duanka.assessment.listing.service import ListedUnit, ListingStep
from duanka.assessment.rows import AssessedRow
from duanka.assessment.runs import AssessmentRun, FigureOfRun
from duanka.cli.output.list_columns import ListColumn, Listing
from duanka.cli.shell.language import shown
from duanka.domain.assessment import FigureShape, Measure, UnitKind
from duanka.domain.listing import ListingEvent, ListingFacts, ListingState
from duanka.domain.text import BilingualText

ALL, UNKNOWN = BilingualText("全部", "all"), BilingualText("未知", "unknown")
_HOURS, _PER = BilingualText("小时", "h"), BilingualText("/万", "per 10,000")
_KNOWN = BilingualText("已知", "known")


def figure_text(one: FigureOfRun) -> str:
    """The figure with its unit; unknown, and `-` of nothing."""
    value, shape = one.value, one.measure.shape
    if value is None:
        return "-" if one.figure.is_of_nothing(one.measure) else shown(UNKNOWN)
    if shape is FigureShape.SHARE:
        return f"{value:.1%}"
    if shape is FigureShape.HOURS:
        return f"{value:,.1f} {shown(_HOURS)}"
    return f"{value:,.2f} {shown(_PER)}" if shape is FigureShape.RATE else f"{value:,.0f}"


def unit_text(kind: UnitKind | None, unit: str) -> str:
    """A unit as people read it."""
    return shown(ALL) if kind is None else unit or shown(UNKNOWN)


def _number(count: int | None) -> str:
    return shown(UNKNOWN) if count is None else f"{count:,}"


def _exposure(one: FigureOfRun) -> str:
    has_none = one.measure.shape in (FigureShape.HOURS, FigureShape.COUNT)
    return "" if has_none else _number(one.figure.exposure)


def _bounds(one: FigureOfRun) -> str:
    if one.bounds is None:
        return ""
    low, high = one.bounds
    if one.measure.shape is FigureShape.SHARE:
        return f"{low:.1%}-{high:.1%}"
    return f"{low:,.2f}-{high:,.2f}"


def _expected(events: float | None) -> str:
    return "" if events is None else expected_text(events)


FIGURES: Listing[FigureOfRun] = Listing(
    BilingualText("考核指标", "figures"),
    (
        ListColumn("measure", ("指标", "measure"), lambda one: one.measure.value, word=Measure),
        ListColumn("kind", None, lambda one: one.kind.value if one.kind else None),
        ListColumn(
            "unit",
            ("单位", "unit"),
            lambda one: one.figure.unit,
            lambda one: unit_text(one.kind, one.figure.unit),
        ),
        ListColumn("value", ("结果", "figure"), lambda one: one.value, figure_text, right=True),
        ListColumn("lower", None, lambda one: one.bounds[0] if one.bounds else None),
        ListColumn("upper", None, lambda one: one.bounds[1] if one.bounds else None),
        ListColumn("", ("95%区间", "95% interval"), lambda _: "", _bounds, right=True),
        ListColumn(
            "count",
            ("计数", "count"),
            lambda one: one.figure.count,
            lambda one: _number(one.figure.count),
            right=True,
        ),
        ListColumn("exposure", ("基数", "of"), lambda one: one.figure.exposure, _exposure, right=True),
        ListColumn(
            "expected_by_number",
            ("按号码数预期", "expected by number"),
            lambda one: one.expected.by_number if one.expected else None,
            lambda one: _expected(one.expected.by_number if one.expected else None),
            right=True,
            spare=2,
        ),
        ListColumn(
            "expected_by_age",
            ("按卡龄预期", "by age of the cards"),
            lambda one: one.expected.by_age if one.expected else None,
            lambda one: _expected(one.expected.by_age if one.expected else None),
            right=True,
            spare=1,
        ),
    ),
    counted=("measure",),
)
RUNS: Listing[AssessmentRun] = Listing(
    BilingualText("考核", "runs"),
    (
        ListColumn("id", ("编号", "id"), lambda one: one.id),
        ListColumn("period", ("考核期", "period"), lambda one: str(one.period)),
        ListColumn("made_at", ("时间", "made"), lambda one: one.made_at),
        ListColumn("made_by", ("运行人", "by"), lambda one: one.made_by, spare=2),
        ListColumn("policy", ("策略", "policy"), lambda one: one.policy, spare=3),
        ListColumn(
            "exposure",
            ("活跃号码", "active cards"),
            lambda one: one.exposure,
            lambda one: shown(UNKNOWN if one.exposure else _KNOWN),
        ),
        ListColumn(
            "digest", ("摘要", "digest"), lambda one: one.digest, lambda one: one.digest[:12], spare=1
        ),
    ),
    counted=("period", "policy"),
)


@dataclass(frozen=True)
class FetchedPage:
    """A page of things as lists fetch them; `next`: where the next one begins."""

    items: Sequence[Any]
    next: str | None


def _in_words(facts: ListingFacts) -> str:
    return f"{facts.ratio:.2f} ({facts.lower:.2f}-{facts.upper:.2f})"


CANDIDATES: Listing[Candidate] = Listing(
    BilingualText("符合挂牌条件的单位", "units that meet the criterion"),
    (
        ListColumn("measure", ("指标", "measure"), lambda one: one.measure.value, word=Measure),
        ListColumn("kind", ("类别", "by"), lambda one: one.kind.value, word=UnitKind),
        ListColumn("unit", ("单位", "unit"), lambda one: one.unit),
        ListColumn("count", ("计数", "count"), lambda one: one.facts.events, right=True),
        ListColumn(
            "expected",
            ("预计", "expected"),
            lambda one: one.facts.expected,
            lambda one: expected_text(one.facts.expected),
            right=True,
        ),
        ListColumn(
            "expected_by_number",
            ("按号码数预期", "by number of cards"),
            lambda one: one.facts.by_number,
            lambda one: _expected(one.facts.by_number),
            right=True,
            spare=3,
        ),
        ListColumn(
            "expected_by_age",
            ("按卡龄预期", "by age of the cards"),
            lambda one: one.facts.by_age,
            lambda one: _expected(one.facts.by_age),
            right=True,
            spare=2,
        ),
        ListColumn(
            "ratio", ("倍数", "times"), lambda one: one.facts.ratio, lambda one: _in_words(one.facts), spare=1
        ),
        ListColumn("lower", None, lambda one: one.facts.lower),
        ListColumn("upper", None, lambda one: one.facts.upper),
        ListColumn("worse", None, lambda one: [f"{chance:.6f}" for chance in one.facts.worse]),
        ListColumn("false_discovery", None, lambda one: one.facts.false_discovery),
        ListColumn("run", None, lambda one: one.run_id),
    ),
    counted=("measure", "kind"),
)
ROWS: Listing[AssessedRow] = Listing(
    BilingualText("明细", "rows"),
    (
        ListColumn("at", ("时间", "time"), lambda one: one.at),
        ListColumn("about", ("对象", "about"), lambda one: one.about),
        ListColumn("source", ("出处", "of"), lambda one: one.source),
        ListColumn("counted", ("计入", "counted"), lambda one: one.counted),
        ListColumn(
            "hours",
            ("小时", "hours"),
            lambda one: one.hours,
            lambda one: "" if one.hours is None else f"{one.hours:,.1f}",
            right=True,
        ),
        ListColumn("operator", ("运营商", "operator"), lambda one: one.operator, spare=2),
        ListColumn("city", ("城市", "city"), lambda one: one.city, spare=1),
        ListColumn("outlet", ("网点", "outlet"), lambda one: one.outlet, spare=3),
        ListColumn("opened", ("开卡月份", "opened"), lambda one: one.opened, spare=3),
        ListColumn("platform", ("平台", "platform"), lambda one: one.platform, spare=4),
    ),
    counted=("counted", "operator", "city"),
)
LISTINGS: Listing[ListedUnit] = Listing(
    BilingualText("挂牌整治", "listings"),
    (
        ListColumn("id", ("编号", "id"), lambda one: one.id),
        ListColumn("state", ("状态", "state"), lambda one: one.state.value, word=ListingState),
        ListColumn("kind", ("类别", "by"), lambda one: one.kind.value, word=UnitKind),
        ListColumn("unit", ("单位", "unit"), lambda one: one.unit),
        ListColumn("measure", ("指标", "measure"), lambda one: one.measure.value, word=Measure, spare=2),
        ListColumn("proposed_by", ("提出人", "proposed"), lambda one: one.proposed_by, spare=3),
        ListColumn("approved_by", ("批准人", "approved"), lambda one: one.approved_by, spare=3),
        ListColumn("due_at", ("期限", "term until"), lambda one: one.due_at),
        ListColumn("run", None, lambda one: one.run_id),
        ListColumn("notice_digest", None, lambda one: one.notice_digest),
    ),
    counted=("state", "kind", "measure"),
)
STEPS: Listing[ListingStep] = Listing(
    BilingualText("经过", "steps"),
    (
        ListColumn("at", ("时间", "time"), lambda one: one.at),
        ListColumn("who", ("操作人", "who"), lambda one: one.who),
        ListColumn("event", ("事项", "event"), lambda one: one.event.value, word=ListingEvent),
        ListColumn("text", ("内容", "text"), lambda one: one.text, below=True),
    ),
)
