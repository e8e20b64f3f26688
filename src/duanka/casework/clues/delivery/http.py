"""Delivery by HTTP: one PUT with an idempotency key; docs/police-clues.openapi.yaml says what the other end offers."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from hashlib import sha256

import httpx

from duanka.casework.clues.delivery.address import Address, DeliveryFailed
from duanka.casework.clues.files.manifest import MANIFEST
from duanka.domain.clue import ClueError

_CONNECT_SECONDS, _ANSWER_SECONDS = 5.0, 60.0
_TAKEN = (200, 201)


class HttpDelivery:
    """Puts clues to `address`/clues/ID. `key`: of the bearer. ClueError: there is none."""

    def __init__(self, address: Address, key: str) -> None:
        if not key:
            raise ClueError(
                "HTTP needs the key that the police gave: set DUANKA_CLUE_HTTP_KEY (docs/CASEWORK.md)"
            )
        self._address, self._key = address, key

    def put(self, clue: str, files: Mapping[str, bytes]) -> str:
        """Put the files there; a second time it changes nothing. DeliveryFailed."""
        url = f"{self._address.url}/clues/{clue}"
        listed = [
            {"name": name, "content": base64.b64encode(content).decode()}
            for name, content in sorted(files.items())
        ]
        headers = {
            "Authorization": f"Bearer {self._key}",
            "Idempotency-Key": f"{clue}-{sha256(files[MANIFEST]).hexdigest()[:32]}",
        }
        timeout = httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
        try:
            with httpx.Client(timeout=timeout, follow_redirects=False, trust_env=False) as client:
                answer = client.put(url, json={"clue": clue, "files": listed}, headers=headers)
        except httpx.HTTPError as error:
            raise DeliveryFailed(
                f"{self._address.host} did not answer ({type(error).__name__}); send it again"
            ) from error
        if answer.status_code == 409:
            raise DeliveryFailed(
                f"{self._address.host} has another {clue}: ask the police to look, and send again"
            )
        if answer.status_code not in _TAKEN:
            raise DeliveryFailed(f"{self._address.host} did not take the clue: status {answer.status_code}")
        return url
