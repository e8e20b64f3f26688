"""The real person: from a hit over a short message to a browser with a camera, and back into the home register."""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from duanka.api import create_api
from duanka.api.http.client_addresses import TrustedProxies
from duanka.api.server import listening_socket, make_server
from duanka.application.enforcement_worker import Enforcing
from duanka.application.online_verification import OnlineVerification
from duanka.bootstrap import identity as app_identity
from duanka.bootstrap import serve as app_serve
from duanka.bootstrap.orders import OrderDesk, desk
from duanka.bootstrap.scan import policy_named
from duanka.domain.identity import Step
from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.network import NetworkState
from duanka.domain.order import Kind, Order, State
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.text import BilingualText
from duanka.identity.embedded.checker import steps_of
from duanka.sandbox.network import OwnNetwork
from support import browsers, clips
from support.orders.books import receive
from support.parts import needed
from support.switches import Switch, missing
from support.waiting import HANG, until

HOLDER, OTHER_CHALLENGE, STILL, WAVED, STRANGER, ABROAD = range(6)
CARDS = 6
DRAWN = 20261127  # seed of the challenges: the clip must show what will be asked
FPS = 10  # of a clip
LEAD, TAIL = 4.0, 1.5  # seconds of rest before and after what a clip shows: time to reach the button
COUNTDOWN = 2.2  # seconds from the button to the first frame
LATER = browsers.SLOW_LINE.round_trip / 1000  # seconds, on a slow line
SLOWLY = 30.0  # seconds from the button until the pictures are there; all the usual ones would take a minute and more
RECORDED = HANG * 1000  # milliseconds until the verdict must be here
_LINK = re.compile(r"http://127\.0\.0\.1:\d+/v#[A-Za-z0-9_-]{44}")


def card(number: int) -> str:
    return str(8613800000000 + number)


@dataclass
class Clock:
    """A clock that begins two days and four minutes ago, and can be moved."""

    began: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(hours=48, minutes=4))
    at: float = field(default_factory=time.monotonic)
    moved: timedelta = timedelta()

    def __call__(self) -> datetime:
        return self.began + self.moved + timedelta(seconds=time.monotonic() - self.at)


@dataclass
class Town:
    """The network, the order database, the way online, and a telephone with a camera."""

    network: OwnNetwork
    here: OrderDesk
    worker: Enforcing
    clock: Clock
    imsis: dict[str, str]
    browser: Browser
    camera: Path
    shots: Path
    asked: Random  # draws as the server does

    def order(self, number: int, kind: Kind = Kind.VERIFICATION) -> Order | None:
        return self.here.orders.transaction(lambda unit: unit.open_order(card(number), kind), self.clock())

    def link(self, number: int) -> str:
        parts = [one for one in self.network.centre.accepted if one.destination.lstrip("+") == card(number)]
        found = _LINK.search(
            "".join(one.text for one in parts)
        )  # a telephone joins the parts of a long message
        assert found
        return found[0]

    def order_number(self, number: int) -> str:
        """What stands in the last message to the card, as a holder types it elsewhere."""
        texts = [
            one.text for one in self.network.centre.accepted if one.destination.lstrip("+") == card(number)
        ]
        return str(re.findall("“([VR][0-9A-Z]{12})”", "".join(texts))[-1])

    def next_challenge(self) -> tuple[Step, ...]:
        return steps_of(IdentityPolicy(), Random(self.asked.getrandbits(128)))


@contextlib.contextmanager
def listening(
    here: OrderDesk, port: int, online: OnlineVerification | None, clock: Callable[[], datetime]
) -> Iterator[None]:
    """Serve the API in a thread of its own."""
    with listening_socket("127.0.0.1", port) as listening:
        server = make_server(create_api(here, clock, verification=online), TrustedProxies(""))
        thread = threading.Thread(target=server.run, args=([listening],), name="api")
        thread.start()
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(HANG)


