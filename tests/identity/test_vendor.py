"""The vendor over HTTP: what it says becomes a verdict, what it does wrong is our fault, and it learns no number.

The contract of docs/identity-vendor.openapi.yaml is asked of the stub, and of a real vendor where DUANKA_TEST_VENDOR
(and DUANKA_TEST_VENDOR_KEY) name one: docs/IDENTITY.md.
"""

from __future__ import annotations

import json
import logging
import os
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any

import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from duanka.domain.identity import (
    Check,
    CheckerDown,
    CheckReason,
    Frame,
    Gesture,
    Outcome,
    ReferenceUnusable,
    Step,
    Verdict,
)
from duanka.domain.identity_ports import Checker
from duanka.identity.reference_photos import HttpTimeouts
from duanka.identity.vendor import GIVEN, MOST_SECONDS, MOST_STEPS, Vendor
from support.generated_questions import ask_each_operation
from support.photo_server import CLOSE, GENERATED, SILENT, Say, described, dripping, says
from support.vendor_server import CONTRACT, KEY, NAME, StubVendor, contract_of_vendor, picture, vendor_server

SECRET = b"a secret of a test, of thirty-two b"
ORDER = "V2603020800000001"
STEPS = (Step(Gesture.TURN_LEFT, 1.5, 3.5), Step(Gesture.CLOSE_EYES, 3.5, 5.5))
IMPATIENT = HttpTimeouts(connect=1.0, read=0.3, whole=0.8)
PASSED = {"outcome": "passed", "similarity": 0.7, "reasons": []}


def _check(frame: str = "wang", reference: str = "wang", order: str = ORDER) -> Check:
    frames = tuple(Frame(place, place * 0.3, picture(frame, place)) for place in range(20))
    return Check(order, STEPS, picture(reference), frames)


@pytest.fixture(scope="module")
def stub() -> Iterator[StubVendor]:
    with vendor_server() as running:
        yield running


@pytest.fixture
def server(stub: StubVendor) -> StubVendor:
    stub.script.clear()
    stub.heard.clear()
    return stub


@pytest.fixture
def vendor(server: StubVendor) -> Vendor:
    return Vendor(server.url, server.key, SECRET, patience=HttpTimeouts(1.0, 5.0, 10.0))


# What it says


