"""The contract of a walled garden: data of a card in lifeline reaches the operator's page and nothing else.

No part of this project is one. Who builds one puts it into GARDENS, with the hosts that it lets through.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest

from duanka.domain.network import NetworkState, UnknownCard, WalledGarden
from support.fakes import FakeElement
from support.network.suppliers import CARDS

PAGE, BANK = "verify.operator.example", "bank.example"


class InMemory(FakeElement):
    """A walled garden in memory, which shows that the contract can be kept."""

    def __init__(self, page: Collection[str]) -> None:
        super().__init__("walled_garden")
        self._page = frozenset(one.lower() for one in page)

    def reaches(self, card: str, host: str) -> bool:
        """Whether data of the card reaches `host`."""
        state = self.state_of(card)
        barred = state is NetworkState.SUSPENDED
        return not barred and (state is not NetworkState.LIFELINE or host.lower().rstrip(".") in self._page)


GARDENS: dict[str, Callable[[Collection[str]], WalledGarden]] = {"in memory": InMemory}


@pytest.mark.parametrize("make", GARDENS.values(), ids=GARDENS)
def test_in_lifeline_the_page_alone_is_reached(make: Callable[[Collection[str]], WalledGarden]) -> None:
    garden = make([PAGE])
    held, other = CARDS[:2]
    hosts = (PAGE, BANK, f"x.{PAGE}.evil.example", f"evil{PAGE}", "", "10.0.0.1")

    def reached(card: str) -> list[str]:
        return [host for host in hosts if garden.reaches(card, host)]

    assert reached(held) == list(hosts)
    garden.keep_lifeline(held)
    assert reached(held) == [PAGE]
    assert garden.reaches(held, PAGE.upper())
    assert reached(other) == list(hosts), "and no other card"
    garden.suspend(held)
    assert reached(held) == []
    garden.keep_lifeline(held)
    garden.bar_outgoing(held)
    assert reached(held) == list(hosts), "outgoing barred is about calls and messages"
    garden.restore(held)
    assert reached(held) == list(hosts)
    garden.keep_lifeline(held)
    assert dict(garden.restricted()) == {held: garden.shows(NetworkState.LIFELINE)}
    with pytest.raises(UnknownCard):
        garden.reaches("+86", PAGE)
    garden.close()
