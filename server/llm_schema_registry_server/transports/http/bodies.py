"""Request bodies: read with limits of size, time and memory, and turned into messages without holding up others.

Bodies are read before a call begins and its own limits count, so that connections alone could fill the memory.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import ParamSpec

from google.protobuf.message import Message

from ...errors import LimitExceeded
from .asgi import ClientLeft, Receive
from .errors import BodyTooSlow, RequestTooLarge

P = ParamSpec("P")

BODY_SECONDS = 30.0
"""How long a body may take to arrive."""

MOST_BYTES = 256 * 1024 * 1024
"""Of all bodies that a server holds at the same time."""

# A body of 16 KiB that is nothing but small objects or list items takes up to 10 ms to read.
_LARGE = 16 * 1024
# So many empty lines take less than a millisecond.
_LINES_AT_A_TIME = 10_000


class Bodies:
    """The bodies that a server is reading or answering."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self.held = 0
        # One thread: more would only take the loop's turns away.
        self._large = ThreadPoolExecutor(1, "large-bodies")

    @asynccontextmanager
    async def read(self, receive: Receive, limit: int, setting: str) -> AsyncIterator[bytes]:
        """The whole body, held until the end of the context.

        Raises RequestTooLarge as soon as it is over `limit` (which `setting` sets), LimitExceeded when too much is held,
        BodyTooSlow when it does not arrive, ClientLeft.
        """
        chunks: list[bytes] = []
        size = 0
        try:
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    more = True
                    while more:
                        event = await receive()
                        if event["type"] == "http.disconnect":
                            raise ClientLeft
                        chunk = event.get("body", b"")
                        more = event.get("more_body", False)
                        if size + len(chunk) > limit:
                            raise RequestTooLarge("body", limit, setting)
                        self._hold(len(chunk))
                        size += len(chunk)
                        chunks.append(chunk)
            except TimeoutError as error:
                raise BodyTooSlow(BODY_SECONDS) from error
            yield b"".join(chunks)
        finally:
            self.held -= size

    async def message(
        self, size: int, make: Callable[P, Message], *args: P.args, **kwargs: P.kwargs
    ) -> Message:
        """Makes a message from `size` bytes of JSON: in a thread when they are many, so that other calls get turns."""
        if size <= _LARGE:
            return make(*args, **kwargs)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._large, partial(make, *args, **kwargs))

    def close(self) -> None:
        """Ends the thread; nothing is read any more."""
        self._large.shutdown(wait=False, cancel_futures=True)

    def _hold(self, size: int) -> None:
        if self.held + size > self._most:
            raise LimitExceeded(
                f"request bodies of {self._most} bytes are being read, which is the limit; try again with a back-off",
                limit=self._most,
                what="bodies",
            )
        self.held += size


async def lines(body: bytes) -> AsyncIterator[tuple[int, bytes]]:
    """The lines that are not empty, with their numbers from 1."""
    for number, line in enumerate(io.BytesIO(body), start=1):
        if line.strip():
            yield number, line
        if number % _LINES_AT_A_TIME == 0:
            await asyncio.sleep(0)
