"""The way online with a vendor instead of the embedded check: the same book, the same verdicts, by a setting alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from pydantic import SecretStr

from duanka.application.online_verification import OnlineVerification
from duanka.bootstrap import identity as app_identity
from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.scan import policy_named
from duanka.bootstrap.settings import Settings
from duanka.domain.errors import DuankaError
from duanka.domain.identity import CheckReason, CheckRefused, Consent, Frame, SessionStage
from duanka.domain.order import Kind, State
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.text import BilingualText
from support.orders.books import receive
from support.photo_server import Say
from support.vendor_server import StubVendor, picture, vendor_server
from support.waiting import until

CARD, WITHOUT_PHOTO = "8613800000001", "8613800000002"


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Way:
    """A vendor, and the way online that asks it."""

    vendor: StubVendor
    here: app_orders.OrderDesk
    online: OnlineVerification
    clock: Clock

    def link(self, card: str = CARD) -> str:
        """The token of a notice about a card."""
        reason = BilingualText("一天外呼80个陌生号码", "80 strangers called in a day")
        receive(
            self.here.orders, [OrderDecision(card, RequestedAction.VERIFY, "medium", reason)], self.clock()
        )
        order = self.here.orders.transaction(
            lambda unit: unit.open_order(card, Kind.VERIFICATION), self.clock()
        )
        assert order
        return self.here.orders.transaction(
            lambda unit: self.here.links.make(unit.connection, order.id, self.clock()), self.clock()
        )

    def token(self) -> str:
        session = self.online.agree(
            self.link(), Consent(True, True, "digest"), self.clock(), browser="browser"
        )
        assert session
        return session.token

    def answered(self, token: str, face: str) -> SessionStage:
        """What becomes of frames that show `face`."""
        challenge = self.online.challenge(token, self.clock())
        self.clock.now += timedelta(seconds=challenge.seconds + 1)
        many = round(challenge.seconds * 4) + 1
        frames = [Frame(at, at / 4, picture(face, at + 1000 * len(self.vendor.heard))) for at in range(many)]
        self.online.submit(token, challenge.id, frames, self.clock())
        until(lambda: self.online.progress(token, self.clock()).stage is not SessionStage.WAITING)
        return self.online.progress(token, self.clock()).stage


@pytest.fixture
def way(tmp_path: Path) -> Iterator[Way]:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / f"{CARD}.jpg").write_bytes(picture("the holder"))
    clock = Clock(app_orders.now())
    with vendor_server() as vendor:
        settings = Settings(
            orders=tmp_path / "orders",
            face=vendor.url,
            face_key=SecretStr(vendor.key),
            reference_photos=str(tmp_path / "photos"),
        )
        with (
            app_orders.desk(settings, policy_named("national"), create=True) as here,
            app_identity.verification(settings, here, clock, Random(1)) as online,
        ):
            assert online
            yield Way(vendor, here, online, clock)


def test_a_vendor_passes_the_holder_and_nobody_else(way: Way) -> None:
    token = way.token()
    assert way.answered(token, "somebody else") is SessionStage.AGAIN
    assert CheckReason.OTHER_PERSON in way.online.progress(token, way.clock()).reasons
    assert way.answered(token, "the holder") is SessionStage.PASSED
    last = way.here.reading.last(CARD, Kind.VERIFICATION)
    assert last
    assert last.state is State.PASSED
    assert not any(CARD in str(one) for one in way.vendor.heard), "it learns no number"


def test_a_vendor_that_is_away_counts_for_nothing(way: Way) -> None:
    token = way.token()
    way.vendor.script.append(Say(status=500))
    with pytest.raises(CheckRefused) as refused:
        way.online.challenge(token, way.clock())
    assert (refused.value.reason, refused.value.wait) == (CheckReason.NOT_AVAILABLE, 30)
    way.online.challenge(token, way.clock())
    way.vendor.script.append(Say(status=500))
    assert way.answered(token, "the holder") is SessionStage.AGAIN
    progress = way.online.progress(token, way.clock())
    assert progress.reasons == (CheckReason.LOST,)
    assert progress.left == 3
    assert way.answered(token, "the holder") is SessionStage.PASSED


def test_a_card_without_a_registered_photo_goes_to_the_counter(way: Way) -> None:
    with pytest.raises(CheckRefused) as refused:
        way.online.agree(
            way.link(WITHOUT_PHOTO), Consent(True, True, "digest"), way.clock(), browser="browser"
        )
    assert refused.value.reason is CheckReason.NO_REFERENCE


def test_settings_say_which_way_is_open(tmp_path: Path) -> None:
    settings = Settings(orders=tmp_path / "orders")
    with app_orders.desk(settings, policy_named("national"), create=True) as here:
        with app_identity.verification(settings, here) as online:
            assert online is None
        assert "counter alone" in app_identity.said(settings)
        half = settings.model_copy(update={"face": "embedded"})
        with pytest.raises(DuankaError, match="DUANKA_REFERENCE_PHOTOS"):
            app_identity.verification(half, here).__enter__()
        wrong = settings.model_copy(update={"face": "embeded", "reference_photos": str(tmp_path)})
        with pytest.raises(DuankaError, match="DUANKA_FACE"):
            app_identity.verification(wrong, here).__enter__()
