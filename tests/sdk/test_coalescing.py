"""Many schemas in one call, and readers whose tasks or threads share their calls, against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from llm_schema_registry import (
    AsyncSchemaRegistry,
    SchemaNotFound,
    SchemaRegistry,
    SubjectNotFound,
    VersionNotFound,
)
from tests.api.server import ServerProcess
from tests.sdk.conftest import connect

NOBODY = "0198c0de-0000-7000-8000-000000000001"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path_factory.mktemp("many"), LIMITS__PAGE_BYTES="20000")
    with SchemaRegistry(running.grpc) as registry:
        for n in range(60):
            registry.register_schema(f"s{n}", {"description": f"{n}" * 500}, "json")
    yield running
    assert running.stop() == 0


def calls(server: ServerProcess) -> int:
    """How many calls of BatchGetSchemas the server has answered."""
    for line in httpx.get(server.metrics).text.splitlines():
        if line.startswith("rpc_server_call_duration_seconds_count") and "BatchGetSchemas" in line:
            return int(float(line.rpartition(" ")[2]))
    return 0


async def test_many_are_read_in_order_over_as_many_answers_as_it_takes(
    server: ServerProcess, kind: str
) -> None:
    wanted = [*((f"s{n}", "latest") for n in range(60)), NOBODY, ("s0", 7), ("nobody", 1)]
    async with connect(kind, server.grpc) as client:
        found = [item async for item in client.get_many(wanted)]
        part = await client.get_schemas(wanted)
    assert [item.get().subject for item in found[:60]] == [f"s{n}" for n in range(60)]
    assert [type(item.error) for item in found[60:]] == [SchemaNotFound, VersionNotFound, SubjectNotFound]
    assert 0 < len(part) < 60
    assert part.next_page_token
    with pytest.raises(SchemaNotFound):
        found[60].get()


async def test_tasks_that_read_at_the_same_time_share_calls(server: ServerProcess) -> None:
    before = calls(server)
    async with AsyncSchemaRegistry(server.grpc) as registry:
        reader = registry.coalescing(most=7)
        names = [f"s{n % 20}" for n in range(200)]
        found = await asyncio.gather(*(reader.get_latest_version(name) for name in names))
        assert [schema.subject for schema in found] == names
        by_id = await asyncio.gather(*(reader.get_schema(schema.id) for schema in found))
        assert [schema.id for schema in by_id] == [schema.id for schema in found]
        with pytest.raises(SubjectNotFound):
            await reader.get_schema_by_version("nobody", "^1")
    assert 7 <= calls(server) - before <= 10, "20 in sevens, twice; one more; some that ended early"


async def test_a_task_that_gives_up_takes_nothing_from_the_others(server: ServerProcess) -> None:
    async with AsyncSchemaRegistry(server.grpc) as registry:
        reader = registry.coalescing()
        leaving = asyncio.create_task(reader.get_latest_version("s1"))
        staying = asyncio.create_task(reader.get_latest_version("s1"))
        await asyncio.sleep(0)
        leaving.cancel()
        assert (await staying).subject == "s1"
        assert leaving.cancelled()


def test_threads_share_calls(server: ServerProcess) -> None:
    names = [f"s{n % 20}" for n in range(200)]
    before = calls(server)
    with SchemaRegistry(server.grpc) as registry, ThreadPoolExecutor(32) as threads:
        reader = registry.coalescing(calls=1)
        found = list(threads.map(reader.get_latest_version, names))
        assert [schema.subject for schema in found] == names
        with pytest.raises(SchemaNotFound):
            reader.get_schema(NOBODY)
    assert 0 < calls(server) - before < len(names)


async def test_who_waits_is_told_when_the_call_fails(tmp_path: Path) -> None:
    async with AsyncSchemaRegistry(server_away(tmp_path), timeout=0.3) as registry:
        reader = registry.coalescing()
        outcomes = await asyncio.gather(
            *(reader.get_schema(NOBODY[:-1] + str(n)) for n in range(3)), return_exceptions=True
        )
    assert {type(outcome).__name__ for outcome in outcomes} <= {"Unavailable", "DeadlineExceeded"}
    with pytest.raises(RuntimeError, match="closed"):
        await reader.get_schema(NOBODY)


def server_away(tmp_path: Path) -> str:
    gone = ServerProcess(tmp_path)
    assert gone.stop() == 0
    return gone.grpc


@pytest.mark.parametrize(
    "arguments", [{"calls": 0}, {"most": 0}, {"calls": "2"}, {"timeout": -1}], ids=lambda a: next(iter(a))
)
def test_what_cannot_be_is_refused(arguments: dict[str, object]) -> None:
    with (
        SchemaRegistry("localhost:1") as registry,
        pytest.raises((TypeError, ValueError), match=next(iter(arguments))),
    ):
        registry.coalescing(**arguments)  # type: ignore[arg-type]
