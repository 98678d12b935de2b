"""Attacks of many callers at once, each from an address of its own (127.0.0.2 and on). For hostile.py, which runs one in a process
of its own and reads what became of it: how often what was answered."""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import grpc
import rig
import uvloop
from hostile import clauses

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.support.raw_http2 import RawHttp2

GET_SCHEMA = "/schema_registry.v1.SchemaRegistry/GetSchema"
Outcomes = Counter[str]


@dataclass(frozen=True)
class Target:
    """grpc, http: ports. large: the id of a schema of about a megabyte. end: of the attack, on time.monotonic()."""

    grpc: int
    http: int
    large: str
    end: float

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.end


def address(number: int) -> str:
    return f"127.0.0.{number + 2}"


@asynccontextmanager
async def stub_from(source: str, port: int) -> AsyncIterator[Any]:
    """A client whose connection comes from `source`: grpcio itself cannot choose."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    async with rig.channel(server.sockets[0].getsockname()[1]) as channel:
        yield rig.stub(channel)
    server.close()


async def outcome(call: Awaitable[Any]) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def hard_comparisons(target: Target) -> Outcomes:
    """16 callers that compare 3-SAT with 3-SAT."""
    found: Outcomes = Counter()

    async def one(number: int) -> None:
        async with stub_from(address(number), target.grpc) as stub:
            seed = number * 1000
            while not target.over:
                seed += 1
                asked = pb.CompatibilityCheckRequest(subject="hostile.sat", new_schema=clauses(seed))
                found[await outcome(stub.CheckCompatibility(asked))] += 1

    await asyncio.gather(*map(one, range(16)))
    return found


async def large_bodies(target: Target) -> Outcomes:
    """8 callers that begin a batch of 64 MB over HTTP and never end it."""
    found: Outcomes = Counter()

    async def one(number: int) -> None:
        while not target.over:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", target.http, local_addr=(address(number), 0)
            )
            head = "POST /api/v1/validate:batch HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\n"
            writer.write(f"{head}content-length: {64 << 20}\r\n\r\n".encode())
            sent = 0
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(max(0.1, target.end - time.monotonic())):
                    while sent < (63 << 20):
                        writer.write(b" " * (1 << 16))
                        sent += 1 << 16
                        await writer.drain()
                    status = (await reader.readline()).split(b" ")
                    found[status[1].decode() if len(status) > 1 else "closed"] += 1
            writer.close()

    await asyncio.gather(*map(one, range(8)))
    return found


def blocking(
    work: Callable[[Target, int], Outcomes], callers: int
) -> Callable[[Target], Coroutine[None, None, Outcomes]]:
    """The attack of so many threads."""

    async def attack(target: Target) -> Outcomes:
        parts = await asyncio.gather(*(asyncio.to_thread(work, target, n) for n in range(callers)))
        return sum(parts, Counter())

    return attack


def never_reading(target: Target, number: int) -> Outcomes:
    """Ten connections that ask 100 times for a megabyte and read nothing."""
    message = pb.GetSchemaRequest(schema_id=target.large).SerializeToString()
    made = [RawHttp2(target.grpc, address(number)) for _ in range(10)]
    asked = 0
    for connection in made:
        with suppress(OSError):
            for _ in range(100):
                connection.call(GET_SCHEMA, message)
                asked += 1
    time.sleep(max(0.0, target.end - time.monotonic()))
    for connection in made:
        connection.close()
    return Counter({"asked": asked})


def rapid_reset(target: Target, number: int) -> Outcomes:
    """Calls that are cancelled as soon as they have begun."""
    found: Outcomes = Counter()
    while not target.over:
        with suppress(OSError), RawHttp2(target.grpc, address(number)) as connection:
            found["connections"] += 1
            connection.socket.settimeout(1.0)
            while not target.over:
                connection.call(GET_SCHEMA, b"", reset=True)
                found["resets"] += 1
    return found


def gzip_bombs(target: Target, number: int) -> Outcomes:
    """Messages of 300 KB that inflate to 300 MB."""
    bomb = gzip.compress(bytes(300_000_000), 9)
    found: Outcomes = Counter()
    while not target.over:
        with suppress(OSError), RawHttp2(target.grpc, address(number)) as connection:
            connection.socket.settimeout(2.0)
            connection.allow(1 << 20)
            connection.call(GET_SCHEMA, bomb, compressed=True)
            found["bombs"] += 1
            while connection.socket.recv(1 << 16) and not target.over:
                time.sleep(0.2)
    return found


ATTACKS: Mapping[str, Callable[[Target], Coroutine[None, None, Outcomes]]] = {
    "16 callers of hard comparisons": hard_comparisons,
    "8 batches of 64 MB that never end": large_bodies,
    "60 connections that never read": blocking(never_reading, 6),
    "4 callers that reset at once": blocking(rapid_reset, 4),
    "2 callers with gzip bombs": blocking(gzip_bombs, 2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=list(ATTACKS))
    for option in ("--grpc", "--http"):
        parser.add_argument(option, type=int, required=True)
    parser.add_argument("--large", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    given = parser.parse_args()
    target = Target(given.grpc, given.http, given.large, time.monotonic() + given.seconds)
    socket.setdefaulttimeout(given.seconds)
    print(json.dumps(uvloop.run(ATTACKS[given.name](target))))


if __name__ == "__main__":
    main()
