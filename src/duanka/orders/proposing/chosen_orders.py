"""A bulk action for the cards of chosen orders: what it would do, and its proposal.

Lists show masked numbers, so whoever works with them names orders, by id or by what they have in common.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from pydantic import Field
from sqlalchemy import Connection, func, select

from duanka.domain.authority import Permission, authorize, within
from duanka.domain.bulk_action import LIFTS, BulkAction, BulkActionState
from duanka.domain.order import (
    STOP_EVENTS,
    Event,
    Kind,
    NoSuchTransition,
    Order,
    OrderError,
    Person,
    Role,
    State,
    UnknownOrder,
    next_state,
)
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.text import BilingualText, WordedEnum
from duanka.ledger.audit.trail import AuditEntry
from duanka.ledger.db.bulk import among
from duanka.ledger.db.rows import order_of
from duanka.ledger.db.tables import act_cards, acts, cards, orders
from duanka.ledger.people.places import orders_in
from duanka.ledger.unit_of_work.lifeline import why_no_lifeline
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.bulk_actions.conditions import may_ask
from duanka.orders.bulk_actions.execution import AT_ONCE, SKIPPED, TARGETS
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.bulk_actions.standing import HeldMeanwhile, standing_stops
from duanka.orders.bulk_actions.withdrawal import Which, Withdrawals
from duanka.orders.masking import MASKED, ShownNumber, View
from duanka.orders.queries.listing import Filter, conditions

MOST_CHOSEN = 10_000  # orders in one request
_GOES_ON = (BulkActionState.PROPOSED.value, BulkActionState.RUNNING.value)


class LeftOutReason(WordedEnum):
    """Why a bulk action leaves a chosen card alone."""

    PROTECTED = "protected", "受保护号码"
    CANCELLED = "cancelled", "已销户", "cancelled for good"
    IN_BULK_ACTION = "in_bulk_action", "已在其他批量处置中", "already in a bulk action"
    POLICE_STOP = "police_stop", "公安停机，须公安解除", "stopped by the police, who alone lift it"
    ALREADY = "already", "已是该状态", "already so"
    NOT_STOPPED = "not_stopped", "未停机"
    NOT_ASKED = "not_asked", "不是进行中的核验", "not an open verification"
    NO_LIFELINE = "no_lifeline", "不得给予保底服务", "never given the lifeline"
    NOT_POSSIBLE = "not_possible", "现在的状态不允许", "not possible in its present state"


class ChosenCardShown(View):
    """A card of the chosen orders, and what a bulk action would do with it."""

    OURS = View.OURS | {"detail"}

    order_id: str = Field(
        description="The chosen order that stands for the card.", examples=["V0123456789AB"]
    )
    card: ShownNumber
    tier: str = Field(description="Of that order.", examples=["high"])
    state: State = Field(description="How the card is treated now.", examples=["active"])
    left_out: LeftOutReason | None = Field(
        description="Why it is left alone; null: the bulk action changes it."
    )
    detail: str = Field(
        description="The bulk action or order that is the reason.", examples=["A0123456789AB"]
    )


class ChosenOrdersShown(View):
    """What a bulk action would do with the cards of chosen orders, as things are now."""

    event: Event
    orders: int = Field(description="Chosen orders.")
    cards: int = Field(description="Their cards; a card with several of them counts once.")
    changes: int = Field(description="Cards that it would change.")
    left_out: dict[str, int] = Field(description="Cards that it would leave alone, by reason.")
    tiers: dict[str, int] = Field(description="Cards that it would change, by tier.")
    second_person: bool = Field(description="Whether a second person has to approve it first (双人复核).")
    items: list[ChosenCardShown] = Field(description="Each card; those left alone first.")


@dataclass(frozen=True)
class _Chosen:
    """What is known of the chosen cards. `chosen`: card -> its order; `open_ones`: (card, kind) -> order."""

    orders: int
    chosen: Mapping[str, Order]
    states: Mapping[str, State]
    open_ones: Mapping[tuple[str, Kind], Order]
    left_out: Mapping[str, tuple[LeftOutReason, str]]
    policy: OrderPolicy

    @property
    def changed(self) -> list[str]:
        return [card for card in self.chosen if card not in self.left_out]


def preview(
    acts_service: BulkActionService, event: Event, which: Sequence[str] | Filter, by: Person, now: datetime
) -> ChosenOrdersShown:
    """Return what `propose_for_orders` would do; raises the same errors, but for "nothing is left to do".

    `which`: ids of orders, or a filter of open and closed ones.
    """
    seen = _look(acts_service, event, which, by, now)
    store, trail = acts_service.orders.store, acts_service.orders.terms.trail
    with store.writing() as connection:  # whoever previews reads a list of orders
        trail.append(
            connection, [AuditEntry(now, by, "read.orders", "orders", "", after={"unmasked": False})]
        )
    items = [_shown(card, order, seen) for card, order in seen.chosen.items()]
    return ChosenOrdersShown(
        event=event,
        orders=seen.orders,
        cards=len(seen.chosen),
        changes=len(seen.changed),
        left_out=dict(Counter(why.value for why, _ in seen.left_out.values())),
        tiers=dict(Counter(seen.chosen[card].tier for card in seen.changed)),
        second_person=_takes_two(event, seen),
        items=sorted(items, key=lambda one: one.left_out is None),
    )


def propose_for_orders(
    acts_service: BulkActionService,
    event: Event,
    which: Sequence[str],
    reason: BilingualText,
    by: Person,
    now: datetime,
    until: datetime | None = None,
) -> BulkAction:
    """Propose `event` for the cards of these orders, without those that `preview` leaves out.

    Where one person suffices it begins at once, as with `BulkActionService.propose` and `Withdrawals.propose`, whose
    errors it raises, with masked numbers. NoSuchTransition: every card would be left out.
    """
    try:
        return _propose(acts_service, event, which, reason, by, now, until)
    except HeldMeanwhile:  # by somebody else in the same moment: what is left now
        return _propose(acts_service, event, which, reason, by, now, until)


def _propose(
    acts_service: BulkActionService,
    event: Event,
    which: Sequence[str],
    reason: BilingualText,
    by: Person,
    now: datetime,
    until: datetime | None,
) -> BulkAction:
    seen = _look(acts_service, event, which, by, now)
    if not (numbers := seen.changed):
        counts = Counter(why.words.en for why, _ in seen.left_out.values())
        told = "; ".join(f"{count} {why}" for why, count in counts.most_common())
        raise NoSuchTransition(f"nothing is left to do: {told}")
    try:
        if event is Event.WITHDRAW:
            meant = Which(named=tuple(seen.chosen[card].id for card in numbers))
            return Withdrawals(acts_service).propose(meant, by, reason, now, AT_ONCE)
        return acts_service.propose(event, numbers, reason, by, now, until, unheld=event in STOP_EVENTS)
    except HeldMeanwhile:
        raise
    except OrderError as error:
        raise type(error)(MASKED.text(str(error))) from None  # may name a card, which `by` did not name


def _look(
    acts_service: BulkActionService, event: Event, which: Sequence[str] | Filter, by: Person, now: datetime
) -> _Chosen:
    may_ask(event, by)
    authorize(by, Permission.LIST_ORDERS)
    policy = acts_service.orders.terms.policy
    with acts_service.orders.store.reading() as connection:
        found = _found(connection, which, by, now)
        chosen = _one_for_each_card(found, event)
        open_ones = _open_orders(connection, list(chosen))
        states = _states(connection, chosen)
        held = _held(connection, event, chosen)
    left_out = _left_out(event, chosen, states, open_ones, held, policy)
    left_out |= _never_lifeline(acts_service, event, chosen.keys() - left_out.keys(), now)
    return _Chosen(len(found), chosen, states, open_ones, left_out, policy)


def _found(connection: Connection, which: Sequence[str] | Filter, by: Person, now: datetime) -> list[Order]:
    if isinstance(which, Filter):
        where = [*conditions(which, now), *orders_in(by)]
        count = connection.execute(select(func.count()).select_from(orders).where(*where)).scalar_one()
        if count > MOST_CHOSEN:
            raise OrderError(
                f"{count} orders are more than one request takes ({MOST_CHOSEN}): narrow the filter, make it several"
            )
        query = select(orders).where(*where).order_by(orders.c.id).limit(MOST_CHOSEN)
        found = [order_of(row) for row in connection.execute(query).mappings()]
    else:
        query = select(orders).where(among(connection, orders.c.id, which)).order_by(orders.c.id)
        found = [order_of(row) for row in connection.execute(query).mappings()]
        if missing := sorted(set(which) - {order.id for order in found}):
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise UnknownOrder(f"no order {missing[0]!r}{more}")
        for order in found:
            within(by, order.id, order.operator, order.city)
    return found


def _one_for_each_card(found: Sequence[Order], event: Event) -> dict[str, Order]:
    """Map each card to the order that stands for it: the one to withdraw, else an open one, else the latest."""

    def weight(order: Order) -> tuple[object, ...]:
        meant = event is Event.WITHDRAW and order.kind is Kind.VERIFICATION
        return meant and order.closed_at is None, order.closed_at is None, order.opened_at

    chosen = dict[str, Order]()
    for order in sorted(found, key=weight):
        chosen[order.card] = order
    return dict(sorted(chosen.items()))


def _open_orders(connection: Connection, cards: Sequence[str]) -> dict[tuple[str, Kind], Order]:
    query = select(orders).where(among(connection, orders.c.card, cards), orders.c.closed_at.is_(None))
    found = (order_of(row) for row in connection.execute(query).mappings())
    return {(order.card, order.kind): order for order in found}


def _states(connection: Connection, numbers: Iterable[str]) -> dict[str, State]:
    """Map cards that are or were restricted to how they are treated now."""
    query = select(cards.c.card, cards.c.state).where(among(connection, cards.c.card, numbers))
    return {row.card: State(row.state) for row in connection.execute(query)}


def _held(connection: Connection, event: Event, numbers: Iterable[str]) -> Mapping[str, str]:
    """Map cards that another bulk action has to its id: a standing stop, or a lift on its way."""
    return standing_stops(connection, event, numbers) if event in STOP_EVENTS else _lifts(connection, numbers)


def _left_out(
    event: Event,
    chosen: Mapping[str, Order],
    states: Mapping[str, State],
    open_ones: Mapping[tuple[str, Kind], Order],
    held: Mapping[str, str],
    policy: OrderPolicy,
) -> dict[str, tuple[LeftOutReason, str]]:
    found = dict[str, tuple[LeftOutReason, str]]()
    for card, order in chosen.items():
        if policy.protects(card):
            found[card] = LeftOutReason.PROTECTED, ""
        elif states.get(card) is State.CANCELLED:
            found[card] = LeftOutReason.CANCELLED, ""
        elif card in held:
            found[card] = LeftOutReason.IN_BULK_ACTION, held[card]
        elif event is Event.WITHDRAW:
            if order.kind is not Kind.VERIFICATION or order.closed_at:
                found[card] = LeftOutReason.NOT_ASKED, order.id
        elif why := _why_not(event, open_ones.get((card, Kind.RESTRICTION))):
            found[card] = why
    return found


def _why_not(event: Event, restriction: Order | None) -> tuple[LeftOutReason, str] | None:
    """Why a card with this open restriction would be skipped; `execution` decides again, card by card."""
    if restriction is None:
        stopped_only = event in LIFTS or event is Event.CANCEL
        return (LeftOutReason.NOT_STOPPED, "") if stopped_only else None
    if restriction.state is State.FORCED_STOP and event is not Event.CANCEL:
        return LeftOutReason.POLICE_STOP, restriction.id
    if restriction.state is TARGETS.get(event):
        return LeftOutReason.ALREADY, restriction.id
    try:
        next_state(Kind.RESTRICTION, restriction.state, event, Role.SYSTEM)
    except OrderError:
        return LeftOutReason.NOT_POSSIBLE, restriction.id
    return None


def _never_lifeline(
    acts_service: BulkActionService, event: Event, numbers: Set[str], now: datetime
) -> dict[str, tuple[LeftOutReason, str]]:
    if event not in (Event.LIFELINE, Event.EASE_TO_LIFELINE):
        return {}

    def work(unit: UnitOfWork) -> list[str]:
        unit.lock(numbers)
        return [card for card in numbers if why_no_lifeline(unit, card)]

    return dict.fromkeys(acts_service.orders.transaction(work, now), (LeftOutReason.NO_LIFELINE, ""))


def _lifts(connection: Connection, numbers: Iterable[str]) -> dict[str, str]:
    """Map cards that a proposed or running bulk action lifts to its id."""
    query = (
        select(act_cards.c.card, acts.c.id)
        .join(acts, acts.c.id == act_cards.c.act_id)
        .where(among(connection, act_cards.c.card, numbers), acts.c.state.in_(_GOES_ON))
        .where(acts.c.event.in_(sorted(one.value for one in LIFTS)))
        .where(act_cards.c.outcome.is_distinct_from(SKIPPED))
        .order_by(acts.c.proposed_at, acts.c.id)
    )
    return {row.card: row.id for row in connection.execute(query)}


def _takes_two(event: Event, seen: _Chosen) -> bool:
    """Whether a second person has to approve it; the proposal decides again, with its cards locked."""
    if event in STOP_EVENTS:
        return seen.policy.two_people
    tiers = seen.policy.identity.second_person_tiers
    kinds = (Kind.VERIFICATION, Kind.RESTRICTION)
    open_of = (seen.open_ones.get((card, kind)) for card in seen.changed for kind in kinds)
    return any(order is not None and order.tier in tiers for order in open_of)


def _shown(card: str, order: Order, seen: _Chosen) -> ChosenCardShown:
    why, detail = seen.left_out.get(card, (None, ""))
    state = seen.states.get(card, State.ACTIVE)
    facts = {"order_id": order.id, "card": MASKED.number(card), "tier": order.tier, "state": state}
    return ChosenCardShown.of({**facts, "left_out": why, "detail": detail})
