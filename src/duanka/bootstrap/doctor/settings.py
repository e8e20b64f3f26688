"""Checks of the settings: validity, spelling, source."""

from __future__ import annotations

import os
from collections.abc import Iterator

from duanka.api.http.client_addresses import TrustedProxies
from duanka.bootstrap.doctor.examination import Finding, Installation, fault, ok, warning
from duanka.bootstrap.order_resources import secret_of
from duanka.bootstrap.settings import Settings, unknown_variables
from duanka.domain.errors import DuankaError


def settings(found: Installation) -> Iterator[Finding]:
    """Check that every setting is valid and every DUANKA_ variable is known."""
    wrong = [*found.errors, *([found.policy_error] if found.policy_error else []), *_unusable(found)]
    yield from (fault(str(error)) for error in wrong)
    strange = unknown_variables()
    for name, nearest in strange.items():
        meant = f"did you mean {nearest}? " if nearest else ""
        yield warning(f"{name} is no setting, so nothing reads it", f"{meant}`duanka config` shows all")
    if not wrong and not strange:
        count = sum(source != "default" for source in found.resolved.sources.values())
        yield ok(f"{count} set, all valid; policy {found.policy.id}")


def _unusable(found: Installation) -> Iterator[DuankaError]:
    """Errors in values that commands otherwise parse only when they use them."""
    own = found.settings
    for read in (
        lambda: TrustedProxies(own.trusted_proxies or ""),
        lambda: _check_secret(own),
        lambda: _check_passes(own),
        lambda: own.trusted_sources,
    ):
        try:
            read()
        except DuankaError as error:
            yield error


def _check_secret(own: Settings) -> None:
    """MissingKey: the file of the secret cannot be read or holds no secret."""
    if own.secret_file:
        secret_of(own)


def _check_passes(own: Settings) -> None:
    """DuankaError: the list of passed verifications cannot be read."""
    if own.passes and not os.access(own.passes, os.R_OK):
        raise DuankaError(
            f"DUANKA_PASSES: {own.passes} cannot be read; `duanka orders passes --export` writes it"
        )


def home(found: Installation) -> Iterator[Finding]:
    """Report where the settings come from."""
    if found.resolved.home:
        yield ok(str(found.resolved.home))
    else:
        yield ok(
            "not set up: no duanka.toml from here upward; `duanka init FOLDER` makes a home folder, --home names one"
        )
