"""Tells the queues below the calls for whom work is done, so that none of its callers can hold up the others."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from ...queues.caller import Caller, bind
from ..call import Call
from ..guard import Guard, Rank, not_needed

UNKNOWN = "unknown"
"""The key of all callers whose address is not known (a unix socket)."""


class Queueing:
    """Makes the caller known to the asyncio task of the call."""

    rank, on_cached = Rank.QUOTA, not_needed("a cached answer waits in no queue", quick=True)

    def __call__(self, call: Call) -> Guard:
        return _Bound(call)

    def quick(self, call: Call) -> bool:
        """Makes the caller known, which takes no waiting."""
        _bind(call)
        return True


class _Bound(Guard):
    __slots__ = ()

    async def __aenter__(self) -> None:
        _bind(self.call)


def _bind(call: Call) -> None:
    bind(Caller(caller_key(call), call.deadline))


def caller_key(call: Call) -> str:
    """Who counts as one caller: an authenticated principal; without one the address of the peer, since the name that an anonymous
    caller gives itself costs it nothing to change."""
    principal = call.principal
    return address_key(call.peer.address) if principal.anonymous else f"principal {principal.label}"


@lru_cache(maxsize=4096)
def address_key(address: str) -> str:
    """An IPv4 address; of an IPv6 address its first 64 bits, of which one host has all the rest (RFC 4291 2.5.4)."""
    if ":" not in address:
        return address or UNKNOWN
    return str(ipaddress.ip_network((address, 64), strict=False))
