"""The cards of a bulk action: stored, shown to the approver, struck from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping, insert, select, update

from duanka.domain.authority import within
from duanka.domain.bulk_action import BulkAction, BulkActionState, card_of
from duanka.domain.order import Event, Grounds, Kind, Order, OrderError, Person, State, UnknownOrder
from duanka.ledger.db.bulk import in_parts
from duanka.ledger.db.rows import new_id, order_of
from duanka.ledger.db.tables import act_cards, act_places, acts, cards, orders
from duanka.ledger.people.places import Place
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.bulk_actions.execution import SKIPPED
from duanka.orders.masking import NumberMasking
from duanka.orders.proposals import store_bulk_action
from duanka.orders.views import BulkActionCardShown

MOST_STRUCK = 10_000  # cards that one approval may leave out
_LINE = re.compile(r"#([1-9][0-9]{0,5})")


def visible_bulk_action(connection: Connection, act_id: str, by: Person, *, lock: bool = False) -> RowMapping:
    """Return a bulk action's row. UnknownOrder. PermissionDenied: a card out of scope."""
    query = select(acts).where(acts.c.id == act_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise UnknownOrder(f"no bulk action {act_id!r}")
    if not by.scope.everywhere:
        places = select(act_places.c.operator, act_places.c.city).where(act_places.c.act_id == act_id)
        for place in connection.execute(places):
            within(by, f"a card of {act_id}", *place)
    return row


def store_with_cards(
    unit: UnitOfWork,
    event: Event,
    grounds: Grounds,
    by: Person,
    numbers: Mapping[str, str | None],
    skipped: Mapping[str, str],
    *,
    alone: bool,
    until: datetime | None = None,
    undoes: str | None = None,
    **said: object,
) -> str:
    """Store a bulk action and its cards, without their places; return its id.

    `numbers`: card -> id of the order that is meant, None: the open one. `skipped`: those skipped -> why.
    `alone`: it runs at once, else a second person must approve. `said`: more facts for the audit trail.
    """
    act = BulkAction(
        id=new_id("A"),
        event=event,
        state=BulkActionState.RUNNING if alone else BulkActionState.PROPOSED,
        grounds=grounds,
        proposed_by=by.id,
        proposed_at=unit.now,
        approved_at=unit.now if alone else None,
        total=len(numbers),
        skipped=len(skipped),
        until=until,
        undoes=undoes,
    )
    store_bulk_action(unit, act)
    rows = [
        {
            "act_id": act.id,
            "card": card,
            "order_id": None if card in skipped else order_id,
            "outcome": SKIPPED if card in skipped else None,
            "why": skipped.get(card),
        }
        for card, order_id in numbers.items()
    ]
    if rows:
        unit.connection.execute(insert(act_cards), rows)
    facts: dict[str, object] = {"event": event.value, "state": act.state.value, "cards": act.total}
    facts |= {"skipped": act.skipped, "two_people": not alone, **said}
    facts |= {"until": until.isoformat()} if until else {}
    facts |= {"undoes": undoes} if undoes else {}
    unit.note(by, "act.propose", act.id, grounds.reason.en, {}, facts)
    return act.id


def places_within(unit: UnitOfWork, numbers: Iterable[str], by: Person) -> list[Place]:
    """Return the places of a bulk action's cards. PermissionDenied: one is out of scope, whatever else it is."""
    cards = list(numbers)
    known = unit.places(cards)
    places = sorted({known[card] for card in cards})
    for place in places:
        within(by, "a card of this list", *place)
    return places


def put_places(unit: UnitOfWork, act_id: str, places: Iterable[Place]) -> None:
    """Store the places of a bulk action's cards."""
    rows = [{"act_id": act_id, "operator": operator, "city": city} for operator, city in places]
    unit.connection.execute(insert(act_places), rows)


def cards_shown(
    connection: Connection, rows: Sequence[RowMapping], first_line: int, sight: NumberMasking
) -> tuple[BulkActionCardShown, ...]:
    """Return views of these cards; `first_line`: line of the first in the bulk action."""
    numbers = [row["card"] for row in rows]
    states, known = _states(connection, numbers), _orders(connection, numbers)
    return tuple(
        _shown(row, line, states, known.get(row["card"], ()), sight)
        for line, row in enumerate(rows, first_line)
    )


def strike(unit: UnitOfWork, act: RowMapping, named: Sequence[str], by: Person, why: str) -> int:
    """Remove the cards in `named` from a proposed bulk action; return how many.

    A card is named by its number or by its line in the bulk action, like #17. Each removal is written to the audit
    trail. OrderError: a card is not in the bulk action, or none would be left.
    """
    if len(named) > MOST_STRUCK:
        raise OrderError(f"{len(named)} cards are more than one approval leaves out ({MOST_STRUCK})")
    mine = _waiting_cards(unit.connection, act["id"])
    lines = list(mine)
    struck = sorted({_meant(one, mine, lines) for one in named})
    waiting = [card for card, waits in mine.items() if waits]
    gone = [card for card in struck if mine[card]]
    if len(gone) == len(waiting):
        raise OrderError(f"no card would be left of {act['id']}: reject it")
    text = f"struck by {by.id} at approval: {why.strip()}"
    for part in in_parts(gone):
        theirs = (act_cards.c.act_id == act["id"], act_cards.c.card.in_(part))
        unit.connection.execute(update(act_cards).where(*theirs).values(outcome=SKIPPED, why=text))
    for card in gone:
        unit.note(by, "act.strike", act["id"], why.strip(), {}, {"card": card})
    return len(gone)


def _shown(
    row: RowMapping, line: int, states: Mapping[str, str], known: Sequence[Order], sight: NumberMasking
) -> BulkActionCardShown:
    """Build the view of one card. `known`: its orders, latest first.

    A stop by staff has no tier, and says why they stopped the card: what detection saw is told where there is any.
    """
    orders_of = [order for order in known if order.kind is not Kind.OBJECTION]
    latest = next((order for order in orders_of if order.tier), orders_of[0] if orders_of else None)
    passed = [order for order in known if (order.kind, order.state) == (Kind.VERIFICATION, State.PASSED)]
    objection = next((order for order in known if order.kind is Kind.OBJECTION), None)
    facts = {
        "line": line,
        "card": sight.number(row["card"]),
        "state": states.get(row["card"], State.ACTIVE.value),
        "tier": latest.tier if latest else "",
        "reason": latest.grounds.reason if latest else None,
        "open_orders": [order for order in known if order.closed_at is None],
        "passes": len(passed),
        "passed_at": max((order.closed_at for order in passed if order.closed_at), default=None),
        "objection": objection.state.value if objection else None,
    }
    return BulkActionCardShown.of({**row, **facts}, sight)


def _states(connection: Connection, numbers: Sequence[str]) -> dict[str, str]:
    found = dict[str, str]()
    for part in in_parts(numbers):
        rows = connection.execute(select(cards.c.card, cards.c.state).where(cards.c.card.in_(part)))
        found |= {row.card: row.state for row in rows}
    return found


def _orders(connection: Connection, numbers: Sequence[str]) -> dict[str, list[Order]]:
    found = dict[str, list[Order]]()
    for part in in_parts(numbers):
        query = select(orders).where(orders.c.card.in_(part)).order_by(orders.c.opened_at.desc())
        for row in connection.execute(query).mappings():
            found.setdefault(row["card"], []).append(order_of(row))
    return found


def _waiting_cards(connection: Connection, act_id: str) -> dict[str, bool]:
    """Map the cards of a bulk action, in line order, to whether they are pending."""
    query = select(act_cards.c.card, act_cards.c.outcome).where(act_cards.c.act_id == act_id)
    return {row.card: row.outcome is None for row in connection.execute(query.order_by(act_cards.c.card))}


def _meant(named: str, mine: Mapping[str, bool], lines: Sequence[str]) -> str:
    """Resolve a number, or a line like #17, to a card; `lines`: cards in line order."""
    if line := _LINE.fullmatch(named.strip()):
        at = int(line[1])
        if at > len(mine):
            raise OrderError(f"this bulk action has {len(mine)} cards: there is no line {named.strip()}")
        return lines[at - 1]
    card = card_of(named)
    if card not in mine:
        raise OrderError(
            "a card to leave out is not in this bulk action; `duanka orders show ACT` lists its cards"
        )
    return card
