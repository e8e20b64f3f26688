"""Home register (归属位置寄存器): OsmoHLR, changed over VTY, read back over CTRL.

A change over VTY also detaches the card from the switches that serve it; CTRL would only write the database. The
register can let a card in for calls and messages (CS), for data (PS), for both, or keep it out; it cannot bar one
direction or one number. A card that is barred outgoing therefore stays attached here, and one in lifeline stays
attached for CS alone; the call and message proxies do the rest.

A subscription of CS alone looks like a card in lifeline. ServicesBefore tells them apart: it has what a card had
before its lifeline.

Neither interface is trusted alone. VTY prints nothing on success, and also prints nothing when the database
was locked; it calls a card unknown whenever the database cannot be read. So every change is read back over
CTRL, and a card is unknown only when CTRL says so too.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence

from duanka.domain.network import (
    ElementRefused,
    NetworkError,
    NetworkState,
    Services,
    ServicesBefore,
    UnknownCard,
)
from duanka.domain.phone_masking import masked_card
from duanka.domain.phone_number import identity
from duanka.network.card_states import CARD, CardStates, checked
from duanka.network.deadline_socket import Address
from duanka.network.hlr.ctrl import Ctrl
from duanka.network.hlr.vty import Vty

SERVICES = "home-register.sqlite"  # file in the folder of the orders, of earlier versions
_UNKNOWN_SUBSCRIBER = re.compile(r"no (such )?subscriber", re.IGNORECASE)
_EMPTY_LIST = "% No matching subscriber"
_LIST_COUNT = re.compile(r"\s*Subscribers Shown: ([0-9]+)")
_RETRY_SECONDS = 0.05  # seconds between retries while the register's database is locked
_IN, _CS, _OUT = (True, True), (True, False), (False, False)  # (circuit-switched, packet-switched)
_MODES = {_IN: "cs+ps", _OUT: "none", _CS: "cs", (False, True): "ps"}


class HomeRegister(CardStates):
    """Element adapter of one OsmoHLR.

    `vty`, `ctrl`: addresses of its two interfaces. `seconds`: time limit of a method; `restricted` may take
    longer as long as the list keeps coming without a pause of more than `seconds`. A card is found under its
    number with and without the country code. `services`: stores what a card could use before its lifeline, and before
    its suspension if that was only one service.
    """

    def __init__(
        self,
        vty: Address,
        ctrl: Address,
        *,
        services: ServicesBefore,
        name: str = "home_register",
        seconds: float = 4.0,
    ) -> None:
        self.name = name
        self._seconds = seconds
        self._before = services
        self._vty, self._ctrl = Vty(vty), Ctrl(ctrl)

    def put(self, cards: Mapping[str, NetworkState]) -> None:
        """Change many cards with pipelined requests; on an error any may be changed.

        A suspension removes both services and detaches the card where it is; a lifeline leaves CS, also to a card that
        had data alone. For any other state, a card without service, or with other services than those stored, gets
        the stored ones, else both.
        """
        until = self._until()
        held, kept = self._access(list(cards), until), self._before.among(cards)
        changes, before, keep = dict[str, Services](), dict[str, Services](), dict[str, Services]()
        for card, state in cards.items():
            stored, access = held[card]
            if state is NetworkState.SUSPENDED:
                if access not in (_IN, _OUT):
                    keep[card] = access
                changes[stored], before[card] = _OUT, access
            elif state is NetworkState.LIFELINE:
                keep[card] = _IN if access == _OUT else access
                if access != _CS:
                    changes[stored], before[card] = _CS, access
            elif access == _OUT or kept.get(card) not in (None, access):
                changes[stored] = before[card] = kept.get(card) or _IN
        self._before.keep({card: services for card, services in keep.items() if card not in kept})
        self._change(changes, before, until)
        given_back = (NetworkState.ACTIVE, NetworkState.OUTGOING_BARRED)
        self._before.forget([card for card in kept if cards[card] in given_back])

    def _change(self, changes: Mapping[str, Services], before: Mapping[str, Services], until: float) -> None:
        """Apply service changes; on failure store the services that cards had `before`.

        Otherwise a half-made change would later be taken for what the card had.
        """
        try:
            self._allow(changes, until)
        except NetworkError:
            with contextlib.suppress(NetworkError):
                self._before.keep({card: access for card, access in before.items() if access != _OUT})
            raise

    def state_of(self, card: str) -> NetworkState:
        """Read the state of the card back from the register's database."""
        _, access = self._access([card], self._until())[card]
        if access == _CS and self._before.among([card]):
            return NetworkState.LIFELINE
        return NetworkState.SUSPENDED if access == _OUT else NetworkState.ACTIVE

    def shows(self, state: NetworkState) -> NetworkState:
        """A card that is barred outgoing is reported as active here."""
        return NetworkState.ACTIVE if state is NetworkState.OUTGOING_BARRED else state

    def restricted(self) -> Iterator[tuple[str, NetworkState]]:
        """List cards without any service, and those that a lifeline left with CS.

        Other cards with a single service were given it by the operator.
        """
        lines = self._vty.ask("show subscribers ps off", self._until(), silence=self._seconds)
        rows = [
            line.split() for line in lines if line[:1].isdigit()
        ]  # id, MSISDN, IMSI, IMEI, and the services it may use
        last = lines[-1] if lines else ""
        shown = _LIST_COUNT.fullmatch(last)
        if last.startswith(_EMPTY_LIST):
            return
        if not shown or int(shown[1]) != len(rows):  # a truncated list would make cards look restored
            raise ElementRefused(
                f"{self.name} does not list its subscribers: {last.lstrip('% ') or 'no answer'}"
            )
        in_lifeline = self._before.among([identity(row[1]) for row in rows if row[4:] == ["CS"]])
        for row in rows:
            if not CARD.fullmatch(row[1]):
                continue
            card = identity(row[1])
            if len(row) == 4:
                yield card, NetworkState.SUSPENDED
            elif row[4:] == ["CS"] and card in in_lifeline:
                yield card, NetworkState.LIFELINE

    def check_interfaces(self) -> None:
        """Send a harmless request to both interfaces; raise Unreachable or ElementRefused."""
        until = self._until()
        self._vty.ask("show version", until)
        with contextlib.suppress(ElementRefused):  # a register without this card answers, too
            self._ctrl.get("subscriber.by-msisdn-0.info", until)

    def close(self) -> None:
        """Close both connections."""
        self._vty.close()
        self._ctrl.close()

    def _until(self) -> float:
        return time.monotonic() + self._seconds

    def _access(self, cards: Sequence[str], until: float) -> dict[str, tuple[str, Services]]:
        """Return card -> (number it is stored under, services it may use)."""
        found = dict[str, tuple[str, Services]]()
        for card in cards:
            checked(card)
        for stored in ({card: card for card in cards}, {card: card[2:] for card in cards if _at_home(card)}):
            asked = {card: number for card, number in stored.items() if card not in found}
            for card, access in zip(asked, self._services(list(asked.values()), until), strict=True):
                if not isinstance(access, ElementRefused):
                    found[card] = asked[card], access
                elif not _UNKNOWN_SUBSCRIBER.search(str(access)):
                    raise ElementRefused(f"{self.name}: {access}") from access
        for card in cards:
            if card not in found:
                raise UnknownCard(f"{self.name} has no card {masked_card(card)}")
        return found

    def _services(self, stored: Sequence[str], until: float) -> list[Services | ElementRefused]:
        """Return the services of stored numbers in order; ElementRefused: unknown."""
        variables = [f"subscriber.by-msisdn-{number}.info" for number in stored]
        said = self._ctrl.get_all(variables, until) if stored else []
        return [
            one if isinstance(one, ElementRefused) else _services_in(one, number)
            for number, one in zip(stored, said, strict=True)
        ]

    def _allow(self, changes: Mapping[str, Services], until: float) -> None:
        """Change services and read them back until all match, for half of the time limit.

        Retries because the register's database may be locked for a moment.
        """
        give_up = until - self._seconds / 2
        while changes:
            commands = [
                f"subscriber msisdn {stored} update network-access-mode {_MODES[access]}"
                for stored, access in changes.items()
            ]
            complaints = dict(zip(changes, map(_complaint, self._vty.ask_all(commands, until)), strict=True))
            for complaint in complaints.values():
                if complaint and not _UNKNOWN_SUBSCRIBER.search(complaint):
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
                time.sleep(_RETRY_SECONDS)


def _at_home(card: str) -> bool:
    """Return whether the register may store the card without the country code."""
    return card.startswith("86") and identity(card[2:]) == card


def _services_in(said: str, stored: str) -> Services | ElementRefused:
    """Parse a CTRL reply; ElementRefused if it is incomplete or not about `stored`."""
    facts = dict(line.split("\t", 1) for line in said.splitlines() if "\t" in line)
    if "nam_cs" not in facts or "nam_ps" not in facts:
        return ElementRefused(f"it answered without the access mode of {masked_card(stored)}")
    if facts.get("msisdn") != stored:
        return ElementRefused(f"asked for {masked_card(stored)}, it answered with another card")
    return facts["nam_cs"] != "0", facts["nam_ps"] != "0"


def _complaint(said: Sequence[str]) -> str:
    return next((line.lstrip("% ") for line in said if line.startswith("%")), "")
