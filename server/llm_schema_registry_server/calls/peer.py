"""Who is at the other end of a call's connection, and for whom a trusted proxy says that it speaks."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
ForwardedHeader = Literal["x-forwarded-for", "forwarded"]

_PORT = re.compile(r":\d{1,5}")
# RFC 7239 4: for=192.0.2.43, for="[2001:db8::17]:4711"; the token after `for=` may be quoted.
_FORWARDED_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*(?:"([^"]*)"|([^\s;"]*))', re.IGNORECASE)
# Far more proxies than stand in one row; what lies further to the left is not looked at.
_MOST_HOPS = 32


@dataclass(frozen=True, slots=True)
class Peer:
    """Who calls.

    `address` is the caller's IP address, "" when it is unknown (a unix socket); `connection` is the other end of our
    connection as the transport names it, which is the proxy's when there is one. `certificate` is the client's
    certificate (DER), empty when it showed none: no listener asks for one yet.
    """

    address: str
    connection: str
    certificate: bytes = b""

    @property
    def forwarded(self) -> bool:
        """Whether the address comes from a trusted proxy."""
        return bool(self.address) and _text(_address(self.connection)) != self.address

    def __str__(self) -> str:
        return f"{self.address} via {self.connection}" if self.forwarded else self.connection


class TrustedProxies:
    """Proxies in `networks` are believed when they say, in `header`, for whom they ask; nobody else is.

    A proxy appends the address that it sees, so that addresses are read from the right: the first one that is no
    trusted proxy is the caller. What stands further left is whatever the caller has sent.
    """

    def __init__(self, networks: Sequence[Network] = (), header: ForwardedHeader = "x-forwarded-for") -> None:
        self._networks = tuple(networks)
        self._header = header
        self._hops = _forwarded if header == "forwarded" else _comma_separated

    def peer(self, connection: str, metadata: Mapping[str, str]) -> Peer:
        """The peer of a connection (`10.0.0.7:4711`, `[::1]:4711`, `ipv4:10.0.0.7:4711`, `unix:...`)."""
        address = _address(connection)
        if not self._networks or address is None or not self._trusts(address):
            return Peer(_text(address), connection)
        for hop in reversed(self._hops(metadata.get(self._header, ""))[-_MOST_HOPS:]):
            forwarded = _address(hop)
            if forwarded is None:  # "unknown", a made-up name, junk: who stood behind it nobody can tell
                break
            address = forwarded
            if not self._trusts(forwarded):
                break
        return Peer(_text(address), connection)

    def trusts(self, connection: str) -> bool:
        """Whether a trusted proxy is at the other end of a connection."""
        address = _address(connection)
        return address is not None and self._trusts(address)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _comma_separated(value: str) -> list[str]:
    return value.split(",")


def _forwarded(value: str) -> list[str]:
    found = [_FORWARDED_FOR.search(element.strip()) for element in value.split(",")]
    return [(match[1] or match[2] or "") if match else "" for match in found]


def _address(text: str) -> Address | None:
    """The IP address in `10.0.0.7`, `10.0.0.7:80`, `::1`, `[::1]:80`, `ipv4:10.0.0.7:80`, `ipv6:%5B::1%5D:80`."""
    text = text.strip()
    if text.startswith(("ipv4:", "ipv6:")):  # as grpc-core writes a peer
        text = unquote(text[5:])
    if text.startswith("["):
        text, bracket, port = text[1:].partition("]")
        if not bracket or (port and not _PORT.fullmatch(port)):
            return None
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not _PORT.fullmatch(f":{port}"):
            return None
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # A dual-stack socket shows IPv4 peers as ::ffff:10.0.0.7.
    return getattr(address, "ipv4_mapped", None) or address


def _text(address: Address | None) -> str:
    return "" if address is None else str(address)


NO_PROXIES = TrustedProxies()
"""Nobody is believed about somebody else's address."""
