"""What lies behind a figure of a run: its stops, notices, cards, ..., page by page, masked, and told in the trail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, or_, select

from duanka.assessment.facts.counting import HOUR, measures_of, placed
from duanka.assessment.runs import AssessmentRun, AssessmentRuns
from duanka.domain.assessment import AssessmentError, Measure, UnitKind
from duanka.domain.authority import Permission, authorize
from duanka.domain.order import Person
from duanka.ledger.audit.trail import AuditEntry
from duanka.ledger.cursors import NO_PAGE, cursor_of, read_cursor
from duanka.ledger.lookups import Sight
from duanka.ledger.people.places import places_in

MOST = 200  # rows of a page
_OF_ALL = (Measure.RESTORE_P50, Measure.RESTORE_P95)  # each case behind a quantile is one of it


@dataclass(frozen=True)
class AssessedRow:
    """One thing behind a figure. `about`: a card, masked, or a person's id; `source`: order, notice or request.

    `counted`: the measure counts it; else it is only one of how many. `opened`: month in which the card was opened;
    "": unknown. `hours`: of a measure in hours.
    """

    at: datetime
    about: str
    source: str
    counted: bool
    operator: str
    city: str
    outlet: str
    opened: str
    platform: str
    hours: float | None = None


@dataclass(frozen=True)
class AssessedUnit:
    """Whose figure: a measure of a unit. `kind` None: everything together. `every`: also what only is of how many."""

    measure: Measure
    kind: UnitKind | None
    unit: str
    every: bool = False


class AssessedRows:
    """Opens the figures of runs."""

    def __init__(self, runs: AssessmentRuns) -> None:
        self._runs = runs

    def page(
        self,
        run: AssessmentRun,
        of: AssessedUnit,
        by: Person,
        now: datetime,
        after: str = "",
        limit: int = 50,
    ) -> tuple[Sequence[AssessedRow], str | None]:
        """The earliest first, in the scope of `by`, as known when the run was made; and where the next page begins.

        Warnings of persons who were forgotten since are counts alone, and active cards are not listed.
        AssessmentError: units of this kind have no such measure, or `after` is no cursor.
        """
        authorize(by, Permission.LIST_ASSESSED)
        if of.measure not in measures_of(of.kind):
            raise AssessmentError(
                f"{of.kind or 'all'} has no figure {of.measure}; `duanka assess show` names them"
            )
        limit = max(1, min(limit, MOST))
        of_outlets = of.measure is Measure.OUTLETS
        source = placed(Measure.CONFIRMED if of_outlets else of.measure, of.kind, run.time).c
        which = [source.unit == of.unit, *places_in(by, source.operator, source.city)]
        if of_outlets:
            which.append(source.outlet != "")
        elif not (of.every or of.measure in _OF_ALL):
            which.append(source.counted == 1)
        if after:
            if not (behind := read_cursor(after)):
                raise AssessmentError(NO_PAGE)
            at, ref = behind
            which.append(or_(source.at > at, and_(source.at == at, source.ref > ref)))
        query = select(*source).where(*which).order_by(source.at, source.ref).limit(limit + 1)
        asked = {"measure": of.measure.value, "kind": of.kind or "all", "unit": of.unit, "after": after}
        look = AuditEntry(now, by, "read.assessed", run.id, "", after=asked)
        with self._runs.store.writing() as connection:
            self._runs.trail.append(connection, [look])
        with self._runs.store.reading() as connection:
            found = connection.execute(query).all()
        shown = [_shown(row) for row in found[:limit]]
        last = found[limit - 1] if len(found) > limit else None
        return shown, cursor_of(last.at, last.ref) if last else None


def _shown(row: Row[Any]) -> AssessedRow:
    about = Sight(unmasked=False).number(row.card) if row.card else row.ref
    source = "" if row.ref in (row.card, about) else row.ref
    hours = None if row.took is None else timedelta(microseconds=row.took) / HOUR
    place = (row.operator, row.city, row.outlet, row.month or "", row.platform)
    return AssessedRow(row.at, about, source, bool(row.counted), *place, hours)
