"""Attacks with subscriptions and with what makes the server tell, delete or log much."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration

from attacks.attack import (
    JSON,
    Outcomes,
    Target,
    address,
    attack,
    calling,
    fresh,
    head,
    outcome,
    stub_from,
    together,
)
from attacks.http_port import opened
from llm_schema_registry.v1 import lifecycle_pb2, lifecycle_pb2_grpc
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.support.raw_http2 import RawHttp2

FOLLOW = "/schema_registry.v1.SchemaRegistry/StreamSchemaChanges"
_BEAT = Duration(seconds=600)


async def writing(target: Target, found: Outcomes, *, size: int, pause: float) -> None:
    """Registers schemas of `size` bytes so that there is something to tell."""
    async with stub_from(address(0), target.grpc) as stub:
        while not target.over:
            content = json.dumps({"title": str(fresh()), "description": "x" * size}).encode()
            request = pb.RegisterSchemaRequest(
                subject=f"hostile.told.{fresh()}", schema_content=content, schema_type=JSON
            )
            found["registered: " + await outcome(stub.RegisterSchema(request, timeout=30))] += 1
            await asyncio.sleep(pause)


@attack("streams of 100 patterns", 12)
async def many_patterns(target: Target) -> Outcomes:
    """500 streams with 100 patterns each that fit nothing, beside registrations."""

    async def one(target: Target, number: int, found: Outcomes) -> None:
        async with stub_from(address(number), target.grpc) as stub:

            async def follow(stream: int) -> None:
                patterns = [f"*{number}x{stream}x{n}*y?" for n in range(100)]
                call = stub.StreamSchemaChanges(pb.StreamRequest(subjects=patterns, heartbeat_interval=_BEAT))
                try:
                    async for _ in call:
                        found["events"] += 1
                except grpc.aio.AioRpcError as error:
                    found[error.code().name] += 1

            tasks = [asyncio.create_task(follow(stream)) for stream in range(125)]
            await asyncio.sleep(target.left)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    found: Outcomes = Outcomes()
    parts = await asyncio.gather(together(target, 4, one), _after(target, found, size=100, pause=0.02))
    return found + parts[0]


async def _after(target: Target, found: Outcomes, *, size: int, pause: float) -> None:
    """Writes once the subscribers are there."""
    await asyncio.sleep(min(1.0, target.left / 2))
    await writing(target, found, size=size, pause=pause)


@attack("1,000 event streams unread", 12, port="http")
async def unread_events(target: Target) -> Outcomes:
    """1,000 streams of server-sent events with schemas whose readers take nothing, beside registrations of 20 KB."""
    request = head("GET", "/api/v1/changes?include_schema=true")

    async def one(target: Target, number: int, found: Outcomes) -> None:
        async with opened(target.http, number % 8) as (reader, writer):
            reader._transport.pause_reading()  # type: ignore[attr-defined]  # asyncio reads ahead otherwise
            writer.write(request)
            found["streams"] += 1
            await asyncio.sleep(target.left)

    found: Outcomes = Outcomes()
    parts = await asyncio.gather(together(target, 1000, one), _after(target, found, size=20_000, pause=0.05))
    return found + parts[0]


@attack("1,000 subscribers unread", 12, port="grpc")
async def unread_streams(target: Target) -> Outcomes:
    """1,000 subscriptions with schemas on 40 connections that read nothing, beside registrations of 20 KB."""
    request = pb.StreamRequest(include_schema=True).SerializeToString()
    made: list[RawHttp2] = []
    found: Outcomes = Outcomes()

    def open_all() -> None:
        for number in range(40):
            with suppress(OSError):
                connection = RawHttp2(target.grpc, address(number % 8))
                made.append(connection)
                for _ in range(25):
                    connection.call(FOLLOW, request)
                    found["streams"] += 1

    await asyncio.to_thread(open_all)
    await _after(target, found, size=20_000, pause=0.05)
    for connection in made:
        connection.close()
    return found


@attack("subscriptions without end", 12)
async def churn(target: Target) -> Outcomes:
    """4 callers that subscribe from the beginning of the log, read one event and leave."""

    async def one(target: Target, number: int, found: Outcomes) -> None:
        async with stub_from(address(number), target.grpc) as stub:
            while not target.over:
                call = stub.StreamSchemaChanges(
                    pb.StreamRequest(from_revision="earliest", include_schema=True)
                )
                try:
                    await call.read()
                    found["begun"] += 1
                except grpc.aio.AioRpcError as error:
                    found[error.code().name] += 1
                call.cancel()

    return await together(target, 4, one)


VERSIONS = 1_000


async def add_versions(stub: Any, subject: str, count: int) -> None:
    """Registers so many versions, of which nothing is checked."""
    for start in range(0, count, 50):
        contents = [b'{"title": "%d"}' % fresh() for _ in range(start, min(start + 50, count))]
        requests = [
            pb.RegisterSchemaRequest(
                subject=subject,
                schema_content=content,
                schema_type=JSON,
                compatibility_level=pb.COMPATIBILITY_LEVEL_NONE,
            )
            for content in contents
        ]
        await asyncio.gather(*(_registered(stub, request) for request in requests))


async def _registered(stub: Any, request: pb.RegisterSchemaRequest) -> None:
    """Registers as soon as the limits of rates allow it."""
    while True:
        try:
            await stub.RegisterSchema(request, timeout=60)
            return
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
        await asyncio.sleep(0.2)


async def many_versions(target: Target) -> Mapping[str, str]:
    """Subjects of many versions each."""
    async with stub_from(address(0), target.grpc) as stub:
        for number in range(2):
            await add_versions(stub, f"hostile.old.{number}", VERSIONS)
    return {}


@attack("deletion of many versions", 12, prepare=many_versions)
async def deletions(target: Target) -> Outcomes:
    """2 callers that delete a subject of 1,000 versions, softly and then for good, make 200 new ones, and begin again."""

    async def one(target: Target, number: int, found: Outcomes) -> None:
        at, subject = f"127.0.0.1:{target.grpc}", f"hostile.old.{number}"
        async with (
            grpc.aio.insecure_channel(at, options=(("grpc.use_local_subchannel_pool", 1),)) as channel,
            stub_from(address(number), target.grpc) as stub,
        ):
            deleting: Any = lifecycle_pb2_grpc.LifecycleServiceStub(channel)
            while not target.over:
                for permanent in (False, True):
                    request = lifecycle_pb2.DeleteSubjectRequest(subject=subject, permanent=permanent)
                    found["deleted: " + await outcome(deleting.DeleteSubject(request, timeout=30))] += 1
                await add_versions(stub, subject, 200)

    return await together(target, 2, one)


@attack("floods of the log", 12)
async def log_flood(target: Target) -> Outcomes:
    """8 callers whose every call fails, each with another text."""

    def failing(stub: Any, _: Target) -> Any:
        name = f"hostile\u2028{fresh()}" + "x" * 150
        return stub.RegisterSchema(
            pb.RegisterSchemaRequest(subject=name, schema_content=b"{", schema_type=JSON),
            metadata=(("x-request-id", name.encode("ascii", "replace").decode()[:100]),),
        )

    return await calling(8, failing, lambda stub, _: stub.GetSchema(pb.GetSchemaRequest(schema_id="none")))(
        target
    )
