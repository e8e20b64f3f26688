"""Wires the services of casework: what they need of other rooms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from duanka.bootstrap.casework.clues import ClueWiring, clue_services
from duanka.casework.cases.queries import CaseQueries
from duanka.casework.cases.seeds import CasePorts, CaseRecords
from duanka.casework.cases.service import CaseFiles
from duanka.casework.desk import AccountServices, CaseworkServices, VictimServices
from duanka.casework.figures import CaseworkFigures
from duanka.domain.card_facts import CardFacts
from duanka.domain.record_lookups import StoreStatus
from duanka.domain.ring_lookups import RingAnswer, RingTable
from duanka.orders.queries.ring_queries import RingQueries
from duanka.orders.service import OrderService


class CaseworkRecords(CaseRecords, CardFacts, Protocol):
    """The store, as casework asks it."""

    def status(self) -> StoreStatus:
        """What the store holds."""


def casework(
    orders: OrderService,
    rings: RingQueries[RingAnswer, RingTable],
    records: Callable[[], CaseworkRecords],
    victims: VictimServices,
    clues: ClueWiring,
    accounts: AccountServices,
) -> CaseworkServices:
    """The services of casework on an order database. `records`: LookupRefused: no store is attached."""
    store, trail = orders.store, orders.terms.trail
    return CaseworkServices(
        files=CaseFiles(store, trail, CasePorts(rings.in_full, records)),
        cases=CaseQueries(store, trail),
        figures=CaseworkFigures(store, trail),
        accounts=accounts,
        clues=clue_services(orders, rings, records, lambda: records().status(), clues),
        victims=victims,
    )
