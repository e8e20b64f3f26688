"""Runs of the assessment: a period counted once, durable, with its inputs; the same data give the same digest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, case, func, select

from duanka.assessment.bounds import Bounds, bounds_of
from duanka.assessment.candidates import keep_candidates, missing_periods
from duanka.assessment.expected import Expected, of_all_units
from duanka.assessment.facts.counting import PlacedFigure, counted, measures_of, placed
from duanka.assessment.facts.events import CountedTime
from duanka.assessment.facts.standard_exposure import with_standard_exposure
from duanka.assessment.facts.units import keep_units
from duanka.assessment.stored_figures import stored_figure
from duanka.domain.assessment import (
    AssessmentError,
    AssessmentPeriod,
    Measure,
    UnitFigure,
    UnitKind,
)
from duanka.domain.assessment_lookups import ActiveCards, ExposureLookups
from duanka.domain.assessment_policy import AssessmentPolicy
from duanka.domain.authority import Permission, authorize
from duanka.domain.card_age import WITH_A_MIX
from duanka.domain.listing import UnknownRun
from duanka.domain.local_time import operator_zone
from duanka.domain.order import Person
from duanka.domain.record_lookups import LookupRefused
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.assessment.listings import assessment_figures, assessment_runs
from duanka.ledger.db.bulk import put_rows
from duanka.ledger.db.database import Store
from duanka.ledger.db.rows import new_id
from duanka.ledger.people.places import places_in

_LETTER = "Y"
ALL = "all"  # kind of the row of everything together
NO_DAYS = "the store holds no records of this period; deliver them, and run the period again"
_KINDS: tuple[UnitKind | None, ...] = (None, *UnitKind)


@dataclass(frozen=True)
class AssessmentRun:
    """A run. `exposure`: why active cards are unknown, "": they are known. `policy`: id of the policy file."""

    id: str
    period: AssessmentPeriod
    made_at: datetime
    made_by: str
    policy: str
    policy_digest: str
    exposure: str
    digest: str

    @property
    def time(self) -> CountedTime:
        """What it counted: its period, as known when it was made."""
        return CountedTime.of(self.period, self.made_at)


@dataclass(frozen=True)
class FigureOfRun:
    """One figure of a run. `kind` None: of everything together. `bounds`: its 95% interval, of a rate or share.

    `expected`: of the others' rate; None: another measure or kind of unit, or unknown.
    """

    measure: Measure
    kind: UnitKind | None
    figure: UnitFigure
    operator: str = ""
    city: str = ""
    bounds: Bounds | None = None
    expected: Expected | None = None

    @property
    def value(self) -> float | None:
        """The figure as it is shown; None: unknown, or of nothing."""
        return self.figure.value(self.measure)


class AssessmentRuns:
    """Counts periods, and reads what was counted.

    `records`: opens the store; LookupRefused: there is none, so active cards are unknown. `policy`: its id and table.
    """

    def __init__(
        self,
        store: Store,
        trail: Trail,
        records: Callable[[], ExposureLookups],
        policy_id: str,
        policy: AssessmentPolicy,
    ) -> None:
        self.store, self.trail, self.policy = store, trail, policy
        self._records, self._policy_id = records, policy_id

    def run(self, period: AssessmentPeriod, by: Person, now: datetime) -> AssessmentRun:
        """Count a period that is over. PermissionDenied, AssessmentError."""
        authorize(by, Permission.RUN_ASSESSMENT)
        if period.until > now:
            raise AssessmentError(
                f"{period} is not over: run a period that has ended, such as {period.before}"
            )
        time = CountedTime.of(period, now)
        active, unknown = self._active(time)
        with self.store.reading() as connection:
            found = list(_figures(connection, period, time, active))
        criteria = json.dumps(asdict(self.policy), sort_keys=True, default=str)
        policy_digest = sha256(criteria.encode()).hexdigest()
        made = AssessmentRun(
            new_id(_LETTER),
            *(period, now, by.id, self._policy_id, policy_digest, unknown),
            _digest(period, policy_digest, found),
        )
        self.store.transact(lambda connection: self._write(connection, made, criteria, found, by))
        return made

    def _active(self, time: CountedTime) -> tuple[Sequence[ActiveCards] | None, str]:
        """Active cards by unit, and why they are unknown. The units of the cards are kept on the way."""
        try:
            records = self._records()
            keep_units(self.store, records, time)
            with self.store.reading() as connection:
                source = placed(Measure.CONFIRMED, None, time)
                confirmed = connection.execute(select(source.c.card)).scalars().all()
            since, until = (operator_zone().local(at).replace(tzinfo=None) for at in (time.since, time.until))
            found = records.active_cards(since, until, confirmed)
        except LookupRefused as error:
            return None, str(error)
        return found, "" if found is not None else NO_DAYS

    def _write(
        self,
        connection: Connection,
        made: AssessmentRun,
        criteria: str,
        found: Sequence[FigureOfRun],
        by: Person,
    ) -> None:
        row = {
            "id": made.id,
            "first_month": made.period.first,
            "months": made.period.months,
            "made_at": made.made_at,
            "made_by": made.made_by,
            "policy": made.policy,
            "criteria": criteria,
            "policy_digest": made.policy_digest,
            "exposure": made.exposure,
            "digest": made.digest,
        }
        put_rows(connection, assessment_runs, [row])
        put_rows(connection, assessment_figures, [_row(made.id, one) for one in found])
        keep_candidates(connection, made.id, made.period, made.made_at, self.policy)
        told = {"period": str(made.period), "figures": len(found), "digest": made.digest}
        self.trail.append(
            connection, [AuditEntry(made.made_at, by, "assessment.run", made.id, "", after=told)]
        )

    def get(self, run: str, by: Person) -> AssessmentRun:
        """The run with this id, or the latest of the period so written, or, for "", the latest of all. UnknownRun."""
        authorize(by, Permission.READ_ASSESSMENT)
        with self.store.reading() as connection:
            return run_named(connection, run)

    def missing(self, run: AssessmentRun, by: Person) -> Sequence[AssessmentPeriod]:
        """Earlier periods that the criterion asks for, and that nobody had run then: nobody was judged."""
        authorize(by, Permission.READ_ASSESSMENT)
        with self.store.reading() as connection:
            return missing_periods(connection, run.period, run.made_at, self.policy)

    def listed(self, by: Person, limit: int = 50) -> Sequence[AssessmentRun]:
        """The latest runs."""
        authorize(by, Permission.READ_ASSESSMENT)
        order = (assessment_runs.c.made_at.desc(), assessment_runs.c.id)
        with self.store.reading() as connection:
            rows = connection.execute(select(assessment_runs).order_by(*order).limit(limit)).all()
        return [_run(row) for row in rows]

    def figures(
        self,
        run: AssessmentRun,
        by: Person,
        kind: UnitKind | None,
        measure: Measure | None = None,
        skip: int = 0,
        limit: int | None = None,
    ) -> Sequence[FigureOfRun]:
        """Figures of units in the scope of `by`; `kind` None: those of everything together, for who sees all.

        By measure, and the units with the most of what is counted first: an order for reading, no ranking. `limit`
        None: all of them behind `skip`; a run does not change, so its pages do not either.
        """
        authorize(by, Permission.READ_ASSESSMENT)
        column = assessment_figures.c
        theirs = (column.run_id == run.id, column.kind == (kind or ALL))
        query = select(assessment_figures).where(*theirs, *places_in(by, column.operator, column.city))
        if measure is not None:
            query = query.where(column.measure == measure.value)
        places = case({one.value: at for at, one in enumerate(Measure)}, value=column.measure)
        query = query.order_by(places, func.coalesce(column["count"], 0).desc(), column.unit).offset(skip)
        if limit is not None:
            query = query.limit(limit)
        with self.store.reading() as connection:
            found = [_figure(row) for row in connection.execute(query).mappings()]
            expected = of_all_units(connection, run.id, kind)
        bounds = bounds_of([(one.measure, one.figure) for one in found])
        return [
            replace(one, bounds=each, expected=expected.of(one.measure, one.figure))
            for one, each in zip(found, bounds, strict=True)
        ]


def run_named(connection: Connection, run: str) -> AssessmentRun:
    """As `AssessmentRuns.get`."""
    column = assessment_runs.c
    query = select(assessment_runs).order_by(column.made_at.desc(), column.id.desc()).limit(1)
    name = run.strip()
    if name[:1] == _LETTER:
        query = query.where(column.id == name)
    elif name:
        period = AssessmentPeriod.read(name)
        query = query.where(column.first_month == period.first, column.months == period.months)
    row = connection.execute(query).first()
    if row is None:
        what = f"no run {name!r:.40}" if name[:1] == _LETTER else f"no run of {name}" if name else "no run"
        raise UnknownRun(
            f"{what}: `duanka assess run 2026-10` counts a period, `duanka assess runs` lists them"
        )
    return _run(row)


def _figures(
    connection: Connection,
    period: AssessmentPeriod,
    time: CountedTime,
    active: Sequence[ActiveCards] | None,
) -> Iterator[FigureOfRun]:
    (together,) = counted(connection, Measure.CONFIRMED, None, time)
    known = together.figure.count is not None
    for kind in _KINDS:
        for measure in measures_of(kind):
            found = counted(connection, measure, kind, time)
            if measure is Measure.CONFIRMED and active is not None:
                found = _with_exposure(found, kind, active, known)
                if kind in WITH_A_MIX:
                    found = with_standard_exposure(connection, found, active, kind, period, time)
            for one in found:
                yield FigureOfRun(measure, kind, one.figure, one.operator, one.city)


def _with_exposure(
    found: Sequence[PlacedFigure], kind: UnitKind | None, active: Sequence[ActiveCards], known: bool
) -> Sequence[PlacedFigure]:
    """Put active cards beside confirmed ones; a unit without one is a known 0 where the police confirm any (`known`).

    Cards that the register does not have are of units whose active cards nobody knows.
    """
    counts = {one.figure.unit: one for one in found}
    if kind is None:
        together = sum(one.cards for one in active if one.kind is UnitKind.OPERATOR)
        return [PlacedFigure(UnitFigure("", counts[""].figure.count, together))]
    of_kind = {one.unit: one for one in active if one.kind is kind}
    units = sorted(counts.keys() | of_kind.keys())
    result = []
    for unit in units:
        count = counts[unit].figure.count if unit in counts else 0 if known else None
        there = of_kind.get(unit)
        place = (there.operator, there.city) if there else (counts[unit].operator, counts[unit].city)
        result.append(PlacedFigure(UnitFigure(unit, count, there.cards if there else None), *place))
    return result


def _digest(period: AssessmentPeriod, policy: str, found: Sequence[FigureOfRun]) -> str:
    """SHA-256 of what the run says, in order, whoever made it and whenever."""
    rows = sorted(
        [one.measure.value, (one.kind or ALL), *_values(one).values(), one.operator, one.city]
        for one in found
    )
    told: Mapping[str, object] = {"period": str(period), "policy": policy, "figures": rows}
    return sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _values(one: FigureOfRun) -> dict[str, object]:
    hours = one.figure.hours
    return {
        "unit": one.figure.unit,
        "count": one.figure.count,
        "exposure": one.figure.exposure,
        "duration": None if hours is None else timedelta(hours=hours) // timedelta(microseconds=1),
        "standard": one.figure.standard and one.figure.standard.cards,
        "basis": one.figure.standard and one.figure.standard.basis,
    }


def _row(run_id: str, one: FigureOfRun) -> Mapping[str, object]:
    kind = one.kind.value if one.kind else ALL
    place = {"operator": one.operator, "city": one.city}
    return {"run_id": run_id, "measure": one.measure.value, "kind": kind, **_values(one), **place}


def _figure(row: RowMapping) -> FigureOfRun:
    kind = None if row["kind"] == ALL else UnitKind(row["kind"])
    return FigureOfRun(Measure(row["measure"]), kind, stored_figure(row), row["operator"], row["city"])


def _run(row: Row[Any]) -> AssessmentRun:
    period = AssessmentPeriod(row.first_month, row.months)
    told = (row.made_at, row.made_by, row.policy, row.policy_digest, row.exposure, row.digest)
    return AssessmentRun(row.id, period, *told)
