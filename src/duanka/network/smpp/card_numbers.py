"""Phone numbers in SMPP addresses, and the emergency numbers that always pass."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from duanka.domain.phone_number import MOBILE, ProtectedNumbers, identity
from duanka.network.smpp.codec import SmppAddress

_MAX_ADDRESS_CHARS = 200  # characters: SMPP allows 65, and a URI may stand for a number
# Gives the same result as `identity` and ProtectedNumbers, without their caches.
_PLAIN = re.compile(f"(?:86)?({MOBILE})")
# A gateway's prefix before the number of a handset: such messages are treated as the handset's.
_BEHIND_GATEWAY = re.compile(f"10658({MOBILE})")


def e164(address: SmppAddress) -> str:
    """Return digits with country code, whatever `ton` says; service numbers and names unchanged."""
    if plain := _PLAIN.fullmatch(address.number):  # fast path of nearly all addresses
        return f"86{plain[1]}"
    if len(address.number) > _MAX_ADDRESS_CHARS:  # not a number, and must not fill the caches
        return address.number[:_MAX_ADDRESS_CHARS]
    number = identity(_as_text(address.number))
    if number.startswith("10658") and (found := _BEHIND_GATEWAY.fullmatch(number)):
        return f"86{found[1]}"
    return number


def _as_text(written: str) -> str:
    """Decode address bytes that are UTF-8, so that full-width digits count as digits."""
    if written.isascii():
        return written
    try:
        return written.encode("latin-1").decode()
    except UnicodeError:
        return written


def is_service(number: str) -> bool:
    """Return whether a sender is a short code or a name, whose rate is set by contract (10086, 1069...)."""
    return len(number) <= 8 or number.startswith("10") or not (number.isascii() and number.isdigit())


class EmergencyNumbers:
    """Built-in emergency numbers and `more`; `in` takes a number as written."""

    def __init__(self, more: tuple[str, ...] = ()) -> None:
        protected = ProtectedNumbers(more)
        self._subscribers = protected.subscribers
        self._form = lru_cache(maxsize=8192)(protected.__contains__)

    def others(self, destinations: Iterable[SmppAddress]) -> list[str]:
        """Return the E.164 form of the destinations that are not emergency numbers."""
        found = []
        for one in destinations:
            if plain := _PLAIN.fullmatch(one.number):  # fast path of nearly all addresses
                number = f"86{plain[1]}"
                if number not in self._subscribers:
                    found.append(number)
            elif one.number not in self:
                found.append(e164(one))
        return found

    def __contains__(self, written: str) -> bool:
        return len(written) <= _MAX_ADDRESS_CHARS and self._form(_as_text(written))
