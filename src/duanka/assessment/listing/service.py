"""Listing for rectification: proposed of a run's candidates, approved by another, checked, and taken off the list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from duanka.assessment.candidates import Candidate, candidates_of, facts_of, facts_text
from duanka.assessment.listing.notice import digest_of, notice_of
from duanka.assessment.runs import AssessmentRun, AssessmentRuns, run_named
from duanka.assessment.unjudged import UnjudgedUnits, unjudged
from duanka.domain.assessment import Measure, UnitKind
from duanka.domain.authority import Permission, authorize, may, within
from duanka.domain.bounds import given_reason, without_controls
from duanka.domain.listing import (
    LISTING_TRANSITIONS,
    OVER,
    ListingError,
    ListingEvent,
    ListingFacts,
    ListingNeedsAnother,
    ListingState,
    ListingTransition,
    UnknownListing,
    listing_transition,
)
from duanka.domain.order import Person
from duanka.domain.person import same_person
from duanka.domain.text import BilingualText
from duanka.ledger.audit.row_digests import LISTINGS
from duanka.ledger.audit.row_digests import found as digests_found
from duanka.ledger.audit.trail import AuditEntry
from duanka.ledger.db.assessment.listings import assessment_runs, listing_steps, listings
from duanka.ledger.db.rows import new_id
from duanka.ledger.people.places import places_in

_LETTER = "Z"
MOST_EVIDENCE = 20_000  # letters of what is filed for a unit
MOST_DAYS = 366  # of a term


@dataclass(frozen=True)
class ListedUnit:
    """A unit on the way on or off the list. `due_at`: end of its term; None: not approved."""

    id: str
    run_id: str
    measure: Measure
    kind: UnitKind
    unit: str
    operator: str
    city: str
    state: ListingState
    facts: ListingFacts
    notice: BilingualText
    notice_digest: str
    term_days: int
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    due_at: datetime | None
    updated_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True)
class ListingStep:
    """What happened to a listing. `text`: the reason, the evidence or the objection."""

    at: datetime
    who: str
    event: ListingEvent
    state: ListingState
    text: str


class UnitListings:
    """Listings of one order database. Each method raises PermissionDenied and ListingError."""

    def __init__(self, runs: AssessmentRuns) -> None:
        self._runs, self._store, self._trail = runs, runs.store, runs.trail

    def candidates(self, run: AssessmentRun, by: Person) -> Sequence[Candidate]:
        """Units that meet the criterion of the run, in the scope of `by`."""
        authorize(by, Permission.READ_ASSESSMENT)
        with self._store.reading() as connection:
            found = candidates_of(connection, run.id)
        return [one for one in found if by.scope.covers(one.operator, one.city)]

    def unjudged(self, run: AssessmentRun, by: Person) -> Sequence[UnjudgedUnits]:
        """Which units the run could not judge and why; of all units, which are counts alone."""
        authorize(by, Permission.READ_ASSESSMENT)
        with self._store.reading() as connection:
            return unjudged(connection, run, self._runs.policy)

    def propose(
        self,
        run: AssessmentRun,
        of: tuple[Measure, UnitKind, str],
        by: Person,
        why: str,
        now: datetime,
        term_days: int | None = None,
    ) -> ListedUnit:
        """Propose that a candidate of the run is listed; nobody else can be. ListingError: the run is outdated."""
        authorize(by, Permission.LIST_UNIT)
        why, days = given_reason(why), self._runs.policy.term_days if term_days is None else term_days
        if not 1 <= days <= MOST_DAYS:
            raise ListingError(f"a term has 1 to {MOST_DAYS} days, not {days}")

        def work(connection: Connection) -> ListedUnit:
            found = {(one.measure, one.kind, one.unit): one for one in candidates_of(connection, run.id)}
            candidate = found.get(of)
            if candidate:
                _require_latest(connection, run, candidate.facts)
            else:
                raise ListingError(
                    f"{of[1].words.en} {of[2]} does not meet the criterion of run {run.id} for {of[0].words.en}:"
                    f" nothing is listed by its rank; `duanka assess candidates --run {run.id}` names who does"
                )
            within(by, f"{of[1].words.en} {of[2]}", candidate.operator, candidate.city)
            row = _new_row(candidate, by, days, now)
            try:
                with connection.begin_nested():
                    connection.execute(insert(listings).values(**row))
            except IntegrityError:
                raise ListingError(
                    f"{of[1].words.en} {of[2]} is on its way already: `duanka assess listings` shows it"
                ) from None
            self._told(connection, row["id"], ListingEvent.PROPOSE, by, why, now, "", row)
            return _read(connection, str(row["id"]), by)

        return self._store.transact(work)

    def move(self, number: str, event: ListingEvent, by: Person, text: str, now: datetime) -> ListedUnit:
        """Move a listing on. `text`: the reason; of evidence and objection what is said. ListingNeedsAnother."""

        def work(connection: Connection) -> ListedUnit:
            found = _read(connection, number, by, lock=True)
            row = listing_transition(found.state, event, number)
            authorize(by, row.permission)
            within(by, number, found.operator, found.city)
            _apart(connection, row, number, by)
            if event is ListingEvent.APPROVE:
                _require_standing(connection, found)
            said = _evidence(text) if row.permission is Permission.ANSWER_LISTING else given_reason(text)
            changed: dict[str, Any] = {"state": row.after.value, "updated_at": now}
            if event is ListingEvent.APPROVE:
                due = now + timedelta(days=found.term_days)
                changed |= {"approved_by": by.id, "approved_at": now, "due_at": due}
            if row.after in OVER:
                changed["closed_at"] = now
            was = digests_found(connection, LISTINGS, number)
            again = {"step": listings.c.step + 1, **changed}
            connection.execute(update(listings).where(listings.c.id == number).values(**again))
            self._told(connection, number, event, by, said, now, found.state.value, changed, was)
            return _read(connection, number, by)

        return self._store.transact(work)

    def get(self, number: str, by: Person) -> tuple[ListedUnit, Sequence[ListingStep]]:
        """A listing, and what happened to it."""
        authorize(by, Permission.READ_ASSESSMENT)
        with self._store.reading() as connection:
            return _read(connection, number, by), _steps(connection, number)

    def acts(self, found: ListedUnit, steps: Sequence[ListingStep], by: Person) -> Sequence[ListingEvent]:
        """What `by` may do with a listing as it is now."""
        rows = [row for row in LISTING_TRANSITIONS if row.before is found.state]
        there = by.scope.covers(found.operator, found.city)
        theirs = [row for row in rows if there and may(by.role, row.permission)]
        return [row.event for row in theirs if _their_part(row, steps, by) is None]

    def listed(
        self, by: Person, *, is_open: bool = True, after: str = "", limit: int = 50
    ) -> tuple[Sequence[ListedUnit], str | None]:
        """Listings in the scope of `by`, the latest first; and the id after which the next page begins.

        `is_open`: only those that are not over.
        """
        authorize(by, Permission.READ_ASSESSMENT)
        column = listings.c
        query = select(listings).where(*places_in(by, column.operator, column.city))
        if is_open:
            query = query.where(column.closed_at.is_(None))
        with self._store.reading() as connection:
            if after:
                last = _read(connection, after, by)
                same = (column.proposed_at == last.proposed_at) & (column.id < last.id)
                query = query.where((column.proposed_at < last.proposed_at) | same)
            ordered = query.order_by(column.proposed_at.desc(), column.id.desc()).limit(limit + 1)
            rows = connection.execute(ordered).all()
        found = [_listed(row) for row in rows[:limit]]
        return found, found[-1].id if len(rows) > limit else None

    def overdue(self, now: datetime) -> Sequence[ListedUnit]:
        """Units that are listed beyond their term, the oldest term first; for who may read the database."""
        column = listings.c
        late = (
            select(listings).where(column.closed_at.is_(None), column.due_at <= now).order_by(column.due_at)
        )
        with self._store.reading() as connection:
            return [_listed(row) for row in connection.execute(late)]

    def _told(
        self,
        connection: Connection,
        number: Any,
        event: ListingEvent,
        by: Person,
        text: str,
        now: datetime,
        before: str,
        changed: dict[str, Any],
        digests: Mapping[str, str] | None = None,
    ) -> None:
        """Write the step, and the entry of the trail about it. `digests`: of the listing before."""
        state = str(changed["state"])
        step = {"listing_id": number, "at": now, "who": by.id, "event": event.value, "state": state}
        connection.execute(insert(listing_steps).values(**step, text=text))
        after: dict[str, object] = {"state": state}
        for name in ("unit", "measure", "kind", "run_id", "notice_digest", "due_at"):
            if name in changed:
                value = changed[name]
                after[name] = value.isoformat() if isinstance(value, datetime) else value
        was: dict[str, object] = {"state": before} if before else {}
        what, found = f"listing.{event.value}", digests or {}
        self._trail.append(
            connection, [AuditEntry(now, by, what, str(number), text, before=was, after=after, found=found)]
        )


def _new_row(candidate: Candidate, by: Person, days: int, now: datetime) -> dict[str, Any]:
    notice = notice_of(candidate, days)
    return {
        "id": new_id(_LETTER),
        "run_id": candidate.run_id,
        "measure": candidate.measure.value,
        "kind": candidate.kind.value,
        "unit": candidate.unit,
        "operator": candidate.operator,
        "city": candidate.city,
        "state": ListingState.PROPOSED.value,
        "step": 0,
        "facts": facts_text(candidate.facts),
        "notice_zh": notice.zh,
        "notice_en": notice.en,
        "notice_digest": digest_of(notice),
        "term_days": days,
        "proposed_by": by.id,
        "proposed_at": now,
        "updated_at": now,
    }


def _require_latest(connection: Connection, run: AssessmentRun, facts: ListingFacts) -> None:
    """ListingError if one of the periods that were judged was counted again since: other units may meet it now."""
    judged = assessment_runs.c.id.in_(facts.runs[-len(facts.periods) :])
    earlier = connection.execute(select(assessment_runs.c.id).where(judged)).scalars().all()
    for used in (run, *(run_named(connection, number) for number in earlier)):
        newer = run_named(connection, str(used.period))
        if newer.id == used.id:
            continue
        step = f"`duanka assess candidates --run {newer.id}` names who meets the criterion now"
        if used.id != run.id:
            step = f"count {run.period} again by `duanka assess run {run.period}`"
        raise ListingError(
            f"run {run.id} is outdated: {used.period} was counted again in run {newer.id}; {step}"
        )


def _require_standing(connection: Connection, found: ListedUnit) -> None:
    """As `_require_latest`, of a listing that waits for a second person."""
    try:
        _require_latest(connection, run_named(connection, found.run_id), found.facts)
    except ListingError as error:
        raise ListingError(f"{error}, and `duanka assess reject {found.id}` ends this proposal") from None


def _apart(connection: Connection, row: ListingTransition, number: str, by: Person) -> None:
    """ListingNeedsAnother if `by` did for this listing what this step is to be apart from.

    Of checks the last one counts, of all else every one.
    """
    if step := _their_part(row, _steps(connection, number), by):
        raise ListingNeedsAnother(
            f"{by.id} had a hand in {number} ({step.event.words.en}): somebody else does this"
            f" ({row.event.words.en})"
        )


def _their_part(row: ListingTransition, steps: Sequence[ListingStep], by: Person) -> ListingStep | None:
    """What `by` did for a listing that keeps them from this; None: nothing."""
    checks = [step for step in steps if step.event is ListingEvent.FIND_MENDED]
    others = [step for step in steps if step.event is not ListingEvent.FIND_MENDED]
    for step in (*others, *checks[-1:]):
        if step.event in row.apart_from and same_person(step.who, by.id):
            return step
    return None


def _evidence(text: str) -> str:
    said = text.strip()
    if not 1 <= len(said) <= MOST_EVIDENCE:
        raise ListingError(f"say in 1 to {MOST_EVIDENCE:,} letters what was put right, or what is wrong")
    return without_controls(said, "what is filed")


def _read(connection: Connection, number: str, by: Person, *, lock: bool = False) -> ListedUnit:
    query = select(listings).where(
        listings.c.id == number, *places_in(by, listings.c.operator, listings.c.city)
    )
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise UnknownListing(
            f"no listing {number!r:.40} that you may see; `duanka assess listings` names them"
        )
    return _listed(row)


def _steps(connection: Connection, number: str) -> Sequence[ListingStep]:
    query = select(listing_steps).where(listing_steps.c.listing_id == number).order_by(listing_steps.c.id)
    return [
        ListingStep(row.at, row.who, ListingEvent(row.event), ListingState(row.state), row.text)
        for row in connection.execute(query)
    ]


def _listed(row: Row[Any]) -> ListedUnit:
    return ListedUnit(
        *(row.id, row.run_id, Measure(row.measure), UnitKind(row.kind), row.unit, row.operator, row.city),
        *(ListingState(row.state), facts_of(row.facts), BilingualText(row.notice_zh, row.notice_en)),
        *(row.notice_digest, row.term_days, row.proposed_by, row.proposed_at, row.approved_by),
        *(row.approved_at, row.due_at, row.updated_at, row.closed_at),
    )