@pytest.fixture
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    for why in (missing(), clips.missing(), browsers.missing()):
        needed(why)
    folder = tmp_path_factory.mktemp("person")
    camera, photos = folder / "camera.y4m", folder / "photos"
    photos.mkdir()
    for number in range(CARDS):
        photo = clips.stranger().read_bytes() if number == STRANGER else clips.reference()
        (photos / f"{card(number)}.jpg").write_bytes(photo)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    national = policy_named("national")
    policy = replace(national, orders=replace(national.orders, site=f"http://127.0.0.1:{port}"))
    clock = Clock()
    with OwnNetwork(folder, policy) as network, sync_playwright() as playwright:
        imsis = network.register.add([card(number) for number in range(CARDS)])
        settings = network.settings(folder / "orders").model_copy(
            update={"face": "embedded", "reference_photos": str(photos)}
        )
        parts = app_serve.Network(settings)
        with (
            desk(settings, policy, create=True) as here,
            app_serve.working(here, policy.orders, parts, print, clock) as worker,
            app_identity.verification(settings, here, clock, Random(DRAWN)) as online,
            listening(here, port, online, clock),
        ):
            browser = browsers.launched(playwright, camera)
            try:
                yield Town(network, here, worker, clock, imsis, browser, camera, folder, Random(DRAWN))
            finally:
                browser.close()


@pytest.mark.requirement("R1")
def test_the_holder_proves_who_they_are_and_nobody_else_does(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, "duanka")
    reason = BilingualText("一天外呼80个陌生号码，接通率9%", "80 strangers called in a day, 9% answered")
    demands = [
        OrderDecision(card(number), RequestedAction.VERIFY, "medium", reason, ("fan_out",), id="run:1")
        for number in range(CARDS)
    ]
    receive(town.here.orders, demands, town.clock())
    until(lambda: all(_state(town, number) is State.NOTIFIED for number in range(CARDS)))
    for state in (NetworkState.OUTGOING_BARRED, NetworkState.SUSPENDED):
        town.clock.moved += timedelta(hours=24, minutes=2)
        town.worker.wake()
        until(partial(town.network.in_force, [card(number) for number in range(CARDS)], state))

    with Switch(town.network.register.gsup) as switch:
        assert switch.attach(town.imsis[card(HOLDER)]) is not None, "the register refuses it"
        steps, verdict = _does_what_is_asked(town, HOLDER, browsers.SLOW_LINE)
        assert "核验通过" in verdict
        assert "已恢复" in verdict
        until(lambda: town.network.in_force([card(HOLDER)], NetworkState.ACTIVE))
        assert switch.attach(town.imsis[card(HOLDER)]) is None, "back in the home register"

    _the_holder_abroad_is_back_without_the_link(town)
    other = town.next_challenge()
    assert other != steps
    assert "动作与提示不一致" in _before_the_camera(town, OTHER_CHALLENGE, clips.living(steps, FPS))
    still = clips.still(len(clips.living(town.next_challenge(), FPS)))
    assert "画面没有动" in _before_the_camera(town, STILL, still)
    town.next_challenge()
    photo = clips.man(range(20, 46), 0)
    waved = [one for one in clips.waved(photo, 40) for _ in range(3)]  # as slowly as a hand
    assert "像是照片" in _before_the_camera(town, WAVED, waved)
    _, verdict = _does_what_is_asked(town, STRANGER)
    assert "与证件登记的人像不符" in verdict
    assert "还可以再试" in verdict

    for number in (OTHER_CHALLENGE, STILL, WAVED, STRANGER):
        assert _stopped(town, number), "whoever did not pass stays as they were"
        assert _state(town, number) is State.EXPIRED, "and is not failed for it"
    _nothing_of_a_face(town, caplog.text)


def _the_holder_abroad_is_back_without_the_link(town: Town) -> None:
    """The card gets no messages: another phone, number and order number of the stop's notice, and the face."""
    stop = town.order(ABROAD, Kind.RESTRICTION)
    assert stop
    assert town.order_number(ABROAD) == stop.id, "the notice of the stop names it"
    with Switch(town.network.register.gsup) as switch:
        assert switch.attach(town.imsis[card(ABROAD)]) is not None, "the register refuses it"
        _, verdict = _does_what_is_asked(town, ABROAD)
        assert "核验通过" in verdict
        assert "您的号码已恢复" in verdict
        until(lambda: town.network.in_force([card(ABROAD)], NetworkState.ACTIVE))
        assert switch.attach(town.imsis[card(ABROAD)]) is None, "back in the home register"


def _does_what_is_asked(
    town: Town, number: int, line: browsers.Line | None = None
) -> tuple[tuple[Step, ...], str]:
    """The man does what is asked; on a busy machine the clip can come late, and then he tries again, as people do."""
    for _ in range(3):
        steps = town.next_challenge()
        verdict = _before_the_camera(town, number, clips.living(steps, FPS), line)
        if "动作与提示不一致" not in verdict:
            break
    return steps, verdict


