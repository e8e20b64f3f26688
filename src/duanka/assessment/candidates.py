"""Candidates: the units that meet the criterion of the policy in a run, compared over it and the runs before it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import dropwhile
from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, Row, and_, select

from duanka.assessment.stored_figures import stored_figure
from duanka.domain.assessment import AssessmentPeriod, Measure, UnitKind
from duanka.domain.assessment_policy import AssessmentPolicy
from duanka.domain.listing import ListingFacts
from duanka.ledger.db.assessment.listings import (
    assessment_candidates,
    assessment_figures,
    assessment_runs,
    listings,
)
from duanka.ledger.db.bulk import put_rows

if TYPE_CHECKING:
    from duanka.assessment.comparison.criterion import ListingVerdict as Verdict

_NAN = float("nan")


class CountedUnit(NamedTuple):
    """What is bad of a unit in a period, of how many, and of how many by its mix (`StandardExposure`); NaN: unknown."""

    events: float
    exposure: float
    standard: float = _NAN
    basis: float = _NAN


_UNKNOWN = CountedUnit(_NAN, _NAN)


@dataclass(frozen=True)
class Candidate:
    """A unit that meets the criterion."""

    run_id: str
    measure: Measure
    kind: UnitKind
    unit: str
    operator: str
    city: str
    facts: ListingFacts


def compared_runs(
    connection: Connection, period: AssessmentPeriod, until: datetime, policy: AssessmentPolicy
) -> Sequence[tuple[AssessmentPeriod, str]]:
    """The periods that are compared, the oldest first, each with its latest run until then; "": none."""
    periods, column = _up_to(period, policy.periods + policy.history), assessment_runs.c
    query = select(column.first_month, column.id).where(
        column.first_month.in_([one.first for one in periods]),
        *(column.months == period.months, column.made_at <= until),
    )
    rows = connection.execute(query.order_by(column.made_at, column.id))
    latest = {row.first_month: row.id for row in rows}
    found = [(one, latest.get(one.first, "")) for one in periods]
    return list(dropwhile(lambda one: not one[1], found))


def missing_periods(
    connection: Connection, period: AssessmentPeriod, until: datetime, policy: AssessmentPolicy
) -> Sequence[AssessmentPeriod]:
    """Periods of the last that the criterion asks for and that nobody ran, the oldest first."""
    there = {one for one, run in compared_runs(connection, period, until, policy) if run}
    return [one for one in _up_to(period, policy.periods) if one not in there]


def _up_to(period: AssessmentPeriod, many: int) -> list[AssessmentPeriod]:
    """The last `many` periods, the oldest first."""
    found = [period]
    while len(found) < many:
        found.append(found[-1].before)
    return found[::-1]


def keep_candidates(
    connection: Connection, run_id: str, period: AssessmentPeriod, made_at: datetime, policy: AssessmentPolicy
) -> None:
    """Judge the units of a run that was written, and keep those that meet the criterion."""
    if missing_periods(connection, period, made_at, policy):
        return
    compared = compared_runs(connection, period, made_at, policy)
    found = [
        one
        for measure in policy.measures
        for kind in policy.kinds
        for one in _judged(connection, run_id, compared, (measure, kind), policy)
    ]
    put_rows(connection, assessment_candidates, [_row(one) for one in found])


def candidates_of(connection: Connection, run_id: str) -> Sequence[Candidate]:
    """Those of a run that was stored."""
    query = select(assessment_candidates).where(assessment_candidates.c.run_id == run_id)
    order = (assessment_candidates.c.measure, assessment_candidates.c.kind, assessment_candidates.c.unit)
    return [_candidate(row) for row in connection.execute(query.order_by(*order))]


def _judged(
    connection: Connection,
    run_id: str,
    compared: Sequence[tuple[AssessmentPeriod, str]],
    of: tuple[Measure, UnitKind],
    policy: AssessmentPolicy,
) -> Iterator[Candidate]:
    import numpy as np  # noqa: PLC0415  # as scipy, which takes 0.3 s, and few need it

    from duanka.assessment.comparison.criterion import judge  # noqa: PLC0415
    from duanka.assessment.comparison.standardisation import CaseMix  # noqa: PLC0415

    measure, kind = of
    by_unit, places = counts_by_period(connection, compared, measure, kind)
    if not by_unit:
        return
    units, table = list(by_unit), list(by_unit.values())
    counts = np.array(table, dtype=np.float64)  # by unit, period and field of `CountedUnit`
    before = _listed_before(connection, measure, kind)
    listed = [[_overlaps(before.get(unit, ()), period) for period, _ in compared] for unit in units]
    verdict = judge(counts[..., 0], counts[..., 1], policy, listed, CaseMix(counts[..., 2], counts[..., 3]))
    for at, unit in enumerate(units):
        if verdict.listed[at]:
            last = sum(cell.exposure for cell in table[at][-policy.periods :])
            facts = _facts(verdict, at, int(last), compared, policy)
            yield Candidate(run_id, measure, kind, unit, *places[unit], facts)


def counts_by_period(
    connection: Connection, compared: Sequence[tuple[AssessmentPeriod, str]], measure: Measure, kind: UnitKind
) -> tuple[dict[str, list[CountedUnit]], dict[str, tuple[str, str]]]:
    """Unit -> what was counted in each period, in order of the units; and the latest place of each."""
    known = [run for _, run in compared]
    counts, places = _counts(connection, known, measure, kind)
    absent = [CountedUnit(0.0, 0.0) if run else _UNKNOWN for run in known]
    table = {
        unit: [counts[unit].get(run, nothing) for run, nothing in zip(known, absent, strict=True)]
        for unit in sorted(counts)
    }
    return table, places


def _counts(
    connection: Connection, runs: Sequence[str], measure: Measure, kind: UnitKind
) -> tuple[dict[str, dict[str, CountedUnit]], dict[str, tuple[str, str]]]:
    """Unit -> run -> what was counted; and the latest place of each. What is not known is no unit."""
    column = assessment_figures.c
    query = select(assessment_figures).where(
        column.run_id.in_([run for run in runs if run]),
        *(column.measure == measure.value, column.kind == kind.value, column.unit != ""),
    )
    counts, places = dict[str, dict[str, CountedUnit]](), dict[str, tuple[str, str]]()
    order = {run: at for at, run in enumerate(runs)}
    rows = connection.execute(query).mappings().all()
    for row in sorted(rows, key=lambda row: order[row["run_id"]]):
        figure = stored_figure(row)
        bad, standard = figure.bad(measure), figure.standard
        mix = (standard.cards, standard.basis) if standard else ()
        counts.setdefault(figure.unit, {})[row["run_id"]] = CountedUnit(*bad, *mix) if bad else _UNKNOWN
        places[row["unit"]] = (row["operator"], row["city"])
    return counts, places


def _listed_before(
    connection: Connection, measure: Measure, kind: UnitKind
) -> dict[str, list[tuple[datetime, datetime | None]]]:
    """When units were on the list: what they did then is no past to be measured by."""
    column, found = listings.c, dict[str, list[tuple[datetime, datetime | None]]]()
    theirs = and_(column.measure == measure.value, column.kind == kind.value, column.approved_at.is_not(None))
    for row in connection.execute(select(column.unit, column.approved_at, column.closed_at).where(theirs)):
        found.setdefault(row.unit, []).append((row.approved_at, row.closed_at))
    return found


def _overlaps(spans: Sequence[tuple[datetime, datetime | None]], period: AssessmentPeriod) -> bool:
    return any(begin < period.until and (end is None or end > period.since) for begin, end in spans)


def _facts(
    verdict: Verdict,
    at: int,
    exposure: int,
    compared: Sequence[tuple[AssessmentPeriod, str]],
    policy: AssessmentPolicy,
) -> ListingFacts:
    by_age = float(verdict.expected_by_mix[at])
    return ListingFacts(
        periods=tuple(str(period) for period, _ in compared[-policy.periods :]),
        events=int(verdict.events[at]),
        exposure=exposure,
        expected=float(verdict.expected[at]),
        by_number=float(verdict.expected_by_size[at]),
        by_age=None if isnan(by_age) else by_age,
        ratio=float(verdict.ratio[at]),
        lower=float(verdict.lower[at]),
        upper=float(verdict.upper[at]),
        beyond=float(verdict.limit[at]),
        worse=tuple(float(one) for one in verdict.worse[at]),
        chance=float(verdict.chance[at]),
        false_discovery=float(verdict.false_discovery[at]),
        runs=tuple(run for _, run in compared if run),
    )


def _row(one: Candidate) -> Mapping[str, object]:
    named = {"run_id": one.run_id, "measure": one.measure.value, "kind": one.kind.value, "unit": one.unit}
    return {**named, "operator": one.operator, "city": one.city, "facts": facts_text(one.facts)}


def facts_text(facts: ListingFacts) -> str:
    """Facts as they are stored."""
    return json.dumps(asdict(facts), sort_keys=True)


def facts_of(text: str) -> ListingFacts:
    """Facts as they were stored."""
    told: dict[str, Any] = json.loads(text)
    lists = {name: tuple(told[name]) for name in ("periods", "worse", "runs")}
    return ListingFacts(**{**told, **lists})


def _candidate(row: Row[Any]) -> Candidate:
    of = (Measure(row.measure), UnitKind(row.kind), row.unit, row.operator, row.city)
    return Candidate(row.run_id, *of, facts_of(row.facts))
