"""Pictures sent during a recording: kept in memory until judged or expired."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock

from duanka.domain.identity import MOST_FRAMES, UPLOAD, CheckReason, CheckRefused

_KEPT_SECONDS = 2 * UPLOAD.total_seconds()  # longer than any challenge and its upload
_RETRY_SECONDS = 10  # seconds until a retry


@dataclass
class _Upload:
    challenge_id: str
    until: float
    pictures: dict[str, bytes] = field(default_factory=dict)
    bytes: int = 0


class Uploads:
    """Pictures of one challenge per order, by the SHA-256 of their bytes. Thread-safe.

    `each`: most bytes per challenge; `most`: most bytes in all.
    """

    def __init__(self, each: int, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._each, self._most, self._clock = each, most, clock
        self._held: OrderedDict[str, _Upload] = OrderedDict()  # by order, oldest first
        self._bytes = 0
        self._lock = Lock()

    def put(self, order_id: str, challenge_id: str, jpeg: bytes) -> None:
        """Keep a picture; pictures for another challenge of the order are dropped.

        CheckRefused: TOO_LARGE: more than any recording has; BUSY: no space for now.
        """
        name = hashlib.sha256(jpeg).hexdigest()
        with self._lock:
            self._forget_old()
            upload = self._held.get(order_id)
            if upload is None or upload.challenge_id != challenge_id:
                self._drop(order_id)
                upload = self._held[order_id] = _Upload(challenge_id, self._clock() + _KEPT_SECONDS)
            if name in upload.pictures:
                return
            if len(upload.pictures) >= MOST_FRAMES or upload.bytes + len(jpeg) > self._each:
                raise CheckRefused(CheckReason.TOO_LARGE)
            if self._bytes + len(jpeg) > self._most:
                raise CheckRefused(CheckReason.BUSY, _RETRY_SECONDS)
            upload.pictures[name] = jpeg
            upload.bytes += len(jpeg)
            self._bytes += len(jpeg)

    def of(self, order_id: str, challenge_id: str) -> Mapping[str, bytes]:
        """Return the pictures of a challenge by SHA-256 (hexadecimal)."""
        with self._lock:
            self._forget_old()
            upload = self._held.get(order_id)
            return dict(upload.pictures) if upload and upload.challenge_id == challenge_id else {}

    def drop(self, order_id: str) -> None:
        """Drop the pictures of an order: they were judged or never will be."""
        with self._lock:
            self._drop(order_id)
            self._forget_old()

    def _drop(self, order_id: str) -> None:
        if upload := self._held.pop(order_id, None):
            self._bytes -= upload.bytes

    def _forget_old(self) -> None:
        while self._held and next(iter(self._held.values())).until <= self._clock():
            self._drop(next(iter(self._held)))
