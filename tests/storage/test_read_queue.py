"""Lists and searches never keep look-ups waiting, nor one caller's those of another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llm_schema_registry_server.errors import LimitExceeded
from llm_schema_registry_server.queues import caller as callers
from llm_schema_registry_server.queues.caller import Caller
from llm_schema_registry_server.queues.fair_queue import QueueLimits, Queues
from llm_schema_registry_server.queues.history import CostHistory
from llm_schema_registry_server.storage.read_queue import ReadQueue
from llm_schema_registry_server.storage.sqlite.store import SqliteStore


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    queues = Queues(QueueLimits(wait_seconds=0.2))
    made = SqliteStore(tmp_path / "registry.db", synchronous="normal", queues=queues)
    await made.open()
    yield made
    await made.close()


async def search(store: SqliteStore, caller: str, until: asyncio.Event) -> None:
    callers.bind(Caller(caller))
    async with store.read_elsewhere():
        await until.wait()


async def test_eight_searches_that_take_long_leave_readers_for_look_ups(store: SqliteStore) -> None:
    done = asyncio.Event()
    searches = [asyncio.create_task(search(store, f"10.0.0.{n}", done)) for n in range(8)]
    await asyncio.sleep(0.01)
    callers.bind(Caller("10.0.1.1"))
    for _ in range(3):
        async with store.read() as tx:
            assert await tx.registry_id() == store.registry_id
    outcomes = await asyncio.wait_for(asyncio.wait(searches, timeout=0.5), 5)
    done.set()

    refused = [task.exception() for task in outcomes[0]]
    assert [type(error) for error in refused] == [LimitExceeded] * 6  # after queues.wait_seconds
    await asyncio.gather(*searches, return_exceptions=True)


async def test_a_caller_whose_searches_were_dear_leaves_room_for_those_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue, release = ReadQueue("test", 4, 2), asyncio.Event()
    # Whatever it takes is dear, and remembered for as long as anything is: not for fifty times the microseconds that it took.
    monkeypatch.setattr(queue, "_history", CostHistory(0.0, share=1e12))
    entered: list[str] = []

    async def read(caller: str, *, wait: bool = True) -> None:
        callers.bind(Caller(caller))
        async with queue.turn(lists=True):
            entered.append(caller)
            if wait:
                await release.wait()

    for name in ("dear 1", "dear 2"):
        await asyncio.create_task(read(name, wait=False))
    entered.clear()
    tasks = [asyncio.create_task(read(name)) for name in ("dear 1", "dear 2", "dear 1", "new")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert entered == ["dear 1", "new"]
    release.set()
    await asyncio.gather(*tasks)
