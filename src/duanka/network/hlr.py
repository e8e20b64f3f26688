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
from collections.abc import Iterator
from pathlib import Path

from duanka.domain.masking import masked_card
from duanka.domain.network import NetworkError, NetworkState, Refused, UnknownCard
from duanka.domain.phone_number import identity
from duanka.network.ctrl import Ctrl
from duanka.network.numbers import CARD, checked
from duanka.network.services_before import Services, ServicesBefore
from duanka.network.vty import Address, Vty

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
        self.restore(card)

    def suspend(self, card: str) -> None:
        """Keep the card out of circuit- and packet-switched service, and detach it where it is."""
        until = self._until()
        stored, access = self._access(card, until)
        if access not in (_IN, _OUT):
            self._before.keep(card, access)
        self._change(card, stored, _OUT, access, until)

    def restore(self, card: str) -> None:
        """Let the card into what it had; one that is let into something is left as the operator has it."""
        until = self._until()
        stored, access = self._access(card, until)
        before = self._before.of(card)
        if access == _OUT or before not in (None, access):
            self._change(card, stored, before or _IN, before or _IN, until)
        if before or self._before.of(card):
            self._before.forget(card)

    def _change(self, card: str, stored: str, access: Services, before: Services, until: float) -> None:
        """Change what the card is let into. Where that is done by half, the half is not what it had."""
        try:
            self._allow(stored, access, until)
        except NetworkError:
            if before != _OUT:
                with contextlib.suppress(NetworkError):
                    self._before.keep(card, before)
            raise

    def state_of(self, card: str) -> NetworkState:
        """Read back from the register's database."""
        return NetworkState.SUSPENDED if self._access(card, self._until())[1] == _OUT else NetworkState.ACTIVE

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
            raise Refused(f"{self.name} does not list its subscribers: {last.lstrip('% ') or 'no answer'}")
        for row in rows:
            if len(row) == 4 and CARD.fullmatch(row[1]):
                yield identity(row[1]), NetworkState.SUSPENDED

    def check_interfaces(self) -> None:
        """Ask both interfaces something harmless. Unreachable, Refused: one does not answer as it should."""
        until = self._until()
        self._vty.ask("show version", until)
        with contextlib.suppress(Refused):  # a register without such a card answers, too
            self._ctrl.get("subscriber.by-msisdn-0.info", until)

    def close(self) -> None:
        """End both connections."""
        self._vty.close()
        self._ctrl.close()

    def _until(self) -> float:
        return time.monotonic() + self._seconds

    def _access(self, card: str, until: float) -> tuple[str, Services]:
        """Under which number the card is stored, and whether it is let into circuit- and packet-switched service."""
        checked(card)
        for stored in (card, *([card[2:]] if card.startswith("86") and identity(card[2:]) == card else [])):
            try:
                return stored, self._services(stored, until)
            except Refused as refused:
                if not _NOBODY.search(str(refused)):
                    raise Refused(f"{self.name}: {refused}") from refused
        raise UnknownCard(f"{self.name} has no card {masked_card(card)}")

    def _services(self, stored: str, until: float) -> Services:
        said = self._ctrl.get(f"subscriber.by-msisdn-{stored}.info", until)
        facts = dict(line.split("\t", 1) for line in said.splitlines() if "\t" in line)
        if "nam_cs" not in facts or "nam_ps" not in facts:
            raise Refused(f"it answered without the access mode of {masked_card(stored)}")
        if facts.get("msisdn") != stored:
            raise Refused(f"asked for {masked_card(stored)}, it answered with another card")
        return facts["nam_cs"] != "0", facts["nam_ps"] != "0"

    def _allow(self, stored: str, access: Services, until: float) -> None:
        """Change it until it is read back changed, for as long as half of the time: a lock on the database passes."""
        command = f"subscriber msisdn {stored} update network-access-mode {_MODES[access]}"
        give_up = until - self._seconds / 2
        while True:
            said = self._vty.ask(command, until)
            complaint = next((line.lstrip("% ") for line in said if line.startswith("%")), "")
            if complaint and not _NOBODY.search(complaint):
                raise Refused(f"{self.name}: {complaint}")
            if self._services(stored, until) == access:
                return
            if time.monotonic() > give_up:
                raise Refused(
                    f"{self.name} took the change of {masked_card(stored)} and did not make it: {complaint or 'silent'}"
                )
            time.sleep(_AGAIN)
