"""What the API is given: the order book and what reads it, the second verification online, the time, limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Annotated, Protocol

from fastapi import Depends, Request

from duanka.api.http.rate_limit import Buckets
from duanka.api.http.uploads import Uploads
from duanka.application.online_verification import OnlineVerification
from duanka.domain.identity_ports import CheckBook
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.people.keys import Keys
from duanka.orders.bulk_actions.service import ActService
from duanka.orders.bulk_actions.withdrawal import Withdrawals
from duanka.orders.intake.takes import TakeService
from duanka.orders.queries.service import OrderQueries
from duanka.orders.service import OrderService
from duanka.orders.verification.counter import Counter
from duanka.orders.verification.links import Links
from duanka.orders.verification.reviews import Reviews


class DeskServices(Protocol):
    """Everything that acts on orders or reads them, on one database under one policy."""

    @property
    def store(self) -> Store:
        """The database."""

    @property
    def book(self) -> OrderService:
        """Moves orders."""

    @property
    def acts(self) -> ActService:
        """What two people do."""

    @property
    def keys(self) -> Keys:
        """Who acts."""

    @property
    def links(self) -> Links:
        """Links of notices."""

    @property
    def reading(self) -> OrderQueries:
        """What people may see."""

    @property
    def trail(self) -> Trail:
        """The audit trail."""

    @property
    def checks(self) -> CheckBook:
        """Sessions of the second verification: whose a token is."""

    @property
    def counter(self) -> Counter:
        """The second verification in person."""

    @property
    def reviews(self) -> Reviews:
        """What waits for a person after the check online."""

    @property
    def takes(self) -> TakeService:
        """What was made of decisions at once, and what is held."""

    @property
    def withdrawals(self) -> Withdrawals:
        """Withdraws many verifications as one act."""


class HealthReport(Protocol):
    """How an installation is."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """What is wrong; empty where nothing is."""

    @property
    def database(self) -> bool:
        """Whether the database can be written and its tables fit."""

    @property
    def wants(self) -> tuple[str, ...]:
        """What is not set up, so that something waits."""


@dataclass(frozen=True)
class RequestLimits:
    """How much one may ask. Rates are per minute, with as much again at once as `burst` says; `body`: bytes.

    `polling`: looks at one session's verdict; `pictures`: of one session, one by one; `frames`: bytes of the one body
    that carries all pictures, and of those of one challenge; `uploads`: of all that came one by one and wait.
    """

    per_key: float = 600
    per_key_burst: int = 120
    failed: float = 20
    failed_burst: int = 20
    holder: float = 30
    holder_burst: int = 20
    polling: float = 90
    polling_burst: int = 30
    pictures: float = 300
    pictures_burst: int = 100
    body: int = 1 << 20
    frames: int = 6 << 20
    uploads: int = 256 << 20


@dataclass(frozen=True)
class Context:
    """The parts of one API."""

    desk: DeskServices
    clock: Callable[[], datetime]
    limits: RequestLimits
    by_key: Buckets
    failed: Buckets
    holder: Buckets
    polling: Buckets
    pictures: Buckets
    uploads: Uploads
    online: Callable[[], OnlineVerification | None] = lambda: None
    health: Callable[[], HealthReport] | None = None  # None: only the database is asked
    metrics: Callable[[], bytes] | None = None  # in the text format of Prometheus; None: there are none
    verifying: Lock = field(default_factory=Lock)  # the whole trail is read by one at a time

    @property
    def verification(self) -> OnlineVerification | None:
        """The second verification online; None: the counter is the only way, now."""
        return self.online()

    @property
    def now(self) -> datetime:
        """The present."""
        return self.clock()


def present() -> datetime:
    """The clock, in UTC."""
    return datetime.now(UTC)


def context_of(request: Request) -> Context:
    """The parts of the API that answers this request."""
    found: Context = request.app.state.context
    return found


Here = Annotated[Context, Depends(context_of)]
