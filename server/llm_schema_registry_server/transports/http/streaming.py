"""Writes a stream of answers into a response while it watches whether anyone is still there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterator
from contextlib import aclosing
from typing import Any

from ...calls.call import REQUEST_ID, Call
from ...calls.failure import failure
from ...errors import SubscriberTooSlow
from ...model.pushed import Pushed
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
    call.push, call.joins = body.push, True
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
    except asyncio.CancelledError:
        if (stalled := body.stalled) is None:
            raise
        await body.fail(stalled)
    finally:
        call.push = None
        await body.let_go()
        if ticking is not None:
            ticking.cancel()
            await asyncio.wait({ticking})
            if not ticking.cancelled():
                ticking.exception()  # a reader that stalls is noticed at the next answer too


class _Begun:
    """Something awaitable that has been begun by hand."""

    def __init__(self, rest: Iterator[Any], waits: Any) -> None:
        self._rest, self._waits = rest, waits

    def __await__(self) -> Generator[Any, None, None]:
        yield self._waits
        yield from self._rest


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
        self._writer = asyncio.current_task()
        self._held: asyncio.Task[None] | None = None  # waits for the reader to take what was pushed
        self.begun = False
        self.stalled: SubscriberTooSlow | None = None
        """Why the task that writes the body was cancelled: the reader does not take what was pushed."""

    async def item(self, answer: Answer) -> None:
        """Writes one answer."""
        async with self._lock:
            await self._begin()
            first, self._empty = self._empty, False
            await self._send(self._style.item(answer, first=first))

    def push(self, answer: Answer) -> Pushed:
        """Writes one answer without a task, as long as the reader takes them; `Call.push`."""
        if not self.begun or self.stalled is not None:
            return Pushed.UNFIT
        if self._held is not None or self._lock.locked():
            return Pushed.NOT_YET
        piece = self._style.item(answer, first=self._empty)
        if len(piece) > _PART_BYTES:
            return Pushed.UNFIT
        now = time.monotonic()
        if not self._unread.paced(len(piece), now):
            return Pushed.PACED
        self._empty = False
        sending = self._sender({"type": "http.response.body", "body": piece, "more_body": True}).__await__()
        try:
            waits = next(sending)
        except StopIteration:
            pass
        else:
            self._held = asyncio.create_task(self._hold(_Begun(sending, waits), len(piece)))
        self._written = now
        return Pushed.SENT

    async def let_go(self) -> None:
        """Ends what still waits for the reader."""
        if (held := self._held) is not None:
            held.cancel()
            await asyncio.wait({held})

    async def _hold(self, sending: _Begun, size: int) -> None:
        try:
            async with self._unread.sending(self._call, size):
                await sending
        except SubscriberTooSlow as error:
            self.stalled = error
            if self._writer is not None:
                self._writer.cancel()
        finally:
            self._held = None

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
        if self._held is not None:
            await asyncio.wait({self._held})
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
