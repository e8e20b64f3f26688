"""Cases of a desk for the console: checks that wait for a person, with pictures that can be told from all else."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx
from PIL import Image, ImageDraw

from duanka.api import BASE
from duanka.domain.identity import Verdict
from duanka.domain.order import Kind, Order
from support.api.desks import TestDesk, card, demand
from support.api.recordings import recording
from support.api.verifications import UNSURE
from support.orders.books import receive
from support.waiting import HANG

MARK = b"PICTURE-OF-A-HOLDER-THAT-STAYS-IN-MEMORY"
SIGNALS = {
    "one_person": 0.81,
    "plane": 0.31,
    "bent": 0.28,
    "turn_left": 21.4,
    "eyes": 0.32,
    "mouth": 0.41,
    "frames": 16.0,
    "with_face": 16.0,
    "luminance": 128.0,
    "sharpness": 84.0,
}


def portrait(skin: tuple[int, int, int], mark: bytes = MARK) -> bytes:
    """A drawn face as JPEG, with `mark` in its comment."""
    picture = Image.new("RGB", (360, 480), (196, 205, 214))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((90, 80, 270, 330), fill=skin)
    for left in (130, 195):
        draw.ellipse((left, 170, left + 36, 190), fill=(40, 40, 40))
    draw.arc((140, 230, 220, 290), 10, 170, fill=(120, 40, 40), width=6)
    draw.rectangle((60, 340, 300, 480), fill=(60, 80, 110))
    out = io.BytesIO()
    picture.save(out, "JPEG", comment=mark)
    return out.getvalue()


@dataclass(frozen=True)
class Waiting:
    """A verification that a check left to a person."""

    order_id: str
    number: int


def under_review(desk: TestDesk, address: str, number: int, verdict: Verdict = UNSURE) -> Waiting:
    """Let a holder be checked over HTTP, and the check leave it to a person."""
    desk.way.photos.photo = portrait((224, 188, 160))
    with httpx.Client(
        base_url=address + BASE, headers={"Authorization": f"Bearer {desk.sits(number)}"}, timeout=HANG
    ) as session:
        challenge = session.post("/holder/challenge", json={}).json()["challengeId"]
        desk.clock.now += timedelta(seconds=4)
        body = recording(challenge)
        for one in body["frames"]:
            frame = portrait((214, 178, 150), MARK + f"{number} {one['order']}".encode())
            one["jpeg"] = base64.b64encode(frame).decode()
        assert session.post("/holder/check", json=body).status_code == 202
    desk.way.queue.judge(replace(verdict, signals=SIGNALS))
    return Waiting(verification(desk, number).id, number)


def verification(desk: TestDesk, number: int) -> Order:
    """The latest verification of a card."""
    found = desk.reading.last(card(number), Kind.VERIFICATION)
    assert found is not None
    return found


def asked_of(desk: TestDesk, number: int, tier: str) -> Order:
    """A verification of a tier."""
    receive(desk.orders, [replace(demand(number), tier=tier)], desk.clock())
    return verification(desk, number)
