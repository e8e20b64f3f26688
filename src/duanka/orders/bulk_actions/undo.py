"""Undo of a bulk action: a new bulk action puts its cards back.

Cards whose tier takes two people are proposed in a separate bulk action. The original counts as undone when it no
longer stops any card, and as partly undone until then. This is computed from the restrictions that still name it as
their legal basis, so that a pending or rejected proposal never counts as an undo.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from sqlalchemy import Connection, RowMapping, and_, func, insert, literal, not_, or_, select, update

from duanka.domain.bulk_action import BulkAction, BulkActionState
from duanka.domain.order import Event, Grounds, Kind, NoSuchTransition, Person
from duanka.ledger.db.bulk import in_parts
from duanka.ledger.db.tables import act_cards, act_places, acts, orders
from duanka.ledger.unit_of_work.four_eyes import needs_two_people
from duanka.ledger.unit_of_work.restrictions import ONE_PERSON, TWO_PEOPLE
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.bulk_actions.execution import DONE, SKIPPED
from duanka.orders.bulk_actions.review import store_with_cards

UNDOABLE = (Event.BAR_OUTGOING, Event.LIFELINE, Event.SUSPEND, Event.PUNISH)
_GOES_ON = (BulkActionState.PROPOSED.value, BulkActionState.RUNNING.value)

# Restrictions of the cards of a bulk action that still have it as their legal basis.
_HELD = and_(
    act_cards.c.outcome == DONE,
    orders.c.id == act_cards.c.order_id,
    orders.c.closed_at.is_(None),
    or_(
        *(
            orders.c.carried_by == literal(carried) + act_cards.c.act_id
            for carried in (TWO_PEOPLE, ONE_PERSON)
        )
    ),
)


def with_undoing(connection: Connection, found: Sequence[BulkAction]) -> tuple[BulkAction, ...]:
    """Add to each bulk action which ones undo it, and whether it is partly undone."""
    stops = [act.id for act in found if act.event in UNDOABLE and not act.undoes]
    by = _undone_by(connection, stops)
    held = _held(connection, [act.id for act in found if act.state is BulkActionState.UNDONE])
    return tuple(
        replace(
            act,
            undone_by=by.get(act.id, ()),
            state=BulkActionState.PARTLY_UNDONE if act.id in held else act.state,
        )
        for act in found
    )


def is_undone(unit: UnitOfWork, row: RowMapping) -> bool:
    """Whether it is undone, or being undone, so that undoing it again would change nothing."""
    if row["state"] != BulkActionState.UNDONE:
        return False
    return bool(undoing(unit.connection, row["id"])) or not _held(unit.connection, [row["id"]])


def last_undo(connection: Connection, undone: str, *, alone: bool = True) -> str | None:
    """Return the id of the latest bulk action that undoes `undone`.

    `alone`: the one that ran at once; otherwise the proposal of the same undo, for what takes two people.
    """
    latest = select(func.max(acts.c.proposed_at)).where(acts.c.undoes == undone).scalar_subquery()
    ran = acts.c.approved_by.is_(None) & acts.c.approved_at.is_not(None)
    query = select(acts.c.id).where(acts.c.undoes == undone, acts.c.proposed_at == latest)
    return connection.execute(query.where(ran if alone else not_(ran)).limit(1)).scalar()


def must_be_undoable(row: RowMapping) -> None:
    """Raise NoSuchTransition, with the reason, if it cannot be undone now."""
    event, state = Event(row["event"]), row["state"]
    if row["undoes"] or event not in UNDOABLE:
        raise NoSuchTransition(f"{event} cannot be undone: propose the bulk action that should follow it")
    if state not in (BulkActionState.RUNNING, BulkActionState.DONE, BulkActionState.UNDONE):
        raise NoSuchTransition(
            f"{row['id']} is {state}: there is nothing to undo; reject a proposed bulk action"
        )


def undoing(connection: Connection, act_id: str) -> tuple[str, ...]:
    """Return the ids of proposed or running bulk actions that undo this one."""
    goes_on = (acts.c.undoes == act_id, acts.c.state.in_(_GOES_ON))
    return tuple(connection.execute(select(acts.c.id).where(*goes_on).order_by(acts.c.id)).scalars())


def stop_short(unit: UnitOfWork, act_id: str, why: str = "the bulk action was undone before its turn") -> int:
    """Skip the pending cards of a bulk action; return how many."""
    waiting = (act_cards.c.act_id == act_id, act_cards.c.outcome.is_(None))
    left = unit.connection.execute(select(func.count()).where(*waiting)).scalar_one()
    unit.connection.execute(update(act_cards).where(*waiting).values(outcome=SKIPPED, why=why))
    return left


def put_back(unit: UnitOfWork, undone: RowMapping, grounds: Grounds, by: Person) -> str:
    """Create the undo, and a proposal for cards that take two; return the undo's id."""
    again = undone["state"] == BulkActionState.UNDONE
    theirs = select(act_cards.c.card).where(act_cards.c.act_id == undone["id"], act_cards.c.outcome == DONE)
    if again:
        theirs = theirs.where(_HELD)
    cards = unit.connection.execute(theirs.order_by(act_cards.c.card)).scalars().all()
    for_two = _for_two(unit, undone["id"])
    left_out = dict[str, str]()
    if for_two:
        proposal = _store(unit, undone, grounds, by, for_two, {}, alone=False)
        why = f"its tier takes two people: {proposal} proposes to put it back"
        left_out = dict.fromkeys(for_two, why)
    return _store(unit, undone, grounds, by, cards, left_out, alone=True)


