"""Dependencies of the API: services, online verification, clock, limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event, Lock
from typing import Annotated, Protocol

from fastapi import Depends, Request

from duanka.api.http.latest_change import LatestChange
from duanka.api.http.rate_limit import Buckets
from duanka.api.http.steady import SteadyQueue
from duanka.api.http.uploads import Uploads
from duanka.application.desk import DeskServices
from duanka.application.online_verification import OnlineVerification
from duanka.domain.identity_provider import IdentityProvider

BASE = "/card-restrictions/v1"  # path of all endpoints
OIDC_CALLBACK = "/session/oidc/callback"  # below it; where a provider sends a browser back to


class HealthReport(Protocol):
    """State of an installation."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """What is wrong; empty if nothing."""

    @property
    def database(self) -> bool:
        """Whether the database is writable and has the right tables."""

    @property
    def wants(self) -> tuple[str, ...]:
        """Missing settings that keep work waiting."""


@dataclass(frozen=True)
class RequestLimits:
    """Request limits. Rates are per minute; `*_burst`: requests allowed at once.

    `body`: bytes. `polling`: polls of one session's verdict; `pictures`: pictures of one session, sent one
    by one; `frames`: bytes of a body with all pictures, and of all single pictures of one challenge;
    `uploads`: bytes of all single pictures held in memory. `unlinked_begin`, `unlinked_submit`: seconds that an answer
    without a link takes at least, so that its time tells nothing: a look-up, and a photo that is fetched and looked at.
    `sign_in`: tries to sign in from one address, whose answer takes `sign_in_least` seconds at least;
    `sign_in_at_once`: passwords hashed at the same time (64 MiB each), `sign_in_waiting`: how many more may wait.
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
    unlinked_begin: float = 0.5
    unlinked_submit: float = 1.5
    sign_in: float = 30
    sign_in_burst: int = 60
    sign_in_least: float = 0.8
    sign_in_at_once: int = 2
    sign_in_waiting: int = 40


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
    sign_in: Buckets
    hashing: SteadyQueue  # of passwords
    uploads: Uploads
    latest_change: LatestChange
    online: Callable[[], OnlineVerification | None] = lambda: None
    provider: IdentityProvider | None = None  # None: people sign in by password alone
    health: Callable[[], HealthReport] | None = None  # None: only the database is checked
    metrics: Callable[[], bytes] | None = None  # text format of Prometheus; None: no metrics
    ending: Event = field(default_factory=Event)  # set when the server stops: streams end
    verifying: Lock = field(default_factory=Lock)  # held during a verification of the whole audit trail

    @property
    def verification(self) -> OnlineVerification | None:
        """The online verification; None: at present, only counters verify."""
        return self.online()

    @property
    def now(self) -> datetime:
        """The current time, UTC."""
        return self.clock()


def present() -> datetime:
    """Return the current time, UTC."""
    return datetime.now(UTC)


def context_of(request: Request) -> Context:
    """Return the context of the API that serves this request."""
    found: Context = request.app.state.context
    return found


Here = Annotated[Context, Depends(context_of)]
