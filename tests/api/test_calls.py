"""What every gRPC call has: deadline, cancellation, request id, revision, concurrent streams, junk on the socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc

from .helpers import V1, register
from .server import ServerProcess
from .wires import GrpcWire

Name = Callable[[str], str]


@pytest.fixture
def channel(engine: ServerProcess) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(engine.grpc) as channel:
        yield channel


@pytest.fixture
def stub(channel: grpc.Channel) -> schema_registry_pb2_grpc.SchemaRegistryStub:
    return schema_registry_pb2_grpc.SchemaRegistryStub(channel)


def wanted(subject: str) -> pb.RegisterSchemaRequest:
    return pb.RegisterSchemaRequest(subject=subject, schema_content=V1, schema_type=pb.SCHEMA_TYPE_JSON)


def test_a_deadline_ends_a_stream_that_has_no_end(stub: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        list(stub.StreamSchemaChanges(pb.StreamRequest(), timeout=0.3))

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED  # type: ignore[attr-defined]


def test_a_deadline_ends_a_batch_that_nobody_goes_on_with(stub: Any) -> None:
    never = threading.Event()

    def silence() -> Iterator[pb.ValidateDataRequest]:
        never.wait()
        yield from ()

    with pytest.raises(grpc.RpcError) as caught:
        list(stub.BatchValidate(silence(), timeout=0.3))
    never.set()

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED  # type: ignore[attr-defined]


def test_a_cancelled_stream_ends(stub: Any) -> None:
    call = stub.StreamSchemaChanges(pb.StreamRequest(from_revision="earliest"))
    call.cancel()

    assert call.code() is grpc.StatusCode.CANCELLED


def test_a_callers_request_id_is_kept(stub: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stub.GetSchema(pb.GetSchemaRequest(schema_id="nobody"), metadata=[("x-request-id", "mine-1")])
    trailers = dict(caught.value.trailing_metadata())  # type: ignore[attr-defined]

    assert trailers["x-request-id"] == "mine-1"


def test_a_write_tells_its_revision_in_the_trailers(stub: Any, name: Name) -> None:
    answer, call = stub.RegisterSchema.with_call(wanted(name("s")))

    assert dict(call.trailing_metadata())["x-registry-revision"] == answer.revision


def test_the_actor_named_in_open_mode_is_recorded(stub: Any, name: Name) -> None:
    made = stub.RegisterSchema(wanted(name("s")), metadata=[("x-registry-actor", "ada")])

    assert stub.GetSchema(pb.GetSchemaRequest(schema_id=made.schema_id)).schema.created_by == "ada"


def test_a_hundred_streams_and_calls_share_a_connection(stub: Any, name: Name) -> None:
    first = stub.RegisterSchema(wanted(name("first")))
    request = pb.StreamRequest(from_revision=first.revision, subjects=[name("*")])
    streams = [stub.StreamSchemaChanges(request) for _ in range(100)]
    second = stub.RegisterSchema(wanted(name("second")))
    told = {next(stream).schema_id for stream in streams}
    for stream in streams:
        stream.cancel()

    assert told == {second.schema_id}


@pytest.mark.parametrize(
    "junk",
    [
        b"\x00" * 100,
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 1000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" * 2000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + b"p" * 8,
    ],
    ids=["zeros", "http1", "garbage", "settings", "ping"],
)
def test_bytes_that_are_no_grpc_harm_nobody(engine: ServerProcess, junk: bytes) -> None:
    host, _, port = engine.grpc.partition(":")
    with suppress(OSError), socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(junk)
        raw.shutdown(socket.SHUT_WR)  # fails where the server has closed already
    wire = GrpcWire("after", engine.grpc)

    assert wire.call("HealthCheck", Empty()).status == pb.HealthCheckResponse.STATUS_HEALTHY
    wire.close()


def test_a_new_connection_for_every_call_works_too(engine: ServerProcess, name: Name) -> None:
    for n in range(30):
        wire = GrpcWire("once", engine.grpc)
        assert register(wire, name("s"), V1 + b" " * n).ordinal == n + 1
        wire.close()