def _store(
    unit: UnitOfWork,
    undone: RowMapping,
    grounds: Grounds,
    by: Person,
    cards: Sequence[str],
    left_out: dict[str, str],
    *,
    alone: bool,
) -> str:
    number = store_with_cards(
        unit, Event.RESTORE, grounds, by, dict.fromkeys(cards), left_out, alone=alone, undoes=undone["id"]
    )
    places = select(literal(number), act_places.c.operator, act_places.c.city).where(
        act_places.c.act_id == undone["id"]
    )
    unit.connection.execute(insert(act_places).from_select(["act_id", "operator", "city"], places))
    return number


def _for_two(unit: UnitOfWork, act_id: str) -> list[str]:
    """Return the cards still stopped by this bulk action that take two people to lift."""
    of_card = orders.alias()
    tiers = sorted(unit.policy.identity.second_person_tiers)
    query = (
        select(act_cards.c.card)
        .distinct()
        .join(orders, _HELD)
        .join(of_card, and_(of_card.c.card == act_cards.c.card, of_card.c.closed_at.is_(None)))
        .where(act_cards.c.act_id == act_id, of_card.c.kind != Kind.OBJECTION.value)
        .where(of_card.c.tier.in_(tiers))
        .order_by(act_cards.c.card)
    )
    found = unit.connection.execute(query).scalars().all()
    unit.lock(found)
    return [card for card in found if needs_two_people(unit, card)]


def _held(connection: Connection, act_ids: Collection[str]) -> frozenset[str]:
    """Return which of these bulk actions still stop a card."""
    found = set[str]()
    for part in in_parts(sorted(act_ids)):
        query = select(act_cards.c.act_id).distinct().join(orders, _HELD)
        found.update(connection.execute(query.where(act_cards.c.act_id.in_(part))).scalars())
    return frozenset(found)


def _undone_by(connection: Connection, act_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
    found = dict[str, tuple[str, ...]]()
    for part in in_parts(sorted(act_ids)):
        query = select(acts.c.undoes, acts.c.id).where(acts.c.undoes.in_(part))
        for undone, by in connection.execute(query.order_by(acts.c.proposed_at, acts.c.id)):
            found[undone] = (*found.get(undone, ()), by)
    return found
