"""What the report says, as values: the comparison of units for each measure, and the figures of all together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from duanka.assessment.candidates import Candidate
from duanka.assessment.expected import Expected
from duanka.domain.assessment import AssessmentPeriod, Measure, UnitFigure, UnitKind
from duanka.domain.text import BilingualText

# Both sides stand side by side: what was done against fraud, and what was done to holders and how they came back.
ACTING = (
    *(Measure.CONFIRMED, Measure.IN_TIME, Measure.PASSED, Measure.ACCOUNTS),
    *(Measure.WARNED, Measure.DISSUADED, Measure.OUTLETS),
)
ACTED_UPON = (Measure.WRONGFUL, Measure.RESTORE_P50, Measure.RESTORE_P95, Measure.UPHELD, Measure.UNDELIVERED)


@dataclass(frozen=True)
class ComparedUnit:
    """One unit among the others; figures as `UnitFigure.value` has them, `None`: not compared.

    `compared`, `size`: the figure and of how many, as it is compared: by standard exposure where all units have one.
    `lower`, `upper`: 95% interval of that (Jeffreys); `shrunk`: drawn towards the others, with its interval
    `shrunk_lower`, `shrunk_upper`. `rank`: 1 is the best, with its 95% interval `rank_low`, `rank_high`. `place`:
    -2 to 2: below the 99.8% limit, below the 95% one, inside, above. `listed`: the criterion is met. `expected`: by the
    rates of the others, of confirmed cards.
    """

    figure: UnitFigure
    value: float | None
    compared: float | None = None
    size: float | None = None
    lower: float | None = None
    upper: float | None = None
    shrunk: float | None = None
    shrunk_lower: float | None = None
    shrunk_upper: float | None = None
    rank: int | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    place: int = 0
    listed: bool = False
    expected: Expected | None = None


@dataclass(frozen=True)
class FunnelCurve:
    """Limits by exposure: `at`, and for each coverage the lower and upper limit there, in shown figures."""

    target: float
    at: Sequence[float]
    limits: Mapping[float, tuple[Sequence[float], Sequence[float]]]
    spread: float  # of units beside chance, relative to the target


@dataclass(frozen=True)
class CusumLine:
    """CUSUM of one unit over its own alarm limit: 1 is the alarm."""

    unit: str
    sums: Sequence[float]


@dataclass(frozen=True)
class UnitComparison:
    """One measure of all units of a kind. `why_not`: not compared, in words. `by_age`: by standard exposure.

    `units`: the worst first where one end is worse; `periods`: of `cusum`, the last is that of the report.
    """

    measure: Measure
    kind: UnitKind
    units: Sequence[ComparedUnit]
    why_not: BilingualText | None = None
    curve: FunnelCurve | None = None
    periods: Sequence[AssessmentPeriod] = ()
    cusum: Sequence[CusumLine] = ()
    by_age: bool = False


@dataclass(frozen=True)
class AssessmentReport:
    """A whole report. `together`: of all units; `exposure`: why active cards are unknown, "": they are known.

    `candidates`: who meets the criterion of listing; None: too few periods were counted to say.
    `unjudged`: which units could not be judged and why, in sentences.
    """

    run: str
    period: AssessmentPeriod
    as_of: datetime
    policy: str
    digest: str
    exposure: str
    together: Mapping[Measure, UnitFigure]
    comparisons: Sequence[UnitComparison] = ()
    candidates: Sequence[Candidate] | None = None
    unjudged: Sequence[BilingualText] = ()
