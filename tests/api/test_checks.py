"""A holder's session over HTTP: consent, challenge, pictures, verdict; and what is refused, with its reason."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from duanka.api import RequestLimits
from duanka.domain.identity import CheckReason, ReferenceUnusable
from duanka.domain.order import SYSTEM, Event, Kind, Person, Role, State
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit
from duanka.orders.queries.service import ViewerContext
from support.api.asking import on_sqlite_alone, own_calling, own_desk
from support.api.desks import HOUR, NOW, Caller, TestDesk, callers, card, desk_on
from support.api.holder_sessions import agreed, drawn, sent
from support.api.recordings import recording
from support.api.verifications import DARK, LOST, OTHER, PASSED, UNSURE
from support.people import SECOND

desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)

Calling = Callable[[str | None], Caller]


def consents(desk: TestDesk) -> list[tuple[str, int, int]]:
    """Which consents stand in the trail: of what, face data, legal notice."""
    told = select(audit.c.what, audit.c.after).where(audit.c.what.like("consent.%")).order_by(audit.c.seq)
    with desk.store.reading() as connection:
        rows = [(row.what, json.loads(row.after)) for row in connection.execute(told)]
    return [(what, after["face_data"], after["legal_notice"]) for what, after in rows]


def in_session(desk: TestDesk, calling: Calling, number: int = 0) -> Caller:
    holder = calling(desk.asked(number)[1])
    return calling(holder.post("/holder/session", agreed(holder)).json()["sessionToken"])


def refused(answer: Any, status: int, reason: CheckReason) -> None:
    told = answer.json()
    assert (answer.status_code, told["status"], told.get("reason")) == (status, status, reason)
    assert told["words"] == {"zh": reason.words.zh, "en": reason.words.en}


@pytest.fixture(scope="module")
def seated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """A session whose bodies are all refused before anything comes of them, so that many tests may have it."""
    with closing(Store(f"sqlite:///{tmp_path_factory.mktemp('seated')}/orders.sqlite")) as store:
        desk = desk_on(store)
        with callers(desk.api()) as calling:
            yield in_session(desk, calling)


def test_from_the_consent_to_the_pass(desk: TestDesk, calling: Calling) -> None:
    order, link = desk.asked()
    holder = calling(link)
    begun = holder.post("/holder/session", agreed(holder))
    assert begun.status_code == 201
    assert begun.json().keys() == {"sessionToken", "expiresAt", "stage"}
    assert (begun.json()["stage"], begun.json()["expiresAt"]) == ("ready", "2026-03-02T09:00:00Z")
    session = calling(begun.json()["sessionToken"])
    asks = session.post("/holder/challenge", {}).json()
    assert [step["gesture"] for step in asks["steps"]] == ["turn_left", "close_eyes", "open_mouth"]
    assert asks["steps"][0]["words"]["zh"] == "请把头向左转"
    assert (asks["seconds"], asks["restSeconds"]) == (3.2, 0.5)
    assert 16 <= asks["frames"] <= 40
    assert (asks["frames"] - 1) * asks["everyMilliseconds"] <= 3200
    assert session.post("/holder/challenge", {}).json() == asks, "the same until it is used"
    waits = session.post("/holder/check", recording(drawn(desk, session)))
    assert (waits.status_code, waits.json()) == (
        202,
        {"stage": "waiting", "waiting": {"place": 2, "seconds": 9.0}},
    )
    asked = session.get("/holder/check").json()
    assert (asked["stage"], asked["waiting"]) == ("waiting", {"place": 2, "seconds": 9.0})
    check = desk.way.queue.judge(PASSED)
    assert (check.order_id, check.reference, len(check.frames)) == (order.id, b"a photo", 16)
    passed = {"stage": "passed", "reasons": [], "left": 3, "waiting": None}
    assert session.get("/holder/check").json() == passed | {
        "restored": False,
        "restriction": None,
        "order": "passed",
    }
    assert holder.get("/holder/order").status_code == 401, "the link is used up"


def test_who_passes_late_has_the_card_back(desk: TestDesk, calling: Calling) -> None:
    order, _ = desk.asked()
    desk.orders.apply(order.id, Event.DELIVERED, SYSTEM, "receipt", NOW)
    desk.orders.sweep(NOW + 24 * HOUR)
    found = sent(desk, in_session(desk, calling), PASSED)
    assert (found["stage"], found["restored"], found["restriction"]) == ("passed", True, None)


def test_what_the_police_stopped_stays_so_and_is_told(desk: TestDesk, calling: Calling) -> None:
    order, _ = desk.asked()
    session = in_session(desk, calling)
    liaison = Person("liaison", Role.POLICE)
    desk.orders.police_stop(card(), "case", liaison, "confirmed", NOW)
    desk.orders.apply(order.id, Event.PASS, liaison, "it is them", NOW)
    found = session.get("/holder/check").json()
    assert (found["stage"], found["restored"], found["restriction"]) == ("passed", False, "forced_stop")


def test_the_link_of_a_restriction_leads_to_its_verification(desk: TestDesk, calling: Calling) -> None:
    order, _ = desk.asked()
    desk.orders.apply(order.id, Event.DELIVERED, SYSTEM, "receipt", NOW, delivered_at=NOW)
    desk.clock.now = NOW + 24 * HOUR
    desk.orders.sweep(desk.clock.now)
    stopped = desk.reading.last(card(), Kind.RESTRICTION)
    assert stopped is not None
    link = desk.orders.transaction(
        lambda unit: desk.links.make(unit.connection, stopped.id, desk.clock.now), desk.clock.now
    )
    own = calling(link).get("/holder/order").json()
    assert (own["orderId"], own["state"], own["restriction"]) == (stopped.id, "expired", "suspended")
    assert own["restricted"]["zh"].startswith("本号码目前停机（双停）")
    assert (own["online"]["open"], own["online"]["stage"]) == (True, "ready")
    holder = calling(link)
    session = calling(holder.post("/holder/session", agreed(holder)).json()["sessionToken"])
    found = sent(desk, session, PASSED)
    assert (found["stage"], found["restored"]) == ("passed", True)
    restriction = desk.reading.last(card(), Kind.RESTRICTION)
    assert restriction is not None
    assert restriction.state is State.RESTORED


def test_who_does_not_agree_goes_to_the_counter_and_nothing_is_stopped(
    desk: TestDesk, calling: Calling
) -> None:
    order, link = desk.asked()
    holder = calling(link)
    for face, notice in ((False, True), (True, False), (False, False)):
        answer = holder.post("/holder/session", agreed(holder, faceDataAgreed=face, legalNoticeRead=notice))
        told = answer.json()
        assert (answer.status_code, told["route"]) == (200, "counter")
        assert "不会因此停机" in told["words"]["zh"]
        assert told["counter"]["zh"] == desk.orders.terms.policy.counter.zh
        assert told["papers"]["en"] == desk.orders.terms.policy.papers.en
    assert desk.reading.state(order.id).state is State.SENT_TO_COUNTER
    assert desk.reading.last(card(), Kind.RESTRICTION) is None
    assert consents(desk) == [
        ("consent.refused", False, True),
        ("consent.refused", True, False),
        ("consent.refused", False, False),
    ]


@on_sqlite_alone
@pytest.mark.parametrize("without", ["faceDataAgreed", "legalNoticeRead", "wordsDigest"])
def test_a_consent_has_no_default(desk: TestDesk, calling: Calling, without: str) -> None:
    holder = calling(desk.asked()[1])
    body = agreed(holder)
    del body[without]
    for wrong in (body, agreed(holder, **{without: "true"}), agreed(holder, **{without: 1})):
        assert holder.post("/holder/session", wrong).status_code == 400
    assert consents(desk) == []


@on_sqlite_alone
def test_a_consent_to_other_texts_is_none(desk: TestDesk, calling: Calling) -> None:
    holder = calling(desk.asked()[1])
    body = agreed(holder)
    desk.way.judge.name = "Another Judge"
    answer = holder.post("/holder/session", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
    assert "have changed" in answer.json()["message"]
    assert consents(desk) == []
    assert holder.post("/holder/session", agreed(holder)).status_code == 201


def test_tries_are_counted_and_lead_to_the_counter(desk: TestDesk, calling: Calling) -> None:
    session = in_session(desk, calling)
    dark = sent(desk, session, DARK)
    assert (dark["stage"], dark["left"]) == ("again", 3)
    assert dark["reasons"] == [
        {
            "code": "too_dark",
            "words": {"zh": CheckReason.TOO_DARK.words.zh, "en": CheckReason.TOO_DARK.words.en},
        }
    ]
    lost = sent(desk, session, LOST)
    assert (lost["stage"], lost["left"], lost["reasons"][0]["code"]) == ("again", 3, "lost")
    assert [sent(desk, session, OTHER)["left"] for _ in range(3)] == [2, 1, 0]
    end = session.get("/holder/check").json()
    assert (end["stage"], end["order"]) == ("counter", "sent_to_counter")
    refused(session.post("/holder/challenge", {}), 409, CheckReason.USED_UP)


def test_a_review_waits_for_a_person(desk: TestDesk, calling: Calling) -> None:
    found = sent(desk, in_session(desk, calling), UNSURE)
    assert (found["stage"], found["order"], found["waiting"]) == ("review", "under_review", None)
    assert found["reasons"][0]["code"] == "unsure"


def test_what_is_refused_says_why(desk: TestDesk, calling: Calling) -> None:
    first, second = in_session(desk, calling, 1), in_session(desk, calling, 2)
    challenge = drawn(desk, first)
    refused(second.post("/holder/check", recording(challenge)), 409, CheckReason.OTHER_SESSION)
    desk.way.queue.busy = True
    busy = first.post("/holder/check", recording(challenge))
    refused(busy, 503, CheckReason.BUSY)
    assert busy.headers["retry-after"] == "7"
    desk.way.queue.busy = False
    challenge = drawn(desk, first)
    assert first.post("/holder/check", recording(challenge)).status_code == 202
    refused(first.post("/holder/check", recording(challenge)), 409, CheckReason.REPLAYED)
    desk.way.queue.judge(DARK)
    challenge = drawn(desk, first)
    refused(first.post("/holder/check", recording(challenge, seconds=1.0)), 409, CheckReason.OUT_OF_TIME)
    challenge = drawn(desk, first)
    desk.clock.now += timedelta(seconds=61)
    refused(first.post("/holder/check", recording(challenge)), 409, CheckReason.EXPIRED)


@on_sqlite_alone
def test_without_a_photo_or_a_judge_the_way_is_the_counter(desk: TestDesk, calling: Calling) -> None:
    holder = calling(desk.asked()[1])
    desk.way.photos.photo = None
    for _ in range(2):
        refused(holder.post("/holder/session", agreed(holder)), 409, CheckReason.NO_REFERENCE)
    desk.way.photos.down = True
    away = holder.post("/holder/session", agreed(holder))
    refused(away, 503, CheckReason.NOT_AVAILABLE)
    assert away.headers["retry-after"] == "30"
    with callers(desk.api(online=False)) as elsewhere:
        alone = elsewhere(desk.asked()[1])
        online = alone.get("/holder/order").json()["online"]
        assert (online["open"], online["supplier"], online["stage"]) == (False, None, None)
        assert online["why"]["en"] == CheckReason.NOT_AVAILABLE.words.en
        refused(alone.post("/holder/session", agreed(alone)), 409, CheckReason.NOT_AVAILABLE)


@on_sqlite_alone
def test_a_session_is_no_link_and_a_link_no_session(desk: TestDesk, calling: Calling) -> None:
    _, link = desk.asked()
    session = in_session(desk, calling)
    assert session.get("/holder/order").status_code == 401
    assert calling(link).get("/holder/check").status_code == 401
    assert calling("A" * 32).post("/holder/challenge", {}).status_code == 401
    desk.clock.now = NOW + HOUR
    over = session.get("/holder/check")
    assert (over.status_code, over.headers["www-authenticate"]) == (401, "Bearer")
    assert "time of this session is over" in over.json()["message"]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"challengeId": "C0", "frames": recording("C0", frames=15)["frames"]}, id="too-few"),
        pytest.param({"challengeId": "C0", "frames": recording("C0", frames=41)["frames"]}, id="too-many"),
        pytest.param(recording("C0") | {"more": 1}, id="more"),
        pytest.param({"frames": recording("C0")["frames"]}, id="no-challenge"),
        pytest.param(recording("C0/../x"), id="no-name"),
    ],
)
def test_bodies_that_are_not_as_described(seated: Caller, broken: object) -> None:
    answer = seated.post("/holder/check", broken)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "frame",
    [
        *(
            {"at": -1},
            {"at": "0"},
            {"order": -1},
            {"order": 0.5},
            {"jpeg": "ÿØ"},
            {"jpeg": 1},
            {"jpeg": None},
        ),
        *({"jpeg": "abc"}, {"more": 1}),
    ],
    ids=str,
)
def test_pictures_that_are_not_as_described(seated: Caller, frame: dict[str, Any]) -> None:
    body = recording("C0")
    body["frames"][3] |= frame
    answer = seated.post("/holder/check", body)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("frames.3.")


def test_what_is_no_json_is_refused(seated: Caller) -> None:
    for content, kind in ((b"{", "application/json"), (b"", "application/json"), (b"{}", "text/plain")):
        sent_as = seated.client.post(
            "/card-restrictions/v1/holder/check", content=content, headers={"Content-Type": kind}
        )
        assert sent_as.status_code == 400


@on_sqlite_alone
def test_one_picture_may_have_400_kilobytes(desk: TestDesk, calling: Calling) -> None:
    session = in_session(desk, calling)
    challenge = drawn(desk, session)
    body = recording(challenge)
    body["frames"][0]["jpeg"] = base64.b64encode(bytes(400_003)).decode()
    refused(session.post("/holder/check", body), 413, CheckReason.TOO_LARGE)
    body["frames"][0]["jpeg"] = base64.b64encode(bytes(400_000)).decode()
    assert session.post("/holder/check", body).status_code == 202


@on_sqlite_alone
def test_each_session_may_look_every_second_whatever_others_do(desk: TestDesk) -> None:
    limits = RequestLimits(failed=60, failed_burst=6, polling=90, polling_burst=5)
    tokens = [desk.sits(number) for number in (1, 2)]
    with callers(desk.api(limits)) as calling:
        first, second, nobody = calling(tokens[0]), calling(tokens[1]), calling("A" * 32)
        answers = [first.get("/holder/check") for _ in range(8)]
        assert [one.status_code for one in answers[:5]] == [200] * 5
        assert answers[-1].status_code == 429
        assert answers[-1].headers["retry-after"] == "1"
        assert second.get("/holder/check").status_code == 200
        guessed = [nobody.get("/holder/check").status_code for _ in range(9)]
        assert guessed[:4] == [401] * 4
        assert guessed[-1] == 429, "who guesses is slowed down"
        assert second.get("/holder/check").status_code == 200, "and others at the same address are not"


@pytest.mark.parametrize(
    ("photo", "told"), [(None, "there is no registered photo"), (b"a photo", "shows 0 faces")]
)
def test_a_photo_that_nothing_can_be_compared_with_is_told_to_the_desk_once(
    desk: TestDesk,
    calling: Calling,
    photo: bytes | None,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def sees_no_face(_: bytes) -> None:
        raise ReferenceUnusable("the registered photo shows 0 faces; it must show one")

    order, link = desk.asked()
    holder = calling(link)
    desk.way.photos.photo = photo
    monkeypatch.setattr(desk.way.judge, "enrol", sees_no_face)
    for _ in range(2):
        refused(holder.post("/holder/session", agreed(holder)), 409, CheckReason.NO_REFERENCE)
    assert told in caplog.text
    file = desk.reading.order(order.id, ViewerContext(desk.people.who(SECOND.id)), desk.clock())
    assert [told in row.why for row in file.trail if row.what == "photo.unusable"] == [True]
