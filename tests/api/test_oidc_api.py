"""Signing in by an OpenID Connect provider: only an answer to this browser's question, about somebody who is bound."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from duanka.api import BASE
from duanka.api.http.dependencies import OIDC_CALLBACK
from duanka.domain.identity_provider import Leaving
from duanka.domain.order import NeedsSecondPerson, OrderError, Person, Role
from duanka.domain.sign_in import CredentialKind
from duanka.ledger.audit.trail import Fault
from duanka.ledger.db.database import Store
from duanka.ledger.people.credentials import bound_account
from duanka.ledger.people.requests import PersonProposal
from duanka.network.sign_in import oidc
from duanka.network.sign_in.oidc import OidcClient, OidcProvider
from support.api.asking import Calling
from support.api.desks import TestDesk, callers, desk_on
from support.identity_provider import CLIENT, SECRET, Provider, provider, query_of, with_query
from support.people import FIRST, SECOND

SESSION, FLOW = "duanka_session", "duanka_sign_in"
PAGE = {"accept": "text/html,*/*"}


class Ours:
    """Our side of the provider, made anew for each test, as it keeps what a provider said."""

    made: OidcProvider

    @property
    def issuer(self) -> str:
        return self.made.issuer

    def address(self, leaving: Leaving) -> str:
        return self.made.address(leaving)

    def subject(self, code: str, leaving: Leaving, now: datetime) -> str:
        return self.made.subject(code, leaving, now)


@dataclass
class World:
    """A desk, its API, the provider, and a browser."""

    desk: TestDesk
    calling: Calling
    ours: Ours
    theirs: Provider

    def __post_init__(self) -> None:
        self.browser = self.calling(None).client

    def client(self, secret: str = SECRET, claim: str = "sub") -> None:
        """Make our side anew."""
        back = f"https://duanka.test{BASE}{OIDC_CALLBACK}"
        self.ours.made = OidcProvider(OidcClient(self.theirs.issuer, CLIENT, back, secret, claim=claim))

    def leave(self, **headers: str) -> httpx.Response:
        return self.browser.get(f"{BASE}/session/oidc", headers=headers)

    def at_provider(self, left: httpx.Response) -> dict[str, str]:
        """What the provider sends the browser back with."""
        sent = self.browser.get(left.headers["location"])
        assert sent.headers["location"].startswith(f"https://duanka.test{BASE}{OIDC_CALLBACK}?")
        return query_of(sent.headers["location"])

    def come_back(self, query: dict[str, str], **headers: str) -> httpx.Response:
        return self.browser.get(with_query(BASE + OIDC_CALLBACK, query), headers=headers)

    def sign_in(self, **headers: str) -> httpx.Response:
        return self.come_back(self.at_provider(self.leave()), **headers)

    def who(self) -> str:
        answer = self.browser.get(f"{BASE}/session")
        return str(answer.json()["person"]["id"]) if answer.is_success else ""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestDesk, Calling, Ours]]:
    """A desk whose clerk is bound to a subject, and its API."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('oidc')}/orders.sqlite")
    desk, ours = desk_on(store), Ours()
    with callers(desk.api(provider=ours)) as calling:
        yield desk, calling, ours
    store.close()


@pytest.fixture
def world(served: tuple[TestDesk, Calling, Ours]) -> Iterator[World]:
    """The same on another day, with a provider of its own."""
    desk, calling, ours = served
    desk.clock.now += timedelta(days=2)
    with provider(desk.clock) as theirs:
        theirs.subject = f"s-{theirs.issuer[-5:]}"
        bind(desk, theirs, "the.desk", theirs.subject)
        made = World(desk, calling, ours, theirs)
        made.client()
        yield made


def bind(desk: TestDesk, theirs: Provider, person: str, subject: str) -> None:
    account = bound_account(theirs.issuer, subject)
    who = Person(person, Role.DESK)
    asked, half = desk.people.persons.propose(PersonProposal.SUBJECT, who, FIRST, desk.clock.now, account)
    assert half is None
    desk.people.persons.approve(asked.id, SECOND, "seen with the document", desk.clock.now)