def test_before_nobody_a_vendor_gets_one_of_the_frames(server: StubVendor, vendor: Vendor) -> None:
    vendor.check(replace(_check(), reference=b""))
    heard = server.heard[-1].json
    assert heard["reference"] == heard["frames"][len(heard["frames"]) // 2]["image"]


def test_a_vendor_is_a_checker_that_judges(vendor: Vendor) -> None:
    checker: Checker = vendor
    checker.enrol(picture("wang"))
    steps = checker.challenge(Random(1))
    assert len(steps) == 3
    assert checker.check(replace(_check(), steps=steps)) == Verdict(
        Outcome.PASSED, (), 0.8, {"depth": 0.9}, best=3
    )
    assert checker.check(_check("li")) == Verdict(
        Outcome.FAILED, (CheckReason.OTHER_PERSON,), 0.1, {"depth": 0.9}, best=3
    )
    assert checker.check(_check("")).reasons == (CheckReason.NO_FACE,)
    checker.close()


def test_a_photo_without_a_face_is_unusable(vendor: Vendor) -> None:
    with pytest.raises(ReferenceUnusable, match="No face was seen"):
        vendor.enrol(picture())


def _judged(vendor: Vendor, server: StubVendor, answer: Mapping[str, object]) -> Verdict:
    server.script.append(says(answer))
    return vendor.check(_check())


def _failed(*reasons: object) -> dict[str, object]:
    return {"outcome": "failed", "similarity": 0.1, "reasons": list(reasons)}


EXPLAINED: Mapping[str, tuple[Mapping[str, object], str, list[str]]] = {
    "passed": (PASSED, "passed", []),
    "its-own-scale": (PASSED | {"similarity": -0.4}, "passed", []),
    "and-not": (PASSED | {"reasons": ["other_person"]}, "review", ["unsure", "other_person"]),
    "and-advice": (PASSED | {"reasons": ["blurred"]}, "review", ["unsure", "blurred"]),
    "and-unknown": (PASSED | {"reasons": ["deep_fake"]}, "review", ["unsure"]),
    "without-similarity": (PASSED | {"similarity": None}, "review", ["unsure"]),
    "passed-alone": ({"outcome": "passed"}, "review", ["unsure"]),
    "failed": (_failed("still", "too_dark", "still"), "failed", ["still", "too_dark"]),
    "failed-spelling": (_failed(" Other-Person"), "failed", ["other_person"]),
    "failed-in-part": (_failed("deep_fake", "still", "unsure"), "failed", ["still"]),
    "failed-alone": (_failed(), "review", ["unsure"]),
    "failed-unknown": (_failed("deep_fake"), "review", ["unsure"]),
    "failed-ours": (_failed("lost"), "review", ["unsure"]),
    "failed-unsure": (_failed("unsure"), "review", ["unsure"]),
    "review": ({"outcome": "review", "similarity": 0.4, "reasons": []}, "review", ["unsure"]),
}


@pytest.mark.parametrize(("answer", "outcome", "reasons"), EXPLAINED.values(), ids=EXPLAINED)
def test_an_outcome_is_believed_where_it_can_be_explained(
    vendor: Vendor, server: StubVendor, answer: Mapping[str, object], outcome: str, reasons: list[str]
) -> None:
    found = _judged(vendor, server, answer)
    assert (found.outcome, list(found.reasons)) == (outcome, reasons)
    assert found.similarity == answer.get("similarity")


def test_a_reviewer_sees_the_last_frame_before_the_first_gesture(vendor: Vendor, server: StubVendor) -> None:
    assert _judged(vendor, server, PASSED).best == 4  # at 1.2 s; the first gesture begins at 1.5 s
    assert _judged(vendor, server, PASSED | {"bestFrame": 19}).best == 19


def _one(gesture: object, begins: object, ends: object) -> Mapping[str, object]:
    return {"steps": [{"gesture": gesture, "begins": begins, "ends": ends}]}


NOT_DESCRIBED = [
    ("check", {}, "outcome is something else"),
    ("check", [], "object is missing"),
    ("check", PASSED | {"outcome": "fine"}, "outcome is 'fine'"),
    ("check", PASSED | {"outcome": KEY}, "outcome is something else"),
    ("check", PASSED | {"similarity": 1.1}, "similarity"),
    ("check", PASSED | {"similarity": True}, "similarity"),
    ("check", PASSED | {"similarity": 10**400}, "similarity"),
    ("check", PASSED | {"reasons": "still"}, "reasons"),
    ("check", PASSED | {"reasons": [7]}, "reasons"),
    ("check", PASSED | {"signals": {"e": [0.1] * 128}}, "signals.e"),
    ("check", PASSED | {"signals": {f"e{place}": 0.1 for place in range(128)}}, "signals"),
    ("check", PASSED | {"signals": {"8613800138000": 1}}, "signals"),
    ("check", PASSED | {"bestFrame": 20}, "bestFrame"),
    ("check", PASSED | {"bestFrame": 1.5}, "bestFrame"),
    ("enrol", {"usable": "yes"}, "usable"),
    ("enrol", {"usable": True, "reason": "two_faces"}, "usable"),
    ("challenge", {"steps": []}, "1 to 6"),
    ("challenge", {"steps": [{}] * 7}, "1 to 6"),
    ("challenge", _one("nod", 0, 2), "steps.0.gesture is 'nod'"),
    ("challenge", _one(["nod"], 0, 2), "steps.0.gesture is something else"),
    ("challenge", _one("turn_left", 2, 2), "steps.0.ends"),
    ("challenge", _one("turn_left", -1, 2), "steps.0.begins"),
    ("challenge", _one("turn_left", 0, 31), "steps.0.ends"),
    ("challenge", _one("turn_left", 0, "2"), "steps.0.ends"),
    ("challenge", {"steps": [{"gesture": "turn_left", "begins": 0, "ends": 2}] * 2}, "steps.1.begins"),
]


@pytest.mark.parametrize(
    ("what", "answer", "says_what"),
    NOT_DESCRIBED,
    ids=[f"{what}-{number}" for number, (what, *_) in enumerate(NOT_DESCRIBED)],
)
def test_what_is_not_as_described_is_the_vendors_fault_and_said(
    vendor: Vendor, server: StubVendor, what: str, answer: object, says_what: str
) -> None:
    server.script.append(says(answer))
    with pytest.raises(CheckerDown) as raised:
        _ask(vendor, what)
    assert says_what in str(raised.value)


def _ask(vendor: Vendor, what: str) -> None:
    if what == "challenge":
        vendor.challenge(Random(1))
    elif what == "enrol":
        vendor.enrol(picture("wang"))
    else:
        vendor.check(_check())


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_STEP = st.fixed_dictionaries(
    {
        "gesture": st.sampled_from(Gesture) | _ANY,
        "begins": st.floats(-1, 31) | _ANY,
        "ends": st.floats() | _ANY,
    }
)
_NEARLY = st.fixed_dictionaries(
    {},
    optional={
        "outcome": st.sampled_from(Outcome) | _ANY,
        "similarity": st.floats(-1, 1) | _ANY,
        "reasons": st.lists(st.sampled_from(CheckReason) | _ANY, max_size=4) | _ANY,
        "signals": st.dictionaries(st.text("abc", min_size=1), st.floats() | _ANY) | _ANY,
        "bestFrame": st.integers(-1, 20) | _ANY,
        "usable": st.booleans() | _ANY,
        "reason": st.sampled_from(CheckReason) | _ANY,
        "steps": st.lists(_STEP, max_size=7) | _ANY,
    },
)
_BODY = (_NEARLY | _ANY).map(lambda answer: json.dumps(answer).encode()) | st.binary(max_size=200)


@settings(max_examples=60, deadline=None)
@given(body=_BODY, status=st.sampled_from([200] * 9 + [204, 302, 400, 401, 500, 599]))
def test_whatever_it_answers_is_a_verdict_or_its_fault(stub: StubVendor, body: bytes, status: int) -> None:
    vendor = _VENDORS.setdefault(stub.url, Vendor(stub.url, stub.key, SECRET))
    stub.script.clear()
    stub.script.extend([Say(body if status != 204 else b"", status)] * 3)
    with suppress(CheckerDown, ReferenceUnusable):
        vendor.enrol(picture("wang"))
    with suppress(CheckerDown):
        steps = vendor.challenge(Random(1))
        assert 1 <= len(steps) <= MOST_STEPS
        assert all(0 <= step.begins < step.ends <= MOST_SECONDS for step in steps)
    try:
        verdict = vendor.check(_check())
    except CheckerDown:
        return
    assert status == 200
    assert verdict.best in range(20)
    if verdict.outcome is Outcome.PASSED:
        assert verdict.reasons == ()
        assert verdict.similarity is not None
    else:
        assert verdict.reasons
        assert GIVEN.issuperset(verdict.reasons)


_VENDORS = dict[str, Vendor]()  # one for all examples: reading the authorities takes longer than an example


# What it does wrong


def _down(vendor: Vendor, what: str = "check") -> str:
    with pytest.raises(CheckerDown) as raised:
        _ask(vendor, what)
    assert KEY not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("say", "says_what"),
    [
        (Say(b"{"), "object is missing"),
        (Say(b"[" * 900_000), "object is missing"),
        (Say(b"\xff\xfe\x00"), "object is missing"),
        (Say(b'{"outcome": NaN}'), "outcome"),
        (Say(json.dumps(PASSED).encode(), 201), "201"),
        (says({"status": 500, "code": "INTERNAL", "message": KEY}, 500), "500 INTERNAL"),
        (says({"status": 500, "code": KEY, "message": KEY}, 500), ": 500"),
        (Say(b"<html>", 502, "text/html"), "502"),
        (says({"status": 401, "code": "UNAUTHENTICATED", "message": KEY}, 401), "see DUANKA_FACE_KEY"),
        (Say(status=307, headers={"location": "/elsewhere"}), "redirects"),
        (Say(b"{}", headers={"content-encoding": "gzip"}), "packs"),
        (Say([b" " * 100_000] * 1000), "larger than 1,000,000 bytes"),
        (Say(b"{}" + b" " * 1_000_000), "larger than 1,000,000 bytes"),
    ],
    ids=[
        *("half", "deep", "no-text", "nan", "created", "500", "key-as-code", "502", "401", "redirect"),
        *("packed", "endless", "large"),
    ],
)
def test_a_broken_answer_is_told_without_what_it_holds(
    vendor: Vendor, server: StubVendor, say: Say, says_what: str
) -> None:
    server.script.append(say)
    assert says_what in _down(vendor)
    assert len(server.heard) == 1


