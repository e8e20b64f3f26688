"""Numbers as short messages carry them, and those that nothing may hold up."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from duanka.domain.phone_number import MOBILE, ProtectedNumbers, identity
from duanka.network.smpp.codec import SmppAddress

_LONGEST = 200  # letters: SMPP allows 65, and a URI may be a number
_PLAIN = re.compile(
    f"(?:86)?({MOBILE})"
)  # as `identity` and ProtectedNumbers read it too, without their caches
# A gateway's code before the number of a handset: messages to and from it are the handset's.
_BEHIND_GATEWAY = re.compile(f"10658({MOBILE})")


def e164(address: SmppAddress) -> str:
    """Digits with country code, whatever type is claimed; service numbers and names of senders as they stand."""
    if plain := _PLAIN.fullmatch(address.number):  # nearly all
        return f"86{plain[1]}"
    if len(address.number) > _LONGEST:  # no number: and no cache keeps kilobytes of what a client invents
        return address.number[:_LONGEST]
    number = identity(_as_text(address.number))
    if number.startswith("10658") and (found := _BEHIND_GATEWAY.fullmatch(number)):
        return f"86{found[1]}"
    return number


def _as_text(written: str) -> str:
    """Bytes of an address that are UTF-8 read as such: full-width digits are digits."""
    if written.isascii():
        return written
    try:
        return written.encode("latin-1").decode()
    except UnicodeError:
        return written


def is_service(number: str) -> bool:
    """Whether a sender is a short code or a name, whose rate its contract sets: 10086, 95588, 1069..."""
    return len(number) <= 8 or number.startswith("10") or not (number.isascii() and number.isdigit())


class EmergencyNumbers:
    """Those that are always protected, and `more`; `in` asks of a number as it is written."""

    def __init__(self, more: tuple[str, ...] = ()) -> None:
        protected = ProtectedNumbers(more)
        self._subscribers = protected.subscribers
        self._form = lru_cache(maxsize=8192)(protected.__contains__)

    def others(self, destinations: Iterable[SmppAddress]) -> list[str]:
        """E.164 of the destinations that are none of them."""
        found = []
        for one in destinations:
            if plain := _PLAIN.fullmatch(one.number):  # nearly all
                number = f"86{plain[1]}"
                if number not in self._subscribers:
                    found.append(number)
            elif one.number not in self:
                found.append(e164(one))
        return found

    def __contains__(self, written: str) -> bool:
        return len(written) <= _LONGEST and self._form(_as_text(written))
