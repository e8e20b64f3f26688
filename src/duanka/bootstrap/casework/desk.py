"""Wires the services of casework: what they need of other rooms."""

from __future__ import annotations

from collections.abc import Callable

from duanka.casework.cases.queries import CaseQueries
from duanka.casework.cases.seeds import CasePorts, CaseRecords
from duanka.casework.cases.service import CaseFiles
from duanka.casework.desk import CaseworkServices
from duanka.casework.victims.searching import VictimSearch
from duanka.domain.ring_lookups import RingAnswer, RingTable
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.orders.queries.ring_queries import RingQueries


def casework(
    store: Store,
    trail: Trail,
    rings: RingQueries[RingAnswer, RingTable],
    records: Callable[[], CaseRecords],
    victims: VictimSearch,
) -> CaseworkServices:
    """The services of casework on an order database. `records`: LookupRefused: no store is attached."""
    return CaseworkServices(
        files=CaseFiles(store, trail, CasePorts(rings.in_full, records)),
        cases=CaseQueries(store, trail),
        victim_search=victims,
    )
