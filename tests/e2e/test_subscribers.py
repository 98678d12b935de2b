"""A thousand subscribers on one instance, each told everything; readers that do not read; clients that vanish."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty

from llm_schema_registry import AsyncSchemaRegistry, SchemaRegistry
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc
from tests.api.helpers import V1, register
from tests.api.server import ROOT, ServerProcess
from tests.api.wires import CallFailed, GrpcWire

LARGE = V1 + b" " * 200_000
SMALL_WINDOW = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536))
"""A client that takes little ahead of its reader, however fast the connection is."""
ENGINES = ["native", "grpcio"]
SUBSCRIBERS, CHANNELS, WRITES = 1000, 20, 10


@pytest.fixture(params=ENGINES)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path, GRPC__ENGINE=request.param, CHANGES__STALL_SECONDS="1")
    yield server
    assert server.stop() == 0
    assert server.events("call_crashed") == []


@pytest.fixture
def wire(server: ServerProcess) -> Iterator[GrpcWire]:
    wire = GrpcWire("test", server.grpc)
    yield wire
    wire.close()


def subscribers(wire: GrpcWire) -> int:
    return int(wire.call("HealthCheck", Empty()).components["changes"].details["subscribers"])


def open_lists(server: ServerProcess) -> float:
    """Streams of ListSchemas that are open now, by the server's metrics."""
    with urllib.request.urlopen(server.metrics) as page:
        lines = page.read().decode().splitlines()
    return sum(
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("schema_registry_streams_open{") and "ListSchemas" in line
    )


def until(condition: Callable[[], bool]) -> None:
    """Wait for what the server does by itself; the test's own time-out bounds it."""
    while not condition():
        time.sleep(0.02)


@pytest.mark.parametrize("gather", [0, 50], ids=["each", "together"])
async def test_a_thousand_subscribers_are_all_told_everything_in_order(
    server: ServerProcess, gather: int
) -> None:
    channels = [grpc.aio.insecure_channel(server.grpc) for _ in range(CHANNELS)]
    stubs = [schema_registry_pb2_grpc.SchemaRegistryStub(channel) for channel in channels]
    listening = asyncio.Semaphore(0)

    async def follow(n: int) -> list[str]:
        request = pb.StreamRequest(heartbeat_interval=Duration(seconds=60))
        request.gather.FromMilliseconds(gather)
        call: Any = stubs[n % CHANNELS].StreamSchemaChanges(request)
        told: list[str] = []
        async for event in call:
            if event.heartbeat:
                listening.release()
                continue
            told += [e.schema_id for e in (event, *event.more)]
            if len(told) == WRITES:
                break
        call.cancel()
        return told

    followers = [asyncio.create_task(follow(n)) for n in range(SUBSCRIBERS)]
    for _ in range(SUBSCRIBERS):
        await listening.acquire()
    written = []
    for n in range(WRITES):
        request = pb.RegisterSchemaRequest(
            subject=f"s{n}", schema_content=V1, schema_type=pb.SCHEMA_TYPE_JSON
        )
        answer: Any = await stubs[0].RegisterSchema(request)  # type: ignore[misc]
        written.append(answer.schema_id)
    told = await asyncio.gather(*followers)
    for channel in channels:
        await channel.close()

    assert all(events == written for events in told)


@pytest.mark.parametrize("gather", [0, 50], ids=["each", "together"])
def test_a_reader_that_does_not_read_is_ended_and_resumes_without_gap(
    server: ServerProcess, wire: GrpcWire, gather: int
) -> None:
    made = [register(wire, "s", LARGE + b" " * n).schema_id for n in range(60)]
    lazy = GrpcWire("lazy", server.grpc)
    request = pb.StreamRequest(from_revision="earliest", include_schema=True)
    request.gather.FromMilliseconds(gather)
    told: list[pb.SchemaChangeEvent] = []
    with closing(lazy.listing("StreamSchemaChanges", request)) as events:
        told.append(next(events))  # and then nothing, though twelve megabytes wait
        until(lambda: subscribers(wire) == 0)
        assert register(wire, "other").version == "1.0.0"
        with pytest.raises(CallFailed) as caught:
            told.extend(events)
    request.from_revision = told[-1].revision
    with closing(lazy.listing("StreamSchemaChanges", request)) as events:
        told.extend(next(events) for _ in range(60 - len(told)))
    lazy.close()

    assert (caught.value.code, caught.value.reason) == (10, "SUBSCRIBER_TOO_SLOW")
    assert caught.value.metadata["revision"] in [event.revision for event in told]
    assert [event.schema_id for event in told] == made


