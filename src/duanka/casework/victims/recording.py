"""What a search found goes into the order database: victims, their contacts, and the warnings that wait.

A person has one row however often they are found, and one warning a local day however many confirmations: unique
constraints hold both, whichever worker or person comes first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, delete, or_, select
from sqlalchemy.exc import IntegrityError, OperationalError

from duanka.casework.victims.confirmed import Standing, kinds_of, still_standing
from duanka.casework.victims.ranking import Danger, is_service
from duanka.casework.victims.texts import warning_text
from duanka.casework.victims.watches import adopt
from duanka.domain.local_time import OperatorZone
from duanka.domain.network import NetworkState
from duanka.domain.order import State
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.phone_number import parse
from duanka.domain.victim_policy import VictimPolicy
from duanka.domain.victims import CallState, MessageKind, MessageOutcome, PartyContact, Reason, VictimOrigin
from duanka.ledger.db.bulk import among, in_parts, put_rows, update_rows, upsert
from duanka.ledger.db.casework.victims import (
    victim_contacts,
    victim_messages,
    victims,
    warning_grounds,
)
from duanka.ledger.db.database import Store
from duanka.ledger.db.rows import new_id
from duanka.ledger.db.tables import cards

AT_ONCE = 500  # persons of one transaction
_BEGIN_AGAIN = (OperationalError, IntegrityError)
_LETTER = "W"  # of a victim's id
_NEVER_CALLED = frozenset({CallState.NONE.value, CallState.DONE.value})
_RENEWED = (
    *("origin", "operator", "city", "age_band", "fraud_kind", "points", "signs"),
    *("last_contact", "updated_at", "call_state"),
)


@dataclass(frozen=True)
class BookTerms:
    """What every record of victims needs. `zone`: of the store's times."""

    policy: VictimPolicy
    orders: OrderPolicy
    zone: OperatorZone

    def aware(self, at: datetime) -> datetime:
        """A time of the store with its offset."""
        return at.replace(tzinfo=self.zone.info)


def in_turns(
    store: Store, found: Sequence[Danger], work: Callable[[Connection, Sequence[Danger]], int]
) -> int:
    """Do `work` for `AT_ONCE` persons in a transaction of their own; return the sum of what it returns.

    If another worker was quicker with one of them, the transaction begins again.
    """
    return sum(
        store.transact(partial(_in_turn, work, some), again=_BEGIN_AGAIN) for some in in_parts(found, AT_ONCE)
    )


def _in_turn(
    work: Callable[[Connection, Sequence[Danger]], int], some: Sequence[Danger], connection: Connection
) -> int:
    return work(connection, some)


def record_and_queue(
    connection: Connection, found: Sequence[Danger], confirmed: Standing, terms: BookTerms, now: datetime
) -> int:
    """Store victims and queue their warnings, as far as the confirmations still stand; return the new warnings.

    The search took its time: what was withdrawn meanwhile carries nothing, and a withdrawal waits for this transaction.
    """
    still = still_standing(connection, confirmed)
    mine = [one for one in found if any(contact.card in still for contact in one.party.contacts)]
    ids = record(connection, mine, still, terms, now)
    return queue_warnings(connection, mine, ids, still, terms, now)


def record(
    connection: Connection,
    found: Sequence[Danger],
    confirmed: Standing,
    terms: BookTerms,
    now: datetime,
    origin: VictimOrigin = VictimOrigin.CONFIRMED,
) -> Mapping[str, str]:
    """Store victims with their contacts; return number -> id.

    IntegrityError: another worker was quicker with one of them; begin the transaction again.
    """
    numbers = [one.party.number for one in found]
    there = {
        row.number: row
        for row in connection.execute(
            select(victims).where(among(connection, victims.c.number, numbers)).with_for_update()
        )
    }
    new, renewed = list[dict[str, object]](), list[dict[str, object]]()
    ids = dict[str, str]()
    for danger in found:
        row, number = there.get(danger.party.number), danger.party.number
        ids[number] = row.id if row else new_id(_LETTER)
        facts = _facts(danger, terms, now, origin, row)
        if row:
            renewed.append({"id": row.id, **facts})
        else:
            new.append({"id": ids[number], "number": number, "found_at": now, **facts})
    put_rows(connection, victims, new)
    update_rows(connection, victims, "id", _RENEWED, renewed)
    _put_contacts(connection, found, ids, confirmed, terms)
    return ids


