"""Work that must not stop halfway when the task that awaits it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def run_to_completion(work: Awaitable[T], on_cancel: Callable[[], None] | None = None) -> T:
    """Await `work` until it is done, even when the caller is cancelled: then the cancellation is raised afterwards.

    on_cancel: called once when the caller is cancelled, for instance to make the work end sooner.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if on_cancel is not None:
            on_cancel()
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                continue
        if not task.cancelled():
            task.exception()  # retrieved: the caller gets the cancellation instead
        raise
