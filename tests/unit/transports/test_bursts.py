"""A connection with many streams is corked while much is sent to it, and never for long."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator

import pytest

from llm_schema_registry_server.transports.grpc import bursts as module
from llm_schema_registry_server.transports.grpc.bursts import MANY_STREAMS, Burst, Bursts
from llm_schema_registry_server.transports.tcp import peer_name

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="TCP_CORK and /proc")


@contextlib.asynccontextmanager
async def connection() -> AsyncIterator[tuple[int, str, socket.socket, socket.socket]]:
    """Port, peer, and both ends: the server's and the client's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            server, peer = listener.accept()
            with server:
                yield port, peer_name(*peer), server, client


def corked(server: socket.socket) -> bool:
    return bool(server.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK))


async def followed(bursts: Bursts, peer: str, streams: int) -> Burst:
    for _ in range(streams):
        burst = bursts.join(peer)
    if bursts._looking is not None:
        await bursts._looking
    return burst


async def quiet(bursts: Bursts) -> None:
    while bursts._busy:  # noqa: ASYNC110
        await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.0)


async def test_many_messages_at_a_time_leave_together() -> None:
    async with connection() as (port, peer, server, client):
        bursts = Bursts(port)
        burst = await followed(bursts, peer, MANY_STREAMS)
        for _ in range(MANY_STREAMS):
            burst.message()
            server.send(b"x")
        assert corked(server)
        await quiet(bursts)
        assert not corked(server)
        assert await asyncio.to_thread(client.recv, 100, socket.MSG_WAITALL | socket.MSG_DONTWAIT) == b"x" * 8
        await bursts.stop()


async def test_a_cork_is_drawn_also_while_more_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_SECONDS", 0.0)
    async with connection() as (port, peer, server, _):
        bursts = Bursts(port)
        burst = await followed(bursts, peer, MANY_STREAMS)
        for _ in range(MANY_STREAMS):
            burst.message()
        assert corked(server)
        bursts._tick()
        assert not corked(server)
        await bursts.stop()


async def test_few_messages_and_few_streams_go_as_they_are() -> None:
    async with connection() as (port, peer, server, _):
        bursts = Bursts(port)
        burst = await followed(bursts, peer, MANY_STREAMS)
        for _ in range(3):
            burst.message()
        assert not corked(server)
        await bursts.stop()

        bursts = Bursts(port)
        burst = await followed(bursts, peer, MANY_STREAMS - 1)
        assert burst.socket is None
        for _ in range(100):
            burst.message()
        assert not corked(server)
        await bursts.stop()


async def test_no_duplicate_outlives_the_last_stream() -> None:
    async with connection() as (port, peer, server, client):
        bursts, before = Bursts(port), len(os.listdir("/proc/self/fd"))
        burst = await followed(bursts, peer, MANY_STREAMS)
        assert len(os.listdir("/proc/self/fd")) == before + 1
        for _ in range(MANY_STREAMS):
            burst.message()
        for _ in range(MANY_STREAMS):
            bursts.leave(burst)
        assert len(os.listdir("/proc/self/fd")) == before
        assert not corked(server)
        assert (bursts._bursts, bursts._wanted, bursts._sockets) == ({}, {}, 0)
        server.close()
        assert await asyncio.to_thread(client.recv, 1) == b""  # closed for the other end too
        await quiet(bursts)
        await bursts.stop()


async def test_who_left_while_it_was_looked_for_is_not_kept() -> None:
    async with connection() as (port, peer, _, _client):
        bursts, before = Bursts(port), len(os.listdir("/proc/self/fd"))
        for _ in range(MANY_STREAMS):
            burst = bursts.join(peer)
        looking = bursts._looking
        assert looking is not None
        for _ in range(MANY_STREAMS):
            bursts.leave(burst)
        await looking
        assert (burst.socket, len(os.listdir("/proc/self/fd"))) == (None, before)
        await bursts.stop()
