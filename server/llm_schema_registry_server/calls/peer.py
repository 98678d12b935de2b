"""Who is at the other end of a call's connection, and for whom a trusted proxy says that it speaks."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
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
_MAPPED = "ipv6:[::ffff:"
_MOST_CONNECTIONS = 4096
"""Connections whose peers are remembered, some 300 bytes each."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who calls.

    `address` is the caller's IP address, "" when it is unknown (a unix socket); `connection` is the other end of our
    connection as the transport names it, which is the proxy's when there is one. `certificate` is the client's
    certificate (DER), which the handshake has verified; empty when it showed none. A `stranger` has come around the TLS of its
    listener: some process of this machine, and nothing is known of it.
    """

    address: str
    connection: str
    certificate: bytes = b""
    stranger: bool = False

    @property
    def forwarded(self) -> bool:
        """Whether the address comes from a trusted proxy."""
        return bool(self.address) and _text_of(self.connection) != self.address

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
        # A connection brings call after call.
        self._direct = lru_cache(maxsize=_MOST_CONNECTIONS)(_direct)

    def peer(self, connection: str, metadata: Mapping[str, str]) -> Peer:
        """The peer of a connection (`10.0.0.7:4711`, `[::1]:4711`, `ipv4:10.0.0.7:4711`, `unix:...`)."""
        if not self._networks:
            return self._direct(connection)
        address = _address(connection)
        if address is None or not self._trusts(address):
            return self._direct(connection)
        for hop in reversed(self._hops(metadata.get(self._header, ""))[-_MOST_HOPS:]):
            forwarded = _address(hop)
            if forwarded is None:  # "unknown", a made-up name, junk: who stood behind it nobody can tell
                break
            address = forwarded
            if not self._trusts(forwarded):
                break
        return Peer(_text(address), connection)

    def __bool__(self) -> bool:
        """Whether anybody is trusted."""
        return bool(self._networks)

    def named(self, connection: str) -> str:
        """The other end of a connection, for a log."""
        return connection

    def refused(self, connection: str, metadata: Mapping[str, str]) -> None:
        """To be called for each call that is refused since its caller asks too much, with what `peer` is asked with."""

    def taken(self, metadata: Iterable[tuple[str, object]]) -> None:
        """To be called for each call that an engine takes up in the order of arrival, before its message is there."""

    def trusts(self, connection: str) -> bool:
        """Whether a trusted proxy is at the other end of a connection."""
        address = _address(connection)
        return address is not None and self._trusts(address)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _no_matter() -> None:
    """Where nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Fronted:
    """The far end of a connection that ends at the front before an engine: `connection` (`10.0.0.7:4711`), and the certificate (DER)
    that the client showed in the handshake, empty when it showed none."""

    connection: str
    certificate: bytes = b""
    refused: Callable[[], None] = field(default=_no_matter, repr=False, compare=False)
    """To be called for each call of it that is refused since it asks too much."""
    taken: Callable[[], None] | None = field(default=None, repr=False, compare=False)
    """To be called for each call of it that the engine takes up, where the front wants to know."""
    known: list[Peer] = field(default_factory=list, repr=False, compare=False)
    """Its peer, once somebody has asked: it is the same for every call, unless a proxy speaks for many."""


class BehindFront(TrustedProxies):
    """For an engine behind a front: what it takes for the peer is a connection of the front, and `find` tells whose that is, None when it
    is nobody's. Proxies are trusted by the far end of the connection. `field`: a header in which the front writes its connection, for a
    call that one engine hands on to another, over a unix socket."""

    def __init__(
        self,
        find: Callable[[str], Fronted | None],
        networks: Sequence[Network] = (),
        header: ForwardedHeader = "x-forwarded-for",
        *,
        field: str = "",
    ) -> None:
        super().__init__(networks, header)
        self._find, self._field = find, field

    def peer(self, connection: str, metadata: Mapping[str, str]) -> Peer:
        """The far end."""
        end = self._end(connection, metadata)
        if end is None:
            return Peer("", connection, stranger=True)
        if end.known:
            return end.known[0]
        peer = replace(super().peer(end.connection, metadata), certificate=end.certificate)
        if not super().trusts(end.connection):
            end.known.append(peer)
        return peer

    def refused(self, connection: str, metadata: Mapping[str, str]) -> None:
        """Has the front read the far end more slowly when that happens too often."""
        if (end := self._end(connection, metadata)) is not None:
            end.refused()

    def taken(self, metadata: Iterable[tuple[str, object]]) -> None:
        """Has the front give the engine the next one."""
        for name, value in metadata:
            if name == self._field:
                end = self._find(str(value))
                if end is not None and end.taken is not None:
                    end.taken()
                return

    def _end(self, connection: str, metadata: Mapping[str, str]) -> Fronted | None:
        if connection.startswith("unix:"):
            connection = metadata.get(self._field, connection)
        return self._find(_seen(connection))

    def named(self, connection: str) -> str:
        """The far end; what the engine sees when nobody knows whose it is."""
        end = self._find(_seen(connection))
        return connection if end is None else end.connection

    def trusts(self, connection: str) -> bool:
        """Whether a trusted proxy is at the far end."""
        end = self._find(_seen(connection))
        return end is not None and super().trusts(end.connection)


def _seen(connection: str) -> str:
    """`127.0.0.2:4711` of `ipv4:127.0.0.2:4711`, and of `ipv6:[::ffff:127.0.0.2]:4711`, as a socket of both families has it."""
    if connection.startswith("ipv4:"):
        return connection[5:]
    return connection[len(_MAPPED) :].replace("]", "") if connection.startswith(_MAPPED) else connection


def _direct(connection: str) -> Peer:
    """The peer at the other end of the connection itself."""
    return Peer(_text(_address(connection)), connection)


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


@lru_cache(maxsize=_MOST_CONNECTIONS)
def _text_of(connection: str) -> str:
    return _text(_address(connection))


NO_PROXIES = TrustedProxies()
"""Nobody is believed about somebody else's address."""
