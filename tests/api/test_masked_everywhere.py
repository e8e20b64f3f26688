"""No answer of any route tells a number in full to somebody who did not ask for it in full, or may not."""

from __future__ import annotations

import itertools
import json
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from duanka.api import BASE
from duanka.api.app import create_api
from duanka.domain.order import Event, Grounds, Kind, Person, Role
from duanka.domain.text import BilingualText
from duanka.ledger.db import tables
from support.api.asking import one_store, own_calling, own_desk, own_people
from support.api.desks import ELEMENTS, NOW, WHY, Caller, TestDesk, demand
from support.orders.books import receive

store = pytest.fixture(one_store)
desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)
people = pytest.fixture(own_people)

CARD = "8613800138000"
SECRETS = ("13800138000", "13900139000")
WRITTEN = (
    "13900139000 is 139 0013 9000, 139-0013-9000, (139)0013.9000, １３９００１３９０００, +86139/0013/9000,"
    " 一三九〇〇一三九〇〇〇; the card is 8613800138000, +86 138 0013 8000, 138－0013－8000"
)
WORDS = BilingualText(WRITTEN, WRITTEN)
CLERK = Person("the clerk", Role.DESK)


def _planted(desk: TestDesk) -> tuple[list[str], str]:
    """Orders of every kind and an act, with numbers in every text that anybody can write; their ids."""
    ids = list[str]()
    for number in (CARD, "8613900139000"):
        one = demand(0)
        receive(desk.orders, [type(one)(number, one.asked, "high", WORDS, one.rules)], NOW)
        order = desk.orders.transaction(lambda unit, n=number: unit.open_order(n, Kind.VERIFICATION), NOW)  # type: ignore[misc]
        assert order
        desk.orders.apply(order.id, Event.TO_COUNTER, CLERK, WRITTEN, NOW)
        ids.append(order.id)
        ids.append(desk.orders.object(number, WRITTEN, CLERK, NOW).id)
    police = desk.orders.police_stop(CARD, WRITTEN[:60], Person("officer", Role.POLICE), WRITTEN, NOW)
    grounds = Grounds(WORDS, WORDS, WORDS)
    act = desk.bulk_actions.propose(Event.CANCEL, [f"+{CARD}"], grounds, CLERK, NOW)
    with desk.store.writing() as connection:
        for table in (tables.outbox, tables.notices):
            connection.execute(update(table).values(error=WRITTEN))
        connection.execute(update(tables.notices).values(body=WRITTEN))
        connection.execute(update(tables.act_cards).values(why=WRITTEN, outcome="skipped"))
        connection.execute(
            tables.alarms.insert().values(source="call_proxy", since=NOW, raised_at=NOW, detail=WRITTEN)
        )
        connection.execute(
            tables.refusals.insert().values(
                element=ELEMENTS[0], key="k", at=NOW, carried="call", card=CARD, peer="8613900139000",
                reason="blocked", detail=WRITTEN,
            )
        )  # fmt: skip
        connection.execute(
            tables.drifts.insert().values(
                element=ELEMENTS[0], card=CARD, wanted="active", found="suspended", found_at=NOW
            )
        )
    return [*ids, police.id], act.id


