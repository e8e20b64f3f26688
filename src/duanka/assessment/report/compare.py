"""Compare the units of one measure: intervals, ranks, funnel limits, criterion and CUSUM, for the report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from scipy.stats import betabinom, nbinom

from duanka.assessment.comparison import funnel, intervals
from duanka.assessment.comparison.counts import Floats
from duanka.assessment.comparison.cusum import alarm_limit, cusum
from duanka.assessment.comparison.shrinkage import (
    Prior,
    Shrunk,
    beta_binomial,
    fitted_where_expected,
    gamma_poisson,
)
from duanka.assessment.expected import Expected
from duanka.assessment.report.model import ComparedUnit, CusumLine, FunnelCurve, UnitComparison
from duanka.domain.assessment import PER, AssessmentPeriod, FigureShape, Measure, UnitFigure, UnitKind
from duanka.domain.assessment_policy import AssessmentPolicy
from duanka.domain.text import BilingualText

CURVE_POINTS = 120
CUSUM_UNITS = 12  # lines in one plot that can still be told apart; the highest at the end
CUSUM_LEARNT = 3  # earlier periods at least, of which a unit's own mix is learned
CUSUM_CHANGE = 0.1  # relative, by which an honest unit's rate changes from period to period
RANK_UNITS = 400  # more are not ranked: a rank of thousands with its interval says nothing
SPARSE = 5.0  # events that units are expected to have, median, below which z-scores are not normal
_SEED = 20_050_430
_COMPARED = (FigureShape.RATE, FigureShape.SHARE)
NO_END = BilingualText(
    "两端均无优劣之分，只列数值，不作比较", "neither end is worse: figures only, not compared"
)
NOT_COMPARED = BilingualText("此类指标只列数值，不作比较", "figures of this kind are shown, not compared")
FEW = BilingualText("已知的单位不足 {n} 个，不作比较", "fewer than {n} units are known: not compared")
FEW_EVENTS = BilingualText(
    "没有单位达到 {n} 件（策略规定达到才判定），数目太少，不作比较",
    "no unit has the {n} that count against it from which on the policy judges one: too few to compare",
)
NO_EVENT = BilingualText("所有单位计数均为0，无可比较", "no unit has any: nothing to compare")

NOTHING: Mapping[str, Expected | None] = MappingProxyType({})
Limits = Callable[[Floats, float], tuple[Floats, Floats]]
Past = Mapping[AssessmentPeriod, Mapping[str, UnitFigure]]


def compared(
    measure: Measure,
    kind: UnitKind,
    figures: Sequence[UnitFigure],
    past: Past,
    policy: AssessmentPolicy,
    listed: Collection[str] = (),
    expected: Mapping[str, Expected | None] = NOTHING,
) -> UnitComparison:
    """Compare the units of a kind.

    `past`: figures of earlier periods by unit, and of this one, the oldest first. `listed`: who meets the criterion.
    `expected`: of units, as it is shown.
    """
    known = [one for one in figures if _is_known(one)]
    why = _why_not(measure, known, policy)
    plain = [ComparedUnit(one, one.value(measure), expected=expected.get(one.unit)) for one in figures]
    if why:
        return UnitComparison(measure, kind, plain, why)
    by_age = all(one.standard for one in known)
    x = np.array([one.count for one in known], dtype=np.float64)
    n = np.array([_size(one, by_age=by_age) for one in known], dtype=np.float64)
    n = np.maximum(n, x) if measure.shape is FigureShape.SHARE else n
    shrunk = beta_binomial(x, n) if measure.shape is FigureShape.SHARE else gamma_poisson(x, n)
    curve, places = _funnel(measure, x, n, shrunk.prior)
    ranks = _ranks(measure, shrunk) if len(known) <= RANK_UNITS else None
    interval = intervals.share_interval if measure.shape is FigureShape.SHARE else intervals.part_interval
    scale = _scale(measure)
    drawn = (shrunk.mean, shrunk.quantile(0.025), shrunk.quantile(0.975))
    sides = (x / n, *interval(x, n), *(_possible(one, x, n) for one in drawn))
    bounds = [(side * scale).tolist() for side in sides]
    units = [
        replace(
            _unit(
                one,
                measure,
                [side[at] for side in bounds],
                _at(ranks, at),
                int(places[at]),
                one.unit in listed,
            ),
            size=float(n[at]),
            expected=expected.get(one.unit),
        )
        for at, one in enumerate(known)
    ]
    rest = [one for one in plain if not _is_known(one.figure)]
    units.sort(key=lambda one: -_badness(measure, one))
    periods, lines = _cusum(measure, known, past)
    return UnitComparison(measure, kind, [*units, *rest], None, curve, periods, lines, by_age)


def _size(one: UnitFigure, *, by_age: bool) -> float:
    """Of how many a known figure is compared."""
    return one.standard.cards if by_age and one.standard else float(one.exposure or 0)


def _is_known(one: UnitFigure) -> bool:
    return bool(one.count is not None and one.exposure and one.unit)


def _why_not(measure: Measure, known: Sequence[UnitFigure], policy: AssessmentPolicy) -> BilingualText | None:
    if measure.shape not in _COMPARED:
        return NOT_COMPARED
    if measure.high_is_worse is None:
        return NO_END
    least = max(2, policy.least_units)  # one unit has no others
    if len(known) < least:
        return FEW.filled(n=least)
    if not any(one.count for one in known):
        return NO_EVENT
    most = max(found[0] for one in known if (found := one.bad(measure)))
    return FEW_EVENTS.filled(n=policy.least_events) if most < policy.least_events else None


def _possible(figures: Floats, x: Floats, n: Floats) -> Floats:
    """Figures at most 1, of units whose events are part of their exposure."""
    return np.where(x <= n, np.minimum(figures, 1), figures)


def _scale(measure: Measure) -> float:
    return PER if measure.shape is FigureShape.RATE else 1.0


def _funnel(measure: Measure, x: Floats, n: Floats, prior: Prior) -> tuple[FunnelCurve, Floats]:
    """Limits by exposure, and the place of each unit; over-dispersed where units differ beside chance.

    Where most units have few events no z-score is normal: limits are then those of the fitted `prior` itself.
    """
    target = float(x.sum() / n.sum())
    at = np.maximum(np.exp(np.linspace(np.log(n.min() * 0.8), np.log(n.max() * 1.2), CURVE_POINTS)), 1)
    if float(np.median(n)) * target < SPARSE:
        spread = prior.spread
        limits = _fitted_limits(prior)
    elif measure.shape is FigureShape.SHARE and target < 1:
        found = funnel.over_dispersion(*funnel.share_scores(x, n, target))
        spread = 2 * (found.tau2 * (1 - target) / target) ** 0.5
        limits = _share_limits(target, found.tau2)
    else:
        found = funnel.over_dispersion(*funnel.ratio_scores(x, n * target))
        spread = 2 * found.tau2**0.5
        limits = _ratio_limits(target, found.tau2)
    places = np.zeros(len(x))
    drawn: dict[float, tuple[Sequence[float], Sequence[float]]] = {}
    scale = _scale(measure)
    for coverage in funnel.COVERAGES:
        low, high = limits(n, coverage)
        places += np.sign(x / n - np.clip(x / n, low, high))
        low, high = limits(at, coverage)
        drawn[coverage] = ((low * scale).tolist(), (high * scale).tolist())
    return FunnelCurve(target * scale, at.tolist(), drawn, spread), places


def _ratio_limits(target: float, tau2: float) -> Limits:
    def limits(sizes: Floats, coverage: float) -> tuple[Floats, Floats]:
        low, high = funnel.ratio_limits(sizes * target, coverage, tau2)
        return low * target, high * target

    return limits


def _share_limits(target: float, tau2: float) -> Limits:
    return lambda sizes, coverage: funnel.share_limits(sizes.round(), target, coverage, tau2)


def _fitted_limits(prior: Prior) -> Limits:
    def limits(sizes: Floats, coverage: float) -> tuple[Floats, Floats]:
        tail, n = (1 - coverage) / 2, sizes.round()
        of = betabinom(n, prior.a, prior.b) if prior.shares else nbinom(prior.a, prior.b / (prior.b + n))
        return of.ppf(tail) / n, of.isf(tail) / n

    return limits


def _series(measure: Measure, known: Sequence[UnitFigure], past: Past) -> tuple[Floats, Floats]:
    """Bad events and exposure by unit and period; NaN: unknown."""
    by_age = [all(_has_age(one) for one in of.values()) for of in past.values()]
    cells = [
        [
            _cell(measure, of.get(one.unit), by_age=each)
            for of, each in zip(past.values(), by_age, strict=True)
        ]
        for one in known
    ]
    both = np.array(cells, dtype=np.float64)
    return both[..., 0], both[..., 1]


def _has_age(one: UnitFigure) -> bool:
    """Whether a unit is counted by age, or is none that is compared."""
    return one.standard is not None or not _is_known(one)


def _cell(measure: Measure, one: UnitFigure | None, *, by_age: bool) -> tuple[float, float]:
    if one is None:
        return 0.0, 0.0  # the unit was not there
    bad = one.bad(measure)
    if bad and by_age and one.standard:
        return bad[0], one.standard.cards
    return bad or (float("nan"), float("nan"))


def _ranks(measure: Measure, shrunk: Shrunk) -> tuple[Floats, Floats, Floats]:
    draws = shrunk.draws(intervals.DRAWS, _SEED)
    return intervals.rank_intervals(draws if measure.high_is_worse else -draws)


def _at(ranks: tuple[Floats, Floats, Floats] | None, at: int) -> Sequence[int | None]:
    return [int(side[at]) for side in ranks] if ranks else [None] * 3


def _unit(
    one: UnitFigure,
    measure: Measure,
    bounds: Sequence[float],
    rank: Sequence[int | None],
    place: int,
    listed: bool,
) -> ComparedUnit:
    value, lower, upper, shrunk, shrunk_lower, shrunk_upper = bounds
    return ComparedUnit(
        one,
        one.value(measure),
        compared=value,
        lower=lower,
        upper=upper,
        shrunk=shrunk,
        shrunk_lower=shrunk_lower,
        shrunk_upper=shrunk_upper,
        rank=rank[0],
        rank_low=rank[1],
        rank_high=rank[2],
        place=place,
        listed=listed,
    )


def _badness(measure: Measure, one: ComparedUnit) -> float:
    value = one.shrunk or 0.0
    return value if measure.high_is_worse else -value


def _cusum(
    measure: Measure, known: Sequence[UnitFigure], past: Past
) -> tuple[Sequence[AssessmentPeriod], Sequence[CusumLine]]:
    """Sums of the units that end highest; from the period on before which a unit's own mix could be learned."""
    learnt = max(CUSUM_LEARNT, len(past) // 2)
    if len(past) < learnt + 2:
        return (), ()
    x, n = _series(measure, known, past)
    whole = np.flatnonzero(~np.isnan(x).any(axis=1))
    x, n = x[whole], n[whole]
    units = [known[int(at)].unit for at in whole]
    rest_x, rest_n = x.sum(axis=0) - x, n.sum(axis=0) - n
    alike = n * rest_x / np.maximum(rest_n, 1)
    told_x, told_e = x[:, :learnt].sum(axis=1), alike[:, :learnt].sum(axis=1)
    told_x = np.where(told_e > 0, told_x, 0)  # with nothing to hold it against, a past teaches nothing
    prior = fitted_where_expected(told_x, told_e)
    if prior is None:
        return (), ()
    expected = alike[:, learnt:] * ((prior.a + told_x) / (prior.b + told_e))[:, np.newaxis]
    sums = cusum(np.where(expected > 0, x[:, learnt:], 0), expected)
    order = np.argsort(-sums[:, -1])[:CUSUM_UNITS]
    lines = []
    for at in order:
        limit = alarm_limit(expected[at], spread=CUSUM_CHANGE)
        if limit > 0:
            lines.append(CusumLine(units[at], (sums[at] / limit).tolist()))
    return list(past)[learnt:], lines
