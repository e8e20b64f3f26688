"""Recordings for a challenge: receipts while frames upload, and replay detection.

A receipt binds the digests of all frames to the time at which they were reported. It is signed instead of stored, so
it is valid after a restart and in every process of the installation.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from duanka.domain.identity import UPLOAD, Challenge, CheckReason, Frame, FrameDigest, in_time
from duanka.domain.sealing import derived
from duanka.ledger.db.bulk import upsert
from duanka.ledger.db.tables_identity import frames_seen
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork

_HASH_DIGITS = 32  # hex digits: 128 bits, so no two frames collide by chance
_MIN_DISTINCT_FRAMES = 8  # minimum of distinct frames in a recording with any motion
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Recordings:
    """Checks of frames without decoding them. `key`: for hashes of frames only."""

    def __init__(self, key: bytes) -> None:
        self._key, self._receipts = key, derived(key, "receipts of recordings")

    def receipt(self, challenge: Challenge, digests: Sequence[FrameDigest], now: datetime) -> str:
        """Sign that the frames exist by now: microseconds since 1970, a dot, signature."""
        at = (now - _EPOCH) // _MICROSECOND
        return f"{at}.{self._signature(challenge, digests, at)}"

    def told(
        self, unit: UnitOfWork, challenge: Challenge, digests: Sequence[FrameDigest]
    ) -> CheckReason | None:
        """Return why to refuse a recording that ends now: EXPIRED, OUT_OF_TIME; else None.

        EXPIRED also if another recording was reported before: the holder may not choose among several.
        """
        if reason := self._unfit(challenge, digests, unit.now):
            return reason
        of_challenge, this = (self._hash(one.encode()) for one in (challenge.id, _text(challenge, digests)))
        if self._new(unit, challenge, [of_challenge]):
            self._new(unit, challenge, [this])
            return None
        known = select(frames_seen.c.hash).where(frames_seen.c.hash == this)  # a retry after a lost response
        return None if unit.connection.execute(known).first() else CheckReason.EXPIRED

    def _unfit(
        self, challenge: Challenge, recorded: Sequence[Frame] | Sequence[FrameDigest], now: datetime
    ) -> CheckReason | None:
        if now >= challenge.expires_at:
            return CheckReason.EXPIRED
        within = (now - challenge.drawn_at).total_seconds()
        return None if in_time(challenge.steps, recorded, within) else CheckReason.OUT_OF_TIME

    def arrived(
        self, unit: UnitOfWork, challenge: Challenge, frames: Sequence[Frame], receipt: str
    ) -> CheckReason | None:
        """Return why to refuse arrived frames: EXPIRED, OUT_OF_TIME, REPLAYED; else None.

        `receipt`: proves when they were recorded; "": they count as recorded now.
        """
        at: datetime | None = unit.now
        if receipt:
            at = self._signed_at(challenge, [FrameDigest.of(one) for one in frames], receipt)
            if unit.now >= challenge.expires_at + UPLOAD:
                return CheckReason.EXPIRED
        reason = self._unfit(challenge, frames, at) if at else CheckReason.OUT_OF_TIME
        return reason or (CheckReason.REPLAYED if self._replayed(unit, challenge, frames) else None)

    def _replayed(self, unit: UnitOfWork, challenge: Challenge, frames: Sequence[Frame]) -> bool:
        """Whether a frame was in an earlier recording; stores the hashes of all frames."""
        # A covered lens gives one picture, the same on every phone: the check rejects that, it is no replay.
        hashes = {self._hash(one.jpeg) for one in frames}
        if len(hashes) < _MIN_DISTINCT_FRAMES:
            return False
        # equal frames within one recording come from a stalled camera, not from a replay
        return self._new(unit, challenge, sorted(hashes)) != len(hashes)

    def _hash(self, content: bytes) -> str:
        return hmac.new(self._key, content, hashlib.sha256).hexdigest()[:_HASH_DIGITS]

    def _new(self, unit: UnitOfWork, challenge: Challenge, hashes: Sequence[str]) -> int:
        """Store these hashes; return how many were new."""
        rows = [{"hash": one, "order_id": challenge.order_id, "at": unit.now} for one in hashes]
        # the same frames sent concurrently for another order wait here, and are then found
        put = upsert(unit.connection, frames_seen).values(rows).on_conflict_do_nothing()
        return len(unit.connection.execute(put.returning(frames_seen.c.hash)).all())

    def _signed_at(
        self, challenge: Challenge, digests: Sequence[FrameDigest], receipt: str
    ) -> datetime | None:
        at, _, signature = receipt.partition(".")
        if not (at.isascii() and at.isdigit() and len(at) < 18):
            return None
        known = hmac.compare_digest(self._signature(challenge, digests, int(at)).encode(), signature.encode())
        return _EPOCH + int(at) * _MICROSECOND if known else None

    def _signature(self, challenge: Challenge, digests: Sequence[FrameDigest], at: int) -> str:
        signed = f"{at}\n{_text(challenge, digests)}"
        return hmac.new(self._receipts, signed.encode(), hashlib.sha256).hexdigest()


def _text(challenge: Challenge, digests: Sequence[FrameDigest]) -> str:
    """Text that identifies a recording, for signing and hashing."""
    return "\n".join([challenge.id, *(f"{one.order} {one.at!r} {one.sha256}" for one in digests)])
