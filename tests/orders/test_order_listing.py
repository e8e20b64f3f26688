"""Lists of orders on both databases: every sort page by page, counts, filters, scopes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from duanka.domain.order import Order, PermissionDenied, Person, Role, UnknownOrder
from duanka.domain.person import scope_of
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.orders.queries.listing import TIERS, Sort
from duanka.orders.queries.service import Filter, OrderQueries, ViewerContext
from support.orders.books import DESK, HOUR, KEY, NOW, book_on, card, delivered, demand, receive

CLERK, REGULATOR = ViewerContext(DESK), ViewerContext(Person("zhao", Role.REGULATOR))
DAY = 24 * HOUR


def reading(store: Store) -> OrderQueries:
    return OrderQueries(store, Trail(KEY))


@pytest.mark.parametrize("sort", Sort)
def test_pages_of_every_sort_show_everything_once_in_one_order(store: Store, sort: Sort) -> None:
    book, read = book_on(store), reading(store)
    for number in range(20, 40):
        rules = ("fan_out", "sim_box")[: 1 + number % 2]
        receive(
            book,
            [demand(number, tier="high" if number % 3 else "medium", rules=rules)],
            NOW + number % 4 * HOUR,
        )
    for number in (20, 25, 26):
        delivered(book, number, NOW + (60 - number) * HOUR)
    whole = [*_pages(read, sort, 50)]
    assert (
        len(whole)
        == len({order.id for order in whole})
        == len(read.orders(Filter(), CLERK, NOW, limit=200).items)
    )
    assert [order.id for order in _pages(read, sort, 7)] == [order.id for order in whole]
    skipped = read.orders(Filter(), CLERK, NOW, limit=5, sort=sort, skip=10).items
    assert [order.id for order in skipped] == [order.id for order in whole[10:15]]
    weight = {tier: at for at, tier in enumerate(TIERS)}
    never = NOW + 900 * DAY
    keys: dict[Sort, Callable[[Order], Any]] = {
        Sort.DUE: lambda one: (one.due_at or never, weight[one.tier], one.opened_at),
        Sort.WEIGHT: lambda one: (weight[one.tier], -len(one.rules), -one.hits, one.due_at or never),
        Sort.OPENED: lambda one: -one.opened_at.timestamp(),
        Sort.UPDATED: lambda one: -one.updated_at.timestamp(),
    }
    assert [keys[sort](order) for order in whole] == sorted(keys[sort](order) for order in whole)
    for other in set(Sort) - {sort}:
        cursor = read.orders(Filter(), CLERK, NOW, limit=3, sort=other).next or ""
        with pytest.raises(UnknownOrder, match="with the same sort"):
            read.orders(Filter(), CLERK, NOW, cursor, sort=sort)


def _pages(read: OrderQueries, sort: Sort, limit: int) -> Iterator[Order]:
    after = ""
    while True:
        page = read.orders(Filter(), CLERK, NOW, after, limit, sort=sort)
        yield from page.items
        if not (after := page.next or ""):
            return


def test_counts_are_of_what_the_filter_finds_and_of_the_scope(store: Store) -> None:
    book = book_on(store)
    for number in range(6):
        city = "130100" if number % 2 else ""
        rules = ("fan_out", "sim_box") if number == 1 else ("fan_out",)
        receive(book, [demand(number, rules=rules, operator="unicom" if city else "", city=city)], NOW)
    read = reading(store)
    found = read.order_counts(Filter(is_open=True), CLERK, NOW)
    assert (found.total, found.by["rule"], found.by["city"]) == (
        6,
        {"fan_out": 6, "sim_box": 1},
        {"": 3, "130100": 3},
    )
    assert read.order_counts(Filter(rules=["sim_box"]), CLERK, NOW).total == 1
    assert read.order_counts(Filter(rules=["sim", "fan_ou", "%", "_"]), CLERK, NOW).total == 0
    near = replace(CLERK, person=replace(CLERK.person, scope=scope_of([], ["130100"])))
    assert read.order_counts(Filter(), near, NOW).by["operator"] == {"unicom": 3}
    with pytest.raises(PermissionDenied, match="search orders by number"):
        read.order_counts(Filter(card=card(0)), REGULATOR, NOW)
