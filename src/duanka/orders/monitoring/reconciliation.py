"""Reconciliation: compares the order database with an element and repairs drifts.

A card differs if the element, asked about this card, reports another state than `shows(wanted)`, no outbox
row of the card is pending, and its order has been in force for a few seconds. A repair is an outbox row whose
step is the negative number of its drift: it belongs to the order, cannot collide with a step of the order,
and leaves order and notices unchanged. The audit trail records it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from duanka.domain.network import Element, KeptList, ListOrigin, NetworkState, UnknownCard
from duanka.domain.order import SYSTEM
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.bulk import in_parts
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import cards, drifts, outbox
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.monitoring.isolation import is_outage
from duanka.ledger.unit_of_work.network_elements import changes_allowed, use_allowance

_SLICE_CARDS = 500
_COMPARED = BilingualText("网络比对中的号码，工单", "in the comparison with the network, the card of order")
_IN_FORCE_FOR = timedelta(seconds=5)
_NOBODY = "-"  # order id of a card without an order


@dataclass(frozen=True)
class Reconciled:
    """Result of a comparison. `foreign`: restricted in the network without an order."""

    compared: int
    drifted: int
    repairing: int
    foreign: int


@dataclass(frozen=True)
class _Card:
    card: str
    wanted: NetworkState
    order_id: str
    since: datetime


@dataclass(frozen=True)
class _Drift:
    known: _Card
    found: NetworkState
    repair: bool


@dataclass(frozen=True)
class ChangeLimit:
    """Limit of cards that one comparison may change.

    `percent` of the restricted cards, at least `least`. More differences point to an outdated database, a
    replaced element or a defect rather than to a network that lost its state: a person must look first.
    """

    percent: float = 1.0
    least: int = 20

    def most(self, restricted: int) -> int:
        """Return the limit in cards, given the number of restricted ones."""
        return max(self.least, math.ceil(restricted * self.percent / 100))


class Reconciling:
    """Compares one element with the order database.

    `element`: an adapter used only here, so that orders do not wait for it. Restricted cards without an order
    are only reported, because the operator may have other reasons.
    """

    def __init__(
        self,
        store: Store,
        trail: Trail,
        element: Element,
        *,
        alarms: AlarmService | None = None,
        limit: ChangeLimit | None = None,
    ) -> None:
        """`alarms`: told of cards that cannot be compared, and of too many differences."""
        self.name = element.name
        self._limit = limit or ChangeLimit()
        self._alarm_source = f"compare {element.name}"
        self._alarms = alarms or AlarmService(store)
        # card -> its order, and why it cannot be compared
        self._spoilt: dict[str, tuple[str, Exception]] = {}
        self._store, self._trail, self._element = store, trail, element
        self._unlike: set[str] = set()  # cards that differed in this comparison

    def compare(self, now: datetime) -> Reconciled:
        """Compare every card restricted on either side. NetworkError: no answer."""
        self._unlike.clear()
        self._spoilt.clear()
        unconfirmed = self._unconfirmed()
        found = dict(self._element.restricted())
        differ: list[_Drift] = []
        restricted = 0
        for some in self._wanted():
            restricted += len(some)
            differ += self._slice(some, found, now)
            for known in some:
                found.pop(known.card, None)
        compared, foreign = restricted, 0
        for names in in_parts(sorted(found), _SLICE_CARDS):
            free = self._known(names)
            differ += self._slice(free, found, now)
            strange = sorted(set(names) - {known.card for known in free} - self._spoilt.keys())
            foreign += len(strange)
            nobody = [_Card(card, NetworkState.ACTIVE, _NOBODY, now - _IN_FORCE_FOR) for card in strange]
            differ += self._strangers(nobody, found, now)
            compared += len(names)
        repairing = self._mend(differ, self._limit.most(restricted), now)
        self._over(now)
        for order_id, error in self._spoilt.values():
            self._alarms.set_aside(_COMPARED, order_id, error, now)
        if unconfirmed and not differ and not self._spoilt:
            unconfirmed.confirm_list()
        return Reconciled(compared, len(differ), repairing, foreign)

    def close(self) -> None:
        """Close the connection."""
        self._element.close()

    def _unconfirmed(self) -> KeptList | None:
        """Return the element if its list is a copy or began empty, still unconfirmed."""
        if isinstance(self._element, KeptList) and self._element.list_origin() is not ListOrigin.FILE:
            return self._element
        return None

    # --- wanted state ---

    def _wanted(self) -> Iterator[list[_Card]]:
        """Yield slices of the restricted cards, each read in one transaction."""
        after = ""
        while True:
            some = (
                select(cards)
                .where(cards.c.wanted != NetworkState.ACTIVE.value, cards.c.card > after)
                .order_by(cards.c.card)
                .limit(_SLICE_CARDS)
            )
            with self._store.reading() as connection:
                rows = connection.execute(some).all()
            if not rows:
                return
            yield self._cards(rows)
            after = rows[-1].card

    def _known(self, names: Collection[str]) -> list[_Card]:
        with self._store.reading() as connection:
            return self._cards(connection.execute(select(cards).where(cards.c.card.in_(names))).all())

    def _cards(self, rows: Iterable[Any]) -> list[_Card]:
        """Parse the cards of rows; an unreadable one is set aside and never repaired."""
        found = []
        for row in rows:
            try:
                found.append(_card(row))
            except ValueError as error:
                self._spoilt[row.card] = row.order_id, error
        return found

    # --- drifts ---

    def _slice(self, some: Iterable[_Card], found: dict[str, NetworkState], now: datetime) -> list[_Drift]:
        """Return the drifts among cards that have an order."""
        unlike = [
            known
            for known in some
            if self._element.shows(known.wanted) is not found.get(known.card, NetworkState.ACTIVE)
        ]
        self._unlike.update(known.card for known in unlike)
        suspects = [known for known in unlike if not now - _IN_FORCE_FOR < known.since <= now]
        if not suspects:
            return []
        with self._store.reading() as connection:
            waiting = _waiting(connection, self.name, [known.card for known in suspects])
        differ = []
        for known in suspects:
            if known.card in waiting:
                continue
            state = self._asked(known)
            if state is not None:
                differ.append(_Drift(known, state, repair=True))
        return differ

    def _strangers(
        self, some: Collection[_Card], found: dict[str, NetworkState], now: datetime
    ) -> list[_Drift]:
        """Return the drifts of cards without an order: reported once."""
        self._unlike.update(known.card for known in some)
        reported = self._reported([known.card for known in some])
        return [
            _Drift(known, found[known.card], repair=False)
            for known in some
            if reported.get(known.card) != found[known.card]
        ]

    def _asked(self, known: _Card) -> NetworkState | None:
        """Ask the element about the card; return its state if not as wanted."""
        try:
            state = self._element.state_of(known.card)
        except UnknownCard:
            return None  # reported when its outbox row was tried; there is nothing to repair
        except Exception as error:
            if is_outage(error):
                raise
            self._spoilt[known.card] = known.order_id, error
            return None
        return None if state is self._element.shows(known.wanted) else state

    def _reported(self, names: Collection[str]) -> dict[str, str]:
        """Return the cards among these with an open drift: card -> found state."""
        still = select(drifts.c.card, drifts.c.found).where(
            drifts.c.element == self.name, drifts.c.repaired_at.is_(None), drifts.c.card.in_(names)
        )
        with self._store.reading() as connection:
            return {row.card: row.found for row in connection.execute(still)}

    def _over(self, now: datetime) -> None:
        """Close drifts that no longer exist, whoever repaired them."""
        mine = (drifts.c.element == self.name, drifts.c.repaired_at.is_(None), drifts.c.found_at < now)
        with self._store.reading() as connection:
            rows = connection.execute(select(drifts.c.id, drifts.c.card).where(*mine)).all()
        over = [row.id for row in rows if row.card not in self._unlike]
        for some in in_parts(over, _SLICE_CARDS):
            mended = update(drifts).where(drifts.c.id.in_(some)).values(repaired_at=now)
            self._store.transact(lambda connection, mended=mended: connection.execute(mended))  # type: ignore[misc]

    # --- recording and repairing ---

    def _mend(self, differ: Sequence[_Drift], most: int, now: datetime) -> int:
        """Repair all drifts, or raise an alarm if they exceed `most` and the allowance."""
        wanted = sum(drift.repair for drift in differ)
        with self._store.reading() as connection:
            allowed = changes_allowed(connection, self.name, now)
        held = wanted > max(most, allowed)
        if held:
            zh = f"网元{self.name}比对将改动{wanted}张卡，超过上限{most}，未改动"
            en = (
                f"the comparison with {self.name} wants to change {wanted} cards, more than {most}; nothing was"
                " changed. See `duanka network differences`; a supervisor lets it go on with"
                f" `duanka network allow {self.name} --changes {wanted}`"
            )
            self._alarms.raise_now(self._alarm_source, now, f"{zh} / {en}")
            differ = [replace(drift, repair=False) for drift in differ]
        repairing = sum(self._record(some, now) for some in in_parts(differ, _SLICE_CARDS))
        if not held:
            self._alarms.working(self._alarm_source, now)
        if wanted > most and not held:
            self._store.transact(lambda c: use_allowance(c, self._trail, self.name, repairing, now))
        return repairing

    def _record(self, differ: Sequence[_Drift], now: datetime) -> int:
        """Record drifts, put repairs into the outbox; return how many are repaired."""
        return self._store.transact(lambda connection: self._record_in(connection, differ, now))

    def _record_in(self, connection: Connection, differ: Sequence[_Drift], now: datetime) -> int:
        names = [drift.known.card for drift in differ]
        # An order that moves the card meanwhile waits for this lock, or its change is visible here.
        rows = connection.execute(select(cards).where(cards.c.card.in_(names)).with_for_update()).all()
        stand = {known.card: known for known in self._cards(rows)}
        waiting = _waiting(connection, self.name, names)
        open_drifts = self._open(connection, names)
        entries, tasks = [], []
        for drift in differ:
            known = drift.known
            if known.card in waiting or stand.get(known.card, known) != known:
                continue
            row = {
                "element": self.name,
                "card": known.card,
                "wanted": known.wanted.value,
                "found": drift.found.value,
                "found_at": now,
            }
            number = open_drifts.get((known.card, known.wanted.value, drift.found.value))
            if number is None:
                made = connection.execute(insert(drifts).values(row))
                number = made.inserted_primary_key[0] if made.inserted_primary_key else 0
            if not drift.repair:
                continue
            tasks.append(_task(known, self.name, number, now))
            was, will = {self.name: drift.found.value}, {self.name: known.wanted.value}
            why = f"drift {number}"
            entries.append(AuditEntry(now, SYSTEM, "network.drift", known.order_id, why, was, will))
        if tasks:
            connection.execute(insert(outbox), tasks)
        self._trail.append(connection, entries)
        return len(tasks)

    def _open(self, connection: Connection, names: Collection[str]) -> dict[tuple[str, str, str], int]:
        """Map recorded, open drifts that were never in the outbox to their numbers."""
        tried = (
            select(outbox.c.id).where(outbox.c.step == -drifts.c.id, outbox.c.card == drifts.c.card).exists()
        )
        rows = select(drifts).where(
            drifts.c.element == self.name, drifts.c.repaired_at.is_(None), drifts.c.card.in_(names), ~tried
        )
        return {(row.card, row.wanted, row.found): row.id for row in connection.execute(rows)}


def _task(known: _Card, element: str, drift: int, now: datetime) -> dict[str, object]:
    return {
        "order_id": known.order_id,
        "step": -drift,
        "element": element,
        "card": known.card,
        "wanted": known.wanted.value,
        "created_at": now,
        "next_try_at": now,
    }


def _waiting(connection: Connection, element: str, names: Collection[str]) -> frozenset[str]:
    rows = select(outbox.c.card).where(
        outbox.c.card.in_(names), outbox.c.element == element, outbox.c.done_at.is_(None)
    )
    return frozenset(connection.execute(rows).scalars())


def _card(row: Any) -> _Card:
    return _Card(row.card, NetworkState(row.wanted), row.order_id, row.since)
