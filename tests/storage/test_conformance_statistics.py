"""Every back end: the same statistics of the same registry, kept for all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from llm_schema_engines.model.compatibility import CompatibilityLevel
from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry_server.model.lifecycle import SchemaState
from llm_schema_registry_server.model.statistics import (
    DAYS,
    TOP,
    ContentSizes,
    Group,
    LogSize,
    Statistics,
    SubjectSize,
)
from llm_schema_registry_server.storage.counting import ELSEWHERE
from llm_schema_registry_server.storage.store import Store
from tests.support.storage import START, change, content, insert, register, seen, version

NOW = START + timedelta(days=2)


async def count(store: Store, at: datetime = NOW) -> Statistics:
    async with store.read() as tx:
        return await tx.count_everything(at, 30)


async def test_of_an_empty_registry(store: Store) -> None:
    found = await count(store)

    days = tuple((date(2025, 12, 6) + timedelta(days=n), 0) for n in range(DAYS))
    assert found == Statistics(
        NOW, 0, 0, 0, 0, {}, {}, {}, (), (), (), days, ContentSizes(), LogSize(0, None, None)
    )


async def test_versions_by_type_state_and_level(store: Store) -> None:
    await insert(
        store,
        version("a", 1, schema_type=SchemaType.AVRO, state=SchemaState.DEPRECATED),
        version("a", 2, schema_type=SchemaType.AVRO, level=CompatibilityLevel.FULL_TRANSITIVE),
        version("b", 1, schema_type=SchemaType.PROTOBUF, deleted_at=START),
        version("c", 1),
        version("c", 2, deleted_at=START, level=CompatibilityLevel.NONE),
    )

    found = await count(store)

    assert (found.versions, found.deleted_versions, found.subjects, found.deleted_subjects) == (3, 2, 2, 1)
    assert found.by_type == {SchemaType.JSON: 1, SchemaType.AVRO: 2}
    assert found.by_state == {SchemaState.ACTIVE: 2, SchemaState.DEPRECATED: 1}
    assert found.by_level == {CompatibilityLevel.BACKWARD: 2, CompatibilityLevel.FULL_TRANSITIVE: 1}


async def test_contexts_and_prefixes(store: Store) -> None:
    subjects = [
        "team/orders", "team/items", "team.x", "a:b", "plain", ":odd", ":.ctx:team/orders", ":.ctx:plain",
        ":.ctx:.hidden", ":.other:a.b.c", "münchen/straße", "team_x-value",
    ]  # fmt: skip
    await insert(store, *(version(subject, 1) for subject in subjects), version("team/items", 2))
    await insert(store, version("gone/x", 1, deleted_at=START))

    found = await count(store)

    assert found.contexts == (Group(".", 8, 9), Group(".ctx", 3, 3), Group(".other", 1, 1))
    assert found.prefixes == (
        Group("team/", 2, 3),
        Group(":", 1, 1),
        Group(":.ctx:.", 1, 1),
        Group(":.ctx:team/", 1, 1),
        Group(":.other:a.", 1, 1),
        Group("a:", 1, 1),
        Group("münchen/", 1, 1),
        Group("team.", 1, 1),
    )


async def test_the_largest_subjects(store: Store) -> None:
    small = [version(f"s{n:02}", 1, size=n) for n in range(TOP + 5)]
    await insert(store, *small, *(version("Zeta", n, size=10) for n in (1, 2, 3)))
    await insert(store, version("s07", 2, deleted_at=START, size=1000), version("alpha", 1, deleted_at=START))

    found = await count(store)

    assert found.largest[:3] == (
        SubjectSize("Zeta", 3, 0, 30),
        SubjectSize("s07", 2, 1, 1007),
        SubjectSize("alpha", 1, 1, 2),
    )
    assert [s.subject for s in found.largest[3:]] == [f"s{n:02}" for n in range(TOP - 2) if n != 7]


async def test_versions_by_the_day_they_were_made(store: Store) -> None:
    midnight = datetime(2026, 1, 4, tzinfo=UTC)
    made = [
        midnight - timedelta(microseconds=1), midnight, midnight + timedelta(hours=23), midnight - timedelta(days=29),
        midnight - timedelta(days=29, microseconds=1), midnight - timedelta(days=400),
    ]  # fmt: skip
    await insert(store, *(version("a", n, created_at=at) for n, at in enumerate(made, 1)))
    await insert(store, version("b", 1, created_at=midnight, deleted_at=midnight))

    found = await count(store)

    counts = dict(found.registered)
    assert [day for day, _ in found.registered] == sorted(counts)
    assert {day: n for day, n in counts.items() if n} == {
        date(2025, 12, 6): 1,
        date(2026, 1, 3): 1,
        date(2026, 1, 4): 3,
    }


async def test_bytes_of_contents_and_where_they_are(store: Store) -> None:
    here, moved, large = content("ab c", b"xyz"), content("", b""), content("z" * 5000)
    moved = replace(moved, content=ELSEWHERE + b"!" * 9, canonical=ELSEWHERE, artifact=b"q")
    async with store.write() as tx:
        for number, (identity, kept, size) in enumerate(
            [("i1", here, 4), ("i2", moved, 70_000), ("i3", large, 5000)], 1
        ):
            await tx.put_content(identity, kept)
            for subject in ("a", "b"):
                made = version(subject, number, identity=identity, size=size)
                await tx.insert_version(made, ())

    found = await count(store)

    assert found.contents == ContentSizes(
        3, 4 + 70_000 + 5000, 70_000, (4 + 3 + 3) + (10 + 1 + 1) + (5000 + 5000)
    )


async def test_the_change_log(store: Store) -> None:
    async with store.write() as tx:
        for day in (0, 1):
            await tx.append_change(change(at=START + timedelta(days=day)))
        last = await tx.append_change(change(at=START - timedelta(days=1)))
    await seen(store, last)

    assert (await count(store)).log == LogSize(3, START, START - timedelta(days=1))

    async with store.write() as tx:
        await tx.compact_changes(last)
    assert (await count(store)).log == LogSize()


async def test_a_view_counts_what_it_sees(store: Store) -> None:
    async with store.write() as tx:
        await register(tx, "one")
    async with store.read() as early:
        async with store.write() as tx:
            await register(tx, "two")
        before = await early.count_everything(NOW, 30)
    after = await count(store)

    assert (before.subjects, after.subjects) == (1, 2)
    assert (before.versions, after.versions) == (1, 2)


async def test_what_is_kept_is_read_again(store: Store) -> None:
    async with store.write() as tx:
        await register(tx, "team/orders")
        await register(tx, ":.ctx:orders", '{"type": "object"}')
    found = await count(store, NOW)
    async with store.read() as reading:
        assert await reading.statistics() is None

    for kept in (found, replace(found, at=NOW - timedelta(microseconds=1), subjects=17)):
        async with store.write() as tx:
            await tx.save_statistics(kept)
        async with store.read() as reading:
            assert await reading.statistics() == kept