def test_whom_the_provider_names_and_two_people_bound_is_signed_in(world: World) -> None:
    left = world.leave()
    asked = query_of(left.headers["location"])
    assert left.status_code == 303
    assert (asked["response_type"], asked["client_id"], asked["scope"]) == ("code", CLIENT, "openid")
    assert (asked["code_challenge_method"], len(asked["code_challenge"])) == ("S256", 43)
    cookie = SimpleCookie(left.headers["set-cookie"])[FLOW]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "lax", f"{BASE}/session/oidc")
    for secret in (asked["state"], asked["nonce"]):
        assert secret not in cookie.value
    answer = world.come_back(world.at_provider(left))
    assert (answer.status_code, answer.headers["location"]) == (303, "/console#signed-in")
    made = next(one for one in answer.headers.get_list("set-cookie") if one.startswith(SESSION))
    assert "SameSite=strict" in made
    assert FLOW not in world.browser.cookies
    assert world.who() == "the.desk"
    assert not [found for found in world.desk.trail.verify(world.desk.store) if isinstance(found, Fault)]


def test_a_clients_secret_goes_as_the_provider_wants_it(world: World) -> None:
    world.theirs.basic = False
    assert world.sign_in().status_code == 303


# --- answers to another question ---


def test_an_answer_in_another_browser_signs_nobody_in(world: World) -> None:
    query = world.at_provider(world.leave())
    victim = world.calling(None).client
    assert victim.get(with_query(BASE + OIDC_CALLBACK, query)).status_code == 403
    victim.get(f"{BASE}/session/oidc")  # it has a question of its own
    assert victim.get(with_query(BASE + OIDC_CALLBACK, query)).status_code == 403
    assert SESSION not in victim.cookies


def test_an_answer_is_used_once(world: World) -> None:
    left = world.leave()
    cookie, query = world.browser.cookies[FLOW], world.at_provider(left)
    assert world.come_back(query).status_code == 303
    assert world.come_back(query).status_code == 403, "the browser has forgotten"
    world.browser.cookies.clear()
    world.browser.cookies.set(FLOW, cookie, path=f"{BASE}/session/oidc")
    assert world.come_back(query).status_code == 403, "the provider has, if it is one"
    world.theirs.codes[query["code"]] = query_of(left.headers["location"])
    world.browser.cookies.set(FLOW, cookie, path=f"{BASE}/session/oidc")
    again = world.come_back(query)
    assert again.status_code == 403, "and so do we"
    assert "used before" in again.json()["message"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"state": "A" * 43}, "asked nothing"),
        ({"state": ""}, "asked nothing"),
        ({"state": "é"}, "asked nothing"),
        ({"code": ""}, "no code"),
        ({"code": "guessed"}, "no more"),
        ({"error": "access_denied"}, "access_denied"),
        ({"iss": "https://evil.example"}, "another provider"),
    ],
    ids=str,
)
def test_what_no_answer_of_the_provider_says_is_refused(
    world: World, changed: dict[str, str], said: str
) -> None:
    query = world.at_provider(world.leave()) | changed
    answer = world.come_back(query)
    assert (answer.status_code, world.who()) == (403, "")
    assert said in answer.json()["message"]


def test_who_comes_back_too_late_or_with_another_time_leaves_again(world: World) -> None:
    query = world.at_provider(world.leave())
    world.desk.clock.now += timedelta(minutes=11)
    assert world.come_back(query).status_code == 403
    query = world.at_provider(world.leave())
    begun, _, secret = world.browser.cookies[FLOW].partition(".")
    world.browser.cookies.clear()
    world.browser.cookies.set(FLOW, f"{int(begun) + 60}.{secret}", path=f"{BASE}/session/oidc")
    assert world.come_back(query).status_code == 403


# --- tokens ---


def _signed_by_nobody(made: str) -> str:
    header, body, _ = made.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    assert header
    return f"{none}.{body}."


def _signed_with_the_secret(made: str) -> str:
    claims = json.loads(base64.urlsafe_b64decode(made.split(".")[1] + "=="))
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET), algorithms=["HS256"])


def _by_a_stranger(made: str) -> str:
    claims = json.loads(base64.urlsafe_b64decode(made.split(".")[1] + "=="))
    stranger = ECKey.generate_key("P-256", {"kid": "one"})
    return jwt.encode({"alg": "ES256", "kid": "one"}, claims, stranger, algorithms=["ES256"])


