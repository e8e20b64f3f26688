"""An OpenID Connect provider: authorization code with PKCE; keys and addresses by discovery.

Authlib and joserfc make the requests and judge the tokens; its own HTTP client is not used, as it warns of httpx.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from duanka.domain.identity_provider import (
    LASTS,
    MOST_SUBJECT,
    IdentityRefused,
    Leaving,
    ProviderUnavailable,
)

_log = logging.getLogger("duanka.network.sign_in")

# Signatures with the provider's own key. None with a shared secret: whoever has the client's secret could sign.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
SKEW_SECONDS = 60  # that the provider's clock may differ
KEPT_SECONDS = 3600.0  # that addresses and keys of the provider are used without asking again
AGAIN_SECONDS = 60.0  # between two looks for a key that is not there
_MOST_BYTES = 256 * 1024  # of an answer
_TIMEOUT = httpx.Timeout(5.0, connect=3.0)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_FORM = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}


@dataclass(frozen=True)
class OidcClient:
    """What the provider knows us by. `secret`: "" for a public client; `claim`: names the person."""

    issuer: str
    client_id: str
    redirect_uri: str
    secret: str = field(default="", repr=False)
    scopes: str = "openid"
    claim: str = "sub"


@dataclass(frozen=True)
class _Discovered:
    """What the provider says of itself. `at`: of the monotonic clock."""

    authorize: str
    token: str
    keys: KeySet
    basic: bool
    at: float


class OidcProvider:
    """The provider of an installation. Thread-safe."""

    def __init__(self, client: OidcClient) -> None:
        self._client = client
        self._found: _Discovered | None = None
        self._lock = threading.Lock()

    @property
    def issuer(self) -> str:
        """Its address, as its tokens name it."""
        return self._client.issuer

    def address(self, leaving: Leaving) -> str:
        """Where a browser goes to sign in. ProviderUnavailable."""
        own = self._client
        made: str = prepare_grant_uri(
            self._discovered().authorize,
            client_id=own.client_id,
            response_type="code",
            redirect_uri=own.redirect_uri,
            scope=own.scopes,
            state=leaving.state,
            nonce=leaving.nonce,
            code_challenge=create_s256_code_challenge(leaving.verifier),
            code_challenge_method="S256",
        )
        return made

    def subject(self, code: str, leaving: Leaving, now: datetime) -> str:
        """Whom the provider names for a code. ProviderUnavailable; IdentityRefused: the token is not for us or now."""
        answer = self._exchanged(code, leaving)
        token, access = answer.get("id_token"), answer.get("access_token")
        if not isinstance(token, str):
            raise ProviderUnavailable(f"{self.issuer} gave no id_token; its client needs the scope openid")
        try:
            claims = self._claims(token, access, leaving, now)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            _log.warning("the token of %s is refused: %s: %s", self.issuer, type(error).__name__, error)
            raise IdentityRefused(
                f"the token of {self.issuer} is not one for us and now ({type(error).__name__}); sign in again, and if"
                " it goes on, let somebody compare the clocks and the client id"
            ) from None
        subject = claims.get(self._client.claim)
        if not isinstance(subject, str) or not 0 < len(subject) <= MOST_SUBJECT:
            raise IdentityRefused(
                f"the token of {self.issuer} has no {self._client.claim}; see DUANKA_OIDC_CLAIM and DUANKA_OIDC_SCOPES"
            )
        return subject

    def _claims(self, token: str, access: object, leaving: Leaving, now: datetime) -> Mapping[str, Any]:
        own, seconds = self._client, int(now.timestamp())
        try:
            signed = jwt.decode(token, self._discovered().keys, algorithms=[*ALGORITHMS])
        except (JoseError, ValueError):  # perhaps by a key that is new since
            signed = jwt.decode(token, self._discovered(anew=True).keys, algorithms=[*ALGORITHMS])
        needed = {"iss": own.issuer, "aud": own.client_id}
        claims = CodeIDToken(
            signed.claims,
            signed.header,
            {name: {"essential": True, "value": value} for name, value in needed.items()},
            {"nonce": leaving.nonce, "client_id": own.client_id, "access_token": access},
        )
        claims.validate(now=seconds, leeway=SKEW_SECONDS)
        if not seconds - claims["iat"] <= LASTS.total_seconds() + SKEW_SECONDS:
            raise ValueError("issued too long ago")
        found: Mapping[str, Any] = claims
        return found

    def _exchanged(self, code: str, leaving: Leaving) -> Mapping[str, Any]:
        """The provider's tokens for a code. IdentityRefused: it knows no such code, or no more."""
        own, found = self._client, self._discovered()
        how = "none" if not own.secret else "client_secret_basic" if found.basic else "client_secret_post"
        body = prepare_token_request(
            "authorization_code",
            redirect_uri=own.redirect_uri,
            code=code,
            code_verifier=leaving.verifier,
        )
        auth = ClientAuth(own.client_id, own.secret or None, how)
        url, headers, body = auth.prepare("POST", found.token, dict(_FORM), body)
        status, answer = self._asked("POST", url, headers, body)
        if status == 200:
            return answer
        error = str(answer.get("error", ""))[:64]
        if error == "invalid_grant":
            raise IdentityRefused(f"{self.issuer} takes this sign-in no more; sign in again")
        raise ProviderUnavailable(
            f"{self.issuer} refuses us ({error or status}); see DUANKA_OIDC_CLIENT_ID and DUANKA_OIDC_CLIENT_SECRET"
        )

    def _discovered(self, *, anew: bool = False) -> _Discovered:
        """What the provider says of itself, asked once an hour. `anew`: now, but once a minute at most."""
        with self._lock:
            age = time.monotonic() - self._found.at if self._found else None
            if self._found and age is not None and age < (AGAIN_SECONDS if anew else KEPT_SECONDS):
                return self._found
            try:
                self._found = self._look()
            except ProviderUnavailable:
                if self._found is None or anew:
                    raise
                _log.warning("%s does not say anew what it is; what it said before is used", self.issuer)
            return self._found

    def _look(self) -> _Discovered:
        said = self._json(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if said.get("issuer") != self.issuer:
            raise ProviderUnavailable(
                f"{self.issuer} says that it is another issuer; write DUANKA_OIDC_ISSUER as it does"
            )
        addresses = [said.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        for one in addresses:
            if not isinstance(one, str) or not is_safe(one):
                raise ProviderUnavailable(f"{self.issuer} names an address that is not https://")
        authorize, token, keys = map(str, addresses)
        listed: Any = self._json(keys)
        try:
            of_signatures = [
                one for one in listed["keys"] if one.get("use", "sig") == "sig" and one.get("kty") != "oct"
            ]
            held = KeySet.import_key_set({"keys": of_signatures})
        except (JoseError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ProviderUnavailable(f"{self.issuer} names no keys that can be read: {error}") from None
        ways = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return _Discovered(authorize, token, held, "client_secret_basic" in ways, time.monotonic())

    def _json(self, url: str) -> Mapping[str, Any]:
        status, answer = self._asked("GET", url, {"Accept": "application/json"})
        if status != 200:
            raise ProviderUnavailable(f"{self.issuer} does not say what it is (status {status})")
        return answer

    def _asked(
        self, method: str, url: str, headers: Mapping[str, str], body: str = ""
    ) -> tuple[int, Mapping[str, Any]]:
        """Status and JSON object of an answer, whose size is bounded. ProviderUnavailable: none, or no such answer."""
        content = bytearray()
        try:
            with (
                httpx.Client(timeout=_TIMEOUT, follow_redirects=False, trust_env=False) as client,
                client.stream(method, url, headers=dict(headers), content=body or None) as answer,
            ):
                for piece in answer.iter_bytes():
                    content += piece
                    if len(content) > _MOST_BYTES:
                        raise ProviderUnavailable(f"{self.issuer} answers more than {_MOST_BYTES} bytes")
                status = answer.status_code
        except httpx.HTTPError as error:
            raise ProviderUnavailable(
                f"{self.issuer} does not answer ({type(error).__name__}); sign in with a password, or try again"
            ) from None
        try:
            said = json.loads(content)
        except (ValueError, RecursionError):
            said = None
        if isinstance(said, dict):
            return status, said
        raise ProviderUnavailable(f"{self.issuer} answers no JSON (status {status})")


def is_safe(address: str) -> bool:
    """Whether an address is https://, or http:// on this machine, without user and fragment."""
    try:
        found = urlsplit(address)
        plain = found.scheme == "http" and found.hostname in _LOOPBACK
        good = bool(found.hostname) and (found.scheme == "https" or plain) and found.port != 0
    except ValueError:
        return False
    return good and not (found.username or found.fragment) and address.isprintable() and " " not in address