def test_who_is_silent_is_not_waited_for_and_not_asked_again(server: StubVendor) -> None:
    hasty = Vendor(server.url, server.key, SECRET, patience=IMPATIENT)
    server.script.append(SILENT)
    assert "silent for 0.3 s" in _down(hasty)
    assert len(server.heard) == 1


def test_a_slow_answer_in_time_is_one(server: StubVendor) -> None:
    hasty = Vendor(server.url, server.key, SECRET, patience=IMPATIENT)
    server.script.append(replace(says(PASSED), after=0.1))
    assert hasty.check(_check()).outcome is Outcome.PASSED


def test_a_connection_that_breaks_is_tried_once_more_as_the_same_question(
    vendor: Vendor, server: StubVendor
) -> None:
    server.script.append(CLOSE)
    assert vendor.check(_check()).outcome is Outcome.PASSED
    first, second = server.heard
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body
    server.script.extend([CLOSE, Say([b"{"], headers={"content-length": "99"})])
    assert "broke off" in _down(vendor)
    assert len(server.heard) == 4


def test_a_vendor_that_is_not_there() -> None:
    with dripping(b"", 0) as url:
        pass
    assert "no connection" in _down(Vendor(url, KEY, SECRET, patience=IMPATIENT))


# What it learns, and what stands in logs


