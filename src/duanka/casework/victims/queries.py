"""Victims for readers: lists, one victim with contacts, messages and outcomes, and the figures of a period.

Every look is in the trail with its reason, before the first row is shown. Figures name nobody.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, or_, select

from duanka.casework.victims.confirmed import standing_card
from duanka.casework.victims.ranking import in_words
from duanka.casework.victims.searching import VictimSearch
from duanka.casework.victims.texts import text_to_read
from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import bounded
from duanka.domain.order import Person
from duanka.domain.text import BilingualText
from duanka.domain.victims import (
    CallOutcome,
    CallState,
    DangerSign,
    MessageKind,
    MessageOutcome,
    Reason,
    UnknownVictim,
    VictimOrigin,
)
from duanka.ledger.audit.trail import AuditEntry
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.casework.victims import (
    forgotten_warnings,
    victim_contacts,
    victim_messages,
    victim_outcomes,
    victims,
)
from duanka.ledger.figures.events import WARNED
from duanka.ledger.lookups import Reader, Sight, authorize_lookup
from duanka.ledger.people.places import places_in

MOST = 200  # victims of a page
TO_CALL = (CallState.WAITING, CallState.ESCALATED, CallState.CLAIMED)


@dataclass(frozen=True)
class VictimFilter:
    """Which victims; empty: all. `since`, `until`: of the last change."""

    states: tuple[CallState, ...] = ()
    outcomes: tuple[CallOutcome, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class VictimShown:
    """A victim as the reader may see it. `outcome`: of the last call."""

    id: str
    number: str
    origin: VictimOrigin
    operator: str
    city: str
    age_band: str
    fraud_kind: str
    points: int
    reasons: BilingualText
    last_contact: datetime
    found_at: datetime
    updated_at: datetime
    call_state: CallState
    claimed_by: str | None
    not_reached: int
    outcome: CallOutcome | None
    outcome_at: datetime | None


@dataclass(frozen=True)
class VictimPage:
    """Some victims, the most endangered first; `total`: of all pages; `following`: for the next one, None: last."""

    victims: Sequence[VictimShown]
    total: int
    following: str | None


@dataclass(frozen=True)
class ContactOfVictim:
    """What passed between a victim and a card; `case_number`: of the police, "" if the card is not confirmed."""

    card: str
    case_number: str
    stands: bool
    calls: int
    answered: int
    seconds: int
    longest: int
    messages: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class MessageToVictim:
    """A warning or a correction."""

    kind: MessageKind
    body: str
    created_at: datetime
    sent_at: datetime | None
    outcome: MessageOutcome
    receipt_at: datetime | None


@dataclass(frozen=True)
class OutcomeOfCall:
    """What came of a call."""

    at: datetime
    who: str
    outcome: CallOutcome
    note: str


@dataclass(frozen=True)
class VictimFile:
    """A victim with everything that is known; `text`: what is read out in a call."""

    victim: VictimShown
    contacts: Sequence[ContactOfVictim]
    messages: Sequence[MessageToVictim]
    outcomes: Sequence[OutcomeOfCall]
    text: BilingualText


@dataclass(frozen=True)
class VictimFigures:
    """Counts of persons in a period for one operator and city.

    `warned`, `corrected`: who was sent such a message that arrived as far as is known; `outcomes`: who was called with
    this outcome. A person with several outcomes counts for each.
    """

    operator: str
    city: str
    warned: int
    corrected: int
    outcomes: Mapping[CallOutcome, int]


class VictimQueries:
    """Reads victims for people. Each method raises PermissionDenied."""

    def __init__(self, search: VictimSearch) -> None:
        self._store, self._trail, self._terms = search.store, search.trail, search.terms

    def page(
        self,
        which: VictimFilter,
        reader: Reader,
        now: datetime,
        after: str | None = None,
        limit: int = 50,
    ) -> VictimPage:
        """Return a page of victims, the most endangered first. `after`: `following` of the page before."""
        authorize_lookup(reader, Permission.READ_VICTIMS)
        where = [*_asked(which), *places_in(reader.person, victims.c.operator, victims.c.city)]
        limit = max(1, min(limit, MOST))
        query = select(victims).where(*where).order_by(victims.c.points.desc(), victims.c.id).limit(limit + 1)
        if after:
            points, _, number = after.partition("-")
            behind = and_(victims.c.points == int(points), victims.c.id > number)
            query = query.where(or_(victims.c.points < int(points), behind))
        told = {"states": [one.value for one in which.states], "unmasked": reader.unmasked}
        self._tell(reader, now, "victims.list", "victims", told)
        with self._store.reading() as connection:
            rows = connection.execute(query).all()
            total = connection.execute(select(func.count()).select_from(victims).where(*where)).scalar_one()
        found = [shown(row, Sight(reader.unmasked)) for row in rows[:limit]]
        following = f"{found[-1].points}-{found[-1].id}" if len(rows) > limit else None
        return VictimPage(found, total, following)

    def victim(self, number: str, reader: Reader, now: datetime) -> VictimFile:
        """Return everything about one victim. UnknownVictim."""
        authorize_lookup(reader, Permission.READ_VICTIMS)
        with self._store.reading() as connection:
            row_of(connection, number, reader.person)
        self._tell(reader, now, "victims.show", number, {"unmasked": reader.unmasked})
        with self._store.reading() as connection:
            row = row_of(connection, number, reader.person)
            return self.file(connection, row, Sight(reader.unmasked))

    def file(self, connection: Connection, row: Row[Any], sight: Sight) -> VictimFile:
        """Everything about the victim of this row; the caller has told the trail."""
        contacts = _contacts(connection, row.id, sight)
        named = standing_card(connection, row.id)
        card, kind = named or ("", "")
        operator = self._terms.orders.operator
        text = text_to_read(operator, card, kind, confirmed=named is not None)
        return VictimFile(
            shown(row, sight), contacts, _messages(connection, row.id), _outcomes(connection, row.id), text
        )

    def figures(self, by: Person, since: datetime, until: datetime) -> Sequence[VictimFigures]:
        """Counts from `since` until before `until` by operator and city of the victims, within the reader's scope."""
        authorize(by, Permission.READ_FIGURES)
        with self._store.reading() as connection:
            return figures_of(connection, by, bounded(since), bounded(until))

    def _tell(
        self, reader: Reader, now: datetime, what: str, subject: str, told: Mapping[str, object]
    ) -> None:
        entry = AuditEntry(now, reader.person, what, subject, reader.why.strip(), after=told)
        self._store.transact(lambda connection: self._trail.append(connection, [entry]))


