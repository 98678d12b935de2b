"""A WebSocket subscribes with its first message and is told why it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.transports.http.listener import HttpListener
from llm_schema_registry_server.transports.servers import Servers
from tests.unit.conftest import LogLines
from tests.unit.transports.test_http_twin import OPTIONS, dispatcher
from tests.unit.transports.toy import ToyHealth, ToyRegistry, rpcs, unread


@dataclass
class World:
    registry: ToyRegistry
    servers: Servers
    url: str


@pytest.fixture
async def world(stall_seconds: float) -> AsyncIterator[World]:
    registry = ToyRegistry()
    app = dispatcher(rpcs(registry), ToyHealth(), replace(OPTIONS, unread=unread(stall_seconds)))
    servers = Servers([HttpListener(app, "127.0.0.1", 0)], registry.end_streams)
    await servers.start()
    yield World(registry, servers, f"ws://127.0.0.1:{servers.ports['http']}/api/v1/schemas/subscribe")
    await servers.drain(0)


async def test_the_first_message_chooses_what_arrives(world: World) -> None:
    async with connect(world.url) as socket:
        await socket.send(
            json.dumps({"subjects": ["a*"], "event_types": ["SCHEMA_DELETED"], "from_revision": "6"})
        )
        revisions = [json.loads(await socket.recv())["revision"] for _ in range(3)]

    assert revisions == ["7", "8", "9"]
    assert world.registry.seen == [
        pb.StreamRequest(subjects=["a*"], event_types=[pb.EVENT_TYPE_SCHEMA_DELETED], from_revision="6")
    ]
    await world.registry.ended.wait()


@pytest.mark.parametrize("first", ["{oops", '{"colour": 1}', "[]", "x" * 70_000])
async def test_a_first_message_that_is_wrong_is_named_and_ends_the_socket(world: World, first: str) -> None:
    async with connect(world.url) as socket:
        await socket.send(first)
        error = json.loads(await socket.recv())["error"]
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()

    assert error["error_code"] == "INVALID_REQUEST"
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


async def test_a_path_that_subscribes_to_nothing_says_so(world: World) -> None:
    async with connect(world.url + "/nothing") as socket:
        error = json.loads(await socket.recv())["error"]

    assert error["error_code"] == "ROUTE_NOT_FOUND"


async def test_a_server_that_goes_says_where_to_resume(world: World) -> None:
    async with connect(world.url) as socket:
        await socket.send("{}")
        for _ in range(3):
            await socket.recv()
        draining = asyncio.create_task(world.servers.drain(10))
        error = json.loads(await socket.recv())["error"]
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        await draining

    assert (error["error_code"], error["details"][0]["metadata"]["revision"]) == ("SHUTTING_DOWN", "3")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012


async def test_a_client_that_leaves_ends_its_handler(world: World) -> None:
    socket = await connect(world.url)
    await socket.send("{}")
    await socket.recv()
    socket.transport.abort()

    await world.registry.streams_ended.get()


@pytest.mark.parametrize("stall_seconds", [0.5])
async def test_a_client_that_never_reads_is_ended(world: World) -> None:
    async with connect(world.url, max_queue=1) as socket:
        await socket.send('{"subjects": ["flood"]}')
        await world.registry.streams_ended.get()
        socket.transport.abort()


async def test_a_hundred_subscribers_at_once_all_get_everything(world: World) -> None:
    async def subscribe() -> list[str]:
        async with connect(world.url) as socket:
            await socket.send("{}")
            return [json.loads(await socket.recv())["revision"] for _ in range(3)]

    got = await asyncio.gather(*(subscribe() for _ in range(100)))

    assert got == [["1", "2", "3"]] * 100


async def test_a_message_that_does_not_end_is_cut_while_it_arrives(log_lines: LogLines, world: World) -> None:
    async with connect(world.url) as honest:
        await honest.send("{}")
        await honest.recv()
        sockets = [await connect(world.url) for _ in range(5)]
        # Frames of 1 MiB, masked with zeros, none of which is the last of its message.
        length = (1 << 20).to_bytes(8, "big") + bytes(4)
        frames = {socket: b"\x01\xff" + length + bytes(1 << 20) for socket in sockets}
        sent = 0
        while any(not socket.transport.is_closing() for socket in sockets):
            for socket in sockets:
                if not socket.transport.is_closing() and not socket.transport.get_write_buffer_size():
                    socket.transport.write(frames[socket])
                    frames[socket] = b"\x00\xff" + length + bytes(1 << 20)
                    sent += 1 << 20
            await asyncio.sleep(0.001)

        cut = [line for line in log_lines() if line["event"] == "socket_cut"]
        assert [line["setting"] for line in cut] == ["limits.socket_bytes"] * 5
        assert sent < 5 * (60 << 20)
        assert json.loads(await honest.recv())["revision"] == "2"
    await asyncio.gather(*(socket.wait_closed() for socket in sockets))


async def test_small_messages_and_pings_are_no_flood(world: World) -> None:
    async with connect(world.url) as socket:
        await socket.send("{}")
        for _ in range(100):
            await socket.send("x")
            await (await socket.ping())
        assert json.loads(await socket.recv())["revision"] == "1"
