"""Lists of the assessment, for people and programs."""

from __future__ import annotations

from duanka.assessment.runs import AssessmentRun, FigureOfRun
from duanka.cli.output.list_columns import ListColumn, Listing
from duanka.cli.shell.language import shown
from duanka.domain.assessment import FigureShape, Measure, UnitKind
from duanka.domain.text import BilingualText

ALL, UNKNOWN = BilingualText("全部", "all"), BilingualText("未知", "unknown")
_HOURS, _PER = BilingualText("小时", "h"), BilingualText("/万", "per 10,000")
_KNOWN = BilingualText("已知", "known")


def figure_text(one: FigureOfRun) -> str:
    """The figure with its unit; unknown, and `-` of nothing."""
    value, shape = one.value, one.measure.shape
    if value is None:
        nothing = one.figure.exposure == 0 or (shape is FigureShape.HOURS and one.figure.count == 0)
        return "-" if nothing else shown(UNKNOWN)
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
        ListColumn(
            "count",
            ("计数", "count"),
            lambda one: one.figure.count,
            lambda one: _number(one.figure.count),
            right=True,
        ),
        ListColumn("exposure", ("基数", "of"), lambda one: one.figure.exposure, _exposure, right=True),
    ),
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
)