def row_of(connection: Connection, number: str, person: Person, *, lock: bool = False) -> Row[Any]:
    """The row of a victim. UnknownVictim: there is none, or it is outside the person's scope."""
    inside = places_in(person, victims.c.operator, victims.c.city)
    query = select(victims).where(victims.c.id == number, *inside)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise UnknownVictim(f"no victim {number[:20]!r} that you may see; `duanka victims list` names them")
    return row


def shown(row: Row[Any], sight: Sight) -> VictimShown:
    """A victim from its row, as a reader may see it."""
    reasons = [Reason(DangerSign(sign), figure, points) for sign, figure, points in json.loads(row.signs)]
    return VictimShown(
        id=row.id,
        number=sight.number(row.number),
        origin=VictimOrigin(row.origin),
        operator=row.operator,
        city=row.city,
        age_band=row.age_band,
        fraud_kind=row.fraud_kind,
        points=row.points,
        reasons=in_words(reasons),
        last_contact=row.last_contact,
        found_at=row.found_at,
        updated_at=row.updated_at,
        call_state=CallState(row.call_state),
        claimed_by=row.claimed_by,
        not_reached=row.not_reached,
        outcome=CallOutcome(row.outcome) if row.outcome else None,
        outcome_at=row.outcome_at,
    )


