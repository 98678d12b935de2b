"""Records of refused calls: bounded in memory and on the disk, however many calls there are; nothing is dropped unsaid."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from llm_schema_registry_server.audit.trail import ALIKE, Trail
from llm_schema_registry_server.errors import StorageUnavailable
from llm_schema_registry_server.model.audit import AuditEntry, AuditEvent, decode
from llm_schema_registry_server.storage.memory import MemoryStore
from llm_schema_registry_server.storage.store import Store
from tests.support.audit import entry
from tests.support.storage import START


@pytest_asyncio.fixture
async def store() -> AsyncIterator[MemoryStore]:
    made = MemoryStore()
    await made.open()
    yield made
    await made.close()


async def written(store: Store) -> list[AuditEntry]:
    async with store.write() as tx:
        return [decode(noted.entry) for noted in await tx.take_audit(100_000)]


def trail(store: Store, most: int = 100_000) -> Trail:
    return Trail(store, lambda: START, most=most)


def call(made: Trail, number: int, who: str, name: str) -> None:
    """What the guard does with a refused call."""
    event = AuditEvent.AUTHORIZATION_DENIED
    alike = (event, (who, event), (who, event, name))
    if not made.counted(alike):
        made.add(entry(number, principal=who, event=event), alike)


async def test_calls_alike_are_few_records_that_count_them_all(store: MemoryStore) -> None:
    made = trail(store)
    for number in range(1000):
        call(made, number, "mallory", "same")
    await made.flush()

    records = await written(store)
    assert len(records) == ALIKE[0] + 1
    assert sum(record.count for record in records) == 1000
    assert [r.count for r in records] == [1] * ALIKE[0] + [1000 - ALIKE[0]]
    assert [r.request_id for r in records] == [f"request-{n}" for n in range(ALIKE[0] + 1)]


async def test_one_caller_does_not_get_many_records_by_asking_differently(store: MemoryStore) -> None:
    made = trail(store)
    for number in range(5000):
        call(made, number, "mallory", f"name-{number}")
    call(made, 1, "bob", "once")
    await made.flush()

    records = await written(store)
    assert len(records) == ALIKE[1] + 1 + 1
    summary = records[ALIKE[1]]
    assert (summary.principal, summary.resources, summary.operation) == ("mallory", (), "")
    assert sum(record.count for record in records) == 5001
    assert records[-1].principal == "bob"


async def test_many_callers_do_not_either(store: MemoryStore) -> None:
    made = trail(store)
    for number in range(5000):
        call(made, number, f"mallory-{number}", "name")
    await made.flush()

    records = await written(store)
    assert len(records) == ALIKE[2] + 1
    assert (records[-1].principal, records[-1].address) == ("", "")
    assert sum(record.count for record in records) == 5000


async def test_after_a_flush_each_is_recorded_again(store: MemoryStore) -> None:
    made = trail(store)
    for _ in range(3):
        for number in range(100):
            call(made, number, "mallory", "same")
        await made.flush()
        assert made.waiting == 0
        assert sum(record.count for record in await written(store)) == 100


async def test_what_does_not_fit_is_counted_and_the_count_is_recorded(store: MemoryStore) -> None:
    made = trail(store, most=100)
    for number in range(130):
        made.add(entry(number))
    await made.flush()

    *records, loss = await written(store)
    assert len(records) == 100
    assert (loss.event, loss.count, made.lost) == (AuditEvent.RECORDS_LOST, 30, 30)
    await made.flush()
    assert await written(store) == []


async def test_what_could_not_be_written_is_written_later(store: MemoryStore) -> None:
    broken = Breaking(store)
    made = trail(broken)  # type: ignore[arg-type]  # of a store, only writing is asked
    for number in range(1200):
        made.add(entry(number))
    broken.left = 1
    with pytest.raises(StorageUnavailable):
        await made.flush()
    made.add(entry(1200))
    broken.left = 100
    await made.flush()

    assert [record.id for record in await written(store)] == [f"id-{n}" for n in range(1201)]


class Breaking:
    """A store that writes `left` more times."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.left = 0

    def write(self) -> object:
        return self._write()

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[object]:
        if not self.left:
            raise StorageUnavailable("away")
        self.left -= 1
        async with self._store.write() as tx:
            yield tx
