"""Writes a stream of answers into a response while it watches whether anyone is still there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing

from ...calls.call import REQUEST_ID, Call
from ...calls.failure import failure
from ...errors import SubscriberTooSlow
from ...rpc.protobuf.shared_answer import Answer
from ..unread import Unread
from .asgi import Headers, Receive, Send, send_head, until_disconnected
from .stream_formats import Style

IDLE_SECONDS = 15.0
"""After this long without an answer a stream that can says that it is alive; proxies cut silent ones at 30 s or more."""


_PART_BYTES = 64 * 1024
"""Granian copies and holds some parts of each body whose reader takes nothing: they are bounded by being small."""

OPENING_SECONDS = 0.2
"""A live stream that has not failed within this long has begun."""


class BrokenOff(Exception):
    """A body that has begun cannot be finished, and its style has no word for it: the connection must break."""


async def write_stream(
    answers: AsyncGenerator[Answer, None],
    call: Call,
    style: Style,
    send: Send,
    *,
    unread: Unread,
    security: Headers,
) -> None:
    """Writes all answers. What fails before the body has begun is raised; what fails later is told in the body."""
    body = _Body(call, style, send, unread, security)
    ticking = asyncio.create_task(body.keep_alive()) if style.idle is not None else None
    try:
        async with aclosing(answers):
            async for answer in answers:
                await body.item(answer)
        await body.end()
    except Exception as error:
        if not body.begun:
            raise
        await body.fail(error)
    finally:
        if ticking is not None:
            ticking.cancel()
            await asyncio.wait({ticking})
            if not ticking.cancelled():
                ticking.exception()  # a reader that stalls is noticed at the next answer too


class _Body:
    """A response body on its way: one piece at a time, from the answers or from the clock."""

    def __init__(self, call: Call, style: Style, send: Send, unread: Unread, security: Headers) -> None:
        self._call = call
        self._style = style
        self._sender = send
        self._unread, self._security = unread, security
        self._lock = asyncio.Lock()
        self._empty = True
        self._written = 0.0
        self.begun = False

    async def item(self, answer: Answer) -> None:
        """Writes one answer."""
        async with self._lock:
            await self._begin()
            first, self._empty = self._empty, False
            await self._send(self._style.item(answer, first=first))

    async def end(self) -> None:
        """Writes what closes the body."""
        async with self._lock:
            await self._begin()
            await self._send(self._style.closing(), more=False)

    async def fail(self, error: Exception) -> None:
        """Writes what tells of a failure. Raises BrokenOff when nothing can."""
        failed = failure(error, self._call.request_id)
        last = None if isinstance(error, SubscriberTooSlow) else self._style.failed(failed)
        if last is None:
            raise BrokenOff(failed.reason) from error
        async with self._lock:
            await self._send(last, more=False)

    async def keep_alive(self) -> None:
        """Begins the body of a stream without answers, and says that it is alive whenever it is silent for long.

        A subscriber to what happens rarely must see the head at once, and one that is refused the refusal.
        """
        await asyncio.sleep(OPENING_SECONDS)
        async with self._lock:
            await self._begin()
        while True:
            await asyncio.sleep(max(0.0, self._written + IDLE_SECONDS - time.monotonic()))
            async with self._lock:
                if time.monotonic() >= self._written + IDLE_SECONDS:
                    await self._send(self._style.idle or b"")

    async def _begin(self) -> None:
        if not self.begun:
            call = self._call
            extra = (*call.response_metadata.items(), *call.own_metadata, (REQUEST_ID, call.request_id))
            await send_head(self._sender, 200, self._style.content_type, extra, security=self._security)
            self.begun = True
            await self._send(self._style.opening())

    async def _send(self, piece: bytes, *, more: bool = True) -> None:
        for start in range(0, len(piece) or 1, _PART_BYTES):
            end = start + _PART_BYTES
            async with self._unread.sending(self._call, len(piece) - start):
                last = end >= len(piece)
                body = piece if last and not start else piece[start:end]
                await self._sender(
                    {"type": "http.response.body", "body": body, "more_body": more or not last}
                )
        self._written = time.monotonic()


async def while_present(work: Coroutine[None, None, None], receive: Receive) -> None:
    """Does the work until it is done or the client has left."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(until_disconnected(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.wait({working, leaving})
    if not working.cancelled():
        working.result()
