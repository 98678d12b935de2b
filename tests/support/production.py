"""A whole registry as in production: several server processes on one PostgreSQL, one Redis and one object store."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from google.protobuf.message import Message

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc as pb_grpc
from tests.api.server import ServerProcess

from .postgres import Postgres
from .proxies import SlowProxy
from .redis import RedisServer
from .s3 import Bucket, FaultyProxy, S3Server

THRESHOLD = 200
"""Contents with more bytes are in the object store."""
HEALTHY = pb.HealthCheckResponse.STATUS_HEALTHY
REFUSED = grpc.aio.AioRpcError


class Instance:
    """One server process and a channel to it; `begin` again after `kill`."""

    def __init__(self, home: Path, settings: dict[str, Any]) -> None:
        self._home, self._settings = home, settings
        self.server: ServerProcess | None = None
        self._channels: list[grpc.aio.Channel] = []  # calls may still be made on an old one
        self._stub: Any = None

    async def begin(self) -> None:
        self.server = server = await asyncio.to_thread(lambda: ServerProcess(self._home, **self._settings))
        channel = grpc.aio.insecure_channel(server.grpc, [("grpc.initial_reconnect_backoff_ms", 100)])
        self._channels.append(channel)
        self._stub = pb_grpc.SchemaRegistryStub(channel)

    async def call(self, rpc: str, request: Message, seconds: float = 30, *, revision: str = "") -> Any:
        """The answer, of at least that revision when one is given; raises REFUSED."""
        metadata = (("x-registry-min-revision", revision),) if revision else ()
        return await getattr(self._stub, rpc)(request, timeout=seconds, metadata=metadata)

    async def healthy(self) -> bool:
        try:
            answer = await self.call("HealthCheck", empty_pb2.Empty(), 10)
        except REFUSED:
            return False
        return bool(answer.status == HEALTHY)

    async def trouble(self) -> Sequence[str]:
        """The components that are not up."""
        answer = await self.call("HealthCheck", empty_pb2.Empty(), 10)
        return [
            name
            for name, component in answer.components.items()
            if component.status != pb.ComponentHealth.STATUS_UP
        ]

    def kill(self) -> None:
        assert self.server is not None
        self.server.kill()

    async def end(self) -> None:
        """Stops an instance that runs and checks that it ends well."""
        for channel in self._channels:
            await channel.close()
        if self.server is None or self.server.process.poll() is not None:
            return
        assert await asyncio.to_thread(self.server.stop) == 0
        assert self.server.events("call_crashed") == []


class Production:
    """`async with`: everything runs. The proxies stand before Redis and the object store. settings: of the servers, beside those
    that lead to the rest."""

    def __init__(
        self,
        home: Path,
        *,
        instances: int = 2,
        database_home: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._home, self._count, self._more = home, instances, settings or {}
        options: dict[str, Any] = {"max_wal_size": "8MB", "min_wal_size": "2MB"} if database_home else {}
        self.database = Postgres(database_home, max_connections="30", **options)
        self.redis, self.s3 = RedisServer(home), S3Server(home)
        self.slow_redis = SlowProxy(self.redis.port)
        self.faulty_s3 = FaultyProxy(self.s3.port)
        self.instances: list[Instance] = []
        self.dsn = ""
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Production:
        stack = self._stack
        try:
            stack.callback(self.database.remove)
            stack.callback(self.redis.kill)
            stack.callback(self.s3.stop)
            self.database.start()
            await asyncio.gather(self.database.ready(), self.redis.start(), self.s3.start())
            await stack.enter_async_context(self.slow_redis)
            await stack.enter_async_context(self.faulty_s3)
            bucket = await stack.enter_async_context(Bucket(self.s3.endpoint))
            self.dsn = await self.database.create_database()
            for number in range(self._count):
                instance = Instance(self._home / str(number), self._settings(bucket.name))
                self.instances.append(instance)
                stack.push_async_callback(instance.end)
            await asyncio.gather(*(instance.begin() for instance in self.instances))
        except BaseException:
            await stack.aclose()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    def _settings(self, bucket: str) -> dict[str, str]:
        return {
            "STORAGE__KIND": "postgres",
            "STORAGE__POSTGRES__DSN": self.dsn,
            "STORAGE__POSTGRES__POOL_MAX": "6",
            "STORAGE__POSTGRES__CONNECT_SECONDS": "2",
            "STORAGE__POSTGRES__STATEMENT_SECONDS": "1",
            "CACHES__REDIS__URL": f"redis://127.0.0.1:{self.slow_redis.port}/0",
            "CACHES__REDIS__BREAKER_SECONDS": "0.3",
            "BLOBS__KIND": "s3",
            "BLOBS__THRESHOLD": str(THRESHOLD),
            "BLOBS__MEMORY_BYTES": "0",
            "BLOBS__S3__BUCKET": bucket,
            "BLOBS__S3__ENDPOINT": self.faulty_s3.endpoint,
            "BLOBS__S3__REGION": "us-east-1",
            "BLOBS__S3__PATH_STYLE": "true",
            "BLOBS__S3__ACCESS_KEY": "test",
            "BLOBS__S3__SECRET_KEY": "test",
            "BLOBS__S3__TIMEOUT_SECONDS": "1",
            "BLOBS__S3__BREAKER_SECONDS": "0.3",
            **self._more,
        }
