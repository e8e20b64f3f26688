"""Calls to victims: one person claims one, reads out the text, and records what came of it.

A claim lasts for `[victims] claim_minutes`; then somebody else may take it. Who was not reached several times is
escalated: an alarm names the id, and a person who can do more than call takes it by that id.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select, update

from duanka.casework.victims.queries import VictimFile, VictimQueries, VictimShown, row_of, shown
from duanka.casework.victims.searching import VictimSearch
from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import given_reason
from duanka.domain.order import Person
from duanka.domain.victims import CallOutcome, CallState, VictimsRefused
from duanka.ledger.audit.trail import AuditEntry
from duanka.ledger.db.bulk import put_rows
from duanka.ledger.db.casework.victims import victim_outcomes, victims
from duanka.ledger.lookups import Sight
from duanka.ledger.people.places import places_in

_OPEN = (CallState.WAITING.value, CallState.CLAIMED.value, CallState.ESCALATED.value)
_ALARM = "victims not reached"
Alarm = Callable[[str, datetime, str], None]  # source, time, detail


class VictimCalls:
    """The worklist of calls. Each method raises PermissionDenied, UnknownVictim and VictimsRefused.

    `alarm`: raises an alarm unless it is open.
    """

    def __init__(self, search: VictimSearch, queries: VictimQueries, alarm: Alarm) -> None:
        self._store, self._trail, self._policy = search.store, search.trail, search.terms.policy
        self._queries, self._alarm = queries, alarm

    def claim(self, number: str | None, by: Person, why: str, now: datetime) -> VictimFile:
        """Claim a victim, or the most endangered one that waits; return all about them, the number in full."""
        authorize(by, Permission.CALL_VICTIMS)
        authorize(by, Permission.UNMASK)
        why = given_reason(why)

        def work(connection: Connection) -> VictimFile:
            row = row_of(connection, number, by, lock=True) if number else self._next(connection, by, now)
            if row.call_state not in _OPEN:
                raise VictimsRefused(
                    f"{row.id} waits for no call: it is {CallState(row.call_state).words.en};"
                    " `duanka victims show` says why"
                )
            if row.claimed_by not in (None, by.id) and row.claimed_until >= now:
                raise VictimsRefused(f"{row.id} is being called by {row.claimed_by}; take another one")
            until = now + timedelta(minutes=self._policy.claim_minutes)
            values = {
                "call_state": CallState.CLAIMED.value,
                "claimed_by": by.id,
                "claimed_until": until,
                "updated_at": now,
            }
            connection.execute(update(victims).where(victims.c.id == row.id).values(values))
            entry = AuditEntry(now, by, "victims.call", row.id, why, after={"unmasked": True})
            self._trail.append(connection, [entry])
            return self._queries.file(connection, row_of(connection, row.id, by), Sight(True))

        return self._store.transact(work)

    def release(self, number: str, by: Person, why: str, now: datetime) -> VictimShown:
        """Give a claimed victim back; again gives the state."""
        authorize(by, Permission.CALL_VICTIMS)
        why = given_reason(why)

        def work(connection: Connection) -> VictimShown:
            row = row_of(connection, number, by, lock=True)
            if row.call_state == CallState.CLAIMED and row.claimed_by == by.id:
                self._change(connection, row, {"call_state": self._waits(row.not_reached).value}, now)
                self._trail.append(connection, [AuditEntry(now, by, "victims.release", number, why)])
            return shown(row_of(connection, number, by), Sight(False))

        return self._store.transact(work)

    def record(self, number: str, outcome: CallOutcome, note: str, by: Person, now: datetime) -> VictimShown:
        """Record what came of a call that `by` claimed; the same once more gives the state."""
        authorize(by, Permission.CALL_VICTIMS)
        note = given_reason(note)

        def work(connection: Connection) -> tuple[VictimShown, bool]:
            row = row_of(connection, number, by, lock=True)
            if row.claimed_by != by.id or row.call_state != CallState.CLAIMED:
                if row.call_state != CallState.CLAIMED and self._said_last(connection, row, outcome, by):
                    return shown(row, Sight(False)), False
                raise VictimsRefused(
                    f"{row.id} is not claimed by {by.id}: `duanka victims claim {row.id}` first, so that nobody is"
                    " called by two people"
                )
            missed = outcome is CallOutcome.NOT_REACHED
            tries = row.not_reached + missed
            state = self._waits(tries) if missed else CallState.DONE
            values = {
                "call_state": state.value,
                "not_reached": tries,
                "outcome": outcome.value,
                "outcome_at": now,
            }
            self._change(connection, row, values, now)
            told = {"outcome": outcome.value, "state": state.value}
            put_rows(connection, victim_outcomes, [_outcome(row, outcome, note, by, now)])
            self._trail.append(connection, [AuditEntry(now, by, "victims.outcome", number, note, after=told)])
            return shown(row_of(connection, number, by), Sight(False)), state is CallState.ESCALATED

        found, escalated = self._store.transact(work)
        if escalated:
            detail = (
                f"受害人{number}多次未联系上，请派人上门或转公安机关 / victim {number} was not reached"
                f" {found.not_reached} times: have somebody visit, or tell the police"
            )
            self._alarm(_ALARM, now, detail)
        return found

    def _next(self, connection: Connection, by: Person, now: datetime) -> Row[Any]:
        """The most endangered victim whom nobody calls; escalated ones are taken by their id."""
        lapsed = and_(victims.c.call_state == CallState.CLAIMED.value, victims.c.claimed_until < now)
        query = (
            select(victims)
            .where(
                or_(victims.c.call_state == CallState.WAITING.value, lapsed),
                *places_in(by, victims.c.operator, victims.c.city),
            )
            .order_by(victims.c.points.desc(), victims.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        row = connection.execute(query).first()
        if row is None:
            raise VictimsRefused(
                "nobody waits for a call; `duanka victims worklist` shows who is being called"
            )
        return row

    def _waits(self, not_reached: int) -> CallState:
        return CallState.ESCALATED if not_reached >= self._policy.escalate_after else CallState.WAITING

    @staticmethod
    def _change(connection: Connection, row: Row[Any], values: dict[str, object], now: datetime) -> None:
        free = {"claimed_by": None, "claimed_until": None, "updated_at": now}
        connection.execute(update(victims).where(victims.c.id == row.id).values(free | values))

    @staticmethod
    def _said_last(connection: Connection, row: Row[Any], outcome: CallOutcome, by: Person) -> bool:
        """Whether the last outcome is this one, by this person."""
        mine = victim_outcomes.c.victim_id == row.id
        query = select(victim_outcomes.c.who, victim_outcomes.c.outcome).where(mine)
        last = connection.execute(query.order_by(victim_outcomes.c.id.desc()).limit(1)).first()
        return last is not None and (last.who, last.outcome) == (by.id, outcome.value)


def _outcome(row: Row[Any], outcome: CallOutcome, note: str, by: Person, now: datetime) -> dict[str, object]:
    return {
        "victim_id": row.id,
        "at": now,
        "who": by.id,
        "outcome": outcome.value,
        "note": note,
        "operator": row.operator,
        "city": row.city,
    }
