"""Decisions read but without an order: not chosen, held, or doubtful withdrawals.

They are stored with their seal, so the file they came from may grow or be replaced. A newer decision about a card
replaces an older one; what a person holds stays held. A stop signed by the police is never kept: nobody alone may
delay it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from sqlalchemy import Connection, RowMapping, delete, select

from duanka.domain.errors import UnreadableInput
from duanka.domain.order import Person
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.take import Choice
from duanka.domain.text import WordedEnum
from duanka.ledger.db.bulk import among, in_parts, upsert
from duanka.ledger.db.tables import decisions_taken
from duanka.ledger.db.tables_takes import kept_decisions
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.monitoring.offsets import stored_source


class Why(WordedEnum):
    """Why no order was made of a decision."""

    LEFT = "left", "待下次接收"  # not chosen, or over the limit: for the next take of its folder
    HELD = "held", "暂缓"  # by a person, until it is taken again
    # Withdraws, but its records cover less than those of the previous take.
    NARROWER = "narrower", "待确认范围缩小", "narrower"


class ReadLine(Protocol):
    """Parses a decision as it stands in its file."""

    def __call__(self, line: str, *, sealed: bool) -> OrderDecision:
        """Return the decision; UnreadableInput."""


@dataclass(frozen=True)
class SortedDecisions:
    """New decisions, by what happens to them now."""

    taken: list[OrderDecision]
    kept: list[tuple[OrderDecision, Why]]
    known: dict[str, list[RowMapping]]  # card -> kept decisions about it


def sort(
    unit: UnitOfWork,
    decisions: Sequence[OrderDecision],
    choice: Choice,
    *,
    waits: Collection[str],
    keep_all: bool,
) -> SortedDecisions:
    """Sort new decisions into those to take now and those to keep.

    `waits`: cards whose withdrawal must wait because the records cover less than before. `keep_all`: keep all
    requests, to choose from later. A stop signed by the police is always taken.
    """
    known = _known(unit.connection, [decision.card for decision in decisions])
    held = {card for card, rows in known.items() if any(row["why"] == Why.HELD for row in rows)}
    found = SortedDecisions([], [], known)
    for decision in decisions:
        if decision.asked is RequestedAction.NOTHING:
            if decision.card in waits:
                found.kept.append((decision, Why.NARROWER))
            elif keep_all and not choice.names_place(decision):
                found.kept.append((decision, Why.LEFT))
            else:
                found.taken.append(decision)
        elif decision.police_stop:
            found.taken.append(decision)
        elif decision.card in held:
            found.kept.append((decision, Why.HELD))
        elif keep_all:
            found.kept.append((decision, Why.LEFT))
        else:
            found.taken.append(decision)
    return found


def settle(unit: UnitOfWork, found: SortedDecisions, source: str, take_id: str, by: Person) -> None:
    """Delete what newer decisions replace, and store those without an order.

    Of the latter, the last one per card and file is stored.
    """
    replaced = [
        (row["card"], row["source"])
        for decision in found.taken
        for row in found.known.get(decision.card, ())
        if (_ends_a_hold(decision) or row["why"] != Why.HELD) and _replaces(decision, row)
    ]
    remove(unit, replaced)
    holders = {
        card: next((row for row in rows if row["why"] == Why.HELD), None)
        for card, rows in found.known.items()
    }
    here, rows = stored_source(source), dict[str, dict[str, object]]()
    for decision, why in found.kept:
        before = [row for row in found.known.get(decision.card, ()) if row["source"] == here]
        holder = holders.get(decision.card) if why is Why.HELD else None
        if not all(_replaces(decision, row) for row in (*before, *((holder,) if holder else ()))):
            continue
        told = holder or {"kept_at": unit.now, "kept_by": by.id, "reason": ""}
        rows[decision.card] = {
            "card": decision.card,
            "source": here,
            "run": decision.run,
            "why": why.value,
            "line": decision.line,
            "take_id": take_id,
            **{name: told[name] for name in ("kept_at", "kept_by", "reason")},
        }
    remove(unit, [(row["card"], row["source"]) for row in holders.values() if row and row["card"] in rows])
    for part in in_parts(list(rows.values()), 50):
        put = upsert(unit.connection, kept_decisions).values(list(part))
        names = [name for name in part[0] if name not in ("card", "source")]
        put = put.on_conflict_do_update(
            index_elements=["card", "source"], set_={name: put.excluded[name] for name in names}
        )
        unit.connection.execute(put)


def _ends_a_hold(decision: OrderDecision) -> bool:
    return decision.asked is RequestedAction.NOTHING or decision.police_stop


def _replaces(decision: OrderDecision, row: RowMapping) -> bool:
    """Whether `decision` replaces a kept decision: if it is sealed, or that one is not."""
    return bool(decision.id or not row["run"])


def remove(unit: UnitOfWork, rows: Iterable[tuple[str, str]]) -> None:
    """Delete these kept decisions, given as (card, source)."""
    by_source = dict[str, list[str]]()
    for card, source in rows:
        by_source.setdefault(source, []).append(card)
    for source, numbers in by_source.items():
        these = (kept_decisions.c.source == source, among(unit.connection, kept_decisions.c.card, numbers))
        unit.connection.execute(delete(kept_decisions).where(*these))


def forget_replaced(unit: UnitOfWork, source: str, run: str) -> int:
    """Delete what an earlier run of this file left, unless held; return how many."""
    older = (
        kept_decisions.c.source == stored_source(source),
        # a file without our seal replaces only decisions without one
        kept_decisions.c.run != run if run else kept_decisions.c.run == "",
        kept_decisions.c.why != Why.HELD.value,
    )
    return unit.connection.execute(delete(kept_decisions).where(*older)).rowcount


def waiting(connection: Connection, whys: Collection[Why], source: str | None, run: str) -> list[RowMapping]:
    """Return kept decisions, oldest first; `source`, `run`: only of this file or run."""
    query = select(kept_decisions).where(kept_decisions.c.why.in_(sorted(why.value for why in whys)))
    if source is not None:
        of_file = kept_decisions.c.source == stored_source(source)
        query = query.where(of_file | (kept_decisions.c.run == run) if run else of_file)
    return list(
        connection.execute(query.order_by(kept_decisions.c.kept_at, kept_decisions.c.card)).mappings()
    )


def readable(rows: Iterable[RowMapping], read: ReadLine) -> list[tuple[RowMapping, OrderDecision]]:
    """Return readable rows with their decisions; unsealed if the run is not as stored."""
    found = list[tuple[RowMapping, OrderDecision]]()
    for row in rows:
        with suppress(UnreadableInput):
            decision = read(row["line"], sealed=bool(row["run"]))
            as_stored = decision if decision.run == row["run"] else replace(decision, id="", signed_by=())
            found.append((row, as_stored))
    return found


def still_signed(
    decisions: Sequence[OrderDecision], signers: Callable[[], frozenset[str]]
) -> Sequence[OrderDecision]:
    """Drop signatures of sources that were removed since the decision."""
    if not any(decision.signed_by for decision in decisions):
        return decisions
    names = signers()
    return [
        replace(decision, signed_by=tuple(name for name in decision.signed_by if name in names))
        for decision in decisions
    ]


def untaken(connection: Connection, decisions: Sequence[OrderDecision]) -> list[OrderDecision]:
    """Return the decisions that were not taken yet, from this file or another."""
    ids = [decision.id for decision in decisions if decision.id]
    query = select(decisions_taken.c.decision).where(among(connection, decisions_taken.c.decision, ids))
    known = set(connection.execute(query).scalars())
    return [decision for decision in decisions if decision.id not in known]


def _known(connection: Connection, numbers: Iterable[str]) -> dict[str, list[RowMapping]]:
    found = dict[str, list[RowMapping]]()
    columns = kept_decisions.c
    query = select(
        *(columns.card, columns.source, columns.why, columns.run),
        *(columns.kept_at, columns.kept_by, columns.reason),
    )
    for row in connection.execute(query.where(among(connection, columns.card, set(numbers)))).mappings():
        found.setdefault(row["card"], []).append(row)
    return found
