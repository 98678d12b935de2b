"""What many have waited for wakes a few of them in each turn of the event loop."""

from __future__ import annotations

import asyncio
from functools import partial

from llm_schema_registry_server.storage.waking import AT_ONCE, in_turns


async def test_a_few_are_woken_in_each_turn_in_order() -> None:
    woken: list[int] = []
    in_turns([partial(woken.append, number) for number in range(3 * AT_ONCE + 1)])
    counts = [len(woken)]
    for _ in range(4):
        await asyncio.sleep(0)
        counts.append(len(woken))
    assert counts == [AT_ONCE, 2 * AT_ONCE, 3 * AT_ONCE, 3 * AT_ONCE + 1, 3 * AT_ONCE + 1]
    assert woken == list(range(3 * AT_ONCE + 1))


async def test_nobody_may_wait() -> None:
    in_turns([])
    await asyncio.sleep(0)
