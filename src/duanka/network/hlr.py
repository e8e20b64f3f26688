"""The home register (归属位置寄存器): OsmoHLR, through its terminal, read back through its control interface.

A change by the terminal also takes the card out of the switches that it is attached to; the control interface alone
would only write the database. The register lets a card in or keeps it out: it cannot bar one direction. A card that
is barred outgoing stays attached here, and the call and message proxies do the barring.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from duanka.domain.network import NetworkState, Refused, UnknownCard
from duanka.network.ctrl import Ctrl
from duanka.network.vty import Address, Vty

_CARD = re.compile(r"[0-9]{1,15}")
_ROW = re.compile(r"\s*\d+\s+([0-9]{1,15})\s")
_NOBODY = re.compile(r"no subscriber", re.IGNORECASE)


class HomeRegister:
    """An Element on one OsmoHLR. `vty`, `ctrl`: where its two interfaces listen; `seconds`: the most a call takes."""

    def __init__(
        self, vty: Address, ctrl: Address, *, name: str = "home_register", seconds: float = 4.0
    ) -> None:
        self.name = name
        self._vty = Vty(vty, seconds=seconds / 2)
        self._ctrl = Ctrl(ctrl, seconds=seconds / 2)

    def bar_outgoing(self, card: str) -> None:
        """Leave the card attached: the register cannot bar one direction."""
        self._allow(card, access=True)

    def suspend(self, card: str) -> None:
        """Keep the card out of circuit- and packet-switched service, and detach it where it is."""
        self._allow(card, access=False)

    def restore(self, card: str) -> None:
        """Let the card in again."""
        self._allow(card, access=True)

    def state_of(self, card: str) -> NetworkState:
        """Read back from the register's database."""
        try:
            said = self._ctrl.get(f"subscriber.by-msisdn-{_checked(card)}.info")
        except Refused as refused:
            if _NOBODY.search(str(refused)) or "No such subscriber" in str(refused):
                raise UnknownCard(f"{self.name} has no card {card}") from refused
            raise
        facts = dict(line.split("\t", 1) for line in said.splitlines() if "\t" in line)
        if "nam_cs" not in facts or "nam_ps" not in facts:
            raise Refused(f"{self.name} answered without the access mode of {card}")
        kept_out = facts["nam_cs"] == "0" and facts["nam_ps"] == "0"
        return NetworkState.SUSPENDED if kept_out else NetworkState.ACTIVE

    def shows(self, state: NetworkState) -> NetworkState:
        """A card that is barred outgoing looks active here."""
        return NetworkState.SUSPENDED if state is NetworkState.SUSPENDED else NetworkState.ACTIVE

    def restricted(self) -> Iterator[tuple[str, NetworkState]]:
        """Cards that are kept out of both services; those without packet-switched service alone are the operator's."""
        out_of_ps = set(self._numbers("show subscribers ps off"))
        for card in self._numbers("show subscribers cs off"):
            if card in out_of_ps:
                yield card, NetworkState.SUSPENDED

    def close(self) -> None:
        """End both connections."""
        self._vty.close()
        self._ctrl.close()

    def _allow(self, card: str, *, access: bool) -> None:
        mode = "cs+ps" if access else "none"
        lines = self._vty.ask(f"subscriber msisdn {_checked(card)} update network-access-mode {mode}")
        complaints = [line for line in lines if line.startswith("%")]
        if any(_NOBODY.search(line) for line in complaints):
            raise UnknownCard(f"{self.name} has no card {card}")
        if complaints:
            raise Refused(f"{self.name}: {complaints[0].lstrip('% ')}")
        wanted = NetworkState.ACTIVE if access else NetworkState.SUSPENDED
        if (
            self.state_of(card) is not wanted
        ):  # silence is not proof: the terminal says nothing when it did it
            raise Refused(f"{self.name} took the change of {card} and did not make it")

    def _numbers(self, command: str) -> Iterator[str]:
        for line in self._vty.ask(command):
            if found := _ROW.match(line):
                yield found[1]


def _checked(card: str) -> str:
    """The card as it may stand in a command: digits and nothing else."""
    if not _CARD.fullmatch(card):
        raise UnknownCard(f"{card!r} is no card number")
    return card
