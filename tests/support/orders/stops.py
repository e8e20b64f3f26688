"""A card that is stopped by the clock, with what the rules saw, and the words of the rules of a policy."""

from __future__ import annotations

from datetime import date

from duanka.bootstrap.papers.rules_told import rules_told
from duanka.bootstrap.policies import policy_named
from duanka.domain.hit_summary import HitSummary
from duanka.domain.network import NetworkState
from duanka.domain.order import SYSTEM, Event, Kind, Order
from duanka.domain.order_policy import DeadlineStage, OrderPolicy
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.unit_of_work.unit_of_work import Terms
from duanka.orders.service import OrderService
from support.orders.books import ELEMENTS, HOUR, KEY, NOW, card, demand, receive, restriction

NATIONAL = policy_named("national")
IN_STAGES = OrderPolicy(
    stages=(DeadlineStage(24, NetworkState.OUTGOING_BARRED), DeadlineStage(48, NetworkState.SUSPENDED))
)
SAW = BilingualText("一天主叫 83 个不同号码，如13800138000", "called 83 different numbers, like 13800138000")
SEEN = (HitSummary("fan_out", date(2026, 2, 27), date(2026, 3, 1), 2, SAW),)


def book_with_rules(store: Store, policy: OrderPolicy = IN_STAGES) -> OrderService:
    return OrderService(store, Terms(policy, Trail(KEY), ELEMENTS, rules_told(NATIONAL)))


def stopped(book: OrderService, number: int = 0) -> Order:
    """A card whose holder did not answer, with what the rule saw."""
    receive(book, [demand(number, hit_summaries=SEEN)], NOW)
    order = book.transaction(lambda unit: unit.open_order(card(number), Kind.VERIFICATION), NOW)
    assert order
    book.apply(order.id, Event.DELIVERED, SYSTEM, "receipt", NOW, delivered_at=NOW)
    book.sweep(NOW + 24 * HOUR)
    found = restriction(book, number)
    assert found
    return found
