"""Warming: what is read most is ready first; a server is ready in the end whatever the store does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry_server.errors import StorageUnavailable
from llm_schema_registry_server.model.health import Component, ComponentStatus
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.model.usage import Uses
from llm_schema_registry_server.registry import warming
from llm_schema_registry_server.registry.reading import FoundSchema
from llm_schema_registry_server.registry.registration import Registration
from llm_schema_registry_server.registry.warming import Warmed, Warming
from llm_schema_registry_server.storage.memory import MemoryStore
from llm_schema_registry_server.storage.memory.reading import MemoryReadTx
from tests.support.registry import WRITER, World
from tests.support.storage import START
from tests.support.waiting import until


class Store(MemoryStore):
    """One whose readers can be refused or kept waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.hangs = asyncio.Event()
        self.hangs.set()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[MemoryReadTx]:
        await self.hangs.wait()
        if self.away:
            raise StorageUnavailable("away")
        async with super().read() as tx:
            yield tx


class Answers:
    """Remembers what was kept: (schema id, latest)."""

    def __init__(self, room: int = 1000) -> None:
        self.kept: list[tuple[str, bool]] = []
        self._room = room

    @property
    def room(self) -> bool:
        return len(self.kept) < self._room

    def begin(self) -> int:
        return 7

    def keep(self, token: int, found: FoundSchema, *, latest: bool) -> None:
        assert token == 7
        assert found.content
        self.kept.append((found.version.schema_id, latest))


class Starting:
    """A registry that is about to warm."""

    def __init__(self, world: World, **options: float) -> None:
        self.world, self.answers, self.ended = world, Answers(), list[Warmed]()
        self.warming = self.make(**options)

    def make(self, schemas: int = 100, seconds: float = 30) -> Warming:
        return Warming(
            self.world.store,
            self.world.library,
            self.world.validating,
            self.answers,
            schemas=schemas,
            seconds=seconds,
            on_end=self.ended.append,
        )


async def registered(world: World, subject: str, content: str) -> str:
    done = await world.register_(
        Registration(Subject.parse(subject), SchemaType.JSON, content.encode()), WRITER
    )
    return done.version.schema_id


async def used(world: World, uses: dict[str, Uses]) -> None:
    async with world.store.write() as tx:
        await tx.record_usage(uses, START)


async def starting(**options: float) -> tuple[Starting, list[str]]:
    """With four versions of two subjects, the first of them read least."""
    store = Store()
    await store.open()
    world = World(store)
    ids = [
        await registered(world, subject, content)
        for subject, content in (("a", "one"), ("a", "one two"), ("b", "three"), ("b", "three four"))
    ]
    await used(world, {schema_id: Uses(10**n) for n, schema_id in enumerate(ids)})
    fresh = World(store)
    return Starting(fresh, **options), ids


async def test_a_server_without_counts_is_ready_at_once() -> None:
    store = Store()
    await store.open()
    made = Starting(World(store))
    await made.warming.start()

    assert (await made.warming.probe()).status is ComponentStatus.UP
    assert made.answers.kept == []
    assert [(e.schemas, e.wanted, e.trouble) for e in made.ended] == [(0, 0, "")]


async def test_what_is_read_most_is_loaded_with_the_latest_of_its_subjects() -> None:
    made, ids = await starting(schemas=3)
    await made.warming.start()

    assert [i for i, latest in made.answers.kept if not latest] == [ids[3], ids[2], ids[1]]
    assert sorted(i for i, latest in made.answers.kept if latest) == sorted([ids[1], ids[3]])
    assert (await made.warming.probe()).details["schemas"] == "3"
    before = made.world.library.stats()["contents"]
    await made.world.reading.by_id(ids[3])
    assert made.world.library.stats()["contents"].misses == before.misses


async def test_validators_of_what_is_validated_are_compiled() -> None:
    made, ids = await starting()
    await used(made.world, {ids[0]: Uses(0, 1)})
    await made.warming.start()

    assert made.world.library.stats()["validators"].entries == 1


async def test_it_ends_when_memory_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "BATCH", 1)
    made, ids = await starting()
    made.answers = Answers(room=1)
    made.warming = made.make()
    await made.warming.start()

    assert [e.schemas for e in made.ended] == [1]
    assert {i for i, _ in made.answers.kept} == {ids[3]}


async def test_a_store_that_comes_back_is_read_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(warming, "AT_ONCE_SECONDS", 0.05)
    made, ids = await starting()
    store = made.world.store
    assert isinstance(store, Store)
    store.away = True
    await made.warming.start()
    meanwhile = await made.warming.probe()
    store.away = False

    async def ended() -> bool:
        return bool(made.ended)

    await until(ended)

    assert meanwhile.status is ComponentStatus.DOWN
    assert [(e.schemas, e.trouble) for e in made.ended] == [(len(ids), "")]


async def test_a_store_that_hangs_makes_a_cold_server_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "AT_ONCE_SECONDS", 5)
    made, _ = await starting(seconds=0.05)
    store = made.world.store
    assert isinstance(store, Store)
    store.hangs.clear()
    await made.warming.start()

    assert (await made.warming.probe()).status is ComponentStatus.UP
    assert [(e.schemas, e.trouble) for e in made.ended] == [(0, "not done within 0.05 s")]


async def test_it_says_how_far_it_is_and_can_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "AT_ONCE_SECONDS", 0)
    made, _ = await starting()
    store = made.world.store
    assert isinstance(store, Store)
    store.hangs.clear()
    await made.warming.start()
    assert await made.warming.probe() == Component(ComponentStatus.DOWN, "warming: asking what is read most")
    await made.warming.stop()

    assert made.ended == []
