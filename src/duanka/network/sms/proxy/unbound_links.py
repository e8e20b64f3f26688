"""Connections that have not bound yet, limited by displacing the oldest."""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import Generic, TypeVar

L = TypeVar("L")


class UnboundLinks(Generic[L]):
    """At most `most` links in all and `most_of_address` per address (IPv6: per /64).

    Over the limit, a new link displaces the oldest one of the address with the most links, so that a flood of
    connections displaces itself: an honest client binds in milliseconds.
    """

    def __init__(self, most: int, most_of_address: int) -> None:
        self._most, self._most_of_address = most, most_of_address
        self._links: dict[L, str] = {}  # oldest first
        self._of_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._links)

    def __contains__(self, link: L) -> bool:
        return link in self._links

    def add(self, link: L, host: str) -> L | None:
        """Add a link; return the one that it displaces, if any."""
        address = _network_of(host)
        self._links[link] = address
        self._of_address[address] += 1
        if self._of_address[address] > self._most_of_address:
            crowded = address
        elif len(self._links) > self._most:
            crowded = max(self._of_address, key=self._of_address.__getitem__)
        else:
            return None
        oldest = next(one for one, of in self._links.items() if of == crowded)
        self.discard(oldest)
        return oldest

    def discard(self, link: L) -> None:
        """Remove a link that bound or closed."""
        if (address := self._links.pop(link, None)) is not None:
            self._of_address[address] -= 1
            if not self._of_address[address]:
                del self._of_address[address]


def _network_of(host: str) -> str:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
