"""docs/API.md says what the API does, and its examples work."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import httpx

from desks import desk_on, served
from duanka.api import BASE, Limits
from duanka.api.asked_holder import MOST_BYTES
from duanka.api.problems import CODES
from duanka.domain.identity import LEAST_FRAMES, MOST_FRAMES
from duanka.domain.order import Role
from duanka.orders.notice_texts import TEMPLATES
from duanka.orders.store import Store
from test_access import WHO
from waiting import HANG

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "API.md").read_text(encoding="utf-8")
EXAMPLES = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


def test_every_example_works(store: Store) -> None:
    desk = desk_on(store)
    order, link = desk.asked()
    with served(desk.api()) as address:
        known = {
            "DUANKA": address + BASE,
            "DUANKA_API_KEY": desk.given[Role.DESK],
            "ORDER": order.id,
            "LINK": link,
            "SESSION": desk.sits(1),
        }
        holders = [line for line in EXAMPLES if "$LINK" in line]  # before the order is over
        for line in (*holders, *(line for line in EXAMPLES if line not in holders)):
            answer = _curl(re.sub(r"\$(\w+)", lambda name: known[name[1]], line))
            assert answer.is_success, (line, answer.text)
    assert len(EXAMPLES) >= 9


def _curl(line: str) -> httpx.Response:
    """What curl would do: no machine must have it for the test."""
    words = iter(shlex.split(line)[1:])
    headers, body, url = {}, None, ""
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "--json":
            body = next(words)
            headers["Content-Type"] = "application/json"
        else:
            url = word
    method = "GET" if body is None else "POST"
    return httpx.request(method, url, headers=headers, content=body and body.encode(), timeout=HANG)


def test_the_table_of_roles_is_true() -> None:
    stated = {}
    for row in re.findall(r"^\| `(GET|POST) (/\S+)` \|(.*)\|$", PAGE, re.MULTILINE):
        method, path, cells = row
        roles = (Role.DESK, Role.SUPERVISOR, Role.REGULATOR, Role.POLICE)
        marks = zip(roles, cells.split("|"), strict=True)
        stated[method, path] = frozenset(role for role, cell in marks if cell.strip())
    assert stated == {asked: roles for asked, roles in WHO.items() if "/holder/" not in asked[1]}


def test_every_code_of_an_error_is_explained() -> None:
    stated = dict(re.findall(r"^\| (\d{3}) \| `([A-Z_]+)` \|", PAGE, re.MULTILINE))
    assert stated == {str(status): code for status, code in CODES.items()}


def test_the_limits_are_those_of_the_page() -> None:
    limits = Limits()
    for said in (
        f"{limits.per_key:g} requests a minute and key, {limits.per_key_burst} at once",
        f"{limits.failed:g} failed keys",
        f"{limits.holder:g} requests a minute of one holder",
        f"{limits.polling:g} looks a minute",
        f"{limits.frames >> 20} MiB together",
        f"{LEAST_FRAMES} to {MOST_FRAMES} JPEGs",
        f"{MOST_BYTES:,} bytes each".replace(",", " "),
    ):
        assert said in PAGE
    assert limits.body == 1 << 20


def test_every_template_is_on_the_page_of_notices() -> None:
    page = (DOCS / "NOTICES.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(TEMPLATES)
