"""Wires the online second verification: face checker, workers, registered photos."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime
from random import Random, SystemRandom

from duanka.application.online_verification import OnlineVerification
from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.order_resources import secret_of
from duanka.bootstrap.orders import OrderDesk
from duanka.bootstrap.settings import Settings
from duanka.domain.errors import DuankaError
from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.identity_ports import Checker, CheckQueue
from duanka.domain.sealing import derived
from duanka.identity import reference_photos as photos
from duanka.identity import vendor
from duanka.identity import worker_pool as workers
from duanka.identity.embedded.checker import EmbeddedChecker
from duanka.identity.embedded.weights import missing


@contextlib.contextmanager
def verification(
    settings: Settings,
    here: OrderDesk,
    clock: Callable[[], datetime] = app_orders.now,
    draw: Random | None = None,
) -> Iterator[OnlineVerification | None]:
    """Online verification as configured; None where no face checker is configured.

    Without it, holders can verify only at a counter. `draw`: random source of the challenges; by default the
    system's secure one.
    """
    if not settings.face:
        yield None
        return
    if not settings.reference_photos:
        raise DuankaError(
            "DUANKA_FACE is set, and there is nothing to compare with: set DUANKA_REFERENCE_PHOTOS to the folder or"
            " https:// address of the registered photos"
        )
    policy = here.orders.terms.policy.identity
    key = settings.reference_photos_key
    store = photos.photos_of(settings.reference_photos, key.get_secret_value() if key else None)
    checker, queue = judges(settings, policy)
    with contextlib.closing(queue), contextlib.closing(checker):
        yield OnlineVerification(
            here.checks, checker, queue, store, draw or SystemRandom(), clock, here.checks.unlinked
        )


def judges(settings: Settings, policy: IdentityPolicy) -> tuple[Checker, CheckQueue]:
    """The face checker and its queue."""
    if settings.face == EmbeddedChecker.name:
        if why := missing():
            raise DuankaError(f"DUANKA_FACE=embedded: {why}")
        return workers.embedded(policy, settings.face_workers)
    key = settings.face_key
    secret = derived(secret_of(settings), "face vendor")
    checker = vendor.vendor_of(str(settings.face), key.get_secret_value() if key else None, secret)
    return checker, workers.on_threads(checker, settings.face_workers)


def said(settings: Settings) -> str:
    """How holders verify (counter, embedded, vendor), for the log."""
    if not settings.face:
        return "at the counter alone (online: set DUANKA_FACE and DUANKA_REFERENCE_PHOTOS; docs/IDENTITY.md)"
    if settings.face == EmbeddedChecker.name:
        return f"online, judged here by {settings.face_workers} worker(s); it stops photographs, not an injected video"
    return f"online, judged by {settings.face}"
