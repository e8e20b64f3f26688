"""The home register (归属位置寄存器): OsmoHLR, through its terminal, read back through its control interface.

A change by the terminal also takes the card out of the switches that it is attached to; the control interface alone
would only write the database. The register lets a card in or keeps it out: it cannot bar one direction. A card that
is barred outgoing stays attached here, and the call and message proxies do the barring.

Neither interface is taken at its word. The terminal says nothing when it did what it was asked, and nothing either
when its database was locked; it calls a card unknown whenever it could not read it. So every change is read back,
and a card is unknown only when the control interface says so too.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from duanka.domain.network import ElementRefused, NetworkError, NetworkState, UnknownCard
from duanka.domain.phone_masking import masked_card
from duanka.domain.phone_number import identity
from duanka.network.card_text import CARD, checked
from duanka.network.hlr.ctrl import Ctrl
from duanka.network.hlr.services_before import Services, ServicesBefore
from duanka.network.hlr.vty import Address, Vty

_NOBODY = re.compile(r"no (such )?subscriber", re.IGNORECASE)
_NONE_SO = "% No matching subscriber"
_SHOWN = re.compile(r"\s*Subscribers Shown: ([0-9]+)")
_AGAIN = 0.05  # seconds between tries while the register's database is locked
_IN, _OUT = (True, True), (False, False)  # circuit-switched, packet-switched
_MODES = {_IN: "cs+ps", _OUT: "none", (True, False): "cs", (False, True): "ps"}


class HomeRegister:
    """An Element on one OsmoHLR. `vty`, `ctrl`: where its two interfaces listen; `seconds`: the most a call takes.

    `restricted` may take longer, as long as the list keeps coming: it pauses no longer than `seconds`. A card is found
    under its number with and without the country. `services`: the file that keeps what cards had that were in one
    service only; None: known as long as this value lives.
    """

    def __init__(
        self,
        vty: Address,
        ctrl: Address,
        *,
        name: str = "home_register",
        seconds: float = 4.0,
        services: Path | None = None,
    ) -> None:
        self.name = name
        self._seconds = seconds
        self._before = ServicesBefore(services)
        self._vty, self._ctrl = Vty(vty), Ctrl(ctrl)

    def bar_outgoing(self, card: str) -> None:
        """Leave the card attached, or let it in again: the register cannot bar one direction."""
        self.put({card: NetworkState.OUTGOING_BARRED})

    def suspend(self, card: str) -> None:
        """Keep the card out of circuit- and packet-switched service, and detach it where it is."""
        self.put({card: NetworkState.SUSPENDED})

    def restore(self, card: str) -> None:
        """Let the card into what it had; one that is let into something is left as the operator has it."""
        self.put({card: NetworkState.ACTIVE})

    def put(self, cards: Mapping[str, NetworkState]) -> None:
        """Many changes, each step of all of them asked at once; where one fails, any may be made."""
        until = self._until()
        held, kept = self._access(list(cards), until), self._before.among(cards)
        changes, before = dict[str, Services](), dict[str, Services]()
        for card, state in cards.items():
            stored, access = held[card]
            if state is NetworkState.SUSPENDED:
                if access not in (_IN, _OUT):
                    self._before.keep(card, access)
                changes[stored], before[card] = _OUT, access
            elif access == _OUT or kept.get(card) not in (None, access):
                changes[stored] = before[card] = kept.get(card) or _IN
        self._change(changes, before, until)
        for card in kept:
            if cards[card] is not NetworkState.SUSPENDED:
                self._before.forget(card)

    def _change(self, changes: Mapping[str, Services], before: Mapping[str, Services], until: float) -> None:
        """Change what stored numbers are let into. What is done by half is not what their cards had `before`."""
        try:
            self._allow(changes, until)
        except NetworkError:
            for card, access in before.items():
                if access != _OUT:
                    with contextlib.suppress(NetworkError):
                        self._before.keep(card, access)
            raise

    def state_of(self, card: str) -> NetworkState:
        """Read back from the register's database."""
        _, access = self._access([card], self._until())[card]
        return NetworkState.SUSPENDED if access == _OUT else NetworkState.ACTIVE

    def shows(self, state: NetworkState) -> NetworkState:
        """A card that is barred outgoing looks active here."""
        return NetworkState.SUSPENDED if state is NetworkState.SUSPENDED else NetworkState.ACTIVE

    def restricted(self) -> Iterator[tuple[str, NetworkState]]:
        """Cards that are kept out of both services; those without one of them alone are the operator's."""
        lines = self._vty.ask("show subscribers cs off", self._until(), silence=self._seconds)
        rows = [
            line.split() for line in lines if line[:1].isdigit()
        ]  # id, MSISDN, IMSI, IMEI, and what it may use
        last = lines[-1] if lines else ""
        shown = _SHOWN.fullmatch(last)
        if last.startswith(_NONE_SO):
            return
        if not shown or int(shown[1]) != len(rows):  # half a list would look like cards that were let in
            raise ElementRefused(
                f"{self.name} does not list its subscribers: {last.lstrip('% ') or 'no answer'}"
            )
        for row in rows:
            if len(row) == 4 and CARD.fullmatch(row[1]):
                yield identity(row[1]), NetworkState.SUSPENDED

    def check_interfaces(self) -> None:
        """Ask both interfaces something harmless. Unreachable, Refused: one does not answer as it should."""
        until = self._until()
        self._vty.ask("show version", until)
        with contextlib.suppress(ElementRefused):  # a register without such a card answers, too
            self._ctrl.get("subscriber.by-msisdn-0.info", until)

    def close(self) -> None:
        """End both connections."""
        self._vty.close()
        self._ctrl.close()

    def _until(self) -> float:
        return time.monotonic() + self._seconds

    def _access(self, cards: Sequence[str], until: float) -> dict[str, tuple[str, Services]]:
        """Under which number each card is stored, and whether it is let into circuit- and packet-switched service."""
        found = dict[str, tuple[str, Services]]()
        for card in cards:
            checked(card)
        for stored in ({card: card for card in cards}, {card: card[2:] for card in cards if _at_home(card)}):
            asked = {card: number for card, number in stored.items() if card not in found}
            for card, access in zip(asked, self._services(list(asked.values()), until), strict=True):
                if not isinstance(access, ElementRefused):
                    found[card] = asked[card], access
                elif not _NOBODY.search(str(access)):
                    raise ElementRefused(f"{self.name}: {access}") from access
        for card in cards:
            if card not in found:
                raise UnknownCard(f"{self.name} has no card {masked_card(card)}")
        return found

    def _services(self, stored: Sequence[str], until: float) -> list[Services | ElementRefused]:
        """What these stored numbers are let into, in their order; Refused in place of one that it does not know."""
        variables = [f"subscriber.by-msisdn-{number}.info" for number in stored]
        said = self._ctrl.get_all(variables, until) if stored else []
        return [
            one if isinstance(one, ElementRefused) else _services_in(one, number)
            for number, one in zip(stored, said, strict=True)
        ]

    def _allow(self, changes: Mapping[str, Services], until: float) -> None:
        """Change them until all are read back changed, for half of the time: a lock on the database passes."""
        give_up = until - self._seconds / 2
        while changes:
            commands = [
                f"subscriber msisdn {stored} update network-access-mode {_MODES[access]}"
                for stored, access in changes.items()
            ]
            complaints = dict(zip(changes, map(_complaint, self._vty.ask_all(commands, until)), strict=True))
            for complaint in complaints.values():
                if complaint and not _NOBODY.search(complaint):
                    raise ElementRefused(f"{self.name}: {complaint}")
            now = self._services(list(changes), until)
            for read in now:
                if isinstance(read, ElementRefused):
                    raise read
            changes = {
                stored: access
                for (stored, access), read in zip(changes.items(), now, strict=True)
                if read != access
            }
            if changes and time.monotonic() > give_up:
                stored = next(iter(changes))
                raise ElementRefused(
                    f"{self.name} took the change of {masked_card(stored)} and did not make it:"
                    f" {complaints[stored] or 'silent'}"
                )
            if changes:
                time.sleep(_AGAIN)


def _at_home(card: str) -> bool:
    """Whether the register may have the card under its number without the country."""
    return card.startswith("86") and identity(card[2:]) == card


def _services_in(said: str, stored: str) -> Services | ElementRefused:
    """What the control interface says of a number; Refused where it does not say it, or of another one."""
    facts = dict(line.split("\t", 1) for line in said.splitlines() if "\t" in line)
    if "nam_cs" not in facts or "nam_ps" not in facts:
        return ElementRefused(f"it answered without the access mode of {masked_card(stored)}")
    if facts.get("msisdn") != stored:
        return ElementRefused(f"asked for {masked_card(stored)}, it answered with another card")
    return facts["nam_cs"] != "0", facts["nam_ps"] != "0"


def _complaint(said: Sequence[str]) -> str:
    return next((line.lstrip("% ") for line in said if line.startswith("%")), "")
