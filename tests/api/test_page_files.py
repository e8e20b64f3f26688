"""The files of the holder's page: small, old telephones read them, nothing from elsewhere, and safe headers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

import httpx
import pytest

from duanka.api.routes.pages.holder_page import FILES
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from support.api.asking import one_store, own_desk
from support.api.desks import TestDesk, desk_on, served
from support.waiting import HANG

store = pytest.fixture(one_store)
desk = pytest.fixture(own_desk)

SCRIPTS = ("words", "camera", "sending", "unlinked", "page")
PATHS = {
    "/v": "text/html",
    **{f"/v/{name}.js": "text/javascript" for name in SCRIPTS},
    "/v/page.css": "text/css",
    "/v/icon.svg": "image/svg+xml",
}
SCRIPT = "".join((FILES / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
STYLE = (FILES / "page.css").read_text(encoding="utf-8")
MOST = 25_000  # bytes of the whole page, as they are sent: 1.6 s on the slowest line that is meant
CONTRAST = 4.5  # WCAG 2.2, AA


@pytest.fixture
def client(desk: TestDesk) -> Iterator[httpx.Client]:
    with served(desk.api()) as address, httpx.Client(base_url=address, timeout=HANG) as client:
        yield client


def test_the_page_is_served_with_strict_headers_and_is_small(client: httpx.Client) -> None:
    size = 0
    for path, kind in PATHS.items():
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].partition(";")[0] == kind
        rules = dict(
            rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";")
        )
        assert rules == {
            "default-src": "'none'",
            **dict.fromkeys(("script-src", "style-src", "connect-src", "img-src"), "'self'"),
            "media-src": "blob: 'self'",
            **dict.fromkeys(("frame-ancestors", "base-uri", "form-action"), "'none'"),
        }
        assert answer.headers["permissions-policy"].startswith("camera=(self)")
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "Accept-Encoding")
        size += 0 if path == "/v/unlinked.js" else answer.num_bytes_downloaded  # loaded without a link alone
        plain = client.get(path, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == answer.content
    assert size <= MOST
    assert not any(
        path == "/v" or "page" in path
        for path in client.get("/card-restrictions/v1/openapi.json").json()["paths"]
    )


def test_what_a_telephone_adds_to_a_link_does_no_harm(client: httpx.Client) -> None:
    assert client.get("/v?from=singlemessage&isappinstalled=0").status_code == 200
    refused = client.post("/v")
    assert (refused.status_code, refused.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert "GET" in refused.headers["allow"]


def test_without_scripts_the_page_names_counter_and_hotline(store: Store) -> None:
    policy = replace(
        OrderPolicy(),
        operator=BilingualText('甲"<b>电信', "A&B"),
        hotline="10000",
        counter=BilingualText("甲厅", "hall A"),
    )
    with served(desk_on(store, policy).api()) as address:
        text = httpx.get(f"{address}/v", timeout=HANG).text
    said = re.search(r"<noscript>(.*)</noscript>", text, re.DOTALL)
    assert said
    for words in ("甲厅", "hall A", "tel:10000", policy.papers.zh, "不会索要银行卡号"):
        assert words in said[1]
    assert "甲&quot;&lt;b&gt;电信" in text
    assert "{{" not in text


def test_nothing_comes_from_elsewhere_and_no_text_becomes_markup() -> None:
    for name in ("index.html", *(f"{name}.js" for name in SCRIPTS), "page.css"):
        text = (FILES / name).read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", text), name
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|\.style\s*=", SCRIPT
    )
    assert "style=" not in (FILES / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "newer",
    [
        *(r"\?\.[a-zA-Z_(\[]", r"\?\?", r"\.\.\.", r"catch\s*\{", r"\.flat\(", r"replaceAll", r"\.finally\("),
        *(r"\.fromEntries", r"\.matchAll", r"for await", r"\(\?<", r"\bimport\b", r"\d_\d", r"\*\*="),
    ],
)
def test_old_telephones_read_the_script(newer: str) -> None:
    """ES2017: what came later is not in it."""
    assert not re.search(newer, SCRIPT)


def test_every_word_stands_in_both_languages() -> None:
    unlinked = (FILES / "unlinked.js").read_text(encoding="utf-8").partition("Object.assign(W, {")[2]
    table = SCRIPT[SCRIPT.index("const W = {") : SCRIPT.index("\n};\n")] + unlinked.partition("\n});\n")[0]
    rows = re.findall(r'(\w+): \["((?:[^"\\]|\\.)*)", "((?:[^"\\]|\\.)*)"\]', table)
    assert len(rows) == table.count("[")
    names = [name for name, _, _ in rows]
    assert len(set(names)) == len(names)
    for name, chinese, english in rows:
        assert chinese.strip(), name
        assert english.strip(), name
        assert set(re.findall(r"\{\d\}", chinese)) == set(re.findall(r"\{\d\}", english)), name
        if name != "language":
            assert not re.search(r"[\u4e00-\u9fff]", english), name
    used = set(re.findall(r'\b(?:t|say)\("(\w+)"', SCRIPT))
    assert used <= set(names)


def _colours(block: str) -> Mapping[str, str]:
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block))
    return {
        name: value if len(value) == 7 else "#" + "".join(c * 2 for c in value[1:])
        for name, value in found.items()
    }


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(scheme: str) -> None:
    light, dark = STYLE.split("@media (prefers-color-scheme: dark)")[:2]
    colours = _colours(light if scheme == "light" else dark[: dark.index("\n}\n")])
    pairs = [
        ("ink", "card"),
        ("ink", "back"),
        ("soft", "card"),
        ("main", "card"),
        ("on", "main"),
        ("on", "other"),
    ]
    pairs += [(name, f"{name}-back") for name in ("warn", "good", "bad")]
    for text, ground in pairs:
        assert _contrast(colours[text], colours[ground]) >= CONTRAST, (text, ground)
    assert _contrast("#ffffff", colours["head"]) >= CONTRAST
    assert _contrast(colours["focus"], colours["card"]) >= 3, "what has the focus is seen"


def test_text_and_what_holds_it_grow_with_the_size_that_the_browser_is_set_to() -> None:
    fixed = re.findall(r"[a-z-]+: [^;{}]*\b(?:\d{2,}|[7-9])(?:\.\d+)?px[^;{}]*", STYLE)
    assert fixed == [], "only lines are fixed"
    assert not re.search(r"font(?:-size)?: [^;]*px", STYLE)


def test_who_types_the_address_alone_comes_to_the_page(client: httpx.Client) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (308, "v"), "relative: a proxy may add a path"
    assert client.get("/", follow_redirects=True).headers["content-type"].startswith("text/html")
