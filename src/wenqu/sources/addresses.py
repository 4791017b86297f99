"""Which addresses wenqu may be sent to by a URL that somebody typed, or a page linked to.

A URL may name the machine itself, its cloud's metadata service, or a printer behind the firewall.
So each name is resolved here, each of its addresses is looked at, and the connection goes to the
address that was looked at: a name that changes its meaning in between gains nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from wenqu.errors import SourceError

__all__ = ["is_public", "resolve"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# IPv4 addresses inside IPv6 ones, that a gateway would unpack. Source: RFC 6052 §2.1.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Say whether an IP address is one of the public internet."""
    ip: Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


async def resolve(host: str, port: int, *, allow_private: bool) -> list[str]:
    """Return the addresses of a host, all of them fit to be connected to.

    Raises:
        SourceError: The name has no address, or one that is not public and must not be used.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError("source.unresolved", host=host, reason=reason) from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not allow_private:
        for address in addresses:
            if not is_public(address):
                raise SourceError("source.private", host=host, address=address)
    return addresses
