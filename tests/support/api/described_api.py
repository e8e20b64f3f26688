"""A served API that schemathesis asks what its description allows, with all its checks on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import GenerationMode
from schemathesis.schemas import BaseSchema

from duanka.api import BASE, api_description
from duanka.api.http.session_cookie import csrf_token
from duanka.domain.order import SYSTEM, Kind
from duanka.domain.order_policy import OrderPolicy
from duanka.ledger.db.database import Store
from support.api.desks import NOW, TestDesk, card, demand, desk_on, phone, served
from support.api.recordings import digests, recording
from support.orders.books import receive
from support.people import PASSWORD

_SETTINGS = settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)


_IN_SESSION = (
    *("/holder/challenge", "/holder/check", "/holder/check/pictures", "/holder/check/recording"),
    "/holder/line",
)


@dataclass
class Asked:
    """A served API, with orders in many states to ask about; takes turns in who asks and about what."""

    desk: TestDesk
    address: str
    keys: Iterator[str]
    cards: Iterator[int] = field(default_factory=lambda: itertools.cycle(range(12)))

    holders: Iterator[int] = field(
        default_factory=lambda: itertools.count(100)
    )  # cards that nobody else stops

    def real(self, case: Any) -> None:
        """Every other valid question is about something that is there, so that more than 404 is seen."""
        if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
            return
        number = next(self.cards)
        case.body = _with_numbers(case.body, number + number % 2 * 1000)
        if number % 2:
            return
        if "orderId" in (case.path_parameters or {}):
            of = {"objections": Kind.OBJECTION, "disavowals": Kind.DISAVOWAL}
            kind = of.get(case.path.split("/{")[0].rsplit("/", 1)[-1], Kind.VERIFICATION)
            if order := self.desk.reading.last(card(number), kind):
                case.path_parameters["orderId"] = order.id
        if "actId" in (case.path_parameters or {}):
            acts = self.desk.reading.bulk_actions(SYSTEM).items
            case.path_parameters["actId"] = acts[number % len(acts)].id if acts else "A000"

    def browser(self, case: Any) -> dict[str, Any]:
        """The cookie and token of somebody who signed in for this question; every other password is right."""
        if case.meta is not None and case.meta.generation.mode is not GenerationMode.POSITIVE:
            return {}
        self.desk.people.password(
            "the.desk", now=self.desk.clock.now
        )  # which the question before may have changed
        self.desk.clock.now += timedelta(minutes=15)  # nobody is locked
        session = self.desk.sign_in.passwords.begin("the.desk", PASSWORD, "", self.desk.clock.now)
        if isinstance(case.body, dict) and next(self.cards) % 2:
            given = {"login": "the.desk", "password": PASSWORD, "present": PASSWORD}
            case.body = case.body | {name: given[name] for name in case.body if name in given}
        if case.method == "POST" and not case.path.endswith("/password"):
            return {}
        headers = {"x-csrf-token": csrf_token(session.token)}
        return {"headers": headers, "cookies": {"duanka_session": session.token}}

    def holder(self, case: Any) -> str:
        """A holder of their own for each question, as far as the session that it takes."""
        number = next(self.holders)
        if not case.path.endswith(_IN_SESSION):
            return self.desk.asked(number)[1]
        token = self.desk.sits(number)
        positive = case.meta is None or case.meta.generation.mode is GenerationMode.POSITIVE
        if positive and case.method == "POST" and case.path.endswith("/check") and number % 2:
            drawn = self.desk.way.verification.challenge(token, self.desk.clock.now)
            case.body = recording(drawn.id)
            self.desk.clock.now += timedelta(seconds=4)  # as long as that takes
        if positive and case.path.endswith("/recording") and number % 2:
            drawn = self.desk.way.verification.challenge(token, self.desk.clock.now)
            case.body = digests(recording(drawn.id))
            self.desk.clock.now += timedelta(seconds=4)
        return token


def _with_numbers(body: Any, first: int) -> Any:
    """The body with a telephone number wherever one is asked for: what may be one, no pattern of a description says."""
    if isinstance(body, list):
        return [_with_numbers(inner, first + at) for at, inner in enumerate(body)]
    if not isinstance(body, dict):
        return body
    return {key: _named(key, inner, first) for key, inner in body.items()}


def _named(key: str, inner: Any, first: int) -> Any:
    if key == "without" and isinstance(inner, list):  # a number, or a line of the bulk action
        return [one if one.startswith("#") else phone(first + at) for at, one in enumerate(inner)]
    return _numbers(inner, first) if key.startswith("phoneNumber") else _with_numbers(inner, first)


def _numbers(asked: Any, first: int) -> Any:
    if isinstance(asked, list):
        return [phone(first + at) for at in range(len(asked))]
    return phone(first) if isinstance(asked, str) else asked


def asked_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('openapi')}/orders.sqlite")
    desk = desk_on(store)
    desk.people.password("the.desk")
    receive(desk.orders, [demand(number) for number in range(12)], NOW)
    for number in range(0, 12, 2):
        desk.orders.object(card(number), "我没有", desk.keys.who(next(iter(desk.given.values()))), NOW)  # type: ignore[arg-type]
    with served(desk.api()) as address:
        yield Asked(desk, address, itertools.cycle(desk.given.values()))
    store.close()


def described(*, boundaries: bool, invented: bool = True) -> BaseSchema:
    """The description, to be asked with values on both sides of each of its limits, with invented ones, or both."""
    schema = schemathesis.openapi.from_dict(api_description(OrderPolicy()))
    schema.config.phases.coverage.enabled = boundaries
    schema.config.phases.fuzzing.enabled = invented
    return schema.exclude(path=f"{BASE}/changes")  # a stream lasts: tests/api/test_change_stream.py


def asking(asked: Asked, **options: Any) -> Callable[[Any], None]:
    """One question with one of the keys, and all checks of its answer; `options`: of hypothesis."""

    @settings(_SETTINGS, **options)
    def ask(case: Any) -> None:
        asked.real(case)
        if "/session" in case.path and "/holder/" not in case.path:
            case.call_and_validate(base_url=asked.address, **asked.browser(case))
            return
        key = asked.holder(case) if "/holder/" in case.path else next(asked.keys)
        case.call_and_validate(base_url=asked.address, headers={"Authorization": f"Bearer {key}"})

    return ask
