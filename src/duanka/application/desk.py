"""The services on the order database that commands and API share: of orders, casework and assessment."""

from __future__ import annotations

from dataclasses import dataclass

from duanka.assessment.desk import AssessmentServices
from duanka.casework.desk import CaseworkServices
from duanka.domain.ring_lookups import RingAnswer, RingTable
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.people.keys import Keys
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.bulk_actions.withdrawal import Withdrawals
from duanka.orders.disavowals.service import Disavowals
from duanka.orders.intake.takes import TakeService
from duanka.orders.papers.services import PaperServices
from duanka.orders.queries.record_queries import RecordQueries
from duanka.orders.queries.ring_queries import RingQueries
from duanka.orders.queries.service import OrderQueries
from duanka.orders.service import OrderService
from duanka.orders.verification.counter import Counter
from duanka.orders.verification.links import Links
from duanka.orders.verification.online_checks import OnlineChecks
from duanka.orders.verification.reviews import Reviews


@dataclass(frozen=True, kw_only=True)
class DeskServices:
    """The services that change or read orders and cases, on one database and policy."""

    store: Store
    orders: OrderService
    bulk_actions: BulkActionService
    keys: Keys
    links: Links
    reading: OrderQueries
    records: RecordQueries
    rings: RingQueries[RingAnswer, RingTable]
    trail: Trail
    checks: OnlineChecks
    counter: Counter
    disavowals: Disavowals
    papers: PaperServices
    reviews: Reviews
    takes: TakeService
    withdrawals: Withdrawals
    casework: CaseworkServices
    assessment: AssessmentServices
