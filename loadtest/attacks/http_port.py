"""Attacks on the HTTP port and on that of the metrics, below their calls: what HTTP/1.1 and WebSocket let a client do."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from attacks.attack import (
    Outcomes,
    Target,
    address,
    answered,
    ask,
    attack,
    hang_up,
    head,
    json_request,
    together,
)
from attacks.grpc_port import a_large_schema

_PART = b" " * (1 << 16)
_SCHEMAS, _BATCH = "/api/v1/schemas", "/api/v1/validate:batch"


@asynccontextmanager
async def opened(port: int, number: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection of attacker `number`. Nothing is raised when it breaks."""
    with suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address(number), 0))
        try:
            yield reader, writer
        finally:
            await hang_up(writer)


async def pour(target: Target, number: int, found: Outcomes, size: int, *, most: int) -> None:
    """Sends the head of a batch of `size` bytes and `most` of them, and waits for what is answered."""
    async with opened(target.http, number) as (reader, writer):
        writer.write(head("POST", _BATCH, "content-type: application/x-ndjson", f"content-length: {size}"))
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(max(0.1, target.left)):
                for _ in range(most // len(_PART)):
                    writer.write(_PART)
                    await writer.drain()
                found[await answered(reader)] += 1
                return
        found["cut" if not target.over else "waited to the end"] += 1


@attack("batches that never end", 13, port="http")
async def endless_batches(target: Target) -> Outcomes:
    """8 callers that begin a batch of 64 MB and never end it."""

    async def one(target: Target, number: int, found: Outcomes) -> None:
        while not target.over:
            await pour(target, number, found, 64 << 20, most=63 << 20)
            await asyncio.sleep(0.01)

    return await together(target, 8, one)


@attack("bodies of 64 MiB", 13, port="http")
async def large_bodies(target: Target) -> Outcomes:
    """4 callers that send batches of 64 MiB, one after the other."""

    async def one(target: Target, number: int, found: Outcomes) -> None:
        while not target.over:
            await pour(target, number, found, 64 << 20, most=64 << 20)
            await asyncio.sleep(0.01)

    return await together(target, 4, one)


@attack("slow heads", 14, port="http")
async def slow_heads(target: Target) -> Outcomes:
    """400 connections whose request comes a byte at a time."""

    async def one(target: Target, number: int, found: Outcomes) -> None:
        async with opened(target.http, number % 4) as (_, writer):
            found["connections"] += 1
            for byte in itertools.cycle(b"GET /api/v1/schemas HTTP/1.1 "):
                writer.write(bytes([byte]))
                await asyncio.sleep(min(0.5, target.left))
                if target.over:
                    return

    return await together(target, 400, one)


@attack("half-closed requests", 14, port="http")
async def half_closed(target: Target) -> Outcomes:
    """8 callers that close their side after a request, with and without all of its body."""
    body = b'{"subject": "hostile.half", "schema": "{}", "schema_type": "JSON"}'

    async def one(target: Target, number: int, found: Outcomes) -> None:
        while not target.over:
            async with opened(target.http, number) as (reader, writer):
                request = json_request(_SCHEMAS, body)
                writer.write(request if number % 2 else request[:-10])
                writer.write_eof()
                with suppress(OSError, TimeoutError):
                    async with asyncio.timeout(2):
                        found[await answered(reader)] += 1
            await asyncio.sleep(0.01)

    return await together(target, 8, one)


CHUNKS = (
    b"zz\r\n{}\r\n0\r\n\r\n",
    b"-1\r\n{}\r\n0\r\n\r\n",
    b"ffffffffffffffff\r\n{}\r\n",
    b"5\r\n{}\r\n0\r\n\r\n",
    b"2;" + b"x" * 100_000 + b"\r\n{}\r\n0\r\n\r\n",
    b"1\r\n \r\n" * 20_000 + b"0\r\n\r\n",
    b"2\r\n{}\r\n0\r\n" + b"trailer: x\r\n" * 10_000 + b"\r\n",
)


@attack("bad chunks", 14, port="http")
async def bad_chunks(target: Target) -> Outcomes:
    """8 callers whose chunks are no chunks, are too many, or never end."""

    async def one(target: Target, number: int, found: Outcomes) -> None:
        for chunks in itertools.cycle(CHUNKS):
            if target.over:
                return
            fields = ("transfer-encoding: chunked", "content-type: application/json", "connection: close")
            request = head("POST", _SCHEMAS, *fields) + chunks
            found[await ask(target.http, address(number), request, 1.0)] += 1

    return await together(target, 8, one)


ODD = (
    head("GET", _SCHEMAS, "accept: application/json;q=0", "connection: close"),
    head("GET", _SCHEMAS, "accept: " + ",".join(f"a/b{n};q=0.{n % 10}" for n in range(2000)), "connection: close"),
    head("GET", _SCHEMAS, "accept: */*;q=1e99", "connection: close"),
    b"GET /api/v1/schemas HTTP/1.1\r\nconnection: close\r\n\r\n",
    b"GET /api/v1/schemas HTTP/1.1\r\nhost: x\r\nhost: y\r\nconnection: close\r\n\r\n",
    head("GET", "/api/v1/config/subjects/\u00e9", "connection: close"),
    b"GET /api/v1/config/subjects/\xff\xfe HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    head("GET", _SCHEMAS + "?" + "&".join(f"a{n}=1" for n in range(3000)), "connection: close"),
    head("GET", _SCHEMAS, *(f"x-{n}: y" for n in range(3000)), "connection: close"),
    head("GET", _SCHEMAS, "x-long: " + "y" * 200_000, "connection: close"),
    head("GET", _SCHEMAS + "?page_token=" + "%ED%A0%80" * 100, "connection: close"),
    head("GET", "/" + "../" * 10_000, "connection: close"),
    head("POST", _SCHEMAS, "content-length: -1", "connection: close"),
    head("POST", _SCHEMAS, "content-length: 99999999999999999999", "connection: close"),
    head("POST", _SCHEMAS, "content-length: 2", "content-length: 3", "connection: close") + b"{}",
    head("POST", _SCHEMAS, "content-length: 2", "transfer-encoding: chunked", "connection: close") + b"{}",
    b"\x16\x03\x01" + bytes(200),
    b"\r\n" * 10_000,
)  # fmt: skip


@attack("odd requests", 6, 14, port="http")
async def odd_requests(target: Target) -> Outcomes:
    """8 callers with heads that are wrong, too large, without a host, with raw bytes, or forbid every answer (`q=0`)."""

    async def one(target: Target, number: int, found: Outcomes) -> None:
        for request in itertools.cycle((*ODD, os.urandom(2000))):
            if target.over:
                return
            found[await ask(target.http, address(number), request, 1.0)] += 1

    return await together(target, 8, one)


@attack("requests whose answers are not read", 14, port="http", prepare=a_large_schema)
async def unread_answers(target: Target) -> Outcomes:
    """40 connections that ask for a megabyte a hundred times in a row, and read nothing."""
    request = head("GET", f"{_SCHEMAS}/{target.ids['large']}")

    async def one(target: Target, number: int, found: Outcomes) -> None:
        async with opened(target.http, number % 4) as (reader, writer):
            reader._transport.pause_reading()  # type: ignore[attr-defined]  # asyncio reads ahead otherwise
            writer.write(request * 100)
            found["asked"] += 100
            await asyncio.sleep(target.left)

    return await together(target, 40, one)


def upgrade() -> bytes:
    return head(
        "GET",
        f"{_SCHEMAS}/subscribe",
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
    )


@attack("WebSocket messages", 14, port="http")
async def websocket_messages(target: Target) -> Outcomes:
    """50 WebSockets that send frames of 1 MB: as one message without end, or as many."""
    size = 1 << 20

    async def one(target: Target, number: int, found: Outcomes) -> None:
        first, more = (0x01, 0x00) if number % 2 else (0x81, 0x81)  # a text without end, or many of them
        while not target.over:
            async with opened(target.http, number % 8) as (reader, writer):
                writer.write(upgrade())
                with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                    async with asyncio.timeout(min(3.0, target.left + 0.1)):
                        await reader.readuntil(b"\r\n\r\n")
                        found["sockets"] += 1
                        for opcode in itertools.chain([first], itertools.repeat(more)):
                            writer.write(bytes([opcode, 0xFF]) + size.to_bytes(8, "big") + bytes(4))
                            for _ in range(size // len(_PART)):
                                writer.write(_PART)
                                await writer.drain()
                            found["MiB"] += 1
            await asyncio.sleep(0.01)

    return await together(target, 50, one)


@attack("idle connections to HTTP", 14, port="http")
async def idle_http(target: Target) -> Outcomes:
    """400 connections that say nothing."""

    async def one(target: Target, number: int, found: Outcomes) -> None:
        async with opened(target.http, number % 4):
            found["connections"] += 1
            await asyncio.sleep(target.left)

    return await together(target, 400, one)


@attack("scrapes", 12, port="metrics")
async def scrapes(target: Target) -> Outcomes:
    """16 callers that ask for the metrics without a pause."""
    request = head("GET", "/metrics", "connection: close")

    async def one(target: Target, number: int, found: Outcomes) -> None:
        while not target.over:
            found[await ask(target.metrics, address(number), request, 2.0)] += 1

    return await together(target, 16, one)


@attack("metrics unread", 12, 14, port="metrics")
async def unread_metrics(target: Target) -> Outcomes:
    """100 connections that ask for the metrics and read nothing, ask for half of them, or send junk."""
    starts = (
        head("GET", "/metrics") * 50,
        b"GET /metr",
        os.urandom(60_000),
        b"GET /metrics HTTP/1.1\r\n" + b"a: b\r\n" * 9000,
    )

    async def one(target: Target, number: int, found: Outcomes) -> None:
        while not target.over:
            async with opened(target.metrics, number % 8) as (reader, writer):
                reader._transport.pause_reading()  # type: ignore[attr-defined]
                writer.write(starts[number % len(starts)])
                found["connections"] += 1
                await asyncio.sleep(min(1.0, target.left))
            await asyncio.sleep(0.01)

    return await together(target, 100, one)
