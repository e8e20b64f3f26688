"""Check of the provider that people sign in by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from duanka.bootstrap.doctor.examination import Finding, Installation, fault, ok
from duanka.domain.errors import DuankaError
from duanka.domain.identity_provider import Leaving


def provider(found: Installation) -> Iterator[Finding]:
    """Check the settings of the OpenID Connect provider, and that it says what it is."""
    own = found.settings
    if not own.oidc_issuer:
        yield ok("no provider (DUANKA_OIDC_ISSUER): people sign in with passwords")
        return
    from duanka.bootstrap.sign_in.provider import identity_provider_of  # noqa: PLC0415  # most have none

    try:
        made = identity_provider_of(own)
        if made:
            made.address(Leaving.begin(datetime.now(UTC)))
    except DuankaError as error:
        yield fault(str(error))
        return
    yield ok(f"{own.oidc_issuer} says what it is, and names its keys")
