"""Cases as rows: reading, writing, and who may see them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, exists, func, insert, or_, select, update

from duanka.casework.cases.counter import next_change
from duanka.domain.case_file import (
    MOST_ITEMS,
    CaseError,
    CaseGround,
    CaseItem,
    CaseNote,
    CaseOutcome,
    CaseState,
    CaseSummary,
    GroundKind,
    ItemKind,
    UnknownCase,
)
from duanka.domain.person import Person
from duanka.ledger.db.bulk import among, put_rows
from duanka.ledger.db.casework.cases import case_items, case_notes, cases, confirmations
from duanka.ledger.people.places import cases_within

_FACTS = (
    *(
        "id",
        "title",
        "seed_kind",
        "seed",
        "opened_by",
        "opened_at",
        "approved_by",
        "assigned_to",
        "updated_at",
    ),
    *("closed_at", "merged_into", "split_from", "change"),
)


def row_of(connection: Connection, number: str, person: Person, *, lock: bool = False) -> RowMapping:
    """Return the row of a case. UnknownCase: there is none, or it is outside the person's scope."""
    query = select(cases).where(cases.c.id == number, *cases_within(person))
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise UnknownCase(f"no case {number[:20]!r} that you may see; `duanka cases list` names them")
    return row


def open_row(connection: Connection, number: str, person: Person) -> RowMapping:
    """As `row_of`, locked. CaseError: the case is not open."""
    row = row_of(connection, number, person, lock=True)
    if row["state"] != CaseState.OPEN:
        raise CaseError(f"case {number} is {CaseState(row['state']).words.en}{_instead(row)}")
    return row


def _instead(row: RowMapping) -> str:
    if row["merged_into"]:
        return f": go on in {row['merged_into']}"
    if row["state"] == CaseState.PROPOSED:
        return f": a supervisor approves it first, `duanka cases approve {row['id']}`"
    if row["state"] == CaseState.CLOSED:
        return f": a supervisor opens it again, `duanka cases reopen {row['id']}`"
    return ""


def cases_of(connection: Connection, rows: Sequence[RowMapping]) -> list[CaseSummary]:
    """Return cases with the counts of what they are about."""
    numbers = [row["id"] for row in rows]
    counted: dict[str, dict[ItemKind, int]] = {number: {} for number in numbers}
    theirs = among(connection, case_items.c.case_id, numbers)
    by_kind = select(case_items.c.case_id, case_items.c.kind, func.count()).where(theirs)
    for number, kind, count in connection.execute(by_kind.group_by(case_items.c.case_id, case_items.c.kind)):
        counted[number][ItemKind(kind)] = count
    confirmed = (
        select(case_items.c.case_id, func.count(func.distinct(case_items.c.value)).label("cards"))
        .join(confirmations, confirmations.c.card == case_items.c.value)
        .where(theirs, case_items.c.kind == ItemKind.CARD.value, confirmations.c.withdrawn_at.is_(None))
        .group_by(case_items.c.case_id)
    )
    found = {row.case_id: row.cards for row in connection.execute(confirmed)}
    return [_case(row, counted[row["id"]], found.get(row["id"], 0)) for row in rows]


def _case(row: RowMapping, items: Mapping[ItemKind, int], confirmed: int) -> CaseSummary:
    facts: dict[str, Any] = {name: row[name] for name in _FACTS}
    return CaseSummary(
        **facts,
        state=CaseState(row["state"]),
        ground=CaseGround(GroundKind(row["ground"]), row["ground_number"]),
        outcome=CaseOutcome(row["outcome"]) if row["outcome"] else None,
        items=items,
        confirmed=confirmed,
    )


