"""Signing in by an OpenID Connect provider: what is asked of it, and what binds its answer to one browser."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from duanka.domain.errors import DuankaError

LASTS = timedelta(minutes=10)  # from leaving for the provider to coming back
_COOKIE = re.compile(r"([0-9]{9,11})\.([A-Za-z0-9_-]{43})")
MOST_SUBJECT = 255  # letters, as OpenID Connect has it


class ProviderUnavailable(DuankaError):
    """The provider does not answer, or answers what no provider should."""


class IdentityRefused(DuankaError):
    """The provider's answer is not one to this browser's question, or names nobody here."""


class IdentityProvider(Protocol):
    """The provider of one installation."""

    @property
    def issuer(self) -> str:
        """Its address, as its tokens name it."""

    def address(self, leaving: Leaving) -> str:
        """Where a browser goes to sign in. ProviderUnavailable."""

    def subject(self, code: str, leaving: Leaving, now: datetime) -> str:
        """Whom the provider names for the code that a browser brought back. ProviderUnavailable, IdentityRefused."""


@dataclass(frozen=True)
class Leaving:
    """A browser that left for the provider: `secret` is its cookie's, and state, nonce and verifier follow from it.

    So nothing is kept here for those who never come back, and no other browser has what fits the answer.
    """

    secret: str
    begun_at: datetime

    @classmethod
    def begin(cls, now: datetime) -> Leaving:
        """Draw another secret."""
        return cls(secrets.token_urlsafe(32), now.replace(microsecond=0))

    @classmethod
    def of_cookie(cls, value: str) -> Leaving | None:
        """Parse the cookie's value; None: it is none of ours."""
        found = _COOKIE.fullmatch(value)
        return cls(found[2], datetime.fromtimestamp(int(found[1]), UTC)) if found else None

    @property
    def cookie(self) -> str:
        """What the browser keeps."""
        return f"{int(self.begun_at.timestamp())}.{self.secret}"

    @property
    def state(self) -> str:
        """What comes back beside the code."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """What the provider's token names."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """What only we can show for the code (PKCE)."""
        return self._derived("verifier")

    def fits(self, state: str, now: datetime) -> bool:
        """Whether an answer with this state is to this browser's question, and not too late."""
        in_time = timedelta() <= now - self.begun_at + timedelta(seconds=1) <= LASTS
        return in_time and hmac.compare_digest(state.encode("utf-8", "surrogatepass"), self.state.encode())

    def _derived(self, what: str) -> str:
        digest = hashlib.sha256(f"duanka {what} {self.cookie}".encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