def _bent(made: str) -> str:
    header, body, signature = made.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["sub"] = "the.supervisor"
    bent = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"{header}.{bent}.{signature}"


@pytest.mark.parametrize(
    "token",
    [_signed_by_nobody, _signed_with_the_secret, _by_a_stranger, _bent, lambda made: "x", lambda made: ""],
)
def test_a_token_that_the_provider_did_not_sign_is_none(world: World, token: Any) -> None:
    world.theirs.token = token
    answer = world.sign_in()
    assert (answer.status_code, world.who()) == (403, "")
    world.theirs.token = lambda made: made
    assert world.sign_in().status_code == 303


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "somebody.else"},
        {"aud": "somebody.else", "azp": CLIENT},
        {"aud": ["somebody.else", CLIENT]},
        {"aud": ["somebody.else", "another"], "azp": CLIENT},
        {"aud": [CLIENT, "somebody.else"], "azp": "somebody.else"},
        {"aud": None},
        {"aud": 1},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": None},
        {"iat": None},
        {"iat": "now"},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    ],
    ids=str,
)
def test_a_token_for_others_or_about_nobody_signs_nobody_in(world: World, claims: dict[str, Any]) -> None:
    world.theirs.claims = claims
    assert (world.sign_in().status_code, world.who()) == (403, "")


@pytest.mark.parametrize(
    ("claim", "seconds", "status"),
    [
        ("exp", -59, 303),
        ("exp", -61, 403),
        ("nbf", 59, 303),
        ("nbf", 61, 403),
        ("iat", -650, 303),
        ("iat", -670, 403),
    ],
)
def test_clocks_may_differ_by_a_minute(world: World, claim: str, seconds: int, status: int) -> None:
    world.theirs.claims = {claim: int(world.desk.clock.now.timestamp()) + seconds}
    assert world.sign_in().status_code == status


def test_a_key_that_is_new_since_is_looked_for_once_a_minute(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.sign_in().status_code == 303
    world.theirs.keys = [RSAKey.generate_key(2048, {"kid": "two"})]
    world.theirs.algorithm = "RS256"
    assert world.sign_in().status_code == 403, "looked a moment ago"
    monkeypatch.setattr(oidc, "AGAIN_SECONDS", 0.0)
    assert world.sign_in().status_code == 303
    assert world.theirs.asked.count("/keys") == 2


# --- a provider that does not do what it should ---


def test_a_provider_that_is_down_is_told_with_what_to_do(world: World) -> None:
    world.theirs.status, world.theirs.body = 500, b"<html>down</html>"
    answer = world.leave()
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
    assert "no JSON" in answer.json()["message"]
    page = world.leave(**PAGE)
    assert page.status_code == 503
    assert "用口令登录" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    world.theirs.status, world.theirs.body = 200, None
    assert world.sign_in().status_code == 303, "and works again by itself"


def test_nobody_listens_where_the_provider_was(world: World) -> None:
    world.theirs.issuer = "http://127.0.0.1:9"
    world.client()
    answer = world.leave()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "password" in answer.json()["message"]


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"authorization_endpoint": "http://evil.example/authorize"},
        {"token_endpoint": "file:///etc/passwd"},
        {"token_endpoint": None},
        {"jwks_uri": "https://user:word@evil.example/keys"},
        {"jwks_uri": "http://[broken"},
    ],
    ids=str,
)
def test_a_provider_that_names_what_it_should_not_is_not_followed(
    world: World, discovery: dict[str, Any]
) -> None:
    world.theirs.discovery = discovery
    assert world.leave().status_code == 503


@pytest.mark.parametrize("body", [b"", b"[]", b"{" * 5000, b'{"a": "' + b"x" * 300_000 + b'"}', b"\xff"])
def test_an_answer_that_is_none_is_bounded_and_refused(world: World, body: bytes) -> None:
    left = world.leave()
    query = world.at_provider(left)
    world.theirs.body = body
    answer = world.come_back(query)
    assert answer.status_code == 503
    assert ("more than" if len(body) > 2**18 else "no JSON") in answer.json()["message"]
    assert SESSION not in world.browser.cookies


