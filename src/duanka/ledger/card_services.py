"""What cards could use in the home register before a lifeline or a stop took part of it away.

The register itself does not keep it. All workers share it, for each of them may give a card back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import delete, select

from duanka.domain.network import Services, ServicesBefore
from duanka.ledger.db.bulk import among, upsert
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables_installation import card_services


class CardServices(ServicesBefore):
    """ServicesBefore in the order database; each call is a transaction of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, services: Mapping[str, Services]) -> None:
        """Store the services of cards for which none are stored; durable on return."""
        rows = [{"card": card, "cs": int(cs), "ps": int(ps)} for card, (cs, ps) in services.items()]
        if rows:
            self._store.transact(
                lambda connection: connection.execute(
                    upsert(connection, card_services).values(rows).on_conflict_do_nothing()
                )
            )

    def among(self, cards: Collection[str]) -> dict[str, Services]:
        """Return the stored services of those `cards` that have any."""
        if not cards:
            return {}
        with self._store.reading() as connection:
            listed = select(card_services).where(among(connection, card_services.c.card, cards))
            return {row.card: (bool(row.cs), bool(row.ps)) for row in connection.execute(listed)}

    def forget(self, cards: Collection[str]) -> None:
        """Remove the entries of cards whose services were given back."""
        if cards:
            self._store.transact(
                lambda connection: connection.execute(
                    delete(card_services).where(among(connection, card_services.c.card, cards))
                )
            )
