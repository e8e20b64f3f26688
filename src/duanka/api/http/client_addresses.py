"""Addresses of clients: whom a limit counts as one, and which proxies may say for whom they ask."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from duanka.domain.errors import DuankaError

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
UNKNOWN = "unknown"  # what is no address counts as one client


def client_key(host: str) -> str:
    """Whom a limit by address is about: an IPv4 address, however it is written, or of IPv6 the /64 of one person."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


class TrustedProxies:
    """The proxies whose X-Forwarded-For is believed. `text`: addresses and networks, with commas; empty: none is."""

    def __init__(self, text: str = "") -> None:
        """DuankaError: something in `text` is neither an address nor a network."""
        self.named: Sequence[str] = [one.strip() for one in text.split(",") if one.strip()]
        try:
            self._networks: Sequence[_Network] = [
                ipaddress.ip_network(one, strict=False) for one in self.named
            ]
        except ValueError as error:
            raise DuankaError(
                f"DUANKA_TRUSTED_PROXIES: {error}; write it like 127.0.0.1,10.0.0.0/8"
            ) from None

    def __contains__(self, host: object) -> bool:
        """Whether this is the address of one of them."""
        try:
            address = ipaddress.ip_address(str(host).partition("%")[0])
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return any((mapped or address) in network for network in self._networks)
