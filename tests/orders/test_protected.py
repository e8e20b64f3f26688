"""Numbers that no order touches, however they are written; and never a person's by accident."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from duanka.domain.network import NetworkState
from duanka.domain.order import ProtectedCard, State
from duanka.domain.order_decision import RequestedAction
from duanka.domain.order_policy import DeadlineStage, OrderPolicy
from duanka.domain.phone_number import PROTECTED_LINES, parse
from duanka.ledger.db.database import Store
from support.orders.books import NOW, POLICE, book_on, card, delivered, demand, receive, restriction

POLICY = OrderPolicy(protected=("95588", "+86 10 12345678", "8613900000000", "021-62345678"))
BEFORE = ("", "86", "+86", "0086", "+86 ", "+86-", "(+86)", "＋８６", "+86 (0)", "86 0", "0", "86 86", "00")
AREAS = ("10", "21", "025", "0755", "311", "(010)", "0871-")
BETWEEN = st.sampled_from(["", " ", "-", "\u00a0", ".", "\u200b"])


def _spaced(number: str, between: list[str]) -> str:
    return "".join(digit + gap for digit, gap in zip(number, between, strict=True))


@pytest.mark.parametrize("line", PROTECTED_LINES)
@pytest.mark.parametrize("before", BEFORE)
def test_an_emergency_line_is_protected_with_every_prefix(line: str, before: str) -> None:
    assert OrderPolicy().protects(before + line)


@given(
    line=st.sampled_from([*PROTECTED_LINES, "95588"]),
    country=st.sampled_from(["86", "+86", "0086", "+86 "]),
    area=st.sampled_from(AREAS),
    data=st.data(),
)
def test_and_behind_every_area_code(line: str, country: str, area: str, data: st.DataObject) -> None:
    gaps = data.draw(st.lists(BETWEEN, min_size=len(line), max_size=len(line)))
    assert POLICY.protects(country + area + _spaced(line, gaps))
    local = area if area.strip("(").startswith("0") else f"0{area}"
    assert POLICY.protects(local + _spaced(line, gaps))


MOBILE = st.from_regex(r"1[3-689][0-9]{9}|17[0-8][0-9]{8}", fullmatch=True)


@given(mobile=MOBILE, before=st.sampled_from(BEFORE), tail=st.sampled_from([*PROTECTED_LINES, "95588", ""]))
@example(mobile="19512345110", before="86", tail="")
def test_a_mobile_number_is_never_protected_by_accident(mobile: str, before: str, tail: str) -> None:
    if tail:  # looks like it as much as it can
        mobile = mobile[: 11 - len(tail)] + tail
    assert POLICY.protects(before + mobile) is (mobile == "13900000000")


@given(
    st.from_regex(r"[1-9][0-9]{9,14}", fullmatch=True).filter(lambda n: not n.startswith("86") and parse(n))
)
def test_no_number_abroad_is_protected_by_accident(number: str) -> None:
    assert not OrderPolicy().protects(number)
    assert not OrderPolicy().protects(f"+{number}")


@pytest.mark.parametrize(
    ("number", "is_it"),
    [
        ("8613900000000", True),
        ("13900000000", True),
        ("861012345678", True),
        ("010-12345678", True),
        ("862162345678", True),
        ("862112345678", False),
        ("8611012345678", False),
        ("86110123", False),
        ("+50012110", False),  # a line on the Falkland Islands
        ("1101", False),
        ("11", False),
        ("", False),
        ("86", False),
        ("110x", False),
        ("一一〇", False),
        ("opaque-110", False),
    ],
)
def test_whole_numbers_are_compared(number: str, is_it: bool) -> None:
    assert POLICY.protects(number) is is_it


def test_a_line_of_one_city_protects_none_of_another() -> None:
    policy = OrderPolicy(protected=("62345678",))
    assert policy.protects("62345678")
    assert not policy.protects("010-62345678")
    assert not policy.protects("+86 21 6234 5678")


def test_no_demand_touches_a_protected_card(store: Store) -> None:
    book = book_on(store, OrderPolicy(protected=(card(1)[2:],)))
    received = receive(book, [demand(0), demand(1), demand(1, RequestedAction.STOP, cases=("case",))], NOW)
    assert (received.opened, received.protected, received.stopped) == (1, 2, 0)
    with pytest.raises(ProtectedCard):
        book.police_stop(card(1), "case", POLICE, "confirmed", NOW)
    assert restriction(book, 1) is None


def test_a_card_that_is_protected_after_it_was_asked_is_not_stopped(store: Store) -> None:
    book = book_on(store)
    delivered(book, 0)
    delivered(book, 1)
    later = book_on(store, OrderPolicy(protected=(card(0),)))
    assert later.sweep(NOW + timedelta(hours=24)) == 2
    assert restriction(book, 0) is None
    assert restriction(book, 1) is not None


def test_a_card_that_is_protected_between_two_stages_holds_up_no_other(store: Store) -> None:
    stages = (DeadlineStage(24, NetworkState.OUTGOING_BARRED), DeadlineStage(72, NetworkState.SUSPENDED))
    book = book_on(store, OrderPolicy(stages=stages))
    for number in (0, 1):
        delivered(book, number)
    assert book.sweep(NOW + timedelta(hours=24)) == 2
    later = book_on(store, OrderPolicy(stages=stages, protected=(card(0),)))
    assert later.sweep(NOW + timedelta(hours=72)) == 2
    assert later.sweep(NOW + timedelta(hours=73)) == 0, "a person must look; the clock asks once"
    states = [found.state for n in (0, 1) if (found := restriction(book, n))]
    assert states == [State.OUTGOING_BARRED, State.SUSPENDED]
