"""The recorder of usage: what was counted reaches the store once, or waits, or is known to be given up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from llm_schema_registry_server.errors import StorageUnavailable
from llm_schema_registry_server.model.health import Component, ComponentStatus
from llm_schema_registry_server.model.schema import SchemaVersion
from llm_schema_registry_server.model.usage import Uses
from llm_schema_registry_server.registry.usage import UsageCounts, UsageRecorder
from llm_schema_registry_server.storage.memory import MemoryStore
from llm_schema_registry_server.storage.memory.writing import MemoryWriteTx
from tests.support.storage import START, insert, version


class Store(MemoryStore):
    """One that can be away for writers."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.writes = 0

    @asynccontextmanager
    async def write(self) -> AsyncIterator[MemoryWriteTx]:
        self.writes += 1
        async with super().write() as tx:
            yield tx
            if self.away:
                raise StorageUnavailable("away")


class World:
    """A recorder with its store, and what the calls have counted."""

    def __init__(self, store: Store, most_waiting: int = 100) -> None:
        self.store = store
        self.read: list[tuple[str, int]] = []
        self.recorder = UsageRecorder(
            store,
            self._readings,
            lambda: START,
            every_seconds=3600,
            most_waiting=most_waiting,
        )

    def _readings(self) -> Iterator[tuple[str, int]]:
        read, self.read = self.read, []
        return iter(read)

    async def stored(self) -> dict[str, Uses]:
        async with self.store.read() as tx:
            return {u.schema_id: u.uses for u in await tx.most_used(1000)}


@pytest_asyncio.fixture
async def versions() -> list[SchemaVersion]:
    return [version("orders", n + 1, schema_id=f"id {n}") for n in range(8)]


@pytest_asyncio.fixture
async def world(versions: list[SchemaVersion]) -> World:
    store = Store()
    await store.open()
    await insert(store, *versions)
    store.writes = 0
    return World(store)


async def test_reads_and_validations_are_added(world: World) -> None:
    world.read = [("id 1", 3), ("id 2", 1), ("id 1", 4)]
    for schema_id in ("id 1", "id 3", "id 3"):
        world.recorder.validated(schema_id)
    await world.recorder.flush()
    world.read = [("id 1", 1)]
    await world.recorder.flush()

    assert await world.stored() == {"id 1": Uses(8, 1), "id 2": Uses(1), "id 3": Uses(0, 2)}
    assert world.recorder.stats() == UsageCounts(recorded=12, dropped=0, waiting=0)


async def test_nothing_is_written_when_nothing_was_read(world: World) -> None:
    await world.recorder.flush()

    assert world.store.writes == 0


async def test_many_schemas_go_in_several_transactions(world: World) -> None:
    versions = [version("invoices", n + 1, schema_id=f"invoice {n}") for n in range(1200)]
    await insert(world.store, *versions)
    world.store.writes = 0
    wide = World(world.store, most_waiting=2000)
    wide.read = [(v.schema_id, 1) for v in versions]
    await wide.recorder.flush()

    assert wide.store.writes == 3
    assert wide.recorder.stats().recorded == 1200


async def test_counts_wait_for_a_store_that_is_away(world: World) -> None:
    world.store.away = True
    for _ in range(2):
        world.read = [("id 1", 2)]
        await world.recorder.work.run_once()
    waiting, health = world.recorder.stats(), await world.recorder.probe()
    world.store.away = False
    await world.recorder.work.run_once()

    assert waiting == UsageCounts(recorded=0, dropped=0, waiting=1)
    assert health == Component(ComponentStatus.UP, details={"waiting": "1", "trouble": "away"})
    assert "trouble" not in (await world.recorder.probe()).details
    assert await world.stored() == {"id 1": Uses(4)}


async def test_what_waits_is_bounded(world: World) -> None:
    small = World(world.store, most_waiting=2)
    world.store.away = True
    small.read = [("id 1", 1), ("id 2", 1), ("id 3", 5), ("id 1", 1)]
    with pytest.raises(StorageUnavailable):
        await small.recorder.flush()
    for schema_id in ("id 4", "id 5", "id 6", "id 4"):
        small.recorder.validated(schema_id)
    world.store.away = False
    await small.recorder.flush()

    assert await small.stored() == {"id 1": Uses(2), "id 2": Uses(1)}
    assert small.recorder.stats() == UsageCounts(recorded=3, dropped=5 + 1 + 3, waiting=0)


async def test_what_is_left_is_added_at_the_end(world: World) -> None:
    world.recorder.start()
    world.read = [("id 1", 1)]
    await world.recorder.stop()

    assert await world.stored() == {"id 1": Uses(1)}


async def test_a_store_that_hangs_does_not_hold_up_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.recorder.work, "_stop_seconds", 0.05)
    async with world.store.write():  # nobody else gets a turn
        world.recorder.start()
        world.read = [("id 1", 1)]
        await world.recorder.stop()

    assert await world.stored() == {}
