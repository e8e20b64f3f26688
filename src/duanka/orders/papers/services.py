"""The services of papers for holders, for desk and API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from duanka.domain.record_lookups import RecordLookups
from duanka.domain.store_policy import StorePolicy
from duanka.orders.papers.billing import BillingQueries
from duanka.orders.papers.copies import StopTextCopies
from duanka.orders.papers.statements.service import CardStatements
from duanka.orders.service import OrderService


@dataclass(frozen=True)
class PaperServices:
    """Copies of the texts of stops, statements for holders, events for billing."""

    copies: StopTextCopies
    statements: CardStatements
    billing: BillingQueries


def paper_services(
    orders: OrderService, records: Callable[[], RecordLookups], keep: StorePolicy
) -> PaperServices:
    """Return the services on the database of `orders`. `records`, `keep`: the store of records and its terms."""
    return PaperServices(
        StopTextCopies(orders),
        CardStatements(orders, records, keep),
        BillingQueries(orders.store, orders.terms.trail),
    )
