"""Signing in by the API: the cookie, what other sites cannot do with it, and what nobody learns from an answer."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import pytest

from duanka.api import BASE, RequestLimits
from duanka.domain.order import Role
from duanka.domain.person import Person, Scope
from duanka.ledger.audit.trail import Fault
from duanka.ledger.db.database import Store
from duanka.ledger.people.requests import PersonProposal
from support.api.asking import Calling
from support.api.desks import HOUR, NOW, PLENTY, TestDesk, callers, demand, desk_on, phone
from support.orders.books import receive
from support.people import FIRST, PASSWORD, SECOND
from support.waiting import until

COOKIE, OTHER, MINUTE = "duanka_session", "Another-8-horse-battery", timedelta(minutes=1)

_days = itertools.count()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestDesk, Calling]]:
    """A desk whose clerk and supervisor have passwords, and its API."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('session')}/orders.sqlite")
    desk = desk_on(store)
    for role in (Role.DESK, Role.SUPERVISOR):
        desk.people.password(f"the.{role}")
    with callers(desk.api()) as calling:
        yield desk, calling
    store.close()


@pytest.fixture
def desk(world: tuple[TestDesk, Calling]) -> TestDesk:
    """The desk on a day of its own, on which nobody has signed in or failed to."""
    world[0].clock.now = NOW + timedelta(days=2 * next(_days))
    return world[0]


@pytest.fixture
def calling(world: tuple[TestDesk, Calling]) -> Calling:
    return world[1]


def clerk(desk: TestDesk, name: str) -> str:
    """Another clerk with a password."""
    desk.people.add(name, Role.DESK)
    desk.people.password(name)
    return name


class Browser:
    """Somebody's browser: keeps the cookie by itself, and the CSRF token as our pages do."""

    def __init__(self, calling: Calling, desk: TestDesk) -> None:
        self.client, self.desk, self.csrf = calling(None).client, desk, ""

    def sign_in(self, login: str = "the.desk", password: str = PASSWORD, **headers: str) -> httpx.Response:
        body = {"login": login, "password": password}
        answer = self.client.post(f"{BASE}/session", json=body, headers=headers)
        if answer.is_success:
            self.csrf = answer.json()["csrfToken"]
        return answer

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(BASE + path, headers=headers)

    def post(self, path: str, body: Any = None, csrf: str | None = None, **headers: str) -> httpx.Response:
        headers = {"x-csrf-token": self.csrf if csrf is None else csrf, **headers}
        return self.client.post(BASE + path, json=body or {}, headers=headers)

    def sign_out(self) -> httpx.Response:
        return self.client.delete(f"{BASE}/session", headers={"x-csrf-token": self.csrf})

    def keep(self, token: str) -> None:
        """Have this cookie and no other."""
        self.client.cookies.clear()
        self.client.cookies.set(COOKIE, token, path=BASE)

    @property
    def token(self) -> str:
        return self.client.cookies[COOKIE]


@pytest.fixture
def browser(calling: Calling, desk: TestDesk) -> Browser:
    return Browser(calling, desk)


@contextmanager
def browsers(desk: TestDesk, limits: RequestLimits) -> Iterator[Callable[[], Browser]]:
    """Browsers at an API with other limits."""
    with callers(desk.api(limits)) as calling:
        yield lambda: Browser(calling, desk)


def test_who_signs_in_acts_as_by_their_key(desk: TestDesk, browser: Browser, calling: Calling) -> None:
    receive(desk.orders, [demand(0)], NOW)
    answer = browser.sign_in()
    assert answer.status_code == 201
    person = answer.json()["person"]
    assert (person["id"], person["role"]) == ("the.desk", "desk")
    by_key = calling(desk.given[Role.DESK])
    for path in ("/orders", "/alarms", "/cases"):
        mine = browser.get(path)
        assert (mine.status_code, mine.json()) == (200, by_key.get(path).json()), path
    assert browser.get("/audit/verification").status_code == 403, "the role of a clerk"
    found = browser.post("/order-searches", {"phoneNumber": phone()}).json()["items"]
    assert [one["kind"] for one in found] == ["verification"]
    shown = browser.get("/session").json()
    assert shown == answer.json()
    longest = datetime.fromisoformat(shown["endsAt"]) - datetime.fromisoformat(shown["begunAt"])
    assert (shown["mustChange"], longest) == (False, 12 * HOUR)
    assert not [found for found in desk.trail.verify(desk.store) if isinstance(found, Fault)]


