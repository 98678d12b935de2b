"""Two real servers on one PostgreSQL: one of them counts, and meanwhile writers write and a subscriber follows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from llm_schema_registry import AsyncSchemaRegistry
from tests.api.helpers import V1
from tests.api.server import ServerProcess
from tests.support.gates import closed_gate
from tests.support.postgres import Postgres
from tests.support.waiting import until

WRITES = 20


@pytest.fixture
def dsn(postgres: Postgres) -> str:
    return asyncio.run(postgres.create_database())


@pytest.fixture
def servers(dsn: str, tmp_path: Path) -> Iterator[list[ServerProcess]]:
    settings = {
        "STORAGE__KIND": "postgres",
        "STORAGE__POSTGRES__DSN": dsn,
        "STATISTICS__REFRESH_SECONDS": "0",
    }
    made: list[ServerProcess] = []
    try:
        made.extend(ServerProcess(tmp_path / str(number), **settings) for number in range(2))
        yield made
        assert [server.stop() for server in made] == [0, 0]
    finally:
        for server in made:
            if server.process.poll() is None:
                server.kill()


async def test_while_one_server_counts_writers_write_and_a_subscriber_follows(
    servers: list[ServerProcess], dsn: str
) -> None:
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(AsyncSchemaRegistry(s.grpc)) for s in servers]
        await one.register_schema("before", V1, "JSON")
        gate = await stack.enter_async_context(closed_gate(dsn))
        asked = [
            asyncio.create_task(client.get_statistics(timeout=60)) for client in (one, two) for _ in range(3)
        ]
        await gate.reached()

        told: list[str] = []

        async def follows() -> None:
            async for event in two.watch(from_revision="earliest", patience=120):
                told.append(event.subject)  # noqa: PERF401 - looked at meanwhile

        following = asyncio.create_task(follows())
        for number in range(WRITES):
            await (one, two)[number % 2].register_schema(f"during {number}", V1, "JSON")

        async def everything_was_told() -> bool:
            return len(told) == WRITES + 1

        await until(everything_was_told)
        assert not any(task.done() for task in asked)
        assert await gate.waiting() == 1
        await gate.open()
        answers = await asyncio.gather(*asked)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    assert told == ["before", *(f"during {number}" for number in range(WRITES))]
    assert len({answer.as_of for answer in answers}) == 1
    assert {answer.versions for answer in answers} == {1}  # of the moment when it began
    assert sum(len(server.events("statistics_counted")) for server in servers) == 1
