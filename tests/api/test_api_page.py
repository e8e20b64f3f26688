"""docs/API.md says what the API does, and its examples work."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import httpx

from duanka.api import BASE, RequestLimits
from duanka.api.schemas.errors import CODES
from duanka.api.schemas.holder_requests import MOST_BYTES
from duanka.domain.identity import LEAST_FRAMES, MOST_FRAMES, UPLOAD
from duanka.domain.order import Role
from duanka.domain.person import WITH_KEYS
from duanka.ledger.db.database import Store
from duanka.orders.dispatch.notice_texts import TEMPLATES
from support.api.asking import on_sqlite_alone
from support.api.desks import desk_on, served
from support.doors import commands
from support.waiting import HANG
from test_access import WHO

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "API.md").read_text(encoding="utf-8")
HOW_TO_WRITE = "docs/API.md lags behind the code; write it anew with: make pages"
EXAMPLES = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@on_sqlite_alone
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


def generated() -> str:
    """Who may do what through which door, as Markdown: endpoints, and commands of the same permissions."""
    heads = " | ".join(role.value for role in WITH_KEYS)
    asked = sorted(((f"{m} {p}", who) for (m, p), who in WHO.items() if "/holder/" not in p), key=_by_path)
    lines = [f"| endpoint | {heads} |", "|---|" + "---|" * len(WITH_KEYS)]
    lines += [_row(what, roles) for what, roles in asked]
    lines += ["", f"| command | {heads} |", "|---|" + "---|" * len(WITH_KEYS)]
    for what, permission in commands().items():
        lines.append(_row(f"duanka {what}", permission.roles))
    return "\n".join(lines)


def _by_path(row: tuple[str, frozenset[Role]]) -> tuple[str, str]:
    method, _, path = row[0].partition(" ")
    return path, method


def _row(what: str, roles: frozenset[Role]) -> str:
    return f"| `{what}` | " + " | ".join("✓" if role in roles else "" for role in WITH_KEYS) + " |"


def _written(page: str) -> str:
    mark = r"(<!-- from src/duanka/domain/authority.py; [^\n]*-->\n\n).*?(?=\n<!-- end -->)"
    page, found = re.subn(mark, lambda m: m[1] + generated() + "\n", page, flags=re.DOTALL)
    assert found == 1, "docs/API.md: no place for who may do what"
    return page


def test_the_table_of_roles_is_true() -> None:
    assert _written(PAGE) == PAGE, HOW_TO_WRITE


def test_a_permission_that_is_missing_in_the_page_is_seen() -> None:
    without = PAGE.replace("| `POST /cards/police-stop` |  |  |  | ✓ |\n", "")
    assert len(without) < len(PAGE)
    assert _written(without) == PAGE


def test_every_code_of_an_error_is_explained() -> None:
    stated = dict(re.findall(r"^\| (\d{3}) \| `([A-Z_]+)` \|", PAGE, re.MULTILINE))
    given = {**CODES, 408: "TIMEOUT"}  # of a request that does not arrive: answered before it is one
    assert stated == {str(status): code for status, code in given.items()}


def test_the_limits_are_those_of_the_page() -> None:
    limits = RequestLimits()
    for said in (
        f"{limits.per_key:g} requests a minute and key or session, {limits.per_key_burst} at once",
        f"{limits.sign_in:g} tries a minute and address to sign in, {limits.sign_in_burst} at once",
        f"of which {limits.sign_in_at_once} are looked at at the same time",
        f"{limits.failed:g} failed keys",
        f"{limits.holder:g} requests a minute of one holder",
        f"{limits.polling:g} looks a minute",
        f"{limits.pictures:g} pictures a minute",
        f"{UPLOAD.total_seconds() / 60:g} minutes\n     after the challenge",
        f"{limits.frames >> 20} MiB together",
        f"{LEAST_FRAMES} to {MOST_FRAMES} JPEGs",
        f"{MOST_BYTES:,} bytes each".replace(",", " "),
    ):
        assert said in PAGE
    assert limits.body == 1 << 20


def test_every_template_is_on_the_page_of_notices() -> None:
    page = (DOCS / "NOTICES.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(TEMPLATES)


if __name__ == "__main__":
    (DOCS / "API.md").write_text(_written(PAGE), encoding="utf-8")
