"""The services of papers for holders, for desk and API."""

from __future__ import annotations

from dataclasses import dataclass

from duanka.orders.papers.billing import BillingQueries
from duanka.orders.papers.copies import StopTextCopies
from duanka.orders.papers.documents import FontFolders
from duanka.orders.service import OrderService


@dataclass(frozen=True)
class PaperServices:
    """Copies of the texts of stops, events for billing."""

    copies: StopTextCopies
    billing: BillingQueries


def paper_services(orders: OrderService, fonts: FontFolders) -> PaperServices:
    """Return the services on the database of `orders`."""
    return PaperServices(StopTextCopies(orders, fonts), BillingQueries(orders.store, orders.terms.trail))
