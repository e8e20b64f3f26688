"""The files of the console: all built, small, named by their content, and nothing from elsewhere."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from duanka.api.routes.pages import console
from duanka.api.routes.pages.console import FILES, PATH
from support.api.asking import one_store, own_desk
from support.api.desks import TestDesk, served
from support.parts import needed
from support.waiting import HANG

store = pytest.fixture(one_store)
desk = pytest.fixture(own_desk)
LARGEST = {
    "queue/QueuePage": 250_000,
    "today/TodayPage": 450_000,
}  # bytes by gzip, of the page with all that it loads


@pytest.fixture
def client(desk: TestDesk) -> Iterator[httpx.Client]:
    needed("" if (FILES / "index.html").exists() else "the console is not built: run `make console`")
    with served(desk.api()) as address, httpx.Client(base_url=address, timeout=HANG) as client:
        yield client


def _loaded(page: str) -> set[Path]:
    """Files that the first page and this one load, however deep."""
    found = set[Path]()
    (chunk,) = FILES.glob(f"assets/{Path(page).name}-*.js")
    waiting = [FILES / "index.html", chunk]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        text = path.read_text(encoding="utf-8")
        # what the first script may import later is another page's
        names = re.findall(r'(?:from|import)\s*"\./([^"]+)"|(?:src|href)="/console/([^"]+)"', text)
        waiting += [
            FILES / (f"assets/{near}" if near else far) for near, far in names if not far.endswith(".svg")
        ]
    styles = {path.stem.rpartition("-")[0] for path in found}
    return found | {css for css in FILES.glob("assets/*.css") if css.stem.rpartition("-")[0] in styles}


def test_every_view_is_the_first_page_with_strict_headers(client: httpx.Client) -> None:
    first = client.get(PATH)
    for view in ("/today", "/queue?tier=high", "/orders/V0123456789AB", "/nowhere/at/all"):
        answer = client.get(PATH + view)
        assert (answer.status_code, answer.text) == (200, first.text)
    rules = dict(rule.strip().split(" ", 1) for rule in first.headers["content-security-policy"].split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"
    assert first.headers["cache-control"] == "no-cache"
    assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=|javascript:", first.text), "no inline script"


def test_files_keep_for_a_year_as_their_names_are_digests(client: httpx.Client) -> None:
    scripts = re.findall(r'(?:src|href)="(/console/assets/[^"]+)"', client.get(PATH).text)
    assert scripts
    for path in scripts:
        answer = client.get(path)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-encoding"] == "gzip"
        assert re.search(r"-[\w-]{8}\.(js|css)$", path)
    orders = client.get("/card-restrictions/v1/orders")
    assert (orders.status_code, orders.headers["cache-control"]) == (401, "no-store")


@pytest.mark.parametrize("page", LARGEST)
def test_a_page_with_all_that_it_loads_is_small(client: httpx.Client, page: str) -> None:
    sizes = {path.name: len(gzip.compress(path.read_bytes())) for path in _loaded(page)}
    assert len(sizes) > 4
    assert sum(sizes.values()) <= LARGEST[page], sizes


def test_no_address_of_another_host_is_asked(client: httpx.Client) -> None:
    del client
    for path in FILES.rglob("*.*"):
        text = path.read_text(encoding="utf-8")
        asked = set(re.findall(r"https?://[\w.-]+", text)) - {"http://www.w3.org"}  # names of SVG and MathML
        named = {one for one in asked if not re.search(r"vuejs\.org|intlify|tanstack|github\.com", one)}
        assert not named, (path.name, named)


def test_who_did_not_build_it_is_told_how(
    desk: TestDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "FILES", tmp_path)
    with served(desk.api()) as address:
        answer = httpx.get(f"{address}{PATH}/queue", timeout=HANG)
    assert answer.status_code == 503
    assert "make console" in answer.text
