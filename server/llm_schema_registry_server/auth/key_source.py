"""Where signing keys come from, and how they are renewed: a file, or the address at which an issuer publishes them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from ..errors import Unavailable
from ..telemetry import logs
from .fetching import Fault, demand_https, fetch
from .signing_keys import MOST_BYTES, KeySetError, SigningKeys, read_key_set

_LOG = logs.get("auth.keys")
FORCED_SECONDS = 10.0
"""Between two readings that tokens with unknown keys ask for: whoever makes up key ids makes nobody fetch more often."""

Read = Callable[[], Awaitable[bytes]]


def file_reader(path: Path) -> Read:
    """Reads a key set from a file."""

    async def read() -> bytes:
        def content() -> bytes:
            with path.open("rb") as file:
                return file.read(MOST_BYTES + 1)

        try:
            return await asyncio.to_thread(content)
        except OSError as error:
            raise KeySetError(f"{path}: {error.strerror}") from error

    return read


def url_reader(url: str) -> Read:
    """Fetches a key set over HTTP. Raises ValueError for an address that is not https, but for loopback."""
    demand_https(url)

    async def read() -> bytes:
        try:
            return await fetch(url, MOST_BYTES + 1)
        except Fault as error:
            raise KeySetError(str(error)) from error

    return read


class KeySource:
    """The keys of one issuer, read anew every `seconds` and when a token names a key that is not known.

    When a reading fails, the keys that are known stay. name: what an operator reads in the log. demanded: whether a server
    without them does not start; an issuer that is away for a moment is no reason for that, a missing file is.
    """

    def __init__(
        self,
        name: str,
        read: Read,
        seconds: float,
        *,
        demanded: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._read, self._seconds, self._clock = name, read, seconds, clock
        self._demanded = demanded
        self._keys: SigningKeys | None = None
        self._read_at = self._forced_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._fault = "they have not been read yet"

    @property
    def fault(self) -> str:
        """Why the last reading failed; "" when it went well."""
        return self._fault

    @property
    def known(self) -> SigningKeys | None:
        """The keys as they were read last."""
        return self._keys

    async def start(self) -> None:
        """Reads the keys. Raises Unavailable when they are demanded and cannot be read."""
        await self._renew()
        if self._demanded and self._keys is None:
            raise Unavailable(f"the keys that tokens are verified with ({self._name}): {self._fault}")

    async def keys(self) -> SigningKeys:
        """The keys; a reading that is due goes on meanwhile. Raises Unavailable when there are none."""
        if self._keys is None:
            if self._clock() - self._forced_at >= FORCED_SECONDS or self._reading is not None:
                await self._renew()
        elif self._clock() - self._read_at >= self._seconds:
            self._start()
        if self._keys is None:
            raise Unavailable("the keys that tokens are verified with cannot be read now; try again")
        return self._keys

    async def newer(self) -> SigningKeys:
        """The keys, read anew unless that was done a moment ago. Raises Unavailable."""
        if self._reading is not None or self._clock() - self._forced_at >= FORCED_SECONDS:
            await self._renew()
        return await self.keys()

    async def stop(self) -> None:
        """Ends a reading that goes on."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    async def _renew(self) -> None:
        self._forced_at = self._clock()
        # Shielded: many calls wait for one reading, and none that leaves may end it for the others.
        await asyncio.shield(self._start())

    def _start(self) -> asyncio.Task[None]:
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_once(), name="read signing keys")
            self._reading.add_done_callback(self._finished)
        return self._reading

    def _finished(self, _task: asyncio.Task[None]) -> None:
        self._reading = None

    async def _read_once(self) -> None:
        self._read_at = self._clock()
        try:
            self._keys = read_key_set(await self._read())
            self._fault = ""
        except KeySetError as error:
            if self._fault != str(error):
                _LOG.warning("keys_not_read", source=self._name, why=str(error), keeps=self._keys is not None)
            self._fault = str(error)
