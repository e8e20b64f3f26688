"""Which units a run could not judge, and why: that nobody meets the criterion says nothing of these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from duanka.assessment.candidates import compared_runs, counts_by_period, missing_periods
from duanka.assessment.runs import AssessmentRun
from duanka.domain.assessment import Measure, UnitKind
from duanka.domain.assessment_policy import AssessmentPolicy
from duanka.domain.text import BilingualText

if TYPE_CHECKING:
    from duanka.assessment.comparison.criterion import JudgedUnits

_LEFT = BilingualText(
    "未判定：{measure}，{kind}，{units} 个单位中的 {left} 个：{why}。",
    "Not judged: {measure} by {kind}, {left} of {units} units: {why}.",
)
_NOTHING = BilingualText(
    "未判定：{measure}，{kind}：没有已知的单位。", "Not judged: {measure} by {kind}: no unit is known."
)
_FEW = BilingualText(
    "可比的单位只有 {there} 个，至少须 {least} 个", "{there} can be compared, and {least} are needed at least"
)
_UNKNOWN = BilingualText("{n} 个未知", "{n} unknown")
_SMALL = BilingualText(
    "{n} 个某一期的基数不足 {least:g}", "{n} with less than {least:g} to count of in a period"
)
_ALONE = BilingualText(
    "{n} 个没有预期：某一期其他单位均无事件",
    "of {n} nothing is expected: in a period no other unit had an event",
)


@dataclass(frozen=True)
class UnjudgedUnits:
    """A measure and kind of unit of which `left` of `units` known units were not judged, and a sentence of why."""

    measure: Measure
    kind: UnitKind
    units: int
    left: int
    words: BilingualText


def unjudged(connection: Connection, run: AssessmentRun, policy: AssessmentPolicy) -> list[UnjudgedUnits]:
    """Each measure and kind of unit of which units were not judged; none while periods are missing.

    Of kinds that were judged units are named only where nothing was expected of them: new and small ones are many.
    """
    if missing_periods(connection, run.period, run.made_at, policy):
        return []
    return list(_each(connection, run, policy))


def _each(connection: Connection, run: AssessmentRun, policy: AssessmentPolicy) -> Iterator[UnjudgedUnits]:
    from duanka.assessment.comparison.criterion import who_is_judged  # noqa: PLC0415  # scipy takes 0.3 s

    compared = compared_runs(connection, run.period, run.made_at, policy)[-policy.periods :]
    for measure in policy.measures:
        for kind in policy.kinds:
            table, _ = counts_by_period(connection, compared, measure, kind)
            about = {"measure": measure.words, "kind": kind.words}
            if not table:
                yield UnjudgedUnits(measure, kind, 0, 0, _NOTHING.filled(**about))
                continue
            events, exposure = ([[cell[side] for cell in row] for row in table.values()] for side in (0, 1))
            found = who_is_judged(events, exposure, policy)
            left = int((~found.judged).sum())
            if left and (left == len(table) or found.alone.any()):
                zh, en = zip(*_why(found, policy), strict=True)
                why = BilingualText("；".join(zh), "; ".join(en))
                words = _LEFT.filled(**about, units=len(table), left=left, why=why)
                yield UnjudgedUnits(measure, kind, len(table), left, words)


def _why(found: JudgedUnits, policy: AssessmentPolicy) -> Iterator[BilingualText]:
    if not found.judged.any():
        yield _FEW.filled(there=int(found.there.sum()), least=policy.least_units)
    for words, flags in ((_UNKNOWN, found.unknown), (_SMALL, found.small), (_ALONE, found.alone)):
        if flags.any():
            yield words.filled(n=int(flags.sum()), least=policy.least_exposure)
