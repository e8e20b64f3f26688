"""Platform by HTTP, as docs/account-platform.openapi.yaml says: requests, releases, answers.

TLS is verified, plain HTTP is allowed on this machine alone, redirects are not followed, answers are limited in size
and time. What moves a request must bear the platform's signature.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import httpx

from duanka.domain.linked_accounts import (
    OutgoingMessage,
    PlatformDown,
    PlatformRefuses,
    PlatformState,
    SentKind,
    SignedAnswer,
    Signer,
    read_answer,
)

SIGNATURE, KEY = "Duanka-Signature", "Idempotency-Key"
_MOST_ANSWER = 64 << 10  # bytes
_LATER = (401, 403, 408, 425, 429)  # it may take the same message later: a key is renewed, a limit passes


@dataclass(frozen=True)
class HttpPatience:
    """Seconds to connect, between two pieces of an answer, and of a whole call."""

    connect: float = 5.0
    read: float = 8.0
    whole: float = 15.0


class HttpPlatform:
    """The platform at `address`; used by one thread. Every failure is a PlatformDown or a PlatformRefuses."""

    def __init__(self, address: str, signer: Signer, patience: HttpPatience | None = None) -> None:
        self._address, self._signer, self._patience = address, signer, patience or HttpPatience()
        wait = httpx.Timeout(self._patience.read, connect=self._patience.connect)
        try:
            self._client = httpx.Client(
                timeout=wait, follow_redirects=False, trust_env=address.startswith("https:")
            )
        except OSError:
            raise PlatformDown("the certificates in SSL_CERT_FILE or SSL_CERT_DIR cannot be read") from None

    def send(self, message: OutgoingMessage) -> SignedAnswer | None:
        """Hand a message over; what the platform says at once, None: it received it."""
        path = "/account-requests"
        if message.kind is SentKind.RELEASE:
            path = f"{path}/{message.request_id}/release"
        headers = {
            "Content-Type": "application/json",
            KEY: f"{message.request_id}-{message.kind.value}",
            SIGNATURE: self._signer.sign(message.body),
        }
        status, body, signature = self._call("POST", path, message.body, headers)
        if status in (200, 201, 202):
            return self._answer(body, signature, message.request_id)
        if status in _LATER or status >= 500 or status < 400:
            raise PlatformDown(_said(status))
        raise PlatformRefuses(f"{_said(status)} {_code(body)}".strip())

    def answers(self, requests: Sequence[str]) -> Iterator[SignedAnswer]:
        """What it says by now about `requests`, one call for each."""
        for number in requests:
            status, body, signature = self._call("GET", f"/account-requests/{number}", b"", {})
            if status == 404:  # not yet: it may have lost it, and then a person sees it overdue
                continue
            if status != 200:
                raise PlatformDown(_said(status))
            if answer := self._answer(body, signature, number):
                yield answer

    def taken(self, answers: Sequence[SignedAnswer]) -> None:
        """Nothing: an answer stays there to be asked for."""

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    # --- internal ---

    def _answer(self, body: bytes, signature: str, number: str) -> SignedAnswer | None:
        answer = read_answer(body, signature)
        if answer.request_id != number:
            raise PlatformDown("its answer is about another request")
        if answer.state is PlatformState.RECEIVED:
            return None
        self._signer.check(body, signature)
        return answer

    def _call(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, bytes, str]:
        """Status, body and signature of an answer. PlatformDown: none came as it should."""
        until = time.monotonic() + self._patience.whole
        sent = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
        try:  # the peer's error is not quoted: it may contain what we sent
            with self._client.stream(
                method, self._address + path, content=body or None, headers=sent
            ) as came:
                if came.headers.get("Content-Encoding", "identity").lower() != "identity":
                    raise PlatformDown("it packs its answer, which we did not ask for")
                said = bytearray()
                for piece in came.iter_raw():
                    said += piece
                    if len(said) > _MOST_ANSWER:
                        raise PlatformDown(f"its answer is larger than {_MOST_ANSWER:,} bytes")
                    if time.monotonic() > until:
                        raise PlatformDown(f"it took longer than {self._patience.whole:g} s")
                return came.status_code, bytes(said), came.headers.get(SIGNATURE, "")
        except httpx.ConnectTimeout:
            raise PlatformDown(f"no connection in {self._patience.connect:g} s") from None
        except httpx.TimeoutException:
            raise PlatformDown(f"silent for {self._patience.read:g} s") from None
        except httpx.ConnectError as error:
            raise PlatformDown(f"no connection: {error}") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError):
            raise PlatformDown("the connection broke off") from None


def _said(status: int) -> str:
    if status in (401, 403):
        return f"{status}: it does not take our signature; compare the keys with the platform"
    if 300 <= status < 400:
        return f"{status}: it redirects, which we do not follow; correct its address"
    return f"{status}"


def _code(body: bytes) -> str:
    """The `code` of an error, if there is one in plain letters; never its message, which may quote us."""
    try:
        code = json.loads(body)["code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    plain = isinstance(code, str) and code.isascii() and code.replace("_", "").isalnum()
    return code[:40] if plain else ""
