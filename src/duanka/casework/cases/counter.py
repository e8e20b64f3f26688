"""Counter of changes to cases: what was committed later has the greater number, so a reader misses nothing.

Times would not do: two transactions share one, and who began first may commit last.
"""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from duanka.ledger.db.casework.cases import case_counter

_ROW = 1


def next_change(connection: Connection) -> int:
    """Return the next number; other writers of cases wait for this transaction, as the row is locked until then."""
    if found := _moved_on(connection):
        return found
    with suppress(IntegrityError), connection.begin_nested():  # another first writer may be faster
        connection.execute(insert(case_counter).values(id=_ROW, value=0))
    return _moved_on(connection)


def _moved_on(connection: Connection) -> int:
    """Count one up; 0: there is no counter yet."""
    row = case_counter.c.id == _ROW
    moved = connection.execute(update(case_counter).where(row).values(value=case_counter.c.value + 1))
    if not moved.rowcount:
        return 0
    return int(connection.execute(select(case_counter.c.value).where(row)).scalar_one())