def test_the_cookie_is_for_our_api_alone(browser: Browser) -> None:
    cookie = SimpleCookie(browser.sign_in().headers["set-cookie"])[COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "strict", BASE)
    assert (cookie["secure"], cookie["domain"], cookie["max-age"]) == ("", "", ""), (
        "loopback; until it is closed"
    )
    named = browser.sign_in(host="duanka.example")
    assert SimpleCookie(named.headers["set-cookie"])[COOKIE]["secure"] is True
    for made in (browser.csrf, *browser.get("/session").json().values()):
        assert browser.token not in str(made)


# --- who is not signed in ---


@pytest.mark.parametrize(
    "cookie",
    [
        *(f"{COOKIE}={'A' * 43}", f"{COOKIE}=", f"{COOKIE}=é", f"{COOKIE}={'A' * 5000}"),
        *(f"{COOKIE}=MINE; {COOKIE}={'A' * 43}", f"{COOKIE}={'A' * 43}; {COOKIE}=MINE", f"x{COOKIE}=MINE"),
    ],
)
def test_a_cookie_that_is_none_of_ours_opens_nothing(browser: Browser, cookie: str) -> None:
    browser.sign_in()
    header = cookie.replace("MINE", browser.token).encode()
    browser.client.cookies.clear()
    for path in ("/orders", "/session"):
        answer = browser.client.get(BASE + path, headers={b"cookie": header})
        assert answer.status_code == 401, path


def test_a_cookie_from_before_signing_in_is_never_taken_over(browser: Browser, calling: Calling) -> None:
    browser.sign_in("the.supervisor")
    planted = browser.token
    victim = Browser(calling, browser.desk)
    victim.keep(planted)
    made = victim.sign_in()
    assert made.status_code == 201
    token = SimpleCookie(made.headers["set-cookie"])[COOKIE].value
    assert token != planted
    victim.keep(token)
    assert victim.get("/session").json()["person"]["id"] == "the.desk"
    assert browser.get("/session").status_code == 401, "and the planted session is over"


def test_what_was_signed_out_is_over_also_where_the_cookie_was_kept(browser: Browser) -> None:
    browser.sign_in()
    token, csrf = browser.token, browser.csrf
    answer = browser.sign_out()
    assert answer.status_code == 204
    assert COOKIE not in browser.client.cookies
    browser.keep(token)
    assert browser.get("/orders").status_code == 401
    assert browser.post("/order-searches", csrf=csrf).status_code == 401
    assert browser.sign_out().status_code == 401


def test_each_sign_in_has_an_id_of_its_own_and_ends_the_browsers_last(browser: Browser) -> None:
    browser.sign_in()
    first = browser.token
    browser.sign_in()
    assert browser.token != first
    assert browser.get("/session").status_code == 200
    browser.keep(first)
    assert browser.get("/session").status_code == 401


def test_a_wrong_key_is_not_made_good_by_a_cookie(browser: Browser) -> None:
    browser.sign_in()
    assert browser.get("/orders", authorization=f"Bearer dk_{'A' * 44}").status_code == 401


# --- from other sites ---


