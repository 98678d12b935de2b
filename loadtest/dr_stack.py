"""What the drill of disaster recovery is played with: PostgreSQL that archives its log, Redis, an object store, two servers."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import rig

from tests.api.server import ServerProcess
from tests.support.postgres import Postgres
from tests.support.processes import run
from tests.support.redis import RedisServer
from tests.support.s3 import Bucket, S3Server

SCRIPTS = rig.ROOT / "scripts" / "backup"
THRESHOLD = 16 * 1024
"""Longer contents are in the object store."""
SERVERS = 2
DATABASE = "registry"
DURABLE: dict[str, Any] = {
    "fsync": "on",
    "autovacuum": "on",
    "shared_buffers": "256MB",
    "min_wal_size": "80MB",
    "max_wal_size": "1GB",
}
"""As in production; the clusters of the tests have fast commits and small logs."""


class Stack:
    """`async with`: everything runs. `destroy` the database, `restore` it, `serve` again.

    archive_timeout: seconds after which PostgreSQL archives a segment of its log that is not full.
    """

    def __init__(self, home: Path, archive_timeout: int) -> None:
        self._home = home
        place = run().directory("drill")
        self.database = Postgres(
            place,
            max_connections="100",
            archive_mode="on",
            archive_timeout=str(archive_timeout),
            archive_command=f"sh {place}/scripts/archive-wal %p {place}/wal/%f",
            **DURABLE,
        )
        # The user of PostgreSQL may not be allowed to read this checkout.
        shutil.copytree(SCRIPTS, place / "scripts")
        self.database.run("mkdir", str(place / "wal"))
        # Segments, too, have the size that PostgreSQL has unless it is told another.
        self.database.run("pg_resetwal", "--wal-segsize=16", "-D", str(self.database.data))
        self._redis, self._s3 = RedisServer(home), S3Server(home)
        self._bucket = ""
        self._stack = AsyncExitStack()
        self._servers: list[ServerProcess] = []
        self._channels: list[grpc.aio.Channel] = []
        self.stubs: Sequence[Any] = ()  # the generated class serves both kinds of channel

    async def __aenter__(self) -> Stack:
        stack = self._stack
        try:
            stack.callback(lambda: self.database.remove())  # whichever it is then
            stack.callback(self._redis.kill)
            stack.callback(self._s3.stop)
            self.database.start()
            await asyncio.gather(self.database.ready(), self._redis.start(), self._s3.start())
            await self.database.execute(f"CREATE DATABASE {DATABASE}")
            self._bucket = (await stack.enter_async_context(Bucket(self._s3.endpoint))).name
            stack.push_async_callback(self.stop_servers)
            await self.serve()
        except BaseException:
            await stack.aclose()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    @property
    def dsn(self) -> str:
        return self.database.dsn(DATABASE)

    @property
    def settings(self) -> dict[str, Any]:
        """SCHEMA_REGISTRY_* variables without the prefix."""
        return {
            "STORAGE__KIND": "postgres",
            "STORAGE__POSTGRES__DSN": self.dsn,
            "CACHES__REDIS__URL": self._redis.url,
            "BLOBS__KIND": "s3",
            "BLOBS__THRESHOLD": str(THRESHOLD),
            "BLOBS__S3__BUCKET": self._bucket,
            "BLOBS__S3__ENDPOINT": self._s3.endpoint,
            "BLOBS__S3__REGION": "us-east-1",
            "BLOBS__S3__PATH_STYLE": "true",
            "BLOBS__S3__ACCESS_KEY": "test",
            "BLOBS__S3__SECRET_KEY": "test",
            "LOGS__LEVEL": "error",
        }

    async def serve(self) -> None:
        """Start the servers; they are ready when it returns."""
        starting = (asyncio.to_thread(self._server, number) for number in range(SERVERS))
        self._servers = list(await asyncio.gather(*starting))
        self._channels = [rig.channel(server.ports["grpc"]) for server in self._servers]
        self.stubs = [rig.stub(channel) for channel in self._channels]

    def _server(self, number: int) -> ServerProcess:
        return ServerProcess(self._home / f"server-{number}", **self.settings)

    async def stop_servers(self) -> None:
        """As an operator would."""
        for channel in self._channels:
            await channel.close()
        await asyncio.gather(*(asyncio.to_thread(server.stop) for server in self._servers))
        self._channels, self._servers = [], []

    async def back_up(self) -> None:
        """A base backup beside the running servers."""
        home = self.database.home
        await asyncio.to_thread(self._script, self.database, "base", self.database.dsn(), home / "base")

    async def destroy(self) -> None:
        """The database is gone, as when its machine is: what is left are the base backup and the archive."""
        await asyncio.to_thread(self.database.kill)
        await asyncio.to_thread(shutil.rmtree, self.database.data)

    async def restore(self) -> None:
        """Another cluster from base backup and archive, to the end of the archive, that takes writes when this returns."""
        old, new = self.database, Postgres(made=True, **DURABLE)
        await asyncio.to_thread(
            self._script, old, "restore", old.home / "base", old.home / "wal", old.home / "again"
        )
        shutil.move(old.home / "again", new.data)
        # It goes on reading the archive of the old one, which lies in the same place.
        new.home.chmod(0o755)
        new.start()
        self._stack.callback(old.remove)
        self.database = new
        await new.writable()
        sql = old.home / "scripts" / "after-restore.sql"
        options = ("-v", "ON_ERROR_STOP=1", "--single-transaction", "-f", str(sql))
        await asyncio.to_thread(new.run, "psql", self.dsn, *options)

    @staticmethod
    def _script(server: Postgres, name: str, *arguments: Path | str) -> None:
        server.run("sh", str(server.home / "scripts" / name), *map(str, arguments))
