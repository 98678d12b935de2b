"""Leases and cursors are dated by the clock that the store is given: a machine whose clock leaps takes no lease from its holder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llm_schema_registry_server.factories import make_store
from llm_schema_registry_server.registry.clock import SteadyClock
from llm_schema_registry_server.settings.storage import StorageSettings
from llm_schema_registry_server.storage.store import Store

CENTURIES = timedelta(days=200 * 365)


class Machine:
    """A wall clock and a clock of the time that passes, both by hand."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 1, 1, tzinfo=UTC)
        self.passed = 0.0

    def leap(self, by: timedelta) -> None:
        self.wall += by


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, machine: Machine) -> AsyncIterator[Store]:
    clock = SteadyClock(lambda _: None, wall=lambda: machine.wall, monotonic=lambda: machine.passed)
    made = make_store(StorageSettings(kind=request.param, path=tmp_path / "registry.db"), clock=clock)
    await made.open()
    yield made
    await made.close()


async def test_a_leap_of_the_clock_takes_no_lease_from_its_holder(store: Store, machine: Machine) -> None:
    async with store.write() as tx:
        lease = await tx.acquire_lease("job", "one", 3600)
    assert lease is not None
    machine.leap(CENTURIES)

    async with store.write() as tx:
        assert await tx.acquire_lease("job", "two", 3600) is None
        renewed = await tx.renew_lease(lease, 3600)
    assert renewed.expires_at.year == 2026


async def test_a_lease_of_a_time_of_leaps_is_free_when_it_has_expired(store: Store, machine: Machine) -> None:
    machine.leap(CENTURIES)
    async with store.write() as tx:
        assert await tx.acquire_lease("job", "one", 60) is not None
    machine.leap(-CENTURIES)
    machine.leap(timedelta(seconds=61))
    machine.passed += 61

    async with store.write() as tx:
        assert await tx.acquire_lease("job", "two", 60) is not None


async def test_a_cursor_is_not_dated_in_the_future(store: Store, machine: Machine) -> None:
    machine.leap(CENTURIES)
    async with store.write() as tx:
        await tx.set_cursor("audit", 1)

    async with store.read() as tx:
        (cursor,) = await tx.cursors()
    assert cursor.updated_at.year == 2026
