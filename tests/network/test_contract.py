"""What every element must do, whoever supplies it. Add one: a line in suppliers.py."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duanka.domain.network import Element, ManyAtOnce, NetworkState, UnknownCard, Unreachable, WholeList
from support.network.suppliers import CARDS, PROGRAMS, SUPPLIERS, Supplied
from support.parts import needed
from support.switches import missing

STATES = tuple(NetworkState)


@pytest.fixture(scope="module", params=list(SUPPLIERS))
def supplied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supplied]:
    needed(missing(*PROGRAMS[request.param]) if request.param in PROGRAMS else "")
    with SUPPLIERS[request.param](tmp_path_factory.mktemp(request.param)) as one:
        yield one


@pytest.fixture
def element(supplied: Supplied) -> Iterator[Element]:
    yield supplied.element
    for card, _ in list(supplied.element.restricted()):
        supplied.element.restore(card)


def put(element: Element, card: str, state: NetworkState) -> None:
    match state:
        case NetworkState.ACTIVE:
            element.restore(card)
        case NetworkState.OUTGOING_BARRED:
            element.bar_outgoing(card)
        case NetworkState.LIFELINE:
            element.keep_lifeline(card)
        case NetworkState.SUSPENDED:
            element.suspend(card)


@pytest.mark.parametrize(("before", "after"), list(itertools.product(STATES, STATES)))
def test_every_state_from_every_state(element: Element, before: NetworkState, after: NetworkState) -> None:
    put(element, CARDS[0], before)
    assert element.state_of(CARDS[0]) is element.shows(before)
    put(element, CARDS[0], after)
    assert element.state_of(CARDS[0]) is element.shows(after)
    put(element, CARDS[0], after)  # asking twice is asking once
    assert element.state_of(CARDS[0]) is element.shows(after)
    assert element.state_of(CARDS[1]) is NetworkState.ACTIVE, "and no other card"


def test_restricted_names_them_all(element: Element) -> None:
    for card, state in zip(CARDS, itertools.cycle(STATES)):
        put(element, card, state)
    expected = {
        card: element.shows(state)
        for card, state in zip(CARDS, itertools.cycle(STATES))
        if element.shows(state) is not NetworkState.ACTIVE
    }
    assert dict(element.restricted()) == expected


@pytest.mark.parametrize(
    "card", ["", "+8613800000000", "86138x", "1" * 16, "8613800000000\r\nenable", "*", "８６１３"]
)
def test_what_is_no_card_is_unknown_before_anything_is_sent(element: Element, card: str) -> None:
    for act in (
        element.suspend,
        element.keep_lifeline,
        element.bar_outgoing,
        element.restore,
        element.state_of,
    ):
        with pytest.raises(UnknownCard):
            act(card)


def test_a_card_that_nobody_registered(supplied: Supplied, element: Element) -> None:
    if not supplied.knows_cards:
        element.suspend("8600000000000")
        assert element.state_of("8600000000000") is NetworkState.SUSPENDED
        return
    for act in (
        element.suspend,
        element.keep_lifeline,
        element.bar_outgoing,
        element.restore,
        element.state_of,
    ):
        with pytest.raises(UnknownCard):
            act("8600000000000")


def test_killed_is_unreachable_and_loses_nothing(supplied: Supplied, element: Element) -> None:
    for card in CARDS[:20]:
        element.suspend(card)
    supplied.kill()
    try:
        with pytest.raises(Unreachable):
            element.state_of(CARDS[0])
        with pytest.raises(Unreachable):
            element.restore(CARDS[0])
    finally:
        supplied.start()
    assert element.state_of(CARDS[1]) is NetworkState.SUSPENDED, "the same value works again"
    restricted = dict(element.restricted())
    assert set(CARDS[1:20]) <= set(restricted), "what was acknowledged is there"
    element.restore(CARDS[0])
    assert element.state_of(CARDS[0]) is NetworkState.ACTIVE


def test_closing_is_harmless(element: Element) -> None:
    element.suspend(CARDS[5])
    element.close()
    element.close()
    assert element.state_of(CARDS[5]) is NetworkState.SUSPENDED


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.tuples(st.integers(0, 5), st.sampled_from(STATES)), max_size=30))
def test_any_sequence_ends_as_a_model_says(element: Element, acts: list[tuple[int, NetworkState]]) -> None:
    model = dict.fromkeys(range(6), NetworkState.ACTIVE)
    for number in model:
        element.restore(CARDS[number])
    for number, state in acts:
        put(element, CARDS[number], state)
        model[number] = state
    for number, state in model.items():
        assert element.state_of(CARDS[number]) is element.shows(state)


def test_many_at_once_are_all_told_or_it_says_so(supplied: Supplied, element: Element) -> None:
    if not isinstance(element, ManyAtOnce):
        return
    for shift in range(len(STATES)):
        wanted = {card: STATES[(number + shift) % len(STATES)] for number, card in enumerate(CARDS[:30])}
        element.put(wanted)
        assert {card: element.state_of(card) for card in wanted} == {
            card: element.shows(state) for card, state in wanted.items()
        }
    with pytest.raises(UnknownCard):
        element.put({CARDS[40]: NetworkState.SUSPENDED, "1 delete": NetworkState.SUSPENDED})
    if supplied.knows_cards:
        with pytest.raises(UnknownCard):
            element.put({CARDS[40]: NetworkState.SUSPENDED, "8600000000000": NetworkState.SUSPENDED})
    assert element.state_of(CARDS[40]) is NetworkState.ACTIVE, "where one is unknown, before any is told"
    supplied.kill()
    try:
        with pytest.raises(Unreachable):
            element.put(dict.fromkeys(CARDS[:30], NetworkState.ACTIVE))
    finally:
        supplied.start()
    element.put(dict.fromkeys(CARDS[:30], NetworkState.ACTIVE))
    assert list(element.restricted()) == []


def test_a_whole_list_replaces_all(supplied: Supplied, element: Element) -> None:
    if not hasattr(element, "replace_all"):
        return  # a home register has no lists
    for card in CARDS[:10]:
        element.suspend(card)
    whole = dict.fromkeys(CARDS[5:30], NetworkState.OUTGOING_BARRED)
    cast(WholeList, element).replace_all(whole)
    assert dict(element.restricted()) == whole
    cast(WholeList, element).replace_all({})
    assert dict(element.restricted()) == {}
