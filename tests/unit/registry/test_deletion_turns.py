"""DeleteSubject of many versions gives others their turns: softly in one transaction, permanently in short ones."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest

from llm_schema_engines.model.compatibility import CompatibilityLevel
from llm_schema_registry_server.errors import NotSoftDeleted, SchemaNotFound
from llm_schema_registry_server.model.change import parse_revision
from llm_schema_registry_server.model.schema import SchemaVersion
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry import deletion
from llm_schema_registry_server.registry.fairness import Turns
from llm_schema_registry_server.storage.memory.writing import MemoryWriteTx
from tests.support.registry import ADMIN, World, world

S = Subject.parse("s")


async def fill(registry: World, count: int, subject: str = "s") -> None:
    for number in range(count):
        level = CompatibilityLevel.NONE if number == 0 else None
        await registry.register(subject, f"w{number}", level=level)


async def test_others_have_turns_while_a_subject_is_deleted_and_see_all_of_it_or_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world() as registry:
        await fill(registry, 20)
        seen = []

        async def other() -> None:
            while True:
                async with registry.store.read() as tx:
                    seen.append(len(await tx.versions(S)))
                await asyncio.sleep(0)

        monkeypatch.setattr(Turns, "due", True)
        running = asyncio.create_task(other())
        await registry.deletion.delete_subject(S, permanent=False, by=ADMIN)
        running.cancel()

    assert seen.count(20) >= 19
    assert set(seen) <= {20, 0}


async def test_a_permanent_deletion_is_made_of_short_transactions_and_others_write_between_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world() as registry:
        await fill(registry, 20)
        await registry.deletion.delete_subject(S, permanent=False, by=ADMIN)
        monkeypatch.setattr(deletion, "MOST_TOGETHER", 5)
        monkeypatch.setattr(Turns, "due", True)
        seen = []

        async def other() -> None:
            while True:
                async with registry.store.write() as tx:
                    seen.append(len(await tx.versions(S, include_deleted=True)))
                await asyncio.sleep(0)

        running = asyncio.create_task(other())
        removed, revision = await registry.deletion.delete_subject(S, permanent=True, by=ADMIN)
        running.cancel()
        async with registry.store.read() as tx:
            told = [c for c in await tx.changes(0, 1000) if c.metadata.get("permanent") == "true"]

    assert {15, 10, 5} <= set(seen) <= {20, 15, 10, 5, 0}
    assert [c.ordinal for c in told] == [v.ordinal for v in removed] == list(range(1, 21))
    assert parse_revision(registry.store.registry_id, revision) == told[-1].sequence


async def test_the_contents_that_are_removed_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as registry:
        await fill(registry, 6)
        await registry.deletion.delete_subject(S, permanent=False, by=ADMIN)
        monkeypatch.setattr(deletion, "MOST_BYTES_TOGETHER", 5)  # each has two
        parts = []

        async def removed(self: MemoryWriteTx, schema_ids: Collection[str]) -> None:
            parts.append(len(schema_ids))
            await remove_versions(self, schema_ids)

        remove_versions = MemoryWriteTx.remove_versions
        monkeypatch.setattr(MemoryWriteTx, "remove_versions", removed)
        await registry.deletion.delete_subject(S, permanent=True, by=ADMIN)

    assert parts == [2, 2, 2]


class Interrupted(Exception):
    """Instead of the next transaction."""


async def test_what_an_interrupted_permanent_deletion_has_left_is_softly_deleted_and_removed_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world() as registry:
        await fill(registry, 6)
        await registry.deletion.delete_subject(S, permanent=False, by=ADMIN)
        monkeypatch.setattr(deletion, "MOST_TOGETHER", 2)
        told: list[Subject] = []
        registry.coherence.listen(told.append)
        write, left = registry.store.write, iter([True])

        def once() -> object:
            if next(left, False):
                return write()
            raise Interrupted

        monkeypatch.setattr(registry.store, "write", once)
        with pytest.raises(Interrupted):
            await registry.deletion.delete_subject(S, permanent=True, by=ADMIN)
        monkeypatch.setattr(registry.store, "write", write)

        async with registry.store.read() as tx:
            versions = await tx.versions(S, include_deleted=True)
        assert [v.ordinal for v in versions] == [3, 4, 5, 6]
        assert not any(v.live for v in versions)
        assert told == [S]
        removed, _ = await registry.deletion.delete_subject(S, permanent=True, by=ADMIN)
        assert [v.ordinal for v in removed] == [3, 4, 5, 6]


async def test_a_version_that_is_brought_back_meanwhile_is_not_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world() as registry:
        await fill(registry, 4)
        versions, _ = await registry.deletion.delete_subject(S, permanent=False, by=ADMIN)
        monkeypatch.setattr(deletion, "MOST_TOGETHER", 2)
        last = versions[-1].schema_id

        async def forget(version: SchemaVersion) -> None:
            if version is not None and version.ordinal == 2:
                await registry.deletion.undelete(last, ADMIN)

        monkeypatch.setattr(registry.library.contents, "forget", forget)
        with pytest.raises(NotSoftDeleted, match=last):
            await registry.deletion.delete_subject(S, permanent=True, by=ADMIN)

        assert (await registry.reading.latest(S)).version.schema_id == last


async def test_a_subject_that_others_change_all_the_time_is_deleted_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world() as registry:
        await fill(registry, 3)
        tries = []

        async def refused(*_: object) -> None:
            tries.append(1)

        monkeypatch.setattr(registry.store, "hide", refused)
        deleted, _ = await registry.deletion.delete_subject(S, permanent=False, by=ADMIN)

        assert len(tries) == deletion.TRIES
        assert len(deleted) == 3
        async with registry.store.read() as tx:
            assert await tx.versions(S) == []


async def test_a_deletion_that_is_cancelled_on_the_way_leaves_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world() as registry:
        await fill(registry, 5)
        monkeypatch.setattr(Turns, "due", True)
        deleting = asyncio.create_task(registry.deletion.delete_subject(S, permanent=False, by=ADMIN))
        for _ in range(4):
            await asyncio.sleep(0)
        deleting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await deleting

        newest = (await registry.reading.latest(S)).version
        assert newest.ordinal == 5
        await registry.deletion.delete_subject(S, permanent=False, by=ADMIN)
        with pytest.raises(SchemaNotFound):
            await registry.deletion.delete(newest.schema_id, by=ADMIN)
