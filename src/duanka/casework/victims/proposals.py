"""Worklists for the contacts of cards that nobody confirmed: one person proposes, another approves, nothing is sent.

Before the approval nothing is looked up. What is found then waits for calls; the person who calls says that the police
have not confirmed the number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from duanka.casework.victims.confirmed import standing
from duanka.casework.victims.finding import AskedPeriod, VictimRecords, cards_of_case
from duanka.casework.victims.ranking import Danger
from duanka.casework.victims.recording import in_turns, record
from duanka.casework.victims.searching import VictimSearch
from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import given_reason
from duanka.domain.case_file import is_case_id
from duanka.domain.order import NeedsSecondPerson, PermissionDenied, Person
from duanka.domain.person import same_person
from duanka.domain.phone_masking import masked_text
from duanka.domain.record_lookups import MOST_HOURS, BasisKind, LookupRefused, bounded_count
from duanka.domain.victims import MOST_CARDS, VictimOrigin, VictimsRefused, WorklistState
from duanka.ledger.audit.trail import AuditEntry
from duanka.ledger.db.bulk import put_rows
from duanka.ledger.db.casework.victims import callback_cards, callback_requests
from duanka.ledger.db.rows import new_id
from duanka.ledger.lookups import LookupContext, authorize_lookup, check_basis, check_scope, number_of

_LETTER = "H"
_MOST_LISTED = 200


@dataclass(frozen=True)
class CallProposal:
    """A proposed worklist; `cards`: how many, `found`: persons that it led to."""

    id: str
    state: WorklistState
    basis: BasisKind
    basis_number: str
    hours: int
    why: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    cards: int
    found: int


class CallProposals:
    """Proposed worklists of one order database. Each method raises PermissionDenied and VictimsRefused."""

    def __init__(self, search: VictimSearch, source: Callable[[], VictimRecords]) -> None:
        self._search, self._source = search, source
        self._store, self._trail = search.store, search.trail

    def propose(
        self, cards: Sequence[str], reader: LookupContext, now: datetime, hours: int | None = None
    ) -> CallProposal:
        """Propose to call the persons in danger through `cards`, or through those of the reader's case."""
        authorize_lookup(reader, Permission.PROPOSE_CALLS)
        hours = bounded_count(hours or self._search.terms.policy.hours, MOST_HOURS, "--hours (HTTP: hours)")
        named = list(dict.fromkeys(map(number_of, cards)))
        source = self._source() if not reader.person.scope.everywhere else None
        number, basis = new_id(_LETTER), reader.basis

        def work(connection: Connection) -> CallProposal:
            check_basis(connection, reader, None)
            those = named
            if not those and basis.kind is BasisKind.CASE and is_case_id(basis.number):
                those = cards_of_case(connection, basis.number)
            bounded_count(len(those), MOST_CARDS, "the number of cards")
            if source:
                check_scope(connection, reader.person, source, those)
            row = {
                "id": number,
                "state": WorklistState.PROPOSED.value,
                "basis": basis.kind.value,
                "basis_number": basis.number,
                "hours": hours,
                "why": reader.why.strip(),
                "proposed_by": reader.person.id,
                "proposed_at": now,
            }
            put_rows(connection, callback_requests, [row])
            put_rows(connection, callback_cards, [{"request_id": number, "card": card} for card in those])
            told = {"basis": basis.kind.value, "cards": those, "hours": hours}
            why = f"{basis.number} · {reader.why.strip()}"
            self._trail.append(
                connection, [AuditEntry(now, reader.person, "victims.propose", number, why, after=told)]
            )
            return _proposal(_row(connection, number), len(those))

        return self._store.transact(work)

    def approve(
        self, number: str, by: Person, why: str, now: datetime, asked: AskedPeriod | None = None
    ) -> CallProposal:
        """Approve somebody else's proposal: the persons are looked for and wait for calls. NeedsSecondPerson."""
        authorize(by, Permission.APPROVE_CALLS)
        why = given_reason(why)
        source = self._source()
        cards, hours = self._open(number, by)
        period = asked or AskedPeriod(hours)
        since, until = period.of(source.status(), now, hours)
        told: dict[str, object] = {"since": str(since), "until": str(until), "cards": len(cards)}
        look = AuditEntry(now, by, "victims.look", number, why, after=told)
        self._store.transact(lambda connection: self._trail.append(connection, [look]))
        with self._store.reading() as connection:
            confirmed = standing(connection, cards)
        found = self._search.find(source, confirmed, since, until, cards)

        def decide(connection: Connection) -> CallProposal:
            return self._decide(connection, number, by, why, now, WorklistState.APPROVED, len(found.victims))

        decided = self._store.transact(decide)

        def put(connection: Connection, some: Sequence[Danger]) -> int:
            origin = VictimOrigin.APPROVED
            return len(record(connection, some, confirmed, self._search.terms, now, origin))

        in_turns(self._store, found.victims, put)
        return decided

    def reject(self, number: str, by: Person, why: str, now: datetime) -> CallProposal:
        """Reject a proposal; nothing is looked up."""
        authorize(by, Permission.APPROVE_CALLS)
        why = given_reason(why)
        self._open(number, by)
        return self._store.transact(
            lambda connection: self._decide(connection, number, by, why, now, WorklistState.REJECTED, 0)
        )

    def listed(self, by: Person) -> Sequence[CallProposal]:
        """The latest proposals, with counts and no card; who works for some places sees those of its cards alone."""
        authorize(by, Permission.READ_VICTIMS)
        order = (callback_requests.c.proposed_at.desc(), callback_requests.c.id)
        with self._store.reading() as connection:
            rows = connection.execute(select(callback_requests).order_by(*order).limit(_MOST_LISTED)).all()
            found = [(row, _cards(connection, row.id)) for row in rows]
            return [
                _proposal(row, len(cards)) for row, cards in found if self._sees(connection, by, row, cards)
            ]

    def _sees(self, connection: Connection, by: Person, row: Row[Any], cards: Sequence[str]) -> bool:
        if by.scope.everywhere or same_person(row.proposed_by, by.id):
            return True
        with suppress(PermissionDenied, LookupRefused):
            check_scope(connection, by, self._source(), cards)
            return True
        return False

    def _open(self, number: str, by: Person) -> tuple[list[str], int]:
        """The cards and hours of a proposal that `by` may decide on."""
        with self._store.reading() as connection:
            row = _row(connection, number)
            cards = _cards(connection, number)
            if not by.scope.everywhere:
                check_scope(connection, by, self._source(), cards)
            _may_decide(row, by)
            return cards, row.hours

    def _decide(
        self,
        connection: Connection,
        number: str,
        by: Person,
        why: str,
        now: datetime,
        state: WorklistState,
        found: int,
    ) -> CallProposal:
        _may_decide(_row(connection, number, lock=True), by)
        values = {"state": state.value, "decided_by": by.id, "decided_at": now, "found": found}
        connection.execute(update(callback_requests).where(callback_requests.c.id == number).values(values))
        what = "victims.approve" if state is WorklistState.APPROVED else "victims.reject"
        self._trail.append(connection, [AuditEntry(now, by, what, number, why, after={"found": found})])
        return _proposal(_row(connection, number), len(_cards(connection, number)))


def _row(connection: Connection, number: str, *, lock: bool = False) -> Row[Any]:
    query = select(callback_requests).where(callback_requests.c.id == number)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise VictimsRefused(f"no proposed worklist {number[:20]!r}; `duanka victims proposals` names them")
    return row


def _may_decide(row: Row[Any], by: Person) -> None:
    if row.state != WorklistState.PROPOSED:
        raise VictimsRefused(f"{row.id} is {WorklistState(row.state).words.en} already, by {row.decided_by}")
    if same_person(row.proposed_by, by.id):
        raise NeedsSecondPerson(f"{by.id} proposed {row.id}: somebody else decides on it")


def _cards(connection: Connection, number: str) -> list[str]:
    mine = callback_cards.c.request_id == number
    return list(connection.execute(select(callback_cards.c.card).where(mine)).scalars())


def _proposal(row: Row[Any], cards: int) -> CallProposal:
    return CallProposal(
        id=row.id,
        state=WorklistState(row.state),
        basis=BasisKind(row.basis),
        basis_number=row.basis_number,
        hours=row.hours,
        why=masked_text(row.why),
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        cards=cards,
        found=row.found,
    )
