"""What loadtest/profiles.py asks a server: each operation on each wire, as fast as a few connections can."""

from __future__ import annotations

import asyncio
import itertools
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import aiohttp
import rig
import uvloop
from google.protobuf.message import Message
from two_commits import SERVICE, h2load

from llm_schema_registry.v1 import schema_registry_pb2 as pb

NATIVE, GRPCIO, HTTP = "gRPC native", "gRPC grpcio", "HTTP"
WIRES = {NATIVE: "native", GRPCIO: "grpcio", HTTP: "native"}
"""The engine of gRPC on the server that is loaded."""
DOCUMENT = b'{"field_0": "a", "field_1": "b"}'
WRITERS = 32


@dataclass(frozen=True)
class Served:
    """A server under load, and the id of a schema that it holds."""

    server: rig.Server
    schema_id: str


Load = Callable[[Served, float], int]
"""Loads a server for so many seconds; how many answers came."""


def rpc(method: str, request: Callable[[Served], Message], *headers: str) -> Load:
    """One unary call over gRPC again and again: 8 connections with 16 streams each."""

    def load(served: Served, seconds: float) -> int:
        message = request(served).SerializeToString()
        told = ["-H", "content-type: application/grpc", "-H", "te: trailers", *headed(headers)]
        url = f"http://127.0.0.1:{served.server.port}{SERVICE}{method}"
        with body(b"\0" + len(message).to_bytes(4, "big") + message) as data:
            return h2load(seconds, ["-c", "8", "-m", "16", "-d", data, *told, url])

    return load


def http(path: Callable[[Served], str], content: bytes = b"", *headers: str) -> Load:
    """One request over HTTP/1.1 again and again, on 32 connections; POST when it has a content."""

    def load(served: Served, seconds: float) -> int:
        url = f"http://127.0.0.1:{served.server.http}{path(served)}"
        plain = ["-c", "32", "-m", "1", "--h1", *headed(headers)]
        if not content:
            return h2load(seconds, [*plain, url])
        with body(content) as data:
            return h2load(seconds, [*plain, "-H", "content-type: application/json", "-d", data, url])

    return load


def headed(headers: tuple[str, ...]) -> list[str]:
    return [argument for header in headers for argument in ("-H", header)]


@contextmanager
def body(content: bytes) -> Iterator[str]:
    """A file with it."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name


_numbers = itertools.count(10**6)


def register_over_grpc(served: Served, seconds: float) -> int:
    """New subjects, 32 callers."""

    async def run() -> int:
        async with rig.channel(served.server.port) as channel:
            stub = rig.stub(channel)

            async def register(number: int) -> None:
                await stub.RegisterSchema(registration(f"write.s{number}", number))

            return await writers(register, seconds)

    return uvloop.run(run())


def register_over_http(served: Served, seconds: float) -> int:
    """New subjects, 32 callers."""

    async def run() -> int:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{served.server.http}") as session:

            async def register(number: int) -> None:
                content = {
                    "subject": f"write.s{number}",
                    "schema": rig.schema(number).decode(),
                    "schema_type": "JSON",
                }
                async with session.post("/api/v1/schemas", json=content) as answer:
                    if answer.status != 201:
                        raise RuntimeError(await answer.text())

            return await writers(register, seconds)

    return uvloop.run(run())


async def writers(register: Callable[[int], object], seconds: float) -> int:
    """How many were registered in so many seconds."""
    end, done = time.monotonic() + seconds, 0

    async def writer() -> None:
        nonlocal done
        while time.monotonic() < end:
            await register(next(_numbers))  # type: ignore[misc]  # a coroutine function
            done += 1

    await asyncio.gather(*(writer() for _ in range(WRITERS)))
    return done


def registration(subject: str, number: int) -> pb.RegisterSchemaRequest:
    return pb.RegisterSchemaRequest(
        subject=subject, schema_content=rig.schema(number), schema_type=pb.SCHEMA_TYPE_JSON
    )


def _get(served: Served) -> Message:
    return pb.GetSchemaRequest(schema_id=served.schema_id)


def _validate(served: Served) -> Message:
    return pb.ValidateDataRequest(schema_id=served.schema_id, data=DOCUMENT)


def _path(served: Served) -> str:
    return f"/api/v1/schemas/{served.schema_id}"


FRESH = "cache-control: no-cache"
_DATA = json.dumps({"data_json": json.loads(DOCUMENT)}).encode()
OPERATIONS: Mapping[str, Mapping[str, Load]] = {
    "hot read": {
        **dict.fromkeys((NATIVE, GRPCIO), rpc("GetSchema", _get)),
        HTTP: http(_path),
    },
    "cold read": {
        **dict.fromkeys((NATIVE, GRPCIO), rpc("GetSchema", _get, FRESH)),
        HTTP: http(_path, b"", FRESH),
    },
    "registration": {
        **dict.fromkeys((NATIVE, GRPCIO), register_over_grpc),
        HTTP: register_over_http,
    },
    "validation": {
        **dict.fromkeys((NATIVE, GRPCIO), rpc("ValidateData", _validate)),
        HTTP: http(lambda served: f"{_path(served)}/validate", _DATA),
    },
}
