"""Spans of what a server asks of Redis and of the object store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from redis import Redis

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc as rpc
from tests.support.otlp import Receiver, over_grpc
from tests.support.redis import RedisServer
from tests.support.s3 import CREDENTIALS, Bucket, S3Server

from .server import ServerProcess
from .test_traces import CLIENT, PATH, Caller

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
LARGE = b'{"description": "%s"}' % (b"secret words " * 200)


@pytest.fixture
async def settings(tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    redis, s3 = RedisServer(tmp_path), S3Server(tmp_path)
    await redis.start()
    await s3.start()
    async with Bucket(s3.endpoint) as bucket:
        yield {
            "CACHES__REDIS__URL": redis.url,
            "BLOBS__KIND": "s3",
            "BLOBS__THRESHOLD": "1000",
            "BLOBS__MEMORY_BYTES": "0",
            "BLOBS__S3__BUCKET": bucket.name,
            "BLOBS__S3__ENDPOINT": bucket.endpoint,
            "BLOBS__S3__REGION": "us-east-1",
            "BLOBS__S3__PATH_STYLE": "true",
            **{f"BLOBS__S3__{name.upper()}": value for name, value in CREDENTIALS.items()},
        }
    redis.kill()
    s3.stop()


def register(server: ServerProcess, caller: Caller) -> str:
    with grpc.insecure_channel(server.grpc) as channel:
        request = pb.RegisterSchemaRequest(
            subject="traced", schema_type=pb.SCHEMA_TYPE_JSON, schema_content=LARGE
        )
        stub = rpc.SchemaRegistryStub(channel)
        return str(stub.RegisterSchema(request, metadata=caller.metadata).schema_id)


def read(server: ServerProcess, caller: Caller, schema_id: str) -> None:
    with grpc.insecure_channel(server.grpc) as channel:
        request = pb.GetSchemaRequest(schema_id=schema_id)
        answer = rpc.SchemaRegistryStub(channel).GetSchema(request, metadata=caller.metadata)
    assert answer.schema.schema_content == LARGE


def outgoing(collector: Receiver, caller: Caller, rpc_name: str) -> dict[str, str]:
    """From the names of a call's spans of other services to their status; no span holds a content."""
    spans = collector.trace(caller.trace_id, f"{PATH}/{rpc_name}")
    assert not any("secret words" in str(span) for span in spans)
    return {span.name: str(span.attributes.get("error.type", "")) for span in spans if span.kind == CLIENT}


def test_redis_and_the_object_store_have_spans(tmp_path: Path, settings: dict[str, str]) -> None:
    database = str(tmp_path / "registry.db")
    writer, reader = Caller(), Caller()
    with over_grpc() as collector:
        traced = {"TRACING__ENDPOINT": collector.endpoint, "TRACING__SAMPLE_RATIO": "0"}
        first = ServerProcess(tmp_path / "a", **settings, **traced, STORAGE__PATH=database)
        schema_id = register(first, writer)
        of_writer = outgoing(collector, writer, "RegisterSchema")
        assert first.stop() == 0
        with Redis.from_url(settings["CACHES__REDIS__URL"]) as redis:
            redis.flushall()
        second = ServerProcess(tmp_path / "b", **settings, **traced, STORAGE__PATH=database)
        read(second, reader, schema_id)
        of_reader = outgoing(collector, reader, "GetSchema")
        assert second.stop() == 0

    assert of_writer["S3/PutObject"] == ""
    assert (of_reader["GETRANGE redis"], of_reader["S3/GetObject"], of_reader["SET redis"]) == ("", "", "")
