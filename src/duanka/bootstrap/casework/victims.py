"""Wires victims: the search, the watch of confirmations, and the dispatch of warnings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from duanka.casework.desk import VictimServices
from duanka.casework.victims.calls import VictimCalls
from duanka.casework.victims.dispatch import VictimReceipts, WarningDispatcher
from duanka.casework.victims.finding import VictimFinder, VictimRecords
from duanka.casework.victims.proposals import CallProposals
from duanka.casework.victims.queries import VictimQueries
from duanka.casework.victims.recording import BookTerms
from duanka.casework.victims.retention import VictimRetention
from duanka.casework.victims.searching import VictimSearch
from duanka.casework.victims.watching import ConfirmationWatch
from duanka.domain.local_time import OperatorZone
from duanka.domain.network import BulkNoticeSender
from duanka.domain.policy import Policy
from duanka.domain.victims import PartyLookups
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.monitoring.alarms import AlarmService


def victim_search(store: Store, trail: Trail, policy: Policy) -> VictimSearch:
    """The search for victims by a policy."""
    terms = BookTerms(policy.victims, policy.orders, OperatorZone(policy.orders.zone))
    lines = [str(row["number"]) for row in policy.lists.get("bank_hotlines", ())]
    return VictimSearch(store, trail, terms, lines)


def victim_services(search: VictimSearch, source: Callable[[], VictimRecords]) -> VictimServices:
    """What people and worker do for victims. `source`: LookupRefused: no store is attached."""
    queries, alarms = VictimQueries(search), AlarmService(search.store)

    def alarm(name: str, now: datetime, detail: str) -> None:
        alarms.raise_now(name, now, detail)

    return VictimServices(
        search=search,
        finder=VictimFinder(search, source),
        queries=queries,
        calls=VictimCalls(search, queries, alarm),
        proposals=CallProposals(search, source),
        retention=VictimRetention(search),
    )


@dataclass(frozen=True)
class VictimDuties:
    """What the worker of `serve` does for victims; `warnings` None: no message centre."""

    watch: ConfirmationWatch
    receipts: VictimReceipts
    warnings: WarningDispatcher | None


def victim_duties(
    search: VictimSearch,
    source: Callable[[], PartyLookups],
    alarms: AlarmService,
    worker: str,
    sender: BulkNoticeSender | None,
) -> VictimDuties:
    """The duties of one worker. `source`: LookupRefused: no store is attached."""
    store, policy = search.store, search.terms.policy
    warnings = sender and WarningDispatcher(
        store, worker, sender, alarms, batch=policy.batch, window=policy.window
    )
    return VictimDuties(
        watch=ConfirmationWatch(search, source, alarms, worker),
        receipts=VictimReceipts(store),
        warnings=warnings or None,
    )
