"""DeleteSubject of many versions gives others their turns, and is one transaction all the same."""

from __future__ import annotations

import asyncio

import pytest

from llm_schema_engines.model.compatibility import CompatibilityLevel
from llm_schema_registry_server.errors import SchemaNotFound
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry.fairness import Turns
from tests.support.registry import ADMIN, world


async def test_others_have_turns_while_a_subject_is_deleted_and_see_all_of_it_or_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world() as registry:
        for number in range(20):
            level = CompatibilityLevel.NONE if number == 0 else None
            await registry.register("s", f"w{number}", level=level)
        subject, seen = Subject.parse("s"), []

        async def other() -> None:
            while True:
                async with registry.store.read() as tx:
                    seen.append(len(await tx.versions(subject)))
                await asyncio.sleep(0)

        monkeypatch.setattr(Turns, "due", True)
        running = asyncio.create_task(other())
        await registry.deletion.delete_subject(subject, permanent=False, by=ADMIN)
        soft, seen = seen, []
        await registry.deletion.delete_subject(subject, permanent=True, by=ADMIN)
        running.cancel()

    assert soft.count(20) >= 19
    assert set(soft) <= {20, 0}
    assert len(seen) >= 19


async def test_a_deletion_that_is_cancelled_on_the_way_leaves_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world() as registry:
        for number in range(5):
            level = CompatibilityLevel.NONE if number == 0 else None
            done = await registry.register("s", f"w{number}", level=level)
        monkeypatch.setattr(Turns, "due", True)
        deleting = asyncio.create_task(
            registry.deletion.delete_subject(Subject.parse("s"), permanent=False, by=ADMIN)
        )
        for _ in range(4):
            await asyncio.sleep(0)
        deleting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await deleting

        assert (await registry.reading.latest(Subject.parse("s"))).version == done.version
        await registry.deletion.delete_subject(Subject.parse("s"), permanent=False, by=ADMIN)
        with pytest.raises(SchemaNotFound):
            await registry.deletion.delete(done.version.schema_id, by=ADMIN)