def _asked(which: VictimFilter) -> list[ColumnElement[bool]]:
    found = list[ColumnElement[bool]]()
    if which.states:
        found.append(victims.c.call_state.in_([one.value for one in which.states]))
    if which.outcomes:
        found.append(victims.c.outcome.in_([one.value for one in which.outcomes]))
    if which.since:
        found.append(victims.c.updated_at >= bounded(which.since))
    if which.until:
        found.append(victims.c.updated_at < bounded(which.until))
    return found


def _contacts(connection: Connection, number: str, sight: Sight) -> list[ContactOfVictim]:
    joined = victim_contacts.outerjoin(confirmations, confirmations.c.id == victim_contacts.c.confirmation_id)
    another = confirmations.alias()
    stands = exists().where(another.c.card == victim_contacts.c.card, another.c.withdrawn_at.is_(None))
    query = (
        select(victim_contacts, confirmations.c.case_number, stands.label("stands"))
        .select_from(joined)
        .where(victim_contacts.c.victim_id == number)
        .order_by(victim_contacts.c.seconds.desc(), victim_contacts.c.card)
    )
    return [
        ContactOfVictim(
            card=sight.number(row.card),
            case_number=row.case_number or "",
            stands=bool(row.stands),
            calls=row.calls,
            answered=row.answered,
            seconds=row.seconds,
            longest=row.longest,
            messages=row.messages,
            first_at=row.first_at,
            last_at=row.last_at,
        )
        for row in connection.execute(query)
    ]


def _messages(connection: Connection, number: str) -> list[MessageToVictim]:
    mine = victim_messages.c.victim_id == number
    return [
        MessageToVictim(
            kind=MessageKind(row.kind),
            body=row.body,
            created_at=row.created_at,
            sent_at=row.sent_at,
            outcome=MessageOutcome(row.outcome or MessageOutcome.WAITING),
            receipt_at=row.receipt_at,
        )
        for row in connection.execute(select(victim_messages).where(mine).order_by(victim_messages.c.id))
    ]


def _outcomes(connection: Connection, number: str) -> list[OutcomeOfCall]:
    mine = victim_outcomes.c.victim_id == number
    return [
        OutcomeOfCall(row.at, row.who, CallOutcome(row.outcome), row.note)
        for row in connection.execute(select(victim_outcomes).where(mine).order_by(victim_outcomes.c.id))
    ]


def figures_of(
    connection: Connection, by: Person, since: datetime, until: datetime
) -> Sequence[VictimFigures]:
    """Counts of a period by operator and city, within the scope of `by`; for the figures of the installation."""
    sent = victim_messages.c
    kept = forgotten_warnings.c
    counted = defaultdict[tuple[str, str], dict[str, int]](lambda: defaultdict(int))
    queries = (
        select(sent.operator, sent.city, sent.kind, func.count(sent.victim_id.distinct()))
        .where(
            sent.sent_at >= since,
            sent.sent_at < until,
            sent.outcome.in_(WARNED),
            *places_in(by, sent.operator, sent.city),
        )
        .group_by(sent.operator, sent.city, sent.kind),
        select(kept.operator, kept.city, kept.kind, func.sum(kept.count))
        .where(
            kept.hour >= since,
            kept.hour < until,
            kept.outcome.in_(WARNED),
            *places_in(by, kept.operator, kept.city),
        )
        .group_by(kept.operator, kept.city, kept.kind),
        _outcomes_of(by, since, until),
    )
    for query in queries:
        for operator, city, what, count in connection.execute(query):
            counted[operator, city][what] += int(count)
    return [
        VictimFigures(
            operator,
            city,
            counts.get(MessageKind.WARNING.value, 0),
            counts.get(MessageKind.CORRECTION.value, 0),
            {outcome: counts.get(outcome.value, 0) for outcome in CallOutcome},
        )
        for (operator, city), counts in sorted(counted.items())
    ]


def _outcomes_of(by: Person, since: datetime, until: datetime) -> Any:
    """Victims by the outcomes of their calls in the period."""
    own = victim_outcomes.c
    return (
        select(own.operator, own.city, own.outcome, func.count(own.victim_id.distinct()))
        .where(own.at >= since, own.at < until, *places_in(by, own.operator, own.city))
        .group_by(own.operator, own.city, own.outcome)
    )
