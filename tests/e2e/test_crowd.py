"""Ten thousand calls at once, and hostile schemas among them: everyone gets an answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.protobuf.empty_pb2 import Empty

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc
from tests.api.helpers import FIRST, PROTOBUF, V1, register
from tests.api.server import ServerProcess
from tests.api.test_bad_input import OPTION_BOMB
from tests.api.wires import GrpcWire

ENGINES = ["native", "grpcio"]
CALLS, CHANNELS = 10_000, 10


@pytest.fixture(params=ENGINES)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path, GRPC__ENGINE=request.param)
    yield server
    assert server.stop() == 0
    assert server.events("call_crashed") == []


async def outcome(call: Any) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return str(error.code().name)
    return "OK"


async def test_ten_thousand_calls_at_once_are_all_answered(server: ServerProcess) -> None:
    wire = GrpcWire("before", server.grpc)
    made = register(wire, "s")
    channels = [grpc.aio.insecure_channel(server.grpc) for _ in range(CHANNELS)]
    stubs = [schema_registry_pb2_grpc.SchemaRegistryStub(channel) for channel in channels]

    def call(n: int) -> Any:
        stub = stubs[n % CHANNELS]
        match n % 10:
            case 0 if n % 100 == 0:
                return stub.RegisterSchema(
                    pb.RegisterSchemaRequest(
                        subject=f"s{n % 700}",
                        schema_content=V1 + b" " * n,
                        schema_type=pb.SCHEMA_TYPE_JSON,
                    )
                )
            case 1 | 2:
                return stub.ValidateData(pb.ValidateDataRequest(schema_id=made.schema_id, data=b'{"a": "x"}'))
            case 3:
                return stub.CheckCompatibility(pb.CompatibilityCheckRequest(subject="s", new_schema=V1))
            case _:
                return stub.GetSchema(pb.GetSchemaRequest(schema_id=made.schema_id))

    calls = [call(n) for n in range(CALLS)]
    outcomes = Counter(await asyncio.gather(*map(outcome, calls)))
    for channel in channels:
        await channel.close()
    health = wire.call("HealthCheck", Empty())
    wire.close()

    assert outcomes.total() == CALLS
    assert set(outcomes) <= {"OK", "RESOURCE_EXHAUSTED"}, outcomes
    assert outcomes["OK"] >= CALLS * 0.8, outcomes
    assert health.status == pb.HealthCheckResponse.STATUS_HEALTHY


async def test_schemas_that_kill_their_compiler_do_not_harm_good_ones(server: ServerProcess) -> None:
    channel = grpc.aio.insecure_channel(server.grpc)
    stub = schema_registry_pb2_grpc.SchemaRegistryStub(channel)

    def call(n: int) -> Any:
        bad = n % 2 == 0
        content = f"{OPTION_BOMB} // {n}".encode() if bad else FIRST[PROTOBUF]
        request = pb.RegisterSchemaRequest(
            subject=f"s{n}", schema_content=content, schema_type=pb.SCHEMA_TYPE_PROTOBUF
        )
        return outcome(stub.RegisterSchema(request))

    outcomes = await asyncio.gather(*(call(n) for n in range(40)))
    await channel.close()

    assert outcomes == ["INVALID_ARGUMENT", "OK"] * 20
