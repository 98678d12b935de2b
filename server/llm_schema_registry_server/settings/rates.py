"""Settings of how much callers may ask in a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from .section import Section


class RateSettings(Section):
    per_second: float = Field(0.0, ge=0, le=1_000_000)
    """Calls a second in the long run; 0: as many as they like."""
    burst: int = Field(0, ge=0, le=100_000_000)
    """Most calls at once, by whoever has asked nothing for a while; 0: those of two seconds."""


class RateLimitsSettings(Section):
    """How much one caller may ask in a time: a principal, whatever its address, or an address that has shown no credentials. Over it a
    call is refused with RATE_LIMITED and told when to try again; answers say what is left (x-ratelimit-limit, -remaining, -reset in
    seconds). With `caches.redis` servers count together."""

    mode: Literal["auto", "on", "off"] = "auto"
    """`auto`: on where credentials are asked for, and where a listener can be reached from other machines; off on an open server on
    loopback."""
    read: RateSettings = RateSettings(per_second=10_000)
    """Of one principal: reads, one by one."""
    write: RateSettings = RateSettings(per_second=200, burst=1000)
    """Of one principal: whatever changes something."""
    check: RateSettings = RateSettings(per_second=1000, burst=5000)
    """Of one principal: checks of compatibility, validation; each of a batch counts, and a batch is slowed down, not refused."""
    admin: RateSettings = RateSettings(per_second=50, burst=200)
    """Of one principal: what administrators do."""
    stream: RateSettings = RateSettings(per_second=50, burst=1000)
    """Of one principal: streams that are opened; how many may be open is `limits.streams_per_caller`."""
    anonymous: RateSettings = RateSettings(per_second=100, burst=500)
    """Of one address (IPv6: its /64): everything that is asked without credentials; and, counted apart by each server, with bad ones.
    Addresses are those that a trusted proxy tells."""
    factors: Mapping[str, float] = {}
    """Principals that may ask so many times as much, from their names as records have them (`ada`, `key:ci`) to numbers."""
    shared: bool = True
    """Whether servers with the same `caches.redis` count together. Each leases a tenth of a limit at a time, so that calls do not wait for
    Redis."""
    local_share: float = Field(0.5, gt=0, le=1)
    """The part of each limit that a server gives by itself while Redis is away: 1 / the number of servers keeps the sum."""


class QuotasSettings(Section):
    """How much each context may hold for which nothing is configured (SetConfig, `schema-registry config set -c .team --max-subjects`).
    All servers of a storage should have the same."""

    subjects: int = Field(0, ge=0)
    """Most subjects with a version, softly deleted ones too; 0: no limit."""
    versions: int = Field(0, ge=0)
    """Most versions, softly deleted ones too; 0: no limit."""
    bytes: int = Field(0, ge=0)
    """Most bytes of the contents of all versions, as they were registered; 0: no limit."""
