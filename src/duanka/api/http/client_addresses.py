"""Client addresses: rate-limit keys, and trusted proxies."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from duanka.domain.errors import DuankaError

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
UNKNOWN = "unknown"  # all clients without a valid address share this key


def client_key(host: str) -> str:
    """Return the rate-limit key of `host`: its IPv4 address, or its IPv6 /64 network."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


class TrustedProxies:
    """Proxies whose X-Forwarded-For is trusted.

    `text`: comma-separated addresses and networks; "" for none.
    """

    def __init__(self, text: str = "") -> None:
        """Parse `text`; DuankaError for an item that is neither address nor network."""
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
        """Return whether this is the address of a trusted proxy."""
        try:
            address = ipaddress.ip_address(str(host).partition("%")[0])
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return any((mapped or address) in network for network in self._networks)
