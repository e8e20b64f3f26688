"""A vendor of face checks for tests: docs/identity-vendor.openapi.yaml on a real server that is told what to say.

It sees faces in pictures that `picture` makes: what stands in their comment. `script` makes it misbehave.
"""

from __future__ import annotations

import io
import re
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx
from fastapi import FastAPI, Request
from PIL import Image

from duanka.identity.vendor import Vendor
from support.photo_server import Heard, Say, Scripted, add_errors, asked, served, wrong_answer
from support.waiting import HANG

NAME = "identity-vendor"
KEY = "vk_stub-0123456789"
Judge = Callable[[Any], Mapping[str, object]]
_GESTURES = ("close_eyes", "open_mouth", "turn_left", "turn_right")

# The vendor


def picture(face: str = "", number: int = 0) -> bytes:
    """Bytes that begin and end as a JPEG does, and in which the stub sees the face of `face`."""
    comment = f"FACE:{face}:{number}".encode()
    return b"\xff\xd8\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + b"\xff\xd9"


@dataclass
class StubVendor:
    """A vendor at `url`. `script`: what the next requests are answered; `heard`: all that came."""

    url: str
    key: str
    script: deque[Say]
    heard: list[Heard]


@contextmanager
def vendor_server(judge: Judge | None = None, seed: int = 7) -> Iterator[StubVendor]:
    """A vendor on loopback until the end of the block. `judge`: answers each check, of real pictures."""
    scripted = Scripted(_vendor(Random(seed), judge))
    with served(scripted) as url:
        yield StubVendor(url, KEY, scripted.script, scripted.heard)


def _vendor(draw: Random, judge: Judge | None) -> FastAPI:
    api, answers = FastAPI(openapi_url=None), dict[str, Any]()
    add_errors(api)

    async def once(request: Request, answer: Judge) -> Any:
        body = await asked(NAME, request, KEY)
        key = request.headers["Idempotency-Key"] + request.url.path
        if key not in answers:
            answers[key] = answer(body)
        return answers[key]

    @api.post("/enrolments")
    async def enrol(request: Request) -> Any:
        return await once(request, (lambda _: {"usable": True}) if judge else _enrolled)

    @api.post("/challenges")
    async def challenge(request: Request) -> Any:
        return await once(request, lambda _: {"steps": _steps(draw)})

    @api.post("/checks")
    async def check(request: Request) -> Any:
        return await once(request, judge or _judged)

    return api


def _steps(draw: Random) -> list[Mapping[str, object]]:
    gestures = draw.sample(_GESTURES, 3)
    return [
        {"gesture": gesture, "begins": 1.5 + 2 * place, "ends": 3.5 + 2 * place}
        for place, gesture in enumerate(gestures)
    ]


def _face(image: str) -> str | None:
    """Whose face it is; empty where there is none, None where it cannot be read."""
    try:
        found = re.search(rb"FACE:([^:]*):", b64decode(image, validate=True))
    except ValueError:
        return None
    return found[1].decode("latin-1") if found else ""


def _enrolled(body: Any) -> Mapping[str, object]:
    face = _face(body["reference"])
    if face:
        return {"usable": True}
    return {"usable": False, "reason": "corrupt" if face is None else "no_face"}


def _judged(body: Any) -> Mapping[str, object]:
    faces = {_face(frame["image"]) for frame in body["frames"]}
    if None in faces or "" in faces:
        return {"outcome": "failed", "similarity": None, "reasons": ["no_face"]}
    same = faces == {_face(body["reference"])}
    reasons = [] if same else ["face_changed"] if len(faces) > 1 else ["other_person"]
    if len({frame["image"] for frame in body["frames"]}) == 1:
        reasons.append("still")
    return {
        "outcome": "failed" if reasons else "passed",
        "similarity": 0.8 if same else 0.1,
        "reasons": reasons,
        "signals": {"depth": 0.9},
        "bestFrame": 3,
    }


# The contract: what any vendor must do, this stub or a real one


