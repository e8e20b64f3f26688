"""Cases for readers: lists without cards, one case with them, its timeline, and what changed since.

A list tells counts. Who looks into a case says why: it is a lookup of its cards, and in the trail before the first is
shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, select

from duanka.casework.cases.rows import cases_of, items_of, named_like, notes_of, row_of
from duanka.casework.cases.timeline import timeline_of
from duanka.domain.authority import Permission, authorize
from duanka.domain.case_file import CaseFile, CaseItem, CaseState, CaseSummary, ItemKind, TimelineEntry
from duanka.domain.order import Person
from duanka.domain.phone_masking import masked_device, masked_text
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.casework.cases import cases
from duanka.ledger.db.database import Store
from duanka.ledger.lookups import Reader, Sight, authorize_lookup
from duanka.ledger.people.places import cases_within

MOST = 200  # cases of a page
_ALL = 1_000_000


@dataclass(frozen=True)
class CaseFilter:
    """Which cases; empty: all. `about`: a card, device, outlet, ring or case, as stored."""

    states: tuple[CaseState, ...] = ()
    assigned_to: str | None = None
    about: str | None = None


@dataclass(frozen=True)
class CasePage:
    """Some cases and how many there are in all; `following`: give it for the next page, None: that was the last."""

    cases: Sequence[CaseSummary]
    total: int
    following: int | None


@dataclass(frozen=True)
class CaseView:
    """A case as its reader may see it. `entries`: its timeline, the latest first; `in_all`: how many there are."""

    file: CaseFile
    entries: Sequence[TimelineEntry]
    in_all: int


class CaseQueries:
    """Reads cases for people. Each method raises PermissionDenied and UnknownCase."""

    def __init__(self, store: Store, trail: Trail) -> None:
        self._store, self._trail = store, trail

    def page(self, which: CaseFilter, by: Person, before: int | None = None, limit: int = 50) -> CasePage:
        """Return a page of cases, the latest change first. `before`: `following` of the page before."""
        authorize(by, Permission.LIST_CASES)
        asked = named_like(which.states, which.assigned_to, which.about)
        where, limit = [*cases_within(by), *asked], max(1, min(limit, MOST))
        query = select(cases).where(*where).order_by(cases.c.change.desc()).limit(limit + 1)
        if before is not None:
            query = query.where(cases.c.change < before)
        with self._store.reading() as connection:
            rows = connection.execute(query).mappings().all()
            total = connection.execute(select(func.count()).select_from(cases).where(*where)).scalar_one()
            found = cases_of(connection, rows[:limit])
        return CasePage(
            [_masked(case) for case in found], total, found[-1].change if len(rows) > limit else None
        )

    def changes(self, by: Person, after: int = 0, limit: int = MOST) -> CasePage:
        """Return cases that changed after number `after`, the earliest change first; a case comes once.

        `following`: the number to go on from; it stays `after` if nothing changed. A counter, not a time: what is
        committed later has the greater number, so nothing is missed or told twice.
        """
        authorize(by, Permission.EXPORT_CASES)
        where, limit = [*cases_within(by), cases.c.change > after], max(1, min(limit, MOST))
        query = select(cases).where(*where).order_by(cases.c.change).limit(limit)
        with self._store.reading() as connection:
            found = cases_of(connection, connection.execute(query).mappings().all())
            total = connection.execute(select(func.count()).select_from(cases).where(*where)).scalar_one()
        return CasePage([_masked(case) for case in found], total, found[-1].change if found else after)

    def case(self, number: str, reader: Reader, now: datetime, entries: int = 50) -> CaseView:
        """Return a case with what it is about and its timeline, the latest `entries` of it. OrderError: no reason."""
        authorize_lookup(reader, Permission.READ_CASE)
        why, told = reader.why.strip(), {"unmasked": reader.unmasked}
        with self._store.writing() as connection:
            row_of(connection, number, reader.person)
            self._trail.append(
                connection, [AuditEntry(now, reader.person, "read.case", number, why, after=told)]
            )
        with self._store.reading() as connection:
            (case,) = cases_of(connection, [row_of(connection, number, reader.person)])
            file = CaseFile(case, items_of(connection, number), notes_of(connection, number))
            cards = [item.value for item in file.of_kind(ItemKind.CARD)]
            found, in_all = timeline_of(connection, number, cards, max(1, min(entries, _ALL)))
        sight = _CaseSight(reader.unmasked)
        return CaseView(sight.file(file), [sight.entry(entry) for entry in found], in_all)

    def in_full(self, number: str, by: Person) -> CaseFile:
        """Return a case for what the program itself does with it: nothing of it may be shown without an entry."""
        with self._store.reading() as connection:
            (case,) = cases_of(connection, [row_of(connection, number, by)])
            return CaseFile(case, items_of(connection, number), notes_of(connection, number))


def _masked(case: CaseSummary) -> CaseSummary:
    return _CaseSight(unmasked=False).case(case)


class _CaseSight:
    """How numbers, devices and texts of a case are shown."""

    def __init__(self, unmasked: bool) -> None:
        self._unmasked, self._sight = unmasked, Sight(unmasked)

    def file(self, file: CaseFile) -> CaseFile:
        items = tuple(map(self.item, file.items))
        notes = tuple(replace(note, text=self.text(note.text)) for note in file.notes)
        return CaseFile(self.case(file.case), items, notes)

    def case(self, case: CaseSummary) -> CaseSummary:
        return replace(case, seed=self._value(case.seed_kind, case.seed), title=self.text(case.title))

    def item(self, item: CaseItem) -> CaseItem:
        return replace(item, value=self._value(item.kind.value, item.value), source=self.text(item.source))

    def entry(self, entry: TimelineEntry) -> TimelineEntry:
        about = self._sight.number(entry.about) if entry.about.isdigit() else entry.about
        return replace(entry, about=about, detail=self.text(entry.detail))

    def text(self, text: str) -> str:
        return text if self._unmasked else masked_text(text)

    def _value(self, kind: str, value: str) -> str:
        if kind == ItemKind.CARD:
            return self._sight.number(value)
        if self._unmasked or kind in (ItemKind.PLACE, ItemKind.RING):
            return value
        return masked_device(value) if kind == ItemKind.DEVICE else masked_text(value)
