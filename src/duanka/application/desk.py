"""The services on the order database that commands and API share: of orders, casework and assessment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from duanka.domain.policy import Policy
from duanka.domain.ring_lookups import RingAnswer, RingTable
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.people.keys import Keys
from duanka.ledger.people.sign_in import SignInServices
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

if TYPE_CHECKING:
    from duanka.assessment.desk import AssessmentServices
    from duanka.casework.desk import CaseworkServices


@dataclass(frozen=True, kw_only=True)
class DeskServices:
    """The services that change or read orders and cases, on one database and policy.

    Casework and assessment are imported and made at their first use: both take longer than all others together, and
    most commands need neither. `make_all`, before threads share the services.
    """

    store: Store
    policy: Policy
    orders: OrderService
    bulk_actions: BulkActionService
    keys: Keys
    sign_in: SignInServices
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
    make_casework: Callable[[], CaseworkServices]
    make_assessment: Callable[[], AssessmentServices]

    @cached_property
    def casework(self) -> CaseworkServices:
        """The services of casework."""
        return self.make_casework()

    @cached_property
    def assessment(self) -> AssessmentServices:
        """The services of the assessment."""
        return self.make_assessment()

    def make_all(self) -> None:
        """Make all services now, in this thread."""
        _ = self.casework, self.assessment