def test_the_vendor_learns_neither_number_nor_order(vendor: Vendor, server: StubVendor) -> None:
    for order in (ORDER, ORDER, "V2603020800000002"):
        vendor.check(_check(order=order))
    Vendor(server.url, server.key, SECRET[::-1]).check(_check())
    references = [heard.json["orderReference"] for heard in server.heard]
    assert references[0] == references[1]
    assert len(set(references)) == 3
    for heard in server.heard:
        assert set(heard.json) == {"orderReference", "steps", "reference", "frames"}
        assert not any(ORDER in text for text in (heard.path, str(heard.headers), heard.body.decode()))


def test_a_question_is_known_again_and_another_is_another(vendor: Vendor, server: StubVendor) -> None:
    assert vendor.challenge(Random(1)) == vendor.challenge(Random(1))
    drawn = {vendor.challenge(draw) for draw in [Random(2)] for _ in range(8)}
    assert len(drawn) > 1
    vendor.check(_check())
    vendor.check(_check("li"))
    keys = [heard.headers["idempotency-key"] for heard in server.heard]
    assert len(set(keys)) == len(keys) - 1
    assert keys == [heard.headers["x-correlator"] for heard in server.heard]


def test_logs_hold_what_the_operator_needs_and_no_key_picture_or_order(
    vendor: Vendor, server: StubVendor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    vendor.check(_check())
    server.script.append(says({"status": 503, "code": "UNAVAILABLE", "message": "later"}, 503))
    _down(vendor)
    assert "503 UNAVAILABLE (x-correlator " in caplog.text
    for secret in (KEY, ORDER, b64encode(picture("wang", 3)).decode(), b64encode(picture("wang")).decode()):
        assert secret not in caplog.text


def test_one_vendor_serves_many_threads(vendor: Vendor) -> None:
    checks = [_check("wang" if number % 3 else "li", order=f"V{number}") for number in range(48)]
    with ThreadPoolExecutor(8) as threads:
        found = [verdict.outcome is Outcome.PASSED for verdict in threads.map(vendor.check, checks)]
    assert found == [bool(number % 3) for number in range(48)]


# The contract

_REAL = os.environ.get("DUANKA_TEST_VENDOR", "")


@pytest.mark.parametrize("who", ["stub", *(["real"] if _REAL else [])])
@pytest.mark.parametrize("case", CONTRACT, ids=lambda case: case.replace(" ", "-"))
def test_the_contract(server: StubVendor, who: str, case: str) -> None:
    url, key = (server.url, server.key) if who == "stub" else (_REAL, os.environ["DUANKA_TEST_VENDOR_KEY"])
    contract_of_vendor(url, key, case, f"t{time.time_ns()}")


def test_the_description_is_one_and_says_what_the_code_says() -> None:
    document = described(NAME)
    OPENAPI_31_VALIDATOR.validate(document)
    schemas = document["components"]["schemas"]
    assert set(schemas["Reason"]["enum"]) == GIVEN
    assert schemas["Gesture"]["enum"] == list(Gesture)
    assert schemas["Check"]["properties"]["outcome"]["enum"] == list(Outcome)
    assert schemas["Steps"]["maxItems"] == MOST_STEPS
    assert schemas["Step"]["properties"]["ends"]["maximum"] == MOST_SECONDS


def test_every_answer_of_the_stub_is_as_described(stub: StubVendor, subtests: pytest.Subtests) -> None:
    @GENERATED
    def ask(case: Any) -> None:
        stub.script.clear()
        case.call_and_validate(base_url=stub.url, headers={"Authorization": f"Bearer {stub.key}"})

    ask_each_operation(schemathesis.openapi.from_dict(dict(described(NAME))), ask, subtests)
