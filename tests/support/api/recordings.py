"""What a page records, invented: pictures that no judge of these tests looks into."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any


def recording(challenge: str, *, frames: int = 16, seconds: float = 3.2, size: int = 40) -> dict[str, Any]:
    """A body of `POST /holder/check`; `size`: bytes of each picture."""
    return {
        "challengeId": challenge,
        "frames": [
            {
                "order": order,
                "at": round(order * seconds / (frames - 1), 3),
                "jpeg": base64.b64encode(secrets.token_bytes(size)).decode(),
            }
            for order in range(frames)
        ],
    }


def pictures(body: dict[str, Any]) -> list[bytes]:
    """The pictures of a recording, as they are sent one by one."""
    return [base64.b64decode(one["jpeg"]) for one in body["frames"]]


def digests(body: dict[str, Any], receipt: str = "") -> dict[str, Any]:
    """The same recording as a body of `POST /holder/check/recording`."""
    frames = [
        {"order": one["order"], "at": one["at"], "sha256": hashlib.sha256(jpeg).hexdigest()}
        for one, jpeg in zip(body["frames"], pictures(body), strict=True)
    ]
    return {"challengeId": body["challengeId"], "frames": frames, "receipt": receipt}