@dataclass(frozen=True)
class Asked:
    """A vendor under the contract. Its pictures show no face: whether a holder passes takes a person at a camera."""

    url: str
    key: str

    def post(self, path: str, body: Any, question: str, **headers: str) -> httpx.Response:
        """Ask, and see that the answer is as described and comes back with its correlator."""
        given = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": question, "x-correlator": question}
        answer = httpx.post(
            self.url + path, json=body, headers=given | headers, timeout=HANG, trust_env=False
        )
        media = answer.headers.get("Content-Type", "").partition(";")[0]
        assert not wrong_answer(NAME, path, answer.status_code, media, answer.content)
        assert answer.headers.get("x-correlator") == question
        assert len(answer.content) <= 1_000_000
        return answer


def _grey(shade: int) -> str:
    written = io.BytesIO()
    Image.new("RGB", (320, 240), (shade, shade, shade)).save(written, "JPEG")
    return b64encode(written.getvalue()).decode()


def _question(number: int, still: bool = False) -> Mapping[str, Any]:
    return {
        "orderReference": f"{number:032x}",
        "steps": [{"gesture": "turn_left", "begins": 1.5, "ends": 3.5}],
        "reference": _grey(100),
        "frames": [
            {"order": place, "at": place * 0.2, "image": _grey(100 if still else 90 + place)}
            for place in range(20)
        ],
    }


def _photo_without_a_face(vendor: Asked, mark: str) -> None:
    assert vendor.post("/enrolments", {"reference": _grey(100)}, mark).json()["usable"] is False


def _photo_that_is_none(vendor: Asked, mark: str) -> None:
    answer = vendor.post("/enrolments", {"reference": b64encode(b"no picture").decode()}, mark)
    assert answer.status_code == 400 or answer.json()["usable"] is False


def _lot(vendor: Asked, mark: str) -> None:
    drawn = [vendor.post("/challenges", {}, f"{mark}-{number}").text for number in range(12)]
    assert len(set(drawn)) > 1, "the same gestures every time"
    Vendor(vendor.url, vendor.key, b"of the contract test").challenge(Random(mark))


def _same_again(vendor: Asked, mark: str) -> None:
    drawn = {vendor.post("/challenges", {}, mark).text for _ in range(6)}
    assert len(drawn) == 1
    judged = {vendor.post("/checks", _question(1), f"{mark}-c").text for _ in range(2)}
    assert len(judged) == 1


def _no_face_never_passes(vendor: Asked, mark: str) -> None:
    for still in (True, False):
        verdict = vendor.post("/checks", _question(2, still), f"{mark}-{still}").json()
        assert verdict["outcome"] != "passed"
        assert verdict["reasons"]


def _keys(vendor: Asked, mark: str) -> None:
    for path, body in (
        ("/enrolments", {"reference": _grey(1)}),
        ("/challenges", {}),
        ("/checks", _question(3)),
    ):
        stranger = vendor.post(path, body, mark, Authorization="Bearer not-a-key")
        assert (stranger.status_code, stranger.json()["code"]) == (401, "UNAUTHENTICATED")


def _not_as_described(vendor: Asked, mark: str) -> None:
    changes: list[dict[str, Any]] = [{"frames": []}, {"reference": None}, {"steps": [{"gesture": "nod"}]}]
    for number, change in enumerate(changes):
        answer = vendor.post("/checks", {**_question(4), **change}, f"{mark}-{number}")
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_ARGUMENT")


CONTRACT: Mapping[str, Callable[[Asked, str], None]] = {
    "a photo without a face is not usable": _photo_without_a_face,
    "what is no photo is not usable": _photo_that_is_none,
    "gestures are drawn by lot and can be followed": _lot,
    "a question asked again is answered the same": _same_again,
    "without a face nothing passes": _no_face_never_passes,
    "without the key nothing is answered": _keys,
    "what is not as described is refused": _not_as_described,
}


def contract_of_vendor(url: str, key: str, case: str, mark: str) -> None:
    """One case of the contract; AssertionError. `mark`: sets the questions of this run apart from earlier ones."""
    CONTRACT[case](Asked(url.rstrip("/"), key), mark)
