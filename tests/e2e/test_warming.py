"""Real servers on a real PostgreSQL: what was read is counted, and a server that starts has it ready before it says so."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.api.server import ServerProcess
from tests.api.wires import GrpcWire
from tests.support.postgres import WAITERS, Postgres
from tests.support.waiting import until


@pytest_asyncio.fixture
async def dsn(postgres: Postgres) -> str:
    return await postgres.create_database()


@pytest_asyncio.fixture
async def beside(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


RUNNING: list[ServerProcess] = []


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """No server outlives its test."""
    yield
    while RUNNING:
        RUNNING.pop().kill()


class Server:
    """A server and a client of it."""

    def __init__(self, home: Path, dsn: str, **settings: str) -> None:
        self.process = ServerProcess(
            home, STORAGE__KIND="postgres", STORAGE__POSTGRES__DSN=dsn, USAGE__FLUSH_SECONDS="0.1", **settings
        )
        RUNNING.append(self.process)
        self.wire = GrpcWire("grpc", self.process.grpc)

    def register(self, subject: str) -> str:
        request = pb.RegisterSchemaRequest(
            subject=subject,
            schema_content=json.dumps({"type": "string", "title": subject}).encode(),
            schema_type=pb.SCHEMA_TYPE_JSON,
        )
        return str(self.wire.call("RegisterSchema", request).schema_id)

    def read(self, schema_id: str) -> None:
        self.wire.call("GetSchema", pb.GetSchemaRequest(schema_id=schema_id))

    def validate(self, schema_id: str) -> None:
        assert self.wire.call("ValidateData", pb.ValidateDataRequest(schema_id=schema_id, data=b'""')).valid

    def metric(self, name: str) -> float:
        """The sum over a metric's series; `name` may end with labels."""
        page = httpx.get(self.process.metrics).text
        return sum(float(v) for v in re.findall(rf"^{re.escape(name)}\S* (\S+)$", page, re.MULTILINE))

    async def ready(self) -> tuple[int, Any]:
        async with httpx.AsyncClient() as client:
            reply = await client.get(f"{self.process.http}/health/ready")
        return reply.status_code, reply.json()

    async def is_alive(self) -> bool:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"{self.process.http}/health/live")).status_code == 200

    async def is_ready(self) -> bool:
        return (await self.ready())[0] == 200

    def end(self) -> None:
        self.wire.channel.close()
        assert self.process.stop() == 0


async def with_usage(home: Path, dsn: str) -> list[str]:
    """The ids of three schemas that were read, the last of them most, on a server that has ended."""
    server = await asyncio.to_thread(Server, home, dsn)
    ids = [server.register(f"s{n}") for n in range(3)]
    for number, schema_id in enumerate(ids):
        for _ in range(3**number):
            server.read(schema_id)
    server.validate(ids[0])
    await asyncio.to_thread(server.end)
    return ids


async def test_reads_are_counted_and_come_from_memory_after_a_restart(
    tmp_path: Path, dsn: str, beside: asyncpg.Connection
) -> None:
    ids = await with_usage(tmp_path, dsn)
    counted = await beside.fetch("SELECT schema_id, reads, validations FROM usage ORDER BY score DESC")
    assert [tuple(row) for row in counted] == [(ids[2], 9, 0), (ids[1], 3, 0), (ids[0], 1, 1)]

    server = await asyncio.to_thread(Server, tmp_path, dsn)
    await until(server.is_ready)
    asked = server.metric('schema_registry_cache_lookups_total{cache="storage"')
    for schema_id in ids:
        server.read(schema_id)
    server.wire.call("GetLatestVersion", pb.GetLatestVersionRequest(subject="s1"))
    validators = server.metric('schema_registry_cache_lookups_total{cache="validators",outcome="miss"')
    server.validate(ids[0])

    assert server.metric("schema_registry_answer_cache_hits_total") == 4
    assert server.metric('schema_registry_cache_lookups_total{cache="storage"') == asked
    assert (
        server.metric('schema_registry_cache_lookups_total{cache="validators",outcome="miss"') == validators
    )
    assert server.metric("schema_registry_warmed_schemas") == 3
    await asyncio.to_thread(server.end)


async def test_a_server_is_alive_and_answers_but_is_not_ready_while_it_warms(
    tmp_path: Path, dsn: str, beside: asyncpg.Connection
) -> None:
    ids = await with_usage(tmp_path, dsn)
    held = beside.transaction()
    await held.start()
    await beside.execute("LOCK TABLE usage IN ACCESS EXCLUSIVE MODE")
    server = await asyncio.to_thread(Server, tmp_path, dsn, STORAGE__POSTGRES__LOCK_SECONDS="0.2")

    status, body = await server.ready()
    assert (status, body["components"]["warming"]) == (503, "DOWN")
    assert body["why"]["warming"].startswith("warming")
    assert await server.is_alive()
    server.read(ids[0])
    await held.rollback()
    await until(server.is_ready)
    assert server.metric("schema_registry_warmed_schemas") == 3
    await asyncio.to_thread(server.end)


async def test_a_server_that_cannot_warm_is_ready_in_the_end_and_says_why(
    tmp_path: Path, dsn: str, beside: asyncpg.Connection
) -> None:
    await with_usage(tmp_path, dsn)
    async with beside.transaction():
        await beside.execute("LOCK TABLE usage IN ACCESS EXCLUSIVE MODE")
        server = await asyncio.to_thread(Server, tmp_path, dsn, CACHES__WARM_SECONDS="0.5")
        await until(server.is_ready)

    (event,) = server.process.events("warming_incomplete")
    assert (event["schemas"], event["wanted"]) == (0, 0)
    await asyncio.to_thread(server.end)


async def test_a_server_that_is_told_to_go_while_it_warms_goes(
    tmp_path: Path, dsn: str, beside: asyncpg.Connection
) -> None:
    await with_usage(tmp_path, dsn)
    async with beside.transaction():
        await beside.execute("LOCK TABLE usage IN ACCESS EXCLUSIVE MODE")
        server = await asyncio.to_thread(Server, tmp_path, dsn)
        assert not await server.is_ready()
        await asyncio.to_thread(server.end)

    assert server.process.events("warming_incomplete") == []


async def test_a_kill_in_the_middle_of_a_flush_loses_it_and_nothing_else(
    tmp_path: Path, dsn: str, beside: asyncpg.Connection
) -> None:
    ids = await with_usage(tmp_path, dsn)
    server = await asyncio.to_thread(Server, tmp_path, dsn)

    async def flushing() -> bool:
        return bool(await beside.fetchval(WAITERS))

    async with beside.transaction():
        await beside.execute("SELECT FROM usage WHERE schema_id = $1 FOR UPDATE", ids[0])
        for schema_id in ids:
            server.read(schema_id)
        await until(flushing)
        server.process.kill()
    server.wire.channel.close()

    async def alone() -> bool:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        return not await beside.fetchval(others)

    await until(alone)
    reads = {r["schema_id"]: r["reads"] for r in await beside.fetch("SELECT schema_id, reads FROM usage")}
    assert reads == {ids[0]: 1, ids[1]: 3, ids[2]: 9}
    again = await asyncio.to_thread(Server, tmp_path, dsn)
    await until(again.is_ready)
    await asyncio.to_thread(again.end)
