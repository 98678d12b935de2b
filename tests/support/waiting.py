"""Waiting for another process to get somewhere: the condition decides, and the test's own time-out ends a broken test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return once `condition` answers True."""
    while not await condition():  # noqa: ASYNC110  # another process has no asyncio.Event
        await asyncio.sleep(0.01)


async def listening(port: int) -> bool:
    """Whether something on this machine takes connections at `port`."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
