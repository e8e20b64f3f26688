"""Wires clues: facts from the store and the graph, the installation's clue key, ways to the police."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from duanka.bootstrap.casework.ring_views import CaseRings
from duanka.casework.clues.answers import ClueAnswers
from duanka.casework.clues.delivery.address import Delivery, address_of
from duanka.casework.clues.delivery.folder import FolderDelivery
from duanka.casework.clues.delivery.sftp import SftpDelivery
from duanka.casework.clues.dossier.assembly import DossierPorts
from duanka.casework.clues.files.manifest import ClueKey
from duanka.casework.clues.labels import ConfirmedLabels
from duanka.casework.clues.recipients import Recipients
from duanka.casework.clues.service import ClueService, ClueTerms
from duanka.casework.desk import ClueServices
from duanka.domain.card_facts import CardFacts
from duanka.domain.case_source import CaseSource
from duanka.domain.record_lookups import StoreStatus
from duanka.domain.ring_lookups import RingAnswer, RingTable
from duanka.domain.rule import Rule
from duanka.domain.sealing import derived
from duanka.orders.police_stops import police_stop
from duanka.orders.queries.ring_queries import RingQueries
from duanka.orders.service import OrderService


@dataclass(frozen=True)
class ClueWiring:
    """What clues need of an installation. `secret`: of it; `sources`: whose signed answers count."""

    secret: bytes
    sources: Callable[[], Sequence[CaseSource]] = tuple
    sftp_key: Path | None = None
    known_hosts: Path | None = None
    http_key: str = ""


def clue_key(secret: bytes) -> ClueKey:
    """The key that signs the clues of the installation with this secret."""
    return ClueKey(derived(secret, "clues"))


def clue_services(
    orders: OrderService,
    rings: RingQueries[RingAnswer, RingTable],
    records: Callable[[], CardFacts],
    status: Callable[[], StoreStatus],
    wiring: ClueWiring,
) -> ClueServices:
    """The services of clues on an order database. `records`, `status`: LookupRefused: no store is attached."""
    policy, trail = orders.terms.policy, orders.terms.trail

    def last_record(now: datetime) -> date | None:
        return status().last_day(now)

    ports = DossierPorts(records, last_record, CaseRings(rings), _rules, policy.operator)
    recipients = Recipients(orders.store, trail, derived(wiring.secret, "clue recipient rows"))
    terms = ClueTerms(
        ports,
        policy.local_time,
        clue_key(wiring.secret),
        derived(wiring.secret, "masked clues"),
        derived(wiring.secret, "clue rows"),
        policy.clue_days,
        lambda address: delivery_to(address, wiring),
    )
    return ClueServices(
        files=ClueService(orders.store, trail, recipients, terms),
        recipients=recipients,
        answers=ClueAnswers(orders.transaction, wiring.sources, police_stop),
        labels=ConfirmedLabels(orders.store, trail, policy.local_time),
    )


def delivery_to(address: str, wiring: ClueWiring) -> Delivery:
    """The way to an address. ClueError: it is none."""
    found = address_of(address)
    if found.kind == "folder":
        return FolderDelivery(Path(found.path))
    if found.kind == "sftp":
        return SftpDelivery(found, wiring.sftp_key, wiring.known_hosts)
    from duanka.casework.clues.delivery.http import HttpDelivery  # noqa: PLC0415  # httpx takes 0.1 s

    return HttpDelivery(found, wiring.http_key)


def _rules() -> Mapping[str, Rule]:
    from duanka.rules import RULES  # noqa: PLC0415  # half a second, which other commands need not wait for

    return {rule.id: rule for rule in RULES}
