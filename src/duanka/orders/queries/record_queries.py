"""Lookups in the store of records for people: who may, on what basis, and in the trail before the first row.

Two entries of the audit trail tell a lookup: one before it, which stays if it fails, and one with its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import bounded
from duanka.domain.local_time import OperatorZone
from duanka.domain.order import Person
from duanka.domain.record_lookups import (
    MOST_DAYS,
    MOST_HOURS,
    MOST_NUMBERS,
    CardRecord,
    Contact,
    RecordLookups,
    StoreStatus,
    bounded_count,
)
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.lookups import (
    LookupContext,
    Sight,
    authorize_lookup,
    check_basis,
    check_scope,
    number_of,
    tell_rows,
)

DAYS, HOURS = 30, 72  # looked up unless said otherwise


@dataclass(frozen=True)
class Period:
    """What a lookup covers: local times of `zone`, `until` exclusive; `first`, `last`: days that the store has."""

    since: datetime
    until: datetime
    zone: OperatorZone
    first: date | None
    last: date | None


@dataclass(frozen=True)
class RecordsFound:
    """Records of a card, in order of time, as the reader may see them."""

    card: str
    period: Period
    records: Sequence[CardRecord]


@dataclass(frozen=True)
class ContactsFound:
    """Contacts of `numbers`: by number, the most frequent first, as the reader may see them."""

    numbers: Sequence[str]
    period: Period
    contacts: Sequence[Contact]


class RecordQueries:
    """Looks records up for people. `source` opens the store; LookupRefused: there is none, or it is not attached."""

    def __init__(self, store: Store, trail: Trail, source: Callable[[], RecordLookups]) -> None:
        self._store, self._trail, self._source = store, trail, source

    def status(self, by: Person) -> StoreStatus:
        """What the store holds; nothing about a single card."""
        authorize(by, Permission.READ_STORE)
        return self._source().status()

    def card(
        self, text: str, reader: LookupContext, now: datetime, days: int = DAYS, until: datetime | None = None
    ) -> RecordsFound:
        """All records of a card over `days` before `until` (by default the end of the last day there is).

        UnknownOrder; LookupRefused: no basis, no store, the order is of another card, too much; PermissionDenied.
        """
        authorize_lookup(reader, Permission.LOOK_UP_RECORDS)
        card, length = number_of(text), timedelta(days=bounded_count(days, MOST_DAYS, "--days (HTTP: days)"))
        source = self._source()
        period = _period(source.status(), now, until, length)
        asked = {**_told(reader, period), "card": card}
        self._tell(
            reader, now, source, [card], AuditEntry(now, reader.person, "lookup.card", card[:40], after=asked)
        )
        found = source.records_of(card, period.since, period.until)
        tell_rows(self._store, self._trail, reader, now, card[:40], len(found))
        sight = Sight(reader.unmasked)
        return RecordsFound(sight.number(card), period, list(map(sight.record, found)))

    def contacts(
        self,
        texts: Sequence[str],
        reader: LookupContext,
        now: datetime,
        hours: int = HOURS,
        until: datetime | None = None,
    ) -> ContactsFound:
        """Everybody with whom `texts`, ours or foreign, were in contact over `hours`.

        Who works for some operators or cities may ask for cards of these alone. Errors as `card`.
        """
        authorize_lookup(reader, Permission.LOOK_UP_CONTACTS)
        numbers = list(dict.fromkeys(map(number_of, texts)))
        bounded_count(len(numbers), MOST_NUMBERS, "the number of numbers")
        length = timedelta(hours=bounded_count(hours, MOST_HOURS, "--hours (HTTP: hours)"))
        source = self._source()
        period = _period(source.status(), now, until, length)
        asked = {**_told(reader, period), "numbers": numbers}
        self._tell(
            reader,
            now,
            source,
            numbers,
            AuditEntry(now, reader.person, "lookup.contacts", "contacts", after=asked),
        )
        found = source.contacts_of(numbers, period.since, period.until)
        tell_rows(self._store, self._trail, reader, now, "contacts", len(found))
        sight = Sight(reader.unmasked)
        shown = [replace(one, number=sight.number(one.number), other=sight.maybe(one.other)) for one in found]
        return ContactsFound([sight.number(one) for one in numbers], period, shown)

    def _tell(
        self,
        reader: LookupContext,
        now: datetime,
        source: RecordLookups,
        numbers: Sequence[str],
        entry: AuditEntry,
    ) -> None:
        """Check basis and scope, and append `entry`; committed before anything is looked up."""
        entry.why = f"{reader.basis.number} · {reader.why.strip()}"
        with self._store.writing() as connection:
            about = numbers[0] if entry.what == "lookup.card" else None
            check_basis(connection, reader, about)
            check_scope(connection, reader.person, source, numbers)
            self._trail.append(connection, [entry])


def _period(status: StoreStatus, now: datetime, until: datetime | None, length: timedelta) -> Period:
    zone = OperatorZone(status.zone)
    here = zone.local(now).replace(tzinfo=None)
    last = status.last_day(here)
    if until is not None:
        end = zone.local(bounded(until)).replace(tzinfo=None)
    else:
        end = datetime.combine(last or here.date(), time.min) + timedelta(days=1)
    return Period(end - length, end, zone, min(status.days, default=None), last)


def _told(reader: LookupContext, period: Period) -> dict[str, object]:
    return {
        "basis": reader.basis.kind.value,
        "since": period.since.isoformat(),
        "until": period.until.isoformat(),
        "unmasked": reader.unmasked,
    }
