"""A cache in front of a computation: memory, then an optional shared tier, then the computation itself, once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

from ..telemetry import names, tracing
from .cache import Cache, CacheStats, K, LowerTier, V
from .single_flight import SingleFlight

_LONG = 256 * 1024
"""Bytes from which reading a value is left to a thread."""


@dataclass(frozen=True, slots=True)
class Codec(Generic[K, V]):
    """How keys and values are written in the shared tier. `decode` answers None for bytes that it cannot read, which
    then count as missing."""

    key: Callable[[K], str]
    encode: Callable[[V], bytes]
    decode: Callable[[bytes], V | None]


@dataclass(frozen=True, slots=True)
class Lower(Generic[K, V]):
    """A shared tier and the codec to use it with. `accept` may refuse a value that cannot be the one of its key; it then
    counts as missing."""

    tier: LowerTier
    codec: Codec[K, V]
    accept: Callable[[K, V], bool] = lambda key, value: True

    async def get(self, key: K) -> V | None:
        data = await self.tier.get(self.codec.key(key))
        if data is None:
            return None
        if len(data) < _LONG:
            return self._read(key, data)
        return await asyncio.to_thread(self._read, key, data)

    def _read(self, key: K, data: bytes) -> V | None:
        value = self.codec.decode(data)
        return value if value is not None and self.accept(key, value) else None

    async def get_all(self, keys: Sequence[K]) -> Mapping[K, V]:
        """Those that are there."""
        texts = {self.codec.key(key): key for key in keys}
        found: dict[K, V] = {}
        for text, data in (await self.tier.get_all(list(texts))).items():
            value = self._read(texts[text], data)
            if value is not None:
                found[texts[text]] = value
        return found

    async def put(self, key: K, value: V) -> None:
        await self.tier.put(self.codec.key(key), self.codec.encode(value))

    async def put_all(self, values: Mapping[K, V]) -> None:
        await self.tier.put_all({self.codec.key(k): self.codec.encode(v) for k, v in values.items()})


class TieredCache(Generic[K, V]):
    """Reads from the first tier that has the value, and writes it to the tiers above.

    Errors of the computation are raised to all callers that wait for it, and are not cached. Nor is the value of a key that is
    dropped while it is computed, for it may be outdated; nor one that `lasting` refuses because it is true of this run only
    (a time-out).
    """

    def __init__(
        self,
        memory: Cache[K, V],
        lower: Lower[K, V] | None = None,
        lasting: Callable[[V], bool] = lambda value: True,
        name: str = "",
    ) -> None:
        """name: what the cache is called in spans."""
        self._name = name
        self._memory = memory
        self._lower = lower
        self._lasting = lasting
        self._flights: SingleFlight[tuple[K, int], V] = SingleFlight()
        self._epoch = 0

    def peek(self, key: K) -> V | None:
        """The value in memory, or None."""
        return self._memory.get(key)

    @property
    def epoch(self) -> int:
        """Grows with every drop: a value that was read in an earlier epoch may be outdated."""
        return self._epoch

    def put(self, key: K, value: V, epoch: int | None = None) -> None:
        """Cache in memory a value that the caller has. epoch: when it was read; it is not cached in a later epoch."""
        if epoch in (None, self._epoch):
            self._memory.put(key, value)

    def put_if_room(self, key: K, value: V, epoch: int) -> None:
        """As `put`, unless something of this cache would have to be evicted for it."""
        if epoch == self._epoch:
            self._memory.put_if_room(key, value)

    async def get(
        self, key: K, compute: Callable[[], Awaitable[V]], at_once: Callable[[], V | None] | None = None
    ) -> V:
        """The value of `key`; `compute` runs when no tier has it, once for all concurrent callers. at_once: computes it without
        awaiting, cheaper than the shared tier is read, or returns None; such values are not written to the shared tier."""
        value = self._memory.get(key)
        if value is not None:
            return value
        if at_once is not None and (value := at_once()) is not None:
            if self._lasting(value):
                self._memory.put(key, value)
            return value
        epoch = self._epoch
        return await self._flights.run((key, epoch), lambda: self._fetch(key, epoch, compute))

    async def _fetch(self, key: K, epoch: int, compute: Callable[[], Awaitable[V]]) -> V:
        with tracing.span(f"cache {self._name}", {names.CACHE: self._name}) as span:
            value = await self._lower.get(key) if self._lower else None
            computed = value is None
            if span is not None:
                span.set({names.CACHE_OUTCOME: "computed" if computed else "shared"})
            if value is None:
                value = await compute()
        if epoch == self._epoch and self._lasting(value):
            self._memory.put(key, value)
            if computed and self._lower:
                await self._lower.put(key, value)
        return value

    @property
    def shares(self) -> bool:
        """Whether there is a shared tier."""
        return self._lower is not None

    async def shared(self, keys: Sequence[K]) -> Mapping[K, V]:
        """Those of some hundred keys that the shared tier has; they are in memory then."""
        found = {} if self._lower is None else await self._lower.get_all(keys)
        for key, value in found.items():
            self._memory.put(key, value)
        return found

    async def share(self, values: Mapping[K, V]) -> None:
        """Cache some hundred values that the caller has computed, in the shared tier too."""
        lasting = {key: value for key, value in values.items() if self._lasting(value)}
        for key, value in lasting.items():
            self._memory.put(key, value)
        if lasting and self._lower is not None:
            await self._lower.put_all(lasting)

    async def discard(self, key: K) -> None:
        """Drop `key` from every tier."""
        self._epoch += 1
        self._memory.discard(key)
        if self._lower:
            await self._lower.tier.discard(self._lower.codec.key(key))

    def clear(self) -> None:
        """Drop everything from the memory; the shared tier is left to its own expiry."""
        self._epoch += 1
        self._memory.clear()

    def stats(self) -> CacheStats:
        return self._memory.stats()
