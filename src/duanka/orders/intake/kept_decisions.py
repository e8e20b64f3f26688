"""Decisions that were read and made no order of: not chosen yet, held by a person, or a withdrawal that nobody meant.

They lie in the database with the seal that they had, so that the file they came from may go on, or be replaced. A newer
decision about the same card takes the place of an older one; what a person holds stays held. A stop that the police
signed is never kept: nobody alone keeps it from being carried out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sqlalchemy import Connection, RowMapping, delete, select

from duanka.domain.errors import UnreadableInput
from duanka.domain.order import OrderDecision, Person, RequestedAction
from duanka.domain.take import Choice
from duanka.domain.text import WordedEnum
from duanka.ledger.db.bulk import among, in_parts, upsert
from duanka.ledger.db.tables import decisions_taken
from duanka.ledger.db.tables_takes import kept_decisions
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.monitoring.offsets import kept_as


class Why(WordedEnum):
    """Why no order was made of a decision."""

    LEFT = "left", "待下次接收"  # not chosen, or over the limit: for the next take of its folder
    HELD = "held", "暂缓"  # by a person, until it is taken again
    NARROWER = (
        "narrower",
        "待确认范围缩小",
        "narrower",
    )  # it withdraws, and its records cover less than those of the take before


class ReadLine(Protocol):
    """Reads a decision as its file has it."""

    def __call__(self, line: str, *, sealed: bool) -> OrderDecision:
        """The decision; UnreadableInput where it is none."""


@dataclass(frozen=True)
class SortedDecisions:
    """New decisions, by what becomes of them now."""

    taken: list[OrderDecision]
    kept: list[tuple[OrderDecision, Why]]
    known: dict[str, list[RowMapping]]  # card -> what is kept of it


def sort(
    turn: UnitOfWork,
    demands: Sequence[OrderDecision],
    choice: Choice,
    *,
    waits: Collection[str],
    keep_all: bool,
) -> SortedDecisions:
    """Say which of these new decisions are taken now. `keep_all`: none that asks; it is chosen among them later.

    A stop that the police signed is taken, whatever is chosen or held.

    `waits`: cards whose withdrawal waits, for the records cover less than before.
    """
    known = _known(turn.connection, [demand.card for demand in demands])
    held = {card for card, rows in known.items() if any(row["why"] == Why.HELD for row in rows)}
    found = SortedDecisions([], [], known)
    for demand in demands:
        if demand.asked is RequestedAction.NOTHING:
            if demand.card in waits:
                found.kept.append((demand, Why.NARROWER))
            elif keep_all and not choice.names_place(demand):
                found.kept.append((demand, Why.LEFT))
            else:
                found.taken.append(demand)
        elif demand.police_stop:
            found.taken.append(demand)
        elif demand.card in held:
            found.kept.append((demand, Why.HELD))
        elif keep_all:
            found.kept.append((demand, Why.LEFT))
        else:
            found.taken.append(demand)
    return found


def settle(
    turn: UnitOfWork, found: SortedDecisions, source: str, take_id: str, by: Person, held_by: str = ""
) -> None:
    """Forget what newer decisions replace, and keep those that are kept. `held_by`: why, where `by` holds them."""
    replaced = [
        (row["card"], row["source"])
        for demand in found.taken
        for row in found.known.get(demand.card, ())
        if (_ends_a_hold(demand) or row["why"] != Why.HELD) and _replaces(demand, row)
    ]
    remove(turn, replaced)
    keep(turn, found.kept, source, take_id, by, held_by, found.known)


def keep(
    turn: UnitOfWork,
    kept: Sequence[tuple[OrderDecision, Why]],
    source: str,
    take_id: str,
    by: Person,
    reason: str,
    known: dict[str, list[RowMapping]],
) -> None:
    """Write down decisions of which no order is made now; of a card and file the last one counts."""
    if not kept:
        return
    holders = {
        card: next((row for row in rows if row["why"] == Why.HELD), None) for card, rows in known.items()
    }
    rows = dict[str, dict[str, object]]()
    for demand, why in kept:
        before = (row for row in known.get(demand.card, ()) if row["source"] == kept_as(source))
        holder = holders.get(demand.card) if why is Why.HELD else None
        if not all(_replaces(demand, row) for row in (*before, *((holder,) if holder else ()))):
            continue
        rows[demand.card] = {
            "card": demand.card,
            "source": kept_as(source),
            "run": demand.run,
            "why": why.value,
            "line": demand.line,
            "take_id": take_id,
            "kept_at": holder["kept_at"] if holder else turn.now,
            "kept_by": holder["kept_by"] if holder else by.id,
            "reason": holder["reason"] if holder else reason,
        }
    moved = [(row["card"], row["source"]) for row in holders.values() if row and row["card"] in rows]
    remove(turn, moved)
    for part in in_parts(list(rows.values()), 50):
        put = upsert(turn.connection, kept_decisions).values(list(part))
        names = [name for name in part[0] if name not in ("card", "source")]
        put = put.on_conflict_do_update(
            index_elements=["card", "source"], set_={name: put.excluded[name] for name in names}
        )
        turn.connection.execute(put)


def _ends_a_hold(demand: OrderDecision) -> bool:
    return demand.asked is RequestedAction.NOTHING or demand.police_stop


def _replaces(demand: OrderDecision, row: RowMapping) -> bool:
    """Whether a new decision takes the place of a kept one: none without our seal that of one which bears it."""
    return bool(demand.decision or not row["run"])


def remove(turn: UnitOfWork, rows: Iterable[tuple[str, str]]) -> None:
    """Forget these decisions: card and source of each."""
    by_source = dict[str, list[str]]()
    for card, source in rows:
        by_source.setdefault(source, []).append(card)
    for source, numbers in by_source.items():
        for part in in_parts(numbers):
            these = (kept_decisions.c.source == source, kept_decisions.c.card.in_(part))
            turn.connection.execute(delete(kept_decisions).where(*these))


def forget_replaced(turn: UnitOfWork, source: str, run: str) -> int:
    """Forget what an earlier run left in this file, which holds another one now, but for what is held; how many."""
    older = (
        kept_decisions.c.source == kept_as(source),
        # a file without our seal takes the place of such a one alone
        kept_decisions.c.run != run if run else kept_decisions.c.run == "",
        kept_decisions.c.why != Why.HELD.value,
    )
    return turn.connection.execute(delete(kept_decisions).where(*older)).rowcount


def waiting(connection: Connection, whys: Collection[Why], source: str | None, run: str) -> list[RowMapping]:
    """What is kept, the oldest first. `source`, `run`: only of this file or of this run of decisions."""
    query = select(kept_decisions).where(kept_decisions.c.why.in_(sorted(why.value for why in whys)))
    if source is not None:
        of_file = kept_decisions.c.source == kept_as(source)
        query = query.where(of_file | (kept_decisions.c.run == run) if run else of_file)
    return list(
        connection.execute(query.order_by(kept_decisions.c.kept_at, kept_decisions.c.card)).mappings()
    )


def read_row(row: RowMapping, read: ReadLine) -> OrderDecision:
    """The decision of a row; UnreadableInput where it is none."""
    demand = read(row["line"], sealed=bool(row["run"]))
    return demand if demand.run == row["run"] else replace(demand, decision="", signed_by=())


def readable(
    rows: Iterable[RowMapping], read: ReadLine
) -> tuple[list[tuple[RowMapping, OrderDecision]], list[RowMapping]]:
    """Each row with its decision, and those of which none can be read: somebody changed them past this program."""
    found, spoilt = list[tuple[RowMapping, OrderDecision]](), list[RowMapping]()
    for row in rows:
        try:
            found.append((row, read_row(row, read)))
        except UnreadableInput:
            spoilt.append(row)
    return found, spoilt


def untaken(connection: Connection, demands: Sequence[OrderDecision]) -> list[OrderDecision]:
    """Those of which no order was made before, from this file or a copy of it."""
    ids = [demand.decision for demand in demands if demand.decision]
    known = set[str]()
    for part in in_parts(ids):
        query = select(decisions_taken.c.decision).where(among(connection, decisions_taken.c.decision, part))
        known.update(connection.execute(query).scalars())
    return [demand for demand in demands if demand.decision not in known]


def _known(connection: Connection, numbers: Iterable[str]) -> dict[str, list[RowMapping]]:
    found = dict[str, list[RowMapping]]()
    columns = kept_decisions.c
    for part in in_parts(sorted(set(numbers))):
        query = select(
            *(columns.card, columns.source, columns.why, columns.run),
            *(columns.kept_at, columns.kept_by, columns.reason),
        )
        for row in connection.execute(query.where(among(connection, columns.card, part))).mappings():
            found.setdefault(row["card"], []).append(row)
    return found
