"""Callers that begin calls only to reset them: their connections are ended, and what they left is bounded."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import grpc
import pytest
from grpc import aio

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc
from llm_schema_registry_server.calls.peer import NO_PROXIES
from llm_schema_registry_server.settings import GrpcSettings
from llm_schema_registry_server.transports.grpc.listener import GrpcListener
from llm_schema_registry_server.transports.grpc.resets import ResetGuard, WatchedHandlers
from tests.support.raw_http2 import RawHttp2

from .toy import GET_SCHEMA, ToyHealth, ToyRegistry, rpcs
from .toy import unread as never_full

pytestmark = pytest.mark.timeout(300)
HOSTILE = "127.0.0.9"
HEALTH, UNKNOWN = "/grpc.health.v1.Health/Check", "/no.Service/Call"


class Cuts:
    """What a guard cut, and a clock by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.peers: list[str] = []

    def __call__(self, port: int, peers: frozenset[str]) -> None:
        self.peers += peers

    def guard(self, shared: Callable[[str], bool] = lambda _: False) -> ResetGuard:
        return ResetGuard(1, 10, shared, clock=lambda: self.now, cut=self)


async def noted(guard: ResetGuard, peer: str, count: int) -> None:
    for _ in range(count):
        guard.note(peer)
    cutting = [task for task in asyncio.all_tasks() if task.get_name() == "cut connections that reset"]
    await asyncio.gather(*cutting)


async def test_who_resets_more_than_is_allowed_is_cut_and_comes_back_to_the_same_account() -> None:
    cuts = Cuts()
    guard = cuts.guard()

    await noted(guard, "ipv4:10.0.0.1:1000", 50)
    await noted(guard, "ipv4:10.0.0.2:1000", 50)
    assert cuts.peers == []
    await noted(guard, "ipv4:10.0.0.1:1000", 1)
    await noted(guard, "ipv4:10.0.0.1:1001", 1)
    assert cuts.peers == ["ipv4:10.0.0.1:1000", "ipv4:10.0.0.1:1001"]


@pytest.mark.slow
async def test_a_few_resets_a_second_may_go_on_for_ever() -> None:
    cuts = Cuts()
    guard = cuts.guard()

    for _ in range(100):
        await noted(guard, "ipv4:10.0.0.1:1000", 10)
        cuts.now += 1

    assert cuts.peers == []


async def test_behind_a_proxy_each_connection_counts_for_itself() -> None:
    cuts = Cuts()
    guard = cuts.guard(shared=lambda peer: True)

    for port in range(20):
        await noted(guard, f"ipv4:10.0.0.1:{port}", 10)

    assert cuts.peers == []


async def test_an_escaped_address_is_cut_by_its_name() -> None:
    cuts = Cuts()
    await noted(cuts.guard(), "ipv6:%5B::1%5D:1000", 51)

    assert cuts.peers == ["ipv6:[::1]:1000"]


@asynccontextmanager
async def serving(engine: str, **settings: int) -> AsyncIterator[GrpcListener]:
    listener = GrpcListener(
        GrpcSettings.model_validate({"host": "127.0.0.1", "port": 0, "engine": engine, **settings}),
        rpcs(ToyRegistry()),
        ToyHealth(),
        unread=never_full(30),
        proxies=NO_PROXIES,
    )
    await listener.start()
    try:
        yield listener
    finally:
        await listener.drain(0)


def ended_for_resets(port: int, path: str, message: bytes | None) -> bool:
    """Begins calls and resets them until the server ends the connection."""
    ended = threading.Event()
    with RawHttp2(port, HOSTILE) as connection:
        connection.socket.settimeout(30)

        def read() -> None:
            try:
                while connection.socket.recv(1 << 16):
                    pass
            except TimeoutError:  # it was not ended
                return
            except OSError:
                pass
            ended.set()
            with suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)  # what is being sent need not arrive

        threading.Thread(target=read, daemon=True).start()
        with suppress(OSError):
            for _ in range(1_500):
                if ended.is_set():
                    break
                if message is not None:
                    connection.call(path, message)
                    connection.cancel()
                else:
                    connection.call(path, b"", reset=True)
        return ended.wait(30)


@pytest.mark.slow
@pytest.mark.parametrize("path", [GET_SCHEMA, HEALTH, UNKNOWN])
async def test_a_connection_of_resets_is_ended_and_others_are_served(path: str) -> None:
    async with (
        serving("grpcio", resets_per_second=20) as listener,
        aio.insecure_channel(f"127.0.0.1:{listener.port}") as channel,
    ):
        stub = schema_registry_pb2_grpc.SchemaRegistryStub(channel)
        await stub.GetSchema(pb.GetSchemaRequest(schema_id="a"))
        assert await asyncio.to_thread(ended_for_resets, listener.port, path, None)
        await stub.GetSchema(pb.GetSchemaRequest(schema_id="b"))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["native", "grpcio"])
async def test_so_is_one_whose_calls_are_reset_after_their_message(engine: str) -> None:
    message = pb.GetSchemaRequest(schema_id="wait").SerializeToString()
    async with (
        serving(engine, resets_per_second=1) as listener,
        aio.insecure_channel(f"127.0.0.1:{listener.port}") as channel,
    ):
        stub = schema_registry_pb2_grpc.SchemaRegistryStub(channel)
        await stub.GetSchema(pb.GetSchemaRequest(schema_id="a"))
        assert await asyncio.to_thread(ended_for_resets, listener.port, GET_SCHEMA, message)
        await stub.GetSchema(pb.GetSchemaRequest(schema_id="b"))


@pytest.mark.parametrize("engine", ["native", "grpcio"])
async def test_streams_that_have_begun_may_be_ended_by_their_client_as_many_as_it_likes(engine: str) -> None:
    async with (
        serving(engine, resets_per_second=1) as listener,
        aio.insecure_channel(f"127.0.0.1:{listener.port}") as channel,
    ):
        stub = schema_registry_pb2_grpc.SchemaRegistryStub(channel)
        streams = [stub.StreamSchemaChanges(pb.StreamRequest()) for _ in range(40)]
        for stream in streams:
            await stream.read()
        for stream in streams[1:]:
            stream.cancel()
        for n in range(20):
            await stub.GetSchema(pb.GetSchemaRequest(schema_id=f"{n}"))
        assert not streams[0].done()


async def test_calls_that_were_reset_count_among_those_of_their_connection_until_they_are_cleared_away() -> (
    None
):
    """While the loop does not come to them, as under attack."""
    async with serving("grpcio", streams_per_connection=50, resets_per_second=1_000_000) as listener:
        with RawHttp2(listener.port, HOSTILE) as hostile:
            for _ in range(2_000):  # on the loop, which picks up none of them meanwhile
                hostile.call(GET_SCHEMA, b"", reset=True)
            async with aio.insecure_channel(f"127.0.0.1:{listener.port}") as channel:
                stub = schema_registry_pb2_grpc.SchemaRegistryStub(channel)
                await stub.GetSchema(pb.GetSchemaRequest(schema_id="a"))

        watched = listener._engine._watched  # type: ignore[union-attr]
        assert watched._begun <= 1_000


async def test_handlers_are_called_as_they_are_while_nobody_resets() -> None:
    async def handler(request: bytes, context: object) -> bytes:
        return request

    plain = grpc.unary_unary_rpc_method_handler(handler)
    watched = WatchedHandlers(lambda _: None, lambda _: None)
    watched.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("a.B", {"C": plain})])

    class Details:
        method = "/a.B/C"
        invocation_metadata = ()

    for _ in range(2_000):
        assert watched.service(Details()) is plain
        watched.handed += 1