def _asked(
    desk: TestDesk, ids: list[str], act: str, turn: int, *, all_pairs: bool
) -> Iterator[tuple[str, str, Any]]:
    """Every route that is described, with each id and each body that quotes numbers, or with all pairs of both.

    `turn`: of two who act alike, each asks with every other body, unless it is all pairs.
    """
    bodies: list[Any] = [
        None,
        WHY,
        {"why": WRITTEN},
        {"phoneNumber": f"+{CARD}"},
        {"phoneNumber": f"+{CARD}", "why": WRITTEN},
        {"phoneNumber": f"+{CARD}", "text": WRITTEN},
        {"phoneNumber": f"+{CARD}", "caseNumber": WRITTEN[:60], "why": WRITTEN},
        {"phoneNumber": f"+{CARD}", "caseNumber": "1"},
        {"phoneNumber": WRITTEN, WRITTEN: WRITTEN},
        {"after": "8613800138000"},
    ]
    for path, methods in create_api(desk).openapi()["paths"].items():
        # events for billing have numbers in full, by a permission of their own
        if "/unmask" in path or "/holder/" in path or "/billing-events" in path:
            continue
        about = [*ids, act] if "{" in path else [""]
        for method in methods:
            said = [None] if method == "get" else bodies
            some = said if method == "get" else said[turn % 2 :: 2]
            pairs = itertools.product(about, said) if all_pairs else _each_once(about, some)
            for one, body in pairs:
                asked = path.replace("{orderId}", one).replace("{actId}", one)
                yield method, f"{asked}?seconds=1" if path.endswith("/changes") else asked, body
    period = "since=2020-01-01T00:00:00Z&until=2030-01-01T00:00:00Z"
    for path in ("/figures", "/figures/handled-numbers"):
        yield "get", f"{BASE}{path}?{period}", None
    yield "get", f"{BASE}/orders?limit={CARD}", None
    yield "get", f"{BASE}/orders?after={CARD}", None
    yield "get", f"{BASE}/orders?{CARD}=1", None


def _each_once(first: list[Any], second: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Pairs in which each of both comes at least once."""
    many = max(len(first), len(second))
    return itertools.islice(zip(itertools.cycle(first), itertools.cycle(second), strict=False), many)


def told_in_full(answer: httpx.Response) -> list[str]:
    """The texts of an answer in which a number can be read."""
    try:
        texts = list(_texts(answer.json()))
    except ValueError:
        texts = [answer.text]
    plain = {text: "".join(c for c in unicodedata.normalize("NFKC", text) if c.isdigit()) for text in texts}
    chinese = str.maketrans("一三九〇", "1390")
    return [
        text for text in texts
        if any(n in plain[text] or n in text.translate(chinese) for n in SECRETS)
    ]  # fmt: skip


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float):
        yield str(value)


@pytest.mark.parametrize("all_pairs", [False, pytest.param(True, marks=pytest.mark.long)])
def test_nobody_reads_a_number_in_full_who_did_not_ask_for_it(
    desk: TestDesk, people: Mapping[Role, Caller], all_pairs: bool
) -> None:
    ids, act = _planted(desk)
    seen: dict[int, int] = {}
    assert [*people][:2] == [Role.DESK, Role.SUPERVISOR], "who may act on orders take turns"
    for turn, (role, caller) in enumerate(people.items()):
        for method, path, body in _asked(desk, ids, act, turn, all_pairs=all_pairs):
            answer = caller.client.request(method, path, json=body)
            seen[answer.status_code] = seen.get(answer.status_code, 0) + 1
            assert not told_in_full(answer), (
                f"{role} {method} {path} {json.dumps(body)}: {answer.status_code}"
            )
            assert answer.status_code < 500
    assert {200, 403, 404, 409} <= seen.keys(), seen


def test_who_asks_for_it_in_full_and_says_why_reads_it(desk: TestDesk, people: Mapping[Role, Caller]) -> None:
    ids, _ = _planted(desk)
    why = {"why": "the holder is on the telephone"}
    for role in (Role.DESK, Role.SUPERVISOR):
        assert told_in_full(people[role].post(f"/orders/{ids[0]}/unmask", why))
        found = people[role].post("/order-searches", {"phoneNumber": f"+{CARD}", "unmask": why})
        assert found.json()["items"][0]["phoneNumber"] == f"+{CARD}"
    for role in (Role.REGULATOR, Role.POLICE):
        answer = people[role].post(f"/orders/{ids[0]}/unmask", why)
        assert answer.status_code == 403
        assert not told_in_full(answer)


def test_a_regulator_finds_no_card_by_its_number(desk: TestDesk, people: Mapping[Role, Caller]) -> None:
    _planted(desk)
    regulator = people[Role.REGULATOR]
    answers = [
        regulator.post("/order-searches", {"phoneNumber": f"+{number}"})
        for number in (CARD, "8613700137000", "8613900139000")
    ]
    assert [one.status_code for one in answers] == [403, 403, 403]
    assert len({one.text for one in answers}) == 1, "whether there is such a card is not told either"
    assert regulator.post("/order-searches", {"kind": "verification"}).json()["items"]
