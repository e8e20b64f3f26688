"""Many notices at once: a window of unanswered submissions, fewer for a centre that is asked for too much."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from duanka.domain.network import ElementRefused, UnknownCard, Unreachable
from duanka.network.notices.parts import cut
from duanka.network.notices.sender import ShortMessageCentre
from duanka.network.notices.window import WindowedBatch
from duanka.network.smpp import codec as smpp
from duanka.sandbox.smsc import OwnShortMessageCentre
from duanka.sandbox.smsc_sessions import SmscSession
from support.network.message_path import own_centre

centre = pytest.fixture(own_centre)
MANY = [(str(8613900000000 + number), f"预警{number}") for number in range(300)]


@pytest.fixture
def sender(centre: OwnShortMessageCentre) -> Iterator[ShortMessageCentre]:
    secret = {"system_id": "notices", "password": "secret"}
    with closing(
        ShortMessageCentre(centre.address, **secret, receives=False, seconds=1.0)  # type: ignore[arg-type]
    ) as one:
        yield one


def test_each_is_submitted_once_and_its_ids_come_back_in_order(
    sender: ShortMessageCentre, centre: OwnShortMessageCentre
) -> None:
    ids = sender.send_many(MANY, 50, 20.0)
    accepted = centre.accepted
    assert [(one.destination, one.text) for one in accepted] == MANY
    assert list(ids) == [one.message_id for one in accepted]
    assert {one.submission.registered_delivery for one in accepted} == {1}


def test_a_slow_centre_is_kept_busy_within_the_window(
    sender: ShortMessageCentre, centre: OwnShortMessageCentre
) -> None:
    centre.behaviour.slow = 0.1
    begun = time.monotonic()
    assert len(sender.send_many(MANY[:100], 50, 20.0)) == 100
    assert time.monotonic() - begun < 5, "one by one it would be ten seconds"


def test_a_long_notice_has_all_its_parts(sender: ShortMessageCentre) -> None:
    (ids, short) = sender.send_many([("8613900000001", "长" * 100), ("8613900000002", "短")], 1, 5.0)
    assert isinstance(ids, str)
    assert isinstance(short, str)
    assert (ids.count(","), short.count(",")) == (1, 0)


class Licence:
    """Permits `rate` submissions in any tenth of a second."""

    def __init__(self, rate: int = 5) -> None:
        self.throttled = 0
        self._rate, self._taken = rate, list[float]()

    def too_much(self) -> bool:
        now = time.monotonic()
        self._taken = [at for at in self._taken if now - at < 0.1]
        if len(self._taken) >= self._rate:
            self.throttled += 1
            return True
        self._taken.append(now)
        return False


def test_a_centre_that_throttles_gets_fewer_and_each_once(
    sender: ShortMessageCentre, centre: OwnShortMessageCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit, before = Licence(), SmscSession._submitted

    def submitted(session: SmscSession, unit: bytes) -> bytes:
        return smpp.answer(unit, smpp.THROTTLED) if limit.too_much() else before(session, unit)

    monkeypatch.setattr(SmscSession, "_submitted", submitted)
    ids = sender.send_many(MANY[:60], 50, 20.0)
    assert all(isinstance(one, str) for one in ids)
    assert sorted(one.destination for one in centre.accepted) == sorted(card for card, _ in MANY[:60])
    assert 0 < limit.throttled < 150, f"{limit.throttled}: it is not asked again and again"


def test_one_that_is_refused_spoils_no_other(
    sender: ShortMessageCentre, centre: OwnShortMessageCentre
) -> None:
    ids = sender.send_many([MANY[0], ("", "nobody"), MANY[1]], 50, 5.0)
    assert isinstance(ids[1], UnknownCard)
    assert [isinstance(one, str) for one in ids] == [True, False, True]
    centre.behaviour.status = smpp.REFUSED_BY_APPLICATION
    assert isinstance(sender.send_many([MANY[0]], 50, 5.0)[0], ElementRefused)


def test_what_a_silent_centre_did_not_answer_may_have_arrived(
    sender: ShortMessageCentre, centre: OwnShortMessageCentre
) -> None:
    assert isinstance(sender.send_many(MANY[:1], 10, 5.0)[0], str)
    centre.behaviour.silent = True
    ids = sender.send_many(MANY[:20], 10, 5.0)
    assert all(isinstance(one, Unreachable) for one in ids)
    centre.behaviour.silent = False
    again = sender.send_many(MANY[20:25], 10, 5.0)
    assert all(isinstance(one, str) for one in again), "on a new link, so that late answers are nobody else's"


def test_without_a_centre_nothing_is_raised_and_all_is_unreachable() -> None:
    gone = ShortMessageCentre(("127.0.0.1", 1), system_id="a", password="b", seconds=0.5)  # noqa: S106
    assert all(isinstance(one, Unreachable) for one in gone.send_many(MANY[:3], 10, 1.0))


def test_the_window_halves_after_a_pause_and_grows_with_answers() -> None:
    clock = [0.0]
    batch = WindowedBatch([cut("短", "1")] * 40, 8, lambda: clock[0])

    def submit(first: int) -> list[int]:
        numbers = []
        for number, place in enumerate(batch.to_submit(), first):
            batch.submitted(number, place)
            numbers.append(number)
        return numbers

    assert len(submit(0)) == 8
    for number in range(8):
        batch.answered(number, smpp.THROTTLED, "")
    assert list(batch.to_submit()) == [], "it pauses"
    clock[0] += 0.2
    found = submit(100)
    assert len(found) == 4, "half as many, however many refusals came together"
    for number in found:
        batch.answered(number, smpp.OK, f"m{number}")
    found = submit(200)
    assert len(found) == 4
    for number in found:
        batch.answered(number, smpp.OK, f"m{number}")
    assert len(submit(300)) == 5, "one more when as many were answered"