def _facts(
    danger: Danger, terms: BookTerms, now: datetime, origin: VictimOrigin, row: Any
) -> dict[str, object]:
    party = danger.party
    last = terms.aware(party.last)
    confirmed = origin is VictimOrigin.CONFIRMED or (row is not None and row.origin == VictimOrigin.CONFIRMED)
    return {
        "origin": (VictimOrigin.CONFIRMED if confirmed else origin).value,
        "operator": party.operator[:40],
        "city": party.city[:40],
        "age_band": party.age_band[:24],
        "fraud_kind": danger.fraud_kind[:24],
        "points": danger.points,
        "signs": encoded(danger.reasons),
        "last_contact": last,
        "updated_at": now,
        "call_state": _call_state(danger, row, last, terms.policy, origin),
    }


def _call_state(danger: Danger, row: Any, last: datetime, policy: VictimPolicy, origin: VictimOrigin) -> str:
    """Whether the person waits for a call: who was called and is contacted again waits once more."""
    before = row.call_state if row else CallState.NONE.value
    called = origin is VictimOrigin.APPROVED or danger.points >= policy.call_points
    again = row is None or row.outcome_at is None or last > row.outcome_at
    if before in _NEVER_CALLED and called and again:
        return CallState.WAITING.value
    return str(before)


def _put_contacts(
    connection: Connection,
    found: Sequence[Danger],
    ids: Mapping[str, str],
    confirmed: Standing,
    terms: BookTerms,
) -> None:
    rows = [
        _contact(ids[danger.party.number], contact, confirmed, terms)
        for danger in found
        for contact in danger.party.contacts
    ]
    of_victims = among(connection, victim_contacts.c.victim_id, list(ids.values()))
    of_cards = among(connection, victim_contacts.c.card, sorted({str(row["card"]) for row in rows}))
    connection.execute(delete(victim_contacts).where(of_victims, of_cards))
    put_rows(connection, victim_contacts, rows)


def _contact(
    victim_id: str, contact: PartyContact, confirmed: Standing, terms: BookTerms
) -> dict[str, object]:
    those = confirmed.get(contact.card, ())
    return {
        "victim_id": victim_id,
        "card": contact.card,
        "confirmation_id": those[0].id if those else None,
        "calls": contact.calls_out + contact.calls_in,
        "answered": contact.answered,
        "seconds": contact.seconds,
        "longest": contact.longest,
        "messages": contact.messages_out + contact.messages_in,
        "first_at": terms.aware(contact.first),
        "last_at": terms.aware(contact.last),
    }


def encoded(reasons: Sequence[Reason]) -> str:
    """Reasons as stored text."""
    return json.dumps([[one.sign.value, one.figure, one.points] for one in reasons])


