"""Lookups of rings for people: who may, on what basis, and in the trail before anything is grown.

Command line and API ask here, so that both refuse, mask and write down alike. Two entries of the audit trail tell a
lookup: one before it, which stays if it fails, and one with its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy import select

from duanka.domain.authority import Permission, authorize, may
from duanka.domain.order import PermissionDenied, Person
from duanka.domain.ring_lookups import Answer_co, RingAnswer, RingSource, RingTable, SeedName, Table_co
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.bulk import among
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import orders
from duanka.ledger.lookups import LookupContext, authorize_lookup, check_basis, tell_rows

_Answer = TypeVar("_Answer", bound=RingAnswer)
_Table = TypeVar("_Table", bound=RingTable)


@dataclass(frozen=True)
class PicturedRing(Generic[Answer_co]):
    """A ring, masked or in full, and per card the order by which people open it, the latest one; empty: it has none."""

    ring: Answer_co
    orders: Sequence[str]


class RingQueries(Generic[Answer_co, Table_co]):
    """Looks rings up for people. `source`: opens the graph; LookupRefused: there is none, or it is not attached."""

    def __init__(
        self, store: Store, trail: Trail, source: Callable[[], RingSource[Answer_co, Table_co]]
    ) -> None:
        self._store, self._trail, self._source = store, trail, source

    def at(self, source: Callable[[], RingSource[_Answer, _Table]]) -> RingQueries[_Answer, _Table]:
        """The same in another graph."""
        return RingQueries(self._store, self._trail, source)

    def rings(self, by: Person) -> Table_co:
        """The communities worth a look: counts and cities, and no card."""
        authorize(by, Permission.READ_RINGS)
        return self._source().rings()

    def outlets(self, by: Person) -> Table_co:
        """Outlets against their peers: counts, and no card."""
        authorize(by, Permission.READ_RINGS)
        return self._source().outlets()

    def devices(self, by: Person) -> Table_co:
        """Devices that are no ordinary phones, their numbers masked: counts, and no card."""
        authorize(by, Permission.READ_RINGS)
        return self._source().devices().masked()

    def around(self, named: SeedName, reader: LookupContext, now: datetime) -> Answer_co:
        """The ring behind a device, a card, an outlet or a ring, masked unless `reader` asks for it in full.

        The trail has who, why and the seed before anything is grown. A ring crosses operators and cities, so who works
        for some of them alone may not. UnknownOrder; LookupRefused: no graph, the order is of another card;
        PermissionDenied; and what `RingSource.around` raises.
        """
        found = self.in_full(named, reader, now)
        return found if reader.unmasked else found.masked()

    def pictured(self, named: SeedName, reader: LookupContext, now: datetime) -> PicturedRing[Answer_co]:
        """As `around`, with the orders of its cards for who may read them, by which a person opens a card."""
        found = self.in_full(named, reader, now)
        numbers = [str(row["card"]) for row in found.cards.page(0, found.cards.rows)]
        latest = self._latest_orders(numbers) if may(reader.person.role, Permission.READ_ORDER) else {}
        shown = found if reader.unmasked else found.masked()
        return PicturedRing(shown, [latest.get(number, "") for number in numbers])

    def _latest_orders(self, numbers: Sequence[str]) -> dict[str, str]:
        columns = select(orders.c.card, orders.c.id).order_by(orders.c.opened_at, orders.c.id)
        with self._store.reading() as connection:
            rows = connection.execute(columns.where(among(connection, orders.c.card, numbers)))
            return {row.card: row.id for row in rows}  # of several the latest

    def in_full(self, named: SeedName, reader: LookupContext, now: datetime) -> Answer_co:
        """As `around`, for what the program itself does with the cards: nothing of it may be shown."""
        authorize_lookup(reader, Permission.LOOK_UP_CONTACTS)
        if not reader.person.scope.everywhere:
            raise PermissionDenied(
                "a ring crosses operators and cities: only who works for all of them may look one up"
            )
        source = self._source()
        for mark in named.marks:
            from_here = replace(named, marks=())
            self._tell(from_here, from_here.text[:40], reader, now)
            named = source.around(from_here).seed_at(mark)
        named = replace(named, marks=())
        subject = named.text[:40]
        self._tell(named, subject, reader, now)
        found = source.around(named)
        tell_rows(self._store, self._trail, reader, now, subject, found.cards.rows)
        return found

    def _tell(self, named: SeedName, subject: str, reader: LookupContext, now: datetime) -> None:
        """Check the order, and append the entry; committed before anything is grown."""
        entry = AuditEntry(
            now,
            reader.person,
            "lookup.ring",
            subject,
            f"{reader.basis.number} · {reader.why.strip()}",
            after={"basis": reader.basis.kind.value, "seed": named.kind, "unmasked": reader.unmasked},
        )
        with self._store.writing() as connection:
            check_basis(connection, reader, named.text if named.kind == "card" else None)
            self._trail.append(connection, [entry])
