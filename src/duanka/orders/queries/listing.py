"""SQL conditions, sort keys and counts of order lists."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    type_coerce,
)

from duanka.domain.order import Kind, State, UnknownOrder
from duanka.ledger.db.tables import orders
from duanka.orders.monitoring.waiting import unanswered_objections, waits
from duanka.orders.pagination import MOST
from duanka.orders.views import OrderCountsShown

TIERS = ("extreme", "high", "medium", "low")  # heaviest first
COUNTED = ("tier", "state", "rule", "city", "operator")
_NO_DEADLINE = 1 << 62  # sorts after every deadline


class Sort(StrEnum):
    """Sort order of a list."""

    DUE = "due"  # objections past their term, then next deadline first, no deadline last; then heavier tier, then older
    WEIGHT = "weight"  # heaviest tier first, then most rules, most hits, next deadline
    OPENED = "opened"  # latest first
    UPDATED = "updated"  # latest change first


@dataclass(frozen=True)
class Filter:
    """Filter of orders; None or empty: no condition.

    `since` <= opened < `until`; `card`: E.164 without +; `due`: deadline at this time or earlier. An order
    matches a sequence if it has one of its values; "" matches an unknown operator or city.
    """

    kind: Kind | None = None
    states: Sequence[State] = ()
    card: str | None = None
    tiers: Sequence[str] = ()
    is_open: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    overdue: bool = False
    waiting: bool = False
    due: datetime | None = None
    rules: Sequence[str] = ()
    operators: Sequence[str] = ()
    cities: Sequence[str] = ()


def conditions(which: Filter, now: datetime) -> list[ColumnElement[bool]]:
    """Return the conditions on `orders` rows."""
    column = orders.c
    asked: list[tuple[object, Callable[[], ColumnElement[bool]]]] = [
        (which.kind, lambda: column.kind == str(which.kind)),
        (which.states or None, lambda: column.state.in_([state.value for state in which.states])),
        (which.card, lambda: column.card == which.card),
        (which.tiers or None, lambda: column.tier.in_(which.tiers)),
        (
            which.is_open,
            lambda: column.closed_at.is_(None) if which.is_open else column.closed_at.is_not(None),
        ),
        (which.since, lambda: column.opened_at >= which.since),
        (which.until, lambda: column.opened_at < which.until),
        (which.due, lambda: _due_by(which.due)),
        (which.overdue or None, lambda: _overdue(now)),
        (which.waiting or None, waits),
        (which.rules or None, lambda: or_(*map(_tripped, which.rules))),
        (which.operators or None, lambda: column.operator.in_(which.operators)),
        (which.cities or None, lambda: column.city.in_(which.cities)),
    ]
    return [condition() for value, condition in asked if value is not None]


def sorted_page(
    where: Sequence[ColumnElement[bool]], sort: Sort, after: str, limit: int, skip: int = 0
) -> Select[Any]:
    """Return the query for a page of orders plus one row; sort keys are extra columns.

    `after`: cursor of the previous page, "" for the first; UnknownOrder: not a cursor of this list.
    `skip`: rows before the page.
    """
    keys = _keys(sort)
    if after:
        where = [*where, _behind(keys, _place(sort, after))]
    named = [key.label(f"key_{at}") for at, (key, _) in enumerate(keys)]
    # Only keys are sorted: an order is a long row, and most of the sorted rows are not on the page.
    here = select(orders.c.id, *named).where(*where).order_by(*_sorted(keys))
    page = here.limit(max(1, min(limit, MOST)) + 1).offset(skip).subquery("page")
    found = [(page.c[one.name], descends) for one, (_, descends) in zip(named, keys, strict=True)]
    shown = select(orders, *(one for one, _ in found[:-1])).join(page, page.c.id == orders.c.id)
    return shown.order_by(*_sorted(found))


def cursor(sort: Sort, row: RowMapping) -> str:
    """Encode the cursor after this row."""
    place = " ".join([sort.value, *(str(row[f"key_{at}"]) for at in range(len(_keys(sort)) - 1)), row["id"]])
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def counts(connection: Connection, where: Sequence[ColumnElement[bool]]) -> OrderCountsShown:
    """Count the orders that match `where`; one with several rules counts for each."""
    # The most selective column first: a database that sorts compares less.
    columns = (orders.c.rules, orders.c.city, orders.c.operator, orders.c.tier, orders.c.state)
    query = select(*columns, func.count()).where(*where).group_by(*columns)
    total, by = 0, {name: Counter[str]() for name in COUNTED}
    for rules, city, operator, tier, state, count in connection.execute(query):
        total += count
        for name, value in (("tier", tier), ("state", state), ("city", city), ("operator", operator)):
            by[name][value] += count
        by["rule"].update(dict.fromkeys(rules.split(), count))
    heavy = {tier: at for at, tier in enumerate(TIERS)}
    told = {
        name: dict(
            sorted(
                found.items(),
                key=lambda one: (heavy.get(one[0], len(heavy)) if name == "tier" else 0, -one[1], one[0]),
            )
        )
        for name, found in by.items()
    }
    return OrderCountsShown(total=total, by=told)


def place_named(written: str) -> str:
    """Parse an operator or city of a filter: `-` means unknown, as in lists."""
    return "" if written == "-" else written


def _keys(sort: Sort) -> list[tuple[ColumnElement[Any], bool]]:
    """Return the sort keys, each with whether it descends; the unique id is last."""
    due_at = func.coalesce(type_coerce(orders.c.due_at, BigInteger), literal(_NO_DEADLINE, BigInteger))
    due = case((unanswered_objections(), literal(0, BigInteger)), else_=due_at)
    opened, updated = (type_coerce(one, BigInteger) for one in (orders.c.opened_at, orders.c.updated_at))
    weight = case(*((orders.c.tier == tier, at) for at, tier in enumerate(TIERS)), else_=len(TIERS))
    rules = func.length(orders.c.rules) - func.length(func.replace(orders.c.rules, " ", ""))
    keys: dict[Sort, list[tuple[ColumnElement[Any], bool]]] = {
        Sort.DUE: [(due, False), (weight, False), (opened, False), (orders.c.id, False)],
        Sort.WEIGHT: [
            (weight, False),
            (rules, True),
            (orders.c.hits, True),
            (due, False),
            (orders.c.id, False),
        ],
        Sort.OPENED: [(opened, True), (orders.c.id, True)],
        Sort.UPDATED: [(updated, True), (orders.c.id, True)],
    }
    return keys[sort]


def _sorted(keys: Sequence[tuple[ColumnElement[Any], bool]]) -> list[ColumnElement[Any]]:
    return [key.desc() if descends else key for key, descends in keys]


def _behind(keys: Sequence[tuple[ColumnElement[Any], bool]], place: Sequence[Any]) -> ColumnElement[bool]:
    """Condition for the rows after this cursor."""
    steps = []
    for at, (key, descends) in enumerate(keys):
        same = [one == value for (one, _), value in zip(keys[:at], place, strict=False)]
        steps.append(and_(*same, key < place[at] if descends else key > place[at]))
    return or_(*steps)


def _place(sort: Sort, after: str) -> list[Any]:
    try:
        said, *numbers, last = base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)).decode().split(" ")
        place: list[Any] = [*map(int, numbers), last]
        known = said == sort.value and len(place) == len(_keys(sort)) and last.isalnum()
    except ValueError:
        known = False
    if not known or any(abs(number) > _NO_DEADLINE for number in place[:-1]):
        raise UnknownOrder(
            "no page begins there: give back `next` of the page before as it came, with the same sort, or none"
        )
    return place


def _tripped(rule: str) -> ColumnElement[bool]:
    """Whether the rule is among the order's rules."""
    return (literal(" ") + orders.c.rules + literal(" ")).contains(f" {rule} ", autoescape=True)


def _due_by(moment: datetime | None) -> ColumnElement[bool]:
    """With a deadline by then; an objection whose term is over has none left, and was due before."""
    return or_(and_(orders.c.due_at.is_not(None), orders.c.due_at <= moment), unanswered_objections())


def _overdue(now: datetime) -> ColumnElement[bool]:
    return and_(orders.c.closed_at.is_(None), or_(orders.c.due_at <= now, unanswered_objections()))
