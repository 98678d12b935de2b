"""The shared tier in Redis: what one instance has computed, the others need not compute again.

Nothing depends on it. When Redis is away, slow, emptied or has bytes that we did not write, values are computed again; no
call waits for it longer than the time-out, and after some failures in a row none waits at all until it is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ClusterDownError, RedisClusterException, RedisError, ResponseError
from redis.exceptions import ConnectionError as ConnectionFailed
from redis.exceptions import TimeoutError as RedisTimeout

from .. import settings
from ..errors import Unavailable
from .breaker import Breaker, BreakerOpen, OnChange
from .sealing import OVERHEAD, key_of, seal, unseal

T = TypeVar("T")

FORMAT_VERSION = "1"
"""Part of every key: values of another layout of this tier are never read."""

_FAILURES = (RedisError, RedisClusterException, OSError, TimeoutError)
_AWAY = (ConnectionFailed, ClusterDownError, RedisTimeout, RedisClusterException, OSError, TimeoutError)
"""Failures after which the next call is likely to fail, too; a refusal (out of memory, no permission) is none."""


@dataclass(slots=True)
class TierCounts:
    """Since the start: `hits`, `misses` (every get that was none, for whatever reason), `damaged` (bytes under our keys
    that we did not write), `too_large` (values above the cap, not put), `errors` (operations in which Redis failed or
    was too slow), `skipped` (operations that did not ask: the breaker was open, or no connection free in time)."""

    hits: int = 0
    misses: int = 0
    damaged: int = 0
    too_large: int = 0
    errors: int = 0
    skipped: int = 0


class RedisTier:
    """A LowerTier over one Redis server or cluster. Connects when it is first asked; `close` ends it.

    Never raises to its caller but for a cancellation. Belongs to one event loop.
    """

    def __init__(self, options: settings.RedisSettings, on_breaker: OnChange = lambda failure: None) -> None:
        self._options = options
        self._client = _client(options)
        self._secret = key_of(options.signing_key.get_secret_value()) if options.signing_key else b""
        self._connections = asyncio.Semaphore(options.connections)
        self._breaker = Breaker(options.breaker_failures, options.breaker_seconds, on_change=on_breaker)
        self.counts = TierCounts()

    @property
    def open(self) -> bool:
        """Whether the circuit breaker is open: Redis is not asked for now."""
        return self._breaker.open

    def outcomes(self) -> Mapping[str, int]:
        """The counts as metrics name them; `breaker_open` is 0 or 1."""
        c = self.counts
        return {
            "hit": c.hits,
            "miss": c.misses,
            "damaged": c.damaged,
            "too_large": c.too_large,
            "error": c.errors,
            "skipped": c.skipped,
            "breaker_open": int(self.open),
        }

    async def close(self) -> None:
        await self._client.aclose()

    async def get(self, key: str) -> bytes | None:
        found = await self._call(lambda: self._read(self._name(key)))
        if found is None:
            self.counts.misses += 1
        else:
            self.counts.hits += 1
        return found

    async def put(self, key: str, value: bytes) -> None:
        if len(value) > self._options.value_bytes:
            self.counts.too_large += 1
            return
        await self._call(lambda: self._write(self._name(key), value))

    async def discard(self, key: str) -> None:
        await self._call(lambda: _done(self._client.delete(self._name(key))))

    async def probe(self) -> Mapping[str, str]:
        """Write something and read it, also while the breaker is open. It counts for the breaker as any operation does, so that a
        Redis that nobody else asks for is found to be away, and back, too.

        Answers with facts for the health report. Raises Unavailable with the reason when Redis is of no use.
        """
        name = self._name("probe")
        if not await self._free_connection():
            raise Unavailable("Redis is not asked: every connection is busy")
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                await self._write(name, b"probe")
                found = await self._read(name)
        except _FAILURES as error:
            if isinstance(error, _AWAY):
                self._breaker.failed(error)
            raise Unavailable("Redis is of no use", inside=self._explain(error)) from error
        finally:
            self._connections.release()
        if found != b"probe":
            raise Unavailable("Redis does not keep what is written; is maxmemory too small?")
        self._breaker.succeeded()
        return {"kind": "cluster" if self._options.cluster else "server", "hits": str(self.counts.hits)}

    def _name(self, key: str) -> str:
        return f"{self._options.prefix}:{FORMAT_VERSION}:{key}"

    async def _read(self, name: str) -> bytes | None:
        # One byte more than we ever put: a longer value is recognised as not ours, whatever its size.
        end = OVERHEAD + self._options.value_bytes
        try:
            sealed: bytes = await self._client.getrange(name, 0, end)
        except ResponseError as error:
            if not str(error).startswith("WRONGTYPE"):
                raise
            self.counts.damaged += 1
            return None
        if not sealed:
            return None
        content = unseal(name, sealed, self._secret)
        if content is None:
            self.counts.damaged += 1
        return content

    async def _write(self, name: str, value: bytes) -> None:
        lifetime = int(self._options.ttl_seconds * 1000)
        await self._client.set(name, seal(name, value, self._secret), px=lifetime)

    async def _call(self, operation: Callable[[], Awaitable[T]]) -> T | None:
        """What Redis answers; None when it is not asked, or fails."""
        if not await self._free_connection():
            self.counts.skipped += 1
            return None
        try:
            with self._breaker.call(*_AWAY):
                async with asyncio.timeout(self._options.timeout_seconds):
                    return await operation()
        except BreakerOpen:
            self.counts.skipped += 1
        except _FAILURES:
            self.counts.errors += 1
        finally:
            self._connections.release()
        return None

    async def _free_connection(self) -> bool:
        """Whether one of the connections was free in time; it is then taken."""
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                return await self._connections.acquire()
        except TimeoutError:
            return False

    def _explain(self, error: BaseException) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer within {self._options.timeout_seconds:g} s"
        return str(error) or type(error).__name__


async def _done(awaitable: Awaitable[object]) -> None:
    await awaitable


def _client(options: settings.RedisSettings) -> Any:  # the two clients share no type that has their commands
    common: dict[str, Any] = {
        "username": options.username,
        "password": options.password.get_secret_value() if options.password else None,
        "client_name": options.client_name,
        # Times are bounded by the caller, connecting included.
        "socket_timeout": None,
        "socket_connect_timeout": None,
        # One repetition, at once: after a restart of Redis every pooled connection fails once.
        "retry": Retry(NoBackoff(), 1),
        "max_connections": options.connections,
    }
    url = options.url.get_secret_value() if options.url else ""
    if url.startswith("rediss://"):
        common |= {
            "ssl_ca_certs": str(options.tls.ca_file) if options.tls.ca_file else None,
            "ssl_certfile": str(options.tls.certificate_file) if options.tls.certificate_file else None,
            "ssl_keyfile": str(options.tls.key_file) if options.tls.key_file else None,
            "ssl_check_hostname": options.tls.verify,
            "ssl_cert_reqs": "required" if options.tls.verify else "none",
        }
    given = {name: value for name, value in common.items() if value is not None or name.startswith("socket")}
    if options.cluster:
        return RedisCluster.from_url(url, **given)
    return Redis.from_url(url, **given)
