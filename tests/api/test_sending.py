"""Pictures that are sent one by one while they are recorded, and what a slow upload gives to nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from duanka.api import BASE, RequestLimits
from duanka.api.http.uploads import Uploads
from duanka.api.routes.online.pictures import MOST_LINE
from duanka.api.schemas.holder_requests import MOST_BYTES
from duanka.domain.identity import MOST_FRAMES, UPLOAD, CheckReason, CheckRefused
from duanka.ledger.db.database import Store
from support.api.asking import own_calling, own_desk
from support.api.desks import Caller, TestDesk, callers, desk_on
from support.api.recordings import digests, pictures, recording
from support.api.verifications import PASSED

Calling = Callable[[str | None], Caller]

desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)


@pytest.fixture
def one_desk(tmp_path: Path) -> Iterator[TestDesk]:
    """On SQLite alone, for what no database has a part in."""
    store = Store(f"sqlite:///{tmp_path}/orders.sqlite")
    yield desk_on(store)
    store.close()


@pytest.fixture
def one_calling(one_desk: TestDesk) -> Iterator[Calling]:
    yield from own_calling(one_desk)


SECOND = timedelta(seconds=1)


def drawn(session: Caller) -> str:
    number: str = session.post("/holder/challenge", {}).json()["challengeId"]
    return number


def send(session: Caller, challenge: str, jpeg: bytes) -> httpx.Response:
    return session.client.post(
        f"{BASE}/holder/check/pictures",
        params={"challengeId": challenge},
        content=jpeg,
        headers={"Content-Type": "application/octet-stream"},
    )


def tell(session: Caller, body: dict[str, Any], receipt: str = "") -> dict[str, Any]:
    answer = session.post("/holder/check/recording", digests(body, receipt))
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


def test_what_was_recorded_in_time_may_take_minutes_to_arrive(desk: TestDesk, calling: Calling) -> None:
    session = calling(desk.sits())
    body = recording(drawn(session))
    sent = pictures(body)
    for jpeg in sent[:5]:
        assert send(session, body["challengeId"], jpeg).status_code == 204
    desk.clock.now += 4 * SECOND
    known = tell(session, body)
    assert (known["missing"], known["stage"], known["waiting"]) == (list(range(5, 16)), "ready", None)
    desk.clock.now += 250 * SECOND  # the challenge lasts 60
    for jpeg in sent[5:15]:
        assert send(session, body["challengeId"], jpeg).status_code == 204
    again = tell(session, body, known["receipt"])
    assert (again["missing"], again["receipt"]) == ([15], known["receipt"])
    assert send(session, body["challengeId"], sent[15]).status_code == 204
    done = tell(session, body, known["receipt"])
    assert (done["missing"], done["stage"], done["waiting"]) == ([], "waiting", {"place": 2, "seconds": 9.0})
    answered = session.post("/holder/check/recording", digests(body, known["receipt"]))
    assert refused(answered) == (409, CheckReason.REPLAYED), "it asks for all pictures again"
    check = desk.way.queue.judge(PASSED)
    assert [one.jpeg for one in check.frames] == sent
    assert [one.at for one in check.frames] == [one["at"] for one in body["frames"]]
    assert session.get("/holder/check").json()["stage"] == "passed"


def test_on_a_quick_line_one_answer_is_enough(one_desk: TestDesk, one_calling: Calling) -> None:
    session = one_calling(one_desk.sits())
    body = recording(drawn(session))
    for jpeg in [*pictures(body), pictures(body)[0]]:  # one of them twice, as after an answer that was lost
        assert send(session, body["challengeId"], jpeg).status_code == 204
    one_desk.clock.now += 4 * SECOND
    assert (tell(session, body)["stage"], len(one_desk.way.queue.waiting)) == ("waiting", 1)
    again = session.post("/holder/check/recording", digests(body))
    assert refused(again) == (409, CheckReason.REPLAYED)


def test_a_longer_upload_exchanges_no_picture(one_desk: TestDesk, one_calling: Calling) -> None:
    """Who has the receipt cannot send a picture other than told, nor at another second, nor for another challenge."""
    session = one_calling(one_desk.sits())
    told, other = recording(drawn(session)), recording("later")
    later = {"challengeId": told["challengeId"], "frames": [*told["frames"][:15], other["frames"][15]]}
    moved = {"challengeId": told["challengeId"], "frames": [dict(one) for one in told["frames"]]}
    moved["frames"][3]["at"] += 0.01
    one_desk.clock.now += 4 * SECOND
    receipt = tell(session, told)["receipt"]
    for jpeg in [*pictures(told), *pictures(other)]:
        send(session, told["challengeId"], jpeg)
    assert refused(session.post("/holder/check/recording", digests(later, receipt))) == (
        409,
        CheckReason.OUT_OF_TIME,
    )
    for number, forged in enumerate((moved, told), 1):
        session = one_calling(one_desk.sits(number))
        forged["challengeId"] = told["challengeId"] = drawn(session)
        for jpeg in pictures(told):
            send(session, told["challengeId"], jpeg)
        one_desk.clock.now += 4 * SECOND
        # of another challenge, or of other seconds
        answer = session.post("/holder/check/recording", digests(forged, receipt))
        assert refused(answer) == (409, CheckReason.OUT_OF_TIME)
    assert not one_desk.way.queue.waiting


def test_the_recording_and_the_upload_have_their_time(one_desk: TestDesk, one_calling: Calling) -> None:
    late, prepared, without_end = timedelta(seconds=61), timedelta(seconds=2), timedelta(seconds=56) + UPLOAD
    for number, (recorded, arrived, reason) in enumerate(
        [
            (late, timedelta(), CheckReason.EXPIRED),
            (prepared, timedelta(), CheckReason.OUT_OF_TIME),
            (timedelta(seconds=4), without_end, CheckReason.EXPIRED),
        ]
    ):
        session = one_calling(one_desk.sits(number))
        body = recording(drawn(session))
        one_desk.clock.now += recorded
        answer = session.post("/holder/check/recording", digests(body))
        if arrived:
            one_desk.clock.now += arrived
            for jpeg in pictures(body):
                send(session, body["challengeId"], jpeg)
            answer = session.post("/holder/check/recording", digests(body, answer.json()["receipt"]))
        assert refused(answer) == (409, reason)
        assert session.get("/holder/check").json()["reasons"][0]["code"] == reason
    assert not one_desk.way.queue.waiting


def test_of_several_recordings_none_is_chosen_later(desk: TestDesk, calling: Calling) -> None:
    session = calling(desk.sits())
    first = recording(drawn(session))
    second = recording(first["challengeId"])
    desk.clock.now += 4 * SECOND
    known = tell(session, first)
    assert tell(session, first)["missing"] == known["missing"], "its answer was lost, and it is asked again"
    assert refused(session.post("/holder/check/recording", digests(second))) == (409, CheckReason.EXPIRED)
    assert drawn(session) != first["challengeId"], "it is used up"


def test_pictures_of_somebody_else_or_of_another_challenge_are_not_mine(
    one_desk: TestDesk, one_calling: Calling
) -> None:
    mine, theirs = one_calling(one_desk.sits(1)), one_calling(one_desk.sits(2))
    body = recording(drawn(mine))
    for jpeg in pictures(body):
        assert send(theirs, body["challengeId"], jpeg).status_code == 204
    one_desk.clock.now += 4 * SECOND
    assert len(tell(mine, body)["missing"]) == 16
    assert refused(theirs.post("/holder/check/recording", digests(body))) == (409, CheckReason.OTHER_SESSION)
    for jpeg in pictures(body):
        send(mine, body["challengeId"], jpeg)
    send(mine, "another", b"a picture")
    assert len(tell(mine, body)["missing"]) == 16, "of an order one challenge is answered at a time"


def test_what_may_be_sent_is_bounded(one_desk: TestDesk) -> None:
    limits = RequestLimits(pictures=60, pictures_burst=6, uploads=MOST_BYTES + 10)
    token, other = one_desk.sits(1), one_desk.sits(2)
    with callers(one_desk.api(limits)) as calling:
        session = calling(token)
        assert refused(send(session, "C0", bytes(MOST_BYTES + 1))) == (413, CheckReason.TOO_LARGE)
        assert send(session, "C0", b"").status_code == 400
        assert send(session, "C0/../x", b"jpeg").status_code == 400
        assert send(calling("A" * 44), "C0", b"jpeg").status_code == 401
        assert send(session, "C0", bytes(MOST_BYTES)).status_code == 204
        full = send(calling(other), "C0", bytes(11))
        assert (refused(full), full.headers["retry-after"]) == ((503, CheckReason.BUSY), "10")
        assert send(session, "C1", bytes(11)).status_code == 204, "the pictures before made room"
        assert send(calling(other), "C0", bytes(11)).status_code == 204
        assert [send(session, "C1", b"jpeg").status_code for _ in range(4)][-1] == 429
        line = "/holder/line"
        assert calling(other).client.post(f"{BASE}{line}", content=bytes(MOST_LINE)).status_code == 204
        assert calling(other).client.post(f"{BASE}{line}", content=bytes(MOST_LINE + 1)).status_code == 413


def test_pictures_are_forgotten_with_their_time() -> None:
    now = 0.0
    held = Uploads(each=100, most=150, clock=lambda: now)
    held.put("V1", "C1", bytes(60))
    with pytest.raises(CheckRefused):
        held.put("V1", "C1", bytes(41))
    for at in range(MOST_FRAMES - 1):
        held.put("V1", "C1", bytes([at + 1]))
    with pytest.raises(CheckRefused) as most:
        held.put("V1", "C1", b"one more")
    assert most.value.reason is CheckReason.TOO_LARGE
    now = 2 * UPLOAD.total_seconds() - 1
    held.put("V2", "C2", bytes(51))
    now += 1
    held.put("V3", "C3", bytes(99))
    assert (len(held.of("V1", "C1")), len(held.of("V2", "C2")), len(held.of("V3", "C3"))) == (0, 1, 1)
    held.drop("V2")
    held.drop("V2")
    held.put("V4", "C4", bytes(51))
