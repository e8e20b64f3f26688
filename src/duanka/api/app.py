"""Assembly of the HTTP API and its OpenAPI description."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from fastapi import Depends, FastAPI

from duanka import __version__
from duanka.api.http.dependencies import BASE, Context, HealthReport, RequestLimits, present
from duanka.api.http.latest_change import LatestChange
from duanka.api.http.middleware import BodyLimit, RequestMiddleware
from duanka.api.http.openapi import describe, methods, only_described
from duanka.api.http.rate_limit import Buckets
from duanka.api.http.steady import SteadyQueue
from duanka.api.http.uploads import Uploads
from duanka.api.routes import bulk_actions as acts
from duanka.api.routes import (
    cards,
    changes,
    disavowals,
    orders,
    records,
    reviews,
    rings,
    rules,
    takes,
)
from duanka.api.routes import counter_checks as counters
from duanka.api.routes import holder as holders
from duanka.api.routes import statistics as figures
from duanka.api.routes.assessment import figures as headline
from duanka.api.routes.assessment import listings, runs
from duanka.api.routes.casework import accounts, cases, clues, victims
from duanka.api.routes.casework import figures as casework_figures
from duanka.api.routes.online import check as checks
from duanka.api.routes.online import pictures as sending
from duanka.api.routes.online import unlinked
from duanka.api.routes.pages import console, holder_page
from duanka.api.routes.papers import billing, copies, statements
from duanka.api.routes.sign_in import oidc, session
from duanka.api.schemas.errors import add_problems
from duanka.api.schemas.holder_requests import MOST_BYTES
from duanka.application.desk import DeskServices
from duanka.application.online_verification import OnlineVerification
from duanka.domain.identity import CheckReason
from duanka.domain.identity_provider import IdentityProvider
from duanka.domain.order_policy import OrderPolicy
from duanka.ledger.audit.trail import last_change

_DESCRIPTION = """\
Orders about phone cards (号码): verification of the holder online and in person (实人核验), restriction (停机) and
release (复机), objection (异议), what the police ask for, and the figures of it all.

- Numbers are E.164 with `+`, and are shown masked (掩码) unless they are asked for in full with a reason.
- Every act takes a `why` that stays in the audit trail; doing again what is done gives the state and is no error.
- Times are RFC 3339 with an offset.
- `x-correlator` comes back as it was sent, or is made.
- A stop that neither a police notice nor an expired verification carries takes two people: propose it under `/acts`.
"""


def create_api(
    desk: DeskServices,
    clock: Callable[[], datetime] = present,
    limits: RequestLimits | None = None,
    verification: OnlineVerification | None = None,
    *,
    online: Callable[[], OnlineVerification | None] | None = None,
    health: Callable[[], HealthReport] | None = None,
    metrics: Callable[[], bytes] | None = None,
    provider: IdentityProvider | None = None,
) -> FastAPI:
    """Create the API on `desk`, with the holder's page at `/v` and the console at `/console`.

    `verification`: online verification; None: verification at the counter only. `online`: called for each
    request instead, where the verification may fail and recover. `health`: state of the installation;
    None: only the database is checked. `metrics`: content of `/metrics`, in the text format of Prometheus.
    `provider`: the OpenID Connect provider that people may sign in by.

    Endpoints are synchronous and run in the thread pool. `desk` is not closed. Behind a proxy, let the server trust
    its X-Forwarded-For, because rate limits by address must see the client.
    """
    limits = limits or RequestLimits()
    desk.make_all()  # the services are made once, not by the first requests in two threads
    api = FastAPI(
        title="Duanka card restrictions · 断卡",
        version=__version__,
        description=_DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_url=f"{BASE}/openapi.json",
        docs_url=None,  # its page loads scripts from other sites
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(only_described)],
    )
    online = online or (lambda: verification)
    api.state.context = _context(desk, clock, limits, online, health, metrics, provider)
    staff = (
        *(orders, cards, changes, records, rings, acts, takes, reviews, counters, disavowals),
        *(copies, figures, rules),
        *(cases, clues, victims, accounts, casework_figures, headline, runs, listings, billing, statements),
    )
    for router in (*staff, session, oidc, holders, unlinked, checks, sending):
        api.include_router(router.router, prefix=BASE)
    figures.add_metrics(api)
    add_problems(api, methods)
    holder_page.add_page(api, desk.orders.terms.policy)
    console.add_console(api)
    others = {
        checks.CHECK: BodyLimit(limits.frames, CheckReason.TOO_LARGE),
        sending.PICTURES: BodyLimit(MOST_BYTES, CheckReason.TOO_LARGE),
        sending.LINE: BodyLimit(sending.MOST_LINE),
    }
    api.add_middleware(
        RequestMiddleware, body=limits.body, others={BASE + path: most for path, most in others.items()}
    )
    describe(api, desk.orders.terms.policy)
    api.openapi()  # build it now: it takes a second, and the first requests must not build it in two threads
    return api


def _context(
    desk: DeskServices,
    clock: Callable[[], datetime],
    limits: RequestLimits,
    online: Callable[[], OnlineVerification | None],
    health: Callable[[], HealthReport] | None,
    metrics: Callable[[], bytes] | None,
    provider: IdentityProvider | None,
) -> Context:
    return Context(
        desk,
        clock,
        limits,
        by_key=Buckets(limits.per_key, limits.per_key_burst),
        failed=Buckets(limits.failed, limits.failed_burst),
        holder=Buckets(limits.holder, limits.holder_burst),
        polling=Buckets(limits.polling, limits.polling_burst),
        pictures=Buckets(limits.pictures, limits.pictures_burst),
        sign_in=Buckets(limits.sign_in, limits.sign_in_burst),
        hashing=SteadyQueue(limits.sign_in_at_once, limits.sign_in_waiting),
        uploads=Uploads(limits.frames, limits.uploads),
        latest_change=LatestChange(lambda: last_change(desk.store)),
        online=online,
        health=health,
        metrics=metrics,
        provider=provider,
    )


def api_description(policy: OrderPolicy) -> dict[str, Any]:
    """Return the OpenAPI description alone: it hangs on the policy, and needs no database."""
    orders = SimpleNamespace(terms=SimpleNamespace(policy=policy))
    desk: Any = SimpleNamespace(orders=orders, make_all=lambda: None)
    return create_api(desk).openapi()
