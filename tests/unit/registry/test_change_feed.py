"""A subscriber sees every change that it wants once, in order, wherever it starts and however slow it is."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from llm_schema_engines.model.compatibility import CompatibilityLevel
from llm_schema_registry_server.errors import InvalidRequest, RevisionUnknown, ShuttingDown
from llm_schema_registry_server.model.change import Change, EventType, format_revision
from llm_schema_registry_server.registry.subscribers import MOST_PENDING, ChangeFilter
from llm_schema_registry_server.registry.subscribing import Heartbeat
from tests.support.registry import ADMIN, World

ALL = ChangeFilter.of([], [])


async def take(stream: AsyncGenerator[Change | Heartbeat, None], count: int) -> list[Change]:
    found: list[Change] = []
    while len(found) < count:
        item = await anext(stream)
        if isinstance(item, Change):
            found.append(item)
    return found


async def many(registry: World, count: int, subject: str = "s") -> None:
    for i in range(count):
        await registry.register(subject, f"w{i}", level=CompatibilityLevel.NONE if i == 0 else None)


async def test_from_the_earliest_revision_everything_is_replayed_then_live(registry: World) -> None:
    await many(registry, 20)
    async with aclosing(registry.subscribing(ALL, "earliest", None)) as stream:
        old = await take(stream, 21)  # the first registration also set the level
        following = asyncio.create_task(take(stream, 1))
        done = await registry.register("other", "x")

        (new,) = await following

    assert [c.sequence for c in old] == [c.sequence for c in (await registry.changes())[:21]]
    assert new.schema_id == done.version.schema_id


async def test_resuming_after_any_revision_gives_exactly_what_follows(registry: World) -> None:
    await many(registry, 12)
    everything = await registry.changes()

    for i, change in enumerate(everything[:-1]):
        revision = format_revision(registry.store.registry_id, change.sequence)
        async with aclosing(registry.subscribing(ALL, revision, None)) as stream:
            assert await take(stream, len(everything) - i - 1) == everything[i + 1 :]


async def test_without_a_revision_only_what_comes_is_sent(registry: World) -> None:
    await many(registry, 3)
    stream = registry.subscribing(ALL, "", 60.0)
    async with aclosing(stream):
        assert isinstance(await anext(stream), Heartbeat)
        done = await registry.register("other", "x")

        assert (await take(stream, 1))[0].schema_id == done.version.schema_id


async def test_filters_by_name_pattern_and_kind(registry: World) -> None:
    for subject in ("com.a.x", "com.a.y", "com.b.x", "org"):
        await registry.register(subject, "w")
    done = await registry.register("com.a.x", "w v")
    await registry.deletion.delete(done.version.schema_id, by=ADMIN)

    async def seen(subjects: list[str], kinds: list[EventType], count: int) -> list[str]:
        async with aclosing(
            registry.subscribing(ChangeFilter.of(subjects, kinds), "earliest", None)
        ) as stream:
            return [str(c.subject) for c in await take(stream, count)]

    assert await seen(["com.a.*"], [], 4) == ["com.a.x", "com.a.y", "com.a.x", "com.a.x"]
    assert await seen(["org", "com.?.y"], [], 2) == ["com.a.y", "org"]
    assert await seen([], [EventType.SCHEMA_DELETED], 1) == ["com.a.x"]


async def test_a_live_filter_lets_through_only_what_is_wanted(registry: World) -> None:
    stream = registry.subscribing(ChangeFilter.of(["a.*", "b"], [EventType.SCHEMA_REGISTERED]), "", 60.0)
    async with aclosing(stream):
        await anext(stream)
        for subject in ("x", "a.1", "b", "bb", "a.2"):
            await registry.register(subject, "w")

        assert [str(c.subject) for c in await take(stream, 3)] == ["a.1", "b", "a.2"]


@pytest.mark.slow
async def test_a_slow_subscriber_misses_nothing(registry: World) -> None:
    stream = registry.subscribing(ALL, "", 60.0)
    async with aclosing(stream):
        await anext(stream)
        following = asyncio.create_task(take(stream, 1))
        await registry.register("s", "first", level=CompatibilityLevel.NONE)
        await following
        # It takes nothing for longer than may wait for it and than the ring holds.
        await many(registry, MOST_PENDING + 50, "t")
        everything = await registry.changes()

        assert await take(stream, len(everything) - 1) == everything[1:]


@pytest.mark.slow
async def test_heartbeats_come_when_asked_for_and_carry_a_revision(registry: World) -> None:
    with pytest.raises(InvalidRequest):
        await anext(registry.subscribing(ALL, "", 0.1))
    await many(registry, 2)
    stream = registry.subscribing(ALL, "", 1.0)
    async with aclosing(stream):
        first, second = await anext(stream), await anext(stream)

    assert first == second == Heartbeat((await registry.changes())[-1].sequence)


async def test_closing_ends_subscribers_with_the_place_to_resume(registry: World) -> None:
    await many(registry, 2)
    async with aclosing(registry.subscribing(ALL, "earliest", None)) as stream:
        last = (await take(stream, 3))[-1]
        following = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        registry.feed.close()

        with pytest.raises(ShuttingDown) as end:
            await following

    assert end.value.metadata["revision"] == format_revision(registry.store.registry_id, last.sequence)


@pytest.mark.parametrize("revision", ["junk", "00000000.0000000000000001"])
async def test_a_foreign_revision_is_refused(registry: World, revision: str) -> None:
    with pytest.raises(RevisionUnknown):
        await anext(registry.subscribing(ALL, revision, None))


async def test_a_revision_from_the_future_is_refused(registry: World) -> None:
    with pytest.raises(RevisionUnknown):
        await anext(registry.subscribing(ALL, format_revision(registry.store.registry_id, 10**6), None))


async def test_a_thousand_subscribers_get_what_they_want_and_nothing_else(registry: World) -> None:
    streams = [
        registry.subscribing(ChangeFilter.of([f"team{i}.*"], [EventType.SCHEMA_REGISTERED]), "", 600.0)
        for i in range(1000)
    ]
    for stream in streams:
        await anext(stream)
    waiting = [asyncio.create_task(take(stream, 1)) for stream in streams]

    for i in range(0, 1000, 10):
        await registry.register(f"team{i}.orders", "w")
    got = await asyncio.gather(*waiting[::10])

    assert [str(changes[0].subject) for changes in got] == [f"team{i}.orders" for i in range(0, 1000, 10)]
    assert not any(w.done() for i, w in enumerate(waiting) if i % 10)
    for w in waiting:
        w.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for stream in streams:
        await stream.aclose()
    assert registry.feed.subscribers == 0
