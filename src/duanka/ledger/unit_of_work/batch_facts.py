"""Facts of other tables about the orders and cards of one transaction, read once for all of them.

A sweep asks of each of 500 orders whether a counter check waits for it. The first question reads the answer for every
order of the transaction in one statement. A statement of the same transaction that changes the table forgets them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, FromClause, Table, UpdateBase, event

from duanka.ledger.db.bulk import in_parts

_READS_AHEAD = 3  # of a fact that keeps being forgotten; from then on each key is read alone

Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class TableFact(Generic[Value]):
    """What `table` says about a key. `read`: of those of the given keys about which it says anything, else `absent`."""

    table: Table
    read: Callable[[Connection, Collection[str]], Mapping[str, Value]]
    absent: Value


class BatchFacts:
    """The facts of one transaction. What they are about must be locked before the first question."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[TableFact[Any], dict[str, Any]] = {}
        self._reads: dict[TableFact[Any], int] = {}
        event.listen(connection, "before_execute", self._forget_changed)

    def of(self, fact: TableFact[Value], key: str, batch: Collection[str]) -> Value:
        """The fact about `key`; where it is not known yet it is read for the whole `batch`."""
        known = self._known.setdefault(fact, {})
        if key not in known:
            reads = self._reads[fact] = self._reads.get(fact, 0) + 1
            ahead = batch if reads <= _READS_AHEAD else ()
            unread = sorted({key, *ahead} - known.keys())
            known |= dict.fromkeys(unread, fact.absent)
            for part in in_parts(unread):
                known |= fact.read(self._connection, part)
        value: Value = known[key]
        return value

    def forget(self, table: FromClause) -> None:
        """The table was changed by other means than a statement of SQLAlchemy's."""
        for fact in [fact for fact in self._known if fact.table is table]:
            del self._known[fact]

    def _forget_changed(self, _: Connection, statement: object, *__: object) -> None:
        if isinstance(statement, UpdateBase):
            self.forget(statement.table)
