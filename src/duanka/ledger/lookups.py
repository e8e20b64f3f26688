"""Access to lookups about named cards: who may, on what basis, and how numbers are shown.

Records, contacts, rings, cases and victims are looked up by the same rule: a person with the permission, a reason, a
case, order or police notice, and an entry in the trail before the first row is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, select

from duanka.domain.authority import Permission, authorize, within
from duanka.domain.bounds import given_reason
from duanka.domain.case_file import CaseState, ItemKind, UnknownCase, is_case_id
from duanka.domain.order import Person, UnknownOrder
from duanka.domain.phone_masking import masked_card, masked_device
from duanka.domain.phone_number import identity, parse
from duanka.domain.record_lookups import (
    MOST_LETTERS,
    Basis,
    BasisKind,
    CardRecord,
    LookupRefused,
    RecordLookups,
)
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.casework.cases import case_items, cases
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import orders
from duanka.ledger.people.places import NOWHERE, cases_within, places_of

_SERVICE_DIGITS = 8  # a number of so few digits is a short code or a service, nobody's telephone


@dataclass(frozen=True)
class Reader:
    """Who looks into cases or victims, and why. `unmasked`: show full numbers and devices."""

    person: Person
    why: str
    unmasked: bool = False


@dataclass(frozen=True)
class LookupContext:
    """Who looks up, why, and on what basis. `unmasked`: show full numbers."""

    person: Person
    why: str
    basis: Basis
    unmasked: bool = False


class Sight:
    """How numbers are shown: telephones and pseudonyms masked, services and short codes as they stand."""

    def __init__(self, unmasked: bool) -> None:
        self._unmasked = unmasked

    def number(self, number: str) -> str:
        """A telephone in full with its +, or masked."""
        if self._unmasked:
            return f"+{number}" if number.isdigit() and parse(f"+{number}") == number else number
        nobody = number.startswith("short:") or (number.isdigit() and len(number) <= _SERVICE_DIGITS)
        return number if nobody else masked_card(number)

    def maybe(self, number: str | None) -> str | None:
        """As `number`; None stays."""
        return None if number is None else self.number(number)

    def record(self, record: CardRecord) -> CardRecord:
        """A record with its peer, device and forwarding number as they are shown."""
        imei = record.imei if self._unmasked or record.imei is None else masked_device(record.imei)
        peer, forwarded_from = self.maybe(record.peer), self.maybe(record.forwarded_from)
        return replace(record, peer=peer, forwarded_from=forwarded_from, imei=imei)


def authorize_lookup(reader: Reader | LookupContext, permission: Permission) -> None:
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


def number_of(text: str) -> str:
    """A number, in any form in which it is written, or a pseudonym, as records have it. LookupRefused."""
    found = identity(text)
    if not found or len(found) > MOST_LETTERS or not found.isprintable():
        raise LookupRefused(
            f"a number or pseudonym has 1 to {MOST_LETTERS} letters; write 86 and the eleven digits"
        )
    return found


def check_basis(connection: Connection, reader: LookupContext, card: str | None) -> None:
    """Raise unless the order or the case of ours exists, is within the scope, and is about `card` (None: of any).

    The police's own case numbers, and those of their notices, are not known here: they stand in the trail.
    """
    number = reader.basis.number
    if reader.basis.kind is BasisKind.ORDER:
        _check_order(connection, reader, card)
    elif reader.basis.kind is BasisKind.CASE and is_case_id(number):
        _check_case(connection, reader, card)


def _check_order(connection: Connection, reader: LookupContext, card: str | None) -> None:
    number = reader.basis.number
    query = select(orders.c.card, orders.c.operator, orders.c.city).where(orders.c.id == number)
    row = connection.execute(query).first()
    if row is None:
        raise UnknownOrder(f"no order {number!r}; `duanka orders list` names them")
    within(reader.person, number, row.operator, row.city)
    if card is not None and row.card != card:
        raise LookupRefused(f"order {number} is about another card; give an order of this one, or a case")


def _check_case(connection: Connection, reader: LookupContext, card: str | None) -> None:
    case = reader.basis.number
    row = connection.execute(
        select(cases.c.state).where(cases.c.id == case, *cases_within(reader.person))
    ).first()
    if row is None:
        raise UnknownCase(f"no case {case} that you may see; `duanka cases list` names them")
    if row.state != CaseState.OPEN:
        raise LookupRefused(
            f"case {case} is {CaseState(row.state).words.en}: nothing is looked up on its basis; `duanka cases show`"
            " says how it went on"
        )
    theirs = (
        case_items.c.case_id == case,
        case_items.c.kind == ItemKind.CARD.value,
        case_items.c.value == card,
    )
    if card is not None and connection.execute(select(case_items.c.id).where(*theirs)).first() is None:
        raise LookupRefused(
            f"this card is not of case {case}: `duanka cases add {case} --card … --why …` adds it first"
        )


def check_scope(
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
