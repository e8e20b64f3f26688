"""A real browser, as on a telephone: the distribution's Chromium, its camera an invention of its own or a clip."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, ViewportSize, expect

from support.waiting import HANG

CHROMIUM = Path("/usr/bin/chromium")
PHONE = ViewportSize(width=360, height=740)  # what most cheap telephones have
_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
_CAMERA = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
# A camera never sees the same twice, and a clip that is played again does: a speck for its noise.
_NOISE = """
const drawn = CanvasRenderingContext2D.prototype.drawImage;
CanvasRenderingContext2D.prototype.drawImage = function (...given) {
  drawn.apply(this, given);
  this.fillStyle = `#${Math.floor(Math.random() * 0xffffff).toString(16).padStart(6, "0")}`;
  this.fillRect(0, 0, 8, 8);
};
"""
_COMPLAINS = ("error", "warning")
_STEP = HANG * 1000  # milliseconds

expect.set_options(timeout=_STEP)


def missing() -> str:
    """What has to be installed for these tests; empty where all is there."""
    return "" if CHROMIUM.exists() else f"no {CHROMIUM}: `make setup-dev` installs it where apt is allowed"


@dataclass(frozen=True)
class Shown:
    """A page, where it asked, and what its console complained of."""

    page: Page
    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)


def launched(playwright: Playwright, camera: Path | None = None) -> Browser:
    """A browser without a window. `camera`: a y4m clip that its camera plays, again and again."""
    clip = [f"--use-file-for-fake-video-capture={camera}"] if camera else []
    return playwright.chromium.launch(
        executable_path=CHROMIUM, args=[*_QUIET, *_CAMERA, *clip], timeout=_STEP
    )


@dataclass(frozen=True)
class Line:
    """How fast a telephone's line is: bytes a second both ways, and milliseconds of a round trip."""

    rate: int
    round_trip: int

    def take(self, page: Page) -> None:
        """From now on the page has this line."""
        speaking = page.context.new_cdp_session(page)
        conditions = {"offline": False, "latency": self.round_trip}
        conditions |= {"downloadThroughput": self.rate, "uploadThroughput": self.rate}
        speaking.send("Network.enable")
        speaking.send("Network.emulateNetworkConditions", conditions)


SLOW_LINE = Line(15_000, 600)


@contextmanager
def shown(browser: Browser, url: str, line: Line | None = None, **options: Any) -> Iterator[Shown]:
    """`url` on a telephone of its own, with nothing remembered; `options`: of the browser's context."""
    usual: dict[str, Any] = {"viewport": PHONE, "locale": "zh-CN", "timezone_id": "Asia/Shanghai"}
    context = browser.new_context(**usual | {"has_touch": True} | options)
    try:
        found = _watched(context)
        if line:
            line.take(found.page)
        found.page.goto(url)
        yield found
    finally:
        context.close()


@contextmanager
def open_page(
    playwright: Playwright, url: str, camera: Path | None = None, **options: Any
) -> Iterator[Shown]:
    """`url` in a browser of its own. `camera`: a y4m clip that is held before it; without one a green pattern."""
    browser = launched(playwright, camera)
    try:
        with shown(browser, url, **options) as found:
            yield found
    finally:
        browser.close()


def _watched(context: BrowserContext) -> Shown:
    context.set_default_timeout(_STEP)
    context.add_init_script(_NOISE)
    found = Shown(context.new_page())
    context.on("request", lambda asked: found.hosts.add(urlsplit(asked.url).netloc))
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.on("console", lambda said: found.complaints.extend([said.text] * (said.type in _COMPLAINS)))
    return found
