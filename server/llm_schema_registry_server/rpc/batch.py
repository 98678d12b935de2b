"""Bidirectional streams: one answer per request, in order, several under way at once, never more than a window.

What is wrong with one request is told in its answer, and the others are answered all the same.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeVar

from ..errors import RegistryError

Q = TypeVar("Q")
A = TypeVar("A")

WINDOW = 16
"""Requests taken from the stream and not answered yet. A client that does not read its answers is not read either."""


async def in_order(
    requests: AsyncIterator[Q], answer: Callable[[Q, int], Awaitable[A]]
) -> AsyncGenerator[A, None]:
    """Yield `answer(request, index)` for each request. What `answer` raises ends the stream.

    An answer that is ready is sent without waiting for another request: a client may wait for it before it sends more.
    """
    window: deque[asyncio.Task[A]] = deque()
    source = aiter(requests)
    following: asyncio.Task[tuple[Q] | None] | None = None
    index = 0
    done = False
    try:
        while not done or window:
            if following is None and not done and len(window) < WINDOW:
                following = asyncio.create_task(_next(source))
            waiting: set[asyncio.Task[tuple[Q] | None] | asyncio.Task[A]] = set()
            if following is not None:
                waiting.add(following)
            if window:
                waiting.add(window[0])
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if following is not None and following.done():
                taken = following.result()
                following = None
                if taken is None:
                    done = True
                else:
                    window.append(asyncio.create_task(_answer(answer, taken[0], index)))
                    index += 1
            while window and window[0].done():
                yield window.popleft().result()
    finally:
        left = [*window, *([following] if following is not None else [])]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def each(
    answer: Callable[[Q], Awaitable[A]], refused: Callable[[Q | None, Exception], A]
) -> Callable[[Q | RegistryError, int], Awaitable[A]]:
    """For `in_order`: `answer` where it succeeds, `refused` where the request could not be read (None) or `answer` fails."""

    async def one(request: Q | RegistryError, index: int) -> A:
        if isinstance(request, RegistryError):
            return refused(None, request)
        try:
            return await answer(request)
        except Exception as error:
            return refused(request, error)

    return one


async def _next(source: AsyncIterator[Q]) -> tuple[Q] | None:
    """The next request, wrapped; None at the end of the stream."""
    async for request in source:
        return (request,)
    return None


async def _answer(answer: Callable[[Q, int], Awaitable[A]], request: Q, index: int) -> A:
    return await answer(request, index)
