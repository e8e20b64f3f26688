"""Clues as rows: reading, writing, and who may see them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, exists, func, insert, not_, or_, select, update

from duanka.casework.clues.dossier.model import CaseDossier
from duanka.domain.clue import Clue, ClueState, Standing, UnknownClue
from duanka.domain.person import Person
from duanka.domain.phone_masking import masked_text
from duanka.ledger.db.bulk import put_rows
from duanka.ledger.db.casework.clues import clue_cards, clue_files, clues
from duanka.ledger.people.places import place_outside

_NAMES = tuple(one.name for one in fields(Clue) if one.name != "has_full")
_COLUMNS = (*(clues.c[name] for name in _NAMES), clues.c.package.is_not(None).label("has_full"))


def clues_within(person: Person) -> list[ColumnElement[bool]]:
    """Conditions on `clues` rows: those with all cards in the scope of `person`."""
    if person.scope.everywhere:
        return []
    outside = place_outside(person, clue_cards.c.operator, clue_cards.c.city)
    return [not_(exists().where(clue_cards.c.clue_id == clues.c.id, outside))]


def clue_of(connection: Connection, number: str, person: Person, *, lock: bool = False) -> Clue:
    """Return a clue. UnknownClue: there is none, or it is outside the person's scope."""
    query = select(*_COLUMNS).where(clues.c.id == number, *clues_within(person))
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise UnknownClue(f"no clue {number[:20]!r} that you may see; `duanka clues list` names them")
    return _clue(row)


def page_of(
    connection: Connection, person: Person, states: Collection[ClueState], before: str | None, limit: int
) -> tuple[list[Clue], int]:
    """Return clues, the latest first, and how many there are in all. `before`: the last id of the page before."""
    where = clues_within(person)
    if states:
        where.append(clues.c.state.in_([state.value for state in states]))
    query = select(*_COLUMNS).where(*where).order_by(clues.c.built_at.desc(), clues.c.id.desc()).limit(limit)
    if before is not None:
        last = select(clues.c.built_at).where(clues.c.id == before).scalar_subquery()
        query = query.where(or_(clues.c.built_at < last, (clues.c.built_at == last) & (clues.c.id < before)))
    total = connection.execute(select(func.count()).select_from(clues).where(*where)).scalar_one()
    return [_clue(row) for row in connection.execute(query)], total


def put_clue(
    connection: Connection,
    dossier: CaseDossier,
    facts: Mapping[str, object],
    files: Mapping[str, bytes],
    now: datetime,
) -> None:
    """Insert a clue with its cards and our files."""
    row = {
        "id": dossier.clue,
        "case_id": dossier.case.id,
        "title": dossier.case.title,
        "state": ClueState.DRAFT.value,
        "cards": len(dossier.cards),
        "confirmed": len(dossier.standing(Standing.CONFIRMED)),
        "built_by": dossier.built_by,
        "built_at": now,
        "updated_at": now,
        **facts,
    }
    connection.execute(insert(clues).values(row))
    cards = [
        {
            "clue_id": dossier.clue,
            "card": card.number,
            "standing": card.standing.value,
            "operator": card.operator,
            "city": card.home_city,
        }
        for card in dossier.cards
    ]
    put_rows(connection, clue_cards, cards)
    for name, content in files.items():
        connection.execute(insert(clue_files).values(clue_id=dossier.clue, name=name, content=content))


def change_clue(connection: Connection, number: str, now: datetime, **facts: object) -> None:
    """Change a clue."""
    connection.execute(update(clues).where(clues.c.id == number).values(updated_at=now, **facts))


def cards_of(connection: Connection, number: str) -> Sequence[Row[Any]]:
    """The cards of a clue: card, standing, answer, case_number; the confirmed first."""
    query = select(clue_cards).where(clue_cards.c.clue_id == number)
    return connection.execute(query.order_by(clue_cards.c.standing, clue_cards.c.card)).all()


def files_of(connection: Connection, number: str) -> dict[str, bytes]:
    """Our own files of a clue, masked."""
    query = select(clue_files.c.name, clue_files.c.content).where(clue_files.c.clue_id == number)
    return {name: bytes(content) for name, content in connection.execute(query.order_by(clue_files.c.name))}


def package_of(connection: Connection, number: str) -> tuple[bytes | None, str]:
    """The police's encrypted files (None: deleted), and the seal of the clue."""
    row = connection.execute(select(clues.c.package, clues.c.seal).where(clues.c.id == number)).one()
    return bytes(row.package) if row.package is not None else None, row.seal


def _clue(row: Row[Any]) -> Clue:
    told = row._asdict()
    told["title"] = masked_text(told["title"])  # who names a case may write a number
    return Clue(**{**told, "state": ClueState(told["state"]), "has_full": bool(told["has_full"])})
