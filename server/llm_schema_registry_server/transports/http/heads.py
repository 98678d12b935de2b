"""The headers of requests that are asked again and again, read once.

A client sends the same headers with each of its requests. What they are as text, and that nothing about them needs a closer look, is
remembered by their bytes. Headers with credentials are read each time: none are held here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ...errors import RegistryError
from .asgi import Scope, headers
from .origins import demand_own_name

_MOST = 512
_MOST_LINES, _MOST_BYTES = 16, 1024
_LOOKED_AT = frozenset({"x-timeout-ms", "grpc-timeout", "if-none-match"})
"""What says how a request is to be answered."""
_OWN = frozenset(
    {
        "authorization",
        "x-api-key",
        "cookie",
        "proxy-authorization",
        "x-request-id",
        "traceparent",
        "tracestate",
    }
)
"""What is secret, or of one request alone."""


class PlainHeads:
    """The headers of requests under which a kept answer can be given out as it is. `hosts`: see `demand_own_name`."""

    def __init__(self, hosts: Collection[str] | None) -> None:
        self._hosts = hosts
        self._known: dict[tuple[tuple[bytes, bytes], ...], Mapping[str, str]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def plain(self, scope: Scope) -> Mapping[str, str] | None:
        """The headers as text; None when the request has to be looked at closely, or is to be refused."""
        lines = tuple(scope["headers"])
        found = self._known.get(lines)
        if found is not None:
            return found
        read = headers(scope)
        if not read.get("host") or not _LOOKED_AT.isdisjoint(read):
            return None
        try:
            demand_own_name(read, self._hosts)
        except RegistryError:
            return None
        if len(lines) <= _MOST_LINES and _OWN.isdisjoint(read) and _size(lines) <= _MOST_BYTES:
            if len(self._known) >= _MOST:
                del self._known[next(iter(self._known))]
            self._known[lines] = read
        return read


def _size(lines: tuple[tuple[bytes, bytes], ...]) -> int:
    return sum(len(name) + len(value) for name, value in lines)