def _before_the_camera(
    town: Town, number: int, shown: list[clips.Image], line: browsers.Line | None = None
) -> str:
    """Open the link on a telephone before whose camera `shown` plays; what the page says in the end."""
    rest = [clips.man(range(20, 46), at) for at in range(round(max(LEAD, TAIL) * FPS))]
    lead, tail = rest[: round(LEAD * FPS)], rest[: round(TAIL * FPS)]
    still = number in (STILL, WAVED)
    played = shown if still else [*lead, *shown, *tail]
    clips.write_y4m(town.camera, played, FPS)
    link = town.link(number)
    with browsers.shown(
        town.browser, link.partition("#")[0] if number == ABROAD else link, line
    ) as telephone:
        page = telephone.page
        if number == ABROAD:
            page.get_by_label("手机号码", exact=True).fill(card(number).removeprefix("86"))
            page.get_by_label("工单号", exact=True).fill(town.order_number(number))
        else:
            expect(page.locator("h1")).to_contain_text(card(number)[-4:])
            expect(page.locator("main")).to_contain_text("一天外呼80个陌生号码")
        _shot(town, page, number, "why")
        for name in ("我同意采集人脸信息", "我已阅读法律责任告知"):
            box = page.get_by_role("checkbox", name=name)
            expect(box).not_to_be_checked()
            box.check()
        page.get_by_role("button", name="开始在线核验").click()
        ready = page.get_by_role("button", name="准备好了，开始")
        expect(ready).to_be_enabled()
        if not still:  # what is shown begins when the recording begins
            _wait_for(page, LEAD - COUNTDOWN - (LATER if line else 0), len(played) / FPS)
        if line:
            expect(page.locator("main")).to_contain_text("您的网络较慢，画面会小一些，边录边传")
        ready.click()
        began = time.monotonic()
        page.wait_for_timeout(5000)
        _shot(town, page, number, "camera")
        if line:
            _is_sent(page, began)
        end = page.locator("main", has_text=re.compile("核验通过|再试一次|请到营业厅办理|工作人员审核"))
        expect(end).to_be_visible(timeout=RECORDED)
        _shot(town, page, number, "verdict")
        assert len(telephone.hosts - {""}) == 1, "nobody else is asked anything"
        assert telephone.complaints == []
        return str(page.locator("main").inner_text())


def _is_sent(page: Page, began: float) -> None:
    """The pictures are on their way, with how long that takes, and then they are there."""
    expect(page.locator("main")).to_have_attribute("data-screen", "sending")
    expect(page.locator("main")).to_contain_text(re.compile(r"已上传 \d+%，共 \d+ KB\s*大约还需要 \d+ 秒"))
    expect(page.locator("main")).not_to_have_attribute("data-screen", "sending")
    assert time.monotonic() - began < SLOWLY


def _wait_for(page: Page, phase: float, period: float) -> None:
    """Until the clip before the camera is at `phase` of its `period`, seconds."""
    page.wait_for_function(
        "([phase, period]) => {"
        " const at = document.querySelector('video').currentTime % period;"
        " return at >= phase && at < phase + 0.15; }",
        arg=[phase % period, period],
        polling="raf",
    )


def _shot(town: Town, page: Page, number: int, what: str) -> None:
    page.screenshot(path=town.shots / f"{number}-{what}.png", full_page=True)


def _state(town: Town, number: int) -> State | None:
    order = town.order(number)
    return order.state if order else None


def _stopped(town: Town, number: int) -> bool:
    return town.network.in_force([card(number)], NetworkState.SUSPENDED)


def _nothing_of_a_face(town: Town, logged: str) -> None:
    """No picture in a log or, unsealed, in the order database; no token either."""
    for mark in ("/9j/", "JFIF", "hs_", "hu_", "feature", "\\xff\\xd8"):
        assert mark not in logged
    for file in (town.shots / "orders").glob("orders.sqlite*"):
        content = file.read_bytes()
        # five bytes: the first three of a picture come by chance in one of twenty megabytes of sealed ones
        assert not re.search(rb"\xff\xd8\xff[\xdb\xe0\xe1]\x00", content)
        assert b"/9j/" not in content
