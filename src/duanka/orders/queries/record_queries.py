"""Lookups in the store of records for people: who may, on what basis, and in the trail before the first row.

Two entries of the audit trail tell a lookup: one before it, which stays if it fails, and one with its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from sqlalchemy import Connection, select

from duanka.domain.authority import Permission, authorize, within
from duanka.domain.bounds import bounded, given_reason
from duanka.domain.local_time import OperatorZone
from duanka.domain.order import Person, UnknownOrder
from duanka.domain.phone_masking import masked_card, masked_device
from duanka.domain.phone_number import identity, parse
from duanka.domain.record_lookups import (
    MOST_DAYS,
    MOST_HOURS,
    MOST_LETTERS,
    MOST_NUMBERS,
    Basis,
    BasisKind,
    CardRecord,
    Contact,
    LookupRefused,
    RecordLookups,
    StoreStatus,
    bounded_count,
)
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import orders
from duanka.ledger.people.places import NOWHERE, places_of

DAYS, HOURS = 30, 72  # looked up unless said otherwise
_SERVICE_DIGITS = 8  # a number of so few digits is a short code or a service, nobody's telephone


@dataclass(frozen=True)
class LookupContext:
    """Who looks up, why, and on what basis. `unmasked`: show full numbers."""

    person: Person
    why: str
    basis: Basis
    unmasked: bool = False


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
        card, length = _number(text), timedelta(days=bounded_count(days, MOST_DAYS, "--days (HTTP: days)"))
        source = self._source()
        period = _period(source.status(), now, until, length)
        asked = {**_told(reader, period), "card": card}
        self._tell(
            reader, now, source, [card], AuditEntry(now, reader.person, "lookup.card", card[:40], after=asked)
        )
        found = source.records_of(card, period.since, period.until)
        tell_rows(self._store, self._trail, reader, now, card[:40], len(found))
        sight = _Sight(reader.unmasked)
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
        numbers = list(dict.fromkeys(map(_number, texts)))
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
        sight = _Sight(reader.unmasked)
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
            check_order(connection, reader, about)
            _check_scope(connection, reader.person, source, numbers)
            self._trail.append(connection, [entry])


class _Sight:
    """How numbers are shown: telephones and pseudonyms masked, services and short codes as they stand."""

    def __init__(self, unmasked: bool) -> None:
        self._unmasked = unmasked

    def number(self, number: str) -> str:
        if self._unmasked:
            return f"+{number}" if number.isdigit() and parse(f"+{number}") == number else number
        nobody = number.startswith("short:") or (number.isdigit() and len(number) <= _SERVICE_DIGITS)
        return number if nobody else masked_card(number)

    def maybe(self, number: str | None) -> str | None:
        return None if number is None else self.number(number)

    def record(self, record: CardRecord) -> CardRecord:
        imei = record.imei if self._unmasked or record.imei is None else masked_device(record.imei)
        peer, forwarded_from = self.maybe(record.peer), self.maybe(record.forwarded_from)
        return replace(record, peer=peer, forwarded_from=forwarded_from, imei=imei)


def authorize_lookup(reader: LookupContext, permission: Permission) -> None:
    """Check that `reader` has the permission, may see numbers as asked for, and says why.

    PermissionDenied; OrderError: no reason.
    """
    authorize(reader.person, permission)
    if reader.unmasked:
        authorize(reader.person, Permission.UNMASK)
    given_reason(reader.why)


def tell_rows(
    store: Store, trail: Trail, reader: LookupContext, now: datetime, subject: str, rows: int
) -> None:
    """Append to the trail how much a lookup found."""
    entry = AuditEntry(now, reader.person, "lookup.rows", subject, reader.basis.number, after={"rows": rows})
    with store.writing() as connection:
        trail.append(connection, [entry])


def _number(text: str) -> str:
    """A number, in any form in which it is written, or a pseudonym, as records have it. LookupRefused."""
    found = identity(text)
    if not found or len(found) > MOST_LETTERS or not found.isprintable():
        raise LookupRefused(
            f"a number or pseudonym has 1 to {MOST_LETTERS} letters; write 86 and the eleven digits"
        )
    return found


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


def check_order(connection: Connection, reader: LookupContext, card: str | None) -> None:
    """Raise unless the order exists, is within the scope, and is of `card` (None: of any)."""
    if reader.basis.kind is not BasisKind.ORDER:
        return
    number = reader.basis.number
    query = select(orders.c.card, orders.c.operator, orders.c.city).where(orders.c.id == number)
    row = connection.execute(query).first()
    if row is None:
        raise UnknownOrder(f"no order {number!r}; `duanka orders list` names them")
    within(reader.person, number, row.operator, row.city)
    if card is not None and row.card != card:
        raise LookupRefused(f"order {number} is about another card; give an order of this one, or a case")


def _check_scope(
    connection: Connection, person: Person, source: RecordLookups, numbers: Sequence[str]
) -> None:
    """Raise PermissionDenied unless all `numbers` are in the scope: of their orders, else of the register."""
    if person.scope.everywhere:
        return
    known: Mapping[str, tuple[str, str]] = places_of(connection, numbers)
    registered = source.places_of([one for one in numbers if one not in known])
    what = "this card" if len(numbers) == 1 else "one of these numbers"
    for number in numbers:
        within(person, what, *(known.get(number) or registered.get(number, NOWHERE)))