def test_a_client_that_the_provider_does_not_know_is_told_to_whoever_sets_it_up(world: World) -> None:
    world.client(secret="a wrong one")  # noqa: S106  # of a test
    answer = world.sign_in()
    assert answer.status_code == 503
    assert "DUANKA_OIDC_CLIENT_SECRET" in answer.json()["message"]
    assert "a wrong one" not in answer.text


# --- people ---


def test_whom_nobody_bound_is_not_created(world: World) -> None:
    world.theirs.subject = "<b>stranger</b>"
    people = len(world.desk.people.persons.list(FIRST))
    answer = world.sign_in()
    assert answer.status_code == 403
    assert "bind-oidc" in answer.json()["message"]
    page = world.sign_in(**PAGE)
    assert page.status_code == 403
    assert "&lt;b&gt;stranger" in page.text
    assert "<b>" not in page.text
    assert len(world.desk.people.persons.list(FIRST)) == people


def test_a_subject_of_another_issuer_is_somebody_else(world: World) -> None:
    bind(world.desk, Provider(world.desk.clock, "https://other.example"), "the.supervisor", "s-alike")
    world.theirs.subject = "s-alike"
    assert (world.sign_in().status_code, world.who()) == (403, "")


def test_a_subject_is_bound_by_two_people_to_one_person(world: World) -> None:
    desk, theirs, now = world.desk, world.theirs, world.desk.clock.now
    taken = bound_account(theirs.issuer, theirs.subject)
    other = Person("the.supervisor", Role.SUPERVISOR)
    with pytest.raises(OrderError, match="somebody else"):
        desk.people.persons.propose(PersonProposal.SUBJECT, other, FIRST, now, taken)
    mine = bound_account(theirs.issuer, "s-of-the-boss")
    asked, _ = desk.people.persons.propose(PersonProposal.SUBJECT, other, FIRST, now, mine)
    with pytest.raises(NeedsSecondPerson):
        desk.people.persons.approve(asked.id, FIRST, "me too", now)
    theirs.subject = "s-of-the-boss"
    assert world.sign_in().status_code == 403, "nobody approved"
    desk.people.persons.reject(asked.id, SECOND, "not them", now)
    assert world.sign_in().status_code == 403
    for bad in ("", " ", "a\nb", "x" * 256):
        with pytest.raises(OrderError, match="visible letters"):
            bound_account(theirs.issuer, bad)


def test_who_is_bound_no_more_or_disabled_is_out_at_once(world: World) -> None:
    desk, now = world.desk, world.desk.clock.now
    world.sign_in()
    assert world.who() == "the.desk"
    desk.sign_in.credentials.remove("the.desk", CredentialKind.SUBJECT, FIRST, "left", now)
    assert world.who() == ""
    assert world.sign_in().status_code == 403
    desk.people.add(f"gone.{world.theirs.subject}", Role.DESK)
    bind(desk, world.theirs, f"gone.{world.theirs.subject}", "s-gone")
    desk.people.persons.disable(f"gone.{world.theirs.subject}", FIRST, "left", now)
    world.theirs.subject = "s-gone"
    assert world.sign_in().status_code == 403


def test_another_claim_may_name_people(world: World) -> None:
    world.client(claim="staff_no")
    answer = world.sign_in()
    assert answer.status_code == 403
    assert "DUANKA_OIDC_CLAIM" in answer.json()["message"]
    world.theirs.claims = {"staff_no": world.theirs.subject, "sub": "whatever"}
    assert world.sign_in().status_code == 303


def test_where_there_is_no_provider_a_page_is_told_so(world: World) -> None:
    assert world.browser.get(f"{BASE}/session/ways").json() == {"password": True, "oidc": True}
    with callers(world.desk.api()) as calling:
        nobody = calling(None)
        assert nobody.get("/session/ways").json() == {"password": True, "oidc": False}
        assert nobody.get("/session/oidc").status_code == 404
        assert nobody.get(OIDC_CALLBACK, code="x", state="y").status_code == 404


def test_nothing_secret_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    left = world.leave()
    query = world.at_provider(left)
    cookie = world.browser.cookies[FLOW]
    world.theirs.claims = {"aud": "somebody.else"}
    world.come_back(query)
    said = "\n".join(
        one.getMessage() for one in caplog.records if not one.name.startswith(("http", "uvicorn"))
    )
    for secret in (SECRET, cookie, query["code"], query["state"]):
        assert secret not in said
