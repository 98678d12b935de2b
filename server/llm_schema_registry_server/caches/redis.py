"""The shared tier in Redis: what one instance has computed, the others need not compute again.

Nothing depends on it. When Redis is away, slow, emptied or has bytes that we did not write, values are computed again; no
call waits for it longer than the time-out, and after some failures in a row none waits at all until it is back.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
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
from ..queues.rates import Leased, Rate
from ..telemetry.work import Operations, Pool
from .breaker import Breaker, BreakerOpen, OnChange
from .sealing import OVERHEAD, key_of, seal, unseal

T = TypeVar("T")

FORMAT_VERSION = "1"
"""Part of every key: values of another layout of this tier are never read."""

# A bucket is the time, in microseconds of Redis's clock, at which it will be full; the key is gone when it is. A value that is no
# number, which somebody else wrote, counts as a full bucket, and one that lies too far ahead as an empty one.
_TAKE = """
local interval, full, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local found = redis.pcall('GET', KEYS[1])
local full_at = type(found) == 'string' and tonumber(found) or now
if full_at ~= full_at then full_at = now end
full_at = math.min(math.max(full_at, now), now + full)
local there = math.floor((now + full - full_at) / interval)
local taken = math.min(there, wanted)
if taken > 0 then
    full_at = full_at + taken * interval
    redis.call('SET', KEYS[1], string.format('%d', full_at), 'PX', math.ceil((full_at - now) / 1000))
end
return {taken, there - taken, math.max(0, full_at + interval - now - full), full_at - now}
"""

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

    def __init__(
        self,
        options: settings.RedisSettings,
        on_breaker: OnChange = lambda failure: None,
        operations: Operations | None = None,
    ) -> None:
        self._operations = operations or Operations()
        self._options = options
        self._used = 0
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
        found = await self._call("GETRANGE", lambda: self._read(self._name(key)))
        if found is None:
            self.counts.misses += 1
        else:
            self.counts.hits += 1
        return found

    async def put(self, key: str, value: bytes) -> None:
        if len(value) > self._options.value_bytes:
            self.counts.too_large += 1
            return
        await self._call("SET", lambda: self._write(self._name(key), value))

    async def get_all(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        found = await self._call("GETRANGE", lambda: self._read_all([self._name(key) for key in keys]))
        there = {key: content for key, content in zip(keys, found or (), strict=False) if content is not None}
        self.counts.hits += len(there)
        self.counts.misses += len(keys) - len(there)
        return there

    async def put_all(self, values: Mapping[str, bytes]) -> None:
        fitting = {k: v for k, v in values.items() if len(v) <= self._options.value_bytes}
        self.counts.too_large += len(values) - len(fitting)
        if fitting:
            await self._call("SET", lambda: self._write_all(fitting))

    async def discard(self, key: str) -> None:
        await self._call("DEL", lambda: _done(self._client.delete(self._name(key))))

    async def lease(self, name: str, rate: Rate, wanted: int) -> Leased | None:
        """Take up to `wanted` tokens of a bucket that all servers share (queues/rates.py); None when Redis is not asked, or fails."""
        if wanted <= 0:
            raise ValueError("takes no tokens")
        digest = hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
        interval, full = max(1, round(rate.interval * 1e6)), max(1, round(rate.full * 1e6))
        found = await self._call(
            "EVAL", lambda: self._client.eval(_TAKE, 1, self._name(f"rate:{digest}"), interval, full, wanted)
        )
        if found is None:
            return None
        tokens, left, wait, full_in = map(int, found)
        return Leased(tokens, left, wait / 1e6, full_in / 1e6)

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
        try:
            sealed: bytes = await self._client.getrange(name, 0, self._longest)
        except ResponseError as error:
            return self._unsealed(name, error)
        return self._unsealed(name, sealed)

    async def _read_all(self, names: Sequence[str]) -> Sequence[bytes | None]:
        async with self._pipeline() as pipeline:
            for name in names:
                pipeline.getrange(name, 0, self._longest)
            answers = await pipeline.execute(raise_on_error=False)
        return [self._unsealed(name, answer) for name, answer in zip(names, answers, strict=True)]

    @property
    def _longest(self) -> int:
        """The last byte that is read: one more than we ever put, so that a longer value is recognised as not ours, whatever its
        size."""
        return OVERHEAD + self._options.value_bytes

    def _unsealed(self, name: str, answer: bytes | Exception) -> bytes | None:
        """What the answer to a read holds. Raises the error that it is, unless somebody else has put a thing of another kind."""
        if isinstance(answer, Exception):
            if not (isinstance(answer, ResponseError) and str(answer).startswith("WRONGTYPE")):
                raise answer
            self.counts.damaged += 1
            return None
        if not answer:
            return None
        content = unseal(name, answer, self._secret)
        if content is None:
            self.counts.damaged += 1
        return content

    async def _write(self, name: str, value: bytes) -> None:
        await self._client.set(name, seal(name, value, self._secret), px=self._lifetime)

    async def _write_all(self, values: Mapping[str, bytes]) -> None:
        async with self._pipeline() as pipeline:
            for key, value in values.items():
                name = self._name(key)
                pipeline.set(name, seal(name, value, self._secret), px=self._lifetime)
            await pipeline.execute()

    def _pipeline(self) -> Any:
        """Commands that are sent together, each for itself."""
        return self._client.pipeline() if self._options.cluster else self._client.pipeline(transaction=False)

    @property
    def _lifetime(self) -> int:
        """Milliseconds."""
        return int(self._options.ttl_seconds * 1000)

    @property
    def pool(self) -> Pool:
        """Operations at a time, each of which has a connection."""
        return Pool(idle=0, used=self._used, most=self._options.connections)

    async def _call(self, command: str, operation: Callable[[], Awaitable[T]]) -> T | None:
        """What Redis answers; None when it is not asked, or fails."""
        if not await self._free_connection():
            self.counts.skipped += 1
            return None
        try:
            with self._breaker.call(*_AWAY):
                self._used += 1
                try:
                    with self._operations.of("redis", command, _FAILURES):
                        async with asyncio.timeout(self._options.timeout_seconds):
                            return await operation()
                finally:
                    self._used -= 1
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
