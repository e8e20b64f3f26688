"""Wires the services of casework: what they need of other rooms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from duanka.bootstrap.casework.accounts import AccountRecords, account_services
from duanka.bootstrap.casework.clues import ClueWiring, clue_services
from duanka.bootstrap.casework.victims import victim_search, victim_services
from duanka.bootstrap.settings import Settings
from duanka.casework.cases.queries import CaseQueries
from duanka.casework.cases.seeds import CasePorts, CaseRecords
from duanka.casework.cases.service import CaseFiles
from duanka.casework.desk import AccountServices, CaseworkServices, VictimServices
from duanka.casework.figures import CaseworkFigures
from duanka.casework.victims.finding import VictimRecords
from duanka.domain.card_facts import CardFacts
from duanka.domain.policy import Policy
from duanka.domain.record_lookups import StoreStatus
from duanka.domain.ring_lookups import RingAnswer, RingTable
from duanka.domain.sealing import derived
from duanka.ledger.people.case_sources import CaseSources
from duanka.orders.queries.ring_queries import RingQueries
from duanka.orders.service import OrderService


class CaseworkRecords(CaseRecords, CardFacts, Protocol):
    """The store, as casework asks it."""

    def status(self) -> StoreStatus:
        """What the store holds."""


class InstalledRecords(CaseworkRecords, AccountRecords, VictimRecords, Protocol):
    """The store of an installation, as all of casework asks it."""


def installed_casework(
    settings: Settings,
    secret: bytes,
    policy: Policy,
    orders: OrderService,
    rings: RingQueries[RingAnswer, RingTable],
    records: Callable[[], InstalledRecords],
    sources: CaseSources,
) -> CaseworkServices:
    """The services of casework of an installation with this secret. `records`: as of `casework`."""
    store, trail = orders.store, orders.terms.trail
    return casework(
        orders,
        rings,
        records,
        victim_services(victim_search(store, trail, policy), records),
        _clue_wiring(settings, secret, sources),
        account_services(store, trail, policy, records, derived(secret, "platform rows")),
    )


def _clue_wiring(settings: Settings, secret: bytes, sources: CaseSources) -> ClueWiring:
    key = settings.clue_http_key.get_secret_value() if settings.clue_http_key else ""
    return ClueWiring(secret, sources.in_force, settings.clue_sftp_key, settings.clue_known_hosts, key)


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
