"""Locks of a transaction beyond its rows: cards and people, by advisory locks of PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

from sqlalchemy import ARRAY, Connection, Integer, cast, func, select

from duanka.domain.order import Person

_CARD_LOCK_CLASS, _CARD_LOCKS = 20201010, 1024  # PostgreSQL advisory locks: class, number for all cards
_PEOPLE_LOCK_CLASS = 20201011  # advisory lock of people


def lock_cards(connection: Connection, cards: Sequence[str]) -> None:
    """Serialise changes of these cards until the transaction ends.

    Row locks are not enough on PostgreSQL: a waiter sees the locked row as it is now, but not orders of the card
    opened meanwhile. Cards share a fixed number of advisory locks, since a server has few. SQLite has one
    writer at a time.
    """
    if connection.dialect.name == "postgresql":
        shares = sorted({crc32(card.encode(errors="surrogatepass")) % _CARD_LOCKS for card in cards})
        keys = func.unnest(cast(shares, ARRAY(Integer))).column_valued("share")
        connection.execute(select(func.pg_advisory_xact_lock(_CARD_LOCK_CLASS, keys)))


def lock_person(connection: Connection, by: Person) -> None:
    """Serialise transactions that count what this person did; call `UnitOfWork.lock` before."""
    if connection.dialect.name == "postgresql":
        key = crc32(by.id.encode()) & 0x7FFFFFFF
        connection.execute(select(func.pg_advisory_xact_lock(_PEOPLE_LOCK_CLASS, key)))