def items_of(connection: Connection, number: str) -> tuple[CaseItem, ...]:
    """Return what a case is about: by kind, the surest first."""
    query = select(case_items).where(case_items.c.case_id == number)
    rows = connection.execute(query).mappings().all()
    said = confirmed_in(connection, [row["value"] for row in rows if row["kind"] == ItemKind.CARD])
    kinds = list(ItemKind)
    found = [
        CaseItem(
            ItemKind(row["kind"]),
            row["value"],
            row["source"],
            row["role"],
            row["certainty"],
            row["operator"],
            row["city"],
            row["added_by"],
            row["added_at"],
            said.get(row["value"], ()) if row["kind"] == ItemKind.CARD else (),
        )
        for row in rows
    ]
    return tuple(
        sorted(
            found,
            key=lambda item: (kinds.index(item.kind), not item.confirmed, -(item.certainty or 0), item.value),
        )
    )


def confirmed_in(connection: Connection, cards: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the police's case numbers that stand for each of these cards."""
    stands = (among(connection, confirmations.c.card, cards), confirmations.c.withdrawn_at.is_(None))
    query = (
        select(confirmations.c.card, confirmations.c.case_number).where(*stands).order_by(confirmations.c.id)
    )
    found: dict[str, tuple[str, ...]] = {}
    for card, case_number in connection.execute(query):
        if case_number not in found.get(card, ()):  # several words of the police may name one case
            found[card] = (*found.get(card, ()), case_number)
    return found


def notes_of(connection: Connection, number: str) -> tuple[CaseNote, ...]:
    """Return the notes of a case, the earliest first."""
    query = select(case_notes.c.at, case_notes.c.who, case_notes.c.text).where(case_notes.c.case_id == number)
    rows = connection.execute(query.order_by(case_notes.c.at, case_notes.c.id))
    return tuple(CaseNote(*row) for row in rows)


def put_items(
    connection: Connection, number: str, items: Iterable[CaseItem], by: Person, now: datetime
) -> tuple[CaseItem, ...]:
    """Add items that are not there yet; return them. CaseError: the case would be about too many things."""
    there = select(case_items.c.kind, case_items.c.value).where(case_items.c.case_id == number)
    known = {(kind, value) for kind, value in connection.execute(there)}
    new = {
        (item.kind.value, item.value): item for item in items if (item.kind.value, item.value) not in known
    }
    if len(known) + len(new) > MOST_ITEMS:
        raise CaseError(f"a case is about at most {MOST_ITEMS:,} things; open several")
    rows: list[dict[str, object]] = [
        {
            "case_id": number,
            "kind": item.kind.value,
            "value": item.value,
            "role": item.role,
            "certainty": item.certainty,
            "source": item.source,
            "operator": item.operator,
            "city": item.city,
            "added_by": item.added_by or by.id,
            "added_at": item.added_at or now,
        }
        for item in new.values()
    ]
    put_rows(connection, case_items, rows)
    return tuple(new.values())


def put_case(connection: Connection, facts: Mapping[str, object], now: datetime) -> None:
    """Insert a case."""
    changed = {"updated_at": now, "change": next_change(connection)}
    connection.execute(insert(cases).values({"outcome": "", **facts, **changed}))


def change_case(connection: Connection, number: str, now: datetime, **facts: object) -> None:
    """Change a case, or mark that something of it changed."""
    changed = {**facts, "updated_at": now, "change": next_change(connection)}
    connection.execute(update(cases).where(cases.c.id == number).values(changed))


def named_like(
    states: Collection[CaseState], assigned_to: str | None, about: str | None
) -> list[ColumnElement[bool]]:
    """Conditions of a list: states, who works on it, and what it is about: a card, device, outlet or ring."""
    conditions: list[ColumnElement[bool]] = []
    if states:
        conditions.append(cases.c.state.in_([state.value for state in states]))
    if assigned_to is not None:
        conditions.append(cases.c.assigned_to == assigned_to)
    if about is not None:
        theirs = exists().where(case_items.c.case_id == cases.c.id, case_items.c.value == about)
        conditions.append(or_(theirs, cases.c.id == about))
    return conditions