def queue_warnings(
    connection: Connection,
    found: Sequence[Danger],
    ids: Mapping[str, str],
    confirmed: Standing,
    terms: BookTerms,
    now: datetime,
) -> int:
    """Queue a warning to each of `found` that a standing confirmation carries; return how many are new.

    Nobody is warned twice on a local day, nor again on the same confirmations without a new contact.
    """
    day = terms.orders.local_time.local(now).date().isoformat()
    rows, grounds = list[dict[str, object]](), dict[str, list[int]]()
    stopped = without_service(connection, [one.party.number for one in found])
    before = _warned_before(connection, [one.party.number for one in found])
    kinds = kinds_of(confirmed)
    for danger in found:
        number = danger.party.number
        carried = [one for one in danger.party.contacts if one.card in confirmed]
        if not carried or number in stopped or not _can_be_sent(number, terms.orders):
            continue
        mine = [each.id for one in carried for each in confirmed[one.card]]
        if (earlier := before.get(number)) and earlier.covers(mine, terms.aware(danger.party.last)):
            continue
        grounds[number] = mine
        card = max(carried, key=lambda one: (one.seconds, one.answered, one.card)).card
        rows.append(
            {
                "victim_id": ids[number],
                "number": number,
                "kind": MessageKind.WARNING.value,
                "occasion": day,
                "card": card,
                "body": warning_text(terms.orders.operator, card, kinds.get(card, "")),
                "operator": danger.party.operator[:40],
                "city": danger.party.city[:40],
                "created_at": now,
                "next_try_at": now,
            }
        )
    return _insert(connection, rows, grounds, day)


def _insert(
    connection: Connection, rows: Sequence[Mapping[str, object]], grounds: Mapping[str, list[int]], day: str
) -> int:
    """Insert warnings that are not there yet, and on what they rest, also of those of today that are."""
    if not rows:
        return 0
    mine = (
        among(connection, victim_messages.c.number, list(grounds)),
        victim_messages.c.kind == MessageKind.WARNING.value,
        victim_messages.c.occasion == day,
        victim_messages.c.corrected_by.is_(None),
    )
    asked = select(victim_messages.c.id, victim_messages.c.number).where(*mine)
    there = {row.number for row in connection.execute(asked)}
    connection.execute(upsert(connection, victim_messages).on_conflict_do_nothing(), list(rows))
    resting = [
        {"message_id": row.id, "confirmation_id": number}
        for row in connection.execute(asked.order_by(victim_messages.c.id).with_for_update())
        for number in grounds[row.number]
    ]
    watched = sorted({int(str(one["confirmation_id"])) for one in resting})
    if resting:
        connection.execute(upsert(connection, warning_grounds).on_conflict_do_nothing(), resting)
        adopt(connection, watched)
    return len(grounds.keys() - there)


@dataclass
class _Earlier:
    """Warnings of one person that stand: the last one, and the confirmations they rest on."""

    last: datetime
    grounds: set[int]

    def covers(self, confirmations: Sequence[int], last_contact: datetime) -> bool:
        """Whether the person was told already: of these confirmations, and after the last contact."""
        return self.grounds.issuperset(confirmations) and last_contact <= self.last


def _warned_before(connection: Connection, numbers: Sequence[str]) -> Mapping[str, _Earlier]:
    rows = connection.execute(
        select(victim_messages.c.number, victim_messages.c.created_at, warning_grounds.c.confirmation_id)
        .join(warning_grounds, warning_grounds.c.message_id == victim_messages.c.id)
        .where(
            among(connection, victim_messages.c.number, numbers),
            victim_messages.c.kind == MessageKind.WARNING.value,
            victim_messages.c.corrected_by.is_(None),
            or_(
                victim_messages.c.outcome.is_(None),
                victim_messages.c.outcome != MessageOutcome.WITHDRAWN.value,
            ),
        )
    )
    found = dict[str, _Earlier]()
    for number, at, confirmation in rows:
        earlier = found.setdefault(number, _Earlier(at, set()))
        earlier.last = max(earlier.last, at)
        earlier.grounds.add(confirmation)
    return found


def without_service(connection: Connection, numbers: Sequence[str]) -> frozenset[str]:
    """Which of these cards are suspended or cancelled: they receive nothing."""
    off = or_(cards.c.wanted == NetworkState.SUSPENDED.value, cards.c.state == State.CANCELLED.value)
    mine = among(connection, cards.c.card, numbers)
    return frozenset(connection.execute(select(cards.c.card).where(mine, off)).scalars())


def _can_be_sent(number: str, orders: OrderPolicy) -> bool:
    """Whether it is a telephone that gets messages: no pseudonym, no service, nothing protected."""
    return parse(number) == number and not is_service(number) and not orders.protects(number)
