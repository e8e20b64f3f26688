"""Facts from other tables about a transaction's orders and cards, read in batches.

For example, a sweep asks for each of 500 orders whether a counter check is pending. The first question reads the
answers for all orders of the transaction in one query. A statement of the transaction that changes the table clears
them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, FromClause, Table, UpdateBase, event

_MAX_BATCH_READS = 3  # of a fact in a transaction; after more clearings, single keys are read

Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class TableFact(Generic[Value]):
    """What `table` says about a key. `read`: values by key; other keys: `absent`."""

    table: Table
    read: Callable[[Connection, Collection[str]], Mapping[str, Value]]
    absent: Value


class BatchFacts:
    """Facts of one transaction; lock the orders or cards before asking about them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[TableFact[Any], dict[str, Any]] = {}
        self._reads: dict[TableFact[Any], int] = {}
        event.listen(connection, "before_execute", self._forget_changed)

    def of(self, fact: TableFact[Value], key: str, batch: Collection[str]) -> Value:
        """Return the fact about `key`; if unknown, read it for the whole `batch`."""
        known = self._known.setdefault(fact, {})
        if key not in known:
            reads = self._reads[fact] = self._reads.get(fact, 0) + 1
            ahead = batch if reads <= _MAX_BATCH_READS else ()
            unread = {key, *ahead} - known.keys()
            known |= dict.fromkeys(unread, fact.absent)
            known |= fact.read(self._connection, unread)
        value: Value = known[key]
        return value

    def forget(self, table: FromClause) -> None:
        """Clear facts after a change of the table without a SQLAlchemy statement."""
        for fact in [fact for fact in self._known if fact.table is table]:
            del self._known[fact]

    def _forget_changed(self, _: Connection, statement: object, *__: object) -> None:
        if isinstance(statement, UpdateBase):
            self.forget(statement.table)
