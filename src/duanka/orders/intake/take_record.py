"""Record of a take: id, choice, coverage of its records, orders it touched."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, insert, select, update

from duanka.domain.order import SYSTEM, Person
from duanka.domain.order_decision import OrderDecision
from duanka.domain.take import Choice, Coverage, as_json, coverage_of
from duanka.domain.text import BilingualText
from duanka.ledger.db.bulk import among, put_rows
from duanka.ledger.db.rows import new_id
from duanka.ledger.db.tables_takes import taken_orders, takes
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork

_UNSAID = BilingualText("没有说明其记录的范围", "it does not say what its records cover")
OPENED, ATTACHED, STOPPED = "opened", "attached", "stopped"  # what a take did to an order


@dataclass(frozen=True)
class Narrower:
    """Records that cover less than the previous take's; `lacks`: what is missing.

    `covers` None: the decisions do not say what their records cover.
    """

    covers: Coverage | None
    before: Coverage
    lacks: tuple[BilingualText, ...]


class TakeRecord:
    """The row of one take. `source`: its file of decisions.

    A take by a person is one command; the worker begins a new one every day.
    """

    def __init__(self, source: str, choice: Choice) -> None:
        self.id: str | None = None
        self.narrower: Narrower | None = None
        self._source, self._choice = source, choice
        self._counts = Counter[str]()
        self._begun: datetime | None = None
        self._accepted: set[str] = set()  # runs whose records cover enough

    def narrower_than(self, connection: Connection, decisions: Sequence[OrderDecision]) -> Narrower | None:
        """Return what these records lack compared with the previous take; None: nothing.

        A run that was once found to cover enough stays accepted, whatever was taken since.
        """
        if not decisions or self._choice.narrower:
            return None
        last = decisions[-1]
        if last.run and (last.run in self._accepted or _is_accepted(connection, last.run)):
            self._accepted.add(last.run)
            return None
        before = _before(connection, self._source, last.run)
        if before is None:
            return None
        covers = coverage_of(last.covers)
        lacks = covers.lacks(before) if covers else (_UNSAID,)
        return Narrower(covers, before, lacks) if lacks else None

    def write(
        self,
        unit: UnitOfWork,
        by: Person,
        counts: Mapping[str, int],
        run: str,
        covers: Coverage | None,
        found: Narrower | None,
    ) -> tuple[str, Counter[str]]:
        """Store the results of some decisions; return the take's id and total counts.

        Pass both to `written` after the commit. `counts`: added to the earlier ones; may be negative. `found`: what
        the records of these decisions lack.
        """
        new = self.id is None or self._another_day(unit, by)
        whole = Counter[str]() if new else self._counts.copy()
        whole.update(counts)
        whole = +whole
        facts: dict[str, object] = {"counts": as_json(whole), "narrower": int(found is not None)}
        if covers:
            facts["covers"] = as_json(covers.facts())
        number = self.id
        if new or number is None:
            number = new_id("T")
            begun = {"covers": "", "run": run, "chosen": as_json(self._choice.facts())}
            row = {"id": number, "at": unit.now, "by": by.id, "source": self._source, **begun, **facts}
            unit.connection.execute(insert(takes).values(row))
        else:
            unit.connection.execute(update(takes).where(takes.c.id == number).values(facts))
        _write_orders(unit, number)
        return number, whole

    def written(self, number: str, counts: Counter[str], at: datetime) -> None:
        """Take over id and counts that `write` returned, after the commit."""
        if number != self.id:
            self._begun = at
        self.id, self._counts = number, counts

    def _another_day(self, unit: UnitOfWork, by: Person) -> bool:
        local = unit.policy.local_time.local
        return (
            by is SYSTEM and self._begun is not None and local(self._begun).date() != local(unit.now).date()
        )


def folder_of(source: str) -> str:
    """Return the folder of a file of decisions, as a person names it."""
    path = Path(source)
    return str(path.parent) if path.suffix else source


def _write_orders(unit: UnitOfWork, number: str) -> None:
    """Store which orders the take touched; for each, the first effect counts."""
    did = {order.id: what for order, what in reversed(unit.of_decisions)}
    joined = [order for order, what in did.items() if what == ATTACHED]
    known = select(taken_orders.c.order_id).where(
        taken_orders.c.take_id == number, among(unit.connection, taken_orders.c.order_id, joined)
    )
    for order in unit.connection.execute(known).scalars():
        del did[order]
    rows = [{"take_id": number, "order_id": order, "what": what} for order, what in did.items()]
    put_rows(unit.connection, taken_orders, rows)


def _is_accepted(connection: Connection, run: str) -> bool:
    found = select(takes.c.id).where(takes.c.run == run, takes.c.narrower == 0, takes.c.undone_at.is_(None))
    return connection.execute(found.limit(1)).first() is not None


def _before(connection: Connection, source: str, run: str) -> Coverage | None:
    """Return the coverage of the last take not undone: of the same file, else of any."""
    wide = select(takes.c.covers).where(
        takes.c.covers != "", takes.c.narrower == 0, takes.c.undone_at.is_(None), takes.c.run != (run or "-")
    )
    wide = wide.order_by(takes.c.at.desc(), takes.c.id.desc()).limit(1)
    for query in (wide.where(takes.c.source == source), wide):
        told = connection.execute(query).scalar()
        if told:
            return coverage_of(json.loads(told))
    return None
