"""A holder on the page, by HTTP: what is agreed to, and the recordings that follow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from support.api.desks import Caller, TestDesk
from support.api.recordings import recording

UNLINKED = "/holder/unlinked-session"
_BOTH = {"faceDataAgreed": True, "legalNoticeRead": True}


def agreed(holder: Caller, **otherwise: Any) -> dict[str, Any]:
    """What the page sends when both boxes are ticked."""
    digest = holder.get("/holder/order").json()["online"]["wordsDigest"]
    return _BOTH | {"wordsDigest": digest} | otherwise


def agreed_unlinked(browser: Caller, number: str, order: str, **otherwise: Any) -> dict[str, Any]:
    """The same without a link: what is typed is the phone number and the order number."""
    digest = browser.get(UNLINKED).json()["wordsDigest"]
    return _BOTH | {"phoneNumber": number, "orderNumber": order, "wordsDigest": digest} | otherwise


def drawn(desk: TestDesk, session: Caller) -> str:
    """A challenge, after the time that it takes to record what it asks."""
    answer = session.post("/holder/challenge", {})
    assert answer.status_code == 200, answer.text
    desk.clock.now += timedelta(seconds=4)
    number: str = answer.json()["challengeId"]
    return number


def sent(desk: TestDesk, session: Caller, verdict: Any = None) -> dict[str, Any]:
    """Pictures for a new challenge; judged where a verdict is given."""
    answer = session.post("/holder/check", recording(drawn(desk, session)))
    assert answer.status_code == 202, answer.text
    if verdict:
        desk.way.queue.judge(verdict)
    found: dict[str, Any] = session.get("/holder/check").json()
    return found
