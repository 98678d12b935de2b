"""Writes a stream of answers into a response while it watches whether anyone is still there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing

from google.protobuf.message import Message

from ...calls.call import REQUEST_ID, Call
from ...calls.failure import failure
from ..stall import ReaderStalled
from .asgi import Receive, Send, send_head, until_disconnected
from .styles import Style

IDLE_SECONDS = 15.0
"""After this long without an answer a stream that can says that it is alive; proxies cut silent ones at 30 s or more."""


OPENING_SECONDS = 0.2
"""A live stream that has not failed within this long has begun."""


class BrokenOff(Exception):
    """A body that has begun cannot be finished, and its style has no word for it: the connection must break."""


async def write_stream(
    answers: AsyncGenerator[Message, None], call: Call, style: Style, send: Send, *, stall_seconds: float
) -> None:
    """Writes all answers. What fails before the first one is raised; what fails later is told in the body's own way."""
    async with aclosing(answers):
        begun = False
        try:
            async for answer in with_idle(answers, IDLE_SECONDS if style.idle is not None else None):
                if not begun:
                    await _begin(send, call, style)
                piece = style.idle if answer is None else style.item(answer, first=not begun)
                begun = True
                await _send(send, piece or b"", stall_seconds)
        except Exception as error:
            if not begun:
                raise
            told = failure(error, call.request_id)
            last = None if isinstance(error, ReaderStalled) else style.failed(told)
            if last is None:
                raise BrokenOff(told.reason) from error
            await _send(send, last, stall_seconds, more=False)
            return
        if not begun:
            await _begin(send, call, style)
        await _send(send, style.closing(), stall_seconds, more=False)


async def with_idle(
    answers: AsyncGenerator[Message, None], idle_seconds: float | None
) -> AsyncGenerator[Message | None, None]:
    """The answers, and None whenever none came for `idle_seconds`, the first time sooner.

    A subscriber to what happens rarely must see the head of its response at once, and one that is refused the refusal.
    """
    following: asyncio.Task[Message] | None = None
    wait = None if idle_seconds is None else OPENING_SECONDS
    try:
        while True:
            following = following or asyncio.create_task(_next(answers))
            done, _ = await asyncio.wait({following}, timeout=wait)
            if not done:
                yield None
                continue
            try:
                answer = following.result()
            except _Exhausted:
                return
            following, wait = None, idle_seconds
            yield answer
    finally:
        if following is not None and not following.done():
            following.cancel()
            await asyncio.wait({following})


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


class _Exhausted(Exception):
    """StopAsyncIteration cannot leave a task."""


async def _next(answers: AsyncGenerator[Message, None]) -> Message:
    try:
        return await anext(answers)
    except StopAsyncIteration:
        raise _Exhausted from None


async def _begin(send: Send, call: Call, style: Style) -> None:
    extra = (*call.response_metadata.items(), (REQUEST_ID, call.request_id))
    await send_head(send, 200, style.content_type, extra)
    await send({"type": "http.response.body", "body": style.opening(), "more_body": True})


async def _send(send: Send, piece: bytes, stall_seconds: float, *, more: bool = True) -> None:
    try:
        async with asyncio.timeout(stall_seconds):
            await send({"type": "http.response.body", "body": piece, "more_body": more})
    except TimeoutError as error:
        raise ReaderStalled(stall_seconds) from error
