"""Where the registry is: from what a caller writes to the addresses that gRPC connects to. Pure but for the clock."""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from ._arguments import described

DEFAULT_PORT = 9090
"""The port of a server's gRPC listener, where none is written."""
MOST_ADDRESSES = 32
LONGEST_REST = 5.0
"""Seconds for which an address that failed again and again is left out, while another one works."""

_GRPC_SCHEMES = ("dns", "ipv4", "ipv6", "unix", "unix-abstract", "vsock", "xds", "passthrough")
_WEB_SCHEMES = {"http": False, "https": True, "grpc": False, "grpcs": True}
"""Scheme of a URL -> whether TLS is used."""
_HOST = re.compile(r"(?P<host>\[[^\[\]\s]+\]|[^:\[\]/\s]+)(?::(?P<port>[0-9]+))?")


@dataclass(frozen=True, slots=True)
class Target:
    """`addresses`: what gRPC is given, one connection each. `balanced`: gRPC itself spreads calls over what it resolves
    an address to. `tls`: whether the URL asked for TLS; None when it did not say.
    """

    addresses: tuple[str, ...]
    balanced: bool = False
    tls: bool | None = None


def parse_target(target: str) -> Target:
    """Accepts `host`, `host:port`, several of them with commas, URLs (`https://host:port`) and gRPC's own forms
    (`dns:///host:port`, `ipv4:1.2.3.4:9090,5.6.7.8:9090`, `ipv6:[::1]:9090`, `unix:/path`). A port that is not written
    is 9090. Raises ValueError for what is no target.
    """
    if not isinstance(target, str):
        raise TypeError(f"target: a str such as 'host:9090' is expected, not {described(target)}")
    written = target.strip()
    scheme, separator, rest = written.partition("://")
    tls = None
    if separator and scheme.lower() in _WEB_SCHEMES:
        tls, written = _WEB_SCHEMES[scheme.lower()], rest.rstrip("/")
    kind, colon, inside = written.partition(":")
    if tls is None and colon and kind in _GRPC_SCHEMES and not _is_port(inside):
        return Target((_with_ports(kind, inside),), balanced=kind in ("dns", "ipv4", "ipv6"))
    hosts = [part.strip() for part in written.split(",")]
    if len(hosts) > MOST_ADDRESSES:
        raise ValueError(f"target names {len(hosts)} addresses; at most {MOST_ADDRESSES} are possible")
    return Target(tuple(dict.fromkeys(_with_port(host, target) for host in hosts)), tls=tls)


def _is_port(text: str) -> bool:
    """Whether `dns:9090` means a host of that name."""
    return text.isdecimal()


def _with_ports(kind: str, rest: str) -> str:
    """A target of gRPC's own with the port where none is written; without one gRPC would take 443."""
    if kind in ("ipv4", "ipv6"):
        return f"{kind}:{','.join(_with_port(part.strip(), f'{kind}:{rest}') for part in rest.split(','))}"
    if kind == "dns":
        head, slash, host = rest.rpartition("/")
        return f"dns:{head}{slash}{_with_port(host, f'dns:{rest}')}"
    return f"{kind}:{rest}"


def _with_port(host: str, target: str) -> str:
    if not host:
        raise ValueError(f"target {target!r} holds an empty address; give host:port, or several with commas")
    if host.count(":") > 1 and not host.startswith("["):
        host = f"[{host}]"  # an IPv6 address as it is written alone
    found = _HOST.fullmatch(host)
    if found is None or (host.startswith("[") and not _is_ipv6(found["host"][1:-1])):
        raise ValueError(
            f"target {target!r}: {host!r} is no host:port (an IPv6 address with a port is [::1]:9090)"
        )
    port = DEFAULT_PORT if found["port"] is None else int(found["port"])
    if not 0 < port < 65536:
        raise ValueError(f"target {target!r}: {port} is no port; it must be 1 to 65535")
    return f"{found['host']}:{port}"


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


class Rotation:
    """Which of several addresses the next call goes to: each in turn, leaving out for a while those that failed.

    Safe to share between threads: what a race loses is a turn.
    """

    def __init__(self, count: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._count, self._clock = count, clock
        self._turn = -1
        self._failures = [0] * count
        self._rests_until = [0.0] * count

    def take(self) -> int:
        """The address for one call."""
        if self._count == 1:
            return 0
        now = self._clock()
        for _ in range(self._count):
            self._turn = (self._turn + 1) % self._count
            if self._rests_until[self._turn] <= now:
                return self._turn
        return min(range(self._count), key=self._rests_until.__getitem__)

    def worked(self, address: int) -> None:
        """A call came through."""
        if self._failures[address]:
            self._failures[address] = 0
            self._rests_until[address] = 0.0

    def failed(self, address: int) -> bool:
        """A call did not come through. Whether another address is worth trying at once."""
        if self._count == 1:
            return False
        now = self._clock()
        self._failures[address] += 1
        rest = min(LONGEST_REST, 0.1 * 2 ** min(self._failures[address], 10))
        self._rests_until[address] = now + rest
        return any(until <= now for until in self._rests_until)
