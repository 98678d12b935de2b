"""Messages that are small on the wire and large when they are unpacked: where callers come from other machines they are refused, and the
memory does not grow by what they hold (docs/decisions/0037)."""

from __future__ import annotations

import gzip
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress

import grpc
import psutil
import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.api.server import ServerProcess
from tests.support.raw_http2 import DATA, END_HEADERS, HEADERS, CallEnded, RawHttp2

UNPACKED = 300 << 20
GET = "/schema_registry.v1.SchemaRegistry/GetSchema"


@pytest.fixture(scope="module", params=["auto", "grpcio"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    made = ServerProcess(
        tmp_path_factory.mktemp("bombs"),
        GRPC__ENGINE=request.param,
        GRPC__HOST="0.0.0.0",
        AUTH__INSECURE="true",
        RATE_LIMITS__MODE="off",
    )
    yield made
    made.stop()


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_bomb_is_refused_and_takes_no_memory(server: ServerProcess, compression: grpc.Compression) -> None:
    process = psutil.Process(server.process.pid)
    before, peak, stop = process.memory_info().rss, 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not stop.wait(0.005):
            peak = max(peak, process.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    # grpcio compresses what it is given; a message of zeros is some hundred kilobytes on the wire.
    request = pb.GetSchemaRequest(schema_id="\0" * (UNPACKED >> 2)).SerializeToString()
    options = [("grpc.max_send_message_length", -1)]
    try:
        with grpc.insecure_channel(server.grpc, options) as channel:
            call = channel.unary_unary(GET)
            outcomes = []
            for _ in range(4):
                with pytest.raises(grpc.RpcError) as refused:
                    call(request, timeout=60, compression=compression)
                outcomes.append(refused.value.code())
                said = str(refused.value.details())
                assert "grpc.max_message_bytes" in said or "`deflate` which isn't supported" in said
            small = channel.unary_unary(GET, request_serializer=lambda m: m.SerializeToString())
            with pytest.raises(grpc.RpcError) as missing:
                small(pb.GetSchemaRequest(schema_id="none"), timeout=20)
    finally:
        stop.set()
        watching.join()
    assert set(outcomes) <= {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNIMPLEMENTED}
    assert missing.value.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT)
    assert len(gzip.compress(request[: 1 << 20])) < 1 << 12
    assert peak - before < 100 << 20, f"{(peak - before) >> 20} MiB"


def test_a_message_that_says_it_is_huge_is_refused_before_it_has_come(server: ServerProcess) -> None:
    """The length in a message's prefix is 32 bits of whatever the caller likes (gRPC over HTTP/2, Length-Prefixed-Message)."""
    with RawHttp2(server.ports["grpc"]) as raw:
        raw.socket.settimeout(20)
        raw.send(HEADERS, END_HEADERS, raw.begin(GET))
        raw.send(DATA, 0, struct.pack(">BI", 0, 0xFFFFFFF0) + b"x" * 100)
        with pytest.raises(CallEnded):
            raw.await_windows(1 << 40)  # reads until the call is ended


def test_bombs_that_are_sent_at_once_cost_their_sender_the_connection(server: ServerProcess) -> None:
    """Each is refused; together they are more than one may have unpacked in a time."""
    bomb = gzip.compress(bytes(32 << 20))
    with RawHttp2(server.ports["grpc"], "127.0.1.7") as raw:
        raw.socket.settimeout(60)
        with suppress(ConnectionError):
            for _ in range(200):
                with suppress(CallEnded):
                    raw.call(GET, bomb, compressed=True, within_windows=True)
            while raw.socket.recv(1 << 16):  # a TimeoutError when it is not cut
                pass
    assert [e for e in server.events("connections_cut") if str(e["peer"]).startswith("127.0.1.7:")]
    with grpc.insecure_channel(server.grpc) as channel:
        honest = channel.unary_unary(GET, request_serializer=lambda m: m.SerializeToString())
        with pytest.raises(grpc.RpcError) as missing:
            honest(pb.GetSchemaRequest(schema_id="none"), timeout=20)
    assert missing.value.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT)


def test_a_large_compressed_message_that_is_allowed_arrives(server: ServerProcess) -> None:
    content = b'{"description": "' + b" " * (19 << 16) + b'"}'
    with grpc.insecure_channel(server.grpc) as channel:
        register = channel.unary_unary(
            "/schema_registry.v1.SchemaRegistry/RegisterSchema",
            request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=pb.RegisterSchemaResponse.FromString,
        )
        request = pb.RegisterSchemaRequest(
            subject="packed", schema_content=content, schema_type=pb.SCHEMA_TYPE_JSON
        )
        done = register(request, timeout=60, compression=grpc.Compression.Gzip)
        asked = pb.GetSchemaRequest(schema_id=done.schema_id).SerializeToString()
        answer = channel.unary_unary(GET, response_deserializer=pb.GetSchemaResponse.FromString)
        assert answer(asked, timeout=20).schema.schema_content == content