def test_a_watch_that_was_not_read_goes_on_by_itself(server: ServerProcess, wire: GrpcWire) -> None:
    made = [register(wire, "s", LARGE + b" " * n).schema_id for n in range(60)]

    with (
        SchemaRegistry(server.grpc, channel_options=SMALL_WINDOW) as registry,
        registry.watch(from_revision="earliest", include_schema=True) as events,
    ):
        told = [next(events)]
        until(lambda: subscribers(wire) == 0)
        told.extend(itertools.islice(events, 60 - len(told)))

    assert [event.schema_id for event in told] == made


async def test_an_asynchronous_watch_that_was_not_read_goes_on_by_itself(
    server: ServerProcess, wire: GrpcWire
) -> None:
    made = [register(wire, "s", LARGE + b" " * n).schema_id for n in range(60)]

    async with (
        AsyncSchemaRegistry(server.grpc, channel_options=SMALL_WINDOW) as registry,
        registry.watch(from_revision="earliest", include_schema=True) as events,
    ):
        told = [await anext(events)]
        await asyncio.to_thread(until, lambda: subscribers(wire) == 0)
        while len(told) < 60:
            told.append(await anext(events))

    assert [event.schema_id for event in told] == made


def test_a_list_that_was_not_read_goes_on_by_itself(server: ServerProcess, wire: GrpcWire) -> None:
    made = [register(wire, "s", LARGE + b" " * n).schema_id for n in range(60)]

    with SchemaRegistry(server.grpc, channel_options=SMALL_WINDOW) as registry:
        schemas = registry.list_schemas(subject_prefix="s")
        told = [next(schemas)]
        until(lambda: open_lists(server) == 0)
        told.extend(schemas)

    assert [schema.id for schema in told] == made


VANISHING = """
import grpc, os, signal, sys
from llm_schema_registry.v1 import schema_registry_pb2 as pb, schema_registry_pb2_grpc
stub = schema_registry_pb2_grpc.SchemaRegistryStub(grpc.insecure_channel(sys.argv[1]))
streams = [stub.StreamSchemaChanges(pb.StreamRequest(from_revision="earliest")) for _ in range(20)]
for stream in streams:
    next(stream)
batch = stub.BatchValidate(iter([pb.ValidateDataRequest(schema_id="x") for _ in range(1000)]))
calls = [stub.GetLatestVersion.future(pb.GetLatestVersionRequest(subject="s")) for _ in range(200)]
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_clients_that_vanish_leave_nothing_behind(server: ServerProcess, wire: GrpcWire) -> None:
    register(wire, "s")
    path = f"{ROOT / 'server'}:{ROOT / 'clients' / 'python'}"
    for _ in range(3):
        client = subprocess.run(
            [sys.executable, "-c", VANISHING, server.grpc],
            env={"PYTHONPATH": path},
            stderr=subprocess.PIPE,
            check=False,
        )
        assert client.returncode == -9, client.stderr.decode()
    until(lambda: subscribers(wire) == 0)

    assert register(wire, "t").version == "1.0.0"


@pytest.mark.parametrize("gather", [0, 5000], ids=["each", "together"])
def test_draining_ends_streams_with_where_to_resume(
    server: ServerProcess, wire: GrpcWire, gather: int
) -> None:
    made = register(wire, "s")
    request = pb.StreamRequest(from_revision="earliest")
    request.gather.FromMilliseconds(gather)
    with closing(wire.listing("StreamSchemaChanges", request)) as events:
        assert next(events).schema_id == made.schema_id
        server.process.terminate()
        with pytest.raises(CallFailed) as caught:
            next(events)

    assert (caught.value.code, caught.value.reason) == (14, "SHUTTING_DOWN")
    assert caught.value.metadata["revision"] == made.revision
    assert server.process.wait() == 0
