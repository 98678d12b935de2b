"""Three real servers on one real PostgreSQL: one order of changes for all, and nothing acknowledged is lost when a server or
the database is killed."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from llm_schema_registry import AsyncSchemaRegistry, RegistryError
from tests.api.helpers import V1
from tests.api.server import ServerProcess
from tests.support.postgres import Postgres, own_server
from tests.support.waiting import until

WRITERS = 20
SUBJECTS = 4


@pytest.fixture
def database() -> Iterator[Postgres]:
    with own_server() as server:
        yield server


@pytest.fixture
def replicas(database: Postgres, tmp_path: Path) -> Iterator[list[ServerProcess]]:
    asyncio.run(database.ready())
    dsn = asyncio.run(database.create_database())
    running: list[ServerProcess] = []
    database_of = {"STORAGE__KIND": "postgres", "STORAGE__POSTGRES__DSN": dsn}
    try:
        running.extend(ServerProcess(tmp_path / str(number), **database_of) for number in range(3))
        yield running
    finally:
        for server in running:
            if server.process.poll() is None:
                server.kill()


class Follower:
    """Whoever watches all changes from the beginning on one server."""

    def __init__(self, client: AsyncSchemaRegistry) -> None:
        self.seen: list[tuple[str, str, int]] = []
        self._client = client
        self.task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        async for event in self._client.watch(from_revision="earliest", patience=120):
            self.seen.append((event.revision, event.subject, event.ordinal))


@pytest.mark.timeout(240)
async def test_every_follower_sees_every_acknowledged_write_once_in_one_order_through_kills(
    replicas: list[ServerProcess], database: Postgres
) -> None:
    acknowledged: set[tuple[str, int]] = set()
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(AsyncSchemaRegistry(server.grpc)) for server in replicas]
        followers = [Follower(client) for client in clients[:2]]
        going = True

        async def writes(worker: int) -> None:
            client, subject = clients[worker % 3], f"s{worker % SUBJECTS}"
            for number in itertools.count():
                if not going:
                    return
                try:
                    made = await client.register_schema(
                        subject, V1 + b" " * (number * WRITERS + worker), "JSON", timeout=10
                    )
                except RegistryError:
                    if client is clients[2]:
                        return
                    continue
                acknowledged.add((subject, made.ordinal))

        async def count_reaches(wanted: int) -> None:
            async def reached() -> bool:
                return len(acknowledged) >= wanted

            await until(reached)

        writers = [asyncio.create_task(writes(worker)) for worker in range(WRITERS)]
        await count_reaches(60)
        replicas[2].kill()
        await count_reaches(len(acknowledged) + 60)
        database.stop(signal.SIGKILL)
        await asyncio.sleep(0.3)
        database.start()
        await count_reaches(len(acknowledged) + 60)
        going = False
        await asyncio.gather(*writers)

        async def both_saw_all() -> bool:
            seen = [{(subject, ordinal) for _, subject, ordinal in f.seen} for f in followers]
            return all(acknowledged <= each for each in seen) and len(followers[0].seen) == len(
                followers[1].seen
            )

        await until(both_saw_all)
        for follower in followers:
            follower.task.cancel()
        await asyncio.gather(*(f.task for f in followers), return_exceptions=True)

        assert followers[0].seen == followers[1].seen
        revisions = [revision for revision, _, _ in followers[0].seen]
        assert revisions == sorted(set(revisions))
        for subject in {name for _, name, _ in followers[0].seen}:
            ordinals = [o for _, name, o in followers[0].seen if name == subject]
            assert ordinals == list(range(1, len(ordinals) + 1))
    assert [server.events("call_crashed") for server in replicas] == [[], [], []]
    assert [server.stop() for server in replicas[:2]] == [0, 0]
