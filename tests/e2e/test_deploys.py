"""Several real servers on one PostgreSQL that differ: started at once on nothing, of two versions, with clocks that are wrong."""

from __future__ import annotations

import asyncio
import datetime
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from llm_schema_registry import AsyncSchemaRegistry, ConcurrentUpdate
from tests.api.helpers import V1
from tests.api.server import ROOT, ServerProcess
from tests.support.postgres import Postgres

BEFORE = "d00071d"
"""A commit of this repository whose servers know the first migration only."""
FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def settings(postgres: Postgres) -> dict[str, str]:
    """What servers of one empty database are started with."""
    return {
        "STORAGE__KIND": "postgres",
        "STORAGE__POSTGRES__DSN": asyncio.run(postgres.create_database()),
    }


@pytest.fixture
def running() -> Iterator[ExitStack]:
    """Ends what is started in a test."""
    with ExitStack() as stack:
        yield stack


def end(server: ServerProcess) -> None:
    if server.process.poll() is None:
        server.kill()


@asynccontextmanager
async def clients_of(servers: Sequence[ServerProcess]) -> AsyncIterator[list[AsyncSchemaRegistry]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(AsyncSchemaRegistry(server.grpc)) for server in servers]


async def storm(
    clients: Sequence[AsyncSchemaRegistry],
    name: str,
    each: int,
    *,
    newest: AsyncSchemaRegistry | None = None,
) -> None:
    """Two writers at each server, all on the same two subjects. newest: who takes what another server may not store."""

    async def writes(worker: int, client: AsyncSchemaRegistry) -> None:
        for number in range(each):
            text = V1 + b" " * (number * 100 + worker)
            try:
                await client.register_schema(f"{name}-{worker % 2}", text, "JSON", timeout=60)
            except ConcurrentUpdate:
                if newest is None:
                    raise
                await newest.register_schema(f"{name}-{worker % 2}", text, "JSON", timeout=60)

    await asyncio.gather(*(writes(n, clients[n // 2]) for n in range(2 * len(clients))))


async def one_order(clients: Sequence[AsyncSchemaRegistry], name: str, total: int) -> None:
    """Every server tells the same changes of all writes of a storm, in one order, without gap or duplicate."""

    async def told(client: AsyncSchemaRegistry) -> list[tuple[str, str, int]]:
        seen: list[tuple[str, str, int]] = []
        async for event in client.watch(from_revision="earliest", patience=120):
            if event.subject.startswith(name):
                seen.append((event.revision, event.subject, event.ordinal))
            if len(seen) == total:
                break
        return seen

    orders = await asyncio.gather(*(told(client) for client in clients))
    assert all(order == orders[0] for order in orders)
    revisions = [revision for revision, _, _ in orders[0]]
    assert revisions == sorted(set(revisions))
    for subject in (f"{name}-0", f"{name}-1"):
        assert [o for _, s, o in orders[0] if s == subject] == list(range(1, total // 2 + 1))


@pytest.mark.timeout(240)
async def test_servers_started_at_once_on_an_empty_database_all_serve(
    settings: dict[str, str], running: ExitStack, tmp_path: Path
) -> None:
    def start(number: int) -> ServerProcess:
        return ServerProcess(tmp_path / str(number), **settings)

    servers = await asyncio.gather(*(asyncio.to_thread(start, number) for number in range(2)))
    for server in servers:
        running.callback(end, server)

    async with clients_of(servers) as clients:
        await storm(clients, "first", 5)
        await one_order(clients, "first", 20)
    assert [server.stop() for server in servers] == [0, 0]


@pytest.mark.timeout(240)
@pytest.mark.skipif(not FAKETIME, reason="libfaketime is not installed: run scripts/system-packages faketime")
async def test_a_clock_that_jumps_changes_no_order_and_stops_nobody(
    settings: dict[str, str], running: ExitStack, tmp_path: Path
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    wrong = {
        "LD_PRELOAD": str(FAKETIME[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    servers = [
        ServerProcess(tmp_path / "right", **settings),
        ServerProcess(tmp_path / "wrong", wrong, **settings),
    ]
    for server in servers:
        running.callback(end, server)

    async with clients_of(servers) as clients:
        # What leaps far ahead is not believed while it is new (registry/clock.py); all else is.
        for name, jump, told in (
            ("ahead", 3000, 3000),
            ("behind", -3000, -3000),
            ("far", 40 * 86400, -3000),
            ("back", 0, 0),
        ):
            clock.write_text(f"{jump:+d}")
            await storm(clients, name, 4)
            await one_order(clients, name, 16)
            made = await clients[1].register_schema(f"{name}-clock", V1, "JSON", timeout=60)
            off = made.created_at - datetime.datetime.now(datetime.UTC)
            assert abs(off - datetime.timedelta(seconds=told)) < HOUR / 2  # its clock is wrong indeed
            await clients[0].get_schema(made.schema_id)
    assert [server.events("call_crashed") for server in servers] == [[], []]
    assert [server.stop() for server in servers] == [0, 0]


def checkout(directory: Path) -> Path:
    """The files of the version before."""
    git = subprocess.run(
        ["git", "archive", BEFORE, "server", "clients/python"], cwd=ROOT, capture_output=True, check=False
    )
    if git.returncode:
        pytest.skip(f"the history of this checkout does not have {BEFORE}")
    directory.mkdir()
    subprocess.run(["tar", "-x", "-C", str(directory)], input=git.stdout, check=True)
    return directory


@pytest.mark.deep
@pytest.mark.timeout(600)
async def test_a_server_of_the_version_before_goes_on_beside_a_new_one(
    settings: dict[str, str], running: ExitStack, tmp_path: Path
) -> None:
    old = ServerProcess(tmp_path / "old", root=checkout(tmp_path / "before"), **settings)
    running.callback(end, old)
    async with clients_of([old]) as clients:
        await storm(clients, "alone", 10)
    new = ServerProcess(tmp_path / "new", **settings)  # migrates
    running.callback(end, new)

    async with clients_of([old, new]) as clients:
        await storm(clients, "both", 50)
        await one_order(clients, "both", 200)
        # The old server gives numbers of the default context everywhere (docs/decisions/0009-global-ids-per-context.md).
        await storm(clients, ":.ctx:both", 5, newest=clients[1])
        await one_order(clients, ":.ctx:both", 20)
        await one_order(clients, "alone", 20)
    assert [server.events("call_crashed") for server in (old, new)] == [[], []]
    assert [server.stop() for server in (old, new)] == [0, 0]
