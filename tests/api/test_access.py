"""Who may do what, how often, and what is never told."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from duanka.api import BASE, RequestLimits
from duanka.api.http import auth as access
from duanka.api.http.endpoints import May
from duanka.api.http.rate_limit import Buckets
from duanka.api.routes import bulk_actions as acts
from duanka.api.routes import cards, changes, disavowals, orders, records, reviews, rings, rules, takes
from duanka.api.routes import counter_checks as counters
from duanka.api.routes import holder as holders
from duanka.api.routes import statistics as figures
from duanka.api.routes.assessment import figures as headline
from duanka.api.routes.assessment import listings, runs
from duanka.api.routes.casework import accounts, cases, clues, victims
from duanka.api.routes.casework import figures as casework_figures
from duanka.api.routes.online import check as checks
from duanka.api.routes.online import pictures as sending
from duanka.api.routes.online import unlinked
from duanka.api.routes.papers import billing, copies, statements
from duanka.domain.order import Role
from duanka.domain.person import WITH_KEYS
from duanka.ledger.db.database import Store
from support.api.desks import NOW, Caller, TestDesk, callers, desk_on, phone, served
from support.people import FIRST, PASSWORD
from support.waiting import HANG

DESK, SUPERVISOR, REGULATOR, POLICE = Role.DESK, Role.SUPERVISOR, Role.REGULATOR, Role.POLICE
PERIOD = "since=2026-03-02T00:00:00Z&until=2026-03-03T00:00:00Z"
NOBODY = frozenset[Role]()
FREE = {
    ("GET", "/health"),
    ("HEAD", "/health"),
    # by number and order number: test_unlinked_hostile.py
    ("GET", "/holder/unlinked-session"),
    ("POST", "/holder/unlinked-session"),
}
# by the cookie alone, or by nothing yet: test_session_api.py, test_oidc_api.py
BY_COOKIE = {
    ("POST", "/session"),
    ("GET", "/session"),
    ("DELETE", "/session"),
    ("POST", "/session/password"),
    ("GET", "/session/ways"),
    ("GET", "/session/oidc"),
    ("GET", "/session/oidc/callback"),
}
# answered by the signature of a platform, in the body
SIGNED = {("POST", "/account-requests/{requestId}/answers")}
HOLDERS = (access.holder, access.link_of_ours, access.sitting, access.polling, access.sending)


def _who() -> Mapping[tuple[str, str], frozenset[Role]]:
    """Every described endpoint, with the roles that the table of authority lets ask it; none: by a link alone."""
    found = dict[tuple[str, str], frozenset[Role]]()
    casework = (accounts, runs, listings, casework_figures, cases, clues, victims)
    papers = (billing, copies, statements)
    of_orders = (acts, cards, changes, counters, disavowals, orders, records, reviews, rings, takes)
    staff = (headline, figures, rules, *of_orders)
    for router in (*staff, *casework, *papers, checks, holders, sending, unlinked):
        for route in router.router.routes:
            assert isinstance(route, APIRoute)
            needed = [one.call for one in route.dependant.dependencies]
            permissions = [one.permission for one in needed if isinstance(one, May)]
            by_link = any(one in HOLDERS for one in needed)
            key = (min(route.methods or {""}), route.path)
            if key in FREE | SIGNED:
                continue
            assert permissions or by_link, f"{key} has no permission: name it in @router.endpoint(...)"
            roles = [one.roles & {*WITH_KEYS} for one in permissions]
            found[key] = frozenset(WITH_KEYS).intersection(*roles) if roles else NOBODY
    return found


WHO = _who()
BODIES: Mapping[str, Any] = {
    "/order-searches": {},
    "/cards/retrieve-dossier": {"phoneNumber": phone(), "caseNumber": "1"},
    "/orders/{orderId}/retrieve-dossier": {"caseNumber": "1"},
    "/cards/retrieve-records": {"phoneNumber": phone(), "caseNumber": "1", "why": "w"},
    "/rings/retrieve": {"imei": "86012304000001", "caseNumber": "1", "why": "w"},
    "/rings/retrieve-picture": {"ring": "R00001", "caseNumber": "1", "why": "w"},
    "/rings/retrieve-file": {"outlet": "S-1", "caseNumber": "1", "why": "w", "file": "ring.csv"},
    "/rings/propose-stop": {"ring": "R00001", "caseNumber": "1", "reason": {"zh": "团伙", "en": "a ring"}},
    "/orders/preview-act": {"event": "suspend", "matching": {}},
    "/orders/propose-act": {
        "event": "suspend",
        "orderIds": ["V0123456789AB"],
        "reason": {"zh": "举报", "en": "reported"},
    },
    "/contacts/retrieve": {"phoneNumbers": [phone()], "caseNumber": "1", "why": "w"},
    "/cards/police-stop": {"phoneNumber": phone(), "caseNumber": "1", "why": "w"},
    "/cards/police-release": {"phoneNumber": phone(), "why": "w"},
    "/objections": {"phoneNumber": phone(), "text": "t"},
    "/holder/objection": {"text": "t"},
    "/orders/{orderId}/counter-check": {
        "document": "id_card",
        "counter": "c",
        "personPresent": True,
        "cardInHand": True,
        "noticeSigned": True,
        "why": "w",
    },
    "/counter-checks/{orderId}/confirm": {"login": FIRST.id, "password": PASSWORD, "why": "w"},
    "/alarms/clear": {"source": "enforce:home_register", "why": "w"},
    "/disavowals": {
        "phoneNumber": phone(),
        "document": "id_card",
        "counter": "c",
        "personPresent": True,
        "inRegister": True,
        "statementSigned": True,
        "why": "w",
    },
    "/disavowals/{orderId}/take-back": {
        "document": "id_card",
        "counter": "c",
        "personPresent": True,
        "cardInHand": True,
        "noticeSigned": True,
        "why": "w",
    },
    "/holder/session": {"faceDataAgreed": True, "legalNoticeRead": True, "wordsDigest": "0" * 64},
    "/orders/{orderId}/extend": {"hardship": "roaming", "why": "w"},
    "/demands": {
        "demands": [
            {"phoneNumber": phone(), "asked": "nothing", "tier": "low", "reason": {"zh": "无", "en": "none"}}
        ],
        "why": "w",
    },
    "/withdrawals": {"tiers": ["high"], "why": "w"},
    "/held-decisions/take": {"tiers": ["high"], "why": "w"},
    "/victims/find": {"phoneNumbers": [phone()], "policeNotice": "1", "why": "w"},
    "/victims/warn": {"phoneNumbers": [phone()], "policeNotice": "1", "why": "w"},
    "/victims/{victimId}/outcome": {"outcome": "reached", "note": "n"},
    "/victim-worklists": {"phoneNumbers": [phone()], "policeNotice": "1", "why": "w"},
    "/cases": {"phoneNumber": phone(), "ground": "police-letter:1", "why": "w"},
    "/cases/search": {"about": phone()},
    "/cases/{caseId}/assign": {"assignedTo": "the.desk", "why": "w"},
    "/cases/{caseId}/notes": {"text": "t"},
    "/cases/{caseId}/items": {"phoneNumbers": [phone()], "why": "w"},
    "/cases/{caseId}/grow": {"ring": "R00001", "why": "w"},
    "/cases/{caseId}/merge": {"into": "C000000000001", "why": "w"},
    "/cases/{caseId}/split": {"phoneNumbers": [phone()], "why": "w"},
    "/cases/{caseId}/close": {"outcome": "unfounded", "why": "w"},
    "/clues": {"caseId": "C000000000000", "recipient": "", "why": "w"},
    "/clues/{clueId}/retrieve-file": {"file": "dossier.pdf", "why": "w"},
    "/clues/{clueId}/feedback": {"refuted": [phone()], "why": "w"},
    "/clue-answers": {"content": "e30=", "signature": "AAAA", "why": "w"},
    "/clue-recipients": {"name": "n", "certificate": "c", "address": "folder:/nowhere"},
    "/account-requests": {"phoneNumber": phone(), "kind": "re_verify", "policeNotice": "1", "why": "w"},
    "/cards/statement": {"phoneNumber": phone(), "document": "id_card", "counter": "c", "why": "w"},
    "/account-requests/{requestId}/retrieve": {"policeNotice": "1", "why": "w"},
    "/account-requests/{requestId}/answer": {"state": "handled", "why": "w"},
    "/takedown-items/{itemId}/move": {"state": "agreed", "why": "w"},
    "/assessment-runs": {"period": "2026-02"},
    "/listings": {
        "runId": "Y000000000000",
        "measure": "confirmed",
        "kind": "outlet",
        "unit": "S1",
        "why": "w",
    },
    "/listings/{listingId}/evidence": {"text": "t"},
    "/listings/{listingId}/object": {"text": "t"},
    "/listings/{listingId}/decide": {"uphold": True, "why": "w"},
    "/listings/{listingId}/check": {"mended": True, "why": "w"},
    "/acts": {"event": "restore", "phoneNumbers": [phone()], "reason": {"zh": "误停", "en": "an error"}},
}


IDS = {
    "victimId": "W",
    "worklistId": "H",
    "caseId": "C",
    "clueId": "L",
    "recipientId": "E",
    "requestId": "G",
    "itemId": "I",
    "runId": "Y",
    "listingId": "Z",
}


def ask(caller: Caller, method: str, path: str) -> httpx.Response:
    letter = {"objections": "O", "disavowals": "D"}.get(path.split("/")[1], "V")
    real = path.replace("{orderId}", f"{letter}000000000000")
    for name, first in IDS.items():
        real = real.replace(f"{{{name}}}", f"{first}000000000000")
    real = real.replace("{takeId}", "T000000000000")
    real = real.replace("{figure}", "clues_sent")
    real = real.replace("{actId}", "A000000000000") + (
        "?" + PERIOD if "figures" in path and "assessment" not in path else ""
    )
    real += "?seconds=1" if path == "/changes" else ""
    real += "?measure=confirmed&by=outlet" if path.endswith("/comparison") else ""
    real += "?measure=confirmed" if path.endswith("/rows") and "assessment" in path else ""
    if method == "GET":
        return caller.client.get(BASE + real)
    return caller.post(real, BODIES.get(path))


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[TestDesk, Mapping[Role, Caller], Caller]]:
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('access')}/orders.sqlite")
    desk = desk_on(store)
    desk.people.password(FIRST.id)
    with callers(desk.api()) as calling:
        yield desk, {role: calling(key) for role, key in desk.given.items()}, calling(None)
    store.close()


World = tuple[TestDesk, Mapping[Role, Caller], Caller]


def test_every_endpoint_has_somebody_who_may(world: World) -> None:
    described = world[2].get("/openapi.json").json()["paths"]
    found = {(method.upper(), path.removeprefix(BASE)) for path, all_ in described.items() for method in all_}
    assert found == {*WHO, *FREE, *SIGNED, *BY_COOKIE} - {("HEAD", "/health")}, (
        "what a HEAD answers stands with the GET"
    )


@pytest.mark.parametrize(("method", "path"), WHO, ids=str)
def test_others_are_refused(world: World, method: str, path: str) -> None:
    _, people, nobody = world
    for role, caller in people.items():
        answer = ask(caller, method, path)
        if path.startswith("/holder"):
            assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
        elif role in WHO[method, path]:
            assert answer.status_code in (200, 201, 404, 409), (role, answer.text)
        else:
            assert (answer.status_code, answer.json()["code"]) == (403, "PERMISSION_DENIED"), role
    answer = ask(nobody, method, path)
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_key_that_was_taken_back_is_unknown(world: World) -> None:
    desk, _, nobody = world
    key = desk.people.add("once", DESK)
    mine = {"Authorization": f"Bearer {key}"}
    assert nobody.client.get(f"{BASE}/orders", headers=mine).status_code == 200
    number = next(one.id for one in desk.keys.list(FIRST) if one.person.id == "once")
    desk.keys.revoke(number, FIRST, "left", NOW)
    assert nobody.client.get(f"{BASE}/orders", headers=mine).status_code == 401


@pytest.mark.parametrize("header", ["Bearer", "Basic abc", "dk_x", "Bearer dk_" + "A" * 44, "Bearer dk_"])
def test_what_is_no_key_is_refused(world: World, header: str) -> None:
    assert world[2].client.get(f"{BASE}/orders", headers={"Authorization": header}).status_code == 401


def test_who_asks_too_often_waits(store: Store) -> None:
    desk = desk_on(store)
    with callers(desk.api(RequestLimits(per_key=60, per_key_burst=5))) as calling:
        mine, other = calling(desk.given[DESK]), calling(desk.given[REGULATOR])
        answers = [mine.get("/alarms") for _ in range(12)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert [answer.status_code for answer in answers[:5]] == [200] * 5
        assert len(refused) >= 5
        assert refused[-1].json()["code"] == "TOO_MANY_REQUESTS"
        assert int(refused[-1].headers["retry-after"]) >= 1
        assert other.get("/alarms").status_code == 200, "each key has its own"


def test_who_guesses_is_slowed_down_and_others_behind_the_same_address_are_not(store: Store) -> None:
    desk = desk_on(store)
    with callers(desk.api(RequestLimits(failed=6, failed_burst=3, holder=6, holder_burst=3))) as calling:
        nobody = calling("dk_" + "A" * 44)
        assert [nobody.get("/alarms").status_code for _ in range(5)] == [401] * 3 + [429] * 2
        assert calling(desk.given[DESK]).get("/alarms").status_code == 200
        _, token = desk.asked()
        holder = calling(token)
        assert [holder.get("/holder/order").status_code for _ in range(5)] == [200] * 3 + [429] * 2
        _, of_another = desk.asked(1)
        assert calling(of_another).get("/holder/order").status_code == 200, "behind the same address"
        assert calling("A" * 44).get("/holder/order").status_code == 429, (
            "a guess is one of the guesses before"
        )


def test_a_bucket_gives_what_it_says() -> None:
    now = [0.0]
    buckets = Buckets(60, 3, lambda: now[0], most=2)
    assert [buckets.take("a") for _ in range(5)] == [0, 0, 0, 1, 1]
    now[0] = 0.5
    assert buckets.take("a") == 1
    now[0] = 1.0
    assert [buckets.take("a"), buckets.take("a")] == [0, 1]
    now[0] = 1000.0
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 1], "never more than the bucket holds"
    buckets.take("b")
    buckets.take("c")
    assert buckets.take("a") == 0, "the oldest was forgotten"
    slow = Buckets(1, 1, lambda: now[0])
    assert [slow.take("a"), slow.take("a")] == [0, 60]


def test_no_key_number_or_text_reaches_a_log(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    desk = desk_on(store)
    _, token = desk.asked()
    with callers(desk.api()) as calling:
        works, holder = calling(desk.given[DESK]), calling(token)
        works.post("/cards/retrieve-dossier", {"phoneNumber": phone()})
        works.post("/objections", {"phoneNumber": phone(), "text": "a text of mine"})
        holder.get("/holder/order")
        with desk.store.writing() as connection:
            connection.exec_driver_sql("DROP TABLE refusals")
        failed = works.post("/cards/retrieve-dossier", {"phoneNumber": phone()})
        assert failed.status_code in (500, 503)
    assert "duanka.api" in caplog.text, "that it failed is told"
    said = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("http"))
    for secret in (desk.given[DESK], token, phone()[1:], "a text of mine"):
        assert secret not in said


def test_a_defect_is_told_with_the_correlator_and_nothing_else(store: Store) -> None:
    desk = desk_on(store)
    api = desk.api()

    @api.get(f"{BASE}/broken")
    def broken() -> None:
        raise RuntimeError("a secret of ours")

    with served(api) as address:
        answer = httpx.get(f"{address}{BASE}/broken", headers={"x-correlator": "mine-1"}, timeout=HANG)
    assert answer.status_code == 500
    assert answer.json() == {
        "status": 500,
        "code": "INTERNAL",
        "message": "a defect of ours; tell us mine-1",
    }
    assert answer.headers["x-correlator"] == "mine-1"
