"""The OpenID Connect provider of the settings."""

from __future__ import annotations

from duanka.api import BASE
from duanka.api.http.dependencies import OIDC_CALLBACK
from duanka.bootstrap.settings import Settings
from duanka.domain.errors import DuankaError
from duanka.network.sign_in.oidc import OidcClient, OidcProvider, is_safe


def identity_provider_of(settings: Settings) -> OidcProvider | None:
    """The provider that people sign in by; None: there is none. DuankaError: what its settings lack."""
    if not settings.oidc_issuer:
        return None
    lacking = [name for name in ("oidc_client_id", "oidc_site") if not getattr(settings, name)]
    if lacking:
        names = " and ".join(f"DUANKA_{name.upper()}" for name in lacking)
        raise DuankaError(f"sign-in by {settings.oidc_issuer} takes {names} too (docs/PEOPLE.md)")
    for name in ("oidc_issuer", "oidc_site"):
        if not is_safe(str(getattr(settings, name))):
            raise DuankaError(
                f"DUANKA_{name.upper()} begins with https:// (http:// on this machine alone), and has neither user nor"
                " fragment"
            )
    if "openid" not in settings.oidc_scopes.split():
        raise DuankaError("DUANKA_OIDC_SCOPES has openid among them, else the provider names nobody")
    secret = settings.oidc_client_secret
    return OidcProvider(
        OidcClient(
            settings.oidc_issuer,
            str(settings.oidc_client_id),
            f"{str(settings.oidc_site).rstrip('/')}{BASE}{OIDC_CALLBACK}",
            secret.get_secret_value() if secret else "",
            settings.oidc_scopes,
            settings.oidc_claim,
        )
    )