@pytest.mark.parametrize("csrf", ["", "A" * 43, "é", "of another session"])
def test_nothing_is_changed_without_the_token_of_the_session(
    browser: Browser, calling: Calling, csrf: str
) -> None:
    other = Browser(calling, browser.desk)
    other.sign_in("the.supervisor")
    browser.sign_in()
    given = other.csrf if "another" in csrf else csrf
    headers = {b"x-csrf-token": given.encode()} if given else {}
    for method, path in (("POST", "/order-searches"), ("DELETE", "/session"), ("POST", "/session/password")):
        answer = browser.client.request(method, BASE + path, json={}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "PERMISSION_DENIED"), path
    assert browser.get("/session").status_code == 200, "nobody was signed out by it"
    assert calling(browser.desk.given[Role.DESK]).post("/order-searches", {}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://[broken"},
        {"origin": "file://"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=str,
)
def test_another_sites_page_changes_nothing_and_signs_nobody_in(
    browser: Browser, headers: dict[str, str]
) -> None:
    assert browser.sign_in(**headers).status_code == 403
    assert browser.sign_in().status_code == 201
    assert browser.post("/order-searches", **headers).status_code == 403
    if "sec-fetch-site" in headers:
        assert browser.get("/orders", **headers).status_code == 403
    own = str(browser.client.base_url).rstrip("/")
    assert browser.post("/order-searches", origin=own, **{"sec-fetch-site": "same-origin"}).status_code == 200


def test_behind_a_proxy_with_tls_our_own_page_is_ours(browser: Browser) -> None:
    named = {"host": "duanka.example", "origin": "https://duanka.example"}
    assert browser.sign_in(**named).status_code == 201
    assert browser.sign_in(host="duanka.example:443", origin="https://DUANKA.example").status_code == 201
    assert browser.sign_in(host="duanka.example", origin="https://duanka.example:8443").status_code == 403


def test_a_form_of_another_site_signs_nobody_in(browser: Browser) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        content = json.dumps({"login": "the.desk", "password": PASSWORD})
        answer = browser.client.post(f"{BASE}/session", content=content, headers={"content-type": kind})
        assert answer.status_code == 400, kind
        assert "set-cookie" not in answer.headers


# --- guessing ---


def test_no_answer_tells_whether_there_is_such_a_login_name(desk: TestDesk) -> None:
    limits = RequestLimits(sign_in=1e6, sign_in_burst=10**6, sign_in_least=0.25)
    desk.people.persons.disable(clerk(desk, "gone"), FIRST, "left", NOW)
    told, took = set[tuple[int, str, str]](), dict[str, float]()
    with browsers(desk, limits) as another:
        browser = another()
        for name in ("the.desk", "nobody", "gone", "locked?", "the.desk", "the.desk", "the.desk"):
            began = time.monotonic()
            answer = browser.sign_in(name, OTHER)
            took[name] = time.monotonic() - began
            headers = {k: v for k, v in answer.headers.items() if k not in ("date", "x-correlator")}
            told.add((answer.status_code, answer.text, str(sorted(headers.items()))))
        refused = browser.sign_in()  # locked by now, and right
        assert (refused.status_code, refused.text) in {one[:2] for one in told}
    assert len(told) == 1
    assert next(iter(told))[0] == 401
    assert all(seconds >= 0.25 for seconds in took.values())


def test_whom_guesses_lock_out_stays_signed_in(browser: Browser, calling: Calling) -> None:
    browser.sign_in()
    guesser = Browser(calling, browser.desk)
    assert {guesser.sign_in(password=OTHER).status_code for _ in range(6)} == {401}
    assert guesser.sign_in().status_code == 401
    assert browser.get("/orders").status_code == 200
    browser.desk.clock.now += MINUTE
    assert guesser.sign_in().status_code == 201


def test_tries_are_limited_by_address_before_a_password_is_looked_at(desk: TestDesk) -> None:
    limits = RequestLimits(sign_in=6, sign_in_burst=3, sign_in_least=0.0)
    with browsers(desk, limits) as another:
        browser = another()
        names = [f"name.{number}" for number in range(3)]
        assert [browser.sign_in(name).status_code for name in names] == [401] * 3
        answer = browser.sign_in()
        assert answer.status_code == 429, "also with the right password"
        assert int(answer.headers["retry-after"]) >= 1


def test_requests_are_limited_by_session(desk: TestDesk) -> None:
    limits = RequestLimits(per_key=60, per_key_burst=5, sign_in_least=0.0)
    with browsers(desk, limits) as another:
        mine, other = another(), another()
        mine.sign_in()
        other.sign_in()
        assert [mine.get("/alarms").status_code for _ in range(7)] == [200] * 5 + [429] * 2
        assert other.get("/alarms").status_code == 200


def test_of_those_who_wait_for_their_password_to_be_hashed_some_are_told_to_try_again(desk: TestDesk) -> None:
    limits = RequestLimits(sign_in_at_once=1, sign_in_waiting=1, sign_in_least=0.0)
    told = list[int]()
    with browsers(desk, limits) as another:
        asking = [another() for _ in range(4)]
        threads = [
            threading.Thread(target=lambda one=one: told.append(one.sign_in().status_code)) for one in asking
        ]
        with desk.store.writing():  # the first one's thread waits for it
            for thread in threads:
                thread.start()
            until(lambda: len(told) == 2)
            assert told == [503, 503]
        for thread in threads:
            thread.join()
    assert told == [503, 503, 201, 201]


def test_other_requests_are_answered_while_many_sign_in(desk: TestDesk) -> None:
    limits = RequestLimits(sign_in_least=1.0)
    with browsers(desk, limits) as another:
        asking = [another() for _ in range(20)]
        threads = [threading.Thread(target=one.sign_in, args=("nobody", OTHER)) for one in asking]
        for thread in threads:
            thread.start()
        answer = another().get("/alarms", authorization=f"Bearer {desk.given[Role.DESK]}")
        waiting = sum(thread.is_alive() for thread in threads)
        for thread in threads:
            thread.join()
    assert answer.status_code == 200
    assert waiting == len(threads), "all were still waiting"


# --- time, passwords, people ---


def test_who_does_nothing_is_signed_off_whatever_the_page_asks_by_itself(browser: Browser) -> None:
    browser.sign_in()
    for _ in range(14):
        browser.desk.clock.now += MINUTE
        assert browser.get("/session").status_code == 200
        assert browser.get("/orders", **{"x-background": "true"}).status_code == 200
    browser.desk.clock.now += MINUTE
    assert browser.get("/orders").status_code == 401


def test_a_request_keeps_signed_in_until_the_longest_time(browser: Browser) -> None:
    browser.sign_in()
    began = browser.desk.clock.now
    while browser.desk.clock.now < began + 12 * HOUR - 10 * MINUTE:
        browser.desk.clock.now += 10 * MINUTE
        assert browser.get("/alarms").status_code == 200
    browser.desk.clock.now += 10 * MINUTE
    assert browser.get("/alarms").status_code == 401


def test_a_generated_password_opens_nothing_but_its_change(desk: TestDesk, browser: Browser) -> None:
    new, now = Person(clerk(desk, "new"), Role.DESK), desk.clock.now
    asked, first = desk.people.persons.propose(PersonProposal.PASSWORD, new, FIRST, now)
    _, second = desk.people.persons.approve(asked.id, SECOND, "a test", now)
    made = f"{first}-{second}"
    assert browser.sign_in("new", made).json()["mustChange"] is True
    assert browser.get("/orders").status_code == 403
    assert browser.post("/order-searches").status_code == 403
    weak = browser.post("/session/password", {"present": made, "new": "aaaaaaaaaaaaaaaa"})
    assert weak.status_code == 409
    wrong = browser.post("/session/password", {"present": OTHER, "new": OTHER})
    assert wrong.status_code == 403
    before = browser.token
    changed = browser.post("/session/password", {"present": made, "new": OTHER})
    assert (changed.status_code, changed.json()["mustChange"]) == (200, False)
    assert browser.token != before
    browser.csrf = changed.json()["csrfToken"]
    assert browser.post("/order-searches").status_code == 200
    assert not [found for found in desk.trail.verify(desk.store) if isinstance(found, Fault)]


def test_disabled_and_narrowed_people_are_so_from_the_next_request_on(
    desk: TestDesk, browser: Browser
) -> None:
    receive(desk.orders, [demand(0)], NOW)
    browser.sign_in(clerk(desk, "zhao"))
    assert len(browser.get("/orders").json()["items"]) == 1
    near = Person("zhao", Role.DESK, "zhao", Scope(cities=frozenset({"130100"})))
    asked, _ = desk.people.persons.propose(PersonProposal.CHANGE, near, FIRST, NOW)
    desk.people.persons.approve(asked.id, SECOND, "a test", NOW)
    assert not browser.get("/orders").json()["items"]
    desk.people.persons.disable("zhao", FIRST, "left", NOW)
    assert browser.get("/orders").status_code == 401


def test_key_and_session_of_one_person_are_one_person(
    desk: TestDesk, browser: Browser, calling: Calling
) -> None:
    receive(desk.orders, [demand(0)], NOW)
    body = {
        "event": "suspend",
        "phoneNumbers": [phone()],
        "reason": {"zh": "团伙", "en": "a ring"},
    }
    act = calling(desk.given[Role.SUPERVISOR]).post("/acts", body)
    assert act.status_code == 201, act.text
    browser.sign_in("the.supervisor")
    answer = browser.post(f"/acts/{act.json()['id']}/approve", {"why": "me too"})
    assert (answer.status_code, answer.json()["code"]) == (403, "PERMISSION_DENIED")
    assert "second" in answer.json()["message"] or "somebody else" in answer.json()["message"]


def test_the_description_has_both_ways_of_signing_in(browser: Browser) -> None:
    described = browser.get("/openapi.json").json()
    schemes = described["components"]["securitySchemes"]
    assert schemes["sessionCookie"]["in"] == "cookie"
    operation = described["paths"][f"{BASE}/order-searches"]["post"]
    assert operation["security"] == [{"apiKey": []}, {"sessionCookie": []}]
    assert "x-csrf-token" in {one["name"] for one in operation["parameters"]}


def test_limits_by_address_are_in_force_by_default() -> None:
    limits = RequestLimits()
    assert (limits.sign_in, limits.sign_in_burst, limits.sign_in_at_once) == (30, 60, 2)
    assert limits.sign_in_least > 0.5 > PLENTY.sign_in_least


def test_nothing_secret_is_logged(browser: Browser, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level("DEBUG")
    browser.sign_in(password=OTHER)
    browser.sign_in()
    browser.client.post(f"{BASE}/session", json={"login": "x" * 70, "password": OTHER})
    browser.get("/orders")
    said = "\n".join(one.getMessage() for one in caplog.records if not one.name.startswith("http"))
    for secret in (PASSWORD, OTHER, browser.token, browser.csrf, "x" * 70):
        assert secret not in said
